"""A picture of one symbol, of any size and colour -> the image that a network sees, made as MNIST's were.

The ink is told from the paper, cropped, fitted with its proportions into a box of 20/28 of the image's sides, and put
with its centre of mass in the middle. Source: LeCun, Bottou, Bengio and Haffner, 1998.
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
        upright = Image.fromarray(np.clip(np.asarray(upright) // 257, 0, 255).astype(np.uint8))
    upright = upright.convert("RGBA")
    upright.thumbnail((LARGEST, LARGEST), Image.Resampling.BOX)
    paper = Image.new("RGBA", upright.size, "white")
    return np.asarray(Image.alpha_composite(paper, upright).convert("L"), np.float64) / 255


def paper(brightness: np.ndarray) -> np.ndarray:
    """The brightness (h, w) that the paper alone would have under uneven light: a parabola through what is like it."""
    height, width = brightness.shape
    y, x = (np.linspace(-1, 1, size) for size in (height, width))
    y, x = (part.ravel() for part in np.meshgrid(y, x, indexing="ij"))
    terms, values = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1), brightness.ravel()
    border = np.maximum(abs(x), abs(y)) > 0.9
    fitted = np.full_like(values, np.median(values[border]))
    for _ in range(5):
        distance = abs(values - fitted)
        like = distance <= max(1.5 * np.median(distance[border]), FAINTEST / 2)
        fitted = terms @ np.linalg.lstsq(terms[like], values[like], rcond=None)[0]
    return fitted.reshape(height, width)


def ink(brightness: np.ndarray) -> np.ndarray:
    """How much of each pixel (h, w) is ink, 0 to 1, darker or lighter than the paper; all 0 where there is none."""
    contrast = brightness - paper(brightness)
    contrast *= 1 if contrast.max() > -contrast.min() else -1
    most = np.quantile(contrast[contrast >= contrast.max() / 2], 0.5)
    return np.clip(contrast / most / 0.7 - 0.2, 0, 1) if most > FAINTEST else np.zeros_like(contrast)


def extent(amounts: np.ndarray) -> slice:
    """Where the ink (n,) along a side begins and ends, less what lies apart and is too little to be more than dirt."""
    edges = np.flatnonzero(np.diff(amounts > 0, prepend=False, append=False)).reshape(-1, 2)
    sums = np.array([amounts[first:end].sum() for first, end in edges])
    kept = edges[sums > SPECKS * sums.max()]
    return slice(kept[0, 0], kept[-1, 1])


def scan(picture: Image.Image, height: int, width: int) -> np.ndarray:
    """Return the image float32 (height, width, 1) in [0, 1]; ValueError where the picture shows no ink."""
    share = ink(grey(picture))
    if not (share > 0.5).any():
        raise ValueError("no ink on paper in it")
    dark = np.where(share > 0.5, share, 0)
    part = share[extent(dark.sum(axis=1)), extent(dark.sum(axis=0))]
    scale = min(BOX * height / part.shape[0], BOX * width / part.shape[1])
    size = [max(1, round(scale * side)) for side in part.shape]
    small = np.asarray(Image.fromarray(part.astype(np.float32)).resize((size[1], size[0]), Image.Resampling.BOX))
    image = np.zeros((height, width, 1), np.float32)
    shares = [small.sum(axis=axis) / small.sum() for axis in (1, 0)]
    start = [
        min(max(0, round(side / 2 + 0.5 - weights @ (np.arange(len(weights)) + 0.5))), side - len(weights))
        for side, weights in zip((height, width), shares)
    ]
    image[start[0] : start[0] + size[0], start[1] : start[1] + size[1], 0] = small / small.max()
    return image
