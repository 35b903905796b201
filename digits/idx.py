"""The IDX format of MNIST: a strict reader for plain or gzipped files, and a writer.

Layout, big-endian: two zero bytes, the type (8: unsigned byte), the number of dimensions, the size
of each as a 32-bit integer, then the data in C order.
Source: Y. LeCun, C. Cortes and C. J. C. Burges, "The MNIST database".
"""

import gzip
import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

FILES = {  # of every data set, under the names that MNIST gave them
    ("train", "images"): "train-images-idx3-ubyte",
    ("train", "labels"): "train-labels-idx1-ubyte",
    ("test", "images"): "t10k-images-idx3-ubyte",
    ("test", "labels"): "t10k-labels-idx1-ubyte",
}
CHUNK = 2**22  # bytes of data held in memory at a time


def find(folder: Path, name: str) -> Path:
    """Return `folder/name` or `folder/name.gz`, whichever is there; SystemExit if none or both."""
    found = [path for path in (folder / name, folder / f"{name}.gz") if path.is_file()]
    if len(found) != 1:
        number = "both" if found else "neither"
        raise SystemExit(f"{folder}: expected {name} or {name}.gz, found {number}")
    return found[0]


def read(path: Path, dimensions: int) -> tuple[tuple[int, ...], Iterator[np.ndarray]]:
    """Open an IDX file of unsigned bytes, plain or gzipped (told by its first bytes, not its name).

    Returns its shape (N, ...) and its data in chunks uint8 (n, ...): memory does not grow with N.
    Once all are read, header, length and gzip's checksum are checked; SystemExit says what is off.
    """
    parts = _parts(path, dimensions)
    return next(parts), parts


def _parts(path: Path, dimensions: int) -> Iterator[Any]:
    """Yield the shape, then the chunks; after the last the file is closed."""
    with path.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        file: Any = gzip.GzipFile(fileobj=raw) if zipped else raw
        try:
            shape = _shape(file, path, dimensions)
            yield shape
            yield from _chunks(file, path, shape)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise SystemExit(f"{path}: expected an intact gzip file, found: {error}") from None


def _shape(file: BinaryIO, path: Path, dimensions: int) -> tuple[int, ...]:
    expected = bytes([0, 0, 8, dimensions])
    magic = file.read(4)
    if magic != expected:
        kind = f"an IDX file of unsigned bytes in {dimensions} dimensions ({expected.hex(' ')})"
        raise SystemExit(f"{path}: expected {kind}, found {magic.hex(' ') or 'nothing'}")
    sizes = file.read(4 * dimensions)
    whole = len(sizes) // 4
    shape = struct.unpack(f">{whole}I", sizes[: 4 * whole])
    if len(shape) < dimensions or 0 in shape:
        raise SystemExit(f"{path}: expected {dimensions} sizes of at least 1, found {[*shape]}")
    if math.prod(shape[1:]) > CHUNK:
        sides = [*shape[1:]]
        raise SystemExit(f"{path}: expected images of at most {CHUNK} pixels, found {sides}")
    return shape


def _chunks(file: BinaryIO, path: Path, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    item = math.prod(shape[1:])
    end = math.prod(shape)
    step = CHUNK // item * item  # whole images
    for start in range(0, end, step):
        wanted = min(step, end - start)
        data = file.read(wanted)
        if len(data) < wanted:
            raise SystemExit(f"{path}: expected {end} bytes of data, found {start + len(data)}")
        yield np.frombuffer(data, np.uint8).reshape(-1, *shape[1:])
    # reading on to the end also lets gzip check its sum; of a bomb, no more than a byte is unpacked
    if file.read(1):
        raise SystemExit(f"{path}: expected {end} bytes of data, found more")


def create(path: Path, shape: tuple[int, ...]) -> BinaryIO:
    """Begin a plain IDX file of unsigned bytes: what is written next is its data, in C order."""
    file = path.open("wb")
    file.write(struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape))
    return file
