"""What a stage writes: files that get their names once they are whole, lines that stay one."""

import shutil
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TURNS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}  # Unicode's, of bidi
LISTED = 10  # names in a line


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """Yield a free path beside `path`: the file or folder written there takes its place at the end.

    Where the writing fails or is killed, `path` stays as it was; but a folder is away for a moment
    at the end. Nothing is written through a link, such as DVC's to its cache.
    """
    partial, old = (path.with_name(f"partial-{word}-{path.name}") for word in ("new", "old"))
    path.parent.mkdir(parents=True, exist_ok=True)
    remove(partial)
    remove(old)
    try:
        yield partial
        if partial.is_dir():  # which takes no other folder's place
            with suppress(FileNotFoundError):
                path.rename(old)
        partial.replace(path)
    finally:
        if old.exists() and not path.exists():
            old.rename(path)
        remove(partial)
        remove(old)


def write_text(path: Path, text: str) -> None:
    with beside(path) as partial:
        partial.write_text(text)


@contextmanager
def waiting(words: str) -> Iterator[None]:
    """Say on a terminal why nothing happens for some seconds, and leave no trace of it."""
    if not sys.stderr or not sys.stderr.isatty():
        yield
        return
    columns = shutil.get_terminal_size().columns
    words = words[: columns - 1]  # a line that wraps could not be taken back
    print(words, end="\r", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        print(" " * len(words), end="\r", file=sys.stderr, flush=True)


def printable(text: object) -> str:
    """In one line, and as a terminal shows it in order: a name may be any bytes.

    Spaces and joiners of any script stay: a file is found by its name.
    """
    return "".join(ascii(letter)[1:-1] if hides(letter) else letter for letter in str(text))


def listed(names: Iterable[object]) -> str:
    """The first ten of some names, in one line."""
    texts = [printable(name) for name in names]
    if len(texts) > LISTED:
        texts[LISTED:] = ["..."]
    return ", ".join(texts) or "nothing"


def hides(letter: str) -> bool:
    """Whether a letter ends a line, commands a terminal, turns what follows round, or is none."""
    turns = unicodedata.bidirectional(letter) in TURNS
    return turns or unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")


def remove(path: Path) -> None:
    """Remove a file, a link, or a folder with all that is in it, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
