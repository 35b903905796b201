"""Facts of `make study` and `make show`, on experiments that were made by hand, without a run."""

import functools
import hashlib
import json
import random
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from conftest import ROOT, Project, new_project

from digits import yaml12
from tools import dvc_lock, pairs
from tools.exp_show import DONE, Run
from tools.show import bases, changes

CURVES = ("loss", "accuracy", "val_loss", "val_accuracy")
RATE = "recipes.original.optimizer.learning_rate"
METRICS = {"ece": 0.001, "errors": 114, "loss": 0.03, "test_accuracy": 0.99, "val_accuracy": 0.98}


def cached(project: Project, content: bytes, end: str = "") -> str:
    """Put a file into DVC's cache, and return its sum."""
    md5 = hashlib.md5(content).hexdigest() + end
    path = project.root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return md5


def keep_curves(project: Project, values: list[float]) -> None:
    """Let dvc.lock name learning curves that have these values, and put them into the cache."""
    entries = []
    for name in CURVES:
        lines = [f"{step}\t{value}\n" for step, value in enumerate(values, start=1)]
        md5 = cached(project, f"step\t{name}\n{''.join(lines)}".encode())
        entries.append({"md5": md5, "relpath": f"plots/metrics/{name}.tsv"})
    folder = cached(project, json.dumps(entries).encode(), ".dir")
    lock = project.root / "dvc.lock"
    known = r"(path: reports/training\n\s+hash: md5\n\s+md5: )\S+"
    lock.write_text(re.sub(known, rf"\g<1>{folder}", lock.read_text()))


def set_quickly(file: Path, params: Mapping[str, object]) -> None:
    """Set values by their dotted paths; JSON is YAML, and comments are of no use here."""
    values = yaml12.load(file.read_bytes())
    for path, value in params.items():
        *parents, key = path.split(".")
        functools.reduce(dict.__getitem__, parents, values)[key] = value
    file.write_text(json.dumps(values))


def by_hand(
    project: Project, name: str, params: Mapping[str, object], curve: list[float], **metrics: float
) -> None:
    """An experiment as DVC keeps it: a commit on the present one."""
    set_quickly(project.root / "params.yaml", params)
    (project.root / "reports/metrics.json").write_text(json.dumps(metrics))
    keep_curves(project, curve)
    project.run("git", "add", "--all")
    tree = project.run("git", "write-tree").stdout.strip()
    head = project.run("git", "rev-parse", "HEAD").stdout.strip()
    commit = project.run("git", "commit-tree", tree, "-p", head, "-m", name).stdout.strip()
    project.run("git", "update-ref", f"refs/exps/{head[:2]}/{head[2:]}/{name}", commit)
    project.run("git", "reset", "--quiet", "--hard")


def without_a_run(root: Path) -> Project:
    """A project with a commit and its metrics, in which nothing ever ran."""
    project = new_project(root)
    shutil.copy(ROOT / "dvc.lock", project.root)
    (project.root / "reports").mkdir()
    (project.root / "reports/metrics.json").write_text('{"test_accuracy": 0.9, "loss": 0.3}')
    (project.root / ".gitignore").write_text("/study.*\n__pycache__/\n.dvc/cache\n.dvc/tmp\n")
    project.commit("made by hand")
    return project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return without_a_run(tmp_path / "project")


def study(project: Project, *arguments: str, check: bool = True) -> list[str]:
    command = ["python", "-E", "-m", "tools.study", *arguments]
    done = project.run(*command, check=check, COLUMNS="120")
    return done.stdout.splitlines()


def show(project: Project, *arguments: str) -> list[str]:
    command = ["python", "-E", "-m", "tools.show", *arguments]
    return project.run(*command, COLUMNS="120").stdout.splitlines()


def try_rates(project: Project, seeds: int = 4) -> None:
    """Three learning rates of `original`, of which the committed one is the middle."""
    draw = random.Random(0)
    for place, rate in enumerate((0.0005, 0.001, 0.002)):
        for seed in range(seeds):
            best = 0.97 + 0.002 * place + 0.001 * seed + draw.gauss(0, 0.0001)
            params = {RATE: rate, "train.seed": seed, "plot.dpi": 100 + seed}
            curve = [best - 0.05, best - 0.01, best]
            loss = 0.2 - 0.01 * place + 0.001 * draw.random()
            by_hand(project, f"r{place}-{seed}", params, curve, val_accuracy=best, loss=loss)


