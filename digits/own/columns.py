"""What the columns of a table say: which pictures, of which class and split.

Nothing is guessed where two columns would do: a wrong label would be learned in silence.
"""

import csv
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from digits import pictures
from digits.idx import LATER_SPLITS, SPLITS
from digits.output import listed
from digits.own.common import (
    INDEX,
    composed,
    meaning,
    split_in,
    words_of,
    wrong,
)
from digits.own.files import delimited, ending, opened

# names of columns
CLASS_COLUMNS = {"label", "labels", "class", "class_name", "classname", "category"}
CLASS_COLUMNS |= {"target", "species", "breed", "diagnosis", "dx", "choice"}
CLASS_NUMBERS = {"category_id", "class_id", "classid", "label_id"}  # where none of these stands
SPLIT_COLUMNS = {"split", "subset", "partition"}
PICTURE_COLUMNS = {"file", "file_name", "filename", "image", "image_id", "imageid", "name", "path"}
PICTURE_COLUMNS |= {"id", "id_code"}
NAMES_OF_COLUMNS = CLASS_COLUMNS | CLASS_NUMBERS | SPLIT_COLUMNS | PICTURE_COLUMNS

# columns that hold a 1, or True: the splits where they do not, and where they do
SPLIT_FLAGS = dict.fromkeys(["is_train", "is_training"], ("test", "train"))
SPLIT_FLAGS |= dict.fromkeys(["is_val", "is_valid", "is_validation"], ("train", "val"))
SPLIT_FLAGS |= dict.fromkeys(["is_test", "is_holdout", "holdout"], ("train", "test"))
MARKS = ("train", "val", "test")
# such columns too, where another one is of classes: a train may be one of vehicles
SPLIT_FLAGS |= {split: SPLIT_FLAGS[f"is_{split}"] for split in MARKS}
BOOLEANS = dict.fromkeys(["1", "1.0", "true", "t", "yes", "y"], 1)
BOOLEANS |= dict.fromkeys(["0", "0.0", "false", "f", "no", "n"], 0)

FEW = 10  # rows, by which it is not told whether a column measures; words of a column of splits
MOST_COLUMNS = 1000  # more are pixels
MEASURED = 0.95  # of the values differ from each other where a column does
SAMPLE_ROWS = 100  # rows by which it is told whether a table names pictures

Row = list[str]


class Table(NamedTuple):
    """A file whose rows name pictures, and the numbers of its columns."""

    file: Path
    head: Row
    headed: bool  # else its first row names a picture already
    picture: int
    split: int | None
    labels: list[int]  # one of classes, or one for each class, with a 1 where it is that
    sure: bool  # that these are labels, by their name or their values

    @property
    def key(self) -> tuple[str, ...]:
        """The names of its columns of classes, however they are written."""
        return tuple(sorted(self.head[at].strip().casefold() for at in self.labels))

    @property
    def by(self) -> str:
        """Its columns of classes."""
        return listed(self.head[at] for at in self.labels) if self.headed else "the other column"


class PictureIndex:
    """The pictures in and below a folder, by the ends of their paths, less their endings."""

    def __init__(self, root: Path, paths: list[Path]) -> None:
        self.paths = [path.relative_to(root) for path in paths]
        self.root = root
        self.folders = {composed(name) for path in self.paths for name in path.parts[:-1]}
        self.above = {composed(str(above)) for path in self.paths for above in path.parents}
        self.by_end: dict[str, list[Path]] = {}
        for path in self.paths:
            parts = [composed(part) for part in (*path.parts[:-1], stem(path.name))]
            for start in range(len(parts)):
                self.by_end.setdefault("/".join(parts[start:]), []).append(path)

    def named(self, cell: str, split: str | None = None) -> list[Path]:
        """The pictures that a cell may name; its ending and folders must fit, where it has any.

        A path of another machine is matched by its end. What folders put into another split does
        not count.
        """
        *folders, name = re.split(r"[/\\]", composed(cell.strip()))
        found: list[Path] = []
        for start in range(len(folders) + 1):
            found = self.by_end.get("/".join([*folders[start:], stem(name)]), [])
            if found:
                break
        if start and folders[start - 1] in self.folders:
            return []
        if stem(name) != name:
            exact = [path for path in found if composed(path.name) == name]
            found = exact or [one for one in found if format_of(one.name) == format_of(name)]
        if split and not meaning(SPLITS, *folders):
            found = [path for path in found if by_folders(path) in (None, split)]
        return found

    def holds(self, table: Path) -> bool:
        """Whether pictures lie in the table's folder, or below, and not in all of them."""
        folder = table.parent.relative_to(self.root)
        return bool(folder.parts) and composed("/".join(folder.parts)) in self.above

    def named_in(self, table: Path, cell: str, split: str | None) -> list[Path]:
        """The pictures that a cell of this table may name: by a name alone, first one beside it."""
        if re.search(r"[/\\]", cell):
            return self.named(cell, split)
        folder = table.parent.relative_to(self.root)
        beside = self.named("/".join([*folder.parts, cell.strip()]), split)
        if direct := [path for path in beside if path.parent == folder]:
            return direct
        found = self.named(cell, split)
        below = [path for path in found if path.is_relative_to(folder)]
        return below if self.holds(table) else found

    def split_of(self, table: Path) -> str | None:
        """What a table's folder says, or its name."""
        return split_in(*table.relative_to(self.root).with_suffix("").parts)


