"""Facts about digits/own: what people bring, in which forms; what is refused, in what words."""

import gzip
import io
import json
import os
import re
import shutil
import string
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import numpy as np
import pytest
from PIL import Image

from digits import idx, synthetic
from digits.output import listed
from digits.own import gather as own

LINE = "one line says what was expected and found, and names docs/own-data.md"
USUAL: dict[str, Any] = {"size": None, "colour": None, "share": 0.2}  # as in params.yaml
RNG = np.random.default_rng(0)
START = RNG.bit_generator.state


def fault(what: str, outcome: str = LINE) -> pytest.MarkDecorator:
    return pytest.mark.fault("own data", what, outcome)


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine").mkdir()
    Path("out").mkdir()


@pytest.fixture(autouse=True)
def with_noise_of_its_own() -> None:
    """A test's images do not follow from those before it: some splits have no image on a side."""
    RNG.bit_generator.state = START


class Gathered:
    """What `gather` wrote from the folder `mine`, or another place, and what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str], place: str, **options: Any) -> None:
        own.gather(Path(place), Path("out"), **USUAL | options)
        self.said = capsys.readouterr().out
        first, *rest = self.said.splitlines()
        assert " training and " in first and all(line.startswith("  ") for line in rest)
        self.about = json.loads(Path("out/dataset.json").read_text())
        self.arrays = {key: self.read(*key) for key in idx.FILES}
        written = {path.name for path in Path("out").iterdir()}
        chosen = "no test set" in self.said or "splits by" in self.said
        named = {idx.TEST_NAMES} if self.about["pictures"] or chosen else set()
        assert written == {*idx.FILES.values(), "dataset.json"} | named
        if named:
            names = Path("out", idx.TEST_NAMES).read_text().splitlines()
            assert len(names) == len(self.arrays["test", "labels"])

    def read(self, split: str, kind: str) -> np.ndarray:
        _, chunks = idx.read(Path("out") / idx.FILES[split, kind], kind)
        return np.concatenate([*chunks])

    def pairs(self, split: str) -> list[tuple[int, bytes]]:
        """Its labels and images, whatever their order."""
        labels, images = self.arrays[split, "labels"], self.arrays[split, "images"]
        return sorted((int(label), image.tobytes()) for label, image in zip(labels, images))


Gather = Callable[..., Gathered]


@pytest.fixture
def gather(capsys: pytest.CaptureFixture[str]) -> Gather:
    return lambda place="mine", **options: Gathered(capsys, place, **options)


def refusal(place: str = "mine", **options: Any) -> str:
    """What `gather` refuses in one line of words that names the page."""
    with pytest.raises(SystemExit) as end:
        own.gather(Path(place), Path("out"), **USUAL | options)
    message = str(end.value)
    assert "docs/own-data.md" in message and message.isprintable() and len(message) < 500, message
    return message.removesuffix("; see docs/own-data.md")


def noise(*shape: int) -> np.ndarray:
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def picture(path: str, array: np.ndarray | None = None, **options: Any) -> Path:
    """Save an image, by default of 8 x 8 grey pixels, and as PNG where its name does not say."""
    file = Path("mine", path)
    file.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(noise(8, 8) if array is None else array)
    image.save(file, **({} if file.suffix else {"format": "PNG"}), **options)
    return file


def open_pixels(path: Path) -> bytes:
    return np.asarray(Image.open(path)).tobytes()


def classes(*names: str, count: int = 20) -> list[Path]:
    return [picture(f"{name}/{number}.png") for name in names for number in range(count)]


def npz(path: str = "mine/some.npz", **arrays: Any) -> None:
    """Save arrays: those of four that are not given are 30 images and as many labels."""
    four = {"x_train": noise(30, 8, 8), "y_train": np.arange(30) % 3}
    four |= {"x_test": noise(30, 8, 8), "y_test": np.arange(30) % 3}
    np.savez_compressed(
        path, **{key: value for key, value in (four | arrays).items() if value is not None}
    )


def csv(path: str, labels: Any, images: np.ndarray, header: bool = True) -> None:
    rows = images.reshape(len(images), -1).tolist()
    lines = [",".join(map(str, [label, *row])) for label, row in zip(labels, rows)]
    names = ",".join(["label", *(f"pixel{i}" for i in range(len(rows[0])))])
    Path("mine", path).write_text("\n".join([names] * header + lines) + "\n")


def idx_file(path: str, array: np.ndarray) -> None:
    with idx.create(Path("mine", path), array.shape) as file:
        file.write(array.tobytes())


# The forms


DRAWN = {
    split: [np.concatenate(part) for part in zip(*synthetic.draw(count, 0, number))]
    for number, (split, count) in enumerate({"train": 120, "test": 50}.items())
}
NAMED: dict[str, Any] = {
    f"{kind}_{split}": part for split, both in DRAWN.items() for kind, part in zip(["x", "y"], both)
}


def as_folders() -> None:
    for split, (images, labels) in DRAWN.items():
        for number, (image, label) in enumerate(zip(images, labels)):
            picture(f"{split}/{label}/{number}.png", image)


def as_called() -> None:
    for split, (images, labels) in DRAWN.items():
        for number, (image, label) in enumerate(zip(images, labels)):
            picture(f"{split}/{label}_{number:04}.png", image)


def as_files() -> None:
    for name, array in NAMED.items():
        np.save(f"mine/{name}.npy", array if "x" in name else np.eye(10)[array])


def as_csv() -> None:
    for split, (images, labels) in DRAWN.items():
        csv(f"{split}.csv", labels, images)


def as_one_csv(mark: str) -> None:
    """Of three splits, as FER2013's, with pixels in a cell where the mark is no comma."""
    pixels = ",".join(f"pixel{number}" for number in range(28 * 28)) if mark == "," else "pixels"
    quote = "" if mark == "," else '"'
    lines = [f"emotion,{pixels},Usage"]
    for split, (images, labels) in DRAWN.items():
        for number, (image, label) in enumerate(zip(images, labels)):
            usage = "Training" if split == "train" else ["PublicTest", "PrivateTest"][number % 2]
            cells = mark.join(map(str, image.ravel()))
            lines.insert(1, f"{label},{quote}{cells}{quote},{usage}")
    Path("mine/one.csv").write_text("\n".join(lines) + "\n")


def in_folders(form: Callable[[], None], **folders: str) -> None:
    """The same, with each file in a folder by a word of its name."""
    form()
    for file in [*Path("mine").iterdir()]:
        folder = next(folder for word, folder in folders.items() if word in file.name)
        Path("mine", folder).mkdir(exist_ok=True)
        file.rename(f"mine/{folder}/{file.name}")


SPLIT_FOLDERS = {"train": "Training", "test": "test", "t10k": "test"}


def as_short_idx() -> None:
    in_folders(as_idx, **SPLIT_FOLDERS)
    for file in [*Path("mine").glob("*/*")]:
        file.rename(file.with_name(file.name.removeprefix("train-").removeprefix("t10k-")))


def as_table() -> None:
    rows = [("id_code", "digit", "split")]
    for split, (images, labels) in DRAWN.items():
        for number, (image, label) in enumerate(zip(images, labels)):
            rows.append((picture(f"images/{split}{number}.png", image).stem, label, split))
    table("labels.csv", *rows)


def table(path: str, *rows: tuple[Any, ...]) -> None:
    Path("mine", path).write_text("".join(",".join(map(str, row)) + "\n" for row in rows))


def as_idx() -> None:
    for (split, kind), name in idx.FILES.items():
        idx_file(name, DRAWN[split][("images", "labels").index(kind)])


def as_signs() -> None:
    """As Kaggle's sign language comes, with a picture of all signs."""
    in_folders(as_csv, **SPLIT_FOLDERS)
    picture("signs.png")


FORMS: dict[str, Callable[[], None]] = {
    "pictures": as_folders,
    "pictures in a table": as_table,
    "pictures called by their classes": as_called,
    "NumPy files, with labels one-hot": as_files,
    "NumPy arrays": lambda: npz(**NAMED),
    "NumPy floats": lambda: npz(
        **NAMED | {"x_train": NAMED["x_train"] / 255, "x_test": NAMED["x_test"] / 255}
    ),
    "NumPy files in folders of splits": lambda: in_folders(as_files, **SPLIT_FOLDERS),
    "NumPy files in folders of kinds": lambda: in_folders(as_files, x="images", y="labels"),
    "CSV": as_csv,
    "CSV in folders of splits": lambda: in_folders(as_csv, **SPLIT_FOLDERS),
    "CSV in folders beside a picture": as_signs,
    "CSV with a column of splits": lambda: as_one_csv(","),
    "CSV with the pixels in a cell": lambda: as_one_csv(" "),
    "CSV with the pixels in a cell, spaced": lambda: as_one_csv("  "),
    "IDX": as_idx,
    "IDX in folders of splits": lambda: in_folders(as_idx, **SPLIT_FOLDERS),
    "IDX in folders alone called by their split": as_short_idx,
    "IDX in folders called train and t10k": lambda: in_folders(as_idx, train="train", t10k="t10k"),
    "IDX in one folder": lambda: in_folders(as_idx, train="train", t10k="train"),
    "IDX, the test images deeper": lambda: in_folders(as_idx, t10k="test", train="."),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_data_in_each_form_give_the_same_images(gather: Gather, form: str) -> None:
    FORMS[form]()
    found = gather()
    for split, (images, labels) in DRAWN.items():
        expected = sorted((int(label), image.tobytes()) for label, image in zip(labels, images))
        assert found.pairs(split) == expected
    said = "120 training and 50 test images of 28 x 28, grey; 10 classes (0, 1, 2, 3"
    told = next(word for word in ("pictures", "NumPy", "CSV", "IDX") if word in form)
    assert found.said.startswith(f"mine: {told}") and f": {said}" in found.said
    assert "looks wrong" not in found.said
    assert found.about["classes"] == [*"0123456789"]
    assert found.about["own"] and found.about["name"] == "mine"


def test_what_is_written_does_not_depend_on_the_order_in_which_a_folder_lists(
    gather: Gather, monkeypatch: pytest.MonkeyPatch
) -> None:
    classes("a", "b")
    first = gather()
    listed = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda self: reversed([*listed(self)]))
    again = gather()
    assert all((first.arrays[key] == again.arrays[key]).all() for key in idx.FILES)


@pytest.mark.parametrize("prefix", ["kmnist", "k49"])
def test_four_files_of_kmnist_and_kuzushiji_49(gather: Gather, prefix: str) -> None:
    for split, (images, labels) in DRAWN.items():
        np.savez_compressed(f"mine/{prefix}-{split}-imgs.npz", images)
        np.savez_compressed(f"mine/{prefix}-{split}-labels.npz", labels)
    Path(f"mine/{prefix}_classmap.csv").write_text("index,codepoint,char\n0,U+3042,あ\n")
    assert len(gather().pairs("test")) == 50


def test_a_file_of_drawings_for_each_class_as_of_quick_draw(gather: Gather) -> None:
    images = {name: noise(30, 784) for name in ("car", "cat")}
    for name, drawings in images.items():
        np.save(f"mine/full_numpy_bitmap_{name}.npy", drawings)
    found = gather()
    assert found.about["classes"] == ["car", "cat"] and "each file is a class" in found.said
    pairs = [(label, row.tobytes()) for label, name in enumerate(images) for row in images[name]]
    assert sorted(found.pairs("train") + found.pairs("test")) == sorted(pairs)
    Path("mine/classes.txt").write_text("cat\ncar\n")
    assert gather().about["classes"] == ["cat", "car"]


def test_medmnist_in_colour_with_its_validation_split(gather: Gather) -> None:
    arrays: dict[str, Any] = {
        f"{split}_images": noise(40, 9, 9, 3) for split in ("train", "val", "test")
    }
    arrays |= {f"{split}_labels": np.arange(40)[:, None] % 4 for split in ("train", "val", "test")}
    np.savez_compressed("mine/pathmnist.npz", **arrays)
    found = gather("mine/pathmnist.npz")
    assert "80 training and 40 test images of 9 x 9, colour" in found.said
    assert "val joins train" in found.said and found.about["name"] == "pathmnist"
    assert (found.arrays["test", "images"] == arrays["test_images"]).all()


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("names", [("mnist_train.csv", "mnist_test.csv"), ("one.csv",)])
def test_csv_with_and_without_a_header_in_one_file_or_two(
    gather: Gather, names: tuple[str, ...], header: bool
) -> None:
    for name in names:
        csv(name, np.arange(50) % 3, noise(50, 8, 8), header)
    counts = [len(gather().pairs(split)) for split in ("train", "test")]
    assert sum(counts) == 50 * len(names) and min(counts) > 0


def test_test_images_that_were_chosen_from_an_array_are_named_by_their_rows(
    gather: Gather,
) -> None:
    images = noise(50, 8, 8)
    npz(x_train=images, y_train=np.arange(50) % 3, x_test=None, y_test=None)
    chosen = gather().arrays["test", "images"]
    rows = [int(name) for name in Path("out", idx.TEST_NAMES).read_text().splitlines()]
    assert 0 < len(rows) < 50 and (images[rows] == chosen).all()


@pytest.mark.parametrize("first", ["", "id", "image_id"])
def test_a_test_file_without_labels_is_left_out_as_kaggles_is(gather: Gather, first: str) -> None:
    csv("train.csv", np.arange(50) % 3, noise(50, 8, 8))
    Path("mine/old").mkdir()
    head = [first, *(f"pixel{number}" for number in range(64))] if first else []
    rows = [head] * bool(head) + noise(5, len(head) or 64).tolist()
    Path("mine/test.csv").write_text("\n".join(",".join(map(str, row)) for row in rows))
    Path("mine/sample_submission.csv").write_text("ImageId,Label\n1,0\n")
    said = gather().said
    assert (
        "left out: sample_submission.csv (called neither train nor test), test.csv (without labels)"
        in said
    )
    assert "no test set, so it is about 20 % of the images" in said


def test_csv_in_colour_with_names_quoted_and_in_the_last_column(gather: Gather) -> None:
    images = noise(40, 4, 4, 3)
    rows = [
        f'{",".join(map(str, row))},"{"cat" if i % 2 else "dog"}"'
        for i, row in enumerate(images.reshape(40, -1).tolist())
    ]
    head = ",".join([*(f"pixel{i}" for i in range(48)), "label"])
    Path("mine/some.csv").write_text("\ufeff" + "\r\n".join([head, *rows, ""]))
    found = gather("mine/some.csv")
    assert found.about["classes"] == ["cat", "dog"]
    assert sorted(found.pairs("train") + found.pairs("test")) == sorted(
        (1 - i % 2, image.tobytes()) for i, image in enumerate(images)
    )


