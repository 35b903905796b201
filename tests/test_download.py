"""Facts about stages/download.py, told by real servers on this machine: what it takes, what it refuses, and in what words."""

import gzip
import hashlib
import os
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from stages import download, idx

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
RAW = Path("data/raw")
IMAGES, LABELS, *_ = idx.FILES.values()
HTML = b"<!DOCTYPE html><title>Sign in</title>"
FOREVER = threading.Event()  # nobody sets it


def idx_file(*shape: int) -> bytes:
    data = bytes(i % 10 for i in range(struct.unpack("I", struct.pack("I", shape[0]))[0]))
    size = 1
    for n in shape[1:]:
        size *= n
    return bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + data * size


PLAIN = {name: idx_file(20, 5, 7) if "images" in name else idx_file(20) for name in idx.FILES.values()}
ZIPPED = {f"{name}.gz": gzip.compress(data, mtime=0) for name, data in PLAIN.items()}
FIRST = ZIPPED[f"{IMAGES}.gz"]
