"""The figures of a run: what train and evaluate have measured -> matplotlib Figures.

A figure selects, sorts and counts, measures nothing, and names its data set and recipe. Blue and
orange (what is worse) are Okabe and Ito's, which also the colour-blind tell apart; grey is context.
The same run gives the same bytes: no clock, no random choice.
"""

import math
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont
from matplotlib.ft2font import FT2Font
from matplotlib.ticker import LogLocator, NullLocator

from digits import metrics
from digits.preparation import Preparation

BLUE, ORANGE, INK, GREY, PALE = "#0072b2", "#d55e00", "#222222", "#6b6b6b", "#ececec"
ORANGES = LinearSegmentedColormap.from_list("oranges", ["#fbdcc2", "#f0a15e", ORANGE])
WIDTH, LEFT, TOP = 8.0, 0.4, 1.15  # inches: of a figure, of its left margin, of its titles
CROWDED = 20  # with more marks than that, none has a number of its own
LEVEL = 50  # letters below the axes, all names taken as long as the longest
ROOM = {"left": 0.19, "bottom": 0.21}  # of a figure, for names of classes
LETTERS = frozenset(FT2Font(findfont("DejaVu Sans")).get_charmap())  # that can be drawn

matplotlib.rcdefaults()  # whatever the reader's matplotlibrc says
matplotlib.rc("font", size=12)
matplotlib.rc("text", color=INK, parse_math=False)
matplotlib.rc("xtick", color=GREY)
matplotlib.rc("ytick", color=GREY)
matplotlib.rc("axes", edgecolor=GREY, labelcolor=GREY, ymargin=0.18)
matplotlib.rc("axes", titlecolor=GREY, titlelocation="left", titlepad=24, titlesize=12)
matplotlib.rc("axes.spines", top=False, right=False)
matplotlib.rc("figure.subplot", left=0.11, right=0.95, bottom=0.12, top=0.73)


