"""The commands in which people use the project, on tiny data."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import PIPE, STAGES, Project, set_up, stages_in
from ruamel.yaml import YAML

from digits import idx
from digits.figures import FIGURES
from stages import _inputs

slow = pytest.mark.slow


def rows(printed: str) -> list[list[str]]:
    """The cells of a table in Markdown, without its head."""
    lines = [line for line in printed.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


# --- what is printed ---


def test_a_run_prints_less_than_a_screen_and_nothing_of_tensorflow(
    printed_and_finished: tuple[str, Project],
) -> None:
    lines = printed_and_finished[0].splitlines()
    assert len(lines) <= 60
    assert "looks wrong: so few steps teach next to nothing; recipe own counts steps" in lines
    foreign = re.compile("tensorflow|onednn|absl|cuda|warning|cpu_feature|[0-9]{6} ", re.I)
    assert [line for line in lines if foreign.search(line)] == []


def test_metrics_show_is_one_row_of_numbers_in_80_columns(finished: Project) -> None:
    printed = finished.run("dvc", "metrics", "show").stdout
    head, row = printed.splitlines()
    assert max(len(head), len(row)) <= 80
    assert head.split() == ["Path", "ece", "errors", "loss", "test_accuracy", "val_accuracy"]
    assert all(float(cell) >= 0 for cell in row.split()[1:])


def test_plots_show_draws_each_plot_once(finished: Project) -> None:
    plots = json.loads(finished.run("dvc", "plots", "show", "--json").stdout)["data"]
    charts = {"Loss", "Accuracy", "Mistakes", "Mistakes of each class", "Calibration"}
    assert set(plots) == charts | {f"reports/figures/{name}.png" for name in FIGURES}


@slow
def test_plots_of_a_run_without_held_out_images_are_drawn_without_a_remark(
    project: Project,
) -> None:
    project.change(recipes__original__validation_split=0)
    project.repro()
    shown = project.run("dvc", "plots", "diff", "HEAD").stdout
    assert shown.splitlines() == [f"file://{project.root}/dvc_plots/index.html"]


# --- experiments ---

CHANGES = {  # -S, as `dvc params diff` tells it
    "recipes.original.epochs": ("1", "2"),
    "recipes.original.layers.conv1.filters": ("16", "8"),
    "train.seed": ("0", "1"),
}
METRICS = ["test_accuracy", "loss", "errors", "ece", "val_accuracy"]


@pytest.fixture(scope="module")
def tried(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project after an experiment with three changed parameters."""
    root = tmp_path_factory.mktemp("tried") / "project"
    shutil.copytree(finished.root, root, symlinks=True)
    changes = [word for path, (_, new) in CHANGES.items() for word in ("-S", f"{path}={new}")]
    project = Project(root)
    project.run("dvc", "exp", "run", *changes, "--name", "three")
    return project


def test_an_experiment_changes_a_line_for_each_parameter(tried: Project) -> None:
    printed = tried.run("git", "diff", "--numstat", "HEAD", "--", "params.yaml").stdout
    assert printed.split() == ["3", "3", "params.yaml"]


def test_params_diff_has_a_row_for_each_changed_parameter(tried: Project) -> None:
    found = rows(tried.run("dvc", "params", "diff", "--md").stdout)
    assert found == [["params.yaml", path, *values] for path, values in CHANGES.items()]


def test_metrics_diff_compares_each_metric_with_the_last_commit(tried: Project) -> None:
    found = rows(tried.run("dvc", "metrics", "diff", "--md").stdout)
    assert {row[1] for row in found} == set(METRICS)


def test_exp_show_has_the_metrics_then_what_was_changed_then_sums_of_files(tried: Project) -> None:
    """In 120 columns: all metrics, and the first changed parameter if its name is short."""
    table = tried.run("dvc", "exp", "show", "--only-changed").stdout.splitlines()
    head = next(line for line in table if "Experiment" in line)
    names = head.split()
    assert names[:2] + sorted(names[2:7]) == ["Experiment", "Created", *sorted(METRICS)]
    assert set(names[7:10]) == set(CHANGES)
    assert max(head.index(name) + len(name) for name in METRICS) <= 100


