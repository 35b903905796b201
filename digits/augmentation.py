"""Images -> the same, each a little turned, stretched, slanted, moved and bent, as if written anew.

All processors round sums, products and quotients alike, but not NumPy's pow, exp, sin or cos: none
of these is used here. Source of the elastic bending: Simard, Steinkraus and Platt, 2003.
"""

from typing import Any

import numpy as np

KNOTS = 7  # of the bending, along each side of an image
CUTOUT_UNTIL = 0.7  # of a training: what it teaches stays, and its price goes


def spline(size: int) -> np.ndarray:
    """Weights float32 (size, KNOTS) of a uniform cubic B-spline's knots, at points end to end."""
    place = np.linspace(0, KNOTS - 3, size)
    first = np.minimum(place.astype(int), KNOTS - 4)
    t = place - first
    square, cube = t * t, t * t * t
    pieces = [
        1 - 3 * t + 3 * square - cube,
        4 - 6 * square + 3 * cube,
        1 + 3 * t + 3 * square - 3 * cube,
        cube,
    ]
    weights = np.zeros((size, KNOTS), np.float32)
    for i, piece in enumerate(pieces):
        weights[np.arange(size), first + i] = piece / 6
    return weights


def displacement(rng: np.random.Generator, count: int, height: int, width: int) -> np.ndarray:
    """Draw a smooth random field float32 (count, height, width) in [-1, 1]."""
    knots = rng.uniform(-1, 1, (count, KNOTS, KNOTS)).astype(np.float32)
    down, across = spline(height), spline(width)
    # two products of matrices, summed in a written order: matmul's own depends on the processor
    zero = np.zeros(1, np.float32)
    rows = sum((down[:, i, None] * knots[:, None, i] for i in range(KNOTS)), start=zero)
    return sum((rows[:, :, i, None] * across[:, i] for i in range(KNOTS)), start=zero)


def interpolate(images: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Sample images (n, H, W, C) bilinearly at y and x (n or 1, H, W), in pixels.

    Outside of a grey image is 0, as around ink; outside of one in colour its edge goes on.
    """
    count, height, width, channels = images.shape
    y, x = np.clip(y + 1, 0, height + 1), np.clip(x + 1, 0, width + 1)
    row = np.minimum(y.astype(np.int32), height)
    column = np.minimum(x.astype(np.int32), width)
    down, right = y - row.astype(np.float32), x - column.astype(np.float32)
    # the four pixels around each point, by their places in the flat array: `take` is the quickest
    image = np.arange(count, dtype=np.int32)[:, None, None]
    at = (image * (height + 2) + row) * (width + 2) + column
    sampled = np.empty((count, height, width, channels), np.float32)
    for channel in range(channels):
        around: Any = {"mode": "constant" if channels == 1 else "edge"}
        padded = np.pad(images[..., channel], ((0, 0), (1, 1), (1, 1)), **around)
        a, b, c, d = (padded.take(at + step) for step in (0, 1, width + 2, width + 3))
        above, below = a + right * (b - a), c + right * (d - c)
        sampled[..., channel] = above + down * (below - above)
    return sampled


def augment(
    images: np.ndarray,
    rng: np.random.Generator,
    rotation: float,
    zoom: float,
    shear: float,
    shift: float,
    elastic: float,
    flip: float = 0,
    alike: bool = False,
) -> np.ndarray:
    """Change each image float32 (n, H, W, C) at random, evenly within bounds; or all `alike`.

    `rotation` is in degrees, `zoom` and `shear` in shares, `shift` and `elastic` in shares of the
    image's side: all of it costs one interpolation. `flip` is how likely an image is mirrored.
    """
    height, width = images.shape[1:3]
    count = 1 if alike else len(images)
    drawn = rng.uniform(-1, 1, (6, count, 1, 1)).astype(np.float32)
    turn, zoom_y, zoom_x, slant, down, right = drawn
    half = rotation * np.pi / 360
    tangent = turn * np.float32(half + half * half * half / 3)  # of half the angle
    square = tangent * tangent
    cos, sin = (1 - square) / (1 + square), 2 * tangent / (1 + square)
    # each pixel (H, W) of the result, from the middle -> the point (count, H, W) that it shows
    middle_y, middle_x = np.float32((height - 1) / 2), np.float32((width - 1) / 2)
    y = np.arange(height, dtype=np.float32)[:, None] - middle_y
    x = np.arange(width, dtype=np.float32) - middle_x + np.float32(shear) * slant * y
    # turned, stretched, moved: an expression each, since steps in place took a tenth longer
    y, x = (
        (1 + np.float32(zoom) * zoom_y) * (cos * y + sin * x) + np.float32(shift * height) * down,
        (1 + np.float32(zoom) * zoom_x) * (cos * x - sin * y) + np.float32(shift * width) * right,
    )
    if elastic:
        y += np.float32(elastic * height) * displacement(rng, count, height, width)
        x += np.float32(elastic * width) * displacement(rng, count, height, width)
    if flip:
        x = np.where(rng.random((count, 1, 1)) < flip, -x, x)
    return interpolate(images, y + middle_y, x + middle_x)


def cutout(images: np.ndarray, rng: np.random.Generator, share: float) -> None:
    """Black out, in place, a part of each image (n, H, W, C) at random: `share` of both its sides.

    Source: DeVries and Taylor, 2017.
    """
    count, *sides = images.shape[:3]
    height, width = (round(share * side) for side in sides)
    tops = rng.integers(0, sides[0] - height, count, endpoint=True)
    lefts = rng.integers(0, sides[1] - width, count, endpoint=True)
    for image, top, left in zip(images, tops, lefts):
        image[top : top + height, left : left + width] = 0
