"""Tables that name pictures -> which of them count, and the picture of each row."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from digits.output import listed
from digits.own.columns import (
    PictureIndex,
    Row,
    Table,
    columns_of,
    marks,
    rows_of,
    split_said,
    stem,
)
from digits.own.common import Picture, composed, wrong
from digits.own.files import is_predicted
from digits.own.labels import LONGEST_LABEL, plain


def fitting(files: list[Path], known: PictureIndex) -> list[Table]:
    """The tables that say the classes alike: of several, in a column that is called so."""
    tables: list[Table] = []
    reasons: dict[Path, SystemExit] = {}  # why a table in a folder is not used
    for file in files:
        if is_predicted(file.relative_to(known.root)):
            continue
        try:
            if table := columns_of(file, known):
                tables.append(table)
        except SystemExit as reason:
            reasons.setdefault(file.parent, reason)
    sure = [table for table in tables if table.sure]
    if reasons and not sure:
        raise next(iter(reasons.values()))
    if len(tables) < 2:
        return tables
    splits = [known.split_of(table.file) for table in sure]
    parts = {table.file.parent for table in sure if known.holds(table.file)}
    apart = len(parts) == len(tables)  # each beside its own pictures
    if (None not in splits and len({*splits}) == len(splits) > 1) or apart:
        if apart and (without := reasons.keys() - parts):
            raise reasons[min(without)]
        return sure  # which may call their columns otherwise
    groups: dict[tuple[str, ...], list[Table]] = {}
    for table in sure:
        groups.setdefault(table.key, []).append(table)
    alike = max(groups.values(), key=named_by, default=[])
    unsplit = [one for one in alike if one.split is None and not known.split_of(one.file)]
    if not alike or (len(alike) > 1 and unsplit):
        found = listed(table.file.relative_to(known.root) for table in tables)
        expected = "one table with a column called label, or train.csv and test.csv"
        raise wrong(known.root, expected, found)
    return alike


def named_by(tables: list[Table]) -> tuple[int, int]:
    """How many pictures they name, then how few rows they need for it."""
    names = [name for table in tables for name in cells(table)]
    return len({*names}), -len(names)


def classes_by(tables: list[Table], root: Path) -> str:
    """What is said of the columns by which pictures have their classes."""
    by = listed(f"{table.by} of {table.file.relative_to(root)}" for table in tables)
    return f"classes by {by}"


def pictures_of(table: Table, known: PictureIndex, several: bool) -> Iterator[Picture]:
    """Yield the pictures of a table, of several if so, with what it says that each shows."""
    lost = []
    for place, row in numbered_rows(table):
        if picture := picture_in(row, table, known, several, place):
            yield picture
        else:
            lost.append(row[table.picture])
    if lost:
        found = f"none called {listed(lost)} ({len(lost):,} in all)"
        raise wrong(table.file, f"pictures in or below {known.root}", found)


def good_rows(table: Table, known: PictureIndex, several: bool) -> Iterator[Picture]:
    """Yield the same, less rows in which anything is wrong, which are passed over."""
    for place, row in numbered_rows(table):
        picture = None
        with suppress(SystemExit):
            picture = picture_in(row, table, known, several, place)
        if picture:
            yield picture


def check_rows(table: Table, known: PictureIndex, several: bool, classes: set[str]) -> None:
    """SystemExit where a row of other classes than these names two pictures, say."""
    for place, row in numbered_rows(table):
        label = ""
        with suppress(SystemExit, IndexError):
            label = plain(label_in(row, table, place))
        if label and label not in classes:
            picture_in(row, table, known, several, place)


def numbered_rows(table: Table) -> Iterator[tuple[str, Row]]:
    """Yield its rows, each with how the place is called."""
    for number, row in islice(rows_of(table.file), int(table.headed), None):
        yield f"{table.file}, line {number}", row


def picture_in(
    row: Row, table: Table, known: PictureIndex, several: bool, place: str
) -> Picture | None:
    """The picture that a row names, None where it is not there; SystemExit says what is wrong."""
    if len(row) != len(table.head):
        raise wrong(place, f"{len(table.head)} columns", len(row))
    of_file = known.split_of(table.file)
    split = of_file if several else None
    if table.split is not None:
        split = split_said(table.head[table.split], row[table.split])
        if not split:
            raise wrong(place, "train, val or test", row[table.split])
    paths = known.named_in(table.file, row[table.picture], split or of_file)
    if len(paths) > 1:
        raise wrong(place, "the name of one picture", f"that of {listed(paths)}")
    if not paths:
        return None
    return Picture(known.root / paths[0], label_in(row, table, place), split or "")


def check_chance(used: list[Table], known: PictureIndex, rows: list[Picture]) -> None:
    """SystemExit where names without endings fit few pictures: numbers may be of other things."""
    if any(stem(cell) != cell for table in used for cell in cells(table)):
        return
    there = Counter(known.root / path.parent for path in known.paths)
    named = Counter(path.parent for path in {row.path for row in rows})
    if all(2 * count < there[folder] for folder, count in named.items()):
        found = f"{named.total():,} of {len(known.paths):,}; names without endings may be chance"
        raise wrong(used[0].file, "names of at least half of a folder's pictures", found)


def once_each(rows: list[Picture]) -> dict[Path, Picture]:
    """The rows by their pictures; SystemExit where two say otherwise of one."""
    found: dict[Path, Picture] = {}
    for row in rows:
        first = found.setdefault(row.path, row)
        if first != row:
            both = " and ".join(f"{one.label} {one.split}".strip() for one in (first, row))
            raise wrong(row.path, "one class and one split", both)
    return found


def cells(table: Table) -> Iterator[str]:
    """What its rows call their pictures."""
    rows = islice(rows_of(table.file), int(table.headed), None)
    return (row[table.picture] for _, row in rows if len(row) == len(table.head))


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
    if len(label) > LONGEST_LABEL or "\n" in label:
        raise wrong(
            place, f"a class of at most {LONGEST_LABEL} letters in a line", f"{label[:40]} ..."
        )
    if re.search("[\ud800-\udfff\ufffd]", label):
        raise wrong(place, "text in UTF-8", label)
    return composed(label)
