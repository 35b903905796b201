"""The programs beside the pipeline, and the Makefile that calls them."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, STAGES, Project
from PIL import Image
from ruamel.yaml import YAML
from test_study import by_hand

from tools import dvc_internals, dvc_lock, exp_show, lock, mend, show, tables, why
from tools.exp_show import Run

PROGRAMS = sorted(
    path.stem for path in (ROOT / "tools").glob("*.py") if "def main" in path.read_text()
)
HEAVY = {"tensorflow", "cv2", "keras", "numpy", "matplotlib", "dvc", "ray", "gradio", "pydantic"}


def tool(
    project: Project, name: str, *arguments: str, check: bool = True, **environment: str
) -> subprocess.CompletedProcess[str]:
    command = ["python", "-E", "-m", f"tools.{name}", *arguments]
    return project.run(*command, check=check, **environment)


# --- how programs are called ---


@pytest.mark.parametrize(
    "error, last", [("KeyboardInterrupt", "interrupted"), ("OSError", "OSError")]
)
def test_ctrl_c_ends_a_program_in_a_line_and_an_error_shows_where_it_was(
    error: str, last: str
) -> None:
    command = [sys.executable, "-c", f"import tools; raise {error}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode and done.stderr.splitlines()[-1] == last
    assert ("Traceback" in done.stderr) == (error != "KeyboardInterrupt")


@pytest.mark.parametrize("name", PROGRAMS)
def test_help_comes_at_once_and_needs_no_library(name: str) -> None:
    command = [sys.executable, "-E", "-X", "importtime", "-m", f"tools.{name}", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"usage: python -m tools.{name}" in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert imported & HEAVY == set()


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_says_what_it_does_in_a_few_sentences(name: str) -> None:
    text = (ROOT / f"tools/{name}.py").read_text()
    docstring = text.split('"""')[1]
    assert 10 <= len(docstring.split()) <= 75


