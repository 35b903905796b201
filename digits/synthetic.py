"""Draw handwritten-looking digits in the form of MNIST: (count, seed, split) -> images and labels.

Each digit is a pen stroke: a skeleton from digits/skeletons.txt, jittered, bent, slanted and
turned, then inked and placed as MNIST places its own.

The bytes depend on the seed alone, on any machine. NumPy's sin, exp, matmul or sum may differ in
the last bit between processors. So floats see only what IEEE 754 rounds exactly (+ - * / sqrt, min,
max, floor, rint), and sums run over integers or in a written order.
"""

import functools
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import numpy as np

from digits.parallel import parallel

SKELETONS = Path(__file__).with_name("skeletons.txt")
BLOCK = 256  # images drawn at a time: their pixels fit in a processor's cache
AHEAD = 16  # blocks that all cores draw before they are taken
DOTS = 96  # of ink along a digit: less than a pixel apart
SIDE = 28  # pixels: the image; the digit fills a box of 20


def draw(count: int, seed: int, split: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield blocks of images uint8 (n, 28, 28), ink 255 on 0, and labels uint8 (n,).

    Together `count` digits, always the same for a seed and split (0 train, 1 test): a smaller
    count gives the first of them.
    """
    block = functools.partial(_block, seed, split)
    for start, (images, labels) in parallel(block, range(0, count, BLOCK), AHEAD):
        yield images[: count - start], labels[: count - start]


def _block(seed: int, split: int, start: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw BLOCK images and their labels, from number `start` on, whatever the others are."""
    rng = np.random.default_rng([seed, split, start // BLOCK])
    labels = rng.integers(10, size=BLOCK, dtype=np.uint8)
    dots, radii = _fit(rng, _write(rng, labels))
    return _centre(_ink(dots, radii)), labels


def _spline(skeleton: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A Catmull-Rom spline: its control points (C, 2) in [-1, 1], and what each dot is made of.

    That is, which four of the points, and their weights, both (DOTS, 4).
    """
    names = sorted(set(skeleton.replace(",", " ").split()))
    controls = np.array([[int(name[:2]) / 50 - 1, int(name[2:]) / 50 - 1] for name in names])
    pieces: list[list[int]] = []
    for stroke in skeleton.split(","):
        knots = [names.index(name) for name in stroke.split()]
        knots = [knots[0], *knots, knots[-1]]
        windows = [knots[i : i + 4] for i in range(len(knots) - 3)]
        pieces += [window for window in windows if window[1] != window[2]]  # a corner has no length
    segments = np.array(pieces)
    steps = controls[segments[:, 2]] - controls[segments[:, 1]]
    lengths = np.sqrt(steps[:, 0] * steps[:, 0] + steps[:, 1] * steps[:, 1])
    ends = np.array(list(accumulate(lengths.tolist())))
    along = (np.arange(DOTS) + 0.5) / DOTS * ends[-1]  # dots at equal distances
    segment = np.searchsorted(ends, along)
    t = (along - (ends - lengths)[segment]) / lengths[segment]
    weights = [
        t * (t * (2 - t) - 1) / 2,
        (t * t * (3 * t - 5) + 2) / 2,
        t * (t * (4 - 3 * t) + 1) / 2,
        t * t * (t - 1) / 2,
    ]
    return controls, segments[segment], np.stack(weights, axis=1)


@functools.cache
def _skeletons() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return all skeletons' splines (S, ...), by digit, and how many each digit has (10,)."""
    lines = [line for line in SKELETONS.read_text().splitlines() if not line.startswith("#")]
    digits, skeletons = zip(*[line.split(maxsplit=1) for line in lines])
    controls, knots, weights = zip(*map(_spline, skeletons))
    most = max(map(len, controls))
    padded = [np.pad(points, ((0, most - len(points)), (0, 0))) for points in controls]
    variants = np.bincount([int(digit) for digit in digits])
    return np.stack(padded), np.stack(knots), np.stack(weights), variants


def _bell(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Draw noise of mean 0 and deviation 1: a sum of uniforms, as rng.normal takes logarithms."""
    a, b, c = rng.random((3, *shape))
    return (a + b + c - 1.5) * 2


def _write(rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    """Return the dots of a digit per label: (2, n, DOTS), x then y downwards, about in [-1, 1]."""
    n = len(labels)
    points, knots, weights, variants = _skeletons()
    first = np.cumsum(variants) - variants
    variant = first[labels] + rng.integers(variants[labels])
    controls = points[variant] + 0.08 * _bell(rng, n, points.shape[1], 2)  # jittered
    x = y = np.zeros(())
    for k in range(4):
        near = controls[np.arange(n)[:, None], knots[variant, :, k]]
        x = x + weights[variant, :, k] * near[:, :, 0]
        y = y + weights[variant, :, k] * near[:, :, 1]
    for term in (x * x, x * y, y * y, x * x * y, x * y * y):  # bent
        across, down = 0.12 * _bell(rng, 2, n, 1)
        x, y = x + across * term, y + down * term
    width = 0.85 + 0.18 * _bell(rng, n, 1)
    slant = 0.2 + 0.25 * _bell(rng, n, 1)
    x = x * width - y * slant
    t = 0.06 * _bell(rng, n, 1)  # tangent of half the angle by which it is turned
    cos, sin = (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
    return np.stack([cos * x - sin * y, sin * x + cos * y])


def _fit(rng: np.random.Generator, dots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the dots, fitted into the box with their ink, and radii (n, DOTS), both in pixels."""
    n = dots.shape[1]
    boldness = _bell(rng, n, 1)
    radius = 1.19 + 0.35 * boldness + 0.08 * boldness * boldness
    # the pen is pressed more on one side, and trembles
    pressure = 1 + 0.12 * _bell(rng, n, 1) * dots[0]
    pressure = pressure + 0.12 * _bell(rng, n, 1) * dots[1]
    pressure = pressure + 0.08 * _bell(rng, n, DOTS)
    low, high = dots.min(axis=2, keepdims=True), dots.max(axis=2, keepdims=True)
    # the box of 20, less the half pixel by which the edge fades on each side
    scale = (19 - 2 * radius) / (high - low).max(axis=0)
    dots = (dots - (low + high) / 2) * scale + (SIDE - 1) / 2 + 0.15 * _bell(rng, *dots.shape)
    return dots, np.clip(radius * pressure, 0.8, 3.5)


def _ink(dots: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Return images uint8 (n, 28, 28) of round dots (2, n, DOTS), their edges a pixel soft."""
    radii = radii.astype(np.float32)
    pixels = np.arange(SIDE, dtype=np.float32)
    across, down = (pixels - dots.astype(np.float32)[..., None]) / radii[..., None]
    across, down = across * across, down * down
    nearest = np.full((len(radii), SIDE, SIDE), np.inf, np.float32)
    distance = np.empty_like(nearest)  # squared, in radii of the dot
    for k in range(DOTS):
        np.add(down[:, k, :, None], across[:, k, None, :], out=distance)
        np.minimum(nearest, distance, out=nearest)
    depth = (1 - np.sqrt(nearest)) * radii[:, :1, None]
    return np.rint(np.clip(depth + 0.5, 0, 1) * 255).astype(np.uint8)


def _centre(images: np.ndarray) -> np.ndarray:
    """Move each image by at most 3 whole pixels: its centre of mass to pixel (14, 14), as MNIST."""
    pixels = np.arange(SIDE)
    mass = images.sum(axis=(1, 2), dtype=np.int64)
    for axis in (1, 2):
        moment = (images.sum(axis=3 - axis, dtype=np.int64) * pixels).sum(axis=1)
        shift = np.clip(((SIDE + 1) * mass - 2 * moment) // (2 * mass), -3, 3)
        source = np.expand_dims((pixels - shift[:, None]) % SIDE, 3 - axis)
        images = np.take_along_axis(images, source, axis)
    return images
