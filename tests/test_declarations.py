"""dvc.yaml says what is so: a stage's deps are the files that it reads, its outs those that it writes, its params
those that it uses. Seen by watching each stage at work."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT, STAGES, Project
from ruamel.yaml import YAML

PIPELINE = YAML(typ="safe").load(ROOT / "dvc.yaml")
DAG = PIPELINE["stages"]
# What only accepts or refuses parameters changes no value, so editing it must not run a stage again.
NO_DEP = {"stages/__main__.py", "stages/validate.py", "params.yaml"}


def watch(project: Project, stage: str) -> tuple[set[str], set[str], set[str]]:
    shutil.copy(Path(__file__).with_name("watch.py"), project.root / ".watch.py")
    last_line = project.run("python", ".watch.py", stage, PYTHONPATH=".").stdout.splitlines()[-1]
    read, written, used = map(set, json.loads(last_line))
    return read, written, used


def resolve(text: str, params: dict) -> str:
    text = text.replace("${recipe}", params["recipe"]).replace("${download.dataset}", params["download"]["dataset"])
    return text.replace("${datasets.folder.path}", params["datasets"]["folder"]["path"])


def leaves(value: object, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}")
    else:
        yield path


def paths(entries: list) -> list[str]:
    return [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries]


def inside(path: str, folders: list[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_declares_exactly_what_it_reads_writes_and_uses(project: Project, stage: str) -> None:
    read, written, used = watch(project, stage)
    params = YAML(typ="safe").load(project.root / "params.yaml")
    deps = [resolve(dep, params) for dep in DAG[stage]["deps"]]
    outs = paths(DAG[stage].get("outs", []) + DAG[stage].get("metrics", []) + DAG[stage].get("plots", []))
    if stage == "validate":
        read |= NO_DEP
    if stage == "download":
        for path in (project.root / "data" / "raw").iterdir():
            shutil.copy(path, project.root / "data" / "own")
        project.change(download__dataset="folder")
        read |= watch(project, stage)[0]

    assert {path for path in read - set(outs) if not inside(path, deps)} <= NO_DEP
    assert {dep for dep in deps if not any(inside(path, [dep]) for path in read)} == set()
    assert {path for path in written if not inside(path, outs) and (project.root / path).exists()} == set()
    assert {out for out in outs if not any(inside(path, [out]) for path in written)} == set()

    declared = set()
    for name in DAG[stage].get("params", []):
        value: object = params
        for key in resolve(name, params).split("."):
            assert isinstance(value, dict)
            value = value[key]
        declared |= set(leaves(value, resolve(name, params)))
    assert used == declared


def test_no_stage_is_left_out() -> None:
    assert list(DAG) == STAGES


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_says_what_it_does(stage: str) -> None:
    assert DAG[stage]["desc"].endswith(".")
    assert DAG[stage]["cmd"] == f"exec python -m stages {stage}"


@pytest.mark.parametrize("stage", ["validate", "download", "preprocess", "plot", "report"])
def test_only_train_and_evaluate_import_tensorflow(project: Project, stage: str) -> None:
    code = f"import sys, stages.{stage}; print({{'tensorflow', 'keras'}} & set(sys.modules))"
    assert project.run("python", "-c", code).stdout == "set()\n"


def test_the_registered_model_is_the_one_that_train_writes() -> None:
    assert PIPELINE["artifacts"]["digit-reader"]["path"] in DAG["train"]["outs"]


def test_a_stage_that_does_not_exist_is_refused_in_one_line(project: Project) -> None:
    for given, found in {"": "nothing", "trian": "trian"}.items():
        done = project.run("python", "-m", "stages", *given.split(), check=False)
        names = "download, evaluate, plot, preprocess, report, train, validate"
        assert (done.returncode, done.stdout) == (1, f"expected one stage of {names}; found {found}\n")


def test_nothing_large_is_committed() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    assert files and max(path.stat().st_size for path in files if path.exists()) < 500_000
