"""data/processed (some images), reports (predictions, metrics, calibration, history) -> reports/figures/.

A figure selects, sorts and counts what train and evaluate have measured, and computes nothing new. Each names
its data set and recipe below the title. Blue and orange (what is wrong) are Okabe and Ito's, which also the
colour-blind tell apart; grey is context. The same inputs give the same bytes: no clock, no random choice.
"""

import json
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from PIL import Image

from stages import validate

BLUE, ORANGE, INK, GREY, PALE = "#0072b2", "#d55e00", "#222222", "#6b6b6b", "#ececec"
ORANGES = LinearSegmentedColormap.from_list("oranges", ["#fbdcc2", "#f0a15e", ORANGE])
WIDTH, LEFT, TOP = 8.0, 0.4, 1.15  # inches: of a figure, of its left margin, of its titles
CROWDED = 20  # with more classes than that, none has a number of its own

matplotlib.rcdefaults()  # whatever the reader's matplotlibrc says
matplotlib.rc("font", size=12)
matplotlib.rc("text", color=INK)
matplotlib.rc("axes", edgecolor=GREY, labelcolor=GREY)
matplotlib.rc("axes.spines", top=False, right=False)
matplotlib.rc("xtick", color=GREY)
matplotlib.rc("ytick", color=GREY)


def count(number: int, noun: str) -> str:
    """As in: No mistakes, 1 mistake, 10,000 mistakes."""
    return f"1 {noun}" if number == 1 else f"{number:,} {noun}s" if number else f"No {noun}s"


def page(height: float, title: str, subtitle: str) -> tuple[Figure, Axes]:
    """A figure, and axes all over it in which to write and draw by inches from the upper left corner."""
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(height, 0))
    axes.axis("off")
    axes.text(LEFT, 0.48, title, fontsize=17)
    axes.text(LEFT, 0.8, subtitle, color=GREY, fontsize=min(12, 1000 / len(subtitle)))
    return figure, axes


def panel(figure: Figure, left: float, top: float, width: float, height: float, title: str = "") -> Axes:
    """Axes for data, placed by inches; the title says what the y axis shows."""
    whole = figure.get_figheight()
    axes = figure.add_axes((left / WIDTH, 1 - (top + height) / whole, width / WIDTH, height / whole))
    axes.set_title(title, loc="left", fontsize=12, color=GREY, pad=14, y=1)
    return axes


