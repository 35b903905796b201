"""What people bring -> four IDX files and dataset.json.

Folders of pictures, one for each class; NumPy's .npz; CSV as on Kaggle; or IDX files: told by
looking, and said in a line. Nothing of it is trusted: no pickle is loaded, and what unpacks to far
more than its size is refused.
"""

import errno
import hashlib
import math
import re
import shutil
import struct
import tempfile
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np
from PIL import Image
from tqdm import tqdm

from digits import idx, pictures
from digits.output import printable
from digits.parallel import parallel

# what a word in the name of a folder, a file, an array or a column means
SPLITS = {"train": "train", "training": "train", "test": "test", "testing": "test"}
SPLITS |= {"val": "val", "valid": "val", "validation": "val"}
KINDS = dict.fromkeys(["x", "image", "images", "imgs", "data", "pixels"], "images")
KINDS |= dict.fromkeys(["y", "label", "labels", "target", "targets"], "labels")
NAMES = "classes.txt"
ARCHIVES = {".7z", ".gz", ".rar", ".tar", ".tgz", ".zip"}
ENDINGS = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
LINE = 2**24  # characters of a line of CSV
LABEL = 255  # characters of a label
WHOLE = re.compile(r"\d+\.0*|\d\.\d{18}e\+\d\d")  # a 5 as 5.0, or as NumPy's savetxt writes it
BOMB = 500  # times its packed size: images do not pack that well
DARK = 64  # the largest value of a whole data set is higher where 255 is white
OWN = 512  # pixels along a side: pictures that all have one size keep it up to here
LARGEST = 64  # else they are brought to their median, and the longer side to no more than this

# images uint8 (n, H, W[, 3]), labels uint8 (n,), which of them are test images; a chunk at a time
Stream = Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]
Size = int | list[int] | None


class Job(NamedTuple):
    """What to do: parameters of `datasets.folder`, a folder for scratch; what there is to tell."""

    size: Size
    colour: bool | None
    test_share: float
    scratch: Path
    said: list[str]
    tests: list[object]  # the names of the test images in their order, if they were chosen here


class Data(NamedTuple):
    """Images of shape (H, W) or (H, W, 3), and the names of their classes."""

    form: str
    shape: tuple[int, ...]
    classes: list[str]
    stream: Stream


class Arrays(NamedTuple):
    """Images (N, ...) of any type and labels (N, ...), numbers or names, as they were found."""

    split: str
    images: np.ndarray
    labels: np.ndarray


class Picture(NamedTuple):
    """A file that may be a picture of a class."""

    path: Path
    name: str
    split: str


def wrong(place: object, expected: str, found: object) -> SystemExit:
    text = f"{printable(place)}: expected {expected}, found {printable(found)[:300]}"
    return SystemExit(f"{text}; see docs/own-data.md")


def listed(names: Iterable[object]) -> str:
    """The first ten of some names."""
    texts = [printable(name) for name in names]
    return ", ".join([*texts[:10], *["..."] * (len(texts) > 10)]) or "nothing"


def natural(name: object) -> tuple[str, str]:
    """A key that sorts 9 before 10."""
    text = str(name)
    return re.sub(r"\d+", lambda number: number[0].zfill(99), text.casefold()), text


def meaning(words: dict[str, str], *names: str) -> str | None:
    """The meaning of the first word that has one, in the first name that has such a word."""
    found = [word for name in names for word in re.split(r"[^a-z]+", name.casefold())]
    return next((words[word] for word in found if word in words), None)


def visible(folder: Path) -> list[Path]:
    """What lies in a folder, in natural order, less what systems hide there."""
    inside = [path for path in folder.iterdir() if not path.name.startswith((".", "__MACOSX"))]
    return sorted(inside, key=natural)


def folders(folder: Path) -> list[Path]:
    return [path for path in visible(folder) if path.is_dir()]


