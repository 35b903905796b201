"""The learning curves of an experiment, from its commit's dvc.lock and DVC's cache."""

import csv
import functools
import json
from pathlib import Path

from tools import commands, dvc_lock

FOLDER = "reports/training"  # the output of train that holds them
NAMES = ("val_accuracy", "accuracy")  # first the one to choose by


@functools.cache
def cache() -> Path:
    return Path(commands.output("dvc", "cache", "dir"), "files/md5")


def content(md5: str) -> str:
    """The text of a file in DVC's cache, empty where it is not there: in a clone, say."""
    path = cache() / md5[:2] / md5[2:]
    return path.read_text() if md5 and path.exists() else ""


def read(rev: str) -> dict[str, list[float]]:
    """Each curve that the experiment of a commit has, by its name: a value an epoch."""
    folder = dvc_lock.sums(dvc_lock.at(rev)).get(FOLDER, "")
    found = {}
    for entry in json.loads(content(folder) or "[]"):
        name = Path(entry["relpath"]).stem
        rows = list(csv.DictReader(content(entry["md5"]).splitlines(), delimiter="\t"))
        if name in NAMES and entry["relpath"].endswith(".tsv") and rows:
            found[name] = [float(row[name]) for row in rows]
    return found
