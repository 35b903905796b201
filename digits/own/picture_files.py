"""Pictures of which the class is known -> images and labels, a chunk at a time."""

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from digits import idx, pictures
from digits.output import listed, printable
from digits.own.common import (
    MOST_CLASSES,
    Data,
    Job,
    Picture,
    Stream,
    choose_test_split,
    in_share,
    natural,
    wrong,
)
from digits.own.files import CLASSES_FILE, RAW, advice, ending, folders, is_picture
from digits.parallel import parallel

LARGEST_KEPT = 512  # pixels along a side: pictures that all have one size keep it up to here
LARGEST_BROUGHT = 64  # else they are brought to their median, the longer side to no more than this


@dataclass
class Equal:
    """Pictures that are equal, but of two classes, or both to train and to test on."""

    torn: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    seen: dict[bytes, Picture] = field(default_factory=dict)

    def note(self, pixels: np.ndarray, picture: Picture) -> None:
        first = self.seen.setdefault(hashlib.sha256(pixels.tobytes()).digest(), picture)
        pair = f"{picture.path} = {first.path}"
        if picture.label != first.label:
            self.torn.append(pair)
        elif picture.split != first.split:
            self.twice.append(pair)


def from_pictures(
    root: Path, found: list[Picture], classes: list[str], left: Counter[str], job: Job
) -> Data:
    """Look at all for what they have in common; each is read later, as it is written."""
    if len(classes) > MOST_CLASSES:  # before all are looked at
        raise wrong(root, f"2 to {MOST_CLASSES} classes", f"{len(classes)}: {listed(classes)}")
    inner = chain(folders(root), *map(folders, folders(root)))
    if any(folder.is_symlink() for folder in inner):
        job.said.append(
            "DVC does not see changes behind linked folders: after one, dvc repro --force download"
        )
    kept: list[Picture] = []
    sizes: Counter[tuple[int, int]] = Counter()
    coloured = bool(job.colour)

    def glance(picture: Picture) -> tuple[int, int, bool, int] | None:
        return inspect(picture, job.colour is None and not coloured)

    for picture, seen in under_a_bar(glance, found, 1024, "looking"):
        if seen is None:
            left[ending(picture.path)] += 1
        else:
            kept.append(picture)
            sizes[seen[:2]] += 1
            coloured = coloured or seen[2]  # then no more need be decoded for it
            if seen[3]:
                left["pages of TIFF after the first"] += seen[3]
    del sizes[0, 0]  # of broken pictures, which are told once they are read
    left_out = f"left out: {listed(f'{count:,} {name}' for name, count in left.items())}"
    empty = sorted(set(classes) - {picture.label for picture in kept}, key=natural)
    if empty or not kept:
        none = f"no picture of {listed(empty)}" if empty else "none"
        what = f"{none}; {left_out}" if left else none
        expected = "folders of pictures, one for each class, or all called as cat.1.png"
        hint = hint_for_empty(root, kept, left)
        if job.class_names and len(empty) == len(classes):
            there = folders(root)
            called = listed(folder.name for folder in there)
            hint = f"; {CLASSES_FILE} names these, the folders are {called}"
            if len(deeper := [folder for folder in there if folders(folder)]) == 1:
                hint += f": did you mean {printable(deeper[0])}?"
        raise wrong(root, expected, what, hint)
    split, share = choose_test_split({picture.split for picture in kept}, job)
    shape = (*common_size(sizes, job), 3 if coloured else 1)
    if left:
        job.said.append(left_out)
    stream = read_pictures(root, kept, classes, shape, split, share, job)
    return Data("pictures", shape if coloured else shape[:2], classes, share, stream)


