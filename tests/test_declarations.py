"""dvc.yaml says what is so: seen by watching each stage at work.

A stage's deps are the files that it reads, its outs those that it writes, its params those that it
uses.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT, STAGES, Project
from ruamel.yaml import YAML

PIPELINE = YAML(typ="safe").load(ROOT / "dvc.yaml")
DAG = PIPELINE["stages"]
NO_DEP = set((ROOT / ".declaredignore").read_text().splitlines())  # its comments match no file
NO_DEP.remove("digits/skeletons.txt")  # here synthetic digits are drawn


def watch(project: Project, stage: str) -> tuple[set[str], set[str], set[str]]:
    """Run a stage; return the files that it reads and writes, and the parameters that it uses."""
    shutil.copy(Path(__file__).with_name("watch.py"), project.root / ".watch.py")
    for folder in ("digits", "stages"):  # without bytecode, Python opens the sources
        for cache in [*(project.root / folder).rglob("__pycache__")]:
            shutil.rmtree(cache)
    printed = project.run("python", ".watch.py", stage, PYTHONPATH=".").stdout
    read, written, used = map(set, json.loads(printed.splitlines()[-1]))
    return read, written, used


def resolve(text: str, params: dict) -> str:
    text = text.replace("${recipe}", params["recipe"])
    text = text.replace("${download.dataset}", params["download"]["dataset"])
    return text.replace("${datasets.folder.path}", params["datasets"]["folder"]["path"])


def leaves(value: object, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}")
    else:
        yield path


def paths(entries: list) -> list[str]:
    return [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries]


def outs(stage: str) -> list[str]:
    kinds = ("outs", "metrics", "plots")
    return [path for kind in kinds for path in paths(DAG[stage].get(kind, []))]


def declared_params(stage: str, params: dict) -> set[str]:
    """The dotted paths of all values that a stage declares as its parameters."""
    declared = set()
    for name in DAG[stage].get("params", []):
        path = resolve(name, params)
        value: object = params
        for key in path.split("."):
            assert isinstance(value, dict)
            value = value[key]
        declared |= set(leaves(value, path))
    return declared


def inside(path: str, folders: list[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_declares_exactly_what_it_reads_writes_and_uses(
    project: Project, stage: str
) -> None:
    project.change(datasets__folder__path="data/own")
    read, written, used = watch(project, stage)
    params = YAML(typ="safe").load(project.root / "params.yaml")
    deps = [resolve(dep, params) for dep in DAG[stage]["deps"]]
    if stage == "download":  # which reads the folder and fetches files for other data sets only
        for path in (project.root / "data/idx").iterdir():
            shutil.copy(path, project.root / "data/own")
        project.change(download__dataset="folder")
        read |= watch(project, stage)[0]

    assert {path for path in read if not inside(path, deps + outs(stage))} <= NO_DEP
    assert [dep for dep in deps if not any(inside(path, [dep]) for path in read)] == []
    stray = {path for path in written if not inside(path, outs(stage))}
    assert {path for path in stray if (project.root / path).exists()} == set()
    assert [out for out in outs(stage) if not any(inside(path, [out]) for path in written)] == []
    if "params.yaml" in deps:  # the file is, so that all values are
        used = set()
    assert used == declared_params(stage, params)


def test_dvc_lock_has_the_stages_of_dvc_yaml_and_no_other() -> None:
    """DVC itself never takes one out."""
    lock = YAML(typ="safe").load(ROOT / "dvc.lock")
    assert list(lock["stages"]) == list(DAG)


def test_no_stage_is_left_out() -> None:
    assert list(DAG) == STAGES


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_says_what_it_does(stage: str) -> None:
    assert DAG[stage]["desc"].endswith(".")
    assert DAG[stage]["cmd"] == f"exec python -E -X utf8 -m stages {stage}"


def test_only_train_and_evaluate_import_tensorflow(project: Project) -> None:
    light = [stage for stage in STAGES if stage not in ("train", "evaluate")]
    modules = ", ".join(f"stages.{stage}" for stage in light)
    code = f"import sys, {modules}; print({{'tensorflow', 'keras'}} & set(sys.modules))"
    assert project.run("python", "-c", code).stdout == "set()\n"


def test_keras_is_imported_without_matplotlib_which_stays_importable(project: Project) -> None:
    code = "import sys, digits.determinism; print('matplotlib' in sys.modules); import matplotlib"
    controller, terminal = os.openpty()
    with project.start("python", "-c", code, stdout=subprocess.PIPE, stderr=terminal) as process:
        assert process.communicate()[0] == "False\n"
    # a terminal has shown why it took seconds, and has its line back
    assert re.fullmatch(r"TensorFlow starts \.\.\.\r +\r", os.read(controller, 1000).decode())


def test_the_registered_model_is_the_one_that_train_writes() -> None:
    [artifact] = PIPELINE["artifacts"].values()
    assert artifact["path"] in DAG["train"]["outs"]


def test_a_stage_that_does_not_exist_is_refused_in_one_line(project: Project) -> None:
    names = ", ".join(sorted(STAGES))
    for given, found in {"": "nothing", "trian": "trian"}.items():
        done = project.run("python", "-m", "stages", *given.split(), check=False)
        assert done.returncode == 1
        assert done.stdout == f"expected one stage of {names}; found {found}\n"


def committed() -> list[str]:
    """The files that Git holds, or would with the next `git add --all`."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]


def test_nothing_large_is_committed() -> None:
    assert max((ROOT / name).stat().st_size for name in committed()) < 500_000


def test_no_code_lies_among_what_stages_make() -> None:
    made = ("data/", "models/", "reports/")
    assert [name for name in committed() if name.startswith(made) and name.endswith(".py")] == []
