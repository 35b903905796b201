"""What the programs beside the pipeline say: predict, export, why."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import STAGES, Project
from PIL import Image
from ruamel.yaml import YAML


@pytest.fixture(scope="module")
def pictures(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Twenty test images, enlarged, as dark ink on white paper."""
    folder = tmp_path_factory.mktemp("pictures")
    images = np.load(finished.root / "data/processed/test_images.npy")[:20, ..., 0]
    for i, image in enumerate(images):
        Image.fromarray((255 * (1 - image)).astype(np.uint8)).resize((112, 112)).save(folder / f"{i:02}.png")
    return sorted(folder.iterdir())


def predict(project: Project, *arguments: str | Path, check: bool = True) -> tuple[int, list[str]]:
    done = project.run("python", "-m", "tools.predict", *map(str, arguments), check=check)
    return done.returncode, [line for line in done.stdout.splitlines() if line.startswith(("/", "{", "models"))]


def test_predict_reads_pictures_much_as_evaluate_read_the_test_images(finished: Project, pictures: list[Path]) -> None:
    _, lines = predict(finished, "--json", *pictures)
    found = [json.loads(line) for line in lines]
    assert [entry["file"] for entry in found] == list(map(str, pictures))
    assert all(sum(entry["probabilities"]) == pytest.approx(1, abs=1e-4) for entry in found)
    rows = (finished.root / "reports/predictions.csv").read_text().splitlines()[1:21]
    same = [entry["class"] == int(row.split(",")[1]) for entry, row in zip(found, rows)]
    assert sum(same) >= 15


def test_predict_says_what_is_no_picture_and_reads_the_others(
    finished: Project, pictures: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "cut.png").write_bytes(pictures[0].read_bytes()[:100])
    Image.new("L", (50, 50), 200).save(tmp_path / "blank.png")
    (tmp_path / "folder.png").mkdir()
    names = ["text.png", "cut.png", "blank.png", "absent.png", "folder.png"]
    status, lines = predict(finished, *(tmp_path / name for name in names), pictures[0], check=False)
    assert status == 1
    said = {line.partition(": ")[0].rpartition("/")[2]: line.partition(": ")[2] for line in lines}
    assert said["text.png"].startswith("expected an image such as PNG or JPEG; found: ")
    assert said["cut.png"].startswith("expected an image such as PNG or JPEG; found: ")
    assert said["blank.png"] == "no ink on paper in it"
    assert said["absent.png"] == said["folder.png"] == "no such file"
    assert said["00.png"].endswith(" %)")


def test_predict_without_a_network_says_what_to_do(project: Project, pictures: list[Path]) -> None:
    (project.root / "models/network.keras").unlink()
    status, lines = predict(project, pictures[0], check=False)
    assert (status, lines) == (1, ["models/network.keras: not there; train the network first: dvc repro"])


def test_the_exported_network_reads_every_test_image_alike(project: Project) -> None:
    printed = project.run("python", "-m", "tools.export").stdout.splitlines()[-1]
    assert "models/network.tflite: reads 100 of 100 test images as models/network.keras does" in printed
    assert (project.root / "models/network.tflite").stat().st_size > 900_000


def test_why_tells_old_and_new_values_and_what_follows(project: Project) -> None:
    assert project.why() == dict.fromkeys(STAGES, "up to date")
    project.change(recipes__original__layers__conv1__filters=8)
    printed = project.run("python", "tools/why.py").stdout
    assert "train       runs            recipes.original.layers.conv1.filters: 16 -> 8" in printed
    assert "evaluate    may run         what train makes" in printed


def test_why_tells_what_a_network_lost_and_gained_in_a_short_line(project: Project) -> None:
    network = YAML(typ="safe").load(project.root / "params.yaml")["recipes"]["original"]["network"]
    project.change(recipes__original__network=[*network[:-1], "relu", network[-1]])
    assert "recipes.original.network: + relu" in project.run("python", "tools/why.py").stdout
    project.change(recipe="fast")
    printed = project.run("python", "tools/why.py").stdout
    assert "recipes.fast.layers: new" in printed and max(map(len, printed.splitlines())) <= 100


def test_why_has_a_line_for_each_stage_that_dvc_lock_lacks(project: Project) -> None:
    (project.root / "dvc.lock").unlink()
    lines = project.run("python", "tools/why.py").stdout.splitlines()
    assert [line.split()[0] for line in lines if line.endswith("nothing of it in dvc.lock")] == STAGES


