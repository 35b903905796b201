"""A table that names pictures and the class of each, as of many competitions -> the pictures.

    image_id,label,split
    0a1b2c,daisy,train
    0a1b2d,rose,test

A column names files in or below the table's folder: by a path, a name, or that without its ending.
"""

from collections import Counter
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path

from digits.idx import SPLITS
from digits.output import listed
from digits.own.columns import PictureIndex, Table
from digits.own.common import Data, Job, Picture, meaning, natural, wrong
from digits.own.files import (
    CLASSES_FILE,
    TABLES,
    below,
    ending,
    folders,
    has_pictures,
    is_picture,
    is_predicted,
    table_files,
    visible,
    walk,
)
from digits.own.folders import ALBUMS, are_parts, find, is_album, only_folder, split_by_folders
from digits.own.labels import as_labels, numbered, plain
from digits.own.lists import split_by_lists, untrained
from digits.own.picture_files import from_pictures
from digits.own.rows import (
    check_chance,
    check_rows,
    classes_by,
    fitting,
    good_rows,
    once_each,
    pictures_of,
)


def classes_by_folders(root: Path, names: list[str] | None) -> dict[Path, str]:
    """The class of each picture, where folders say it; else nothing.

    They do not if one is alone, or if they are splits, parts, albums or masks.
    """
    try:
        found, _ = find(only_folder(root), names, Counter())
    except SystemExit:
        return {}
    # a folder of annotations or models is no class
    class_of = {one.path: one.label for one in found if is_picture(one.path)}
    classes = {*class_of.values()}
    splits = {meaning(SPLITS, name) for name in classes} - {None}
    others = len(splits) > 1 or are_parts(classes) or all(map(is_album, classes))
    return class_of if len(classes) > 1 and not others else {}


def from_tables(root: Path, job: Job) -> Data | None:
    """The pictures that tables name; None where these name none, or folders say the classes."""
    if not root.is_dir():
        return None
    above = [file for file in table_files(visible(root)) if not is_predicted(Path(file.name))]
    tops = split_folders(root) if above else [root]
    files = [*above, *(file for top in tops for file in tables_in(top))]
    if not files:
        return None
    class_of = classes_by_folders(root, job.class_names)
    if class_of and not overrules(root, files, class_of):
        names = {file.name: file for file in files if not is_predicted(Path(file.name))}
        if names:
            job.said.append(f"folders say the classes, not {listed(names)}")
        return None
    outer = {root, *split_folders(root)}
    return from_listed(root, files, job, sure=not outer.issuperset(file.parent for file in files))


def tables_in(folder: Path) -> list[Path]:
    """The tables in and below a folder that have pictures below, and no such table above them."""
    files = (file for file in walk(folder, Counter()) if ending(file) in TABLES)
    there = {file.parent for file in files if not is_predicted(Path(file.name))}
    holding = {top for top in there if has_pictures(top)}
    tops = [top for top in holding if holding.isdisjoint(top.parents)]
    return [file for top in sorted(tops, key=natural) for file in table_files(visible(top))]


def overrules(root: Path, files: list[Path], class_of: dict[Path, str]) -> bool:
    """Whether tables say the classes, not the folder of each: all that they name lie in one album.

    SystemExit where both may, and say different classes.
    """
    known = PictureIndex(root, [*class_of])
    above = only_folder(root).relative_to(root).parts  # the folders of classes
    in_album = not ALBUMS.isdisjoint(map(str.casefold, above))
    try:
        used = [table for table in fitting(files, known) if table.sure or in_album]
    except SystemExit:
        return False  # they are no tables of these pictures
    rows = [row for table in used for row in good_rows(table, known, len(used) > 1)]
    if not rows:
        for table in used:
            check_rows(table, known, len(used) > 1, {*map(plain, class_of.values())})
    names = Counter(path for path, _ in {(row.path, row.label) for row in rows})
    if 10 * sum(count > 1 for count in names.values()) > len(names):
        return False  # of boxes or parts: a picture has several
    both = [(plain(class_of[row.path]), plain(row.label)) for row in rows]
    pairs = Counter(both)
    used_folders = {folder for folder, _ in pairs}
    labels = {label for _, label in pairs}
    if len(labels) == 1:
        return False  # one class alone is none
    if len(used_folders) == 1:
        return is_album(*used_folders)
    if len(used_folders) < len(pairs) or len(labels) < len(pairs):
        if in_album and labels.isdisjoint(used_folders) and all(table.sure for table in used):
            return True
        unlike = [(pairs[pair], row) for pair, row in zip(both, rows) if pair[0] != pair[1]]
        _, rare = min(unlike, key=itemgetter(0))
        raise contradicted(root, used, rare, class_of[rare.path])
    return False


