"""How the cost grows with the data: each stage's time and memory at several numbers of synthetic digits.

As many test images as training images, one epoch of training; each stage runs as `python -m stages NAME` in a clone.
Memory is the most anonymous memory seen at once (RssAnon: pages of mapped files do not count).
`python -m benchmarks.growth [--recipe NAME] [--rounds N] [IMAGES ...]`
"""

import argparse
import functools
import statistics
import sys

from benchmarks import harness

from ruamel.yaml import YAML

STAGES = ["download", "preprocess", "train", "evaluate", "plot"]
MEASURES = ["wall_seconds", "cpu_seconds", "memory_mb"]
HEADER = ["stage", "measure", "images", "runs", "median", "least", "most", "times the smallest"]


def grow(recipe: str, images: int) -> harness.Figures:
    """Run the stages on so many images; return each one's wall and CPU seconds and memory."""
    figures: harness.Figures = {}
    with harness.clone(images, images, epochs=1) as root:
        harness.change(root, f"recipe={recipe}")
        (root / "reports/training").mkdir(parents=True, exist_ok=True)
        for stage in STAGES:
            command = [sys.executable, "-m", "stages", stage]
            cost = harness.run(*command, cwd=root, watch=True, own={"CHECKPOINTS": f"{root}/checkpoints"})
            figures |= {f"{stage} {measure}": getattr(cost, measure) for measure in MEASURES}
    return figures


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("images", nargs="*", type=int, default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--recipe")
    options = parser.parse_args()
    known = YAML(typ="safe").load(harness.ROOT / "params.yaml")["recipes"]
    recipe = options.recipe or ("fast" if "fast" in known else "original")
    sizes = sorted(options.images)
    tasks = {f"{size:,} images": functools.partial(grow, recipe, size) for size in sizes}
    runs = list(harness.in_turn(tasks, options.rounds).values())
    rows: list[list[object]] = []
    for what in runs[0][0]:
        smallest = statistics.median(each[what] for each in runs[0])
        for size, figures in zip(sizes, runs):
            values = [each[what] for each in figures]
            middle = statistics.median(values)
            spread = [f"{value:.4g}" for value in (middle, min(values), max(values))]
            rows.append([*what.split(), size, len(values), *spread, f"{middle / smallest:.2f}"])
    harness.publish("growth", HEADER, rows)
    print(f"recipe {recipe}")


if __name__ == "__main__":
    main()
