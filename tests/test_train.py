"""Facts of the network, its training, and the archive: digits/network.py and training.py."""

import json
import math
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, Project

from digits import keras_names, training, yaml12
from digits import network as networks
from digits.determinism import keras, tf
from digits.params import Params, Recipe
from stages import train
from tools import describe

PARAMS = Params.model_validate(yaml12.load((ROOT / "params.yaml").read_bytes()))
RECIPES = PARAMS.recipes
RECIPE = RECIPES["original"]


def test_the_original_network_has_242062_parameters() -> None:
    network = networks.build(RECIPE, (28, 28, 1), 10)
    assert network.count_params() == 242_062
    assert [type(layer).__name__ for layer in network.layers] == [
        *(
            "Conv2D",
            "MaxPooling2D",
            "ReLU",
            "Conv2D",
            "MaxPooling2D",
            "ReLU",
            "Flatten",
            "Dense",
            "Dense",
            "Softmax",
        )
    ]


def test_the_original_recipe_is_that_of_the_blog_post() -> None:
    optimizer = {"class": "Adam", "learning_rate": 0.001}
    assert RECIPE.optimizer.model_dump(by_alias=True) == optimizer
    assert (RECIPE.batch_size, RECIPE.epochs, RECIPE.validation_split) == (128, 5, 0.33)


def test_a_validation_split_of_033_trains_on_the_first_40199_of_60000() -> None:
    assert training.split(60_000, 0.33) == 40_199
    assert training.split(60_000, 0) == 60_000


@pytest.mark.parametrize("name", RECIPES)
def test_a_share_may_be_held_out_whatever_the_recipe(name: str) -> None:
    share = PARAMS.train.model_copy(update={"validation_split": 0.1})
    given = PARAMS.model_copy(update={"recipe": name, "train": share})
    held_out = RECIPES[name].model_copy(update={"validation_split": 0.1})
    assert train.recipe_of(given) == held_out
    assert train.recipe_of(given.model_copy(update={"train": PARAMS.train})) == RECIPES[name]


def test_a_training_is_known_by_each_parameter_that_it_follows_from() -> None:
    stage = yaml12.load((ROOT / "dvc.yaml").read_bytes())["stages"]["train"]
    known: dict[str, Any] = train.settings(PARAMS)
    for path in stage["params"]:
        section, _, key = path.rpartition(".")
        if section == "environment":
            assert key in known["versions"]
        elif section != "recipes":
            assert key in known, path
    assert known.keys() >= RECIPES[PARAMS.recipe].model_dump(exclude_unset=True).keys()


def batches(count: int, batch_size: int, epochs: int = 1, seed: int = 0, **changes: object) -> list:
    """The batches of `count` images of one pixel, the number of the image and of its class."""
    images, labels = (
        np.arange(count, dtype=np.float32).reshape(-1, 1, 1, 1),
        np.eye(count, dtype=np.float32),
    )
    changes |= {"batch_size": batch_size, "epochs": epochs}
    recipe = RECIPE.model_copy(update=changes)
    steps = range(epochs * math.ceil(count / batch_size))
    return list(training.batches(images, labels, recipe, seed, steps).as_numpy_iterator())


def orders(seed: int) -> tuple[list[int], list[int]]:
    seen = [
        int(image) for images, _ in batches(10, 3, epochs=2, seed=seed) for image in images.ravel()
    ]
    return seen[:10], seen[10:]


def test_an_epoch_shows_each_image_once_in_an_order_of_its_own() -> None:
    first, second = orders(seed=0)
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second


def test_the_order_follows_the_seed_alone() -> None:
    assert orders(seed=0) == orders(seed=0) != orders(seed=1)


def test_images_keep_their_labels() -> None:
    for images, labels in batches(10, 4):
        assert (images.ravel() == labels.argmax(axis=1)).all()


def test_the_batches_of_an_epoch_differ_in_size_by_at_most_one_image() -> None:
    assert [len(images) for images, _ in batches(10, 4)] == [3, 3, 4]


