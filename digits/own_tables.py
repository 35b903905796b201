"""A table that names pictures and the class of each, as of many competitions -> the pictures.

    image_id,label,split
    0a1b2c,daisy,train
    0a1b2d,rose,test

A column names files in or below the table's folder: by a path, a name, or that without its ending.
"""

import csv
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import islice, takewhile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from digits import pictures
from digits.own_arrays import LINE, WHOLE, Arrays, numbered
from digits.own_common import SPLITS, Data, Job, ending, listed, meaning, opened, wrong
from digits.own_pictures import Picture, below, from_pictures, split_by_folders

# names of columns
LABELS = ["label", "labels", "class", "class_name", "category", "target", "y"]
LABELS += ["species", "breed", "diagnosis", "dx"]
SPLIT = {"split", "set", "data set", "dataset", "subset", "partition"}
INDEX = {"", "id", "index", "unnamed: 0"}

LOOK = 100  # rows by which a table is told

Row = list[str]


class Table(NamedTuple):
    """A file whose rows name pictures, and the numbers of its columns."""

    file: Path
    head: Row
    headed: bool  # else its first row names a picture already
    picture: int
    split: int | None
    labels: list[int]  # one of classes, or one for each class, with a 1 where it is that


class Known:
    """The pictures in and below a folder, to be found by what a cell calls them."""

    def __init__(self, root: Path, paths: list[Path]) -> None:
        self.root = root
        self.by_stem: dict[str, list[Path]] = {}
        for path in paths:
            self.by_stem.setdefault(stem(path.name), []).append(path)

    def called(self, cell: str, split: str | None = None) -> list[Path]:
        """Those of that name; of several, the ones whose ending and whose folders fit best."""
        name, *folders = cell.strip().replace("\\", "/").split("/")[::-1]
        found = self.by_stem.get(stem(name), [])

        def likeness(path: Path) -> tuple[bool, int, bool]:
            above = path.relative_to(self.root).parts[-2::-1]
            same = takewhile(lambda pair: pair[0] == pair[1], zip(folders, above))
            return path.name == name, len([*same]), meaning(SPLITS, *above) == split

        if len(found) < 2:
            return found
        most = max(map(likeness, found))
        return [path for path in found if likeness(path) == most]


def stem(name: str) -> str:
    """A name without the ending of a picture."""
    path = Path(name)
    return path.stem if path.suffix.lower() in pictures.ENDINGS else name


def from_tables(root: Path, files: list[Path], names: list[str] | None, job: Job) -> Data | None:
    """The pictures that tables name; None where these name none, or not the classes."""
    left: Counter[str] = Counter()
    inside = [path for path in below(root, left) if ending(path) in pictures.ENDINGS]
    if not inside:
        return None
    known = Known(root, inside)
    folders = {path.parent.name for path in inside if path.parent != root}
    by_folder = len({name for name in folders if not meaning(SPLITS, name)}) > 1
    # what a competition would be handed has made-up labels
    usual = [file for file in files if "submission" not in file.name.casefold()]
    tables = [table for file in usual if (table := look(file, known, by_folder))]
    named = [row for table in tables for row in read(table, known, len(tables) > 1)]
    if not named or (by_folder and 2 * len(named) < len(inside)):
        return None
    job.said.append(f"classes by {listed(table.file.name for table in tables)}")
    values = [label for _, label in named]
    labels = np.array(values, float if all(map(WHOLE.fullmatch, values)) else str)
    if labels.dtype == float:
        labels = labels.astype(int)
    [codes], classes = numbered(root, [Arrays("", labels, labels)], names, job)
    chosen = [picture._replace(name=classes[code]) for (picture, _), code in zip(named, codes)]
    if not any(picture.split for picture in chosen):
        chosen = split_by_folders(root, chosen, 0)
    found: dict[Path, Picture] = {}
    for picture in chosen:
        first = found.setdefault(picture.path, picture)
        if first[1:] != picture[1:]:
            both = " and ".join(f"{one.name} {one.split}".strip() for one in (first, picture))
            raise wrong(picture.path, "one class and one split", both)
    left.update(ending(path) for path in inside if path not in found)
    return from_pictures(root, [*found.values()], classes, left, job)


