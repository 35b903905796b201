"""The IDX format of MNIST: a strict reader for plain or gzipped files, and a writer.

Layout, big-endian: two zero bytes, the type (8: unsigned byte), the number of dimensions, the size
of each as a 32-bit integer, then the data in C order.
Source: Y. LeCun, C. Cortes and C. J. C. Burges, "The MNIST database".
"""

import gzip
import hashlib
import json
import math
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from digits.output import printable

# What download makes. Not data/raw, where people put files: DVC removes the outputs of a stage,
# whatever they hold, before it runs the stage or takes its result from the cache.
FOLDER = Path("data/idx")
FILES = {  # of every data set, under the names that MNIST gave them
    ("train", "images"): "train-images-idx3-ubyte",
    ("train", "labels"): "train-labels-idx1-ubyte",
    ("test", "images"): "t10k-images-idx3-ubyte",
    ("test", "labels"): "t10k-labels-idx1-ubyte",
}
# what words mean in the names of files, folders, arrays and columns
SPLITS = {"train": "train", "training": "train", "test": "test", "testing": "test"}
SPLITS |= {"val": "val", "valid": "val", "validate": "val", "validation": "val"}
SPLITS |= {f"{word}{end}": split for word, split in SPLITS.items() for end in ("set", "data")}
# where no word is plainer
LATER_SPLITS = {"dev": "val", "eval": "test", "evaluation": "test", "holdout": "test"}
LATER_SPLITS |= {f"{word}set": split for word, split in LATER_SPLITS.items()}
# in the names of IDX files
IDX_SPLITS = SPLITS | {"t10k": "test"}
# not there: it holds val, which IDX files do not say apart
SPLITS |= {"trainval": "train"}
# Such names in all spellings: train-images.idx3-ubyte, emnist-letters-test-images-idx3-ubyte.gz,
# train_images.idx3, in a folder train images.idx3; a browser's second copy ends in (1)
SPELLING = re.compile(
    rf"([\w-]+?[-_])??((?P<split>{'|'.join(IDX_SPLITS | LATER_SPLITS)})[-_])?"
    r"(?P<kind>images|labels)[-_.]idx\d?([-_.](ubyte|int))?( ?\(\d+\))?(\.gz)?",
    re.IGNORECASE,
)
HEADERS = {  # of what is read as images or labels: first bytes -> the type of the data
    "images": {b"\0\0\x08\x03": "u1", b"\0\0\x08\x04": "u1"},  # in grey, in colour
    "labels": {b"\0\0\x08\x01": "u1", b"\0\0\x0c\x02": ">i4"},  # QMNIST's: the class, then more
}
OTHER_TYPES = {  # that people save images in
    b"\0\0\x0b": "int16",
    b"\0\0\x0c": "int32",
    b"\0\0\x0d": "float32",
    b"\0\0\x0e": "float64",
}
CHUNK = 2**22  # bytes of data held in memory at a time, and values of an image at most
ABOUT = "dataset.json"
TEST_NAMES = "test_names.txt"  # of chosen test images and of pictures: what each was, a line each


def candidates(folder: Path, split: str, kind: str, unnamed: bool = False) -> list[Path]:
    """All files in a folder that by their names are the images or labels of a split.

    If `unnamed`, those whose names say no split are too, where no name says it.
    """
    # Kaggle packs each file into a folder that is called as a file is
    there = [*folder.glob("*")]
    packed = [path for outer in there if SPELLING.fullmatch(outer.name) for path in outer.glob("*")]
    named, later, others = [], [], []
    for path in sorted([*there, *packed]):
        name = SPELLING.fullmatch(path.name)
        if not name or not path.is_file() or name["kind"].lower() != kind:
            continue
        word = (name["split"] or "").lower()
        if IDX_SPLITS.get(word) == split:
            named.append(path)
        elif LATER_SPLITS.get(word) == split:
            later.append(path)
        elif not word:
            others.append(path)
    return named or later or (others if unnamed else [])


def find(folder: Path, split: str, kind: str, unnamed: bool = False) -> Path:
    """Return such a file; SystemExit if there is none, or several that differ in content."""
    found = candidates(folder, split, kind, unnamed)
    if not found:
        name = FILES.get((split, kind), f"{split}-{kind}")
        there = ", ".join(sorted(path.name for path in folder.glob("*"))[:5]) or "nothing"
        expected = f"expected {name} or {name}.gz, found {there}"
        raise SystemExit(printable(f"{folder}: {expected}"))
    if len(found) > 1 and len({digest(path, kind) for path in found}) > 1:
        names = ", ".join(str(path.relative_to(folder)) for path in found)
        expected = f"expected one file of {split} {kind}, found several that differ: {names}"
        raise SystemExit(printable(f"{folder}: {expected}"))
    return found[0]


def read(path: Path, kind: str) -> tuple[tuple[int, ...], Iterator[np.ndarray]]:
    """The shape of an IDX file, and its data in chunks: memory does not grow with N.

    Once all are read, header, length and gzip's checksum are checked; SystemExit says what is off.
    """
    return shape_of(path, kind), _data(path, kind)


