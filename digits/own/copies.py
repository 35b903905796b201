"""Pictures that show another one again: its mask, or a small copy of it."""

import re
from pathlib import Path

from digits.own.common import words_of
from digits.own.files import is_picture

# folders of outlines, and those of pictures beside which they lie
MASKS = {"annotations", "ground_truth", "groundtruth", "gt", "label", "labels", "mask", "masks"}
MASKS |= {"segmentation", "segmentationclass", "segmentationobject", "trimaps"}
BESIDE_MASKS = {"image", "images", "img", "imgs", "jpegimages"}
# 1_mask, mask_1, 1-segmentation_2
MASK = re.compile(
    r"mask[-_. ](?P<of>.+)|(?P<by>.+)[-_. ](gt|labels?|masks?|seg|segmentation)(_\d+)?",
    re.IGNORECASE,
)
# folders of small copies, and what such a copy is called: 1_thumb, thumb_1, 1-thumb-150,
# 1_thumb@2x, by WordPress 1-300x200
THUMBNAILS = {"preview", "previews", "thumb", "thumbnail", "thumbnails", "thumbs"}
THUMBNAIL = re.compile(
    r"thumb(nail)?[-_. ](?P<of>.+)|(?P<by>.+)([-_. ]thumb(nail)?[-_@]?(\d+x?)?|-\d{2,4}x\d{2,4})",
    re.IGNORECASE,
)


def is_mask(path: Path, folder: Path, there: set[Path]) -> bool:
    """Whether it outlines a picture of a class: in masks beside images, or as 1_mask.png.

    `there` are the paths of the class's pictures, less their endings.
    """
    beside = (path.parent.with_name(name) for name in (*BESIDE_MASKS, folder.name))
    if path.parent != folder and is_called(path.parent, MASKS) and any(map(Path.is_dir, beside)):
        return is_picture(path)
    return repeats_picture(path, there, MASKS, MASK)


def is_called(folder: Path, words: set[str]) -> bool:
    """Whether its name, or the last word in it, is one of these."""
    last = words_of(folder.name)[-1:]
    return folder.name.strip("_").casefold() in words or not words.isdisjoint(last)


def repeats_picture(path: Path, there: set[Path], words: set[str], pattern: re.Pattern) -> bool:
    """Whether its name, or its folder's and its name, say that it shows one of `there` again."""
    match = pattern.fullmatch(path.stem)
    shown = [match["of"] or match["by"]] if match else []
    place = path.parent
    if is_called(place, words):
        place, shown = place.parent, [path.stem, *shown]
    return is_picture(path) and any(place / name in there for name in shown)
