"""The IDX format of MNIST: a strict reader for plain or gzipped files, and a writer.

Layout, big-endian: two zero bytes, the type (0x08: unsigned byte), the number of dimensions, each dimension's size
as a 32-bit integer, then the data in C order. Source: the database's own page, "The MNIST database".
"""

import gzip
import math
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

UNSIGNED_BYTE = 0x08
FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def find(folder: Path, name: str) -> Path:
    """Return `folder/name` or `folder/name.gz`, whichever is there; SystemExit where none or both are."""
    found = [path for path in (folder / name, folder / f"{name}.gz") if path.is_file()]
    if len(found) != 1:
        state = "both" if found else "neither"
        raise SystemExit(f"{folder}: expected {name} or {name}.gz, found {state}")
    return found[0]


def read(path: Path, dimensions: int, chunk: int = 4096) -> tuple[tuple[int, ...], Iterator[np.ndarray]]:
    """Open an IDX file of unsigned bytes, plain or gzipped (told by its first bytes, not by its name).

    Returns its shape (N, ...) and an iterator over uint8 arrays (n, ...), n <= `chunk`; memory does not grow with N.
    The whole file is checked by the time the iterator ends: header, exact length, gzip's own checksum.
    Raises SystemExit naming the file, what was expected and what was found.
    """
    chunks = _read(path, dimensions, chunk)
    return next(chunks), chunks  # type: ignore[return-value]


def _read(path: Path, dimensions: int, chunk: int) -> Iterator:
    with path.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        file = gzip.GzipFile(fileobj=raw) if zipped else raw
        try:
            yield (shape := _header(path, file, dimensions))
            item = math.prod(shape[1:])
            for start in range(0, shape[0], chunk):
                rows = min(chunk, shape[0] - start)
                data = file.read(rows * item)
                if len(data) < rows * item:
                    found = start * item + len(data)
                    raise SystemExit(f"{path}: expected {math.prod(shape)} bytes of data, found {found}")
                yield np.frombuffer(data, np.uint8).reshape(rows, *shape[1:])
            if file.read(1):
                raise SystemExit(f"{path}: expected {math.prod(shape)} bytes of data, found more")
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise SystemExit(f"{path}: expected an intact gzip file, found: {error}") from None


def _header(path: Path, file: BinaryIO | gzip.GzipFile, dimensions: int) -> tuple[int, ...]:
    magic = file.read(4)
    expected = bytes([0, 0, UNSIGNED_BYTE, dimensions])
    if magic != expected:
        raise SystemExit(
            f"{path}: expected an IDX file of unsigned bytes in {dimensions} dimensions"
            f" (it begins {expected.hex(' ')}), found {magic.hex(' ') or 'nothing'}"
        )
    sizes = file.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise SystemExit(f"{path}: expected {4 * dimensions} bytes of sizes after the magic number, found {len(sizes)}")
    shape = struct.unpack(f">{dimensions}I", sizes)
    if 0 in shape:
        raise SystemExit(f"{path}: expected sizes of at least 1, found {' x '.join(map(str, shape))}")
    return shape


def write(path: Path, shape: tuple[int, ...], chunks: Iterable[np.ndarray]) -> None:
    """Write uint8 `chunks`, together of `shape`, as a plain IDX file."""
    with path.open("wb") as file:
        file.write(struct.pack(f">BBBB{len(shape)}I", 0, 0, UNSIGNED_BYTE, len(shape), *shape))
        for chunk in chunks:
            file.write(np.ascontiguousarray(chunk, np.uint8).tobytes())
