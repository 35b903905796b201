"""A whole project in a temporary folder, on tiny data, with real `dvc` and real stages; and the table of faults."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
SOURCES = ["dvc.yaml", "params.yaml", ".dvc/config", ".dvc/.gitignore", ".dvc/plots", "stages", "tools"]
SOURCES += ["digits", "data/own"]
STAGES = ["validate", "download", "preprocess", "train", "evaluate", "plot", "report"]


class Project:
    """A checkout of the project at `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.checkpoints = root.with_name(f"{root.name}-checkpoints")

    def start(self, *command: str, environment: dict[str, str] | None = None, **options: Any) -> subprocess.Popen[str]:
        """Start a program of this environment in the project, as a user would whose shell has not activated it."""
        program = Path(sys.executable).parent / command[0]
        foreign = ("DVC", "DATASET", "VIRTUAL", "MAKE", "MFLAGS", "SHELL")
        env = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
        env |= {"PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"}
        env |= {"CHECKPOINTS": str(self.checkpoints), **(environment or {})}
        first = str(program) if program.exists() else command[0]
        return subprocess.Popen([first, *command[1:]], cwd=self.root, env=env, text=True, **options)

    def run(self, *command: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run such a program to its end; its stdout holds all that it printed."""
        with self.start(*command, environment=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            printed = process.communicate()[0]
        assert not check or process.returncode == 0, printed
        return subprocess.CompletedProcess(command, process.returncode, printed)

    def repro(self, *arguments: str) -> list[str]:
        """Run `dvc repro` and return the stages whose commands it ran, in order."""
        return re.findall(r"^Running stage '(\w+)':", self.run("dvc", "repro", *arguments).stdout, re.M)

    def why(self) -> dict[str, str]:
        """Return what `make why` says will become of each stage."""
        lines = self.run("python", "tools/why.py").stdout.splitlines()
        return {line.split()[0]: line[12:28].strip() for line in lines if not line.startswith(" ")}

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

    def outputs(self) -> dict[str, bytes]:
        """Return the bytes of all that the stages wrote, and of dvc.lock."""
        folders = ["data/raw", "data/processed", "models", "reports"]
        files = [path for folder in folders for path in sorted((self.root / folder).rglob("*")) if path.is_file()]
        return {str(path.relative_to(self.root)): path.read_bytes() for path in [*files, self.root / "dvc.lock"]}


def new_project(root: Path) -> Project:
    """Copy the sources to `root`, as a Git repository, with parameters that make every stage quick."""
    for source in SOURCES:
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy2
        (root / source).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / source, root / source)
    (root / ".gitignore").write_text("__pycache__/\n")
    project = Project(root)
    project.change(download__dataset="synthetic", datasets__synthetic__train=400, datasets__synthetic__test=100)
    project.change(recipes__original__epochs=1, evaluate__calibration_bins=4)
    project.run("git", "init", "--quiet")
    project.run("git", "config", "user.name", "test")
    project.run("git", "config", "user.email", "test@example.org")
    project.run("git", "add", "--all")
    project.run("git", "commit", "--quiet", "--message", "tiny")
    return project


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project after `dvc repro`, for tests that only look."""
    project = new_project(tmp_path_factory.mktemp("finished"))
    assert project.repro() == STAGES
    project.run("git", "add", "--all")
    project.run("git", "commit", "--quiet", "--message", "run")
    return project


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
    parser.addoption("--faults", metavar="FILE", help="write a table of the faults that were tried, and what came out")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Write the table of faults: a row for each, with the number of cases that ended as its mark says."""
    table: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            properties = dict(getattr(report, "user_properties", []))
            if fault := properties.get("fault"):
                table[tuple(fault)][outcome] += properties.get("cases", 1)
    if table and (path := config.getoption("--faults")):
        rows = [
            f"| {' | '.join(fault)} | " + ", ".join(f"{counts[key]:,} {key}" for key in counts) + " |"
            for fault, counts in sorted(table.items())
        ]
        head = ["# Faults that were tried, and what came of them", "", "`make test-all` writes this table.", ""]
        head += ["| where | what goes wrong | what comes of it | cases |", "| --- | --- | --- | --- |"]
        Path(path).write_text("\n".join([*head, *rows]) + "\n")
