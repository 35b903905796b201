"""benchmarks/results/accuracy.csv -> accuracy.png: test accuracy against training time, beside published points.

`python -m benchmarks.chart [CSV]`
"""

import csv
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks import harness
from stages import plot

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

PUBLISHED = {  # single networks: mean and standard deviation of the test accuracy in %, and of how many networks
    "cdeotte/MNIST-CNN-99.75": (99.641, 0.047, 1500),
    "Matuzas77/MNIST-0.17": (99.748, 0.028, 20),
}
TICKS = [98, 98.5, 99, 99.3, 99.5, 99.6, 99.7, 99.8, 99.85, 99.9]
SECONDS = [0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000]


def read(path: Path) -> dict[str, np.ndarray]:
    """Return test accuracy in % and seconds of training, as an array (seeds, 2), for each recipe."""
    if not path.exists():
        raise SystemExit(f"{path}: not there; run `python -m benchmarks.accuracy` first")
    rows: dict[str, list[list[float]]] = defaultdict(list)
    with path.open() as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            rows[row["what"]].append([100 * float(row["accuracy"]), float(row["wall_seconds"])])
    return {recipe: np.array(pairs) for recipe, pairs in rows.items()}


def reference(axes: Axes, name: str, mean: float, deviation: float, networks: int) -> None:
    """Draw a line across for what was published without a time, its standard deviation at the left end."""
    axes.axhline(mean, color=plot.GREY, linewidth=1)
    axes.errorbar(0.02, mean, deviation, transform=axes.get_yaxis_transform(), color=plot.GREY)
    words = f"{name} on GPUs: {mean:.2f} ± {deviation:.2f} %, {networks:,} networks"
    style: dict[str, Any] = {"color": plot.GREY, "fontsize": 10}
    axes.annotate(words, (0.02, mean), (9, 4), axes.get_yaxis_transform(), "offset points", **style)


def dot(axes: Axes, recipe: str, pairs: np.ndarray, right: bool) -> None:
    """Draw a recipe's mean, a bar of one standard deviation each way, and in words on one side of it what it is."""
    accuracy, seconds = pairs[:, 0].mean(), np.median(pairs[:, 1])
    deviation = pairs[:, 0].std(ddof=1) if len(pairs) > 1 else 0.0
    colour = plot.ORANGE if recipe == "notebook" else plot.BLUE
    axes.errorbar(seconds, accuracy, deviation, color=colour, marker="o", markersize=7, linewidth=2, zorder=4)
    style: dict[str, Any] = {"color": colour, "va": "center_baseline", "ha": "left" if right else "right"}
    style["bbox"] = {"facecolor": "white", "linewidth": 0, "pad": 1}  # lines pass behind the words
    words = f"{recipe}: {accuracy:.2f} ± {deviation:.2f} %, {seconds:.{0 if seconds > 10 else 1}f} s"
    axes.annotate(words, (seconds, accuracy), (10 if right else -10, 0), textcoords="offset points", **style)


def main(path: Path = harness.RESULTS / "accuracy.csv") -> None:
    recipes = read(path)
    seeds = sorted({len(pairs) for pairs in recipes.values()})
    counts = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    figure = plot.page(
        "Test accuracy against training time", f"MNIST · mean ± sd of {counts} seeds · lines: published, time unknown"
    )
    axes = figure.subplots()
    for name, point in PUBLISHED.items():
        reference(axes, name, *point)
    seconds = {recipe: np.median(pairs[:, 1]) for recipe, pairs in recipes.items()}
    for recipe, pairs in recipes.items():
        dot(axes, recipe, pairs, right=recipe in ("notebook", min(seconds, key=seconds.__getitem__)))
    axes.set(title="test accuracy, %", xlabel="training, seconds")
    axes.set_xscale("log")
    axes.set_yscale("function", functions=(lambda y: -np.log10(100 - y), lambda z: 100 - 10**-z))
    axes.set(xlim=(min(seconds.values()) / 1.7, max(2000, max(seconds.values()) * 1.7)), ylim=(98.4, 99.85))
    axes.xaxis.set(major_locator=FixedLocator(SECONDS), minor_locator=NullLocator(), major_formatter="{x:g}")
    axes.yaxis.set(major_locator=FixedLocator(TICKS), minor_locator=NullLocator(), major_formatter="{x:g}")
    figure.savefig(path.with_suffix(".png"), dpi=100)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