def tiles(axes: Axes, left: float, columns: int, width: float, images: np.ndarray, captions: list) -> None:
    """Draw images (n, H, W) as ink on paper, row by row; a caption is a (text, colour, size) a line."""
    height = width * images.shape[1] / images.shape[2]
    pixels = np.repeat(1 - images[..., None], 3, axis=-1)  # RGB: drawn sooner than a colour map
    for i, (image, caption) in enumerate(zip(pixels, captions, strict=True)):
        x = left + 1.08 * width * (i % columns)
        y = TOP + (height + 0.12 + 0.18 * len(caption)) * (i // columns)
        axes.imshow(image, extent=(x, x + width, y + height, y), aspect="auto")
        for line, (text, colour, size) in enumerate(caption, start=1):
            axes.text(x + width / 2, y + height + 0.18 * line, text, color=colour, fontsize=size, ha="center")


def number(axes: Axes, text: str, x: float, y: float, up: bool, size: float = 10) -> None:
    """Write a value above its mark, or below."""
    place = (0, 8 if up else -17)
    axes.annotate(text, (x, y), place, textcoords="offset points", color=GREY, fontsize=size, ha="center")


def ticks(most: int, integer: bool = True) -> MaxNLocator:
    return MaxNLocator(most, steps=[1, 2, 5, 10], integer=integer, min_n_ticks=1)


def samples(images: np.ndarray, labels: np.ndarray, name: str) -> Figure:
    """The first training images (n, H, W) in order, number 5 of them large."""
    tall, chosen = images.shape[1] / images.shape[2], min(5, len(images) - 1)
    height = TOP + 0.1 + max(2.52 * tall + 0.5, -(-len(images) // 10) * (0.4 * tall + 0.3))
    title = f"The first {count(len(images), 'training image')}"
    figure, axes = page(height, title, f"{name} · each with its label")
    tiles(axes, LEFT, 1, 2.52, images[[chosen]], [[]])
    axes.text(LEFT, TOP + 2.52 * tall + 0.3, f"image number {chosen}, label {labels[chosen]}")
    captions = [[(label, INK if i == chosen else GREY, 10)] for i, label in enumerate(labels)]
    tiles(axes, 3.29, 10, 0.4, images, captions)
    return figure


def curves(axes: Axes, training: np.ndarray, validation: np.ndarray | None) -> None:
    """One value per epoch, on a logarithmic axis unless a value is 0; each line named at its end."""
    lines = [("training", GREY, training)]
    lines += [] if validation is None else [("validation", BLUE, validation)]
    epochs, values = len(training), np.concatenate([line for *_, line in lines])
    least, most = values.min(), values.max()
    axes.set(xlim=(1, epochs) if epochs > 1 else (0.5, 1.5), xlabel="epoch")
    if least > 0:
        middle, ratio = np.sqrt(least * most), max(1.1 * np.sqrt(most / least), 2.5)
        axes.set(yscale="log", ylim=(middle / ratio, middle * ratio))
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=12))
        axes.yaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_locator(ticks(6))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.grid(axis="y", color=PALE)
    for _, colour, line in lines:
        axes.plot(range(1, epochs + 1), line, color=colour, linewidth=2, clip_on=False)
        axes.plot(epochs, line[-1], "o", color=colour, clip_on=False)
    axes.autoscale_view()  # so that transData knows limits which were not set
    ends = axes.transData.transform([(epochs, line[-1]) for *_, line in lines])[:, 1]
    apart = max(0, 24 - np.ptp(ends)) / 3 if len(lines) > 1 else 0  # points, so that two names never overlap
    for i, (name, colour, line) in enumerate(lines):
        place = (9, apart if i == np.argmax(ends) else -apart)
        axes.annotate(name, (epochs, line[-1]), place, textcoords="offset points", color=colour, va="center")


def learning_curves(history: dict[str, np.ndarray], name: str) -> Figure:
    """Loss and error rate by epoch; history has an array (epochs,) for each metric."""
    parts = [part for part in ("validation_", "") if f"{part}loss" in history]
    last = [(100 * history[f"{part}accuracy"][-1], history[f"{part}loss"][-1]) for part in parts]
    words = [f"accuracy {accuracy:.2f} %, loss {loss:.4f}" for accuracy, loss in last]
    title = f"{'Validation' if len(parts) > 1 else 'Training'} {words[0]}"
    after = f"after {count(len(history['loss']), 'epoch')}"
    figure, _ = page(4.3, title, " · ".join([name, after, *(f"training {text}" for text in words[1:])]))
    errors = {key: 100 * (1 - line) for key, line in history.items() if key.endswith("accuracy")}
    left = panel(figure, 0.8, 1.6, 2.2, 2.1, "loss")
    right = panel(figure, 4.6, 1.6, 2.2, 2.1, "error rate (1 − accuracy), %")
    curves(left, history["loss"], history.get("validation_loss"))
    curves(right, errors["accuracy"], errors.get("validation_accuracy"))
    return figure


def confusion_matrix(actual: np.ndarray, predicted: np.ndarray, classes: int, name: str) -> Figure:
    """Number of test images by actual and predicted class: mistakes in orange, the diagonal in grey."""
    counts = np.bincount(actual * classes + predicted, minlength=classes**2).reshape(classes, classes)
    wrong = counts * (1 - np.eye(classes, dtype=int))
    pairs = [divmod(int(i), classes) for i in np.argsort(-wrong, axis=None, kind="stable")[:3]]
    often = ", ".join(f"{a} as {p} ({wrong[a, p]:,})" for a, p in pairs if wrong[a, p])
    title = f"{count(wrong.sum(), 'mistake')} in {count(len(actual), 'test image')}"
    figure, _ = page(6.1, title, name + (f" · most often {often}" if often else ""))
    axes = panel(figure, 1.0, 1.6, 6.6, 4.2)
    colours = ORANGES(wrong / max(wrong.max(), 1))[..., :3]
    colours[wrong == 0] = 1
    colours[np.diag_indices(classes)] = int(PALE[1:3], 16) / 255
    axes.imshow(colours, aspect="auto", interpolation="nearest")
    axes.set(xlabel="predicted class", ylabel="actual class")
    axes.xaxis.set_label_position("top")
    axes.tick_params(labeltop=True, labelbottom=False, bottom=False, left=False)
    axes.spines[:].set_visible(False)
    axes.xaxis.set_major_locator(ticks(CROWDED))
    axes.yaxis.set_major_locator(ticks(CROWDED))
    size = min(12, 650 / classes / len(str(counts.max())))
    for a, p in np.argwhere(counts) if classes <= CROWDED else ():
        colour = GREY if a == p else "white" if wrong[a, p] > 0.75 * wrong.max() else INK
        axes.text(p, a, str(counts[a, p]), color=colour, fontsize=size, ha="center", va="center_baseline")
    return figure


def mistakes(images: np.ndarray, rows: np.ndarray, total: int, tested: int, name: str) -> Figure:
    """Test images (n, H, W) with (actual, predicted, confidence) in rows (n, 3), the most confident first."""
    everything = f"{count(total, 'mistake')} in {count(tested, 'test image')}"
    title = everything if len(rows) == total else f"The {len(rows)} most confident of {total:,} mistakes"
    height = TOP + 0.1 + -(-len(rows) // 8) * (0.84 * images.shape[1] / images.shape[2] + 0.48)
    legend = "actual → predicted, and the confidence in it" if total else "nothing to show"
    figure, axes = page(height, title, f"{name} · {legend}")
    words = [(f"{actual:.0f} → {predicted:.0f}", f"{100 * share:.1f} %") for actual, predicted, share in rows]
    size = min([12, *(84 / len(text) for text, _ in words)])
    tiles(axes, LEFT, 8, 0.84, images, [[(a, ORANGE, size), (b, GREY, 10)] for a, b in words])
    return figure


def class_accuracy(metrics: dict, name: str) -> Figure:
    """Accuracy of each class as its distance from that of all test images, drawn with its 95 % interval."""
    overall, low, high = (100 * metrics[f"test_accuracy{end}"] for end in ("", "_low", "_high"))
    shares = 100 * np.array(list(metrics["accuracy_per_class"].values()), dtype=float)  # NaN without an image
    classes, span = len(shares), max(100 - min(np.nanmin(shares), low), 0.5)
    bottom = 100 - 1.25 * span
    title = f"Test accuracy {overall:.2f} %, 95 % interval {low:.2f} to {high:.2f} %"
    note = f"each class against all; the axis starts at {max(bottom, 0):.1f} %"
    figure, _ = page(4.4, title, f"{name} · {note}")
    axes = panel(figure, 0.9, 1.6, 6.7, 2.1, "accuracy, %")
    axes.set(xlim=(-0.6, classes - 0.4), ylim=(bottom, 100 + 0.05 * span), xlabel="class")
    axes.axhspan(low, high, color=PALE, linewidth=0)
    axes.axhline(overall, color=GREY, linewidth=1)
    colours = np.where(shares < overall, ORANGE, BLUE).tolist()
    axes.vlines(range(classes), overall, shares, colors=colours)
    size = 40 if classes <= CROWDED else 10
    axes.scatter(range(classes), shares, s=size, c=colours, zorder=3, clip_on=False)
    axes.xaxis.set_major_locator(ticks(CROWDED))
    axes.yaxis.set_major_locator(ticks(5, integer=False))
    for k, share in enumerate(shares) if classes <= CROWDED else ():
        text, y = ("none", bottom) if np.isnan(share) else (f"{share:.1f}", share)
        number(axes, text, k, y, up=y == bottom or y >= overall, size=min(10, 170 / classes))
    return figure


def calibration(bins: np.ndarray, error: float, name: str) -> Figure:
    """Accuracy by confidence, with the number of images; bins (n, 5) has the columns of calibration.csv."""
    confidence, accuracy, images = bins[:, :3].T * [[100], [100], [1]]
    title = f"Confidence and accuracy differ by {100 * error:.2f} points on average"
    note = f"expected calibration error {error:.4f}; number of images at each dot"
    figure, _ = page(5.4, title, f"{name} · {note}")
    axes = panel(figure, 0.9, 1.6, 6.6, 3.1, "accuracy, %")
    axes.set(xlim=(0, 100), ylim=(0, 100), xlabel="confidence, %")
    axes.plot([0, 100], [0, 100], color=GREY, linewidth=1)
    axes.text(18, 6, "as often right as confident", color=GREY)
    axes.vlines(confidence, confidence, accuracy, colors=ORANGE)
    axes.scatter(confidence, accuracy, s=15 + 20 * np.log10(images), color=BLUE, zorder=3, clip_on=False)
    for x, y, n in zip(confidence, accuracy, images, strict=True) if len(bins) <= CROWDED else ():
        number(axes, f"{n:,.0f}", x, y, up=y >= x)
    return figure


def save(figure: Figure, path: Path, dpi: int) -> None:
    """Write a PNG of 256 colours: less than half as large, and without Matplotlib's version in it."""
    figure.dpi = dpi
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3]).quantize(256).save(path)