@dataclass(frozen=True)
class Run:
    """What there is to be shown of a run; the tables have the columns that digits.metrics says."""

    metrics: dict[str, float]  # of metrics.json
    evaluation: dict[str, Any]  # of evaluation.json
    curves: dict[str, np.ndarray]  # (epochs,): loss, accuracy; val_* where images were held out
    predictions: np.ndarray
    class_accuracy: np.ndarray
    calibration: np.ndarray
    train_images: np.ndarray  # (n, H, W, C), and their labels, one-hot (n, K)
    train_labels: np.ndarray
    test_images: np.ndarray
    data: Preparation  # the names of the classes, and what was done to the images
    samples: int  # how many training images are shown
    mistakes: int  # how many misclassified test images, at most

    @property
    def name(self) -> str:
        data = drawable(self.evaluation["dataset"], "own data")
        return f"{data} · {self.evaluation['recipe']}"

    @property
    def long_names(self) -> bool:
        return max(map(len, self.data.classes)) > 3

    @property
    def grey(self) -> str:
        """The colours in which a grey image looks as it was given, and ink is always dark."""
        return "gray_r" if self.data.ink else "gray"

    def classes(self, width: int) -> list[str]:
        """The names of the classes, cut to a number of letters; numbers where they have others."""
        names = [
            drawable(name, f"class {number}" if width > 9 else str(number))
            for number, name in enumerate(self.data.classes)
        ]
        shown = [cut(name, width, 0) for name in names]
        if len({*shown}) < len({*names}):  # which differ at their ends
            shown = [cut(name, width, width // 2) for name in names]
        return shown


def cut(name: str, width: int, end: int) -> str:
    """A name in at most `width` letters, of which the last `end` are its own last ones."""
    if len(name) <= width:
        return name
    return f"{name[: width - 1 - end]}…{name[len(name) - end :]}"


def drawable(name: str, other: str) -> str:
    """A name, or another where the font lacks one of its letters."""
    return name if LETTERS.issuperset(map(ord, name)) else other


def page(title: str, subtitle: str, height: float = 6.0) -> Figure:
    """An empty figure with a title, and under it, smaller the longer it is, a subtitle."""
    figure = Figure(figsize=(WIDTH, height))
    figure.text(LEFT / WIDTH, 1 - 0.48 / height, title, fontsize=17)
    size = min(12, 1000 / len(subtitle))
    figure.text(LEFT / WIDTH, 1 - 0.8 / height, subtitle, color=GREY, fontsize=size)
    return figure


def tiles(
    figure: Figure,
    left: float,
    columns: int,
    width: float,
    images: np.ndarray,
    captions: list[str],
    grey: str,
) -> None:
    """Draw images (n, H, W, C), `width` inches each, with captions."""
    height = width * images.shape[1] / images.shape[2]
    longest = max((len(line) for caption in captions for line in caption.split("\n")), default=0)
    size = min(10, max(6, 100 * width / max(1, longest)))  # points, of which 72 are an inch
    # axes in inches, from the figure's upper left corner
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(figure.get_figheight(), 0))
    axes.axis("off")
    for i, (image, caption) in enumerate(zip(images, captions, strict=True)):
        x = left + 1.08 * width * (i % columns)
        y = TOP + (height + line_height(captions)) * (i // columns)
        place = (x, x + width, y + height, y)
        shown = image if image.shape[2] == 3 else image[..., 0]
        axes.imshow(shown, cmap=grey, vmin=0, vmax=1, extent=place)
        below = (x + width / 2, y + height + 0.06)
        axes.text(*below, caption, color=GREY, fontsize=size, ha="center", va="top")


def line_height(captions: list[str]) -> float:
    """Inches that the longest of some captions takes."""
    return 0.21 * (1 + max((caption.count("\n") for caption in captions), default=0))


def dots(
    axes: Axes,
    x: np.ndarray,
    y: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    worse: np.ndarray,
    words: list[str],
) -> None:
    """Draw (x, y) as dots on lines from low to high with words, orange if worse.

    Both are in %. Words stand above a line; below an orange one, unless that is near 0.
    """
    colours = np.where(worse, ORANGE, BLUE).tolist()
    axes.vlines(x, low, high, colors=colours)
    axes.scatter(x, y, s=min(30, 1500 / len(x)), c=colours, zorder=3, clip_on=False)
    if len(x) > CROWDED:
        return
    style: dict[str, Any] = {"color": GREY, "fontsize": 10, "ha": "center"}
    for i, word in enumerate(words):
        # points, away from the line
        end, beyond = (low, -17) if worse[i] and low[i] > 5 else (high, 8)
        axes.annotate(word, (x[i], end[i]), (0, beyond), textcoords="offset points", **style)


def learning_curves(run: Run) -> Figure:
    """Loss and error rate by epoch: on logarithmic axes, but for what reaches 0."""
    parts = {"training": ""}
    if "val_loss" in run.curves:
        parts["validation"] = "val_"
    losses = [run.curves[f"{prefix}loss"] for prefix in parts.values()]
    errors = [100 * (1 - run.curves[f"{prefix}accuracy"]) for prefix in parts.values()]
    epochs = len(losses[0])

    last = f"accuracy {100 - errors[-1][-1]:.2f} %, loss {losses[-1][-1]:.4f}"
    figure = page(f"{list(parts)[-1].capitalize()} {last}", f"{run.name} · after epoch {epochs}")
    left, right = figure.subplots(1, 2, gridspec_kw={"right": 0.85, "wspace": 0.8})
    for axes, name, curves in ((left, "loss", losses), (right, "error rate, %", errors)):
        lines = np.minimum(np.nan_to_num(curves, nan=1000), 1000)
        axes.set(title=name, xlabel="epoch", ylim=(0, max(0.001, 1.1 * lines.max())))
        if lines.min() > 0:
            axes.set(title=f"{name}, log scale", yscale="log")
            axes.set(ylim=(lines.min() / 1.6, lines.max() * 1.6))
            ticks = {"major_locator": LogLocator(subs=(1, 2, 5)), "minor_locator": NullLocator()}
            axes.yaxis.set(major_formatter="{x:g}", **ticks)
        axes.locator_params(axis="x", nbins=6, integer=True, min_n_ticks=1)
        axes.grid(axis="y", color=PALE)
        for i, (part, colour, line) in enumerate(zip(parts, (GREY, BLUE), lines)):
            axes.plot(
                range(1, epochs + 1), line, color=colour, linewidth=2, marker="o", markevery=[-1]
            )
            # so that two names never overlap
            side = "bottom" if i == lines[:, -1].argmax() else "top"
            end = (epochs, line[-1])
            axes.annotate(part, end, (9, 0), textcoords="offset points", color=colour, va=side)
    return figure


def mistakes(run: Run) -> Figure:
    """The misclassified test images, those first in which the network was most confident."""
    wrong = metrics.mistakes(run.predictions)
    shown = wrong[: run.mistakes]
    captions = []
    names = run.classes(9)
    between = "→\n" if run.long_names else "→"
    for row in run.predictions[shown]:
        pair = f"{names[row['actual']]} {between} {names[row['predicted']]}"
        captions.append(f"{pair}\n{100 * row['confidence']:.1f} %")

    tall = run.test_images.shape[1] / run.test_images.shape[2]
    rows = math.ceil(len(shown) / 8)
    title = f"The {len(shown)} most confident of {len(wrong):,} mistakes"
    if len(shown) == len(wrong):
        title = "All mistakes, the most confident first" if len(wrong) else "No mistakes"
    what = " · actual → predicted, and the confidence in it" if len(wrong) else ""
    figure = page(title, run.name + what, TOP + 0.2 + rows * (0.84 * tall + line_height(captions)))
    tiles(figure, LEFT, 8, 0.84, run.test_images[shown], captions, run.grey)
    return figure


def name_ticks(axes: Axes, run: Run) -> None:
    """Name the classes below the axes, slanted where the names would touch."""
    names = run.classes(14)
    slanted = max(map(len, names)) * len(names) > LEVEL
    style: dict[str, Any] = {"rotation": 30, "ha": "right", "fontsize": 9}
    axes.set_xticks(range(len(names)), names, **(style if slanted else {}))


def confusion_matrix(run: Run) -> Figure:
    """Number of test images by actual and predicted class: mistakes orange, the diagonal grey."""
    classes = len(run.data.classes)
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (run.predictions["actual"], run.predictions["predicted"]), 1)
    wrong = counts * (1 - np.eye(classes, dtype=int))

    title = f"{wrong.sum():,} of {counts.sum():,} test images misclassified"
    figure = page(title, f"{run.name} · the darker, the more mistakes")
    axes = figure.subplots(gridspec_kw=ROOM if run.long_names else None)
    diagonal = 1 - 0.08 * np.eye(classes)
    style: dict[str, Any] = {"vmin": 0, "aspect": "auto", "interpolation": "nearest"}
    axes.imshow(diagonal, cmap="gray", vmax=1, **style)
    axes.imshow(np.ma.masked_equal(wrong, 0), cmap=ORANGES, **style)
    axes.set(title="actual class", xlabel="predicted class", frame_on=False)
    axes.tick_params(length=0)
    if classes > CROWDED:
        axes.locator_params(nbins=CROWDED, integer=True)
        return figure
    name_ticks(axes, run)
    axes.set_yticks(range(classes), run.classes(14), fontsize=9 if run.long_names else None)
    style = {"fontsize": 10, "ha": "center", "va": "center_baseline"}
    for a, p in np.argwhere(counts):
        axes.text(p, a, f"{counts[a, p]:,}", color=GREY if a == p else INK, **style)
    return figure


def class_accuracy(run: Run) -> Figure:
    """Accuracy of each class with its 95 % interval: orange where that of all images lies above."""
    overall = 100 * run.metrics["test_accuracy"]
    classes = run.class_accuracy["class"]
    shares, low, high = (100 * run.class_accuracy[key] for key in ("accuracy", "low", "high"))

    subtitle = f"{run.name} · bars: 95 % intervals; line: all images; orange: whole bar below"
    figure = page(f"Test accuracy {overall:.2f} %", subtitle)
    axes = figure.subplots(gridspec_kw=ROOM if run.long_names else None)
    axes.axhline(overall, color=GREY, linewidth=1)
    words = [f"{share:.1f}" for share in shares]
    dots(axes, classes, shares, low, high, high < overall, words)
    axes.set(title="accuracy, %", ylim=(max(0, axes.get_ylim()[0]), 100))
    axes.set(xlabel="class", xlim=(-0.6, classes.max() + 0.6))
    if len(run.data.classes) > CROWDED:
        axes.locator_params(axis="x", nbins=CROWDED, integer=True)
    else:
        name_ticks(axes, run)
    return figure


def calibration(run: Run) -> Figure:
    """Accuracy by confidence, with the number of images."""
    confidence, accuracy = (100 * run.calibration[key] for key in ("confidence", "accuracy"))
    title = f"Expected calibration error {run.metrics['ece']:.4f}"
    words = "images at each dot; line: as often right as confident; orange: too confident"
    figure = page(title, f"{run.name} · {words}")
    axes = figure.subplots()
    axes.set(title="accuracy, %", xlabel="confidence, %", xlim=(0, 100), ylim=(0, 100))
    axes.plot([0, 100], [0, 100], color=GREY, linewidth=1)
    counts = [f"{count:,}" for count in run.calibration["count"]]
    low, high = np.minimum(accuracy, confidence), np.maximum(accuracy, confidence)
    dots(axes, confidence, accuracy, low, high, accuracy < confidence, counts)
    return figure


def samples(run: Run) -> Figure:
    """The first training images in order, number 5 of them large."""
    images, labels = run.train_images[: run.samples], run.train_labels[: run.samples].argmax(axis=1)
    columns, width, letters = (6, 0.7, 10) if run.long_names else (10, 0.42, 6)
    tall = images.shape[1] / images.shape[2]
    rows = math.ceil(len(images) / columns)
    height = TOP + 0.2 + max(2.5 * tall + 0.4, rows * (width * tall + 0.21))
    drawn_dark = " · light in the arrays, drawn dark" if run.data.ink else ""
    subtitle = f"{run.name} · each with its label{drawn_dark}"
    figure = page(f"Training images 0 to {len(images) - 1}", subtitle, height)
    large = [f"image 5, enlarged: label {run.classes(20)[label]}" for label in labels[5:6]]
    tiles(figure, LEFT, 1, 2.5, images[5:6], large, run.grey)
    small = [run.classes(letters)[label] for label in labels]
    tiles(figure, 3.1, columns, width, images, small, run.grey)
    return figure


# By name, which is the name of the PNG; in the order in which the report shows them.
FIGURES = {
    draw.__name__: draw
    for draw in (learning_curves, mistakes, confusion_matrix, class_accuracy, calibration, samples)
}
