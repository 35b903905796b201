"""tools/declared.py: what it finds in projects of other kinds, and that its patch ends it."""

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, Project

needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")

# In the manner of DVC's own example: scripts in src/, folders as outputs, parameters.
SCRIPTS = {
    "params.yaml": "prepare: {share: 0.5}\n",
    "data/data.txt": "one two three four\n",
    "src/common.py": "def words(path):\n    return open(path).read().split()\n",
    "src/prepare.py": """
import pathlib, yaml
from common import words
share = yaml.safe_load(open("params.yaml"))["prepare"]["share"]
found = words("data/data.txt")
pathlib.Path("data/prepared").mkdir()
for name, part in (("train", found[:2]), ("test", found[2:])):
    pathlib.Path(f"data/prepared/{name}.part").write_text(" ".join(part))
    pathlib.Path(f"data/prepared/{name}.part").rename(f"data/prepared/{name}.txt")
pathlib.Path("scratch").write_text("")
pathlib.Path("scratch").unlink()
""",
    "src/train.py": """
import json, sys
from common import words
open("model.txt", "w").write(words(f"{sys.argv[1]}/train.txt")[0])
print(open("model.txt").read())
json.dump({"words": 2}, open("metrics.json", "w"))
""",
    "metrics.json": "{}",
    "dvc.yaml": """\
# what the model is made of
stages:
  prepare:   # once
    cmd: python src/prepare.py
    deps:
    - data/data.txt   # raw
    - src/prepare.py

    params: [prepare.share]
    outs:
    - data/prepared

  train:
    cmd: python src/train.py data/prepared
    deps: [src/train.py, params.yaml]
    outs:
      # a text, for now
      - model.txt
""",
}
SCRIPTS_FOUND = [
    "prepare reads src/common.py",
    "train reads data/prepared",
    "train reads src/common.py",
    "train writes metrics.json",
    "train declares and does not open params.yaml",
]
SCRIPTS_PATCH = """\
+    - src/common.py
-    deps: [src/train.py, params.yaml]
+    deps: [src/train.py, data/prepared, src/common.py]
+      - metrics.json:
+          cache: false
"""

# A package and a pipeline in a folder of its own, with templates and names beyond ASCII.
PACKAGE = {
    "setup.cfg": "",
    "shop/__init__.py": "",
    "shop/features.py": "from shop.settings import LIMIT\n",
    "shop/settings.py": "import json\nLIMIT = json.load(open('config/größe.json'))['limit']\n",
    "shop/build.py": """
import sys
from shop import features
for number in range(25):
    open(f"data/raw/{number}.csv").read()
open(sys.argv[1], "w").write(str(features.LIMIT))
""",
    "config/größe.json": '{"limit": 3}',
    **{f"data/raw/{number}.csv": "1" for number in range(25)},
    "params.yaml": "paths: {table: data/table.csv}\n",
    "pipelines/dvc.yaml": """\
vars:
  - ../params.yaml
stages:
  build:
    wdir: ..
    cmd: python -m shop.build ${paths.table}
    outs:
      - ${paths.table}
  report:
    wdir: ..
    cmd: >-
      wc -l
      ${paths.table}
      > data/lines.txt
    outs:
      - data/lines.txt
    deps:
      - ${paths.table}
      - shop/build.py""",
}
PACKAGE_FOUND = [
    "pipelines/dvc.yaml:build reads config/größe.json",
    "pipelines/dvc.yaml:build reads data/raw",
    "pipelines/dvc.yaml:build reads shop/__init__.py",
    "pipelines/dvc.yaml:build reads shop/build.py",
    "pipelines/dvc.yaml:build reads shop/features.py",
    "pipelines/dvc.yaml:build reads shop/settings.py",
    "pipelines/dvc.yaml:report declares and does not open shop/build.py",
]
PACKAGE_PATCH = """\
+    deps:
+    - config/größe.json
+    - data/raw
+    - shop/__init__.py
+    - shop/build.py
+    - shop/features.py
+    - shop/settings.py
-      - shop/build.py
"""

