"""Write what each key of params.yaml means and may be, and what Keras has to offer.

docs/params.md, from digits/params.py; digits/keras_names.json, from the signatures of Keras.
"""

import argparse
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path("docs/params.md")
NAMES = Path("digits/keras_names.json")
HEAD = """# The parameters

What each key of [params.yaml](../params.yaml) means and may be. `make describe` writes this page
from [digits/params.py](../digits/params.py) and [keras_names.py](../digits/keras_names.py); editors
show the same words as one types.
"""
KERAS = """## Layers and optimizers

A mapping with a `class` of Keras and its arguments, such as `{class: Conv2D, filters: 16,
kernel_size: 5}`. Arguments in bold must be given; the others have
[Keras' own](https://keras.io/api/) defaults. These are checked before anything runs:
"""
SAMPLES = {  # of arguments that must be given, to try a layer
    "dims": [2, 1, 3],
    "factor": 0.1,
    "filters": 4,
    "height": 8,
    "height_factor": 0.1,
    "kernel_size": 3,
    "output_size": 4,
    "pool_size": 2,
    "rate": 0.5,
    "scale": 2.0,
    "stddev": 0.1,
    "target_shape": [-1],
    "units": 4,
    "width": 8,
    "width_factor": 0.1,
}
NOT_ARGUMENTS = {"self", "name", "dtype", "data_format"}  # the project says these, or its data do
# Keras' own `fit` does these; digits/training.py does not.
NOT_ARGUMENTS |= {"use_ema", "ema_momentum", "ema_overwrite_frequency", "loss_scale_factor"}
NOT_ARGUMENTS |= {"gradient_accumulation_steps"}
# These mix images without their labels, or give other sizes in training than afterwards.
NOT_LAYERS = {"CutMix", "MixUp", "RandomCrop"}
RENAMED = {"size": "factor"}  # of UpSampling2D: see UNHEEDED in digits/keras_names.py
NOT_FUNCTIONS = {"deserialize", "get", "serialize"}
BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
MANY = 2**31  # a bound from here on only keeps a number in its machine's size


def entries(schema: dict) -> dict:
    """The schema of a mapping's values, where each may have a name of the user's own."""
    patterns = list(schema.get("patternProperties", {}).values())
    return patterns[0] if patterns else {}


def reference(schema: dict) -> str:
    """The name of the class that a schema is, or whose objects it holds; nothing if none."""
    target = schema.get("$ref") or entries(schema).get("$ref", "")
    return target.rpartition("/")[2]


def allowed(schema: dict) -> str:
    """What a value may be: its type and its bounds, or its choices."""
    if "anyOf" in schema:
        return " or ".join(map(allowed, schema["anyOf"]))
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{choice}`" for choice in schema["enum"])
    if "$ref" in schema or "oneOf" in schema:
        return "mapping"
    if schema["type"] == "object":
        return (
            f"mapping of names; each: {allowed(entries(schema))}" if entries(schema) else "mapping"
        )
    kind = {"array": "list", "null": "empty"}.get(schema["type"], schema["type"])
    bounds = [
        f"{sign} {schema[key]}" for key, sign in BOUNDS.items() if schema.get(key, MANY) < MANY
    ]
    return ", ".join([kind, *bounds])


def table(section: dict) -> str:
    """A row for each key of a section; those that may be left out say so."""
    rows = ["| key | meaning | value |", "| --- | --- | --- |"]
    for key, value in section["properties"].items():
        optional = "" if key in section.get("required", []) else "; may be left out"
        rows.append(f"| `{key}` | {value['description']} | {allowed(value)}{optional} |")
    return "\n".join(rows)


def sections(schema: dict) -> Iterator[tuple[str, dict]]:
    """Yield (heading, section): the file, then its sections in order."""
    yield "params.yaml", schema
    waiting = list(schema["properties"].items())
    while waiting:
        path, value = waiting.pop(0)
        section = schema["$defs"].get(reference(value), {})
        if "properties" not in section:
            continue
        path = path if "$ref" in value else f"{path}.NAME"
        yield path, section
        waiting[:0] = [(f"{path}.{key}", each) for key, each in section["properties"].items()]


def keras_tables() -> Iterator[str]:
    """Yield the tables of what is known of Keras' arguments, of its layers and its optimizers."""
    from digits import keras_names

    schemas = {name: keras_names.adapter_schema(name) for name in keras_names.ARGUMENTS}
    yield table({"properties": schemas, "required": list(schemas)})
    kinds = {"layer": keras_names.LAYERS, "optimizer": keras_names.OPTIMIZERS}
    for kind, classes in kinds.items():
        rows = [f"| {kind} | arguments |", "| --- | --- |"]
        for name, arguments in classes.items():
            needed = [f"**{key}**" for key in arguments if arguments[key]]
            others = [key for key in arguments if not arguments[key]]
            rows.append(f"| `{name}` | {', '.join([*needed, *others])} |")
        yield "\n".join(rows)


def page() -> str:
    from digits.params import Params

    found = sections(Params.model_json_schema())
    parts = [f"## `{path}`\n\n{table(part)}\n" for path, part in found]
    return "\n".join([HEAD, *parts, KERAS, "\n\n".join(keras_tables())]) + "\n"


def arguments(kind: Any) -> dict[str, bool]:
    """The arguments of a class of Keras, and whether each must be given."""
    signature = inspect.signature(kind.__init__).parameters.values()
    return {
        RENAMED.get(each.name, each.name): each.default is each.empty
        for each in signature
        if each.kind is each.POSITIONAL_OR_KEYWORD and each.name not in NOT_ARGUMENTS
    }


def maps_images_or_vectors(kind: Any) -> bool:
    """Does a layer make of a batch of images, or of vectors, another batch of either?"""
    from digits.determinism import keras

    if hasattr(kind, "adapt") or kind.__name__ in NOT_LAYERS:  # it must see data first
        return False
    given = {key: SAMPLES.get(key) for key, needed in arguments(kind).items() if needed}
    for shape in ([16, 16, 3], [16, 16, 32], [8]):
        try:
            network = keras.Sequential([keras.Input(shape), kind(**given)])
            if network.output_shape[0] is None and len(network.output_shape) in (2, 4):
                return True
        except Exception:  # of whatever kind: it does not
            continue
    return False


def names() -> dict[str, Any]:
    """What digits/keras_names.json holds."""
    from digits.determinism import keras

    found: dict[str, Any] = {"layers": {}, "optimizers": {}}
    for name, kind in inspect.getmembers(keras.layers, inspect.isclass):
        if name == kind.__name__ and maps_images_or_vectors(kind):
            found["layers"][name] = arguments(kind)
    for name, kind in inspect.getmembers(keras.optimizers, inspect.isclass):
        given = arguments(kind)
        if "learning_rate" in given:
            found["optimizers"][name] = {**given, "learning_rate": True}
    functions = inspect.getmembers(keras.activations, inspect.isfunction)
    found["activations"] = [name for name, _ in functions if name not in NOT_FUNCTIONS]
    return found


def main() -> None:
    argparse.ArgumentParser(prog="python -m tools.describe", description=__doc__).parse_args()
    NAMES.write_text(json.dumps(names(), indent=1) + "\n")
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
