"""What the pages say: they are short, their examples run and print what stands there, their links
lead somewhere."""

import ast
import csv
import fnmatch
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, STAGES, Project, stages_in
from PIL import Image
from ruamel.yaml import YAML

from digits import idx

# of tests/test_readme.py, and what programs write
ELSEWHERE = [ROOT / name for name in ("README.md", "docs/faults.md", "docs/params.md")]
FOUND = [page for folder in (".", "docs", "benchmarks") for page in (ROOT / folder).glob("*.md")]
PAGES = [
    pytest.param(page, id=str(page.relative_to(ROOT)))
    for page in sorted(FOUND)
    if page not in ELSEWHERE
]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
CODE = re.compile(r"^```(\w*)\n(.*?)^```\n", re.M | re.S)


def examples(page: str) -> list[str]:
    """Each command of a page, with the lines that it is said to print."""
    blocks = [text for language, text in CODE.findall(page) if language == "console"]
    return [command for block in blocks for command in re.split(r"^\$ ", block, flags=re.M)[1:]]


def paragraphs(page: str) -> Iterator[str]:
    """Paragraphs and list items as they are read: no code, no tables, no headings, no addresses."""
    text = re.sub(r"\]\([^)]*\)", "]", CODE.sub("\n", page))
    for block in re.split(r"\n\s*\n", text):
        if not block.lstrip().startswith(("|", "#")):
            yield from re.split(r"\n(?=- |\d+\. )", block)


def plain(text: str) -> list[str]:
    """Each line's words; how wide a table is drawn is no matter."""
    return [" ".join(line.split()) for line in text.strip().splitlines() if line.strip()]


# --- they are short ---


@pytest.mark.parametrize("page", PAGES)
def test_no_paragraph_has_more_than_60_words(page: Path) -> None:
    long = [text for text in paragraphs(page.read_text()) if len(text.split()) > 60]
    assert long == []


@pytest.mark.parametrize("page", PAGES)
def test_no_sentence_goes_on_after_a_block_of_code(page: Path) -> None:
    after = CODE.sub("@code@\n", page.read_text())
    assert re.findall(r"@code@\n\s*([a-z].*)", after) == []


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_code_is_whole_and_no_command_is_broken(page: Path) -> None:
    text = page.read_text()
    assert "```" not in CODE.sub("", text)
    for language, code in CODE.findall(text):
        assert language in ("", "console", "diff", "mermaid", "python")
        assert language != "console" or code.startswith("$ ")
        assert not re.search(r"\\$", code, re.M)


@pytest.mark.parametrize("page", [*PAGES, pytest.param(ROOT / "docs/faults.md", id="faults")])
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)]+)", page.read_text()):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)", target.read_text(), re.M)
            signs = r"[^\w\- ]"  # which GitHub leaves out of an anchor
            anchors = [re.sub(signs, "", title.lower()).replace(" ", "-") for title in headings]
            assert anchor in anchors, link


# --- what they say is so ---


def targets() -> set[str]:
    """What `make` can be asked for; `%` stands for any name."""
    rules = re.findall(r"^([^\s#:=][^#:=]*):(?!=)", (ROOT / "Makefile").read_text(), re.M)
    return {target for rule in rules for target in rule.split()}


def matches(name: str, known: set[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, target.replace("%", "*")) for target in known)


def test_git_leaves_out_a_users_own_pictures() -> None:
    ignored = ["git", "check-ignore", "--quiet", "data/own/flowers/1.png"]
    assert subprocess.run(ignored, cwd=ROOT).returncode == 0


def test_what_is_to_be_changed_is_where_contributing_says() -> None:
    pairs = re.findall(r"`(\w+)`(?: there)? in \[?(\w+/[\w/]+\.py)", CONTRIBUTING)
    assert len(pairs) > 30
    for name, file in pairs:
        assert re.search(rf"\b{name}\b", (ROOT / file).read_text()), (name, file)


