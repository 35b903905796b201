"""data/processed (some images), reports (predictions, metrics, calibration, history) -> reports/figures/.

A figure selects, sorts and counts what train and evaluate have measured, and names its data set and recipe. Blue
and orange (what is worse) are Okabe and Ito's, which also the colour-blind tell apart; grey is context. The same
inputs give the same bytes: no clock, no random choice.
"""

import json
from pathlib import Path

from digits import arrays

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from PIL import Image

BLUE, ORANGE, INK, GREY, PALE = "#0072b2", "#d55e00", "#222222", "#6b6b6b", "#ececec"
ORANGES = LinearSegmentedColormap.from_list("oranges", ["#fbdcc2", "#f0a15e", ORANGE])
WIDTH, LEFT, TOP = 8.0, 0.4, 1.15  # inches: of a figure, of its left margin, of its titles
CROWDED = 20  # with more marks than that, none has a number of its own

matplotlib.rcdefaults()  # whatever the reader's matplotlibrc says
matplotlib.rcParams.update({"font.size": 12, "text.color": INK, "xtick.color": GREY, "ytick.color": GREY})
matplotlib.rc("axes", edgecolor=GREY, labelcolor=GREY, ymargin=0.18)
matplotlib.rc("axes", titlecolor=GREY, titlelocation="left", titlepad=24, titlesize=12)
matplotlib.rc("figure.subplot", left=0.11, right=0.95, bottom=0.12, top=0.73)
matplotlib.rc("axes.spines", top=False, right=False)


def page(title: str, subtitle: str, height: float = 6.0) -> Figure:
    figure = Figure(figsize=(WIDTH, height))
    figure.text(LEFT / WIDTH, 1 - 0.48 / height, title, fontsize=17)
    figure.text(LEFT / WIDTH, 1 - 0.8 / height, subtitle, color=GREY, fontsize=min(12, 1000 / len(subtitle)))
    return figure


