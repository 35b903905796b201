"""What digits/idx.py reads, writes and refuses."""

import gzip
import hashlib
import math
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import example, given, seed, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from digits import idx, output

MAGIC = {dimensions: bytes([0, 0, 8, dimensions]) for dimensions in (1, 3, 4)}
KINDS = {1: "labels", 3: "images", 4: "images"}
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


def load(path, kind="images"):
    shape, chunks = idx.read(path, kind)
    array = np.concatenate(list(chunks))
    assert array.shape == shape
    return array


def refusal(path, kind="images"):
    """What is said of a file, less its path, which comes first."""
    with pytest.raises(SystemExit) as error:
        load(path, kind)
    message = str(error.value)
    place = output.printable(path)
    assert message.startswith(f"{place}: ") and message.isprintable()
    return message.removeprefix(f"{place}: ")


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
    return tmp_path_factory.mktemp("idx") / "ima\n\x1b[31mges"


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
    _, chunks = idx.read(path, "images")
    parts = list(chunks)
    assert len(parts) > 1 and np.array_equal(np.concatenate(parts), images)


def test_a_gzipped_file_may_have_several_members(path):
    path.write_bytes(zipped(GOOD[:20]) + zipped(GOOD[20:]))
    assert np.array_equal(load(path), IMAGES)


def test_the_shape_is_known_before_the_data_are_read(path):
    path.write_bytes(DAMAGED["wrong checksum"][0])
    assert idx.read(path, "images")[0] == (2, 3, 4)


COLOUR = IMAGES.reshape(2, 2, 2, 3)


def test_colour_is_a_fourth_dimension(path):
    path.write_bytes(plain(COLOUR))
    assert np.array_equal(load(path), COLOUR)


def wide(first_column):
    """QMNIST's labels: big-endian int32 of eight columns, the class first."""
    rows = np.zeros((len(first_column), 8), ">i4")
    rows[:, 0], rows[:, 1:] = first_column, 4711
    return b"\0\0\x0c\x02" + struct.pack(">2I", *rows.shape) + rows.tobytes()


@pytest.mark.parametrize("pack", [bytes, zipped], ids=["plain", "gzipped"])
def test_the_labels_of_qmnist_are_their_first_column(path, pack):
    labels = np.arange(200_000) % 256
    path.write_bytes(pack(wide(labels)))
    assert np.array_equal(load(path, "labels"), labels)
    assert idx.digest(path, "labels") == hashlib.sha256(plain(labels.astype(np.uint8))).hexdigest()