PIXEL_NAMES = [f"pixel{number}" for number in range(1, 17)]
TABLES: dict[str, tuple[list[str], Callable[[int], str]]] = {
    "OpenML's, the class last": ([*PIXEL_NAMES, "class"], lambda label: ""),
    "the label in the middle": ([*PIXEL_NAMES[:5], "Digit", *PIXEL_NAMES[5:]], lambda label: ""),
    "columns that Pandas counted": ([*map(str, range(17))], lambda label: ""),
    "pixels that Pandas counted": (["label", *map(str, range(16))], lambda label: ""),
    "pixels that R counted": (["label", *map(str, range(1, 17))], lambda label: ""),
    "labels as NumPy's savetxt writes them": (
        ["label", *PIXEL_NAMES],
        lambda label: f".{18 * '0'}e+00",
    ),
    "labels as Pandas writes them after a gap": (["label", *PIXEL_NAMES], lambda label: ".0"),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("head, more", TABLES.values(), ids=TABLES)
def test_the_label_is_found_in_any_column(
    gather: Gather, head: list[str], more: Callable[[int], str], encoding: str
) -> None:
    images = noise(40, 4, 4)
    at = next((at for at, name in enumerate(head) if name in ("class", "Digit")), 0)
    rows = [[*map(str, image.ravel())] for image in images]
    for number, row in enumerate(rows):
        row.insert(at, f"{number % 3}{more(number)}")
    text = "\n".join(map(",".join, [head, *rows]))
    Path("mine/some.csv").write_text(text, encoding=encoding)
    found = gather()
    expected = sorted((number % 3, image.tobytes()) for number, image in enumerate(images))
    assert sorted(found.pairs("train") + found.pairs("test")) == expected
    assert found.about["classes"] == ["0", "1", "2"]


def test_numbers_may_be_written_as_floats_here_and_there(gather: Gather) -> None:
    csv("one.csv", ["1", "1.0", "2.000000000000000000e+00"] * 10, noise(30, 8, 8))
    assert gather().about["classes"] == ["1", "2"]
    csv("one.csv", ["01", "1", "1.5"] * 10, noise(30, 8, 8))
    assert gather().about["classes"] == ["01", "1", "1.5"]


def test_excels_first_line_is_passed_over(gather: Gather) -> None:
    csv("one.csv", [0, 1] * 15, noise(30, 8, 8))
    text = Path("mine/one.csv").read_text().replace(",", ";")
    Path("mine/one.csv").write_text(f"sep=;\n{text}")
    assert "classes (0, 1)" in gather().said


def test_versions_are_names_of_classes(gather: Gather) -> None:
    csv("a.csv", ["1.0", "1.1", "1.10", "v.2"] * 20, noise(80, 4, 4))
    assert gather().about["classes"] == ["1.0", "1.1", "1.10", "v.2"]


def test_labels_of_another_encoding_stay_apart(gather: Gather) -> None:
    csv("a.csv", ["Bär", "Bör"] * 30, noise(60, 4, 4))
    Path("mine/a.csv").write_bytes(Path("mine/a.csv").read_text().encode("latin-1"))
    assert len(gather().about["classes"]) == 2


@pytest.mark.parametrize("name", ["tissuemnist", "femnist"])
def test_other_data_sets_whose_names_end_as_emnists_are_not_turned(
    gather: Gather, name: str
) -> None:
    images = noise(30, 8, 8)
    csv(f"{name}_train.csv", np.arange(30) % 3, images)
    csv(f"{name}_test.csv", np.arange(30) % 3, images)
    assert (gather().arrays["train", "images"] == images).all()


def test_rows_of_pixels_in_colour_are_told_as_they_are_taken(gather: Gather) -> None:
    npz(x_train=noise(30, 48), x_test=noise(30, 48))
    assert "red, green and blue are taken to stand side by side" in gather().said


def test_emnist_is_turned_upright_and_keeps_its_letters_numbers(gather: Gather) -> None:
    images = noise(52, 8, 8)
    csv("emnist-letters-train.csv", np.arange(52) % 26 + 1, images, header=False)
    csv("emnist-letters-test.csv", np.arange(52) % 26 + 1, images, header=False)
    found = gather()
    assert (found.arrays["train", "images"] == images.swapaxes(1, 2)).all()
    assert (found.arrays["train", "labels"] == np.arange(52) % 26).all()
    assert found.about["classes"] == [str(number) for number in range(1, 27)]
    assert "emnist-letters-train.csv turned upright" in found.said
    assert "labels are not 0 to 25, so they are taken as names" in found.said
    Path("mine/classes.txt").write_text("\n".join(string.ascii_uppercase))
    named = gather()
    assert named.about["classes"] == [*string.ascii_uppercase]
    assert (named.arrays["train", "labels"] == np.arange(52) % 26).all()


@pytest.mark.parametrize("inside", ["{}-idx{}-ubyte", "{}.idx{}-ubyte"])
def test_kaggles_folders_of_a_file_each_are_looked_into(gather: Gather, inside: str) -> None:
    images, labels = noise(30, 8, 8), np.arange(30, dtype=np.uint8) % 3
    for split in ("train", "t10k"):
        for kind, array in (("images", images), ("labels", labels)):
            folder = Path("mine", f"{split}-{kind}-idx{array.ndim}-ubyte")
            folder.mkdir()
            idx_file(f"{folder.name}/{inside.format(f'{split}-{kind}', array.ndim)}", array)
    assert (gather().arrays["test", "images"] == images).all()


def test_idx_files_of_emnist_are_turned_too_and_may_be_colour(gather: Gather) -> None:
    images = noise(30, 8, 8, 3)
    for split in ("train", "test"):
        for kind, array in (
            ("images-idx3", images),
            ("labels-idx1", np.arange(30, dtype=np.uint8) % 3),
        ):
            name = f"emnist-digits-{split}-{kind}-ubyte"
            idx_file(name, array)
            Path("mine", f"{name}.gz").write_bytes(gzip.compress(Path("mine", name).read_bytes()))
            Path("mine", name).unlink()
    found = gather()
    assert (found.arrays["train", "images"] == images.swapaxes(1, 2)).all()
    assert "of 8 x 8, colour; 3 classes (0, 1, 2)" in found.said


@pytest.mark.parametrize(
    "labels, names",
    [
        ([0, 1, 3], ["0", "1", "3"]),
        ([1, 10, 900], ["1", "10", "900"]),
        (["b", "a", "c"], ["a", "b", "c"]),
    ],
    ids=["gaps", "beyond 255", "words"],
)
def test_labels_that_do_not_count_from_0_are_names(
    gather: Gather, labels: list[Any], names: list[str]
) -> None:
    npz(y_train=np.array(labels * 10), y_test=np.array(labels * 10))
    found = gather()
    assert found.about["classes"] == names and f"3 classes ({', '.join(names)})" in found.said


def test_classes_txt_gives_labels_their_names(gather: Gather) -> None:
    npz()
    Path("mine/classes.txt").write_text("shoe\nBag\n\nhat\nnever seen\n")
    found = gather()
    assert found.about["classes"] == ["shoe", "Bag", "hat", "never seen"]
    assert set(found.arrays["train", "labels"]) == {0, 1, 2}
    # DVC would not see that file change
    assert gather("mine/some.npz").about["classes"] == ["0", "1", "2"]


@pytest.mark.parametrize("form", ["{} {}", "{}: {}", "{},{}", "{}\t{}", "{}. {}"])
@pytest.mark.parametrize("first", [0, 1])
def test_classes_txt_may_count_its_lines(gather: Gather, form: str, first: int) -> None:
    names = ["shoe", "Bag 2", "hat"]
    classes(*names)
    lines = (form.format(number, name) for number, name in enumerate(names, first))
    Path("mine/classes.txt").write_text("\n".join(lines))
    assert gather().about["classes"] == names


def test_classes_txt_of_birds_counts_the_folders(gather: Gather) -> None:
    """As CUB-200-2011 has it."""
    names = ["001.Albatross", "002.Sparrow"]
    classes(*(f"images/{name}" for name in names))
    Path("mine/classes.txt").write_text("1 001.Albatross\n2 002.Sparrow\n")
    assert gather().about["classes"] == names


@pytest.mark.parametrize("names", [["1 euro", "2 euro"], ["1 cat", "2 dogs"], ["3 cats", "4 dogs"]])
def test_numbers_that_belong_to_names_stay(gather: Gather, names: list[str]) -> None:
    classes(*names)
    Path("mine/classes.txt").write_text("\n".join(names))
    assert gather().about["classes"] == names


@pytest.mark.parametrize("first", ["0.5", "1:30", "1.2 mm", "0 goals"])
def test_numbers_at_the_beginning_of_names_of_labels_stay(gather: Gather, first: str) -> None:
    npz()
    names = [first, "1.0", "2 or more"]
    Path("mine/classes.txt").write_text("\n".join(names))
    assert gather().about["classes"] == names


@pytest.mark.parametrize(
    "factor, said",
    [
        (1 / 255, "pixels are 0 to 1 in train, so they are multiplied by 255"),
        (0.5, "pixels in train are rounded"),
    ],
)
def test_floats_are_taken_as_pixels_and_told(gather: Gather, factor: float, said: str) -> None:
    images = np.arange(30 * 64).reshape(30, 8, 8) % 256
    npz(x_train=images * factor, x_test=(images * factor).astype(np.float16))
    found = gather()
    assert said in found.said
    expected = images if factor < 0.5 else np.rint(images * 0.5)
    assert (found.arrays["train", "images"] == expected).all()
    assert (found.arrays["test", "images"] == expected).all()


def test_each_split_may_have_its_own_range(gather: Gather) -> None:
    images = noise(30, 8, 8)
    npz(x_train=images / 255, x_test=images)
    found = gather()
    assert found.pairs("train") == found.pairs("test")


def test_black_and_white_as_booleans_is_0_and_255(gather: Gather) -> None:
    npz(x_train=noise(30, 8, 8) > 99, x_test=noise(30, 8, 8) > 99)
    assert set(gather().arrays["train", "images"].ravel()) == {0, 255}


@pytest.mark.parametrize(
    "names", ["trainX trainY testX testY", "XTrain YTrain XTest YTest", "xtrain ytrain xtest ytest"]
)
def test_names_of_arrays_may_be_written_in_one(gather: Gather, names: str) -> None:
    arrays = [noise(30, 8, 8), np.arange(30) % 3, noise(20, 8, 8), np.arange(20) % 3]
    for name, array in zip(names.split(), arrays):
        np.save(f"mine/{name}.npy", array)
    found = gather()
    assert (found.arrays["train", "images"] == arrays[0]).all()
    assert (found.arrays["test", "labels"] == arrays[3]).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_colours_may_come_first_as_in_pytorch(gather: Gather, channels: int) -> None:
    images = noise(30, 8, 9, channels)
    npz(x_train=images.transpose(0, 3, 1, 2), x_test=noise(30, channels, 8, 9))
    assert (gather().arrays["train", "images"].reshape(images.shape) == images).all()


def test_a_header_that_pandas_made_of_pixels_is_no_image(gather: Gather) -> None:
    images = noise(30, 64)
    head = ("0", *(f"0.{at}" for at in range(1, 65)))
    table("a.csv", head, *((row % 3, *images[row]) for row in range(30)))
    found = gather()
    assert len(found.pairs("train") + found.pairs("test")) == 30


@pytest.mark.parametrize("labels", [np.arange(30) % 2 > 0, np.array([b"no", b"yes"] * 15)])
def test_labels_may_be_booleans_or_bytes(gather: Gather, labels: np.ndarray) -> None:
    npz(y_train=labels, y_test=labels)
    assert len(gather().about["classes"]) == 2


@pytest.mark.parametrize("other", ["figures/accuracy", "docs/shot", "unlabelled/x1"])
def test_a_table_of_one_folders_pictures_says_the_classes(gather: Gather, other: str) -> None:
    rows = [(path.name, "cd"[at % 2]) for at, path in enumerate(classes("images"))]
    picture(f"{other}.png")
    table("labels.csv", ("file", "label"), *rows)
    found = gather()
    assert found.about["classes"] == ["c", "d"] and "1 .png that no row names" in found.said


def test_a_table_of_one_class_or_of_boxes_does_not_overrule_folders(gather: Gather) -> None:
    paths = classes("cat", "dog")
    table(
        "breeds.csv",
        ("file", "breed"),
        *(
            (p.relative_to("mine"), "ab"[at % 2])
            for at, p in enumerate(paths)
            if p.parent.name == "cat"
        ),
    )
    assert gather().about["classes"] == ["cat", "dog"]
    boxes = [(p.relative_to("mine"), part) for p in paths for part in ("face", "tail")]
    table("breeds.csv", ("file", "class"), *boxes)
    assert gather().about["classes"] == ["cat", "dog"]


def test_a_picture_of_two_classes_in_a_table_is_no_box() -> None:
    rows = [(path.relative_to("mine"), path.parent.name) for path in classes("cat", "dog")]
    table("labels.csv", ("file", "label"), *rows, ("cat/1.png", "dog"))
    said = "others: by labels.csv, cat/1.png is dog, and lies in cat"
    assert said in refusal()


def test_a_table_names_the_picture_that_is_called_just_so(gather: Gather) -> None:
    for number in range(20):
        picture(f"{number}.jpg")
        picture(f"{number}.jfif")
    rows = "".join(f"{number}.jpg,{'ab'[number % 2]}\n" for number in range(20))
    in_folder("t.csv", f"file,label\n{rows}".encode())
    assert "left out: 20 .jfif that no row names" in gather(share=0.5).said


@pytest.mark.parametrize("ending", ["jpeg", "jfif"])
def test_a_table_may_spell_the_ending_of_a_format_otherwise(gather: Gather, ending: str) -> None:
    for number in range(20):
        picture(f"{number}.{ending}")
    rows = "".join(f"{number}.jpg,{'ab'[number % 2]}\n" for number in range(20))
    in_folder("t.csv", f"file,label\n{rows}".encode())
    assert gather(share=0.5).about["classes"] == ["a", "b"]


@pytest.mark.parametrize("image", ["https://a.org/x/9{}.jpg", "p{}.jpg"])
def test_a_column_of_ids_may_name_pictures_that_another_calls_otherwise(
    gather: Gather, image: str
) -> None:
    rows = [(picture(f"images/p{at}.png").stem, image.format(at), "cd"[at % 2]) for at in range(20)]
    table("labels.csv", ("id", "image", "label"), *rows)
    assert gather().about["classes"] == ["c", "d"]


def test_a_class_may_have_the_word_of_a_split_in_its_name(gather: Gather) -> None:
    names = ("train station", "test tube", "beach")
    rows = [(p.name, names[at % 3]) for at, p in enumerate(classes("images"))]
    table("labels.csv", ("image", "scene"), *rows)
    assert gather().about["classes"] == sorted(names)


@fault("a table and folders say different classes")
def test_folders_and_a_table_that_say_different_classes_are_refused(gather: Gather) -> None:
    paths = classes("anna", "ben", "carl")
    rows = [(path.relative_to("mine"), "cd"[at % 2]) for at, path in enumerate(paths)]
    table("labels.csv", ("path", "label"), *rows)
    assert refusal().startswith(
        "mine: expected classes that folders and tables say alike, found others: by labels.csv, "
        "anna/0.png is c, and lies in anna; take labels.csv away, or put it beside a folder images"
    )
    table("labels.csv", ("path", "label"), *rows, ("anna/gone.png", "c"))
    assert "found others: by labels.csv, anna/0.png is c" in refusal()
    table("labels.csv", ("path", "label"), *((path, str(path)[0]) for path, _ in rows))
    assert gather().about["classes"] == ["anna", "ben", "carl"]


@fault("a table in each folder, and these say different classes")
def test_tables_in_folders_that_say_other_classes_are_refused(gather: Gather) -> None:
    for site in ("berlin", "paris"):
        rows = [(path.name, "cd"[at % 2]) for at, path in enumerate(classes(site))]
        table(f"{site}/labels.csv", ("image", "label"), *rows)
    assert refusal().endswith("beside a folder images that holds the others")
    for site in ("berlin", "paris"):
        rows = [(f"{at}.png", site) for at in range(20)]
        table(f"{site}/labels.csv", ("image", "label"), *rows)
    assert "folders say the classes, not labels.csv" in gather().said


def test_a_table_may_lie_in_each_part_of_the_pictures(gather: Gather) -> None:
    for part in ("part_1", "part_2"):
        rows = [(path.name, f"c{at % 2}") for at, path in enumerate(classes(part))]
        table(f"{part}/labels.csv", ("image", "label"), *rows)
    assert gather().about["classes"] == ["c0", "c1"]


@fault("tables of test pictures alone")
@pytest.mark.parametrize("top", ["train/", "a/"])
def test_a_table_of_test_pictures_alone_is_not_trained_on(top: str) -> None:
    classes(top)
    rows = [(path.name, f"c{at % 2}") for at, path in enumerate(classes("test"))]
    table("test/labels.csv", ("image", "label"), *rows)
    said = "mine: expected tables that name pictures to train on, found those of test alone"
    assert refusal() == said


def test_tables_lie_in_parts_of_splits_and_columns_may_differ(gather: Gather) -> None:
    for column, part in {"label": "train/part_1", "class": "train/part_2", "dx": "test"}.items():
        rows = [(path.name, f"c{at % 2}") for at, path in enumerate(classes(part))]
        table(f"{part}/labels.csv", ("image", column), *rows)
    found = gather()
    assert (len(found.pairs("train")), len(found.pairs("test"))) == (40, 20)


def test_other_tables_in_parts_and_tables_with_tabs_do_no_harm(gather: Gather) -> None:
    for part, end, mark in (("part_1", "csv", ","), ("part_2", "tsv", "\t")):
        rows = [mark.join((path.name, f"c{at % 2}")) for at, path in enumerate(classes(part))]
        in_folder(
            f"{part}/labels.{end}", "\n".join([mark.join(("image", "label")), *rows]).encode()
        )
    table(
        "part_1/sizes.csv", ("image", "width", "height"), *((f"{n}.png", 8, 8) for n in range(20))
    )
    found = gather()
    assert len(found.pairs("train") + found.pairs("test")) == 40


@fault("a table in a part of the pictures names one that lies in another part")
def test_a_row_takes_no_picture_of_another_part() -> None:
    for part in ("part_1", "part_2"):
        rows = [(path.name, f"c{at % 2}") for at, path in enumerate(classes(part))]
        table(f"{part}/labels.csv", ("image", "label"), *rows)
    Path("mine/part_1/5.png").unlink()
    assert "mine/part_1/labels.csv: expected pictures in or below mine, found none" in refusal()


def test_parts_that_no_table_names_are_told(gather: Gather) -> None:
    classes("part_1", "part_2")
    assert "looks wrong: classes called part_1, part_2, as parts of a data set are" in gather().said


def test_one_label_of_all_pictures_is_no_class(gather: Gather) -> None:
    for name in ("cat", "dog"):
        rows = [(path.name, "face") for path in classes(name)]
        table(f"{name}/boxes.csv", ("image", "class"), *rows)
    assert gather().about["classes"] == ["cat", "dog"]


@pytest.mark.parametrize(
    "head, expected",
    [
        (("original_split", "split"), "splits by split of labels.csv"),
        (("original", "isTest"), "splits by isTest of labels.csv"),
    ],
)
def test_a_column_that_is_called_so_says_the_splits(
    gather: Gather, head: tuple[str, str], expected: str
) -> None:
    words = ["train", "test"] if head[1] == "split" else ["no", "yes"]
    paths = classes("images")
    rows = [(path.name, "cd"[n % 2], "train", words[n % 4 == 0]) for n, path in enumerate(paths)]
    table("labels.csv", ("image", "label", *head), *rows)
    found = gather()
    assert expected in found.said and len(found.pairs("test")) == 5


@fault("a table has two columns of splits")
def test_two_columns_of_splits_are_refused() -> None:
    rows = [(path.name, "cd"[at % 2], at % 3, 0) for at, path in enumerate(classes("images"))]
    table("labels.csv", ("image", "label", "is_valid", "is_test"), *rows)
    said = "one column of splits, found is_valid, is_test; rename all but one"
    assert refusal() == f"mine/labels.csv: expected {said}"


def test_a_picture_of_the_name_itself_comes_before_others_below(gather: Gather) -> None:
    rows = [(path.name, "cd"[at % 2]) for at, path in enumerate(classes("."))]
    classes("thumbs")
    table("labels.csv", ("image", "label"), *rows)
    assert "left out: 20 .png that no row names" in gather().said


@fault("a table without a header, whose first picture is missing")
def test_a_name_of_a_picture_is_no_header() -> None:
    rows = [(path.name, "cd"[at % 2]) for at, path in enumerate(classes("images"))]
    table("labels.csv", *rows)
    Path("mine/images/0.png").unlink()
    assert "expected pictures in or below mine, found none called 0.png" in refusal()


@pytest.mark.parametrize(
    "copy", ["a/thumbs/0", "a/0_thumb", "a/thumbs/0_thumb", "a/0_Thumb@2x", "a/0-300x200"]
)
def test_small_copies_of_pictures_are_no_other_pictures(gather: Gather, copy: str) -> None:
    classes("a", "b")
    picture(f"{copy}.png")
    assert "left out: 1 thumbnails" in gather().said


@fault("a table's numbers are names of files by chance")
def test_numbers_of_rows_are_no_names_where_a_column_names_other_files(gather: Gather) -> None:
    classes("images")
    rows = [(at, f"DSC_{at + 7}.jpg", "cd"[at % 2]) for at in range(20)]
    table("labels.csv", ("id", "file_name", "label"), *rows)
    said = "mine/labels.csv: expected pictures that file_name names, found none called DSC_7.jpg"
    assert refusal().startswith(said)


@pytest.mark.parametrize("train, test", [("label", "Label"), ("label", "class")])
def test_tables_of_train_and_test_may_call_their_columns_otherwise(
    gather: Gather, train: str, test: str
) -> None:
    for split, column in {"train": train, "test": test}.items():
        rows = [(path.name, "cd"[at % 2]) for at, path in enumerate(classes(split))]
        table(f"{split}.csv", ("file", column), *rows)
    found = gather()
    assert (len(found.pairs("train")), len(found.pairs("test"))) == (20, 20)


def test_of_several_tables_the_one_that_names_most_pictures_counts(gather: Gather) -> None:
    rows = [(path.stem, at % 2) for at, path in enumerate(classes("images"))]
    table("classes.csv", ("id", "class"), (0, "cat"), (1, "dog"))
    table("labels.csv", ("id", "label"), *rows)
    assert gather().about["classes"] == ["0", "1"]


def test_a_column_of_addresses_or_masks_does_not_name_the_pictures(gather: Gather) -> None:
    classes("images")
    rows = [(at, f"https://a.org/{at}f.jpg", f"m{at}.png", "cd"[at % 2]) for at in range(20)]
    table("labels.csv", ("id", "url", "mask", "label"), *rows)
    assert gather().about["classes"] == ["c", "d"]


@fault("a table's column of splits has another word")
def test_a_column_of_splits_with_a_word_that_is_none_is_refused(gather: Gather) -> None:
    words = ("train", "test", "dve", "train")
    rows = [(p.name, "cd"[at % 2], words[at % 4]) for at, p in enumerate(classes("images"))]
    table("labels.csv", ("file", "label", "set"), *rows)
    assert "labels.csv, line 4: expected train, val or test, found dve" in refusal()


@pytest.mark.parametrize(
    "outline",
    [
        "a/0_gt",
        "a/mask_0",
        "a/0-segmentation",
        "a/0_label",
        "a/0_mask_2",
        "a/image/0 a/mask/0",
        "a/img/0 a/masks/0",
        "a/masks/0",
        "a/0_Mask",
        "a/ground_truth/0_gt",
    ],
)
def test_outlines_of_pictures_are_no_pictures_of_a_class(gather: Gather, outline: str) -> None:
    classes("a", "b")
    for path in outline.split():
        picture(f"{path}.png")
    found = gather()
    assert "1 masks" in found.said


def test_notes_beside_pictures_are_no_masks(gather: Gather) -> None:
    classes("a/images", "b/images")
    in_folder("a/annotations/0.xml", b"<a/>")
    assert "left out: 1 .xml" in gather().said


def test_classes_that_are_called_as_masks_are_told(gather: Gather) -> None:
    classes("Mask", "face")
    assert "looks wrong: classes called Mask; if masks lie there" in gather().said
    shutil.move("mine/face", "mine/no_Mask")  # of people with one and without
    assert "looks wrong" not in gather().said


def test_a_cameras_raw_files_are_left_out_though_they_hold_a_picture(gather: Gather) -> None:
    first, *_ = classes("a", "b")
    for end in (".NEF", ".THM", ".jpg_original"):
        first.with_suffix(end).write_bytes(first.read_bytes())
    assert "left out: 1 .jpg_original, 1 .nef, 1 .thm" in gather().said


@pytest.mark.parametrize("tops", [("part1", "part2"), ("2022", "2023"), ("animal", "plant")])
def test_folders_in_each_class_are_told(gather: Gather, tops: tuple[str, str]) -> None:
    classes(*(f"{top}/{name}" for top in tops for name in ("cat", "dog")))
    said = f"looks wrong: in {', '.join(tops)} lie folders, cat, dog, that are no classes"
    assert said in gather().said


def test_folders_of_splits_in_each_class_are_not_told(gather: Gather) -> None:
    classes("a/train", "a/test", "b/train", "b/test")
    assert "looks wrong" not in gather().said


def test_a_models_results_are_no_labels(gather: Gather) -> None:
    rows = [(path.relative_to("mine"), "ab"[at % 2]) for at, path in enumerate(classes("a", "b"))]
    table("results.csv", ("file", "label"), *rows)
    assert gather().about["classes"] == ["a", "b"]
    shutil.rmtree("mine/b")
    table("results.csv", ("file", "label"), *rows[:20])
    said = "; results.csv is called as a model's results: if it is none, rename it"
    assert refusal().endswith(said)


def test_a_table_of_two_rows_a_picture_gives_way_to_one_of_one(gather: Gather) -> None:
    paths = classes("images")
    table("labels.csv", ("image", "label"), *((p.name, "cd"[at % 2]) for at, p in enumerate(paths)))
    boxes = [(path.name, part) for path in paths for part in ("face", "tail")]
    table("boxes.csv", ("image", "class"), *boxes)
    assert gather().about["classes"] == ["c", "d"]


def test_each_row_of_a_table_may_stand_twice(gather: Gather) -> None:
    rows = [(path.name, "cd"[at % 2]) for at, path in enumerate(classes("images"))]
    table("labels.csv", ("file", "label"), *rows, *rows)
    assert gather().about["classes"] == ["c", "d"]


@fault("a table of splits alone")
def test_a_table_of_splits_alone_says_no_classes() -> None:
    rows = [(path.name, ["train", "test"][at % 2]) for at, path in enumerate(classes("images"))]
    table("splits.csv", ("file", "set"), *rows)
    assert refusal().startswith("mine: expected 2 to 256 classes, found 1: images; splits.csv was")


def test_a_row_that_is_cut_off_in_one_of_two_tables_ends_in_no_traceback() -> None:
    rows = [("cd"[at % 2], path.name) for at, path in enumerate(classes("images"))]
    table("labels.csv", ("label", "image"), *rows, ("total",))
    table("more.csv", ("label", "image"), *rows[:20])
    assert refusal().startswith("mine: expected one table with a column called label, or train.csv")


def test_a_column_alone_is_of_classes_though_it_has_words_of_splits(gather: Gather) -> None:
    kinds = ("train", "validation", "bus")
    rows = [(path.name, kinds[at % 3]) for at, path in enumerate(classes("images"))]
    table("labels.csv", ("image", "kind"), *rows)
    assert gather().about["classes"] == sorted(kinds)


@pytest.mark.parametrize("place", ["x/", "images/"])
def test_a_table_may_lie_with_its_pictures_in_the_only_folder(gather: Gather, place: str) -> None:
    rows = [(path.name, "cd"[at % 2]) for at, path in enumerate(classes(place))]
    table(f"{place}labels.csv", ("file", "label"), *rows)
    in_folder("readme.txt", b"of flowers")
    assert gather().about["classes"] == ["c", "d"]


@pytest.mark.parametrize("shape", [(1, 64), (64, 1), (64,)])
def test_flat_images_are_square_however_they_are_stored(
    gather: Gather, shape: tuple[int, ...]
) -> None:
    npz(x_train=noise(30, *shape), x_test=noise(30, *shape))
    assert "of 8 x 8, grey" in gather().said


def test_flat_images_in_colour_are_told_however_they_are_stored(gather: Gather) -> None:
    npz(x_train=noise(30, 1, 192), x_test=noise(30, 1, 192))
    assert "each pixel's red, green and blue are taken to stand side by side" in gather().said


SMOOTH = np.linspace(0, 255, 16).astype(np.uint8) + np.zeros((30, 3, 16, 16), np.uint8)
SMOOTH -= 50 * np.arange(3, dtype=np.uint8)[:, None, None] * (SMOOTH > 100)  # of three colours


@pytest.mark.parametrize(
    "images, said",
    [
        (SMOOTH.reshape(30, 768), "all red is taken to come first"),  # as CIFAR's
        (SMOOTH.reshape(30, 3, 256), ""),
        (np.moveaxis(SMOOTH, 1, 3).reshape(30, 768), "red, green and blue are taken to stand side"),
        (np.moveaxis(SMOOTH, 1, 3).reshape(30, 256, 3), ""),
    ],
)
def test_colours_come_in_the_order_in_which_images_are_smooth(
    gather: Gather, images: np.ndarray, said: str
) -> None:
    npz(x_train=images, x_test=images)
    found = gather()
    assert np.array_equal(found.arrays["train", "images"][0], np.moveaxis(SMOOTH[0], 0, 2))
    assert said in found.said and ("taken to" in found.said) == bool(said)


@pytest.mark.parametrize("words", [("x_dev", "y_dev"), ("eval_images", "eval_labels")])
def test_test_images_may_be_called_in_later_words(gather: Gather, words: tuple[str, str]) -> None:
    four: dict[str, Any] = dict(zip(words, (noise(9, 8, 8), np.arange(9) % 3)))
    npz(x_test=None, y_test=None, meta=np.arange(5), class_weights=np.ones(3), **four)
    found = gather()
    assert len(found.pairs("test")) == 9
    assert "left out: meta.npy, class_weights.npy" in found.said


def test_numbers_that_round_to_pixels_are_such_and_labels_may_be_a_row(gather: Gather) -> None:
    images = np.linspace(-1e-9, 1 + 1e-6, 1920).reshape(30, 8, 8)
    npz(x_train=images, y_train=np.arange(30)[None] % 3)
    found = gather()
    assert found.arrays["train", "images"].max() == 255 and "multiplied by 255" in found.said


@pytest.mark.parametrize(
    "files",
    [
        {"t10k-images-idx3-ubyte.zip": b"PK"},
        {"test.h5": b"\x89HDF"},
        {"x_test.txt": b"1 2 3"},
    ],
)
@pytest.mark.parametrize("form", [as_idx, as_csv])
def test_a_test_set_that_is_not_read_is_told(
    gather: Gather, form: Callable[[], None], files: dict[str, bytes]
) -> None:
    form()
    for path in [*Path("mine").glob("t*t*")]:
        if path.name.startswith(("t10k", "test")):
            path.unlink()
    for name, data in files.items():
        in_folder(name, data)
    said = f"looks wrong: not read, though called as a test set: {listed(files)}"
    assert said in gather().said


@fault("IDX: labels to test on, and no images of them")
def test_idx_labels_without_images_are_refused() -> None:
    as_idx()
    Path("mine", idx.FILES["test", "images"]).unlink()
    assert refusal().startswith("mine: expected t10k-images-idx3-ubyte or t10k-images")


@pytest.mark.parametrize("start", [0, 2])
def test_a_header_with_a_word_for_labels_is_one_whatever_pixels_are_called(
    gather: Gather, start: int
) -> None:
    images = noise(30, 64)
    head = ("label", *(f"{start + at:02}" for at in range(64)))
    table("a.csv", head, *((at % 3, *images[at]) for at in range(30)))
    assert gather().about["classes"] == ["0", "1", "2"]


def test_numbers_of_rows_are_no_labels_of_a_test_set(gather: Gather) -> None:
    csv("train.csv", np.arange(30) % 3, noise(30, 8, 8))
    csv("test.csv", range(20), noise(20, 8, 8))
    rows = Path("mine/test.csv").read_text()
    Path("mine/test.csv").write_text(rows.replace("label", "sample"))
    table("classes.csv", ("number", "name"), (0, "cat"), (1, "dog"))
    found = gather()
    assert found.about["classes"] == ["0", "1", "2"]
    assert "test.csv (without labels)" in found.said
    assert "classes.csv (called neither" in found.said


def test_pixels_alone_hold_no_labels_whatever_else_their_number_fits(gather: Gather) -> None:
    """26 x 26 and 1 + 15 x 15 x 3 are as many."""
    csv("train.csv", np.arange(30) % 3, noise(30, 26, 26))
    head = tuple(f"pixel{at}" for at in range(676))
    table("test.csv", head, *noise(9, 676).tolist())
    assert "test.csv (without labels)" in gather().said


def test_a_label_in_quotes_may_have_a_comma(gather: Gather) -> None:
    lines = [f'"{["cat", "dog, big"][at % 2]}",{line(*noise(64))}' for at in range(30)]
    in_folder("a.csv", "".join(lines).encode())
    assert gather().about["classes"] == ["cat", "dog, big"]


def test_arrays_of_something_else_do_not_hide_pictures(gather: Gather) -> None:
    classes("a", "b")
    np.savez("mine/features.npz", features=np.zeros((40, 8)), names=np.array(["a", "b"]))
    found = gather()
    assert found.about["classes"] == ["a", "b"] and "left out: features.npz" in found.said


def test_arrays_about_pictures_do_not_hide_these(gather: Gather) -> None:
    classes("a", "b")
    np.savez("mine/meta.npz", image_ids=np.arange(40), labels=np.arange(40) % 2)
    assert gather().about["classes"] == ["a", "b"]


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "cache.npz", "cache.csv"])
def test_arrays_in_folders_of_pictures_are_left_out(gather: Gather, name: str) -> None:
    classes("train/a", "train/b", "test/a", "test/b")
    npz("mine/train/cache.npz")
    csv("train/cache.csv", np.arange(30) % 3, noise(30, 8, 8))
    idx_file("train/train-images-idx3-ubyte", noise(30, 8, 8))
    for file in Path("mine/train").iterdir():
        if file.is_file() and file.name != name:
            file.unlink()
    assert gather().about["classes"] == ["a", "b"]


