"""What digits/idx.py reads, writes and refuses."""

import gzip
import math
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import example, given, seed, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from digits import idx

MAGIC = {dimensions: bytes([0, 0, 8, dimensions]) for dimensions in (1, 3)}
HUGE = 2**32 - 1
MEBIBYTE = 2**20
TOLD = "one line names the file, what was expected and what was found"


def fault(what, outcome=TOLD):
    return pytest.mark.fault("IDX files", what, outcome)


def header(*sizes):
    return MAGIC[len(sizes)] + b"".join(size.to_bytes(4, "big") for size in sizes)


def plain(array):
    """The bytes of an IDX file, by the format's own description."""
    return header(*array.shape) + array.tobytes()


def zipped(data):
    return gzip.compress(data, mtime=0)


def load(path, dimensions=3):
    shape, chunks = idx.read(path, dimensions)
    array = np.concatenate(list(chunks))
    assert array.shape == shape
    return array


def refusal(path, dimensions=3):
    """What is said of a file, less its path, which comes first."""
    with pytest.raises(SystemExit) as error:
        load(path, dimensions)
    message = str(error.value)
    assert message.startswith(f"{path}: ") and len(message.splitlines()) == 1
    return message.removeprefix(f"{path}: ")


def peak(call, *arguments):
    tracemalloc.start()
    try:
        result = call(*arguments)
        return result, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
GOOD = plain(IMAGES)
PACKED = zipped(GOOD)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("idx") / "images"


@pytest.mark.parametrize("array", [IMAGES, np.array([5, 0, 4], np.uint8)], ids=["images", "labels"])
def test_what_create_begins_is_an_idx_file(path, array):
    with idx.create(path, array.shape) as file:
        file.write(array.tobytes())
    assert path.read_bytes() == plain(array)


@pytest.mark.parametrize("data", [GOOD, PACKED], ids=["plain", "gzipped"])
def test_two_images_are_read_as_written(path, data):
    path.write_bytes(data)
    assert np.array_equal(load(path), IMAGES) and load(path).dtype == np.uint8


@pytest.mark.parametrize("pack", [bytes, zipped], ids=["plain", "gzipped"])
def test_ten_thousand_images_come_in_more_than_one_chunk(path, pack):
    images = np.random.default_rng(0).integers(0, 256, (10_000, 28, 28), np.uint8)
    path.write_bytes(pack(plain(images)))
    _, chunks = idx.read(path, 3)
    parts = list(chunks)
    assert len(parts) > 1 and np.array_equal(np.concatenate(parts), images)


def test_a_gzipped_file_may_have_several_members(path):
    path.write_bytes(zipped(GOOD[:20]) + zipped(GOOD[20:]))
    assert np.array_equal(load(path), IMAGES)


def test_the_shape_is_known_before_the_data_are_read(path):
    path.write_bytes(DAMAGED["wrong checksum"][0])
    assert idx.read(path, 3)[0] == (2, 3, 4)


