"""What changes -> exactly these stages run, by what a real `dvc repro` ran; back to the old state, none does."""

from collections.abc import Iterable, Iterator

from digits import idx

import numpy as np
import pytest
from conftest import ROOT, STAGES, Project
from ruamel.yaml import YAML

LEARN = ["train", "evaluate", "plot", "report"]
NOTHING: list[str] = []
EXPECTED = {  # the parameters below a prefix -> what runs, beside validate, when one of them changes
    "download.": ["download", "preprocess", *LEARN],
    "datasets.synthetic.": ["download", "preprocess", *LEARN],
    "datasets.synthetic.test": ["download", "preprocess", "evaluate", "plot", "report"],
    "datasets.folder.path": ["download"],
    "datasets.mnist.": NOTHING,
    "datasets.fashion_mnist.": NOTHING,
    "datasets.kmnist.": NOTHING,
    "datasets.url.": NOTHING,
    "preprocess.": ["preprocess", *LEARN],
    "recipe": LEARN,
    "recipes.original.": LEARN,
    "recipes.original.views": ["evaluate", "report"],
    "recipes.original.layers.softmax.class": ["train", "evaluate"],  # another way to say the same: equal predictions
    "recipes.original.layers.pool.padding": ["train", "evaluate"],  # 28 and 14 are even: nothing to pad
    "recipes.original.layers.dense2.units": ["train"],  # 10 for "classes": the same model
    "recipes.best.": NOTHING,
    "recipes.fast.": NOTHING,
    "environment.": NOTHING,
    "instructions": ["train", "evaluate", "report"],  # and plot, where the last bits of a rounded figure differ
    "replicas": ["train", "evaluate", "report"],  # likewise
    "threads": ["train", "evaluate", "report"],  # likewise
    "train.": LEARN,
    "evaluate.": ["evaluate", "plot", "report"],
    "plot.": ["plot"],
}
OTHER = {  # another value, where adding one or halving does not give one
    "download.dataset": "folder",
    "datasets.folder.path": "data/other",
    "datasets.url.base": "https://example.org/other",
    "preprocess.train_size": 200,
    "instructions": "native",
    "recipe": "fast",
    "batch_size": 64,
    "network": ["conv1", "pool", "relu", "conv2", "pool", "relu", "flatten", "dense1", "relu", "dense2", "softmax"],
    "padding": "valid",
    "dense2.units": 10,
    "units": 32,
    "conv1.class": "SeparableConv2D",
    "conv2.class": "SeparableConv2D",
    "pool.class": "AveragePooling2D",
    "relu.class": "LeakyReLU",
    "flatten.class": "GlobalMaxPooling2D",
    "dense1": {"class": "Dropout", "rate": 0.5},
    "dense2": {"class": "Dense", "units": "classes", "activation": "tanh"},
    "softmax": {"class": "Activation", "activation": "softmax"},
    "optimizer.class": "AdamW",
    "warmup": 0.5,
    "end": 0.5,
    **dict.fromkeys(["zoom", "shear", "shift", "elastic"], 0.1),
}
# One of each kind for `make test`; the others are slow, and run in CI.
QUICK = {"recipes.original.layers.conv1.filters", "datasets.synthetic.test", "evaluate.calibration_bins"}
QUICK |= {"plot.mistakes", "stages/preprocess.py", "stages/train.py", "stages/plot.py", "params.yaml"}
QUICK |= {"data/raw/train-images-idx3-ubyte", "models/network.keras", "reports/metrics.json"}


def leaves(section: dict, path: str = "") -> Iterator[tuple[str, object]]:
    for key, value in section.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def changed(path: str, value: object) -> tuple[str, object]:
    """Return a path and a value for it that differs from the present one, and that the stages accept."""
    for ending, other in OTHER.items():
        if path.endswith(f".{ending}") or path == ending:
            return path, other
        if path.rpartition(".")[0].endswith(f".{ending}"):
            return path.rpartition(".")[0], other
    if isinstance(value, str):
        return path, "0" * 64
    return path, value + 1 if isinstance(value, int) else value / 2  # type: ignore[operator]


def expected(path: str) -> list[str]:
    prefix = max((prefix for prefix in EXPECTED if path.startswith(prefix)), key=len)
    return EXPECTED[prefix]


def cases(names: Iterable[str]) -> list:
    return [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in names]


PARAMS = dict(leaves(YAML(typ="safe").load(ROOT / "params.yaml")))
RUNNING = [path for path in PARAMS if expected(path)]


@pytest.fixture
def other(project: Project) -> Project:
    """A finished project with two folders of data beside what it uses."""
    (project.root / "data" / "other").mkdir()
    rng = np.random.default_rng(0)
    for name in idx.FILES.values():
        shape = (40, 8, 8) if "images" in name else (40,)
        with idx.create(project.root / "data" / "other" / name, shape) as file:
            file.write(rng.integers(4, size=shape, dtype=np.uint8).tobytes())
    return project


