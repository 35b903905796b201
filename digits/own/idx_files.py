"""IDX files in any spelling that is in use -> images and labels."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from digits import idx
from digits.output import listed
from digits.own.arrays import Arrays, bomb, from_arrays, spool, turned
from digits.own.common import Data, Job, split_in, words_of, wrong
from digits.own.files import folders, has_pictures


def from_idx(root: Path, job: Job) -> Data | None:
    """train-images-idx3-ubyte, ... in any spelling."""
    if not root.is_dir() or not place_of(root, "train"):
        return None
    try:
        return from_arrays("IDX", root, read_all(root, job), job)
    except SystemExit as error:
        page = "; see docs/own-data.md"
        raise SystemExit(f"{str(error).removesuffix(page)}{page}") from None


def place_of(root: Path, split: str) -> tuple[Path, bool] | None:
    """Where the files of a split lie, and whether the folder says the split: first at the top."""
    several = {folder for folder in folders(root) if idx.SPLITS.keys() & {*words_of(folder.name)}}
    called = [folder for folder in folders(root) if folder in several or split_called(folder)]
    inner = {folder: split_called(folder) for folder in called}
    places = [root, *sorted(inner, key=lambda folder: inner[folder] != split)]
    for place in places:
        unnamed = inner.get(place) == split
        if place != root and has_pictures(place):
            continue
        if idx.candidates(place, split, "images", unnamed):
            return place, unnamed
    return None


def split_called(path: Path) -> str | None:
    """The split that the name of a folder or file says; t10k is MNIST's word for test."""
    word = path.name.casefold().partition("-")[0]
    return split_in(path.name) or idx.IDX_SPLITS.get(word)


def read_all(root: Path, job: Job) -> list[Arrays]:
    found, taken = [], set()
    for split in ("train", "val", "test"):
        if place := place_of(root, split):
            folder, unnamed = place
            for kind in ("images", "labels"):
                taken.update(idx.candidates(folder, split, kind, unnamed))
            file = idx.find(folder, split, "images", unnamed)
            (_, *sides), rows = read_idx(file, "images")
            images = spool(rows, job.scratch / split, np.uint8, tuple(sides))
            _, labels = read_idx(idx.find(folder, split, "labels", unnamed), "labels")
            found.append(Arrays(split, turned(file, images, job), np.concatenate([*labels])))
        elif idx.candidates(root, split, "labels"):
            idx.find(root, split, "images")  # which says that they are missing
    there = sorted([*root.glob("*"), *root.glob("*/*")])
    spelled = [path for path in there if idx.SPELLING.fullmatch(path.name) and path.is_file()]
    if left := [path.name for path in spelled if path not in taken]:
        job.said.append(f"left out: {listed(left)}")
    return found


def read_idx(file: Path, kind: str) -> tuple[tuple[int, ...], Iterator[np.ndarray]]:
    """Shape and chunks of an IDX file; SystemExit where its header promises a bomb."""
    shape, rows = idx.read(file, kind)
    promised, there = math.prod(shape), file.stat().st_size
    if bomb(promised, there):
        expected = f"{promised:,} bytes of data, as its header says"
        raise wrong(file, expected, f"a file of {there:,}")
    return shape, rows
