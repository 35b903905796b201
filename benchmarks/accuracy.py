"""How accurate the recipes are after a training with each seed, and how long that takes, in turn.

Each seed is tested once, after the last step, and counts, whatever comes out. What this machine has
in benchmarks/results/accuracy.csv already is not run again, unless the recipe or a version has
changed since; where the code has, remove the file.
`python -m benchmarks.accuracy [--seeds N] [notebook] [RECIPE ...]`
"""

import argparse
import csv
import statistics
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks import harness
from tools import gate

Row = dict[str, str]
Table = dict[tuple[str, str, int], Row]  # by what was trained, the machine, and the seed
MEASURES = ["accuracy", "wall_seconds", "cpu_seconds"]


@dataclass
class Training:
    """What a training follows from, beside its seed, and the program that does it."""

    follows: object
    command: list[str]  # {} stands for the seed

    def settings(self) -> str:
        return gate.digest(self.follows)

    def run(self, seed: int, measures: list[str]) -> Row:
        command = [word.replace("{}", str(seed)) for word in self.command]
        found = harness.figures(sys.executable, "-m", *command)
        return {measure: f"{found[measure]:.6g}" for measure in measures}


def read(path: Path) -> Table:
    """The trainings in a file, if they were done with these versions."""
    if not path.exists():
        return {}
    with path.open() as file:
        if file.readline() != head():
            return {}
        rows = csv.DictReader(file)
        return {(row["what"], row["machine"], int(row["seed"])): row for row in rows}


def write(path: Path, table: Table, measures: list[str]) -> None:
    path.parent.mkdir(exist_ok=True)
    if path.exists() and not read(path):  # of other versions: it cost hours
        path.rename(path.with_name(f"{path.stem}-before.csv"))
    with path.open("w", newline="") as file:
        file.write(head())
        header = ["what", "machine", "settings", "seed", *measures]
        writer = csv.DictWriter(file, header, lineterminator="\n")
        writer.writeheader()
        writer.writerows(in_order(table))


def head() -> str:
    return f"# {harness.versions()}\n"


def in_order(table: Table) -> list[Row]:
    return [row for _, row in sorted(table.items())]


def collect(
    name: str, trainings: Mapping[str, Training], seeds: int, measures: list[str]
) -> list[Row]:
    """Run each training with each seed: a row of benchmarks/results/NAME.csv each.

    What stands there already, from this machine and with the same settings, is not run again.
    Returns the rows of this machine.
    """
    path, machine = harness.RESULTS / f"{name}.csv", harness.machine()
    table = read(path)
    settings = {what: training.settings() for what, training in trainings.items()}
    runs = [(what, seed) for seed in range(seeds) for what in trainings]
    stale = [
        (what, seed)
        for what, seed in runs
        if table.get((what, machine, seed), {}).get("settings") != settings[what]
    ]
    for what, seed in tqdm(stale, unit=" trainings"):
        row = {"what": what, "machine": machine, "settings": settings[what], "seed": str(seed)}
        table[what, machine, seed] = row | trainings[what].run(seed, measures)
        write(path, table, measures)
    return [row for row in in_order(table) if row["machine"] == machine]


def of_notebook(table: list[Row], own: list[Row], measure: str) -> float | None:
    """The median ratio of some trainings' seconds to the notebook's; None where that did not run.

    A ratio is to the notebook with the same seed, on the same machine.
    """
    notebook = {(row["machine"], row["seed"]): row for row in table if row["what"] == "notebook"}
    pairs = [(row, notebook.get((row["machine"], row["seed"]))) for row in own]
    ratios = [float(row[measure]) / float(base[measure]) for row, base in pairs if base]
    return statistics.median(ratios) if ratios else None


def summary(table: list[Row]) -> Iterator[list[object]]:
    """Yield a row for each recipe and machine: seeds, accuracy, seconds, times the notebook's."""
    for what, machine in dict.fromkeys((row["what"], row["machine"]) for row in table):
        own = [row for row in table if (row["what"], row["machine"]) == (what, machine)]
        right = [100 * float(row["accuracy"]) for row in own]
        deviation = statistics.stdev(right) if len(right) > 1 else 0.0
        line: list[object] = [what, len(own), f"{statistics.mean(right):.3f}", f"{deviation:.3f}"]
        line += [f"{min(right):.2f}", f"{max(right):.2f}"]
        for measure in ("wall_seconds", "cpu_seconds"):
            timed = [row for row in own if row[measure]]  # none that began on another machine
            seconds = [float(row[measure]) for row in timed]
            times = of_notebook(table, timed, measure)
            line.append(f"{statistics.median(seconds):.2f}" if seconds else "")
            line.append("" if times is None else f"{times:.2f}")
        yield [*line, machine]


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


def check_data() -> None:
    """SystemExit where params.yaml asks for other data: rows are of all of MNIST."""
    params = harness.params()
    for path, wanted in gate.KNOWN.items():
        section, key = path.split(".")
        if (found := params[section][key]) != wanted:
            expected = "nothing" if wanted is None else wanted
            raise SystemExit(f"params.yaml: {path}: expected {expected}, found {found}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("recipes", nargs="*", default=["notebook", "original", "fast"])
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    known = trainings()
    if unknown := [what for what in options.recipes if what not in known]:
        parser.error(f"{unknown[0]}: expected one of: {', '.join(known)}")
    check_data()
    chosen = {what: known[what] for what in options.recipes}
    collect("accuracy", chosen, options.seeds, MEASURES)
    table = in_order(read(harness.RESULTS / "accuracy.csv"))
    header = ["recipe", "seeds", "accuracy %", "sd", "least", "most"]
    header += ["wall s", "of notebook", "CPU s", "of notebook", "machine"]
    harness.publish("recipes", header, list(summary(table)), harness.versions())


if __name__ == "__main__":
    main()
