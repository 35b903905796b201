"""Files of NumPy's arrays, .npz and .npy -> images and labels. No pickle is loaded."""

import errno
import shutil
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from digits import pictures
from digits.idx import SPLITS
from digits.output import listed
from digits.own.arrays import Arrays, bomb, chunks, from_arrays, spool
from digits.own.common import (
    MOST_CLASSES,
    Data,
    Job,
    kind_of,
    meaning,
    split_in,
    words_of,
    wrong,
)
from digits.own.files import (
    PREDICTED,
    TABLES,
    array_files,
    beside_pictures,
    ending,
    hides,
    inside,
    names_of,
)

# words in the names of arrays that say something of images or labels
ABOUT = {"batch", "id", "ids", "mean", "names", "std", "weights"} | PREDICTED

Key = tuple[str, str]  # a split, and images or labels
Place = tuple[Path, str]  # a file, and the name of an array in it


def from_numpy(path: Path, job: Job) -> Data | None:
    """mine.npz, or x_train.npy and y_train.npy: names say train, val or test, and which it is."""
    files = array_files(path)
    several = [file for file in files if ending(file) == ".npz"]
    single = [file for file in files if ending(file) == ".npy"]
    if several and single:
        job.said.append(f"left out: {listed(file.name for file in single)}")
    elif {"images", "labels"} <= {kind_of(*names_of(file, path)) for file in single}:
        several = single
    if not several:
        return None
    found = by_key(path, several)
    whole = {kind for _, kind in found} >= {"images", "labels"}
    if not whole and beside_pictures(path):
        job.said.append(f"left out: {listed(file.name for file in several)}")
        return None
    return from_arrays("NumPy arrays", path, load_all(several, one_each(found), job), job)


def by_key(root: Path, files: list[Path]) -> dict[Key, list[Place]]:
    """Which arrays are images or labels of a split, by their names, their file's or folder's.

    Of an .npz file, that says what they are only where they have no names of their own.
    """
    found: dict[Key, list[Place]] = defaultdict(list)
    for file in files:
        with readable(file):
            for name, _ in members(file):
                names = [name, *names_of(file, root)]
                split = split_in(*names) or "train"
                named = ending(file) == ".npz" and not name.startswith("arr_")
                kind = kind_of(name) if named else kind_of(*names)
                if kind and ABOUT.isdisjoint(words_of(name)):
                    found[split, kind].append((file, name))
    return found


def one_each(found: dict[Key, list[Place]]) -> dict[Place, Key]:
    """What each array is; SystemExit where two are the same."""
    for (split, kind), [(_, first), *others] in found.items():
        for file, name in others:
            expected = f"one array of {split} {kind} in all: leave out the others, or join them"
            hint = "; call them x_train and y_train" if name.startswith("arr_") else ""
            raise wrong(file, expected, f"{first} and {name}", hint)
    return {place: key for key, [place] in found.items()}


def load_all(files: list[Path], keys: dict[Place, Key], job: Job) -> list[Arrays]:
    """Each split's images and labels; the other arrays are told."""
    arrays: dict[Key, np.ndarray] = {}
    left = []
    for file in files:
        with readable(file):
            for name, load in members(file):
                if key := keys.get((file, name)):
                    arrays[key] = load(job.scratch / "-".join(key))
                else:
                    left.append(name)
    others = f"{listed(left)} (called otherwise than images or labels)" if left else ""
    splits = list(dict.fromkeys(split for split, _ in arrays)) or ["train"]
    for split, kind in product(splits, ("images", "labels")):
        if (split, kind) not in arrays:
            names = "x_train and y_train, or train_images and train_labels"
            instead = f"no {kind} of {split}{others and ', but '}{others}"
            raise wrong(files[0], f"arrays called {names}", instead)
    if others:
        job.said.append(f"left out: {others}")
    return [Arrays(split, arrays[split, "images"], arrays[split, "labels"]) for split in splits]


def from_drawings(path: Path, job: Job) -> Data | None:
    """cat.npy, dog.npy, ... of Quick, Draw!: uint8 (N, 784), a class each, called as its file."""
    others = pictures.ENDINGS | TABLES | {".npz"}
    files = [file for file in inside(path) if ending(file) == ".npy"]
    if not files or any(each.is_dir() or ending(each) in others for each in inside(path)):
        return None
    expected = "x_train.npy and y_train.npy, or a file of drawings uint8 (N, 784) for each class"
    splits = {meaning(SPLITS, file.stem) for file in files}
    named = len(splits - {None}) > 1 or any(kind_of(file.stem) for file in files)
    if named or not 2 <= len(files) <= MOST_CLASSES:
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
        infos = [info for info in archive.infolist() if not hides(Path(info.filename))]
        for info in infos:
            yield info.filename, partial(unpack, archive, info)


def unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, file: Path) -> np.ndarray:
    """Map an array of an .npz into memory; ValueError where it is none, or a bomb."""
    if bomb(info.file_size, info.compress_size):
        raise ValueError(f"{info.filename}, which unpacks to {info.file_size:,} bytes")
    with archive.open(info) as packed, file.open("wb") as plain:
        shutil.copyfileobj(packed, plain)
    return np.lib.format.open_memmap(file, mode="r")
