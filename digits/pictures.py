"""A picture of any kind and size -> an array, the same for training and for a prediction."""

import os.path
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageChops, ImageOps, UnidentifiedImageError

from digits.output import printable

# by Pillow's names: what a file begins with, and its name ends with
FORMATS: dict[str, tuple[tuple[bytes, ...], tuple[str, ...]]] = {
    "PNG": ((b"\x89PNG",), (".png",)),
    "JPEG": ((b"\xff\xd8\xff",), (".jpg", ".jpeg", ".jpe", ".jfif")),
    "GIF": ((b"GIF8",), (".gif",)),
    "BMP": ((), (".bmp",)),  # its two letters would say too little
    "WebP": ((b"RIFF",), (".webp",)),
    "AVIF": ((), (".avif",)),  # it begins with a length
    "TIFF": ((b"II*\0", b"MM\0*"), (".tif", ".tiff")),
    "PPM": ((), (".ppm", ".pgm", ".pbm", ".pnm")),  # told by its name: texts may begin so
}
SIGNATURES = tuple(start for starts, _ in FORMATS.values() for start in starts)
FORMAT_OF = {end: name for name, (_, ends) in FORMATS.items() for end in ends}
ENDINGS = {*FORMAT_OF}
LARGEST = 89_478_485  # pixels, of which Pillow warns: more may be a bomb, and are refused here
warnings.simplefilter("ignore", Image.DecompressionBombWarning)


class NoPicture(ValueError):
    """There is no file, or none that begins like a picture."""


@contextmanager
def identified(path: Path) -> Iterator[Image.Image]:
    """Open a picture, told by its content, and read no more than its header.

    ValueError says in a line what is wrong with it, there or in the block.
    """
    if os.path.isdir(path):
        raise NoPicture("expected a picture, found a folder")
    if not os.path.isfile(path):  # which a name that is too long is not, either
        raise NoPicture("no such file")
    try:
        named = FORMAT_OF.get(path.suffix.lower())
        formats = [name for name in FORMATS if name != "PPM" or name == named]
        # by its name, Pillow would map an uncompressed TIFF, and turn its pixels wrongly
        with path.open("rb") as file, Image.open(file, formats=formats) as picture:
            if picture.width * picture.height > LARGEST:
                sides = f"{picture.width:,} x {picture.height:,}"
                raise ValueError(f"expected at most {LARGEST:,} pixels, found {sides}")
            yield picture
    except UnidentifiedImageError:
        *names, last = FORMATS
        expected = f"{', '.join(names)} or {last}"
        raise NoPicture(f"expected {expected}, found {kind(path)}") from None
    except Exception as error:  # damaged bytes bring forth errors of every class
        reason = getattr(error, "strerror", None) or error
        raise ValueError(printable(reason)) from None


def kind(path: Path) -> str:
    """What a file that cannot be read begins with; a phone's HEIC is called by its name."""
    with path.open("rb") as file:
        start = file.read(12)
    if start.startswith(SIGNATURES) or start[4:] == b"ftypavif":
        return "a damaged one"
    if start[4:8] == b"ftyp":
        return "HEIC, as some phones save photos: export it as JPEG"
    text = start.decode("latin-1").strip()
    if text and text.isascii() and text.isprintable():
        return f"the text {text}"
    return start[:4].hex(" ") or "nothing"


def open(path: Path) -> Image.Image:
    """Read a picture's first frame, made upright; ValueError says in a line why it cannot be."""
    with identified(path) as picture:
        return upright(picture)


def sides(picture: Image.Image) -> tuple[int, int]:
    """Its height and width once it is upright, by its header alone."""
    # a TIFF tells its sides as they are when upright; getexif would read all of a PNG without
    noted = picture.format != "TIFF" and {"exif", "xmp"} & picture.info.keys()
    with suppress(Exception):
        if noted and picture.getexif().get(0x0112) in (5, 6, 7, 8):
            return picture.size
    return picture.size[::-1]


def pages(picture: Image.Image) -> int:
    """Those of a TIFF; 1 of all else, and where what follows the first is damaged."""
    with suppress(Exception):
        if picture.format == "TIFF":
            return int(getattr(picture, "n_frames", 1))
    return 1


def upright(picture: Image.Image) -> Image.Image:
    """Turn it as its EXIF data say, and make it 8 bits of grey ("L") or colour ("RGB")."""
    turned = picture.copy()
    with suppress(Exception):  # EXIF data may be damaged in all ways where the pixels are not
        ImageOps.exif_transpose(turned, in_place=True)
    if turned.mode == "F":
        raise ValueError("expected whole numbers as pixels, found floats")
    if turned.mode.startswith("I"):  # 16 bits, which `convert` would cut
        turned = Image.fromarray(eight_bits(np.asarray(turned), getattr(picture, "tag_v2", {})))
    if turned.has_transparency_data:
        return on_paper(turned if turned.mode == "RGBA" else turned.convert("RGBA"))
    result = turned.convert("L" if turned.mode in ("1", "L") else "RGB")
    result.info.clear()  # or what is damaged would turn it once more
    return result


def eight_bits(pixels: np.ndarray, tags: Mapping[int, Any]) -> np.ndarray:
    """Pixels of 16 bits, or of 12 as a TIFF's tags may say; or say that 0 is white."""
    if pixels.min() < 0 or pixels.max() >= 2**16:
        found = f"{pixels.min()} to {pixels.max()}"
        raise ValueError(f"expected pixels of 8 or 16 bits, found {found}")
    [bits, *_] = tags.get(258, (16,))
    high = (pixels >> min(16, bits) - 8).astype(np.uint8)
    return ~high if tags.get(262) == 0 else high


def on_paper(picture: Image.Image) -> Image.Image:
    """Put a transparent picture on white; on black where nothing would be seen on white."""
    for paper in ("white", "black"):
        ground = Image.new("RGBA", picture.size, paper)
        flat = Image.alpha_composite(ground, picture).convert("RGB")
        if not flat.getcolors(1):  # of more than one colour
            break
    return flat


def coloured(picture: Image.Image) -> bool:
    """Whether a pixel's red, green and blue differ."""
    if picture.mode in ("1", "L", "LA") or picture.mode.startswith("I"):
        return False
    red, green, blue = upright(picture).convert("RGB").split()
    return any(ImageChops.difference(red, other).getbbox() for other in (green, blue))


def to_array(picture: Image.Image, height: int, width: int, channels: int) -> np.ndarray:
    """Return uint8 (height, width, channels), 1 grey or 3 colours.

    Of another size, it is brought to that with its proportions, which tell a 1 from a 0, and the
    rest is filled with the colour that its border has: of a scan, the paper.
    """
    image = upright(picture).convert("L" if channels == 1 else "RGB")
    if image.size != (width, height):
        image = fit(image, height, width)
    return np.asarray(image).reshape(height, width, channels)


def fit(image: Image.Image, height: int, width: int) -> Image.Image:
    """Scale an image into the middle of height x width."""
    scale = min(height / image.height, width / image.width)
    columns, rows = (max(1, round(scale * side)) for side in image.size)
    small = image.resize((columns, rows), Image.Resampling.BICUBIC)
    pixels = np.asarray(image).reshape(image.height, image.width, -1)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    fill = tuple(np.median(border, axis=0).astype(int).tolist())
    whole = Image.new(image.mode, (width, height), fill)
    whole.paste(small, ((width - columns) // 2, (height - rows) // 2))
    return whole
