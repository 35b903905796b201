"""data/processed: the .npy arrays that preprocess writes and the later stages read, both without filling the memory."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

PROCESSED = Path("data/processed")


def write(name: str, shape: tuple[int, ...], chunks: Iterable[np.ndarray]) -> None:
    """Write the first shape[0] rows of `chunks` as a float32 array."""
    PROCESSED.mkdir(parents=True, exist_ok=True)
    with (PROCESSED / f"{name}.npy").open("wb") as file:  # not mapped: a full disk would end the process without a word
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        left = shape[0]
        for chunk in chunks:
            file.write(chunk[:left].tobytes())
            left -= len(chunk[:left])


def read(name: str) -> np.ndarray:
    """Map an array into memory; SystemExit where the file is damaged."""
    path = PROCESSED / f"{name}.npy"
    try:
        return np.asarray(np.load(path, mmap_mode="r"))  # the class memmap itself is slow to index
    except OSError:
        raise
    except Exception as error:  # whatever Python's own parser makes of the header
        raise SystemExit(f"{path}: expected an array that preprocess wrote, found: {error}; run `dvc repro`") from None