@pytest.mark.parametrize("name", ["a.npz", "a.npy", "a.csv", "a.tsv"])
def test_arrays_at_the_top_count_and_those_in_folders_are_told(gather: Gather, name: str) -> None:
    as_csv()
    in_folder(f"test/{name}", b"1,2")
    assert "left out: test/ (what lies above counts)" in gather().said


LATER = ["holdout", "holdout_images", "eval set", "evaluation-pictures", "test_images"]


@pytest.mark.parametrize("name", LATER)
def test_what_a_word_says_of_a_split_it_says_in_any_name(gather: Gather, name: str) -> None:
    classes("train/a", "train/b", f"{name}/a", f"{name}/b")
    found = gather()
    assert len(found.pairs("train")) == len(found.pairs("test")) == 40
    assert "no test set" not in found.said


def test_a_plainer_word_says_the_test_set_of_idx_files(gather: Gather) -> None:
    for split, count in {"train": 30, "test": 12, "holdout": 15}.items():
        idx_file(f"{split}-images-idx3-ubyte", noise(count, 8, 8))
        idx_file(f"{split}-labels-idx1-ubyte", np.arange(count, dtype=np.uint8) % 3)
    said = gather().said
    assert "30 training and 12 test images" in said
    assert "left out: holdout-images-idx3-ubyte, holdout-labels-idx1-ubyte\n" in said


@pytest.mark.parametrize("form", [npz, as_idx])
def test_pictures_beside_arrays_and_a_test_set_of_pictures_are_told(
    gather: Gather, form: Callable[[], None]
) -> None:
    form()
    classes("flowers/a", "flowers/b")
    assert "left out: flowers/ (what lies above counts)" in gather().said


def test_a_test_set_of_pictures_beside_arrays_looks_wrong(gather: Gather) -> None:
    npz(x_test=None, y_test=None)
    classes("test/a", "test/b")
    said = gather().said
    assert "looks wrong: not read, though called as a test set: test\n" in said
    assert "left out: test/" in said


@pytest.mark.parametrize("word", ["testing", "eval", "evaluation", "holdout", "dev"])
def test_idx_files_say_splits_by_the_same_words(gather: Gather, word: str) -> None:
    for split in ("training", word):
        idx_file(f"{split}-images-idx3-ubyte", noise(30, 8, 8))
        idx_file(f"{split}-labels-idx1-ubyte", np.arange(30, dtype=np.uint8) % 3)
    assert "30 training and 30 test images" in gather().said


@fault("CSV: one in a folder test, and none to train on")
def test_a_csv_in_a_folder_of_test_images_is_not_trained_on() -> None:
    Path("mine/test").mkdir()
    csv("test/data.csv", np.arange(30) % 3, noise(30, 8, 8))
    said = "a CSV file with labels, or train.csv and test.csv, found images of test alone"
    assert refusal() == f"mine: expected {said}"


def test_what_is_said_of_images_or_labels_is_neither(gather: Gather) -> None:
    npz(label_names=np.array(["a", "b", "c"]), image_mean=np.zeros((8, 8)))
    assert "left out: label_names.npy, image_mean.npy" in gather().said


@pytest.mark.parametrize(
    "name",
    ["{0}-{1}-IDX-UBYTE", "{0}_{1}.idx3", "my-{0}-{1}.idx", "{0}-{1}-idx3-ubyte (1)"],
)
def test_idx_files_are_found_in_each_spelling(gather: Gather, name: str) -> None:
    for split, both in DRAWN.items():
        for kind, array in zip(("images", "labels"), both):
            called = name.format(split, kind)
            idx_file(called.upper() if "IDX" in name else called, array)
    assert len(gather().pairs("train")) == 120


@pytest.mark.parametrize("name", ["val/", "val/validation-", "validation-"])
def test_idx_files_of_validation_images_join_those_of_train(gather: Gather, name: str) -> None:
    as_idx()
    Path("mine/val").mkdir()
    idx_file(f"{name}images-idx3-ubyte", DRAWN["test"][0])
    idx_file(f"{name}labels-idx1-ubyte", DRAWN["test"][1])
    found = gather()
    assert "val joins train" in found.said and len(found.pairs("train")) == 170


@pytest.mark.parametrize("split", [(), ("split",)])
def test_the_header_of_pandas_with_an_index_and_numbers_is_no_image(
    gather: Gather, split: tuple[str, ...]
) -> None:
    images = noise(30, 64)
    rows = [(at, at % 3, *images[at], ["train", "test"][at % 2]) for at in range(30)]
    head = ("", "label", *range(64), *split)
    table("a.csv", head, *(row[: len(head)] for row in rows))
    found = gather()
    assert found.about["classes"] == ["0", "1", "2"]
    assert len(found.pairs("train") + found.pairs("test")) == 30
    assert not split or len(found.pairs("test")) == 15


def test_the_only_column_beside_the_pixels_is_the_label_however_it_is_called(
    gather: Gather,
) -> None:
    images = noise(30, 64)
    head = ("usage", *(f"pixel{number}" for number in range(64)))
    table("land.csv", head, *((["field", "wood"][at % 2], *images[at]) for at in range(30)))
    assert gather().about["classes"] == ["field", "wood"]


def test_a_column_of_splits_beside_a_label_is_no_pixel(gather: Gather) -> None:
    """With it, 56 x 56 pixels in colour would be 97 x 97 in grey."""
    images = noise(20, 56 * 56 * 3)
    head = ("label", *(f"pixel{number}" for number in range(56 * 56 * 3)), "is_train")
    table("a.csv", head, *((at % 2, *images[at], int(at > 9)) for at in range(20)))
    found = gather()
    assert "of 56 x 56, colour" in found.said and len(found.pairs("test")) == 10


def test_what_a_model_predicted_of_pixels_is_no_test_set(gather: Gather) -> None:
    csv("train.csv", np.arange(30) % 3, noise(30, 8, 8))
    csv("test_predictions.csv", np.arange(30) % 3, noise(30, 8, 8))
    assert "test_predictions.csv (called as a model's results)" in gather().said


def test_test_images_are_called_by_their_rows_in_the_whole_table(gather: Gather) -> None:
    images = noise(30, 64)
    head = ("label", *(f"pixel{number}" for number in range(64)), "split")
    table("a.csv", head, *((at % 3, *images[at], "vt"[at % 2] + "est") for at in range(30)))
    Path("mine/a.csv").write_text(Path("mine/a.csv").read_text().replace("vest", "train"))
    gather()
    assert Path("out", idx.TEST_NAMES).read_text().split() == [str(at) for at in range(1, 30, 2)]


def test_a_column_of_splits_may_stand_first(gather: Gather) -> None:
    images = noise(30, 64)
    head = ("split", "label0", *(f"pixel{number}" for number in range(64)))
    rows = [(["train", "test"][at % 2], at % 4, *images[at]) for at in range(30)]
    table("a.csv", head, *rows)
    assert len(gather().pairs("test")) == 15


@pytest.mark.parametrize("column, words", [("set", ["train", "test"]), ("is_train", ["True", "0"])])
def test_splits_beside_pixels_may_be_told_in_other_words(
    gather: Gather, column: str, words: list[str]
) -> None:
    images = noise(30, 64)
    head = ("label", *(f"pixel{number}" for number in range(64)), column)
    table("a.csv", head, *((at % 3, *images[at], words[at % 2]) for at in range(30)))
    assert len(gather().pairs("test")) == 15


@fault("CSV: two files of which both have test images")
def test_two_files_may_not_both_have_images_of_a_split() -> None:
    images = noise(30, 64)
    head = ("label", *(f"pixel{number}" for number in range(64)), "split")
    rows = [(at % 3, *images[at], ["train", "test"][at % 2]) for at in range(30)]
    table("train.csv", head, *rows)
    csv("test.csv", np.arange(30) % 3, noise(30, 8, 8))
    said = "expected one CSV file of test images, found two; leave one out, or join them"
    assert refusal() == f"mine/train.csv: {said}"


