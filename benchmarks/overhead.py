"""What the pipeline itself costs: `dvc repro` here against its floor, in five situations, in turn.

The floor is `dvc repro` of an empty pipeline (five stages, each `true`) in the same situation, and,
for each stage of ours that runs again, a bare import of the libraries that it cannot do without.
The data are a few synthetic digits, and the training is one epoch, whose time (`stages.train.main`
as a whole, see fit.py) is taken off.
`python -m benchmarks.overhead [--rounds N] [--train IMAGES] [--test IMAGES] [SITUATION ...]`
"""

import argparse
import functools
import itertools
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import harness

LIBRARIES = {  # what a stage cannot do without; each reads params.yaml
    "validate": "pydantic.main, yaml",  # pydantic alone loads nothing
    "download": "numpy, pooch, requests, tqdm, yaml",
    "preprocess": "numpy, yaml",
    "train": "dvclive, keras, numpy, platformdirs, tensorflow, tqdm, yaml",
    "evaluate": "keras, numpy, platformdirs, tensorflow, tqdm, yaml",
    "plot": "matplotlib.backends.backend_agg, matplotlib.figure, numpy, PIL.Image, yaml",
}
EMPTY = """\
  stage{0}:
    cmd: true > out{0}
    deps: [out{1}]
    params: [stage{0}]
    outs: [out{0}]
"""


@dataclass
class Situation:
    """Which stages run: of ours, and of the empty pipeline."""

    ours: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)  # a parameter of ours


SITUATIONS = {  # validate looks at each new params.yaml
    "everything from nothing": Situation(
        list(LIBRARIES), ["stage1", "stage2", "stage3", "stage4", "stage5"]
    ),
    "nothing to do": Situation(),
    "plot alone": Situation(["validate", "plot"], ["stage1", "stage5"], ["plot.dpi"]),
    "evaluate and plot": Situation(
        ["validate", "evaluate", "plot"],
        ["stage1", "stage4", "stage5"],
        ["evaluate.calibration_bins"],
    ),
    "everything from the cache": Situation(),
}
fresh = itertools.count(50)  # values that no run had before, so that the run-cache has none of them


def git(root: Path, *arguments: str) -> None:
    author = ["-c", "user.name=bench", "-c", "user.email=bench@example.org"]
    subprocess.run(["git", *author, *arguments], cwd=root, check=True)


def commit(root: Path) -> Path:
    """Commit the sources alone: what is not committed is what runs leave behind."""
    git(root, "rm", "-rq", "--ignore-unmatch", "dvc.lock", "reports")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "bench")
    return root


def empty_pipeline(root: Path) -> Path:
    """Make a repository of five stages in a chain, each with a parameter of its own."""
    root.mkdir()
    git(root, "init", "--quiet")
    subprocess.run(["dvc", "init", "--quiet"], cwd=root, check=True)
    stages = [EMPTY.format(i, i - 1) for i in range(1, 6)]
    (root / ".dvc/config").write_bytes((harness.ROOT / ".dvc/config").read_bytes())
    (root / "out0").touch()
    (root / "dvc.yaml").write_text("stages:\n" + "".join(stages))
    (root / "params.yaml").write_text("".join(f"stage{i}: 0\n" for i in range(1, 6)))
    return commit(root)


def repro(root: Path, name: str, stages: list[str], changed: list[str]) -> harness.Figures:
    """Bring a pipeline into a situation and measure `dvc repro`.

    SystemExit if other stages run than those.
    """
    if name.startswith("everything"):
        kept = ["-e", ".dvc/cache", "-e", ".dvc/tmp"] if name.endswith("cache") else []
        git(root, "clean", "-fdxq", *kept)
    if changed:
        value = next(fresh)
        harness.change(root, *(f"{parameter}={value}" for parameter in changed))
    own = {
        "CHECKPOINTS": f"{root}/.dvc/tmp/checkpoints",
        "DVC_SITE_CACHE_DIR": f"{root}/.dvc/tmp/site",
    }
    cost = harness.run("dvc", "repro", cwd=root, own=own)
    ran = re.findall(r"^Running stage '(\w+)':", cost.printed, re.M)
    if ran != stages:
        raise SystemExit(f"{name}: expected these stages to run: {stages}; it was {ran}")
    return {"wall_seconds": cost.wall_seconds, "cpu_seconds": cost.cpu_seconds}


def project(root: Path, name: str) -> harness.Figures:
    """Measure our pipeline, less the fit."""
    situation = SITUATIONS[name]
    figures = repro(root, name, situation.ours, situation.changed)
    if "train" in situation.ours:
        recipe = harness.params(root)["recipe"]
        options = harness.as_options(f"recipe={recipe}", f"recipes.{recipe}.epochs=1")
        command = ["-m", "benchmarks.fit", *options, "--processed", str(root / "data/processed")]
        fit = harness.figures(sys.executable, *command)
        figures = {measure: value - fit[measure] for measure, value in figures.items()}
    return figures


def floor(root: Path, name: str) -> harness.Figures:
    """Measure the empty pipeline, and add the imports of our stages."""
    situation = SITUATIONS[name]
    figures = repro(root, name, situation.empty, situation.empty if situation.changed else [])
    for stage in situation.ours:
        cost = harness.run(sys.executable, "-c", f"import {LIBRARIES[stage]}")
        for measure in figures:
            figures[measure] += getattr(cost, measure)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead", description=__doc__)
    parser.add_argument("situations", nargs="*", default=list(SITUATIONS), metavar="SITUATION")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--train", type=int, default=1000)
    parser.add_argument("--test", type=int, default=1000)
    options = parser.parse_args()
    if unknown := [name for name in options.situations if name not in SITUATIONS]:
        parser.error(f"{unknown[0]}: expected one of: {', '.join(SITUATIONS)}")
    if options.situations[0] != (first := next(iter(SITUATIONS))):
        parser.error(f"the others need what {first!r} leaves: name it first")
    with (
        harness.clone(options.train, options.test, epochs=1) as ours,
        tempfile.TemporaryDirectory() as folder,
    ):
        commit(ours)
        empty = empty_pipeline(Path(folder, "empty"))
        tasks = {}
        for name in options.situations:
            tasks[f"{name}: floor"] = functools.partial(floor, empty, name)
            tasks[f"{name}: project"] = functools.partial(project, ours, name)
        runs = harness.in_turn(tasks, options.rounds)
    rows = []
    for name in options.situations:
        pair = f"{name}: floor", f"{name}: project"
        rows += harness.compare({each: runs[each] for each in pair}, pair[0])
    harness.publish("overhead", harness.HEADER, rows)


if __name__ == "__main__":
    main()
