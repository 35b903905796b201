"""The files of a data set, from this machine or a server -> plain IDX files in a folder.

The environment variable DATASET_MIRROR, a folder or base URL that holds DATASET/FILE, is tried
before the other places. Where a published file comes from, and how it is packed, never changes its
bytes: it is taken only if its content has the SHA-256 that is written in digits/datasets.py.
"""

import hashlib
import os
import queue
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pooch
import requests

from digits import datasets, idx

Key = tuple[str, str]  # of idx.FILES: split and kind
Reasons = dict[str, str]  # a place or a file -> why it is of no use

# where people, Keras and torchvision put data sets, be it in folders of their names
ROOTS = ("data/raw", "data", "~/data", "~/.keras/datasets")
ANSWER_SECONDS = 20  # for all servers together: the look-up of a name knows no time-out
OTHERS_SECONDS = 3  # for the other servers, once one has answered
STALL_SECONDS = 20  # without a byte
ROUNDS = 3  # through all places: a server may be overloaded for a moment
# of a place, after which the next is tried; a full disk is none of these
FAULTS = (requests.RequestException, ValueError, FileNotFoundError, PermissionError)
REASONS = {  # what an error of requests says, in words
    "ProxyError": "the proxy that the environment names cannot be used",
    "SSLError": "it speaks no HTTPS that can be trusted",
    "timed out": "it sent nothing for too long",
    "Failed to resolve": "its name does not resolve",
    "('Connection": "the connection broke off",
}
WAYS_ON = """four ways on:
  put the four files, such as train-images-idx3-ubyte.gz, into data/raw
  set DATASET_MIRROR to a folder or base URL that holds DATASET/FILE, such as \
mnist/train-images-idx3-ubyte.gz
  use a folder of your own:  dvc exp run -S recipe=own -S download.dataset=folder \
-S datasets.folder.path=FOLDER
  let the digits be drawn:   dvc exp run -S download.dataset=synthetic"""


def published(dataset: str, target: Path) -> None:
    """Bring the four files of a published data set; SystemExit if no place has them right."""
    reasons: Reasons = {}
    wanted = dict(zip(idx.FILES, datasets.PUBLISHED[dataset].sha256, strict=True))
    missing = [key for key in wanted if not found_here(dataset, target, key, wanted[key], reasons)]
    unusable = dict(reasons)
    if missing:
        own = mirror()
        if own and "://" not in own:
            reasons[own] = f"as a folder, it lacks the right {idx.FILES[missing[0]]}"
        places = alive(servers(dataset), reasons)
        for key in missing:
            fetch_first(places, target, key, wanted[key], reasons)
    for path, why in unusable.items():
        print(f"{path}: not used, and left as it is: {why}")


def from_url(base: str, target: Path) -> None:
    """Fetch the user's own four files, each gzipped or plain, from below a base URL."""
    reasons: Reasons = {}
    places = alive([base.rstrip("/")], reasons)
    for key in idx.FILES:
        fetch_first(places, target, key, None, reasons)


def reachable(dataset: str) -> None:
    """Return if a published data set may be had; else SystemExit says why nothing has it."""
    if not candidates(dataset, ("train", "images")):
        alive(servers(dataset), {})


def mirror() -> str:
    """The folder or base URL that the user says to try first, or nothing."""
    return os.environ.get("DATASET_MIRROR", "").removeprefix("file://").rstrip("/")


def servers(dataset: str) -> list[str]:
    """The base URLs of a data set, the user's own first."""
    places = [f"{mirror()}/{dataset}", *datasets.PUBLISHED[dataset].mirrors]
    return [place for place in dict.fromkeys(places) if "://" in place]  # each once


def candidates(dataset: str, key: Key) -> list[Path]:
    """Files of this machine that may be the right one: put there by hand, or by a library."""
    names = ["", dataset, dataset.replace("_", "-")]  # the last as Keras has it
    if torchvision := datasets.PUBLISHED[dataset].torchvision:
        names.append(f"{torchvision}/raw")
    roots = [Path(os.path.expanduser(place)) for place in (mirror(), *ROOTS) if place]
    roots = [root for root in roots if os.access(root, os.R_OK | os.X_OK)]
    folders = [root / name for root in roots for name in dict.fromkeys(names)]
    archives = [root / f"{dataset}.npz" for root in roots]
    found = [path for folder in folders for path in idx.candidates(folder, *key)]
    return found + [path for path in archives if path.is_file()]


def found_here(dataset: str, target: Path, key: Key, sha256: str, reasons: Reasons) -> bool:
    """Take a file that lies on this machine already, if one is right."""
    for path in candidates(dataset, key):
        take = keep_array if path.suffix == ".npz" else keep
        try:
            take(path, target, key, sha256)
            return True
        except FAULTS as error:
            reasons[str(path)] = reason(error)
    return False


