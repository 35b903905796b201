"""Folders of pictures, one for each class -> images and labels, a chunk at a time."""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from digits import idx, pictures
from digits.output import printable
from digits.own_common import (
    NAMES,
    SPLITS,
    Data,
    Job,
    Stream,
    advice,
    choose_test_split,
    common_size,
    composed,
    ending,
    folders,
    hidden,
    hides,
    in_share,
    listed,
    meaning,
    natural,
    visible,
    words_of,
    wrong,
)
from digits.parallel import parallel

# words in the names of folders that hold the same pictures or classes once more
VERSIONS = {"augmented", "color", "colour", "cropped", "fold", "gray", "grayscale", "grey", "large"}
VERSIONS |= {"original", "processed", "raw", "resized", "segmented", "small"}
# folders that are splits where they hold what train does
LATER_SPLITS = {"dev": "val", "eval": "test", "evaluation": "test"}


class Picture(NamedTuple):
    """A file that may be a picture of a class."""

    path: Path
    name: str
    split: str


def from_folders(root: Path, names: list[str] | None, job: Job) -> Data:
    """Pictures whose folders say what they show."""
    left: Counter[str] = Counter()
    return from_pictures(root, *find(root, names, left), left, job)


def from_pictures(
    root: Path, found: list[Picture], classes: list[str], left: Counter[str], job: Job
) -> Data:
    """Look at all for what they have in common; each is read later, as it is written."""
    if len(classes) > 256:
        raise wrong(root, "2 to 256 classes", f"{len(classes)}: {listed(classes)}")
    inner = chain(folders(root), *map(folders, folders(root)))
    if any(folder.is_symlink() for folder in inner):
        job.said.append(
            "DVC does not see changes behind linked folders: after one, dvc repro --force download"
        )
    kept: list[Picture] = []
    sizes: Counter[tuple[int, int]] = Counter()
    coloured = bool(job.colour)

    def glance(picture: Picture) -> tuple[int, int, bool] | None:
        return inspect(picture, job.colour is None and not coloured)

    for picture, seen in under_a_bar(glance, found, 1024, "looking"):
        if seen is None:
            left[ending(picture.path)] += 1
        else:
            kept.append(picture)
            sizes[seen[:2]] += 1
            coloured = coloured or seen[2]  # then no more need be decoded for it
    del sizes[0, 0]  # of broken pictures, which are told once they are read
    left_out = f"left out: {listed(f'{count:,} {name}' for name, count in left.items())}"
    empty = sorted(set(classes) - {picture.name for picture in kept}, key=natural)
    if empty or not kept:
        none = f"no picture of {listed(empty)}" if empty else "none"
        what = f"{none}; {left_out}" if left else none
        expected = "folders of pictures, one for each class, or all called as cat.1.png"
        raise wrong(root, expected, what, instead(root, kept, left))
    split, share = choose_test_split({picture.split for picture in kept}, job)
    shape = (*common_size(sizes, job), 3 if coloured else 1)
    if left:
        job.said.append(left_out)
    stream = read_pictures(root, kept, classes, shape, split, share, job)
    return Data("pictures", shape if coloured else shape[:2], classes, stream)


def instead(root: Path, kept: list[Picture], left: Counter[str]) -> str:
    """What to do where folders hold no pictures: the only one that does may hold the classes."""
    names = {picture.name for picture in kept}
    inner = root / min(names, default="")
    if len(names) == 1 and inner.is_dir() and folders(inner):
        return f"; did you mean {printable(inner)}?"
    if not names and pictures.ENDINGS & {*left}:
        return "; name the folder above, if this is a class"
    return advice(left.elements()) + ("; take away what is no class" if names else "")


def splits_in(root: Path) -> dict[Path, str | None]:
    """The folders in `root`, each with the split that its name says."""
    splits = {unpacked(folder): meaning(SPLITS, folder.name) for folder in folders(root)}
    trains = [top for top, split in splits.items() if split == "train"]
    classes = {folder.name for top in trains for folder in folders(top)}
    for top in splits:
        later = LATER_SPLITS.get(top.name.casefold())
        fits = trains and classes.issuperset(folder.name for folder in folders(top))
        if fits and later and later not in splits.values():
            splits[top] = later
    return splits


