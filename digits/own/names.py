"""Pictures that are called by their classes, and lie beside each other -> the pictures.

    cat.0.jpg  cat.1.jpg  dog.0.jpg  ...

Nothing is guessed where anything else may say the classes: a folder, a table, other names.
"""

import re
from collections import Counter
from pathlib import Path

from digits.idx import SPLITS
from digits.own.common import Data, Job, Picture, composed, meaning, natural, split_in
from digits.own.files import CLASSES_FILE, TABLE_LIKE, TABLES, ending, is_picture, visible
from digits.own.folders import splits_in
from digits.own.picture_files import from_pictures

# a class and a number: cat.1, great_pyrenees_12, cat (1), 7_1
NUMBERED = re.compile(r"([^\W\d_]\D*?)[ ._-]*\(?\d+\)?|(\d{1,3})[ ._-]\d+")
# last words of what cameras and programs call any picture, or what is no picture of its own
CALLED = (
    "bild bildschirmfoto capture cimg dcp depth dji download dsc dscf dscn file foto frame gopr "
    "hpim imag image images img imgp input label labels mask masks mg mvi output page pana photo "
    "pic pict picture pxl received render sam sample scan screenshot sdc seite shot snapshot "
    "unnamed untitled vid wp"
)
NO_CLASSES = set(CALLED.split())


def from_names(root: Path, job: Job) -> Data | None:
    """Pictures in `root`, in the only folder in it, or in train and test; else None."""
    places = splits_in(root) or {root: "train"}
    if len(places) == 1:
        [(top, split)] = places.items()
        places = {top: split or "train"}
    found: list[Picture] = []
    beside = [] if root in places else [path for path in visible(root) if path.is_file()]
    left: Counter[str] = Counter()
    # train first: the others may have no class that it has not
    for top in sorted(places, key=lambda top: places[top] != "train"):
        split = places[top]
        inside = visible(top)
        files = [path for path in inside if is_picture(path)]
        classes = [class_in(path.stem) for path in files]
        known = {picture.label for picture in found}
        fits = bool(files) and all(classes) and (split == "train" or known.issuperset(classes))
        if split and fits:
            found += [Picture(path, name, split) for path, name in zip(files, classes)]
            beside += [path for path in inside if not is_picture(path)]
        elif split == "train" or (files and not split_in(top.name)):
            return None
        else:
            left[f"{top.name}/"] += 1
    if not say_classes(found) or any(map(may_say_classes, beside)):
        return None
    classes = job.class_names or sorted({picture.label for picture in found}, key=natural)
    wanted = set(classes)  # of a list, each look-up would walk all
    used = [picture for picture in found if picture.label in wanted]
    left.update(ending(path) for path in beside if path != root / CLASSES_FILE)
    left.update(f"{picture.label}_" for picture in found if picture.label not in wanted)
    job.said.append("classes by the names of files")
    return from_pictures(root, used, classes, left, job)


def say_classes(found: list[Picture]) -> bool:
    """Whether names tell two classes or more, each of two pictures or more, and not by chance."""
    counts = Counter(picture.label for picture in found)
    alike = {composed(name).casefold() for name in counts}
    if len(counts) < 2 or len(alike) < len(counts) or min(counts.values()) < 2:
        return False
    if all(meaning(SPLITS, name) for name in counts):  # train_1.png, test_1.png
        return False
    if all(re.fullmatch(r"\d{3}_\d{4}", picture.path.stem) for picture in found):
        return False  # 101_0042.jpg: a camera's folder, and a number
    # 12_05.png may be a date; 7_0001.png counts pictures of a 7
    counting = any(re.search(r"\d{3}$", picture.path.stem) for picture in found)
    return counting or not all(name.isdecimal() for name in counts)


def may_say_classes(path: Path) -> bool:
    """Whether it is a folder, a picture elsewhere, or a table or a note that may be of pictures."""
    name = path.name.casefold()
    if name == CLASSES_FILE or "submission" in name or name.startswith(("readme", "licen")):
        return False
    return path.is_dir() or is_picture(path) or ending(path) in TABLES | TABLE_LIKE


def class_in(name: str) -> str:
    """The class that a file's name says before its number; nothing where it says none."""
    match = NUMBERED.fullmatch(composed(name))
    if not match:
        return ""
    word = match[1] or match[2]
    *_, last = re.split(r"[\W_]+", word.casefold())
    return "" if last in NO_CLASSES else word
