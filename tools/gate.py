"""make gate: is this run's test accuracy no worse than what the seeds of its recipe gave before? Status 1 if it is.

The floor is the mean of benchmarks/results/accuracy.csv less three standard deviations over its seeds, so that one run
in some hundreds goes below by chance.
"""

import csv
import json
import statistics
from pathlib import Path

METRICS = Path("reports/metrics.json")
MEASURED = Path("benchmarks/results/accuracy.csv")


def floor(recipe: str) -> float | None:
    """The lowest accuracy that a run of the recipe on MNIST may have, None where nothing was measured."""
    with MEASURED.open() as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        seeds = [float(row["accuracy"]) for row in rows if row["what"] == recipe]
    return statistics.mean(seeds) - 3 * statistics.stdev(seeds) if len(seeds) > 1 else None


def main() -> None:
    try:
        metrics = json.loads(METRICS.read_text())
        dataset, recipe, accuracy = (metrics[name] for name in ("dataset", "recipe", "test_accuracy"))
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise SystemExit(f"{METRICS}: expected what evaluate writes, found: {error}; to write it: dvc repro") from None
    lowest = floor(recipe) if dataset == "mnist" else None
    if lowest is None:
        print(f"{METRICS}: no accuracy of {recipe} on {dataset} was measured before: nothing to compare with")
    elif accuracy < lowest:
        raise SystemExit(
            f"{METRICS}: test_accuracy: expected at least {lowest:.4f}, the mean of {recipe} in {MEASURED} less three "
            f"standard deviations; found {accuracy}"
        )
    else:
        print(f"{METRICS}: test_accuracy {accuracy} is at least {lowest:.4f}, the floor of {recipe}")


if __name__ == "__main__":
    main()