# --- study ---


def better_by(row: list[str]) -> str:
    """The cell behind learning rate, seeds, the mean and the standard deviation."""
    numbers = [cell for cell in row[2:] if cell != "%"]
    return numbers[2]


def test_the_best_loss_is_the_least_and_resolution_is_no_configuration(project: Project) -> None:
    try_rates(project, seeds=2)
    for metric in ("loss", "val_accuracy"):
        header, *rows = map(str.split, study(project, "--metric", metric)[:4])
        assert header[:6] == ["optimizer.learning_rate", "seeds", metric, "sd", "better", "by"]
        assert [row[:2] for row in rows] == [["0.002", "2"], ["0.001", "2"], ["0.0005", "2"]]
        assert float(better_by(rows[0])) > 0 > float(better_by(rows[2]))
        assert better_by(rows[1]) == "reference"


def test_seeds_are_compared_as_pairs_with_the_committed_parameters(project: Project) -> None:
    try_rates(project)
    _, best, reference, worst, said, remark = study(project)
    assert re.search(r"  0\.20 +0\.1\d to 0\.2\d +4$", best)
    assert reference.endswith("reference")
    assert re.search(r"  -0\.20 +-0\.2\d to -0\.1\d +4$", worst)
    assert said == f"reference: as committed; {POINTS}"
    assert remark.startswith("2 comparisons at once: with 95 % all their intervals hold")


def test_one_sweep_of_several_is_compared_alone(project: Project) -> None:
    try_rates(project, seeds=2)
    header, best, *_ = study(project, "r0-*", "r2-1")
    assert header.split()[0] == "optimizer.learning_rate"
    assert best.split()[:2] == ["0.002", "1"]
    told, *_ = study(project, "r0-*", "r9-1")
    assert told == "no experiment of this commit is named r9-1"
    header, row, remark = study(project, "r0-*")  # there is nothing to compare or to choose
    assert header.split() == ["seeds", "val_accuracy", "sd"] and row.startswith("2 ")
    assert remark == "all differ from the commit in: optimizer.learning_rate 0.0005"
    done = project.run("python", "-E", "-m", "tools.study", "no-*", check=False)
    assert done.stdout == "no experiment is named no-*; their names: make show\n"


def test_each_data_set_has_a_table_of_its_own(project: Project) -> None:
    for name in ("mnist", "kmnist"):
        for seed in range(2):
            params = {"download.dataset": name, "train.seed": seed, "recipe": "fast"}
            by_hand(project, f"{name}-{seed}", params, [0.9], val_accuracy=0.9 + seed / 100)
    lines = study(project)
    assert [line for line in lines if line.startswith("dataset")] == [
        "dataset kmnist",
        "dataset mnist",
    ]
    assert sum(line.split()[:2] == ["2", "90.500"] for line in lines) == 2


def test_what_another_recipe_holds_is_no_difference(project: Project) -> None:
    other = {RATE: 0.5, "recipe": "fast"}
    by_hand(project, "a", {"recipe": "fast"}, [0.9], val_accuracy=0.9)
    by_hand(project, "b", {**other, "train.seed": 1}, [0.9], val_accuracy=0.92)
    by_hand(project, "c", {"train.seed": 1}, [0.9], val_accuracy=0.93)
    header, first, second, *_ = (line.split() for line in study(project))
    assert header[:2] == ["recipe", "seeds"]
    assert (first[:2], second[:2]) == (["original", "1"], ["fast", "2"])


def test_what_no_experiment_has_as_the_commit_is_not_taken_for_it(project: Project) -> None:
    """Of `original`, only one with more filters ran: they name it, and it is not "as committed"."""
    filters = "recipes.original.layers.conv1.filters"
    by_hand(project, "wider", {filters: 32}, [0.9], val_accuracy=0.92)
    for seed in range(2):
        params = {"recipe": "fast", "train.seed": seed}
        by_hand(project, f"seed-{seed}", params, [0.9], val_accuracy=0.93)
    header, best, other, said, *_ = study(project)
    assert header.split()[:3] == ["recipe", "conv1.filters", "seeds"]
    assert best.split()[:2] == ["fast", "-"] and best.endswith("reference")
    assert other.split()[:2] == ["original", "32"]
    assert said == f"reference: the best of those with most seeds; {POINTS}"