def tiles(figure: Figure, left: float, columns: int, width: float, images: np.ndarray, captions: list) -> None:
    """Draw images (n, H, W) as ink on paper, row by row, `width` inches each; a caption has a line or two."""
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(figure.get_figheight(), 0))  # in inches
    axes.axis("off")
    height = width * images.shape[1] / images.shape[2]
    for i, (image, caption) in enumerate(zip(images, captions, strict=True)):
        x, y = left + 1.08 * width * (i % columns), TOP + (height + 0.5 * width) * (i // columns)
        axes.imshow(image, cmap="gray_r", vmin=0, vmax=1, extent=(x, x + width, y + height, y))
        axes.text(x + width / 2, y + height + 0.06, caption, color=GREY, fontsize=10, ha="center", va="top")


def stems(axes: Axes, x: np.ndarray, base: np.ndarray, y: np.ndarray, words: list[str]) -> None:
    """Draw (x, y) as dots on stems from their base, orange if they hang below it, with their words beyond them."""
    colours = np.where(y < base, ORANGE, BLUE).tolist()
    axes.vlines(x, base, y, colors=colours)
    axes.scatter(x, y, s=min(30, 1500 / len(x)), c=colours, zorder=3, clip_on=False)
    for i, word in enumerate(words if len(x) <= CROWDED else []):
        place = (0, 8 if y[i] >= base[i] else -17)
        axes.annotate(word, (x[i], y[i]), place, textcoords="offset points", color=GREY, fontsize=10, ha="center")


def samples(images: np.ndarray, labels: np.ndarray, name: str) -> Figure:
    """The first training images (n, H, W) in order, number 5 of them large."""
    tall, rows = images.shape[1] / images.shape[2], -(-len(images) // 10)
    height = TOP + 0.2 + max(2.5 * tall + 0.4, rows * 0.42 * (tall + 0.5))
    figure = page(f"Training images 0 to {len(images) - 1}", f"{name} · each with its label", height)
    tiles(figure, LEFT, 1, 2.5, images[5:6], [f"number 5, label {label}" for label in labels[5:6]])
    tiles(figure, 3.1, 10, 0.42, images, labels.tolist())
    return figure


def learning_curves(history: dict[str, np.ndarray], name: str) -> Figure:
    """Loss and error rate by epoch on logarithmic axes; history has an array (epochs,) for each metric."""
    losses = [history[key] for key in ("loss", "validation_loss") if key in history]
    errors = [100 * (1 - history[key]) for key in ("accuracy", "validation_accuracy") if key in history]
    parts, epochs = ("training", "validation")[: len(losses)], len(losses[0])
    title = f"{parts[-1].capitalize()} accuracy {100 - errors[-1][-1]:.2f} %, loss {losses[-1][-1]:.4f}"
    figure = page(title, f"{name} · after epoch {epochs}")
    panels = figure.subplots(1, 2, gridspec_kw={"right": 0.85, "wspace": 0.8})
    for axes, title, lines in zip(panels, ("loss", "error rate (1 − accuracy), %"), (losses, errors)):
        lines = np.clip(np.nan_to_num(lines, nan=1000), 0.001, 1000)  # what a logarithmic axis can show
        axes.set(title=title, xlabel="epoch", yscale="log", ylim=(lines.min() / 1.6, lines.max() * 1.6))
        axes.yaxis.set(major_locator=LogLocator(subs=(1, 2, 5)), minor_locator=NullLocator(), major_formatter="{x:g}")
        axes.locator_params(axis="x", nbins=6, integer=True, min_n_ticks=1)
        axes.grid(axis="y", color=PALE)
        for i, (part, colour, line) in enumerate(zip(parts, (GREY, BLUE), lines)):
            axes.plot(range(1, epochs + 1), line, color=colour, linewidth=2, marker="o", markevery=[-1])
            side = "bottom" if i == lines[:, -1].argmax() else "top"  # so that two names never overlap
            axes.annotate(part, (epochs, line[-1]), (9, 0), textcoords="offset points", color=colour, va=side)
    return figure


def confusion_matrix(actual: np.ndarray, predicted: np.ndarray, classes: int, name: str) -> Figure:
    """Number of test images by actual and predicted class: mistakes in orange, the diagonal in grey."""
    counts = np.bincount(actual * classes + predicted, minlength=classes**2).reshape(classes, classes)
    wrong = counts * (1 - np.eye(classes, dtype=int))
    figure = page(f"{wrong.sum():,} of {len(actual):,} test images misread", f"{name} · the darker, the more mistakes")
    axes = figure.subplots()
    axes.imshow(1 - 0.08 * np.eye(classes), cmap="gray", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    axes.imshow(np.ma.masked_equal(wrong, 0), cmap=ORANGES, vmin=0, aspect="auto", interpolation="nearest")
    axes.set(title="actual class", xlabel="predicted class", frame_on=False)
    axes.locator_params(nbins=CROWDED, integer=True)
    axes.tick_params(length=0)
    for a, p in np.argwhere(counts) if classes <= CROWDED else ():
        axes.text(p, a, counts[a, p], color=GREY if a == p else INK, fontsize=10, ha="center", va="center_baseline")
    return figure


def mistakes(images: np.ndarray, rows: np.ndarray, total: int, name: str) -> Figure:
    """Test images (n, H, W) with (actual, predicted, confidence) in rows (n, 3), the most confident first."""
    height = TOP + 0.2 + -(-len(rows) // 8) * 0.84 * (images.shape[1] / images.shape[2] + 0.5)
    title = f"The {len(rows)} most confident of {total:,} mistakes" if total else "No mistakes"
    figure = page(title, f"{name} · actual → predicted, and the confidence in it", height)
    captions = [f"{actual:.0f} → {predicted:.0f}\n{100 * share:.1f} %" for actual, predicted, share in rows]
    tiles(figure, LEFT, 8, 0.84, images, captions)
    return figure


def class_accuracy(rows: np.ndarray, metrics: dict, name: str) -> Figure:
    """Accuracy of each class as its distance from that of all test images, drawn with its 95 % interval.

    The rows (n, 3) have the columns of class_accuracy.csv.
    """
    overall, low, high = (100 * metrics[f"test_accuracy{end}"] for end in ("", "_low", "_high"))
    classes, shares = rows[:, 0], 100 * rows[:, 1]
    figure = page(f"Test accuracy {overall:.2f} %", f"{name} · in grey its 95 % interval, {low:.2f} to {high:.2f} %")
    axes = figure.subplots()
    axes.axhspan(low, high, color=PALE, linewidth=0)
    axes.axhline(overall, color=GREY, linewidth=1)
    stems(axes, classes, np.full(len(shares), overall), shares, [f"{share:.1f}" for share in shares])
    axes.set(title="accuracy, %", xlabel="class", xlim=(-0.6, classes.max() + 0.6), ylim=(None, 100))
    axes.locator_params(axis="x", nbins=CROWDED, integer=True)
    return figure


def calibration(bins: np.ndarray, error: float, name: str) -> Figure:
    """Accuracy by confidence, with the number of images; bins (n, 5) has the columns of calibration.csv."""
    confidence, accuracy, images = bins[:, :3].T * [[100], [100], [1]]
    figure = page(f"Expected calibration error {error:.4f}", f"{name} · number of images at each dot")
    axes = figure.subplots()
    axes.set(title="accuracy, %", xlabel="confidence, %", xlim=(0, 100), ylim=(0, 100))
    axes.plot([0, 100], [0, 100], color=GREY, linewidth=1)
    axes.text(18, 6, "as often right as confident", color=GREY)
    stems(axes, confidence, confidence, accuracy, [f"{n:,.0f}" for n in images])
    return figure


def table(path: Path, header: str) -> np.ndarray:
    """The numbers (rows, columns) below that header."""
    try:
        found, *rows = path.read_text().replace("\t", ",").split("\n")
        if found != header or not any(rows):
            raise ValueError(f"expected numbers below the header {header!r}, found {found!r}")
        return np.loadtxt(rows, delimiter=",", usecols=range(header.count(",") + 1), ndmin=2)
    except ValueError as error:
        raise SystemExit(f"{path}: {error}; run dvc repro") from None


def measured(path: Path) -> dict:
    """The metrics of a JSON file."""
    try:
        return dict(json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise SystemExit(f"{path}: expected what evaluate wrote, found: {error}; run dvc repro") from None


def main(params: dict) -> None:
    names, reports = ("train_images", "train_labels", "test_images"), Path("reports")
    train_images, train_labels, test_images = map(arrays.read, names)
    history = {}
    for path in sorted((reports / "training/plots/metrics").glob("*.tsv")):
        if path.stat().st_size or not path.stem.startswith("validation"):  # empty where nothing was held out
            history[path.stem] = table(path, f"step,{path.stem}")[:, 1]
    metrics = measured(reports / "metrics.json")
    bins = table(reports / "calibration.csv", "confidence,accuracy,count,low,high")
    by_class = table(reports / "class_accuracy.csv", "class,accuracy,count")
    predictions = table(reports / "predictions.csv", "actual,predicted,confidence")

    name, first = f"{metrics['dataset']} · {metrics['recipe']}", slice(params["plot"]["samples"])
    actual, predicted = predictions[:, :2].astype(int).T
    wrong = np.flatnonzero(actual != predicted)
    worst = wrong[np.argsort(-predictions[wrong, 2], kind="stable")][: params["plot"]["mistakes"]]
    figures = {
        "samples": samples(train_images[first, ..., 0], train_labels[first].argmax(axis=1), name),
        "learning_curves": learning_curves(history, name),
        "confusion_matrix": confusion_matrix(actual, predicted, train_labels.shape[1], name),
        "mistakes": mistakes(test_images[worst, ..., 0], predictions[worst], len(wrong), name),
        "class_accuracy": class_accuracy(by_class, metrics, name),
        "calibration": calibration(bins, metrics["expected_calibration_error"], name),
    }
    (reports / "figures").mkdir(parents=True, exist_ok=True)
    for title, figure in figures.items():
        figure.set_dpi(params["plot"]["dpi"])
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
        image = image.quantize(256, Image.Quantize.FASTOCTREE)  # 256 colours: a third of the bytes
        image.save(reports / f"figures/{title}.png")