def gather(
    path: Path, target: Path, size: Size = None, colour: bool | None = None, share: float = 0.2
) -> None:
    """Write what lies at `path` into `target`, and say in a line what it was taken for.

    Images are brought to `size`, of a side or [height, width], and to grey or colour: if None, to
    what they are. Where no test images are given, a share of all become that. SystemExit says in
    a line what is wrong with them; then `target` is of no use.
    """
    with tempfile.TemporaryDirectory(dir=target) as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of metadata
        job = Job(size, colour, share, Path(scratch), [], [])
        data = look(path, job)
        if not 2 <= len(data.classes) <= 256:
            found = f"{len(data.classes)}: {listed(data.classes)}"
            deeper = path / data.classes[0]
            if len(data.classes) == 1 and deeper.is_dir() and len(folders(deeper)) > 1:
                found += f", which holds folders: did you mean {deeper}?"
            raise wrong(path, "2 to 256 classes", found)
        shown = [printable(name) for name in data.classes]
        if alike := [name for name, count in Counter(shown).items() if count > 1]:
            raise wrong(path, "classes that are told apart by their names", f"two {alike[0]}")
        # DVC writes them into its page of plots as they are
        if tags := [name for name in data.classes if re.search("</|<!--", name)]:
            raise wrong(path, "names of classes without HTML", listed(tags))
        if math.prod(data.shape) > idx.CHUNK:
            found = f"{data.shape}; set datasets.folder.size"
            raise wrong(path, f"images of at most {idx.CHUNK:,} values", found)
        train, test = write(target, data)
    amount = f"{train:,} training and {test:,} test images"
    if not train or not test:
        found = f"{amount}; add a test set, or others: equal images stay together"
        raise wrong(path, "images to train on and images to test on", found)
    if job.tests:
        names = [f"{printable(name)}\n" for name in job.tests]
        (target / idx.TEST_NAMES).write_text("".join(names))
    height, width, channels = (*data.shape, 1)[:3]
    brought = {"channels": channels, "height": height, "width": width}
    idx.describe(
        target,
        name=printable(path.stem if path.is_file() else path.resolve().name),
        classes=shown,
        own=True,
        pictures=brought if data.form == "pictures" else None,
    )
    kind = f"{height} x {width}, {'colour' if channels == 3 else 'grey'}"
    classes = f"{len(data.classes)} classes ({listed(data.classes)})"
    print("; ".join([f"{printable(path)}: {data.form}: {amount} of {kind}", classes, *job.said]))


def look(path: Path, job: Job) -> Data:
    """Tell what lies at `path` by looking, and begin to read it."""
    if not path.is_dir() and not (path.is_file() and ending(path) in (".csv", ".npz")):
        found = "another file" if path.exists() else "nothing"
        found = "an archive: unpack it first" if ending(path) in ARCHIVES else found
        raise wrong(path, "a folder, or a file .npz or .csv", found)
    inside = visible(path) if path.is_dir() else [path]
    files = [file for file in inside if file.is_file()]
    zips, tables = ([file for file in files if ending(file) == end] for end in (".npz", ".csv"))
    # of a folder alone: what lies beside a file DVC does not follow
    names = class_names(path / NAMES)
    if path.is_dir() and idx.candidates(path, "train", "images"):
        return from_arrays("IDX", path, from_idx(path, job), names, job)
    if zips:
        return from_arrays("NumPy arrays", path, from_npz(zips, job), names, job)
    if tables and not any(file.is_dir() for file in inside):
        return from_arrays("CSV", path, from_csv(tables, job), names, job)
    return from_folders(path, names, job)


def class_names(file: Path) -> list[str] | None:
    """The lines of classes.txt; None where there is none."""
    if not file.is_file():
        return None
    with opened(file) as text:
        lines = text.read().splitlines()
    names = [line.strip() for line in lines if line.strip()]
    if len(set(names)) < len(names):
        twice = [name for name, count in Counter(names).items() if count > 1]
        raise wrong(file, "each name once", f"more of {listed(twice)}")
    return names or None


