"""Facts of the measures."""

from models import network as networks
from stages import evaluate

import numpy as np
import pytest


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
