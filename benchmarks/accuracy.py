"""How well the recipes read the test images after a training with each seed, and how long that takes, in turn.

Each seed is tested once, after the last step, and counts, whatever comes out. What stands already in
benchmarks/results/accuracy.csv is not run again, unless the recipe, a version or the machine has changed since; where
the code has, remove the file.
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

from benchmarks import harness

from ruamel.yaml import YAML
from tqdm import tqdm

Row = dict[str, str]


@dataclass
class Training:
    """What a training follows from, beside its seed, and the program that does it."""

    follows: object
    command: list[str]  # {} stands for the seed

    def settings(self) -> str:
        return hashlib.sha256(json.dumps(self.follows).encode()).hexdigest()[:8]


def collect(name: str, trainings: Mapping[str, Training], seeds: int, measures: list[str]) -> list[Row]:
    """Run each training with each seed, a row of benchmarks/results/NAME.csv each; what stands there remains."""
    path, head = harness.RESULTS / f"{name}.csv", f"# {harness.machine()}\n"
    header = ["what", "settings", "seed", *measures]
    table: dict[tuple[str, int], Row] = {}
    if path.exists():
        with path.open() as file:
            rows = list(csv.DictReader(file)) if file.readline() == head else []
        table = {(row["what"], int(row["seed"])): row for row in rows}
    runs = [(what, seed) for seed in range(seeds) for what in trainings]
    settings = {what: training.settings() for what, training in trainings.items()}
    stale = [run for run in runs if run not in table or table[run]["settings"] != settings[run[0]]]
    for what, seed in tqdm(stale, unit=" trainings"):
        command = [word.replace("{}", str(seed)) for word in trainings[what].command]
        found = json.loads(harness.run(sys.executable, "-m", *command).printed.splitlines()[-1])
        figures = {measure: f"{found[measure]:.6g}" for measure in measures}
        table[what, seed] = {"what": what, "settings": settings[what], "seed": str(seed), **figures}
        path.parent.mkdir(exist_ok=True)
        with path.open("w", newline="") as file:
            file.write(head)
            writer = csv.DictWriter(file, header, lineterminator="\n")
            writer.writeheader()
            writer.writerows(row for _, row in sorted(table.items()))
    return [row for _, row in sorted(table.items())]


def summary(table: list[Row]) -> Iterator[list[object]]:
    """Yield a row for each recipe: seeds, accuracy, seconds, and the notebook's for the same seed over them."""
    notebook = {row["seed"]: row for row in table if row["what"] == "notebook"}
    for what in dict.fromkeys(row["what"] for row in table):
        own = [row for row in table if row["what"] == what]
        right = [100 * float(row["accuracy"]) for row in own]
        deviation = statistics.stdev(right) if len(right) > 1 else 0.0
        line: list[object] = [what, len(own), f"{statistics.mean(right):.3f}", f"{deviation:.3f}"]
        line += [f"{min(right):.2f}", f"{max(right):.2f}"]
        for measure in ("wall_seconds", "cpu_seconds"):
            pairs = [(float(row[measure]), notebook.get(row["seed"])) for row in own]
            ratios = [float(other[measure]) / seconds for seconds, other in pairs if other]
            line.append(f"{statistics.median(seconds for seconds, _ in pairs):.2f}")
            line.append(f"{statistics.median(ratios):.2f}" if ratios else "")
        yield line


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("recipes", nargs="*", default=["notebook", "original", "fast"])
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    params = YAML(typ="safe").load(harness.ROOT / "params.yaml")
    common = [params[key] for key in ("threads", "replicas", "instructions")]
    trainings = {"notebook": Training("notebook", ["benchmarks.notebook", "{}"])}
    for recipe, values in params["recipes"].items():
        command = ["benchmarks.fit", "-S", f"recipe={recipe}", "-S", "train.seed={}"]
        trainings[recipe] = Training([values, common], command)
    chosen = {what: trainings[what] for what in options.recipes}
    table = collect("accuracy", chosen, options.seeds, ["accuracy", "wall_seconds", "cpu_seconds"])
    header = ["recipe", "seeds", "accuracy %", "sd", "least", "most", "wall s", "times less", "CPU s", "times less"]
    harness.publish("recipes", header, list(summary(table)))


if __name__ == "__main__":
    main()