def lines(file: Path) -> Iterator[tuple[int, Row]]:
    """The rows of a table, each with the number of its last line."""
    with opened(file) as text:
        first = text.readline(LINE)
        text.seek(0)
        rest = iter(partial(text.readline, LINE), "")
        rows = csv.reader(rest, delimiter=max(",;\t", key=first.count))
        try:
            yield from ((rows.line_num, row) for row in rows if any(row))
        except csv.Error as error:
            raise wrong(f"{file}, line {rows.line_num}", "a table", error) from None


def look(file: Path, known: Known, by_folder: bool) -> Table | None:
    """Which columns say what; None where none names pictures, or nothing is said of them.

    Where folders say the class too, only a column that is called so does it in their place.
    """
    head, *rows = [row for _, row in islice(lines(file), LOOK + 1)] or [[]]
    rows = [row for row in rows if len(row) == len(head)]

    def hits(column: int) -> int:
        cells = [row[column] for row in rows if known.called(row[column])]
        # a number without an ending may be a picture's name by chance
        return len(cells) + sum(stem(cell) != cell for cell in cells)

    picture = max(range(len(head)), key=hits, default=0)
    if not rows or 2 * hits(picture) < len(rows):
        return None
    headed = not known.called(head[picture])
    columns = [name.strip().casefold() if headed else "a column" for name in head]
    split = None
    for at, name in enumerate(columns):
        if name in SPLIT and all(meaning(SPLITS, row[at]) for row in rows):
            split = at
    others = [at for at in range(len(head)) if at not in (picture, split)]
    labels = [columns.index(name) for name in LABELS if name in columns][:1]
    if not labels and not by_folder:
        labels = [at for at in others if columns[at] not in INDEX]
    one_of_all = headed and all(len(marks(row, labels)) == 1 for row in rows)
    if len(labels) > 1 and not one_of_all:
        raise wrong(file, "a column called label", f"{listed(head)}; rename that of the classes")
    return Table(file, head, headed, picture, split, labels) if labels else None


def marks(row: Row, columns: list[int]) -> list[int]:
    """The columns that hold a 1, where all others hold a 0."""
    cells = [row[at].strip() for at in columns]
    if not {*cells} <= {"0", "0.0", "1", "1.0"}:
        return []
    return [at for at, cell in zip(columns, cells) if cell in ("1", "1.0")]


def read(table: Table, known: Known, several: bool) -> Iterator[tuple[Picture, str]]:
    """Yield the pictures of a table, of several if so, and what it says that each shows."""
    of_file = meaning(SPLITS, table.file.stem)
    lost = []
    for number, row in islice(lines(table.file), int(table.headed), None):
        place = f"{table.file}, line {number}"
        if len(row) != len(table.head):
            raise wrong(place, f"{len(table.head)} columns", len(row))
        if table.split is not None:
            split = meaning(SPLITS, row[table.split]) or "train"
        else:
            split = (several and of_file) or ""
        paths = known.called(row[table.picture], split or of_file)
        if len(paths) > 1:
            raise wrong(place, "the name of one picture", f"that of {listed(paths)}")
        if not paths:
            lost.append(row[table.picture])
            continue
        if len(table.labels) == 1:
            label = row[table.labels[0]].strip()
        else:
            label = " ".join(table.head[at].strip() for at in marks(row, table.labels))
        if not label:
            raise wrong(place, "a class", "none")
        yield Picture(paths[0], label, split), label
    if lost:
        found = f"none called {listed(lost)} ({len(lost):,} in all)"
        raise wrong(table.file, f"pictures in or below {known.root}", found)
