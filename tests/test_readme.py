"""What README.md says is so; its examples run and print what stands there.

Other pages, and what all have in common: tests/test_pages.py.
"""

import csv
import json
import re
import shlex
import shutil
import statistics
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import test_pages
from conftest import ROOT, STAGES, Project
from PIL import Image
from ruamel.yaml import YAML
from test_pages import CODE, SMALL, bring, examples, plain
from test_setup import verified

from digits import checkpoint
from tools import environment

README = (ROOT / "README.md").read_text()


def test_the_readme_has_at_most_900_words() -> None:
    assert len(CODE.sub("", README).split()) <= 900


@pytest.mark.parametrize(
    "holds",
    [
        test_pages.test_no_paragraph_has_more_than_60_words,
        test_pages.test_no_sentence_goes_on_after_a_block_of_code,
        test_pages.test_every_block_of_code_is_whole_and_no_command_is_broken,
        test_pages.test_every_link_leads_to_a_file_and_a_heading,
        test_pages.test_every_target_of_make_that_a_page_names_is_there,
    ],
)
def test_what_holds_of_all_pages_holds_of_the_readme(holds: Callable[[Path], None]) -> None:
    holds(ROOT / "README.md")


def test_the_versions_of_python_are_the_same_wherever_they_stand() -> None:
    low, high = (".".join(map(str, each)) for each in (environment.OLDEST, environment.NEWEST))
    major, minor = environment.NEWEST
    assert f"Python {low} to {high} " in README
    assert (
        f'requires-python = ">={low},<{major}.{minor + 1}"' in (ROOT / "pyproject.toml").read_text()
    )
    assert f'python: ["{low}", "{high}"]' in (ROOT / ".github/workflows/ci.yml").read_text()


def test_a_training_saves_its_state_as_often_as_the_readme_says() -> None:
    assert f"every {checkpoint.SECONDS} seconds" in README


def test_a_training_saves_its_state_where_the_readme_says(finished: Project) -> None:
    code = "from digits import checkpoint; print(checkpoint.FOLDER)"
    printed = finished.run("python", "-c", code, HOME="/home/me", CHECKPOINTS="").stdout
    assert printed.startswith("/home/me/.cache/mnist-dvc") and "`~/.cache/mnist-dvc`" in README


def test_the_readme_says_which_recipes_average_views_and_hold_no_images_out() -> None:
    params, words = YAML(typ="safe").load(ROOT / "params.yaml"), " ".join(README.split())
    views, recipes = params["evaluate"]["test_time_augmentation"], params["recipes"]
    assert [name for name in recipes if views[name] == 8] == ["good", "best"]
    assert "`good` and `best` augment training images, and average nine views" in words
    whole = [name for name in recipes if not recipes[name]["validation_split"]]
    assert whole == ["fast", "good", "best"]
    assert "`fast`, `good` and `best` hold none out" in words


def test_every_stage_is_drawn_in_the_diagram() -> None:
    [diagram] = [text for language, text in CODE.findall(README) if language == "mermaid"]
    assert [stage for stage in STAGES if not re.search(rf"\b{stage}\b", diagram)] == []


MACHINE = "family 26"  # whose seconds the README shows


def measurements() -> list[dict[str, str]]:
    with (ROOT / "benchmarks/results/accuracy.csv").open() as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def test_the_accuracies_are_those_that_were_measured() -> None:
    measured: dict[str, dict[int, float]] = defaultdict(dict)
    for row in measurements():
        if row["what"] == "notebook" and MACHINE not in row["machine"]:
            continue  # it has other numbers on other processors
        accuracy = 100 * float(row["accuracy"])
        on_another_machine = measured[row["what"]].setdefault(int(row["seed"]), accuracy)
        assert accuracy == on_another_machine
    seconds = {}
    for line in (ROOT / "benchmarks/results/recipes.md").read_text().splitlines():
        if MACHINE in line:
            _, name, _, _, _, _, _, wall, *_ = map(str.strip, line.split("|"))
            seconds[name] = f"{float(wall):.0f}"
    page = (ROOT / "benchmarks/README.md").read_text().splitlines()
    for name, by_seed in measured.items():
        assert sorted(by_seed) == [*range(len(by_seed))]
        found = by_seed.values()
        mean = f"{statistics.mean(found):.2f} ± {statistics.stdev(found):.2f}"
        [line] = [line for line in README.splitlines() if name in line and mean in line]
        assert line.endswith(f"| {mean} | {len(found)} | {seconds[name]} |")
        cells = f"| {len(found)} | {mean} | {min(found):.2f} to {max(found):.2f} |"
        assert [text for text in page if name in text and cells in text], cells
    assert len(re.findall(r"^\|.* ± .*\|$", README, re.MULTILINE)) == len(measured)