def table(path: Path, header: str, rows: int | None = None) -> np.ndarray:
    """The numbers below that header, separated as it is."""
    with path.open() as file:
        found = file.readline().rstrip("\n")
        if found != header:
            raise SystemExit(f"{path}: expected the header {header!r}, found {found!r}; run dvc repro")
        numbers = np.loadtxt(file, delimiter="\t" if "\t" in header else ",", ndmin=2)
    if rows not in (None, len(numbers)):
        raise SystemExit(f"{path}: expected {rows} rows, as test images, found {len(numbers)}; run dvc repro")
    return numbers


def main(params: dict) -> None:
    processed, reports = Path("data/processed"), Path("reports")
    train_images, train_labels, test_images = (
        np.load(processed / f"{array}.npy", mmap_mode="r", allow_pickle=False)
        for array in ("train_images", "train_labels", "test_images")
    )
    logged = ("loss", "accuracy", "validation_loss", "validation_accuracy")
    files = {metric: reports / f"training/plots/metrics/{metric}.tsv" for metric in logged}
    history = {
        metric: table(path, f"step\t{metric}")[:, 1]
        for metric, path in files.items()
        if path.exists() or not metric.startswith("validation")  # a recipe may validate on nothing
    }
    metrics = json.loads((reports / "metrics.json").read_text())
    bins = table(reports / "calibration.csv", "confidence,accuracy,count,low,high")
    predictions = table(reports / "predictions.csv", "actual,predicted,confidence", len(test_images))

    name, first = f"{metrics['dataset']} · {metrics['recipe']}", slice(params["plot"]["samples"])
    actual, predicted = predictions[:, :2].astype(int).T
    wrong = np.flatnonzero(actual != predicted)
    worst = wrong[np.argsort(-predictions[wrong, 2], kind="stable")][: params["plot"]["mistakes"]]
    figures = {
        "samples": samples(train_images[first, ..., 0], train_labels[first].argmax(axis=1), name),
        "learning_curves": learning_curves(history, name),
        "confusion_matrix": confusion_matrix(actual, predicted, train_labels.shape[1], name),
        "mistakes": mistakes(test_images[worst, ..., 0], predictions[worst], len(wrong), len(actual), name),
        "class_accuracy": class_accuracy(metrics, name),
        "calibration": calibration(bins, metrics["expected_calibration_error"], name),
    }
    (reports / "figures").mkdir(parents=True, exist_ok=True)
    for title, figure in figures.items():
        save(figure, reports / f"figures/{title}.png", params["plot"]["dpi"])


if __name__ == "__main__":
    validate.run(main)
