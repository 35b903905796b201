"""What changes -> exactly these stages run, by what a real `dvc repro` ran; back again, none does.

That each stage declares exactly the parameters and the files that it uses is tested by watching it
(test_declarations.py). So one real run for each kind of dependency is enough here, and the table of
all parameters is compared with dvc.yaml.
"""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, STAGES, Project
from dvc.stage.cache import _get_cache_hash
from ruamel.yaml import YAML
from test_declarations import DAG, NO_DEP, declared_params, inside, outs

from digits import idx, yaml12
from digits.keras_names import LAYERS, OPTIMIZERS

LEARN = ["train", "evaluate", "plot"]
NOTHING: list[str] = []
# What runs, beside validate, when a parameter below a prefix changes; the longest prefix counts.
EXPECTED = {
    "download.": ["download", "preprocess", *LEARN],
    "datasets.": NOTHING,
    "datasets.synthetic.": ["download", "preprocess", *LEARN],
    "datasets.synthetic.test": ["download", "preprocess", "evaluate", "plot"],
    "datasets.folder.path": ["download"],
    "preprocess.": ["preprocess", *LEARN],
    "recipe": LEARN,
    "recipes.": NOTHING,
    "recipes.original.": LEARN,
    "recipes.original.layers.pool.padding": ["train", "evaluate"],  # 28, 14 are even: none to pad
    "recipes.original.layers.dense2.units": ["train"],  # 10 for `classes`: the same network
    "instructions": LEARN,
    "replicas": LEARN,
    "threads": LEARN,
    "train.": LEARN,
    "evaluate.": ["evaluate", "plot"],
    "evaluate.test_time_augmentation.": NOTHING,
    "evaluate.test_time_augmentation.original": ["evaluate", "plot"],
    "plot.": ["plot"],
}
slow = pytest.mark.slow
CHANGES = [  # a parameter of each kind, and another value for it
    pytest.param("datasets.synthetic.test", 101, marks=slow),
    pytest.param("preprocess.train_size", 200, marks=slow),
    pytest.param("recipe", "fast", marks=slow),
    pytest.param("recipes.original.layers.pool.padding", "valid", marks=slow),
    pytest.param("recipes.original.layers.dense2.units", 10, marks=slow),
    pytest.param("evaluate.test_time_augmentation.original", 1, marks=slow),
    pytest.param("plot.mistakes", 5),
]


def leaves(section: dict, path: str = "") -> Iterator[str]:
    for key, value in section.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}"


def expected(path: str) -> list[str]:
    return EXPECTED[max(filter(path.startswith, EXPECTED), key=len)]


def feeds(earlier: str, stage: str) -> bool:
    """Does a stage have something among its deps that an earlier one writes?"""
    made, deps = outs(earlier), DAG[stage]["deps"]
    return any(inside(dep, made) for dep in deps) or any(inside(out, deps) for out in made)


def assert_runs(project: Project, stages: list[str]) -> None:
    """These stages run, and `make why` has said so, as far as it can know."""
    told = project.why()
    assert project.repro() == stages
    assert {stage for stage in told if told[stage] == "runs"} <= set(stages)
    assert set(stages) <= {stage for stage in told if told[stage] in ("runs", "may run")}


@pytest.mark.slow
def test_why_knows_the_cache_where_outputs_are_gone(project: Project) -> None:
    for seed in (1, 0):
        project.change(train__seed=seed)
        project.repro()
    project.change(train__seed=1)
    (project.root / "models/network.keras").unlink()
    assert project.why()["evaluate"] == "from the cache"
    assert_nothing_runs(project)


def assert_nothing_runs(project: Project) -> None:
    assert set(project.why("--check").values()) <= {"up to date", "from the cache"}
    assert project.repro() == []


def test_the_table_of_parameters_is_what_dvc_yaml_declares(finished: Project) -> None:
    params = YAML(typ="safe").load(finished.root / "params.yaml")
    for path in leaves(params):
        if path.startswith("environment."):
            continue  # other versions are refused: test_interruption.py
        reads = f"${{{path}}}"  # a dep that a parameter names
        direct = [
            stage
            for stage in STAGES
            if path in declared_params(stage, params) or reads in DAG[stage]["deps"]
        ]
        runs = expected(path)
        assert set(direct) <= set(runs) and bool(direct) == bool(runs), path
        for i, stage in enumerate(runs):
            assert stage in direct or any(feeds(earlier, stage) for earlier in runs[:i]), path


@pytest.mark.parametrize("path, value", CHANGES)
def test_a_parameter_reruns_exactly_these_stages_and_going_back_none(
    project: Project, path: str, value: object
) -> None:
    before, outputs = (project.root / "params.yaml").read_bytes(), project.outputs()
    project.change(**{path.replace(".", "__"): value})
    assert_runs(project, ["validate", *expected(path)])
    (project.root / "params.yaml").write_bytes(before)
    assert_nothing_runs(project)
    assert project.outputs() == outputs


