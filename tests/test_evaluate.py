"""Facts of the measures, and of test-time augmentation."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from conftest import Project

from digits import metrics, network, prediction
from digits.determinism import tf
from digits.params import Augment
from stages import evaluate

IMAGES = np.random.default_rng(0).random((5, 8, 8, 1), np.float32)
BOUNDS = {"rotation": 15.0, "zoom": 0.1, "shear": 0.1, "shift": 0.1, "elastic": 0.1}


NAMES = [*"0123456789"]


def forward(images: tf.Tensor) -> tf.Tensor:
    """Stand for a network: four pixels of an image are its logits."""
    return tf.nn.softmax(tf.reshape(images, (len(images), 64))[:, 26:30])


def predict(images: np.ndarray, views: int, bounds: dict[str, float] = BOUNDS) -> np.ndarray:
    augment = Augment.model_validate(bounds)
    return np.concatenate(list(prediction.predict(forward, images, augment, views)))


def predictions(actual: list[int], predicted: list[int], confidence: list[float]) -> np.ndarray:
    names = [f"{i}.png" for i in range(len(actual))]
    rows = zip(names, actual, predicted, confidence, strict=True)
    return np.array(list(rows), metrics.PREDICTIONS)


def test_without_views_the_probabilities_are_the_networks_own() -> None:
    assert (predict(IMAGES, views=0) == forward(IMAGES).numpy()).all()


def test_views_within_bounds_of_0_change_nothing() -> None:
    unchanged = predict(IMAGES, views=3, bounds=dict.fromkeys(BOUNDS, 0.0))
    assert (unchanged == forward(IMAGES).numpy()).all()


def test_a_further_view_changes_the_probabilities_which_still_sum_to_1() -> None:
    probabilities = predict(IMAGES, views=3)
    assert (probabilities != predict(IMAGES, views=2)).all()
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(5), abs=1e-6)


def test_the_class_of_an_image_does_not_depend_on_those_beside_it() -> None:
    whole, part = predict(IMAGES, views=3), predict(IMAGES[2:3], views=3)
    np.testing.assert_allclose(whole[2:3], part, rtol=0, atol=1e-6)


def test_views_are_augmented_half_as_much_as_in_training() -> None:
    weaker = prediction.weaker({"rotation": 15, "shift": 0.05}, prediction.STRENGTH)
    assert weaker == {"rotation": 7.5, "shift": 0.025}
    assert prediction.weaker({"flip": 0.5, "zoom": 0.2}, 0.5) == {"flip": 0.5, "zoom": 0.1}


def test_batches_are_assessed_one_after_the_other() -> None:
    batches = np.array([[[0.9, 0.1], [0.2, 0.8]], [[0.3, 0.7], [0.5, 0.5]]], np.float32)
    table, loss = evaluate.assess(batches, np.array([0, 0, 1, 1]), [*"abcd"])
    assert table["image"].tolist() == [*"abcd"]
    assert table["predicted"].tolist() == [0, 1, 1, 0]
    assert table["confidence"] == pytest.approx([0.9, 0.8, 0.7, 0.5])
    assert loss == pytest.approx(-np.log([0.9, 0.2, 0.7, 0.5]).mean())


def test_wilsons_interval_ends_where_what_was_seen_is_just_so_likely() -> None:
    right, count = 9897, 10_000
    for share in metrics.interval(right, count):
        deviation = (share * (1 - share) / count) ** 0.5
        assert abs(right / count - share) == pytest.approx(1.959964 * deviation)


def test_wilsons_interval_stays_within_0_and_1() -> None:
    for count in range(1, 100):
        low, high = metrics.interval(0, count)[0], metrics.interval(count, count)[1]
        assert (low, high) == (pytest.approx(0, abs=1e-12), pytest.approx(1, abs=1e-12))
        assert low >= 0 and high <= 1  # no -0.00 % is shown


def test_a_bin_has_its_mean_confidence_and_its_accuracy() -> None:
    table = predictions([0, 0, 0, 0], [0, 1, 0, 0], [0.95, 0.85, 0.3, 1.0])
    first, second = metrics.calibration(table, bins=2).tolist()
    assert first == (0.3, 1, 1)
    assert second == pytest.approx((2.8 / 3, 2 / 3, 3))


def test_the_calibration_error_is_a_mean_over_images_not_over_bins() -> None:
    table = predictions([0, 0, 0, 0], [0, 0, 0, 1], [1.0, 1.0, 1.0, 0.4])
    bins = metrics.calibration(table, bins=2)
    assert metrics.expected_calibration_error(bins) == pytest.approx(0.4 / 4)


def test_a_class_without_test_images_has_no_accuracy() -> None:
    table = predictions([0, 2, 2], [1, 2, 1], [0.9, 0.9, 0.9])
    ends = metrics.interval(0, 1), metrics.interval(1, 2)
    assert metrics.class_accuracy(table).tolist() == [(0, 0, 1, *ends[0]), (2, 0.5, 2, *ends[1])]


def test_cross_entropy_is_in_nats_and_finite() -> None:
    probabilities = np.array([[0.5, 0.5], [1.0, 0.0]], np.float32)
    loss = network.cross_entropy(probabilities, np.array([0, 1]))
    assert loss == pytest.approx(np.log(2) + 7 * np.log(10))


def test_a_table_is_csv_with_six_decimals_and_is_read_as_it_was(tmp_path: Path) -> None:
    path, table = tmp_path / "predictions.csv", predictions([7, 2], [7, 1], [1.0, 0.5])
    metrics.write_table(path, table, NAMES)
    assert path.read_bytes() == (
        b"image,actual,predicted,confidence\n0.png,7,7,1.000000\n1.png,2,1,0.500000\n"
    )
    assert (metrics.read_table(path, metrics.PREDICTIONS, NAMES) == table).all()


def test_classes_stand_in_a_table_by_their_names(tmp_path: Path) -> None:
    path, names = tmp_path / "predictions.csv", ["T-shirt/top", 'a "b", c', "naïve"]
    table = predictions([1, 2], [2, 2], [0.5, 1.0])
    metrics.write_table(path, table, names)
    assert path.read_text().splitlines()[1:] == [
        '0.png,"a ""b"", c",naïve,0.500000',
        "1.png,naïve,naïve,1.000000",
    ]
    assert (metrics.read_table(path, metrics.PREDICTIONS, names) == table).all()


@pytest.mark.parametrize(
    "damaged, found",
    [
        ("", "''"),
        ("bin,share\n1,2\n", "'bin,share'"),
        ("image,actual,predicted,confidence\n\n", "no row"),
        ("image,actual,predicted,confidence\na,0,0\n", "3 of 4 columns"),
        ("image,actual,predicted,confidence\na,0,0,high\n", ".*'high'.*"),
        ("image,actual,predicted,confidence\na,0.5,0,0.9\n", ".*'0.5'.*"),
    ],
)
def test_a_damaged_table_is_refused_in_one_line(tmp_path: Path, damaged: str, found: str) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text(damaged)
    expected = "expected values below the columns 'image,actual,predicted,confidence'"
    with pytest.raises(SystemExit, match=f"^{path}: {expected}, found: {found}; run dvc repro$"):
        metrics.read_table(path, metrics.PREDICTIONS, NAMES)


@pytest.mark.parametrize("damaged", ["", "{", "7", "[1]"])
def test_damaged_values_are_refused_in_one_line(tmp_path: Path, damaged: str) -> None:
    path = tmp_path / "metrics.json"
    path.write_text(damaged)
    with pytest.raises(SystemExit, match=f"^{path}: expected .*, found: .*; run dvc repro$"):
        metrics.read_values(path)


def test_the_metrics_are_five_numbers(finished: Project) -> None:
    measured = json.loads((finished.root / "reports/metrics.json").read_text())
    assert list(measured) == ["test_accuracy", "loss", "errors", "ece", "val_accuracy"]
    assert all(isinstance(value, int | float) for value in measured.values())


def test_the_metrics_follow_from_the_predictions(finished: Project) -> None:
    reports = finished.root / "reports"
    measured, run = (
        json.loads((reports / name).read_text()) for name in ("metrics.json", "evaluation.json")
    )
    table = metrics.read_table(reports / "predictions.csv", metrics.PREDICTIONS, NAMES)
    wrong = table["actual"] != table["predicted"]
    assert run["images"] == len(table)
    assert measured["errors"] == wrong.sum()
    assert measured["test_accuracy"] == pytest.approx(1 - wrong.mean())
    assert run["test_accuracy_low"] < measured["test_accuracy"] < run["test_accuracy_high"]


def test_the_stage_prints_the_accuracy_and_whether_it_is_no_better_than_a_guess(
    project: Project,
) -> None:
    printed = project.run("python", "-E", "-m", "stages", "evaluate").stdout
    numbers = r"test accuracy [\d.]+ % \(95 %: [\d.]+ to [\d.]+ %\)"
    guess = "looks wrong: no better than to say the commonest class always, 17.00 % (train longer"
    assert re.match(rf"{numbers}, \d+ of 100 misclassified\n{re.escape(guess)}", printed)


@pytest.mark.parametrize("text", ["{}", "[]", '{"loss": "a", "accuracy": 1}'])
def test_values_that_lack_a_number_are_refused_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(SystemExit, match=r"metrics\.json: expected JSON, found: no number 'loss'"):
        metrics.read_values(tmp_path / "metrics.json", "loss", "accuracy")


def test_mistakes_have_the_order_of_what_was_written() -> None:
    """Figures and the report read predictions.csv, where these two are equally confident."""
    table = predictions([0, 1, 0, 1], [1, 0, 0, 0], [0.9999991, 0.9999994, 1.0, 0.99])
    assert metrics.mistakes(table).tolist() == [0, 1, 3]


def test_a_metric_may_be_a_number_of_numpy(tmp_path: Path) -> None:
    values = {"a": np.float32(0.25), "b": np.int64(3), "c": 0.1234567}
    metrics.write_values(tmp_path / "metrics.json", values)
    assert metrics.read_values(tmp_path / "metrics.json") == {"a": 0.25, "b": 3, "c": 0.123457}