def test_cutout_ends_when_70_percent_of_the_training_is_over() -> None:
    steps = batches(10, 3, epochs=5, cutout=0.9)
    black = [not images.any() for images, _ in steps]
    assert black == [True] * 14 + [False] * 6


def test_label_smoothing_spreads_a_share_of_each_label_over_all_classes() -> None:
    [(_, labels)] = batches(4, 4, label_smoothing=0.2)
    assert labels.dtype == np.float32
    assert np.sort(labels) == pytest.approx(np.array([[0.05, 0.05, 0.05, 0.85]] * 4))


def test_the_learning_rate_rises_to_its_peak_and_falls_to_its_end() -> None:
    rate = networks.Schedule(peak=2.0, steps=100, warmup=0.2, end=0.5)
    rates = [float(rate(tf.constant(step))) for step in (0, 9, 19, 20, 60, 100)]
    assert rates == pytest.approx([0.1, 1.0, 2.0, 2.0, 1.5, 1.0])


def test_a_schedule_of_no_warmup_and_no_end_is_a_constant() -> None:
    rate = networks.Schedule(peak=0.001, steps=5, warmup=0, end=1)
    assert {float(rate(tf.constant(step))) for step in range(5)} == {float(np.float32(0.001))}


def test_replicas_change_no_gradient_by_more_than_rounding() -> None:
    images = np.random.default_rng(0).random((9, 8, 8, 1), np.float32)
    steps = tf.data.Dataset.from_tensors((images, np.eye(4, dtype=np.float32)[np.arange(9) % 4]))
    weights = []
    for replicas in (1, 2, 4):
        keras.utils.set_random_seed(0)
        network = networks.build(RECIPE, (8, 8, 1), 4)
        trainer = training.Trainer(network, keras.optimizers.SGD(1.0), replicas)
        trainer.steps(iter(steps), tf.constant(1))
        weights.append(network.get_weights())
    for one, other in zip(weights[0] + weights[0], weights[1] + weights[2]):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_replicas_read_any_number_of_images_alike(count: int) -> None:
    network = networks.build(RECIPE, (8, 8, 1), 4)
    images = np.random.default_rng(0).random((count, 8, 8, 1), np.float32)
    one, three = (networks.forward(network, replicas)(tf.constant(images)) for replicas in (1, 3))
    np.testing.assert_allclose(one, three, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("shape, classes", [((5, 5, 1), 2), ((20, 12, 1), 62), ((100, 101, 1), 10)])
def test_each_recipe_takes_images_of_any_size(
    name: str, shape: tuple[int, int, int], classes: int
) -> None:
    network = networks.build(RECIPES[name], shape, classes)
    assert network(np.zeros((2, *shape), np.float32)).shape == (2, classes)


def on_nothing(replicas: int) -> training.Training:
    """A training on 64 black images of four classes, none of which is held out."""
    images, labels = np.zeros((64, 8, 8, 1), np.float32), np.eye(4, dtype=np.float32)
    recipe = RECIPE.model_copy(update={"validation_split": 0})
    return training.Training(images, labels[np.arange(64) % 4], recipe, 0, replicas)


def test_more_replicas_than_images_in_a_batch_are_refused() -> None:
    told = "^params.yaml: replicas: expected at most 64, the images of a batch, found 65$"
    with pytest.raises(SystemExit, match=told):
        on_nothing(replicas=65)


@pytest.mark.parametrize("seconds, following", [(0.01, 16), (0.3, 3), (1.5, 1)])
def test_the_slower_a_step_the_fewer_are_taken_before_ctrl_c_is_heard(
    monkeypatch: pytest.MonkeyPatch, seconds: float, following: int
) -> None:
    job = on_nothing(replicas=2)
    clock = iter([0.0, seconds])
    monkeypatch.setattr(training, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(job.trainer, "steps", lambda left, count: None)
    assert job.take(1, iter(())) == following


def test_a_loss_that_is_no_number_ends_the_training_in_a_line() -> None:
    job = on_nothing(replicas=2)
    job.network.set_weights([weight * np.nan for weight in job.network.get_weights()])
    told = "^epoch 3: the loss is no number any more; lower the recipe's learning_rate$"
    with pytest.raises(SystemExit, match=told):
        job.end_of_epoch(3)


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
    with pytest.raises(
        SystemExit, match=r"network\.keras: expected a network that train saved, found: "
    ):
        networks.load(tmp_path / "network.keras")


def test_a_model_with_code_in_it_is_refused(tmp_path: Path) -> None:
    keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x)]).save(
        tmp_path / "network.keras"
    )
    with pytest.raises(SystemExit, match=r"expected a network that train saved, .*Lambda"):
        networks.load(tmp_path / "network.keras")


