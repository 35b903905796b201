"""IDX files in any spelling that is in use -> images and labels."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from digits import idx
from digits.own_arrays import Arrays, bomb, from_arrays, spool, turned
from digits.own_common import SPLITS, Data, Job, meaning, wrong
from digits.own_files import folders, has_pictures


def from_idx(root: Path, job: Job) -> Data | None:
    """train-images-idx3-ubyte, ... in any spelling."""
    if not root.is_dir() or not folder_of(root, "train"):
        return None
    try:
        return from_arrays("IDX", root, read_all(root, job), job)
    except SystemExit as error:
        page = "; see docs/own-data.md"
        raise SystemExit(f"{str(error).removesuffix(page)}{page}") from None


def folder_of(root: Path, split: str) -> Path | None:
    """Where the files of a split lie: at the top, or else in a folder that is called so."""
    inner = [folder for folder in folders(root) if meaning(SPLITS, folder.name) == split]
    places = [root, *(folder for folder in inner if not has_pictures(folder))]
    return next((place for place in places if idx.candidates(place, split, "images")), None)


def read_all(root: Path, job: Job) -> list[Arrays]:
    found = []
    for split in ("train", "test"):
        if folder := folder_of(root, split):
            file = idx.find(folder, split, "images")
            (_, *sides), rows = read_idx(file, "images")
            images = spool(rows, job.scratch / split, np.uint8, tuple(sides))
            _, labels = read_idx(idx.find(folder, split, "labels"), "labels")
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
