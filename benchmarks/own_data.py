"""What `own` learns of folders of pictures with no parameter but the path; beside it, a tutorial.

A training that benchmarks/results/own_data.csv holds already is not run again.
`python -m benchmarks.own_data [--seeds N] FOLDER [FOLDER ...]`
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import accuracy, harness
from benchmarks.accuracy import Row, Training

# tensorflow.org, "Image classification", with 15 epochs, less its flips: digits do not bear them
TUTORIAL = """{
    network: [conv1, pool, conv2, pool, conv3, pool, dropout, Flatten, dense1, dense2, Softmax],
    layers: {
        conv1: {class: Conv2D, filters: 16, kernel_size: 3, padding: same, activation: relu},
        conv2: {class: Conv2D, filters: 32, kernel_size: 3, padding: same, activation: relu},
        conv3: {class: Conv2D, filters: 64, kernel_size: 3, padding: same, activation: relu},
        pool: {class: MaxPooling2D, pool_size: 2, padding: same},
        dropout: {class: Dropout, rate: 0.2},
        dense1: {class: Dense, units: 128, activation: relu},
        dense2: {class: Dense, units: classes}
    },
    optimizer: {class: Adam, learning_rate: 0.001},
    schedule: {warmup: 0, end: 1},
    augment: {rotation: 36, zoom: 0.1, shear: 0, shift: 0, elastic: 0},
    batch_size: 32, epochs: 15, validation_split: 0.2
}"""
OVERRIDES = {
    "own": ["recipe=own"],
    "tutorial": [
        "recipe=tutorial",
        f"+recipes.tutorial={' '.join(TUTORIAL.split())}",
        "+evaluate.test_time_augmentation.tutorial=0",
    ],
}


def prepare(folder: Path, root: Path) -> Path:
    """Run download and preprocess in a new clone; return its data/processed."""
    subprocess.run(["git", "clone", "--quiet", harness.ROOT, root], check=True)
    path = f"datasets.folder.path={folder.resolve()}"
    harness.change(root, "recipe=own", "download.dataset=folder", path)
    for stage in ("download", "preprocess"):
        harness.run(sys.executable, "-m", "stages", stage, cwd=root)
    return root / "data/processed"


def trainings(folder: Path, processed: Path) -> dict[str, Training]:
    """One for each recipe."""
    params = harness.params()
    views = params["evaluate"]["test_time_augmentation"]["own"]
    found = {}
    for recipe, overrides in OVERRIDES.items():
        follows = [TUTORIAL] if recipe == "tutorial" else [params["recipes"]["own"], views]
        options = harness.as_options(*overrides, "train.seed={}")
        command = ["benchmarks.fit", *options, "--processed", str(processed)]
        found[f"{folder.resolve().name} {recipe}"] = Training(
            [follows, accuracy.shared(params)], command
        )
    return found


def summary(table: list[Row]) -> Iterator[list[object]]:
    """Yield a row for each folder: the accuracy of each recipe, mean and deviation, and seconds."""
    for folder in dict.fromkeys(row["what"].rpartition(" ")[0] for row in table):
        line: list[object] = [folder]
        for recipe in OVERRIDES:
            rows = [row for row in table if row["what"] == f"{folder} {recipe}"]
            right = [100 * float(row["accuracy"]) for row in rows]
            spread = f" ± {statistics.stdev(right):.2f}" if len(right) > 1 else ""
            seconds = statistics.median(float(row["cpu_seconds"]) for row in rows)
            line += [len(rows), f"{statistics.mean(right):.2f}{spread}", f"{seconds:.0f}"]
        yield line


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.own_data", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    if len({folder.resolve().name for folder in options.folders}) < len(options.folders):
        parser.error("expected folders of different names, by which their rows are known")
    table: list[Row] = []
    for folder in options.folders:
        with tempfile.TemporaryDirectory() as scratch:
            processed = prepare(folder, Path(scratch, "clone"))
            found = trainings(folder, processed)
            table = accuracy.collect("own_data", found, options.seeds, accuracy.MEASURES)
    header = [
        "pictures",
        *(words for each in OVERRIDES for words in ("seeds", f"{each} %", "CPU s")),
    ]
    harness.publish("own_data", header, list(summary(table)))


if __name__ == "__main__":
    main()