def made_of(*network: str, **layers: dict) -> Recipe:
    """The original recipe with another network."""
    values = {**RECIPE.model_dump(by_alias=True, exclude_unset=True), "network": list(network)}
    return Recipe.model_validate({**values, "layers": layers})


def test_a_network_that_ends_in_another_number_than_the_classes_is_refused() -> None:
    with pytest.raises(
        networks.Unfit,
        match="expected a last layer of 10 numbers, one for each class, found the shape",
    ):
        networks.build(made_of("Flatten"), (28, 28, 1), 10)


def test_the_log_tells_the_network_and_each_epoch(finished: Project) -> None:
    lines = (finished.root / "models" / "training.log").read_text().splitlines()
    assert lines[:2] == ["images: 268 to train on, 132 held out", "recipe: original"]
    assert "optimizer: Adam, learning_rate 0.001" in lines
    assert ["parameters", "242,062"] in map(str.split, lines)
    assert lines[-1].startswith("epoch 1/1  loss ")


def test_a_network_that_ends_in_no_probabilities_is_refused() -> None:
    with pytest.raises(networks.Unfit, match="expected probabilities at its end, from Softmax"):
        networks.build(made_of("Flatten"), (2, 2, 1), 4)


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis 0")
@pytest.mark.parametrize(
    "told, tried",
    [
        ("a layer that mixes the images of a batch", {"class": "UnitNormalization", "axis": 0}),
        ("a layer that mixes the images of a batch", {"class": "Softmax", "axis": 0}),
        ("Keras can load again", {"class": "RandomShear", "x_factor": 0.2}),
        ("and can be trained", {"class": "Dropout", "rate": 0.1, "noise_shape": [8, 1, 1, 3]}),
        (
            "and can be trained",
            {
                "class": "Conv2D",
                "filters": 2,
                "kernel_size": 1,
                "kernel_constraint": {"class_name": "MaxNorm", "config": {"axis": 9}},
            },
        ),
        (
            "expected",
            {
                "class": "Conv2D",
                "filters": 2,
                "kernel_size": 1,
                "kernel_regularizer": "orthogonal_regularizer",
            },
        ),
    ],
)
def test_what_only_a_training_or_a_prediction_would_show_is_refused_before(
    told: str, tried: dict[str, Any]
) -> None:
    dense = {"class": "Dense", "units": "classes"}
    recipe = made_of("tried", "Flatten", "dense", "Softmax", tried=tried, dense=dense)
    with pytest.raises(networks.Unfit, match=told):
        networks.build(recipe, IMAGES.shape[1:], 2)


@pytest.mark.parametrize("kind", ["AdaptiveAveragePooling2D", "AdaptiveMaxPooling2D"])
def test_nothing_is_pooled_from_a_single_pixel(kind: str) -> None:
    dense = {"class": "Dense", "units": "classes"}
    pool = {"class": kind, "output_size": 2}
    recipe = made_of("pool", "Flatten", "dense", "Softmax", pool=pool, dense=dense)
    with pytest.raises(networks.Unfit, match="network: pool: expected a layer that fits"):
        networks.build(recipe, (1, 1, 3), 2)


