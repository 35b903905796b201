"""Facts of the random changes to images."""

from typing import Any

import numpy as np
import pytest

from digits.augmentation import augment, cutout, spline

NONE: dict[str, Any] = {"rotation": 0.0, "zoom": 0.0, "shear": 0.0, "shift": 0.0, "elastic": 0.0}
IMAGES = np.random.default_rng(0).random((50, 12, 9, 1), np.float32)


def changed(seed: int = 0, **bounds: Any) -> np.ndarray:
    return augment(IMAGES, np.random.default_rng(seed), **{**NONE, **bounds})


def test_without_bounds_nothing_changes() -> None:
    assert (changed() == IMAGES).all()


@pytest.mark.parametrize("bound", NONE)
def test_each_bound_changes_images_and_follows_the_generator_alone(bound: str) -> None:
    once, again, other = (changed(seed, **{bound: 0.3}) for seed in (0, 0, 1))
    assert once.shape == IMAGES.shape and once.dtype == np.float32
    assert (once == again).all()
    assert (once != IMAGES).any() and (once != other).any()
    assert once.min() >= 0 and once.max() <= 1


def centres(images: np.ndarray) -> np.ndarray:
    """The centres of mass of images (n, H, W, 1), in pixels: (n, 2)."""
    grid = np.indices(images.shape[1:3]).reshape(2, -1).T
    masses = images.reshape(len(images), -1)
    return masses @ grid / masses.sum(axis=1, keepdims=True)


def test_a_shift_moves_the_centre_by_up_to_its_share_of_the_side() -> None:
    images = np.zeros((2000, 20, 20, 1), np.float32)
    images[:, 9:11, 9:11] = 1
    moved = centres(augment(images, np.random.default_rng(0), **{**NONE, "shift": 0.2})) - 9.5
    assert np.abs(moved).max() == pytest.approx(4, abs=0.01)
    assert np.abs(moved.mean(axis=0)).max() < 0.2


def test_a_rotation_turns_by_up_to_its_degrees_about_the_middle() -> None:
    images = np.zeros((2000, 41, 41, 1), np.float32)
    images[:, 20, 35] = 1  # 15 pixels to the right of the middle
    turned = augment(images, np.random.default_rng(0), **{**NONE, "rotation": 45})
    down, right = (centres(turned) - 20).T
    assert np.hypot(down, right) == pytest.approx(15, abs=0.5)
    angles = np.degrees(np.arctan2(down, right))
    assert (angles.min(), angles.max()) == pytest.approx((-45, 45), abs=1.5)


def test_a_zoom_is_by_up_to_its_share() -> None:
    images = np.zeros((2000, 41, 41, 1), np.float32)
    images[:, 20, 30] = 1  # 10 pixels to the right of the middle
    zoomed = augment(images, np.random.default_rng(0), **{**NONE, "zoom": 0.2})
    right = centres(zoomed)[:, 1] - 20
    assert (right.min(), right.max()) == pytest.approx((10 / 1.2, 10 / 0.8), abs=0.5)


def test_a_flip_mirrors_its_share_of_the_images() -> None:
    images = np.repeat(IMAGES[:1], 2000, axis=0)
    flipped = augment(images, np.random.default_rng(0), **NONE, flip=0.3)
    same = (flipped == images).all(axis=(1, 2, 3))
    mirrored = (flipped == images[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (same | mirrored).all() and mirrored.mean() == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize("channels", [1, 3])
def test_around_a_grey_image_is_paper_and_around_one_in_colour_its_border_goes_on(
    channels: int,
) -> None:
    ones = np.ones((50, 12, 9, channels), np.float32)
    moved = augment(ones, np.random.default_rng(0), **{**NONE, "shift": 0.3})
    assert (moved == 1).all() == (channels == 3)


def test_images_changed_alike_are_changed_as_a_single_one_is() -> None:
    bounds: dict[str, Any] = dict.fromkeys(NONE, 0.3)
    together = augment(IMAGES, np.random.default_rng(0), **bounds, alike=True)
    alone = [augment(image[None], np.random.default_rng(0), **bounds) for image in IMAGES]
    assert (together == np.concatenate(alone)).all()


@pytest.mark.parametrize("size", [1, 5, 28, 100])
def test_the_weights_of_a_spline_sum_to_one(size: int) -> None:
    assert spline(size).sum(axis=1) == pytest.approx(np.ones(size), abs=1e-6)
    assert (spline(size) >= 0).all()


@pytest.mark.parametrize("height, width", [(1, 1), (1, 40), (40, 1), (1, 70_000)])
def test_images_of_any_shape_will_do(height: int, width: int) -> None:
    images = np.ones((2, height, width, 1), np.float32)
    bounds: dict[str, Any] = {**dict.fromkeys(NONE, 0.9), "rotation": 45.0}
    changed = augment(images, np.random.default_rng(0), **bounds)
    assert changed.shape == images.shape and changed.min() >= 0 and changed.max() <= 1


@pytest.mark.parametrize("share, height, width", [(0.3, 6, 3), (0.99, 20, 10), (0, 0, 0)])
def test_cutout_blackens_a_part_of_each_image_anywhere_within_it(
    share: float, height: int, width: int
) -> None:
    images = np.ones((2000, 20, 10, 3), np.float32)
    cutout(images, np.random.default_rng(0), share)
    black = images == 0
    assert (black.any(axis=(2, 3)).sum(axis=1) == height).all()
    assert (black.any(axis=(1, 3)).sum(axis=1) == width).all()
    assert (black.sum(axis=(1, 2, 3)) == 3 * height * width).all()
    if share == 0.3:
        assert black.any(axis=0).all()
