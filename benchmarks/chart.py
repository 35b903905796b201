"""benchmarks/results/accuracy.csv -> accuracy.png: test accuracy against training time.

A recipe's time is compared with the notebook's on the same machine. Beside the recipes stands what
others have published.
`python -m benchmarks.chart [CSV]`
"""

import csv
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from benchmarks import harness
from digits import figures

# Single networks: mean and standard deviation of the test accuracy in %, and of how many networks.
PUBLISHED = {
    "cdeotte/MNIST-CNN-99.75": (99.641, 0.047, 1500),
    "Matuzas77/MNIST-0.17": (99.748, 0.028, 20),
}
TICKS = [98, 98.5, 99, 99.3, 99.5, 99.6, 99.7, 99.8, 99.85, 99.9]
TIMES = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50]


def read(path: Path) -> dict[str, np.ndarray]:
    """Test accuracy in % and times of the notebook's training, an array (seeds, 2), by recipe."""
    if not path.exists():
        raise SystemExit(f"{path}: not there; run `python -m benchmarks.accuracy` first")
    with path.open() as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    notebook: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if row["what"] == "notebook":
            notebook[row["machine"]].append(float(row["wall_seconds"]))
    found: dict[str, list[list[float]]] = defaultdict(list)
    for row in rows:
        times = float(row["wall_seconds"]) / np.median(notebook[row["machine"]])
        found[row["what"]].append([100 * float(row["accuracy"]), times])
    return {recipe: np.array(pairs) for recipe, pairs in found.items()}


def reference(axes: Axes, name: str, mean: float, deviation: float, networks: int) -> None:
    """Draw a line across for what was published without a time, its deviation at the left end."""
    across = axes.get_yaxis_transform()
    style: dict[str, Any] = {"color": figures.GREY, "fontsize": 10}
    words = f"{name} on GPUs: {mean:.2f} ± {deviation:.2f} %, {networks:,} networks"
    axes.axhline(mean, color=figures.GREY, linewidth=1)
    axes.errorbar(0.02, mean, deviation, transform=across, color=figures.GREY)
    axes.annotate(words, (0.02, mean), (9, 4), across, "offset points", **style)


def dot(axes: Axes, recipe: str, pairs: np.ndarray, right: bool) -> None:
    """Draw a recipe's mean, a bar of one standard deviation each way, and words on one side."""
    accuracy, times = pairs[:, 0].mean(), np.median(pairs[:, 1])
    deviation = pairs[:, 0].std(ddof=1) if len(pairs) > 1 else 0.0
    words = f"{recipe}: {accuracy:.2f} ± {deviation:.2f} %"

    colour = figures.ORANGE if recipe == "notebook" else figures.BLUE
    mark: dict[str, Any] = {"color": colour, "marker": "o", "markersize": 7, "linewidth": 2}
    style: dict[str, Any] = {"color": colour, "va": "center_baseline"}
    style["ha"] = "left" if right else "right"
    style["bbox"] = {"facecolor": "white", "linewidth": 0, "pad": 1}  # lines pass behind the words
    beside = (10 if right else -10, 0)
    axes.errorbar(times, accuracy, deviation, zorder=4, **mark)
    axes.annotate(words, (times, accuracy), beside, textcoords="offset points", **style)


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


def main(path: Path = harness.RESULTS / "accuracy.csv") -> None:
    recipes = read(path)
    seeds = sorted({len(pairs) for pairs in recipes.values()})
    counts = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    subtitle = f"MNIST · mean ± sd of {counts} seeds · lines: published, time unknown"
    figure = figures.page("Test accuracy against training time", subtitle)
    axes = figure.subplots()
    for name, point in PUBLISHED.items():
        reference(axes, name, *point)
    times = {recipe: float(np.median(pairs[:, 1])) for recipe, pairs in recipes.items()}
    quickest = min(times, key=times.__getitem__)
    for recipe, pairs in recipes.items():
        dot(axes, recipe, pairs, right=recipe in ("notebook", quickest))
    scale(axes, list(times.values()))
    figure.savefig(path.with_suffix(".png"), dpi=100)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
