"""A search proposes the same trials whatever dies, asks no test image, repeats nothing."""

import argparse
import json
import os
import random
import re
import shlex
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import PIPE, ROOT, Project
from tqdm import tqdm

pytest.importorskip("optuna", reason="needs what `make .venv/ready-sweep` installs")
from test_study import by_hand, without_a_run
from test_sweep import inside, locks, until

from digits import params, yaml12
from tools import experiment, overrides, search_report, space, sweep
from tools import search as searches
from tools.experiment import Bars, Outcome
from tools.sweep import Remotes
from tools.trials import Search, Trial

RATE = "recipes.fast.optimizer.learning_rate"
RANGES = [f"{RATE}=0.001..0.02:log", "recipes.fast.batch_size=32..256:32"]
FIXED = ["recipe=fast", "train.validation_split=0.1"]


def options(**own: Any) -> argparse.Namespace:
    usual = {"metric": "val_accuracy", "seed": 0, "seeds": 1, "trials": 16, "at_once": 3}
    usual["pruning"] = True
    return argparse.Namespace(**usual | own)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process works in the project, as one that searches would."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PATH", f"{sys.prefix}/bin:{os.environ['PATH']}")


def searched(ranges: list[str], **own: Any) -> Search:
    return Search(space.read([*FIXED, *ranges]), options(**own), Remotes("", "", "0" * 40))


def worth(trial: Trial, seed: int) -> float | None:
    """What a training would give: best near 0.005; none above 0.015."""
    rate = float(trial.values[RATE])
    return None if rate > 0.015 else -abs(rate - 0.005) - 1e-6 * seed


def outcome(search: Search, name: str) -> Outcome:
    """What an experiment gives of which a worker looks at the log at its end only."""
    trial, seed = search.started[name]
    found = worth(trial, seed)
    if found is None:
        return Outcome(1, {}, "")
    lines = [f"epoch {epoch}/4  val_accuracy {found / epoch:.6f}" for epoch in range(1, 5)]
    log = "\n".join(["seed: 0", *lines])
    bars = search.bars[name]
    if bars and (part := bars.missed(log)):
        return Outcome(0, {}, "", part)
    trial.curves[seed] = experiment.curve(log, search.metric)
    return Outcome(0, {search.metric: found / 4}, "")


def simulate(search: Search, order: random.Random, killed_after: int = 10**6) -> Search:
    """Let experiments end in some order, until all have or so many."""
    running: list[str] = []
    for _ in range(killed_after):
        running += search.more()
        if not running:
            break
        name = running.pop(order.randrange(len(running)))
        search.end(name, outcome(search, name))
    return search


@pytest.mark.slow
def test_the_same_trials_are_proposed_whatever_ends_first_and_however_often_it_is_killed(
    here: None,
) -> None:
    whole = simulate(searched(RANGES, seeds=2), random.Random(0))
    values = [trial.values for trial in whole.trials]
    assert len(values) == 16
    known: dict[int, Trial] = {}
    for kill in range(6):
        part = searched(RANGES, seeds=2)
        part.known = known
        simulate(part, random.Random(kill), killed_after=5)
        for trial in part.trials:
            kept = {
                seed: result
                for seed, result in trial.results.items()
                if result is not None or experiment.STOPPED in trial.names[seed]
            }
            if kept:  # an experiment that failed left nothing behind
                known[trial.number] = replace(trial, results=kept)
    end = simulate(part, random.Random(0))
    assert [trial.values for trial in end.trials] == values
    assert [trial.stopped for trial in end.trials] == [trial.stopped for trial in whole.trials]
    assert 3 < sum(bool(trial.stopped) for trial in whole.trials) < 12
    assert searched(RANGES).name == searched(RANGES, pruning=False).name
    assert end.ranked()[0].values == whole.ranked()[0].values