OTHER = "expected an IDX file of images (00 00 08 03 or 00 00 08 04), found"
FLOATS = "float32; save whole numbers from 0 to 255, a byte each"
SIZES = "expected 3 sizes of at least 1, found"
BAD = {
    "empty": (b"", f"{OTHER} nothing"),
    "wrong magic": (b"\x12\x34" + GOOD[2:], f"{OTHER} 12 34 08 03"),
    "floats": (b"\0\0\x0d\x03" + GOOD[4:], f"{OTHER} 00 00 0d 03, {FLOATS}"),
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
    expected = "expected an IDX file of labels (00 00 08 01 or 00 00 0c 02), found 00 00 08 03"
    assert refusal(path, "labels") == expected


@fault("labels that are no classes from 0 to 255, in QMNIST's form")
@pytest.mark.parametrize("label", [-1, 256])
def test_labels_that_do_not_fit_into_a_byte_are_refused(path, label):
    path.write_bytes(wide([3, label]))
    found = f"{min(3, label)} to {max(3, label)}"
    assert refusal(path, "labels") == f"expected classes from 0 to 255, found {found}"


@fault("images of two or four colours")
@pytest.mark.parametrize("colours", [2, 4])
def test_images_are_grey_or_of_three_colours(path, colours):
    path.write_bytes(plain(np.zeros((1, 2, 2, colours), np.uint8)))
    found = f"[1, 2, 2, {colours}]"
    assert refusal(path) == f"expected images of 1 or 3 colours, last, found {found}"


# Names

SPELLINGS = [
    "{}-images-idx3-ubyte",
    "{}-images-idx3-ubyte.gz",
    "{}-images.idx3-ubyte",
    "{}-images.idx3-ubyte.gz",
    "{}-images-idx4-ubyte",
    "emnist-letters-{}-images-idx3-ubyte.gz",
    "{}-images-idx3-ubyte/{}-images-idx3-ubyte",
]


@pytest.mark.parametrize("word, split", [("train", "train"), ("t10k", "test"), ("test", "test")])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_file_is_found_in_every_spelling(tmp_path, spelling, word, split):
    file = tmp_path / spelling.format(word, word)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(GOOD)
    others = [f"{file.parts[len(tmp_path.parts)]}.part", f"._{word}-images-idx3-ubyte"]
    others += [f"{word}-labels-idx1-ubyte", "valid-images-idx3-ubyte", "notes.txt"]
    for name in others:
        (tmp_path / name).touch()
    assert idx.find(tmp_path, split, "images") == file
    with pytest.raises(SystemExit):
        idx.find(tmp_path, "train" if split == "test" else "test", "images")


def test_labels_are_found_under_the_names_of_qmnist(tmp_path):
    for name in ("qmnist-train-labels-idx2-int.gz", "qmnist-test-labels-idx2-int.gz"):
        (tmp_path / name).write_bytes(zipped(wide([5])))
    assert idx.find(tmp_path, "test", "labels").name == "qmnist-test-labels-idx2-int.gz"


def test_several_files_of_one_content_are_as_good_as_one(tmp_path):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(GOOD)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(PACKED)
    (tmp_path / "train-images.idx3-ubyte").write_bytes(GOOD)
    assert idx.find(tmp_path, "train", "images").exists()


@fault("a folder holds several files for one split that differ")
def test_files_of_one_split_that_differ_are_refused_by_name(tmp_path):
    (tmp_path / "emnist-digits-train-images-idx3-ubyte").write_bytes(GOOD)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(zipped(plain(COLOUR)))
    names = "emnist-digits-train-images-idx3-ubyte, train-images-idx3-ubyte.gz"
    expected = f"expected one file of train images, found several that differ: {names}"
    with pytest.raises(SystemExit, match=f"^{tmp_path}: {expected}$"):
        idx.find(tmp_path, "train", "images")


@fault("a folder lacks a file")
def test_a_folder_without_a_file_says_what_it_holds(tmp_path):
    for name in ("b", "a"):
        (tmp_path / name).touch()
    wanted = "expected t10k-labels-idx1-ubyte or t10k-labels-idx1-ubyte.gz, found a, b"
    with pytest.raises(SystemExit, match=f"^{tmp_path}: {wanted}$"):
        idx.find(tmp_path, "test", "labels")


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


PIXELS = "expected images of at most 4194304 values, found"
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


def legitimate(data, kind):
    """What the bytes of a file say; None if they are no IDX file of that kind."""
    if data.startswith(b"\x1f\x8b"):
        try:
            data = gzip.decompress(data)
        except (EOFError, gzip.BadGzipFile, zlib.error):
            return None
    dimensions = next((each for each in MAGIC if data[:4] == MAGIC[each]), 0)
    sizes = [int.from_bytes(data[4 * k : 4 * k + 4], "big") for k in range(1, dimensions + 1)]
    start = 4 + 4 * dimensions
    if (
        KINDS.get(dimensions) != kind
        or (dimensions == 4 and sizes[3] not in (1, 3))
        or math.prod(sizes) == 0
        or len(data) != start + math.prod(sizes)
    ):
        return None
    return np.frombuffer(data[start:], np.uint8).reshape(sizes)


GREY = array_shapes(min_dims=3, max_dims=3, max_side=5)
COLOURED = st.builds(lambda shape, colours: (*shape, colours), GREY, st.sampled_from([1, 3]))
SHAPES = array_shapes(min_dims=1, max_dims=1, max_side=50) | GREY | COLOURED
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
    assert np.array_equal(load(path, KINDS[array.ndim]), array)


def check(path, data, kind, expected):
    """Where nothing is expected the file must be refused, and else be read as that."""
    write_anew(path, data)
    if expected is None:
        refusal(path, kind)
    else:
        assert np.array_equal(load(path, kind), expected)


def check_gzip(path, data, array):
    """The file must be refused, or read as the array that went into it."""
    write_anew(path, data)
    try:
        assert np.array_equal(load(path, KINDS[array.ndim]), array)
    except SystemExit:
        refusal(path, KINDS[array.ndim])


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
            "images",
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
        kind = KINDS[array.ndim]
        check(path, data, kind, legitimate(data, kind))

    test()
    record_property("cases", len(tried))
