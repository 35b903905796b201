"""What train and evaluate measured, and some images -> reports/figures/*.png, reports/report.md."""

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from digits import arrays, figures, metrics, output, preparation, report
from digits.params import Params

REPORTS = Path("reports")
CURVES = REPORTS / "training/plots/metrics"
LOG = Path("models/training.log")


def read_curves(folder: Path) -> dict[str, np.ndarray]:
    """Read what DVCLive wrote: each metric (epochs,) by its name."""
    curves = {}
    for path in sorted(folder.glob("*.tsv")):
        name = path.stem
        if name.startswith("val_") and not path.stat().st_size:
            continue  # where nothing was held out
        columns = np.dtype([("step", int), (name, float)])
        curves[name] = metrics.read_table(path, columns, delimiter="\t")[name]
    return curves


def read_log(path: Path) -> tuple[report.Rows, report.Rows]:
    """Read what a network was trained with, and its layers; SystemExit where the log is damaged."""
    try:
        return report.parse(path.read_text())
    except ValueError as error:
        raise SystemExit(f"{path}: expected a log, found: {error}; run dvc repro") from None


def read_predictions(images: int, classes: list[str]) -> np.ndarray:
    """Read what the test images were taken for; SystemExit where it is not that of each."""
    path = REPORTS / "predictions.csv"
    predictions = metrics.read_table(path, metrics.PREDICTIONS, classes)
    if len(predictions) != images:
        raise SystemExit(f"{path}: expected {images} rows, found {len(predictions)}; run dvc repro")
    return predictions


def read_run(params: Params) -> figures.Run:
    """Read all that is to be shown; SystemExit where a file is damaged."""
    numbers = ("images", "test_accuracy_low", "test_accuracy_high")
    evaluation = metrics.read_values(REPORTS / "evaluation.json", *numbers)
    data = preparation.read()
    measured = ("test_accuracy", "loss", "errors", "ece")
    return figures.Run(
        metrics=metrics.read_values(REPORTS / "metrics.json", *measured),
        evaluation=evaluation,
        curves=read_curves(CURVES),
        predictions=read_predictions(evaluation["images"], data.classes),
        class_accuracy=metrics.read_table(
            REPORTS / "class_accuracy.csv", metrics.CLASS_ACCURACY, data.classes
        ),
        calibration=metrics.read_table(REPORTS / "calibration.csv", metrics.CALIBRATION),
        train_images=arrays.read("train_images"),
        train_labels=arrays.read("train_labels"),
        test_images=arrays.read("test_images"),
        data=data,
        samples=params.plot.samples,
        mistakes=params.plot.mistakes,
    )


def save(figure: Figure, path: Path, dpi: int, colour: bool = False) -> None:
    """Write a figure as PNG; with 256 colours, in a third of the bytes, unless `colour`."""
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    if not colour:
        image = image.quantize(256, Image.Quantize.FASTOCTREE)
    image.save(path)


def main(params: Params) -> None:
    run = read_run(params)
    paragraphs = report.page(run, *read_log(LOG))
    with output.beside(REPORTS / "figures") as folder:
        folder.mkdir()
        for name, draw in figures.FIGURES.items():
            save(draw(run), folder / f"{name}.png", params.plot.dpi, run.data.channels == 3)
    page = REPORTS / "report.md"
    output.write_text(page, "\n\n".join(paragraphs) + "\n")
    print(f"what came out, with figures: {page}")
