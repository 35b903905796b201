"""Say what the trained network reads in image files: photos, scans or drawings of one symbol each.

`python -m tools.predict [--json] IMAGE...`: a line for each file; status 1 where one could not be read.
"""

import argparse
import json
import sys
from pathlib import Path

from digits import network as networks
from digits.scan import scan
from stages import evaluate, validate

import numpy as np
from PIL import Image

SURE = 0.9  # with less than this probability, the network is unsure


class Reader:
    """The trained network of this checkout, with the views that its recipe has."""

    def __init__(self) -> None:
        params = validate.read()
        self.recipe = params["recipes"][params["recipe"]]
        networks.pin(params["threads"], params["instructions"])
        if not evaluate.MODEL.exists():
            raise SystemExit(f"{evaluate.MODEL}: not there; train the network first: dvc repro")
        network = networks.load(evaluate.MODEL)
        self.height, self.width = network.input_shape[1:3]
        self.forward = networks.forward(network, params["replicas"])

    def read(self, picture: Image.Image) -> tuple[np.ndarray, np.ndarray]:
        """Return the image (H, W, 1) that the network sees, and its probabilities (K,); ValueError without ink."""
        image = scan(picture, self.height, self.width)
        return image, next(evaluate.predict(self.forward, image[None], self.recipe))[0]


def words(probabilities: np.ndarray) -> str:
    """What the probabilities (K,) say: `7 (99.8 %)`, or `unsure: 7 (61.0 %) or 1 (33.1 %)`."""
    first, second = np.argsort(-probabilities, kind="stable")[:2]
    best = f"{first} ({100 * probabilities[first]:.1f} %)"
    unsure = probabilities[first] < SURE
    return f"unsure: {best} or {second} ({100 * probabilities[second]:.1f} %)" if unsure else best


def open_image(path: Path) -> Image.Image:
    """Read an image file whole; ValueError where it is none."""
    try:
        picture = Image.open(path)
        picture.load()
    except (FileNotFoundError, IsADirectoryError):
        raise ValueError("no such file") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"expected an image such as PNG or JPEG; found: {error}") from None
    return picture


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.predict", description="Say what image files show.")
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each file")
    options = parser.parse_args()
    reader, status = Reader(), 0
    for path in options.images:
        try:
            _, probabilities = reader.read(open_image(path))
        except ValueError as error:
            print(f"{path}: {error}", file=sys.stderr)
            status = 1
            continue
        if options.json:
            shares = [round(float(share), 6) for share in probabilities]
            print(json.dumps({"file": str(path), "class": int(probabilities.argmax()), "probabilities": shares}))
        else:
            print(f"{path}: {words(probabilities)}")
    sys.exit(status)


if __name__ == "__main__":
    main()