def test_arrays_that_are_called_neither_images_nor_labels_are_told(gather: Gather) -> None:
    npz(holdout=noise(5, 8, 8))
    assert "left out: holdout.npy (called otherwise than images or labels)" in gather().said


def test_tables_of_train_and_test_may_each_name_few_of_a_folders_pictures(gather: Gather) -> None:
    rows = [(picture(f"images/p{at}.png").stem, "ab"[at % 2]) for at in range(50)]
    table("train.csv", ("id", "label"), *rows[:40])
    table("test.csv", ("id", "label"), *rows[40:])
    found = gather()
    assert (len(found.pairs("train")), len(found.pairs("test"))) == (40, 10)


@pytest.mark.parametrize("name, pixels", [("", 64), ("id", 64), ("index", 64), ("id", 48)])
def test_a_column_may_number_the_rows_of_a_csv(gather: Gather, name: str, pixels: int) -> None:
    """With an id, 48 pixels of 4 x 4 in colour would be 7 x 7 in grey."""
    images = noise(30, pixels)
    head = (name, "digit", *(f"pixel{at}" for at in range(pixels)))
    table("a.csv", head, *((row, row % 3, *images[row]) for row in range(30)))
    found = gather()
    assert sorted(found.pairs("train") + found.pairs("test")) == sorted(
        (row % 3, images[row].tobytes()) for row in range(30)
    )
    assert "column 1 of a.csv numbers the rows" in found.said


def test_arrays_keep_their_size_or_are_brought_to_what_parameters_say(gather: Gather) -> None:
    npz(x_train=noise(30, 9, 600), x_test=noise(30, 9, 600))
    assert gather().arrays["test", "images"].shape == (30, 9, 600)
    assert gather(size=[6, 4], colour=True).arrays["test", "images"].shape == (30, 6, 4, 3)


# Folders of pictures


def test_classes_sort_naturally_or_as_classes_txt_says(gather: Gather) -> None:
    classes("10", "9", "b", "Ä")
    assert gather().about["classes"] == ["9", "10", "b", "Ä"]
    Path("mine/classes.txt").write_text("b\n9\n")
    found = gather()
    assert found.about["classes"] == ["b", "9"] and "left out: 1 10/, 1 Ä/\n" in found.said


@pytest.mark.parametrize(
    "parts, train, test, said",
    [
        (["Training", "Testing"], 2, 2, ""),
        (["train", "val"], 2, 2, "val is the test set"),
        (["train", "valid", "test"], 4, 2, "val joins train"),
        (["seg_train", "seg_test"], 2, 2, ""),
        (["train", "TEST", "validation"], 4, 2, "val joins train"),
        (["train", "dev", "evaluation"], 4, 2, "val joins train"),
        (["train", "test", "eval"], 2, 2, "left out: 1 eval/"),
        (["train2017", "val2017"], 2, 2, "val is the test set"),
        (["seg_train/seg_train", "seg_test/seg_test"], 2, 2, ""),
    ],
)
def test_splits_have_the_names_that_are_in_use(
    gather: Gather, parts: list[str], train: int, test: int, said: str
) -> None:
    classes(*(f"{part}/{name}" for part in parts for name in ("a", "b")), count=1)
    found = gather()
    assert (len(found.pairs("train")), len(found.pairs("test"))) == (train, test)
    assert said in found.said


@pytest.mark.parametrize(
    "parts, said",
    [
        (["train", "test"], ""),
        (["training_set/more", "test_set"], ""),
        (["train", "val"], "val is the test set"),
    ],
)
def test_splits_may_lie_in_the_folders_of_classes(
    gather: Gather, parts: list[str], said: str
) -> None:
    first, second = ([f"{name}/{part}" for name in ("a", "b")] for part in parts)
    train, test = classes(*first), classes(*second)
    found = gather()
    in_folder("a/Thumbs.db", b"\xd0\xcf")  # hides no split
    found = gather()
    assert found.about["classes"] == ["a", "b"] and said in found.said
    assert (len(found.pairs("train")), len(found.pairs("test"))) == (len(train), len(test))
    picture("a/elsewhere/1.png")  # else it would be trained on
    beside = "all pictures in folders of train and test, found beside: mine/a/elsewhere/1.png"
    assert beside in refusal()


NAMES_OF_FILES = {
    "cat.{}.jpg, dog.{}.jpg": ["cat", "dog"],
    "great_pyrenees_{}.jpg, Abyssinian_{}.jpg": ["Abyssinian", "great_pyrenees"],
    "cat ({}).png, dog ({}).png": ["cat", "dog"],
    "cat00{}.png, dog00{}.png, Thumbs.db": ["cat", "dog"],
    "3-00{}.png, 12-00{}.png": ["3", "12"],
    "X{}.png, Y{}.png": ["X", "Y"],
    "00{}1.png, 10{}1.png": [],  # numbers alone say nothing,
    "01.{}.png, 02.{}.png": [],  # these may be dates,
    "IMG_{}.jpg, DSC0{}.jpg": [],  # and neither do the words of cameras,
    "FB_IMG_{}.jpg, _DSC0{}.jpg": [],
    "IMG_20260102_{}.jpg, IMG_20260103_{}.jpg": [],
    "100_00{}.JPG, 101_00{}.JPG": [],
    "SDC10{}.jpg, DCP_00{}.jpg": [],
    "100_0{}.png, 101_0{}.png": ["100", "101"],
    "2026-01-{}.png, 2026-02-{}.png": [],
    "Train_{}.jpg, Test_{}.jpg": [],  # nor splits
    "cell_{}.png, mask_{}.png": [],
    "Cat_{}.png, cat_0{}.png": [],
    "cat_{}.jpg, dog_{}.jpg, other.jpg": [],
    "cat_{}.jpg, dog.jpg": [],
    "cat_{}.jpg, dog_{}.jpg, cat_{}.xml": [],  # what lies beside them may say more
    "cat_{}.jpg, dog_{}.jpg, labels.xlsx": [],
    "cat_{}.jpg, dog_{}.jpg, labels.tsv": [],
    "cat_{}.jpg, dog_{}.jpg, README.txt": ["cat", "dog"],
}


@pytest.mark.parametrize("folder", ["", "pictures/"])
@pytest.mark.parametrize("files, expected", NAMES_OF_FILES.items(), ids=NAMES_OF_FILES)
def test_names_of_files_may_say_the_classes(
    gather: Gather, files: str, expected: list[str], folder: str
) -> None:
    for number in range(10, 20):
        for file in files.format(number, number, number).split(", "):
            draws = file.lower().endswith((".png", ".jpg"))
            picture(folder + file) if draws else in_folder(folder + file, b"x")
    if expected:
        found = gather(share=0.5)
        assert found.about["classes"] == expected and len(found.pairs("train")) in range(1, 20)
        assert "classes by the names of files" in found.said
    else:
        assert refusal().startswith("mine")


@pytest.mark.parametrize("tested, later", [("val", "dev"), ("test", "eval")])
def test_a_second_test_set_of_pictures_called_by_classes_is_no_class(
    gather: Gather, tested: str, later: str
) -> None:
    for split in ("train", tested, later):
        for number in range(10):
            picture(f"{split}/cat_{number}.jpg")
            picture(f"{split}/dog_{number}.jpg")
    found = gather()
    assert found.about["classes"] == ["cat", "dog"] and f"left out: 1 {later}/" in found.said
    assert len(found.pairs("train")) == len(found.pairs("test")) == 20


def test_folders_of_splits_without_classes_are_refused() -> None:
    classes("train", "val", "dev")
    assert refusal().startswith("mine: expected a folder for each class: train/CLASS/1.png")


def test_names_of_files_say_nothing_where_other_pictures_lie_elsewhere(gather: Gather) -> None:
    for number in range(10):
        for path in ("train/cat_{}.jpg", "train/kitten_{}.jpg", "bus/side_{}.jpg"):
            picture(path.format(number))
    assert gather().about["classes"] == ["bus", "train"]
    Path("mine/bus").rename("bus")
    picture("dog_1.jpg")
    assert refusal().startswith("mine: expected a folder for each class")


def test_results_in_a_folder_called_eval_are_no_test_images(gather: Gather) -> None:
    classes("train/a", "train/b", "test/a", "test/b", "eval/plots", count=2)
    found = gather()
    assert found.about["classes"] == ["a", "b"] and "left out: 1 eval/" in found.said


def test_a_test_folder_of_other_names_is_left_out_as_kaggles_of_cats_and_dogs(
    gather: Gather,
) -> None:
    for number in range(20):
        picture(f"train/{'cat' if number % 2 else 'dog'}.{number}.jpg")
        picture(f"test1/{number}.jpg")
    said = gather().said
    assert "2 classes (cat, dog)\n  classes by the names of files\n  no test set" in said
    assert "left out: 1 test1/" in said


def test_arrays_of_other_things_hide_no_pictures(gather: Gather) -> None:
    classes("train/a", "train/b", "test/a", "test/b", count=2)
    np.save("mine/class_indices.npy", np.arange(2))
    assert gather().about["classes"] == ["a", "b"]


def test_what_an_archive_unpacks_to_is_found(gather: Gather) -> None:
    classes("archive/flowers/flowers/daisy", "archive/flowers/flowers/rose")
    in_folder("archive/LICENSE.txt", b"CC BY")
    in_folder("archive/flowers.zip", b"PK")
    found = gather()
    assert found.said.startswith("mine/archive/flowers/flowers: pictures: ")
    assert found.about["name"] == "mine" and found.about["classes"] == ["daisy", "rose"]
    assert "  flowers is the only folder in mine/archive/flowers\n" in found.said
    picture("archive/1.png")  # then `flowers` may be a class
    hint = "found 1: flowers, which holds folders: did you mean mine/archive/flowers?"
    Path("mine/archive/flowers/flowers").rename("mine/archive/flowers/more")
    classes("archive/flowers/other")
    assert refusal() == f"mine/archive: expected 2 to 256 classes, {hint}"


def test_a_test_folder_without_classes_is_left_out_and_told(gather: Gather) -> None:
    classes("train/a", "train/b", "test")
    found = gather()
    assert "no test set, so it is about 20 %" in found.said and "1 test/" in found.said


def test_pictures_beside_a_folder_of_the_same_name_are_not_lost(gather: Gather) -> None:
    for number in range(10):
        picture(f"train/a_{number}.png")
        picture(f"train/train/b_{number}.png")
    assert refusal().startswith("mine: expected")


def test_a_class_may_be_called_train(gather: Gather) -> None:
    classes("bus", "train", "validation")
    assert gather().about["classes"] == ["bus", "train", "validation"]


def test_a_test_set_of_other_classes_is_left_out_and_told(gather: Gather) -> None:
    """As that of Tiny ImageNet, whose labels are in a text."""
    classes("train/a", "train/b", "val/images")
    found = gather()
    assert found.about["classes"] == ["a", "b"] and "left out: 1 val/" in found.said


@pytest.mark.parametrize("place", ["Test.csv", "Test/GT-test.csv"])
@pytest.mark.parametrize("names", [("0", "1"), ("00000", "00001")])
def test_a_table_may_say_what_test_pictures_show_and_folders_the_others(
    gather: Gather, names: tuple[str, str], place: str
) -> None:
    """As of German traffic signs, whose tables of training images repeat the folders."""
    trained = classes(*(f"Train/{name}" for name in names))
    rows = [(12, path.relative_to("mine"), int(path.parent.name)) for path in trained]
    table("Train.csv", ("Width", "Path", "ClassId"), *rows)
    picture("Meta/0.png")
    tested = [picture(f"Test/{at:05}.png") for at in range(10)]
    rows = [(12, path.relative_to("mine"), at % 2) for at, path in enumerate(tested)]
    table(place, ("Width", "Path", "ClassId"), *rows[:8])
    found = gather()
    assert (len(found.pairs("train")), len(found.pairs("test"))) == (40, 8)
    expected = sorted((at % 2, open_pixels(path)) for at, path in enumerate(tested[:8]))
    assert found.about["classes"] == [*names] and found.pairs("test") == expected
    assert f"of Test classes by ClassId of {place}" in found.said
    assert "left out: 1 .csv, 1 Meta/, 2 .png that no row names\n" in found.said


def test_a_table_sorted_by_its_splits_says_them(gather: Gather) -> None:
    rows = [(picture(f"images/{at}.png").name, "ab"[at % 2]) for at in range(150)]
    words = ["train"] * 120 + ["test"] * 30
    split = [(*row, word) for row, word in zip(rows, words)]
    table("labels.csv", ("image", "label", "set"), *split)
    found = gather()
    assert len(found.pairs("train")) == 120 and "splits by set of labels.csv" in found.said


def test_a_list_of_splits_sorted_by_them_says_them(gather: Gather) -> None:
    paths = [str(path.relative_to("mine")) for path in classes("a", "b", count=75)]
    words = ["test" if path.endswith(("0.png", "5.png")) else "train" for path in paths]
    rows = sorted(zip(words, paths), reverse=True)
    table("splits.csv", ("file", "set"), *((path, word) for word, path in rows))
    found = gather()
    assert len(found.pairs("test")) == 30 and "splits by splits.csv" in found.said


def test_pictures_of_a_class_beside_its_folder_of_test_pictures_are_refused() -> None:
    classes("cat", "dog", "cat/test", "dog/test")
    said = "mine: expected all pictures in folders of train and test, found beside: "
    assert refusal().startswith(said)


@pytest.mark.parametrize("name", ["train_test_split", "Train_Test_Valid", "test and train"])
def test_a_folder_called_by_several_splits_is_none_of_them(gather: Gather, name: str) -> None:
    classes("images", count=30)
    for split, numbers in {"train": range(20), "test": range(20, 30)}.items():
        rows = [(f"{number}.png", "ab"[number % 2]) for number in numbers]
        in_folder(f"{name}/{split}.csv", b"")
        table(f"{name}/{split}.csv", ("image", "label"), *rows)
    found = gather()
    assert (len(found.pairs("train")), len(found.pairs("test"))) == (20, 10)


def test_splits_lie_in_a_folder_called_by_all_of_them(gather: Gather) -> None:
    classes(*(f"Train_Test_Valid/{split}/{name}" for split in ("Train", "test") for name in "ab"))
    found = gather()
    assert found.about["classes"] == ["a", "b"]
    assert len(found.pairs("train")) == len(found.pairs("test")) == 40


@pytest.mark.parametrize("column", ["label", "letter"])
@pytest.mark.parametrize(
    "row, expected",
    [
        (("test/99.png", "a"), "expected pictures in or below mine, found none called test/99.png"),
        (("test/9.png", "c"), "expected classes of train (a, b), found c"),
    ],
)
def test_a_wrong_row_of_a_table_of_test_pictures_is_told(
    row: tuple[str, str], expected: str, column: str
) -> None:
    classes("train/a", "train/b")
    classes("test")
    rows = [(f"test/{at}.png", "ab"[at % 2]) for at in range(20)]
    table("test.csv", ("image", column), *(each for each in rows if each[0] != row[0]), row)
    assert refusal().startswith(f"mine/test.csv: {expected}")


def test_labels_in_the_last_column_are_no_pixels_though_the_first_takes_all_values() -> None:
    pixels, labels = noise(3000, 4, 4), np.arange(3000) % 10
    pixels[:256, 0, 0] = np.arange(256)
    lines = (",".join(map(str, [*row.ravel(), label])) for row, label in zip(pixels, labels))
    Path("mine/all.csv").write_text("\n".join(lines) + "\n")
    assert refusal().startswith("mine/all.csv: expected labels in the first column, or a header")


def test_masks_in_a_folder_beside_that_of_a_split_are_left_out(gather: Gather) -> None:
    classes("train/a", "train/b", "train_masks/a", "train_masks/b", "test/a", "test/b")
    found = gather()
    assert len(found.pairs("train")) == 40 and "left out: 1 train_masks/" in found.said


def test_pages_of_a_tiff_after_the_first_are_told(gather: Gather) -> None:
    classes("a", "b")
    pages = [Image.fromarray(noise(8, 8)) for _ in range(3)]
    pages[0].save("mine/a/pages.tif", save_all=True, append_images=pages[1:])
    assert "left out: 2 pages of TIFF after the first" in gather(share=0.5).said


def test_lists_of_trainval_beside_train_and_val_hold_no_pictures(gather: Gather) -> None:
    classes("train/a", "train/b", "val/a", "val/b")
    in_folder("trainval_lists/train.txt", b"notes\n")
    found = gather()
    assert len(found.pairs("train")) == len(found.pairs("test")) == 40


def test_both_folders_of_a_split_are_told_where_a_table_says_the_tests(gather: Gather) -> None:
    """As Kaggle's traffic signs unpack where Train and train are two folders."""
    classes(*(f"{split}/{name}" for split in ("Train", "train") for name in "01"))
    rows = [(f"Test/{path.name}", at % 2) for at, path in enumerate(classes("Test"))]
    table("Test.csv", ("Path", "ClassId"), *rows)
    assert "train is all of Train, train" in gather().said


def test_a_table_whose_names_fit_two_pictures_is_not_passed_over() -> None:
    classes("rgb", "depth")
    table("labels.csv", ("image", "label"), *((f"{at}.png", "ab"[at % 2]) for at in range(20)))
    said = "mine/labels.csv, line 2: expected the name of one picture, found that of depth/0.png"
    assert refusal().startswith(said)


def test_a_competitions_sample_above_a_table_and_its_pictures_is_passed_over(
    gather: Gather,
) -> None:
    rows = [(picture(f"data/images/{at}.png").name, "ab"[at % 2]) for at in range(30)]
    table("data/labels.csv", ("image", "label"), *rows)
    table("sample_submission.csv", ("image", "label"), *((name, "a") for name, _ in rows[:5]))
    assert "classes by label of data/labels.csv" in gather(share=0.5).said


@pytest.mark.parametrize("cells", ["{}.png", "photos/{}.jpg"])
def test_a_list_of_test_pictures_that_fits_none_or_several_is_told(
    gather: Gather, cells: str
) -> None:
    classes("a", "b")
    table("test.txt", *((cells.format(at),) for at in range(10)))
    assert "looks wrong: test.txt is not used: " in gather().said


