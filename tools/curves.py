"""The learning curves of an experiment, from its commit's dvc.lock and DVC's cache."""

import csv
import functools
import json
from pathlib import Path

import yaml

from tools import commands

FOLDER = "reports/training"  # the output of train that holds them
NAMES = ("val_accuracy", "accuracy", "val_loss", "loss")  # from the one to choose by


@functools.cache
def cache() -> Path:
    return Path(commands.output("dvc", "cache", "dir"), "files/md5")


def content(md5: str) -> str:
    """The text of a file in DVC's cache, empty where it is not there: in a clone, say."""
    path = cache() / md5[:2] / md5[2:]
    return path.read_text() if path.exists() else ""


def read(rev: str) -> dict[str, list[float]]:
    """Each curve that the experiment of a commit has, by its name: a value an epoch."""
    lock = commands.answer("git", "show", f"{rev}:./dvc.lock", no=128)
    stages = (yaml.load(lock, yaml.CSafeLoader) or {}).get("stages", {})
    outs = stages.get("train", {}).get("outs", [])
    sums = [out["md5"] for out in outs if out["path"] == FOLDER]
    found = {}
    for entry in json.loads(content(sums[0]) or "[]") if sums else []:
        name = Path(entry["relpath"]).stem
        rows = list(csv.DictReader(content(entry["md5"]).splitlines(), delimiter="\t"))
        if name in NAMES and entry["relpath"].endswith(".tsv") and rows:
            found[name] = [float(row[name]) for row in rows]
    return found
