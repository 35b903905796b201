"""Facts of the figures, and of the stage that draws them."""

import itertools
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import ROOT
from matplotlib.figure import Figure
from matplotlib.text import Text

from digits import metrics, report
from digits.figures import FIGURES, Run
from digits.preparation import Preparation
from stages import plot

PARAMS: Any = SimpleNamespace(plot=SimpleNamespace(samples=60, mistakes=24, dpi=100))
BOTH = ("", "val_")
LOG = (
    "recipe: small\n\n1_dense                 (None, 10)                       7,850\n\nepoch 1/1\n"
)
pytestmark = pytest.mark.filterwarnings("error")


def prepared(classes: list[str], shape: tuple[int, ...]) -> Preparation:
    height, width, channels = shape
    return Preparation("doodles", classes, height, width, channels, inverted=False, search=True)


def make(
    classes: int = 10,
    count: int = 30,
    shape: tuple[int, ...] = (28, 28, 1),
    names: list[str] | None = None,
    share_right: float = 0.8,
    epochs: int = 3,
    parts: tuple[str, ...] = BOTH,
    absent: int = -1,
) -> Run:
    """A run; no test image has the class `absent`."""
    rng = np.random.default_rng(0)
    predictions = np.zeros(count, metrics.PREDICTIONS)
    actual = np.arange(count) % classes
    actual[actual == absent] = 0
    predictions["image"] = [f"{i}.png" for i in range(count)]
    predictions["actual"] = actual
    right = rng.random(count) < share_right
    predictions["predicted"] = np.where(right, actual, (actual + 1) % classes)
    predictions["confidence"] = rng.uniform(0.5, 1, count).round(6)
    curves = {"loss": 0.5 ** np.arange(epochs), "accuracy": 1 - 0.3 ** np.arange(1, epochs + 1)}
    evaluation = {
        "dataset": "doodles",
        "recipe": "small",
        "images": count,
        "test_time_augmentation": 0,
        "test_accuracy_low": 0.9 * right.mean(),
        "test_accuracy_high": (right.mean() + 1) / 2,
    }
    return Run(
        metrics={
            "test_accuracy": right.mean(),
            "loss": 0.1,
            "errors": int((~right).sum()),
            "ece": 0.05,
        },
        evaluation=evaluation,
        curves={part + name: curves[name] for part, name in itertools.product(parts, curves)},
        predictions=predictions,
        class_accuracy=metrics.class_accuracy(predictions),
        calibration=metrics.calibration(predictions, bins=4),
        train_images=rng.random((count, *shape), np.float32),
        train_labels=np.eye(classes, dtype=np.float32)[actual],
        test_images=rng.random((count, *shape), np.float32),
        data=prepared(names or [str(label) for label in range(classes)], shape),
        samples=60,
        mistakes=24,
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with what the other stages leave of a run without held-out images."""
    run = make(parts=("",))
    for name in ("data/processed", "models", plot.CURVES):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    for name in ("train_images", "train_labels", "test_images"):
        np.save(f"data/processed/{name}.npy", getattr(run, name))
    for name, values in run.curves.items():
        rows = "".join(f"{step}\t{value}\n" for step, value in enumerate(values, start=1))
        (plot.CURVES / f"{name}.tsv").write_text(f"step\t{name}\n{rows}")
        (plot.CURVES / f"val_{name}.tsv").touch()
    for name in ("predictions", "class_accuracy", "calibration"):
        metrics.write_table(plot.REPORTS / f"{name}.csv", getattr(run, name), run.data.classes)
    for name in ("metrics", "evaluation"):
        metrics.write_values(plot.REPORTS / f"{name}.json", getattr(run, name))
    plot.LOG.write_text(LOG)
    run.data.write()
    return tmp_path


def text_of(figure: Figure) -> list[Text]:
    written = list(figure.texts)
    for axes in figure.axes:
        written += axes.texts
    return written


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in text_of(figure)]


def files() -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in Path("reports/figures").iterdir()}


def test_the_stage_draws_each_figure_and_writes_the_page(folder: Path) -> None:
    plot.main(PARAMS)
    assert files().keys() == FIGURES.keys()
    assert "(figures/mistakes.png)" in (folder / "reports/report.md").read_text()


def test_small_figures_are_the_same_bytes_from_run_to_run(folder: Path) -> None:
    plot.main(PARAMS)
    first = files()
    plot.main(PARAMS)
    assert files() == first
    assert max(map(len, first.values())) < 100_000


def test_the_stage_says_where_to_look(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plot.main(PARAMS)
    assert capsys.readouterr().out.splitlines()[-1].endswith("reports/report.md")


@pytest.mark.parametrize(
    "kind",
    [
        {"classes": 4, "count": 40, "shape": (8, 8, 1)},
        {"classes": 62, "count": 200, "shape": (64, 48, 1), "epochs": 1},
        {"classes": 256, "count": 600, "shape": (8, 8, 1), "share_right": 0},
        {"classes": 2, "count": 10, "parts": ("",), "epochs": 1},
        {"share_right": 1, "absent": 3, "parts": ("",)},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", FIGURES)
def test_odd_runs_are_drawn_without_a_warning(
    tmp_path: Path, name: str, kind: dict[str, Any]
) -> None:
    plot.save(FIGURES[name](make(**kind)), tmp_path / "figure.png", dpi=30)


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_names_its_data_set_and_recipe(name: str) -> None:
    assert texts(FIGURES[name](make()))[1].startswith("doodles · small")


@pytest.mark.parametrize("classes", [2, 20, 256])
@pytest.mark.parametrize("name", FIGURES)
def test_no_text_leaves_its_figure(name: str, classes: int) -> None:
    figure = FIGURES[name](make(classes=classes, count=600, shape=(8, 8, 1)))
    for text in text_of(figure):
        box = text.get_window_extent()
        assert box.x0 >= 0 and box.x1 <= figure.bbox.x1, text


def test_a_perfect_classifier_has_no_mistakes_to_show() -> None:
    run = make(share_right=1)
    assert texts(FIGURES["mistakes"](run)) == ["No mistakes", "doodles · small"]
    assert not [part for part in report.page(run, [], []) if "onfused" in part]


def test_where_figures_have_numbers_for_classes_the_report_says_whose_they_are() -> None:
    run = make(classes=24, names=[f"kind {number}" for number in range(24)])
    [table] = [part for part in report.page(run, [], []) if "| class |" in part]
    assert "| number | class |" in table and "| 17 | kind 17 |" in table


def test_all_mistakes_or_the_first_are_shown_and_the_title_says_which() -> None:
    for count, title in ((24, "All mistakes, "), (30, "The 24 most confident of 30 mistakes")):
        assert texts(FIGURES["mistakes"](make(count=count, share_right=0)))[0].startswith(title)


@pytest.mark.parametrize(
    "search, inverted, colours",
    [(True, False, "gray_r"), (False, True, "gray_r"), (False, False, "gray")],
)
def test_grey_images_look_as_they_were_given_and_ink_is_dark(
    search: bool, inverted: bool, colours: str
) -> None:
    run = make(share_right=0)
    run = replace(run, data=replace(run.data, search=search, inverted=inverted))
    for name in ("mistakes", "samples"):
        for axes in FIGURES[name](run).axes:
            assert {image.get_cmap().name for image in axes.images} == {colours}


def test_the_most_confident_mistake_comes_first() -> None:
    captions = texts(FIGURES["mistakes"](make(share_right=0)))[2:]
    confidences = [caption.split("\n")[1] for caption in captions]
    assert len(confidences) == 24
    assert confidences == sorted(confidences, reverse=True)


def test_the_confusion_matrix_counts_the_misclassified_images() -> None:
    title = texts(FIGURES["confusion_matrix"](make(share_right=0)))[0]
    assert title == "30 of 30 test images misclassified"


def test_an_error_rate_of_0_has_a_place_on_its_axis() -> None:
    run = make()
    run.curves["val_accuracy"][1] = 1
    loss, errors = FIGURES["learning_curves"](run).axes
    assert (loss.get_yscale(), errors.get_yscale()) == ("log", "linear")
    assert errors.get_ylim()[0] == 0 and errors.get_title("left") == "error rate, %"


@pytest.mark.parametrize(
    "parts, shown", [(BOTH, ["training", "validation"]), (("",), ["training"])]
)
def test_learning_curves_are_named_at_their_ends(parts: tuple[str, ...], shown: list[str]) -> None:
    assert texts(FIGURES["learning_curves"](make(parts=parts)))[2:] == 2 * shown


def test_image_number_5_is_shown_with_its_label() -> None:
    assert "image 5, enlarged: label 5" in texts(FIGURES["samples"](make()))


@pytest.mark.parametrize("name", ["models/training.log", f"{plot.CURVES}/loss.tsv"])
@pytest.mark.parametrize("damaged", [b"", b"\xff\xfe", b"1_dense\n"])
def test_a_damaged_file_of_train_is_refused_by_name(
    folder: Path, name: str, damaged: bytes
) -> None:
    (folder / name).write_bytes(damaged)
    with pytest.raises(SystemExit, match=rf"^{name}: expected .*, found: .*; run dvc repro$"):
        plot.main(PARAMS)


def test_the_stage_needs_neither_tensorflow_nor_pyplot() -> None:
    heavy = {"keras", "matplotlib.pyplot", "pandas", "scipy", "seaborn", "tensorflow"}
    code = f"import sys; from stages import plot; print({heavy} & set(sys.modules))"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"


@pytest.mark.parametrize(
    "row", ["a,0,10,0.5\n", "a,-1,0,0.5\n", "a,0,0,0.5\nb,0,0,0.5\n", "a,0,0,0.5"]
)
def test_predictions_that_are_not_those_of_the_test_images_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: str
) -> None:
    """A class that there is not, another number of rows, a last line that is cut."""
    monkeypatch.setattr(plot, "REPORTS", tmp_path)
    (tmp_path / "predictions.csv").write_text(f"image,actual,predicted,confidence\n{row}")
    with pytest.raises(SystemExit, match=r"predictions\.csv: expected .*, found"):
        plot.read_predictions(images=1, classes=[*"0123456789"])


@pytest.mark.parametrize("name", FIGURES)
def test_figures_show_names_of_classes_and_colours(tmp_path: Path, name: str) -> None:
    names = ["cat", "dog", "Ankle boot of a very long name"]
    run = make(classes=3, shape=(8, 8, 3), names=names, share_right=0)
    figure = FIGURES[name](run)
    plot.save(figure, tmp_path / "figure.png", dpi=50)
    shown = texts(figure) + [
        label.get_text() for axes in figure.axes for label in axes.get_xticklabels()
    ]
    if name not in ("learning_curves", "calibration"):
        assert any("Ank" in text and "…" in text for text in shown), shown


def test_long_names_are_cut_where_they_are_alike() -> None:
    run = make(classes=3, names=["a long name", "b long name", "c"])
    assert run.classes(6) == ["a lon…", "b lon…", "c"]
    run = make(classes=2, names=["class number 1", "class number 2"])
    assert run.classes(6) == ["cl…r 1", "cl…r 2"]
