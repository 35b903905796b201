"""Full disks, folders that may not be written, and damaged files: a right result or one clear line."""

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable

import numpy as np
import pytest
from conftest import ROOT, STAGES, Project
from ruamel.yaml import YAML

SMALL = {"validate": 1000, "download": 10_000, "preprocess": 10_000, "train": 100_000, "evaluate": 100, "plot": 1000}
SMALL["report"] = 1000
DAG = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
OUTS = {
    stage: [
        next(iter(out)) if isinstance(out, dict) else out
        for kind in ("outs", "metrics", "plots")
        for out in part.get(kind, [])
    ]
    for stage, part in DAG.items()
}
CURVES = "training/plots/metrics"
SAME = "one line names the file; the next `dvc repro` ends in the same bytes"


def cases(stages: Iterable[str]) -> list:
    return [pytest.param(stage, marks=() if stage == "plot" else pytest.mark.slow) for stage in stages]


def last_line(project: Project, stage: str, limit: int | None = None) -> str:
    """Run a stage that is to fail, with a limit in bytes on the files that it may write, and return what it says."""
    limits = (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))) if limit else None
    done = project.start(
        "python", "-m", "stages", stage, preexec_fn=limits, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    printed = done.communicate()[0]
    assert done.returncode == 1, printed
    assert "Traceback" not in printed, printed
    return printed.splitlines()[-1]


@pytest.mark.fault("each stage", "its files cannot be written to their end", SAME)
@pytest.mark.parametrize(
    "stage", [pytest.param(stage, marks=[pytest.mark.slow] * (stage != "plot")) for stage in STAGES]
)
def test_a_full_disk_is_told_in_one_line(finished: Project, project: Project, stage: str) -> None:
    assert last_line(project, stage, SMALL[stage]).endswith((": File too large", ": disk I/O error"))
    project.repro()
    assert project.outputs() == finished.outputs()


FOLDERS = {
    "download": "data",
    "preprocess": "data/processed",
    "train": "models",
    "evaluate": "reports",
    "plot": "reports",
    "report": "reports",
}
MODES_COUNT = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"] if os.getuid() == 0 else []


@pytest.mark.fault("each stage", "its folder may not be written", SAME)
@pytest.mark.skipif(bool(MODES_COUNT) and not shutil.which("setpriv"), reason="root ignores modes, without setpriv")
@pytest.mark.parametrize("stage", cases(FOLDERS))
def test_a_folder_that_may_not_be_written_is_told_in_one_line(finished: Project, project: Project, stage: str) -> None:
    project.run("rm", "-rf", *OUTS[stage])
    folder = project.root / FOLDERS[stage]
    folder.chmod(0o555)
    done = project.run(*MODES_COUNT, sys.executable, "-m", "stages", stage, check=False)
    folder.chmod(0o755)
    assert done.returncode == 1 and "Traceback" not in done.stdout
    assert re.fullmatch(rf"{FOLDERS[stage]}/.+: Permission denied", done.stdout.splitlines()[-1])
    project.repro()
    assert project.outputs() == finished.outputs()


@pytest.mark.slow
@pytest.mark.fault("train", "its checkpoints cannot be written", "a warning; the training goes on")
def test_a_training_needs_no_checkpoint(finished: Project, project: Project) -> None:
    project.checkpoints.write_text("a file where the folder should be")
    printed = project.run("python", "-m", "stages", "train").stdout
    assert "the training goes on without this checkpoint" in printed
    assert project.outputs() == finished.outputs()


PICKLE = np.array([{}], dtype=object)
ARRAYS = {"train": "train_images", "evaluate": "test_labels", "plot": "test_images"}


@pytest.mark.fault("train, evaluate, plot", "a damaged .npy file", SAME)
@pytest.mark.parametrize("damage", ["emptied", "cut", "garbage", "pickle"])
@pytest.mark.parametrize("stage", cases(ARRAYS))
def test_a_damaged_array_is_refused_by_name(finished: Project, project: Project, stage: str, damage: str) -> None:
    path = project.root / "data" / "processed" / f"{ARRAYS[stage]}.npy"
    data = path.read_bytes()
    if damage == "pickle":
        np.save(path, PICKLE)
    else:
        path.write_bytes({"emptied": b"", "cut": data[:-1], "garbage": b"\x93NUMPY\x01\x00v\x00?" + data[11:]}[damage])
    line = last_line(project, stage)
    assert line.startswith(f"data/processed/{path.name}: expected an array that preprocess wrote, found: ")
    assert project.repro() == []
    assert project.outputs() == finished.outputs()


@pytest.mark.slow
@pytest.mark.fault("evaluate", "a damaged network", SAME)
@pytest.mark.parametrize("damage", [0, 100, 5000, -30])
def test_a_damaged_network_is_refused_by_name(finished: Project, project: Project, damage: int) -> None:
    path = project.root / "models" / "network.keras"
    data = path.read_bytes()
    path.write_bytes(data[:damage] + bytes(20) + data[damage + 20 :] if damage > 0 else data[:damage])
    line = last_line(project, "evaluate")
    assert line.startswith("models/network.keras: expected a network that train saved, found: ")
    assert project.repro() == []
    assert project.outputs() == finished.outputs()


@pytest.mark.fault("plot", "a damaged report", SAME)
@pytest.mark.parametrize(
    "name", ["metrics.json", "predictions.csv", "calibration.csv", "training/plots/metrics/loss.tsv"]
)
@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"{"])
def test_a_damaged_report_is_refused_by_name(finished: Project, project: Project, name: str, data: bytes) -> None:
    (project.root / "reports" / name).write_bytes(data)
    assert last_line(project, "plot").startswith(f"reports/{name}: ")
    assert project.repro() == []
    assert project.outputs() == finished.outputs()


