"""How long an epoch takes: as committed, unpinned (TensorFlow left to itself), in PyTorch, in turn.

An epoch is one after the first: the training images, then the held-out ones. Loading is the CPU
time of the input pipeline alone.
`python -m benchmarks.speed [--rounds N] [--torch-python PYTHON] [RECIPE ...]`
"""

import argparse
import functools
import os
import subprocess
import sys
from collections.abc import Callable

from benchmarks import harness

COSTS = ("wall_seconds", "cpu_seconds")
Runs = dict[str, list[harness.Figures]]


def measure(*command: str) -> harness.Figures:
    """Run a script; return the seconds of an epoch, wall and CPU, that it prints at the end."""
    found = harness.figures(*command)
    share = found.get("loading_cpu_seconds", 0) / found["epoch_cpu_seconds"]
    return {**{cost: found[f"epoch_{cost}"] for cost in COSTS}, "loading_share": share}


def has_torch(python: str) -> bool:
    command = [python, "-c", "import torch"]
    return subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0


def tasks(recipe: str, torch_python: str | None) -> dict[str, Callable[[], harness.Figures]]:
    """What is measured of a recipe, by its name; PyTorch, if it is there, comes last."""
    committed = [f"recipe={recipe}", f"recipes.{recipe}.epochs=4"]
    cores = len(os.sched_getaffinity(0))
    unpinned = [*committed, f"threads={cores}", "replicas=1", "instructions=native"]
    found: dict[str, Callable[[], harness.Figures]] = {}
    for name, overrides in ((recipe, committed), (f"{recipe}, unpinned", unpinned)):
        command = ["-m", "benchmarks.fit", "--loading", *harness.as_options(*overrides)]
        found[name] = functools.partial(measure, sys.executable, *command)
    if torch_python:
        command = [torch_python, "benchmarks/peer.py", recipe]
        found[f"{recipe}, PyTorch"] = functools.partial(measure, *command)
    return found


def rows_of(recipe: str, runs: Runs) -> list[list[object]]:
    """The rows of a recipe: each time against the last task's, and the share of loading."""
    costs = {
        name: [{cost: each[cost] for cost in COSTS} for each in found]
        for name, found in runs.items()
        if name.partition(",")[0] == recipe
    }
    shares = [each["loading_share"] for each in runs[recipe]]
    spread = [f"{float(share):.3f}" for share in harness.spread(shares)]
    loading = [f"{recipe}, loading", "share of CPU time", len(shares), *spread, "", ""]
    return [*harness.compare(costs, list(costs)[-1]), loading]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("recipes", nargs="*", default=["original", "fast"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--torch-python", default=sys.executable, help="a Python that has torch, numpy and PyYAML"
    )
    options = parser.parse_args()
    torch_python = options.torch_python if has_torch(options.torch_python) else None
    chosen: dict[str, Callable[[], harness.Figures]] = {}
    for recipe in options.recipes:
        chosen |= tasks(recipe, torch_python)
    runs = harness.in_turn(chosen, options.rounds)
    rows = [row for recipe in options.recipes for row in rows_of(recipe, runs)]
    harness.publish("speed", harness.HEADER, rows)
    if not torch_python:
        print("without PyTorch: --torch-python names no Python that has torch")


if __name__ == "__main__":
    main()
