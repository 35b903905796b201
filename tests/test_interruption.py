"""A training that was killed goes on at the next `dvc repro`, and ends in the bytes of one that was not."""

import importlib
import json
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from digits import checkpoint as checkpoints
from digits.checkpoint import Checkpoint

import keras
import psutil
import pytest
from conftest import ROOT, STAGES, Project, new_project
from ruamel.yaml import YAML

LAYERS = {  # each kind of state: dropped at random, moving averages, and weights
    "conv": {"class": "Conv2D", "filters": 16, "kernel_size": 5},
    "norm": {"class": "BatchNormalization"},
    "flatten": {"class": "Flatten"},
    "drop": {"class": "Dropout", "rate": 0.5},
    "dense": {"class": "Dense", "units": "classes", "activation": "softmax"},
}
RECIPE = {"network": list(LAYERS), "layers": LAYERS, "batch_size": 16, "epochs": 60, "validation_split": 0.25}
RECIPE["views"] = 1
RECIPE["optimizer"] = {"class": "AdamW", "learning_rate": 0.001}
RECIPE["schedule"] = {"warmup": 0.2, "end": 0.1}
RECIPE["augment"] = {"rotation": 10, "zoom": 0.1, "shear": 0.1, "shift": 0.1, "elastic": 0.1}
LIBRARIES = {  # what uses it
    "numpy": ["download", "preprocess", "train", "evaluate", "plot"],
    "keras": ["train", "evaluate"],
    "tensorflow": ["train", "evaluate"],
    "matplotlib": ["plot"],
    "PIL": ["plot"],
}
STEPS = 60 * 19  # 300 of 400 images


