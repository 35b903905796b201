"""How a data set's images come before a network, and what its classes are called.

`preprocess` finds it out and writes it beside the arrays. All that read images later take it from
here, so that a prediction sees a picture as training did.
"""

import json
from dataclasses import asdict, dataclass

import numpy as np

from digits import output
from digits.arrays import PROCESSED

FILE = PROCESSED / "preparation.json"
MAX_PIXEL = 255
EDGE = 64  # a border this close to 0 is dark, and one this close to 255 is light
MOST = 0.9  # of the images must have such a border


@dataclass(frozen=True)
class Preparation:
    """How the images of a data set come before a network."""

    name: str  # of the data set
    classes: list[str]
    height: int
    width: int
    channels: int  # 1: grey, 3: colour
    inverted: bool  # dark ink on light paper becomes light on dark
    search: bool  # whether a picture is searched for ink, or taken as a whole

    @property
    def ink(self) -> bool:
        """Whether the images show ink, which is drawn dark, as on paper."""
        return self.search or self.inverted

    def normalise(self, pixels: np.ndarray) -> np.ndarray:
        """uint8 (n, H, W) or (n, H, W, C) in [0, 255] -> float32 (n, H, W, C) in [0, 1]."""
        images = pixels.reshape(-1, self.height, self.width, self.channels).astype(np.float32)
        if self.inverted:
            images = np.float32(MAX_PIXEL) - images
        return images / np.float32(MAX_PIXEL)

    def has_other_paper(self, pixels: np.ndarray) -> bool:
        """Whether an image uint8 (H, W, C) shows light ink on dark, and training dark on light.

        Or the other way round.
        """
        return shows_ink(pixels[None]) == (True, not self.inverted)

    def write(self) -> None:
        output.write_text(FILE, json.dumps(asdict(self), indent=1, sort_keys=True) + "\n")


def borders(images: np.ndarray) -> np.ndarray:
    """The median brightness (n,) of the border of grey images uint8 (n, H, W)."""
    edges = [images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]]
    return np.median(np.concatenate(edges, axis=1), axis=1)


def shows_ink(images: np.ndarray) -> tuple[bool, bool]:
    """Whether nearly all images uint8 (n, H, W, C) show ink on paper, and whether it is dark."""
    if images.shape[3:] == (3,):
        return False, False
    brightness = borders(images.reshape(*images.shape[:3]))
    dark_ink = bool((brightness >= MAX_PIXEL - EDGE).mean() >= MOST)
    light_ink = bool((brightness <= EDGE).mean() >= MOST)
    return dark_ink or light_ink, dark_ink


def read() -> Preparation:
    """Read it; SystemExit where it is not there, or damaged."""
    try:
        return Preparation(**json.loads(FILE.read_text()))
    except OSError:
        raise SystemExit(f"{FILE}: not there; to get it: dvc pull, or dvc repro") from None
    except (ValueError, TypeError) as error:
        raise SystemExit(
            f"{FILE}: expected what preprocess wrote, found: {error}; run dvc repro"
        ) from None