def opened(file: Path) -> TextIO:
    """Open a text in UTF-8, or as Windows writes it in UTF-16; other bytes are kept apart."""
    with file.open("rb") as raw:
        wide = raw.read(2) in (b"\xff\xfe", b"\xfe\xff")
    if wide:
        return file.open(encoding="utf-16", errors="replace")
    return file.open(encoding="utf-8-sig", errors="surrogateescape")


def tested(splits: Iterable[str], job: Job) -> tuple[str, float]:
    """Which split is the test set; and which share of the images, where there is no such split."""
    if "test" in splits:
        job.said.extend(["val joins train"] if "val" in splits else [])
        return "test", 0
    if "val" in splits:
        job.said.append("val is the test set")
        return "val", 0
    job.said.append(f"no test set, so it is {job.test_share:.0%} of the images, by their content")
    return "test", job.test_share


def chosen(digest: bytes, share: float) -> bool:
    """Whether what has this SHA-256 is of the share: no other image has a say in it."""
    return int.from_bytes(digest[:8]) < share * 2**64


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
        for (split, _), file in files.items():
            file.seek(4)  # where the header says how many
            file.write(struct.pack(">I", counts[split]))
    return [*counts.values()]


# --- Folders of pictures --------------------------------------------------------------------------


def from_folders(root: Path, names: list[str] | None, job: Job) -> Data:
    """Look at all pictures for what they have in common; each is read later, as it is written."""
    left: Counter[str] = Counter()
    found, classes = find(root, names, left)
    inner = chain(folders(root), *map(folders, folders(root)))
    if any(folder.is_symlink() for folder in inner):
        job.said.append(
            "DVC does not see changes behind linked folders: after one, dvc repro --force download"
        )
    kept: list[Picture] = []
    sizes: Counter[tuple[int, int]] = Counter()
    coloured = bool(job.colour)

    def glance(picture: Picture) -> tuple[int, int, bool] | None:
        return inspect(picture, job.colour is None and not coloured)

    for picture, seen in under_a_bar(glance, found, 1024, "looking"):
        if seen is None:
            left[ending(picture.path)] += 1
        else:
            kept.append(picture)
            sizes[seen[:2]] += 1
            coloured = coloured or seen[2]  # then no more need be decoded for it
    del sizes[0, 0]
    left_out = f"left out: {listed(f'{count:,} {name}' for name, count in left.items())}"
    empty = sorted(set(classes) - {picture.name for picture in kept}, key=natural)
    if empty or not kept:
        found_none = f"{f'no picture of {listed(empty)}' if empty else 'none'}; {left_out}"
        raise wrong(root, "folders of pictures, one for each class", found_none)
    split, share = tested({picture.split for picture in kept}, job)
    shape = (*common_size(sizes, job), 3 if coloured else 1)
    job.said.extend([left_out] if left else [])
    stream = read_pictures(root, kept, classes, shape, split, share, job)
    return Data("pictures", shape if coloured else shape[:2], classes, stream)


