"""Say what the trained network takes image files for: photos, scans or drawings of one symbol each.

Prints a line for each file: its most probable class, and a second one where the network is not
confident. Status 1 where a file could not be classified.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

CONFIDENT = 0.9  # a lower probability is told with the second class


class Classifier:
    """The trained network of this checkout, with the test-time augmentation of its recipe."""

    def __init__(self) -> None:
        from digits import determinism, network, params  # late: TensorFlow

        self.params = params.read()
        if not network.FILE.exists():
            raise SystemExit(f"{network.FILE}: not there; train the network first: dvc repro")
        determinism.pin(self.params.threads, self.params.instructions)
        trained = network.load(network.FILE)
        self.height, self.width = trained.input_shape[1:3]
        self.forward = network.forward(trained, self.params.replicas)
        self.views = self.params.evaluate.test_time_augmentation[self.params.recipe]

    def classify(self, picture: "Image.Image") -> tuple["np.ndarray", "np.ndarray"]:
        """Return the image (H, W, 1) as the network gets it, and its probabilities (K,).

        ValueError where nothing is drawn in the picture.
        """
        from digits import prediction
        from tools import scan

        image = scan.scan(picture, self.height, self.width)
        augment = self.params.selected.augment
        [probabilities] = prediction.predict(self.forward, image[None], augment, self.views)
        return image, probabilities[0]


def words(probabilities: "np.ndarray") -> str:
    """What probabilities (K,) say: `7 (99.8 %)`, or `not confident: 7 (61.0 %) or 1 (33.1 %)`."""
    first, second = (-probabilities).argsort(kind="stable")[:2]
    best = f"{first} ({100 * probabilities[first]:.1f} %)"
    if probabilities[first] >= CONFIDENT:
        return best
    return f"not confident: {best} or {second} ({100 * probabilities[second]:.1f} %)"


def open_image(path: Path) -> "Image.Image":
    """Read an image file whole; ValueError where it is none."""
    from PIL import Image

    try:
        picture = Image.open(path)
        picture.load()
    except (FileNotFoundError, IsADirectoryError):
        raise ValueError("no such file") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"expected an image such as PNG or JPEG; found: {error}") from None
    return picture


def as_json(path: Path, probabilities: "np.ndarray") -> str:
    shares = [round(float(share), 6) for share in probabilities]
    found = {"file": str(path), "class": int(probabilities.argmax()), "probabilities": shares}
    return json.dumps(found)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.predict", description=__doc__)
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each file")
    options = parser.parse_args()

    classifier = Classifier()
    status = 0
    for path in options.images:
        try:
            _, probabilities = classifier.classify(open_image(path))
        except ValueError as error:
            print(f"{path}: {error}", file=sys.stderr)
            status = 1
            continue
        if options.json:
            print(as_json(path, probabilities))
        else:
            print(f"{path}: {words(probabilities)}")
    raise SystemExit(status)


if __name__ == "__main__":
    main()
