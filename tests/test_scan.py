"""Facts of how a picture becomes the image that a network sees."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from digits import synthetic
from tools import scan


def photo(image: np.ndarray) -> Image.Image:
    """A digit (H, W) as a grey photo has it: large, dark on light, unevenly lit, with noise."""
    height, width = (10 * side for side in image.shape)
    small = Image.fromarray((255 * image).astype(np.uint8))
    large = small.resize((width, height), Image.Resampling.BICUBIC)
    light = 0.75 + np.linspace(-0.15, 0.15, width) + np.linspace(0.1, -0.1, height)[:, None]
    noise = np.random.default_rng(0).normal(0, 0.02, (height, width))
    brightness = light * (1 - 0.7 * np.asarray(large) / 255) + noise
    return Image.fromarray((255 * np.clip(brightness, 0, 1)).astype(np.uint8))


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    images, _ = next(synthetic.draw(10, seed=0, split=1))
    return images / np.float32(255)


def test_a_photo_of_a_digit_becomes_that_digit_again(digits: np.ndarray) -> None:
    scanned = [scan.scan(photo(digit), 28, 28)[..., 0] for digit in digits]
    assert np.abs(np.array(scanned) - digits).mean() < 0.05
    assert np.abs(digits[0] - digits[1:]).mean() > 0.1  # as far as one digit is from another


def test_ink_may_be_darker_or_lighter_than_the_paper(digits: np.ndarray) -> None:
    dark = Image.fromarray((255 * (1 - digits[0])).astype(np.uint8)).resize((140, 140))
    light = Image.fromarray(255 - np.asarray(dark))
    assert scan.scan(dark, 28, 28) == pytest.approx(scan.scan(light, 28, 28), abs=0.02)


def test_sixteen_bits_a_pixel_show_what_eight_do(digits: np.ndarray) -> None:
    eight = np.asarray(photo(digits[0]))
    sixteen = Image.fromarray(eight.astype(np.uint16) * 257)
    assert (scan.scan(sixteen, 28, 28) == scan.scan(Image.fromarray(eight), 28, 28)).all()


def test_what_is_transparent_is_paper() -> None:
    drawn = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    drawn.paste((30, 30, 30, 255), (40, 20, 50, 80))
    flat = Image.new("RGB", (100, 100), "white")
    flat.paste((30, 30, 30), (40, 20, 50, 80))
    assert (scan.scan(drawn, 28, 28) == scan.scan(flat, 28, 28)).all()


@pytest.mark.parametrize(("left", "top"), [(5, 5), (60, 10), (20, 120)])
def test_the_ink_fills_the_box_and_its_centre_of_mass_is_in_the_middle(left: int, top: int) -> None:
    picture = Image.new("L", (150, 200), 255)
    picture.paste(0, (left, top, left + 40, top + 60))
    image = scan.scan(picture, 28, 28)[..., 0]
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    assert (len(rows), len(columns)) == (20, 13)
    assert (rows.mean(), columns.mean()) == pytest.approx((14, 14), abs=0.5)


def test_a_speck_of_dirt_far_from_the_digit_does_not_make_it_small(digits: np.ndarray) -> None:
    clean = photo(digits[0])
    dirty = clean.copy()
    dirty.paste(50, (2, 3, 5, 5))
    dirty.paste(50, (270, 274, 272, 277))
    assert np.abs(scan.scan(dirty, 28, 28) - scan.scan(clean, 28, 28)).mean() < 0.02


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_picture_without_ink_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="no ink"):
        scan.scan(Image.new("L", (50, 40), value), 28, 28)


SIDES = st.integers(1, 30)


@settings(deadline=None)
@given(st.data(), SIDES, SIDES)
def test_any_picture_gives_an_image_of_the_asked_size_or_no_ink(
    data: st.DataObject, height: int, width: int
) -> None:
    pixels = data.draw(arrays(np.uint8, st.tuples(SIDES, SIDES)))
    try:
        image = scan.scan(Image.fromarray(pixels), height, width)
    except ValueError as error:
        assert "no ink" in str(error)
    else:
        assert image.shape == (height, width, 1) and image.dtype == np.float32
        assert image.min() >= 0 and image.max() == 1
