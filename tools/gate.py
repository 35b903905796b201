"""Is this run's test accuracy no lower than what the seeds of its recipe gave before?

The floor is the mean of benchmarks/results/accuracy.csv less three standard deviations over its
seeds, so that one run in some hundreds goes below by chance. Status 1 below the floor.
"""

import argparse
import csv
import json
import statistics
from pathlib import Path

METRICS = Path("reports/metrics.json")
EVALUATION = Path("reports/evaluation.json")  # which run it was
MEASURED = Path("benchmarks/results/accuracy.csv")


def read(path: Path, *keys: str) -> list:
    """Return the values of a file that evaluate wrote; SystemExit where they are not there."""
    try:
        values = json.loads(path.read_text())
        return [values[key] for key in keys]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise SystemExit(
            f"{path}: expected what evaluate writes, found: {error}; to write it: dvc repro"
        ) from None


def floor(recipe: str) -> float | None:
    """The lowest accuracy that a run of the recipe on MNIST may have, None if never measured."""
    with MEASURED.open() as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        seeds = [float(row["accuracy"]) for row in rows if row["what"] == recipe]
    if len(seeds) < 2:
        return None
    return statistics.mean(seeds) - 3 * statistics.stdev(seeds)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.gate", description=__doc__)
    parser.parse_args()
    dataset, recipe = read(EVALUATION, "dataset", "recipe")
    [accuracy] = read(METRICS, "test_accuracy")
    lowest = floor(recipe) if dataset == "mnist" else None
    if lowest is None:
        print(f"{METRICS}: nothing to compare with: {recipe} on {dataset} was never measured")
    elif accuracy < lowest:
        raise SystemExit(
            f"{METRICS}: test_accuracy: expected at least {lowest:.4f}, the mean of {recipe} in "
            f"{MEASURED} less three standard deviations; found {accuracy}"
        )
    else:
        print(
            f"{METRICS}: test_accuracy {accuracy} is at least {lowest:.4f}, the floor of {recipe}"
        )


if __name__ == "__main__":
    main()
