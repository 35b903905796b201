"""How long an epoch takes: at the committed settings, unpinned (TensorFlow left to itself), and in PyTorch, in turn.

An epoch is one after the first: the training images, then the held-out ones. Loading is the CPU time of the input
pipeline alone.
`python -m benchmarks.speed [--rounds N] [--torch-python PYTHON] [RECIPE ...]`
"""

import argparse
import functools
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable

from benchmarks import harness

COSTS = ("wall_seconds", "cpu_seconds")


def measure(*command: str) -> harness.Figures:
    """Run a script and return the seconds of an epoch, wall and CPU, in the JSON line that it prints last."""
    figures = json.loads(harness.run(*command).printed.splitlines()[-1])
    share = figures.get("loading_cpu_seconds", 0) / figures["epoch_cpu_seconds"]
    return {**{cost: figures[f"epoch_{cost}"] for cost in COSTS}, "loading_share": share}


def has_torch(python: str) -> bool:
    return not subprocess.run([python, "-c", "import torch"], stderr=subprocess.DEVNULL).returncode


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("recipes", nargs="*", default=["original", "fast"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--torch-python", default=sys.executable, help="a Python that has torch, numpy and ruamel.yaml")
    options = parser.parse_args()
    unpinned = [f"threads={len(os.sched_getaffinity(0))}", "replicas=1", "instructions=native"]
    tasks: dict[str, Callable[[], harness.Figures]] = {}
    for recipe in options.recipes:
        overrides = [f"recipe={recipe}", f"recipes.{recipe}.epochs=4"]
        for words, values in (("", overrides), (", unpinned", overrides + unpinned)):
            command = ["-m", "benchmarks.fit", "--loading", *(word for value in values for word in ("-S", value))]
            tasks[recipe + words] = functools.partial(measure, sys.executable, *command)
        if has_torch(options.torch_python):
            command = [options.torch_python, "benchmarks/peer.py", recipe]
            tasks[f"{recipe}, PyTorch"] = functools.partial(measure, *command)
    runs = harness.in_turn(tasks, options.rounds)
    rows = []
    for recipe in options.recipes:
        own = {name: figures for name, figures in runs.items() if name.partition(",")[0] == recipe}
        costs = {name: [{cost: each[cost] for cost in COSTS} for each in figures] for name, figures in own.items()}
        rows += harness.compare(costs, list(own)[-1])
        shares = sorted(each["loading_share"] for each in runs[recipe])
        spread = [f"{share:.3f}" for share in (statistics.median(shares), shares[0], shares[-1])]
        rows.append([f"{recipe}, loading", "share of CPU time", len(shares), *spread, "", ""])
    harness.publish("speed", harness.HEADER, rows)
    if not has_torch(options.torch_python):
        print("without PyTorch: --torch-python names no Python that has torch")


if __name__ == "__main__":
    main()
