"""Draw handwritten-looking digits in the form of MNIST: (count, seed, split) -> blocks of images and labels.

Each digit is a pen stroke: a skeleton from digits/skeletons.txt, jittered, bent, slanted and turned, then inked and
placed as MNIST places its own. The bytes depend on the seed alone, on any machine. numpy's sin, exp, matmul or sum may
differ in the last bit from one processor to the next, so only operations that IEEE 754 rounds exactly are used on
floats (+ - * / sqrt, min, max, floor, rint), and sums run over integers or in a written order.
"""

import functools
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import numpy as np

SKELETONS = Path("digits/skeletons.txt")
BLOCK = 256  # images drawn at a time: their pixels fit in a processor's cache
SAMPLES = 96  # dots of ink along a digit: less than a pixel apart
SIDE = 28  # pixels: the field; the digit fills a box of 20


def draw(count: int, seed: int, split: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield blocks of images uint8 (n, 28, 28), ink 255 on 0, and labels uint8 (n,), together `count` digits.

    The same seed and split (0 train, 1 test) give the same digits, and a smaller count gives the first of them.
    """
    for block, start in enumerate(range(0, count, BLOCK)):
        rng = np.random.default_rng([seed, split, block])
        labels = rng.integers(10, size=BLOCK, dtype=np.uint8)
        images = _centre(_ink(*_fit(rng, _write(rng, labels))))
        yield images[: count - start], labels[: count - start]


def _spline(skeleton: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return control points (C, 2) in [-1, 1], and the four of them and their weights, both (SAMPLES, 4), that make
    each dot of a Catmull-Rom spline."""
    names = sorted(set(skeleton.replace(",", " ").split()))
    controls = np.array([[int(name[:2]) / 50 - 1, int(name[2:]) / 50 - 1] for name in names])
    pieces: list[list[int]] = []
    for stroke in skeleton.split(","):
        knots = [names.index(name) for name in stroke.split()]
        knots = [knots[0], *knots, knots[-1]]
        pieces += [knots[i : i + 4] for i in range(len(knots) - 3) if knots[i + 1] != knots[i + 2]]
    segments = np.array(pieces)
    steps = controls[segments[:, 2]] - controls[segments[:, 1]]
    lengths = np.sqrt(steps[:, 0] * steps[:, 0] + steps[:, 1] * steps[:, 1])
    ends = np.array(list(accumulate(lengths.tolist())))
    along = (np.arange(SAMPLES) + 0.5) / SAMPLES * ends[-1]
    segment = np.searchsorted(ends, along)
    t = (along - (ends - lengths)[segment]) / lengths[segment]
    before, after = (t * t * (3 * t - 5) + 2) / 2, t * (t * (4 - 3 * t) + 1) / 2
    weights = [t * (t * (2 - t) - 1) / 2, before, after, t * t * (t - 1) / 2]
    return controls, segments[segment], np.stack(weights, axis=1)


@functools.cache
def _skeletons() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the splines of all skeletons (S, ...) in the order of their digits, and how many each digit has (10,)."""
    lines = [line.split(maxsplit=1) for line in SKELETONS.read_text().splitlines() if not line.startswith("#")]
    controls, knots, weights = zip(*[_spline(skeleton) for _, skeleton in lines])
    most = max(map(len, controls))
    padded = [np.pad(points, ((0, most - len(points)), (0, 0))) for points in controls]
    return np.stack(padded), np.stack(knots), np.stack(weights), np.bincount([int(digit) for digit, _ in lines])


def _bell(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Return bell-shaped noise of mean 0 and deviation 1: a sum of uniforms, because rng.normal takes logarithms."""
    a, b, c = rng.random((3, *shape))
    return (a + b + c - 1.5) * 2


def _write(rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    """Return the dots (2, n, SAMPLES), x then y downwards, about in [-1, 1], of one digit per label."""
    n = len(labels)
    points, knots, weights, variants = _skeletons()
    variant = (np.cumsum(variants) - variants)[labels] + rng.integers(variants[labels])
    controls = points[variant] + 0.08 * _bell(rng, n, points.shape[1], 2)
    x = y = np.zeros(())
    for k in range(4):
        near = controls[np.arange(n)[:, None], knots[variant, :, k]]
        x = x + weights[variant, :, k] * near[:, :, 0]
        y = y + weights[variant, :, k] * near[:, :, 1]
    for term in (x * x, x * y, y * y, x * x * y, x * y * y):
        across, down = 0.12 * _bell(rng, 2, n, 1)
        x, y = x + across * term, y + down * term
    x = x * (0.85 + 0.18 * _bell(rng, n, 1)) - y * (0.2 + 0.25 * _bell(rng, n, 1))
    t = 0.06 * _bell(rng, n, 1)  # tangent of half the angle of rotation
    cos, sin = (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
    return np.stack([cos * x - sin * y, sin * x + cos * y])


def _fit(rng: np.random.Generator, dots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the dots and their radii (n, SAMPLES) in pixels; with its ink, the digit fills the middle box of 20."""
    n = dots.shape[1]
    boldness = _bell(rng, n, 1)
    radius = 1.19 + 0.35 * boldness + 0.08 * boldness * boldness
    pressure = 1 + 0.12 * _bell(rng, n, 1) * dots[0] + 0.12 * _bell(rng, n, 1) * dots[1] + 0.08 * _bell(rng, n, SAMPLES)
    low, high = dots.min(axis=2, keepdims=True), dots.max(axis=2, keepdims=True)
    scale = (19 - 2 * radius) / (high - low).max(axis=0)  # 20 less the half pixel by which the edge fades on each side
    dots = (dots - (low + high) / 2) * scale + (SIDE - 1) / 2 + 0.15 * _bell(rng, *dots.shape)
    return dots, np.clip(radius * pressure, 0.8, 3.5)


def _ink(dots: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Return images uint8 (n, 28, 28) of round dots (2, n, SAMPLES) of radii (n, SAMPLES), their edges a pixel soft."""
    radii = radii.astype(np.float32)
    across, down = (np.arange(SIDE, dtype=np.float32) - dots.astype(np.float32)[..., None]) / radii[..., None]
    across, down = across * across, down * down
    nearest = np.full((len(radii), SIDE, SIDE), np.inf, np.float32)
    distance = np.empty_like(nearest)
    for k in range(SAMPLES):
        np.add(down[:, k, :, None], across[:, k, None, :], out=distance)
        np.minimum(nearest, distance, out=nearest)
    depth = (1 - np.sqrt(nearest)) * radii[:, :1, None]
    return np.rint(np.clip(depth + 0.5, 0, 1) * 255).astype(np.uint8)


def _centre(images: np.ndarray) -> np.ndarray:
    """Move each image by whole pixels, at most 3, so that its centre of mass is pixel (14, 14), as in MNIST."""
    pixels = np.arange(SIDE)
    mass = images.sum(axis=(1, 2), dtype=np.int64)
    for axis in (1, 2):
        moment = (images.sum(axis=3 - axis, dtype=np.int64) * pixels).sum(axis=1)
        shift = np.clip(((SIDE + 1) * mass - 2 * moment) // (2 * mass), -3, 3)
        source = np.expand_dims((pixels - shift[:, None]) % SIDE, 3 - axis)
        images = np.take_along_axis(images, source, axis)
    return images