@slow
def test_an_experiment_that_replaces_one_is_run_without_a_warning(tried: Project) -> None:
    """DVCLive's own is of an experiment with the same name."""
    printed = tried.run("dvc", "exp", "run", "--force", "--name", "three").stdout
    assert "epoch 1/" in printed
    assert "WARNING" not in printed


# --- data of one's own ---


@slow
def test_a_data_set_nobody_has_seen_goes_through_by_naming_its_folder(
    project: Project, tmp_path: Path
) -> None:
    """Of many classes, oblong, zipped."""
    classes, shape = 62, (20, 12)
    folder = tmp_path / "mine"
    folder.mkdir()
    rng = np.random.default_rng(0)
    patterns = rng.integers(256, size=(classes, *shape), dtype=np.uint8)
    for (split, kind), name in idx.FILES.items():
        labels = np.arange(300 if split == "train" else 100) % classes
        values = patterns[labels] if kind == "images" else labels.astype(np.uint8)
        with idx.create(folder / name, values.shape) as file:
            file.write(values.tobytes())
        subprocess.run(["gzip", str(folder / name)], check=True)
    project.change(download__dataset="folder", datasets__folder__path=str(folder))
    project.change(recipes__original__epochs=8)
    assert project.repro() == STAGES
    metrics = json.loads((project.root / "reports/metrics.json").read_text())
    table = (project.root / "reports/class_accuracy.csv").read_text()
    assert len(table.splitlines()) == 1 + classes
    assert metrics["test_accuracy"] > 1.5 / classes


# --- what goes wrong ---


def test_bad_parameters_stop_before_any_stage_loses_its_outputs(project: Project) -> None:
    schema = "reports/params.schema.json"
    before = project.outputs()
    project.change(train__seed=1, plot__mistakes=-1)
    done = project.run("dvc", "repro", check=False)
    assert done.returncode != 0
    lines = done.stdout.splitlines()
    assert "params.yaml: plot.mistakes: expected greater than or equal to 1; found -1" in lines
    assert "Traceback" not in done.stdout
    after = project.outputs()
    assert [path for path in before if path != schema and after.get(path) != before[path]] == []


@pytest.mark.parametrize(
    "stdout",
    [
        pytest.param("| true", id="the reader has gone"),
        pytest.param(">&-", id="closed"),
        pytest.param("> /dev/full", id="a full disk"),
    ],
)
@slow
def test_a_broken_or_closed_output_never_ends_a_training(project: Project, stdout: str) -> None:
    (project.root / "models/network.keras").unlink()
    (project.root / "models/training.log").unlink()
    command = f"({sys.executable} -m stages train; echo $? > status) 2>&1 {stdout}"
    project.run("sh", "-c", command, check=False)
    assert (project.root / "status").read_text() == "0\n"
    assert (project.root / "models/network.keras").exists()
    assert "epoch 1/1" in (project.root / "models/training.log").read_text()


def test_a_network_that_does_not_fit_the_images_is_refused_in_one_line(project: Project) -> None:
    layer = {"class": "Conv2D", "filters": 4, "kernel_size": 20}
    project.change(recipes__original__layers__conv2=layer)
    done = project.run("python", "-m", "stages", "train", check=False)
    wanted = "expected a layer that fits the shape (14, 14, 16), and into memory, found:"
    [line] = done.stdout.splitlines()
    assert line.startswith(f"params.yaml: recipes.original.network: conv2: {wanted}")


# --- make repro ---


@slow
def test_no_package_on_pythonpath_takes_the_place_of_ours(project: Project, tmp_path: Path) -> None:
    hostile = tmp_path / "hostile"
    for name in ("data", "models", "reports", "stages", "digits", "tools", "tests"):
        (hostile / name).mkdir(parents=True)
        (hostile / name / "__init__.py").write_text("raise SystemExit('the package of others')")
    set_up(project)
    project.change(plot__mistakes=5)
    path = str(hostile)
    printed = project.run("make", "repro", PYTHONPATH=path, PYTHONSAFEPATH="1", CI="1").stdout
    assert "of others" not in printed
    assert stages_in(printed) == ["validate", "plot"]
    assert "test_accuracy" in printed


WHEEL = {
    "mine.py": "",
    "mine-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n",
    "mine-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "mine-1.0.dist-info/RECORD": "",
}