def make(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    command = ["make", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def listed() -> list[str]:
    return re.findall(r"^  make ([\w-]+)", make("help").stdout, re.MULTILINE)


def test_bare_make_lists_the_targets() -> None:
    assert make().stdout == make("help").stdout != ""


def test_the_list_of_targets_is_complete() -> None:
    phony = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    targets = {target for line in phony for target in line.split()}
    assert targets - {"help", "installed", "always", "repository"} == set(listed())


def test_the_list_of_targets_fits_a_narrow_terminal() -> None:
    assert max(map(len, make("help").stdout.splitlines())) <= 80


@pytest.mark.parametrize("target", sorted(set(listed()) & set(PROGRAMS)))
def test_a_target_calls_the_program_of_its_name_and_no_other(target: str) -> None:
    calls = re.findall(r"python -E -X utf8 -m tools\.(\w+)", make("--dry-run", target).stdout)
    assert calls == [target]


def test_programs_without_a_target_are_called_by_others() -> None:
    assert set(PROGRAMS) - set(listed()) == {"environment", "experiment", "offline"}


@pytest.mark.parametrize("target", ["why", "show", "study", "gate", "compare", "declared", "mend"])
def test_a_target_that_only_looks_installs_nothing(tmp_path: Path, target: str) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    done = make(target, folder=tmp_path)
    assert done.returncode != 0
    assert done.stdout == "There is no environment here. To set it up: make .venv/ready\n"
    assert [path.name for path in tmp_path.iterdir()] == ["Makefile"]


# --- environment: what is installed ---


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that requires nothing, with an environment."""
    root = tmp_path_factory.mktemp("installed")
    (root / "tools").mkdir()
    for name in ("__init__", "environment"):
        shutil.copy(ROOT / f"tools/{name}.py", root / "tools")
    (root / "requirements.txt").write_text("# nothing\n")
    assert install(root).returncode == 0
    return root


@pytest.fixture
def bare(installed: Path, tmp_path: Path) -> Path:
    """Such a project, for tests that change it."""
    return shutil.copytree(installed, tmp_path / "bare", symlinks=True)


def install(folder: Path, *groups: str) -> subprocess.CompletedProcess[str]:
    python = getattr(sys, "_base_executable", sys.executable)
    command = [python, "-E", "-m", "tools.environment", *groups]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_where_the_requirements_are_installed_nothing_is_done(bare: Path) -> None:
    os.utime(bare / "requirements.txt")
    done = install(bare)
    assert (done.returncode, done.stdout) == (0, "")


def test_other_requirements_are_installed_into_the_environment_that_is_there(bare: Path) -> None:
    (bare / ".venv/mine").touch()
    (bare / "requirements.txt").write_text("# still nothing\n")
    assert install(bare).stdout.startswith("Installing what requirements.txt names")
    assert (bare / ".venv/mine").exists()


@pytest.mark.slow
def test_an_environment_stays_until_a_new_one_stands(bare: Path) -> None:
    (bare / ".venv/mine").touch()
    settings = (bare / ".venv/pyvenv.cfg").read_text()
    (bare / ".venv/pyvenv.cfg").write_text(re.sub("version = .*", "version = 2.7.1", settings))
    (bare / "requirements.txt").write_text("no-hash-given\n")
    assert install(bare).returncode != 0
    assert (bare / ".venv/mine").exists()
    (bare / "requirements.txt").write_text("# nothing again\n")
    assert install(bare).returncode == 0
    assert not (bare / ".venv/mine").exists()
    assert not (bare / ".venv.old").exists()


def test_an_environment_behind_a_link_is_left_alone(bare: Path) -> None:
    (bare / ".venv").rename(bare / "elsewhere")
    (bare / ".venv").symlink_to(bare / "elsewhere")
    assert install(bare).returncode == 0
    (bare / "requirements.txt").write_text("# others\n")
    done = install(bare)
    assert done.returncode != 0
    assert "which has other libraries: remove the link" in done.stderr
    assert (bare / "elsewhere/bin/python").exists()


def test_a_group_without_a_file_is_refused(bare: Path) -> None:
    done = install(bare, "demos")
    assert done.stderr == "expected a group with a file requirements-demos.txt; found none\n"


# --- offline: digits are drawn where MNIST cannot be reached ---

NOBODY = {"https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9", "CI": ""}


@pytest.fixture
def wanting(project: Project) -> Project:
    """A project that wants MNIST and has no data."""
    project.change(download__dataset="mnist")
    shutil.rmtree(project.root / "data/idx")
    project.commit("MNIST")
    return project


def test_offline_changes_one_word_of_params_yaml_and_says_so(wanting: Project) -> None:
    before = (wanting.root / "params.yaml").read_text()
    printed = tool(wanting, "offline", check=True, **NOBODY).stdout
    assert "MNIST cannot be reached: params.yaml now says download.dataset: synthetic" in printed
    now = (wanting.root / "params.yaml").read_text()
    assert now == before.replace("  dataset: mnist", "  dataset: synthetic")


def test_offline_leaves_it_to_validate_that_params_yaml_is_no_text(wanting: Project) -> None:
    file = wanting.root / "params.yaml"
    file.write_bytes(file.read_bytes() + b"# caf\xe9\n")
    tool(wanting, "offline", check=True, **NOBODY)
    assert b"  dataset: synthetic" in file.read_bytes() and file.read_bytes().endswith(b"caf\xe9\n")


def test_offline_knows_what_the_cache_has(project: Project) -> None:
    asked = "python", "-E", "-c", "from tools import offline; print(offline.in_cache())"
    shutil.rmtree(project.root / "data/idx")
    assert project.run(*asked).stdout == "True\n"
    shutil.rmtree(project.root / ".dvc/cache")
    assert project.run(*asked).stdout == "False\n"


def test_offline_says_at_the_end_how_to_go_back(project: Project) -> None:
    said = "This was synthetic data, not MNIST. To go back: "
    said += "download.dataset: mnist in params.yaml, then make repro\n"
    assert tool(project, "offline", "--remind").stdout == said


@pytest.mark.parametrize("variable", ["CI", "DATASET_MIRROR"])
def test_offline_substitutes_nothing_where_it_was_told_better(
    wanting: Project, variable: str
) -> None:
    printed = tool(wanting, "offline", check=True, **NOBODY | {variable: "/nowhere"}).stdout
    assert printed == ""
    assert wanting.run("git", "status", "--porcelain").stdout == ""


def test_offline_substitutes_nothing_where_data_are_there(wanting: Project) -> None:
    (wanting.root / "data/raw").mkdir()
    (wanting.root / "data/raw/train-images-idx3-ubyte").touch()
    assert tool(wanting, "offline", check=True, **NOBODY).stdout == ""


# --- why ---


def test_why_tells_what_a_network_lost_and_gained_in_a_short_line(project: Project) -> None:
    params = YAML(typ="safe").load(project.root / "params.yaml")
    network = params["recipes"]["original"]["network"]
    project.change(recipes__original__network=[*network[:-1], "ReLU", network[-1]])
    assert "recipes.original.network: + ReLU" in tool(project, "why").stdout
    project.change(recipe="fast")
    printed = tool(project, "why").stdout
    assert "recipes.fast: new" in printed
    assert max(map(len, printed.splitlines())) <= 100


def test_why_has_a_line_for_each_stage_that_dvc_lock_lacks(project: Project) -> None:
    (project.root / "dvc.lock").unlink()
    lines = tool(project, "why").stdout.splitlines()
    unknown = [line.split()[0] for line in lines if line.endswith("nothing of it in dvc.lock")]
    assert unknown == STAGES


def test_why_says_what_dvc_cannot_read(project: Project) -> None:
    (project.root / "dvc.yaml").write_text("stages: 5")
    done = tool(project, "why", check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("why: ") and "Traceback" not in done.stdout


@pytest.fixture(scope="module")
def added(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with data that `dvc add` keeps, and with stages of every other kind."""
    root = tmp_path_factory.mktemp("added") / "project"
    project = Project(shutil.copytree(finished.root, root, symlinks=True))
    (project.root / "data/mine").mkdir()
    (project.root / "data/mine/a").write_text("a")
    (project.root / "b").write_text("b")
    project.run("dvc", "add", "data/mine")
    project.run("dvc", "import-url", str(project.root / "b"), "imported")
    with (project.root / "dvc.yaml").open() as file:
        stages, rest = re.split(r"\nplots:\n", file.read())
    others = {
        "use": {"cmd": "cp data/mine/a used", "deps": ["data/mine"], "outs": ["used"]},
        "frozen": {"cmd": "cp b fro", "deps": ["b"], "outs": ["fro"], "frozen": True},
        "always": {"cmd": "cp b alw", "deps": ["b"], "outs": ["alw"], "always_changed": True},
        "keep": {"cmd": "cp b kept", "deps": ["b"], "outs": [{"kept": {"persist": True}}]},
        "each": {
            "foreach": ["x", "y"],
            "do": {"cmd": "cp b ${item}", "deps": ["b"], "outs": ["${item}"]},
        },
        "call": {"cmd": "true"},
    }
    lines = "".join(f"  {name}: {json.dumps(stage)}\n" for name, stage in others.items())
    (project.root / "dvc.yaml").write_text(f"{stages}\n{lines}\nplots:\n{rest}")
    (project.root / "fro").write_text("b")
    project.run("dvc", "commit", "--force", "frozen", "imported.dvc")
    return project


@pytest.fixture
def mine(added: Project, tmp_path: Path) -> Project:
    """Such a project, for tests that change it."""
    return Project(shutil.copytree(added.root, tmp_path / "mine", symlinks=True))


def test_why_knows_every_kind_of_stage(added: Project) -> None:
    own = {stage: state for stage, state in added.why().items() if stage not in STAGES}
    assert own.pop("data/mine.dvc").endswith("up to date")
    assert own.pop("imported.dvc").endswith("up to date")
    assert own == {
        "use": "runs",
        "frozen": "up to date",
        "always": "runs",
        "keep": "runs",
        "each@x": "runs",
        "each@y": "runs",
        "call": "runs",
    }


def test_why_says_of_another_folder_that_it_is_new_or_not_there(project: Project) -> None:
    (project.root / "data/own/a").mkdir()
    (project.root / "data/own/a/b").touch()
    project.change(datasets__folder__path="data/own/a")
    assert "data/own/a: new" in tool(project, "why").stdout
    project.change(datasets__folder__path="data/own/c")
    assert "data/own/c: not there" in tool(project, "why").stdout


def test_why_says_that_added_data_are_recorded_anew_and_who_uses_them(mine: Project) -> None:
    mine.repro()
    (mine.root / "data/mine/a").write_text("changed")
    printed = tool(mine, "why").stdout
    assert "data/mine.dvc recorded        data/mine: modified" in printed
    assert "use         runs            data/mine: modified" in printed


def test_why_says_how_added_data_that_are_lost_come_back(mine: Project) -> None:
    shutil.rmtree(mine.root / "data/mine")
    printed = tool(mine, "why").stdout
    assert "data/mine.dvc missing         data/mine: deleted" in printed
    assert "to get it back: dvc checkout" in printed


def test_why_check_tells_without_data_whether_dvc_lock_fits(project: Project) -> None:
    fresh = Project(project.root.with_name("fresh"))
    project.run("git", "clone", "--quiet", ".", str(fresh.root))
    assert tool(fresh, "why", "--check", check=False).returncode == 1
    options = ["--check", "--allow-missing"]
    assert tool(fresh, "why", *options, check=False).returncode == 0
    with (fresh.root / "stages/preprocess.py").open("a") as file:
        file.write("# a comment\n")
    assert tool(fresh, "why", *options, check=False).returncode == 1


# --- what tools.why needs of DVC's internals: if one of these fails, that function is to be mended


@pytest.fixture
def repository(finished: Project, monkeypatch: pytest.MonkeyPatch):
    from dvc.repo import Repo

    monkeypatch.chdir(finished.root)
    with Repo() as repo, repo.lock:
        yield repo


def locked(project: Project, stage: str) -> dict[str, str]:
    entry = YAML(typ="safe").load(project.root / "dvc.lock")["stages"][stage]
    return {out["path"]: out["md5"] for out in entry["outs"]}


def test_run_key_is_the_name_of_a_folder_in_dvcs_cache(repository) -> None:
    [stage] = repository.stage.collect("preprocess")
    key = dvc_internals.run_key(stage, {})
    assert Path(".dvc/cache/runs", key[:2], key).is_dir()


def test_run_key_takes_sums_that_are_known_beforehand(repository, finished: Project) -> None:
    [stage] = repository.stage.collect("preprocess")
    present = dvc_internals.run_key(stage, {})
    true = locked(finished, "download")["data/idx"]
    assert dvc_internals.run_key(stage, {"data/idx": true}) == present
    assert dvc_internals.run_key(stage, {"data/idx": f"{'0' * 32}.dir"}) != present


def test_last_run_has_the_outputs_that_dvc_lock_names(repository, finished: Project) -> None:
    [stage] = repository.stage.collect("train")
    key = dvc_internals.run_key(stage, {})
    assert dvc_internals.last_run(repository, stage, key) == locked(finished, "train")
    assert dvc_internals.last_run(repository, stage, "0" * 64) is None


def test_inside_folder_finds_a_file_by_the_sum_of_its_folder(repository, finished: Project) -> None:
    folder = locked(finished, "train")["reports/training"]
    entry = YAML(typ="safe").load(finished.root / "dvc.lock")["stages"]["evaluate"]
    [expected] = [d["md5"] for d in entry["deps"] if d["path"] == "reports/training/metrics.json"]
    assert dvc_internals.inside_folder(repository, folder, "metrics.json") == expected


def test_has_run_cache_leaves_out_what_dvc_never_caches(added: Project, monkeypatch) -> None:
    from dvc.repo import Repo

    monkeypatch.chdir(added.root)
    with Repo() as repo:
        found = {
            stage.addressing: dvc_internals.has_run_cache(stage) for stage in repo.index.stages
        }
    assert [found[stage] for stage in STAGES] == [True] * len(STAGES)
    assert [found[stage] for stage in ("always", "keep", "call", "data/mine.dvc")] == [False] * 4


def test_differences_name_the_path_of_each_value() -> None:
    old = {"a": {"b": 1, "c": [1, 2]}, "d": {}}
    new = {"a": {"b": 2, "c": [1, 3]}, "e": {"f": 1}}
    found = list(why.differences(old, new, ""))
    assert found == ["a.b: 1 -> 2", "a.c: - 2, + 3", "d: gone", "e: new"]


# --- show and study ---


@pytest.fixture
def studied(project: Project) -> Project:
    """A project with three experiments that ended well, two of one seed, and one that failed."""
    seeds = {"one": {"train.seed": 1}, "other": {"train.seed": 2, "plot.mistakes": 5}}
    seeds["again"] = {"train.seed": 1, "plot.mistakes": 24}
    for name, params in seeds.items():
        by_hand(project, name, params, [0.9], ece=0.01, errors=10, test_accuracy=0.9)
    project.run("dvc", "exp", "run", "--queue", "--name", "refused", "-S", "train.seed=-1")
    project.run("dvc", "exp", "run", "--run-all", check=False)
    return project


@pytest.mark.slow
def test_show_and_study_count_what_ended_well_and_each_seed_once(studied: Project) -> None:
    above, header, *rows = tool(studied, "show").stdout.splitlines()
    assert above.split() == ["val", "test"]
    assert header.split()[:4] == ["experiment", "accuracy", "accuracy", "loss"]
    found = {row.split()[0]: row.split()[1:] for row in rows}
    assert found.keys() >= {"workspace", "one", "other", "again", "refused"}
    assert found["refused"] == ["failed", "train.seed=-1"]
    assert found["one"][-1] == "train.seed=1"

    printed = tool(studied, "study", "--metric", "test_accuracy").stdout
    left_out, header, *rows = printed.splitlines()
    assert left_out == "left out: 1 failed"
    assert header.split() == ["seeds", "test_accuracy", "sd"]
    assert [row.split()[0] for row in rows] == ["2"]

    done = tool(studied, "study", "--figure", "no/file", check=False)
    assert done.returncode == 1
    assert "--figure: expected a file to write to; found no/file" in done.stdout

    done = tool(studied, "study", "--metric", "accuracy", check=False)
    assert "--metric: no experiment has accuracy; there are: ece, errors, " in done.stdout


def test_show_reads_of_each_experiment_what_dvc_reads(project: Project) -> None:
    """Also of those that DVC cannot read, and of those whose dvc.yaml names other files."""
    more = (project.root / "dvc.yaml").read_text() + "metrics:\n- more.json\n"
    params = (project.root / "params.yaml").read_text()
    tried = {
        "seed": {"params.yaml": f"{params}\nmine: {{rate: 1e-3, kind: no, list: [1, {{a: ~}}]}}\n"},
        "metric": {"reports/metrics.json": '{"loss": 0.5, "inner": {"errors": 1}}'},
        "more": {"dvc.yaml": more, "more.json": '{"f1": 0.5}'},
        "again": {"dvc.yaml": more, "more.json": '{"f1": 0.7}'},
        "less": {"reports/metrics.json": ""},
        "broken": {"params.yaml": "train: ["},
    }
    commit = project.run("git", "rev-parse", "HEAD").stdout.strip()
    for name, files in tried.items():
        for path, text in files.items():
            (project.root / path).write_text(text)
        project.commit(name)
        project.run("git", "update-ref", f"refs/exps/{commit[:2]}/{commit[2:]}/{name}", "HEAD")
        project.run("git", "reset", "--quiet", "--hard", commit)

    def shown(*command: str) -> dict:
        [_, commit] = json.loads(project.run(*command, "exp", "show", "--json").stdout)
        for experiment in [commit, *(each["revs"][0] for each in commit["experiments"])]:
            for key in ("deps", "outs"):
                (experiment["data"] or {}).pop(key, None)
        return commit

    quick = shown("python", "-E", "-m", "tools.dvc_internals")
    assert quick == shown("dvc")
    assert len(quick["experiments"]) == len(tried)


def test_study_without_experiments_says_how_to_make_some(finished: Project) -> None:
    done = tool(finished, "study", check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("no experiment of the present commit has ended well")


def test_show_tells_two_parameters_of_the_same_last_words_apart() -> None:
    rates = ["train.learning_rate", "recipes.fast.learning_rate"]
    commit, tried = (dict.fromkeys(rates, value) for value in ("1", "2"))
    runs = [Run("main", exp_show.DONE, False, {**commit, "recipe": "fast"}, {}, "main")]
    runs += [Run("a", exp_show.DONE, True, {**tried, "recipe": "fast"}, {}, "a")]
    [_, changed] = show.changes(runs, show.bases(runs))
    assert changed == ["train.learning_rate=2", "fast.learning_rate=2"]


def test_a_long_value_is_cut_and_a_long_word_broken() -> None:
    assert tables.cut("conv1,ReLU,Flatten,dense,Softmax") == "…atten,dense,Softmax"
    assert tables.cut("/home/someone/data/own/my pictures") == "…/own/my pictures"
    broken = tables.broken("recipe=good, optimizer.learning_rate=0.0005", 20)
    assert broken == ["recipe=good,", "optimizer.", "learning_rate=0.0005"]


def test_show_tells_of_experiments_of_other_commits(project: Project) -> None:
    project.run("dvc", "exp", "run", "--name", "older", "-S", "plot.dpi=51")
    project.run("git", "restore", "params.yaml")
    (project.root / "note.txt").write_text("")
    project.commit("a second one")
    project.run("dvc", "exp", "run", "--name", "newer", "-S", "plot.dpi=52")
    said = "1 of other commits: make show ARGS=-A\n"
    assert tool(project, "show").stdout.endswith(said)
    assert said not in tool(project, "show", "-A").stdout


def test_show_refuses_options_that_choose_no_rows(project: Project) -> None:
    done = tool(project, "show", "--sort-by", "loss", check=False)
    assert "expected options that choose rows, -n --num" in done.stdout
    assert done.stdout.endswith("; found --sort-by\n")


# --- predict and export ---


@pytest.fixture(scope="module")
def pictures(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Twenty test images, enlarged, as dark ink on white paper."""
    folder = tmp_path_factory.mktemp("pictures")
    images = np.load(finished.root / "data/processed/test_images.npy")[:20, ..., 0]
    for i, image in enumerate(images):
        paper = Image.fromarray((255 * (1 - image)).astype(np.uint8))
        paper.resize((112, 112)).save(folder / f"{i:02}.png")
    return sorted(folder.iterdir())


def test_predict_says_of_each_picture_what_is_read_and_where(
    finished: Project, pictures: list[Path]
) -> None:
    # the network has seen 500 images: what it is sure to know is where the ink is
    files = [*map(str, pictures), "params.yaml"]
    done = tool(finished, "predict", "--json", *files, check=False)
    entries = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [entry["file"] for entry in entries] == files
    found = [entry for entry in entries if entry["read"] is not None]
    assert 10 <= len(found) < len(files)
    assert all("error" in entry for entry in entries if entry not in found)
    for entry in found:
        assert list(entry) == ["file", "read", "confidence", "symbols"]
        [symbol] = entry["symbols"]
        assert symbol["name"] == entry["read"] and symbol["confidence"] == entry["confidence"]
        assert sum(symbol["probabilities"]) == pytest.approx(1, abs=1e-4)
        left, top, right, bottom = symbol["box"]
        assert 0 <= left < right <= 112 and 0 <= top < bottom <= 112


def test_predict_gives_files_of_the_training_size_what_evaluate_gives_the_images(
    finished: Project, tmp_path: Path
) -> None:
    images = np.load(finished.root / "data/processed/test_images.npy")[:20, ..., 0]
    names = [str(tmp_path / f"{i:02}.png") for i in range(20)]
    for image, name in zip(images, names):
        Image.fromarray((255 * image).round().astype(np.uint8)).save(name)
    lines = tool(finished, "predict", "--json", *names).stdout.splitlines()
    found = [json.loads(line)["symbols"][0] for line in lines]
    rows = (finished.root / "reports/predictions.csv").read_text().splitlines()[1:21]
    assert [str(symbol["class"]) for symbol in found] == [row.split(",")[2] for row in rows]
    confidences = [float(row.split(",")[3]) for row in rows]
    best = [max(symbol["probabilities"]) for symbol in found]
    assert best == pytest.approx(confidences, abs=1e-5)


def test_predict_says_what_is_no_picture_and_classifies_the_others(
    finished: Project, pictures: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "cut.png").write_bytes(pictures[0].read_bytes()[:100])
    Image.new("L", (50, 50), 200).save(tmp_path / "blank.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    no_letters = tmp_path / os.fsdecode(b"\xff.png")
    shutil.copy(pictures[0], no_letters)
    names = ["text.png", "cut.png", "blank.png", "absent.png", "folder.png", "phone.heic"]
    paths = [*(str(tmp_path / name) for name in names), str(no_letters), str(pictures[0])]
    done = tool(finished, "predict", *paths, check=False)
    assert done.returncode == 1
    said = {}
    for line in done.stdout.splitlines():
        path, _, words = line.partition(": ")
        said[Path(path).name] = words
    assert said["text.png"].startswith(
        "expected PNG, JPEG, GIF, BMP, WebP, AVIF, TIFF or PPM, found "
    )
    assert "truncated" in said["cut.png"]
    assert said["blank.png"] == "no symbol found: no ink on paper in it"
    assert "found HEIC" in said["phone.heic"] and said["phone.heic"].endswith("export it as JPEG")
    assert said[r"\udcff.png"].endswith(" %)")
    assert said["absent.png"] == "no such file"
    assert said["folder.png"].startswith("expected a picture, found a folder")
    assert said["00.png"].endswith(" %)")


def test_predict_says_what_it_leaves_out_of_a_folder(
    finished: Project, pictures: list[Path], tmp_path: Path
) -> None:
    shutil.copy(pictures[0], tmp_path)
    for name in ("a.heic", "notes.md", ".DS_Store"):
        (tmp_path / name).touch()
    first, *_, last = tool(finished, "predict", str(tmp_path)).stdout.splitlines()
    assert first == f"{tmp_path}: left out: a.heic, notes.md; .heic: export it as JPEG"
    assert last.startswith(str(tmp_path / "00.png: "))


@pytest.mark.slow
def test_a_network_of_another_run_is_told_and_not_exported(
    project: Project, pictures: list[Path]
) -> None:
    """As after `git checkout` without `dvc checkout`."""
    lock = project.root / "dvc.lock"
    known = r"(path: models/network.keras\n\s+hash: md5\n\s+md5: )\w+"
    lock.write_text(re.sub(known, rf"\g<1>{'0' * 32}", lock.read_text()))
    said = "models/network.keras: of another run than dvc.lock; to get that one: dvc checkout\n"
    folder = pictures[0].parent
    printed = tool(project, "predict", str(folder), check=False).stdout  # it learned from few
    assert printed.startswith(said) and printed.count(".png: ") == len(pictures)
    done = tool(project, "export", check=False)
    assert "expected the network of dvc.lock, found that of another run" in done.stdout
    assert not (project.root / "models/network.tflite").exists()


def test_predict_without_a_network_says_what_to_do(project: Project, pictures: list[Path]) -> None:
    (project.root / "models/network.keras").unlink()
    done = tool(project, "predict", str(pictures[0]), check=False)
    expected = "models/network.keras: not there; to get it: dvc pull, or dvc repro\n"
    assert (done.returncode, done.stdout) == (1, expected)


@pytest.mark.slow
def test_predict_classifies_as_the_network_was_judged_whatever_params_yaml_says_now(
    project: Project, pictures: list[Path]
) -> None:
    before = tool(project, "predict", str(pictures[0])).stdout
    project.change(recipe="best")
    assert tool(project, "predict", str(pictures[0])).stdout == before
    text = (project.root / "params.yaml").read_text()
    renamed = re.sub(r"^( +)original:", r"\1mine:", text, flags=re.M)  # recipe and its views
    renamed = renamed.replace("rotation: 0", "rotation: 45")
    (project.root / "params.yaml").write_text(renamed)
    assert tool(project, "predict", str(pictures[0])).stdout == before


def test_of_a_dvc_lock_that_ends_early_the_stages_before_are_read() -> None:
    whole = (ROOT / "dvc.lock").read_bytes()
    sums = dvc_lock.sums(whole)
    whole_stages = [match.start() for match in re.finditer(rb"^  \w+:$", whole, re.MULTILINE)]
    before = [dvc_lock.sums(whole[:start]) for start in whole_stages]
    assert [len(found) for found in before] == sorted({len(found) for found in before})
    assert len(before[-1]) > 10 and all(found.items() <= sums.items() for found in before)
    for length in range(0, len(whole), 7):
        assert dvc_lock.sums(whole[:length]).keys() <= sums.keys()


def test_predict_of_a_missing_file_does_not_wait_for_tensorflow(project: Project) -> None:
    done = project.run("python", "-X", "importtime", "-m", "tools.predict", "no.png", check=False)
    assert done.returncode == 1 and "no.png: no such file" in done.stdout
    assert "tensorflow" not in done.stdout


def test_predict_without_a_picture_says_how_make_is_told_of_one(finished: Project) -> None:
    done = tool(finished, "predict", check=False)
    assert '\n   or: make predict ARGS="IMAGE ..."\n' in done.stdout


def test_the_exported_network_gives_every_test_image_the_same_class(project: Project) -> None:
    *_, compared, accuracy = tool(project, "export").stdout.splitlines()
    said = "100 of 100 test images get the class of models/network.keras"
    assert compared.startswith(f"models/network.tflite: {said}")
    evaluated = json.loads((project.root / "reports/metrics.json").read_text())["test_accuracy"]
    assert accuracy.endswith(f"augmentation: {100 * evaluated:.2f} %")
    exported = project.root / "models/network.tflite"
    assert exported.stat().st_size > 900_000
    with zipfile.ZipFile(exported) as archive:
        about = json.loads(archive.read("about.json"))
        classes = archive.read("classes.txt").decode()
    assert about["input"] == "float32 (n, 28, 28, 1); 0 is paper, 1 is ink"
    assert classes == (project.root / "models/classes.txt").read_text()


@pytest.mark.slow
def test_a_network_that_reads_otherwise_once_exported_is_not_written(project: Project) -> None:
    """None is known that does: what compares is replaced."""
    code = "from tools import export; export.compare = lambda *_: (99, 90, 0.1); export.main()"
    done = project.run("python", "-c", code, check=False)
    assert done.returncode == 1
    assert done.stdout.endswith(
        "99 of 100 test images get the class of models/network.keras: nothing written\n"
    )
    assert not [*(project.root / "models").glob("*.tflite")]


@pytest.mark.slow
def test_the_example_reads_a_picture_with_litert_alone(
    project: Project, pictures: list[Path]
) -> None:
    pytest.importorskip("ai_edge_litert", reason="needs Linux")
    [example] = re.findall(
        r"^```python\n(.*?)^```", (ROOT / "docs/export.md").read_text(), re.M | re.S
    )
    tool(project, "export")
    shutil.copy(pictures[0], project.root / "five.png")
    printed = project.run("python", "-c", example).stdout.splitlines()
    [line] = tool(project, "predict", "--json", "five.png").stdout.splitlines()
    assert json.loads(line)["read"] in printed


# --- compare ---


def test_compare_says_what_is_as_before(finished: Project) -> None:
    printed = tool(finished, "compare", "HEAD").stdout
    expected = "## Metrics as in HEAD ## Parameters as in HEAD ## Figures as in HEAD"
    assert " ".join(printed.split()) == expected


def test_compare_says_what_is_not_up_to_date(project: Project) -> None:
    project.change(plot__mistakes=5)
    said = "Not up to date: validate, plot. What they make is from an earlier run.\n"
    assert tool(project, "compare", "HEAD").stdout.startswith(said)


def test_compare_has_a_figure_that_git_does_not_know_yet(project: Project) -> None:
    figures = project.root / "reports/figures"
    shutil.copy(figures / "mistakes.png", figures / "new.png")
    assert "| reports/figures/new.png |" in tool(project, "compare", "HEAD").stdout


def test_compare_of_a_broken_pipeline_is_refused_in_a_line(project: Project) -> None:
    (project.root / "dvc.yaml").write_text("stages: 1\n")
    done = tool(project, "compare", "HEAD", check=False)
    *_, said = done.stdout.splitlines()
    assert done.returncode == 1 and said == "compare: './dvc.yaml' validation failed", done.stdout


@pytest.mark.slow
def test_compare_tells_metrics_parameters_and_figures(project: Project) -> None:
    project.change(plot__mistakes=5, train__seed=1)
    project.repro()
    assert "| reports/figures/mistakes.png |" in tool(project, "compare", "HEAD").stdout
    project.run("dvc", "exp", "save", "--name", "kept")
    project.commit("fewer")
    assert tool(project, "compare", "kept").stdout.count("as in kept") == 3
    printed = tool(project, "compare", "HEAD^", GITHUB_REPOSITORY="own/digits").stdout
    assert "| reports/metrics.json | loss |" in " ".join(printed.split())
    assert "| params.yaml | plot.mistakes | 24 | 5 |" in " ".join(printed.split())
    assert "![](https://github.com/own/digits/raw/" in printed


def test_compare_with_a_commit_that_is_not_there_fails(finished: Project) -> None:
    done = tool(finished, "compare", "nowhere", check=False)
    said = "compare: expected a commit, a branch or an experiment; found nowhere\n"
    assert (done.returncode, done.stdout) == (1, said)


# --- mend and lock ---

REFUSED = {
    "GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"
}  # as in a container, where another owns the files


def test_a_git_that_refuses_is_an_error_and_nothing_is_mended(project: Project) -> None:
    (project.root / "dvc.lock").write_text("stages: {")
    done = tool(project, "mend", **REFUSED, check=False)
    assert done.returncode == 1
    assert "detected dubious ownership" in done.stdout
    assert "mend: git worktree list --porcelain ended with status 128" in done.stdout
    assert "Traceback" not in done.stdout
    assert (project.root / "dvc.lock").read_text() == "stages: {"


@pytest.mark.fault(
    "DVC",
    "an experiment is stopped before its first stage: Git does not see what it changed",
    "`make mend` lets Git see it",
)
def test_changes_that_git_does_not_see_are_shown_to_it(project: Project) -> None:
    """As an experiment leaves them that is stopped before its first stage begins."""
    params = project.root / "params.yaml"
    before = params.read_text()
    project.run("git", "config", "core.trustctime", "false")
    os.utime(params, (1_000_000_000, 1_000_000_000))
    project.run("git", "status")
    params.write_text(before.replace("dpi: 100", "dpi: 120"))
    os.utime(params, (1_000_000_000, 1_000_000_000))
    assert project.run("git", "diff", "--name-only").stdout == ""
    said = "Git took files for unchanged that an experiment had written: see git status\n"
    assert tool(project, "mend").stdout == said
    project.run("git", "restore", "params.yaml")
    assert params.read_text() == before


def test_a_file_is_whole_only_with_all_that_dvc_writes(finished: Project, tmp_path: Path) -> None:
    text = (finished.root / "dvc.lock").read_text()
    dataset = '{type: url, name: digits, url: "s3://digits", lock: {}}'
    of_dataset = "  count:\n    cmd: 'true'\n    deps:\n    - path: ds://digits\n"
    of_dataset += f"      dataset: {dataset}\n"
    for name, content, whole in [
        ("whole", text, True),
        ("cut", text[:-1], False),
        ("of a dataset of DVC's", text + of_dataset, True),
        ("other", "stages: 5\n", False),
    ]:
        (tmp_path / name).write_text(content)
        assert mend.whole(tmp_path / name) == whole


PARAMS = """\
train: {seed: 0}
environment:  # versions
  keras: 1.0  # of Keras
  PIL: 1.1
  tensorflow: 2.0

plot: {keras: 1.0}
"""
REQUIREMENTS = "keras==3.0 \\\n    --hash=x\npillow==12.0\ntensorflow-cpu==2.9 ; x\n"


def test_lock_changes_versions_and_no_other_byte() -> None:
    expected = PARAMS.replace("keras: 1.0  #", "keras: 3.0  #")
    expected = expected.replace("PIL: 1.1", "PIL: 12.0").replace("flow: 2.0", "flow: 2.9")
    assert lock.with_versions(PARAMS, REQUIREMENTS) == expected


def test_lock_refuses_what_names_two_versions() -> None:
    with pytest.raises(SystemExit, match=r"expected one version of keras; found 3\.0, 3\.1"):
        lock.with_versions(PARAMS, REQUIREMENTS + "keras==3.1\n")


def test_params_yaml_has_the_versions_of_requirements_txt() -> None:
    params = (ROOT / "params.yaml").read_text()
    assert lock.with_versions(params, (ROOT / "requirements.txt").read_text()) == params