def test_layers_for_pixels_up_to_255_are_told_that_ours_end_at_1() -> None:
    dense = {"class": "Dense", "units": "classes"}
    bright = {"class": "RandomBrightness", "factor": 0.2}
    recipe = made_of(
        "bright", "AutoContrast", "Flatten", "dense", "Softmax", bright=bright, dense=dense
    )
    network = networks.build(recipe, IMAGES.shape[1:], 2)
    assert [layer.value_range for layer in network.layers[:2]] == [[0, 1], [0, 1]]


@pytest.mark.slow
def test_a_network_larger_than_any_memory_is_refused() -> None:
    recipe = made_of("Flatten", "dense", dense={"class": "Dense", "units": 2**31 - 1})
    told = r"network: dense: expected a layer that fits .* and into memory"
    with pytest.raises(networks.Unfit, match=told):
        networks.build(recipe, (1000, 1000, 1), 4)


# What a layer must be given, besides its class, to be tried.
GIVEN = {**describe.SAMPLES, "activation": "relu", "network": ["ReLU"], "units": 3}
IMAGES = np.random.default_rng(0).random((4, 16, 16, 3), np.float32)
ONE_HOT = np.eye(2, dtype=np.float32)[[0, 1, 0, 1]]


def stepped(recipe: Recipe) -> keras.Model:
    """The recipe's network for IMAGES, after a step of training."""
    keras.utils.set_random_seed(0)
    network = networks.build(recipe, IMAGES.shape[1:], 2)
    trainer = training.Trainer(network, networks.optimizer(recipe, 10), 2)
    trainer.steps(iter(tf.data.Dataset.from_tensors((IMAGES, ONE_HOT))), tf.constant(1))
    return network


@pytest.mark.slow
@pytest.mark.parametrize("name", keras_names.LAYERS)
def test_each_layer_is_trained_saved_and_loaded(name: str, tmp_path: Path) -> None:
    given = {key: GIVEN[key] for key, needed in keras_names.LAYERS[name].items() if needed}
    if name == "GroupNormalization":
        given["groups"] = 3
    dense = {"class": "Dense", "units": "classes"}
    tried = {"class": name, **given}
    recipe = made_of("tried", "Flatten", "dense", "Softmax", tried=tried, dense=dense)
    network = stepped(recipe)
    networks.save(network, tmp_path / "network.keras")
    one, other = (
        networks.forward(each, 2)(tf.constant(IMAGES)).numpy()
        for each in (network, networks.load(tmp_path / "network.keras"))
    )
    assert (one == other).all()


@pytest.mark.parametrize("name", keras_names.OPTIMIZERS)
def test_each_optimizer_takes_a_step(name: str) -> None:
    dense = {"class": "Dense", "units": "classes"}
    recipe = made_of("Flatten", "dense", "Softmax", dense=dense)
    optimizer = keras_names.Optimizer.model_validate({"class": name, "learning_rate": 1})
    keras.utils.set_random_seed(0)
    before = networks.build(recipe, IMAGES.shape[1:], 2).get_weights()
    after = stepped(recipe.model_copy(update={"optimizer": optimizer})).get_weights()
    assert all(np.isfinite(weight).all() for weight in after)
    assert any((one != other).any() for one, other in zip(before, after))


def test_an_argument_that_an_optimizer_cannot_use_is_told_before_the_first_step() -> None:
    given = {"class": "RMSprop", "learning_rate": 1, "rho": "much"}
    optimizer = keras_names.Optimizer.model_validate(given)
    with pytest.raises(networks.Unfit, match="optimizer: expected arguments that RMSprop takes, f"):
        networks.optimizer(RECIPE.model_copy(update={"optimizer": optimizer}), 10)