def test_a_study_counts_what_ended_well_and_each_seed_once(project: Project) -> None:
    run = ("dvc", "exp", "run")
    project.run(*run, "--name", "one", "-S", "train.seed=1")
    project.run(*run, "--name", "other", "-S", "train.seed=2", "-S", "plot.mistakes=5")
    project.run(*run, "--name", "again", "-S", "train.seed=1", "-S", "plot.mistakes=24")
    project.run("git", "restore", ".")
    project.run(*run, "--queue", "--name", "refused", "-S", "train.seed=-1")
    project.run(*run, "--run-all", check=False)
    assert "refused" in project.run("dvc", "exp", "show").stdout
    printed = project.run("python", "-m", "tools.study", "--metric", "test_accuracy").stdout
    left_out, header, *rows = map(str.split, printed.splitlines())
    assert left_out == ["left", "out:", "1", "failed"]
    assert header == ["plot.mistakes", "n", "test_accuracy", "sd", "behind"]
    assert sorted((mistakes, n) for mistakes, n, *_ in rows) == [("24", "1"), ("5", "1")]
    done = project.run("python", "-m", "tools.study", "--metric", "test_accuracy", "--figure", "no/file", check=False)
    assert (done.returncode, done.stdout.splitlines()[-1][:10]) == (1, "--figure: ")


def test_why_says_what_dvc_cannot_read(project: Project) -> None:
    (project.root / "dvc.yaml").write_text("stages: 5")
    done = project.run("python", "tools/why.py", check=False)
    assert done.returncode == 1 and "Traceback" not in done.stdout


def test_the_gate_lets_pass_what_is_no_worse_than_the_seeds_before(project: Project) -> None:
    (project.root / "benchmarks/results").mkdir(parents=True)
    rows = "\n".join(f"original,x,{seed},{accuracy},1,1" for seed, accuracy in enumerate((0.98, 0.985, 0.99)))
    header = "# machine\nwhat,settings,seed,accuracy,wall_seconds,cpu_seconds\n"
    (project.root / "benchmarks/results/accuracy.csv").write_text(f"{header}{rows}\n")
    path = project.root / "reports/metrics.json"
    metrics = {**json.loads(path.read_text()), "dataset": "mnist"}
    said = {}
    for accuracy in (0.9701, 0.9699):
        path.write_text(json.dumps({**metrics, "test_accuracy": accuracy}))
        done = project.run("python", "tools/gate.py", check=False)
        said[accuracy] = done.returncode, done.stdout.strip()
    assert said[0.9701] == (0, "reports/metrics.json: test_accuracy 0.9701 is at least 0.9700, the floor of original")
    assert said[0.9699][0] == 1
    assert said[0.9699][1].startswith("reports/metrics.json: test_accuracy: expected at least 0.9700")


@pytest.mark.parametrize("found", [None, "{", "{}", "[]"])
def test_the_gate_says_in_a_line_what_is_no_metrics_file(project: Project, found: str | None) -> None:
    path = project.root / "reports/metrics.json"
    path.unlink() if found is None else path.write_text(found)
    done = project.run("python", "tools/gate.py", check=False)
    assert done.returncode == 1
    [line] = done.stdout.splitlines()
    assert line.startswith("reports/metrics.json: expected what evaluate writes, found:")


def test_compare_tells_metrics_parameters_and_figures(project: Project) -> None:
    nothing = project.run("python", "tools/compare.py", "HEAD").stdout
    assert " ".join(nothing.split()) == "## Metrics as in HEAD ## Parameters as in HEAD ## Figures as in HEAD"
    project.change(plot__mistakes=5, train__seed=1)
    project.repro()
    assert "| reports/figures/mistakes.png |" in project.run("python", "tools/compare.py", "HEAD").stdout
    project.run("git", "commit", "--quiet", "--all", "--message", "fewer")
    printed = project.run("python", "tools/compare.py", "HEAD^", GITHUB_REPOSITORY="own/digits").stdout
    assert "| reports/metrics.json | test_loss |" in " ".join(printed.split())
    assert "| params.yaml | plot.mistakes | 24 | 5 |" in " ".join(printed.split())
    assert "![](https://github.com/own/digits/raw/" in printed