def test_the_accuracies_of_own_are_those_that_were_measured() -> None:
    page = (ROOT / "docs/own-data.md").read_text()
    measured = (ROOT / "benchmarks/results/own_data.md").read_text()
    rows = re.findall(r"^\| (\w+) +\| 3 +\| (\S+ ± \S+) \|.*\| 3 +\| (\S+) ±", measured, re.M)
    assert len(rows) == 5
    for _, own, tutorial in rows:
        assert f"| {own} % | {tutorial} % |" in page


def test_stages_do_not_import_each_other() -> None:
    for path in (ROOT / "stages").glob("[!_]*.py"):
        assert not re.search(r"^\s*(from|import) (stages\b|\.)", path.read_text(), re.M), path


@pytest.mark.parametrize("page", PAGES)
def test_every_target_of_make_that_a_page_names_is_there(page: Path) -> None:
    named = re.findall(r"(?:`|^\$ )make ([\w./-]+)", page.read_text(), re.M)
    known = targets()
    assert [name for name in named if not matches(name, known) and name != "NAME"] == []


def imported(folder: str) -> set[str]:
    """The top-level packages that the modules of a folder import."""
    names = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module)
    return {name.partition(".")[0] for name in names}


def test_folders_use_each_other_as_they_are_drawn() -> None:
    [diagram] = [text for language, text in CODE.findall(CONTRIBUTING) if language == "mermaid"]
    arrows = re.findall(r"(\w+) --> (\w+)", diagram)
    folders = {name for arrow in arrows for name in arrow}

    def below(folder: str) -> set[str]:
        direct = {end for start, end in arrows if start == folder}
        return direct.union(*map(below, direct))

    for folder in folders:
        assert imported(folder) & folders - {folder} <= below(folder), folder
        assert folder not in below(folder)


# --- their examples run ---


SMALL = ["GlobalAveragePooling2D", "dense", "Softmax"]  # a network, in place of that of `own`


def bring(data: Path) -> None:
    """Put data of each kind that docs/own-data.md names into a folder."""
    rng = np.random.default_rng(0)
    for split, count in {"train": 20, "test": 5}.items():
        for name in ("daisy", "rose"):
            (data / "flowers" / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (16, 16, 3), np.uint8)
                Image.fromarray(pixels).save(data / f"flowers/{split}/{name}/{number}.png")
    images, labels = rng.integers(0, 256, (40, 8, 8), np.uint8), np.arange(40) % 2
    (data / "leaves/images").mkdir(parents=True)
    (data / "pets").mkdir()
    for number, (image, label) in enumerate(zip(images, labels)):
        name = "great_pyrenees" if label else "Abyssinian"
        Image.fromarray(image).save(data / f"pets/{name}_{number}.jpg")
        Image.fromarray(image).save(data / f"leaves/images/0a1b{number}.jpg")
    rows = [f"0a1b{number},{'rust' if label else 'healthy'}" for number, label in enumerate(labels)]
    (data / "leaves/labels.csv").write_text("\n".join(["image_id,label", *rows, ""]))
    arrays = {"train_images": images, "train_labels": labels}
    arrays |= {"test_images": images, "test_labels": labels}
    np.savez(data / "pneumonia.npz", **arrays)  # type: ignore[arg-type]
    (data / "table").mkdir()
    rows = [",".join(map(str, [label, *image.ravel()])) for image, label in zip(images, labels)]
    header = ",".join(["label", *(f"pixel{i}" for i in range(64))])
    (data / "table/train.csv").write_text("\n".join([header, *rows, ""]))
    for folder, start in {"letters": "emnist-letters-", "mine": ""}.items():
        (data / folder).mkdir()
        for (_, kind), name in idx.FILES.items():
            array = images if kind == "images" else labels.astype(np.uint8)
            name = name.replace("t10k", "test") if start else name
            with idx.create(data / folder / f"{start}{name}", array.shape) as file:
                file.write(array.tobytes())