# Shell scripts and a program, one stage for each of several items.
SHELL = {
    "steps/common.sh": "limit=1\n",
    "steps/clean.sh": ". steps/common.sh\nhead -n $limit $1 > $2\necho $1 >> steps.log\n",
    "raw/north.csv": "1\n2\n",
    "raw/south.csv": "3\n4\n",
    ".gitignore": "steps.log\n",
    "dvc.yaml": """\
stages:
  clean:
    foreach: [north, south]
    do:
      cmd: sh steps/clean.sh raw/${item}.csv ${item}.csv
      outs:
        - ${item}.csv
  count:
    matrix:
      area: [north, south]
      unit: [c, l]
    cmd:
    - cd steps && ./tools/count -${item.unit} ../${item.area}.csv > ../${item.area}.${item.unit}
    - date >> dates.txt
    deps:
    - ${item.area}.csv
    outs:
    - ${item.area}.${item.unit}
""",
}
TEMPLATE = " (not in the patch: it is not so of all that its template makes)"
SHELL_FOUND = [
    f"clean@north reads raw/north.csv{TEMPLATE}",
    "clean@north reads steps/clean.sh",
    "clean@north reads steps/common.sh",
    f"clean@south reads raw/south.csv{TEMPLATE}",
    "clean@south reads steps/clean.sh",
    "clean@south reads steps/common.sh",
    *(
        f"count@{area}-{unit} {rest}"
        for area in ("north", "south")
        for unit in "cl"
        for rest in ("reads steps/tools/count", "writes dates.txt")
    ),
]


def lay(root: Path, files: dict[str, str]) -> Project:
    """Make a repository of these files."""
    root.mkdir()
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    other = Project(root)
    other.run("git", "init", "--quiet")
    other.run("git", "config", "user.name", "test")
    other.run("git", "config", "user.email", "test@example.org")
    other.run("dvc", "init", "--quiet")
    other.commit("start")
    return other


def declared(
    other: Project, *arguments: str, **environment: str
) -> tuple[list[str], str, str, int]:
    """Run the tool; return its findings, its patch, its remarks and its status."""
    program = shutil.copy(ROOT / "tools/declared.py", other.root.with_name("declared.py"))
    command = [sys.executable, program, *arguments]
    env = other.environment(**environment)
    done = subprocess.run(command, cwd=other.root, env=env, capture_output=True, text=True)
    words, start, patch = done.stdout.partition("--- a/")
    return words.splitlines(), start + patch, done.stderr, done.returncode


def stamps(root: Path) -> dict[Path, tuple[int, int]]:
    """What changes in a checkout when a file is written; Git's notes and DVC's lock aside."""
    files = [path for path in root.rglob("*") if path.is_file()]
    kept = [path for path in files if not {".git", "tmp"} & set(path.parts[len(root.parts) :])]
    return {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in kept}


def apply(other: Project, patch: str) -> None:
    subprocess.run(["git", "apply"], cwd=other.root, input=patch, text=True, check=True)


@needs_strace
@pytest.mark.parametrize(
    ("files", "expected", "lines"),
    [
        pytest.param(SCRIPTS, SCRIPTS_FOUND, SCRIPTS_PATCH, id="scripts", marks=pytest.mark.slow),
        pytest.param(PACKAGE, PACKAGE_FOUND, PACKAGE_PATCH, id="package"),
    ],
)
def test_the_patch_declares_what_was_not_and_the_checkout_stays_as_it_was(
    tmp_path: Path, files: dict[str, str], expected: list[str], lines: str
) -> None:
    other = lay(tmp_path / "other", files)
    other.repro("--recursive", ".")
    before = stamps(other.root)
    found, patch, _, status = declared(other)
    assert (sorted(found), status) == (sorted(expected), 1)
    assert stamps(other.root) == before
    assert list((other.root / ".dvc/tmp").glob("declared-*")) == []

    assert "".join(re.findall(r"^[+-] .*\n", patch, re.MULTILINE)) == lines
    apply(other, patch)
    assert declared(other)[::3] == ([], 0)