POINTS = "better by: percentage points, on the seeds that both have"
ALIKE = "all differ from the commit in: "


def test_runs_on_other_data_are_not_the_commits(project: Project) -> None:
    for size, best in ((64, 0.91), (128, 0.9)):
        params = {"download.dataset": "mnist", "recipes.original.batch_size": size}
        by_hand(project, f"size-{size}", params, [best], val_accuracy=best)
    *_, reference, said, luck, alike = study(project)
    assert reference.startswith("128 ") and reference.endswith("reference")
    assert said == f"reference: otherwise as committed; {POINTS}"
    assert luck == "no two seeds in common: what differs may be luck; run more seeds"
    assert alike == f"{ALIKE}download.dataset mnist"


def test_what_was_changed_of_a_recipe_that_the_commit_does_not_use_is_told(
    project: Project,
) -> None:
    changed = {"recipe": "fast", "recipes.fast.epochs": 37}
    by_hand(project, "a", changed, [0.9], val_accuracy=0.9)
    assert study(project)[-1] == f"{ALIKE}recipe fast, fast.epochs 37"
    by_hand(project, "b", {}, [0.9], val_accuracy=0.8)
    header, first, second, *_ = (line.split() for line in study(project))
    assert header[:2] == ["recipe", "fast.epochs"]
    assert first[:2] == ["fast", "37"] and second[:2] == ["original", "-"]


def test_pictures_to_which_some_were_added_are_other_data(project: Project) -> None:
    lock, own = project.root / "dvc.lock", {"download.dataset": "folder"}
    by_hand(project, "few", own, [0.5], val_accuracy=0.9)
    before = r"(- path: data/idx\n +hash: md5\n +md5: )\w{7}"
    lock.write_text(re.sub(before, r"\g<1>0000000", lock.read_text()))
    by_hand(project, "more", own, [0.5], val_accuracy=0.8)
    printed = study(project)
    assert printed[1] == "data 0000000" and printed[3].startswith("1 ")
    assert sum(line.startswith("data ") for line in printed) == 2


def test_a_run_of_edited_code_is_not_as_committed(project: Project) -> None:
    by_hand(project, "a", {}, [0.9], val_accuracy=0.9)
    with (project.root / "digits/training.py").open("a") as file:
        file.write("# edited\n")
    by_hand(project, "b", {}, [0.9], val_accuracy=0.95)
    header, first, second, *_ = (line.split() for line in study(project))
    assert header[:2] == ["code", "seeds"]
    assert first[-2:] == ["5.00", "1"] and second[-1] == "reference"
    _, alone, alike = study(project, "b")
    assert alone.startswith("1 ") and alike == f"{ALIKE}code {first[0]}"


def test_by_default_a_metric_that_all_have_and_it_says_which(project: Project) -> None:
    by_hand(project, "a", {"recipe": "fast"}, [0.9], test_accuracy=0.9, loss=0.3)
    by_hand(project, "b", {}, [0.9], loss=0.2, test_accuracy=0.92, val_accuracy=0.93)
    said, how, which, header, *_ = study(project)
    assert said == "by test_accuracy, which all have: 1 of 2 hold no images out"
    assert which.startswith("those that hold none out: a; ")
    assert "-S train.validation_split=0.1" in how
    assert "test_accuracy" in header.split()
    assert study(project, "--metric", "val_accuracy")[0] == "left out: 1 without val_accuracy"


def test_other_images_validate_where_another_share_is_held_out(project: Project) -> None:
    for share in (0.1, 0.2):
        by_hand(project, str(share), {"train.validation_split": share}, [1], val_accuracy=0.9)
    said = "other images validate where another train.validation_split stands"
    assert study(project)[-1] == said