def find(
    root: Path, names: list[str] | None, left: Counter[str]
) -> tuple[list[Picture], list[str]]:
    """What lies in SPLIT/CLASS, CLASS/SPLIT or CLASS, folders all; and the classes in order."""
    splits = {unpacked(folder): meaning(SPLITS, folder.name) for folder in folders(root)}
    # one without folders is a class: among vehicles, one is called train
    if not any(split == "train" and folders(folder) for folder, split in splits.items()):
        if splits and all(splits.values()) and not names:
            parts = listed(folder.name for folder in splits)
            raise wrong(root, "a folder for each class: train/CLASS/1.png", f"none in {parts}")
        splits = {root: "train"}
    found, classes = [], set()
    for top, split in splits.items():
        inside = folders(top) if split else []
        used = [folder for folder in inside if names is None or folder.name in names]
        for folder in used:
            classes.add(folder.name)
            files = below(folder, left)
            found += [Picture(path, folder.name, split or "") for path in files]
        left.update(f"{folder.name}/" for folder in inside if folder not in used)
        left.update([] if inside or top == root else [f"{top.name}/"])
        beside = [path for path in visible(top) if split and not path.is_dir()]
        left.update(ending(path) for path in beside if path != root / NAMES)
        left.update(path.name for path in top.iterdir() if path.name.startswith("."))
    if root in splits:
        below_class = [picture.path.relative_to(root).parts[1:-1] for picture in found]
        inner = [split for parts in below_class if (split := meaning(SPLITS, *parts))]
        if len(inner) == len(found) and "train" in inner:
            found = [picture._replace(split=split) for picture, split in zip(found, inner)]
    return found, names or sorted(classes, key=natural)


def unpacked(folder: Path) -> Path:
    """The folder, or the only one in it where that has its name, as archives of Kaggle unpack."""
    inner = folder / folder.name
    return inner if folders(folder) == [inner] else folder


def ending(path: Path) -> str:
    return path.suffix.lower() or path.name


def below(folder: Path, left: Counter[str]) -> list[Path]:
    """All files in and below a folder, in natural order; links are followed, each place once."""
    found, seen, ahead = [], set(), [folder]
    while ahead:
        here = ahead.pop()
        if here.resolve() not in seen:
            seen.add(here.resolve())
            inside = visible(here)
            left.update(path.name for path in set(here.iterdir()) - set(inside))
            ahead += [path for path in inside if path.is_dir()]
            found += [path for path in inside if not path.is_dir()]
    return sorted(found, key=natural)


def under_a_bar(
    function: Callable[[Picture], Any], items: list[Picture], size: int, words: str
) -> Iterable[tuple[Picture, Any]]:
    """Each with what becomes of it, `size` of them in memory."""
    done = parallel(function, items, size)
    return tqdm(done, desc=words, total=len(items), unit=" pictures", disable=None)


def inspect(picture: Picture, colour: bool) -> tuple[int, int, bool] | None:
    """Height, width, and whether it has colour, which is looked for if `colour`.

    0 for each where it is broken, None where it is no picture.
    """
    try:
        with pictures.identified(picture.path) as image:
            return *pictures.sides(image), colour and pictures.coloured(image)
    except pictures.NoPicture:
        return (0, 0, False) if ending(picture.path) in ENDINGS else None
    except ValueError:
        return 0, 0, False


def common_size(sizes: Counter[tuple[int, int]], job: Job) -> tuple[int, int]:
    """The height and width that all are brought to."""
    if job.size:
        height, width = [job.size] * 2 if isinstance(job.size, int) else job.size
        return height, width
    if len(sizes) <= 1 and max(size := next(iter(sizes), (1, 1))) <= OWN:
        return size
    middle = np.median([*sizes.elements()], axis=0)
    scale = min(1, LARGEST / middle.max())
    height, width = (max(4, 4 * round(scale * side / 4)) for side in middle)
    job.said.append(f"brought from {len(sizes):,} sizes to this one (or set datasets.folder.size)")
    return height, width


