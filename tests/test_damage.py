"""Full disks, folders that may not be written, damaged files: a right result or one clear line."""

import os
import re
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable

import numpy as np
import pytest
from conftest import PIPE, STAGES, Project, stages_in
from test_declarations import outs

SAME = "one line names the file; the next `dvc repro` ends in the same bytes"


def cases(names: list[str], quick: str) -> list:
    """The cases of a test, of which one is quick enough for `make test`."""
    others = [pytest.param(name, marks=pytest.mark.slow) for name in names if name != quick]
    return [quick, *others]


def last_line(project: Project, *command: str, limit: int | None = None) -> str:
    """Run a command that is to fail, with a limit in bytes on files, and return what it says."""

    def limit_files() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    running = project.start(*command, preexec_fn=limit_files, **PIPE)
    printed = running.communicate()[0]
    assert running.returncode == 1, printed
    assert "Traceback" not in printed, printed
    return printed.splitlines()[-1]


def assert_repro_restores(project: Project, finished: Project) -> None:
    project.repro()
    assert project.outputs() == finished.outputs()


# --- files that cannot be written ---

# bytes that are less than a file of the stage needs
SMALL = {"validate": 1000, "download": 10_000, "preprocess": 10_000}
SMALL |= {"train": 100_000, "evaluate": 100, "plot": 1000}


@pytest.mark.fault("each stage", "its files cannot be written to their end", SAME)
@pytest.mark.parametrize("stage", cases(STAGES, quick="plot"))
def test_a_full_disk_is_told_in_one_line(finished: Project, project: Project, stage: str) -> None:
    line = last_line(project, "python", "-m", "stages", stage, limit=SMALL[stage])
    assert line.endswith((": File too large", ": disk I/O error"))
    assert project.outputs() == finished.outputs()
    assert_repro_restores(project, finished)


FOLDERS = {
    "validate": "reports",
    "download": "data",
    "preprocess": "data/processed",
    "train": "models",
    "evaluate": "reports",
    "plot": "reports",
}
ROOTS_RIGHTS = ["--bounding-set=-dac_override", "--inh-caps=-dac_override"]
MODES_COUNT = ["setpriv", *ROOTS_RIGHTS] if os.getuid() == 0 else []


@pytest.mark.fault("each stage", "its folder may not be written", SAME)
@pytest.mark.skipif(
    bool(MODES_COUNT) and not shutil.which("setpriv"), reason="root ignores modes, without setpriv"
)
@pytest.mark.parametrize("stage", cases(STAGES, quick="plot"))
def test_a_folder_that_may_not_be_written_is_told_in_one_line(
    finished: Project, project: Project, stage: str
) -> None:
    project.run("rm", "-rf", *outs(stage))
    folder = project.root / FOLDERS[stage]
    folder.chmod(0o555)
    line = last_line(project, *MODES_COUNT, sys.executable, "-m", "stages", stage)
    folder.chmod(0o755)
    assert re.fullmatch(rf"{FOLDERS[stage]}/.+: Permission denied", line)
    assert_repro_restores(project, finished)


@pytest.mark.slow
@pytest.mark.fault("train", "its checkpoints cannot be written", "a warning; the training goes on")
def test_a_training_needs_no_checkpoint(finished: Project, project: Project) -> None:
    project.checkpoints.write_text("a file where the folder should be")
    printed = project.run("python", "-m", "stages", "train").stdout
    assert "the training goes on without this checkpoint" in printed
    assert project.outputs() == finished.outputs()


# --- files that are damaged ---


@pytest.mark.fault("plot, as each stage that reads arrays", "a damaged .npy file", SAME)
@pytest.mark.parametrize("damage", cases(["emptied", "cut", "garbage", "pickle"], quick="cut"))
def test_a_damaged_array_is_refused_by_name(
    finished: Project, project: Project, damage: str
) -> None:
    path = project.root / "data/processed/test_images.npy"
    data = path.read_bytes()
    garbage = b"\x93NUMPY\x01\x00v\x00?" + data[11:]
    if damage == "pickle":
        np.save(path, np.array([{}], dtype=object))
    else:
        path.write_bytes({"emptied": b"", "cut": data[:-1], "garbage": garbage}[damage])
    line = last_line(project, "python", "-m", "stages", "plot")
    wanted = "expected an array that preprocess wrote, found: "
    assert line.startswith(f"data/processed/{path.name}: {wanted}")
    assert_repro_restores(project, finished)