def test_what_runs_again_after_a_change_is_what_dvc_yaml_says() -> None:
    pipeline = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    uses = {
        stage: {entry.partition(".")[0] for entry in pipeline[stage].get("params", [])}
        for stage in STAGES
    }
    [rows] = re.findall(r"\| you change .*\n\| --- .*\n((?:\|.*\n)+)", README)
    told = dict(re.findall(r"^\| (`.+) \| (.+) \|$", rows, re.M))
    assert len(told) == 5
    for changed, runs in told.items():
        first = {"all": "download", "all but download": "preprocess"}.get(runs, runs.split(",")[0])
        for section in re.findall("`(\\w+)`", changed):
            users = [stage for stage in STAGES if section in uses[stage]]
            assert users[0] == first
        assert runs.startswith("all") or runs == ", ".join(STAGES[STAGES.index(first) :])


def test_the_metrics_that_are_compared_are_those_that_were_measured() -> None:
    """Not those of reports: they are of another run where MNIST could not be reached."""
    shown = dict(re.findall(r"^reports/metrics.json +(\w+) +(\S+)", README, re.M))
    first = [row for row in measurements() if (row["what"], row["seed"]) == ("original", "0")]
    assert {float(row["accuracy"]) for row in first} == {float(shown["test_accuracy"])}
    assert int(shown["errors"]) == round(10_000 * (1 - float(shown["test_accuracy"])))


def test_the_pages_count_the_processors_of_the_table() -> None:
    names = {row["processor"] for row in verified() if row["same"] == row["outputs"]}
    emulated = {name for name in names if "emulated" in name}
    counted = f"[{len(names - emulated)} processors and {len(emulated)} emulated ones]"
    assert counted in " ".join(README.split())
    page = (ROOT / "docs/bytes.md").read_text()
    assert f"{len(names)} processors]" in " ".join(page.split())


def test_the_container_runs_the_first_command_of_the_readme() -> None:
    text = (ROOT / ".devcontainer/devcontainer.json").read_text()
    container = json.loads(re.sub(r"^//.*", "", text, flags=re.MULTILINE))
    command = container["postCreateCommand"]
    assert f"```console\n$ {command}\n" in README
    assert (ROOT / ".devcontainer" / container["build"]["dockerfile"]).exists()
    assert command in (ROOT / ".github/workflows/ci.yml").read_text()


# --- its examples run ---


def program(command: str) -> str:
    """What `make` calls where that is a program alone; other commands as they are."""
    return re.sub(r"^make (why|show|study|predict)\b(?: ARGS=)?", r"python -m tools.\1 ", command)


@pytest.mark.slow
def test_every_example_of_the_readme_runs_and_prints_what_it_says(project: Project) -> None:
    bring(project.root / "data")
    shutil.move(project.root / "data/flowers", project.root / "data/own")
    project.change(recipes__own__steps=4, recipes__own__network=SMALL)
    project.commit("few steps")
    image = np.load(project.root / "data/processed/test_images.npy")[0, ..., 0]
    (project.root / "docs").mkdir(exist_ok=True)
    Image.fromarray((255 * image).astype(np.uint8)).save(project.root / "docs/number.jpg")
    left = []
    for example in examples(README):
        command, *expected = example.splitlines()
        command = program(command).replace("range(0,5)", "range(0,1)")
        if command.startswith(("dvc", "git", "python")):
            before = project.outputs() if "--run-all" in command else {}
            printed = project.run(*shlex.split(command), COLUMNS="120").stdout
            assert not before or project.outputs() == before
            if "tools.study" in command:
                assert {row.split()[0] for row in printed.splitlines()} >= {"16", "32"}
            assert set(plain("\n".join(expected))) <= set(plain(printed))
            if "tools.show" in command:
                assert "wider" in printed
                assert max(map(len, printed.splitlines())) <= 120
        else:
            left.append(command)
    of_make = ["repro", "test", "demo", "export", "verify", "mend"]  # which have tests of their own
    assert left == [*(f"make {name}" for name in of_make[:2]), ". .venv/bin/activate"] + [
        f"make {name}" for name in of_make[2:]
    ]


def test_make_why_says_what_the_readme_shows(project: Project) -> None:
    [shown] = [text for language, text in CODE.findall(README) if "may run" in text]
    project.change(recipes__original__epochs=2)
    printed = project.run("python", "-m", "tools.why").stdout
    assert set(plain(shown.replace("5 -> 6", "1 -> 2"))) <= set(plain(printed))
