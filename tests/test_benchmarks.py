"""The benchmarks start, run on a few images, and say what they should."""

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, Project

from benchmarks import ablation, chart, harness
from digits import params, yaml12

PROGRAMS = sorted(
    path.stem
    for path in (ROOT / "benchmarks").glob("*.py")
    if "ArgumentParser" in path.read_text() and path.stem != "peer"  # which needs PyTorch
)
slow = pytest.mark.slow


@pytest.fixture
def bench(project: Project) -> Project:
    """A finished project with the benchmarks, which write their results beside themselves."""
    ignore = shutil.ignore_patterns("__pycache__", "results")
    shutil.copytree(ROOT / "benchmarks", project.root / "benchmarks", ignore=ignore)
    project.commit("benchmarks")
    return project


def benchmark(project: Project, name: str, *arguments: str) -> str:
    return project.run("python", "-m", f"benchmarks.{name}", *arguments).stdout


def result(project: Project, name: str) -> str:
    return (project.root / "benchmarks/results" / name).read_text()


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_says_how_it_is_called(name: str) -> None:
    command = [sys.executable, "-E", "-m", f"benchmarks.{name}", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"usage: python -m benchmarks.{name} " in done.stdout


def test_every_variant_of_the_ablation_is_a_recipe(tmp_path: Path) -> None:
    for changes in ablation.variants(harness.params()["recipes"]["best"]).values():
        shutil.copy(ROOT / "params.yaml", tmp_path)
        harness.change(tmp_path, "recipe=best", *changes)
        assert params.errors(yaml12.load((tmp_path / "params.yaml").read_bytes())) == []


@pytest.mark.parametrize("table", sorted(harness.RESULTS.glob("*.csv")), ids=lambda path: path.name)
def test_what_was_measured_is_a_table(table: Path) -> None:
    """A program of benchmarks that finds its own goes on from there."""
    with table.open() as file:
        assert file.readline().startswith("# ")
        rows = list(csv.DictReader(file))
    assert rows and all(None not in row and row["seed"].isdecimal() for row in rows)


def test_the_chart_is_drawn_from_what_was_measured(tmp_path: Path) -> None:
    shutil.copy(harness.RESULTS / "accuracy.csv", tmp_path)
    chart.main(tmp_path / "accuracy.csv")
    assert (tmp_path / "accuracy.png").stat().st_size > 10_000


@slow
def test_fit_tells_all_that_the_others_ask_of_it(bench: Project) -> None:
    options = ["--loading", "--hold-out", "100", "-S", "recipes.original.epochs=2"]
    found = json.loads(benchmark(bench, "fit", *options).splitlines()[-1])
    seconds = {"wall_seconds", "cpu_seconds", "epoch_wall_seconds", "epoch_cpu_seconds"}
    assert set(found) == seconds | {"loading_cpu_seconds", "accuracy", "loss"}


@slow
def test_accuracy_has_a_row_for_each_recipe_and_trains_none_twice(bench: Project) -> None:
    options = ["--seeds", "1", "notebook", "original"]
    bench.change(download__dataset="mnist")
    benchmark(bench, "accuracy", *options)
    table = result(bench, "accuracy.csv")
    assert re.findall(r'^(\w+),".*",\w{8},0,', table, re.M) == ["notebook", "original"]
    assert re.findall(r"^\| (\w+) +\| 1 ", result(bench, "recipes.md"), re.M) == [
        "notebook",
        "original",
    ]
    benchmark(bench, "accuracy", *options)
    assert result(bench, "accuracy.csv") == table


@slow
def test_growth_tells_time_and_memory_of_each_stage(bench: Project) -> None:
    benchmark(bench, "growth", "300")
    rows = re.findall(r"^\| (\w+) +\| memory_mb +\| 300", result(bench, "growth.md"), re.M)
    assert rows == ["download", "preprocess", "train", "evaluate", "plot"]


@slow
def test_overhead_compares_each_situation_with_its_floor(bench: Project) -> None:
    situations = ["everything from nothing", "plot alone"]
    options = ["--rounds", "1", "--train", "300", "--test", "100"]
    benchmark(bench, "overhead", *options, *situations)
    rows = re.findall(
        r"^\| ([\w ]+): (floor|project) +\| cpu_seconds ", result(bench, "overhead.md"), re.M
    )
    assert rows == [(name, side) for name in situations for side in ("floor", "project")]