@pytest.mark.slow
@pytest.mark.fault("evaluate", "a damaged network", SAME)
def test_a_damaged_network_is_refused_by_name(finished: Project, project: Project) -> None:
    path = project.root / "models/network.keras"
    data = path.read_bytes()
    path.write_bytes(data[:5000] + bytes(20) + data[5020:])  # among the weights
    line = last_line(project, "python", "-m", "stages", "evaluate")
    assert line.startswith("models/network.keras: expected a network that train saved, found: ")
    assert_repro_restores(project, finished)


REPORTS = ["metrics.json", "evaluation.json", "predictions.csv", "class_accuracy.csv"]
REPORTS += ["calibration.csv", "training/plots/metrics/loss.tsv"]


@pytest.mark.fault("plot", "a damaged report", SAME)
@pytest.mark.parametrize("name", cases(REPORTS, quick="metrics.json"))
def test_a_damaged_report_is_refused_by_name(
    finished: Project, project: Project, name: str
) -> None:
    path = project.root / "reports" / name
    path.write_bytes(b"\xff\xfe" + path.read_bytes())
    assert last_line(project, "python", "-m", "stages", "plot").startswith(f"reports/{name}: ")
    assert_repro_restores(project, finished)


# --- files of DVC and of Git ---

DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda data: b"",
    "cut": lambda data: data[:-9],
    "no text": lambda data: b"\xff",
    "no YAML, no JSON": lambda data: b"stages: {",
}


@pytest.mark.fault(
    "DVC", "a damaged dvc.lock or rwlock", "`make mend` mends it; nothing is run again"
)
@pytest.mark.parametrize("name", ["dvc.lock", ".dvc/tmp/rwlock"])
@pytest.mark.parametrize("damage", cases(list(DAMAGE), quick="cut"))
def test_damage_to_the_files_of_dvc_is_mended(
    finished: Project, project: Project, name: str, damage: str
) -> None:
    path = project.root / name
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    done = project.run("dvc", "repro", check=False)
    assert stages_in(done.stdout) == []
    if done.returncode:
        assert f"{name} was damaged" in project.run("python", "-m", "tools.mend").stdout
    assert project.repro() == []
    assert project.outputs() == finished.outputs()


def test_mend_says_where_no_commit_has_a_dvc_lock(project: Project) -> None:
    lock = project.root / "dvc.lock"
    cut = lock.read_bytes()[:-9]
    lock.unlink()
    project.commit("none")
    lock.write_bytes(cut)
    printed = project.run("python", "-m", "tools.mend").stdout
    assert printed.startswith("dvc.lock was damaged: removed, the damaged one is ")
    assert not lock.exists()


@pytest.mark.slow
@pytest.mark.fault(
    "DVC", "SIGKILL to a queue while it runs an experiment", "`make mend` says how to drop that one"
)
def test_a_killed_queue_is_told(project: Project) -> None:
    project.run("dvc", "exp", "run", "--queue", "--name", "one", "-S", "train.seed=1")
    running = project.start("dvc", "exp", "run", "--run-all", start_new_session=True, **PIPE)
    assert running.stdout
    assert any("Running stage" in line for line in running.stdout)
    refused = project.run("python", "-m", "tools.mend", check=False).stdout
    for pid in map(int, re.findall(r"\(PID (\d+)\)$", refused, re.MULTILINE)):
        os.kill(pid, signal.SIGKILL)
    running.wait()
    said = project.run("python", "-m", "tools.mend").stdout
    assert "in DVC's queue was killed: dvc queue kill " in said
    for command in said.partition("killed: ")[2].partition(";")[0].split(" && "):
        project.run(*command.split())
    assert project.run("python", "-m", "tools.mend").stdout == "nothing to mend\n"
    project.run("dvc", "exp", "run", "--run-all")


@pytest.mark.slow
def test_a_head_that_a_person_detached_is_not_mended(project: Project) -> None:
    (project.root / "note.txt").write_text("")
    project.commit("a second one")
    project.run("git", "checkout", "--quiet", "HEAD~1")
    project.run("dvc", "exp", "run", "-S", "plot.dpi=51")
    assert "detached" not in project.run("python", "-m", "tools.why").stdout
    assert project.run("python", "-m", "tools.mend").stdout == "nothing to mend\n"


