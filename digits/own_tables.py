"""A table that names pictures and the class of each, as of many competitions -> the pictures.

    image_id,label,split
    0a1b2c,daisy,train
    0a1b2d,rose,test

A column names files in or below the table's folder: by a path, a name, or that without its ending.
Nothing is guessed where two columns would do: a wrong label would be learned in silence.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from digits import pictures
from digits.own_arrays import LABEL, as_labels, numbered
from digits.own_common import (
    INDEX,
    KINDS,
    NAMES,
    SPLITS,
    Data,
    Job,
    composed,
    delimited,
    ending,
    folders,
    listed,
    meaning,
    opened,
    table_files,
    visible,
    words_of,
    wrong,
)
from digits.own_pictures import (
    Picture,
    below,
    find,
    from_pictures,
    has_pictures,
    split_by_folders,
)

# names of columns
LABELS = {"label", "labels", "class", "class_name", "category", "target"}
LABELS |= {"species", "breed", "diagnosis", "dx", "choice"}
SPLIT = {"split", "subset", "partition"}
FILES = {"file", "file_name", "filename", "id", "id_code", "image", "image_id", "imageid", "name"}
FILES |= {"path"}

# a model's own labels, or what a competition would be handed
PREDICTED = {"pred", "preds", "predicted", "prediction", "predictions"}
OUTPUTS = {"logs", "output", "outputs", "predictions", "results"}

# columns that hold a 1, or True: the splits where they do not, and where they do
FLAGS = dict.fromkeys(["is_train", "is_training"], ("test", "train"))
FLAGS |= dict.fromkeys(["is_val", "is_valid", "is_validation"], ("train", "val"))
FLAGS |= {"is_test": ("train", "test")}
FLAG = {"1": 1, "1.0": 1, "true": 1, "0": 0, "0.0": 0, "false": 0}

FEW = 10  # rows, by which it is not told whether a column measures
MEASURED = 0.95  # of the values differ from each other where a column does
LOOK = 100  # rows by which it is told whether a table names pictures
ALBUMS = {"jpg", "jpeg", "mask", "masks", "photo", "photos", "picture", "pictures", "png"}
ALBUMS |= {"preview", "previews", "thumbnail", "thumbnails", "thumbs"}

PARTS = {"batch", "chunk", "folder", "image", "images", "img", "imgs", "part", "shard"}

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
    def by(self) -> str:
        """Its columns of classes."""
        return listed(self.head[at] for at in self.labels) if self.headed else "the other column"


class Known:
    """The pictures in and below a folder, by the ends of their paths, less their endings."""

    def __init__(self, root: Path, paths: list[Path]) -> None:
        self.paths = [path.relative_to(root) for path in paths]
        self.root = root
        self.folders = {composed(name) for path in self.paths for name in path.parts[:-1]}
        self.by_end: dict[str, list[Path]] = {}
        for path in self.paths:
            parts = [composed(part) for part in (*path.parts[:-1], stem(path.name))]
            for start in range(len(parts)):
                self.by_end.setdefault("/".join(parts[start:]), []).append(path)

    def called(self, cell: str, split: str | None = None) -> list[Path]:
        """Those that a cell may mean: of its ending and its folders, if it has such.

        Folders of another machine do not count. A picture of another split is none.
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
            found = [path for path in found if kind(path.name) == kind(name)]
        if split and not meaning(SPLITS, *folders):
            found = [path for path in found if by_folders(path) in (None, split)]
        return found

    def split_of(self, table: Path) -> str | None:
        """What a table's name says, or its folder's: train_test_labels.csv is of both."""
        parts = table.relative_to(self.root).with_suffix("").parts
        several = len({SPLITS[word] for word in words_of(parts[-1]) if word in SPLITS}) > 1
        return None if several else meaning(SPLITS, *parts)


def by_folders(path: Path) -> str | None:
    """The split that the names of a picture's folders say."""
    return meaning(SPLITS, *path.parts[:-1])


def stem(name: str) -> str:
    """A name without the ending of a picture."""
    path = Path(name)
    return path.stem if path.suffix.lower() in pictures.ENDINGS else name


def kind(name: str) -> str:
    """The ending of a picture, the same for both spellings."""
    return Path(name).suffix.lower().replace("jpeg", "jpg").replace("tiff", "tif")


def says_class(root: Path, names: list[str] | None) -> bool:
    """Whether folders say the classes: not one alone, and no splits, parts, albums or masks."""
    try:
        found, _ = find(root, names, Counter())
    except SystemExit:
        return False
    # a folder of annotations or models is no class
    classes = {picture.name for picture in found if ending(picture.path) in pictures.ENDINGS}
    splits = {meaning(SPLITS, name) for name in classes} - {None}
    letters = {re.sub(r"[\W\d_]*$", "", name) for name in classes}
    parts = len(letters) == 1 and not PARTS.isdisjoint(words_of(min(letters))[-1:])
    albums = [name.casefold() in ALBUMS or meaning(KINDS, name) == "images" for name in classes]
    others = len(splits) > 1 or parts or all(albums)
    return len(classes) > 1 and not others