def assert_runs(project: Project, stages: list[str]) -> None:
    told = project.why()
    ran = project.repro()
    assert {stage for stage in told if told[stage] == "runs"} <= set(ran)
    assert set(ran) <= {stage for stage in told if told[stage] in ("runs", "may run")}
    if stages == ["validate", *EXPECTED["threads"]] and "plot" in ran:
        ran.remove("plot")
    assert ran == stages


def assert_nothing_runs(project: Project) -> None:
    """Nothing but report, of which DVC keeps no runs, because Git holds its output."""
    told = project.why()
    ran = project.repro()
    assert [stage for stage in ran if stage != "report"] == []
    assert {stage for stage in told if told[stage] == "runs"} <= set(ran)


@pytest.mark.parametrize("path", cases(RUNNING))
def test_a_parameter_reruns_exactly_these_stages_and_going_back_none(other: Project, path: str) -> None:
    if path == "download.dataset":
        other.change(datasets__folder__path="data/other")
        assert other.repro() == ["validate", "download"]
    before, lock = (other.root / "params.yaml").read_bytes(), (other.root / "dvc.lock").read_bytes()
    place, value = changed(path, PARAMS[path])
    other.change(**{place.replace(".", "__"): value})
    assert_runs(other, ["validate", *expected(path)])
    (other.root / "params.yaml").write_bytes(before)
    assert_nothing_runs(other)
    assert (other.root / "dvc.lock").read_bytes() == lock


def test_parameters_that_the_run_does_not_use_rerun_nothing_but_their_validation(other: Project) -> None:
    unused = [path for path in PARAMS if not expected(path) and not path.startswith(("environment.", "recipes."))]
    assert len(unused) == 13
    for path in unused:
        place, value = changed(path, PARAMS[path])
        other.change(**{place.replace(".", "__"): value})
    other.change(recipes__fast__epochs=3, recipes__best__optimizer__learning_rate=0.001)
    assert other.repro() == ["validate"]


SOURCES = {
    "stages/validate.py": ["validate"],
    "stages/download.py": ["download"],
    "digits/synthetic.py": ["download"],
    "digits/skeletons.txt": ["download"],
    "data/own/README.md": ["download"],
    "digits/idx.py": ["download", "preprocess"],
    "stages/preprocess.py": ["preprocess"],
    "digits/arrays.py": ["preprocess", "train", "evaluate", "plot"],
    "digits/augmentation.py": ["train", "evaluate"],
    "digits/checkpoint.py": ["train", "evaluate"],
    "digits/network.py": ["train", "evaluate"],
    "stages/__main__.py": [],
    "stages/train.py": ["train"],
    "stages/evaluate.py": ["evaluate"],
    "stages/plot.py": ["plot"],
    "stages/report.py": ["report"],
    "params.yaml": ["validate"],
}


def test_the_table_of_sources_is_complete() -> None:
    assert {path.name for path in (ROOT / "stages").glob("*.py")} <= {path.rpartition("/")[2] for path in SOURCES}


@pytest.mark.parametrize("source", cases(SOURCES))
def test_a_comment_reruns_the_stages_that_use_the_file_and_stops_there(project: Project, source: str) -> None:
    path = project.root / source
    before = path.read_bytes()
    path.write_bytes(before + b"# a comment\n")
    assert_runs(project, SOURCES[source])
    path.write_bytes(before)
    assert_nothing_runs(project)


@pytest.mark.slow
def test_a_file_of_the_users_own_folder_makes_download_and_what_follows_stale(other: Project) -> None:
    other.change(download__dataset="folder", datasets__folder__path="data/other")
    assert other.repro() == STAGES
    labels = other.root / "data" / "other" / idx.FILES["test", "labels"]
    before = labels.read_bytes()
    labels.write_bytes(before[:-1] + bytes([(before[-1] + 1) % 4]))
    assert other.repro() == ["download", "preprocess", "evaluate", "plot", "report"]


DATA = ["data/raw/train-images-idx3-ubyte", "data/processed/test_labels.npy"]
DATA += ["models/network.keras", "models/training.log"]
DATA += ["reports/predictions.csv", "reports/calibration.csv", "reports/metrics.json", "reports/figures/samples.png"]


@pytest.mark.parametrize("output", cases(DATA))
def test_an_output_that_was_lost_or_edited_comes_back_without_a_command(project: Project, output: str) -> None:
    path = project.root / output
    before = project.outputs()
    path.write_bytes(path.read_bytes() + b" ")
    assert project.repro() == []
    assert project.outputs() == before
    path.unlink()
    assert project.repro() == []
    assert project.outputs() == before


def test_nothing_changed_runs_nothing(project: Project) -> None:
    assert project.repro() == []
    assert "Data and pipelines are up to date." in project.run("dvc", "status").stdout


def test_forced_without_caches_all_stages_give_the_same_bytes(project: Project) -> None:
    before = project.outputs()
    assert project.repro("--force", "--no-run-cache") == STAGES
    assert project.outputs() == before
