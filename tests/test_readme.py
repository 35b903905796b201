"""The README's console examples run, and print what it says; its links lead somewhere; its pictures are the figures."""

import csv
import json
import re
import shlex
import statistics

import numpy as np
import pytest
from conftest import ROOT, STAGES, Project
from PIL import Image

README = (ROOT / "README.md").read_text()
EXAMPLES = [command for block in re.findall(r"```console\n(.*?)```", README, re.S) for command in block.split("$ ")[1:]]


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
        command = command.replace("make why", "python tools/why.py")
        if command.startswith(("dvc", "python")):
            printed = project.run(*shlex.split(command)).stdout
            assert set(plain("\n".join(expected))) <= set(plain(printed))


@pytest.mark.parametrize("command", [example.splitlines()[0] for example in EXAMPLES if example.startswith("make")])
def test_every_make_example_is_a_target(command: str, project: Project) -> None:
    target = command.removeprefix("make ")
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.M)


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!https?:)([^)]+)\)", README))))
def test_every_link_leads_to_a_file(link: str) -> None:
    assert (ROOT / link).exists()


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


def test_the_page_on_own_data_does_what_it_says(project: Project) -> None:
    page = (ROOT / "docs/own-data.md").read_text()
    patterns = "```python\n(.*?)```", "```console\n\\$ (.*?)\n"
    [code], [command] = (re.findall(pattern, page, re.S) for pattern in patterns)
    arrays = [f"{part} = np.load('data/processed/{part}.npy')" for part in ("train_images", "test_images")]
    arrays += ["train_images, test_images = (np.uint8(255 * part[..., 0]) for part in (train_images, test_images))"]
    arrays += ["train_labels, test_labels = np.arange(400) % 3, np.arange(100) % 3"]
    project.run("python", "-c", "\n".join(["import numpy as np", *arrays, code]))
    project.run(*shlex.split(command))
    metrics = json.loads((project.root / "reports/metrics.json").read_text())
    assert metrics["dataset"] == "folder"
    assert len((project.root / "reports/class_accuracy.csv").read_text().splitlines()) == 1 + 3
