"""A photo -> how much of each of its pixels is ink: uneven light, desks and rules are taken away.

Whatever the light, ink is what differs from the paper right beside it, so brightness is divided by
that of the paper there.
"""

from dataclasses import dataclass

import cv2
import numpy as np

LARGEST = 1000  # pixels along a side that are looked at
WIDEST = 0.4  # of the picture's side: a stroke is less wide
GLANCE = 250  # pixels along a side that show what lies where
FAINTEST = 0.08  # of the paper's light: less contrast is no ink
SHARP = 0.25  # of the step from desk to sheet lies within a few pixels: not so of a flash's spot
NOISE = 5  # times the usual deviation from the paper: less than that may be noise
SPECK = 0.0001  # of the picture: a smaller patch is dirt
DIRT = 0.02  # of the largest patch of ink: a smaller one is dirt
SPANNED = 0.8  # of the sheet's side: a rule is at least as long, a straight 1 is not
STEEPEST = 15  # degrees by which a picture is turned
WEAK = 0.4  # of the strongest ink: less than that is a shade, a fold or a faint rule


@dataclass
class Sheet:
    """A photo, turned upright, and its ink."""

    ink: np.ndarray  # float32 (h, w): how much darker or lighter than the paper, 0 to 1
    mask: np.ndarray  # uint8 (h, w): 1 where there is ink, without rules
    width: float  # of the strokes, in pixels
    back: np.ndarray  # (2, 3): from here to pixels of the photo as it was given


