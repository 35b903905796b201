"""data/processed: .npy arrays, written and read without filling the memory; and names."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from digits import output

PROCESSED = Path("data/processed")
NAMES = PROCESSED / "test_names.txt"  # of each test image: its file, or its row


def write(name: str, shape: tuple[int, ...], chunks: Iterable[np.ndarray]) -> None:
    """Write chunks float32 (n, ...) as one array of this shape."""
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    # written, not mapped: into a mapped file, a full disk ends the process without a word
    with output.beside(PROCESSED / f"{name}.npy") as partial, partial.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for chunk in chunks:
            file.write(chunk.tobytes())


def read(name: str) -> np.ndarray:
    """Map an array into memory; SystemExit where the file is damaged."""
    path = PROCESSED / f"{name}.npy"
    try:
        mapped = np.load(path, mmap_mode="r")
    except OSError:
        raise
    except Exception as error:  # whatever Python's own parser makes of the header
        expected = "an array that preprocess wrote"
        raise SystemExit(f"{path}: expected {expected}, found: {error}; run `dvc repro`") from None
    return np.asarray(mapped)  # the same memory; the class memmap itself is slow to index


def read_names(path: Path, count: int) -> list[str]:
    """The names of test images in a file, a line each; SystemExit where these are not `count`."""
    names = path.read_text(errors="replace").splitlines()
    if len(names) != count:
        raise SystemExit(f"{path}: expected {count} lines, found {len(names)}; run dvc repro")
    return names
