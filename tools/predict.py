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
        from digits import determinism, network, params, preparation  # late: TensorFlow

        self.params = params.read()
        if not network.FILE.exists():
            raise SystemExit(f"{network.FILE}: not there; train the network first: dvc repro")
        determinism.pin(self.params.threads, self.params.instructions)
        trained = network.load(network.FILE)
        self.data = preparation.read()
        self.forward = network.forward(trained, self.params.replicas)
        self.views = self.params.evaluate.test_time_augmentation[self.params.recipe]

    def image(self, picture: "Image.Image") -> "np.ndarray":
        """The picture as images (H, W, C) were in training; ValueError where there is no ink."""
        from digits import pictures
        from tools import scan

        height, width = self.data.height, self.data.width
        pixels = pictures.to_array(picture, height, width, self.data.channels)
        as_trained = picture.size == (width, height) and self.data.has_paper_of(pixels)
        if self.data.search and not as_trained:
            return scan.scan(picture, height, width)
        return self.data.normalise(pixels)[0]

    def classify(self, picture: "Image.Image") -> tuple["np.ndarray", "np.ndarray"]:
        """Return the image (H, W, C) as the network gets it, and its probabilities (K,).

        ValueError where nothing is drawn in the picture.
        """
        from digits import prediction

        image = self.image(picture)
        augment = self.params.selected.augment
        [probabilities] = prediction.predict(self.forward, image[None], augment, self.views)
        return image, probabilities[0]

    def words(self, probabilities: "np.ndarray") -> str:
        """What probabilities say: `7 (99.8 %)`, or `not confident: 7 (61.0 %) or 1 (33.1 %)`."""
        first, second = (-probabilities).argsort(kind="stable")[:2]
        names = self.data.classes
        best = f"{names[first]} ({100 * probabilities[first]:.1f} %)"
        if probabilities[first] >= CONFIDENT:
            return best
        return f"not confident: {best} or {names[second]} ({100 * probabilities[second]:.1f} %)"


def as_json(path: Path, probabilities: "np.ndarray", classes: list[str]) -> str:
    best = int(probabilities.argmax())
    found: dict[str, object] = {"file": str(path), "class": best, "name": classes[best]}
    found["probabilities"] = [round(float(share), 6) for share in probabilities]
    return json.dumps(found)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.predict", description=__doc__)
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each file")
    options = parser.parse_args()

    from digits import output, pictures

    classifier = Classifier()
    status = 0
    for path in options.images:
        try:
            _, probabilities = classifier.classify(pictures.open(path))
        except ValueError as error:
            print(f"{output.printable(path)}: {error}", file=sys.stderr)
            status = 1
            continue
        if options.json:
            print(as_json(path, probabilities, classifier.data.classes))
        else:
            print(f"{output.printable(path)}: {classifier.words(probabilities)}")
    raise SystemExit(status)


if __name__ == "__main__":
    main()
