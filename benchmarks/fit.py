"""What a training of the project costs, and how well the network reads the test images. One JSON line.

Timed is `stages.train.main` as a whole, once its libraries are imported: the check of the inputs' sums, building,
tracing, all epochs, DVCLive, checkpoints, and saving the network. The epochs after the first (training images, then
held-out ones) are also given alone: the median of their seconds.
`python -m benchmarks.fit [-S NAME=VALUE ...] [--processed FOLDER] [--loading]`, with parameters as in `dvc exp run -S`
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks import harness

import numpy as np


def hold_out(processed: Path, count: int) -> None:
    """Make data/processed, with the last `count` training images in the place of the test images."""
    Path("data/processed").mkdir()
    for kind in ("images", "labels"):
        whole = np.load(processed / f"train_{kind}.npy", mmap_mode="r")
        np.save(f"data/processed/train_{kind}.npy", whole[:-count])
        np.save(f"data/processed/test_{kind}.npy", whole[-count:])


def loading(params: dict) -> float:
    """Return the CPU seconds that an epoch's batches take to load, with no training beside them."""
    from digits import arrays
    from stages import train

    recipe = {**params["recipes"][params["recipe"]], "epochs": 1}
    images, labels = arrays.read("train_images"), arrays.read("train_labels")
    size = train.split(len(images), recipe["validation_split"])
    batches = train.batches(images[:size], labels[:size], recipe, params["train"]["seed"])
    began = time.process_time()
    batches.reduce(np.int64(0), lambda count, _: count + 1)
    return time.process_time() - began


def fit(params: dict) -> dict[str, float]:
    """Train in the present folder; return seconds, wall and CPU, of the whole and of an epoch after the first."""
    from stages import train

    marks: list[tuple[float, float]] = []
    report = train.report

    def mark(*arguments: Any) -> None:
        marks.append((time.perf_counter(), time.process_time()))
        report(*arguments)

    wall, cpu = time.perf_counter(), time.process_time()
    with mock.patch.object(train, "report", mark):
        train.main(params)
    figures = {"wall_seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    for i, name in enumerate(("epoch_wall_seconds", "epoch_cpu_seconds")):
        if len(marks) > 1:
            figures[name] = statistics.median(after[i] - before[i] for before, after in pairwise(marks))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("-S", dest="overrides", metavar="NAME=VALUE", action="append", default=[])
    parser.add_argument("--processed", type=Path, default=harness.ROOT / "data/processed")
    parser.add_argument("--hold-out", metavar="N", type=int, help="test by the last N training images")
    parser.add_argument("--loading", action="store_true", help="time also what loading an epoch's batches takes alone")
    options = parser.parse_args()
    if not (options.processed / "train_images.npy").exists():
        raise SystemExit(f"{options.processed}: holds no images; run `make repro` first")
    options.processed = options.processed.resolve()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CHECKPOINTS"] = f"{folder}/checkpoints"
        params_file = Path("params.yaml").read_text()
        os.chdir(folder)
        Path("params.yaml").write_text(params_file)
        harness.change(Path(), *options.overrides)
        for made in ("data", "reports"):
            Path(made).mkdir()
        if options.hold_out:
            hold_out(options.processed, options.hold_out)
        else:
            Path("data/processed").symlink_to(options.processed)
        from stages import evaluate, validate

        params = validate.read()
        figures = fit(params)
        if options.loading:
            figures["loading_cpu_seconds"] = loading(params)
        evaluate.main(params)
        metrics = json.loads(Path("reports/metrics.json").read_text())
        figures |= {"accuracy": metrics["test_accuracy"], "loss": metrics["test_loss"]}
        print("\n" + json.dumps(figures))
        os.chdir(harness.ROOT)


if __name__ == "__main__":
    main()