def common_size(sizes: Counter[tuple[int, int]], job: Job) -> tuple[int, int]:
    """The height and width that all are brought to."""
    if job.sides:
        return job.sides
    if not sizes:  # every picture is broken, which is told once they are read
        return 1, 1
    first = next(iter(sizes))
    if len(sizes) == 1 and max(first) <= LARGEST_KEPT:
        return first
    middle = np.median([*sizes.elements()], axis=0)
    scale = min(1, LARGEST_BROUGHT / middle.max())
    height, width = (max(4, 4 * round(scale * side / 4)) for side in middle)
    given = f"{len(sizes):,} sizes" if len(sizes) > 1 else f"{first[0]} x {first[1]}"
    job.said.append(f"brought from {given} to this one (or set datasets.folder.image_size)")
    return height, width


def hint_for_empty(root: Path, kept: list[Picture], left: Counter[str]) -> str:
    """What to do where folders hold no pictures: the only one that does may hold the classes."""
    names = {picture.label for picture in kept}
    inner = root / min(names, default="")
    if len(names) == 1 and inner.is_dir() and folders(inner):
        return f"; did you mean {printable(inner)}?"
    if not names and pictures.ENDINGS & {*left}:
        return "; name the folder above, if this is a class, or a table lies there"
    return advice(left.elements()) + ("; take away what is no class" if names else "")


def under_a_bar(
    function: Callable[[Picture], Any], items: list[Picture], size: int, words: str
) -> Iterable[tuple[Picture, Any]]:
    """Each with what becomes of it, `size` of them in memory."""
    done = parallel(function, items, size)
    return tqdm(done, desc=words, total=len(items), unit=" pictures", disable=None)


def inspect(picture: Picture, colour: bool) -> tuple[int, int, bool, int] | None:
    """Height, width, whether it has colour, which is looked for if `colour`, and further pages.

    0 for each where it is broken, None where it is no picture, or a camera's raw one.
    """
    if ending(picture.path) in RAW:
        return None
    try:
        with pictures.identified(picture.path) as image:
            seen = *pictures.sides(image), colour and pictures.coloured(image)
            return *seen, pictures.pages(image) - 1
    except pictures.NoPicture:
        return (0, 0, False, 0) if is_picture(picture.path) else None
    except ValueError:
        return 0, 0, False, 0


def read_pictures(
    root: Path,
    found: list[Picture],
    classes: list[str],
    shape: tuple[int, ...],
    split: str,
    share: float,
    job: Job,
) -> Stream:
    """Read the pictures; say which are in both sets; SystemExit names those that cannot be read."""

    def load(picture: Picture) -> tuple[np.ndarray | str, bool]:
        """Its pixels, or what is wrong with it; and whether it is a test image."""
        try:
            pixels = pictures.to_array(pictures.open(picture.path), *shape)
        except ValueError as error:
            return str(error), False
        if not share:
            return pixels, picture.split == split
        with picture.path.open("rb") as file:
            return pixels, in_share(hashlib.file_digest(file, "sha256").digest(), share)

    bad, codes = [], {name: code for code, name in enumerate(classes)}
    equal = Equal()
    size = max(16, min(1024, idx.CHUNK // math.prod(shape)))
    loaded = iter(under_a_bar(load, found, size, "reading"))
    while batch := list(islice(loaded, size)):
        bad += [f"{one.path}: {pixels}" for one, (pixels, _) in batch if isinstance(pixels, str)]
        if not bad:
            labels = [codes[one.label] for one, _ in batch]
            pixels, held = zip(*[result for _, result in batch])
            tests = (one.path for (one, _), test in zip(batch, held) if test)
            job.tests.extend(path.relative_to(root) for path in tests)
            for (one, _), array, test in zip(batch, pixels, held):
                equal.note(array, one._replace(split="test" if test else "train"))
            yield np.stack(pixels), np.array(labels, np.uint8), np.array(held)
    if bad:
        advised = "delete or replace them; see docs/own-data.md"
        text = f"{len(bad):,} of {len(found):,} pictures cannot be read; {advised}"
        raise SystemExit("\n  ".join([f"{text}; the first:", *map(printable, bad[:10])]))
    if equal.torn:
        job.said.append(f"in two classes: {listed(equal.torn)}")
    if equal.twice:
        job.said.append(f"both to train and to test on: {listed(equal.twice)}")
