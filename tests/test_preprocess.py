"""What stages/preprocess.py makes of IDX files, and what it refuses."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from digits import idx
from digits.preparation import Preparation
from stages import preprocess

ROOT = Path(__file__).parents[1]
RAW, PROCESSED = idx.FOLDER, Path("data/processed")
SPLITS = {"train": 12, "test": 6}
FILES = {"_".join(key): name for key, name in idx.FILES.items()}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(key, array):
    RAW.mkdir(parents=True, exist_ok=True)
    with idx.create(RAW / FILES[key], array.shape) as file:
        file.write(array.tobytes())


def about(**values):
    """Write what download says of a data set."""
    values = {"name": "noise", "classes": None, "own": False, "pictures": None} | values
    (RAW / "dataset.json").write_text(json.dumps(values))


def raw(classes=10, shape=(28, 28), counts=SPLITS):
    """Write four IDX files, each class in each split if there are enough; return their arrays."""
    rng, made = np.random.default_rng(0), {}
    for split, count in counts.items():
        made[f"{split}_images"] = rng.integers(0, 256, (count, *shape), np.uint8)
        made[f"{split}_labels"] = (np.arange(count)[::-1] % classes).astype(np.uint8)
    for key, array in made.items():
        write(key, array)
    about()
    return made


def run(train_size=None, invert=None):
    values = SimpleNamespace(train_size=train_size, invert=invert)
    preprocess.main(SimpleNamespace(preprocess=values))
    return {path.stem: np.load(path) for path in sorted(PROCESSED.glob("*.npy"))}


def outputs():
    return {path.name: path.read_bytes() for path in sorted(PROCESSED.iterdir())}


def refusal(train_size=None):
    with pytest.raises(SystemExit) as error:
        run(train_size)
    return str(error.value)


@pytest.mark.parametrize("split, count", SPLITS.items())
def test_images_are_float32_with_one_channel(split, count):
    raw()
    images = run()[f"{split}_images"]
    assert (images.dtype, images.shape) == (np.float32, (count, 28, 28, 1))


def test_every_pixel_is_its_byte_over_255_in_float32():
    raw(shape=(16, 16))
    write("train_images", np.tile(np.arange(256, dtype=np.uint8).reshape(1, 16, 16), (12, 1, 1)))
    found = run()["train_images"][-1].ravel()
    assert np.array_equal(found, np.array([k / 255 for k in range(256)], np.float32))
    assert found[0] == 0 and found[255] == 1


def test_images_keep_their_order_and_their_pixels_place():
    made = raw(shape=(5, 7))
    for split in SPLITS:
        assert np.array_equal(
            np.rint(run()[f"{split}_images"][..., 0] * 255), made[f"{split}_images"]
        )


def test_each_label_is_a_row_with_a_single_1_at_its_class():
    made = raw()
    labels = run()["test_labels"]
    assert (labels.dtype, labels.shape) == (np.float32, (6, 10))
    assert (labels.sum(axis=1) == 1).all() and np.count_nonzero(labels) == 6
    assert np.array_equal(labels.argmax(axis=1), made["test_labels"])


@pytest.mark.parametrize(
    "classes, shape", [(4, (8, 8)), (62, (28, 28)), (256, (8, 6)), (2, (1, 1))], ids=str
)
def test_classes_and_size_are_those_of_the_files(classes, shape):
    raw(classes, shape, {"train": 300, "test": 260})
    arrays = run()
    assert arrays["train_images"].shape == (300, *shape, 1)
    assert arrays["test_labels"].shape == (260, classes) and arrays["test_labels"].any(axis=0).all()


def test_labels_that_are_all_0_have_two_classes():
    raw(classes=1)
    assert run()["train_labels"].tolist() == [[1, 0]] * 12


@pytest.mark.parametrize("size", [1, 5, 12])
def test_train_size_takes_the_first_images_and_labels(size):
    raw()
    everything, some = run(), run(size)
    for key in ("train_images", "train_labels"):
        assert np.array_equal(some[key], everything[key][:size])


def test_train_size_leaves_the_test_set_and_the_classes_as_they_are():
    raw()
    everything, some = run(), run(2)
    assert some["train_labels"].shape == (2, 10)
    for key in ("test_images", "test_labels"):
        assert np.array_equal(some[key], everything[key])


def test_a_train_size_beyond_one_chunk_takes_that_many():
    made = raw(shape=(2, 2), counts={"train": 9_000, "test": 10})
    images = run(5_000)["train_images"]
    assert np.array_equal(np.rint(images[..., 0] * 255), made["train_images"][:5_000])


def test_more_images_than_there_are_are_refused():
    raw()
    assert refusal(13) == "params.yaml: preprocess.train_size: expected at most 12, found 13"


@pytest.mark.parametrize("split, count", SPLITS.items())
def test_a_label_too_few_is_refused(split, count):
    made = raw()
    write(f"{split}_labels", made[f"{split}_labels"][1:])
    path = RAW / FILES[f"{split}_labels"]
    assert refusal() == f"{path}: expected {count} labels, one for each image, found {count - 1}"


def test_a_label_beyond_the_classes_is_refused():
    raw()
    write("test_labels", np.array([0, 1, 2, 3, 10, 5], np.uint8))
    each = "one for each class"
    assert refusal() == f"{RAW}: expected test labels from 0 to 9, {each}, found 10"
    about(classes=["cat", "dog"])
    assert refusal() == f"{RAW}: expected training labels from 0 to 1, {each}, found 9"


def test_test_images_of_another_size_are_refused():
    raw()
    write("test_images", np.zeros((6, 28, 27), np.uint8))
    assert (
        refusal()
        == f"{RAW}: expected test images of (28, 28) pixels, as in training, found (28, 27)"
    )


def test_test_images_of_other_classes_than_those_of_training_are_refused():
    """As where training is labelled by names, and the test by numbers."""
    made = raw(classes=4)
    write("train_labels", made["train_labels"] % 2)
    write("test_labels", made["test_labels"] % 2 + 2)
    about(classes=["cat", "dog", "0", "1"])
    with pytest.raises(SystemExit, match="of classes that training images have, found none"):
        run()


@pytest.mark.parametrize("name", [*FILES.values(), "dataset.json"])
def test_a_missing_file_is_named(name):
    raw()
    (RAW / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        run()


@pytest.mark.parametrize("key", FILES)
def test_a_file_cut_in_the_middle_is_refused(key):
    raw()
    path = RAW / FILES[key]
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2 + 4])
    assert refusal(train_size=1).startswith(f"{path}: expected ")


def test_training_images_and_labels_swapped_are_refused():
    raw()
    images, labels = RAW / FILES["train_images"], RAW / FILES["train_labels"]
    images.rename(RAW / "images")
    labels.rename(images)
    (RAW / "images").rename(labels)
    assert refusal().startswith(f"{images}: expected an IDX file of images")


def ink(count=40, paper=0, seed=0):
    """Images with a bright square on dark paper, or a dark one on light, and their labels."""
    rng = np.random.default_rng(seed)
    images = np.full((count, 12, 12), paper, np.uint8)
    images[:, 4:8, 4:8] = abs(paper - rng.integers(150, 250, (count, 4, 4)))
    return images, (np.arange(count) % 2).astype(np.uint8)


def own(train, test, **values):
    """Write somebody's own data: pairs of images and labels."""
    RAW.mkdir(parents=True, exist_ok=True)
    for split, pair in (("train", train), ("test", test)):
        for kind, array in zip(("images", "labels"), pair):
            write(f"{split}_{kind}", array)
    about(own=True, **values)


