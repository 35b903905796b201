"""Folders, one for each class -> which pictures are where, and of which class and split."""

import re
from collections import Counter
from collections.abc import Collection, Iterator
from itertools import chain
from pathlib import Path

from digits.idx import SPLITS
from digits.output import listed, printable
from digits.own.common import (
    KINDS,
    Data,
    Job,
    Picture,
    composed,
    meaning,
    natural,
    split_in,
    words_of,
    wrong,
)
from digits.own.copies import (
    BESIDE_MASKS,
    MASKS,
    THUMBNAIL,
    THUMBNAILS,
    is_mask,
    repeats_picture,
)
from digits.own.files import (
    CLASSES_FILE,
    advice,
    below,
    ending,
    folders,
    has_pictures,
    hidden,
    holds_notes,
    is_picture,
    leads_back,
    visible,
)
from digits.own.lists import split_by_lists, untrained
from digits.own.picture_files import from_pictures

# words in the names of folders that hold the same pictures or classes once more
VERSIONS = {"augmented", "color", "colour", "cropped", "fold", "gray", "grayscale", "grey", "large"}
VERSIONS |= {"original", "processed", "raw", "resized", "segmented", "small"}
# folders of pictures of which the names say no class
ALBUMS = {"jpg", "jpeg", "mask", "masks", "photo", "photos", "picture", "pictures", "png"}
ALBUMS |= THUMBNAILS | BESIDE_MASKS
# last words of names such as part_1, part_2
PARTS = {"batch", "chunk", "folder", "image", "images", "img", "imgs", "part", "shard"}
NO_CLASS = " (no class of train)"  # why a folder of test pictures is left out


def joined(root: Path, found: list[Picture]) -> Iterator[str]:
    """Yield what several folders make up one split."""
    places = [(one, one.path.relative_to(root).parts[0]) for one in found]
    tops = {(one.split, top) for one, top in places if top != one.label}  # else it is a class
    for split in ("train", "test", "val"):
        called = sorted(name for of, name in tops if of == split and is_split(name))
        if len(called) > 1:
            yield f"{split} is all of {listed(called)}"


def from_folders(root: Path, job: Job) -> Data:
    """Pictures whose folders say what they show."""
    left: Counter[str] = Counter()
    inner = only_folder(root)
    if inner != root:
        within = inner.relative_to(root)
        job.said.append(f"{printable(within)} is the only folder of pictures in {printable(root)}")
        left.update(beside_folders(root, root))
        left.update(notes_in(root))
    found, classes = find(inner, job.class_names, left)
    check_albums(inner, classes)
    found = split_by_lists(root, found, set(), left, job)
    job.said += joined(inner, found)
    job.said += looks_wrong(inner, found, classes)
    return from_pictures(inner, found, classes, +left, job)


def check_albums(root: Path, classes: list[str]) -> None:
    """SystemExit where the folders are one of pictures, and others of what was made of them."""
    noted = notes_in(root)
    made = [
        name for name in classes if f"{name}/" in noted or name.casefold() in MASKS | THUMBNAILS
    ]
    albums = [name for name in classes if name not in made]
    if made and albums and all(name.casefold() in ALBUMS for name in albums):
        place = root / albums[0]
        hint = f"; if its pictures are called by their classes, name {printable(place)}"
        if not place.is_dir():  # but train/images
            hint = ""
        elif folders(place):
            hint = f"; did you mean {printable(place)}?"
        raise wrong(root, "a folder for each class", f"{listed(classes)}, which are none", hint)


def is_album(folder: str) -> bool:
    return folder.casefold() in ALBUMS or meaning(KINDS, folder) == "images"