def find(
    root: Path, names: list[str] | None, left: Counter[str]
) -> tuple[list[Picture], list[str]]:
    """What lies in SPLIT/CLASS, CLASS/SPLIT or CLASS, folders all; and the classes in order."""
    splits = splits_in(root)
    used = None if names is None else set(names)
    # one without folders is a class: among vehicles, one is called train
    if not any(split == "train" and folders(folder) for folder, split in splits.items()):
        if splits and all(splits.values()) and not names:
            parts = listed(folder.name for folder in splits)
            hint = advice(map(ending, chain(*map(visible, splits))))
            expected = "a folder for each class: train/CLASS/1.png"
            raise wrong(root, expected, f"none in {parts}", hint)
        check_classes(root, splits)
        splits = {root: "train"}
    trains = [top for top, split in splits.items() if split == "train"]
    trained = {composed(folder.name) for top in trains for folder in folders(top)}
    found, classes = [], set()
    for top in dict.fromkeys([root, *splits]):
        left.update(hidden(top))
        if top == root or splits[top]:
            beside = [path for path in visible(top) if not path.is_dir()]
            left.update(ending(path) for path in beside if path != root / NAMES)
    for top, split in splits.items():
        inside = folders(top)
        siblings = {composed(folder.name) for folder in inside}
        if not split or siblings.isdisjoint(trained):  # of unknown pictures, which test nothing
            if top != root:
                left[f"{top.name}/"] += 1
            continue
        for folder in inside:
            unused = used is not None and folder.name not in used
            if unused or repeats(folder, siblings):
                left[f"{folder.name}/"] += 1
                continue
            classes.add(folder.name)
            for path in below(folder, left):
                if is_mask(path, folder):
                    left["masks"] += 1
                else:
                    found.append(Picture(path, folder.name, split))
    if root in splits:
        found = split_by_folders(root, found, 1)
    return found, names or sorted(classes, key=natural)


def check_classes(root: Path, splits: dict[Path, str | None]) -> None:
    """SystemExit where these folders are no classes by their names or by what they hold."""
    called = [top.name for top in splits if SPLITS.get(top.name.casefold()) in ("test", "val")]
    if called and "train" not in splits.values():
        found = f"{listed(called)} without train"
        hint = f"; put the classes into a folder train, or take {listed(called)} away"
        raise wrong(root, "classes alone, or train and test", found, hint)
    held = [{folder.name for folder in folders(top)} for top in splits]
    [first, *others] = held or [set()]
    same = others and len(first) > 1 and all(each == first for each in others)
    versions = any(splits.values()) or any(VERSIONS & {*words_of(top.name)} for top in splits)
    if same and versions and not all(meaning(SPLITS, name) for name in first):
        found = f"the same folders in {listed(top.name for top in splits)}"
        hint = "; name one of them, or call them train and test"
        raise wrong(root, "a folder for each class", found, hint)


def repeats(folder: Path, siblings: set[str]) -> bool:
    """Whether a folder holds all that lie beside it once more."""
    others = siblings - {composed(folder.name)}
    return len(others) > 1 and others <= {composed(inner.name) for inner in folders(folder)}


def is_mask(path: Path, folder: Path) -> bool:
    """Whether it outlines a picture of a class: in masks beside images, or as 1_mask.png."""
    if path.parent != folder and path.parent.name.casefold() == "masks":
        return path.parent.with_name("images").is_dir()
    outlined = re.fullmatch(r"(.+)_mask(_\d+)?", path.stem)
    return outlined is not None and path.with_stem(outlined[1]).exists()


