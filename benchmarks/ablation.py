"""What each part of the recipe `best` brings: shorter trainings without it, on held-out images.

The last 10,000 training images serve as the test images; none of the real ones is looked at.
`python -m benchmarks.ablation [--seeds N] [--epochs N]`
"""

import argparse
import statistics
from collections.abc import Iterator

from benchmarks import accuracy, harness

MEASURES = {"accuracy": 100, "loss": 1}  # and the factor by which the table shows them
HELD_OUT = 10_000
RECIPE = "recipes.best"


def network(recipe: dict, *without: str) -> str:
    """The override that takes layers of some names out of the network."""
    kept = [name for name in recipe["network"] if not name.startswith(without)]
    return f"{RECIPE}.network=[{','.join(kept)}]"


def variants(recipe: dict) -> dict[str, list[str]]:
    """What is changed, as for `dvc exp run -S`, by what it takes away."""

    def without(*keys: str) -> list[str]:
        return [f"{RECIPE}.augment.{key}=0" for key in keys]

    biases = [
        f"{RECIPE}.layers.{name}.use_bias=true"
        for name, layer in recipe["layers"].items()
        if "use_bias" in layer
    ]
    return {
        "nothing": [],
        "elastic bending": without("elastic"),
        "rotation, zoom and shear": without("rotation", "zoom", "shear"),
        "shift": without("shift"),
        "cutout": [f"{RECIPE}.cutout=0"],
        "all augmentation": [*without(*recipe["augment"]), f"{RECIPE}.cutout=0"],
        "dropout": [network(recipe, "dropout"), f"~{RECIPE}.layers.dropout"],
        "batch normalization": [network(recipe, "norm"), f"~{RECIPE}.layers.norm", *biases],
        "weight decay": [f"{RECIPE}.optimizer.weight_decay=0"],
        "the fall of the learning rate": [f"{RECIPE}.schedule.end=1"],
        "test-time augmentation": ["evaluate.test_time_augmentation.best=0"],
    }


def summary(table: list[accuracy.Row]) -> Iterator[list[object]]:
    """Yield a row for each variant: seeds, then mean and standard deviation of each measure."""
    for what in dict.fromkeys(row["what"] for row in table):
        own = [row for row in table if row["what"] == what]
        line: list[object] = [what, len(own)]
        for measure, scale in MEASURES.items():
            values = [scale * float(row[measure]) for row in own]
            line.append(f"{statistics.mean(values):.4g}")
            line.append(f"{statistics.stdev(values):.2g}" if len(own) > 1 else "")
        yield line


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ablation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=4)
    options = parser.parse_args()
    params = harness.params()
    recipe = params["recipes"]["best"]
    short = [f"{RECIPE}.epochs={options.epochs}", "train.validation_split=0"]
    shared = [accuracy.shared(params), params["evaluate"]["test_time_augmentation"]["best"]]
    trainings = {}
    for what, changes in variants(recipe).items():
        overrides = ["recipe=best", *short, *changes]
        command = ["benchmarks.fit", "--hold-out", str(HELD_OUT)]
        command += harness.as_options(*overrides, "train.seed={}")
        trainings[what] = accuracy.Training([recipe, overrides, shared], command)
    table = accuracy.collect("ablation", trainings, options.seeds, list(MEASURES))
    header = ["without", "seeds", "held-out accuracy %", "sd", "held-out loss", "sd"]
    harness.publish("ablation", header, list(summary(table)))


if __name__ == "__main__":
    main()
