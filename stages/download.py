"""The data set named by params.yaml -> data/raw (four IDX files, each checked before it gets its name).

The environment variable DATASET_MIRROR, a folder or base URL that holds DATASET/FILE, is tried before the mirrors
below. Where the bytes come from never changes them: a file is kept only if it has the SHA-256 that params.yaml says.
"""

import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pooch
import requests
from tqdm import tqdm

from stages import idx, synthetic, validate

RAW = Path("data/raw")
MIRRORS = {
    "mnist": (
        "https://storage.googleapis.com/cvdf-datasets/mnist",
        "https://ossci-datasets.s3.amazonaws.com/mnist",
    ),
    "fashion_mnist": ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",),
    "kmnist": ("http://codh.rois.ac.jp/kmnist/dataset/kmnist",),
}
ANSWER_SECONDS = 20  # for all servers together: a name that does not resolve can block longer than any time-out
STALL_SECONDS = 20
ROUNDS = 3
WAYS_ON = """three ways on:
  set DATASET_MIRROR to a folder or base URL that holds DATASET/FILE, such as mnist/train-images-idx3-ubyte.gz
  use a folder of your own:  dvc exp run -S download.dataset=folder -S datasets.folder.path=FOLDER
  let the digits be drawn:   dvc exp run -S download.dataset=synthetic"""


def sources(dataset: str) -> list[str]:
    """The folders and base URLs where a data set may lie, the user's own mirror first."""
    mirror = os.environ.get("DATASET_MIRROR")
    return ([f"{mirror.rstrip('/')}/{dataset}"] if mirror else []) + list(MIRRORS[dataset])


def is_url(source: str) -> bool:
    return source.startswith(("http://", "https://"))


def reason(error: Exception) -> str:
    """One line for what `requests` or pooch says in many."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"HTTP status {error.response.status_code}"
    if isinstance(error, requests.Timeout):
        return f"no answer within {STALL_SECONDS} s"
    if isinstance(error, ValueError) and "hash" in str(error):
        return "its SHA-256 is not the one in params.yaml"
    cause = getattr(error.args[0], "reason", error) if error.args else error
    return " ".join(str(cause).split(": ")[-1].split()) or type(error).__name__


def alive(places: list[str]) -> list[str]:
    """Return the folders and servers that answer, all asked at once; SystemExit lists why none does."""
    reasons = {}
    for place in places:
        if is_url(place):
            reasons[place] = f"no answer within {ANSWER_SECONDS} s"
        elif not Path(place).is_dir():
            reasons[place] = "no such folder"

    def ask(url: str) -> None:
        try:
            requests.head(url, timeout=ANSWER_SECONDS, allow_redirects=False)
            del reasons[url]
        except requests.RequestException as error:
            reasons[url] = reason(error)

    threads = [threading.Thread(target=ask, args=[place], daemon=True) for place in places if is_url(place)]
    deadline = time.monotonic() + ANSWER_SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    if len(reasons) == len(places):
        raise SystemExit(no_way(dict(reasons)))
    return [place for place in places if place not in reasons]


def fetch(name: str, place: str, sha256: str | None) -> None:
    """Copy or download one file into RAW; it gets its name once its SHA-256 is right (where one is known)."""
    if is_url(place):
        downloader = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=STALL_SECONDS)
        pooch.retrieve(f"{place}/{name}", sha256, name, RAW, downloader=downloader)
        return
    partial = RAW / f".{name}.partial"
    shutil.copyfile(Path(place, name), partial)
    if sha256 and pooch.file_hash(partial) != sha256:
        partial.unlink()
        raise ValueError("hash")
    partial.rename(RAW / name)


def fetch_first(candidates: list[tuple[str, str]], sha256: str | None) -> None:
    """Fetch the first of (place, name) that comes right, in several rounds; SystemExit lists why none does."""
    failures = {}
    for attempt in range(ROUNDS):
        time.sleep(attempt)
        for place, name in candidates:
            try:
                return fetch(name, place, sha256)
            except (requests.RequestException, ValueError, FileNotFoundError) as error:
                failures[f"{place}/{name}"] = reason(error)
    raise SystemExit(no_way(failures))


def no_way(failures: dict[str, str]) -> str:
    lines = [f"  {place}: {why}" for place, why in failures.items()]
    return "\n".join(["no source of the data set could be used:", *lines, WAYS_ON])


def check(name: str) -> None:
    """Read a file of the user's own to its end, so that what is wrong with it is said here and now."""
    _, chunks = idx.read(idx.find(RAW, name), dimensions=3 if "images" in name else 1)
    for _ in chunks:
        pass


def draw(prefix: str, count: int, seed: int, split: int) -> None:
    """Write `count` synthetic digits and their labels to two IDX files."""
    labels = []

    def images() -> Iterator[np.ndarray]:
        with tqdm(total=count, desc=f"drawing {prefix}", unit=" digits", disable=None) as bar:
            for pixels, digits in synthetic.draw(count, seed, split):
                labels.append(digits)
                yield pixels
                bar.update(len(digits))

    idx.write(RAW / f"{prefix}-images-idx3-ubyte", (count, 28, 28), images())
    idx.write(RAW / f"{prefix}-labels-idx1-ubyte", (count,), labels)


def main(params: dict) -> None:
    dataset = params["download"]["dataset"]
    source = params["datasets"][dataset]
    RAW.mkdir(parents=True, exist_ok=True)
    if dataset == "synthetic":
        draw("train", source["train"], source["seed"], split=0)
        draw("t10k", source["test"], source["seed"], split=1)
    elif dataset == "folder":
        for name in idx.FILES:
            path = idx.find(Path(source["path"]), name)
            fetch(path.name, str(path.parent), None)
            check(name)
    elif dataset == "url":
        base = source["base"].rstrip("/")
        alive([base])
        for name in idx.FILES:
            fetch_first([(base, f"{name}.gz"), (base, name)], None)
            check(name)
    else:
        places = alive(sources(dataset))
        for name, sha256 in zip(idx.FILES, source.values()):
            fetch_first([(place, f"{name}.gz") for place in places], sha256)


def probe(params: dict) -> None:
    """SystemExit where the data set has to come from the network and no server answers."""
    dataset = params["download"]["dataset"]
    if dataset in MIRRORS:
        alive(sources(dataset))


if __name__ == "__main__":
    validate.run(probe if sys.argv[1:] == ["--probe"] else main)
