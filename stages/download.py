"""The data set named by params.yaml -> data/raw (four IDX files, each checked before it gets its name).

The environment variable DATASET_MIRROR, a folder or base URL that holds DATASET/FILE, is tried before the mirrors
below. Where the bytes come from never changes them: a file is kept only if it has the SHA-256 that params.yaml says.
"""

import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pooch
import requests
from tqdm import tqdm

from data import synthetic
from stages import idx, validate

RAW = Path("data/raw")
MIRRORS = {
    "mnist": ["https://storage.googleapis.com/cvdf-datasets/mnist", "https://ossci-datasets.s3.amazonaws.com/mnist"],
    "fashion_mnist": ["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"],
    "kmnist": ["http://codh.rois.ac.jp/kmnist/dataset/kmnist"],
}
ANSWER_SECONDS = 20  # for all servers together: a name that does not resolve can block longer than any time-out
OTHERS_SECONDS = 3  # for the other servers, once one has answered
STALL_SECONDS = 20
ROUNDS = 3
REASONS = {  # what stands in an error of requests, in words
    "Proxy(Error|URL)|SOCKS": "the proxy that the environment names cannot be used",
    "CERTIFICATE_VERIFY_FAILED": "its HTTPS certificate is not trusted",
    "SSLError": "it does not speak HTTPS",
    "timed out": "it sent nothing for too long",
    "Failed to resolve": "its name does not resolve",
    "Connection (aborted|broken)": "the connection broke off",
    "connection adapters": "expected a folder, http:// or https://",
}
WAYS_ON = """three ways on:
  have a mirror of your own: set DATASET_MIRROR to a folder or base URL that holds DATASET/FILE, such as
                             mnist/train-images-idx3-ubyte.gz (only for mnist, fashion_mnist and kmnist)
  use a folder of your own:  dvc exp run -S download.dataset=folder -S datasets.folder.path=FOLDER
  let the digits be drawn:   dvc exp run -S download.dataset=synthetic"""


def sources(dataset: str) -> list[str]:
    """The folders and base URLs where a data set may lie, the user's own mirror first."""
    mirror = os.path.expanduser(os.environ.get("DATASET_MIRROR", "").removeprefix("file://")).rstrip("/")
    return list(dict.fromkeys([f"{mirror}/{dataset}"] * bool(mirror) + MIRRORS[dataset]))


def reason(error: Exception) -> str:
    """One line for what requests says in many."""
    if isinstance(error, requests.HTTPError):
        return f"HTTP status {error.response.status_code}"
    known = [words for part, words in REASONS.items() if re.search(part, f"{type(error).__name__} {error}")]
    cause = getattr(error.args[0], "reason", error) if error.args else type(error).__name__
    return [*known, getattr(error, "strerror", None) or str(cause).rpartition("] ")[2]][0]


def no_way(reasons: dict[str, str]) -> SystemExit:
    lines = [f"  {place}: {why}" for place, why in reasons.items()]
    return SystemExit("\n".join(["no source of the data set could be used:", *lines, WAYS_ON]))


def alive(places: list[str]) -> tuple[list[str], dict[str, str]]:
    """Return the folders and servers that answer, all asked at once, and why the others do not; SystemExit if none."""
    reasons = {place: f"no answer within {ANSWER_SECONDS} s" for place in places}

    def ask(place: str) -> None:
        try:
            if "://" in place:
                requests.head(place, timeout=ANSWER_SECONDS, allow_redirects=False)
            else:
                os.listdir(place)
            del reasons[place]
        except (OSError, ValueError) as error:
            reasons[place] = reason(error)

    threads = [threading.Thread(target=ask, args=[place], daemon=True) for place in places]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < deadline and any(thread.is_alive() for thread in threads):
        if len(reasons) < len(places):
            deadline = min(deadline, time.monotonic() + OTHERS_SECONDS)
        time.sleep(0.02)
    dead = dict(reasons)
    if len(dead) == len(places):
        raise no_way(dead)
    return [place for place in places if place not in dead], dead


@contextmanager
def partial(name: str) -> Iterator[Path]:
    """Lend a path to write to: it becomes RAW / name if all goes well, and vanishes otherwise."""
    path = RAW / f".{name}.partial"
    try:
        yield path
        path.replace(RAW / name)
    finally:
        path.unlink(missing_ok=True)


def fetch(place: str, name: str, key: str, sha256: str | None) -> None:
    """Copy or download one file; it must have the SHA-256 or, where none is known, be an IDX file to its very end."""
    with partial(name) as path:
        if "://" in place:
            download = pooch.HTTPDownloader(sys.stderr.isatty(), timeout=STALL_SECONDS, hooks={"response": as_it_is})
            download(f"{place}/{name}", str(path), None)
        else:
            shutil.copyfile(Path(place, name), path)
        if sha256 and (found := pooch.file_hash(path)) != sha256:
            raise ValueError(f"its SHA-256 is {found}, not the one in params.yaml")
        try:
            for _ in () if sha256 else idx.read(path, dimensions=3 if "images" in key else 1)[1]:
                pass
        except SystemExit as error:
            raise SystemExit(str(error).replace(str(path), f"{place}/{name}")) from None
