"""Facts about digits/pictures.py: pictures of every kind become the pixels that a person sees."""

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from digits import pictures

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
COLOUR = np.dstack([GREY, GREY[::-1], 255 - GREY])
HALVES = np.zeros((6, 8, 3), np.uint8)
HALVES[:, 4:] = 255


def saved(tmp_path: Path, image: Image.Image, name: str = "x.png", **options: Any) -> Path:
    image.save(tmp_path / name, **options)
    return tmp_path / name


def seen(path: Path, channels: int = 1, height: int = 6, width: int = 8) -> np.ndarray:
    array = pictures.to_array(pictures.open(path), height, width, channels)
    assert array.dtype == np.uint8 and array.shape == (height, width, channels)
    return array[..., 0] if channels == 1 else array


def sixteen(factor: int) -> Image.Image:
    return Image.fromarray(GREY.astype(np.uint16) * factor)


def with_palette() -> Image.Image:
    return Image.fromarray(COLOUR).quantize(48)


def alpha(mode: str) -> Image.Image:
    """Grey ink of half the pixels, the others transparent."""
    hidden = np.where(np.arange(8) % 2, 0, 255).astype(np.uint8)
    layers = [GREY] * (len(mode) - 1) + [np.broadcast_to(hidden, GREY.shape)]
    return Image.fromarray(np.dstack(layers), mode)


def tiff(pixels: np.ndarray, bits: int, zero_is_black: int) -> Image.Image:
    """A picture as a microscope or an X-ray machine saves it, which Pillow cannot write."""
    words = "".join(f"{value:0{bits}b}" for value in pixels.ravel())
    data = int(words, 2).to_bytes(len(words) // 8)
    if bits == 16:
        data = np.frombuffer(data, ">u2").astype("<u2").tobytes()
    tags = {256: pixels.shape[1], 257: pixels.shape[0], 258: bits, 262: zero_is_black}
    tags |= {273: 8, 277: 1, 278: pixels.shape[0], 279: len(data)}
    entries = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items()]
    head = struct.pack("<2sHI", b"II", 42, 8 + len(data)) + data
    return Image.open(io.BytesIO(head + struct.pack("<H", 8) + b"".join(entries) + bytes(4)))


ON_WHITE = np.where(np.arange(8) % 2, 255, GREY)
KINDS: dict[str, tuple[Callable[[], Image.Image], str, dict[str, Any], np.ndarray]] = {
    "PNG": (lambda: Image.fromarray(GREY), "x.png", {}, GREY),
    "PNG called JPEG": (lambda: Image.fromarray(GREY), "x.jpg", {"format": "PNG"}, GREY),
    "PNG of 16 bits, 257 times 8": (lambda: sixteen(257), "x.png", {}, GREY),
    "PNG of 16 bits, 256 times 8": (lambda: sixteen(256), "x.png", {}, GREY),
    "TIFF of 16 bits": (lambda: sixteen(257), "x.tif", {}, GREY),
    "TIFF": (lambda: Image.fromarray(GREY), "x.tif", {"compression": "tiff_lzw"}, GREY),
    "BMP": (lambda: Image.fromarray(GREY), "x.bmp", {}, GREY),
    "GIF": (lambda: Image.fromarray(GREY), "x.gif", {}, GREY),
    "GIF of two frames": (
        lambda: Image.fromarray(GREY),
        "x.gif",
        {"save_all": True, "append_images": [Image.fromarray(255 - GREY)]},
        GREY,
    ),
    "PNG of one bit": (
        lambda: Image.fromarray(GREY > 99),
        "x.png",
        {},
        np.where(GREY > 99, 255, 0),
    ),
    "WebP in colour": (lambda: Image.fromarray(COLOUR), "x.webp", {"lossless": True}, COLOUR),
    "AVIF": (
        lambda: Image.fromarray(HALVES),
        "x.avif",
        {"quality": 100, "subsampling": "4:4:4"},
        HALVES,
    ),
    "PNG with a palette": (with_palette, "x.png", {}, np.asarray(with_palette().convert("RGB"))),
    "PNG with transparency": (lambda: alpha("RGBA"), "x.png", {}, ON_WHITE),
    "PNG in grey with transparency": (lambda: alpha("LA"), "x.png", {}, ON_WHITE),
    "WebP with transparency": (lambda: alpha("RGBA"), "x.webp", {"lossless": True}, ON_WHITE),
    "WebP with EXIF data that are none": (
        lambda: Image.fromarray(COLOUR),
        "x.webp",
        {"lossless": True, "exif": b"Exif\0\0garbage!"},
        COLOUR,
    ),
    "PNG with a transparent grey": (
        lambda: Image.fromarray(GREY),
        "x.png",
        {"transparency": 10},
        np.where(GREY == 10, 255, GREY),
    ),
}


