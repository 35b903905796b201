"""The values of -S for a search: what every trial sets, and where the others are searched.

`key=a..b` is a range, `a..b:log` one on a logarithmic scale, `a..b:STEP` one of steps. Whole
numbers at both ends propose whole numbers. Commas make a list, as in a sweep.
"""

import contextlib
import re
import warnings
from dataclasses import dataclass
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from tools import configurations, overrides

RANGE = re.compile(r"(.+?)\.\.(.+?)(?::(.+))?")
EXPECTED = "a..b, a..b:log or a..b:STEP, in numbers"
DIGITS = 4  # of a number that is proposed: more say nothing, and nobody reads them
EXACT = 12  # of one in steps: 0.1 + 0.2 is 0.3

Values = dict[str, Any]  # of the parameters that are searched, by what stands left of =


@dataclass
class Space:
    """What every trial sets, and between which bounds the others are searched."""

    fixed: list[str]
    ranges: dict[str, BaseDistribution]

    def overrides(self, values: Values) -> list[str]:
        return [*self.fixed, *(f"{key}={value}" for key, value in values.items())]

    def rounded(self, values: Values) -> Values:
        """Proposed values as they are run: numbers with few digits."""
        found = {}
        for key, value in values.items():
            between = self.ranges[key]
            if isinstance(between, FloatDistribution):
                near = float(f"{value:.{DIGITS if between.step is None else EXACT}g}")
                value = min(max(near, between.low), between.high)
            found[key] = value
        return found

    def read(self, file: Any) -> Values:
        """The values that an experiment's params.yaml holds; of a list, as the list writes it."""
        found = {}
        for key, between in self.ranges.items():
            value = overrides.get(file, key)
            if isinstance(between, CategoricalDistribution):
                written = [f"{key}={choice}" for choice in between.choices]
                same = [overrides.value(each) == value for each in written]
                value = between.choices[same.index(True)] if any(same) else str(value)
            found[key] = value
        return found


def number(text: str) -> int | float | None:
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return None


def bounds(override: str) -> BaseDistribution | None:
    """The range that an override names, or its choices; None where it has one value."""
    key, _, text = override.partition("=")
    match = RANGE.fullmatch(text)
    low, high = (number(match[1]), number(match[2])) if match else (None, None)
    if not match or low is None or high is None:
        choices = [each.partition("=")[2] for [each] in overrides.sweeps([override])]
        return CategoricalDistribution(choices) if len(choices) > 1 else None

    overrides.sweeps([f"{key}={low}"])
    how = match[3]
    log = how == "log"
    step = number(how) if how and not log else None
    whole = not any(isinstance(each, float) for each in (low, high, step))
    try:
        if how and not log and not step:
            raise ValueError(how)
        with warnings.catch_warnings(action="ignore"):
            found = (
                IntDistribution(int(low), int(high), log=log, step=int(step or 1))
                if whole
                else FloatDistribution(low, high, log=log, step=step)
            )
        if found.high != high:
            raise ValueError(f"steps of which the last ends at {found.high}")
        return found
    except (ValueError, ArithmeticError) as error:
        raise SystemExit(f"-S {override}: expected {EXPECTED}; found: {error}") from None


def read(given: list[str]) -> Space:
    """What -S says; SystemExit where params.yaml refuses a value, or no images are held out."""
    space = Space([], {})
    for override in overrides.plain(given):
        key = overrides.key(override)
        if key == configurations.SEED:
            raise SystemExit(f"-S {override}: expected no seed here; --seeds 3 takes 0, 1 and 2")
        if between := bounds(override):
            if key.startswith(configurations.SOURCE) or configurations.splits(key):
                raise SystemExit(
                    f"-S {override}: expected one value, by which the same images judge all trials"
                )
            space.ranges[override.partition("=")[0]] = between
        else:
            space.fixed.append(override)
    if not space.ranges:
        raise SystemExit(f"-S: expected a range, {EXPECTED}, or a list; found single values only")

    first = {key: sides(between)[0] for key, between in space.ranges.items()}
    tried = [first]
    tried += [first | {key: side} for key, other in space.ranges.items() for side in sides(other)]
    check_use(space, overrides.check([space.overrides(values) for values in tried]))
    return space


def sides(between: BaseDistribution) -> list[Any]:
    """Both ends of a range, or all of a list."""
    if isinstance(between, CategoricalDistribution):
        return list(between.choices)
    assert isinstance(between, IntDistribution | FloatDistribution)
    return [between.low, between.high]


def check_use(space: Space, files: list[Any]) -> None:
    """SystemExit where no images are held out, or what is searched changes no training."""
    recipes = set()
    for file in files:
        own = file["train"]["validation_split"]
        recipe = file["recipe"]
        recipes.add(recipe)
        if not (file["recipes"][recipe]["validation_split"] if own is None else own):
            raise SystemExit(
                f"expected images that are held out, to judge trials by; recipe {recipe} holds out "
                "none: -S train.validation_split=0.1"
            )
    for key in map(overrides.key, space.ranges):
        if not any(configurations.counts(key, {"recipe": recipe}, "val_") for recipe in recipes):
            raise SystemExit(
                f"-S {key}: expected what changes a training of recipe {' or '.join(recipes)}; "
                "found what does not"
            )