def described():
    return json.loads((PROCESSED / "preparation.json").read_text())


def test_own_data_come_in_an_order_that_their_names_and_places_do_not_change():
    images, labels = ink()
    own((images, labels), ink(10, seed=1))
    first = run()
    order = np.random.default_rng(1).permutation(len(labels))
    own((images[order], labels[order]), ink(10, seed=1))
    again = run()
    assert all(np.array_equal(first[key], again[key]) for key in first)
    shown = first["train_labels"].argmax(axis=1)
    assert not np.array_equal(shown, labels) and not np.array_equal(shown, np.sort(labels))
    assert sorted(map(np.ndarray.tobytes, np.uint8(255 * first["train_images"] + 0.5))) == sorted(
        map(np.ndarray.tobytes, images)
    )


@pytest.mark.parametrize("paper, inverted", [(0, False), (255, True)])
def test_own_ink_is_light_on_dark_and_told_if_it_was_not(capsys, paper, inverted):
    own(ink(paper=paper), ink(10, paper=paper, seed=1))
    arrays = run()
    assert arrays["train_images"][:, 0, 0].max() == 0 and arrays["train_images"].max() > 0.5
    assert described()["inverted"] == inverted and described()["search"]
    assert ("dark ink on light paper: inverted" in capsys.readouterr().out) == inverted
    run(invert=False)
    # what is cut out of a photo is light ink, as only these images show it
    assert not described()["inverted"] and described()["search"] != inverted


def test_a_published_data_set_and_photos_are_not_inverted():
    own(ink(paper=255), ink(10, paper=255))
    about(own=False)
    run()
    assert not described()["inverted"]
    photos = np.random.default_rng(0).integers(0, 256, (2, 40, 12, 12, 3), np.uint8)
    labels = (np.arange(40) % 2).astype(np.uint8)
    own((photos[0], labels), (photos[1], labels), classes=["cat", "dog"])
    assert run()["train_images"].shape == (40, 12, 12, 3)
    found = described()
    assert not found["inverted"] and not found["search"]
    assert (found["classes"], found["channels"]) == (["cat", "dog"], 3)


