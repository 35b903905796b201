"""What lies in a folder that people bring, and how their texts and tables are opened."""

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TextIO

from digits import pictures
from digits.idx import LATER_SPLITS, SPLITS
from digits.own.common import KINDS, natural, words_of

CLASSES_FILE = "classes.txt"
TABLES = {".csv", ".tsv"}
ARRAYS = TABLES | {".npy", ".npz"}
# words in the names of folders of these
ARRAY_FOLDERS = {*SPLITS, *LATER_SPLITS, *KINDS} - {"data"}
TABLE_LIKE = {".json", ".jsonl", ".lst", ".txt", ".xls", ".xlsx", ".xml"}
# what lies beside a JPEG, or in place of it: a camera's raw file, which may hold a small picture
# first; of a film, its first one; and what exiftool has changed
RAW = {".3fr", ".arw", ".cr2", ".cr3", ".dng", ".erf", ".iiq", ".nef", ".nrw", ".orf", ".pef"}
RAW |= {".raf", ".rw2", ".rwl", ".sr2", ".srw", ".thm", ".jpg_original"}
# by what a file's name ends with: what to do with one that is not read
ADVICE = dict.fromkeys([".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip"], "unpack it")
ADVICE |= dict.fromkeys([".dcm", ".heic", ".heif", ".jp2", ".pdf", ".svg"], "export it as JPEG")
ADVICE |= dict.fromkeys(sorted(RAW), "export it as JPEG")
ADVICE |= dict.fromkeys([".avi", ".mov", ".mp4"], "save pictures of it")
ADVICE |= dict.fromkeys([".arff", ".arrow", ".bin", ".h5", ".hdf5"], "save it as .npz")
ADVICE |= {".mat": "save its images as .npz, or its table of pictures as .csv"}
ADVICE |= dict.fromkeys([".parquet", ".pickle", ".pkl", ".pt", ".pth"], "save it as .npz")
ADVICE |= dict.fromkeys([".tfrecord", ".tfrecords"], "save it as .npz")
ADVICE |= {".npy": "call them x_train and y_train"}
ADVICE |= dict.fromkeys(sorted(TABLE_LIKE), "save its table as .csv")

# a model's own labels, or what a competition would be handed
PREDICTED = {"pred", "preds", "predicted", "prediction", "predictions"}
PREDICTED |= {"output", "result", "results"}
OUTPUTS = {"logs", "output", "outputs", "predictions", "results"}
RENAME = "is called as a model's results: if it is none, rename it"

# how the names of folders begin that systems, and stores of files in a network, make
OF_SYSTEMS = ["@eaDir", "#recycle", "@Recycle", "$RECYCLE.BIN", "lost+found"]
OF_SYSTEMS += ["System Volume Information", "__MACOSX", "__pycache__"]
LINE = 2**24  # characters of a line of a table
LOOKED_INTO = 10  # files of no known ending, by which it is told whether a folder holds pictures
# what is a picture, or may be made one
MAY_SHOW = pictures.ENDINGS | ADVICE.keys() - TABLE_LIKE - {".mat"}


def below(folder: Path, left: Counter[str]) -> list[Path]:
    """All files in and below a folder, in natural order; `left` counts what systems hide."""
    return sorted(walk(folder, left), key=natural)


def walk(folder: Path, left: Counter[str]) -> Iterator[Path]:
    """Yield all files in and below a folder, a folder at a time; `left` counts what systems hide.

    Links are followed, each place once.
    """
    seen, ahead = set(), [folder]
    while ahead:
        here = ahead.pop()
        if here.resolve() in seen:
            continue
        seen.add(here.resolve())
        inner = []
        for path in here.iterdir():
            if hides(path):
                left[path.name] += 1
            elif path.is_dir():
                inner.append(path)
            else:
                yield path
        ahead += sorted(inner)


def is_picture(path: Path) -> bool:
    """Whether it is called as one."""
    return ending(path) in pictures.ENDINGS


def has_pictures(folder: Path) -> bool:
    return any(map(is_picture, walk(folder, Counter())))


def holds_notes(folder: Path) -> bool:
    """Whether files lie in or below it, none of which may show anything: lists, annotations."""
    some = next(walk(folder, Counter()), None) is not None
    if not some or any(ending(path) in MAY_SHOW for path in walk(folder, Counter())):
        return False
    others = (path for path in walk(folder, Counter()) if ending(path) not in TABLES | TABLE_LIKE)
    return not any(map(shows, islice(others, LOOKED_INTO)))