@pytest.mark.parametrize("image, name, options, expected", KINDS.values(), ids=KINDS)
def test_each_kind_gives_the_pixels_that_were_saved(
    tmp_path: Path,
    image: Callable[[], Image.Image],
    name: str,
    options: dict[str, Any],
    expected: np.ndarray,
) -> None:
    path = saved(tmp_path, image(), name, **options)
    with pictures.identified(path) as header:
        assert pictures.sides(header) == (6, 8)
    assert (seen(path, 3 if expected.ndim == 3 else 1) == expected).all()


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr"])
def test_jpeg_of_every_colour_space_keeps_its_colours(tmp_path: Path, mode: str) -> None:
    colours = np.zeros((64, 64, 3), np.uint8)
    colours[:32], colours[32:, :32], colours[32:, 32:] = [200, 30, 30], [20, 180, 40], 128
    image = Image.fromarray(colours).convert(mode)
    path = saved(tmp_path, image, "x.jpg", quality=95)
    assert np.abs(seen(path, 3, 64, 64)[8::16, 8::16].astype(int) - colours[8::16, 8::16]).max() < 9


@pytest.mark.parametrize("bits, zero_is_black", [(16, 1), (16, 0), (12, 1), (8, 0)])
def test_tiff_of_many_bits_is_scaled_and_turned_positive_as_its_tags_say(
    bits: int, zero_is_black: int
) -> None:
    deep = GREY.astype(int) << (bits - 8)
    image = tiff(deep if zero_is_black else 2**bits - 1 - deep, bits, zero_is_black)
    assert np.abs(np.asarray(pictures.upright(image)).astype(int) - GREY).max() <= 1


def test_white_on_transparent_ground_is_seen_on_black(tmp_path: Path) -> None:
    image = Image.fromarray(np.dstack([np.full((6, 8, 3), 255, np.uint8), GREY]), "RGBA")
    assert (seen(saved(tmp_path, image)) == GREY).all()


@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.webp", "x.tif"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_a_picture_is_turned_upright_as_its_exif_data_say(
    tmp_path: Path, name: str, turn: int
) -> None:
    """Each of the eight turns that a camera may note, undone by NumPy's own functions."""
    upright = np.kron(
        np.array([[0, 255, 128], [64, 0, 200]], np.uint8), np.ones((16, 16), np.uint8)
    )
    back = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = turn
    image = Image.fromarray(np.ascontiguousarray(back[turn]))
    path = saved(tmp_path, image, name, exif=exif, **{"lossless": True} if "web" in name else {})
    with pictures.identified(path) as header:
        assert pictures.sides(header) == (32, 48)
    assert np.abs(seen(path, 1, 32, 48).astype(int) - upright).max() < 12


@pytest.mark.parametrize(
    "image, expected",
    [
        (Image.fromarray(GREY), False),
        (Image.fromarray(np.dstack([GREY] * 3)), False),
        (Image.fromarray(np.dstack([GREY] * 3)).quantize(48), False),
        (Image.fromarray(GREY.astype(np.uint16)), False),
        (Image.fromarray(COLOUR), True),
        (with_palette(), True),
    ],
    ids=["L", "RGB of grey", "palette of grey", "16 bits", "RGB", "palette"],
)
def test_a_picture_has_colour_where_red_green_and_blue_differ(
    image: Image.Image, expected: bool
) -> None:
    assert pictures.coloured(image) is expected


