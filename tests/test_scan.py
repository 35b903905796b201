"""Facts of how a photo becomes the images that a network sees, and of what is doubted."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from benchmarks import photos
from digits import pictures, synthetic
from tools import demo, doubt, predict, scan


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray]:
    """Synthetic digits uint8 (n, 28, 28), and their labels."""
    blocks = list(synthetic.draw(4000, seed=0, split=0))
    images, labels = (np.concatenate(part) for part in zip(*blocks))
    return images, labels


def photo(image: np.ndarray) -> np.ndarray:
    """A digit uint8 (28, 28) as a grey photo has it: large, dark on light, unevenly lit, noisy."""
    large = np.asarray(Image.fromarray(image).resize((280, 280), Image.Resampling.BICUBIC))
    light = 0.75 + np.linspace(-0.15, 0.15, 280) + np.linspace(0.1, -0.1, 280)[:, None]
    noise = np.random.default_rng(0).normal(0, 0.02, large.shape)
    brightness = light * (1 - 0.7 * large / 255) + noise
    return (255 * np.clip(brightness, 0, 1)).astype(np.uint8)


def only(pixels: np.ndarray) -> np.ndarray:
    """The image (28, 28) of the one symbol in a photo."""
    [[(image, _)]] = scan.scan(pixels, 28, 28)
    return image[..., 0]


# --- one symbol ---


def test_a_photo_of_a_digit_becomes_that_digit_again(drawn: tuple) -> None:
    digits = drawn[0][:10]
    scanned = np.array([only(photo(digit)) for digit in digits])
    assert np.abs(scanned - digits / 255).mean() < 0.05
    assert np.abs(digits[0] / 255 - digits[1:] / 255).mean() > 0.1  # as far as digits are apart


def test_ink_may_be_darker_or_lighter_than_the_paper(drawn: tuple) -> None:
    dark = np.asarray(Image.fromarray(255 - drawn[0][0]).resize((280, 280)))
    assert only(dark) == pytest.approx(only(255 - dark), abs=0.1)


@pytest.mark.parametrize(("left", "top"), [(5, 5), (60, 10), (20, 120)])
def test_the_ink_fills_the_box_and_its_centre_of_mass_is_in_the_middle(left: int, top: int) -> None:
    picture = Image.new("L", (300, 400), 255)
    picture.paste(0, (2 * left, 2 * top, 2 * left + 80, 2 * top + 120))
    [[(image, box)]] = scan.scan(np.asarray(picture), 28, 28)
    rows, columns = (np.flatnonzero(image.any(axis=(1 - axis, 2))) for axis in (0, 1))
    assert (len(rows), len(columns)) == (20, 13)
    assert (rows.mean(), columns.mean()) == pytest.approx((14, 14), abs=0.5)
    assert box == pytest.approx([2 * left, 2 * top, 2 * left + 80, 2 * top + 120], abs=4)


def test_a_speck_of_dirt_far_from_the_digit_does_not_make_it_small(drawn: tuple) -> None:
    clean = photo(drawn[0][0])
    dirty = clean.copy()
    dirty[3:5, 8:12] = dirty[270:274, 264:268] = 50
    assert np.abs(only(dirty) - only(clean)).mean() < 0.02


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_picture_without_ink_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="no symbol found: no ink"):
        scan.scan(np.full((40, 50), value, np.uint8), 28, 28)


SIDES = st.integers(1, 40)


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.data(), SIDES, SIDES)
def test_any_picture_gives_images_of_the_asked_size_or_no_ink(
    data: st.DataObject, height: int, width: int
) -> None:
    pixels = data.draw(arrays(np.uint8, st.tuples(SIDES, SIDES)))
    try:
        lines = scan.scan(pixels, height, width)
    except ValueError as error:
        assert "no ink" in str(error)
    else:
        for image, box in (symbol for line in lines for symbol in line):
            assert image.shape == (height, width, 1) and image.dtype == np.float32
            assert image.min() >= 0 and image.max() == 1
            assert 0 <= box[0] < box[2] <= pixels.shape[1]
            assert 0 <= box[1] < box[3] <= pixels.shape[0]


def test_a_straight_1_is_no_printed_rule() -> None:
    picture = np.full((600, 600), 230, np.uint8)
    picture[100:500, 295:305] = 40
    assert only(picture).sum(axis=0).argmax() in (13, 14)


@pytest.mark.parametrize(("x", "y"), [(400, 100), (470, 330), (540, 200)])
def test_the_spot_of_a_flash_is_no_sheet(drawn: tuple, x: int, y: int) -> None:
    digit = drawn[0][4] / 255
    ink = np.pad(digit.repeat(6, axis=0).repeat(6, axis=1), ((60, 172), (60, 372)))
    rows, columns = np.indices(ink.shape)
    spot = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 2 / 70**2)
    flash = np.clip(130 + 125 * spot - 90 * ink, 0, 255).astype(np.uint8)
    assert np.abs(only(flash) - digit).mean() < 0.02


# --- numbers, and all that spoils a photo ---


def test_symbols_come_from_left_to_right_and_lines_from_top_to_bottom(drawn: tuple) -> None:
    digits = drawn[0][:5]
    places = [(300, 40), (20, 60), (160, 30), (40, 260), (200, 280)]
    picture = np.full((420, 440), 255, np.uint8)
    for digit, (left, top) in zip(digits, places):
        ink = np.asarray(Image.fromarray(digit).resize((112, 112), Image.Resampling.BICUBIC))
        picture[top : top + 112, left : left + 112] -= ink
    lines = scan.scan(picture, 28, 28)
    order = [[1, 2, 0], [3, 4]]
    assert [len(line) for line in lines] == [3, 2]
    for line, wanted in zip(lines, order):
        for (image, box), i in zip(line, wanted):
            assert np.abs(image[..., 0] - digits[i] / 255).mean() < 0.06
            left, top = places[i]
            assert left <= box[0] < box[2] <= left + 112 and top <= box[1] < box[3] <= top + 112


@pytest.mark.slow
def test_nearly_every_digit_is_found_on_any_paper_in_any_light(drawn: tuple) -> None:
    digits, labels = drawn
    found = {}
    for k, (name, kind) in enumerate(photos.KINDS.items()):
        for i in range(3):
            rng = np.random.default_rng([2000, k, i])
            picture, _ = photos.draw_digits(rng, digits, labels, [1], kind)
            pixels = np.asarray(pictures.upright(picture))
            rng = np.random.default_rng([2000, k, i])
            original = digits[rng.integers(len(digits), size=1)[0]] / 255
            try:
                lines = scan.scan(pixels, 28, 28)
            except ValueError:
                lines = []
            alone = [len(line) for line in lines] == [1]
            found[name, i] = alone and np.abs(lines[0][0][0][..., 0] - original).mean() < 0.1
    assert sum(found.values()) >= 0.9 * len(found), [key for key in found if not found[key]]


# --- doubt ---


def test_a_digit_is_trusted_and_a_face_is_not(drawn: tuple) -> None:
    digits, labels = drawn
    images = digits[..., None] / np.float32(255)
    familiar = doubt.Familiar(images[1000:], labels[1000:])
    assert familiar.trust(images[:1000], labels[:1000]).mean() > 0.9
    faces = [photos.face(np.random.default_rng(i)) for i in range(20)]
    pixels = [(255 * (1 - face)).astype(np.uint8) for face in faces]
    shown = np.array([scan.scan(face, 28, 28)[0][0][0] for face in pixels])
    trust = [familiar.trust(shown, np.full(20, label)) for label in range(10)]
    assert np.max(trust, axis=0).mean() < 0.3


def test_what_is_usual_in_a_varied_class_is_odd_in_a_uniform_one(drawn: tuple) -> None:
    digits, labels = drawn
    varied = digits[labels == 1][..., None] / np.float32(255)
    noise = np.random.default_rng(0).random((len(varied), 28, 28, 1), np.float32) / 20
    uniform = varied[:1] + noise
    classes = np.repeat([0, 1], len(varied))
    familiar = doubt.Familiar(np.concatenate([uniform, varied]), classes)
    others = varied[100:200]
    assert familiar.trust(others, np.full(100, 1)).mean() > 0.9
    assert familiar.trust(others, np.full(100, 0)).mean() < 0.1


def read(probabilities: list[float], trust: float = 1) -> predict.Read:
    return predict.Read(np.zeros((28, 28, 1)), [0, 0, 1, 1], np.array(probabilities), trust)


def test_a_number_is_as_sure_as_its_least_sure_digit() -> None:
    line = [read([0.01, 0.99]), read([0.95, 0.05])]
    assert predict.words(line, ["0", "1"]) == "10 (95.0 %)"
    line = [read([0.01, 0.99]), read([0.8, 0.2], trust=0.5)]
    assert predict.words(line, ["0", "1"]) == "not confident: 10 (40.0 %) or 11 (10.0 %)"
    line = [read([0.9999, 0.0001], trust=0.5)]  # no second choice to speak of
    assert predict.words(line, ["0", "1"]) == "not confident: 0 (50.0 %)"


def test_names_of_several_letters_stand_apart() -> None:
    line = [read([0.01, 0.99]), read([0.95, 0.05])]
    assert predict.words(line, ["yes", "no"]) == "no yes (95.0 %)"


@pytest.mark.parametrize(
    "names, search, title, hint",
    [
        ([*"0123456789"], True, "Which number is this?", "Draw a digit or a number"),
        (
            [*"AB"],
            True,
            "Which class is this?",
            "Draw one, or drop in a picture. The network knows A, B.",
        ),
        (
            ["cat", "dog"],
            False,
            "Which class is this?",
            "Drop in a picture. The network knows cat, dog.",
        ),
    ],
)
def test_the_demo_asks_for_what_the_network_was_trained_on(
    names: list[str], search: bool, title: str, hint: str
) -> None:
    data = SimpleNamespace(search=search, inverted=False)
    page = demo.Page(SimpleNamespace(classes=names, data=data))  # type: ignore[arg-type]
    assert page.title == title
    assert page.look(None)[3] == page.hint
    assert page.hint.startswith(hint)
