"""What people bring -> four IDX files and dataset.json.

Folders of pictures, one for each class; pictures whose names say it, or a table; NumPy's arrays;
CSV as on Kaggle; or IDX files: told by looking, and said in a line, with a line for each surprise.
"""

import math
import re
import tempfile
import warnings
from collections import Counter
from contextlib import ExitStack
from itertools import chain, islice
from pathlib import Path

from digits import idx
from digits.output import listed, printable
from digits.own.common import (
    MOST_CLASSES,
    Data,
    Job,
    Size,
    composed,
    split_in,
    wrong,
)
from digits.own.csv_files import from_csv
from digits.own.files import (
    ARRAYS,
    CLASSES_FILE,
    RENAME,
    TABLE_LIKE,
    TABLES,
    advice,
    below,
    delimited,
    ending,
    folders,
    has_pictures,
    is_picture,
    is_predicted,
    leads_back,
    opened,
    table_files,
    visible,
)
from digits.own.folders import from_folders, is_split
from digits.own.idx_files import from_idx, split_called
from digits.own.lists import may_list
from digits.own.names import from_names
from digits.own.numpy_files import from_drawings, from_numpy
from digits.own.tables import from_tables, from_tables_aside
from digits.own.tested import from_tested
from digits.pictures import ENDINGS

# Each is given the path and the job, and returns what it finds there, or None. The first that finds
# something is right: so those come first that are sure of what they see. The last finds something,
# or refuses.
READERS = (
    from_idx,
    from_numpy,
    from_drawings,
    from_tested,
    from_tables,
    from_csv,
    from_names,
    from_tables_aside,
    from_folders,
)
COUNT = re.compile(r"^\d+[ \t:;,.=)]+")  # at the beginning of a line of classes.txt
# what may belong to the only folder that it lies beside, as its labels
ITS_OWN = ENDINGS | ARRAYS | (TABLE_LIKE - {".json", ".txt"})


def gather(path: Path, target: Path, size: Size, colour: bool | None, share: float) -> None:
    """Write what lies at `path` into `target`, and say what it was taken for.

    Images are brought to `size`, of a side or [height, width], and to grey or colour: if None, to
    what they are. Where no test images are given, a share of all become that. SystemExit says in
    a line what is wrong with them; then `target` is of no use.
    """
    name = printable(path.stem if path.is_file() else path.resolve().name)
    outer, path = path, innermost(path)
    with tempfile.TemporaryDirectory(dir=target) as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of metadata
        job = Job(size, colour, share, Path(scratch), class_names(path / CLASSES_FILE))
        data = look(path, job)
        check(path, data)
        train, test = write(target, data)  # job hears more while they are written
    amount = f"{train:,} training and {test:,} test images"
    if not train:
        hint = "; call them train, or add images"
        raise wrong(path, "images to train on", amount, hint)
    if not test:
        hint = "; add a test set, or others: equal images stay together"
        raise wrong(path, "images to test on", amount, hint)
    if job.tests:
        names = [printable(name) for name in job.tests]
        check_html(path, names, "pictures")
        (target / idx.TEST_NAMES).write_text("".join(f"{name}\n" for name in names))
    height, width, channels = (*data.shape, 1)[:3]
    idx.describe(
        target,
        name=name,
        classes=[printable(name) for name in data.classes],
        own=True,
        pictures=data.form == "pictures",
    )
    kind = f"{height} x {width}, {'colour' if channels == 3 else 'grey'}"
    classes = f"{len(data.classes)} classes ({listed(data.classes)})"
    print(f"{printable(path)}: {data.form}: {amount} of {kind}; {classes}")
    if path != outer:
        print(f"  {printable(path.name)} is the only folder in {printable(path.parent)}")
    for line in job.said:
        print(f"  {line}")


def check(path: Path, data: Data) -> None:
    """SystemExit where its classes or its images are none that the pipeline can do with."""
    if not 2 <= len(data.classes) <= MOST_CLASSES:
        found = f"{len(data.classes)}: {listed(data.classes)}"
        hint = hint_for_one_class(path, data.classes[0]) if len(data.classes) == 1 else ""
        raise wrong(path, f"2 to {MOST_CLASSES} classes", found, hint)
    shown = [composed(printable(name)) for name in data.classes]
    if alike := [name for name, count in Counter(shown).items() if count > 1]:
        raise wrong(path, "classes that are told apart by their names", f"two {alike[0]}")
    check_html(path, data.classes, "classes")
    if math.prod(data.shape) > idx.CHUNK:
        expected = f"images of at most {idx.CHUNK:,} values"
        raise wrong(path, expected, data.shape, "; set datasets.folder.image_size")


def check_html(path: Path, names: list[str], what: str) -> None:
    """SystemExit where names hold tags: DVC writes them into its page of plots as they are."""
    if tags := [name for name in names if re.search("</|<!--", name)]:
        raise wrong(path, f"names of {what} without HTML", listed(tags))


