"""What params.yaml may hold: a class for each section, a description for each key.

Editors show the descriptions (reports/params.schema.json), and docs/params.md lists them. This
module only accepts or refuses: the values are those of the file, and a key that may be left out is
then None. That is why no stage but `validate` depends on it.
"""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationError

from digits import keras_names, output, refusals, yaml12
from digits.datasets import PUBLISHED
from digits.keras_names import Layer, Optimizer
from digits.refusals import Refusal
from digits.schema import LEFT_OUT, Count, Section, Share, described

FILE = Path("params.yaml")

Name = Annotated[str, Field(pattern="^[A-Za-z0-9_-]+$")]  # DVC takes a dot for a path
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Tiles = Annotated[int, Field(ge=1, le=1000)]
Side = Annotated[int, Field(ge=1, le=2048)]
Cores = Annotated[int, Field(ge=1, le=256)]


class Train(Section):
    seed: Seed = described(
        "of everything random: first weights, order of images, dropout, augmentation"
    )
    validation_split: Share | None = described(
        "share of the training images, from the end, that is held out, whatever the recipe; "
        "empty: the recipe's own"
    )


class Download(Section):
    dataset: str = described(
        "the entry of `datasets` whose images are used: "
        f"{', '.join(PUBLISHED)}, synthetic, folder or url"
    )


class Preprocess(Section):
    invert: bool | None = described(
        "make dark ink on light paper light on dark; empty: found by looking, with your own data "
        "alone"
    )
    train_size: Count | None = described(
        "how many training images are kept: the first, or of your own data some of all; empty: all"
    )


class Evaluate(Section):
    calibration_bins: Count = described("equal parts in which confidence is compared with accuracy")
    test_time_augmentation: dict[Name, Annotated[int, Field(ge=0, le=1000)]] = described(
        "for each recipe, how many augmented views of a test image are averaged with the image "
        "itself; 0: none"
    )


class Plot(Section):
    samples: Tiles = described("training images shown in samples.png")
    mistakes: Tiles = described("misclassified test images shown in mistakes.png")
    dpi: Annotated[int, Field(ge=30, le=600)] = described("resolution, in pixels per inch")


class NoParameters(Section):
    """A data set of digits/datasets.py has no parameters."""


class Synthetic(Section):
    train: Count = described("number of training images")
    test: Count = described("number of test images")
    seed: Seed = described("of the strokes; other seeds draw other digits")


class Folder(Section):
    path: Annotated[str, Field(min_length=1)] = described(
        "the folder that holds your data, or one .npz or .csv file: docs/own-data.md"
    )
    image_size: Side | Annotated[list[Side], Field(min_length=2, max_length=2)] | None = described(
        "side, or height and width, to which pictures are brought; empty: their own, if all have "
        "one"
    )
    colour: bool | None = described("false: grey; true: colour; empty: as they are")
    test_share: Annotated[float, Field(gt=0, lt=1)] = described(
        "share of the images that is kept for the test, where there is no test set"
    )


class Url(Section):
    base: Annotated[str, Field(pattern="^https?://.")] = described(
        "address of a folder that holds four IDX files"
    )


class Datasets(Section):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, NoParameters]

    synthetic: Synthetic = described("digits drawn from pen strokes, without a download")
    folder: Folder = described("files of your own: docs/own-data.md")
    url: Url = described("files of your own, on a server")


class Schedule(Section):
    warmup: Share = described("share of the steps in which the learning rate rises to its peak")
    end: Annotated[float, Field(ge=0, le=1)] = described(
        "share of its peak to which it falls, a step after the last; 1: it does not fall"
    )


class Augment(Section):
    rotation: Annotated[float, Field(ge=0, le=45)] = described("largest turn, in degrees")
    zoom: Share = described("largest stretch of height or width, as a share of it")
    shear: Share = described("largest slant: columns moved per row")
    shift: Share = described("largest move, as a share of the image's side")
    elastic: Share = described("largest smooth bend, as a share of the image's side")
    flip: Annotated[Share, described("how likely an image is mirrored, left to right")] = LEFT_OUT