def test_what_make_installs_in_a_test_leaves_the_environment_of_the_tests_alone(
    project: Project,
) -> None:
    set_up(project)
    wheel = project.root / "mine-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in WHEEL.items():
            archive.writestr(name, text)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    requirements = project.root / "requirements.txt"
    requirements.write_text(f"./{wheel.name} --hash=sha256:{digest}\n")
    folders = [sys.prefix, sysconfig.get_path("scripts"), sysconfig.get_path("purelib")]
    before = [os.listdir(folder) for folder in folders]
    project.run("make", ".venv/ready")
    assert list((project.root / ".venv").glob("lib/python*/site-packages/mine.py"))
    assert [os.listdir(folder) for folder in folders] == before


@pytest.fixture
def without_data(project: Project) -> Project:
    """A project that is set up, that wants MNIST, and that has none."""
    set_up(project)
    project.change(download__dataset="mnist")
    shutil.rmtree(project.root / "data/idx")
    project.run("git", "commit", "--quiet", "--all", "--message", "back to MNIST")
    return project


@slow
def test_make_repro_without_a_mirror_takes_synthetic_digits_and_says_so(
    without_data: Project,
) -> None:
    nobody_listens = "http://127.0.0.1:9"
    printed = without_data.run("make", "repro", https_proxy=nobody_listens, CI="").stdout
    assert "MNIST cannot be reached: params.yaml now says download.dataset: synthetic" in printed
    last = "This was synthetic data, not MNIST. To go back: "
    last += "download.dataset: mnist in params.yaml, then make repro"
    assert printed.splitlines()[-1] == last
    difference = without_data.run("git", "diff", "--unified=0", "params.yaml").stdout
    assert "\n-  dataset: mnist" in difference and "\n+  dataset: synthetic" in difference
    assert (without_data.root / "data/idx" / idx.FILES["train", "images"]).exists()


WHILE_IT_RUNS = {
    "train.seed": ("params.yaml", lambda text: text.replace("seed: 0", "seed: 5", 1)),
    "params.yaml or dvc.yaml": ("params.yaml", lambda text: text + "train: [half"),
    "digits/training.py": ("digits/training.py", lambda text: text + "# changed\n"),
}


def noted(project: Project) -> object:
    """What dvc.lock has of the training."""
    return YAML(typ="safe").load(project.root / "dvc.lock")["stages"]["train"]


@slow
@pytest.mark.parametrize("changed", WHILE_IT_RUNS)
def test_what_changes_while_a_stage_runs_is_not_taken_for_what_it_used(
    project: Project, changed: str
) -> None:
    """DVC notes what is there once the stage has ended."""
    recorded = noted(project)
    project.change(recipes__original__epochs=20)
    with project.start("dvc", "repro", **PIPE) as process:
        log = project.root / "models/training.log"
        while not log.exists() or "epoch 2/" not in log.read_text():
            assert process.poll() is None
            time.sleep(0.1)
        name, edit = WHILE_IT_RUNS[changed]
        before = (project.root / name).read_text()
        (project.root / name).write_text(edit(before))
        printed = process.communicate()[0]
    assert f"{changed}: changed while train ran, so nothing of it was kept" in printed
    assert process.returncode != 0 and "Traceback" not in printed
    assert noted(project) == recorded


def test_parameters_of_other_files_are_left_to_dvc(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    before = _inputs.noted("plot")
    text = (project.root / "dvc.yaml").read_text()
    declared = "    - plot.dpi\n"
    assert declared in text
    (project.root / "dvc.yaml").write_text(text.replace(declared, f"{declared}    - x.yaml: [a]\n"))
    assert _inputs.noted("plot") == before


def test_nor_is_what_changes_while_tensorflow_is_imported(project: Project) -> None:
    edit = "path.write_text(path.read_text().replace('seed: 0', 'seed: 5', 1))"
    with (project.root / "digits/determinism.py").open("a") as source:
        source.write(f"\nfrom pathlib import Path\npath = Path('params.yaml')\n{edit}\n")
    printed = project.run("dvc", "repro", check=False).stdout
    assert "train.seed: changed while train ran, so nothing of it was kept" in printed
