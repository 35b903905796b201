"""params.yaml -> reports/params.schema.json: refuse what no stage could run, before any stage does work.

Every stage reads its parameters through `run`, so whichever starts first refuses for all of them. This module only
accepts or refuses: the values that a stage gets are those of the file, in DVC's own reading of YAML. That is why no
other stage depends on it. The schema that it writes gives editors completion and descriptions for params.yaml.
"""

import difflib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from ruamel.yaml import YAML, YAMLError

PARAMS = Path("params.yaml")
SCHEMA = Path("reports/params.schema.json")

Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Padding = Literal["same", "valid"]
Activation = Literal["elu", "gelu", "leaky_relu", "linear", "relu", "selu", "silu", "softmax", "softplus", "swish", "tanh"]
Initializer = Literal["glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "lecun_normal", "lecun_uniform", "zeros"]


class Section(BaseModel):
    """A mapping of params.yaml in which every key is required and no other is known."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def keras(name: str, required: dict[str, Any], optional: dict[str, Any]) -> type[Section]:
    """A class of Keras and its arguments, under Keras' own names; an optional one left out has Keras' own default."""
    arguments = {key: (kind, ...) for key, kind in required.items()}
    arguments |= {key: (kind, None) for key, kind in optional.items()}
    return create_model(name, __base__=Section, **{"class": (Literal[name], ...)}, **arguments)  # type: ignore


BIAS = {"use_bias": bool, "activation": Activation}
CONVOLUTION = {"strides": Count, "padding": Padding, "dilation_rate": Count, **BIAS}
POOLING = {"strides": Count, "padding": Padding}
NORMALIZATION = {"epsilon": Positive, "center": bool, "scale": bool}
LAYERS = (
    keras("Conv2D", {"filters": Count, "kernel_size": Count}, {**CONVOLUTION, "kernel_initializer": Initializer}),
    keras("SeparableConv2D", {"filters": Count, "kernel_size": Count}, {**CONVOLUTION, "depth_multiplier": Count}),
    keras("DepthwiseConv2D", {"kernel_size": Count}, {**CONVOLUTION, "depth_multiplier": Count}),
    keras("MaxPooling2D", {"pool_size": Count}, POOLING),
    keras("AveragePooling2D", {"pool_size": Count}, POOLING),
    keras("GlobalMaxPooling2D", {}, {}),
    keras("GlobalAveragePooling2D", {}, {}),
    keras("Flatten", {}, {}),
    keras("Dense", {"units": Count | Literal["classes"]}, {**BIAS, "kernel_initializer": Initializer}),
    keras("BatchNormalization", {}, {**NORMALIZATION, "momentum": Share}),
    keras("LayerNormalization", {}, NORMALIZATION),
    keras("Dropout", {"rate": Share}, {}),
    keras("SpatialDropout2D", {"rate": Share}, {}),
    keras("ReLU", {}, {}),
    keras("LeakyReLU", {}, {"negative_slope": Positive}),
    keras("Activation", {"activation": Activation}, {}),
    keras("Softmax", {}, {}),
)
ADAM = {"beta_1": Share, "beta_2": Share, "epsilon": Positive, "weight_decay": Share}
OPTIMIZERS = (
    keras("Adam", {"learning_rate": Positive}, ADAM),
    keras("AdamW", {"learning_rate": Positive}, ADAM),
    keras("SGD", {"learning_rate": Positive}, {"momentum": Share, "nesterov": bool, "weight_decay": Share}),
)


class Download(Section):
    dataset: str = Field(description="which entry of datasets to use")


class Checksums(Section):
    """SHA-256 of each file as the mirrors serve it, gzipped."""

    train_images: Sha256
    train_labels: Sha256
    test_images: Sha256
    test_labels: Sha256


class Synthetic(Section):
    """Digits that the project draws itself."""

    train: Count = Field(description="how many training images to draw")
    test: Count = Field(description="how many test images to draw")
    seed: Seed


class Folder(Section):
    path: str = Field(min_length=1, description="a folder with four IDX files, gzipped or not")


class Url(Section):
    base: str = Field(pattern="^https?://.+$", description="an address under which the four IDX files lie")


class Datasets(Section):
    mnist: Checksums
    fashion_mnist: Checksums
    kmnist: Checksums
    synthetic: Synthetic
    folder: Folder
    url: Url


class Preprocess(Section):
    train_size: Count | None = Field(description="use the first so many training images; null: all of them")


class Train(Section):
    seed: Seed = Field(description="of the first weights, the order of the images, and dropout")


class Recipe(Section):
    network: list[str] = Field(min_length=1, description="the layers, in order, by their names in `layers`")
    layers: dict[str, Annotated[Union[LAYERS], Field(discriminator="class")]]  # type: ignore[valid-type]
    optimizer: Annotated[Union[OPTIMIZERS], Field(discriminator="class")]  # type: ignore[valid-type]
    batch_size: Count
    epochs: Count
    validation_split: Share = Field(description="the share of the training images, from their end, that is held out")


class Evaluate(Section):
    calibration_bins: Count = Field(description="bins of equal width in confidence")


class Plot(Section):
    samples: Count = Field(description="training images in the sheet of samples")
    mistakes: Count = Field(description="mistakes shown, the most confident first")
    dpi: Annotated[int, Field(ge=30, le=600)]


class Params(Section):
    download: Download
    datasets: Datasets
    preprocess: Preprocess
    recipe: str = Field(description="which entry of recipes to train")
    recipes: dict[str, Recipe]
    threads: Count = Field(description="for one operation of TensorFlow; the last bits of a result follow it")
    train: Train
    evaluate: Evaluate
    plot: Plot


def nearest(word: str, words: Iterable[str]) -> str:
    match = difflib.get_close_matches(word, sorted(set(words) - {word}), n=1)
    return f"; did you mean {match[0]!r}?" if match else ""


def dotted(location: tuple, values: Any) -> str:
    """The path of an error in params.yaml: pydantic's location less the branches of unions, which the file lacks."""
    parts = []
    for part in location:
        if isinstance(values, dict) and part in values or isinstance(values, list) and isinstance(part, int):
            values = values[part]
            parts.append(str(part))
    return ".".join(parts)


def shape_errors(values: dict) -> Iterator[tuple[str, str]]:
    """Yield (dotted path, what is wrong) for every key or value that the sections above do not allow."""
    known = {key for section in Section.__subclasses__() for key in section.model_fields}
    try:
        Params.model_validate(values)
    except ValidationError as failure:
        for error in failure.errors():
            path, found = dotted(error["loc"], values), f"found {json.dumps(error['input'], default=str)}"
            match error["type"]:
                case "missing" | "union_tag_not_found":
                    key = "class" if error["type"] != "missing" else str(error["loc"][-1])
                    yield f"{path}.{key}".lstrip("."), "missing"
                case "extra_forbidden":
                    yield path, f"unknown key{nearest(str(error['loc'][-1]), known)}"
                case "union_tag_invalid":
                    tags = [tag.strip(" '") for tag in error["ctx"]["expected_tags"].split(",")]
                    tag = error["ctx"]["tag"]
                    yield f"{path}.class", f"expected one of {', '.join(tags)}; found {tag!r}{nearest(tag, tags)}"
                case _:
                    yield path, f"{error['msg'].removeprefix('Input ').replace('should', 'must', 1)}; {found}"


def name_errors(values: dict) -> Iterator[tuple[str, str]]:
    """Yield (dotted path, what is wrong) for every name that stands for an entry elsewhere and does not meet one."""

    def mapping(parent: Any, key: str) -> dict:
        child = parent.get(key) if isinstance(parent, dict) else None
        return child if isinstance(child, dict) else {}

    datasets, recipes = mapping(values, "datasets"), mapping(values, "recipes")
    choices = [("download.dataset", mapping(values, "download").get("dataset"), datasets)]
    choices += [("recipe", values.get("recipe"), recipes)]
    for name, recipe in recipes.items():
        layers, network = mapping(recipe, "layers"), recipe.get("network") if isinstance(recipe, dict) else None
        network = network if isinstance(network, list) else []
        choices += [(f"recipes.{name}.network.{index}", layer, layers) for index, layer in enumerate(network)]
        for layer in [layer for layer in layers if layer not in network]:
            yield f"recipes.{name}.layers.{layer}", f"not in recipes.{name}.network; put it there or take it out here"
    for path, name, entries in choices:
        if isinstance(name, str) and name not in entries:
            yield path, f"expected one of {', '.join(map(str, entries))}; found {name!r}{nearest(name, entries)}"


def errors(values: Any) -> list[str]:
    """Return one line for each thing that is wrong with the values of params.yaml, in the order of their paths."""
    if not isinstance(values, dict):
        return [f"{PARAMS}: expected sections like 'recipe: original', found {type(values).__name__}"]
    found: dict[str, list[str]] = {}
    for path, problem in [*shape_errors(values), *name_errors(values)]:
        found.setdefault(path, []).append(problem)
    return [f"{PARAMS}: {path}: {' or '.join(dict.fromkeys(problems))}" for path, problems in sorted(found.items())]


def load() -> dict:
    """Return the values of params.yaml, read by DVC's own reader of YAML; SystemExit lists all that is wrong."""
    try:
        values = YAML(typ="safe").load(PARAMS)
    except YAMLError as error:
        raise SystemExit(f"{PARAMS}: not valid YAML: {' '.join(str(error).split())}") from None
    if problems := errors(values):
        raise SystemExit("\n".join(problems))
    return values


def run(main: Callable[[dict], None]) -> None:
    """Call a stage's `main` with all parameters; what the machine refuses becomes one line and exit status 1."""
    try:
        main(load())
    except OSError as error:
        raise SystemExit(f"{error.filename or 'a file'}: {error.strerror or error}") from None
    except KeyboardInterrupt:
        raise SystemExit("interrupted; `dvc repro` starts again at this stage") from None


def main(params: dict) -> None:
    SCHEMA.write_text(json.dumps(Params.model_json_schema(), indent=1) + "\n")


if __name__ == "__main__":
    run(main)
