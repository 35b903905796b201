"""Say what the trained network reads in image files: photos, scans or drawings of symbols.

A photo of other things, where it was trained on such, is taken as a whole. Prints a line for each
line of symbols: what it reads, and how sure it is of the symbol that it is least sure of. Where
that is not much, it names the next choice. Status 1 where a file holds no symbol.
"""

import argparse
import json
import sys
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools import commands, dvc_lock

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from tools import doubt

EVALUATION = Path("reports/evaluation.json")
CONFIDENT = 0.9  # a lower confidence is told with the second choice
LEAST = 0.001  # a second choice that is less likely is none
UNLIKE = 0.005  # of the probabilities are to be believed: what is there is no symbol
SEVERAL = 4  # symbols or more, of which most are not sure: a word, a page, a texture
NONE = "no symbol found: what is in it looks like none of the classes"


@dataclass
class Read:
    """What the network takes a symbol for."""

    image: "np.ndarray"  # float32 (H, W, C), as the network gets it
    box: list[int]  # left, top, right, bottom in pixels of the upright picture
    probabilities: "np.ndarray"  # (K,), as the network gives them
    trust: float  # the part of them that is to be believed

    @property
    def confidence(self) -> float:
        return self.trust * float(self.probabilities.max())

    @property
    def ranked(self) -> list[int]:
        """The classes, the likeliest first."""
        order: list[int] = (-self.probabilities).argsort(kind="stable").tolist()
        return order


Line = list[Read]


def confidence(line: Line) -> float:
    """That of the least sure symbol."""
    return min(symbol.confidence for symbol in line)


def likeliest(line: Line) -> list[int]:
    """The class of each symbol."""
    return [symbol.ranked[0] for symbol in line]


def text(choices: list[int], classes: list[str]) -> str:
    """Names of one letter side by side, others with a space between."""
    names = [classes[choice] for choice in choices]
    return ("" if all(len(name) == 1 for name in classes) else " ").join(names)


def words(line: Line, classes: list[str]) -> str:
    """What is read: `42 (99.8 %)`, or `not confident: 42 (61.0 %) or 47 (33.1 %)`."""
    choices = likeliest(line)
    best = f"{text(choices, classes)} ({100 * confidence(line):.1f} %)"
    if confidence(line) >= CONFIDENT:
        return best
    weakest = min(range(len(line)), key=lambda place: line[place].confidence)
    second = line[weakest].ranked[1]
    share = line[weakest].trust * float(line[weakest].probabilities[second])
    if share < LEAST:
        return f"not confident: {best}"
    choices[weakest] = second
    return f"not confident: {best} or {text(choices, classes)} ({100 * share:.1f} %)"


def with_opencv() -> Any:
    """The module tools.doubt; SystemExit without OpenCV, which only pictures of ink need."""
    try:
        from tools import doubt
    except ModuleNotFoundError as error:
        if error.name != "cv2":
            raise
        raise SystemExit(
            "predict: expected OpenCV, which finds ink in photos; found none; "
            "to install it: make .venv/ready-predict"
        ) from None
    return doubt


