"""benchmarks/results/accuracy.csv -> accuracy.png: test accuracy against training time.

A recipe's time is compared with the notebook's on the same machine. Beside the recipes stands what
others have published.
`python -m benchmarks.chart [CSV]`
"""

import argparse
import csv
import statistics
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from benchmarks import accuracy, harness
from digits import figures

# Single networks: mean and standard deviation of the test accuracy in %, and of how many networks.
PUBLISHED = {
    "cdeotte/MNIST-CNN-99.75": (99.641, 0.047, 1500),
    "Matuzas77/MNIST-0.17": (99.748, 0.028, 20),
}
TICKS = [98, 98.5, 99, 99.3, 99.5, 99.6, 99.7, 99.8, 99.85, 99.9]
TIMES = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50]


class Point(NamedTuple):
    """A recipe: its test accuracy in %, by seed, and how many times the notebook's wall time."""

    accuracies: list[float]
    times: float


def read(path: Path) -> dict[str, Point]:
    """The recipes that were timed beside the notebook, on the machine with most of the trainings.

    A recipe has one accuracy for each seed, on all machines; the notebook one on each.
    """
    if not path.exists():
        raise SystemExit(f"{path}: not there; run `python -m benchmarks.accuracy` first")
    with path.open() as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    timed = [row for row in rows if row["wall_seconds"]]
    counts = Counter(row["machine"] for row in timed)
    machine = max(counts, key=counts.__getitem__, default="")
    found = {}
    for recipe in dict.fromkeys(row["what"] for row in rows):
        own = [row for row in rows if row["what"] == recipe]
        here = [row for row in timed if (row["what"], row["machine"]) == (recipe, machine)]
        by_seed = {row["seed"]: 100 * float(row["accuracy"]) for row in [*own, *here]}
        if times := accuracy.of_notebook(rows, here, "wall_seconds"):
            found[recipe] = Point([*by_seed.values()], times)
    if not found:
        raise SystemExit(f"{path}: has no recipe that was timed beside the notebook")
    return found


def reference(axes: Axes, name: str, mean: float, deviation: float, networks: int) -> None:
    """Draw a line across for what was published without a time, its deviation at the left end."""
    across = axes.get_yaxis_transform()
    style: dict[str, Any] = {"color": figures.GREY, "fontsize": 10}
    words = f"{name} on GPUs: {mean:.2f} ± {deviation:.2f} %, {networks:,} networks"
    axes.axhline(mean, color=figures.GREY, linewidth=1)
    axes.errorbar(0.02, mean, deviation, transform=across, color=figures.GREY)
    axes.annotate(words, (0.02, mean), (9, 4), across, "offset points", **style)


def dot(axes: Axes, recipe: str, point: Point, right: bool) -> None:
    """Draw a recipe's mean, a bar of one standard deviation each way, and words on one side."""
    mean = statistics.mean(point.accuracies)
    deviation = statistics.stdev(point.accuracies) if len(point.accuracies) > 1 else 0.0
    words = f"{recipe}: {mean:.2f} ± {deviation:.2f} %"

    colour = figures.ORANGE if recipe == "notebook" else figures.BLUE
    mark: dict[str, Any] = {"color": colour, "marker": "o", "markersize": 7, "linewidth": 2}
    style: dict[str, Any] = {"color": colour, "va": "center_baseline"}
    style["ha"] = "left" if right else "right"
    style["bbox"] = {"facecolor": "white", "linewidth": 0, "pad": 1}  # lines pass behind the words
    beside = (10 if right else -10, 0)
    axes.errorbar(point.times, mean, deviation, zorder=4, **mark)
    axes.annotate(words, (point.times, mean), beside, textcoords="offset points", **style)


def scale(axes: Axes, times: list[float]) -> None:
    """Times by their logarithm, accuracy by that of the errors."""
    axes.set(title="test accuracy, %", xlabel="training time, the notebook's is 1")
    axes.set_xscale("log")
    axes.set_yscale("function", functions=(lambda y: -np.log10(100 - y), lambda z: 100 - 10**-z))
    axes.set(xlim=(min(times) / 1.7, max(times) * 2), ylim=(98.4, 99.85))
    for axis, marks in ((axes.xaxis, TIMES), (axes.yaxis, TICKS)):
        axis.set_major_locator(FixedLocator(marks))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter("{x:g}")


def main(path: Path) -> None:
    recipes = read(path)
    seeds = sorted({len(point.accuracies) for point in recipes.values()})
    counts = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    subtitle = f"MNIST · mean ± sd of {counts} seeds · lines: published, time unknown"
    figure = figures.page("Test accuracy against training time", subtitle)
    axes = figure.subplots()
    for name, published in PUBLISHED.items():
        reference(axes, name, *published)
    quickest = min(recipes, key=lambda recipe: recipes[recipe].times)
    for recipe, point in recipes.items():
        dot(axes, recipe, point, right=recipe in ("original", quickest))
    scale(axes, [point.times for point in recipes.values()])
    figure.savefig(path.with_suffix(".png"), dpi=100)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chart", description=__doc__)
    measured = harness.RESULTS / "accuracy.csv"
    parser.add_argument("csv", type=Path, nargs="?", default=measured, metavar="CSV")
    main(parser.parse_args().csv)
