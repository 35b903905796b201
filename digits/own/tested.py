"""Folders of classes to train on, and a table that says what test pictures show -> all of them.

    train/0/1.png  train/1/1.png  ...  test/1.png  test/2.png  ...  test.csv

So the German traffic signs (GTSRB) come.
"""

from collections import Counter
from pathlib import Path

from digits.output import listed
from digits.own.columns import PictureIndex
from digits.own.common import Data, Job, composed, wrong
from digits.own.files import below, ending, folders, is_picture, table_files, visible
from digits.own.folders import NO_CLASS, find, joined, splits_in
from digits.own.labels import plain
from digits.own.picture_files import from_pictures
from digits.own.rows import classes_by, fitting, good_rows, once_each, pictures_of


def from_tested(root: Path, job: Job) -> Data | None:
    """Such pictures, where a table that is called test names them by the folders' classes."""
    aside = without_classes(root)
    left: Counter[str] = Counter()
    inside = [path for top in aside for path in below(top, left)]
    images = [path for path in inside if is_picture(path)]
    known = PictureIndex(root, images)
    files = [*table_files(visible(root)), *table_files(inside)] if images else []
    files = [file for file in files if known.split_of(file) in ("test", "val")]
    if not files:
        return None
    try:
        found, classes = find(root, job.class_names, left)
        used = fitting(files, known)
    except SystemExit:
        return None  # what is wrong is told where folders alone are read, or tables alone
    name_of = {comparable(name): name for name in classes}
    good = [row for table in used for row in good_rows(table, known, several=True)]
    told = {comparable(row.label) for row in good}
    if len(told) < 2 or told.isdisjoint(name_of) or len(name_of) < len(classes):
        return None  # a single one stands there for want of the true
    unknown = told - name_of.keys()
    if 2 * len(unknown) > len(told) and not all(table.sure for table in used):
        return None  # the column is of something else
    rows = [row for table in used for row in pictures_of(table, known, several=True)]
    if strange := {row.label for row in rows if comparable(row.label) in unknown}:
        raise wrong(used[0].file, f"classes of train ({listed(classes)})", listed(sorted(strange)))
    tested = [row._replace(label=name_of[comparable(row.label)]) for row in rows]
    left.subtract(f"{top.name}/{NO_CLASS}" for top in aside)
    left.subtract(ending(table.file) for table in used)
    named = {picture.path for picture in tested}
    left.update(f"{ending(path)} that no row names" for path in images if path not in named)
    left.update(ending(path) for path in inside if not is_picture(path))
    job.said.append(f"of {listed(top.name for top in aside)} {classes_by(used, root)}")
    job.said += joined(root, found)
    return from_pictures(root, [*found, *once_each(tested).values()], classes, +left, job)


def without_classes(root: Path) -> list[Path]:
    """The folders of test pictures that hold none of the classes which those of train hold."""
    tops = splits_in(root) if root.is_dir() else {}
    inside = {top: {composed(one.name) for one in folders(top)} for top in tops}
    trained = set().union(*(inside[top] for top in tops if tops[top] == "train"))
    tests = [top for top, split in tops.items() if split in ("test", "val")]
    return [top for top in tests if len(trained) > 1 and trained.isdisjoint(inside[top])]


def comparable(name: str) -> str:
    """What the name of a class and a label share: 00007 and 7, Stop_sign and stop sign."""
    return plain(name).lstrip("0") or "0"