def shows(path: Path) -> bool:
    """Whether it is a picture by its content, be it broken."""
    try:
        with pictures.identified(path):
            return True
    except ValueError as error:
        return not isinstance(error, pictures.NoPicture)


def notes(folder: Path) -> list[Path]:
    """The files in a folder, then those of folders of notes in it."""
    aside = [below(inner, Counter()) for inner in folders(folder) if holds_notes(inner)]
    return [*filter(Path.is_file, visible(folder)), *chain(*aside)]


def beside_pictures(path: Path) -> bool:
    """Whether a folder in there holds pictures."""
    return any(has_pictures(each) for each in inside(path) if each.is_dir())


def advice(endings: Iterable[str]) -> str:
    """What to do with most of the files that end so; nothing where it is not known."""
    counts = Counter(end for end in endings if end in ADVICE)
    most = sorted(counts, key=lambda end: (end == ".txt", -counts[end]))  # texts tell what is there
    return f"; {most[0]}: {ADVICE[most[0]]}" if most else ""


def visible(folder: Path) -> list[Path]:
    """What lies in a folder, in natural order, less what systems hide there."""
    return sorted((path for path in folder.iterdir() if not hides(path)), key=natural)


def hidden(folder: Path) -> list[str]:
    """The names of what systems hide in a folder, sorted."""
    return sorted(path.name for path in folder.iterdir() if hides(path))


def leads_back(folder: Path) -> bool:
    """Whether it is a link to a folder that it lies in."""
    above = folder.parent.resolve()
    return folder.resolve() in (above, *above.parents)


def hides(path: Path) -> bool:
    return path.name.startswith((".", *OF_SYSTEMS))


def table_files(inside: list[Path]) -> list[Path]:
    """The .csv files among these, or else the .tsv files."""
    files = [path for path in inside if path.is_file()]
    commas = [path for path in files if ending(path) == ".csv"]
    tabs = [path for path in files if ending(path) == ".tsv"]
    return tabs if tabs and all(is_predicted(Path(path.name)) for path in commas) else commas


def is_predicted(file: Path) -> bool:
    """Whether a table, or a folder above it, is called as a model's own labels are."""
    words = {*words_of(file.stem)}
    above = {part.casefold() for part in file.parts[:-1]}
    return "submi" in file.name.casefold() or bool(PREDICTED & words or OUTPUTS & above)


def inside(path: Path) -> list[Path]:
    """What lies in a folder; a file alone."""
    return visible(path) if path.is_dir() else [path]


def array_files(path: Path) -> list[Path]:
    """Files of arrays, and tables: those in a folder, or else in its train, test, images, labels.

    Where folders hold pictures, none deeper count.
    """
    here = [file for file in inside(path) if ending(file) in ARRAYS and file.is_file()]
    if here or not path.is_dir() or beside_pictures(path):
        return here
    parts = [each for each in folders(path) if ARRAY_FOLDERS & {*words_of(each.name)}]
    return [file for part in parts for file in visible(part) if ending(file) in ARRAYS]


def names_of(file: Path, root: Path) -> list[str]:
    """How it is called, then its folder, if that is not `root`."""
    return [file.stem, *file.relative_to(root).parts[:-1]]


def folders(folder: Path) -> list[Path]:
    return [path for path in visible(folder) if path.is_dir()]


def opened(file: Path) -> TextIO:
    """Open a text in UTF-8, or as Windows writes it in UTF-16; other bytes are kept apart."""
    with file.open("rb") as raw:
        wide = raw.read(2) in (b"\xff\xfe", b"\xfe\xff")
    if wide:
        return file.open(encoding="utf-16", errors="replace")
    return file.open(encoding="utf-8-sig", errors="surrogateescape")


def delimited(text: TextIO) -> tuple[str, int, Iterator[str]]:
    """What parts the columns of a table; the number of its first line, and the lines from there."""
    rest = iter(partial(text.readline, LINE), "")
    first = next(rest, "")
    mark = max(",;\t", key=first.count)
    if first.startswith("sep="):  # Excel's
        return mark, 2, rest
    return mark, 1, chain([first], rest)


def ending(path: Path) -> str:
    return path.suffix.lower() or path.name