def test_a_residual_layer_adds_or_multiplies() -> None:
    conv = {"class": "Conv2D", "filters": 3, "kernel_size": 1}
    wide = {"class": "Conv2D", "filters": 5, "kernel_size": 1}
    added = {"class": "Residual", "network": ["conv", "ReLU"]}
    shortcut = {"class": "Residual", "network": ["wide"], "shortcut": ["wide"]}
    mean = {"class": "GlobalAveragePooling2D", "keepdims": True}
    gate = {"class": "Activation", "activation": "sigmoid"}
    squeezed = {"class": "Residual", "network": ["mean", "gate"], "merge": "multiply"}
    own: dict[str, Any] = {"conv": conv, "wide": wide, "added": added, "shortcut": shortcut}
    own |= {"mean": mean, "gate": gate, "squeezed": squeezed}
    own["dense"] = {"class": "Dense", "units": "classes"}
    recipe = made_of("added", "squeezed", "shortcut", "Flatten", "dense", "Softmax", **own)
    network = networks.build(recipe, IMAGES.shape[1:], 2)

    first, second = network.layers[:2]
    kernel, bias = first.get_weights()
    plain = IMAGES + np.maximum(IMAGES @ kernel[0, 0] + bias, 0)
    np.testing.assert_allclose(first(IMAGES), plain, rtol=1e-5)
    gates = 1 / (1 + np.exp(-plain.mean(axis=(1, 2), keepdims=True)))
    np.testing.assert_allclose(second(plain), plain * gates, rtol=1e-5)
    assert network.layers[2].output.shape == (None, 16, 16, 5)


def test_residual_layers_of_other_shapes_are_refused() -> None:
    wide = {"class": "Conv2D", "filters": 5, "kernel_size": 1}
    recipe = made_of("added", added={"class": "Residual", "network": ["wide"]}, wide=wide)
    with pytest.raises(
        networks.Unfit, match="network: added: expected a layer that fits the shape"
    ):
        networks.build(recipe, (8, 8, 3), 2)


@pytest.mark.parametrize("images, epochs, steps", [(300, 20, 1000), (5000, 7, 1099)])
def test_a_training_may_be_counted_in_steps(images: int, epochs: int, steps: int) -> None:
    """Of whole passes, at least as many as it says; epochs are longer where images are few."""
    recipe = RECIPE.model_copy(update={"epochs": None, "steps": 1000, "batch_size": 32})
    recipe = recipe.model_copy(update={"validation_split": 0})
    x = np.zeros((images, 8, 8, 1), np.float32)
    job = training.Training(x, np.eye(2, dtype=np.float32)[np.arange(images) % 2], recipe, 0, 2)
    assert (job.epochs, job.steps) == (epochs, steps)


def operations(graph: tf.Graph) -> set[str]:
    """The kinds of operations in a graph and in all functions that it calls."""
    definition = graph.as_graph_def()
    bodies = [definition.node, *(function.node_def for function in definition.library.function)]
    return {node.op for body in bodies for node in body}


@pytest.mark.parametrize("name", RECIPES)
def test_no_replaced_operation_is_in_the_graph_of_a_training_step(name: str) -> None:
    network = networks.build(RECIPES[name], (28, 28, 1), 10)
    trainer = training.Trainer(network, networks.optimizer(RECIPES[name], 10), PARAMS.replicas)
    images, labels = np.zeros((4, 28, 28, 1), np.float32), np.eye(10, dtype=np.float32)[:4]
    batches = iter(tf.data.Dataset.from_tensors((images, labels)))
    step = trainer.steps.get_concrete_function(batches, tf.constant(1))
    forward: Any = networks.forward(network, PARAMS.replicas)
    found = operations(step.graph) | operations(forward.get_concrete_function().graph)
    assert "Sqrt" in found or name != "best"  # of the replacement: the search does find things
    replaced = {"Inv", "Reciprocal", "Rsqrt", "RsqrtGrad", "Softmax"}
    assert found & replaced == set()
