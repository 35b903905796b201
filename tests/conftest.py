"""A whole project in a temporary folder: tiny data, real DVC, real stages.

And the tables of faults that were tried.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections import Counter, defaultdict
from collections.abc import Iterator
from configparser import ConfigParser
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tools import environment

ROOT = Path(__file__).parents[1]
STAGES = ["validate", "download", "preprocess", "train", "evaluate", "plot"]
# What a project of the tests is a copy of. Tests that need more copy that themselves.
SOURCES = ["dvc.yaml", "params.yaml", ".dvc/config", ".dvc/.gitignore", ".dvc/plots"]
SOURCES += [".gitattributes", ".declaredignore"]
SOURCES += ["stages", "digits", "tools", "data/own/README.md"]
FEW = 3  # rows of a table of faults that may say the same
OUTPUTS = ["data/idx", "data/processed", "models", "reports"]
# Variables of the shell that runs the tests, which a user's shell would not have.
FOREIGN = ("DVC", "DATASET", "VIRTUAL", "MAKE", "MFLAGS", "SHELL", "PYTHON")
# Where a hook's repository is, what GitHub's workflows tell, and where a person's settings are.
PERSONAL = ("GIT_", "GITHUB_", "XDG_")
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
PIPE: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}  # all that is printed


class Project:
    """A checkout of the project at `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.checkpoints = root.with_name(f"{root.name}-checkpoints")

    def environment(self, **own: str) -> dict[str, str]:
        """The variables of a user whose shell has not activated the environment."""
        env = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
        env |= {"PATH": SYSTEM_PATH, "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"}
        return {**env, "CHECKPOINTS": str(self.checkpoints), **own}

    def start(
        self, *command: str, environment: dict[str, str] | None = None, **options: Any
    ) -> subprocess.Popen[str]:
        """Start a program of the environment, or another one, in the project."""
        program = Path(sys.executable).parent / command[0]
        first = str(program) if program.exists() else command[0]
        env = self.environment(**(environment or {}))
        return subprocess.Popen([first, *command[1:]], cwd=self.root, env=env, text=True, **options)

    def run(
        self, *command: str, check: bool = True, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run such a program to its end; its stdout holds all that it printed."""
        with self.start(*command, environment=environment, **PIPE) as process:
            printed = process.communicate()[0]
        assert not check or process.returncode == 0, printed
        return subprocess.CompletedProcess(command, process.returncode, printed)

    def repro(self, *arguments: str) -> list[str]:
        """Run `dvc repro` and return the stages whose commands it ran, in order."""
        return stages_in(self.run("dvc", "repro", *arguments).stdout)

    def why(self, *options: str) -> dict[str, str]:
        """Return what `make why` says will become of each stage."""
        lines = self.run("python", "-m", "tools.why", *options).stdout.splitlines()
        return {line.split()[0]: line[12:27].strip() for line in lines if line[0] != " "}

    def change(self, **values: object) -> None:
        """Set parameters by their dotted paths, given with __ for the dots."""
        yaml = YAML()
        params = yaml.load(self.root / "params.yaml")
        for path, value in values.items():
            *parents, key = path.split("__")
            section = params
            for parent in parents:
                section = section[parent]
            section[key] = value
        yaml.dump(params, self.root / "params.yaml")

    def commit(self, message: str) -> None:
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", message)

    def outputs(self) -> dict[str, bytes]:
        """Return the bytes of all that the stages wrote, and of dvc.lock."""
        files = [path for folder in OUTPUTS for path in sorted((self.root / folder).rglob("*"))]
        files = [path for path in files if path.is_file()] + [self.root / "dvc.lock"]
        return {str(path.relative_to(self.root)): path.read_bytes() for path in files}


def stages_in(printed: str) -> list[str]:
    """The stages whose commands DVC ran, by what it printed."""
    return re.findall(r"^Running stage '(\w+)':", printed, re.M)


def forget_remotes(file: Path) -> None:
    """Take out of DVC's settings where the checkout's own data are kept."""
    config = ConfigParser(interpolation=None)
    config.read(file)
    config.remove_option("core", "remote")
    for section in config.sections():
        if section.startswith("'remote"):
            config.remove_section(section)
    with file.open("w") as left:
        config.write(left)


def new_project(root: Path) -> Project:
    """Copy the sources to `root`, a Git repository, with parameters that make each stage quick."""
    for source in SOURCES:
        (root / source).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / source, root / source, ignore=ignore)
        else:
            shutil.copy2(ROOT / source, root / source)
    forget_remotes(root / ".dvc/config")
    (root / ".gitignore").write_text("__pycache__/\n")
    project = Project(root)
    project.change(
        recipe="original",  # whatever the checkout is set to
        download__dataset="synthetic",
        datasets__folder__path="data/own/README.md",
        datasets__synthetic__train=400,
        datasets__synthetic__test=100,
        recipes__original__epochs=1,
        evaluate__calibration_bins=4,
    )
    project.run("git", "init", "--quiet", "--initial-branch=master")
    project.run("git", "config", "user.name", "test")
    project.run("git", "config", "user.email", "test@example.org")
    project.commit("tiny")
    return project


def set_up(project: Project) -> None:
    """Give a project an environment of its own, which borrows the packages of the tests'.

    `make` takes it for a fresh one. What it installs goes there: the tests' own stays as it is.
    """
    venv = project.root / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    [packages] = venv.glob("lib/python*/site-packages")
    (packages / "borrowed.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    (packages / "stages.pth").write_text(environment.BEFORE_ALL)
    for program in Path(sys.executable).parent.iterdir():
        if not (venv / "bin" / program.name).exists():
            (venv / "bin" / program.name).symlink_to(program)
    (venv / "ready").write_text(environment.fingerprint(ROOT / "requirements.txt"))
    for name in ("Makefile", "requirements.txt"):
        shutil.copy2(ROOT / name, project.root)


@pytest.fixture(scope="session", autouse=True)
def nobodys_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let Git and DVC see no repository of a hook, and no settings but those of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(PERSONAL) or name.lower().endswith("_proxy"):
                patch.delenv(name)
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        yield


@pytest.fixture(scope="session")
def printed_and_finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Project]:
    """What `dvc repro` printed, and the project in which it ran."""
    project = new_project(tmp_path_factory.mktemp("finished"))
    printed = project.run("dvc", "repro").stdout
    assert stages_in(printed) == STAGES
    project.commit("run")
    return printed, project


@pytest.fixture(scope="session")
def finished(printed_and_finished: tuple[str, Project]) -> Project:
    """A project after `dvc repro`, for tests that only look."""
    return printed_and_finished[1]


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A project after `dvc repro`, for tests that change it."""
    shutil.copytree(finished.root, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Note in each test's report which fault it tries."""
    for item in items:
        if mark := item.get_closest_marker("fault"):
            item.user_properties.append(("fault", mark.args))


def pytest_addoption(parser: pytest.Parser) -> None:
    what = "write a table of the faults that were tried, and what came out"
    parser.addoption("--faults", metavar="FILE", help=what)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Write the tables of faults: a row for each, with how many cases ended as its mark says."""
    table: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            properties = dict(getattr(report, "user_properties", []))
            if fault := properties.get("fault"):
                table[tuple(fault)][outcome] += properties.get("cases", 1)
    path = config.getoption("--faults")
    if not table or not path:
        return
    summary = ["| where | faults | cases |", "| --- | --- | --- |"]
    sections: list[str] = []
    for place, faults in groupby(sorted(table.items()), key=lambda entry: entry[0][0]):
        rows = list(faults)
        sections += ["", f"## {place}", ""]
        [(usual, often)] = Counter(outcome for (*_, outcome), _ in rows).most_common(1)
        if often > FEW:
            sections += [f"What comes of it, where nothing is said: {usual}.", ""]
        sections += ["| what goes wrong | what comes of it | cases |", "| --- | --- | --- |"]
        total: Counter[str] = Counter()
        for (_, what, outcome), counts in rows:
            said = "" if often > FEW and outcome == usual else outcome
            sections.append(f"| {what} | {said} | {cases(counts)} |")
            total += counts
        anchor = re.sub(r"[^\w-]", "", place.lower().replace(" ", "-"))
        summary.append(f"| [{place}](#{anchor}) | {len(rows)} | {cases(total)} |")
    head = ["# Faults that were tried, and what came of them", ""]
    head += ["`make test-all` writes this page.", ""]
    Path(path).write_text("\n".join([*head, *summary, *sections, ""]))


def cases(counts: Counter[str]) -> str:
    """How many cases came out how: `3 passed, 1 failed`."""
    return ", ".join(f"{count:,} {outcome}" for outcome, count in counts.items())
