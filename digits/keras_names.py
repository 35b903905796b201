"""The layers and optimizers of Keras that a recipe may name, and what arguments they take.

keras_names.json lists them; `make describe` makes it from Keras' own signatures, so that nothing
need import Keras to check params.yaml. An argument that is left out has Keras' own default. To have
the values of a further argument checked and described, declare it in ARGUMENTS; what is said
there holds for all classes that take it.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from digits import refusals
from digits.refusals import Refusal
from digits.schema import Count, Section, Share, described

NAMES = json.loads(Path(__file__).with_suffix(".json").read_text())
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Arguments = dict[str, bool]  # of a class: each by its name, and whether it must be given
OPTIMIZERS: dict[str, Arguments] = NAMES["optimizers"]
# Layers in `network`, with what they make of their input added to it (or multiplied with it): with
# these, residual networks and squeeze-and-excitation can be written.
RESIDUAL = {"network": True, "shortcut": False, "merge": False}
LAYERS: dict[str, Arguments] = {**NAMES["layers"], "Residual": RESIDUAL}
# These may stand in `network` by their own names, with no definition.
BARE = [name for name, arguments in NAMES["layers"].items() if not any(arguments.values())]

# Keys that DVC leaves out when it looks for an earlier run in its cache: runs that differ in these
# alone would be taken for one.
UNHEEDED = {"size", "nfiles"}

# Text in YAML 1.2, which Python takes for true.
SPOKEN = {"yes", "no", "on", "off", "true", "false"}
Sizes = Count | Annotated[list[Count], Field(min_length=2, max_length=2)]
Several = Annotated[int, Field(ge=2, lt=2**31)]
Function = Literal[*NAMES["activations"]]  # type: ignore[valid-type]
Edges = Annotated[int, Field(ge=0, lt=2**31)]
Slope = Annotated[float, Field(ge=0, allow_inf_nan=False)]

ARGUMENTS = {
    "activation": Annotated[Function, described("function applied to each output")],
    "amsgrad": Annotated[bool, described("divide by the largest mean square so far")],
    "beta_1": Annotated[Share, described("share that the mean gradient keeps at each step")],
    "beta_2": Annotated[Share, described("share that the mean square keeps at each step")],
    "center": Annotated[bool, described("learn an offset")],
    "centered": Annotated[bool, described("divide by the variance, not by the mean square")],
    "clipnorm": Annotated[Positive | None, described("largest norm of each weight's gradient")],
    "clipvalue": Annotated[Positive | None, described("largest number in a gradient")],
    "dilation_rate": Annotated[Sizes, described("distance between the kernel's points, in pixels")],
    "epsilon": Annotated[Positive, described("added to a divisor, so that it is not 0")],
    "factor": Annotated[
        float | list,
        described(
            "as in Keras; of UpSampling2D, what Keras calls size: DVC's cache ignores a `size`"
        ),
    ],
    "filters": Annotated[Count, described("number of output channels")],
    "global_clipnorm": Annotated[Positive | None, described("largest norm of all gradients")],
    "height": Annotated[Count, described("pixels of the output, from above to below")],
    "kernel_size": Annotated[Sizes, described("height and width of the kernel, in pixels")],
    "learning_rate": Annotated[Positive, described("peak of the learning rate; see `schedule`")],
    "merge": Annotated[
        Literal["add", "multiply"], described("how input and output come together; add if left out")
    ],
    "momentum": Annotated[Share, described("share that is kept of what was before")],
    "negative_slope": Annotated[Slope, described("slope for inputs below 0")],
    "nesterov": Annotated[bool, described("look ahead along the momentum")],
    "network": Annotated[list[str], described("layers in order, as in the recipe's `network`")],
    "output_size": Annotated[
        Several | Annotated[list[Several], Field(min_length=2, max_length=2)],
        described("height and width of the output; for 1, there are the global poolings"),
    ],
    "padding": Annotated[
        Literal["same", "valid"] | Edges | list,
        described("same: pad the border with zeros; valid: do not pad. Of ZeroPadding2D: pixels"),
    ],
    "pool_size": Annotated[Sizes, described("height and width of what is pooled into one")],
    "rate": Annotated[Share, described("share of the inputs set to 0 at random while training")],
    "rho": Annotated[Share, described("share that the mean square keeps at each step")],
    "shortcut": Annotated[
        list[str], described("layers that the input goes through, where shapes differ")
    ],
    "strides": Annotated[Sizes | None, described("step from one output to the next, in pixels")],
    "units": Annotated[
        Count | Literal["classes"],
        described("number of outputs; `classes` stands for the data set's number of classes"),
    ],
    "use_bias": Annotated[bool, described("add a learned number to each output")],
    "value_range": Annotated[
        Annotated[list[float], Field(min_length=2, max_length=2)],
        described("least and most value of the images; [0, 1] if left out, not as in Keras"),
    ],
    "weight_decay": Annotated[
        Share | None, described("share of each weight taken off at a learning rate of 1")
    ],
    "width": Annotated[Count, described("pixels of the output, from left to right")],
}
ANY = Annotated[bool | int | float | str | list | dict | None, described("as in Keras")]


class KerasObject(Section):
    """A mapping with a `class` of Keras and its arguments, which `wrong` checks."""

    model_config = ConfigDict(extra="allow")
    classes: ClassVar[dict[str, Arguments]]
    class_: str = Field(alias="class", description="name of the class in Keras")

    @classmethod
    def __get_pydantic_json_schema__(cls, *_: Any) -> dict[str, Any]:
        return schema(cls.classes)


class Layer(KerasObject):
    classes = LAYERS


class Optimizer(KerasObject):
    classes = OPTIMIZERS


@cache
def adapter(argument: str) -> TypeAdapter:
    kind: Any = ARGUMENTS.get(argument, ANY)
    return TypeAdapter(kind, config=ConfigDict(strict=True))


@cache
def adapter_schema(argument: str) -> dict[str, Any]:
    return adapter(argument).json_schema()


def wrong(path: str, definition: Any, classes: dict[str, Arguments]) -> Iterator[Refusal]:
    """Yield what Keras would not take in the mapping of a layer or an optimizer."""
    name = definition.get("class") if isinstance(definition, dict) else None
    if not isinstance(name, str):
        return  # the section's own check tells
    if name not in classes:
        yield refusals.unknown_name(f"{path}.class", name, classes)
        return
    arguments = classes[name]
    missing = [key for key in arguments if arguments[key] and key not in definition]
    for key in missing:
        yield Refusal(f"{path}.{key}", "missing")
    for key, value in definition.items():
        if key in UNHEEDED:
            continue  # params.py refuses it everywhere
        if key not in arguments and key != "class":
            yield refusals.unknown_key(f"{path}.{key}", str(key), missing or arguments)
        elif key not in ARGUMENTS and isinstance(value, str) and value.lower() in SPOKEN:
            yield Refusal(f"{path}.{key}", expected="true or false", found=refusals.shown(value))
        elif key != "class":
            try:
                adapter(key).validate_python(value)
            except ValidationError as failure:
                yield from refusals.explain(failure, value, {}, f"{path}.{key}")


def schema(classes: dict[str, Arguments]) -> dict:
    """The JSON schema of a mapping with any of these classes, for editors."""
    choices = []
    for name, arguments in classes.items():
        properties = {key: adapter_schema(key) for key in arguments}
        properties = {"class": {"const": name, "description": "class in Keras"}, **properties}
        needed = ["class", *(key for key in arguments if arguments[key])]
        choices.append(
            {
                "title": name,
                "type": "object",
                "properties": properties,
                "required": needed,
                "additionalProperties": False,
            }
        )
    return {"oneOf": choices}