def hint_for_one_class(path: Path, only: str) -> str:
    """What to do where a folder is the only class."""
    if not path.is_dir() or path / only not in folders(path):
        return ""
    if len(folders(path / only)) > 1:
        return f", which holds folders: did you mean {printable(path / only)}?"
    tables = table_files(visible(path))
    return unnamed(path, tables[0]) if tables else advice(map(ending, visible(path)))


def unnamed(path: Path, table: Path) -> str:
    """Why a table is not used: as it is called, or begins while a picture is called otherwise."""
    if is_predicted(table.relative_to(path)):
        return f"; {printable(table.name)} {RENAME}"
    with opened(table) as text:
        _, _, lines = delimited(text)
        *_, line = ["", *islice(lines, 2)]
    row = printable(line.strip())[:60]
    first = next((file.name for file in below(path, Counter()) if is_picture(file)), "none")
    said = f"it begins {row}, and a picture is {printable(first)}"
    return f"; {printable(table.name)} was not used: {said}"


def innermost(path: Path) -> Path:
    """The folder, or the only one in it, and so on, while nothing that is read lies beside.

    So archives unpack. It ends above pictures alone, which may be a class, and above a split.
    """
    while path.is_dir() and len(inside := folders(path)) == 1:
        [inner] = inside
        files = {ending(file) for file in visible(inner)}
        album = not folders(inner) and files & ENDINGS and not files & TABLES
        if album or is_split(inner.name) or leads_back(inner) or read_beside(path):
            break
        path = inner
    return path


def read_beside(path: Path) -> bool:
    """Whether files in a folder are read themselves, or may be of the folder beside them."""
    files = visible(path)
    lists = any(split_in(file.stem) and may_list(file) for file in files)
    others = {*map(ending, files)} & ITS_OWN or idx.candidates(path, "train", "images")
    return lists or bool(others) or (path / CLASSES_FILE).exists()


def look(path: Path, job: Job) -> Data:
    """Tell what lies at `path` by looking, and begin to read it."""
    if not path.is_dir() and not (path.is_file() and ending(path) in ARRAYS):
        found = "another file" if path.exists() else "nothing"
        hint = advice([ending(path)]) or "; set datasets.folder.path"
        raise wrong(path, "a folder, or a file .npz or .csv", found, hint)
    data = next(data for reader in READERS if (data := reader(path, job)))
    if data.form != "pictures" and data.share and (tests := untested(path, job.said)):
        job.said.append(f"looks wrong: not read, though called as a test set: {listed(tests)}")
    if data.form != "pictures" and (others := unread(path)):
        job.said.append(f"left out: {listed(others)} (what lies above counts)")
    return data


def unread(path: Path) -> list[str]:
    """Folders that hold data, if arrays or tables lie above them: these alone are read."""
    if not path.is_dir():
        return []
    arrays = ARRAYS & {*map(ending, visible(path))}
    if not arrays and not idx.candidates(path, "train", "images"):
        return []
    holding = [
        inner
        for inner in folders(path)
        if ARRAYS & {*map(ending, visible(inner))} or has_pictures(inner)
    ]
    return [f"{inner.name}/" for inner in holding]


def untested(path: Path, said: list[str]) -> list[str]:
    """What is called as a test set, if nothing was said of it."""
    names = [each.name for each in visible(path)] if path.is_dir() else []
    told = "".join(line for line in said if not line.startswith("no test set"))
    return [
        name for name in names if split_called(Path(name)) in ("test", "val") and name not in told
    ]


def class_names(file: Path) -> list[str] | None:
    """The lines of classes.txt; None where there is none."""
    if not file.is_file():
        return None
    with opened(file) as text:
        lines = text.read().splitlines()
    names = [composed(line.strip()) for line in lines if line.strip()]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise wrong(file, "each name once", f"more of {listed(twice)}")
    # CUB's birds are counted there, `1 001.Albatross`, but not in the names of their folders
    uncounted = [COUNT.sub("", name) for name in names]
    inner = chain(folders(file.parent), *map(folders, folders(file.parent)))
    if {composed(folder.name) for folder in inner}.issuperset(uncounted):
        names = uncounted
    return names or None


def write(target: Path, data: Data) -> list[int]:
    """Write the four files as the images come; return how many train and how many test."""
    counts = {"train": 0, "test": 0}
    with ExitStack() as stack:
        files = {}
        for key, name in idx.FILES.items():
            shape = (0, *data.shape) if "images" in key else (0,)
            files[key] = stack.enter_context(idx.create(target / name, shape))
        for images, labels, held in data.stream:
            for split, rows in (("train", ~held), ("test", held)):
                files[split, "images"].write(images[rows].tobytes())
                files[split, "labels"].write(labels[rows].tobytes())
                counts[split] += int(rows.sum())
        for (split, kind), file in files.items():
            shape = data.shape if kind == "images" else ()
            file.seek(0)  # the header, now that it is known how many
            file.write(idx.header((counts[split], *shape)))
    return [*counts.values()]
