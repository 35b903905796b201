"""What README and docs/ say: their examples run and print what stands there, their links lead somewhere."""

import csv
import json
import re
import shlex
import statistics
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, STAGES, Project
from PIL import Image

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
README = PAGES[0].read_text()


def examples(page: str) -> list[str]:
    """Each command of a page, with the lines that it is said to print."""
    blocks = re.findall(r"```console\n(.*?)```", page, re.S)
    return [command for block in blocks for command in re.split(r"^\$ ", block, flags=re.M)[1:]]


EXAMPLES = examples(README)
SHOW = "python -m tools.study --list --metric test_accuracy"  # make show


def plain(text: str) -> list[str]:
    """Each line's words; how wide a table is drawn is no matter."""
    return [" ".join(line.split()) for line in text.strip().splitlines() if line.strip()]


def test_every_example_of_dvc_and_python_runs_and_prints_what_it_says(project: Project) -> None:
    for name in ("images", "labels"):
        for split in ("train", "t10k"):
            source = next((project.root / "data" / "raw").glob(f"{split}-{name}*"))
            (project.root / "data" / "own" / source.name).write_bytes(source.read_bytes())
    image = np.load(project.root / "data/processed/test_images.npy")[0, ..., 0]
    Image.fromarray((255 * image).astype(np.uint8)).save(project.root / "five.png")
    for example in EXAMPLES:
        command, *expected = example.splitlines()
        command = command.replace("make why", "python tools/why.py").replace("make show", SHOW)
        if command.startswith(("dvc", "python")):
            printed = project.run(*shlex.split(command)).stdout
            assert command != SHOW or ("wider" in printed and max(map(len, printed.splitlines())) <= 120)
            assert set(plain("\n".join(expected))) <= set(plain(printed))


@pytest.mark.parametrize("command", [example.splitlines()[0] for example in EXAMPLES if example.startswith("make")])
def test_every_make_example_is_a_target(command: str, project: Project) -> None:
    target = command.removeprefix("make ")
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.M)


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_stage_is_drawn_in_the_diagram() -> None:
    diagram = re.findall(r"```mermaid\n(.*?)```", README, re.S)[0]
    assert all(re.search(rf"\b{stage}\b", diagram) for stage in STAGES)


def test_no_example_is_left_out() -> None:
    assert len(EXAMPLES) >= 8


def test_its_accuracies_are_those_that_were_measured() -> None:
    with (ROOT / "benchmarks/results/accuracy.csv").open() as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    for recipe in {row["what"] for row in rows}:
        right = [100 * float(row["accuracy"]) for row in rows if row["what"] == recipe]
        words = (
            f"{statistics.mean(right):.2f} ± {statistics.stdev(right):.2f} % | {min(right):.2f} to {max(right):.2f} %"
        )
        assert f"| 0 to {len(right) - 1} | {words} |" in README, recipe


def test_the_page_on_own_data_does_what_it_says(project: Project, tmp_path: Path) -> None:
    page = (ROOT / "docs/own-data.md").read_text()
    [code] = re.findall("```python\n(.*?)```", page, re.S)
    command, *shared = examples(page)
    arrays = [f"{part} = np.load('data/processed/{part}.npy')" for part in ("train_images", "test_images")]
    arrays += ["train_images, test_images = (np.uint8(255 * part[..., 0]) for part in (train_images, test_images))"]
    arrays += ["train_labels, test_labels = np.arange(400) % 3, np.arange(100) % 3"]
    project.run("python", "-c", "\n".join(["import numpy as np", *arrays, code]))
    project.run(*shlex.split(command))
    metrics = json.loads((project.root / "reports/metrics.json").read_text())
    assert metrics["dataset"] == "folder"
    assert len((project.root / "reports/class_accuracy.csv").read_text().splitlines()) == 1 + 3

    (project.root / "data/mine").mkdir()
    for path in (project.root / "data/own").glob("*-ubyte"):
        path.rename(project.root / "data/mine" / path.name)
    for example in shared:
        project.run(*shlex.split(example))
    project.run("git", "add", "--all")
    project.run("git", "commit", "--quiet", "--message", "mine")
    project.run("dvc", "remote", "add", "--default", "--local", "store", str(tmp_path / "store"))
    project.run("dvc", "push")
    project.run("git", "clone", "--quiet", str(project.root), str(tmp_path / "clone"))
    colleague = Project(tmp_path / "clone")
    colleague.run("dvc", "remote", "add", "--default", "--local", "store", str(tmp_path / "store"))
    colleague.run("dvc", "pull")
    assert colleague.repro() == []


@pytest.mark.slow
def test_the_worked_example_runs_in_a_shortened_form(project: Project) -> None:
    page = (ROOT / "docs/dropout.md").read_text()
    params = (project.root / "params.yaml").read_text()
    for lines in re.findall(r"```diff\n(.*?)```", page, re.S):
        before, after = (re.sub(rf"^\{sign}.*\n", "", lines, flags=re.M) for sign in "+-")
        before, after = (re.sub(r"^.", "", text, flags=re.M) for text in (before, after))
        assert before in params
        params = params.replace(before, after, 1)
    (project.root / "params.yaml").write_text(params)
    for example in examples(page):
        command = example.splitlines()[0]
        for long, short in {"size=5000": "size=200", "epochs=20": "epochs=1", "range(0,5)": "range(0,2)"}.items():
            command = command.replace(long, short)
        command = command.replace("dropout-11", "dropout-3").replace("0,0.25,0.5", "0,0.5")
        printed = project.run(*shlex.split(command)).stdout
        if "tools.study" in command:
            header, *rows = map(str.split, printed.splitlines())
            assert header == ["dropout.rate", "n", "validation_accuracy", "sd", "behind"]
            assert sorted((rate, n) for rate, n, *_ in rows) == [("0", "2"), ("0.5", "2")]
    assert (project.root / "study.png").stat().st_size > 5_000
    assert "+        rate: 0.5" in project.run("git", "diff", "HEAD", "with-dropout").stdout


@pytest.mark.slow
def test_a_team_shares_a_run_an_experiment_and_a_network_as_the_page_says(project: Project, tmp_path: Path) -> None:
    project.run("git", "init", "--quiet", "--bare", str(tmp_path / "team.git"))
    project.run("git", "remote", "add", "origin", str(tmp_path / "team.git"))
    colleague, shared = Project(tmp_path / "colleague"), project.outputs()
    for example in examples((ROOT / "docs/teams.md").read_text()):
        command, *expected = example.splitlines()
        if command == "dvc pull":
            project.run("git", "clone", "--quiet", str(tmp_path / "team.git"), str(colleague.root))
        here = colleague if command in ("dvc pull", "dvc status") else project
        printed = here.run(*shlex.split(command.replace("/srv/digits", str(tmp_path / "store")))).stdout
        assert set(plain("\n".join(expected))) <= set(plain(printed))
    assert colleague.outputs() == shared
    assert colleague.repro() == []
    assert "Pulled experiment" in colleague.run("dvc", "exp", "pull", "origin", "longer").stdout
    fetched = tmp_path / "fetched.keras"
    colleague.run("dvc", "artifacts", "get", str(tmp_path / "team.git"), "digit-reader", "--out", str(fetched))
    assert fetched.read_bytes() == (colleague.root / "models/network.keras").read_bytes()
