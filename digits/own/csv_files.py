"""CSV as on Kaggle, a label and the pixels of an image a line -> images and labels."""

import csv
import math
import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from digits import idx
from digits.idx import SPLITS
from digits.output import listed, printable
from digits.own.arrays import FEWEST_PIXELS, Arrays, chunks, from_arrays, spool, square, turned
from digits.own.columns import SPLIT_COLUMNS, SPLIT_FLAGS, split_said
from digits.own.common import (
    INDEX,
    KINDS,
    MOST_CLASSES,
    TABLE_HINT,
    Data,
    Job,
    meaning,
    split_in,
    wrong,
)
from digits.own.files import (
    RENAME,
    array_files,
    beside_pictures,
    delimited,
    is_predicted,
    names_of,
    opened,
    table_files,
)
from digits.own.labels import LONGEST_LABEL, as_labels

FEW_COLUMNS = 100  # more of any name are pixels
SAY_SPLITS = {*SPLIT_COLUMNS, *SPLIT_FLAGS, "set", "usage"}  # columns; the last is FER2013's
NUMBER = re.compile(r"[-+]?[.\d]+(e[-+]?\d+)?|nan|", re.IGNORECASE)


def from_csv(path: Path, job: Job) -> Data | None:
    """train.csv, a label and its pixels a line: one file, or those called train, val or test."""
    files = table_files(array_files(path))
    if not files or beside_pictures(path):
        return None
    found: dict[str, Arrays] = {}
    left = []
    for file in files:
        name, *above = names_of(file, path)
        split = split_in(name, *above)
        if len(files) == 1:
            split = meaning(SPLITS, *above) or "train"
        if not split:
            left.append(f"{file.name} (called neither train nor test)")
            continue
        if len(files) > 1 and is_predicted(Path(file.name)):
            left.append(f"{file.name} (called as a model's results)")
            continue
        if len(files) > 1 and not has_pixels(file):
            left.append(f"{file.name} (without pixels)")
            continue
        read = read_csv(file, split, job)
        if not read:
            left.append(f"{file.name} (without labels)")
        if twice := read.keys() & found.keys():
            hint = "; leave one out, or join them"
            raise wrong(file, f"one CSV file of {min(twice)} images", "two", hint)
        found |= read
    if "train" not in found:
        names = listed(file.relative_to(path) for file in files)
        instead = f"images of {listed(found)} alone" if found else names
        raise wrong(path, "a CSV file with labels, or train.csv and test.csv", instead)
    if left:
        job.said.append(f"left out: {listed(left)}")
    return from_arrays("CSV", path, list(found.values()), job)


class Columns(NamedTuple):
    """Which columns of a CSV hold no pixels; its images have this shape."""

    label: int
    named: bool  # that the label is there; else it is the first that may be it
    number: int | None  # of the row
    split: int | None
    shape: tuple[int, ...]


def has_pixels(file: Path) -> bool:
    """Whether it has as many columns as the fewest pixels, or all of an image in a cell."""
    with opened(file) as text:
        mark, _, rest = delimited(text)
        return next(spread(rest, mark), "").count(mark) >= FEWEST_PIXELS


def read_csv(file: Path, split: str, job: Job) -> dict[str, Arrays]:
    """Lines of a label, as text, and the pixels of an image; none where they are pixels alone.

    All are of `split`, but where a column says otherwise.
    """
    with opened(file) as text:
        mark, start, rest = delimited(text)
        rest = spread(rest, mark)
        first = next(rest, "")
        fields = [bare(field).casefold() for field in first.split(mark)]
        columns = columns_in(file, fields)
        if columns is None:
            return {}
        check_pixels(file, fields, columns)
        if columns.number is not None:
            job.said.append(f"column {columns.number + 1} of {file.name} numbers the rows")
        if columns.split is not None:
            job.said.append(f"splits by {fields[columns.split]} of {file.name}")
        lines = enumerate(chain([first], rest), start)
        if is_header(fields):
            next(lines)
        words: dict[int, list[str]] = {columns.label: []}
        if columns.split is not None:
            words[columns.split] = []
        bar = tqdm(lines, desc="reading", unit=" lines", disable=None)
        rows = csv_rows(file, bar, mark, len(fields), columns, words)
        pixels = spool(rows, job.scratch / f"{split}-rows", np.float32, (math.prod(columns.shape),))
    texts = words[columns.label]
    numbered = KINDS.get(fields[columns.label]) != "labels" and len({*texts}) == len(texts)
    if split != "train" and numbered:
        return {}  # of an unlabelled test set
    labels = as_labels(texts)
    check_splits_alone(file, fields[columns.label], texts)
    if not columns.named:
        check_last(file, labels, pixels[:, -1])
    read = Arrays(split, turned(file, pixels.reshape(-1, *columns.shape), job), labels)
    if columns.split is None:
        return {split: read}
    return parted(file, read, fields[columns.split], words[columns.split], job.scratch)