@pytest.fixture(scope="session")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that trains for some seconds and saves its state each tenth of a second, after `dvc repro`."""
    project = new_project(tmp_path_factory.mktemp("uninterrupted"))
    checkpoint = project.root / "digits" / "checkpoint.py"
    checkpoint.write_text(checkpoint.read_text().replace("SECONDS = 15", "SECONDS = 0.1").replace("= 0.02", "= 1"))
    project.change(recipes__original=RECIPE)
    project.run("git", "commit", "--quiet", "--all", "--message", "a longer training")
    assert project.repro() == STAGES
    return project


@pytest.fixture
def untrained(uninterrupted: Project, tmp_path: Path) -> Project:
    """The same project, before its training."""
    subprocess.run(["cp", "-r", str(uninterrupted.root), str(tmp_path / "project")], check=True)
    project = Project(tmp_path / "project")
    subprocess.run(["rm", "-rf", ".dvc/cache/runs", "models/network.keras"], cwd=project.root, check=True)
    lock = project.root / "dvc.lock"
    lock.write_text(lock.read_text().partition("  train:")[0])
    return project


class Running:
    """A command at work in a process group of its own."""

    def __init__(self, project: Project, *command: str) -> None:
        self.log = project.root.with_name("log")
        with self.log.open("w") as log:
            self.process = project.start(*command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)

    def wait_for(self, pattern: str) -> None:
        end = time.monotonic() + 60
        while not re.search(pattern, self.log.read_text()):
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.02)

    def trainer(self) -> psutil.Process:
        """The process that trains."""
        below = psutil.Process(self.process.pid).children(recursive=True)
        return next(process for process in below if process.cmdline()[-2:] == ["stages", "train"])

    def end(self) -> str:
        self.process.wait(timeout=60)
        return self.log.read_text()


def kill_group(running: Running) -> None:
    os.killpg(running.process.pid, signal.SIGKILL)


def kill_trainer(running: Running) -> None:
    running.trainer().kill()


def kill_dvc(running: Running) -> None:
    trainer = running.trainer()
    running.process.kill()
    trainer.wait(timeout=10)  # it does not outlive DVC


def terminate_dvc(running: Running) -> None:
    trainer = running.trainer()
    running.process.terminate()
    trainer.wait(timeout=10)


def terminate_trainer(running: Running) -> None:
    running.trainer().terminate()


def press_ctrl_c(running: Running) -> None:
    os.killpg(running.process.pid, signal.SIGINT)


def resumed_at(printed: str) -> int:
    found = re.search(rf"goes on from step (\d+) of {STEPS}", printed)
    assert found, printed
    return int(found[1])


def kept(project: Project) -> list[str]:
    return [path.name for path in project.checkpoints.iterdir() if not path.name.startswith("partial")]


SAID = r"interrupted at step (\d+); `dvc repro` goes on from step \1\n"
SAME = "goes on from the last checkpoint: the same bytes"


def way(stop: Callable[[Running], None], said: str, fault: str, quick: bool = False) -> Any:
    marks = [pytest.mark.fault("train", fault, SAME)] + [pytest.mark.slow] * (not quick)
    return pytest.param(stop, said, marks=marks, id=stop.__name__)


@pytest.mark.parametrize(
    "stop, said",
    [
        way(kill_group, "", "SIGKILL to DVC and the trainer", quick=True),
        way(kill_trainer, "exited with -9", "SIGKILL to the trainer alone"),
        way(kill_dvc, SAID, "SIGKILL to DVC alone"),
        way(terminate_dvc, SAID, "SIGTERM to DVC alone"),
        way(terminate_trainer, SAID, "SIGTERM to the trainer alone"),
        way(press_ctrl_c, SAID, "Ctrl-C"),
    ],
)
def test_a_training_goes_on_and_ends_in_the_same_bytes(
    uninterrupted: Project, untrained: Project, stop: Callable[[Running], None], said: str
) -> None:
    running = Running(untrained, "dvc", "repro")
    running.wait_for("epoch 20/60")
    stop(running)
    printed = running.end()
    assert re.search(said, printed) and "Traceback" not in printed
    printed = untrained.run("dvc", "repro").stdout
    assert 0 < resumed_at(printed) < STEPS
    assert untrained.outputs() == uninterrupted.outputs()
    assert kept(untrained) == []


@pytest.mark.slow
@pytest.mark.fault("train", "SIGKILL between its last step and DVC's record of it", "nothing is trained again")
def test_what_was_trained_stays_until_dvc_has_recorded_it(uninterrupted: Project, untrained: Project) -> None:
    untrained.run("python", "-m", "stages", "train")
    assert len(kept(untrained)) == 1
    assert resumed_at(untrained.run("dvc", "repro").stdout) == STEPS
    assert untrained.outputs() == uninterrupted.outputs()
    assert kept(untrained) == []


@pytest.mark.slow
@pytest.mark.fault("train", "SIGKILL during `dvc exp run --temp`, in whose folder nothing stays", SAME)
def test_an_experiment_in_a_temporary_folder_goes_on_too(uninterrupted: Project, untrained: Project) -> None:
    untrained.run("git", "add", "--all")
    untrained.run("git", "commit", "--quiet", "--message", "before the training")
    running = Running(untrained, "dvc", "exp", "run", "--temp", "--name", "killed")
    running.wait_for("epoch 20/60")
    kill_group(running)
    running.end()
    printed = untrained.run("dvc", "exp", "run", "--temp", "--name", "whole").stdout
    assert 0 < resumed_at(printed) < STEPS
    untrained.run("dvc", "exp", "apply", "whole")
    assert untrained.outputs() == uninterrupted.outputs()


@pytest.mark.slow
@pytest.mark.fault("DVC", "two `dvc repro` at once", "the second says which process it would have to wait for")
def test_a_second_dvc_repro_says_that_the_first_is_at_work(uninterrupted: Project, untrained: Project) -> None:
    first = Running(untrained, "dvc", "repro")
    first.wait_for("epoch 1/60")
    second = untrained.run("dvc", "repro", check=False)
    assert second.returncode != 0
    assert re.search(rf"is busy, it is being blocked by:\n  \(PID {first.process.pid}\): .*dvc repro", second.stdout)
    first.end()
    assert untrained.outputs() == uninterrupted.outputs()


@pytest.mark.slow
@pytest.mark.fault("DVC", "SIGKILL to all, at a random moment of a `dvc repro`", "the next ends in the same bytes")
@pytest.mark.parametrize("case", range(30))
def test_a_pipeline_killed_at_any_moment_ends_in_the_same_bytes(
    uninterrupted: Project, untrained: Project, case: int
) -> None:
    untrained.run("git", "clean", "-xfdq")
    running = Running(untrained, "dvc", "repro")
    time.sleep(random.Random(case).uniform(0.5, 25))
    if running.process.poll() is None:
        kill_group(running)
    running.end()
    if untrained.run("dvc", "repro", check=False).returncode:
        assert untrained.run("python", "tools/mend.py").stdout != "nothing to mend\n"
        untrained.run("dvc", "repro")
    assert untrained.outputs() == uninterrupted.outputs()


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkpoint:
    """A checkpoint that holds a variable of 1 after step 5, whose variable is 2 since."""
    monkeypatch.setattr(checkpoints, "FOLDER", tmp_path)
    variable = keras.Variable([1.0])
    checkpoint = Checkpoint("fingerprint", [variable])
    checkpoint.save(5, [{"loss": 0.1}])
    variable.assign([2.0])
    return checkpoint


def test_a_checkpoint_gives_back_what_it_was_given(checkpoint: Checkpoint) -> None:
    assert checkpoint.restore() == (5, [{"loss": 0.1}])
    assert float(checkpoint.variables[0][0]) == 1


@pytest.mark.fault("train", "a checkpoint that is damaged or of another training", "a warning; it is not used")
@pytest.mark.parametrize("damage", [b"", b"short", b"0" * 1000, "cut", "flipped", "foreign"])
def test_a_checkpoint_that_is_not_whole_and_ones_own_is_ignored(
    checkpoint: Checkpoint, capsys: pytest.CaptureFixture[str], damage: bytes | str
) -> None:
    data = checkpoint.path.read_bytes()
    if damage == "foreign":
        Checkpoint("another fingerprint", checkpoint.variables).save(5, [])
        data = checkpoint.path.with_name("another fingerprint").read_bytes()
    flipped = data[:100] + bytes([data[100] ^ 1]) + data[101:]
    damages = {"cut": data[:-1], "flipped": flipped, "foreign": data}
    checkpoint.path.write_bytes(damages[damage] if isinstance(damage, str) else damage)
    assert checkpoint.restore() == (0, [])
    assert float(checkpoint.variables[0][0]) == 2
    assert "ignored, because it is damaged or belongs to another training" in capsys.readouterr().out


def test_a_checkpoint_left_for_a_week_is_removed(checkpoint: Checkpoint) -> None:
    for age, left in [(6, True), (8, False)]:
        then = time.time() - age * 24 * 60 * 60
        os.utime(checkpoint.path, (then, then))
        Checkpoint("of another training", [])
        assert checkpoint.path.exists() == left


@pytest.mark.parametrize("library, stages", LIBRARIES.items())
def test_a_stage_refuses_another_version_than_the_recorded_one(
    project: Project, library: str, stages: list[str]
) -> None:
    project.change(**{f"environment__{library}": "0.1"})
    done = project.run("python", "-m", "stages", stages[0], check=False)
    installed = importlib.import_module(library).__version__
    expected = f"params.yaml: environment.{library}: expected {installed}, the version that is installed; found 0.1;"
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith(expected)
    stale = json.loads(project.run("dvc", "status", "--json").stdout)
    assert [stage for stage, why in stale.items() if f"environment.{library}" in json.dumps(why)] == stages


def test_the_recorded_versions_are_those_of_the_requirements() -> None:
    required = (ROOT / "requirements.txt").read_text()
    names = {"PIL": "pillow", "tensorflow": "tensorflow-cpu"}
    for library, version in YAML(typ="safe").load(ROOT / "params.yaml")["environment"].items():
        assert f"\n{names.get(library, library)}=={version} " in required