class Recipe(Section):
    network: Annotated[list[str], Field(min_length=1)] = described(
        "layers in order: names of `layers`, or a Keras layer that needs no arguments"
    )
    layers: dict[Name, Layer] = described("layers with arguments, each under a name of its own")
    optimizer: Optimizer = described("a Keras optimizer and its arguments")
    schedule: Schedule = described("how the learning rate rises and falls")
    augment: Augment = described("bounds of the random changes of training images; 0: none")
    cutout: Annotated[
        Share,
        described(
            "sides of a black part of each training image, as a share of the image's; in the first "
            "70 % of the steps"
        ),
    ] = LEFT_OUT
    label_smoothing: Annotated[
        Share,
        described("share of each training label that is spread evenly over all classes"),
    ] = LEFT_OUT
    batch_size: Count = described("images in a step, at most")
    epochs: Annotated[Count, described("passes over the training images")] = LEFT_OUT
    steps: Annotated[Count, described("in the place of epochs: at least so many batches")] = (
        LEFT_OUT
    )
    validation_split: Share = described(
        "share of the training images, from the end, that is held out"
    )


class Environment(Section):
    keras: str = described("version of Keras")
    matplotlib: str = described("version of Matplotlib")
    numpy: str = described("version of NumPy")
    PIL: str = described("version of Pillow")
    tensorflow: str = described("version of TensorFlow")


class Params(Section):
    recipe: str = described("the entry of `recipes` that is trained")
    train: Train = described("training, whatever the recipe")
    download: Download = described("what is downloaded")
    preprocess: Preprocess = described("what is made of the files")
    evaluate: Evaluate = described("how the test images are classified")
    plot: Plot = described("what the figures show")
    datasets: Datasets = described("where images come from; each in a mapping of its own")
    threads: Cores = described("threads of one operation; other numbers give other last bits")
    replicas: Cores = described(
        "equal parts of a batch, each computed on a core; other numbers give other last bits, "
        "and with batch normalization another training"
    )
    instructions: Literal["AVX2", "native"] = described(
        "AVX2: the same bits on nearly every x86-64 processor; native: all that this one has"
    )
    environment: Environment = described(
        "versions on which numbers depend; `make lock` writes them"
    )
    recipes: Annotated[dict[Name, Recipe], Field(min_length=1)] = described(
        "networks and how each is trained"
    )

    @property
    def selected(self) -> Recipe:
        return self.recipes[self.recipe]


def inside(values: Any, *path: str) -> dict:
    """The mapping at a path, empty where there is none."""
    for key in path:
        values = values.get(key) if isinstance(values, dict) else None
    return values if isinstance(values, dict) else {}


def lists_of_layers(definition: Any) -> dict[str, list]:
    """The lists of layers in the definition of a recipe or of a layer, by their keys."""
    both = {key: inside(definition).get(key) for key in ("network", "shortcut")}
    return {key: network for key, network in both.items() if isinstance(network, list)}


def holds_itself(name: str, layers: dict) -> bool:
    """Whether a layer's own networks come to the layer again."""
    waiting = [name]
    seen: set[str] = set()
    while waiting:
        for network in lists_of_layers(layers.get(waiting.pop())).values():
            new = {inner for inner in network if isinstance(inner, str)} - seen
            seen |= new
            waiting += new
    return name in seen


def unheeded(path: str, values: Any) -> Iterator[Refusal]:
    """Yield the keys that DVC leaves out when it looks for an earlier run in its cache."""
    for key, value in values.items() if isinstance(values, dict) else ():
        if key in keras_names.UNHEEDED:
            hint = "; write factor" if values.get("class") == "UpSampling2D" else ""
            yield Refusal(f"{path}.{key}", f"DVC's cache does not heed a key of this name{hint}")
        yield from unheeded(f"{path}.{key}", value)