def by_folders(path: Path) -> str | None:
    """The split that the names of a picture's folders say."""
    return meaning(SPLITS, *path.parts[:-1])


def stem(name: str) -> str:
    """A name without the ending of a picture."""
    path = Path(name)
    return path.stem if path.suffix.lower() in pictures.ENDINGS else name


def format_of(name: str) -> str | None:
    """The format that the ending of a picture says: .jpg and .jpeg are one."""
    return pictures.FORMAT_OF.get(Path(name).suffix.lower())


def rows_of(file: Path) -> Iterator[tuple[int, Row]]:
    """The rows of a table, each with the number of its last line."""
    with opened(file) as text:
        mark, start, rest = delimited(text)
        tabs = ending(file) == ".tsv"
        quote = None if tabs else '"'
        mark = "\t" if tabs else mark
        rows = csv.reader(rest, delimiter=mark, quotechar=quote, skipinitialspace=not tabs)
        try:
            for row in rows:
                if any(row):
                    yield start - 1 + rows.line_num, row
        except csv.Error as error:
            place = f"{file}, line {start - 1 + rows.line_num}"
            raise wrong(place, "a table", error) from None


def columns_of(file: Path, known: PictureIndex) -> Table | None:
    """Which columns say what; None where none names pictures, or nothing is said of them."""
    head, *rows = [row for _, row in islice(rows_of(file), SAMPLE_ROWS + 1)] or [[]]
    if len(head) > MOST_COLUMNS:
        return None
    rows = [row for row in rows if len(row) == len(head)]
    columns = names_in(head)
    picture = picture_column(file, head, rows, known)
    if picture is None:
        return None
    first = head[picture]
    named = bool(known.named(first)) or stem(first) != first
    headed = not named or not NAMES_OF_COLUMNS.isdisjoint(columns)
    others = [at for at in range(len(head)) if at != picture]
    split = split_column(file, head, rows, others)
    others = [at for at in others if at != split]
    others = [at for at in others if columns[at] not in INDEX] or others
    labels, sure = class_columns(file, head, rows, others, headed)
    return Table(file, head, headed, picture, split, labels, sure) if labels else None


def names_in(head: Row) -> list[str]:
    return [name.strip().casefold() for name in head]


def picture_column(file: Path, head: Row, rows: list[Row], known: PictureIndex) -> int | None:
    """The column that names pictures; None where there is none."""
    columns = names_in(head)
    naming = [at for at in range(len(head)) if names_pictures(columns[at], rows, at, known)]
    if len(naming) > 1:  # numbers may be names by chance
        naming = [at for at in naming if all(known.named(row[at]) for row in rows)] or naming
        naming = [at for at in naming if any(stem(row[at]) != row[at] for row in rows)] or naming
        naming = [at for at in naming if columns[at] in PICTURE_COLUMNS] or naming
    if not naming:
        return None
    if len(naming) > 1:
        found = listed(head[at] for at in naming)
        raise wrong(file, "one column that names pictures", found, "; call it image")
    check_names(file, head, rows, naming[0])
    return naming[0]


def split_column(file: Path, head: Row, rows: list[Row], others: list[int]) -> int | None:
    """The column that says the splits, by its name or else by its words; None if there is none."""
    columns = names_in(head)
    called = [at for at in others if columns[at] in SPLIT_COLUMNS or marks_split(head, rows, at)]
    if len(called) > 1:
        found = listed(head[at] for at in called)
        raise wrong(file, "one column of splits", found, "; rename all but one")
    alone = len(others) == 1
    worded = (at for at in others if has_split_words(columns[at], words_in(file, rows, at), alone))
    return called[0] if called else next(worded, None)