@pytest.mark.slow
def test_the_figure_and_the_page_hold_curves_and_need_no_network(project: Project) -> None:
    try_rates(project, seeds=2)
    study(project, "--figure", "study.png", "--page", "study.html")
    assert (project.root / "study.png").stat().st_size > 20_000
    page = (project.root / "study.html").read_text()
    assert page.count("<tr>") + page.count('<tr class="reference">') == (1 + 3) + (1 + 6)
    assert "FillBetweenPolyCollection" in page  # the band of a curve
    assert set(re.findall(r"https?://[\w.]+", page)) <= {
        "http://www.w3.org",
        "http://purl.org",
        "http://creativecommons.org",
        "https://matplotlib.org",
    }  # names, not addresses
    assert "src=" not in page and "@import" not in page

    done = study(project, "--page", "no/file", check=False)
    assert done[-1].startswith("--page: expected a file to write to; found no/file: ")


def test_experiments_whose_curves_are_elsewhere_are_compared_all_the_same(project: Project) -> None:
    try_rates(project, seeds=1)
    shutil.rmtree(project.root / ".dvc/cache")
    lines = study(project, "--figure", "study.png")
    assert len(lines) == 7 and lines[1].endswith("  1")


@pytest.mark.slow
def test_odd_experiments_are_told_and_break_no_table_figure_or_page(project: Project) -> None:
    """What is no number is no metric; no name is markup, mathematics or a terminal's command."""
    by_hand(project, "<b>'q\"", {RATE: 0.1}, [0.5], val_accuracy=0.6)
    by_hand(project, "a-stopped-1", {RATE: 0.2}, [0.5])
    by_hand(project, "nan", {RATE: 0.3}, [0.5], val_accuracy=float("nan"), loss=1)
    for place, path in enumerate(["<i>\n\x1b[31m", "$\\no{$"]):
        values = {"download.dataset": "folder", "datasets.folder.path": path}
        by_hand(project, f"own{place}", values, [0.5], val_accuracy=0.6)
    lines = study(
        project, "--metric=val_accuracy", "--rows=-1", "--page=study.html", "--figure=study.png"
    )
    assert lines[:2] == ["left out: 1 stopped", "left out: 1 without val_accuracy"]
    assert (
        "path <i>\\n\\x1b[31m, dataset folder" in lines and "path $\\no{$, dataset folder" in lines
    )
    page = (project.root / "study.html").read_text()
    assert "<td>&lt;b&gt;&#x27;q&quot;</td>" in page and "<b>" not in page and "<i>" not in page
    [row] = [line for line in show(project) if line.startswith("a-stopped-1")]
    assert row.split()[:2] == ["a-stopped-1", "stopped"]


# --- pairs ---


def test_quantiles_of_students_t_are_those_of_the_tables() -> None:
    table = {(0.95, 1): 12.706, (0.95, 2): 4.303, (0.95, 9): 2.262, (0.99, 4): 4.604}
    table |= {(0.95, 100): 1.984, (0.9998, 5): 9.678}
    found = {key: round(pairs.quantile(*key), 3) for key in table}
    assert found == table


def test_all_of_several_intervals_hold_in_95_of_100_studies() -> None:
    draw = random.Random(0)
    held = 0
    for _ in range(2000):
        samples = [[draw.gauss(0.5, 1) for _ in range(4)] for _ in range(3)]
        bounds = [pairs.interval(sample, comparisons=3) for sample in samples]
        held += all(low < 0.5 < high for low, high in bounds)
    assert 0.94 < held / 2000 < 0.97  # a little more than 0.95: Bonferroni's bound


def test_differences_are_told_in_points_of_accuracy_or_as_they_are() -> None:
    told = ["0.12", "-0.07 to 0.31", "3"]
    assert pairs.cells([0.001, 0.002, 0.0005], "val_accuracy", 1) == told
    assert pairs.cells([-2, -1], "errors", 1) == ["-1.5", "-7.85 to 4.85", "2"]
    assert pairs.cells([0.003], "test_accuracy", 0) == ["0.30", "", "1"]
    assert pairs.cells([], "loss", 0) == ["no seed in common", "", ""]


def test_a_data_set_with_one_experiment_is_named_but_has_no_table(project: Project) -> None:
    try_rates(project, seeds=2)
    by_hand(project, "other", {"download.dataset": "kmnist"}, [1], val_accuracy=0.9)
    *_, last = printed = study(project)
    assert last == "not shown, of one experiment each: dataset kmnist"
    assert "dataset synthetic" in printed and "dataset kmnist" not in printed