@pytest.mark.fault("DVC", "a damaged dvc.lock or rwlock", "`make mend` mends it; nothing is run again")
@pytest.mark.parametrize("name", ["dvc.lock", ".dvc/tmp/rwlock"])
@pytest.mark.parametrize("data", [b"", b"\xff", b"stages: {", "cut"])
def test_damage_to_the_files_of_dvc_is_mended(
    finished: Project, project: Project, name: str, data: bytes | str
) -> None:
    path = project.root / name
    path.write_bytes(data if isinstance(data, bytes) else path.read_bytes()[:-9])
    if project.run("dvc", "repro", check=False).returncode:
        assert f"{name} was damaged" in project.run("python", "tools/mend.py").stdout
    assert project.repro() == []
    assert project.outputs() == finished.outputs()


def test_what_is_whole_is_not_mended(project: Project) -> None:
    assert project.run("python", "tools/mend.py").stdout == "nothing to mend\n"


@pytest.mark.slow
@pytest.mark.fault("DVC", "SIGKILL during `dvc exp run`, which leaves a detached HEAD", "`make mend` puts HEAD back")
@pytest.mark.parametrize("again", [False, True], ids=["mended at once", "run again first"])
def test_a_detached_head_is_mended(finished: Project, project: Project, again: bool) -> None:
    project.change(plot__dpi=50)
    command = "dvc", "exp", "run", "-S", "train.seed=1"
    running = project.start(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    assert running.stdout
    while "'train'" not in running.stdout.readline():
        pass
    refused = project.run("python", "tools/mend.py", check=False)
    assert refused.returncode == 1 and f"(PID {running.pid})" in refused.stdout
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    time.sleep(1)
    if again:
        project.run(*command)
    (project.root / ".git" / "index.lock").touch()
    assert "HEAD (no branch)" in project.run("git", "status", "--branch", "--short").stdout
    mended = project.run("python", "tools/mend.py").stdout
    assert "HEAD was detached by an experiment that is gone: it is on " in mended
    assert ".git/index.lock was left by a git that is gone: removed" in mended
    assert project.run("git", "symbolic-ref", "--short", "HEAD").stdout == "master\n"
    assert "  dpi: 50" in (project.root / "params.yaml").read_text()
    assert project.run("git", "for-each-ref", "refs/exps/exec").stdout == ""
    project.run("git", "checkout", "HEAD", "--", "params.yaml")
    project.repro()
    assert project.outputs() == finished.outputs()
