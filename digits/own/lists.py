"""Lists that say the splits of pictures, where folders say their classes.

train.txt   cat/1.jpg        splits.csv   file,split
            dog/1.jpg                     cat/1.jpg,train
test.txt    cat/2.jpg                     cat/2.jpg,test
"""

import re
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import chain, filterfalse, islice
from pathlib import Path

from digits.output import listed
from digits.own.columns import (
    MOST_COLUMNS,
    SAMPLE_ROWS,
    PictureIndex,
    picture_column,
    rows_of,
    split_column,
    split_said,
    stem,
)
from digits.own.common import Job, Picture, natural, split_in
from digits.own.files import TABLES, below, ending, is_picture, is_predicted, notes, opened

PLAIN = {".txt", ".lst"}  # a picture a line, perhaps with a label after it
LONGEST = 4096  # letters of a path


def split_by_lists(
    root: Path, found: list[Picture], labels: set[Path], left: Counter[str], job: Job
) -> list[Picture]:
    """The pictures with the splits that lists in `root` say; as they are, where none says any.

    So may lists in a folder beside, such as `meta`. Tables of `labels` are no lists. Pictures that
    no list names are left out; where no list says train, they are to train on.
    """
    files = [file for file in notes(root) if file not in labels and may_list(file)]
    if not files or any(picture.split != "train" for picture in found):
        return found  # folders say it, or a table
    there = [path for path in below(root, Counter()) if is_picture(path)]
    known = PictureIndex(root, there)  # also those of which no class is known, which lists may name
    used = {picture.path.relative_to(root) for picture in found}
    lists: dict[Path, list[tuple[Path, str]]] = {}
    others = []
    for file in files:
        named = [entry for entry in splits_of(file, known, job) if entry[0] in used]
        if any(split for _, split in named):
            lists[file.relative_to(root)] = named
        elif named:
            others.append(file.relative_to(root))
    if others:
        job.said.append(f"not used: {listed(others)}; a list that says a split is called train.txt")
    split_of = dict(chain(*lists.values()))
    said = {split for _, split in chain(*lists.values())}
    if not said - {"train"}:
        return found
    rest = "" if "train" in said else "train"
    split = [one._replace(split=split_of.get(one.path.relative_to(root), rest)) for one in found]
    if reason := contradiction(lists, split_of) or untrained(split):
        job.said.append(f"looks wrong: {reason}, so no splits by {listed(lists)}")
        return found
    job.said.append(f"splits by {listed(lists)}")
    left.subtract(f"{name.parts[0]}/" if name.parts[1:] else ending(name) for name in lists)
    left.update(f"{ending(one.path)} that no list names" for one in split if not one.split)
    return [picture for picture in split if picture.split]


def may_list(file: Path) -> bool:
    if is_predicted(Path(file.name)) or not file.is_file():
        return False
    if ending(file) in PLAIN and not split_in(file.stem):
        with opened(file) as text:
            words = re.split(r"[\s,;]+", text.readline(LONGEST))
        return not all(map(has_no_ending, words))
    return ending(file) in TABLES | PLAIN


def contradiction(lists: dict[Path, list[tuple[Path, str]]], split_of: dict[Path, str]) -> str:
    """Which picture lists put into two splits, if any."""
    for path, split in chain(*lists.values()):
        if split != split_of[path]:
            return f"{path} stands in {split} and in {split_of[path]}"
    return ""


def untrained(found: list[Picture]) -> str:
    """Of which classes nothing is left to train on, if any."""
    pictures = [picture for picture in found if is_picture(picture.path)]
    trained = {picture.label for picture in pictures if picture.split == "train"}
    without = {picture.label for picture in pictures} - trained
    return f"nothing of {listed(sorted(without, key=natural))} is to train on" if without else ""


def splits_of(file: Path, known: PictureIndex, job: Job) -> list[tuple[Path, str]]:
    """The pictures that a list names, each with its split; none, where it is no such list.

    Numbers alone are none: they may be of other things.
    """
    named: list[tuple[Path, str]] = []
    cells: list[str] = []
    try:
        for (cell, *others), split in entries(file, known):
            cells.append(cell)
            found = map(known.named, [cell, *others])
            path = next((paths[0] for paths in found if len(paths) == 1), None)
            if path and split is not None:
                named.append((path, split))
            if len(cells) == SAMPLE_ROWS and 2 * len(named) < SAMPLE_ROWS:
                break
    except SystemExit:
        return []  # a table of something else
    by_name = sum(not cell.strip().isdecimal() for cell in cells) > 1  # one may be a header
    if not by_name or 2 * len(dict(named)) < len(cells):
        unfit = [cell for cell in cells if not has_no_ending(cell) and len(known.named(cell)) != 1]
        if split_in(file.stem) and 2 * len(unfit) > len(cells) and "://" not in unfit[0]:
            reason = f"{unfit[0]} is the name of no picture, or of several"
            job.said.append(f"looks wrong: {file.name} is not used: {reason}")
        return []
    lost = [cell for cell in cells if not has_no_ending(cell) and not known.named(cell)]
    if lost:
        what = f"{len(lost):,} of {len(cells):,} lines of {file.name} name no picture"
        job.said.append(f"looks wrong: {what}, the first {lost[0]}")
    return named


def has_no_ending(cell: str) -> bool:
    """Whether it ends otherwise than the names of pictures."""
    return stem(cell) == cell


def entries(file: Path, known: PictureIndex) -> Iterator[tuple[list[str], str | None]]:
    """What a list may call each picture, and the split that a column says, or its own name.

    That is empty where a text says none, and None where it is not known of a row.
    """
    of_file = known.split_of(file)
    if ending(file) in PLAIN:
        with opened(file) as text:
            for line in filter(str.strip, iter(partial(text.readline, LONGEST), "")):
                whole = line.strip().strip('"')
                cell = min(whole.split("\t"), key=has_no_ending)
                before, _, after = zip(*[cell.rpartition(mark) for mark in " ,;"])
                yield [cell, *filterfalse(has_no_ending, after), *before], of_file or ""
        return
    head, *rows = [row for _, row in islice(rows_of(file), SAMPLE_ROWS + 1)] or [[]]
    rows = [row for row in rows if len(row) == len(head)]
    if len(head) > MOST_COLUMNS:
        return
    picture = picture_column(file, head, rows, known)
    if picture is None:
        return
    split = split_column(file, head, rows, [at for at in range(len(head)) if at != picture])
    for _, row in rows_of(file):
        if len(row) == len(head):
            said = of_file if split is None else split_said(head[split], row[split])
            yield [row[picture]], said
