import csv
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

from stages import plot

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
PARAMS = {"plot": {"samples": 60, "mistakes": 24, "dpi": 100}}
FIGURES = ["samples", "learning_curves", "confusion_matrix", "mistakes", "class_accuracy", "calibration"]
BOTH = ("", "validation_")
pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def draw(monkeypatch):
    """The figures by name, drawn from inputs of that kind."""

    def figures(**kind):
        drawn, page = [], plot.page
        monkeypatch.setattr(plot, "page", lambda *titles: drawn.append(page(*titles)) or drawn[-1])
        write_inputs(**kind)
        plot.main(PARAMS)
        return dict(zip(FIGURES, drawn, strict=True))

    return figures


def write_csv(path, header, rows):
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header.split(","), *rows])


def write_inputs(classes=10, count=30, shape=(28, 28), share_right=0.8, epochs=3, parts=BOTH, absent=-1):
    """What the other stages leave in the current folder; no test image has the class `absent`."""
    rng = np.random.default_rng(0)
    processed, reports = Path("data/processed"), Path("reports")
    training = reports / "training/plots/metrics"
    processed.mkdir(parents=True)
    training.mkdir(parents=True)
    actual = np.arange(count) % classes
    actual[actual == absent] = 0
    predicted = np.where(rng.random(count) < share_right, actual, (actual + 1) % classes)
    right, confidence = actual == predicted, [f"{value:.6f}" for value in rng.uniform(0.5, 1, count)]
    for part in ("train", "test"):
        np.save(processed / f"{part}_images.npy", rng.random((count, *shape, 1), np.float32))
        np.save(processed / f"{part}_labels.npy", np.eye(classes, dtype=np.float32)[actual])
    history = {"loss": 0.5 ** np.arange(epochs), "accuracy": 1 - 0.3 ** np.arange(1, epochs + 1)}
    for part, name in itertools.product(BOTH, history):
        rows = "".join(f"{step}\t{value}\n" for step, value in enumerate(history[name], start=1))
        (training / f"{part}{name}.tsv").write_text(f"step\t{part}{name}\n{rows}" if part in parts else "")
    rows = zip(actual, predicted, confidence, strict=True)
    write_csv(reports / "predictions.csv", "actual,predicted,confidence", rows)
    bins = [(0.75, right.mean(), count, 0.5, 1)]
    write_csv(reports / "calibration.csv", "confidence,accuracy,count,low,high", bins)
    metrics = {
        "dataset": "doodles",
        "recipe": "small",
        "test_accuracy": right.mean(),
        "test_accuracy_low": 0.9 * right.mean(),
        "test_accuracy_high": (right.mean() + 1) / 2,
        "expected_calibration_error": 0.05,
    }
    by_class = [(k, right[actual == k].mean(), (actual == k).sum()) for k in np.unique(actual)]
    write_csv(reports / "class_accuracy.csv", "class,accuracy,count", by_class)
    (reports / "metrics.json").write_text(json.dumps(metrics))


def texts(figure):
    return [text.get_text() for part in (figure, *figure.axes) for text in part.texts]


def files():
    return {path.stem: path.read_bytes() for path in sorted(Path("reports/figures").iterdir())}


def test_six_small_figures_are_the_same_bytes_from_run_to_run():
    write_inputs()
    plot.main(PARAMS)
    first = files()
    plot.main(PARAMS)
    assert files() == first
    assert list(first) == sorted(FIGURES)
    assert max(map(len, first.values())) < 100_000


@pytest.mark.parametrize(
    "kind",
    [
        {"classes": 4, "count": 40, "shape": (8, 8)},
        {"classes": 62, "count": 200, "shape": (64, 48), "epochs": 1},
        {"classes": 256, "count": 600, "shape": (8, 8), "share_right": 0},
        {"classes": 2, "count": 10, "parts": [""], "epochs": 1},
        {"share_right": 1, "absent": 3, "parts": [""]},
    ],
    ids=str,
)
def test_odd_inputs_are_drawn_without_a_warning(kind):
    write_inputs(**kind)
    plot.main(PARAMS)
    assert list(files()) == sorted(FIGURES)


def test_every_figure_names_its_data_set_and_recipe(draw):
    assert [texts(figure)[1][:15] for figure in draw().values()] == ["doodles · small"] * 6


@pytest.mark.parametrize("classes", [2, 20, 256])
def test_no_text_leaves_its_figure(draw, classes):
    for name, figure in draw(classes=classes, count=600, shape=(8, 8)).items():
        boxes = [text.get_window_extent() for part in (figure, *figure.axes) for text in part.texts]
        assert all(box.x0 >= 0 and box.x1 <= figure.bbox.x1 for box in boxes), name


def test_a_perfect_classifier_has_no_mistakes_to_show(draw):
    assert texts(draw(share_right=1)["mistakes"])[0] == "No mistakes"


def test_the_most_confident_mistake_comes_first(draw):
    confidences = [text.split("\n")[1] for text in texts(draw(share_right=0)["mistakes"])[2:]]
    assert len(confidences) == 24
    assert confidences == sorted(confidences, reverse=True)


def test_image_number_5_is_shown_with_its_label(draw):
    assert "number 5, label 5" in texts(draw()["samples"])


def test_a_table_of_another_form_is_refused_with_what_was_found():
    write_inputs()
    Path("reports/calibration.csv").write_text("bin,share\n")
    with pytest.raises(SystemExit, match=r"calibration.csv: expected .* 'confidence,.* found 'bin,share'"):
        plot.main(PARAMS)


def test_a_damaged_number_is_refused_in_one_line():
    write_inputs()
    Path("reports/predictions.csv").write_text("actual,predicted,confidence\n1,one,0.9\n")
    with pytest.raises(SystemExit, match=r"^reports/predictions.csv: .*'one'.*; run dvc repro$"):
        plot.main(PARAMS)


def test_the_stage_needs_neither_tensorflow_nor_pyplot():
    write_inputs()
    heavy = {"keras", "matplotlib.pyplot", "pandas", "scipy", "seaborn", "tensorflow"}
    code = f"import sys; from stages import plot; plot.main({PARAMS}); print({heavy} & set(sys.modules))"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    found = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"
