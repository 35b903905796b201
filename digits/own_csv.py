"""CSV as on Kaggle, a label and the pixels of an image a line -> images and labels."""

import math
import re
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from digits import idx
from digits.output import listed
from digits.own_arrays import Arrays, from_arrays, spool, square, turned
from digits.own_common import (
    INDEX,
    KINDS,
    MOST_CLASSES,
    SPLITS,
    TABLE_HINT,
    Data,
    Job,
    meaning,
    wrong,
)
from digits.own_files import delimited, has_pictures, inside, opened, table_files
from digits.own_labels import LONGEST_LABEL, as_labels

FEW_COLUMNS = 100  # more of any name are pixels
FEWEST_PIXELS = 16  # of an image: fewer numbers are of something else


def from_csv(path: Path, job: Job) -> Data | None:
    """train.csv, a label and its pixels a line: one file, or those called train, val or test."""
    files = table_files(inside(path))
    if not files or any(map(has_pictures, filter(Path.is_dir, inside(path)))):
        return None
    found: dict[str, Arrays] = {}
    left = []
    for file in files:
        split = "train" if len(files) == 1 else meaning(SPLITS, file.stem)
        if not split:
            left.append(f"{file.name} (called neither train nor test)")
        elif split in found:
            raise wrong(file, f"one CSV file of {split} images", "two")
        elif read := read_csv(file, split, job):
            found[split] = read
        else:
            left.append(f"{file.name} (without labels)")
    if "train" not in found:
        names = listed(file.name for file in files)
        raise wrong(files[0].parent, "a CSV file with labels, or train.csv and test.csv", names)
    if left:
        job.said.append(f"left out: {listed(left)}")
    return from_arrays("CSV", path, list(found.values()), job)


class Columns(NamedTuple):
    """Where a CSV has the label, and perhaps the number of the row; its images have this shape."""

    label: int | None  # None: the first, as no name says which
    number: int | None
    shape: tuple[int, ...]


def read_csv(file: Path, split: str, job: Job) -> Arrays | None:
    """Lines of a label, as text, and the pixels of an image; None where they are pixels alone."""
    with opened(file) as text:
        mark, start, rest = delimited(text)
        first = next(rest, "")
        fields = [field.strip(' "\n').casefold() for field in first.split(mark)]
        columns = columns_in(file, fields)
        if columns is None:
            return None
        check_pixels(file, fields, columns)
        if columns.number is not None:
            job.said.append(f"column {columns.number + 1} of {file.name} numbers the rows")
        lines = enumerate(chain([first], rest), start)
        if is_header(fields):
            next(lines)
        texts: list[str] = []
        rows = csv_rows(file, lines, mark, len(fields), columns, texts)
        pixels = spool(rows, job.scratch / split, np.float32, (math.prod(columns.shape),))
    labels = as_labels(texts)
    last = pixels[:, -1]
    if columns.label is None and not count_classes(labels) and count_classes(last):
        expected = "labels in the first column, or a header that says where"
        raise wrong(file, expected, f"{len(np.unique(last))} classes in the last")
    return Arrays(split, turned(file, pixels.reshape(-1, *columns.shape), job), labels)


def count_classes(labels: np.ndarray) -> bool:
    """Whether they are 0, 1, 2 ... or 1, 2, 3 ..., two of them or more."""
    distinct = np.unique(labels)
    if distinct.dtype.kind not in "if" or not 2 <= len(distinct) <= MOST_CLASSES:
        return False
    return distinct[0] in (0, 1) and (np.diff(distinct) == 1).all()


def columns_in(file: Path, fields: list[str]) -> Columns | None:
    """What the fields of a first line say of the columns; None where no column has labels."""
    label = label_column(fields)
    index = [at for at, name in enumerate(fields) if name in INDEX]
    shape = square(len(fields) - 2)
    if shape and len(index) == 1 and label not in (None, *index):
        return Columns(label, index[0], shape)
    if shape := square(len(fields) - 1):
        ids_alone = label is not None and fields[label] in INDEX
        return None if ids_alone else Columns(label, None, shape)
    if label is None and square(len(fields)):
        return None
    expected = "lines of a label and the pixels of a square image"
    hint = "; is one an index? leave it out" if square(len(fields) - 2) else ""
    if "pixels" in fields:
        hint = "; give each pixel a column of its own"
    elif len(fields) <= FEWEST_PIXELS:
        hint = TABLE_HINT
    raise wrong(file, expected, f"{len(fields):,} columns", hint)


def check_pixels(file: Path, fields: list[str], columns: Columns) -> None:
    """SystemExit where names or numbers of columns are none of pixels, but of measurements."""
    names = [name for at, name in enumerate(fields) if at not in (columns.label, columns.number)]
    words = [name for name in names if not re.search(r"\d", name)]
    if is_header(fields) and 2 * len({*words}) > len(names) and len(names) < FEW_COLUMNS:
        raise wrong(file, "columns of pixels, as pixel0, pixel1", listed(words))
    if (count := math.prod(columns.shape)) < FEWEST_PIXELS:
        raise wrong(file, f"at least {FEWEST_PIXELS} pixels a line", count)


def label_column(fields: list[str]) -> int | None:
    """The column of labels by its name; None where names say nothing, and it is the first."""
    called = [at for at, name in enumerate(fields) if KINDS.get(name) == "labels"]
    if not called and is_header(fields):  # it is called otherwise than pixel1, pixel2, ...
        called = [at for at, name in enumerate(fields) if not re.search(r"\d", name)]
        called = [at for at in called if fields[at] not in INDEX] or called
    return called[0] if called else None


def is_header(fields: list[str]) -> bool:
    """Whether these are names of columns, as Pandas' are that count from 0."""
    if len({*fields}) == len(fields) and {"0", "0.1", "0.2"} <= {*fields}:
        return True  # that Pandas made of a first line with many 0
    digits = [name for name in fields if name.isdecimal()]
    if len(digits) >= len(fields) - 2:  # a label, and an index
        start = int(digits[:1] == ["1"])
        return digits == [str(start + at) for at in range(len(digits))]
    return not re.fullmatch(r"[-+]?[.\d]+(e[-+]?\d+)?|nan|", fields[len(fields) // 2])


def csv_rows(
    file: Path,
    lines: Iterator[tuple[int, str]],
    mark: str,
    width: int,
    columns: Columns,
    labels: list[str],
) -> Iterator[np.ndarray]:
    """Yield pixels float32 (n, P); add each line's label to `labels`."""
    at = columns.label or 0
    pixels = [column for column in range(width) if column not in (at, columns.number)]
    full = ((number, line.replace('"', "")) for number, line in lines if line.strip())
    while batch := list(islice(full, max(1, idx.CHUNK // 4 // width))):
        for number, line in batch:
            cells = line.split(mark)
            if len(cells) != width:
                raise wrong(f"{file}, line {number}", f"{width:,} columns", f"{len(cells):,}")
            if len(cells[at]) > LONGEST_LABEL:
                found = f"one of {len(cells[at]):,}"
                raise wrong(
                    f"{file}, line {number}", f"a label of at most {LONGEST_LABEL} letters", found
                )
            labels.append(cells[at].strip())
        texts = [line for _, line in batch]
        try:
            yield np.loadtxt(
                texts, np.float32, comments=None, delimiter=mark, usecols=pixels, ndmin=2
            )
        except ValueError as error:
            why, _, row = str(error).partition(" at row ")
            number = batch[int(row.partition(",")[0] or 0)][0]
            raise wrong(f"{file}, line {number}", "numbers as pixels", why) from None
