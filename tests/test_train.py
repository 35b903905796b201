"""Facts of the network, the split, the order of the images, and the archive."""

import json
import zipfile
from pathlib import Path

from stages import network as networks
from stages import train

import keras
import numpy as np
import pytest
from conftest import ROOT, Project
from ruamel.yaml import YAML

RECIPE = YAML(typ="safe").load(ROOT / "params.yaml")["recipes"]["original"]


def test_the_original_network_has_242062_parameters() -> None:
    network = networks.build(RECIPE, (28, 28, 1), 10)
    assert network.count_params() == 242_062
    assert [type(layer).__name__ for layer in network.layers] == [
        *("Conv2D", "MaxPooling2D", "ReLU", "Conv2D", "MaxPooling2D", "ReLU", "Flatten", "Dense", "Dense", "Softmax")
    ]


def test_the_original_recipe_is_that_of_the_write_up() -> None:
    assert RECIPE["optimizer"] == {"class": "Adam", "learning_rate": 0.001}
    assert (RECIPE["batch_size"], RECIPE["epochs"], RECIPE["validation_split"]) == (128, 5, 0.33)


def test_a_validation_split_of_033_trains_on_the_first_40199_of_60000() -> None:
    assert train.split(60_000, 0.33) == 40_199
    assert train.split(60_000, 0) == 60_000


def orders(seed: int) -> tuple[list[int], list[int]]:
    images, labels = np.arange(10, dtype=np.float32).reshape(10, 1, 1, 1), np.eye(10, dtype=np.float32)
    batches = train.batches(images, labels, batch_size=3, epochs=2, seed=seed).as_numpy_iterator()
    seen = [int(image) for batch, _ in batches for image in batch.ravel()]
    return seen[:10], seen[10:]


def test_an_epoch_shows_each_image_once_in_an_order_of_its_own() -> None:
    first, second = orders(seed=0)
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second


def test_the_order_follows_the_seed_alone() -> None:
    assert orders(seed=0) == orders(seed=0) != orders(seed=1)


def test_images_keep_their_labels() -> None:
    images, labels = np.arange(10, dtype=np.float32).reshape(10, 1, 1, 1), np.eye(10, dtype=np.float32)
    for x, y in train.batches(images, labels, 4, 1, seed=0).as_numpy_iterator():
        assert (x.ravel() == y.argmax(axis=1)).all()


def test_the_archive_opens_in_keras_and_gives_the_same_probabilities(tmp_path: Path) -> None:
    network = networks.build(RECIPE, (8, 8, 1), 4)
    networks.save(network, tmp_path / "network.keras")
    images = np.random.default_rng(0).random((5, 8, 8, 1), np.float32)
    loaded = keras.models.load_model(tmp_path / "network.keras")
    assert (loaded.predict(images, verbose=0) == network.predict(images, verbose=0)).all()


def test_the_archive_holds_no_clock(tmp_path: Path) -> None:
    networks.save(networks.build(RECIPE, (8, 8, 1), 4), tmp_path / "network.keras")
    with zipfile.ZipFile(tmp_path / "network.keras") as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert json.loads(archive.read("metadata.json"))["date_saved"].startswith("1980")
    assert [path.name for path in tmp_path.iterdir()] == ["network.keras"]


@pytest.mark.parametrize("damage", [b"", b"no archive", b"PK\x03\x04 cut"])
def test_a_damaged_model_is_refused_by_name(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "network.keras").write_bytes(damage)
    with pytest.raises(SystemExit, match=r"network\.keras: expected a network that train saved, found: "):
        networks.load(tmp_path / "network.keras")


def test_a_model_with_code_in_it_is_refused(tmp_path: Path) -> None:
    keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x)]).save(tmp_path / "network.keras")
    with pytest.raises(SystemExit, match="expected a network that train saved"):
        networks.load(tmp_path / "network.keras")


def test_a_network_that_ends_in_another_number_than_the_classes_is_refused() -> None:
    recipe = {"network": ["flatten"], "layers": {"flatten": {"class": "Flatten"}}}
    with pytest.raises(SystemExit, match="expected a last layer of 10 numbers, one for each class, found the shape"):
        networks.build(recipe, (28, 28, 1), 10)


def test_the_log_tells_the_network_and_each_epoch(finished: Project) -> None:
    lines = (finished.root / "models" / "training.log").read_text().splitlines()
    assert lines[10].split() == ["parameters", "242,062"]
    assert lines[11].startswith("epoch 1/1  loss ")


def test_a_network_that_ends_in_no_probabilities_is_refused() -> None:
    recipe = {"network": ["flatten"], "layers": {"flatten": {"class": "Flatten"}}}
    with pytest.raises(SystemExit, match="expected probabilities at its end, from Softmax"):
        networks.build(recipe, (2, 2, 1), 4)


@pytest.mark.parametrize("optimizer", ["Adam", "AdamW", "SGD"])
def test_a_whole_number_will_do_for_a_learning_rate(optimizer: str) -> None:
    made = networks.create(keras.optimizers, {"class": optimizer, "learning_rate": 1})
    assert float(made.learning_rate) == 1.0