def looks_wrong(root: Path, found: list[Picture], classes: list[str]) -> Iterator[str]:
    """Yield what may be no classes, and what to do about it."""
    called = [name for name in classes if name.casefold() in MASKS]
    if outlines := [name for name in called if sum(name in other for other in classes) == 1]:
        yield f"looks wrong: classes called {listed(outlines)}; if masks lie there, take them away"
    if are_parts(classes):
        yield (
            f"looks wrong: classes called {listed(classes)}, as parts of a data set are; a table "
            "that says what pictures show must name them as they are called"
        )
    shown = [one for one in found if is_picture(one.path)]
    if reason := untrained(found):
        yield f"looks wrong: {reason}"
    stems = Counter(one.path.with_suffix("") for one in shown)
    if 4 * (twice := sum(count > 1 for count in stems.values())) > len(stems):
        yield (
            f"looks wrong: {twice:,} names, each of two pictures, as 1.jpg and 1.png; if one is a "
            "mask of the other, take these away"
        )
    yield from looks_nested(root, shown, classes)


def looks_nested(root: Path, shown: list[Picture], classes: list[str]) -> Iterator[str]:
    """Yield in which classes folders lie that may be the classes."""
    inner: dict[str, set[str]] = {name: set() for name in classes}
    for *outer, last in {one.path.relative_to(root).parts[:-1] for one in shown}:
        for name in inner.keys() & {*outer} - {last}:
            inner[name].add(last)
    names = sorted(set().union(*inner.values()), key=natural)
    flat = {one.label for one in shown if one.path.parent.name == one.label}
    deeper = [name for name in classes if len(inner[name]) > 1 and name not in flat]
    nested = [name for name in classes if inner[name]]
    if len(nested) == 1 < len(classes) and nested == deeper and (root / nested[0]).is_dir():
        yield (
            f"looks wrong: of the classes only {nested[0]} holds folders, {listed(names)}; if "
            f"these are the classes, name {printable(root / nested[0])}"
        )
    if deeper and not flat and not any(map(is_split, names)):
        yield (
            f"looks wrong: in {listed(classes)} lie folders, {listed(names)}, that are no classes; "
            "if they are, name a folder in which they lie side by side"
        )


def are_parts(names: Collection[str]) -> bool:
    """Whether they differ in a number alone, as part_1 and part_2."""
    letters = {re.sub(r"[\W\d_]*$", "", name) for name in names}
    return len(letters) == 1 and not PARTS.isdisjoint(words_of(min(letters))[-1:])


def is_split(name: str) -> bool:
    return meaning(SPLITS, name) is not None


def splits_in(root: Path) -> dict[Path, str | None]:
    """The folders in `root`, each with the split that its name says."""
    splits = {unpacked(folder): meaning(SPLITS, folder.name) for folder in folders(root)}
    trains = [top for top, split in splits.items() if split == "train"]
    classes = {folder.name for top in trains for folder in folders(top)}
    for top in splits:
        later = split_in(top.name)
        fits = trains and classes.issuperset(folder.name for folder in folders(top))
        if fits and later and later not in splits.values():
            splits[top] = later
    whole = {top for top in splits if joins_val(top.name) and has_pictures(top)}
    held = {top for top in splits if splits[top] in ("train", "val")} - whole if whole else set()
    inside = {top: {folder.name for folder in folders(top)} for top in splits}
    again = {top for top in splits if (MASKS | THUMBNAILS) & {*words_of(top.name)}}
    pairs = [(top, other) for top in again for other in splits.keys() - again]
    masks = {
        top
        for top, other in pairs  # train_masks beside train
        if splits[top] == splits[other] and inside[top] <= inside[other]
    }
    return splits | dict.fromkeys(held | masks)  # trainval holds them, or others show the same


def joins_val(name: str) -> bool:
    """Whether a name says train and val at once, and no more."""
    words = words_of(name)
    said = {SPLITS[word] for word in words if word in SPLITS}
    return "trainval" in words or said == {"train", "val"}


