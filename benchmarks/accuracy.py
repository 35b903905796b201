"""How accurate the recipes are after a training with each seed, and how long that takes, in turn.

Each seed is tested once, after the last step, and counts, whatever comes out. What stands already
in benchmarks/results/accuracy.csv is not run again, unless the recipe, a version or the machine has
changed since; where the code has, remove the file.
`python -m benchmarks.accuracy [--seeds N] [notebook] [RECIPE ...]`
"""

import argparse
import csv
import hashlib
import json
import statistics
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks import harness

Row = dict[str, str]
Table = dict[tuple[str, int], Row]  # by what was trained, and the seed
MEASURES = ["accuracy", "wall_seconds", "cpu_seconds"]


@dataclass
class Training:
    """What a training follows from, beside its seed, and the program that does it."""

    follows: object
    command: list[str]  # {} stands for the seed

    def settings(self) -> str:
        return hashlib.sha256(json.dumps(self.follows).encode()).hexdigest()[:8]

    def run(self, seed: int, measures: list[str]) -> Row:
        command = [word.replace("{}", str(seed)) for word in self.command]
        found = harness.figures(sys.executable, "-m", *command)
        return {measure: f"{found[measure]:.6g}" for measure in measures}


def read(path: Path) -> Table:
    """The trainings in a file, if they were done on this machine, with these versions."""
    if not path.exists():
        return {}
    with path.open() as file:
        if file.readline() != head():
            return {}
        return {(row["what"], int(row["seed"])): row for row in csv.DictReader(file)}


def write(path: Path, table: Table, measures: list[str]) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        file.write(head())
        header = ["what", "settings", "seed", *measures]
        writer = csv.DictWriter(file, header, lineterminator="\n")
        writer.writeheader()
        writer.writerows(in_order(table))


def head() -> str:
    return f"# {harness.machine()}\n"


def in_order(table: Table) -> list[Row]:
    return [row for _, row in sorted(table.items())]


def collect(
    name: str, trainings: Mapping[str, Training], seeds: int, measures: list[str]
) -> list[Row]:
    """Run each training with each seed: a row of benchmarks/results/NAME.csv each.

    What stands there already, with the same settings, is not run again.
    """
    path = harness.RESULTS / f"{name}.csv"
    table = read(path)
    settings = {what: training.settings() for what, training in trainings.items()}
    runs = [(what, seed) for seed in range(seeds) for what in trainings]
    stale = [
        (what, seed)
        for what, seed in runs
        if (what, seed) not in table or table[what, seed]["settings"] != settings[what]
    ]
    for what, seed in tqdm(stale, unit=" trainings"):
        row = {"what": what, "settings": settings[what], "seed": str(seed)}
        table[what, seed] = row | trainings[what].run(seed, measures)
        write(path, table, measures)
    return in_order(table)


def summary(table: list[Row]) -> Iterator[list[object]]:
    """Yield a row for each recipe: seeds, accuracy, then its seconds and how many times less.

    A ratio is that of the notebook's seconds with the same seed.
    """
    notebook = {row["seed"]: row for row in table if row["what"] == "notebook"}
    for what in dict.fromkeys(row["what"] for row in table):
        own = [row for row in table if row["what"] == what]
        right = [100 * float(row["accuracy"]) for row in own]
        deviation = statistics.stdev(right) if len(right) > 1 else 0.0
        line: list[object] = [what, len(own), f"{statistics.mean(right):.3f}", f"{deviation:.3f}"]
        line += [f"{min(right):.2f}", f"{max(right):.2f}"]
        for measure in ("wall_seconds", "cpu_seconds"):
            seconds = [float(row[measure]) for row in own]
            ratios = [
                float(notebook[row["seed"]][measure]) / float(row[measure])
                for row in own
                if row["seed"] in notebook
            ]
            line.append(f"{statistics.median(seconds):.2f}")
            line.append(f"{statistics.median(ratios):.2f}" if ratios else "")
        yield line


def shared(params: dict[str, Any]) -> list[object]:
    """What every training follows from, beside its recipe."""
    return [params[key] for key in ("threads", "replicas", "instructions")]


def trainings() -> dict[str, Training]:
    """The notebook, and each recipe of params.yaml."""
    params = harness.params()
    common = shared(params)
    views = params["evaluate"]["test_time_augmentation"]
    found = {"notebook": Training("notebook", ["benchmarks.notebook", "{}"])}
    for recipe, values in params["recipes"].items():
        options = harness.as_options(f"recipe={recipe}", "train.seed={}")
        found[recipe] = Training([values, views[recipe], common], ["benchmarks.fit", *options])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("recipes", nargs="*", default=["notebook", "original", "fast"])
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    known = trainings()
    chosen = {what: known[what] for what in options.recipes}
    table = collect("accuracy", chosen, options.seeds, MEASURES)
    header = ["recipe", "seeds", "accuracy %", "sd", "least", "most"]
    header += ["wall s", "times less", "CPU s", "times less"]
    harness.publish("recipes", header, list(summary(table)))


if __name__ == "__main__":
    main()
