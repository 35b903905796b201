"""NumPy's arrays, CSV as on Kaggle, or IDX files -> images and labels, a chunk at a time.

Nothing of it is trusted: no pickle is loaded, and what unpacks to far more than its size is
refused.
"""

import errno
import hashlib
import math
import re
import shutil
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain, islice, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from digits import idx, pictures
from digits.output import printable
from digits.own_common import (
    INDEX,
    KINDS,
    SPLITS,
    TABLE,
    Data,
    Job,
    Stream,
    choose_test_split,
    common_size,
    delimited,
    ending,
    in_share,
    kind_of,
    listed,
    meaning,
    natural,
    opened,
    wrong,
)

FEWEST = 10  # columns of a table of images: a label, and 3 x 3 pixels
LABEL = 255  # characters of a label
# a 5, a 5.0, or either as NumPy's savetxt writes it; 05 and 1.10 are names
WHOLE = re.compile(r"(0|[1-9]\d{0,14})(\.0*)?|\d\.\d{18}e\+\d\d")
BOMB = 500  # times its packed size: images do not pack that well
DARK = 64  # the largest value of a whole data set is higher where 255 is white


class Arrays(NamedTuple):
    """Images (N, ...) of any type and labels (N, ...), numbers or names, as they were found."""

    split: str
    images: np.ndarray
    labels: np.ndarray


def from_arrays(
    form: str, place: Path, found: list[Arrays], names: list[str] | None, job: Job
) -> Data:
    """Look at all values for what they have in common; they are written a chunk at a time."""
    flat = form == "CSV" or found[0].images.ndim == 2
    found = [as_images(place, one) for one in found]
    given = found[0].images.shape[1:]
    for one in found:
        if one.images.shape[1:] != given:
            raise wrong(place, f"images of {given} in all", one.images.shape[1:])
    if len(given) == 3 and flat:
        job.said.append("each pixel's red, green and blue are taken to stand side by side")
    codes, classes = numbered(place, [one.labels for one in found], names, job)
    scales = [pixel_scale(place, one, job) for one in found]
    split, share = choose_test_split({one.split for one in found}, job)
    colour = len(given) == 3 if job.colour is None else job.colour
    sides = common_size(Counter(), job) if job.size else given[:2]
    full = (*sides, 3 if colour else 1)
    shape = full if colour else full[:2]

    def stream() -> Stream:
        for one, labels, scale in zip(found, codes, scales):
            for start, rows in chunks(one.images):
                if rows.dtype != np.uint8 or scale != 1:
                    rows = np.rint(np.multiply(rows, scale, dtype=np.float32)).astype(np.uint8)
                held = np.full(len(rows), one.split == split)
                if share:
                    digests = [hashlib.sha256(row.tobytes()).digest() for row in rows]
                    held = np.array([in_share(digest, share) for digest in digests])
                    job.tests.extend(start + np.flatnonzero(held))
                if rows.shape[1:] != shape:
                    fitted = (pictures.to_array(Image.fromarray(row), *full) for row in rows)
                    rows = np.stack([*fitted])
                yield rows, labels[start : start + len(rows)], held

    return Data(form, shape, classes, stream())


def as_images(place: Path, one: Arrays) -> Arrays:
    """Images (N, H, W) or (N, H, W, 3), however they were given, and labels (N,)."""
    images = one.images
    if images.ndim == 4 and images.shape[1] in (1, 3) and images.shape[3] not in (1, 3):
        images = np.moveaxis(images, 1, 3)  # as PyTorch has them
    count, *sides = images.shape or (0,)
    if len(sides) == 1:
        sides = [*(square(sides[0]) or sides)]
    if sides[2:] == [1]:
        sides.pop()
    if len(sides) not in (2, 3) or sides[2:] not in ([], [3]) or not count * math.prod(sides):
        raise wrong(place, "images (N, H, W) or (N, H, W, 3)", f"an array {one.images.shape}")
    if images.dtype.kind not in "biuf":
        raise wrong(place, "numbers as pixels", images.dtype)
    labels = from_one_hot(one.labels)
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, errors="replace")
    usable = labels.dtype.kind in "biufU" and labels.itemsize <= 4 * LABEL
    if labels.size != count or labels.shape[:1] != (count,) or not usable:
        expected = f"{count:,} labels, one for each {one.split} image"
        raise wrong(place, expected, f"an array {labels.shape} of {labels.dtype}")
    if labels.dtype.kind == "f" and (labels == labels.astype(np.int64)).all():
        labels = labels.astype(np.int64)
    return Arrays(one.split, images.reshape(count, *sides), labels.reshape(count))


def from_one_hot(labels: np.ndarray) -> np.ndarray:
    """Classes (N,) of labels (N, C) that hold a 1 where it is that, else 0; others as they are."""
    if labels.ndim != 2 or labels.shape[1] < 2 or labels.dtype.kind not in "biuf":
        return labels
    marks = np.count_nonzero(labels, axis=1)
    sums = labels.sum(axis=1)
    return labels.argmax(axis=1) if (marks == 1).all() and (sums == 1).all() else labels