def holding_classes(root: Path, class_names: list[str] | None) -> dict[Path, str | None]:
    """The folders that hold those of classes, each with its split: `root` alone, or some in it.

    SystemExit where there seem to be none.
    """
    splits = splits_in(root)
    # one without folders is a class: among vehicles, one is called train
    if any(split == "train" and folders(folder) for folder, split in splits.items()):
        return splits
    alone = {"train", "test"} <= {*splits.values()} or all(split_in(top.name) for top in splits)
    if "train" in splits.values() and alone and not class_names:
        parts = listed(folder.name for folder in splits)
        hint = advice(map(ending, chain(visible(root), *map(visible, splits))))
        hint = hint or "; if these are classes, name them in a file classes.txt"
        raise wrong(root, "a folder for each class: train/CLASS/1.png", f"none in {parts}", hint)
    check_classes(root, splits)
    return {root: "train"}


def find(
    root: Path, class_names: list[str] | None, left: Counter[str]
) -> tuple[list[Picture], list[str]]:
    """What lies in SPLIT/CLASS, CLASS/SPLIT or CLASS, folders all; and the classes in order."""
    splits = holding_classes(root, class_names)
    used = None if class_names is None else set(class_names)
    trains = [top for top, split in splits.items() if split == "train"]
    trained = {composed(folder.name) for top in trains for folder in folders(top)}
    found, classes = [], set()
    left.update(beside_folders(root, root))
    for top, split in splits.items():
        inside = folders(top)
        siblings = {composed(folder.name) for folder in inside}
        if len(siblings) < len(inside):
            twice, _ = Counter(composed(folder.name) for folder in inside).most_common(1)[0]
            raise wrong(root, "classes that are told apart by their names", f"two {twice}")
        if split and top != root:
            check_capitals(root, siblings if used is None else siblings & used, trained)
        unknown = top != root and siblings.isdisjoint(trained)  # its pictures test nothing
        if not split or unknown:
            left[f"{top.name}/{NO_CLASS if split else ''}"] += 1
            continue
        if top != root:
            left.update(beside_folders(top, root))
            left.update(notes_in(top.parent) if top.parent != root else [])
        for folder in inside:
            name = composed(folder.name)
            unused = used is not None and name not in used
            if unused or repeats(folder, siblings):
                left[f"{folder.name}/"] += 1
                continue
            classes.add(name)
            found += [Picture(path, name, split) for path in shown_in(folder, left)]
    if root in splits:
        found = split_by_folders(root, found, 1)
    return found, class_names or sorted(classes, key=natural)


def shown_in(folder: Path, left: Counter[str]) -> Iterator[Path]:
    """Yield the files of a class, less masks and small copies of its pictures."""
    files = below(folder, left)
    there = {path.with_suffix("") for path in files if is_picture(path)}
    for path in files:
        if is_mask(path, folder, there):
            left["masks"] += 1
        elif repeats_picture(path, there, THUMBNAILS, THUMBNAIL):
            left["thumbnails"] += 1
        else:
            yield path


def beside_folders(top: Path, root: Path) -> list[str]:
    """What each file there is, by its ending, and what systems hide there."""
    files = [path for path in visible(top) if not path.is_dir() and path != root / CLASSES_FILE]
    return [*hidden(top), *map(ending, files)]


def notes_in(folder: Path) -> list[str]:
    return [f"{inner.name}/" for inner in folders(folder) if holds_notes(inner)]