@pytest.mark.slow
def test_the_page_on_own_data_does_what_it_says(project: Project, tmp_path: Path) -> None:
    page = (ROOT / "docs/own-data.md").read_text()
    [shown] = [text for language, text in CODE.findall(page) if "pictures: " in text]
    project.change(recipes__own__steps=4, recipes__own__network=SMALL)
    project.commit("few steps")
    bring(project.root / "data/own")
    shutil.move(project.root / "data/own/mine", project.root / "data/mine")
    for example in examples(page):
        printed = project.run(*shlex.split(example)).stdout
        if "path=" in example:
            evaluation = json.loads((project.root / "reports/evaluation.json").read_text())
            assert evaluation["dataset"] == re.findall(r"path=data/(?:own/)?(\w+)", example)[0]
        if "--name flowers" in example:
            assert shown.strip() in printed
        if "--name letters" in example:
            assert "turned upright" in printed

    # shared, as the last examples say
    project.commit("mine")
    project.run("dvc", "remote", "add", "--default", "--local", "store", str(tmp_path / "store"))
    project.run("dvc", "push")
    project.run("git", "clone", "--quiet", str(project.root), str(tmp_path / "clone"))
    colleague = Project(tmp_path / "clone")
    colleague.run("dvc", "remote", "add", "--default", "--local", "store", str(tmp_path / "store"))
    colleague.run("dvc", "pull")
    assert colleague.repro() == []
    temporary = "dvc exp run --temp --name elsewhere -S train.seed=1"
    assert "elsewhere" in colleague.run(*shlex.split(temporary)).stdout


@pytest.mark.slow
def test_predict_says_of_each_test_picture_what_evaluate_said(project: Project) -> None:
    bring(project.root / "data")
    project.change(recipes__own__steps=4)
    flowers = ["-S", "download.dataset=folder", "-S", "datasets.folder.path=data/flowers"]
    project.run("dvc", "exp", "run", "-S", "recipe=own", *flowers)
    files = sorted((project.root / "data/flowers/test").rglob("*.png"))
    said = project.run("python", "-m", "tools.predict", "--json", *map(str, files)).stdout
    found = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    one = sorted(
        (Path(entry["file"]).parent.name, entry["read"], f"{entry['confidence']:.4f}")
        for entry in found
    )
    with (project.root / "reports/predictions.csv").open() as file:
        rows = csv.DictReader(file)
        other = [(r["actual"], r["predicted"], f"{float(r['confidence']):.4f}") for r in rows]
    assert one == sorted(other)
    names = {entry["file"].partition("flowers/")[2]: entry["read"] for entry in found}
    with (project.root / "reports/mistakes.csv").open() as file:
        mistakes = {row["image"]: row["predicted"] for row in csv.DictReader(file)}
    assert mistakes == {name: read for name, read in names.items() if read != name.split("/")[1]}


@pytest.mark.slow
def test_the_worked_example_runs_in_a_shortened_form(project: Project) -> None:
    page = (ROOT / "docs/augmentation.md").read_text()
    shorter = {"size=2000": "size=200", "epochs=20": "epochs=1", "range(0,5)": "range(0,2)"}
    shorter |= {"0,0.05,0.1": "0,0.05", "shift-6": "shift-3"}
    for example in examples(page):
        command = example.splitlines()[0]
        for long, short in shorter.items():
            command = command.replace(long, short)
        printed = project.run(*shlex.split(command), COLUMNS="120").stdout
        if "tools.study" in command:
            header, *rows = map(str.split, printed.splitlines()[:3])
            assert header == example.splitlines()[1].split()
            assert sorted((shift, n) for shift, n, *_ in rows) == [("0", "2"), ("0.05", "2")]
            assert "reference: otherwise as committed" in printed
            assert "\nall differ from the commit in: preprocess.train_size 200\n" in printed
    assert (project.root / "study.png").stat().st_size > 5_000
    diff = project.run("git", "diff", "HEAD", "with-shift", "--", "params.yaml").stdout
    assert re.search(r"^\+ .*shift: 0\.05\b", diff, re.M)