def test_no_rows_are_named_where_another_file_has_the_test_images(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = ",".join(f"pixel{at}" for at in range(64))
    lines = [f"label,split,{names}"]
    for at in range(40):
        cells = ",".join(map(str, noise(64)))
        lines.append(f"{at % 2},{'val' if at > 30 else 'train'},{cells}")
    Path("mine/train.csv").write_text("\n".join(lines) + "\n")
    csv("test.csv", np.arange(10) % 2, noise(10, 8, 8))
    own.gather(Path("mine"), Path("out"), **USUAL)
    assert "40 training and 10 test images" in capsys.readouterr().out
    assert not Path("out", idx.TEST_NAMES).exists()


@pytest.mark.parametrize("ending", ["ppm", "pgm", "pbm"])
def test_pictures_may_be_of_the_format_of_older_data_sets(gather: Gather, ending: str) -> None:
    mode = {"ppm": "RGB", "pgm": "L", "pbm": "1"}[ending]
    for path in classes("train/0", "train/1", "test"):
        with Image.open(path) as image:
            image.convert(mode).save(path.with_suffix(f".{ending}"))
        path.unlink()
    table("test.csv", ("Filename", "ClassId"), *((f"{at}.{ending}", at % 2) for at in range(20)))
    found = gather()
    assert len(found.pairs("train")) == 40 and len(found.pairs("test")) == 20


@pytest.mark.parametrize("whole", ["trainval", "train_val"])
@pytest.mark.parametrize("form", ["{}/{}/{}.png", "{}/{}.{}.png"])
def test_what_holds_train_and_val_is_not_taken_beside_them(
    gather: Gather, whole: str, form: str
) -> None:
    for split, count in {whole: 20, "train": 10, "val": 10, "test": 10}.items():
        for name in ("cat", "dog"):
            for number in range(count):
                picture(form.format(split, name, number))
    found = gather()
    assert (len(found.pairs("train")), len(found.pairs("test"))) == (40, 20)
    assert "1 train/, 1 val/" in found.said


def test_a_folder_of_all_splits_takes_no_place_of_any(gather: Gather) -> None:
    classes("train/a", "train/b", "val/a", "val/b", "train_val_test/a", "train_val_test/b")
    found = gather()
    assert len(found.pairs("train")) == len(found.pairs("test")) == 40


def test_a_test_set_in_a_folder_of_labels_counts_where_none_else_has_classes(
    gather: Gather,
) -> None:
    classes("train/a", "train/b", "test_gt/a", "test_gt/b", "test", count=10)
    assert len(gather().pairs("test")) == 20


@pytest.mark.parametrize("masks", ["masks_train", "train_labels", "thumbs_train"])
def test_what_a_split_shows_again_is_left_out(gather: Gather, masks: str) -> None:
    classes("train/a", "train/b", f"{masks}/a", f"{masks}/b", "test/a", "test/b")
    found = gather()
    assert len(found.pairs("train")) == 40 and f"left out: 1 {masks}/" in found.said


def test_of_test_pictures_the_only_other_column_says_the_classes(gather: Gather) -> None:
    classes("train/cat", "train/dog", "test")
    rows = [(f"{at}.png", "cat" if at % 2 else "dog") for at in range(20)]
    table("test.csv", ("image", "animal"), *rows)
    assert "of test classes by animal of test.csv" in gather().said


def test_a_test_picture_of_two_classes_is_refused() -> None:
    classes("train/cat", "train/dog", "test")
    rows = [(f"{at}.png", "cat" if at % 2 else "dog") for at in range(20)]
    table("test.csv", ("image", "label"), *rows, ("3.png", "dog"))
    assert refusal().startswith("mine/test/3.png: expected one class and one split, found ")


@pytest.mark.parametrize("text", ["cat", " " * 3, "a long caption " * 30])
def test_a_table_that_says_nothing_else_than_folders_is_passed_over(
    gather: Gather, text: str
) -> None:
    classes("cat", "dog")
    table("labels.csv", ("filename", "label"), *((f"{at}.png", text) for at in range(20)))
    assert "folders say the classes, not labels.csv" in gather().said


@pytest.mark.parametrize("text", [b"P1 was taken in May\n", b"P5 \n"])
def test_a_text_that_begins_as_a_ppm_is_a_text(gather: Gather, text: bytes) -> None:
    classes("a", "b")
    in_folder("a/notes.txt", text)
    assert "left out: 1 .txt" in gather().said


@pytest.mark.parametrize("end", [1_000_000, 3])
def test_a_tiff_is_its_first_page_though_the_next_is_damaged(gather: Gather, end: int) -> None:
    for number in range(10):
        for name in "ab":
            path = picture(f"{name}/{number}.tif", noise(8, 8, 3))
            data = path.read_bytes()
            at = int.from_bytes(data[4:8], "little")
            entries = int.from_bytes(data[at : at + 2], "little")
            place = at + 2 + 12 * entries
            path.write_bytes(data[:place] + end.to_bytes(4, "little") + data[place + 4 :])
    assert "of 8 x 8, colour" in gather(share=0.5).said


def test_val_and_test_together_are_the_test_set(gather: Gather) -> None:
    classes("train/a", "train/b", "val_test/a", "val_test/b")
    assert len(gather().pairs("test")) == 40


@pytest.mark.parametrize("form", ["IDX", "CSV", "NumPy files, with labels one-hot"])
def test_arrays_lie_in_a_folder_called_by_several_splits(gather: Gather, form: str) -> None:
    FORMS[form]()
    Path("mine").rename("arrays")
    Path("mine/docs").mkdir(parents=True)
    Path("arrays").rename("mine/train_test")
    in_folder("docs/a.txt", b"a")
    assert "120 training and 50 test images" in gather().said


def test_two_hundred_classes_without_a_header_are_read(gather: Gather) -> None:
    images = noise(800, 8, 8)
    images[:, 7, 7] = np.array([0, 17, 255])[np.arange(800) % 3]
    csv("train.csv", np.arange(800) % 200, images, header=False)
    assert "200 classes" in gather().said


def test_a_text_that_names_no_pictures_is_no_list_that_went_wrong(gather: Gather) -> None:
    classes("a", "b")
    in_folder("train_log.txt", b"epoch 1 loss 0.3\nsaved samples.png\nepoch 2 loss 0.2\n")
    in_folder("sources_test.txt", b"https://example.org/1.png\nhttps://example.org/2.png\n")
    assert "looks wrong" not in gather().said


@pytest.mark.parametrize("label", ["bird", "", "cat"])
def test_a_table_without_true_classes_says_nothing_of_tests(gather: Gather, label: str) -> None:
    classes("train/cat", "train/dog")
    rows = [(path.name, label) for path in classes("test")]
    table("test.csv", ("image", "label"), *rows)
    assert "1 test/ (no class of train)" in gather().said


@pytest.mark.parametrize(
    "folders, expected",
    [
        (["a", "b", "test"], "classes alone, or train and test, found test without train"),
        (["train", "test", "extra"], "a folder for each class: train/CLASS/1.png, found none in"),
        (["box_train", "box_test", "query"], "a folder for each class: train/CLASS/1.png, found"),
        (["all/a", "all/b", "test/a", "test/b"], "classes alone, or train and test, found test"),
        (["rps/a", "rps/b", "rps-test/a", "rps-test/b"], "a folder for each class, found the same"),
        (
            ["rps/a", "rps/b", "rps-test/a", "rps-test/b", "rps-validation"],
            "a folder for each class, found the same folders in rps, rps-test; name",
        ),
        (["color/a", "color/b", "grey/a", "grey/b"], "a folder for each class, found the same"),
        ([f"fold_{k}/{name}" for k in range(3) for name in "ab"], "a folder for each class, found"),
    ],
)
def test_folders_that_are_no_classes_are_refused(folders: list[str], expected: str) -> None:
    classes(*folders)
    assert refusal().startswith(f"mine: expected {expected}")


def test_a_folder_of_train_beside_a_test_set_is_named() -> None:
    """As Kaggle's plants, augmented, come."""
    classes("plants/train/a", "plants/train/b", "plants/valid/a", "plants/valid/b", "test")
    assert refusal().endswith("found test without train; did you mean mine/plants?")


@pytest.mark.parametrize(
    "parts",
    [("trainset", "testset"), ("TrainData", "TestData"), ("train/Train", "test/Test")],
)
def test_splits_may_be_written_in_one(gather: Gather, parts: tuple[str, str]) -> None:
    train, test = ([f"{part}/{name}" for name in "ab"] for part in parts)
    classes(*train, *test)
    found = gather()
    assert (len(found.pairs("train")), len(found.pairs("test"))) == (40, 40)
    assert found.about["classes"] == ["a", "b"]


def test_a_data_set_that_lies_in_itself_once_more_is_taken_once(gather: Gather) -> None:
    classes("a", "b", "cells/a", "cells/b")
    found = gather()
    assert found.about["classes"] == ["a", "b"] and "left out: 1 cells/" in found.said


def test_masks_are_no_pictures_of_a_class(gather: Gather) -> None:
    classes("a/images", "a/masks", "b")
    picture("b/0_mask.png")
    found = gather()
    assert len(found.pairs("train") + found.pairs("test")) == 40
    assert "left out: 21 masks" in found.said


@pytest.mark.parametrize(
    "column, values",
    [
        ("is_valid", (True, False)),
        ("is_test", (1, 0)),
        ("is_train", ("0.0", "1.0")),
        ("Usage", ("PrivateTest", "Training")),
        ("phase", ("holdout", "train")),
        ("test", (1, 0)),
        ("train", ("no", "yes")),
        ("phase", ("dev_test", "dev_train")),
    ],
)
def test_a_column_may_say_in_other_words_what_is_tested(
    gather: Gather, column: str, values: tuple[object, object]
) -> None:
    rows = [(picture(f"{n}.png").name, "ab"[n % 2], values[n % 4 > 0]) for n in range(40)]
    table("labels.csv", ("name", "label", column), *rows)
    found = gather()
    assert (len(found.pairs("train")), len(found.pairs("test"))) == (30, 10)


def test_a_train_among_vehicles_marks_no_split(gather: Gather) -> None:
    names = ("car", "train", "bus")
    rows = [(p.name, *(int(at % 3 == n) for n in range(3))) for at, p in enumerate(classes("."))]
    table("labels.csv", ("image", *names), *rows)
    assert gather().about["classes"] == sorted(names)


def names_of_tests(found: Gathered) -> list[str]:
    assert len(found.pairs("test")) == 10
    return Path("out", idx.TEST_NAMES).read_text().splitlines()


TESTED = [f"{name}/{at}.png" for name in ("cat", "dog") for at in range(0, 20, 4)]


@pytest.mark.parametrize(
    "style", ["{}", "{} 1", "{}\t1", "{};1", "7\t1\t{}", "1 {}", "/data/set/{}"]
)
@pytest.mark.parametrize("lists", [["train.txt", "test.txt"], ["test.txt"], ["val.lst"]])
def test_lists_beside_folders_of_classes_say_the_splits(
    gather: Gather, lists: list[str], style: str
) -> None:
    names = {str(path.relative_to("mine")) for path in classes("cat", "dog")}
    for file in lists:
        listed = sorted(names.difference(TESTED)) if file == "train.txt" else TESTED
        in_folder(file, "\n".join(style.format(name) for name in listed).encode())
    found = gather()
    assert names_of_tests(found) == TESTED
    assert f"splits by {', '.join(sorted(lists))}" in found.said and "left out" not in found.said


@pytest.mark.parametrize("above", ["", "Images/"])
@pytest.mark.parametrize("place", ["Images", "data/Images"])
@pytest.mark.parametrize("lists", ["txt", "csv"])
def test_lists_beside_the_only_folder_say_the_splits(
    gather: Gather, lists: str, place: str, above: str
) -> None:
    """As those of MIT's indoor scenes."""
    names = [f"{path.parent.name}/{path.name}" for path in classes(f"{place}/cat", f"{place}/dog")]
    trained = [name for name in names if name not in TESTED]
    if lists == "txt":
        for file, listed in (("TrainImages.txt", trained), ("TestImages.txt", TESTED)):
            in_folder(file, "".join(f"{above}{name}\n" for name in listed).encode())
    else:
        rows = [(above + name, "test" if name in TESTED else "train") for name in names]
        table("splits.csv", ("file", "split"), *rows)
    found = gather()
    assert names_of_tests(found) == TESTED
    assert (
        f"{place} is the only folder of pictures in mine" in found.said
        and "left out" not in found.said
    )


@pytest.mark.parametrize("style", ["{0}/{1}.png", "{0}/{1}"])
def test_lists_in_a_folder_beside_the_only_one_of_pictures_say_the_splits(
    gather: Gather, style: str
) -> None:
    """As those of Food-101 and of DTD; Stanford's dogs have annotations beside them."""
    classes("set/images/cat", "set/images/dog")
    for name, split in (("train", range(20)), ("test", range(0, 20, 4))):
        numbers = [at for at in split if name == "test" or at % 4]
        lines = [style.format(one, at) for one in ("cat", "dog") for at in numbers]
        in_folder(f"set/meta/{name}.txt", "\n".join(lines).encode())
    in_folder("set/meta/classes.txt", b"Cat\nDog\n")
    in_folder("set/Annotation/cat/1", b"<annotation/>")
    found = gather()
    assert names_of_tests(found) == TESTED and found.about["classes"] == ["cat", "dog"]
    assert "splits by meta/test.txt, meta/train.txt" in found.said
    assert "left out: 1 Annotation/" in found.said


def test_a_list_that_says_no_split_is_told(gather: Gather) -> None:
    lines = [f"{path.relative_to('mine')} 1" for path in classes("cat", "dog")]
    in_folder("splits.txt", "\n".join(lines).encode())
    in_folder("notes.txt", b"The picture cat/1.png is hard.\n\nSo are others.\n")
    found = gather()
    assert "about 20 % of the images" in found.said and "notes" not in found.said
    assert "not used: splits.txt; a list that says a split is called train.txt" in found.said


def test_test_pictures_beside_a_folder_of_classes_look_wrong(gather: Gather) -> None:
    """As Kaggle's Simpsons come."""
    classes("simpsons/homer", "simpsons/lisa", "my_testset")
    said = "looks wrong: of the classes only simpsons holds folders, homer, lisa; if these are the "
    assert f"{said}classes, name mine/simpsons" in gather().said


def of_no_class(paths: list[Path], *label: str) -> list[tuple[str, str]]:
    """Rows of a table that say of each second picture a, of the others b."""
    rows = [(str(path.relative_to("mine")), "ab"[at % 2]) for at, path in enumerate(paths)]
    return [("path", label[0] if label else "patient"), *rows]


def test_folders_in_the_only_folder_say_the_classes_not_a_table_of_something_else(
    gather: Gather,
) -> None:
    table("table.csv", *of_no_class(classes("Pets/cat", "Pets/dog")))
    found = gather()
    assert found.about["classes"] == ["cat", "dog"] and "not table.csv" in found.said


@fault("a table beside the only folder of classes, which says others")
@pytest.mark.parametrize("place", ["Pets", "images"])
def test_a_table_beside_the_only_folder_that_says_other_classes_is_refused(place: str) -> None:
    rows = of_no_class(classes(f"{place}/a", f"{place}/b"), "label")
    table("table.csv", *rows)
    assert "expected classes that folders and tables say alike" in refusal()


@pytest.mark.parametrize("place", ["", "annotations/"])
def test_a_table_of_labels_counts_before_folders_in_a_folder_images(
    gather: Gather, place: str
) -> None:
    """As of patients."""
    rows = of_no_class(classes("images/p0", "images/p1"), "label")
    in_folder(f"{place}labels.csv", "\n".join(map(",".join, rows)).encode())
    assert gather().about["classes"] == ["a", "b"]


def test_numbers_in_a_table_of_names_are_no_pictures(gather: Gather) -> None:
    classes("Images/0", "Images/1")
    table("signs.csv", ("ClassId", "Name"), *((at, f"sign {at}") for at in range(20)))
    assert gather().about["classes"] == ["0", "1"]


@pytest.mark.parametrize(
    "folders, said",
    [
        (("labeled/a", "labeled/b", "unlabeled"), "only labeled holds folders, a, b; if these are"),
        (
            ("a/abbey", "a/airport", "b/bar"),
            "in a, b lie folders, abbey, airport, bar, that are no",
        ),
        (("train/a", "train/b", "test/a", "test/c"), "nothing of c is to train on"),
    ],
)
def test_folders_that_may_be_no_classes_look_wrong(
    gather: Gather, folders: tuple[str, ...], said: str
) -> None:
    classes(*folders)
    assert f"looks wrong: {'of the classes ' * ('only' in said)}{said}" in gather().said


@pytest.mark.parametrize(
    "folders", [("cat/in", "cat/out", "dog/in"), ("cat/in", "cat/out", "cat", "dog")]
)
def test_folders_in_some_classes_do_not_look_wrong(
    gather: Gather, folders: tuple[str, ...]
) -> None:
    classes(*folders)
    picture("dog/1.png")
    assert "looks wrong" not in gather().said


@pytest.mark.parametrize("place", ["cat_masks/{}.png", "lung masks/{}.png"])
def test_masks_lie_in_folders_with_a_word_for_them(gather: Gather, place: str) -> None:
    for name in ("cat", "dog"):
        for at in range(20):
            picture(f"{name}/images/{at}.png" if "lung" in place else f"{name}/{at}.png")
            picture(f"{name}/{place.format(at)}")
    found = gather()
    assert len(found.pairs("train") + found.pairs("test")) == 40
    assert "left out: 40 masks" in found.said


def test_a_folder_called_by_a_number_holds_no_masks(gather: Gather) -> None:
    classes("cat", "cat/2", "dog")
    assert "left out" not in gather().said


def test_names_that_stand_for_two_pictures_look_wrong(gather: Gather) -> None:
    """As of magnetic tiles and their masks."""
    for path in classes("cat", "dog"):
        picture(str(path.relative_to("mine").with_suffix(".bmp")))
    assert "looks wrong: 40 names, each of two pictures, as 1.jpg and 1.png" in gather().said


def test_a_class_whose_pictures_have_no_ending_is_a_class(gather: Gather) -> None:
    classes("cats/persian", "cats/siamese")
    [picture(f"dogs/IMG_{at}") for at in range(20)]
    assert gather().about["classes"] == ["cats", "dogs"]


def test_folders_of_notes_in_splits_are_left_out_and_told(gather: Gather) -> None:
    for split in ("train", "test"):
        classes(f"{split}/images/a", f"{split}/images/b")
        in_folder(f"{split}/annotations/1.xml", b"<annotation/>")
    assert "left out: 2 annotations/" in gather().said


def test_a_note_that_names_a_picture_does_not_hide_arrays(gather: Gather) -> None:
    in_folder("readme.txt", b"see sample.png\n")
    in_folder("data/d.npz", b"")
    npz("mine/data/d.npz")
    assert "NumPy arrays" in gather().said


def test_classes_with_a_word_for_train_are_no_splits_that_are_joined(gather: Gather) -> None:
    classes("train/test-negative", "train/test-positive")
    classes("test/test-negative", "test/test-positive")
    assert " is all of " not in gather().said


def test_of_several_test_sets_all_are_told(gather: Gather) -> None:
    classes("train/a", "train/b", "test/a", "test/b", "test_noisy/a", "test_noisy/b")
    found = gather()
    assert len(found.pairs("test")) == 80 and "test is all of test, test_noisy" in found.said


def test_one_label_of_a_whole_test_set_stands_for_none(gather: Gather) -> None:
    for split in ("train", "test"):
        paths = [path.name for path in classes(split)]
        rows = [(f"{split}/{name}", "abc"[at % 3]) for at, name in enumerate(paths)]
        table(f"{split}.csv", ("file", "label"), *rows)
    Path("mine/test.csv").write_text(re.sub(",[abc]\n", ",a\n", Path("mine/test.csv").read_text()))
    assert "left out: 20 test pictures, all labelled a" in gather().said


def test_names_of_classes_beside_them_want_their_folder_named() -> None:
    classes("Images/cat", "Images/dog")
    in_folder("Images/classes.txt", b"dog\ncat\n")
    table("weather.csv", ("day", "rain"), ("Monday", 0.5), ("Tuesday", 0.1))
    assert "did you mean mine/Images?" in refusal()


@pytest.mark.parametrize("listed", [True, False])
def test_a_link_that_leads_back_is_followed_once(listed: bool) -> None:
    if listed:
        in_folder("train.txt", b"cat/1.png")
    Path("mine/again").symlink_to(Path("mine").resolve())
    assert refusal().startswith(f"mine: {NONE} again")


def test_a_column_holdout_says_the_splits_beside_folders_of_classes(gather: Gather) -> None:
    names = [f"{path.parent.name}/{path.name}" for path in classes("cat", "dog")]
    table("meta.csv", ("file", "holdout"), *((name, name in TESTED) for name in names))
    assert names_of_tests(gather()) == TESTED


@pytest.mark.parametrize("label", [True, False])
def test_a_table_beside_folders_of_classes_says_the_splits(gather: Gather, label: bool) -> None:
    rows = [("file", *["label"] * label, "split")]
    for path in classes("cat", "dog"):
        name = str(path.relative_to("mine"))
        rows.append((name, *[path.parent.name] * label, "test" if name in TESTED else "train"))
    table("meta.csv", *rows[:-1])
    found = gather()
    assert names_of_tests(found) == TESTED
    assert "splits by meta.csv" in found.said
    assert "left out: 1 .png that no list names" in found.said


def test_what_lists_some_pictures_says_no_splits(gather: Gather) -> None:
    classes("cat", "dog")
    in_folder("train.txt", b"\n".join(b"cat/%d.png" % at for at in range(20)))
    in_folder("test.txt", b"Accuracy on the test set: 93 %\ncat/1.png is hard\n0.png\n")
    assert "about 20 % of the images" in gather().said


def test_lists_that_put_a_picture_into_two_splits_are_told_and_not_used(gather: Gather) -> None:
    classes("cat", "dog")
    for split in ("train", "test"):
        in_folder(f"{split}.txt", b"cat/1.png\ndog/1.png")
    said = "looks wrong: cat/1.png stands in test and in train, so no splits by test.txt, train.txt"
    assert said in gather().said


def test_lists_of_pictures_without_a_class_say_no_splits_of_others(gather: Gather) -> None:
    for split in ("train/cat", "train/dog", "test"):
        [picture(f"{split}/{at}{split[-1]}.png") for at in range(20)]
    in_folder("test.txt", b"\n".join(b"test/%dt.png" % at for at in range(20)))
    assert "about 20 % of the images" in gather().said


def test_numbers_name_no_pictures_in_a_list(gather: Gather) -> None:
    [picture(f"{'cat' if at < 20 else 'dog'}/{at}.png") for at in range(40)]
    in_folder("test_labels.txt", b"0\n1\n2\n" * 10)
    table("val_log.csv", ("epoch", "loss"), *((at, at / 7) for at in range(10)))
    assert "about 20 % of the images" in gather().said


def test_lists_that_leave_a_class_without_training_pictures_are_told(gather: Gather) -> None:
    classes("cat", "dog")
    in_folder("test.txt", b"\n".join(b"cat/%d.png" % at for at in range(20)))
    said = "looks wrong: nothing of cat is to train on, so no splits by test.txt"
    assert said in gather().said


def test_lines_of_a_list_that_name_no_picture_are_told(gather: Gather) -> None:
    classes("cat", "dog")
    in_folder("test.txt", b"cat/0.png\ncat/1.png\ndog/0.png\ndog/0.jpg\n")
    said = "looks wrong: 1 of 4 lines of test.txt name no picture, the first dog/0.jpg"
    assert said in gather().said


@pytest.mark.parametrize("column", ["valid", "env"])
def test_a_column_of_something_else_says_no_splits(gather: Gather, column: str) -> None:
    words = (1, 1, 1, 0) if column == "valid" else ("dev", "test", "prod", "dev")
    rows = [(p.name, "cd"[at % 2], words[at % 4]) for at, p in enumerate(classes("."))]
    table("labels.csv", ("image", "label", column), *rows)
    assert "about 20 % of the images" in gather().said


def test_lists_say_the_splits_of_a_tables_pictures_too(gather: Gather) -> None:
    names = [path.name for path in classes(".", count=40)]
    rows = [(name, "cd"[at % 2]) for at, name in enumerate(names)]
    table("labels.csv", ("image", "label"), *rows)
    in_folder("test.csv", "\n".join(["image", *names[::4]]).encode())
    assert names_of_tests(gather()) == names[::4]


def test_a_table_lies_in_a_holdout_beside_train(gather: Gather) -> None:
    for split, count in (("train", 30), ("holdout", 10)):
        rows = [(path.name, int(path.stem) % 2) for path in classes(split, count=count)]
        table(f"{split}/labels.csv", ("image", "label"), *rows)
    found = gather()
    assert (len(found.pairs("train")), len(found.pairs("test"))) == (30, 10)


def test_splits_stand_in_the_first_column_without_a_header(gather: Gather) -> None:
    words = ("TRAIN", "TRAIN", "TRAIN", "TEST")
    rows = [(words[at % 4], p.name, "cd"[at % 2]) for at, p in enumerate(classes(".", count=40))]
    table("import.csv", *rows)
    assert len(gather().pairs("test")) == 10


@fault("pictures and their masks, in a folder each")
@pytest.mark.parametrize("made", ["masks", "labels", "annotations/trimaps", "thumbs"])
def test_masks_beside_their_pictures_are_no_class(made: str) -> None:
    classes("images", made)
    found = f"{', '.join(sorted(['images', made.split('/')[0]]))}, which are none"
    expected = f"expected a folder for each class, found {found}"
    assert (
        refusal()
        == f"mine: {expected}; if its pictures are called by their classes, name mine/images"
    )


def test_masks_in_each_split_are_no_class() -> None:
    classes("train/images", "train/labels", "test/images", "test/labels")
    assert (
        refusal() == "mine: expected a folder for each class, found images, labels, which are none"
    )


@fault("classes are called cat in train, and Cat in test")
def test_classes_of_other_capitals_in_the_test_set_are_refused() -> None:
    classes("train/cat", "train/dog", "test/Cat", "test/dog")
    said = "expected classes called the same in train and test, found Cat and cat; rename one"
    assert refusal() == f"mine: {said}"


@pytest.mark.parametrize("aside", ["logs/history.csv", "checks/md5.csv", "results/test.csv"])
def test_what_lies_aside_says_no_classes_where_names_do(gather: Gather, aside: str) -> None:
    paths = [picture(f"train/{name}.{n}.png") for name in ("cat", "dog") for n in range(20)]
    in_folder(aside, b"")
    rows = [
        (path.name, f"{n:032x}" if "md5" in aside else "xy"[n % 2]) for n, path in enumerate(paths)
    ]
    table(aside, ("file", "label"), *rows)
    assert gather().about["classes"] == ["cat", "dog"]


def test_folders_above_the_data_set_have_no_say(gather: Gather) -> None:
    Path("results").mkdir()
    paths = classes("images")
    table(
        "labels.csv", ("file", "label"), *[(one.name, "ab"[n % 2]) for n, one in enumerate(paths)]
    )
    Path("mine").rename("results/mine")
    assert gather("results/mine").about["classes"] == ["a", "b"]
    Path("results/mine").rename("mine")


def test_a_column_without_a_known_name_may_have_many_classes(gather: Gather) -> None:
    paths = classes("images", count=160)
    rows = [(path.name, f"plant {n % 80}") for n, path in enumerate(paths)]
    table("labels.csv", ("file", "plant"), *rows)
    assert len(gather().about["classes"]) == 80


def test_what_a_model_predicted_is_no_label() -> None:
    paths = classes("images")
    rows = [(path.name, "xy"[n % 2]) for n, path in enumerate(paths)]
    for name in ("predictions.csv", "results/of_model.csv"):
        in_folder(name, b"")
        table(name, ("file", "label"), *rows)
    assert "expected" in refusal()


def test_what_a_table_measures_is_no_class() -> None:
    paths = classes("images")
    table("blur.csv", ("file", "blur"), *[(path.name, n / 7) for n, path in enumerate(paths)])
    assert "blur.csv was not used" in refusal()


def test_what_is_in_both_sets_is_named(gather: Gather) -> None:
    classes("train/a", "train/b", "test/a", "test/b", count=3)
    again = picture("test/b/again.png", np.asarray(Image.open("mine/train/b/1.png")))
    said = gather().said
    assert f"both to train and to test on: mine/train/b/1.png = {again}\n" in said


def test_a_picture_of_two_classes_is_named(gather: Gather) -> None:
    classes("a", "b", count=10)
    again = picture("b/again.png", np.asarray(Image.open("mine/a/1.png")))
    assert f"in two classes: {again} = mine/a/1.png" in gather().said


def test_a_picture_added_later_moves_no_other_one(gather: Gather) -> None:
    classes("a", "b", count=60)
    before = gather(share=0.3)
    assert 15 < len(before.pairs("test")) < 60
    classes("a/more", count=30)
    picture("b/0.png")
    after = gather(share=0.3)
    moved = set(before.pairs("train")) & set(after.pairs("test"))
    assert not moved and not set(before.pairs("test")) & set(after.pairs("train"))


def test_what_is_no_picture_is_left_out_and_told(gather: Gather) -> None:
    classes("a", "b")
    Path("mine/a/.DS_Store").write_bytes(b"\0\0\0\1Bud1")
    Path("mine/b/.DS_Store").write_bytes(b"\0\0\0\1Bud1")
    Path("mine/a/Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    Path("mine/a/README.txt").write_text("BMW is a car\n")
    Path("mine/README").write_text("about it")
    Path("mine/__MACOSX/a").mkdir(parents=True)
    os.mkfifo("mine/a/pipe")
    os.mkfifo("mine/test.txt")
    Path("mine/a/link").symlink_to("link")
    Path("mine/a/.ipynb_checkpoints").mkdir()
    picture("a/.ipynb_checkpoints/0.png")
    found = gather()
    assert len(found.pairs("train")) + len(found.pairs("test")) == 40
    for left in (
        "2 .DS_Store",
        "1 .db",
        "2 .txt",
        "1 README",
        "1 .ipynb_checkpoints",
        "1 pipe",
        "1 link",
    ):
        assert left in found.said


def test_pictures_are_told_by_their_content_and_taken_from_below_a_class(gather: Gather) -> None:
    classes("train/a", "train/b", "test/a")
    picture("test/b/deep/er/without ending")
    picture("test/b/wrong.txt.png").rename("mine/test/b/wrong.txt")
    assert [label for label, _ in gather().pairs("test")] == [0] * 20 + [1, 1]


def test_links_are_followed_and_lead_into_no_circle(gather: Gather, tmp_path: Path) -> None:
    classes("train/a", "train/b", "elsewhere/c", "test/a", count=2)
    Path("mine/elsewhere").rename("elsewhere")
    Path("mine/train/c").symlink_to(tmp_path / "elsewhere/c")
    Path("mine/train/a/again").symlink_to(tmp_path / "mine/train/a")
    Path("mine/train/a/up").symlink_to("..")
    Path("mine/test/a/other.png").symlink_to(tmp_path / "mine/train/b/0.png")
    found = gather()
    assert found.about["classes"] == ["a", "b", "c"] and len(found.pairs("test")) == 3


def test_pictures_of_one_size_keep_it_and_others_are_brought_to_their_median(
    gather: Gather,
) -> None:
    classes("a", "b")
    assert "of 8 x 8, grey" in gather().said
    picture("a/large.png", noise(90, 200))
    assert "of 8 x 8, grey" in gather().said
    for number in range(50):
        picture(f"b/large{number}.png", noise(75, 150))
    found = gather()
    assert "of 32 x 64, grey" in found.said and "brought from 3 sizes to this one" in found.said
    assert found.about["pictures"] is True
    assert "of 20 x 20, colour" in gather(size=20, colour=True).said


def test_photos_of_one_large_size_do_not_keep_it(gather: Gather) -> None:
    for name in ("train/a", "train/b", "test/a"):
        picture(f"{name}/0.jpg", noise(512, 512))
    assert "of 512 x 512, grey" in gather().said
    for name in ("train/a", "train/b", "test/a"):
        picture(f"{name}/0.jpg", noise(600, 900))
    assert "of 44 x 64, grey" in gather().said


def test_one_pixel_in_colour_makes_all_of_it_colour(gather: Gather) -> None:
    for number in range(20):
        picture(f"{number % 2}/{number}.png", np.dstack([noise(8, 8)] * 3))
    assert gather().arrays["train", "images"].ndim == 3
    array = np.dstack([noise(8, 8)] * 3)
    array[5, 5] = [1, 2, 3]
    picture("1/19.png", array)
    assert gather().arrays["train", "images"].shape[1:] == (8, 8, 3)
    assert gather(colour=False).arrays["train", "images"].ndim == 3


@fault(
    "a class whose name is not UTF-8, has a line break, or 255 letters",
    "they are read; names are escaped",
)
def test_names_may_be_any_bytes(gather: Gather) -> None:
    classes("b", count=3)
    os.rename(b"mine/b", b"mine/caf\xe9\n")
    classes("a", count=3)
    os.rename(b"mine/a/0.png", b"mine/a/" + b"x" * 251 + b".png")
    os.rename(b"mine/a/1.png", b"mine/a/\xff\n;$(reboot).png")
    found = gather(share=0.5)
    assert found.about["classes"] == ["a", r"caf\udce9\n"]


# What is refused


SHOWN = {"images/0.png": "cat", "images/1.png": "dog"}
PICTURE_TABLES: dict[str, tuple[tuple[str, ...], Callable[[str, str], tuple[Any, ...]]]] = {
    "of paths": (("file_name", "label"), lambda path, name: (path, name)),
    "of names": (("image", "label"), lambda path, name: (Path(path).name, name)),
    "of names without an ending": (("id", "breed"), lambda path, name: (Path(path).stem, name)),
    "written elsewhere": (("path", "what"), lambda path, name: (f"/home/me/{path}", name)),
    "written on Windows": (
        ("path", "label"),
        lambda path, name: ("C:\\me\\" + path.replace("/", "\\"), name),
    ),
    "with an index first": (("", "file", "kind"), lambda path, name: ("1", path, name)),
    "with columns of other things": (
        ("image_id", "age", "dx", "sex"),
        lambda path, name: (Path(path).stem, 55.0, name, "f"),
    ),
    "with a column for each class": (
        ("image", "cat", "dog"),
        lambda path, name: (path, float(name == "cat"), float(name == "dog")),
    ),
    "with True for each class": (
        ("image", "cat", "dog"),
        lambda path, name: (path, name == "cat", name == "dog"),
    ),
    "without a header": ((), lambda path, name: (path, name)),
    "with Pandas' index and numbers as names": (
        ("", "id", "label"),
        lambda path, name: (1 - int(Path(path).stem), Path(path).stem, name),
    ),
    "with a column for each letter": (
        ("image", "cat", "dog", "class"),
        lambda path, name: (path, int(name == "cat"), int(name == "dog"), 0),
    ),
    "with another column of 0 and 1": (
        ("image", "label", "synthetic"),
        lambda path, name: (path, int(name == "dog"), int(name == "cat")),
    ),
    "with names quoted": (("file", "label"), lambda path, name: (f'"{path}"', f'"{name}"')),
}


@pytest.mark.parametrize("head, row", PICTURE_TABLES.values(), ids=PICTURE_TABLES)
def test_a_table_names_pictures(
    gather: Gather, head: tuple[str, ...], row: Callable[[str, str], tuple[Any, ...]]
) -> None:
    pictures = {path: np.asarray(Image.open(picture(path))) for path in SHOWN}
    picture("images/other.png")
    table("my.csv", *[head] * bool(head), *[row(path, name) for path, name in SHOWN.items()])
    found = gather(share=0.4)
    images = [pictures[path].tobytes() for path in SHOWN]
    assert sorted(found.pairs("train") + found.pairs("test")) == [*enumerate(images)]
    assert found.about["classes"] == (["0", "1"] if "synthetic" in head else ["cat", "dog"])
    assert (
        re.search("\n  classes by .+ of my.csv\n", found.said) and "left out: 1 .png" in found.said
    )


def test_a_competitions_tables_are_told_apart(gather: Gather) -> None:
    """Its test pictures have no labels, and what is handed in has made-up ones."""
    for part in ("train", "test"):
        for number in range(20):
            picture(f"{part}_images/{number}.png")
    table("train.csv", ("id", "breed"), *[(n, "ab"[n % 2]) for n in range(20)])
    table("test.csv", ("id",), *[(n,) for n in range(20)])
    table("sample_submission.csv", ("id", "breed"), *[(n, "a") for n in range(20)])
    found = gather()
    assert len(found.pairs("train") + found.pairs("test")) == 20
    assert "no test set, so it is about 20 %" in found.said and "left out: 20 .png" in found.said


@pytest.mark.parametrize("how", ["a table each", "folders", "a column"])
def test_a_table_may_have_splits(gather: Gather, how: str) -> None:
    rows = {part: [(n, "ab"[n % 2]) for n in range(6)] for part in ("train", "val", "test")}
    for part, of_part in rows.items():
        for number, _ in of_part:
            picture(f"{part}/{number}.png")
        if how == "a table each":
            table(f"{part}.csv", ("image", "label"), *of_part)
    paths = [(f"{part}/{n}.png", name, part) for part in rows for n, name in rows[part]]
    if how == "folders":
        table("all.csv", ("image", "label"), *[path[:2] for path in paths])
    if how == "a column":
        table("all.csv", ("image", "label", "data set"), *paths)
    found = gather()
    assert (len(found.pairs("train")), len(found.pairs("test"))) == (12, 6)
    assert "val joins train" in found.said


@pytest.mark.parametrize("place", ["annotations", "labels/all", "train/labels"])
def test_a_table_may_lie_in_a_folder_of_its_own(gather: Gather, place: str) -> None:
    top = "train/" if "train/" in place else ""
    paths = classes(f"{top}images")
    rows = [(path.name, "cd"[n % 2]) for n, path in enumerate(paths)]
    Path("mine", place).mkdir(parents=True)
    table(f"{place}/all.csv", ("file", "label"), *rows)
    found = gather()
    assert found.about["classes"] == ["c", "d"] and "left out" not in found.said

    others = [(name, "xy"[label == "d"]) for name, label in rows]
    table(f"{top}labels.csv", ("file", "label"), *others)  # which lies nearer
    assert gather().about["classes"] == ["x", "y"]


@pytest.mark.parametrize("second", ["b", "train"])
def test_where_folders_say_the_classes_no_table_does(gather: Gather, second: str) -> None:
    paths = classes("a", second)
    rows = [(path.relative_to("mine"), path.parent.name) for path in paths]
    table("labels.csv", ("file", "label"), *rows, ("lost.png", "c", "too many"))
    found = gather()
    assert found.about["classes"] == ["a", second]
    assert "folders say the classes, not labels.csv" in found.said


@pytest.mark.parametrize("folders", [("images", "masks"), ("part_1", "part_2")])
def test_folders_of_other_things_are_no_classes_where_a_table_says_these(
    gather: Gather, folders: tuple[str, str]
) -> None:
    paths = classes(*folders)
    rows = [(path.relative_to("mine"), "cd"[n % 2]) for n, path in enumerate(paths)]
    table("labels.csv", ("file", "kind"), *rows)
    assert gather().about["classes"] == ["c", "d"]


def test_folders_without_pictures_are_no_classes_where_a_table_says_these(gather: Gather) -> None:
    paths = classes("images")
    rows = [(path.relative_to("mine"), "cd"[n % 2]) for n, path in enumerate(paths)]
    table("train_test_labels.csv", ("file", "label"), *rows)
    in_folder("annotations/1.xml", b"<a/>")
    found = gather()
    assert found.about["classes"] == ["c", "d"] and "left out: 1 .xml" in found.said


def test_a_name_of_a_file_is_found_however_its_letters_are_composed(gather: Gather) -> None:
    for number in range(20):
        picture(f"images/e\u0301{number}.png")  # as a Mac writes it
    table("labels.csv", ("file", "label"), *[(f"\xe9{n}.png", "ab"[n % 2]) for n in range(20)])
    assert gather().about["classes"] == ["a", "b"]


@pytest.mark.parametrize("form", ["folders", "splits", "names", "table"])
def test_a_class_is_the_same_however_its_letters_are_composed(gather: Gather, form: str) -> None:
    mac, other = "cafe\u0301", "caf\xe9"
    if form == "folders":
        classes(mac, "tea")
    elif form == "splits":
        classes(f"train/{mac}", "train/tea", f"test/{other}", "test/tea")
    elif form == "names":
        [picture(f"{name}.{at}.png") for name in (mac, "tea") for at in range(20)]
    else:
        rows = [(path.name, (mac, "tea")[at % 2]) for at, path in enumerate(classes("images"))]
        table("labels.csv", ("image", "label"), *rows)
    in_folder("classes.txt", f"tea\n{other}\n".encode())
    assert gather().about["classes"] == ["tea", other]


def test_trainval_holds_what_lies_in_train_and_val(gather: Gather) -> None:
    for split, count in (("trainval", 30), ("train", 20), ("val", 10), ("test", 10)):
        classes(f"{split}/a", f"{split}/b", count=count)
    said = gather().said
    assert "60 training and 20 test images" in said and "1 train/, 1 val/" in said


def test_names_of_pictures_do_not_run_in_a_page_of_plots() -> None:
    classes("train/a", "train/b", "test/a", "test/b")
    name = "test/b/sub</script><h1>.png"
    picture(name)
    assert refusal() == f"mine: expected names of pictures without HTML, found {name}"


def test_names_of_wordnet_are_classes_whatever_lies_beside_them(gather: Gather) -> None:
    classes("train/n01440764", "train/n02102040", "val/n01440764", "val/n02102040")
    table("noisy.csv", ("path", "noisy_1", "noisy_2"), ("train/n01440764/0.png", "a", "b"))
    found = gather()
    assert found.about["classes"] == ["n01440764", "n02102040"]
    assert "folders say the classes, not noisy.csv" in found.said


def test_the_name_of_a_table_may_say_its_split_in_one_word(gather: Gather) -> None:
    """As that of CIFAR-10 on Kaggle."""
    for part in ("train", "test"):
        for number in range(20):
            picture(f"{part}/{number}.png")
    table("trainLabels.csv", ("id", "label"), *[(n, "ab"[n % 2]) for n in range(20)])
    found = gather()
    assert len(found.pairs("train") + found.pairs("test")) == 20
    assert "left out: 20 .png" in found.said


def test_of_several_folders_the_one_that_holds_the_classes_is_named() -> None:
    classes("images/a", "images/b")
    in_folder("raw/a.heic", b"HEIC")  # which may hold pictures
    assert refusal().endswith("; did you mean mine/images?")


def test_what_is_only_called_like_a_table_is_none(gather: Gather) -> None:
    classes("train/a", "train/b", "test/a", "test/b")
    Path("mine/test/gone.csv").symlink_to("nowhere")
    assert gather().about["classes"] == ["a", "b"]
    Path("mine/train/metadata.csv").mkdir()
    assert "found no picture of metadata.csv" in refusal()


def test_the_column_of_paths_is_no_column_of_splits(gather: Gather) -> None:
    for number in range(20):
        picture(f"train/train{number}.png")
    rows = [(f"train/train{n}.png", "ab"[n % 2], "test" if n < 8 else "train") for n in range(20)]
    table("labels.csv", ("path", "label", "split"), *rows)
    found = gather()
    assert (len(found.pairs("train")), len(found.pairs("test"))) == (12, 8)


def test_a_table_may_have_tabs(gather: Gather) -> None:
    for number in range(20):
        picture(f"{number}.png")
    rows = [f"{number}.png\t{'ab'[number % 2]}\n" for number in range(20)]
    in_folder("labels.tsv", "".join(["file\tlabel\n", *rows]).encode())
    assert "classes by label of labels.tsv" in gather().said


def test_numbers_in_a_table_of_pictures_are_lines_of_classes_txt(gather: Gather) -> None:
    for number in range(20):
        picture(f"{number}.png")
    table("labels.csv", ("image", "label"), *[(f"{n}.png", f"{n % 2}.0") for n in range(20)])
    in_folder("classes.txt", b"cat\ndog\n")
    assert gather().about["classes"] == ["cat", "dog"]


PICTURES = "images/0.png,a\nimages/1.png,b\n"
WRONG_PICTURE_TABLES = {
    "it names one that is not there": (
        f"file,label\n{PICTURES}images/x.png,a\n",
        "mine/t.csv: expected pictures in or below mine, found none called images/x.png (1 in all)",
    ),
    "no column is called label": (
        "file,age,sex\nimages/0.png,5,f\nimages/1.png,6,m\n",
        "mine/t.csv: expected a column called label, found file, age, sex; rename that of the "
        "classes",
    ),
    "a row is cut off": (
        f"file,label\n{PICTURES}images/2.png\n",
        "mine/t.csv, line 4: expected 2 columns, found 1",
    ),
    "no column of many is called label": (
        f"file,{','.join(f'an_attribute_of_quite_a_long_name_{n}' for n in range(10))}\n"
        f"images/0.png{',1' * 10}\nimages/1.png{',2' * 10}\n",
        "mine/t.csv: expected a column called label, found file, an_attribute",
    ),
    "a class is missing": (
        f"file,label\n{PICTURES}images/2.png,\n",
        "mine/t.csv, line 4: expected a class, found none",
    ),
    "a picture has two": (
        f"file,label\n{PICTURES}images/1.png,a\n",
        "mine/images/1.png: expected one class and one split, found b train and a train",
    ),
    "a name that two have": (
        f"file,label\n{PICTURES}3.png,a\n",
        "mine/t.csv, line 4: expected the name of one picture, found that of images/3.png, "
        "masks/3.png",
    ),
    "it names one by another's ending": (
        f"file,label\n{PICTURES}images/2.jpg,a\n",
        "mine/t.csv: expected pictures in or below mine, found none called images/2.jpg",
    ),
    "it names one that lies in another folder": (
        f"file,label\n{PICTURES}masks/2.png,a\n",
        "mine/t.csv: expected pictures in or below mine, found none called masks/2.png",
    ),
    "two columns could name them": (
        "a,b,label\n0,1,x\n1,0,y\n",
        "mine/t.csv: expected one column that names pictures, found a, b; call it image",
    ),
    "two columns are of classes": (
        "file,class,classname\nimages/0.png,0,cat\nimages/1.png,1,dog\n",
        "mine/t.csv: expected one column of classes, found class, classname; rename all but one",
    ),
    "its names are numbers of something else": (
        "id,name\n0,cat\n",
        "mine/t.csv: expected names of at least half of a folder's pictures, found 1 of 5",
    ),
    "a split is of no kind": (
        f"file,label,split\n{PICTURES.replace(',a', ',a,train').replace(',b', ',b,kept')}",
        "mine/t.csv, line 3: expected train, val or test, found kept",
    ),
    "a quote is never closed": (
        'file,label\nimages/0.png,a\nimages/1.png,"b\nimages/2.png,a\n',
        "mine/t.csv, line 4: expected a class of at most 255 letters in a line, found b\\nimages",
    ),
    "it is in Latin-1": (
        f"file,label\n{PICTURES}images/2.png,\udce4\n",
        "mine/t.csv, line 4: expected text in UTF-8, found \\udce4",
    ),
    "a picture elsewhere": (
        f"file,label\n{PICTURES}../out/secret.png,a\n",
        "mine/t.csv: expected pictures in or below mine, found none called ../out/secret.png",
    ),
}


@pytest.mark.parametrize(
    "text, message",
    [
        pytest.param(*case, marks=fault(f"a table of pictures: {what}"), id=what)
        for what, case in WRONG_PICTURE_TABLES.items()
    ],
)
def test_a_table_of_pictures_that_is_wrong_is_refused(text: str, message: str) -> None:
    classes("images", count=4)
    picture("masks/3.png")
    picture("../out/secret.png")
    in_folder("t.csv", text.encode("utf-8", "surrogateescape"))
    found = refusal()
    assert found.startswith(message)
    assert "an_attribute" not in text or found.endswith("; rename that of the classes")


def in_folder(name: str, data: bytes) -> Path:
    path = Path("mine", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


NO_CLASS = "expected folders of pictures, one for each class, or all called as cat.1.png, found"
NONE = f"{NO_CLASS} no picture of"
BAD_FOLDERS: dict[str, tuple[Callable[[], Any], str]] = {
    "an empty folder": (lambda: None, f"{NO_CLASS} none"),
    "folders of text files": (
        lambda: [in_folder("a/notes.txt", b"hello"), in_folder("b/notes.txt", b"hello")],
        f"{NONE} a, b; left out: 2 .txt; .txt: save its table as .csv",
    ),
    "files of another program": (
        lambda: in_folder("train_32x32.mat", b"MATLAB 5.0 MAT-file"),
        f"{NO_CLASS} none; left out: 1 .mat; .mat: save its images as .npz, or its table of "
        "pictures as .csv",
    ),
    "a phone's pictures": (
        lambda: [in_folder("a/1.heic", b"\0\0\0\x18ftypheic"), in_folder("b/1.heic", b"")],
        f"{NONE} a, b; left out: 2 .heic; .heic: export it as JPEG",
    ),
    "a table of another program": (
        lambda: [classes("images"), in_folder("labels.xlsx", b"PK")],
        "expected 2 to 256 classes, found 1: images; .xlsx: save its table as .csv",
    ),
    "an archive": (
        lambda: in_folder("flowers.zip", b"PK"),
        f"{NO_CLASS} none; left out: 1 .zip; .zip: unpack it",
    ),
    "pictures with no folder of their class": (
        lambda: [picture("1.png"), picture("2.png")],
        f"{NO_CLASS} none; left out: 2 .png; name the folder above, if this is a class, "
        "or a table lies there",
    ),
    "pictures right below train and test, as of Kaggle's cats and dogs": (
        lambda: classes("train", "test1"),
        "expected a folder for each class: train/CLASS/1.png, found none in test1, train; "
        "if these are classes, name them in a file classes.txt",
    ),
    "classes in test and val, and no train": (
        lambda: classes("test/a", "test/b", "val/a", "val/b"),
        "expected classes alone, or train and test, found test, val without train; "
        "put the classes into a folder train, or take test, val away",
    ),
    "pictures of more pixels than an image may have": (
        lambda: classes("a", "b", count=1) and picture("a/x.png", noise(8, 8, 3)),
        "expected images of at most 4,194,304 values, found (2000, 2000, 3); "
        "set datasets.folder.image_size",
    ),
    "one class only": (lambda: classes("a"), "expected 2 to 256 classes, found 1: a"),
    "a folder of pictures beside a table that names others": (
        lambda: [classes("images"), in_folder("labels.csv", b"file,label\nx.png,a\n")],
        "expected 2 to 256 classes, found 1: images; labels.csv was not used: it begins "
        "x.png,a, and a picture is 0.png",
    ),
    "257 classes": (
        lambda: classes(*map(str, range(257)), count=1),
        "expected 2 to 256 classes, found 257: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ...",
    ),
    "a name of a class that is written in two ways": (
        lambda: classes("caf\u00e9", "cafe\u0301"),
        "expected classes that are told apart by their names, found two caf\u00e9",
    ),
    "two classes whose names look alike, once escaped": (
        lambda: classes("a\n", r"a\n"),
        r"expected classes that are told apart by their names, found two a\n",
    ),
    "a class without pictures": (
        lambda: [classes("a", "b"), in_folder("c/.DS_Store", b"")],
        f"{NONE} c; left out: 1 .DS_Store; take away what is no class",
    ),
    "classes.txt names a folder that is not there": (
        lambda: [classes("a", "b"), in_folder("classes.txt", b"a\nb\nd\n")],
        f"{NONE} d; take away what is no class",
    ),
    "classes.txt is no text": (
        lambda: [classes("a", "b"), in_folder("classes.txt", b"\xff\0\x81")],
        f"{NONE} \\udcff\\x00\\udc81; left out: 1 a/, 1 b/; "
        "classes.txt names these, the folders are a, b",
    ),
}


@pytest.mark.parametrize(
    "build, message",
    [pytest.param(*case, marks=fault(what), id=what) for what, case in BAD_FOLDERS.items()],
)
def test_a_folder_that_is_no_data_set_is_refused(build: Callable[[], Any], message: str) -> None:
    build()
    size = 2000 if "set datasets.folder.image_size" in message else None
    assert refusal(size=size) == f"mine: {message}"


def test_an_empty_classes_txt_says_nothing(gather: Gather) -> None:
    classes("a", "b")
    in_folder("classes.txt", b"\n")
    assert gather().about["classes"] == ["a", "b"]


@fault("classes.txt names a class twice")
def test_a_class_is_named_once() -> None:
    classes("a", "b")
    in_folder("classes.txt", b"a\nb\na\n")
    assert refusal() == "mine/classes.txt: expected each name once, found more of a"


@fault("there is nothing, a FIFO or a file of another kind at the path")
def test_a_place_that_holds_nothing_is_refused() -> None:
    in_folder("some.md", b"x")
    os.mkfifo("mine/some.npz")
    expected = "expected a folder, or a file .npz or .csv, found"
    hint = "; set datasets.folder.path"
    assert refusal("lost") == f"lost: {expected} nothing{hint}"
    assert refusal("mine/some.md") == f"mine/some.md: {expected} another file{hint}"
    assert refusal("mine/some.npz") == f"mine/some.npz: {expected} another file{hint}"
    in_folder("some.zip", b"PK")
    advice = "another file; .zip: unpack it"
    assert refusal("mine/some.zip") == f"mine/some.zip: {expected} {advice}"


@fault("no image is left to train on, or none to test on")
def test_both_splits_must_have_images() -> None:
    classes("a", "b", count=2)
    advice = "add a test set, or others: equal images stay together"
    found = "found 4 training and 0 test images"
    assert refusal(share=0) == f"mine: expected images to test on, {found}; {advice}"
    found = "found 0 training and 4 test images"
    advice = "call them train, or add images"
    assert refusal(share=1) == f"mine: expected images to train on, {found}; {advice}"


def bomb() -> bytes:
    """A PNG whose header promises 10⁹ pixels."""
    file = io.BytesIO()
    Image.fromarray(noise(4, 4)).save(file, "PNG")
    data = bytearray(file.getvalue())
    data[16:24] = struct.pack(">II", 50_000, 20_000)
    data[29:33] = struct.pack(">I", zipfile.zlib.crc32(data[12:29]))  # type: ignore[attr-defined]
    return bytes(data)


def cut() -> bytes:
    file = io.BytesIO()
    Image.fromarray(noise(64, 64)).save(file, "PNG")
    return file.getvalue()[:-100]


KNOWN = "expected PNG, JPEG, GIF, BMP, WebP, AVIF, TIFF or PPM, found"
BROKEN: dict[str, tuple[Callable[[], Any], str]] = {
    "is cut off": (lambda: in_folder("a/x.png", cut()), "image file is truncated"),
    "is empty": (lambda: in_folder("a/x.png", b""), f"{KNOWN} nothing"),
    "has a damaged header": (lambda: in_folder("a/x.png", cut()[:9]), f"{KNOWN} a damaged one"),
    "is a web page": (
        lambda: in_folder("a/x.JPG", b"<!DOCTYPE html>"),
        f"{KNOWN} the text <!DOCTYPE ht",
    ),
    "is a link that leads nowhere": (
        lambda: Path("mine/a/x.png").symlink_to("lost"),
        "no such file",
    ),
    "is a FIFO": (lambda: os.mkfifo("mine/a/x.png"), "no such file"),
    "has pixels that are floats": (
        lambda: picture("a/x.tif", np.ones((8, 8), np.float32)),
        "expected whole numbers as pixels, found floats",
    ),
    "promises 10⁹ pixels": (lambda: in_folder("a/x.png", bomb()), "1000000000 pixels"),
}


@pytest.mark.parametrize(
    "build, message",
    [
        pytest.param(
            *case,
            marks=fault(f"a picture {what}", "a line for each of the first ten says why"),
            id=what,
        )
        for what, case in BROKEN.items()
    ],
)
def test_a_broken_picture_is_named_with_the_reason(build: Callable[[], Any], message: str) -> None:
    classes("a", "b")
    build()
    with pytest.raises(SystemExit) as end:
        own.gather(Path("mine"), Path("out"), **USUAL)
    first, second = str(end.value).splitlines()
    advice = "delete or replace them; see docs/own-data.md"
    assert first == f"1 of 41 pictures cannot be read; {advice}; the first:"
    assert re.match(r"  mine/a/x\.\w+: ", second) and message in second


@fault("many pictures are broken", "one error says how many, and names the first ten")
def test_of_many_broken_pictures_the_first_ten_are_named() -> None:
    classes("a", "b")
    for number in range(2000):
        in_folder(f"a/broken{number}.png", b"")
    with pytest.raises(SystemExit) as end:
        own.gather(Path("mine"), Path("out"), **USUAL)
    first, *others = str(end.value).splitlines()
    assert first.startswith("2,000 of 2,040 pictures cannot be read") and len(others) == 10


PICKLED = np.array(["a", None, {}] * 10, object)
SAVED = "mine/some.npz: expected arrays that NumPy saved without pickle, found"
CALLED = "expected arrays called x_train and y_train, or train_images and train_labels, found no"
PIXELS = "mine: expected pixels from 0 to 255, found"
SHAPES = "mine: expected images (N, H, W) or (N, H, W, 3), found an array"
WRONG_ARRAYS: dict[str, tuple[dict[str, Any], str]] = {
    "labels that are pickled": ({"y_train": PICKLED}, f"{SAVED} Array can't be memory-mapped"),
    "images that are pickled": ({"x_test": PICKLED}, f"{SAVED} Array can't be memory-mapped"),
    "no labels": ({"y_test": None}, f"mine/some.npz: {CALLED} labels of test"),
    "no array of a known name": (
        dict.fromkeys(["x_train", "y_train", "x_test", "y_test"]) | {"arr_0": noise(3, 8, 8)},
        f"mine/some.npz: {CALLED} images of train",
    ),
    "two arrays of one meaning": (
        {"test_images": noise(30, 8, 8)},
        "mine/some.npz: expected one array of test images in all: leave out the others, or join "
        "them, found x_test.npy and test_images.npy",
    ),
    "fewer labels than images": (
        {"y_train": np.arange(29)},
        "mine: expected 30 labels, one for each train image, found an array (29,) of int64",
    ),
    "several labels for an image": (
        {"y_train": noise(30, 14)},
        "mine: expected 30 labels, one for each train image, found an array (30, 14) of uint8",
    ),
    "labels that are dates": (
        {"y_train": np.zeros(30, "datetime64[s]")},
        "mine: expected 30 labels, one for each train image, found an array (30,) of datetime64[s]",
    ),
    "labels that would run in a page of plots": (
        {"y_test": np.array(["</script><script>alert(1)</script>", "<b>", "2"] * 10)},
        "mine: expected names of classes without HTML, found </script><script>alert(1)</script>",
    ),
    "a label of 256 letters": (
        {"y_test": np.array(["a", "b", "c" * 256] * 10)},
        "mine: expected 30 labels, one for each test image, found an array (30,) of <U256",
    ),
    "images of no bytes": (
        {"x_train": np.zeros((30, 8, 8), "V0")},
        "mine: expected numbers as pixels, found |V0",
    ),
    "text in place of images": (
        {"x_train": np.full((30, 8, 8), "x")},
        "mine: expected numbers as pixels, found <U1",
    ),
    "a label for nearly each image": (
        {"x_train": noise(300, 8, 8), "y_train": np.arange(300) / 7},
        "mine: expected 2 to 256 classes, found 303: 0, 0.0, 0.2857142857142857, ",
    ),
    "labels that no whole number can hold": (
        {"y_train": np.full(30, 1e300), "y_test": np.full(30, np.inf)},
        "mine: expected a label of each image, found inf of some",
    ),
    "one label": (
        {"y_train": np.zeros(30), "y_test": np.zeros(30)},
        "mine: expected 2 to 256 classes, found 1: 0",
    ),
    "measurements in place of images": (
        {"x_train": noise(30, 12)},
        "mine: expected images of at least 16 pixels, found an array (30, 12)",
    ),
    "a model's labels in place of the true ones": (
        {"y_train": None, "y_pred": np.arange(30) % 3},
        f"mine/some.npz: {CALLED} labels of train, but y_pred.npy",
    ),
    "images in rows that are no square": ({"x_train": noise(30, 63)}, f"{SHAPES} (30, 63)"),
    "images of four colours": ({"x_train": noise(30, 8, 8, 4)}, f"{SHAPES} (30, 8, 8, 4)"),
    "no images": ({"x_train": noise(0, 8, 8), "y_train": noise(0)}, f"{SHAPES} (0, 8, 8)"),
    "a number in place of images": ({"x_train": np.array(3)}, f"{SHAPES} ()"),
    "images of other sizes in test": (
        {"x_test": noise(30, 9, 9)},
        "mine: expected images of (8, 8) in all, found (9, 9)",
    ),
    "pixels from -1 to 1": (
        {"x_train": np.linspace(-1, 1, 1920).reshape(30, 8, 8)},
        f"{PIXELS} -1 to 1 in train; bring them there first",
    ),
    "pixels of 16 bits": (
        {"x_train": np.arange(1920, dtype=np.uint16).reshape(30, 8, 8)},
        f"{PIXELS} 0 to 1919 in train; bring them there first",
    ),
    "pixels that are no numbers (NaN)": (
        {"x_train": np.full((30, 8, 8), np.nan)},
        f"{PIXELS} nan to nan in train; bring them there first",
    ),
    "pixels that are infinite": (
        {"x_train": np.full((30, 8, 8), np.inf)},
        f"{PIXELS} inf to inf in train; bring them there first",
    ),
    "pixels from 0 to 16": (
        {"x_train": noise(30, 8, 8) // 15},
        f"{PIXELS} 0 to 17 in train; multiply them by 15 first",
    ),
    "floats from 0 to 1 that were cut to 0 and 1": (
        {"x_test": noise(30, 8, 8) // 200},
        f"{PIXELS} 0 to 1 in test; multiply them by 255 first",
    ),
    "images on which nothing is": (
        {"x_train": noise(30, 8, 8) * 0},
        f"{PIXELS} 0 to 0 in train; nothing is on them",
    ),
    "pixels that are complex": (
        {"x_train": np.ones((30, 8, 8), complex)},
        "mine: expected numbers as pixels, found complex128",
    ),
}


@pytest.mark.parametrize(
    "arrays, message",
    [
        pytest.param(*case, marks=fault(f".npz: {what}"), id=what)
        for what, case in WRONG_ARRAYS.items()
    ],
)
def test_arrays_that_are_no_data_set_are_refused(arrays: dict[str, Any], message: str) -> None:
    npz(**arrays)
    assert refusal().startswith(message)


@fault(".npy: files that are neither images and labels nor drawings of a class each")
@pytest.mark.parametrize(
    "files",
    [
        {"atrain": noise(30, 8, 8), "btrain": np.arange(30)},
        {"cat": noise(30, 784), "dog": noise(30, 784) / 255},
        {"cat": noise(30, 784), "dog": noise(0, 784)},
        {"cat": noise(30, 784), "dog": np.array(5)},
        {"train": noise(30, 784), "test": noise(30, 784)},
        {"images": noise(30, 784), "masks": noise(30, 784)},
        {f"{number:03}": noise(1, 784) for number in range(257)},
    ],
)
def test_arrays_that_say_neither_what_they_are_nor_a_class_are_refused(
    files: dict[str, np.ndarray],
) -> None:
    for name, array in files.items():
        np.save(f"mine/{name}.npy", array)
    expected = "x_train.npy and y_train.npy, or a file of drawings uint8 (N, 784) for each class"
    assert f": expected {expected}, found " in refusal()


def npy(data: np.ndarray, shape: tuple[int, ...]) -> bytes:
    """An .npy file whose header tells this shape."""
    file = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + data.tobytes()


def archive(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members.items():
            packed.writestr(f"{name}.npy", data)
    return file.getvalue()


def flipped(data: bytes) -> bytes:
    """The same with another bit in the middle of an array."""
    return data[:300] + bytes([data[300] ^ 1]) + data[301:]


DAMAGED: dict[str, tuple[Callable[[], bytes], str]] = {
    "no zip file": (lambda: b"PK nothing", "File is not a zip file"),
    "cut off": (lambda: archive(x_train=npy(noise(9, 8, 8), (9, 8, 8)))[:-40], "File is not a zip"),
    "a bit flipped": (
        lambda: flipped(archive(x_train=npy(noise(9, 8, 8), (9, 8, 8)))),
        "Bad CRC-32",
    ),
    "a letter too many": (
        lambda: archive(x_train=npy(noise(9, 8, 8), (9, 8, 8))).replace(b"x_train", b"x_trainx", 1),
        "Bad magic number for file header",
    ),
    "an index that leads out of it": (
        lambda: archive(x_train=npy(noise(9, 8, 8), (9, 8, 8))).replace(b"PK\1\2", b"PK\1\3"),
        "Bad magic number for central directory",
    ),
    "a member that is no array": (lambda: archive(x_train=b"hello world!"), "the magic string"),
    "an array that promises more than is there": (
        lambda: archive(x_train=npy(noise(9), (10**6, 8, 8))),
        "mmap length is greater than file size",
    ),
    "an array that promises 10²⁸ bytes": (
        lambda: archive(x_train=npy(noise(9), (10**14, 10**14))),
        "mmap length is greater than file size",
    ),
}


@pytest.mark.parametrize(
    "data, message",
    [pytest.param(*case, marks=fault(f".npz: {what}"), id=what) for what, case in DAMAGED.items()],
)
def test_a_damaged_archive_is_refused(data: Callable[[], bytes], message: str) -> None:
    in_folder("some.npz", data())
    assert refusal().startswith(f"{SAVED} {message}")


@fault(".npz: a bomb, 128 MB of zeros", f"{LINE}; nothing of it is unpacked")
def test_a_bomb_is_not_unpacked() -> None:
    with (
        zipfile.ZipFile("mine/some.npz", "w", zipfile.ZIP_DEFLATED) as packed,
        packed.open("x_train.npy", "w") as member,
    ):
        member.write(npy(noise(0), (2**27,)))
        for _ in range(32):
            member.write(bytes(2**22))
    tracemalloc.start()
    assert refusal() == f"{SAVED} x_train.npy, which unpacks to 134,217,856 bytes"
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()


@fault("IDX: a bomb, 128 MB of zeros", f"{LINE}; nothing of it is unpacked")
def test_a_gzipped_bomb_of_images_is_not_unpacked() -> None:
    idx_file("train-labels-idx1-ubyte", np.zeros(128, np.uint8))
    with gzip.open("mine/train-images-idx3-ubyte.gz", "wb") as file:
        file.write(idx.header((128, 1024, 1024)))
        for _ in range(128):
            file.write(bytes(2**20))
    expected = "expected 134,217,728 bytes of data, as its header says, found a file of 130,"
    assert refusal().startswith(f"mine/train-images-idx3-ubyte.gz: {expected}")


@fault("IDX: a bomb of labels", f"{LINE}; nothing of it is unpacked")
def test_a_gzipped_bomb_of_labels_is_not_unpacked() -> None:
    idx_file("train-images-idx3-ubyte", noise(128, 8, 8))
    with gzip.open("mine/train-labels-idx1-ubyte.gz", "wb") as file:
        file.write(idx.header((2**27,)))
        for _ in range(128):
            file.write(bytes(2**20))
    expected = "expected 134,217,728 bytes of data, as its header says, found a file of 130,"
    assert refusal().startswith(f"mine/train-labels-idx1-ubyte.gz: {expected}")


@fault(".npz: a member called ../../x_train", "nothing is written elsewhere")
def test_a_member_whose_name_leads_elsewhere_writes_nothing_there(gather: Gather) -> None:
    members: dict[str, Any] = {"../../x_train": noise(30, 8, 8), "/y_train": np.arange(30) % 3}
    np.savez("mine/some.npz", **members)
    before = {*Path().rglob("*")}
    gather(share=0.5)
    after = {path for path in Path().rglob("*") if path.parts[0] != "out"}
    assert after <= before and not Path("/y_train.npy").exists()


def line(*cells: object) -> str:
    return ",".join(map(str, cells)) + "\n"


GOOD = line(3, *range(0, 256, 4))
WRONG_TABLES: dict[str, tuple[dict[str, str], str]] = {
    "it is empty": (
        {"a": ""},
        "mine/a.csv: expected lines of a label and the pixels of a square image, found 1 columns",
    ),
    "it names pictures": (
        {"a": "file,label\n0.png,a\n"},
        "mine/a.csv: expected lines of a label and the pixels of a square image, found 2 columns; "
        "a table that names pictures lies beside or above them, and has their names in a column",
    ),
    "it has several columns beside the pixels": (
        {"a": f"age,gender,pixels\n20,1,{' '.join(map(str, range(16)))}\n"},
        "mine/a.csv: expected lines of a label and the pixels of a square image, found 18 columns; "
        "leave out all of age, gender but the label, and splits in a column split",
    ),
    "a column of splits has a word that is none": (
        {"a": line("label", *[f"p{i}" for i in range(64)], "split") + f"{GOOD[:-1]},dve\n"},
        "mine/a.csv: expected train, val or test in the column split, found dve; or call "
        "that column otherwise",
    ),
    "a column of splits that counts 0 and 1 has another number": (
        {"a": line("label", *[f"p{i}" for i in range(64)], "is_test") + f"{GOOD[:-1]},2\n"},
        "mine/a.csv: expected 0 or 1 in the column is_test, found 2; or call that column otherwise",
    ),
    "a column of splits, and none of labels": (
        {"a": line("split", *[f"p{i}" for i in range(64)]) + GOOD.replace("3", "train", 1)},
        "mine/a.csv: expected a column of labels, found split alone, which says splits",
    ),
    "a column of splits that is called otherwise, and none of labels": (
        {
            "a": line("phase", *[f"p{i}" for i in range(64)])
            + "".join(GOOD.replace("3", word, 1) for word in ("train", "test"))
        },
        "mine/a.csv: expected a column of labels, found phase alone, which says splits",
    ),
    "a model's results name pictures": (
        {"results": "file,label\n0.png,a\n"},
        "mine/results.csv: expected lines of a label and the pixels of a square image, found 2 "
        "columns; results.csv is called as a model's results: if it is none, rename it",
    ),
    "an image's pixels are in one cell, in brackets": (
        {"a": "emotion,pixels,Usage\n0,[70 80 82],Training\n"},
        "mine/a.csv: expected lines of a label and the pixels of a square image, found 3 columns; "
        "write all of an image in a cell as 0 255 0, or give each a column",
    ),
    "its columns are measurements": (
        {"a": f"quality,{','.join(ascii_lowercase[:16])}\n{line(3, *range(16))}"},
        "mine/a.csv: expected columns of pixels, as pixel0, pixel1, found a, b, c",
    ),
    "it has too few numbers for an image": (
        {"a": line(1, *range(9))},
        "mine/a.csv: expected at least 16 pixels a line, found 9",
    ),
    "there is a header alone": (
        {"a": line("label", *[f"p{i}" for i in range(64)])},
        f"{SHAPES} (0, 8, 8)",
    ),
    "pixels that make no square": (
        {"a": line(3, *range(70))},
        "mine/a.csv: expected lines of a label and the pixels of a square image, found 71 columns",
    ),
    "an index beside the label, as Pandas writes it": (
        {"a": line(0, 3, *range(64))},
        "mine/a.csv: expected lines of a label and the pixels of a square image, "
        "found 66 columns; is one an index? leave it out",
    ),
    "the label last, and no header": (
        {"a": "".join(line(*noise(64), label) for label in (0, 1, 2))},
        "mine/a.csv: expected labels in the first column, or a header that says where, "
        "found 3 classes in the last",
    ),
    "the label last, with gaps, and no header": (
        {"a": "".join(line(*noise(64), 7 * (at % 4)) for at in range(40))},
        "mine/a.csv: expected labels in the first column, or a header that says where, "
        "found 4 classes in the last",
    ),
    "pixels sorted by the letters of their names": (
        {"a": line("label", *sorted(f"p{i}" for i in range(64))) + GOOD},
        "mine/a.csv: expected pixels in the order of their numbers, found p2 after p19; "
        "sort the columns",
    ),
    "labels that R writes where there are none": (
        {"a": GOOD + GOOD.replace("3", "4", 1) + GOOD.replace("3", "NA", 1)},
        "mine: expected a label of each image, found NA of some",
    ),
    "a line is cut off": (
        {"a": 5 * GOOD + "3,1,2\n"},
        "mine/a.csv, line 6: expected 65 columns, found 3",
    ),
    "a pixel is a word": (
        {
            "a": line("label", *[f"p{i}" for i in range(64)])
            + 3 * GOOD
            + "\n"
            + GOOD.replace("16", "x")
        },
        "mine/a.csv, line 6: expected numbers as pixels, found could not convert string 'x'",
    ),
    "a pixel is missing": (
        {"a": 2 * GOOD + GOOD.replace(",16,", ",,")},
        "mine/a.csv, line 3: expected numbers as pixels, found could not convert string ''",
    ),
    "a label of 256 letters": (
        {"a": GOOD + line(256 * "x", *range(64))},
        "mine/a.csv, line 2: expected a label of at most 255 letters, found one of 256",
    ),
    "it is no text": ({"a": "\0\1\2" * 99}, "mine/a.csv: expected lines of a label"),
    "pixels alone": (
        {"a": line(*range(64))},
        "mine: expected a CSV file with labels, or train.csv and test.csv, found a.csv",
    ),
    "two files of one split": (
        {"a-test": GOOD, "a-train": GOOD, "b-train": GOOD},
        "mine/b-train.csv: expected one CSV file of train images, found two",
    ),
    "several files of which none says what it is": (
        {"a": GOOD, "b": GOOD},
        "mine: expected a CSV file with labels, or train.csv and test.csv, found a.csv, b.csv",
    ),
    "a test file and none to train on": ({"a-test": GOOD, "c": GOOD}, "mine: expected a CSV file"),
}


@pytest.mark.parametrize(
    "files, message",
    [
        pytest.param(*case, marks=fault(f"CSV: {what}"), id=what)
        for what, case in WRONG_TABLES.items()
    ],
)
def test_tables_that_are_no_data_set_are_refused(files: dict[str, str], message: str) -> None:
    for name, text in files.items():
        in_folder(f"{name}.csv", text.encode())
    assert refusal().startswith(message)


@fault("labels that classes.txt does not name")
@pytest.mark.parametrize(
    "labels, found", [([0, 1, 4], "4"), ([0, 1, 3], "0, 1, 3"), (["a", "b", "cat"], "a, b")]
)
def test_labels_must_be_in_classes_txt(labels: list[Any], found: str) -> None:
    npz(y_train=np.array(labels * 10), y_test=np.array(labels * 10))
    in_folder("classes.txt", b"cat\ndog\nbird\n")
    assert refusal() == (
        f"mine: expected labels 0 to 2, or names, as classes.txt has 3, found the label {found}"
    )


@fault("labels of which classes.txt has more, so that they may count from 0 or 1")
def test_labels_say_where_they_begin_to_count() -> None:
    npz(y_train=np.arange(30) % 2 + 1, y_test=np.arange(30) % 2 + 1)
    in_folder("classes.txt", b"cat\ndog\nbird\n")
    expected = "a label 0 or 3, to tell whether lines of classes.txt count from 0 or 1"
    assert refusal() == f"mine: expected {expected}, found 1, 2"


@fault("own data are refused", "no file of scratch stays")
def test_a_refusal_leaves_no_scratch() -> None:
    npz(x_train=np.full((30, 8, 8), -1))
    refusal()
    assert not [path for path in Path("out").iterdir() if path.name not in idx.FILES.values()]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_pictures() -> None:
    classes("a", "b", count=100)

    def peak() -> int:
        tracemalloc.start()
        own.gather(Path("mine"), Path("out"), size=64, colour=True, share=0.2)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak()
    few = peak()
    for copy in range(9):
        for name in ("a", "b"):
            for number in range(100):
                os.link(f"mine/{name}/{number}.png", f"mine/{name}/{copy}-{number}.png")
    assert len([*Path("mine").rglob("*.png")]) == 2000
    assert peak() < few + 16 * 2**20
