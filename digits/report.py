"""What a run measured, and what it was trained with -> a page in Markdown, with its figures."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from html import escape

import numpy as np

from digits import metrics
from digits.figures import CROWDED, FIGURES, Run

MOST = 10  # rows of what was confused or misclassified
Rows = list[list[str]]


def plain(text: object) -> str:
    """What Markdown shows as this text: names of files and classes may hold any of its signs."""
    letter = r"[^\W_]"  # between two, _ is no sign
    signs = rf"[|`*\[~$\\]|(?<!{letter})_|_(?!{letter})"
    return re.sub(signs, r"\\\g<0>", escape(str(text), quote=False))


def table(header: list[str], rows: Iterable[Iterable[object]]) -> str:
    """A table of Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(plain, line))} |" for line in lines)


def parse(log: str) -> tuple[Rows, Rows]:
    """Hyperparameters (name, value) and layers (name, shape, parameters) of models/training.log.

    `head` in stages/train.py writes it. ValueError where the log does not begin with both.
    """
    try:
        head, network, _ = log.split("\n\n", 2)
    except ValueError:
        raise ValueError(f"{log[:60]!r}, and no two parts that end in blank lines") from None
    settings = [line.split(": ", 1) for line in head.splitlines()]
    layers = []
    for line in network.splitlines():
        name, *shape, count = line.split()
        # (None, 28, 28, 16): the number of images is open
        layers.append([name, " ".join(shape).replace("(None, ", "("), count])
    return settings, layers


def results(run: Run) -> Iterator[list[object]]:
    """Yield what was measured on each part of the images."""
    measured, curves = run.metrics, run.curves
    accuracy = f"{100 * measured['test_accuracy']:.2f} %"
    yield ["test", accuracy, f"{measured['loss']:.4f}", f"{measured['ece']:.4f}"]
    for part, prefix in (("validation", "val_"), ("training, last epoch", "")):
        if f"{prefix}loss" in curves:
            accuracy = f"{100 * curves[f'{prefix}accuracy'][-1]:.2f} %"
            yield [part, accuracy, f"{curves[f'{prefix}loss'][-1]:.4f}", ""]


def confused(run: Run) -> list[list[object]]:
    """The pairs of classes that were most often confused: actual, predicted, number of images."""
    wrong = run.predictions[run.predictions["actual"] != run.predictions["predicted"]]
    pairs = Counter(zip(wrong["actual"].tolist(), wrong["predicted"].tolist()))
    names = run.data.classes
    return [[names[one], names[other], count] for (one, other), count in pairs.most_common(MOST)]


def mistakes(run: Run) -> Iterator[list[object]]:
    """Yield the misclassified images in which the network was most confident, by their names."""
    names = run.data.classes
    for one in run.predictions[metrics.mistakes(run.predictions)[:MOST]]:
        confidence = f"{100 * one['confidence']:.1f} %"
        yield [one["image"], names[one["actual"]], names[one["predicted"]], confidence]


def page(run: Run, settings: Rows, layers: Rows) -> Iterator[str]:
    """Yield the paragraphs of the page: results, figures, hardest classes, hyperparameters."""
    measured = run.evaluation
    from_, to = (100 * measured[f"test_accuracy_{end}"] for end in ("low", "high"))
    yield f"# {plain(measured['dataset'])}, classified by the recipe `{measured['recipe']}`"
    yield (
        f"**Test accuracy {100 * run.metrics['test_accuracy']:.2f} %** "
        f"(95 % interval {from_:.2f} to {to:.2f} %): "
        f"{run.metrics['errors']:,} of {measured['images']:,} test images are misclassified.\n"
        "Written by `dvc repro`; the same run gives the same bytes."
    )
    yield table(["images", "accuracy", "loss", "expected calibration error"], results(run))
    yield (
        "The interval: where the accuracy on many more images of this kind probably lies "
        "(Wilson). Calibration error: the mean gap between confidence and accuracy; 0 is best."
    )
    for name in FIGURES:
        title = name.replace("_", " ").capitalize()
        yield f"## {title}"
        yield f"![{title}](figures/{name}.png)"
    if run.metrics["errors"]:
        yield "## Classes most often confused"
        yield table(["actual", "predicted", "images"], confused(run))
        yield "## Mistakes, the most confident first"
        yield table(["image", "actual", "predicted", "confidence"], mistakes(run))
        yield (
            "An image is named by its file, or by its row in the file that it came from, the first "
            "being 0. All of them: [mistakes.csv](mistakes.csv); all test images, each with the "
            "confidence in what it was taken for: [predictions.csv](predictions.csv)"
        )
    yield "## Classes, the hardest first"
    hardest = np.sort(run.class_accuracy, order="accuracy")
    names = run.data.classes
    numbered = len(names) > CROWDED  # figures have numbers then, in place of names
    rows = []
    for one in hardest:
        interval = f"{100 * one['low']:.2f} to {100 * one['high']:.2f} %"
        number = [one["class"]] if numbered else []
        accuracy = f"{100 * one['accuracy']:.2f} %"
        rows.append([*number, names[one["class"]], accuracy, interval, one["count"]])
    header = ["class", "accuracy", "95 % interval", "images"]
    yield table(["number", *header] if numbered else header, rows)
    yield "## Hyperparameters"
    views = ["test_time_augmentation", measured["test_time_augmentation"]]
    yield table(["name", "value"], [*settings, views])
    yield "## Layers"
    yield table(["layer", "shape", "parameters"], layers)