@pytest.mark.slow
def test_a_team_shares_a_run_an_experiment_and_a_network_as_the_page_says(
    project: Project, tmp_path: Path
) -> None:
    project.run("git", "init", "--quiet", "--bare", str(tmp_path / "team.git"))
    project.run("git", "remote", "add", "origin", str(tmp_path / "team.git"))
    [artifact] = YAML(typ="safe").load(ROOT / "dvc.yaml")["artifacts"]
    colleague, shared = Project(tmp_path / "colleague"), project.outputs()
    for example in examples((ROOT / "docs/teams.md").read_text()):
        command, *expected = example.splitlines()
        if command == "dvc pull":
            project.run("git", "clone", "--quiet", str(tmp_path / "team.git"), str(colleague.root))
        here = colleague if command in ("dvc pull", "dvc status") else project
        command = command.replace("/srv/digits", str(tmp_path / "store"))
        command = command.replace("digit-reader", artifact)
        printed = here.run(*shlex.split(command)).stdout
        assert set(plain("\n".join(expected))) <= set(plain(printed))
    assert colleague.outputs() == shared
    assert colleague.repro() == []
    assert "Pulled experiment" in colleague.run("dvc", "exp", "pull", "origin", "longer").stdout
    fetched = tmp_path / "fetched.keras"
    team = str(tmp_path / "team.git")
    colleague.run("dvc", "artifacts", "get", team, artifact, "--out", str(fetched))
    assert fetched.read_bytes() == (colleague.root / "models/network.keras").read_bytes()


def other_project(root: Path) -> Project:
    """A new project of Git and DVC."""
    root.mkdir()
    other = Project(root)
    other.run("git", "init", "--quiet")
    other.run("dvc", "init", "--quiet")
    return other


@pytest.mark.slow
def test_the_commands_of_dvc_do_what_the_page_says(project: Project, tmp_path: Path) -> None:
    project.run("dvc", "remote", "add", "--default", "store", str(tmp_path / "store"))
    project.commit("a remote")
    project.run("dvc", "push")
    project.run("git", "clone", "--quiet", str(project.root), str(tmp_path / "clone"))
    clone, other = Project(tmp_path / "clone"), other_project(tmp_path / "other")
    clone.change(plot__mistakes=5)

    printed = {}
    for command in examples((ROOT / "docs/dvc.md").read_text()):
        here = other if " URL " in command or "update" in command else project
        here = clone if "--pull" in command else here
        command = command.strip().replace("URL", str(project.root))
        if "declared" in command and not shutil.which("strace"):
            continue
        printed[" ".join(command.split()[1:3])] = here.run(*shlex.split(command)).stdout

    assert [line.split()[0] for line in printed["stage list"].splitlines()] == STAGES
    assert "[kept]" in printed["exp list"]
    assert "later" in printed["queue status"]
    network = (project.root / "models/network.keras").read_bytes()
    assert (other.root / "network.keras").read_bytes() == network
    assert (other.root / "test_images.npy").exists()
    assert stages_in(printed["repro --pull"]) == ["validate", "plot"]
    assert not (clone.root / "models/network.keras").exists()
    assert not (clone.root / "data/idx").exists()
    assert project.repro() == []


# --- what Git runs before a commit ---

HOOKS = YAML(typ="safe").load(ROOT / ".pre-commit-config.yaml")["repos"][0]["hooks"]


def test_the_hooks_need_no_network_and_check_what_make_lint_checks() -> None:
    assert {hook["language"] for hook in HOOKS} == {"system"}
    entries = [hook["entry"] for hook in HOOKS]
    for command in ("ruff check", "ruff format", "mypy"):
        assert any(entry.startswith(f".venv/bin/{command}") for entry in entries), command


@pytest.mark.slow
def test_a_commit_whose_dvc_lock_does_not_fit_is_refused(project: Project, tmp_path: Path) -> None:
    [entry] = [hook["entry"] for hook in HOOKS if hook["id"] == "dvc-lock"]
    command = shlex.split(entry.replace(".venv/bin", str(Path(sys.executable).parent)))
    assert project.run(*command, check=False).returncode == 0

    project.run("git", "clone", "--quiet", str(project.root), str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone")  # without data
    assert clone.run(*command, check=False).returncode == 0

    for checkout in (project, clone):
        checkout.change(recipes__original__epochs=2)
        refused = checkout.run(*command, check=False)
        assert refused.returncode == 1
        assert "recipes.original.epochs: 1 -> 2" in refused.stdout
