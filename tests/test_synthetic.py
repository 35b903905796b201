"""Facts about the drawn digits, digits/synthetic.py."""

import hashlib

import numpy as np
import pytest

from digits import synthetic


def drawn(count, seed=0, split=0):
    images, labels = zip(*synthetic.draw(count, seed, split))
    return np.concatenate(images), np.concatenate(labels)


@pytest.fixture(scope="module")
def thousand():
    return drawn(1000)


def test_a_thousand_digits_are_28_by_28_bytes_of_every_class(thousand):
    images, labels = thousand
    assert (images.dtype, images.shape) == (np.uint8, (1000, 28, 28))
    assert (labels.dtype, labels.shape) == (np.uint8, (1000,))
    assert np.bincount(labels).min() > 60 and labels.max() == 9


def test_the_same_seed_draws_the_same_bytes_on_every_machine(thousand):
    images, labels = (hashlib.sha256(array.tobytes()).hexdigest() for array in thousand)
    assert images == "fec8b573b324a81b2c251f69c284a0d09ad31010e1c2579ebaea8001081990f9"
    assert labels == "857a65ac60529ed0b4c16293d67b62509fcf747071bfefc53b121971a47a0f30"


def test_a_smaller_set_is_the_start_of_a_larger_one(thousand):
    images, labels = drawn(300)
    assert np.array_equal(images, thousand[0][:300]) and np.array_equal(labels, thousand[1][:300])


@pytest.mark.parametrize("other", [{"split": 1}, {"seed": 1}])
def test_another_split_or_seed_draws_other_digits(thousand, other):
    known = {image.tobytes() for image in thousand[0]}
    assert not any(image.tobytes() in known for image in drawn(300, **other)[0])


def test_ink_is_255_on_a_background_of_0(thousand):
    images, _ = thousand
    assert (
        (images.max(axis=(1, 2)) == 255).all()
        and not images[:, [0, -1]].any()
        and not images[:, :, [0, -1]].any()
    )


def test_the_grey_of_the_pixels_is_close_to_that_of_mnist(thousand):
    pixels = thousand[0] / 255
    assert pixels.mean() == pytest.approx(0.1307, abs=0.01) and pixels.std() == pytest.approx(
        0.3081, abs=0.01
    )


@pytest.mark.parametrize("axis", [1, 2])
def test_the_centre_of_mass_is_the_middle_to_within_a_pixel(thousand, axis):
    mass = thousand[0].sum(axis=3 - axis)
    assert abs((mass * np.arange(28)).sum(axis=1) / mass.sum(axis=1) - 13.5).max() <= 1


def test_digits_are_drawn_only_when_asked_for():
    images, _ = next(synthetic.draw(10**9, 0, 0))
    assert len(images) == synthetic.BLOCK