def read_pictures(
    root: Path,
    found: list[Picture],
    classes: list[str],
    shape: tuple[int, ...],
    split: str,
    share: float,
    job: Job,
) -> Stream:
    """Read the pictures; say which are in both sets; SystemExit names those that cannot be read."""

    def load(picture: Picture) -> tuple[np.ndarray | str, bool]:
        """Its pixels, or what is wrong with it; and whether it is a test image."""
        try:
            pixels = pictures.to_array(pictures.open(picture.path), *shape)
        except ValueError as error:
            return str(error), False
        if not share:
            return pixels, picture.split == split
        with picture.path.open("rb") as file:
            return pixels, chosen(hashlib.file_digest(file, "sha256").digest(), share)

    bad, codes = [], {name: code for code, name in enumerate(classes)}
    seen: dict[bytes, tuple[bool, Path]] = {}
    twice = []
    size = max(16, min(1024, idx.CHUNK // math.prod(shape)))
    loaded = iter(under_a_bar(load, found, size, "reading"))
    while batch := list(islice(loaded, size)):
        bad += [f"{one.path}: {pixels}" for one, (pixels, _) in batch if isinstance(pixels, str)]
        if not bad:
            labels = [codes[one.name] for one, _ in batch]
            pixels, held = zip(*[result for _, result in batch])
            tests = (one.path for (one, _), test in zip(batch, held) if test)
            job.tests.extend(path.relative_to(root) for path in tests)
            for (one, _), label, array, test in zip(batch, labels, pixels, held):
                digest = hashlib.sha256(array.tobytes() + bytes([label])).digest()
                other_test, other = seen.setdefault(digest, (test, one.path))
                if test != other_test:
                    twice.append(f"{one.path} = {other}")
            yield np.stack(pixels), np.array(labels, np.uint8), np.array(held)
    if bad:
        text = f"{len(bad):,} of {len(found):,} pictures cannot be read; see docs/own-data.md"
        raise SystemExit("\n  ".join([f"{text}; the first:", *map(printable, bad[:10])]))
    if twice:
        job.said.append(f"both to train and to test on: {listed(twice)}")


# --- Arrays ---------------------------------------------------------------------------------------


def from_arrays(
    form: str, place: Path, found: list[Arrays], names: list[str] | None, job: Job
) -> Data:
    """Look at all values for what they have in common; they are written a chunk at a time."""
    flat = form == "CSV" or found[0].images.ndim == 2
    found = [as_images(place, one) for one in found]
    given = found[0].images.shape[1:]
    for one in found:
        if one.images.shape[1:] != given:
            raise wrong(place, f"images of {given} in all", one.images.shape[1:])
    if len(given) == 3 and flat:
        job.said.append("each pixel's red, green and blue are taken to stand side by side")
    codes, classes = numbered(place, found, names, job)
    scales = [pixel_scale(place, one, job) for one in found]
    split, share = tested({one.split for one in found}, job)
    colour = len(given) == 3 if job.colour is None else job.colour
    sides = common_size(Counter(), job) if job.size else given[:2]
    full = (*sides, 3 if colour else 1)
    shape = full if colour else full[:2]

    def stream() -> Stream:
        for one, labels, scale in zip(found, codes, scales):
            for start, rows in chunks(one.images):
                if rows.dtype != np.uint8 or scale != 1:
                    rows = np.rint(np.multiply(rows, scale, dtype=np.float32)).astype(np.uint8)
                digests = [hashlib.sha256(row.tobytes()).digest() for row in rows if share]
                held = [chosen(digest, share) for digest in digests] or one.split == split
                if share:
                    job.tests.extend(start + np.flatnonzero(held))
                if rows.shape[1:] != shape:
                    fitted = (pictures.to_array(Image.fromarray(row), *full) for row in rows)
                    rows = np.stack([*fitted])
                yield rows, labels[start : start + len(rows)], np.full(len(rows), held)

    return Data(form, shape, classes, stream())


def as_images(place: Path, one: Arrays) -> Arrays:
    """Images (N, H, W) or (N, H, W, 3), be they given flat or with 1 as depth, and labels (N,)."""
    count, *sides = one.images.shape or (0,)
    if len(sides) == 1:
        sides = [*(square(sides[0]) or sides)]
    if sides[2:] == [1]:
        sides.pop()
    if len(sides) not in (2, 3) or sides[2:] not in ([], [3]) or not count * math.prod(sides):
        raise wrong(place, "images (N, H, W) or (N, H, W, 3)", f"an array {one.images.shape}")
    if one.images.dtype.kind not in "biuf":
        raise wrong(place, "numbers as pixels", one.images.dtype)
    labels = one.labels
    usable = labels.dtype.kind in "iufU" and labels.itemsize <= 4 * LABEL
    if labels.size != count or labels.shape[:1] != (count,) or not usable:
        expected = f"{count:,} labels, one for each {one.split} image"
        raise wrong(place, expected, f"an array {labels.shape} of {labels.dtype}")
    if labels.dtype.kind == "f" and (labels == labels.astype(np.int64)).all():
        labels = labels.astype(np.int64)
    return Arrays(one.split, one.images.reshape(count, *sides), labels.reshape(count))


def square(count: int) -> tuple[int, ...] | None:
    """The shape of an image of so many values: (H, H), or (H, H, 3); None if it is no square."""
    for colours in ((), (3,)):
        side = math.isqrt(count // math.prod(colours))
        if side > 1 and count == side * side * math.prod(colours):
            return side, side, *colours
    return None


def chunks(images: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Some rows at a time, each with the number of its first."""
    step = max(1, idx.CHUNK // images[:1].nbytes)
    return ((start, images[start : start + step]) for start in range(0, len(images), step))


def numbered(
    place: Path, found: list[Arrays], names: list[str] | None, job: Job
) -> tuple[list[np.ndarray], list[str]]:
    """Labels uint8 (N,) of each split, from 0 on, and the names of the classes.

    What was given counts the lines of classes.txt, from 0 or 1, or is a name itself.
    """
    values = np.concatenate([one.labels.astype(str) for one in found])
    distinct, codes = np.unique(values, return_inverse=True)
    given = distinct.tolist()
    if empty := [name for name in given if name.strip().casefold() in ("", "nan", "inf")]:
        raise wrong(place, "a label of each image", f"{empty[0] or 'none'} of some")
    order = names or sorted(given, key=natural)
    if not set(given) <= set(order):
        # a label as high as there are lines: the first is 1, as in EMNIST's letters
        first = int(str(len(order)) in given and "0" not in given)
        order = [str(first + line) for line in range(len(order))]
    if unknown := sorted(set(given) - set(order), key=natural):
        expected = f"labels that are names, or numbers from 0, of the {len(order)} in classes.txt"
        raise wrong(place, expected, listed(unknown))
    if not names and order[0].isdecimal() and order != [str(at) for at in range(len(order))]:
        job.said.append(f"labels are not 0 to {len(order) - 1}, so they are taken as names")
    places = {name: at for at, name in enumerate(order)}
    codes = np.array([places[value] for value in given])[codes].astype(np.uint8)
    ends = np.cumsum([len(one.labels) for one in found])
    return np.split(codes, ends[:-1]), names or order


def pixel_scale(place: Path, one: Arrays, job: Job) -> int:
    """What brings the pixels to 0 to 255, 1 or 255; SystemExit where that is not plain to see."""
    low, high, whole = np.inf, -np.inf, True
    for _, chunk in chunks(one.images):
        kind = chunk.dtype.kind
        low, high = np.minimum(low, chunk.min()), np.maximum(high, chunk.max())
        whole = whole and (kind in "iu" or bool((kind == "f") & (chunk == np.rint(chunk)).all()))
    values = f"{low:g} to {high:g} in {one.split}"
    if not (low >= 0 and high <= 255):
        raise wrong(place, "pixels from 0 to 255", f"{values}; bring them there first")
    if 0 < high <= 1 and not whole:
        job.said.append(f"pixels are {values}, so they are multiplied by 255")
        return 255
    if high < DARK:
        what = f"multiply them by {255 / high:g} first" if high else "nothing is on them"
        raise wrong(place, "pixels from 0 to 255", f"{values}; {what}")
    if not whole:
        job.said.append(f"pixels in {one.split} are rounded to whole numbers")
    return 1


def spool(rows: Iterable[np.ndarray], file: Path, dtype: type, shape: tuple[int, ...]) -> Any:
    """Put rows on disk, and map them into memory: (N, *shape)."""
    with file.open("wb") as spooled:
        for some in rows:
            spooled.write(some.tobytes())
    mapped = np.memmap(file, dtype, "r") if file.stat().st_size else np.empty(0, dtype)
    return mapped.reshape(-1, *shape)


def turned(file: Path, images: np.ndarray, job: Job) -> np.ndarray:
    """Images (N, H, W) as they are, or transposed where the file is EMNIST's."""
    if not re.search("(?<![a-z])emnist", file.name.casefold()):  # TissueMNIST's stand upright
        return images
    job.said.append(f"{printable(file.name)} turned upright, as EMNIST's files are")
    return images.swapaxes(1, 2)


def from_idx(root: Path, job: Job) -> list[Arrays]:
    """IDX files in any spelling."""
    found = []
    for split in ("train", "test"):
        if split == "train" or idx.candidates(root, split, "images"):
            file = idx.find(root, split, "images")
            (count, *sides), rows = idx.read(file, "images")
            promised, there = count * math.prod(sides), file.stat().st_size
            if bomb(promised, there):
                expected = f"{promised:,} bytes of data, as its header says"
                raise wrong(file, expected, f"a file of {there:,}")
            images = spool(rows, job.scratch / split, np.uint8, tuple(sides))
            _, labels = idx.read(idx.find(root, split, "labels"), "labels")
            found.append(Arrays(split, turned(file, images, job), np.concatenate([*labels])))
    return found


def from_npz(files: list[Path], job: Job) -> list[Arrays]:
    """Arrays whose names, or else whose file's, say train, val or test, and images or labels."""
    arrays: dict[tuple[str, str | None], np.ndarray] = {}
    for file in files:
        try:
            with zipfile.ZipFile(file) as archive:
                for info in archive.infolist():
                    words = (info.filename, file.stem)
                    key = meaning(SPLITS, *words) or "train", meaning(KINDS, *words)
                    if key in arrays:
                        expected = f"one array of {key[0]} {key[1]} in all: join them"
                        raise wrong(file, expected, "another")
                    if key[1]:
                        arrays[key] = unpack(archive, info, job.scratch / f"{key[0]}-{key[1]}")
        except Exception as error:  # zipfile, zlib and NumPy's reader have many
            if isinstance(error, OSError) and error.errno != errno.EINVAL:
                raise  # a full disk
            found = getattr(error, "strerror", None) or str(error) or "it cut off"
            raise wrong(file, "arrays that NumPy saved without pickle", found) from None
    splits = list(dict.fromkeys(split for split, _ in arrays)) or ["train"]
    for split, kind in [(split, kind) for split in splits for kind in ("images", "labels")]:
        if (split, kind) not in arrays:
            names = "x_train and y_train, or train_images and train_labels"
            raise wrong(files[0], f"arrays called {names}", f"no {kind} of {split}")
    return [Arrays(split, arrays[split, "images"], arrays[split, "labels"]) for split in splits]


def bomb(size: int, packed: int) -> bool:
    return size > max(2**26, BOMB * packed)


def unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, file: Path) -> np.ndarray:
    """Map an array of an .npz into memory; ValueError where it is none, or a bomb."""
    if bomb(info.file_size, info.compress_size):
        raise ValueError(f"{info.filename}, which unpacks to {info.file_size:,} bytes")
    with archive.open(info) as packed, file.open("wb") as plain:
        shutil.copyfileobj(packed, plain)
    return np.lib.format.open_memmap(file, mode="r")


def from_csv(files: list[Path], job: Job) -> list[Arrays]:
    """One file, or those whose names say train, val or test; what has no labels is left out."""
    found: dict[str, Arrays] = {}
    unlabelled = []
    for file in files:
        split = "train" if len(files) == 1 else meaning(SPLITS, file.stem)
        if split in found:
            raise wrong(file, f"one CSV file of {split} images", "two")
        if split and (read := read_csv(file, split, job)):
            found[split] = read
        else:
            unlabelled.append(file.name)
    if "train" not in found:
        names = listed(file.name for file in files)
        raise wrong(files[0].parent, "a CSV file with labels, or train.csv and test.csv", names)
    if unlabelled:
        job.said.append(f"left out, since without labels: {listed(unlabelled)}")
    return list(found.values())


def read_csv(file: Path, split: str, job: Job) -> Arrays | None:
    """Lines of a label, as text, and the pixels of an image; None where they are pixels alone."""
    with opened(file) as text:
        rest = iter(partial(text.readline, LINE), "")
        first = next(rest, "")
        mark = max(",;\t", key=first.count)
        fields = [field.strip(' "\n').casefold() for field in first.split(mark)]
        headed = is_header(fields)
        named = [at for at, name in enumerate(fields) if KINDS.get(name) == "labels"]
        if headed and not named:  # the column that is called otherwise than pixel1, pixel2, ...
            named = [at for at, name in enumerate(fields) if not re.search(r"\d", name)]
        at = named[0] if named else -1
        shape = square(len(fields) - 1)
        pixels_alone = at < 0 and not shape and square(len(fields))
        counted = named and shape and fields[at] in ("", "id", "imageid", "index")
        if counted or pixels_alone:
            return None
        if not shape:
            expected = "lines of a label and the pixels of a square image"
            index = "; is one an index? leave it out" if square(max(0, len(fields) - 2)) else ""
            raise wrong(file, expected, f"{len(fields):,} columns{index}")
        lines = enumerate(rest if headed else chain([first], rest), 1 + headed)
        labels: list[str] = []
        rows = csv_rows(file, lines, mark, len(fields), max(0, at), labels)
        images = spool(rows, job.scratch / split, np.float32, shape)
    kind = float if all(map(WHOLE.fullmatch, labels)) else str
    return Arrays(split, turned(file, images, job), np.array(labels, kind))


def is_header(fields: list[str]) -> bool:
    """Whether these are names of columns, as Pandas' are that count from 0."""
    digits = [name for name in fields if name.isdecimal()]
    if len(digits) >= len(fields) - 1:
        start = int(digits[:1] == ["1"])
        return digits == [str(start + at) for at in range(len(digits))]
    return not re.fullmatch(r"[-+]?[.\d]+(e[-+]?\d+)?|nan|", fields[len(fields) // 2])


def csv_rows(
    file: Path, lines: Iterator[tuple[int, str]], mark: str, width: int, at: int, labels: list[str]
) -> Iterator[np.ndarray]:
    """Yield pixels float32 (n, width - 1); add each line's label, its column `at`, to `labels`."""
    pixels = [column for column in range(width) if column != at]
    full = ((number, line.replace('"', "")) for number, line in lines if line.strip())
    while batch := list(islice(full, max(1, idx.CHUNK // 4 // width))):
        for number, line in batch:
            cells = line.split(mark)
            if len(cells) != width:
                raise wrong(f"{file}, line {number}", f"{width:,} columns", f"{len(cells):,}")
            if len(cells[at]) > LABEL:
                found = f"one of {len(cells[at]):,}"
                raise wrong(f"{file}, line {number}", f"a label of at most {LABEL} letters", found)
            labels.append(cells[at].strip())
        texts = [line for _, line in batch]
        try:
            yield np.loadtxt(texts, np.float32, None, mark, usecols=pixels, ndmin=2)
        except ValueError as error:
            why, _, row = str(error).partition(" at row ")
            number = batch[int(row.partition(",")[0] or 0)][0]
            raise wrong(f"{file}, line {number}", "numbers as pixels", why) from None
