"""What each part of the recipe `best` brings: a shorter training without it, judged on held-out training images.

The last 10,000 training images serve as the test images; none of these is looked at.
`python -m benchmarks.ablation [--seeds N] [--epochs N]`
"""

import argparse
import statistics
from collections.abc import Iterator

from benchmarks import accuracy, harness

from ruamel.yaml import YAML

MEASURES = ["accuracy", "loss"]
HELD_OUT = 10_000


def network(recipe: dict, *without: str) -> str:
    """The override that takes layers of some names out of the network."""
    kept = [name for name in recipe["network"] if not name.startswith(without)]
    return f"network=[{','.join(kept)}]"


def variants(recipe: dict) -> dict[str, list[str]]:
    """Return the changes to the recipe, by what they take away."""
    plain = [f"augment.{key}=0" for key in recipe["augment"]]
    biases = [f"layers.{name}.use_bias=true" for name, layer in recipe["layers"].items() if "use_bias" in layer]
    return {
        "nothing": [],
        "elastic bending": ["augment.elastic=0"],
        "rotation, zoom and shear": ["augment.rotation=0", "augment.zoom=0", "augment.shear=0"],
        "shift": ["augment.shift=0"],
        "all augmentation": plain,
        "dropout": [network(recipe, "dropout"), "~layers.dropout"],
        "batch normalization": [network(recipe, "norm"), "~layers.norm", *biases],
        "weight decay": ["optimizer.weight_decay=0"],
        "the fall of the learning rate": ["schedule.end=1"],
        "views at the test": ["views=0"],
    }


def summary(table: list[accuracy.Row]) -> Iterator[list[object]]:
    for what in dict.fromkeys(row["what"] for row in table):
        own = [row for row in table if row["what"] == what]
        line: list[object] = [what, len(own)]
        for measure, scale in zip(MEASURES, (100, 1)):
            values = [scale * float(row[measure]) for row in own]
            line += [f"{statistics.mean(values):.4g}", f"{statistics.stdev(values):.2g}" if len(own) > 1 else ""]
        yield line


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=4)
    options = parser.parse_args()
    params = YAML(typ="safe").load(harness.ROOT / "params.yaml")
    recipe = params["recipes"]["best"]
    short = [f"epochs={options.epochs}", "validation_split=0"]
    trainings = {}
    for what, changes in variants(recipe).items():
        overrides = [f"~recipes.best.{c[1:]}" if c[0] == "~" else f"recipes.best.{c}" for c in [*short, *changes]]
        words = [word for value in ["recipe=best", "train.seed={}", *overrides] for word in ("-S", value)]
        command = ["benchmarks.fit", "--hold-out", str(HELD_OUT), *words]
        trainings[what] = accuracy.Training([recipe, overrides], command)
    table = accuracy.collect("ablation", trainings, options.seeds, MEASURES)
    header = ["without", "seeds", "held-out accuracy %", "sd", "held-out loss", "sd"]
    harness.publish("ablation", header, list(summary(table)))


if __name__ == "__main__":
    main()