def wrong_recipe(path: str, recipe: dict) -> Iterator[Refusal]:
    """Yield what a recipe's network, layers and optimizer name that is not there."""
    yield from unheeded(path, recipe)
    layers = inside(recipe, "layers")
    found = lists_of_layers(recipe)
    for name, definition in layers.items():
        yield from keras_names.wrong(f"{path}.layers.{name}", definition, keras_names.LAYERS)
        lists = lists_of_layers(definition)
        found |= {f"layers.{name}.{key}": inner for key, inner in lists.items()}
        if holds_itself(name, layers):
            yield Refusal(f"{path}.layers.{name}", "expected layers in it other than itself")
    known = [*layers, *keras_names.BARE]
    expected = "a name of `layers`, or a Keras layer that needs no arguments"
    for key, network in found.items():
        for place, layer in enumerate(network):
            if isinstance(layer, str) and layer not in known:
                word = f"{layer!r}{refusals.nearest(layer, known)}"
                yield Refusal(f"{path}.{key}.{place}", expected=expected, found=word)
    yield from keras_names.wrong(
        f"{path}.optimizer", recipe.get("optimizer"), keras_names.OPTIMIZERS
    )
    if recipe and "epochs" not in recipe and "steps" not in recipe:
        yield Refusal(f"{path}.epochs", "missing; or steps in its place")
    if "epochs" in recipe and "steps" in recipe:
        yield Refusal(f"{path}.steps", "expected epochs or steps, found both")


def wrong_names(values: dict) -> Iterator[Refusal]:
    """Yield what stands for an entry elsewhere in the file, or for a class, and finds none."""
    recipes, datasets = inside(values, "recipes"), inside(values, "datasets")
    chosen = {
        "recipe": (values.get("recipe"), recipes),
        "download.dataset": (inside(values, "download").get("dataset"), datasets),
    }
    for path, (name, entries) in chosen.items():
        if isinstance(name, str) and entries and name not in entries:
            yield refusals.unknown_name(path, name, map(str, entries))

    for name in recipes:
        yield from wrong_recipe(f"recipes.{name}", inside(recipes, name))

    own = Datasets.model_fields
    for name in datasets:
        if isinstance(name, str) and name not in own and name not in PUBLISHED:
            yield refusals.unknown_key(f"datasets.{name}", name, [*PUBLISHED, *own])

    path = "evaluate.test_time_augmentation"
    views = inside(values, "evaluate").get("test_time_augmentation")
    if not recipes or not isinstance(views, dict):
        return
    for recipe in recipes:
        if recipe not in views:
            yield Refusal(f"{path}.{recipe}", "missing; 0: the test images as they are")
    for recipe in views:
        if recipe not in recipes:
            yield refusals.unknown_name(f"{path}.{recipe}", str(recipe), map(str, recipes))


@functools.cache
def schema() -> dict[str, Any]:
    """The JSON schema of params.yaml; it takes a hundred times as long as to check the values."""
    return Params.model_json_schema()


def errors(values: Any) -> list[str]:
    """Return a line for each thing that is wrong with values of params.yaml, sorted by path."""
    if not isinstance(values, dict):
        found = type(values).__name__
        return [f"{FILE}: expected sections such as 'recipe: original', found {found}"]
    wrong = list(wrong_names(values))
    try:
        Params.model_validate(values)
    except ValidationError as failure:
        wrong += refusals.explain(failure, values, schema())
    return refusals.lines(FILE, wrong)


def read() -> Params:
    """Return the parameters; SystemExit with a line for each thing that is wrong with them."""
    text = FILE.read_bytes()
    try:
        values = yaml12.load(text)
    except Exception as error:  # whatever int, float, date, hash and deep nesting raise
        line = yaml12.line_of(error)
        place = f" in line {line}" if line else ""
        found = " ".join(str(error).split()).replace('in "<byte string>",', "in")
        said = f"{FILE}: expected YAML, found{place}: {found}"
        raise SystemExit(output.printable(said)) from None
    wrong = errors(values)
    if wrong:
        raise SystemExit("\n".join(wrong))
    return Params.model_validate(values)