def test_pixels_that_fill_a_small_part_of_their_range_are_told(capsys):
    """Such as 12 bits saved as 16."""
    (images, labels), test = ink(60), ink(10, seed=1)
    own((images // 16, labels), test)
    run()
    assert "pixels are 0 to 15 of 0 to 255, so next to nothing" in capsys.readouterr().out


def test_what_looks_wrong_is_told_with_what_to_do(capsys):
    images, labels = ink(60)
    labels[:5] = 2
    labels[labels == 1] = 0
    test_images, test_labels = ink(10, seed=1)
    twice = [10, 11, 10]
    test_images[:3], test_labels[:3] = images[twice], labels[twice]
    own((images, labels), (test_images, test_labels), classes=["cat", "dog", "fox"])
    run()
    told = [line for line in capsys.readouterr().out.splitlines() if "looks wrong" in line]
    assert told == [
        "looks wrong: classes with fewer than 10 training images (add some, or leave the class "
        "out): dog (0), fox (5)",
        "looks wrong: classes without test images, so not tested (add some): fox",
        "looks wrong: only 10 test images: a mistake more, and the test accuracy is 10.0 % less "
        "(add some)",
        "looks wrong: 3 of 10 test images are training images too, so the test accuracy will be "
        "too high: take them out of one of the two",
    ]


def test_what_looks_wrong_is_told_of_the_images_that_are_kept(capsys):
    images, labels = ink(60)
    own((images, labels), (images, labels), classes=["cat", "dog"])
    run(train_size=20)
    told = capsys.readouterr().out
    assert "20 of 60 test images are training images too" in told
    assert "classes with fewer than 10 training images" in told


@pytest.mark.parametrize("paper", [0, 255])
def test_symbols_wider_than_tall_are_told_but_not_pictures_of_things(capsys, paper):
    images, labels = ink(paper=paper)
    images[:, 4] = images[:, 7] = paper
    for turned, classes, told in (
        (images, ["0", "1"], True),
        (images.swapaxes(1, 2), ["0", "1"], False),
        (images, ["shoe", "bag"], False),
    ):
        own((turned, labels), (turned, labels), classes=classes)
        run()
        assert ("wider than tall: transposed" in capsys.readouterr().out) == told


@pytest.mark.parametrize("lying", ["training", "test"])
def test_splits_that_lie_otherwise_are_told(capsys, lying):
    (images, labels), (tests, test_labels) = ink(), ink(seed=1)
    for part in [images] * (lying == "training") + [tests] * (lying == "test"):
        part[:, 4] = part[:, 7] = 0
    own((images, labels), (tests, test_labels), classes=["10", "11"])
    run()
    said = f"most symbols of the {lying} images are wider than tall"
    assert said in capsys.readouterr().out


def test_ink_that_is_dark_in_one_split_alone_is_told(capsys):
    own(ink(), ink(paper=255, seed=1))
    run()
    assert "ink is dark in one of training and test images" in capsys.readouterr().out


def test_an_image_of_two_classes_is_told_and_a_leak_whatever_its_label(capsys):
    images, labels = ink()
    own((images, labels), (images[:5], 1 - labels[:5]))
    run()
    told = capsys.readouterr().out
    assert "images that stand in two classes: 5" in told
    assert "5 of 5 test images are training images too" in told


def test_a_shorter_run_leaves_nothing_of_a_longer_one():
    raw()
    run(3)
    short = outputs()
    run()
    run(3)
    assert outputs() == short


PEAK = """
import threading
from types import SimpleNamespace
from stages import preprocess

def resident():
    return int(open("/proc/self/status").read().split("RssAnon:")[1].split()[0]) / 1024

def watch():
    while not done.wait(0.001):
        seen.append(resident())

before, seen, done = resident(), [0.0], threading.Event()
watcher = threading.Thread(target=watch, daemon=True)
watcher.start()
preprocess.main(SimpleNamespace(preprocess=SimpleNamespace(train_size=None, invert=None)))
done.set()
watcher.join()
print(max(seen) - before)
"""


def mebibytes(count, shape):
    """The most anonymous memory that `count` training images took, after the imports."""
    raw(classes=2, shape=shape, counts={"train": count, "test": 2})
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return float(subprocess.check_output([sys.executable, "-c", PEAK], env=environment, text=True))


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize(
    "few, many, shape",
    [(2_000, 20_000, (28, 28)), (2, 100, (1000, 1000))],
    ids=["small images", "large images"],
)
def test_memory_does_not_grow_with_the_number_of_images(few, many, shape):
    assert mebibytes(many, shape) - mebibytes(few, shape) < 60


@pytest.mark.parametrize("inverted", [False, True])
def test_only_paper_of_the_other_kind_makes_predict_search_an_image_of_the_training_size(
    inverted: bool,
) -> None:
    """Ink that touches the border leaves it between the two."""
    data = Preparation("mine", ["0", "1"], 8, 8, 1, inverted=inverted, search=True)
    light, between, dark = (np.full((8, 8, 1), value, np.uint8) for value in (255, 128, 0))
    assert data.has_other_paper(light) is not inverted
    assert data.has_other_paper(dark) is inverted
    assert not data.has_other_paper(between)