def split_by_folders(
    root: Path, found: list[Picture], depth: int, strict: bool = False
) -> list[Picture]:
    """The same, with the splits that folders so deep below `root` say of all; else to train on.

    SystemExit where some lie in other folders than those of train and test; if `strict`, also where
    there is none of train.
    """
    between = [picture.path.relative_to(root).parts[depth:-1] for picture in found]
    splits = [meaning(SPLITS, *parts) for parts in between]
    said = {split for one, split in zip(found, splits) if ending(one.path) in pictures.ENDINGS}
    if None in said and {"test", "val"} & said and ("train" in said or strict):
        beside = [one.path for one, split in zip(found, splits) if not split]
        raise wrong(root, "all pictures in folders of train and test", f"beside: {listed(beside)}")
    if None in said or "train" not in said:
        splits = ["train"] * len(found)
    return [picture._replace(split=split or "train") for picture, split in zip(found, splits)]


def unpacked(folder: Path) -> Path:
    """The folder, or the only thing in it where that is a folder of folders, or of its name."""
    inside = [path for path in visible(folder) if path.is_dir() or ending(path) in pictures.ENDINGS]
    if len(inside) != 1 or not inside[0].is_dir():
        return folder
    [inner] = inside
    same = inner.name.casefold() == folder.name.casefold()
    return inner if same or folders(inner) else folder


def below(folder: Path, left: Counter[str]) -> list[Path]:
    """All files in and below a folder, in natural order; links are followed, each place once."""
    found, seen, ahead = [], set(), [folder]
    while ahead:
        here = ahead.pop()
        if here.resolve() not in seen:
            seen.add(here.resolve())
            inside = visible(here)
            left.update(hidden(here))
            ahead += [path for path in inside if path.is_dir()]
            found += [path for path in inside if not path.is_dir()]
    return sorted(found, key=natural)


def has_pictures(folder: Path) -> bool:
    # most have one that is found without a walk
    here = (path for path in folder.iterdir() if not hides(path))
    return any(ending(path) in pictures.ENDINGS for path in here) or any(
        ending(path) in pictures.ENDINGS for path in below(folder, Counter())
    )


def under_a_bar(
    function: Callable[[Picture], Any], items: list[Picture], size: int, words: str
) -> Iterable[tuple[Picture, Any]]:
    """Each with what becomes of it, `size` of them in memory."""
    done = parallel(function, items, size)
    return tqdm(done, desc=words, total=len(items), unit=" pictures", disable=None)


def inspect(picture: Picture, colour: bool) -> tuple[int, int, bool] | None:
    """Height, width, and whether it has colour, which is looked for if `colour`.

    0 for each where it is broken, None where it is no picture.
    """
    try:
        with pictures.identified(picture.path) as image:
            return *pictures.sides(image), colour and pictures.coloured(image)
    except pictures.NoPicture:
        return (0, 0, False) if ending(picture.path) in pictures.ENDINGS else None
    except ValueError:
        return 0, 0, False


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
    seen: dict[bytes, tuple[int, bool, Path]] = {}
    twice: list[str] = []
    torn: list[str] = []  # one picture, two classes
    size = max(16, min(1024, idx.CHUNK // math.prod(shape)))
    loaded = iter(under_a_bar(load, found, size, "reading"))
    while batch := list(islice(loaded, size)):
        bad += [f"{one.path}: {pixels}" for one, (pixels, _) in batch if isinstance(pixels, str)]
        if not bad:
            labels = [codes[one.name] for one, _ in batch]
            pixels, held = zip(*[result for _, result in batch])
            tests = (one.path for (one, _), test in zip(batch, held) if test)
            job.tests.extend(path.relative_to(root) for path in tests)
            for (one, _), label, array, test in zip(batch, labels, pixels, held):
                digest = hashlib.sha256(array.tobytes()).digest()
                first = seen.setdefault(digest, (label, test, one.path))
                if (label, test) != first[:2]:
                    pairs = torn if label != first[0] else twice
                    pairs.append(f"{one.path} = {first[2]}")
            yield np.stack(pixels), np.array(labels, np.uint8), np.array(held)
    if bad:
        advised = "delete or replace them; see docs/own-data.md"
        text = f"{len(bad):,} of {len(found):,} pictures cannot be read; {advised}"
        raise SystemExit("\n  ".join([f"{text}; the first:", *map(printable, bad[:10])]))
    if torn:
        job.said.append(f"in two classes: {listed(torn)}")
    if twice:
        job.said.append(f"both to train and to test on: {listed(twice)}")
