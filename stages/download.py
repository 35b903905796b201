"""The data set named by params.yaml -> data/raw (four IDX files, each checked before it gets its name).

The environment variable DATASET_MIRROR, a folder or base URL that holds DATASET/FILE, is tried before the mirrors
below. Where the bytes come from never changes them: a file is kept only if it has the SHA-256 that params.yaml says.
"""

import os
import shutil
import threading
import time
from pathlib import Path

from digits import idx, synthetic

import pooch
import requests
from tqdm import tqdm

RAW = Path("data/raw")
PARTIAL = RAW / ".partial"  # its files move up once all four are right
MIRRORS = {
    "mnist": ["https://storage.googleapis.com/cvdf-datasets/mnist", "https://ossci-datasets.s3.amazonaws.com/mnist"],
    "fashion_mnist": ["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"],
    "kmnist": ["http://codh.rois.ac.jp/kmnist/dataset/kmnist"],
}
ANSWER_SECONDS = 20  # for all servers together: a name that does not resolve can block longer than any time-out
OTHERS_SECONDS = 3  # for the other servers, once one has answered
STALL_SECONDS = 20
ROUNDS = 3
AS_IT_IS = {"response": lambda answer, **_: answer.raw.headers.discard("Content-Encoding")}  # or .gz may be unzipped
REASONS = {  # what an error of requests says, in words
    "ProxyError": "the proxy that the environment names cannot be used",
    "SSLError": "it speaks no HTTPS that can be trusted",
    "timed out": "it sent nothing for too long",
    "Failed to resolve": "its name does not resolve",
    "('Connection": "the connection broke off",
}
WAYS_ON = """three ways on:
  set DATASET_MIRROR to a folder or base URL that holds DATASET/FILE, such as mnist/train-images-idx3-ubyte.gz
  use a folder of your own:  dvc exp run -S download.dataset=folder -S datasets.folder.path=FOLDER
  let the digits be drawn:   dvc exp run -S download.dataset=synthetic"""


def sources(dataset: str) -> list[str]:
    """The folders and base URLs where a data set may lie, the user's own mirror first."""
    mirror = os.path.expanduser(os.environ.get("DATASET_MIRROR", "").removeprefix("file://")).rstrip("/")
    return list(dict.fromkeys([f"{mirror}/{dataset}"] * bool(mirror) + MIRRORS[dataset]))


def reason(error: Exception) -> str:
    """One line for what requests says in many."""
    known = [words for part, words in REASONS.items() if part in f"{type(error).__name__} {error}"]
    cause = getattr(error, "strerror", None) or getattr([*error.args, error][0], "reason", error)
    words = known[0] if known else str(cause).partition(" for url")[0].rpartition("] ")[2]  # less "...: [Errno 111] "
    return "".join(letter if letter.isprintable() else " " for letter in words)


def no_way(reasons: dict[str, str]) -> SystemExit:
    lines = "".join(f"  {place}: {why}\n" for place, why in reasons.items())
    return SystemExit(f"no source of the data set could be used:\n{lines}{WAYS_ON}")


def alive(places: list[str]) -> tuple[list[str], dict[str, str]]:
    """Ask all at once; return the folders and servers that answer, and why the others do not. SystemExit if none."""
    reasons = {place: f"no answer within {ANSWER_SECONDS} s" for place in places}

    def ask(place: str) -> None:
        try:
            requests.head(place, timeout=ANSWER_SECONDS) if "://" in place else os.listdir(place)
            del reasons[place]
        except (OSError, ValueError) as error:
            reasons[place] = reason(error)

    threads = [threading.Thread(target=ask, args=[place], daemon=True) for place in places]
    for thread in threads:
        thread.start()
    end = time.monotonic() + ANSWER_SECONDS
    while any(thread.is_alive() for thread in threads) and time.monotonic() < end:
        time.sleep(0.02)
        end = min(end, time.monotonic() + OTHERS_SECONDS) if len(reasons) < len(places) else end
    dead = dict(reasons)
    if len(dead) == len(places):
        raise no_way(dead)
    return [place for place in places if place not in dead], dead


def fetch(where: str, sha256: str | None) -> None:
    """Copy or download one file; it gets its name if its SHA-256 is right (where known) and the reader accepts it."""
    scratch = PARTIAL / "scratch"
    if "://" in where:
        pooch.HTTPDownloader(os.isatty(2), timeout=STALL_SECONDS, hooks=AS_IT_IS)(where, str(scratch), None)
    else:
        shutil.copyfile(where, scratch)
    if sha256 and (found := pooch.file_hash(str(scratch))) != sha256:
        raise ValueError(f"its SHA-256 is {found}, not the one in params.yaml")
    try:
        sum(map(len, idx.read(scratch, dimensions=3 if "images" in Path(where).name else 1)[1]))
    except SystemExit as error:
        raise SystemExit(str(error).replace(str(scratch), where)) from None
    scratch.rename(PARTIAL / Path(where).name)


def fetch_first(candidates: list[str], sha256: str | None, reasons: dict[str, str]) -> None:
    """Fetch the first candidate that comes right, in several rounds; SystemExit adds to `reasons` why none does."""
    for attempt in range(ROUNDS):
        time.sleep(attempt)
        for where in candidates:
            try:
                return fetch(where, sha256)
            except (requests.RequestException, ValueError, FileNotFoundError, IsADirectoryError) as error:
                reasons = {**reasons, where: reason(error)}
    raise no_way(reasons)


def draw(prefix: str, count: int, seed: int, split: int) -> None:
    """Write `count` synthetic digits and their labels to two IDX files."""
    with (
        idx.create(PARTIAL / f"{prefix}-images-idx3-ubyte", (count, synthetic.SIDE, synthetic.SIDE)) as images,
        idx.create(PARTIAL / f"{prefix}-labels-idx1-ubyte", (count,)) as labels,
        tqdm(total=count, desc=f"drawing {prefix}", unit=" digits", disable=None) as bar,
    ):
        for pixels, digits in synthetic.draw(count, seed, split):
            images.write(pixels.tobytes())
            labels.write(digits.tobytes())
            bar.update(len(digits))


def main(params: dict) -> None:
    dataset = params["download"]["dataset"]
    source = params["datasets"][dataset]
    shutil.rmtree(PARTIAL, ignore_errors=True)
    PARTIAL.mkdir(parents=True)
    try:
        if dataset == "synthetic":
            draw("train", source["train"], source["seed"], split=0)
            draw("t10k", source["test"], source["seed"], split=1)
        elif dataset == "folder":
            for name in idx.FILES.values():
                fetch(str(idx.find(Path(source["path"]), name)), None)
        else:
            own = [source["base"].rstrip("/")] if dataset == "url" else []
            places, dead = alive(own or sources(dataset))
            for (split, kind), name in idx.FILES.items():
                candidates = [f"{place}/{name}.gz" for place in places] + [f"{place}/{name}" for place in own]
                fetch_first(candidates, None if own else source[split][kind], dead)
        for old in filter(Path.is_file, RAW.iterdir()):
            old.unlink()
        for new in PARTIAL.iterdir():
            new.rename(RAW / new.name)
    finally:
        shutil.rmtree(PARTIAL, ignore_errors=True)
