"""A photo of symbols -> where each is, and an image of each as MNIST's, for a network.

Patches of ink that belong together are a symbol, symbols beside each other a line. A symbol's ink
is fitted with its proportions into a box of 20/28 of the image's sides, and put with its centre of
mass in the middle.
Source: LeCun, Bottou, Bengio and Haffner, 1998.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from tools import paper

BOX = 20 / 28  # of a side of the image: what the ink may fill
THINNEST = 2.0  # pixels of the image: a thinner stroke is widened to that, as in training
SMALLEST = 0.45  # of the usual height of symbols: lower ones are dirt, or a part of another one
NEAR = 0.1  # of that height: how far a part may be from the rest
LONGEST = 100  # times its height, that a photo may be wide; or the other way round
FEWEST = 12  # pixels, where the photo has 1,000 along a side: a lower thing is not read

Box = tuple[int, int, int, int]  # left, top, right, bottom
Symbol = tuple[np.ndarray, list[int]]  # its image, and its box in pixels of the upright photo


@dataclass
class Patch:
    """Ink that belongs together, by its labels in a picture of labels."""

    labels: list[int]
    box: Box

    @property
    def height(self) -> int:
        return self.box[3] - self.box[1]

    @property
    def width(self) -> int:
        return self.box[2] - self.box[0]

    def joined(self, other: "Patch") -> "Patch":
        (a, b, c, d), (e, f, g, h) = self.box, other.box
        box = (min(a, e), min(b, f), max(c, g), max(d, h))
        return Patch(self.labels + other.labels, box)


def overlap(one: Box, other: Box, axis: int) -> float:
    """How much two boxes share along an axis, as a part of the shorter one; below 0: a gap."""
    shared = min(one[axis + 2], other[axis + 2]) - max(one[axis], other[axis])
    return shared / max(1, min(one[axis + 2] - one[axis], other[axis + 2] - other[axis]))


def patches(sheet: paper.Sheet) -> tuple[list[Patch], np.ndarray]:
    """Connected ink, and its labels (h, w); strokes that nearly touch are connected."""
    reach = paper.odd(sheet.width / 2, 1)
    near = cv2.dilate(sheet.mask, np.ones((reach, reach), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(near)
    labels *= sheet.mask
    found = []
    for label, (left, top, width, height, _) in enumerate(stats.tolist()):
        if label and max(width, height) >= FEWEST:
            found.append(Patch([label], (left, top, left + width, top + height)))
    return found, labels


def one_symbol(one: Patch, other: Patch) -> bool:
    """Whether two patches are parts of a symbol: one above the other, or within it."""
    beside = overlap(one.box, other.box, 0)
    gap = -min(0, min(one.box[3], other.box[3]) - max(one.box[1], other.box[1]))
    return beside > 0.5 and gap < 0.2 * max(one.height, other.height)


def apart(one: Box, other: Box) -> int:
    """How many pixels are between two boxes, across or down, whichever is more."""
    across = max(one[0], other[0]) - min(one[2], other[2])
    down = max(one[1], other[1]) - min(one[3], other[3])
    return max(across, down)


def grouped(found: list[Patch]) -> list[Patch]:
    """Join patches to symbols, the largest first; what is low joins the nearest, or is dirt."""
    symbols: list[Patch] = []
    for patch in sorted(found, key=lambda patch: -patch.height * patch.width):
        fitting = [i for i, symbol in enumerate(symbols) if one_symbol(symbol, patch)]
        if fitting:
            symbols[fitting[0]] = symbols[fitting[0]].joined(patch)
        else:
            symbols.append(patch)
    usual = np.quantile([symbol.height for symbol in symbols], 0.75) if symbols else 0
    least = max(FEWEST, SMALLEST * usual)
    whole = [symbol for symbol in symbols if symbol.height >= least]
    for part in (symbol for symbol in symbols if symbol.height < least):
        gaps = [apart(symbol.box, part.box) for symbol in whole]
        if gaps and min(gaps) < NEAR * usual:
            nearest = int(np.argmin(gaps))
            whole[nearest] = whole[nearest].joined(part)
    return whole


def lines(symbols: list[Patch]) -> list[list[Patch]]:
    """Symbols beside each other, from left to right; lines of them, from top to bottom."""
    found: list[list[Patch]] = []
    for symbol in sorted(symbols, key=lambda symbol: symbol.box[0]):
        near = [line for line in found if overlap(line[-1].box, symbol.box, 1) > 0.4]
        if near:
            max(near, key=lambda line: overlap(line[-1].box, symbol.box, 1)).append(symbol)
        else:
            found.append([symbol])
    return sorted(found, key=lambda line: np.mean([(s.box[1] + s.box[3]) / 2 for s in line]))


def start(weights: np.ndarray, side: int) -> int:
    """Where along a side the ink (n,) begins if its centre of mass is to be the middle."""
    centre = weights @ (np.arange(len(weights)) + 0.5)
    wanted = round(side / 2 + 0.5 - centre)
    return min(max(0, wanted), side - len(weights))


def amounts(sheet: paper.Sheet, labels: np.ndarray, patch: Patch) -> tuple[np.ndarray, Box]:
    """How much ink is on each pixel of a symbol, float32 (h, w) from 0 to 1, and where it lies."""
    left, top, right, bottom = patch.box
    reach = paper.odd(sheet.width / 2)
    left, top = max(0, left - reach), max(0, top - reach)
    here = (slice(top, bottom + reach), slice(left, right + reach))
    own = np.isin(labels[here], patch.labels).astype(np.uint8)
    # a stroke's soft edge belongs to it, another symbol does not
    soft = cv2.dilate(own, np.ones((reach, reach), np.uint8)) & ((labels[here] == 0) | own)
    share = sheet.ink[here]
    full = np.median(share[own > 0])
    ink = np.clip(share / full / 0.7 - 0.2, 0, 1) * soft
    rows, columns = np.flatnonzero(ink.max(axis=1) > 0.5), np.flatnonzero(ink.max(axis=0) > 0.5)
    first, last = (columns[0], rows[0]), (columns[-1] + 1, rows[-1] + 1)
    part = ink[first[1] : last[1], first[0] : last[0]]
    return part, (left + first[0], top + first[1], left + last[0], top + last[1])


def placed(ink: np.ndarray, height: int, width: int) -> np.ndarray:
    """Ink (h, w) as an image float32 (height, width, 1)."""
    scale = min(BOX * height / ink.shape[0], BOX * width / ink.shape[1])
    thin = paper.stroke_width((ink > 0.5).astype(np.uint8))
    if thin * scale < THINNEST:
        wider = round((THINNEST / scale - thin) / 2)
        ink = cv2.dilate(np.pad(ink, wider), np.ones((2 * wider + 1,) * 2, np.uint8))
        scale = min(BOX * height / ink.shape[0], BOX * width / ink.shape[1])
    rows, columns = (max(1, round(scale * side)) for side in ink.shape)
    small = cv2.resize(ink, (columns, rows), interpolation=cv2.INTER_AREA)
    top = start(small.sum(axis=1) / small.sum(), height)
    left = start(small.sum(axis=0) / small.sum(), width)
    image = np.zeros((height, width, 1), np.float32)
    image[top : top + rows, left : left + columns, 0] = small / small.max()
    return image


def on_photo(box: Box, back: np.ndarray, sides: tuple[int, int]) -> list[int]:
    """A box of the turned and reduced picture, as one of the photo's pixels."""
    left, top, right, bottom = box
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    points = corners @ back[:, :2].T + back[:, 2]
    first = np.clip(np.floor(points.min(axis=0)), 0, sides)
    last = np.clip(np.ceil(points.max(axis=0)), 0, sides)
    return [int(value) for value in (*first, *last)]


def scan(pixels: np.ndarray, height: int, width: int) -> list[list[Symbol]]:
    """Find the lines of symbols in a photo uint8 (h, w) or (h, w, 3), upright.

    Their images are float32 (height, width, 1), 0 paper to 1 ink. ValueError where there is no ink.
    """
    symbols = []
    short, long = sorted(pixels.shape[:2])
    if short >= FEWEST and long <= LONGEST * short:
        sheet = paper.ink(pixels)
        found, labels = patches(sheet)
        symbols = grouped(found)
    if not symbols:
        raise ValueError("no symbol found: no ink on paper in it")
    found_lines = []
    for line in lines(symbols):
        inks = [amounts(sheet, labels, symbol) for symbol in line]
        found_lines.append(
            [
                (placed(ink, height, width), on_photo(box, sheet.back, pixels.shape[1::-1]))
                for ink, box in inks
            ]
        )
    return found_lines
