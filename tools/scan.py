"""A picture of one symbol, of any size and colour -> an image as MNIST's, for a network.

The ink is told from the paper, cropped, fitted with its proportions into a box of 20/28 of the
image's sides, and put with its centre of mass in the middle.
Source: LeCun, Bottou, Bengio and Haffner, 1998.
"""

import numpy as np
from PIL import Image, ImageOps

BOX = 20 / 28  # of a side of the image: what the ink may fill
LARGEST = 400  # pixels along a side that are looked at
FAINTEST = 0.1  # of the way from black to white: less contrast is no ink
SPECKS = 0.02  # of the largest patch of ink: less than that, and apart from it, is dirt


def grey(picture: Image.Image) -> np.ndarray:
    """The brightness (h, w) of a picture, 0 to 1, upright, on white where it is transparent."""
    upright = ImageOps.exif_transpose(picture)
    if upright.mode.startswith("I"):  # 16 bits a pixel, which `convert` would cut
        eight_bits = np.clip(np.asarray(upright) // 257, 0, 255).astype(np.uint8)
        upright = Image.fromarray(eight_bits)
    upright = upright.convert("RGBA")
    upright.thumbnail((LARGEST, LARGEST), Image.Resampling.BOX)
    white = Image.new("RGBA", upright.size, "white")
    return np.asarray(Image.alpha_composite(white, upright).convert("L"), np.float64) / 255


def paper(brightness: np.ndarray) -> np.ndarray:
    """The brightness (h, w) of the paper alone, unevenly lit: a parabola through most of it."""
    height, width = brightness.shape
    grid = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    y, x = (part.ravel() for part in grid)
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    values = brightness.ravel()
    border = np.maximum(abs(x), abs(y)) > 0.9  # hardly any ink lies here
    fitted = np.full_like(values, np.median(values[border]))
    for _ in range(5):  # each time through the pixels that are like the last
        distance = abs(values - fitted)
        like = distance <= max(1.5 * np.median(distance[border]), FAINTEST / 2)
        fitted = terms @ np.linalg.lstsq(terms[like], values[like], rcond=None)[0]
    return fitted.reshape(height, width)


def ink(brightness: np.ndarray) -> np.ndarray:
    """How much of each pixel (h, w) is ink, 0 to 1, darker or lighter than the paper."""
    contrast = brightness - paper(brightness)
    if contrast.max() <= -contrast.min():
        contrast = -contrast
    strong = contrast[contrast >= contrast.max() / 2]
    full = np.quantile(strong, 0.5)
    if full <= FAINTEST:
        return np.zeros_like(contrast)
    return np.clip(contrast / full / 0.7 - 0.2, 0, 1)


def extent(amounts: np.ndarray) -> slice:
    """From where to where along a side there is ink (n,), specks of dirt left out."""
    inked = np.diff(amounts > 0, prepend=False, append=False)
    patches = np.flatnonzero(inked).reshape(-1, 2)  # where each begins, and where it ends
    sums = np.array([amounts[first:end].sum() for first, end in patches])
    kept = patches[sums > SPECKS * sums.max()]
    return slice(kept[0, 0], kept[-1, 1])


def start(weights: np.ndarray, side: int) -> int:
    """Where along a side the ink (n,) begins if its centre of mass is to be the middle."""
    centre = weights @ (np.arange(len(weights)) + 0.5)
    wanted = round(side / 2 + 0.5 - centre)
    return min(max(0, wanted), side - len(weights))


def scan(picture: Image.Image, height: int, width: int) -> np.ndarray:
    """Return the image float32 (height, width, 1) in [0, 1]; ValueError where there is no ink."""
    share = ink(grey(picture))
    if not (share > 0.5).any():
        raise ValueError("no ink on paper in it")
    dark = np.where(share > 0.5, share, 0)
    part = share[extent(dark.sum(axis=1)), extent(dark.sum(axis=0))]
    scale = min(BOX * height / part.shape[0], BOX * width / part.shape[1])
    rows, columns = (max(1, round(scale * side)) for side in part.shape)
    cropped = Image.fromarray(part.astype(np.float32))
    small = np.asarray(cropped.resize((columns, rows), Image.Resampling.BOX))
    top = start(small.sum(axis=1) / small.sum(), height)
    left = start(small.sum(axis=0) / small.sum(), width)
    image = np.zeros((height, width, 1), np.float32)
    image[top : top + rows, left : left + columns, 0] = small / small.max()
    return image