def alive(places: list[str], reasons: Reasons) -> list[str]:
    """Ask all servers at once; return those that answer. SystemExit, with all reasons, if none.

    Where one has answered, those that are still silent come last.
    """
    answers: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()

    def ask(place: str) -> None:
        try:
            requests.head(place, timeout=ANSWER_SECONDS)
            answers.put((place, ""))
        except (OSError, ValueError) as error:
            answers.put((place, reason(error)))

    for place in places:
        # a daemon: a look-up of a name that still blocks does not keep the program from its end
        threading.Thread(target=ask, args=[place], daemon=True).start()
    silent = f"no answer within {ANSWER_SECONDS} s"
    faults = dict.fromkeys(places, silent)  # of one that answered: ""
    end = time.monotonic() + ANSWER_SECONDS
    with suppress(queue.Empty):
        for _ in places:
            place, fault = answers.get(timeout=max(0, end - time.monotonic()))
            faults[place] = fault
            if not fault:
                end = min(end, time.monotonic() + OTHERS_SECONDS)
    if all(faults.values()):
        raise no_source(reasons | faults)
    reasons |= {place: fault for place, fault in faults.items() if fault not in ("", silent)}
    prompt = [place for place in places if not faults[place]]
    return prompt + [place for place in places if faults[place] == silent]


def reason(error: Exception) -> str:
    """One line for what requests says in many."""
    for part, words in REASONS.items():
        if part in f"{type(error).__name__} {error}":
            return words
    # what the system says; else what urllib3's error inside that of requests gives as its reason
    inner = error.args[0] if error.args else error
    cause = getattr(error, "strerror", None) or getattr(inner, "reason", error)
    words = str(cause).partition(" for url")[0].rpartition("] ")[2]  # less "...: [Errno 111] "
    return "".join(letter if letter.isprintable() else " " for letter in words)


def no_source(reasons: Reasons) -> SystemExit:
    """The end of a download that found nothing: a line for each place, and what can be done."""
    lines = "".join(f"  {place}: {why}\n" for place, why in reasons.items())
    return SystemExit(f"no source of the data set could be used:\n{lines}{WAYS_ON}")


def fetch_first(
    places: list[str], target: Path, key: Key, sha256: str | None, reasons: Reasons
) -> None:
    """Fetch a file, gzipped or plain, from the first place that has it right; else SystemExit."""
    urls = [f"{place}/{idx.FILES[key]}{end}" for place in places for end in (".gz", "")]
    for attempt in range(ROUNDS):
        time.sleep(attempt)
        for url in urls:
            try:
                return fetch(url, target, key, sha256)
            except FAULTS as error:
                reasons[url] = reason(error)
    raise no_source(reasons)


def fetch(url: str, target: Path, key: Key, sha256: str | None) -> None:
    """Download one file and keep it, if it is right."""
    scratch = target / "scratch"
    # without this header, or else requests unzips a .gz that a server calls an encoding
    hooks = {"response": lambda answer, **_: answer.raw.headers.discard("Content-Encoding")}
    download = pooch.HTTPDownloader(os.isatty(2), timeout=STALL_SECONDS, hooks=hooks)
    try:
        download(url, str(scratch), None)
        keep(scratch, target, key, sha256, url)
    finally:
        scratch.unlink(missing_ok=True)


def keep(path: Path, target: Path, key: Key, sha256: str | None, where: str = "") -> None:
    """Write the content of an IDX file to the target under its name there.

    Where it is no intact IDX file, or has not the SHA-256, of its content or as it is packed:
    ValueError; but SystemExit for the user's own file, which has none.
    """
    try:
        if sha256 and sha256 != pooch.file_hash(str(path)):
            check(idx.digest(path, key[1]), sha256)
        idx.copy(path, key[1], target / idx.FILES[key])
    except SystemExit as error:
        fault = str(error).removeprefix(f"{path}: ")
        if sha256:
            raise ValueError(fault) from None
        raise SystemExit(f"{where or path}: {fault}") from None


def keep_array(path: Path, target: Path, key: Key, sha256: str) -> None:
    """Write one of the arrays x_train, y_train, x_test, y_test of Keras' archive as such a file."""
    split, kind = key
    name = f"{'x' if kind == 'images' else 'y'}_{split}"
    try:
        with np.load(path, allow_pickle=False) as arrays:
            array = arrays[name]
    except Exception as error:  # of zip, of zlib, or of NumPy's own parser
        raise ValueError(f"expected an archive with {name}, found: {error}") from None
    content = idx.header(array.shape) + array.tobytes()
    check(hashlib.sha256(content).hexdigest(), sha256)
    (target / idx.FILES[key]).write_bytes(content)


def check(found: str, sha256: str) -> None:
    if found != sha256:
        raise ValueError(f"its content has the SHA-256 {found}, not that in digits/datasets.py")
