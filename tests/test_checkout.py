"""Where a checkout lies, and what Git says of it: it works, or one line says what to do."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from conftest import ROOT, STAGES, Project, set_up, stages_in

from tools import experiment, sweep

slow = pytest.mark.slow
MERGE = "git checkout HEAD -- dvc.lock reports && dvc repro"

# --- no Git, another Git ---


def test_without_git_make_says_what_to_do_before_it_installs(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    done = Project(tmp_path).run(
        "make", "repro", check=False, GIT_CEILING_DIRECTORIES=str(tmp_path.parent)
    )
    assert done.returncode != 0
    said = "DVC needs a Git repository. After a download as ZIP: "
    assert f"{said}git init && git add . && git commit --message start\n" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["Makefile"]


def test_a_clone_with_windows_line_ends_is_not_stale(project: Project, tmp_path: Path) -> None:
    settings = ["-c", "core.autocrlf=true"]
    project.run("git", *settings, "clone", "--quiet", str(project.root), str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone")
    clone.run("git", "config", "core.autocrlf", "true")
    assert clone.run("git", "status", "--porcelain").stdout == ""
    clone.run("python", "-E", "-m", "tools.why", "--check", "--allow-missing")


# --- a folder of a larger repository ---


@pytest.fixture
def inner(project: Project, tmp_path: Path) -> Project:
    """A project that is a folder of a repository, in which something else has changed."""
    larger = tmp_path / "larger"
    larger.mkdir()
    shutil.rmtree(project.root / ".git")
    inner = Project(project.root.rename(larger / "größe"))
    (larger / "notes").touch()
    for command in ("init --quiet", "config user.name me", "config user.email me@example.org"):
        subprocess.run(["git", *command.split()], cwd=larger, check=True)
    subprocess.run(["git", "add", "--all"], cwd=larger, check=True)
    inner.commit("all")
    (larger / "notes").write_text("not committed\n")
    return inner


@slow
def test_the_programs_work_in_a_folder_of_a_larger_repository(inner: Project) -> None:
    tool = ["python", "-E", "-m"]
    inner.run("dvc", "exp", "run", "--name", "five", "-S", "plot.mistakes=5")
    assert "five" in inner.run(*tool, "tools.show").stdout
    assert "test_accuracy" in inner.run(*tool, "tools.study", "--metric", "test_accuracy").stdout
    shutil.copy(inner.root / "reports/figures/mistakes.png", inner.root / "reports/figures/new.png")
    compared = inner.run(*tool, "tools.compare", "HEAD").stdout
    assert all(f"größe/reports/figures/{name}.png" in compared for name in ("mistakes", "new"))
    lock = inner.root / "dvc.lock"
    lock.write_text(lock.read_text()[:-9])
    assert "dvc.lock was damaged" in inner.run(*tool, "tools.mend").stdout
    assert "dvc.lock" not in inner.run("git", "status", "--porcelain").stdout


@slow
def test_a_sweep_starts_from_a_folder_of_a_larger_repository(
    inner: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(inner.root)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    commit = inner.run("git", "rev-parse", "HEAD").stdout.strip()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    to = sweep.remotes("", commit)
    assert (to.git, to.inner) == (str(inner.root.parent), "größe/")
    values = ["plot.mistakes=5"]
    outcome = experiment.experiment("five", values, commit, to.git, to.dvc, to.inner, None)
    assert outcome.status == 0, outcome.log
    assert "test_accuracy" in outcome.metrics
    assert "five" in inner.run("dvc", "exp", "list").stdout


# --- earlier commits, and two branches ---


def test_an_earlier_commit_comes_back_without_a_run(project: Project) -> None:
    earlier = project.outputs()
    project.change(plot__mistakes=5)
    project.repro()
    project.commit("fewer")
    project.run("git", "checkout", "--quiet", "HEAD~1")
    assert project.repro() == [] and project.outputs() == earlier


@pytest.mark.parametrize(
    "marked",
    [pytest.param(False, id="ours kept whole"), pytest.param(True, id="with marks")],
)
@slow
def test_two_branches_are_merged_by_the_command_that_mend_names(
    project: Project, marked: bool
) -> None:
    """Also where an older .gitattributes lets Git mark both sides of dvc.lock."""
    if marked:
        (project.root / ".git/info/attributes").write_text("dvc.lock merge\nreports/** merge\n")
    for branch, change in {"other": {"plot__samples": 50}, "mine": {"plot__dpi": 50}}.items():
        project.run("git", "switch", "--quiet", "--create", branch, "master")
        project.run("dvc", "checkout")
        project.change(**change)
        project.repro()
        project.commit(branch)
    merged = project.run("git", "merge", "other", check=False).stdout
    assert "CONFLICT (content): Merge conflict in dvc.lock" in merged
    assert ("<<<<" in (project.root / "dvc.lock").read_text()) == marked

    said = project.run("python", "-E", "-m", "tools.mend").stdout
    assert said == f"dvc.lock: two branches changed it: {MERGE}\n"
    checkout, repro = MERGE.split(" && ")
    project.run(*checkout.split())
    assert stages_in(project.run(*repro.split()).stdout) == ["validate", "plot"]
    project.run("git", "add", "dvc.lock", "reports")
    project.run("git", "commit", "--quiet", "--no-edit")
    assert project.repro() == []
    assert project.run("git", "status", "--porcelain").stdout == ""


# --- another folder, another cache, and what may be removed ---


@slow
def test_a_checkout_that_moved_is_up_to_date(project: Project) -> None:
    set_up(project)
    dvc = project.root / ".venv/bin/dvc"
    dvc.unlink()
    dvc.write_text(f"#!{project.root}/.venv/bin/python\n")  # as pip writes it
    moved = Project(project.root.rename(project.root.with_name("moved")))
    assert moved.run("make", "why").stdout.count("up to date") == len(STAGES)
    assert stages_in(moved.run("make", "repro", CI="1").stdout) == []


@slow
def test_without_dvcs_temporary_folder_nothing_is_run_again(project: Project) -> None:
    shutil.rmtree(project.root / ".dvc/tmp")
    assert project.run("python", "-E", "-m", "tools.mend").stdout == "nothing to mend\n"
    assert set(project.why().values()) == {"up to date"}
    assert project.repro() == []


@slow
def test_a_cache_that_is_kept_elsewhere_is_found_and_mended(
    project: Project, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    (project.root / ".dvc/cache").rename(elsewhere)
    project.run("dvc", "cache", "dir", "--local", str(elsewhere))
    project.change(plot__mistakes=5)
    project.repro()
    project.change(plot__mistakes=24)
    assert project.why()["plot"] == "from the cache"
    assert project.repro() == []
    record = next(elsewhere.glob("runs/*/*/*"))
    record.write_text("stages: {")
    assert f"{record.parent} was damaged" in project.run("python", "-E", "-m", "tools.mend").stdout
    assert not (project.root / ".dvc/cache").exists()


# --- after an experiment that was refused ---


@pytest.mark.fault(
    "DVC",
    "an experiment is refused that changed no number of bytes, which Git may overlook",
    "Git shows the change, and restores it",
)
@pytest.mark.parametrize(
    "values",
    [
        pytest.param(["plot.dpi=120", "recipes.original.epochs=0"], id="by validate"),
        pytest.param(
            ["plot.dpi=120", "preprocess.train_size=401"], id="by a later stage", marks=slow
        ),
    ],
)
def test_git_shows_what_a_refused_experiment_left_and_what_was_edited_before(
    project: Project, values: list[str]
) -> None:
    """Git compares seconds and sizes: all here are as long as they were."""
    project.change(preprocess__train_size=400)
    project.commit("all of them")
    code = project.root / "stages/plot.py"
    code.write_text(code.read_text().replace("What", "WHAT"))
    words = [word for value in values for word in ("-S", value)]
    refused = project.run("dvc", "exp", "run", *words, check=False)
    assert refused.returncode != 0
    assert "\nparams.yaml keeps the experiment's values; to go back to " in refused.stdout
    assert re.search(
        r"^to go on, once it is right: dvc repro && dvc exp save --name [\w-]+$",
        refused.stdout,
        re.M,
    )
    changed = project.run("git", "status", "--porcelain", "--", "*.yaml", "*.py").stdout
    assert changed == " M params.yaml\n M stages/plot.py\n"
    project.run("git", "restore", "params.yaml")
    assert "dpi: 100" in (project.root / "params.yaml").read_text()
    assert project.run("git", "status", "--porcelain", "--", "*.yaml").stdout == ""
