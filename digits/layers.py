"""The layers of Keras that a recipe may name, with the arguments that it may give them.

To add one, declare it here and put it into AnyLayer; a function such as GELU is a word in Function.
Names and meanings are Keras' own, and a test compares them with Keras. An argument that is left out
has Keras' own default.
"""

from typing import Annotated, Literal, get_args

from pydantic import Field

from digits.schema import CLASS, LEFT_OUT, Count, Positive, Section, Share, described

Function = Literal[
    "elu", "leaky_relu", "linear", "relu", "selu", "silu", "softmax", "softplus", "tanh"
]

Filters = Annotated[Count, described("number of output channels")]
KernelSize = Annotated[Count, described("height and width of the kernel, in pixels")]
PoolSize = Annotated[Count, described("height and width of what is pooled into one, in pixels")]
Strides = Annotated[Count, described("step from one output to the next, in pixels")]
Padding = Annotated[
    Literal["same", "valid"], described("same: pad the border with zeros; valid: do not pad")
]
Dilation = Annotated[Count, described("distance between the kernel's points, in pixels")]
UseBias = Annotated[bool, described("add a learned number to each output")]
Activation_ = Annotated[Function, described("function applied to each output")]
Rate = Annotated[Share, described("share of the inputs set to 0 at random while training")]
Epsilon = Annotated[Positive, described("added to the variance, against a division by zero")]
Center = Annotated[bool, described("learn an offset")]
Scale = Annotated[bool, described("learn a factor")]


class Convolution(Section):
    kernel_size: KernelSize
    strides: Strides = LEFT_OUT
    padding: Padding = LEFT_OUT
    dilation_rate: Dilation = LEFT_OUT
    use_bias: UseBias = LEFT_OUT
    activation: Activation_ = LEFT_OUT


class Conv2D(Convolution):
    class_: Literal["Conv2D"] = CLASS
    filters: Filters


class SeparableConv2D(Convolution):
    class_: Literal["SeparableConv2D"] = CLASS
    filters: Filters


class DepthwiseConv2D(Convolution):
    class_: Literal["DepthwiseConv2D"] = CLASS


class Pooling(Section):
    pool_size: PoolSize
    strides: Strides = LEFT_OUT
    padding: Padding = LEFT_OUT


class MaxPooling2D(Pooling):
    class_: Literal["MaxPooling2D"] = CLASS


class AveragePooling2D(Pooling):
    class_: Literal["AveragePooling2D"] = CLASS


class GlobalMaxPooling2D(Section):
    class_: Literal["GlobalMaxPooling2D"] = CLASS


class GlobalAveragePooling2D(Section):
    class_: Literal["GlobalAveragePooling2D"] = CLASS


class Flatten(Section):
    class_: Literal["Flatten"] = CLASS


class Dense(Section):
    class_: Literal["Dense"] = CLASS
    units: Count | Literal["classes"] = described(
        "number of outputs; `classes` stands for the number of classes of the data set"
    )
    use_bias: UseBias = LEFT_OUT
    activation: Activation_ = LEFT_OUT


class BatchNormalization(Section):
    class_: Literal["BatchNormalization"] = CLASS
    momentum: Annotated[Share, described("share that the moving averages keep at each step")] = (
        LEFT_OUT
    )
    epsilon: Epsilon = LEFT_OUT
    center: Center = LEFT_OUT
    scale: Scale = LEFT_OUT


class LayerNormalization(Section):
    class_: Literal["LayerNormalization"] = CLASS
    epsilon: Epsilon = LEFT_OUT
    center: Center = LEFT_OUT
    scale: Scale = LEFT_OUT


class Dropout(Section):
    class_: Literal["Dropout"] = CLASS
    rate: Rate


class SpatialDropout2D(Section):
    class_: Literal["SpatialDropout2D"] = CLASS
    rate: Rate


class ReLU(Section):
    class_: Literal["ReLU"] = CLASS


class LeakyReLU(Section):
    class_: Literal["LeakyReLU"] = CLASS
    negative_slope: Annotated[Positive, described("slope for inputs below 0")] = LEFT_OUT


class Activation(Section):
    class_: Literal["Activation"] = CLASS
    activation: Activation_


class Softmax(Section):
    class_: Literal["Softmax"] = CLASS


AnyLayer = (
    Conv2D
    | SeparableConv2D
    | DepthwiseConv2D
    | MaxPooling2D
    | AveragePooling2D
    | GlobalMaxPooling2D
    | GlobalAveragePooling2D
    | Flatten
    | Dense
    | BatchNormalization
    | LayerNormalization
    | Dropout
    | SpatialDropout2D
    | ReLU
    | LeakyReLU
    | Activation
    | Softmax
)
Layer = Annotated[AnyLayer, Field(discriminator="class_")]


def needs_arguments(layer: type[Section]) -> bool:
    """Whether a layer has arguments without a default, besides its class."""
    required = [name for name, field in layer.model_fields.items() if field.is_required()]
    return required != ["class_"]


# These may stand in `network` by their own names, with no definition.
BARE = [layer.__name__ for layer in get_args(AnyLayer) if not needs_arguments(layer)]