def test_parameters_that_the_run_does_not_use_rerun_nothing_but_their_validation(
    project: Project,
) -> None:
    other = {
        "datasets__url__base": "https://example.org/other",
        "evaluate__test_time_augmentation__best": 1,
        "recipes__best__optimizer__learning_rate": 0.001,
        "recipes__fast__epochs": 3,
    }
    assert [path for path in other if expected(path.replace("__", "."))] == []
    project.change(**other)
    assert project.repro() == ["validate"]


def paths(values: Any, *path: str) -> Iterator[tuple[str, ...]]:
    """The path of each mapping's entry."""
    for key, value in values.items() if isinstance(values, dict) else ():
        yield (*path, key)
        yield from paths(value, *path, key)


def test_dvcs_cache_heeds_every_parameter() -> None:
    """It leaves out keys of some names, and would take a run with other values of these."""
    lock = {"params": {"params.yaml": yaml12.load((ROOT / "params.yaml").read_bytes())}}
    arguments: Any = {"params": {"params.yaml": {**LAYERS, **OPTIMIZERS}}}
    for values in (lock, arguments):
        key = _get_cache_hash(values)
        for *parents, name in list(paths(values["params"]["params.yaml"])):
            section = functools.reduce(dict.__getitem__, parents, values["params"]["params.yaml"])
            before, section[name] = section[name], "another"
            assert _get_cache_hash(values) != key, [*parents, name]
            section[name] = before


@pytest.mark.slow
def test_each_size_of_the_users_own_pictures_has_a_run_of_its_own(other: Project) -> None:
    other.change(download__dataset="folder", datasets__folder__path="data/other")
    images = other.root / "data/processed/train_images.npy"
    for size in (12, 16):
        other.change(datasets__folder__image_size=size)
        other.repro("preprocess")
        assert np.load(images).shape[1:3] == (size, size)


@pytest.fixture
def other(project: Project) -> Project:
    """A finished project with a folder of data beside what it uses."""
    (project.root / "data/other").mkdir()
    rng = np.random.default_rng(0)
    for name in idx.FILES.values():
        shape = (40, 8, 8) if "images" in name else (40,)
        with idx.create(project.root / "data/other" / name, shape) as file:
            values = rng.integers(4, size=shape, dtype=np.uint8)
            file.write((80 * values if "images" in name else values).tobytes())
    return project


@pytest.mark.slow
def test_a_folder_of_the_users_own_counts_by_its_files(other: Project) -> None:
    before = (other.root / "params.yaml").read_bytes()
    other.change(datasets__folder__path="data/other")
    assert_runs(other, ["validate", *expected("datasets.folder.path")])
    other.change(download__dataset="folder")
    assert_runs(other, ["validate", *expected("download.dataset")])
    labels = other.root / "data/other" / idx.FILES["test", "labels"]
    content = labels.read_bytes()
    labels.write_bytes(content[:-1] + bytes([(content[-1] + 1) % 4]))
    assert_runs(other, ["download", "preprocess", "evaluate", "plot"])
    (other.root / "params.yaml").write_bytes(before)
    assert_nothing_runs(other)


def sources() -> list[str]:
    """All files of which the stages are made."""
    files = [path for folder in ("digits", "stages") for path in (ROOT / folder).rglob("*")]
    kept = [path for path in files if path.is_file() and path.parent.name != "__pycache__"]
    return [str(path.relative_to(ROOT)) for path in kept]


def test_each_source_is_a_dep_of_a_stage_or_changes_no_value() -> None:
    deps = {dep for stage in STAGES for dep in DAG[stage]["deps"]}
    assert [path for path in sources() if path not in deps | NO_DEP] == []


@pytest.mark.parametrize(
    "source, stages",
    [
        pytest.param("stages/__main__.py", NOTHING, marks=slow),
        ("digits/params.py", ["validate"]),
        pytest.param("digits/idx.py", ["download", "preprocess"], marks=slow),
    ],
)
def test_a_comment_reruns_the_stages_that_use_the_file_and_stops_there(
    project: Project, source: str, stages: list[str]
) -> None:
    path = project.root / source
    before = path.read_bytes()
    path.write_bytes(before + b"# a comment\n")
    assert_runs(project, stages)
    path.write_bytes(before)
    assert_nothing_runs(project)


def test_outputs_that_were_edited_or_lost_come_back_without_a_command(project: Project) -> None:
    before = project.outputs()
    # of each kind: in a folder, a file, a folder for a program, a metric in Git, a plot in Git
    names = ["data/idx/train-images-idx3-ubyte", "data/processed/test_labels.npy"]
    names += ["models/network.keras", "reports/training/metrics.json", "reports/report.md"]
    names += ["reports/metrics.json", "reports/figures/samples.png"]
    for name in names:
        (project.root / name).write_bytes(before[name] + b" ")
    assert_nothing_runs(project)
    assert project.outputs() == before
    for name in names:
        (project.root / name).unlink()
    assert_nothing_runs(project)
    assert project.outputs() == before


def test_nothing_changed_runs_nothing(finished: Project) -> None:
    assert finished.repro() == []
    assert "Data and pipelines are up to date." in finished.run("dvc", "status").stdout