def test_another_size_keeps_the_proportions_on_the_paper_of_the_border() -> None:
    paper = np.full((40, 20, 3), [250, 240, 200], np.uint8)
    paper[10:30, 5:15] = [0, 0, 90]
    array = pictures.to_array(Image.fromarray(paper), 16, 24, 3)
    assert (array[:, [0, 7, 16, 23]] == [250, 240, 200]).all()
    ink = array[..., 0] < 125
    assert (ink.sum(axis=0).max(), ink.sum(axis=1).max()) == (8, 4)  # as before, 2 to 1


@pytest.mark.parametrize("height, width", [(1, 1), (1, 300), (300, 1), (3, 5)])
def test_every_size_can_be_brought_to_every_other(height: int, width: int) -> None:
    image = Image.fromarray(np.full((height, width), 77, np.uint8))
    for sides in ((1, 1), (28, 28), (5, 90)):
        assert (pictures.to_array(image, *sides, 1) == 77).all()


def test_a_picture_made_smaller_is_averaged_not_sampled() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    assert np.abs(pictures.to_array(Image.fromarray(stripes), 8, 8, 1).astype(int) - 127).max() < 9


def header(width: int, height: int) -> bytes:
    """A PNG that promises these sides."""
    import zlib

    file = io.BytesIO()
    Image.fromarray(GREY).save(file, "PNG")
    data = bytearray(file.getvalue())
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


def saved_bytes(image: Image.Image, kind: str) -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


BAD = {
    "no file": (None, "no such file"),
    "an empty file": (b"", "expected PNG, JPEG, GIF, BMP, WebP, AVIF, TIFF or PPM, found nothing"),
    "a text": (
        b"hello",
        "expected PNG, JPEG, GIF, BMP, WebP, AVIF, TIFF or PPM, found the text hello",
    ),
    "PostScript, which Pillow would give to another program": (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        "expected PNG, JPEG, GIF, BMP, WebP, AVIF, TIFF or PPM, found the text %!PS",
    ),
    "10⁸ pixels promised": (header(10_000, 10_000), "expected at most 89,478,485 pixels, found"),
    "10⁹ pixels promised": (header(50_000, 20_000), "Image size (1000000000 pixels) exceeds limit"),
    "32 bits": (
        saved_bytes(Image.fromarray(GREY.astype(np.int32) << 20), "TIFF"),
        "expected pixels of 8 or 16 bits, found 0 to 246415360",
    ),
    "a cut AVIF": (
        saved_bytes(Image.fromarray(HALVES), "AVIF")[:40],
        "expected PNG, JPEG, GIF, BMP, WebP, AVIF, TIFF or PPM, found a damaged one",
    ),
    "no pixel promised": (header(0, 0), ""),
}


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(
    "data, message",
    [
        pytest.param(
            *case,
            marks=pytest.mark.fault("pictures", what, "one line says what was found"),
            id=what,
        )
        for what, case in BAD.items()
    ],
)
def test_what_is_no_picture_is_refused_in_a_line(
    tmp_path: Path, data: bytes | None, message: str
) -> None:
    path = tmp_path / "x.png"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ValueError) as error:
        pictures.open(path)
    said = str(error.value)
    assert said and said.startswith(message) and said.isprintable()


def files() -> list[bytes]:
    exif = Image.Exif()
    exif[0x0112] = 6
    kept = []
    for kind in pictures.FORMATS:
        file = io.BytesIO()
        options = {} if kind in ("BMP", "GIF") else {"exif": exif}
        Image.fromarray(COLOUR).save(file, kind, **options)
        kept.append(file.getvalue())
    return kept


@pytest.mark.slow
@pytest.mark.fault(
    "pictures",
    "bytes of a picture of each format are changed, left out or added",
    "a picture, or one line says what was found",
)
@pytest.mark.filterwarnings("ignore")
@settings(max_examples=1500, deadline=None, derandomize=True)
@given(
    data=st.sampled_from(files()),
    edits=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 9), st.binary(max_size=4)),
        min_size=1,
        max_size=4,
    ),
)
def test_each_damage_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, edits: list[tuple[float, int, bytes]]
) -> None:
    for place, dropped, put in edits:
        at = int(place * len(data))
        data = data[:at] + put + data[at + dropped :]
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(data)
    try:
        picture = pictures.open(path)
    except ValueError as error:
        assert str(error) and str(error).isprintable()
    else:
        assert pictures.to_array(picture, 6, 8, 3).shape == (6, 8, 3)
