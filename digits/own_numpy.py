"""Files of NumPy's arrays, .npz and .npy -> images and labels. No pickle is loaded."""

import errno
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from digits import pictures
from digits.output import listed
from digits.own_arrays import Arrays, bomb, chunks, from_arrays, spool
from digits.own_common import (
    MOST_CLASSES,
    SPLITS,
    Data,
    Job,
    kind_of,
    meaning,
    words_of,
    wrong,
)
from digits.own_files import TABLES, ending, folders, has_pictures, inside

ABOUT = {"id", "ids", "mean", "names", "std"}  # last words of what is said of images or labels


def from_numpy(path: Path, job: Job) -> Data | None:
    """mine.npz, or x_train.npy and y_train.npy: names say train, val or test, and which it is."""
    several = [file for file in inside(path) if ending(file) == ".npz"]
    single = [file for file in inside(path) if ending(file) == ".npy"]
    if several and single:
        job.said.append(f"left out: {listed(file.name for file in single)}")
    elif {"images", "labels"} <= {kind_of(file.stem) for file in single}:
        several = single
    if not several:
        return None
    if path.is_dir() and any(map(has_pictures, folders(path))) and not all_kinds(several):
        job.said.append(f"left out: {listed(file.name for file in several)}")
        return None
    return from_arrays("NumPy arrays", path, named_arrays(several, job), job)


def all_kinds(files: list[Path]) -> bool:
    """Whether some of the arrays are called images, and some labels."""
    kinds = set()
    for file in files:
        with readable(file):
            kinds |= {said_of(name, file) for name, _ in members(file)}
    return kinds >= {"images", "labels"}


def said_of(name: str, file: Path) -> str | None:
    """Images or labels, as an array or else its file is called."""
    about = not ABOUT.isdisjoint(words_of(name))
    return None if about else kind_of(name, file.stem)


def named_arrays(files: list[Path], job: Job) -> list[Arrays]:
    """Arrays whose names, or else whose file's, say train, val or test, and images or labels."""
    arrays: dict[tuple[str, str | None], np.ndarray] = {}
    called: dict[tuple[str, str | None], str] = {}
    left = []
    for file in files:
        with readable(file):
            for name, load in members(file):
                split = meaning(SPLITS, name, file.stem) or "train"
                key = split, said_of(name, file)
                if key in arrays:
                    expected = f"one array of {' '.join(map(str, key))} in all: join them"
                    raise wrong(file, expected, f"{called[key]} and {name}")
                if key[1]:
                    called[key] = name
                    arrays[key] = load(job.scratch / "-".join(map(str, key)))
                else:
                    left.append(name)
    if left:
        job.said.append(f"left out: {listed(left)} (called neither images nor labels)")
    splits = list(dict.fromkeys(split for split, _ in arrays)) or ["train"]
    for split, kind in product(splits, ("images", "labels")):
        if (split, kind) not in arrays:
            names = "x_train and y_train, or train_images and train_labels"
            raise wrong(files[0], f"arrays called {names}", f"no {kind} of {split}")
    return [Arrays(split, arrays[split, "images"], arrays[split, "labels"]) for split in splits]


def from_drawings(path: Path, job: Job) -> Data | None:
    """cat.npy, dog.npy, ... of Quick, Draw!: uint8 (N, 784), a class each, called as its file."""
    others = pictures.ENDINGS | TABLES | {".npz"}
    files = [file for file in inside(path) if ending(file) == ".npy"]
    if not files or any(each.is_dir() or ending(each) in others for each in inside(path)):
        return None
    expected = "x_train.npy and y_train.npy, or a file of drawings uint8 (N, 784) for each class"
    splits = {meaning(SPLITS, file.stem) for file in files}
    if not 2 <= len(files) <= MOST_CLASSES or len(splits - {None}) > 1:
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
    return from_arrays("NumPy arrays", path, [Arrays("train", images, labels)], job)


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


def unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, file: Path) -> np.ndarray:
    """Map an array of an .npz into memory; ValueError where it is none, or a bomb."""
    if bomb(info.file_size, info.compress_size):
        raise ValueError(f"{info.filename}, which unpacks to {info.file_size:,} bytes")
    with archive.open(info) as packed, file.open("wb") as plain:
        shutil.copyfileobj(packed, plain)
    return np.lib.format.open_memmap(file, mode="r")