def check_splits_alone(file: Path, column: str, words: list[str]) -> None:
    """SystemExit where the column that is left for labels holds splits."""
    said = {split_said(column, word) for word in {*words}}
    if None not in said and (column in SAY_SPLITS or len(said) > 1):
        raise wrong(file, "a column of labels", f"{column} alone, which says splits")


def check_last(file: Path, labels: np.ndarray, last: np.ndarray) -> None:
    """SystemExit where not the first column but the last seems to hold labels."""
    count = len(np.unique(labels))
    fewer = 2 <= len(np.unique(last)) < count and (last == np.rint(last)).all()
    swapped = count_classes(last) or fewer
    if count_classes(labels):  # so are the values of a pixel, in many photos
        swapped = count_classes(last) and fewer and count > MOST_CLASSES // 2
    if swapped:
        expected = "labels in the first column, or a header that says where"
        raise wrong(file, expected, f"{len(np.unique(last))} classes in the last")


def parted(
    file: Path, read: Arrays, column: str, words: list[str], scratch: Path
) -> dict[str, Arrays]:
    """The images and labels of each split, as a word for each in a column of this name says."""
    split_of = {word: split_said(column, word) for word in words}
    if others := [word for word, split in split_of.items() if not split]:
        expected = "0 or 1" if column in SPLIT_FLAGS else "train, val or test"
        hint = "; or call that column otherwise"
        raise wrong(file, f"{expected} in the column {column}", listed(others), hint)
    splits = np.array([split_of[word] for word in words])
    found = {}
    for split in sorted({*splits.tolist()}):
        of_it = splits == split
        rows = (some[of_it[start : start + len(some)]] for start, some in chunks(read.images))
        images = spool(rows, scratch / split, np.float32, read.images.shape[1:])
        found[split] = Arrays(split, images, read.labels[of_it], np.flatnonzero(of_it))
    return found


def spread(lines: Iterator[str], mark: str) -> Iterator[str]:
    """The lines with a cell for each pixel, where one cell has all of an image, as FER2013's."""
    head, first = next(lines, ""), next(lines, "")
    lines = chain([first], lines)
    cells = first.split(mark)
    images = [at for at, cell in enumerate(cells) if is_image(cell)]
    if len(images) != 1:
        return chain([head], lines)
    [at] = images
    names = head.split(mark)
    if len(names) == len(cells) and not is_image(names[at]):
        names[at] = " ".join(f"pixel{number}" for number in range(len(cells[at].split())))

    def apart(line: str) -> str:
        parts = line.split(mark)
        if at < len(parts):  # a line that is cut off is told later
            parts[at] = mark.join(bare(parts[at]).split())
        return mark.join(parts)

    return map(apart, chain([mark.join(names)], lines))


def is_image(cell: str) -> bool:
    """Whether it holds as many numbers as the fewest pixels that an image has, or more."""
    numbers = bare(cell).split()
    return len(numbers) >= FEWEST_PIXELS and all(map(NUMBER.fullmatch, numbers[:FEWEST_PIXELS]))


def bare(cell: str) -> str:
    return cell.strip(' "\n')


def count_classes(labels: np.ndarray) -> bool:
    """Whether they are 0, 1, 2 ... or 1, 2, 3 ..., two of them or more."""
    distinct = np.unique(labels)
    if distinct.dtype.kind not in "if" or not 2 <= len(distinct) <= MOST_CLASSES:
        return False
    return distinct[0] in (0, 1) and (np.diff(distinct) == 1).all()


def columns_in(file: Path, fields: list[str]) -> Columns | None:
    """What the fields of a first line say of the columns; None where no column has labels."""
    split = next((at for at, name in enumerate(fields) if name in SAY_SPLITS), None)
    if square(len(fields) - 1) and "labels" not in map(KINDS.get, fields):
        split = None  # it is the label, as the usage of land
    others = [at for at in range(len(fields)) if at != split]
    index = [at for at in others if fields[at] in INDEX]
    called = called_labels(fields, others)
    named, label = bool(called), [*called, *others][0]
    shape = square(len(others) - 2)
    if shape and len(index) == 1 and named and label not in index:
        return Columns(label, named, index[0], split, shape)
    if not named and square(len(others)):
        return None
    if shape := square(len(others) - 1):
        ids_alone = named and label in index
        return None if ids_alone else Columns(label, named, None, split, shape)
    expected = "lines of a label and the pixels of a square image"
    words = [name for name in fields if not re.search(r"\d", name)]
    hint = "; is one an index? leave it out" if square(len(others) - 2) else ""
    if "pixels" in fields:
        hint = "; write all of an image in a cell as 0 255 0, or give each a column"
    elif len(fields) <= FEWEST_PIXELS:
        hint = TABLE_HINT
        if is_predicted(Path(file.name)):
            hint = f"; {printable(file.name)} {RENAME}"
    elif is_header(fields) and len(words) > 1:
        hint = f"; leave out all of {listed(words)} but the label, and splits in a column split"
    raise wrong(file, expected, f"{len(fields):,} columns", hint)