class Classifier:
    """The trained network of this checkout, with the test-time augmentation that it was judged by.

    reports/evaluation.json has its recipe and the number of views, dvc.lock the bounds: params.yaml
    may have other values by now.
    """

    def __init__(self) -> None:
        from digits import metrics, params

        values = params.read()
        if not EVALUATION.exists():
            raise SystemExit(f"{EVALUATION}: not there; to get it: dvc pull, or dvc repro")
        run = metrics.read_values(EVALUATION, "test_time_augmentation")
        self.recipe, self.views = run.get("recipe", ""), run["test_time_augmentation"]
        augment = dvc_lock.params().get(f"recipes.{self.recipe}.augment")
        try:
            self.augment = params.Augment.model_validate(augment)
        except ValueError:  # as of None
            said = f"expected the run of {EVALUATION}, by recipe {self.recipe}, found another"
            raise SystemExit(f"{dvc_lock.FILE}: {said}; to have both of one: dvc repro") from None

        from digits import determinism, network, preparation  # late: TensorFlow takes seconds

        determinism.pin(values.threads, values.instructions)
        trained = network.load(network.FILE)
        if dvc_lock.is_another(network.FILE):
            said = "of another run than dvc.lock; to get that one: dvc checkout"
            print(f"{network.FILE}: {said}", file=sys.stderr)
        self.data = preparation.read()
        self.classes = self.data.classes
        self.forward = network.forward(trained, values.replicas)

    @cached_property
    def familiar(self) -> "doubt.Familiar":
        """What training images look like; only photos that are searched for ink are compared."""
        from digits import arrays, output

        doubt = with_opencv()
        images, labels = (
            arrays.read(f"train_{kind}")[: doubt.SEEN] for kind in ("images", "labels")
        )
        with output.waiting("looks at training images ..."):
            return doubt.Familiar(images, labels.argmax(axis=1))

    def taken_as_is(self, picture: "Image.Image") -> "np.ndarray | None":
        """The image (H, W, C) as in training; None for a photo, which is searched for ink."""
        from digits import pictures

        height, width = self.data.height, self.data.width
        if self.data.search and picture.size != (width, height):
            return None
        pixels = pictures.to_array(picture, height, width, self.data.channels)
        if self.data.search and self.data.has_other_paper(pixels):
            return None
        return self.data.normalise(pixels)[0]

    def probabilities(self, images: "np.ndarray") -> "np.ndarray":
        """Those of the classes (n, K) for images (n, H, W, C)."""
        import numpy as np

        from digits import prediction

        batches = prediction.predict(self.forward, images, self.augment, self.views)
        return np.concatenate(list(batches))

    def read(self, picture: "Image.Image") -> list[Line]:
        """Read a picture's lines of symbols; ValueError where there are none."""
        import numpy as np

        from digits import pictures
        from digits.output import listed

        image = self.taken_as_is(picture)
        if image is not None:
            [probabilities] = self.probabilities(image[None])
            return [[Read(image, [0, 0, *picture.size], probabilities, 1)]]
        familiar = self.familiar
        from tools import scan

        pixels = np.asarray(pictures.upright(picture))
        found = scan.scan(pixels, self.data.height, self.data.width)
        images = np.stack([image for line in found for image, _ in line])
        probabilities = self.probabilities(images)
        trust = familiar.trust(images, probabilities.argmax(axis=1))
        rest = zip(probabilities, trust.tolist())
        lines = [[Read(image, box, *next(rest)) for image, box in line] for line in found]
        unsure = np.mean([symbol.confidence < CONFIDENT for line in lines for symbol in line])
        if np.median(trust) < UNLIKE or (len(images) >= SEVERAL and unsure > 0.5):
            raise ValueError(f"{NONE} ({listed(self.classes)})")
        return lines


def files(path: Path) -> list[Path]:
    """A file alone, or the pictures in and below a folder; says which files there are none."""
    from digits.output import listed, printable
    from digits.own.files import MAY_SHOW, advice, below, ending, is_picture

    if not path.is_dir():
        return [path]
    found = below(path, Counter())
    others = [file for file in found if not is_picture(file)]
    if others:
        names = listed(file.relative_to(path) for file in others)
        what_to_do = advice(end for end in map(ending, others) if end in MAY_SHOW)
        print(f"{printable(path)}: left out: {names}{what_to_do}", file=sys.stderr)
    return list(filter(is_picture, found)) or [path]


def as_json(path: Path, lines: list[Line], classes: list[str]) -> str:
    symbols = []
    for symbol in (symbol for line in lines for symbol in line):
        best = symbol.ranked[0]
        shares = [round(float(share), 6) for share in symbol.probabilities]
        entry = {"class": best, "name": classes[best], "confidence": round(symbol.confidence, 6)}
        symbols.append({**entry, "probabilities": shares, "box": symbol.box})
    found: dict[str, Any] = {"file": str(path)}
    found["read"] = "\n".join(text(likeliest(line), classes) for line in lines)
    found["confidence"] = round(min(map(confidence, lines)), 6)
    return json.dumps({**found, "symbols": symbols})


def main() -> None:
    usage = 'python -m tools.predict [--json] IMAGE ...\n   or: make predict ARGS="IMAGE ..."'
    parser = argparse.ArgumentParser(usage=usage, description=__doc__)
    what = "a picture, or a folder of pictures"
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help=what)
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each file")
    options = parser.parse_args()
    commands.end_with_reader()

    from digits import output, pictures

    classifier = None
    status = 0
    for path in chain.from_iterable(map(files, options.images)):
        name = output.printable(path)
        try:
            picture = pictures.open(path)
            # only now, since TensorFlow takes seconds to start
            if not classifier:
                classifier = Classifier()
                if not options.json:
                    asked = f"{classifier.recipe}, trained on {classifier.data.name}"
                    print(f"asking the network of the last run: {asked}", file=sys.stderr)
            lines = classifier.read(picture)
        except ValueError as error:
            print(f"{name}: {error}", file=sys.stderr)
            if options.json:
                print(json.dumps({"file": str(path), "read": None, "error": str(error)}))
            status = 1
            continue
        if options.json:
            print(as_json(path, lines, classifier.classes))
            continue
        for line in lines:
            print(f"{name}: {words(line, classifier.classes)}")
    raise SystemExit(status)


if __name__ == "__main__":
    main()
