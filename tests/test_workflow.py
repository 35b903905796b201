"""The commands in which people use the project, on tiny data."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from digits import idx

import numpy as np
import pytest
from conftest import ROOT, STAGES, Project


def test_metrics_show_names_and_numbers(finished: Project) -> None:
    shown = json.loads(finished.run("dvc", "metrics", "show", "--json").stdout)[""]["data"]
    metrics = shown["reports/metrics.json"]["data"]
    assert metrics["dataset"] == "synthetic"
    assert metrics["recipe"] == "original"
    assert metrics["test_errors"] == round(100 * (1 - metrics["test_accuracy"]))
    assert metrics["test_accuracy_low"] < metrics["test_accuracy"] < metrics["test_accuracy_high"]
    assert "validation_accuracy" in shown["reports/training/metrics.json"]["data"]


def test_plots_show_draws_each_plot_once(finished: Project) -> None:
    plots = json.loads(finished.run("dvc", "plots", "show", "--json").stdout)["data"]
    names = ["samples", "learning_curves", "confusion_matrix", "mistakes", "class_accuracy", "calibration"]
    assert set(plots) == {"Loss", "Accuracy", "Confusion matrix", "Accuracy of each class", "Calibration"} | {
        f"reports/figures/{name}.png" for name in names
    }


def test_plots_of_a_run_without_held_out_images_are_drawn_without_a_remark(project: Project) -> None:
    project.change(recipes__original__validation_split=0)
    project.repro()
    shown = project.run("dvc", "plots", "diff", "HEAD").stdout
    assert shown.splitlines() == [f"file://{project.root}/dvc_plots/index.html"]


def test_an_experiment_shows_the_change_alone(project: Project) -> None:
    project.run("dvc", "exp", "run", "-S", "plot.mistakes=5", "--name", "few-mistakes")
    difference = project.run("git", "diff", "--unified=0", "HEAD", "--", "params.yaml").stdout
    assert [line for line in difference.splitlines() if line[0] in "+-" and line[:3] not in ("+++", "---")] == [
        "-  mistakes: 24",
        "+  mistakes: 5",
    ]
    assert "few-mistakes" in project.run("dvc", "exp", "show", "--csv", "--force").stdout
    assert "plot.mistakes" in project.run("dvc", "params", "diff", "--md").stdout


def test_a_changed_layer_is_one_row_of_params_diff(project: Project) -> None:
    project.change(recipes__original__layers__conv1__filters=32)
    rows = project.run("dvc", "params", "diff", "--md").stdout.splitlines()[2:]
    assert [row.split() for row in rows if row] == [
        ["|", "params.yaml", "|", "recipes.original.layers.conv1.filters", "|", "16", "|", "32", "|"]
    ]


def test_metrics_diff_compares_with_the_last_commit(project: Project) -> None:
    project.change(train__seed=1)
    project.repro()
    assert "test_accuracy" in project.run("dvc", "metrics", "diff", "--all").stdout


@pytest.mark.slow
def test_queued_experiments_run_elsewhere_and_leave_the_workspace_as_it_was(project: Project) -> None:
    before = project.outputs()
    project.run("dvc", "exp", "run", "--queue", "-S", "evaluate.calibration_bins=5,6")
    project.run("dvc", "exp", "run", "--run-all")
    table = project.run("dvc", "exp", "show", "--csv", "--force").stdout
    assert {"5", "6"} <= {cell for line in table.splitlines() for cell in line.split(",")}
    assert project.outputs() == before


@pytest.mark.slow
@pytest.mark.parametrize(("classes", "shape", "zipped"), [(4, (8, 8), False), (62, (20, 12), True), (2, (5, 5), False)])
def test_a_data_set_nobody_has_seen_goes_through_by_naming_its_folder(
    project: Project, tmp_path: Path, classes: int, shape: tuple[int, int], zipped: bool
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    rng = np.random.default_rng(0)
    patterns = rng.integers(256, size=(classes, *shape), dtype=np.uint8)
    for key, name in idx.FILES.items():
        labels = np.arange(300 if "train" in key else 100) % classes
        with idx.create(folder / name, (len(labels), *shape) if "images" in key else (len(labels),)) as file:
            file.write((patterns[labels] if "images" in key else labels.astype(np.uint8)).tobytes())
        if zipped:
            subprocess.run(["gzip", str(folder / name)], check=True)
    project.change(download__dataset="folder", datasets__folder__path=str(folder), recipes__original__epochs=8)
    assert project.repro() == STAGES
    metrics = json.loads((project.root / "reports" / "metrics.json").read_text())
    assert len((project.root / "reports" / "class_accuracy.csv").read_text().splitlines()) == 1 + classes
    assert metrics["test_accuracy"] > 1.5 / classes


def test_bad_parameters_stop_before_any_stage_loses_its_outputs(project: Project) -> None:
    before = project.outputs()
    project.change(train__seed=1, plot__mistakes=-1)
    done = project.run("dvc", "repro", check=False)
    assert "params.yaml: plot.mistakes: expected greater than or equal to 1; found -1" in done.stdout.splitlines()
    assert "Traceback" not in done.stdout
    assert done.returncode != 0
    schema = "reports/params.schema.json"
    assert {path: data for path, data in project.outputs().items() if path != schema} == {
        path: data for path, data in before.items() if path != schema
    }


def test_an_unknown_recipe_is_refused_with_the_nearest_name(project: Project) -> None:
    project.change(recipe="orignal")
    done = project.run("dvc", "repro", check=False)
    assert "params.yaml: recipe: expected one of original, " in done.stdout
    assert "; found 'orignal'; did you mean 'original'?" in done.stdout
    assert "train" not in done.stdout


@pytest.mark.parametrize(
    "stdout", ["| true", *[pytest.param(way, marks=pytest.mark.slow) for way in (">&-", "> /dev/full")]]
)
def test_a_broken_or_closed_output_never_ends_a_training(project: Project, stdout: str) -> None:
    (project.root / "models" / "network.keras").unlink()
    command = f"(python -m stages train; echo $? > status) 2>&1 {stdout}"
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    env = {**os.environ, "PATH": path, "CHECKPOINTS": str(project.checkpoints)}
    subprocess.run(["sh", "-c", command], cwd=project.root, env=env)
    assert (project.root / "status").read_text() == "0\n"
    assert (project.root / "models" / "network.keras").exists()
    assert "epoch 1/1" in (project.root / "models" / "training.log").read_text()


def test_a_network_that_does_not_fit_the_images_is_refused_in_one_line(project: Project) -> None:
    project.change(recipes__original__layers__conv2={"class": "Conv2D", "filters": 4, "kernel_size": 20})
    done = project.run("dvc", "repro", check=False)
    assert (
        "params.yaml: network: conv2: expected a layer that fits the shape (14, 14, 16), and into memory, found:"
        in done.stdout
    )
    assert "Traceback" not in done.stdout


@pytest.fixture
def without_data(project: Project) -> Project:
    """A project of which `make` thinks that it is set up, that wants MNIST, and that has none."""
    (project.root / ".venv").symlink_to(sys.prefix)
    for name in ("Makefile", "requirements.txt"):
        shutil.copy2(ROOT / name, project.root)
    project.change(download__dataset="mnist", recipes__original__epochs=1)
    shutil.rmtree(project.root / "data" / "raw")
    project.run("git", "commit", "--quiet", "--all", "--message", "back to MNIST")
    return project


@pytest.mark.slow
def test_make_repro_without_a_mirror_draws_digits_and_says_so(without_data: Project) -> None:
    offline = {"https_proxy": "http://127.0.0.1:9", "CI": ""}  # nobody listens there
    printed = without_data.run("make", "repro", **offline).stdout
    assert "no source of the data set could be used:" in printed
    assert "MNIST cannot be reached: params.yaml now says download.dataset: synthetic" in printed
    last = "This was synthetic data, not MNIST. To go back: git restore params.yaml && make repro"
    assert printed.splitlines()[-1] == last
    assert json.loads((without_data.root / "reports" / "metrics.json").read_text())["dataset"] == "synthetic"
    assert "-  dataset: mnist\n+  dataset: synthetic" in without_data.run("git", "diff", "params.yaml").stdout


@pytest.mark.parametrize("variable", ["CI", "DATASET_MIRROR"])
def test_make_repro_never_substitutes_where_it_was_told_better(without_data: Project, variable: str) -> None:
    environment = {"https_proxy": "http://127.0.0.1:9", "CI": "", variable: "/nowhere"}
    done = without_data.run("make", "repro", check=False, **environment)
    assert done.returncode != 0
    assert "three ways on:" in done.stdout
    assert "dataset: mnist\n" in (without_data.root / "params.yaml").read_text()


def test_dvc_repro_never_substitutes(without_data: Project) -> None:
    done = without_data.run("dvc", "repro", check=False, https_proxy="http://127.0.0.1:9")
    assert "ERROR: failed to reproduce 'download'" in done.stdout
    assert "dataset: mnist\n" in (without_data.root / "params.yaml").read_text()