def check_pixels(file: Path, fields: list[str], columns: Columns) -> None:
    """SystemExit where names or numbers of columns are none of pixels, but of measurements."""
    aside = (columns.label, columns.number, columns.split)
    names = [name for at, name in enumerate(fields) if at not in aside]
    words = [name for name in names if not re.search(r"\d", name)]
    if is_header(fields) and 2 * len({*words}) > len(names) and len(names) < FEW_COLUMNS:
        raise wrong(file, "columns of pixels, as pixel0, pixel1", listed(words))
    if is_header(fields):
        check_order(file, names)
    if (count := math.prod(columns.shape)) < FEWEST_PIXELS:
        raise wrong(file, f"at least {FEWEST_PIXELS} pixels a line", count)


def check_order(file: Path, names: list[str]) -> None:
    """SystemExit where pixels are called pixel0, pixel1, pixel10, as sorted by their letters."""
    matches = [match for name in names if (match := re.fullmatch(r"(\D*)(\d+)", name))]
    if len(matches) < len(names) or len({match[1] for match in matches}) > 1:
        return
    for before, after in pairwise(matches):
        if int(after[2]) < int(before[2]):
            found = f"{after[0]} after {before[0]}"
            raise wrong(file, "pixels in the order of their numbers", found, "; sort the columns")


def called_labels(fields: list[str], others: list[int]) -> list[int]:
    """Which of these columns are called as labels are, or else otherwise than pixels."""
    called = [at for at in others if KINDS.get(fields[at]) == "labels"]
    if not called and is_header(fields):  # pixels are called pixel1, pixel2, ...
        called = [at for at in others if not re.search(r"\d", fields[at])]
        called = [at for at in called if fields[at] not in INDEX] or called
    return called


def is_header(fields: list[str]) -> bool:
    """Whether these are names of columns, as Pandas' are that count from 0."""
    if len({*fields}) == len(fields) and {"0", "0.1", "0.2"} <= {*fields}:
        return True  # that Pandas made of a first line with many 0
    if any(KINDS.get(name) == "labels" for name in fields if len(name) > 1):  # y may be a label
        return True
    digits = [name for name in fields if name.isdecimal()]
    if len(digits) >= len(fields) - 3:  # a label, an index and a split
        start = int(digits[:1] == ["1"])
        return digits == [str(start + at) for at in range(len(digits))]
    return not NUMBER.fullmatch(fields[len(fields) // 2])


def csv_rows(
    file: Path,
    lines: Iterable[tuple[int, str]],
    mark: str,
    width: int,
    columns: Columns,
    words: dict[int, list[str]],
) -> Iterator[np.ndarray]:
    """Yield pixels float32 (n, P); add what each line has in the columns of `words`."""
    pixels = [column for column in range(width) if column not in (*words, columns.number)]
    full = ((number, line) for number, line in lines if line.strip())
    while batch := list(islice(full, max(1, idx.CHUNK // 4 // width))):
        for number, line in batch:
            cells = next(csv.reader([line], delimiter=mark)) if '"' in line else line.split(mark)
            if len(cells) != width:
                raise wrong(f"{file}, line {number}", f"{width:,} columns", f"{len(cells):,}")
            for at, texts in words.items():
                if len(cells[at]) > LONGEST_LABEL:
                    expected = f"a label of at most {LONGEST_LABEL} letters"
                    found = f"one of {len(cells[at]):,}"
                    raise wrong(f"{file}, line {number}", expected, found)
                texts.append(cells[at].strip())
        rest = [line for _, line in batch]
        try:
            yield np.loadtxt(
                rest,
                np.float32,
                comments=None,
                delimiter=mark,
                quotechar='"',
                usecols=pixels,
                ndmin=2,
            )
        except ValueError as error:
            why, _, row = str(error).partition(" at row ")
            number = batch[int(row.partition(",")[0] or 0)][0]
            raise wrong(f"{file}, line {number}", "numbers as pixels", why) from None
