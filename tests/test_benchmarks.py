"""The benchmarks run, on a few images, and say what they should."""

import re
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT, Project


@pytest.fixture
def clone(tmp_path: Path) -> Project:
    """The last commit: a benchmark writes its results beside itself."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(tmp_path / "clone")], check=True)
    return Project(tmp_path / "clone")


@pytest.mark.slow
def test_growth_tells_time_and_memory_of_each_stage_at_each_size(clone: Project) -> None:
    clone.run("python", "-m", "benchmarks.growth", "300", "600")
    rows = re.findall(
        r"^\| (\w+) +\| memory_mb +\| (\d+)", (clone.root / "benchmarks/results/growth.md").read_text(), re.M
    )
    stages = ("download", "preprocess", "train", "evaluate", "plot")
    assert rows == [(stage, size) for stage in stages for size in ("300", "600")]


@pytest.mark.slow
def test_overhead_compares_each_situation_with_its_floor(clone: Project) -> None:
    clone.run("python", "-m", "benchmarks.overhead", "--rounds", "1", "--train", "300", "--test", "100")
    table = (clone.root / "benchmarks/results/overhead.md").read_text()
    ratios = re.findall(r"^\| ([\w ]+): project +\| cpu_seconds .*\| ([\d.]+) \|", table, re.M)
    assert [situation for situation, _ in ratios] == [
        *("everything from nothing", "nothing to do", "plot alone", "evaluate and plot", "everything from the cache")
    ]
    assert all(float(ratio) > 1 for _, ratio in ratios)
