"""Pictures that are called by their classes, and lie beside each other -> the pictures.

    cat.0.jpg  cat.1.jpg  dog.0.jpg  ...

Nothing is guessed where anything else may say the classes: a folder, a table, other names.
"""

import re
import unicodedata
from collections import Counter
from itertools import repeat
from pathlib import Path

from digits.own_common import (
    NAMES,
    SPLITS,
    TABLE_LIKE,
    Data,
    Job,
    ending,
    meaning,
    natural,
    visible,
)
from digits.own_pictures import Picture, from_pictures, splits_in
from digits.pictures import ENDINGS

# a class and a number: cat.1, great_pyrenees_12, cat (1), 7_1
NUMBERED = re.compile(r"([^\W\d_]\D*?)[ ._-]*\(?\d+\)?|(\d{1,3})[ ._-]\d+")
# last words of what cameras and programs call any picture, or what is no picture of its own
OTHERS = (
    "bild bildschirmfoto capture cimg depth dji download dsc dscf dscn file foto frame gopr hpim "
    "image images img imgp label labels mask masks mg mvi page pana photo pic pict picture pxl "
    "received render sam sample scan screenshot seite shot snapshot unnamed untitled vid wp"
)


def from_names(root: Path, names: list[str] | None, job: Job) -> Data | None:
    """Pictures in `root`, in the only folder in it, or in train and test; else None."""
    places = splits_in(root) or {root: "train"}
    if len(places) == 1:
        places = {top: split or "train" for top, split in places.items()}
    found: list[Picture] = []
    beside = [] if root in places else [path for path in visible(root) if path.is_file()]
    unfit = []
    for top, split in sorted(places.items(), key=lambda place: place[1] != "train"):
        inside = visible(top)
        files = [path for path in inside if ending(path) in ENDINGS]
        said = [class_in(path.stem) for path in files]
        known = {picture.name for picture in found}
        if split and files and all(said) and (split == "train" or known.issuperset(said)):
            found += map(Picture, files, said, repeat(split))
            beside += [path for path in inside if ending(path) not in ENDINGS]
        elif split == "train" or (files and not split):
            return None
        else:
            unfit.append(f"{top.name}/")
    counts = Counter(picture.name for picture in found)
    alike = {unicodedata.normalize("NFC", name).casefold() for name in counts}
    told = 2 <= len(counts) == len(alike) and min(counts.values()) > 1
    dates = all(map(str.isdecimal, counts)) and not any(
        re.search(r"\d{3}$", picture.path.stem) for picture in found
    )
    splits = all(meaning(SPLITS, name) for name in counts)
    if not told or dates or splits or any(map(may_say_classes, beside)):
        return None
    classes = names or sorted(counts, key=natural)
    left = Counter([*unfit, *(ending(path) for path in beside if path != root / NAMES)])
    left.update(f"{picture.name}_" for picture in found if picture.name not in classes)
    job.said.append("classes by the names of files")
    return from_pictures(root, [one for one in found if one.name in classes], classes, left, job)


def may_say_classes(path: Path) -> bool:
    """Whether it is a folder, a picture elsewhere, or a table or a note that may be of pictures."""
    name = path.name.casefold()
    if name == NAMES or "submission" in name or name.startswith(("readme", "licen")):
        return False
    return path.is_dir() or ending(path) in ENDINGS | TABLE_LIKE | {".csv", ".tsv"}


def class_in(name: str) -> str:
    """The class that a file's name says before its number; nothing where it says none."""
    match = NUMBERED.fullmatch(name)
    word = match[1] or match[2] if match else ""
    return "" if re.split(r"[\W_]+", word.casefold())[-1] in OTHERS.split() else word
