"""The IDX format of MNIST: a strict reader for plain or gzipped files, and a writer.

Layout, big-endian: two zero bytes, the type (8: unsigned byte), the number of dimensions, the size of each as a 32-bit
integer, then the data in C order. Source: Y. LeCun, C. Cortes and C. J. C. Burges, "The MNIST database".
"""

import gzip
import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

FILES = {
    ("train", "images"): "train-images-idx3-ubyte",
    ("train", "labels"): "train-labels-idx1-ubyte",
    ("test", "images"): "t10k-images-idx3-ubyte",
    ("test", "labels"): "t10k-labels-idx1-ubyte",
}
CHUNK = 2**22  # bytes of data held in memory at a time


def find(folder: Path, name: str) -> Path:
    """Return `folder/name` or `folder/name.gz`, whichever is there; SystemExit where none or both are."""
    found = [path for path in (folder / name, folder / f"{name}.gz") if path.is_file()]
    if len(found) != 1:
        raise SystemExit(f"{folder}: expected {name} or {name}.gz, found {'both' if found else 'neither'}")
    return found[0]


def read(path: Path, dimensions: int) -> tuple[tuple[int, ...], Iterator[np.ndarray]]:
    """Open an IDX file of unsigned bytes, plain or gzipped (told by its first bytes, not by its name).

    Returns its shape (N, ...) and its data in chunks uint8 (n, ...), so that memory does not grow with N. Once they are
    all read, header, exact length and gzip's checksum have been checked. SystemExit says what was expected and found.
    """
    chunks = _read(path, dimensions)
    return next(chunks), chunks


def _read(path: Path, dimensions: int) -> Iterator:
    with path.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        file = gzip.GzipFile(fileobj=raw) if zipped else raw
        try:
            magic, expected = file.read(4), bytes([0, 0, 8, dimensions])
            if magic != expected:
                kind = f"unsigned bytes in {dimensions} dimensions ({expected.hex(' ')})"
                raise SystemExit(f"{path}: expected an IDX file of {kind}, found {magic.hex(' ') or 'nothing'}")
            sizes = file.read(4 * dimensions)
            shape = struct.unpack(f">{len(sizes) // 4}I", sizes[: len(sizes) // 4 * 4])
            if len(sizes) < 4 * dimensions or 0 in shape:
                raise SystemExit(f"{path}: expected {dimensions} sizes of at least 1, found {[*shape]}")
            item, end = math.prod(shape[1:]), math.prod(shape)
            if item > CHUNK:
                raise SystemExit(f"{path}: expected images of at most {CHUNK} pixels, found {[*shape[1:]]}")
            yield shape
            step = CHUNK // item * item
            for start in range(0, end, step):
                data = file.read(min(step, end - start))
                if len(data) < min(step, end - start):
                    raise SystemExit(f"{path}: expected {end} bytes of data, found {start + len(data)}")
                yield np.frombuffer(data, np.uint8).reshape(-1, *shape[1:])
            if file.read(1):
                raise SystemExit(f"{path}: expected {end} bytes of data, found more")
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise SystemExit(f"{path}: expected an intact gzip file, found: {error}") from None


def create(path: Path, shape: tuple[int, ...]) -> BinaryIO:
    """Begin a plain IDX file of unsigned bytes: what is written next is its data, in C order."""
    file = path.open("wb")
    file.write(struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape))
    return file
