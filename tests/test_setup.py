"""What a checkout can do as it was set up: the page of plots, the gate, where it was reproduced."""

import csv
import json
import re
import shutil

import pytest
from conftest import ROOT, Project
from ruamel.yaml import YAML

from benchmarks import accuracy
from tools import gate, verify

# --- the page of `dvc plots show` ---


def test_plots_need_nothing_that_lies_in_dvcs_scratch(project: Project) -> None:
    shutil.rmtree(project.root / ".dvc/tmp")
    project.run("dvc", "plots", "show")
    page = (project.root / "dvc_plots/index.html").read_text()
    assert '<script src="../.venv/vega.js"></script>' in page
    assert "{scripts}" not in page


# --- the gate ---


def with_run(project: Project, reached: object = 0.95, **changes: object) -> tuple[int, str]:
    """What the gate says of a run whose parameters are the committed ones, but for some changes.

    Its status comes first.
    """
    (project.root / "benchmarks/results").mkdir(parents=True)
    shutil.copy(ROOT / gate.MEASURED, project.root / gate.MEASURED)
    recipe = "original"
    params = YAML(typ="safe").load(ROOT / "params.yaml") | {"recipe": recipe}
    recorded = {
        f"recipes.{recipe}": params["recipes"][recipe],
        f"evaluate.test_time_augmentation.{recipe}": 0,
        **gate.KNOWN,
        **{key: params[key] for key in ("recipe", "threads", "replicas", "instructions")},
        **changes,
    }
    lock = {"stages": {"evaluate": {"params": {"params.yaml": recorded}}}}
    (project.root / "dvc.lock").write_text(json.dumps(lock))
    (project.root / gate.METRICS).write_text(json.dumps({"test_accuracy": reached}))
    done = project.run("python", "-E", "-m", "tools.gate", check=False)
    return done.returncode, done.stdout


def test_the_gate_knows_a_run_by_the_settings_that_the_benchmark_writes() -> None:
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    views = params["evaluate"]["test_time_augmentation"]
    for recipe in ("original", "fast", "good", "best"):  # those that were measured on MNIST
        values = params["recipes"][recipe]
        run = {**params, "recipe": recipe, f"recipes.{recipe}": values}
        run[f"evaluate.test_time_augmentation.{recipe}"] = views[recipe]
        assert gate.settings(run) == accuracy.trainings()[recipe].settings()
        assert gate.floor(gate.settings(run)) is not None


def test_the_gate_refuses_a_run_below_those_with_its_parameters(project: Project) -> None:
    status, said = with_run(project)
    assert status == 1
    assert said.startswith("reports/metrics.json: test_accuracy: expected at least 0.98")
    assert said.endswith("found 0.95\n")


def test_the_gate_lets_a_run_pass_that_is_as_good_as_those_before(project: Project) -> None:
    status, said = with_run(project, reached=0.9886)
    assert status == 0 and said.startswith("reports/metrics.json: test_accuracy 0.9886 is at least")


@pytest.mark.parametrize(
    "changes",
    [
        {"replicas": 4},
        {"preprocess.train_size": 5000},
        {"preprocess.invert": True},
        {"train.validation_split": 0.5},
        {"download.dataset": "folder"},
        {"recipes.original": {"epochs": 1}},
    ],
)
def test_the_gate_compares_with_nothing_where_a_parameter_differs(
    project: Project, changes: dict[str, object]
) -> None:
    status, said = with_run(project, **changes)
    assert status == 0
    dataset = changes.get("download.dataset", "mnist")
    assert said == (
        "reports/metrics.json: nothing to compare with: benchmarks/results/accuracy.csv has no "
        f"two runs of original on {dataset} with the same parameters\n"
    )


@pytest.mark.parametrize("lock", [None, "{", "stages: {}\n", "- 1\n"])
def test_the_gate_says_in_a_line_what_dvc_lock_lacks(project: Project, lock: str | None) -> None:
    (project.root / "dvc.lock").unlink()
    if lock is not None:
        (project.root / "dvc.lock").write_text(lock)
    done = project.run("python", "-E", "-m", "tools.gate", check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("dvc.lock: expected all stages and their parameters, found: ")
    assert "Traceback" not in done.stdout


# --- where it was reproduced ---


def verified() -> list[dict[str, str]]:
    with (ROOT / verify.TABLE).open() as file:
        return list(csv.DictReader(file))


def test_the_table_has_the_columns_of_the_row_that_verify_prints() -> None:
    names = ["processor", "instructions", "system", "python"]
    assert len(verify.machine()) == len(names)
    names += ["date", "commit", "same", "outputs", "how"]
    for row in verified():
        assert list(row) == names
        assert re.fullmatch(r"\d{4}-\d\d(-\d\d)?", row["date"])
