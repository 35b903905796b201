"""What the pipeline itself costs: `dvc repro` here against its floor, in five situations, in turn in one run.

The floor is `dvc repro` of an empty pipeline (five stages, each `true`) in the same situation, and, for each stage of
ours that runs again, a bare import of the libraries that it cannot do without. The data are a few synthetic digits, and
the training is one epoch, whose time (`stages.train.main` as a whole, see fit.py) is taken off.
`python -m benchmarks.overhead [--rounds N] [--train IMAGES] [--test IMAGES]`
"""

import argparse
import functools
import itertools
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import harness

from ruamel.yaml import YAML

LIBRARIES = {  # what a stage cannot do without; each reads params.yaml
    "validate": "pydantic, ruamel.yaml",
    "download": "numpy, pooch, requests, ruamel.yaml, tqdm",
    "preprocess": "numpy, ruamel.yaml",
    "train": "dvclive, keras, numpy, platformdirs, ruamel.yaml, tensorflow, tqdm",
    "evaluate": "keras, numpy, ruamel.yaml, tensorflow",
    "plot": "matplotlib.backends.backend_agg, matplotlib.figure, numpy, PIL.Image, ruamel.yaml",
    "report": "ruamel.yaml",
}
EMPTY = """\
  stage{0}:
    cmd: true > out{0}
    deps: [out{1}]
    params: [stage{0}]
    outs: [out{0}]
"""
SITUATIONS: dict[str, tuple[list[str], list[str]]] = {  # which stages of ours run, and which of the empty pipeline
    "everything from nothing": (list(LIBRARIES), ["stage1", "stage2", "stage3", "stage4", "stage5"]),
    "nothing to do": ([], []),
    "plot alone": (["validate", "plot"], ["stage1", "stage5"]),  # validate looks at each new params.yaml
    "evaluate and plot": (["validate", "evaluate", "plot", "report"], ["stage1", "stage4", "stage5"]),
    "everything from the cache": (["report"], []),  # of which DVC keeps no runs, because Git holds its output
}
CHANGED = {"plot alone": ["plot.dpi"], "evaluate and plot": ["evaluate.calibration_bins"]}
fresh = itertools.count(50)  # values that no run had before, so that the run-cache does not know them


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
    (root / ".dvc/config").write_bytes((harness.ROOT / ".dvc/config").read_bytes())
    (root / "out0").touch()
    (root / "dvc.yaml").write_text("stages:\n" + "".join(EMPTY.format(i, i - 1) for i in range(1, 6)))
    (root / "params.yaml").write_text("".join(f"stage{i}: 0\n" for i in range(1, 6)))
    return commit(root)


def repro(root: Path, situation: str, stages: list[str], changed: list[str]) -> harness.Figures:
    """Bring a pipeline into a situation and measure `dvc repro`; SystemExit if other stages run than those."""
    if situation.startswith("everything"):
        kept = ["-e", ".dvc/cache", "-e", ".dvc/tmp"] if situation.endswith("cache") else []
        git(root, "clean", "-fdxq", *kept)
    if changed:
        value = next(fresh)
        harness.change(root, *(f"{name}={value}" for name in changed))
    own = {"CHECKPOINTS": f"{root}/.dvc/tmp/checkpoints", "DVC_SITE_CACHE_DIR": f"{root}/.dvc/tmp/site"}
    cost = harness.run("dvc", "repro", cwd=root, own=own)
    ran = re.findall(r"^Running stage '(\w+)':", cost.printed, re.M)
    if ran != stages:
        raise SystemExit(f"{situation}: expected these stages to run: {stages}; it was {ran}")
    return {"wall_seconds": cost.wall_seconds, "cpu_seconds": cost.cpu_seconds}


def project(root: Path, situation: str) -> harness.Figures:
    """Measure our pipeline, less the fit."""
    stages = SITUATIONS[situation][0]
    figures = repro(root, situation, stages, CHANGED.get(situation, []))
    if "train" in stages:
        recipe = YAML(typ="safe").load(root / "params.yaml")["recipe"]
        overrides = ["-S", f"recipe={recipe}", "-S", f"recipes.{recipe}.epochs=1"]
        command = ["-m", "benchmarks.fit", *overrides, "--processed", str(root / "data/processed")]
        fit = json.loads(harness.run(sys.executable, *command).printed.splitlines()[-1])
        figures = {measure: value - fit[measure] for measure, value in figures.items()}
    return figures


def floor(root: Path, situation: str) -> harness.Figures:
    """Measure the empty pipeline, and add the imports of our stages."""
    ours, stages = SITUATIONS[situation]
    figures = repro(root, situation, stages, stages if situation in CHANGED else [])
    imports = [harness.run(sys.executable, "-c", f"import {LIBRARIES[stage]}") for stage in ours]
    for measure in ("wall_seconds", "cpu_seconds"):
        figures[measure] += sum(getattr(cost, measure) for cost in imports)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--train", type=int, default=1000)
    parser.add_argument("--test", type=int, default=1000)
    options = parser.parse_args()
    with harness.clone(options.train, options.test, epochs=1) as ours, tempfile.TemporaryDirectory() as folder:
        commit(ours)
        empty = empty_pipeline(Path(folder, "empty"))
        tasks = {}
        for situation in SITUATIONS:
            tasks[f"{situation}: floor"] = functools.partial(floor, empty, situation)
            tasks[f"{situation}: project"] = functools.partial(project, ours, situation)
        runs = harness.in_turn(tasks, options.rounds)
    rows = []
    for situation in SITUATIONS:
        names = f"{situation}: floor", f"{situation}: project"
        rows += harness.compare({name: runs[name] for name in names}, names[0])
    harness.publish("overhead", harness.HEADER, rows)


if __name__ == "__main__":
    main()
