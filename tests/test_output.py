"""Facts of digits/output.py: what a stage writes gets its name once it is whole."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, STAGES, Project
from test_declarations import outs

from digits import output

PHOTO = "写真\u3000\xa01 \N{FAMILY}\u200d\N{BOY}.png"  # spaces and a joiner of other scripts
FORMS = pytest.mark.parametrize("form", ["file", "folder"])


def written(path: Path, text: str, form: str) -> None:
    """Write a text as a file, or into two files of a folder."""
    if form == "file":
        path.write_text(text)
    else:
        path.mkdir()
        for name in "ab":
            (path / name).write_text(text)


def read(path: Path) -> set[str]:
    return {file.read_text() for file in (path.iterdir() if path.is_dir() else [path])}


@FORMS
def test_what_is_written_takes_its_place_at_the_end_and_leaves_nothing_beside(
    tmp_path: Path, form: str
) -> None:
    path = tmp_path / "a folder/out.txt"
    for text in ("first", "second"):
        with output.beside(path) as partial:
            written(partial, text, form)
            assert partial.suffix == ".txt" and (text == "first") != path.exists()
        assert read(path) == {text} and list(path.parent.iterdir()) == [path]


def test_a_name_is_printed_as_it_is_but_for_what_commands_a_terminal() -> None:
    assert output.printable(PHOTO) == PHOTO
    assert output.printable("a\nb\x1b[2J\u2028\u202egnp.\udcff") == (
        r"a\nb\x1b[2J\u2028\u202egnp.\udcff"
    )


@FORMS
def test_where_writing_fails_the_old_stays(tmp_path: Path, form: str) -> None:
    written(tmp_path / "out", "old", form)
    with pytest.raises(KeyboardInterrupt), output.beside(tmp_path / "out") as partial:
        written(partial, "half", form)
        raise KeyboardInterrupt
    assert read(tmp_path / "out") == {"old"} and len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_cannot_take_its_place_leaves_the_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: Path, target: Path) -> None:
        raise PermissionError(target)

    written(tmp_path / "out", "old", "folder")
    monkeypatch.setattr(Path, "replace", refused)
    with pytest.raises(PermissionError), output.beside(tmp_path / "out") as partial:
        written(partial, "new", "folder")
    assert read(tmp_path / "out") == {"old"} and len(list(tmp_path.iterdir())) == 1


@pytest.mark.fault("each stage", "SIGKILL while it writes an output", "the old one stays, whole")
@FORMS
def test_where_the_writer_is_killed_the_old_stays(tmp_path: Path, form: str) -> None:
    path = tmp_path / "out"
    written(path, "old", form)
    code = f"""
import os, sys
sys.path.insert(0, {os.fspath(Path(__file__).parent)!r})
from pathlib import Path
from digits import output
from test_output import written
with output.beside(Path({str(path)!r})) as partial:
    written(partial, "half", {form!r})
    os.kill(os.getpid(), {int(signal.SIGKILL)})
"""
    killed = subprocess.run([sys.executable, "-c", code], cwd=ROOT)
    assert killed.returncode == -signal.SIGKILL and read(path) == {"old"}
    with output.beside(path) as partial:
        written(partial, "new", form)
    assert read(path) == {"new"} and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("link", [os.symlink, os.link], ids=["symlink", "hardlink"])
def test_nothing_is_written_through_a_link(tmp_path: Path, link: Any) -> None:
    (tmp_path / "object").write_text("old")
    link(tmp_path / "object", tmp_path / "out")
    output.write_text(tmp_path / "out", "new")
    assert (tmp_path / "object").read_text() == "old" and read(tmp_path / "out") == {"new"}


@pytest.fixture(scope="session")
def linked(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose outputs are links into DVC's cache, and all of whose parameters changed."""
    project = Project(tmp_path_factory.mktemp("linked") / "project")
    shutil.copytree(finished.root, project.root, symlinks=True)
    project.run("dvc", "config", "cache.type", "symlink")
    project.run("dvc", "checkout", "--relink")
    assert (project.root / "models/network.keras").is_symlink()
    project.change(datasets__synthetic__seed=1, preprocess__train_size=300, train__seed=1)
    project.change(evaluate__calibration_bins=5, plot__dpi=50, plot__mistakes=5)
    return project


def at_work(stage: str) -> Any:
    slow = [pytest.mark.slow] if stage in ("train", "evaluate") else []
    return pytest.param(stage, marks=slow)


@pytest.mark.fault(
    "each stage", "DVC's cache.type is symlink, and root runs it by hand", "the cache stays whole"
)
@pytest.mark.parametrize("stage", [at_work(stage) for stage in STAGES])
def test_a_stage_run_by_hand_writes_nothing_into_the_cache(linked: Project, stage: str) -> None:
    linked.run("python", "-m", "stages", stage)
    for out in outs(stage):
        path = linked.root / out
        assert not any(file.is_symlink() for file in [path, *path.rglob("*")])
    for path in (linked.root / ".dvc/cache/files/md5").glob("*/*"):
        name = hashlib.md5(path.read_bytes()).hexdigest()
        assert name == (path.parent.name + path.name).removesuffix(".dir")