@pytest.mark.slow
@needs_strace
def test_what_only_some_stages_of_a_template_use_is_told_in_words(tmp_path: Path) -> None:
    other = lay(tmp_path / "other", SHELL)
    (other.root / "steps/tools").mkdir()
    shutil.copy("/usr/bin/wc", other.root / "steps/tools/count")
    found, patch, _, _ = declared(other)
    assert [line.partition(" (not in the patch: DVC would")[0] for line in found] == SHELL_FOUND
    apply(other, patch)
    again = declared(other)[0]
    assert again == [line for line in found if "not in the patch" in line]


@needs_strace
def test_a_stage_that_fails_or_leaves_a_process_ends_well(tmp_path: Path) -> None:
    command = "cat other.txt > made.txt; sleep 900 & echo $! > process.txt"
    stages = f"stages:\n  one:\n    cmd: {command}\n    outs: [made.txt, process.txt]\n"
    stages += "  two:\n    cmd: cp made.txt two.txt; exit 3\n    deps: [made.txt]\n"
    other = lay(tmp_path / "other", {"other.txt": "", "dvc.yaml": stages})
    found, _, remarks, status = declared(other)
    assert (found, status) == (["one reads other.txt"], 1)
    assert "it left processes running, which were ended: 1\n" in remarks
    assert "'two': failed to run: cp made.txt" in remarks
    assert "exited with 3; of this and later stages nothing is told" in remarks


@needs_strace
def test_names_of_any_bytes_and_lists_in_any_style_are_told(tmp_path: Path) -> None:
    """Each on a line. The out that Git tracks would be refused by DVC: it is not in the patch."""
    files = {"b\udcffad.txt": "1", "n\nl.txt": "2", "kept.txt": "3"}
    stages = """\
stages:
  one:
    cmd: cat b*.txt n*.txt > made.txt; echo 4 > kept.txt
    outs: [{made.txt: {cache: false}}]
"""
    other = lay(tmp_path / "other", {**files, "dvc.yaml": stages})
    found, patch, _, _ = declared(other)
    no = " (not in the patch: it is made from a template, or not on a line of its own)"
    assert found == [
        f"one reads 'b\\udcffad.txt'{no}",
        "one reads 'n\\nl.txt'",
        f"one writes kept.txt{no}",
    ]
    assert '+    - "n\\nl.txt"\n' in patch


@needs_strace
def test_the_copy_of_one_that_was_killed_is_removed_and_that_of_one_at_work_is_not(
    project: Project,
) -> None:
    command = [sys.executable, "-E", str(ROOT / "tools/declared.py"), "validate"]
    places = project.root / ".dvc/tmp"
    with project.start(*command, stderr=subprocess.PIPE) as process:
        assert process.stderr and "runs validate" in process.stderr.readline()
        process.send_signal(signal.SIGSTOP)  # or it may end before it is killed
        assert project.run("python", "-m", "tools.mend").stdout == "nothing to mend\n"
        process.kill()
    said = project.run("python", "-m", "tools.mend").stdout
    assert re.fullmatch(r"\.dvc/tmp/declared-\w+ was left by .* that is gone: removed\n", said)
    assert not list(places.glob("declared-*"))


def test_where_it_cannot_run_it_says_so_in_one_line(tmp_path: Path) -> None:
    other = lay(tmp_path / "other", {})
    where = {"PATH": str(tmp_path)}
    expected = "declared: expected the program strace, found none: apt install strace\n"
    assert declared(other, **where)[2:] == (expected, 1)
    if shutil.which("strace"):
        outside = declared(other, "--project", str(tmp_path))
        assert re.fullmatch(r"declared: you are not inside of a DVC repository .*\n", outside[2])