def test_a_training_is_stopped_where_its_best_until_then_misses_a_bar_but_not_at_its_end() -> None:
    log = "\n".join(f"epoch {i}/4  val_loss {loss}" for i, loss in enumerate([2, 5, 3, 4], start=1))
    missed = [Bars("val_loss", -1, {2: 2.0, 4: 1.0}), Bars("val_loss", -1, {2: 1.5, 3: 1.0})]
    assert [bars.missed(log) for bars in missed] == ["", log[: log.index("\nepoch 3")]]
    for count, part in enumerate(["", "", missed[1].missed(log), missed[1].missed(log)]):
        assert missed[1].missed("\n".join(log.splitlines()[:count])) == part


def test_no_values_are_tried_twice_and_the_search_ends_where_there_are_no_others(
    here: None,
) -> None:
    ranges = [f"{RATE}=0.001,0.005", "recipes.fast.batch_size=32..96:32"]
    found = simulate(searched(ranges, trials=50), random.Random(0))
    tried = {tuple(trial.values.items()) for trial in found.trials}
    assert len(tried) == len(found.trials) == found.wanted == 6


def test_a_search_learns_from_its_trials(here: None) -> None:
    """The later half lies nearer to the best value than chance does, on the logarithmic scale."""
    found = simulate(searched([RANGES[0]], trials=40), random.Random(0))
    rates = [float(trial.values[RATE]) for trial in found.trials]
    near = [0.0035 < rate < 0.007 for rate in rates]
    assert sum(near[20:]) > 2 * sum(near[:10]) and sum(near[20:]) >= 10


def test_what_was_known_counts_with_wider_ranges_and_more_seeds(here: None) -> None:
    first = simulate(searched(RANGES, trials=12), random.Random(0))
    wider = searched([f"{RATE}=0.0001..0.014:log", RANGES[1]], trials=20, seeds=2)
    assert wider.name == first.name
    wider.known = {trial.number: trial for trial in first.trials if trial.found}
    simulate(wider, random.Random(0))
    same = [trial.values for trial in wider.trials[:12] if trial.number in wider.known]
    assert same == [trial.values for trial in first.trials if trial.found]
    assert all(len(trial.results) == 2 for trial in wider.trials)


def test_trials_of_a_choice_that_there_is_no_more_are_drawn_too(here: None) -> None:
    found = simulate(searched(["recipes.fast.batch_size=64,128,256", RANGES[0]]), random.Random(0))
    assert {trial.values["recipes.fast.batch_size"] for trial in found.ranked()} > {"64", "256"}
    found.space = space.read([*FIXED, "recipes.fast.batch_size=64,128", RANGES[0]])
    figure = search_report.draw(found)
    labels = [label.get_text() for axes in figure.axes for label in axes.get_xticklabels()]
    assert "256" in labels


