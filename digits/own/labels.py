"""Labels as people write them, numbers or names -> numbers from 0, and the names of the classes."""

import re
from pathlib import Path

import numpy as np

from digits.output import listed
from digits.own.common import Job, composed, natural, wrong

NO_LABEL = {"", "nan", "inf", "-inf", "n/a", "#n/a", "<na>", "null"}
NO_NUMBER = {"?", "na", "none"}  # beside numbers, which may else be names
LONGEST_LABEL = 255  # characters of a label
# a 5, a 5.0, or either as NumPy's savetxt writes it; 05 and 1.10 are names
WHOLE = re.compile(r"(0|[1-9]\d{0,14})(\.0*)?|\d\.\d{18}e\+\d\d")


def from_one_hot(labels: np.ndarray) -> np.ndarray:
    """Classes (N,) of labels (N, C) that hold a 1 where it is that, else 0; others as they are."""
    if labels.ndim != 2 or labels.shape[1] < 2 or labels.dtype.kind not in "biuf":
        return labels
    marks = np.count_nonzero(labels, axis=1)
    sums = labels.sum(axis=1)
    return labels.argmax(axis=1) if (marks == 1).all() and (sums == 1).all() else labels


def as_labels(texts: list[str]) -> np.ndarray:
    """Labels (N,) as a table has them; numbers, where all are whole, be they written 5 or 5.0."""
    if all(map(WHOLE.fullmatch, texts)):
        numbers = np.array(texts, float)
        if (numbers == np.rint(numbers)).all():
            return numbers.astype(np.int64)
    return np.array(texts, str)


def line_numbers(place: Path, given: list[str], names: list[str]) -> list[str]:
    """The numbers of the lines of classes.txt, from 0 or 1, whichever the labels count by."""
    count = len(names)
    from_0 = [str(line) for line in range(count)]
    from_1 = [str(line) for line in range(1, count + 1)]  # as in EMNIST's letters
    fitting = [numbers for numbers in (from_0, from_1) if set(given) <= set(numbers)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        expected = f"a label 0 or {count}, to tell whether lines of classes.txt count from 0 or 1"
        raise wrong(place, expected, listed(sorted(given, key=natural)))
    unknown = set(given) - {*names, *from_0, *from_1} or given
    expected = f"labels 0 to {count - 1}, or names, as classes.txt has {count}"
    raise wrong(place, expected, f"the label {listed(sorted(unknown, key=natural))}")


def numbered(place: Path, labels: list[np.ndarray], job: Job) -> tuple[list[np.ndarray], list[str]]:
    """Labels uint8 (N,) of each split, from 0 on, and the names of the classes.

    What was given counts the lines of classes.txt, from 0 or 1, or is a name itself.
    """
    values = np.concatenate([each.astype(str) for each in labels])
    distinct, codes = np.unique(values, return_inverse=True)
    given = [composed(name.strip()) for name in distinct.tolist()]
    words = [name for name in given if not WHOLE.fullmatch(name)]
    missing = NO_LABEL | (NO_NUMBER if len(words) == 1 < len(given) else set())
    if empty := [name for name in words if name.casefold() in missing]:
        raise wrong(place, "a label of each image", f"{empty[0] or 'none'} of some")
    order = job.class_names or sorted({*given}, key=natural)
    if not set(given) <= set(order):
        order = line_numbers(place, given, order)
    counting = [*map(str, range(len(order)))]
    if not job.class_names and order[0].isdecimal() and order != counting:
        job.said.append(f"labels are not 0 to {len(order) - 1}, so they are taken as names")
    places = {name: at for at, name in enumerate(order)}
    codes = np.array([places[value] for value in given])[codes].astype(np.uint8)
    ends = np.cumsum([len(each) for each in labels])
    return np.split(codes, ends[:-1]), job.class_names or order


def plain(name: str) -> str:
    """A name without what people spell now so, now otherwise: capitals, spaces, _ and -."""
    return " ".join(re.split(r"[\W_]+", composed(name).casefold().strip()))
