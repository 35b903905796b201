"""What the modules of people's own data share: types, words, and which images are test images."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from digits.idx import LATER_SPLITS, SPLITS
from digits.output import printable

# what words mean in the names of folders, files, arrays and columns
KINDS = dict.fromkeys(["x", "image", "images", "img", "imgs", "data", "pixels"], "images")
KINDS |= dict.fromkeys(["features", "inputs"], "images")
KINDS |= dict.fromkeys(["y", "label", "labels", "target", "targets"], "labels")
# a word in a name: trainLabels has two, as has xtrain
WORD = re.compile(r"^[xyXY](?=(?i:train|test|val))|[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
# columns that number the rows
INDEX = {"", "id", "imageid", "image_id", "index", "unnamed: 0"}

TABLE_HINT = "; a table that names pictures lies beside or above them"
TABLE_HINT += ", and has their names in a column: name the folder of both"
MOST_CLASSES = 256  # a label is a byte

# images uint8 (n, H, W[, 3]), labels uint8 (n,), which of them are test images; a chunk at a time
Stream = Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]
Size = int | list[int] | None


@dataclass
class Job:
    """Parameters of `datasets.folder`, a folder for scratch, and what there is to tell."""

    size: Size
    colour: bool | None
    test_share: float
    scratch: Path
    class_names: list[str] | None  # in order, as classes.txt has them
    said: list[str] = field(default_factory=list)
    # of the test images in order: their files, or rows that were chosen
    tests: list[object] = field(default_factory=list)

    @property
    def sides(self) -> tuple[int, int] | None:
        """The height and width that were asked for, if any."""
        if not self.size:
            return None
        height, width = [self.size] * 2 if isinstance(self.size, int) else self.size
        return height, width


class Picture(NamedTuple):
    """A file that may be a picture of a class."""

    path: Path
    label: str  # the class
    split: str


class Data(NamedTuple):
    """Images of shape (H, W) or (H, W, 3), and the names of their classes."""

    form: str
    shape: tuple[int, ...]
    classes: list[str]
    share: float  # of all images, which become the test set; 0 where one was given
    stream: Stream


def wrong(place: object, expected: str, found: object, hint: str = "") -> SystemExit:
    """A refusal in a line: what was found is cut to 300 letters, what to do about it never."""
    text = f"{printable(place)}: expected {expected}, found {printable(found)[:300]}"
    return SystemExit(f"{text}{hint}; see docs/own-data.md")


def composed(text: str) -> str:
    """The text with each é as one letter: a Mac takes it apart in the names of files."""
    return unicodedata.normalize("NFC", text)


def natural(name: object) -> tuple[str, str]:
    """A key that sorts 9 before 10."""
    text = str(name)
    return re.sub(r"\d+", lambda number: number[0].zfill(99), text.casefold()), text


def meaning(words: dict[str, str], *names: str) -> str | None:
    """The meaning of the first word that has one, in the first name that has such a word.

    A name of train and test, as train_test_split, says neither; val joins what is beside it.
    """
    for name in names:
        said = [words[word] for word in words_of(name) if word in words]
        splits = {"train", "val", "test"}.intersection(said)
        if len(splits) == 2 and "val" in splits:
            return min(splits - {"val"})
        if said and len(splits) < 2:
            return said[0]
    return None


def split_in(*names: str) -> str | None:
    """The split that names say; a word such as eval, only where none is plainer."""
    return meaning(SPLITS, *names) or meaning(LATER_SPLITS, *names)


def kind_of(*names: str) -> str | None:
    """Images or labels, as the first name says that says either: image_labels are labels."""
    said = ({KINDS[word] for word in words_of(name) if word in KINDS} for name in names)
    kinds = next(filter(None, said), {None})
    return "labels" if "labels" in kinds else kinds.pop()


def words_of(name: str) -> list[str]:
    return [word.casefold() for word in WORD.findall(name)]


def choose_test_split(splits: set[str], job: Job) -> tuple[str, float]:
    """The split to test on, and the share of all images where none was given; `job` is told."""
    if "test" in splits:
        if "val" in splits:
            job.said.append("val joins train")
        return "test", 0
    if "val" in splits:
        job.said.append("val is the test set")
        return "val", 0
    share = f"about {100 * job.test_share:.0f} % of the images"
    job.said.append(f"no test set, so it is {share}, by their content")
    return "test", job.test_share


def in_share(digest: bytes, share: float) -> bool:
    """Whether what has this SHA-256 is of the share: no other image has a say in it."""
    return int.from_bytes(digest[:8]) < share * 2**64