def test_it_prints_the_best_and_how_sure_that_is_and_draws_all_trials(
    here: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    found = simulate(searched(RANGES, seeds=2), random.Random(0))
    monkeypatch.chdir(tmp_path)
    search_report.PICTURE.parent.mkdir(parents=True)
    search_report.show(found)
    printed = capsys.readouterr().out.splitlines()
    best = found.ranked()[0]
    stopped = sum(bool(trial.stopped) for trial in found.trials)
    failed = sum(trial.failed for trial in found.trials)
    assert failed and printed[1] == (
        f"16 trials, {failed} failed, {stopped} stopped after 2 epochs"
    )
    assert re.match(rf"the best is number {best.number}: val_accuracy .* %, seeds: 2", printed[2])
    assert printed[3].startswith("0 others lie within its spread")
    assert re.search(rf"{RATE} \d+ %, recipes.fast.batch_size \d+ %$", printed[4])
    assert (tmp_path / ".dvc/tmp/sweep/search.png").exists()
    assert printed[6] == f"to take it over: dvc exp apply {best.names[0]}"
    assert f"-S {RATE}={best.values[RATE]} " in printed[7]


def test_all_trials_count_of_searches_that_did_not_know_of_each_other(
    here: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They gave two trials the number 0. A stopped one ended elsewhere; one was named by hand."""
    project = without_a_run(tmp_path / "project")
    monkeypatch.chdir(project.root)
    commit = project.run("git", "rev-parse", "HEAD").stdout.strip()
    found = Search(space.read([*FIXED, *RANGES]), options(), Remotes("", "", commit))
    ended = {"000-seed-0-a": 64, "000-seed-0-b": 96, "001-seed-0-c": 32}
    names = {**ended, "000-seed-0-stopped-b": 96, "best": 96, "of-12-3": 96}
    for name, size in names.items():
        values = {RATE: 0.002, "recipes.fast.batch_size": size}
        by_hand(project, f"{found.name}-{name}", values, [0.5], val_accuracy=size / 100)
    found.read([f"{found.name}-{name}" for name in names])
    known = {trial.values["recipes.fast.batch_size"]: trial for trial in found.known.values()}
    assert {size: trial.results for size, trial in known.items()} == {
        64: {0: 0.64},
        96: {0: 0.96},
        32: {0: 0.32},
    }
    assert sorted(found.known) == [0, 1, 2] and not any(trial.stopped for trial in known.values())


def test_the_example_of_the_page_names_two_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    page = (ROOT / "docs/search.md").read_text()
    [words] = re.findall(r"^\$ python -m tools.search (-S .*) --trials 40$", page, re.M)
    found = space.read(shlex.split(words)[1::2])
    names = [key.rpartition(".")[2] for key in found.ranges]
    assert names == ["learning_rate", "batch_size"]


def test_a_machine_that_fails_again_and_again_ends_the_search_and_condemns_no_trial(
    here: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = searched(RANGES)
    runner = searches.Runner(found, found.more(), tqdm(disable=True))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sweep, "result", lambda done: Outcome(experiment.TRY_AGAIN, {}, "died"))
    sweep.LOGS.mkdir(parents=True)
    done: Any = None
    name, *_ = runner.todo
    assert [runner.end(done, name, attempt) for attempt in (1, 2)] == [None, None]
    with pytest.raises(SystemExit, match=r"again; the same command goes on$"):
        runner.end(done, name, sweep.TRIES)
    assert not found.trials[0].results


def test_values_come_back_from_params_yaml_as_they_were_proposed(here: None) -> None:
    """Floats, those in steps, whole numbers, words and lists; else a trial would run again."""
    found = searched(
        [
            "recipes.fast.optimizer.learning_rate=1e-6..1e-4:log",
            "recipes.fast.optimizer.beta_1=0.1..0.9:0.1",
            "recipes.fast.schedule.warmup=0.0..0.5",
            "recipes.fast.epochs=1..3",
            "recipes.fast.optimizer.class=Adam,AdamW",
            "recipes.fast.layers.conv1.kernel_size=5,[3,3],[5,3]",
        ],
        trials=12,
    )
    for values in simulate(found, random.Random(0)).trials:
        file = yaml12.load(params.FILE.read_bytes())
        overrides.applied(file, found.space.overrides(values.values))
        assert found.space.read(file) == values.values
        overrides.check([found.space.overrides(values.values)])


def test_the_name_of_an_experiment_says_its_trial_and_seed(here: None) -> None:
    found = searched(RANGES, seeds=2)
    names = list(found.more())
    assert re.fullmatch(
        r"search-\w{4}-000-seed-0-learning_rate-0\.\d+-batch_size-32-\w{8}", names[0]
    )
    assert searched(RANGES, seed=1).name != found.name


@pytest.mark.parametrize(
    ("given", "expected"),
    {
        "recipes.fast.batch_size=64": "expected a range, .*; found single values only",
        "recipes.fast.batch_size=64..32": "expected a..b, .*; found: ",
        "recipes.fast.batch_size=0..64": "batch_size: expected greater than or equal to 1; found 0",
        f"{RATE}=0..0.1:log": "expected a..b, .*; found: ",
        f"{RATE}=0.1..0.2:lg": "expected a..b, .*; found: lg",
        "recipes.fast.batchsize=32..64": "expected values of params.yaml, ",
        f"{RATE}=0.1..0.2:inf": "expected a..b, .*; found: ",
        "recipes.fast.batch_size=32..100:32": "found: steps of which the last ends at 96",
        "dvc.yaml:a=1..2": "dvc.yaml:a: expected a parameter of params.yaml",
        "params.yaml:train.seed=3": "expected no seed here",
        "plot.dpi=90..100": "expected what changes a training of recipe fast; ",
        "train.seed=0..9": "expected no seed here; --seeds 3",
        "train.validation_split=0.1..0.3": "by which the same images judge all trials",
        "recipe=fast,fst": "recipe: expected one of",
        "recipes.best.batch_size=32..64": "trained, fast; to train best: -S recipe=best",
    }.items(),
)
def test_a_search_refuses_what_cannot_run(here: None, given: str, expected: str) -> None:
    others = [each for each in FIXED if overrides.key(each) != overrides.key(given)]
    with pytest.raises(SystemExit, match=f"^-S.*{expected}.*$"):
        space.read([*others, given])


def test_a_search_refuses_where_no_images_are_held_out(here: None) -> None:
    with pytest.raises(SystemExit, match=r"recipe fast holds out none: -S train.validation_split="):
        space.read(["recipe=original,fast"])
    holding = ["recipe=original", "recipes.original.batch_size=32..64"]
    assert space.read(holding).fixed == holding[:1]


@pytest.mark.parametrize("metric", ["test_accuracy", "val_nothing"])
def test_a_search_is_judged_by_images_that_are_held_out(
    here: None, monkeypatch: pytest.MonkeyPatch, metric: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["search", "-S", "a=1..2", "--metric", metric])
    with pytest.raises(SystemExit, match=rf"^--metric: .*; found {metric}: .*test it$"):
        searches.main()


def ended(printed: str) -> list[str]:
    """The experiments that a search ran."""
    return re.findall(r"^(search-\S+): val_accuracy", printed, re.M)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_search_killed_twice_goes_on_in_a_fresh_clone_to_the_same_trials(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First the driver is killed, then a node with all its processes."""
    from ray.cluster_utils import Cluster

    (tmp_path / "clones").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "clones"))
    monkeypatch.setenv("RAY_TMPDIR", "/tmp")  # its sockets want a short path
    bare = str(tmp_path / "bare")
    project.run("git", "init", "--quiet", "--bare", bare)
    project.run("git", "remote", "add", "origin", bare)
    project.run("dvc", "remote", "add", "--default", "store", str(tmp_path / "store"))
    project.commit("remotes")
    project.run("git", "push", "--quiet", "origin", "HEAD")
    project.run("dvc", "push", "--run-cache")
    rate = "recipes.original.optimizer.learning_rate=0.001..0.02:log"
    command = ["python", "-E", "-m", "tools.search", "-S", rate, "--trials=3", "--at-once=2"]

    shutil.copytree(project.root, tmp_path / "whole", symlinks=True)
    whole = Project(tmp_path / "whole")
    printed = whole.run(*command).stdout
    wanted = locks(whole)
    assert len(wanted) == 3
    assert (whole.root / ".dvc/tmp/sweep/search.png").stat().st_size > 10_000

    command += ["--git-remote=origin"]
    with project.start(*command, **PIPE) as process:
        until(lambda: "search-" in project.run("git", "ls-remote", bare).stdout)
        process.kill()
    until(lambda: not inside(tmp_path / "clones"))
    kept = project.run("git", "ls-remote", bare).stdout.count("search-")
    assert 1 <= kept < 3

    project.run("git", "clone", "--quiet", bare, str(tmp_path / "fresh"))
    fresh = Project(tmp_path / "fresh")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    try:
        with fresh.start(*command, f"--address={cluster.address}", **PIPE) as process:
            until(lambda: any((tmp_path / "clones").glob("*/search-*/models/training.log")))
            [raylet] = nodes[0].all_processes["raylet"]
            node = psutil.Process(raylet.process.pid)
            for each in [*node.children(recursive=True), node]:
                each.kill()
            said = process.communicate()[0]
    finally:
        cluster.shutdown()
    assert process.returncode == 0, said
    assert len(ended(said)) == 3 - kept, said
    assert locks(fresh) == wanted
    best = [line for line in printed.splitlines() if "dvc exp " in line]
    assert best == [line for line in said.splitlines() if "dvc exp " in line]
    assert ended(fresh.run(*command).stdout) == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_hopeless_trials_are_stopped_and_the_others_give_the_bytes_of_a_run_alone(
    project: Project, tmp_path: Path
) -> None:
    """Nothing runs again, and `dvc exp show` has no metrics of a trial that was stopped."""
    trials = project.root / "tools/trials.py"
    trials.write_text(
        trials.read_text().replace("UNPRUNED, WARM_UP = 5,", "UNPRUNED, WARM_UP = 2,")
    )
    project.commit("stop earlier")
    rate = "recipes.original.optimizer.learning_rate=1e-6..0.01:log"
    command = ["python", "-E", "-m", "tools.search", "-S", rate, "--at-once=2", "--trials=5"]
    command += ["-S", "recipes.original.epochs=4"]
    shutil.copytree(project.root, tmp_path / "alone", symlinks=True)
    first = project.run(*command).stdout
    stopped = re.findall(r"^(search-\S+): stopped after epoch (\d)/4 ", first, re.M)
    assert stopped and all(epoch in "23" for _, epoch in stopped)
    assert len(ended(first)) == 5 - len(stopped)
    assert f"5 trials, {len(stopped)} stopped after" in first

    again = project.run(*command).stdout
    assert not ended(again) and ": stopped after" not in again
    assert again.partition("5 trials")[2] == first.partition("5 trials")[2]
    shown = json.loads(project.run("dvc", "exp", "show", "--json").stdout)[1]["experiments"]
    metrics = {each["revs"][0]["name"]: each["revs"][0]["data"]["metrics"] for each in shown}
    assert len(metrics) == 5
    for name, _ in stopped:
        assert "data" not in metrics[experiment.stopped(name)]["reports/metrics.json"]

    [name] = re.findall("dvc exp apply (.*)", first)
    [words] = re.findall("or: (dvc exp run .*)", first)
    alone = Project(tmp_path / "alone")
    alone.run(*words.split())
    project.run("dvc", "exp", "apply", name)
    for file in ("dvc.lock", "reports/metrics.json"):
        assert (alone.root / file).read_bytes() == (project.root / file).read_bytes()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_training_that_misses_a_bar_ends_with_all_that_it_started(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has epochs for hours. Its values are kept; a sweep, which has no bars, runs it whole."""
    (tmp_path / "clones").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "clones"))
    commit = project.run("git", "rev-parse", "HEAD").stdout.strip()
    bare = str(tmp_path / "bare")
    project.run("git", "clone", "--quiet", "--bare", str(project.root), bare)
    places = commit, bare, str(project.root / ".dvc/cache"), ""
    values = ["recipes.original.epochs=100000"]
    bars = Bars("val_accuracy", 1, {3: 1.1})
    found = experiment.experiment("a-1", values, *places, bars)
    assert len(experiment.curve(found.stopped, "val_accuracy")) == 3, found.log
    assert not inside(tmp_path / "clones")
    kept = f"refs/exps/{commit[:2]}/{commit[2:]}/a-stopped-1"
    project.run("git", "fetch", "--quiet", bare, f"{kept}:{kept}")
    assert "epochs: 100000" in project.run("git", "show", f"{kept}:params.yaml").stdout
    again = experiment.experiment("a-1", values, *places, bars)
    assert again.stopped == found.stopped and "dvc exp run" not in again.log
    whole = experiment.experiment("a-1", ["recipes.original.epochs=1"], *places, bars=None)
    assert not whole.stopped and whole.metrics, whole.log
