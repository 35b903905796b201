"""Other processors give the same bytes: all stages on QEMU's emulation of them, against this machine's own."""

import shutil
import sys
from pathlib import Path

import pytest
from conftest import STAGES, Project

QEMU = shutil.which("qemu-x86_64")


@pytest.mark.slow
@pytest.mark.skipif(QEMU is None, reason="needs qemu-x86_64, of Debian's package qemu-user")
@pytest.mark.parametrize("processor", ["Haswell", "EPYC-Rome"])
@pytest.mark.parametrize("recipe", ["original", "fast", "best"])
def test_another_processor_gives_the_same_bytes(project: Project, processor: str, recipe: str) -> None:
    project.change(recipe=recipe, recipes__original__batch_size=6)  # 45 steps
    if recipe != "original":  # 10 steps, since QEMU is slow
        project.change(**{"preprocess__train_size": 120, f"recipes__{recipe}__batch_size": 12})
        project.change(**{f"recipes__{recipe}__epochs": 1, f"recipes__{recipe}__views": int(recipe == "best")})
    project.repro()
    here = project.outputs()
    for stage in STAGES:
        project.run(str(QEMU), "-cpu", processor, sys.executable, "-m", "stages", stage)
    there = project.outputs()
    assert [path for path in here if there[path] != here[path]] == []


HOSTILE = {
    "TZ": "Asia/Kathmandu",
    "LC_ALL": "C",
    "LANG": "tr_TR.UTF-8",
    "USER": "somebody-else",
    "PYTHONHASHSEED": "7",
    "KERAS_BACKEND": "torch",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_NUM_INTRAOP_THREADS": "7",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "OMP_NUM_THREADS": "3",
}


@pytest.mark.slow
def test_other_surroundings_give_the_same_bytes(project: Project, tmp_path: Path) -> None:
    """One CPU, a terminal, another folder, clock, locale and user, and settings that would change the numbers."""
    home, scratch = tmp_path / "home", tmp_path / "scratch"
    for folder in (home / ".keras", home / ".config" / "matplotlib", scratch):
        folder.mkdir(parents=True)
    (home / ".keras" / "keras.json").write_text('{"floatx": "float16", "image_data_format": "channels_first"}')
    (home / ".config" / "matplotlib" / "matplotlibrc").write_text("font.size: 40\nsavefig.dpi: 20\n")
    here = project.outputs()
    moved = Project(project.root.rename(tmp_path / "another folder"))
    environment = {**HOSTILE, "HOME": str(home), "TMPDIR": str(scratch)}
    command = f"taskset -c 0 {sys.executable} -m dvc repro --force --no-run-cache"
    moved.run("script", "--quiet", "--return", "--command", command, "/dev/null", **environment)
    there = moved.outputs()
    assert [path for path in here if there[path] != here[path]] == []
