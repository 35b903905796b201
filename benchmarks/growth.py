"""How the cost grows with the data: each stage's time and memory at several numbers of images.

They are synthetic digits, as many test images as training images, and one epoch; each stage runs as
`python -m stages NAME` in a clone. Memory is the most anonymous memory that was seen at once
(RssAnon: pages of mapped files do not count). For the recipe `own` the digits are PNGs in colour,
of 64 x 64, in a folder for each class.
`python -m benchmarks.growth [--recipe NAME] [--rounds N] [IMAGES ...]`
"""

import argparse
import functools
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from benchmarks import harness
from digits import synthetic, yaml12

MEASURES = ["wall_seconds", "cpu_seconds", "memory_mb"]
HEADER = ["stage", "measure", "images", "runs", "median", "least", "most", "times the smallest"]


def draw_pictures(folder: Path, images: int) -> None:
    """Write so many digits for each split as SPLIT/DIGIT/NUMBER.png, in colours drawn at random."""
    rng = np.random.default_rng(0)
    for part, split in enumerate(("train", "test")):
        for digit in range(10):
            (folder / split / str(digit)).mkdir(parents=True)
        number = 0
        for pixels, digits in synthetic.draw(images, 0, part):
            for image, digit in zip(pixels, digits):
                paper, ink = (tuple(colour) for colour in rng.integers(0, 256, (2, 3)).tolist())
                picture = ImageOps.colorize(Image.fromarray(image), paper, ink).resize((64, 64))
                picture.save(folder / split / str(digit) / f"{number}.png")
                number += 1


def grow(recipe: str, images: int) -> harness.Figures:
    """Run the stages on so many images; return each one's wall and CPU seconds and memory."""
    figures: harness.Figures = {}
    with harness.clone(images, images, epochs=1) as root:
        harness.change(root, f"recipe={recipe}")
        if recipe == "own":
            draw_pictures(root / "pictures", images)
            folder = ["download.dataset=folder", "datasets.folder.path=pictures"]
            harness.change(root, *folder, "recipes.own.steps=1")
        (root / "reports/training").mkdir(parents=True, exist_ok=True)
        own = {"CHECKPOINTS": f"{root}/checkpoints"}
        stages = [*yaml12.load((root / "dvc.yaml").read_bytes())["stages"]]
        for stage in stages[1:]:  # less validate, which sees no image
            command = [sys.executable, "-E", "-m", "stages", stage]
            cost = harness.run(*command, cwd=root, watch=True, own=own)
            for measure in MEASURES:
                figures[f"{stage} {measure}"] = getattr(cost, measure)
    return figures


def table(sizes: list[int], runs: list[list[harness.Figures]]) -> Iterator[list[object]]:
    """Yield a row (as HEADER says) for each stage, measure and number of images."""
    for what in runs[0][0]:
        smallest = statistics.median(each[what] for each in runs[0])
        for size, figures in zip(sizes, runs):
            values = [each[what] for each in figures]
            times = f"{statistics.median(values) / smallest:.2f}"
            yield [*what.split(), size, len(values), *harness.spread(values), times]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("images", nargs="*", type=int, default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--recipe", default="fast")
    options = parser.parse_args()
    sizes = sorted(options.images)
    tasks = {f"{size:,} images": functools.partial(grow, options.recipe, size) for size in sizes}
    runs = list(harness.in_turn(tasks, options.rounds).values())
    name = "growth_pictures" if options.recipe == "own" else "growth"
    harness.publish(name, HEADER, list(table(sizes, runs)))
    print(f"recipe {options.recipe}")


if __name__ == "__main__":
    main()
