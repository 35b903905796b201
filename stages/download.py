"""The data set named by params.yaml -> data/raw (four IDX files, each checked before it gets its name).

The environment variable DATASET_MIRROR, a folder or base URL that holds DATASET/FILE, is tried before the mirrors
below. Where the bytes come from never changes them: a file is kept only if it has the SHA-256 that params.yaml says.
"""

import os
import shutil
import sys
import threading
import time
from pathlib import Path

import pooch
import requests
from tqdm import tqdm

from data import synthetic
from stages import idx, validate

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
    mirror = os.environ.get("DATASET_MIRROR", "").rstrip("/")
    return [f"{mirror}/{dataset}"] * bool(mirror) + list(MIRRORS[dataset])


def reason(error: Exception) -> str:
    """One line for what requests and pooch say in many."""
    if isinstance(error, requests.HTTPError):
        return f"HTTP status {error.response.status_code}"
    if isinstance(error, requests.Timeout):
        return f"no answer within {STALL_SECONDS} s"
    if isinstance(error, ValueError) and "hash" in str(error):
        return "its SHA-256 is not the one in params.yaml"
    cause = getattr(error.args[0], "reason", error) if error.args else error
    return str(cause).split(": ")[-1].strip() or type(error).__name__


def no_way(reasons: dict[str, str]) -> SystemExit:
    lines = [f"  {place}: {why}" for place, why in reasons.items()]
    return SystemExit("\n".join(["no source of the data set could be used:", *lines, WAYS_ON]))


def alive(places: list[str]) -> list[str]:
    """Return the folders and servers that answer, all asked at once; SystemExit lists why none does."""
    reasons = {place: f"no answer within {ANSWER_SECONDS} s" for place in places}

    def ask(place: str) -> None:
        try:
            if "://" in place:
                requests.head(place, timeout=ANSWER_SECONDS, allow_redirects=False)
            else:
                os.listdir(place)
            del reasons[place]
        except (requests.RequestException, OSError) as error:
            reasons[place] = reason(error)

    threads = [threading.Thread(target=ask, args=[place], daemon=True) for place in places]
    deadline = time.monotonic() + ANSWER_SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    if len(reasons) == len(places):
        raise no_way(dict(reasons))
    return [place for place in places if place not in reasons]


def fetch(place: str, name: str, sha256: str | None) -> None:
    """Copy or download one file into RAW; it gets its name once its SHA-256 is right (where one is known)."""
    if "://" in place:
        downloader = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=STALL_SECONDS)
        pooch.retrieve(f"{place}/{name}", sha256, name, RAW, downloader=downloader)
    else:
        partial = Path(shutil.copyfile(Path(place, name), RAW / f".{name}.partial"))
        if sha256 and pooch.file_hash(partial) != sha256:
            partial.unlink()
            raise ValueError("hash")
        partial.rename(RAW / name)


def fetch_first(candidates: list[tuple[str, str]], sha256: str | None) -> None:
    """Fetch the first of (place, name) that comes right, in several rounds; SystemExit lists why none does."""
    reasons = {}
    for attempt in range(ROUNDS):
        time.sleep(attempt)
        for place, name in candidates:
            try:
                return fetch(place, name, sha256)
            except (requests.RequestException, ValueError, FileNotFoundError) as error:
                reasons[f"{place}/{name}"] = reason(error)
    raise no_way(reasons)


def fetch_own(place: str) -> None:
    """Fetch four files of the user's own, and read each to its end, so that what is wrong with it is said at once."""
    for key, name in idx.FILES.items():
        fetch_first([(place, f"{name}.gz"), (place, name)], None)
        for _ in idx.read(idx.find(RAW, name), dimensions=3 if "images" in key else 1)[1]:
            pass


def draw(prefix: str, count: int, seed: int, split: int) -> None:
    """Write `count` synthetic digits and their labels to two IDX files."""
    with (
        idx.create(RAW / f"{prefix}-images-idx3-ubyte", (count, synthetic.SIDE, synthetic.SIDE)) as images,
        idx.create(RAW / f"{prefix}-labels-idx1-ubyte", (count,)) as labels,
        tqdm(total=count, desc=f"drawing {prefix}", unit=" digits", disable=None) as bar,
    ):
        for pixels, digits in synthetic.draw(count, seed, split):
            images.write(pixels.tobytes())
            labels.write(digits.tobytes())
            bar.update(len(digits))


def main(params: dict) -> None:
    dataset = params["download"]["dataset"]
    source = params["datasets"][dataset]
    RAW.mkdir(parents=True, exist_ok=True)
    if dataset == "synthetic":
        draw("train", source["train"], source["seed"], split=0)
        draw("t10k", source["test"], source["seed"], split=1)
    elif dataset == "folder":
        fetch_own(source["path"])
    elif dataset == "url":
        fetch_own(alive([source["base"].rstrip("/")])[0])
    else:
        places = alive(sources(dataset))
        for key, name in idx.FILES.items():
            fetch_first([(place, f"{name}.gz") for place in places], source[key])


if __name__ == "__main__":
    validate.run(main)