def odd(size: float, least: int = 3) -> int:
    """A window's side in pixels: odd, as OpenCV wants it."""
    return max(least, int(size) // 2 * 2 + 1)


def fitted(pixels: np.ndarray, least: int, most: int) -> tuple[np.ndarray, float]:
    """A picture whose longer side has least to most pixels, and how much larger that is."""
    longer = max(pixels.shape[:2])
    scale = min(max(longer, least), most) / longer
    if scale == 1:
        return pixels, 1
    size = [max(1, round(scale * side)) for side in pixels.shape[1::-1]]
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(pixels, size, interpolation=kind), scale


def edge_step(grey: np.ndarray, bright: np.ndarray) -> float:
    """How much brighter it is just within the edge of what is bright than just outside."""
    near = np.ones((7, 7), np.uint8)
    within = bright & ~cv2.erode(bright, near, borderValue=1)
    outside = cv2.dilate(bright, near) & ~bright
    return float(np.median(grey[within > 0]) - np.median(grey[outside > 0]))


def outline(grey: np.ndarray) -> np.ndarray | None:
    """The corners (4, 2) of a sheet that lies on something darker; None where there is none.

    It is bright, has straight sides and sharp edges, and mostly ends before the picture does. A lit
    part of the paper does not.
    """
    small, scale = fitted(grey, 1, GLANCE)
    smooth = cv2.medianBlur(small, odd(GLANCE / 12))
    _, bright = cv2.threshold(smooth, 0, 1, cv2.THRESH_OTSU)
    contours, _ = cv2.findContours(bright, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = max(contours, key=cv2.contourArea, default=None)
    if largest is None or bright.all():
        return None
    sheet, desk = (np.median(smooth[bright == value]) for value in (1, 0))
    if desk > 0.8 * sheet or edge_step(smooth, bright) < SHARP * (sheet - desk):
        return None
    border = np.concatenate([bright[0], bright[-1], bright[:, 0], bright[:, -1]])
    rectangle = cv2.minAreaRect(largest)
    share = cv2.contourArea(largest) / max(1, np.prod(rectangle[1]))
    found = share > 0.8 and np.prod(rectangle[1]) > bright.size / 8 and border.mean() < 0.15
    return cv2.boxPoints(rectangle) / scale if found else None


def inside(shape: tuple[int, int], corners: np.ndarray | None) -> np.ndarray:
    """A mask uint8 (h, w) of the sheet, without its edge."""
    if corners is None:
        return np.ones(shape, np.uint8)
    mask = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(mask, corners.round().astype(np.int32), 1)
    edge = odd(max(shape) / 60)
    return cv2.erode(mask, np.ones((edge, edge), np.uint8), borderValue=0)


def ink_is_light(grey: np.ndarray, on_sheet: np.ndarray) -> bool:
    """Whether what differs from most of the paper round it is lighter than that."""
    small, _ = fitted(grey, 1, GLANCE)
    usual = cv2.medianBlur(small, odd(min(small.shape) / 3)).astype(np.float32)
    contrast = (usual - small) / (np.maximum(usual, small) + 1)
    contrast[cv2.resize(on_sheet, small.shape[::-1]) == 0] = 0
    contrast[np.abs(contrast) <= 0.5 * np.quantile(np.abs(contrast), 0.995)] = 0
    # a bright spot of light has no edges
    edges = cv2.magnitude(cv2.Sobel(small, cv2.CV_32F, 1, 0), cv2.Sobel(small, cv2.CV_32F, 0, 1))
    return bool(contrast.sum() < 0 and (contrast * edges).sum() < 0)


def contrast(grey: np.ndarray, window: int, light: bool) -> np.ndarray:
    """How much each pixel differs from the paper: a share (h, w) of the paper's light.

    A window that is wider than a stroke finds paper wherever it lies, and keeps the edges of
    shadows where they are: a morphological closing, for light ink an opening.
    """
    kernel = np.ones((window, window), np.uint8)
    kind = cv2.MORPH_OPEN if light else cv2.MORPH_CLOSE
    paper = cv2.morphologyEx(grey, kind, kernel).astype(np.float32)
    return np.abs(paper - grey) / (paper + 4)


def threshold(shares: np.ndarray, on_sheet: np.ndarray) -> float:
    """From which contrast on it is ink."""
    values = shares[on_sheet > 0]
    usual = np.median(values)
    noise = usual + NOISE * 1.5 * np.median(np.abs(values - usual))
    least = max(FAINTEST, noise)
    strong = values[values > least]
    return max(least, WEAK * np.quantile(strong, 0.9)) if len(strong) else least


def apart_from_border(mask: np.ndarray, on_sheet: np.ndarray) -> np.ndarray:
    """The mask without what reaches the border of the sheet: a thumb, a desk, a dark corner.

    Where nothing else is there, it stays: the picture was cropped to the ink.
    """
    count, patches, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    border = cv2.copyMakeBorder(on_sheet[1:-1, 1:-1], 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    outer = cv2.erode(border, np.ones((3, 3), np.uint8)) == 0
    touching = np.zeros(count, bool)
    touching[np.unique(patches[outer])] = True
    touching[0] = True
    areas = stats[:, cv2.CC_STAT_AREA]
    if areas[~touching].max(initial=0) <= SPECK * mask.size:
        touching[1:] = False
    kept = ~touching & (areas > DIRT * areas[~touching].max(initial=0))
    return kept[patches].astype(np.uint8)


def ridge(inner: np.ndarray) -> np.ndarray:
    """The middle of each stroke, as a mask uint8 (h, w), by each pixel's distance to the paper."""
    highest = cv2.dilate(inner, np.ones((3, 3), np.uint8))
    return ((inner == highest) & (inner > 0)).astype(np.uint8)


def stroke_width(mask: np.ndarray) -> float:
    """How wide the strokes are in which three quarters of the ink lie, in pixels."""
    inner = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    halves = np.sort(inner[ridge(inner) > 0])
    if not len(halves):
        return 0
    # a pixel of the ridge counts by the square of its width, so that dirt hardly does
    ink = np.cumsum(np.square(halves, dtype=np.float64))
    return 2 * float(halves[np.searchsorted(ink, 0.75 * ink[-1])])


def tilt(mask: np.ndarray, corners: np.ndarray | None) -> float:
    """By how many degrees the sheet is turned: by its outline, else by printed lines; else 0."""
    if corners is not None:
        x, y = corners[1] - corners[0]
        return float((np.degrees(np.arctan2(y, x)) + 45) % 90 - 45)
    least = max(mask.shape) // 4
    lines = ridge(cv2.distanceTransform(mask, cv2.DIST_L2, 3))
    found = cv2.HoughLinesP(lines, 1, np.pi / 720, least // 2, None, least, least // 16)
    if found is None:
        return 0
    ends = found.reshape(-1, 2, 2)
    x, y = (ends[:, 1] - ends[:, 0]).T
    angles = (np.degrees(np.arctan2(y, x)) + 45) % 90 - 45
    lengths = np.hypot(x, y)
    alike = np.abs(angles - angles[:, None]) < 1.5
    best = np.argmax(alike @ lengths)
    if (alike @ lengths)[best] < max(mask.shape) or abs(angles[best]) > STEEPEST:
        return 0
    return float(np.average(angles[alike[best]], weights=lengths[alike[best]]))


def rules(mask: np.ndarray, on_sheet: np.ndarray) -> np.ndarray:
    """What of a mask is a printed rule: straight thin pieces from side to side of the sheet."""
    width = int(np.ptp(np.flatnonzero(on_sheet.any(axis=0))))
    near = cv2.dilate(mask, np.ones((5, 1), np.uint8))  # a line that is turned a hair is one
    near = cv2.morphologyEx(near, cv2.MORPH_CLOSE, np.ones((1, width // 100 + 1), np.uint8))
    straight = cv2.morphologyEx(near, cv2.MORPH_OPEN, np.ones((1, width // 8 + 1), np.uint8)) & mask
    straight &= ~cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((width // 25 + 2, 1), np.uint8))
    joined = cv2.dilate(straight, np.ones((5, width // 2), np.uint8))
    count, lines, stats, _ = cv2.connectedComponentsWithStats(joined)
    found = np.zeros_like(mask)
    for label in range(1, count):
        _, top, _, high, _ = stats[label].tolist()
        rows = slice(top, top + high)
        line = straight[rows] * (lines[rows] == label)
        inked = np.flatnonzero(line.any(axis=0))
        thick = np.median(line.sum(axis=0)[inked])
        span = inked[-1] - inked[0]
        if span > SPANNED * width and len(inked) > width / 3:
            # where ink goes through the line, there is more of it above or below
            higher = np.ones((int(1.5 * thick) + 2, 1), np.uint8)
            found[rows] |= line & ~cv2.morphologyEx(mask, cv2.MORPH_OPEN, higher)[rows]
    return found


def frames(mask: np.ndarray) -> np.ndarray:
    """What of a mask is a printed box: straight on four sides, thin, and empty or not within."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    found = np.zeros_like(mask)
    for contour in contours:
        left, top, width, height = cv2.boundingRect(contour)
        if min(width, height) < max(mask.shape) / 20:
            continue
        if cv2.contourArea(contour) < 0.92 * np.prod(cv2.minAreaRect(contour)[1]):
            continue
        here = (slice(top, top + height), slice(left, left + width))
        filled = np.zeros((height, width), np.uint8)
        cv2.drawContours(filled, [contour - (left, top)], -1, 1, cv2.FILLED)
        band = odd(min(width, height) / 8)
        within = cv2.erode(filled, np.ones((band, band), np.uint8), borderValue=0)
        if (mask[here] & filled).sum() < filled.sum() / 2:
            found[here] |= mask[here] & (filled - within)
    return found


def strokes(
    grey: np.ndarray, on_sheet: np.ndarray, window: int, light: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The contrast (h, w), and where it is ink: a mask (h, w) without rules, frames or thumbs."""
    shares = contrast(grey, window, light)
    mask = (shares > threshold(shares, on_sheet)).astype(np.uint8) & on_sheet
    mask &= ~frames(mask)
    mask &= ~(rules(mask, on_sheet) | rules(mask.T, on_sheet.T).T)
    return shares, apart_from_border(mask, on_sheet)


def turning(degrees: float, shape: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int]]:
    """The matrix (2, 3) that turns a picture (h, w) by degrees, and the width and height then."""
    height, width = shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]])
    turned = corners @ matrix[:, :2].T + matrix[:, 2]
    matrix[:, 2] -= turned.min(axis=0)
    size = np.ceil(np.ptp(turned, axis=0)).astype(int)
    return matrix, (int(size[0]), int(size[1]))


def ink(pixels: np.ndarray) -> Sheet:
    """Tell ink from paper in a photo uint8 (h, w) or (h, w, 3)."""
    small, scale = fitted(pixels, GLANCE, LARGEST)
    grey = small if small.ndim == 2 else cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    grey = cv2.GaussianBlur(grey, (3, 3), 0)
    corners = outline(grey)
    on_sheet = inside(grey.shape, corners)
    # what lies round the sheet is taken for more of it
    grey = np.where(on_sheet > 0, grey, np.uint8(np.median(grey[on_sheet > 0])))
    light = ink_is_light(grey, on_sheet)
    window = odd(min(grey.shape) * WIDEST)
    shares = contrast(grey, window, light)
    seen = (shares > threshold(shares, on_sheet)).astype(np.uint8) & on_sheet
    turn, size = turning(tilt(seen, corners), grey.shape)
    grey = cv2.warpAffine(grey, turn, size, borderMode=cv2.BORDER_REPLICATE)
    on_sheet = cv2.warpAffine(on_sheet, turn, size)
    # wide windows see a thumb as a whole, narrow ones the edges of shadows where they are
    for widths in 6, 3:
        _, rough = strokes(grey, on_sheet, window, light)
        window = min(window, odd(widths * stroke_width(rough), 9))
    shares, mask = strokes(grey, on_sheet, window, light)
    mask &= cv2.dilate(rough, np.ones((5, 5), np.uint8))
    return Sheet(shares, mask, stroke_width(mask), cv2.invertAffineTransform(turn) / scale)
