"""The optimizers of Keras that a recipe may name, with the arguments that it may give them.

To add one, declare it here and put it into Optimizer. Names and meanings are Keras' own, and a test
compares them with Keras. An argument that is left out has Keras' own default.
"""

from typing import Annotated, Literal

from pydantic import Field

from digits.schema import CLASS, LEFT_OUT, Positive, Section, Share, described

LearningRate = Annotated[Positive, described("peak of the learning rate; see `schedule`")]
WeightDecay = Annotated[Share, described("share of each weight taken off at a learning rate of 1")]


class Adaptive(Section):
    """What Adam and its kin take; Lion, say, has no epsilon."""

    learning_rate: LearningRate
    beta_1: Annotated[Share, described("share that the mean gradient keeps at each step")] = (
        LEFT_OUT
    )
    beta_2: Annotated[Share, described("share that the mean square keeps at each step")] = LEFT_OUT
    epsilon: Annotated[Positive, described("added below the fraction")] = LEFT_OUT
    weight_decay: WeightDecay = LEFT_OUT


class Adam(Adaptive):
    class_: Literal["Adam"] = CLASS


class AdamW(Adaptive):
    class_: Literal["AdamW"] = CLASS


class SGD(Section):
    class_: Literal["SGD"] = CLASS
    learning_rate: LearningRate
    momentum: Annotated[Share, described("share of the last step that is taken again")] = LEFT_OUT
    nesterov: Annotated[bool, described("look ahead along the momentum")] = LEFT_OUT
    weight_decay: WeightDecay = LEFT_OUT


Optimizer = Annotated[Adam | AdamW | SGD, Field(discriminator="class_")]