def check_classes(root: Path, splits: dict[Path, str | None]) -> None:
    """SystemExit where these folders are no classes by their names or by what they hold."""
    # the whole name: a data set may be called rps-test
    called = [top.name for top in splits if SPLITS.get(top.name.casefold()) in ("test", "val")]
    if called and "train" not in splits.values():
        found = f"{listed(called)} without train"
        hint = f"; put the classes into a folder train, or take {listed(called)} away"
        inner = {top: {meaning(SPLITS, one.name) for one in folders(top)} for top in splits}
        whole = [top for top in splits if "train" in inner[top]]
        if len(whole) == 1:
            hint = f"; did you mean {printable(whole[0])}?"
        raise wrong(root, "classes alone, or train and test", found, hint)
    # a set without classes, as of pictures that nobody has labelled, is no version
    held = {top: {one.name for one in folders(top)} for top in splits}
    tops = [top for top in splits if held[top] or not splits[top]]
    [first, *others] = [held[top] for top in tops] or [set()]
    same = others and len(first) > 1 and all(each == first for each in others)
    versions = any(splits.values()) or any(VERSIONS & {*words_of(top.name)} for top in splits)
    if same and versions and not all(meaning(SPLITS, name) for name in first):
        found = f"the same folders in {listed(top.name for top in tops)}"
        hint = "; name one of them, or call them train and test"
        raise wrong(root, "a folder for each class", found, hint)


def check_capitals(root: Path, names: set[str], trained: set[str]) -> None:
    """SystemExit where classes of train are called with other capitals elsewhere."""
    missing = {name.casefold(): name for name in trained - names}
    unlike = sorted(name for name in names - trained if name.casefold() in missing)
    if unlike:
        found = f"{unlike[0]} and {missing[unlike[0].casefold()]}"
        raise wrong(root, "classes called the same in train and test", found, "; rename one")


def repeats(folder: Path, siblings: set[str]) -> bool:
    """Whether a folder holds all that lie beside it once more."""
    others = siblings - {composed(folder.name)}
    return len(others) > 1 and others <= {composed(inner.name) for inner in folders(folder)}


def split_by_folders(
    root: Path, found: list[Picture], depth: int, strict: bool = False
) -> list[Picture]:
    """The pictures, each with the split that its folders say; if none is of train, all are.

    Only folders below `root` from a depth on count. SystemExit where some pictures lie in folders
    of train and test, and some in others; if `strict`, also where there is none of train.
    """
    between = [picture.path.relative_to(root).parts[depth:-1] for picture in found]
    splits = [meaning(SPLITS, *parts) for parts in between]
    if "train" in splits:
        splits = [split_in(*parts) for parts in between]
    said = {split for one, split in zip(found, splits) if is_picture(one.path)}
    if None in said and {"test", "val"} & said:
        shown = [(one.path, split) for one, split in zip(found, splits)]
        beside = [path for path, split in shown if not split and is_picture(path)]
        tops = {path.relative_to(root).parts[0] for path, split in shown if split}
        only = len(tops) == 1 and depth == 0
        hint = f"; did you mean {printable(root / min(tops))}?" if only else ""
        expected = "all pictures in folders of train and test"
        raise wrong(root, expected, f"beside: {listed(beside)}", hint)
    if strict and said and said <= {"test", "val"}:
        alone = f"those of {listed(sorted(filter(None, said)))} alone"
        raise wrong(root, "tables that name pictures to train on", alone)
    if None in said or "train" not in said:
        splits = ["train"] * len(found)
    return [picture._replace(split=split or "train") for picture, split in zip(found, splits)]


def only_folder(root: Path) -> Path:
    """The folder, or the only one in it, and so on, whatever files but pictures lie beside.

    It ends above a split, above a classes.txt, which holds where it lies, and at a link back.
    """
    inner = root
    while (only := unpacked(inner)) != inner:
        if leads_back(only) or is_split(only.name) or (only / CLASSES_FILE).exists():
            break
        inner = only
    return inner


def unpacked(folder: Path) -> Path:
    """The folder, or the only thing in it where that is a folder of folders, or of its name.

    Folders of notes, as of annotations, do not count.
    """
    shown = (path for path in visible(folder) if path.is_dir() or is_picture(path))
    inside = [path for path in shown if not (path.is_dir() and holds_notes(path))]
    if len(inside) != 1 or not inside[0].is_dir():
        return folder
    [inner] = inside
    same = inner.name.casefold() == folder.name.casefold()
    return inner if same or folders(inner) else folder
