"""The files of a data set, from a folder or a server -> a folder, each checked before it is named.

The environment variable DATASET_MIRROR, a folder or base URL that holds DATASET/FILE, is tried
before the mirrors of digits/datasets.py. Where the bytes come from never changes them: a published
file is kept only if it has the SHA-256 that is written there.
"""

import os
import shutil
import threading
import time
from pathlib import Path

import pooch
import requests

from digits import datasets, idx

ANSWER_SECONDS = 20  # for all servers together: the look-up of a name knows no time-out
OTHERS_SECONDS = 3  # for the other servers, once one has answered
STALL_SECONDS = 20  # without a byte
ROUNDS = 3  # through all places: a server may be overloaded for a moment
# of a place, after which the next is tried; a full disk is none of these
FAULTS = (requests.RequestException, ValueError, FileNotFoundError, IsADirectoryError)
REASONS = {  # what an error of requests says, in words
    "ProxyError": "the proxy that the environment names cannot be used",
    "SSLError": "it speaks no HTTPS that can be trusted",
    "timed out": "it sent nothing for too long",
    "Failed to resolve": "its name does not resolve",
    "('Connection": "the connection broke off",
}
WAYS_ON = """three ways on:
  set DATASET_MIRROR to a folder or base URL that holds DATASET/FILE, such as \
mnist/train-images-idx3-ubyte.gz
  use a folder of your own:  dvc exp run -S download.dataset=folder -S datasets.folder.path=FOLDER
  let the digits be drawn:   dvc exp run -S download.dataset=synthetic"""


def published(dataset: str, target: Path) -> None:
    """Fetch the four files of a published data set; SystemExit if no mirror has them right."""
    places, dead = alive(sources(dataset))
    for name, sha256 in zip(idx.FILES.values(), datasets.PUBLISHED[dataset].sha256):
        fetch_first([f"{place}/{name}.gz" for place in places], target, sha256, dead)


def from_url(base: str, target: Path) -> None:
    """Fetch the user's own four files, each gzipped or plain, from below a base URL."""
    [place], dead = alive([base.rstrip("/")])
    for name in idx.FILES.values():
        fetch_first([f"{place}/{name}.gz", f"{place}/{name}"], target, None, dead)


def from_folder(folder: Path, target: Path) -> None:
    """Copy the user's own four files, each gzipped or plain."""
    for name in idx.FILES.values():
        fetch(str(idx.find(folder, name)), target, None)


def reachable(dataset: str) -> None:
    """Return if anything answers that may hold a published data set; else SystemExit says why."""
    alive(sources(dataset))


def sources(dataset: str) -> list[str]:
    """The folders and base URLs where a data set may lie, the user's own mirror first."""
    mirror = os.environ.get("DATASET_MIRROR", "").removeprefix("file://")
    mirror = os.path.expanduser(mirror).rstrip("/")
    own = [f"{mirror}/{dataset}"] if mirror else []
    return list(dict.fromkeys([*own, *datasets.PUBLISHED[dataset].mirrors]))  # each once


def alive(places: list[str]) -> tuple[list[str], dict[str, str]]:
    """Ask all at once; return those that answer, and why the others do not. SystemExit if none."""
    reasons = {place: f"no answer within {ANSWER_SECONDS} s" for place in places}

    def ask(place: str) -> None:
        try:
            if "://" in place:
                requests.head(place, timeout=ANSWER_SECONDS)
            else:
                os.listdir(place)
            del reasons[place]
        except (OSError, ValueError) as error:
            reasons[place] = reason(error)

    # daemons: a look-up of a name that still blocks does not keep the program from its end
    threads = [threading.Thread(target=ask, args=[place], daemon=True) for place in places]
    for thread in threads:
        thread.start()
    end = time.monotonic() + ANSWER_SECONDS
    while any(thread.is_alive() for thread in threads) and time.monotonic() < end:
        time.sleep(0.02)
        if len(reasons) < len(places):  # one has answered
            end = min(end, time.monotonic() + OTHERS_SECONDS)
    dead = dict(reasons)  # a copy, since a thread may still change it
    if len(dead) == len(places):
        raise no_source(dead)
    return [place for place in places if place not in dead], dead


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


def no_source(reasons: dict[str, str]) -> SystemExit:
    """The end of a download that found nothing: a line for each place, and what can be done."""
    lines = "".join(f"  {place}: {why}\n" for place, why in reasons.items())
    return SystemExit(f"no source of the data set could be used:\n{lines}{WAYS_ON}")


def fetch_first(files: list[str], target: Path, sha256: str | None, dead: dict[str, str]) -> None:
    """Fetch the first of these that comes right; SystemExit, after the `dead`, says why none is."""
    reasons = dict(dead)
    for attempt in range(ROUNDS):
        time.sleep(attempt)
        for where in files:
            try:
                return fetch(where, target, sha256)
            except FAULTS as error:
                reasons[where] = reason(error)
    raise no_source(reasons)


def fetch(where: str, target: Path, sha256: str | None) -> None:
    """Copy or download one file, which gets its name once it is found to be right.

    ValueError if it has not the SHA-256 (where one is known), SystemExit if it is no intact IDX
    file.
    """
    scratch = target / "scratch"
    if "://" in where:
        # without this header, or else requests unzips a .gz that a server calls an encoding
        hooks = {"response": lambda answer, **_: answer.raw.headers.discard("Content-Encoding")}
        download = pooch.HTTPDownloader(os.isatty(2), timeout=STALL_SECONDS, hooks=hooks)
        download(where, str(scratch), None)
    else:
        shutil.copyfile(where, scratch)
    if sha256 is not None:
        found = pooch.file_hash(str(scratch))
        if found != sha256:
            raise ValueError(f"its SHA-256 is {found}, not the one in digits/datasets.py")
    name = Path(where).name
    try:
        _, chunks = idx.read(scratch, dimensions=3 if "images" in name else 1)
        for _chunk in chunks:
            pass  # reading is checking
    except SystemExit as error:
        raise SystemExit(str(error).replace(str(scratch), where)) from None
    scratch.rename(target / name)
