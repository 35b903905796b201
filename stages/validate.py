"""params.yaml -> reports/params.schema.json: refuse what no stage could run, before any stage does work.

Every stage gets its parameters through `read`, so whichever starts first refuses for all of them. This module only
accepts or refuses: the values are those of the file, in DVC's own reading of YAML. That is why no other stage depends
on it. The schema that it writes lets editors complete and check params.yaml as it is typed.
"""

import difflib
import json
import re
import reprlib
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal, Union

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from ruamel.yaml import YAML

FILE = Path("params.yaml")
SCHEMA = Path("reports/params.schema.json")

Count = Annotated[int, Field(ge=1, lt=2**31)]
Tiles = Annotated[int, Field(ge=1, le=1000)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Name = Annotated[str, Field(pattern="^[A-Za-z0-9_-]+$")]  # DVC takes a dot for a path, Keras refuses a slash
Padding = Literal["same", "valid"]
Activation = Literal["elu", "leaky_relu", "linear", "relu", "selu", "silu", "softmax", "softplus", "tanh"]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


def section(name: str, /, **keys: Any) -> Any:
    """A mapping in which each of `keys` must stand, with a value of the given type, and no other key may."""
    fields: dict[str, Any] = {key: (kind, ...) for key, kind in keys.items()}
    return create_model(name, __base__=Section, **fields)


def keras(name: str, required: dict[str, Any], optional: dict[str, Any]) -> Any:
    """A class of Keras and its arguments, in Keras' own words; an optional one left out has Keras' own default."""
    fields: dict[str, Any] = {key: (kind, None) for key, kind in optional.items()}
    return create_model(name, __base__=section(name, **{"class": Literal[name]}, **required), **fields)


DENSE = {"use_bias": bool, "activation": Activation}
CONVOLUTION = {"strides": Count, "padding": Padding, "dilation_rate": Count, **DENSE}
POOLING = {"strides": Count, "padding": Padding}
LAYER: Any = Union[
    keras("Conv2D", {"filters": Count, "kernel_size": Count}, CONVOLUTION),
    keras("SeparableConv2D", {"filters": Count, "kernel_size": Count}, CONVOLUTION),
    keras("DepthwiseConv2D", {"kernel_size": Count}, CONVOLUTION),
    keras("MaxPooling2D", {"pool_size": Count}, POOLING),
    keras("AveragePooling2D", {"pool_size": Count}, POOLING),
    keras("GlobalMaxPooling2D", {}, {}),
    keras("GlobalAveragePooling2D", {}, {}),
    keras("Flatten", {}, {}),
    keras("Dense", {"units": Count | Literal["classes"]}, DENSE),
    keras("BatchNormalization", {}, {"momentum": Share, "epsilon": Positive, "center": bool, "scale": bool}),
    keras("LayerNormalization", {}, {"epsilon": Positive, "center": bool, "scale": bool}),
    keras("Dropout", {"rate": Share}, {}),
    keras("SpatialDropout2D", {"rate": Share}, {}),
    keras("ReLU", {}, {}),
    keras("LeakyReLU", {}, {"negative_slope": Positive}),
    keras("Activation", {"activation": Activation}, {}),
    keras("Softmax", {}, {}),
]
ADAM = {"beta_1": Share, "beta_2": Share, "epsilon": Positive, "weight_decay": Share}
OPTIMIZER: Any = Union[
    keras("Adam", {"learning_rate": Positive}, ADAM),
    keras("AdamW", {"learning_rate": Positive}, ADAM),
    keras("SGD", {"learning_rate": Positive}, {"momentum": Share, "nesterov": bool, "weight_decay": Share}),
]
PAIR = section("Pair", images=Sha256, labels=Sha256)
CHECKSUMS = section("Checksums", train=PAIR, test=PAIR)
RECIPE: Any = section(
    "Recipe",
    network=Annotated[list[str], Field(min_length=1)],
    layers=dict[Name, Annotated[LAYER, Field(discriminator="class")]],
    optimizer=Annotated[OPTIMIZER, Field(discriminator="class")],
    schedule=section("Schedule", warmup=Share, end=Annotated[float, Field(ge=0, le=1)]),
    augment=section(
        "Augment", rotation=Annotated[float, Field(ge=0, le=45)], zoom=Share, shear=Share, shift=Share, elastic=Share
    ),
    batch_size=Count,
    epochs=Count,
    validation_split=Share,
    views=Annotated[int, Field(ge=0, le=1000)],
)
PARAMS = section(
    "Params",
    download=section("Download", dataset=str),
    datasets=section(
        "Datasets",
        mnist=CHECKSUMS,
        fashion_mnist=CHECKSUMS,
        kmnist=CHECKSUMS,
        synthetic=section("Synthetic", train=Count, test=Count, seed=Seed),
        folder=section("Folder", path=Annotated[str, Field(min_length=1)]),
        url=section("Url", base=Annotated[str, Field(pattern="^https?://.")]),
    ),
    environment=section("Environment", keras=str, matplotlib=str, numpy=str, PIL=str, tensorflow=str),
    preprocess=section("Preprocess", train_size=Count | None),
    recipe=str,
    recipes=Annotated[dict[Name, RECIPE], Field(min_length=1)],
    threads=Annotated[int, Field(ge=1, le=256)],
    replicas=Annotated[int, Field(ge=1, le=256)],
    instructions=Literal["AVX2", "native"],
    train=section("Train", seed=Seed),
    evaluate=section("Evaluate", calibration_bins=Count),
    plot=section("Plot", samples=Tiles, mistakes=Tiles, dpi=Annotated[int, Field(ge=30, le=600)]),
)


WORDS = {
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "too_short": "at least one entry",
    "string_too_short": "at least one character",
    "invalid_key": "text as a key",
}


def nearest(word: str, words: Iterable[str]) -> str:
    match = difflib.get_close_matches(word, sorted(set(words) - {word}), n=1)
    return f"; did you mean {match[0]!r}?" if match else ""


def unknown(word: str, words: Iterable[str]) -> str:
    return f"expected one of {', '.join(words)}; found {word!r}{nearest(word, words)}"


def shown(value: Any) -> str:
    """A value as JSON, without its end where it is long: a few aliases make more than memory holds."""
    try:
        parts = list(islice(json.JSONEncoder(default=str).iterencode(value), 101))
        return "".join(parts[:100]) + " ..." * (len(parts) > 100)
    except (TypeError, ValueError):  # a key that is no text, a list inside itself
        return reprlib.repr(value)


def printable(line: str) -> str:
    """A line that stays one, whatever characters a key has."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in line)


def dotted(location: tuple, values: Any) -> str:
    """The path of an error in params.yaml: pydantic's location less the branches of unions, which the file lacks."""
    parts = []
    for part in location:
        if (isinstance(values, dict) and part in values) or (isinstance(values, list) and isinstance(part, int)):
            values = values[part]
            parts.append(str(part))
    return ".".join(parts)


def at(location: Iterable, values: Any) -> Any:
    for part in location:
        values = values[part]
    return values


def shape_errors(values: dict) -> Iterator[tuple[str, str]]:
    """Yield (dotted path, what is wrong) for every key or value that the sections above do not allow."""
    try:
        PARAMS.model_validate(values)
    except ValidationError as failure:
        classes = PARAMS.model_json_schema()["$defs"]
        missing = [error["loc"] for error in failure.errors() if error["type"] == "missing"]
        for error in failure.errors():
            path, last = dotted(error["loc"], values), str(("a key", *error["loc"])[-1])
            match error["type"]:
                case "missing":
                    yield f"{path}.{last}".lstrip("."), "missing"
                case "union_tag_not_found":
                    yield f"{path}.class", "missing"
                case "extra_forbidden":
                    *place, _ = error["loc"]
                    absent = [str(key) for *where, key in missing if where == place]
                    tag = str(place[-1]) if place else ""  # of a layer or optimizer: its class
                    keys = classes[tag]["properties"] if tag in classes else map(str, at(place, values))
                    yield path, f"unknown key{nearest(last, absent or keys)}"
                case "union_tag_invalid":
                    tags = error["ctx"]["expected_tags"].replace("'", "").split(", ")
                    yield f"{path}.class", unknown(error["ctx"]["tag"], tags)
                case _:
                    plain = re.sub("^(Input should be|String should match) ", "", error["msg"])
                    expected = WORDS.get(error["type"], plain)
                    yield path or last, f"expected {expected}; found {shown(error['input'])}"


def name_errors(values: dict) -> Iterator[tuple[str, str]]:
    """Yield (dotted path, what is wrong) for every name that should stand for an entry elsewhere and does not."""

    def inside(*path: str) -> dict:
        child: Any = values
        for key in path:
            child = child.get(key) if isinstance(child, dict) else None
        return child if isinstance(child, dict) else {}

    names = [("download.dataset", inside("download").get("dataset"), inside("datasets"))]
    names += [("recipe", values.get("recipe"), inside("recipes"))]
    for recipe in inside("recipes"):
        network, layers = inside("recipes", recipe).get("network"), inside("recipes", recipe, "layers")
        network = network if isinstance(network, list) else []
        names += [(f"recipes.{recipe}.network.{place}", layer, layers) for place, layer in enumerate(network)]
        for layer in [layer for layer in layers if network and layer not in network]:
            yield f"recipes.{recipe}.layers.{layer}", f"stands in layers, but not in recipes.{recipe}.network"
    for path, name, entries in names:
        if isinstance(name, str) and entries and name not in entries:
            yield path, unknown(name, list(map(str, entries)))


def errors(values: Any) -> list[str]:
    """Return a line for each thing that is wrong with the values of params.yaml, in the order of their paths."""
    if not isinstance(values, dict):
        return [f"{FILE}: expected sections such as 'recipe: original', found {type(values).__name__}"]
    found: dict[tuple[str, str], list[str]] = {}
    for path, problem in [*shape_errors(values), *name_errors(values)]:
        expected, _, value = problem.removeprefix("expected ").partition("; found ")
        found.setdefault((path, value), []).append(expected if value else problem)
    lines = [
        f"{FILE}: {path}: " + (f"expected {' or '.join(problems)}; found {value}" if value else "; ".join(problems))
        for (path, value), problems in sorted(found.items())
    ]
    return list(map(printable, lines))


def read() -> dict:
    """Return the values of params.yaml; SystemExit with a line for each thing that is wrong."""
    try:
        values = YAML(typ="safe").load(FILE)
        lines = errors(values)
    except OSError:
        raise
    except Exception as error:  # ruamel lets through whatever int, bool, date, chr, hash and deep nesting raise
        raise SystemExit(printable(f"{FILE}: expected YAML, found: {' '.join(str(error).split())}")) from None
    if lines:
        raise SystemExit("\n".join(lines))
    return values


def main(_: dict) -> None:
    SCHEMA.parent.mkdir(exist_ok=True)
    SCHEMA.write_text(json.dumps(PARAMS.model_json_schema(), indent=1) + "\n")