def from_tables(root: Path, files: list[Path], names: list[str] | None, job: Job) -> Data | None:
    """The pictures that tables name; None where these name none, or folders say the classes."""
    files = [*files, *(file for top in split_folders(root) for file in table_files(visible(top)))]
    if files and says_class(root, names):
        job.said.append(f"folders say the classes, not {listed(file.name for file in files)}")
        return None
    return named(root, files, names, job, sure=False) if files else None


def split_folders(root: Path) -> list[Path]:
    return [folder for folder in folders(root) if meaning(SPLITS, folder.name)]


def from_tables_aside(root: Path, names: list[str] | None, job: Job) -> Data | None:
    """The same of tables in folders that have no pictures, where a column is called label."""
    tops = [root, *split_folders(root)]
    aside = [each for top in tops for each in folders(top) if not has_pictures(each)]
    files = [file for folder in aside for file in table_files(below(folder, Counter()))]
    if not files or says_class(root, names):
        return None
    return named(root, files, names, job, sure=True)


def named(
    root: Path, files: list[Path], names: list[str] | None, job: Job, sure: bool
) -> Data | None:
    """The pictures that some of these tables name, those alone that are `sure` of the classes."""
    left: Counter[str] = Counter()
    inside = below(root, left)
    images = [path for path in inside if ending(path) in pictures.ENDINGS]
    known = Known(root, images)
    used = fitting(files, known)
    if not used or (sure and not all(table.sure for table in used)):
        return None
    by = listed(f"{table.by} of {table.file.relative_to(root)}" for table in used)
    job.said.append(f"classes by {by}")
    rows = [row for table in used for row in read(table, known, len(used) > 1)]
    chosen, classes = with_classes(root, rows, names, job)
    if not any(picture.split for picture in chosen):
        chosen = split_by_folders(root, chosen, 0, strict=True)
    found: dict[Path, Picture] = {}
    for picture in chosen:
        first = found.setdefault(picture.path, picture)
        if first[1:] != picture[1:]:
            both = " and ".join(f"{one.name} {one.split}".strip() for one in (first, picture))
            raise wrong(picture.path, "one class and one split", both)
    left.update(f"{ending(path)} that no row names" for path in images if path not in found)
    known_too = {*images, *files, root / NAMES}
    left.update(ending(path) for path in inside if path not in known_too)
    return from_pictures(root, [*found.values()], classes, left, job)


def fitting(files: list[Path], known: Known) -> list[Table]:
    """The tables that say the classes alike: of several, in a column that is called so."""
    tables, reasons = [], []
    for file in files:
        folders = {part.casefold() for part in file.relative_to(known.root).parts[:-1]}
        made_up = "submission" in file.name.casefold() or PREDICTED & {*words_of(file.stem)}
        if made_up or OUTPUTS & folders:
            continue
        try:
            if table := columns_of(file, known):
                tables.append(table)
        except SystemExit as reason:
            reasons.append(reason)
    sure = [table for table in tables if table.sure]
    alike = [table for table in sure if table.by == sure[0].by]
    if reasons and not alike:
        raise reasons[0]
    if len(tables) < 2:
        return tables
    unsplit = [one for one in alike if one.split is None and not known.split_of(one.file)]
    if not alike or (len(alike) > 1 and unsplit):
        found = listed(table.file.relative_to(known.root) for table in tables)
        expected = "one table with a column called label, or train.csv and test.csv"
        raise wrong(known.root, expected, found)
    return alike


def lines(file: Path) -> Iterator[tuple[int, Row]]:
    """The rows of a table, each with the number of its last line."""
    with opened(file) as text:
        mark, start, rest = delimited(text)
        tabs = ending(file) == ".tsv"
        rows = csv.reader(rest, delimiter="\t" if tabs else mark, quotechar=None if tabs else '"')
        try:
            for row in rows:
                if any(row):
                    yield start - 1 + rows.line_num, row
        except csv.Error as error:
            place = f"{file}, line {start - 1 + rows.line_num}"
            raise wrong(place, "a table", error) from None