OTHER = "expected an IDX file of unsigned bytes in 3 dimensions (00 00 08 03), found"
SIZES = "expected 3 sizes of at least 1, found"
BAD = {
    "empty": (b"", f"{OTHER} nothing"),
    "wrong magic": (b"\x12\x34" + GOOD[2:], f"{OTHER} 12 34 08 03"),
    "floats": (b"\0\0\x0d\x03" + GOOD[4:], f"{OTHER} 00 00 0d 03"),
    "labels": (plain(np.zeros(24, np.uint8)), f"{OTHER} 00 00 08 01"),
    "two dimensions": (b"\0\0\x08\x02" + GOOD[4:], f"{OTHER} 00 00 08 02"),
    "a page": (b"<!DOCTYPE html><title>404</title>", f"{OTHER} 3c 21 44 4f"),
    "a gzipped page": (zipped(b"<!DOCTYPE html><title>404</title>"), f"{OTHER} 3c 21 44 4f"),
    "gzipped twice": (zipped(PACKED), f"{OTHER} 1f 8b 08 00"),
    "three bytes": (GOOD[:3], f"{OTHER} 00 00 08"),
    "no sizes": (GOOD[:4], f"{SIZES} []"),
    "a size and a half": (GOOD[:10], f"{SIZES} [2]"),
    "no images": (header(0, 3, 4), f"{SIZES} [0, 3, 4]"),
    "no rows": (header(2, 0, 4), f"{SIZES} [2, 0, 4]"),
    "no columns, gzipped": (zipped(header(2, 3, 0)), f"{SIZES} [2, 3, 0]"),
    "no data": (GOOD[:16], "expected 24 bytes of data, found 0"),
    "a byte too few": (GOOD[:-1], "expected 24 bytes of data, found 23"),
    "a byte too few, gzipped": (zipped(GOOD[:-1]), "expected 24 bytes of data, found 23"),
    "a byte too many": (GOOD + b"\0", "expected 24 bytes of data, found more"),
    "a byte too many, gzipped": (zipped(GOOD + b"\0"), "expected 24 bytes of data, found more"),
    "another file behind": (PACKED + PACKED, "expected 24 bytes of data, found more"),
}
DAMAGED = {
    "wrong checksum": (PACKED[:-8] + bytes([PACKED[-8] ^ 1]) + PACKED[-7:], "CRC check failed"),
    "wrong length": (PACKED[:-1] + b"\1", "Incorrect length"),
    "cut in the middle": (PACKED[: len(PACKED) // 2], "Compressed file ended"),
    "cut in the checksum": (PACKED[:-6], "Compressed file ended"),
    "cut in the header": (PACKED[:5], "Compressed file ended"),
    "garbage behind": (PACKED + b"garbage", "Not a gzipped file"),
    "unknown method": (PACKED[:2] + b"\x07" + PACKED[3:], "Unknown compression method"),
    "no deflate": (PACKED[:10] + b"\xff" * 20, "Error -3 while decompressing"),
}


@fault("another type, other dimensions or sizes, too few or too many bytes")
@pytest.mark.parametrize("data, message", BAD.values(), ids=BAD)
def test_a_bad_file_is_refused_with_what_was_expected_and_found(path, data, message):
    path.write_bytes(data)
    assert refusal(path) == message


@fault("a gzip file is cut off, or its checksum, length or method is wrong")
@pytest.mark.parametrize("data, message", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_gzip_file_is_refused_with_what_gzip_found(path, data, message):
    path.write_bytes(data)
    assert refusal(path).startswith(f"expected an intact gzip file, found: {message}")


@fault("images in place of labels")
def test_images_are_no_labels(path):
    path.write_bytes(GOOD)
    assert refusal(path, 1).endswith("in 1 dimensions (00 00 08 01), found 00 00 08 03")


@fault("neither FILE nor FILE.gz is there, or both are")
@pytest.mark.parametrize(
    "there, found", [([], "neither"), (["a", "a.gz"], "both")], ids=["neither", "both"]
)
def test_one_file_of_a_name_is_expected(tmp_path, there, found):
    for name in there:
        (tmp_path / name).touch()
    with pytest.raises(SystemExit, match=f"{tmp_path}: expected a or a.gz, found {found}"):
        idx.find(tmp_path, "a")


@pytest.mark.parametrize("name", ["a", "a.gz"])
def test_a_file_is_found_plain_or_gzipped(tmp_path, name):
    (tmp_path / name).touch()
    assert idx.find(tmp_path, "a") == tmp_path / name


@fault("a gzip bomb: 1 GB of zeros behind ten images", f"{TOLD}; it takes less than 1 MB of memory")
def test_a_gigabyte_of_zeros_behind_ten_images_is_not_unpacked(path):
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = deflate.compress(header(10, 28, 28)) + deflate.flush(zlib.Z_FULL_FLUSH)
    zeros = deflate.compress(bytes(16 * MEBIBYTE)) + deflate.flush(zlib.Z_FULL_FLUSH)
    end = deflate.flush() + struct.pack("<II", 0, 2**30 + 16)
    path.write_bytes(b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + start + 64 * zeros + end)
    message, memory = peak(refusal, path)
    assert message == "expected 7840 bytes of data, found more"
    assert memory < MEBIBYTE


PIXELS = "expected images of at most 4194304 pixels, found"
PROMISES = {
    "images": ((HUGE, 28, 28), f"expected {HUGE * 784} bytes of data, found 24"),
    "everything": ((HUGE, HUGE, HUGE), f"{PIXELS} [{HUGE}, {HUGE}]"),
    "one image": ((1, 2**16, 2**16), f"{PIXELS} [65536, 65536]"),
    "large images": ((4096, 2**9, 2**9), "expected 1073741824 bytes of data, found 24"),
    "largest images": ((4096, 2**11, 2**11), "expected 17179869184 bytes of data, found 24"),
    "images a row too large": ((1, 2**11, 2**11 + 1), f"{PIXELS} [2048, 2049]"),
}


@fault(
    "a header promises up to 10²⁸ bytes, which are not there",
    f"{TOLD}; it takes less than 5 MB of memory",
)
@pytest.mark.parametrize("pack", [bytes, zipped], ids=["plain", "gzipped"])
@pytest.mark.parametrize("sizes, expected", PROMISES.values(), ids=PROMISES)
def test_memory_is_not_taken_for_what_a_header_promises(path, sizes, expected, pack):
    path.write_bytes(pack(header(*sizes) + bytes(24)))
    message, memory = peak(refusal, path)
    assert message == expected
    assert memory < 5 * MEBIBYTE


def legitimate(data, dimensions):
    """What the bytes of a file say; None if they are no IDX file of so many dimensions."""
    if data.startswith(b"\x1f\x8b"):
        try:
            data = gzip.decompress(data)
        except (EOFError, gzip.BadGzipFile, zlib.error):
            return None
    sizes = [int.from_bytes(data[4 * k : 4 * k + 4], "big") for k in range(1, dimensions + 1)]
    start = 4 + 4 * dimensions
    if (
        data[:4] != MAGIC[dimensions]
        or math.prod(sizes) == 0
        or len(data) != start + math.prod(sizes)
    ):
        return None
    return np.frombuffer(data[start:], np.uint8).reshape(sizes)


SHAPES = array_shapes(min_dims=1, max_dims=1, max_side=50) | array_shapes(
    min_dims=3, max_dims=3, max_side=5
)
ARRAYS = arrays(np.uint8, SHAPES)
PACKS = st.sampled_from([bytes, zipped])
quickly = settings(max_examples=200, deadline=None, derandomize=True)


def write_anew(path, data):
    """Write a file that is not there, for some file systems take milliseconds to write over one."""
    path.unlink(missing_ok=True)
    path.write_bytes(data)


@quickly
@given(array=ARRAYS, pack=PACKS)
def test_any_array_comes_back_as_it_was(path, array, pack):
    write_anew(path, pack(plain(array)))
    assert np.array_equal(load(path, array.ndim), array)


def check(path, data, dimensions, expected):
    """Where nothing is expected the file must be refused, and else be read as that."""
    write_anew(path, data)
    if expected is None:
        refusal(path, dimensions)
    else:
        assert np.array_equal(load(path, dimensions), expected)


def check_gzip(path, data, array):
    """The file must be refused, or read as the array that went into it."""
    write_anew(path, data)
    try:
        assert np.array_equal(load(path, array.ndim), array)
    except SystemExit:
        refusal(path, array.ndim)


def damages(data):
    """Each bit flipped, each byte left out or doubled, each end cut off."""
    for at in range(len(data)):
        for bit in range(8):
            yield data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
        yield from (data[:at] + data[at + 1 :], data[: at + 1] + data[at:], data[:at])


GZIP = "one line names the file, or it reads as before: nothing else gets past gzip's checksum"
PLAIN = (
    "one line names the file, or it reads as its header says: "
    "a changed pixel shows in its SHA-256 alone"
)


@fault("a gzipped file: each bit flipped, each byte left out or doubled, each end cut off", GZIP)
def test_each_small_damage_to_a_gzipped_file_is_refused_or_harmless(path, record_property):
    cases = list(damages(PACKED))
    for data in cases:
        check_gzip(path, data, IMAGES)
    record_property("cases", len(cases))


@fault("a plain file: each bit flipped, each byte left out or doubled, each end cut off", PLAIN)
def test_each_small_damage_to_a_plain_file_is_refused_or_within_the_data(path, record_property):
    cases = list(damages(GOOD))
    for data in cases:
        harmless = len(data) == len(GOOD) and data[:16] == GOOD[:16]
        check(
            path,
            data,
            3,
            np.frombuffer(data[16:], np.uint8).reshape(IMAGES.shape) if harmless else None,
        )
    record_property("cases", len(cases))


EDITS = st.tuples(
    st.floats(0, 1, exclude_max=True), st.sampled_from([0, 1, 4, 9999]), st.binary(max_size=4)
)
SOME = st.sampled_from([IMAGES, np.arange(10, dtype=np.uint8), np.full((9, 28, 28), 7, np.uint8)])
DAMAGES = st.lists(EDITS, min_size=1, max_size=3)
MANY = pytest.mark.parametrize("examples", [500, pytest.param(2_000, marks=pytest.mark.slow)])


def damaged(data, edits):
    """Bytes with some dropped and others put at each of some relative places."""
    for place, dropped, put in edits:
        at = int(place * len(data))
        data = data[:at] + put + data[at + dropped :]
    return data


@fault("a gzipped file is damaged at random, in up to three places", GZIP)
@MANY
def test_a_damaged_gzip_file_is_refused_or_read_as_it_was(path, record_property, examples):
    tried = []

    @seed(examples)
    @settings(quickly, max_examples=examples)
    @given(array=SOME, edits=DAMAGES)
    def test(array, edits):
        tried.append(edits)
        check_gzip(path, damaged(zipped(plain(array)), edits), array)

    test()
    record_property("cases", len(tried))


@fault("a plain file is damaged at random, in up to three places", PLAIN)
@MANY
def test_a_damaged_plain_file_is_refused_or_read_as_its_header_says(
    path, record_property, examples
):
    tried = []

    @seed(examples)
    @settings(quickly, max_examples=examples)
    @example(array=IMAGES, edits=[(0, 16, header(3, 2, 4))])
    @example(array=IMAGES, edits=[(0, 16, header(HUGE, HUGE, HUGE))])
    @given(array=SOME, edits=DAMAGES)
    def test(array, edits):
        tried.append(edits)
        data = damaged(plain(array), edits)
        check(path, data, array.ndim, legitimate(data, array.ndim))

    test()
    record_property("cases", len(tried))
