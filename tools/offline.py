"""Where MNIST is wanted, not there yet and not to be reached, let the pipeline draw its digits.

The first step of `make repro`: params.yaml then says `download.dataset: synthetic`. With CI or
DATASET_MIRROR set nothing is substituted, so that a missing mirror is an error there; nor where
DVC's cache has MNIST. The last step of `make repro` says so again, with --remind.
"""

import argparse
import os
import re
import sys
from pathlib import Path

from digits import output

PARAMS = Path("params.yaml")
PLACES = [Path("data/idx"), Path("data/raw")]  # what download made; what people put there
GO_BACK = "download.dataset: mnist in params.yaml, then make repro"


def chosen(text: bytes) -> re.Match[bytes] | None:
    """The line of params.yaml that says which data set is wanted."""
    return re.search(rb"^(  dataset: *)(\w+)", text, re.MULTILINE)


def may_substitute() -> bool:
    told_better = os.environ.get("CI") or os.environ.get("DATASET_MIRROR")
    there = [path for place in PLACES for path in place.glob("*")]
    return not told_better and not there


def in_cache() -> bool:
    """Would DVC bring the data from its cache?"""
    from dvc.exceptions import DvcException  # late: slow
    from dvc.repo import Repo

    from tools import why

    try:
        with Repo() as repo, repo.lock:
            states = {each.stage: each.state for each in why.explain_all(repo, False)}
    except (DvcException, OSError):
        return False
    return states.get("download") in (why.UP_TO_DATE, why.CACHED)


def substitute() -> None:
    """Write the other data set into params.yaml, and leave every other byte of it as it is."""
    if not PARAMS.exists():  # which `validate` tells
        return
    text = PARAMS.read_bytes()
    line = chosen(text)
    if not line or line[2] != b"mnist" or not may_substitute():
        return
    from digits import fetch  # late: requests

    try:
        fetch.reachable("mnist")
        return
    except SystemExit as error:  # it says why each mirror cannot be used
        if in_cache():
            return
        print(error, file=sys.stderr)
    with output.beside(PARAMS) as partial:
        partial.write_bytes(text[: line.start(2)] + b"synthetic" + text[line.end() :])
    taken = "params.yaml now says download.dataset: synthetic, the last of these ways"
    print(f"\nMNIST cannot be reached: {taken}\n")


def remind() -> None:
    line = chosen(PARAMS.read_bytes())
    if line and line[2] == b"synthetic":
        print(f"This was synthetic data, not MNIST. To go back: {GO_BACK}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.offline", description=__doc__)
    parser.add_argument(
        "--remind", action="store_true", help="say how to go back, where digits are drawn"
    )
    options = parser.parse_args()
    if options.remind:
        remind()
    else:
        substitute()


if __name__ == "__main__":
    main()