def contradicted(root: Path, used: list[Table], row: Picture, folder: str) -> SystemExit:
    """What is wrong where a row of these tables says another class than the picture's folder."""
    called = listed(table.file.relative_to(root) for table in used)
    said = f"{row.path.relative_to(root)} is {row.label}"
    found = f"others: by {called}, {said}, and lies in {folder}"
    one = "it" if len(used) == 1 else "one table of all rows"
    hint = f"put {one} beside a folder images that holds the others"
    if not all(table.sure for table in used):
        hint = "call its column of classes label"
    expected = "classes that folders and tables say alike"
    return wrong(root, expected, found, f"; take {called} away, or {hint}")


def split_folders(root: Path) -> list[Path]:
    return [folder for folder in folders(root) if meaning(SPLITS, folder.name)]


def from_tables_aside(root: Path, job: Job) -> Data | None:
    """The pictures that tables in folders without pictures name, if a column is called label."""
    tops = [root, *split_folders(root)]
    aside = [each for top in tops for each in folders(top) if not has_pictures(each)]
    files = [file for folder in aside for file in table_files(below(folder, Counter()))]
    class_of = classes_by_folders(root, job.class_names) if files else {}
    if not files or (class_of and not overrules(root, files, class_of)):
        return None
    return from_listed(root, files, job, sure=True)


def from_listed(root: Path, files: list[Path], job: Job, sure: bool) -> Data | None:
    """The pictures that some of these tables name, those alone that are `sure` of the classes."""
    left: Counter[str] = Counter()
    inside = below(root, left)
    images = [path for path in inside if is_picture(path)]
    if not images:
        return None  # and no look at each column of pixels
    known = PictureIndex(root, images)
    used = fitting(files, known)
    if not used or (sure and not all(table.sure for table in used)):
        return None
    job.said.append(classes_by(used, root))
    splits = [table for table in used if table.split is not None]
    if splits:
        by = listed(f"{one.head[one.split or 0]} of {one.file.relative_to(root)}" for one in splits)
        job.said.append(f"splits by {by}")
    rows = [row for table in used for row in pictures_of(table, known, len(used) > 1)]
    check_chance(used, known, rows)
    unsplit = not any(row.split for row in rows)
    if unsplit:
        rows = split_by_folders(root, rows, 0, strict=True)
    if not splits:
        rows = [*without_stand_ins(rows, job)]
    if unsplit:
        rows = split_by_lists(root, rows, {table.file for table in used}, left, job)
    chosen, classes = with_classes(root, rows, job)
    if reason := untrained(chosen):
        job.said.append(f"looks wrong: {reason}")
    found = once_each(chosen)
    left.update(f"{ending(path)} that no row names" for path in images if path not in found)
    known_too = {*images, *(table.file for table in used), root / CLASSES_FILE}
    left.update(ending(path) for path in inside if path not in known_too)
    return from_pictures(root, [*found.values()], classes, +left, job)


def without_stand_ins(rows: list[Picture], job: Job) -> Iterator[Picture]:
    """The rows, less test pictures that all have one label, for want of the true."""
    tested = Counter(row.label for row in rows if row.split == "test")
    trained = {row.label for row in rows if row.split == "train"}
    same = len(tested) == 1 < min(tested.total(), len(trained))
    if same:
        job.said.append(f"left out: {tested.total():,} test pictures, all labelled {min(tested)}")
    return (row for row in rows if not same or row.split != "test")


def with_classes(root: Path, found: list[Picture], job: Job) -> tuple[list[Picture], list[str]]:
    """Pictures with the names of their classes, and all of these: classes.txt may have them."""
    labels = as_labels([picture.label for picture in found])
    [codes], classes = numbered(root, [labels], job)
    return [picture._replace(label=classes[code]) for picture, code in zip(found, codes)], classes
