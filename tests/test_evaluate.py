"""Facts of the measures."""

from digits import network as networks
from stages import evaluate

import keras
import numpy as np
import pytest
from conftest import ROOT
from ruamel.yaml import YAML


@pytest.fixture(scope="module")
def forward() -> networks.Forward:
    keras.utils.set_random_seed(0)
    recipe = YAML(typ="safe").load(ROOT / "params.yaml")["recipes"]["original"]
    return networks.forward(networks.build(recipe, (8, 8, 1), 4), 2)


IMAGES = np.random.default_rng(0).random((5, 8, 8, 1), np.float32)
BOUNDS = {"rotation": 15, "zoom": 0.1, "shear": 0.1, "shift": 0.1, "elastic": 0.1}


def read(forward: networks.Forward, images: np.ndarray, views: int, bounds: dict = BOUNDS) -> np.ndarray:
    return np.concatenate(list(evaluate.predict(forward, images, {"views": views, "augment": bounds})))


def test_without_views_the_probabilities_are_the_networks_own(forward: networks.Forward) -> None:
    assert (read(forward, IMAGES, views=0) == forward(IMAGES).numpy()).all()
    assert (read(forward, IMAGES, views=3, bounds=dict.fromkeys(BOUNDS, 0)) == forward(IMAGES).numpy()).all()


def test_views_change_the_probabilities_which_remain_such(forward: networks.Forward) -> None:
    probabilities = read(forward, IMAGES, views=3)
    assert (probabilities != read(forward, IMAGES, views=2)).all()
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(5), abs=1e-6)


def test_what_is_read_in_an_image_does_not_follow_from_those_beside_it(forward: networks.Forward) -> None:
    whole, part = read(forward, IMAGES, views=3), read(forward, IMAGES[2:3], views=3)
    np.testing.assert_allclose(whole[2:3], part, rtol=0, atol=1e-6)


def test_wilsons_interval_ends_where_what_was_seen_is_just_so_likely() -> None:
    right, count = 9897, 10_000
    for share in evaluate.interval(right, count):
        assert abs(right / count - share) == pytest.approx(1.959964 * (share * (1 - share) / count) ** 0.5)


def test_wilsons_interval_stays_within_0_and_1() -> None:
    assert evaluate.interval(0, 10)[0] == pytest.approx(0, abs=1e-12)
    assert evaluate.interval(10, 10)[1] == pytest.approx(1, abs=1e-12)


def test_a_bin_holds_its_mean_confidence_and_its_accuracy() -> None:
    confidence, right = np.array([0.95, 0.85, 0.3, 1.0]), np.array([True, False, True, True])
    (_, _, first, *_), (sure, accurate, second, low, high) = evaluate.calibration(confidence, right, bins=2)
    assert (first, second) == (1, 3)
    assert (sure, accurate) == pytest.approx((2.8 / 3, 2 / 3))
    assert (low, high) == (0.5, 1.0)


def test_cross_entropy_is_in_nats_and_finite() -> None:
    probabilities = np.array([[0.5, 0.5], [1.0, 0.0]], np.float32)
    assert networks.cross_entropy(probabilities, np.array([0, 1])) == pytest.approx(np.log(2) + 7 * np.log(10))
