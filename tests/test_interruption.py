"""A training that was killed goes on at the next `dvc repro`, and ends in the bytes of one that was
not; so does a pipeline."""

import importlib
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import STAGES, Project, new_project

from digits import checkpoint as checkpoints
from digits.checkpoint import Checkpoint
from digits.determinism import keras

LAYERS = {  # each kind of state: weights, moving averages, and what is dropped at random
    "conv": {"class": "Conv2D", "filters": 16, "kernel_size": 5},
    "norm": {"class": "BatchNormalization"},
    "drop": {"class": "Dropout", "rate": 0.5},
    "dense": {"class": "Dense", "units": "classes", "activation": "softmax"},
}
RECIPE = {
    "network": ["conv", "norm", "Flatten", "drop", "dense"],
    "layers": LAYERS,
    "optimizer": {"class": "AdamW", "learning_rate": 0.001},
    "schedule": {"warmup": 0.2, "end": 0.1},
    "augment": {"rotation": 10, "zoom": 0.1, "shear": 0.1, "shift": 0.1, "elastic": 0.1},
    "batch_size": 16,
    "epochs": 20,
    "validation_split": 0.25,
}
STEPS = 20 * 19  # 300 of 400 images are trained on
AT_WORK = "epoch 5/20"


@pytest.fixture(scope="session")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that trains for some seconds and saves its state often, after `dvc repro`."""
    project = new_project(tmp_path_factory.mktemp("uninterrupted"))
    with (project.root / "digits/checkpoint.py").open("a") as source:
        source.write("\nSECONDS, SHARE = 0.1, 1\n")
    project.change(recipes__original=RECIPE)
    project.commit("a longer training")
    assert project.repro() == STAGES
    return project


@pytest.fixture
def untrained(uninterrupted: Project, tmp_path: Path) -> Project:
    """The same project, before its training."""
    project = Project(tmp_path / "project")
    shutil.copytree(uninterrupted.root, project.root, symlinks=True)
    project.run("rm", "-rf", ".dvc/cache/runs", "models/network.keras")
    lock = project.root / "dvc.lock"
    lock.write_text(lock.read_text().partition("  train:")[0])
    return project


class Running:
    """A command at work in a process group of its own."""

    def __init__(self, project: Project, *command: str) -> None:
        self.log = project.root.with_name("log")
        with self.log.open("w") as log:
            pipes: Any = {"stdout": log, "stderr": subprocess.STDOUT}
            self.process = project.start(*command, start_new_session=True, **pipes)

    def wait_for(self, pattern: str) -> bool:
        """Wait until a line is printed; False where the command ended without it."""
        last = time.monotonic() + 90
        while not re.search(pattern, self.log.read_text()):
            if self.process.poll() is not None:
                return False
            assert time.monotonic() < last, self.log.read_text()
            time.sleep(0.02)
        return True

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
    trainer.wait(timeout=10)  # it does not outlive DVC: the system sends it SIGTERM


def press_ctrl_c(running: Running) -> None:
    os.killpg(running.process.pid, signal.SIGINT)


def resumed_at(printed: str, folder: str) -> int:
    """The step from which a training goes on, by the line that says whose it is."""
    whose = rf"recipe original, seed 0, saved \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d in {folder}\n"
    found = re.search(rf"^goes on from step (\d+) of {STEPS}: {whose}", printed, re.M)
    assert found, printed
    return int(found[1])


def kept(project: Project) -> list[str]:
    return [path.name for path in project.checkpoints.glob("[!p]*")]  # not partial-...


SAID = r"interrupted at step (\d+); `dvc repro` goes on from step \1\n"
SAME = "goes on from the last checkpoint: the same bytes"


def way(stop: Callable[[Running], None], said: str, fault: str) -> Any:
    marks = pytest.mark.fault("train", fault, SAME)
    return pytest.param(stop, said, marks=marks, id=stop.__name__)


@pytest.mark.slow
@pytest.mark.parametrize(
    "stop, said",
    [
        way(kill_group, "", "SIGKILL to DVC and the trainer"),
        way(kill_trainer, "exited with -9", "SIGKILL to the trainer alone"),
        way(kill_dvc, SAID, "SIGKILL to DVC alone, and by that SIGTERM to the trainer"),
        way(press_ctrl_c, SAID, "Ctrl-C"),
    ],
)
def test_a_training_goes_on_and_ends_in_the_same_bytes(
    uninterrupted: Project, untrained: Project, stop: Callable[[Running], None], said: str
) -> None:
    running = Running(untrained, "dvc", "repro")
    assert running.wait_for(AT_WORK)
    stop(running)
    printed = running.end()
    assert re.search(said, printed) and "Traceback" not in printed
    printed = untrained.run("dvc", "repro").stdout
    assert 0 < resumed_at(printed, re.escape(str(untrained.root))) < STEPS
    assert untrained.outputs() == uninterrupted.outputs()
    assert kept(untrained) == []


@pytest.mark.slow
@pytest.mark.fault(
    "train", "SIGKILL between its last step and DVC's record of it", "nothing is trained again"
)
def test_what_was_trained_stays_until_dvc_has_recorded_it(
    uninterrupted: Project, untrained: Project
) -> None:
    untrained.run("python", "-m", "stages", "train")
    assert len(kept(untrained)) == 1
    assert resumed_at(untrained.run("dvc", "repro").stdout, str(untrained.root)) == STEPS
    assert untrained.outputs() == uninterrupted.outputs()
    assert kept(untrained) == []


@pytest.mark.slow
@pytest.mark.fault(
    "train", "SIGKILL during `dvc exp run --temp`, in whose folder nothing stays", SAME
)
def test_an_experiment_in_a_temporary_folder_goes_on_too(
    uninterrupted: Project, untrained: Project
) -> None:
    untrained.commit("before the training")
    running = Running(untrained, "dvc", "exp", "run", "--temp", "--name", "killed")
    assert running.wait_for(AT_WORK)
    kill_group(running)
    running.end()
    printed = untrained.run("dvc", "exp", "run", "--temp", "--name", "whole").stdout
    temporary = rf"{untrained.root}/\.dvc/tmp/exps/.*"
    assert 0 < resumed_at(printed, temporary) < STEPS
    untrained.run("dvc", "exp", "apply", "whole")
    assert untrained.outputs() == uninterrupted.outputs()


@pytest.mark.slow
@pytest.mark.fault(
    "DVC", "two `dvc repro` at once", "the second says which process it would have to wait for"
)
def test_a_second_dvc_repro_says_that_the_first_is_at_work(
    uninterrupted: Project, untrained: Project
) -> None:
    first = Running(untrained, "dvc", "repro")
    assert first.wait_for("epoch 1/20")
    second = untrained.run("dvc", "repro", check=False)
    assert second.returncode != 0
    blocked = rf"is busy, it is being blocked by:\n  \(PID {first.process.pid}\): .*dvc repro"
    assert re.search(blocked, second.stdout)
    first.end()
    assert untrained.outputs() == uninterrupted.outputs()


# Of all moments of a pipeline, those at which a kill may leave something half done, each with the
# longest delay in seconds until the kill: as a stage begins, DVC has removed its outputs; as it
# ends, DVC takes them to its cache and writes dvc.lock. The first three stages take less than a
# second: a delay of up to one reaches from their beginning to their end.
LAST_WORDS = {"train": "epoch 20/20", "evaluate": "test accuracy"}


def moments() -> Iterator[tuple[str, float]]:
    """Yield patterns of what is printed then, or once a later stage begins, and the delays."""
    for i, stage in enumerate(STAGES):
        begins = f"Running stage '{stage}'"
        too_late = "".join(f"|Running stage '{later}'" for later in STAGES[i + 1 :])
        yield begins + too_late, 1
        if stage in LAST_WORDS:
            yield LAST_WORDS[stage] + too_late, 1
        yield rf"{begins}[\s\S]*Updating lock" + too_late, 0.1


@pytest.mark.slow
@pytest.mark.fault(
    "DVC",
    "SIGKILL to all as a stage begins, writes its outputs or is recorded",
    "the next `dvc repro` goes on, after `make mend` where it says so: the same bytes",
)
def test_a_pipeline_killed_around_each_stage_ends_in_the_same_bytes(
    uninterrupted: Project, untrained: Project
) -> None:
    untrained.run("git", "clean", "-xfdq")
    delays, kills = random.Random(0), 0
    for moment, longest in moments():
        running = Running(untrained, "dvc", "repro")
        if running.wait_for(moment):
            time.sleep(delays.uniform(0, longest))
        if running.process.poll() is None:
            kill_group(running)
            kills += 1
        printed = running.end()
        if running.process.returncode > 0:
            mended = untrained.run("python", "-m", "tools.mend").stdout
            assert mended != "nothing to mend\n", printed
    assert kills >= len(STAGES)
    if untrained.run("dvc", "repro", check=False).returncode:
        assert untrained.run("python", "-m", "tools.mend").stdout != "nothing to mend\n"
        untrained.run("dvc", "repro")
    assert untrained.outputs() == uninterrupted.outputs()


# --- checkpoints by themselves ---


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkpoint:
    """A checkpoint that holds a variable of 1 after step 5, whose variable is 2 since."""
    monkeypatch.setattr(checkpoints, "FOLDER", tmp_path)
    variable = keras.Variable([1.0])
    checkpoint = Checkpoint(64 * "f", [variable])
    checkpoint.save(5, [{"loss": 0.1}])
    variable.assign([2.0])
    return checkpoint


def test_a_checkpoint_gives_back_what_it_was_given(checkpoint: Checkpoint) -> None:
    progress = checkpoint.restore()
    assert (progress.step, progress.history) == (5, [{"loss": 0.1}])
    assert progress.folder == str(Path.cwd())
    assert float(checkpoint.variables[0][0]) == 1


@pytest.mark.fault(
    "train", "a checkpoint that is damaged or of another training", "a warning; it is not used"
)
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
    progress = checkpoint.restore()
    assert (progress.step, progress.history) == (0, [])
    assert float(checkpoint.variables[0][0]) == 2
    said = "ignored, because it is damaged or belongs to another training"
    assert said in capsys.readouterr().out


def test_a_checkpoint_left_for_a_week_is_removed_and_nothing_else(checkpoint: Checkpoint) -> None:
    other = checkpoint.path.with_name("thesis.keras")
    other.touch()
    for age, left in [(6, True), (8, False)]:
        then = time.time() - age * 24 * 60 * 60
        for path in (checkpoint.path, other):
            os.utime(path, (then, then))
        Checkpoint("of another training", [])
        assert checkpoint.path.exists() == left and other.exists()


# --- other versions of the libraries would give other bytes ---


@pytest.mark.parametrize(
    "library, stage",
    [
        ("numpy", "download"),
        ("matplotlib", "plot"),
        ("PIL", "plot"),
        pytest.param("keras", "evaluate", marks=pytest.mark.slow),
        pytest.param("tensorflow", "train", marks=pytest.mark.slow),
    ],
)
def test_a_stage_refuses_another_version_than_the_recorded_one(
    project: Project, library: str, stage: str
) -> None:
    project.change(**{f"environment__{library}": "0.1"})
    done = project.run("python", "-m", "stages", stage, check=False)
    installed = importlib.import_module(library).__version__
    expected = f"expected {installed}, the version that is installed; found 0.1;"
    assert done.returncode == 1
    [line] = done.stdout.splitlines()
    assert line.startswith(f"params.yaml: environment.{library}: {expected}")
