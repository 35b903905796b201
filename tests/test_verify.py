"""`make verify` finds what is not as dvc.lock says."""

import csv
import re
import shutil
from pathlib import Path

import pytest
from conftest import Project
from test_pages import bring


@pytest.mark.slow
@pytest.mark.fault(
    "DVC",
    "an object in its cache has rotted",
    "`make verify` names it, and the command that restores it",
)
def test_verify_tells_a_different_output_and_a_rotten_object(project: Project) -> None:
    verify = ["python", "-E", "-m", "tools.verify"]
    lock = project.root / "dvc.lock"
    committed = lock.read_text()
    *_, last, _, row = project.run(*verify).stdout.splitlines()
    assert last == "same       dvc.lock"
    *_, same, count, how = next(csv.reader([row]))
    assert (count, how) == (same, "make verify")

    log = re.search(r"path: models/training.log\n      hash: md5\n      md5: (\w+)", committed)
    labels = re.search(
        r"path: data/processed/test_labels.npy\n      hash: md5\n      md5: (\w+)", committed
    )
    assert log and labels
    lock.write_text(committed.replace(log[1], "f" * 32))
    project.run("git", "commit", "--quiet", "--all", "--message", "a wrong sum")
    rotten = project.root / ".dvc/cache/files/md5" / labels[1][:2] / labels[1][2:]
    rotten.chmod(0o644)
    rotten.write_bytes(rotten.read_bytes() + b"rot")

    done = project.run(*verify, check=False)
    assert done.returncode == 1
    assert f"different  models/training.log: {'f' * 32} in dvc.lock, {log[1]} anew\n" in done.stdout
    assert "same       models/network.keras\n" in done.stdout
    told = re.search(
        r"rotten     data/processed/test_labels.npy in the cache: (rm .*)\n", done.stdout
    )
    assert told
    lock.write_text(committed)
    for command in told[1].split(" && "):
        project.run(*command.split())
    restored = (project.root / "data/processed/test_labels.npy").read_bytes()
    assert rotten.read_bytes() == restored
    assert "Data and pipelines are up to date." in project.run("dvc", "status").stdout


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["data", ".."])
def test_verify_hands_on_pictures_that_git_does_not_have(project: Project, folder: str) -> None:
    bring(project.root / folder)
    if folder == "data":
        project.run("dvc", "add", "data/flowers")
        assert project.run("git", "ls-files", "data/flowers").stdout == ""
    project.change(download__dataset="folder", datasets__folder__path=f"{folder}/flowers")
    project.repro()
    project.commit("my pictures")
    temporary = project.root / ".dvc/tmp"
    verify = project.run("python", "-E", "-m", "tools.verify", TMPDIR=str(temporary))
    assert "\nsame       dvc.lock\n" in verify.stdout
    assert not (temporary / "flowers").is_symlink()


@pytest.mark.slow
def test_verify_works_where_the_project_is_a_folder_of_a_larger_repository(
    finished: Project, tmp_path: Path
) -> None:
    shutil.copytree(finished.root, tmp_path / "larger/digits", symlinks=True)
    shutil.rmtree(tmp_path / "larger/digits/.git")
    larger, project = Project(tmp_path / "larger"), Project(tmp_path / "larger/digits")
    larger.run("git", "init", "--quiet")
    larger.run("git", "config", "user.name", "test")
    larger.run("git", "config", "user.email", "test@example.org")
    larger.commit("larger")
    (larger.root / "notes").write_text("of no concern")
    printed = project.run("python", "-E", "-m", "tools.verify").stdout
    assert "\nsame       dvc.lock\n" in printed
    assert "without your changes" not in printed