def shape_of(path: Path, kind: str) -> tuple[int, ...]:
    """(N, H, W), (N, H, W, 1 or 3) or (N,), as the header of "images" or "labels" says."""
    with _opened(path) as file:
        _, found = _header(file, printable(path), kind)
    return found[:1] if kind == "labels" else found


def _data(path: Path, kind: str) -> Iterator[np.ndarray]:
    """Yield chunks uint8 (n, ...)."""
    place = printable(path)
    with _opened(path) as file:
        dtype, found = _header(file, place, kind)
        for chunk in _chunks(file, place, dtype, found):
            yield _classes(chunk, place) if dtype.itemsize > 1 else chunk


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a file, plain or gzipped (told by its first bytes)."""
    with path.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        try:
            yield gzip.GzipFile(fileobj=raw) if zipped else raw
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            found = f"expected an intact gzip file, found: {error}"
            raise SystemExit(f"{printable(path)}: {found}") from None


def _header(file: BinaryIO, place: str, kind: str) -> tuple[np.dtype, tuple[int, ...]]:
    magic = file.read(4)
    if magic not in HEADERS[kind]:
        known = " or ".join(each.hex(" ") for each in HEADERS[kind])
        found = magic.hex(" ") or "nothing"
        if other := OTHER_TYPES.get(magic[:3]):
            found += f", {other}; save whole numbers from 0 to 255, a byte each"
        raise SystemExit(f"{place}: expected an IDX file of {kind} ({known}), found {found}")
    dimensions = magic[3]
    sizes = file.read(4 * dimensions)
    whole = len(sizes) // 4
    shape = struct.unpack(f">{whole}I", sizes[: 4 * whole])
    if len(shape) < dimensions or 0 in shape:
        raise SystemExit(f"{place}: expected {dimensions} sizes of at least 1, found {[*shape]}")
    if math.prod(shape[1:]) > CHUNK:
        sides = [*shape[1:]]
        raise SystemExit(f"{place}: expected images of at most {CHUNK} values, found {sides}")
    if dimensions == 4 and shape[3] not in (1, 3):
        raise SystemExit(f"{place}: expected images of 1 or 3 colours, last, found {[*shape]}")
    return np.dtype(HEADERS[kind][magic]), shape


def _chunks(
    file: BinaryIO, place: str, dtype: np.dtype, shape: tuple[int, ...]
) -> Iterator[np.ndarray]:
    item = math.prod(shape[1:]) * dtype.itemsize
    end = shape[0] * item
    step = max(1, CHUNK // item) * item  # whole images
    for start in range(0, end, step):
        wanted = min(step, end - start)
        data = file.read(wanted)
        if len(data) < wanted:
            raise SystemExit(f"{place}: expected {end} bytes of data, found {start + len(data)}")
        yield np.frombuffer(data, dtype).reshape(-1, *shape[1:])
    # reading on to the end also lets gzip check its sum; of a bomb, no more than a byte is unpacked
    if file.read(1):
        raise SystemExit(f"{place}: expected {end} bytes of data, found more")


def _classes(rows: np.ndarray, place: str) -> np.ndarray:
    """int32 (n, columns) -> the first column, uint8 (n,)."""
    classes = rows[:, 0]
    if classes.min() < 0 or classes.max() > 255:
        found = f"{classes.min()} to {classes.max()}"
        raise SystemExit(f"{place}: expected classes from 0 to 255, found {found}")
    return classes.astype(np.uint8)


def header(shape: tuple[int, ...]) -> bytes:
    """What comes before the data of unsigned bytes."""
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape)


def create(path: Path, shape: tuple[int, ...]) -> BinaryIO:
    """Begin a plain IDX file of unsigned bytes: what is written next is its data, in C order."""
    file = path.open("wb")
    file.write(header(shape))
    return file


def copy(path: Path, kind: str, target: Path) -> None:
    """Write what is read from a file as a plain IDX file of unsigned bytes."""
    shape, chunks = read(path, kind)
    with create(target, shape) as file:
        file.writelines(chunk.tobytes() for chunk in chunks)


def digest(path: Path, kind: str) -> str:
    """The SHA-256 of the file that `copy` would write."""
    shape, chunks = read(path, kind)
    content = hashlib.sha256(header(shape))
    for chunk in chunks:
        content.update(chunk.tobytes())
    return content.hexdigest()


def describe(
    folder: Path, name: str, classes: Sequence[str] | None, own: bool, pictures: bool = False
) -> None:
    """Say beside the files what they are: `classes` have numbers where they have no names.

    `own` are those of a person's own, `pictures` those that came as files of pictures.
    """
    values = {"classes": classes, "name": name, "own": own, "pictures": pictures}
    (folder / ABOUT).write_text(json.dumps(values, indent=2, sort_keys=True) + "\n")


def about(folder: Path) -> dict[str, Any]:
    """What `describe` wrote; SystemExit where it is damaged."""
    path = folder / ABOUT
    try:
        values = dict(json.loads(path.read_text()))
        if lacking := {"classes", "name", "own", "pictures"} - values.keys():
            raise ValueError(f"no {min(lacking)}")
        return values
    except (ValueError, TypeError) as error:
        raise SystemExit(f"{path}: expected JSON, found: {error}; run dvc repro") from None
