"""Lists that say the splits of pictures, where folders say their classes.

train.txt   cat/1.jpg        splits.csv   file,split
            dog/1.jpg                     cat/1.jpg,train
test.txt    cat/2.jpg                     cat/2.jpg,test
"""

from collections import Counter
from itertools import islice
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
)
from digits.own.common import Job
from digits.own.files import TABLES, ending, is_predicted, visible
from digits.own.labelled import Picture
from digits.pictures import ENDINGS

PLAIN = {".txt", ".lst"}  # a picture a line, perhaps with a label after it


def split_by_lists(root: Path, found: list[Picture], left: Counter[str], job: Job) -> list[Picture]:
    """The pictures with the splits that lists in `root` say; as they are, where none says any.

    Pictures that no list names are left out; where no list says train, they are to train on.
    """
    if any(picture.split != "train" for picture in found):
        return found  # folders say it, or a table
    known = PictureIndex(root, [one.path for one in found if ending(one.path) in ENDINGS])
    lists = {file: splits for file in visible(root) if (splits := splits_of(file, known))}
    split_of: dict[Path, str] = {}
    for splits in lists.values():
        for path, split in splits:
            if split_of.setdefault(path, split) != split:
                both = f"{path} into {split_of[path]} and {split}"
                job.said.append(f"looks wrong: lists put {both}, so none of them counts")
                return found
    said = {*split_of.values()}
    if not said - {"train"}:
        return found
    job.said.append(f"splits by {listed(file.name for file in lists)}")
    left.subtract(map(ending, lists))
    kept = []
    for picture in found:
        by_list = split_of.get(picture.path.relative_to(root))
        if by_list or "train" not in said:
            kept.append(picture._replace(split=by_list or "train"))
        else:
            left[f"{ending(picture.path)} that no list names"] += 1
    return kept


def splits_of(file: Path, known: PictureIndex) -> list[tuple[Path, str]]:
    """The pictures that a list names, each with its split; none, where it is no such list."""
    if ending(file) not in TABLES | PLAIN or not file.is_file() or is_predicted(Path(file.name)):
        return []
    try:
        rows = entries(file, known)
    except SystemExit:
        return []  # a table of something else
    named = []
    for cell, split in rows:
        paths = known.named(cell) or known.named(cell.rpartition(" ")[0])
        if split and len(paths) == 1:
            named.append((paths[0], split))
    return named if 2 * len(named) >= len(rows) else []


def entries(file: Path, known: PictureIndex) -> list[tuple[str, str | None]]:
    """What a list calls each picture, and the split that a column says, or the list's own name."""
    of_file = known.split_of(file)
    if ending(file) in PLAIN:
        return [(row[0], of_file) for _, row in rows_of(file)] if of_file else []
    head, *rows = [row for _, row in islice(rows_of(file), SAMPLE_ROWS + 1)] or [[]]
    rows = [row for row in rows if len(row) == len(head)]
    if not rows or len(head) > MOST_COLUMNS:
        return []
    picture = picture_column(file, head, rows, known)
    if picture is None:
        return []
    split = split_column(file, head, rows, [at for at in range(len(head)) if at != picture])
    whole = [row for _, row in rows_of(file) if len(row) == len(head)]
    if split is None:
        return [(row[picture], of_file) for row in whole] if of_file else []
    return [(row[picture], split_said(head[split], row[split])) for row in whole]