def square(count: int) -> tuple[int, ...] | None:
    """The shape of an image of so many values: (H, H), or (H, H, 3); None if it is no square."""
    for colours in ((), (3,)):
        side = math.isqrt(max(0, count) // math.prod(colours))
        if side > 1 and count == side * side * math.prod(colours):
            return side, side, *colours
    return None


def chunks(images: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Some rows at a time, each with the number of its first."""
    step = max(1, idx.CHUNK // images[:1].nbytes)
    return ((start, images[start : start + step]) for start in range(0, len(images), step))


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


def numbered(
    place: Path, labels: list[np.ndarray], names: list[str] | None, job: Job
) -> tuple[list[np.ndarray], list[str]]:
    """Labels uint8 (N,) of each split, from 0 on, and the names of the classes.

    What was given counts the lines of classes.txt, from 0 or 1, or is a name itself.
    """
    values = np.concatenate([each.astype(str) for each in labels])
    distinct, codes = np.unique(values, return_inverse=True)
    given = distinct.tolist()
    if empty := [name for name in given if name.strip().casefold() in ("", "nan", "inf", "-inf")]:
        raise wrong(place, "a label of each image", f"{empty[0] or 'none'} of some")
    order = names or sorted(given, key=natural)
    if not set(given) <= set(order):
        order = line_numbers(place, given, order)
    if not names and order[0].isdecimal() and order != [str(at) for at in range(len(order))]:
        job.said.append(f"labels are not 0 to {len(order) - 1}, so they are taken as names")
    places = {name: at for at, name in enumerate(order)}
    codes = np.array([places[value] for value in given])[codes].astype(np.uint8)
    ends = np.cumsum([len(each) for each in labels])
    return np.split(codes, ends[:-1]), names or order


def pixel_scale(place: Path, one: Arrays, job: Job) -> int:
    """What brings the pixels to 0 to 255, 1 or 255; SystemExit where that is not plain to see."""
    low, high, whole = np.inf, -np.inf, True
    for _, chunk in chunks(one.images):
        kind = chunk.dtype.kind
        low, high = np.minimum(low, chunk.min()), np.maximum(high, chunk.max())
        whole = whole and kind != "b" and (kind != "f" or bool((chunk == np.rint(chunk)).all()))
    values = f"{low:g} to {high:g} in {one.split}"
    if not (low >= 0 and high <= 255):
        raise wrong(place, "pixels from 0 to 255", f"{values}; bring them there first")
    if 0 < high <= 1 and not whole:
        job.said.append(f"pixels are {values}, so they are multiplied by 255")
        return 255
    if high < DARK:
        what = f"multiply them by {255 / high:g} first" if high else "nothing is on them"
        raise wrong(place, "pixels from 0 to 255", f"{values}; {what}")
    if not whole:
        job.said.append(f"pixels in {one.split} are rounded to whole numbers")
    return 1


def spool(rows: Iterable[np.ndarray], file: Path, dtype: type, shape: tuple[int, ...]) -> Any:
    """Put rows on disk, and map them into memory: (N, *shape)."""
    with file.open("wb") as spooled:
        for some in rows:
            spooled.write(some.tobytes())
    mapped = np.memmap(file, dtype, "r") if file.stat().st_size else np.empty(0, dtype)
    return mapped.reshape(-1, *shape)


def turned(file: Path, images: np.ndarray, job: Job) -> np.ndarray:
    """Images (N, H, W) as they are, or transposed where the file is EMNIST's."""
    if not re.search("(?<![a-z])emnist", file.name.casefold()):  # TissueMNIST's stand upright
        return images
    job.said.append(f"{printable(file.name)} turned upright, as EMNIST's files are")
    return images.swapaxes(1, 2)


def from_idx(root: Path, job: Job) -> list[Arrays]:
    """IDX files in any spelling."""
    found = []
    for split in ("train", "test"):
        if split == "train" or idx.candidates(root, split, "images"):
            file = idx.find(root, split, "images")
            (_, *sides), rows = read_idx(file, "images")
            images = spool(rows, job.scratch / split, np.uint8, tuple(sides))
            _, labels = read_idx(idx.find(root, split, "labels"), "labels")
            found.append(Arrays(split, turned(file, images, job), np.concatenate([*labels])))
    return found


def read_idx(file: Path, kind: str) -> tuple[tuple[int, ...], Iterator[np.ndarray]]:
    """Shape and chunks of an IDX file; SystemExit where its header promises a bomb."""
    shape, rows = idx.read(file, kind)
    promised, there = math.prod(shape), file.stat().st_size
    if bomb(promised, there):
        expected = f"{promised:,} bytes of data, as its header says"
        raise wrong(file, expected, f"a file of {there:,}")
    return shape, rows


def from_numpy(files: list[Path], job: Job) -> list[Arrays]:
    """Arrays whose names, or else whose file's, say train, val or test, and images or labels."""
    arrays: dict[tuple[str, str | None], np.ndarray] = {}
    called: dict[tuple[str, str | None], str] = {}
    for file in files:
        with readable(file):
            for name, load in members(file):
                split = meaning(SPLITS, name, file.stem) or "train"
                kind = kind_of(name, file.stem)
                key = split, kind
                if key in arrays:
                    expected = f"one array of {split} {kind} in all: join them"
                    raise wrong(file, expected, f"{called[key]} and {name}")
                if kind:
                    called[key] = name
                    arrays[key] = load(job.scratch / f"{split}-{kind}")
    splits = list(dict.fromkeys(split for split, _ in arrays)) or ["train"]
    for split, kind in product(splits, ("images", "labels")):
        if (split, kind) not in arrays:
            names = "x_train and y_train, or train_images and train_labels"
            raise wrong(files[0], f"arrays called {names}", f"no {kind} of {split}")
    return [Arrays(split, arrays[split, "images"], arrays[split, "labels"]) for split in splits]


def from_drawings(files: list[Path], job: Job) -> list[Arrays]:
    """Files uint8 (N, 784), a class each that is called as its file, as of Quick, Draw!"""
    expected = "x_train.npy and y_train.npy, or a file of drawings uint8 (N, 784) for each class"
    splits = {meaning(SPLITS, file.stem) for file in files}
    if not 2 <= len(files) <= 256 or len(splits - {None}) > 1:
        raise wrong(files[0].parent, expected, listed(file.name for file in files))
    found = []
    for file in files:
        with readable(file):
            drawings = np.lib.format.open_memmap(file, mode="r")
        if drawings.shape[1:] != (784,) or drawings.dtype != np.uint8 or not len(drawings):
            raise wrong(file, expected, f"an array {drawings.shape} of {drawings.dtype}")
        found.append(drawings)
    rows = (rows for drawings in found for _, rows in chunks(drawings))
    images = spool(rows, job.scratch / "drawings", np.uint8, (784,))
    classes = [file.stem.removeprefix("full_numpy_bitmap_") for file in files]
    labels = np.repeat(classes, [*map(len, found)])
    job.said.append("each file is a class")
    return [Arrays("train", images, labels)]


@contextmanager
def readable(file: Path) -> Iterator[None]:
    """SystemExit says in a line what is wrong with a file of arrays that the block reads."""
    try:
        yield
    except Exception as error:  # zipfile, zlib and NumPy's reader have many
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise  # a full disk
        found = getattr(error, "strerror", None) or str(error) or "it cut off"
        hint = "; of names, save y.astype(str)" if "bject" in found else ""
        raise wrong(file, "arrays that NumPy saved without pickle", found, hint) from None


def members(file: Path) -> Iterator[tuple[str, Callable[[Path], np.ndarray]]]:
    """The names of a file's arrays, each with what maps it into memory, by way of a file."""
    if ending(file) == ".npy":
        yield file.stem, lambda _: np.lib.format.open_memmap(file, mode="r")
        return
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            yield info.filename, partial(unpack, archive, info)


def bomb(size: int, packed: int) -> bool:
    return size > max(2**26, BOMB * packed)


def unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, file: Path) -> np.ndarray:
    """Map an array of an .npz into memory; ValueError where it is none, or a bomb."""
    if bomb(info.file_size, info.compress_size):
        raise ValueError(f"{info.filename}, which unpacks to {info.file_size:,} bytes")
    with archive.open(info) as packed, file.open("wb") as plain:
        shutil.copyfileobj(packed, plain)
    return np.lib.format.open_memmap(file, mode="r")


def from_csv(files: list[Path], job: Job) -> list[Arrays]:
    """One file, or those whose names say train, val or test; what has no labels is left out."""
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
    return list(found.values())


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
    if distinct.dtype.kind not in "if" or not 2 <= len(distinct) <= 256:
        return False
    return distinct[0] in (0, 1) and (np.diff(distinct) == 1).all()


def columns_in(file: Path, fields: list[str]) -> Columns | None:
    """What the fields of a first line say of the columns; None where no column has labels."""
    label = label_column(fields)
    if shape := square(len(fields) - 1):
        ids_alone = label is not None and fields[label] in INDEX
        return None if ids_alone else Columns(label, None, shape)
    if label is None and square(len(fields)):
        return None
    index = [at for at, name in enumerate(fields) if name in INDEX]
    shape = square(len(fields) - 2)
    if shape and label is not None and len(index) == 1:
        return Columns(label, index[0], shape)
    expected = "lines of a label and the pixels of a square image"
    hint = "; is one an index? leave it out" if shape else ""
    if len(fields) < FEWEST:
        hint = TABLE
    raise wrong(file, expected, f"{len(fields):,} columns", hint)


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
    if len(digits) >= len(fields) - 1:
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
            if len(cells[at]) > LABEL:
                found = f"one of {len(cells[at]):,}"
                raise wrong(f"{file}, line {number}", f"a label of at most {LABEL} letters", found)
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