# --- show ---


def test_show_says_of_a_run_what_differs_from_its_commit(project: Project) -> None:
    by_hand(project, "a", {"recipe": "own", "recipes.own.steps": 317}, [1], val_accuracy=0.9)
    by_hand(project, "b", {"recipes.original.epochs": 7}, [1], val_accuracy=0.8)
    by_hand(project, "c", {"recipes.fast.epochs": 7}, [1], val_accuracy=0.7)  # not used
    _, head, *rows = show(project)
    changed = {row.split()[0]: row[head.index("changed") :] for row in rows}
    assert changed["a"] == "recipe=own, own.steps=317" and changed["b"] == "original.epochs=7"
    assert changed["c"] == ""
    assert [row.split()[0] for row in rows[2:]] == ["a", "b", "c"]  # the best first


def test_show_says_once_what_was_changed_in_all_experiments(project: Project) -> None:
    own = {"recipe": "own", "download.dataset": "folder", "datasets.folder.path": "data/own/a"}
    by_hand(project, "one", own, [1], val_accuracy=0.9)
    by_hand(project, "two", {**own, "recipes.own.steps": 317}, [1], val_accuracy=0.8)
    _, head, *rows, last = show(project)
    assert last == "changed in all experiments: recipe=own, folder.path=data/own/a"
    changed = [row[head.index("changed") :] for row in rows]
    assert changed[2:] == ["", "own.steps=317"]


def test_metrics_do_not_stand_beside_parameters_that_they_are_not_of(project: Project) -> None:
    """dvc.lock of this project has others than its params.yaml, as after an edit."""
    head, workspace, commit = show(project)[:3]
    assert head.split() == ["experiment", "state", "changed"]
    assert workspace.split() == ["workspace", "not", "run"]
    assert commit.split()[1:] == ["not", "run"]


@pytest.mark.parametrize("lock", [None, "", "<<<<<<< HEAD\n", "stages:\n"])
def test_a_lost_or_damaged_dvc_lock_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    if lock is not None:
        Path("dvc.lock").write_text(lock)
    assert [*dvc_lock.params()] == []
    assert not dvc_lock.is_another(Path("models/network.keras"))


def test_a_run_whose_parameters_cannot_be_read_has_none_changed() -> None:
    runs = [Run("workspace", DONE, False, {}, {}, "workspace")]
    runs += [Run("main", DONE, False, {"recipe": "fast"}, {}, "main")]
    assert changes(runs, bases(runs)) == [[], []]


@pytest.mark.parametrize("columns", [80, 120])
def test_tables_fit_the_terminal_however_much_was_tried(project: Project, columns: int) -> None:
    topics: dict[str, object] = {
        RATE: 0.0005,
        "recipes.original.layers.conv1.filters": 32,
        "recipes.original.epochs": 3,
        "preprocess.train_size": 20000,
        "train.validation_split": 0.25,
    }
    for place, (path, value) in enumerate(topics.items()):
        by_hand(project, f"one-{place}", {path: value}, [1], **METRICS)
        by_hand(project, f"two-{place}", {path: value, "train.seed": 1}, [1], **METRICS)
    by_hand(project, "all", topics, [1], **METRICS)
    for program in ("show", "study"):
        said = project.run("python", "-E", "-m", f"tools.{program}", COLUMNS=str(columns)).stdout
        assert max(map(len, said.splitlines())) <= columns
        words = "".join(said.split())  # a value may go on below
        assert "train_size=20000" in words and "optimizer.learning_rate=0.0005" in words


@pytest.mark.slow
def test_show_has_the_best_of_many_and_counts_the_others(project: Project) -> None:
    for seed in range(34):
        by_hand(project, f"s{seed}", {"train.seed": seed}, [1], val_accuracy=0.9 + seed / 1000)
    *_, said = lines = show(project)
    rows = lines[2:-1]
    assert len(rows) == 2 + 30  # the workspace, the commit
    assert [row.split()[0] for row in rows[2:4]] == ["s33", "s32"]
    assert said.startswith("not shown: 4 further down by val_accuracy; --rows 0 shows all")
    assert len(show(project, "--rows", "0")) == 2 + 2 + 34
