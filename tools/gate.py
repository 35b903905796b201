"""Is the test accuracy of the last run no lower than what its parameters gave before?

The floor is the mean of the rows of benchmarks/results/accuracy.csv with the same parameters, less
three standard deviations over their seeds, so that one run in some hundreds goes below by chance.
Status 1 below the floor. dvc.lock says which parameters the run had.
"""

import argparse
import csv
import hashlib
import json
import statistics
from pathlib import Path
from typing import Any

from tools import dvc_lock

METRICS = Path("reports/metrics.json")
MEASURED = Path("benchmarks/results/accuracy.csv")
# of all that was measured
KNOWN = {
    "download.dataset": "mnist",
    "preprocess.invert": None,
    "preprocess.train_size": None,
    "train.validation_split": None,
}


def accuracy() -> float:
    """The test accuracy that evaluate wrote; SystemExit where it is not there."""
    try:
        return json.loads(METRICS.read_text())["test_accuracy"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise SystemExit(
            f"{METRICS}: expected what evaluate writes, found: {error}; to write it: dvc repro"
        ) from None


def digest(follows: object) -> str:
    """What the column `settings` has for all that an accuracy follows from."""
    return hashlib.sha256(json.dumps(follows).encode()).hexdigest()[:8]


def settings(params: dict[str, Any]) -> str:
    """The same for the parameters of a run: benchmarks/accuracy.py says of what."""
    recipe = params["recipe"]
    views = params[f"evaluate.test_time_augmentation.{recipe}"]
    common = [params[key] for key in ("threads", "replicas", "instructions")]
    return digest([params[f"recipes.{recipe}"], views, common])


def last_run() -> tuple[str, str]:
    """What dvc.lock has of the last run, in words, and its settings; "" where none were measured.

    SystemExit where dvc.lock does not have all of it.
    """
    params = dvc_lock.params()
    try:
        words = f"{params['recipe']} on {params['download.dataset']}"
        known = all(params[name] == value for name, value in KNOWN.items())
        return words, settings(params) if known else ""
    except LookupError as error:
        raise SystemExit(
            f"{dvc_lock.FILE}: expected all stages and their parameters, found: no {error}; "
            "to write it: dvc repro"
        ) from None


def floor(wanted: str) -> float | None:
    """The lowest accuracy that a run with these settings may have, None if never measured."""
    if not MEASURED.exists():
        return None
    with MEASURED.open() as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        seeds = [float(row["accuracy"]) for row in rows if row["settings"] == wanted]
    if len(seeds) < 2:
        return None
    return statistics.mean(seeds) - 3 * statistics.stdev(seeds)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.gate", description=__doc__)
    parser.parse_args()
    found = accuracy()
    run, wanted = last_run()
    lowest = floor(wanted)
    if lowest is None:
        print(
            f"{METRICS}: nothing to compare with: {MEASURED} has no two runs of {run} "
            "with the same parameters"
        )
    elif found < lowest:
        raise SystemExit(
            f"{METRICS}: test_accuracy: expected at least {lowest:.4f}, the mean of such runs in "
            f"{MEASURED} less three standard deviations; found {found}"
        )
    else:
        print(f"{METRICS}: test_accuracy {found} is at least {lowest:.4f}, the floor of {run}")


if __name__ == "__main__":
    main()
