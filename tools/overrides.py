"""The values of -S: every combination of them, what params.yaml would hold then, and its name."""

import json
import re
import shutil
import tempfile
from collections.abc import Iterable
from typing import Any

LONGEST = 12  # characters of a value in a name


def combinations(overrides: list[str]) -> list[list[str]]:
    """Return the overrides of each combination; SystemExit where params.yaml would refuse one."""
    found = sweeps(plain(overrides))
    check(found)
    return found


def plain(overrides: list[str]) -> list[str]:
    """The overrides without `params.yaml:` before them; SystemExit where a parameter comes twice.

    DVC would silently take the last.
    """
    from digits import params

    found = [override.removeprefix(f"{params.FILE}:") for override in overrides]
    names = [override.partition("=")[0] for override in found]
    for name in names:
        if ":" in name:
            raise SystemExit(f"-S {name}: expected a parameter of {params.FILE}")
        if names.count(name) > 1:
            raise SystemExit(f"-S {name}: expected it once; found it {names.count(name)} times")
    return found


def sweeps(overrides: list[str]) -> list[list[str]]:
    """Every combination of the values; SystemExit where there is no such parameter."""
    from dvc.exceptions import DvcException
    from dvc.utils.cli_parse import to_path_overrides
    from dvc.utils.hydra import apply_overrides, get_hydra_sweeps
    from hydra.errors import HydraException

    from digits import params

    try:
        products = get_hydra_sweeps(to_path_overrides(overrides))
        found = [product[str(params.FILE)] for product in products]
        if not found:
            raise SystemExit(
                "-S: expected at least one value of each parameter; "
                f"found none in {' '.join(overrides)}"
            )
        # A name that params.yaml lacks, it lacks in each combination: try one on a copy.
        with tempfile.TemporaryDirectory() as folder:
            apply_overrides(shutil.copy(params.FILE, folder), found[0])
    except (DvcException, HydraException, ValueError) as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise SystemExit(
            f"-S: expected values of params.yaml, as `dvc exp run -S` takes them; found: {reason}"
        ) from None
    return found


def check(found: list[list[str]]) -> list[Any]:
    """The values of params.yaml in each combination, before any of them runs.

    SystemExit where it would refuse one, or where a recipe is set and none trains it.
    """
    from digits import output, params, yaml12  # late: pydantic

    committed = json.dumps(yaml12.load(params.FILE.read_bytes()))
    checked = []
    for overrides in found:
        values = applied(json.loads(committed), overrides)
        if wrong := params.errors(values):
            raise SystemExit(f"-S {output.printable(' '.join(overrides))}: {wrong[0]}")
        checked.append(values)
    recipes = {values["recipe"] for values in checked}
    for override in found[0]:
        section, _, rest = key(override).partition(".")
        recipe = rest.partition(".")[0]
        if section == "recipes" and recipe not in recipes:
            raise SystemExit(
                f"-S {override}: expected parameters of the recipe that is trained, "
                f"{', '.join(sorted(recipes))}; to train {recipe}: -S recipe={recipe}"
            )
    return checked


def applied(values: Any, overrides: list[str]) -> Any:
    """Set values of params.yaml in place, as DVC does, which takes 50 ms for each combination."""
    from dvc.utils.collections import merge_dicts
    from dvc.utils.hydra import to_hydra_overrides
    from omegaconf._utils import split_key

    for override in to_hydra_overrides(overrides):
        *parents, key = split_key(override.key_or_group)
        section = values
        for parent in parents:
            if isinstance(section, list):
                section = section[int(parent)]
            else:  # of `+a.b=1`, an `a` that was not there
                section = section.setdefault(parent, {})
        if isinstance(section, list):
            section[int(key)] = override.value()
        elif override.is_delete():
            section.pop(key, None)
        else:
            merge_dicts(section, {key: override.value()})
    return values


def value(override: str) -> Any:
    """The value that an override sets, as params.yaml then holds it."""
    from dvc.utils.hydra import to_hydra_overrides

    [parsed] = to_hydra_overrides([override])
    return parsed.value()


def get(values: Any, override: str) -> Any:
    """What values of params.yaml hold where an override sets."""
    from omegaconf._utils import split_key

    for part in split_key(key(override)):
        values = values[int(part)] if isinstance(values, list) else values[part]
    return values


def key(override: str) -> str:
    """The dotted path of the parameter that an override sets, adds (+) or deletes (~)."""
    return override.partition("=")[0].lstrip("+~")


def ends(keys: Iterable[str], least: int = 1) -> dict[str, str]:
    """For each dotted path its shortest end, of `least` parts or more, that no other has."""
    keys = list(dict.fromkeys(keys))
    found = {}
    for path in keys:
        parts = path.split(".")
        counts = range(min(least, len(parts)), len(parts))
        tails = (".".join(parts[-count:]) for count in counts)
        alone = (end for end in tails if sum(f".{key}".endswith(f".{end}") for key in keys) == 1)
        found[path] = next(alone, path)
    return found


def words(overrides: Iterable[str], names: dict[str, str]) -> str:
    """Keys and values for the name of an experiment."""
    return "-".join(
        f"{names[key(override)]}-{short(override.partition('=')[2])}" for override in overrides
    )


def short(value: str) -> str:
    """A number with at most four digits after its first; of a longer word, the start."""
    if re.fullmatch(r"-?\d+", value) or len(value) <= len("0.0001"):
        return value
    try:
        return f"{float(value):.4g}"
    except ValueError:
        return value[:LONGEST]