def columns_of(file: Path, known: Known) -> Table | None:
    """Which columns say what; None where none names pictures, or nothing is said of them."""
    head, *rows = [row for _, row in islice(lines(file), LOOK + 1)] or [[]]
    rows = [row for row in rows if len(row) == len(head)]
    columns = [name.strip().casefold() for name in head]
    naming = [at for at in range(len(head)) if names_pictures(columns[at], rows, at, known)]
    if len(naming) > 1:  # numbers may be names by chance
        naming = [at for at in naming if any(stem(row[at]) != row[at] for row in rows)] or naming
        naming = [at for at in naming if columns[at] in FILES] or naming
    if not naming:
        return None
    if len(naming) > 1:
        found = listed(head[at] for at in naming)
        raise wrong(file, "one column that names pictures", found, "; call it image")
    [picture] = naming
    headed = not known.called(head[picture]) or not {*columns}.isdisjoint(LABELS | SPLIT | FILES)
    others = [at for at in range(len(head)) if at != picture]
    split = next((at for at in others if is_split(columns[at], rows, at)), None)
    others = [at for at in others if at != split]
    others = [at for at in others if columns[at] not in INDEX] or others
    if not others:
        return None
    called = [at for at in others if headed and columns[at] in LABELS]
    one_hot = len(others) > 1 and all(len(marks(row, others)) == 1 for row in rows)
    sure = True
    if one_hot and headed and (len(others) > 2 or not called):
        labels = others
        if len({*columns}) < len(columns):
            raise wrong(file, "columns of different names", listed(head))
    elif len(called) == 1:
        labels = called
    elif called:
        found = listed(head[at] for at in called)
        raise wrong(file, "one column of classes", found, "; rename all but one")
    elif len(others) == 1:
        distinct = {row[others[0]] for row in rows}
        if len(rows) > FEW and len(distinct) > MEASURED * len(rows):
            return None  # a measurement, a sum or a caption of each
        labels, sure = others, False
    else:
        raise wrong(file, "a column called label", listed(head), "; rename that of the classes")
    return Table(file, head, headed, picture, split, labels, sure)


def names_pictures(column: str, rows: list[Row], at: int, known: Known) -> bool:
    """Whether most of its cells do, and each another: neither an index nor a label does."""
    if column in LABELS or column in INDEX - FILES:
        return False
    cells = [row[at] for row in rows]
    hits = {cell for cell in cells if known.called(cell)}
    return 2 * len(hits) > len(cells)


def is_split(column: str, rows: list[Row], at: int) -> bool:
    """Whether a column is called so, or says train, val or test everywhere."""
    if column in LABELS:
        return False
    said = {split_said(column, row[at]) for row in rows}
    return column in SPLIT or (len(said) > 1 and None not in said)


def split_said(column: str, cell: str) -> str | None:
    """The split that a cell says, or a 1 in a column such as is_valid."""
    splits = FLAGS.get(column.strip().casefold())
    if not splits:
        return meaning(SPLITS, cell)
    value = FLAG.get(cell.strip().casefold())
    return None if value is None else splits[value]


def marks(row: Row, columns: list[int]) -> list[int]:
    """The columns that hold a 1, where all others hold a 0."""
    values = [FLAG.get(row[at].strip().casefold()) for at in columns]
    return [] if None in values else [at for at, value in zip(columns, values) if value]


def read(table: Table, known: Known, several: bool) -> Iterator[Picture]:
    """Yield the pictures of a table, of several if so, with what it says that each shows."""
    of_file = known.split_of(table.file)
    lost, bare = [], True
    named: Counter[Path] = Counter()
    for number, row in islice(lines(table.file), int(table.headed), None):
        place = f"{table.file}, line {number}"
        if len(row) != len(table.head):
            raise wrong(place, f"{len(table.head)} columns", len(row))
        split = of_file if several else None
        if table.split is not None:
            split = split_said(table.head[table.split], row[table.split])
            if not split:
                raise wrong(place, "train, val or test", row[table.split])
        cell = row[table.picture]
        paths = known.called(cell, split or of_file)
        if len(paths) > 1:
            raise wrong(place, "the name of one picture", f"that of {listed(paths)}")
        if not paths:
            lost.append(cell)
            continue
        named[paths[0].parent] += 1
        bare = bare and stem(cell) == cell
        yield Picture(known.root / paths[0], label_in(row, table, place), split or "")
    if lost:
        found = f"none called {listed(lost)} ({len(lost):,} in all)"
        raise wrong(table.file, f"pictures in or below {known.root}", found)
    there = Counter(path.parent for path in known.paths)
    if bare and all(2 * count < there[folder] for folder, count in named.items()):
        found = f"{named.total():,} of {len(known.paths):,}; names without endings may be chance"
        raise wrong(table.file, "names of at least half of a folder's pictures", found)


def label_in(row: Row, table: Table, place: str) -> str:
    """What a row says that its picture shows; SystemExit where that is nothing, or no name."""
    if len(table.labels) == 1:
        label = row[table.labels[0]].strip()
    else:
        marked = marks(row, table.labels)
        if len(marked) != 1:
            raise wrong(place, "a 1 in one column and 0 in the others", listed(row))
        label = table.head[marked[0]].strip()
    if not label:
        raise wrong(place, "a class", "none")
    if len(label) > LABEL or "\n" in label:
        raise wrong(place, f"a class of at most {LABEL} letters in a line", f"{label[:40]} ...")
    if re.search("[\ud800-\udfff\ufffd]", label):
        raise wrong(place, "text in UTF-8", label)
    return label


def with_classes(
    root: Path, found: list[Picture], names: list[str] | None, job: Job
) -> tuple[list[Picture], list[str]]:
    """Pictures with the names of their classes, and all of these: classes.txt may have them."""
    labels = as_labels([picture.name for picture in found])
    [codes], classes = numbered(root, [labels], names, job)
    return [picture._replace(name=classes[code]) for picture, code in zip(found, codes)], classes