def class_columns(
    file: Path, head: Row, rows: list[Row], others: list[int], headed: bool
) -> tuple[list[int], bool]:
    """Which of the other columns say the classes, if any, and whether that is sure."""
    columns = names_in(head)
    called = [at for at in others if headed and columns[at] in CLASS_COLUMNS]
    called = called or [at for at in others if headed and columns[at] in CLASS_NUMBERS]
    one_hot = len(others) > 1 and all(len(marks(row, others)) == 1 for row in rows)
    if one_hot and headed and (len(others) > 2 or not called):
        if len({*columns}) < len(columns):
            raise wrong(file, "columns of different names", listed(head))
        return others, True
    if len(called) > 1:
        found = listed(head[at] for at in called)
        raise wrong(file, "one column of classes", found, "; rename all but one")
    if called or not others:
        return called, True
    if len(others) > 1:
        raise wrong(file, "a column called label", listed(head), "; rename that of the classes")
    distinct = {row[others[0]] for row in rows}
    if len(rows) > FEW and len(distinct) > MEASURED * len(rows):
        return [], False  # a measurement, a sum or a caption of each
    return others, False


def check_names(file: Path, head: Row, rows: list[Row], picture: int) -> None:
    """SystemExit where another column names files: what seems to name pictures numbers the rows."""
    if not all(row[picture].strip().isdecimal() for row in rows):
        return
    for at, name in enumerate(head):
        called = name.strip().casefold() in PICTURE_COLUMNS | {"img", "photo", "picture"}
        files = all(stem(row[at]) != row[at] and "://" not in row[at] for row in rows)
        alike = all(stem(re.split(r"[/\\]", row[at])[-1]) == row[picture] for row in rows)
        if called and files and not alike:
            hint = f"; if {head[picture]} names them, call the column {name} otherwise"
            raise wrong(file, f"pictures that {name} names", f"none called {rows[0][at]}", hint)


def names_pictures(column: str, rows: list[Row], at: int, known: PictureIndex) -> bool:
    """Whether half of its cells or more do, each another one: no index and no label does."""
    if column in CLASS_COLUMNS or column in INDEX - PICTURE_COLUMNS:
        return False
    cells = [row[at] for row in rows]
    hits = {cell for cell in cells if known.named(cell)}
    return bool(hits) and 2 * len(hits) >= len(cells)


def words_in(file: Path, rows: list[Row], at: int) -> set[str]:
    """The words of a column in some rows; in all, where it is one: a table may be sorted by it."""
    words = {row[at] for row in rows}
    if len(words) == 1 and split_in(*words):
        words = {row[at] for _, row in islice(rows_of(file), 1, None) if at < len(row)}
    return words


def has_split_words(column: str, words: set[str], alone: bool) -> bool:
    """Whether a column has few words, of which two are train, val or test.

    Alone, it has no other words: a train may be a class among vehicles.
    """
    if column in CLASS_COLUMNS:
        return False
    beside_train = any(meaning(SPLITS, word) == "train" for word in words)
    known = SPLITS | (LATER_SPLITS if beside_train else {})
    said = {split_in(word) if beside_train else meaning(SPLITS, word) for word in words}
    plain = {known.get(word.strip().casefold()) for word in words}  # "test tube" is none
    few = not alone and len(words) <= FEW and len(plain - {None}) > 1
    every = None not in said and len(said) > 1
    return few or every


def marks_split(head: Row, rows: list[Row], at: int) -> bool:
    """Whether a column is called as a flag; as train alone, only with 0 and 1 beside a class."""
    columns = names_in(head)
    if columns[at] not in MARKS:
        return flag(head[at]) is not None
    said = [split_said(head[at], row[at]) for row in rows]
    binary = all(row[at].strip().casefold() in BOOLEANS for row in rows)
    labels = [number for number, name in enumerate(columns) if name in CLASS_COLUMNS]
    classes = {row[number].strip().casefold() for number in labels for row in rows}
    mostly = 2 * said.count("train") >= len(said)  # else it is a result of a test
    return binary and mostly and bool(labels) and columns[at] not in classes


def flag(column: str) -> tuple[str, str] | None:
    """The splits that a 0 and a 1 mean in a column called so: is_valid, isValid, is valid."""
    return SPLIT_FLAGS.get("_".join(words_of(column)))


def split_said(column: str, cell: str) -> str | None:
    """The split that a cell says, or a 1 in a column such as is_valid."""
    splits, value = flag(column), BOOLEANS.get(cell.strip().casefold())
    if splits is None or value is None:
        return split_in(cell)
    return splits[value]


def marks(row: Row, columns: list[int]) -> list[int]:
    """The columns that hold a 1, where all others hold a 0."""
    values = [BOOLEANS.get(row[at].strip().casefold()) for at in columns]
    return [] if None in values else [at for at, value in zip(columns, values) if value]