@pytest.mark.fault(
    "DVC",
    "`dvc exp apply` of an older experiment takes away data that DVC keeps since",
    "`make mend` says how they come back",
)
def test_data_that_an_older_experiment_takes_away_come_back(project: Project) -> None:
    project.run("dvc", "exp", "run", "--name", "older", "-S", "plot.dpi=51")
    picture = project.root / "data/für mich/cat/1.png"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"PNG")
    project.run("dvc", "add", "data/für mich")
    project.run("git", "restore", "params.yaml")
    project.commit("with data")
    project.run("dvc", "exp", "apply", "older")
    assert not picture.exists()
    said = project.run("python", "-m", "tools.mend").stdout
    assert said.startswith(
        "data/für mich.dvc is gone, as `dvc exp apply` of an older experiment leaves"
    )
    assert said.endswith(": git restore data && dvc checkout\n")
    project.run("git", "restore", "data")
    project.run("dvc", "checkout")
    assert picture.read_bytes() == b"PNG"


def test_what_is_whole_is_not_mended(project: Project) -> None:
    stages = project.root / "dvc.yaml"
    alone = "  alone:\n    cmd: 'true'\n"  # without a dep or an output
    stages.write_text(stages.read_text().replace("stages:\n", f"stages:\n{alone}", 1))
    project.run("dvc", "repro", "alone")
    assert "  alone:\n" in (project.root / "dvc.lock").read_text()
    assert project.run("python", "-m", "tools.mend").stdout == "nothing to mend\n"


@pytest.mark.slow
@pytest.mark.fault(
    "DVC",
    "SIGKILL during `dvc exp run`, which leaves a detached HEAD",
    "`make mend` puts HEAD back",
)
@pytest.mark.parametrize("again", [False, True], ids=["mended at once", "run again first"])
def test_a_detached_head_is_mended(finished: Project, project: Project, again: bool) -> None:
    project.change(plot__dpi=50)
    command = "dvc", "exp", "run", "-S", "evaluate.calibration_bins=5"
    running = project.start(*command, start_new_session=True, **PIPE)
    assert running.stdout
    for line in running.stdout:
        if "'evaluate'" in line:
            break
    else:
        pytest.fail("evaluate never began")
    os.killpg(running.pid, signal.SIGSTOP)
    refused = project.run("python", "-m", "tools.mend", check=False)
    assert refused.returncode == 1 and f"(PID {running.pid})" in refused.stdout
    project.run("git", "worktree", "add", "--quiet", "--detach", "other")
    beside = project.run("git", "-C", "other", "status", "--short", "--branch").stdout
    assert beside == "## HEAD (no branch)\n"
    refused = project.run("sh", "-c", f"cd other && {sys.executable} -m tools.mend", check=False)
    assert refused.returncode == 1 and f"(PID {running.pid})" in refused.stdout
    project.run("git", "worktree", "remove", "--force", "other")
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    time.sleep(1)
    if again:
        project.run(*command)
    left = [f".git/{name}.lock" for name in ("index", "packed-refs", "refs/heads/master")]
    for lock in left:
        (project.root / lock).touch()
    assert "HEAD (no branch)" in project.run("git", "status", "--branch", "--short").stdout
    told = "HEAD is detached by an experiment that is gone: make mend, before git restore"
    assert told in project.run("python", "-m", "tools.why").stdout
    mended = project.run("python", "-m", "tools.mend").stdout
    assert "its values are still here; to go back to the last commit: git restore ." in mended
    assert "HEAD was detached by an experiment that is gone: it is on " in mended
    assert all(f"{lock} was left by a git that is gone: removed" in mended for lock in left)
    assert project.run("git", "symbolic-ref", "--short", "HEAD").stdout == "master\n"
    assert "  dpi: 50" in (project.root / "params.yaml").read_text()
    assert project.run("git", "for-each-ref", "refs/exps/exec").stdout == ""
    project.run("git", "checkout", "HEAD", "--", "params.yaml")
    assert_repro_restores(project, finished)
