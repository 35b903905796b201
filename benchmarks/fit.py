"""What a training of the project costs, and how accurate the network is. One JSON line.

Timed is `stages.train.main` as a whole, once its libraries are imported: the check of the inputs'
sums, building, tracing, all epochs, DVCLive, checkpoints, and saving the network. The epochs after
the first (training images, then held-out ones) are also given alone: the median of their seconds.
`python -m benchmarks.fit [-S NAME=VALUE ...] [--processed FOLDER] [--hold-out N] [--loading]`, with
parameters as in `dvc exp run -S`
"""

import argparse
import json
import math
import os
import shutil
import statistics
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks import harness
from digits import arrays
from digits.params import Params


def hold_out(processed: Path, count: int) -> None:
    """Make data/processed, with the last `count` training images in place of the test images."""
    Path("data/processed").mkdir()
    shutil.copy(processed / "preparation.json", "data/processed")
    for kind in ("images", "labels"):
        whole = np.load(processed / f"train_{kind}.npy", mmap_mode="r")
        np.save(f"data/processed/train_{kind}.npy", whole[:-count])
        np.save(f"data/processed/test_{kind}.npy", whole[-count:])
    arrays.NAMES.write_text("".join(f"{row}\n" for row in range(len(whole) - count, len(whole))))


def loading(params: Params) -> float:
    """The CPU seconds that an epoch's batches take to load, with no training beside them."""
    from digits import training

    recipe = params.selected
    images, labels = arrays.read("train_images"), arrays.read("train_labels")
    size = training.split(len(images), recipe.validation_split)
    steps = range(math.ceil(size / recipe.batch_size))
    batches = training.batches(images[:size], labels[:size], recipe, params.train.seed, steps)
    began = time.process_time()
    batches.reduce(np.int64(0), lambda count, _: count + 1)
    return time.process_time() - began


def fit(params: Params) -> dict[str, float]:
    """Train in the present folder; return seconds, wall and CPU, of the whole and of an epoch.

    The epoch is one after the first.
    """
    from stages import train

    marks: list[tuple[float, float]] = []  # wall and CPU seconds at the end of each epoch
    record = train.record

    def mark(*arguments: Any) -> None:
        marks.append((time.perf_counter(), time.process_time()))
        record(*arguments)

    wall, cpu = time.perf_counter(), time.process_time()
    with mock.patch.object(train, "record", mark):
        train.main(params)
    figures = {
        "wall_seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
    }
    if len(marks) > 1:
        for i, name in enumerate(("epoch_wall_seconds", "epoch_cpu_seconds")):
            times = [after[i] - before[i] for before, after in pairwise(marks)]
            figures[name] = statistics.median(times)
    return figures


def measure(options: argparse.Namespace) -> dict[str, float]:
    """Train and evaluate in the present folder, which holds params.yaml and the data."""
    from digits import params
    from stages import evaluate

    values = params.read()
    figures = fit(values)
    if options.loading:
        figures["loading_cpu_seconds"] = loading(values)
    evaluate.main(values)
    metrics = json.loads(Path("reports/metrics.json").read_text())
    return {**figures, "accuracy": metrics["test_accuracy"], "loss": metrics["loss"]}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fit", description=__doc__)
    parser.add_argument("-S", dest="overrides", metavar="NAME=VALUE", action="append", default=[])
    parser.add_argument("--processed", type=Path, default=harness.ROOT / "data/processed")
    parser.add_argument(
        "--hold-out", metavar="N", type=int, help="test by the last N training images"
    )
    parser.add_argument(
        "--loading", action="store_true", help="time also what loading an epoch's batches takes"
    )
    options = parser.parse_args()
    processed = options.processed.resolve()
    if not (processed / "train_images.npy").exists():
        raise SystemExit(f"{options.processed}: holds no images; run `make repro` first")
    text = Path("params.yaml").read_text()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CHECKPOINTS"] = f"{folder}/checkpoints"
        os.chdir(folder)
        Path("params.yaml").write_text(text)
        harness.change(Path(), *options.overrides)
        for made in ("data", "reports"):
            Path(made).mkdir()
        if options.hold_out:
            hold_out(processed, options.hold_out)
        else:
            Path("data/processed").symlink_to(processed)
        figures = measure(options)
        os.chdir(harness.ROOT)
    print("\n" + json.dumps(figures))


if __name__ == "__main__":
    main()
