"""Other processors, and other surroundings, give the same bytes.

Each kind of network once, each maker's processor once: QEMU computes alike for both, and they
differ in what libraries choose for them. The recipe `fast` has no operation that `original` lacks.
"""

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import STAGES, Project

QEMU = shutil.which("qemu-x86_64")
CASES = {"Haswell": ("original", STAGES), "EPYC-Rome": ("best", ["train", "evaluate"])}


def two_steps(recipe: str) -> dict[str, int]:
    """Parameters of a short run: QEMU takes some twenty times as long as the processor itself.

    Nine images for each of two replicas: the quick, inexact instructions take eight at a time, and
    what is left over is computed exactly.
    """
    return {
        "datasets__synthetic__test": 18,
        "preprocess__train_size": 36,
        f"recipes__{recipe}__batch_size": 18,
        f"recipes__{recipe}__epochs": 1,
        f"recipes__{recipe}__validation_split": 0,
        f"evaluate__test_time_augmentation__{recipe}": 1,
    }


@pytest.mark.slow
@pytest.mark.skipif(QEMU is None, reason="needs qemu-x86_64, of Debian's package qemu-user")
@pytest.mark.parametrize("processor", CASES)
def test_another_processor_gives_the_same_bytes(project: Project, processor: str) -> None:
    recipe, stages = CASES[processor]
    project.change(recipe=recipe, **two_steps(recipe))
    project.repro()
    here = project.outputs()
    # in one process: QEMU takes half a minute to import TensorFlow
    code = f"from stages import __main__ as stages; [stages.run(name) for name in {stages}]"
    project.run(str(QEMU), "-cpu", processor, sys.executable, "-c", code)
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
    "TF_DETERMINISTIC_OPS": "1",
    "TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit",
    "TF_FUNCTION_JIT_COMPILE_DEFAULT": "1",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "DVCLIVE_TEST": "1",
}
KERAS_JSON = '{"floatx": "float16", "image_data_format": "channels_first"}'


@pytest.mark.slow
def test_other_surroundings_give_the_same_bytes(project: Project, tmp_path: Path) -> None:
    """One CPU, a terminal, another folder, clock, locale and user, and settings of libraries."""
    home, scratch = tmp_path / "home", tmp_path / "scratch"
    for folder in (home / ".keras", home / ".config/matplotlib", scratch):
        folder.mkdir(parents=True)
    (home / ".keras/keras.json").write_text(KERAS_JSON)
    (home / ".config/matplotlib/matplotlibrc").write_text("font.size: 40\nsavefig.dpi: 20\n")
    here = project.outputs()
    moved = Project(project.root.rename(tmp_path / "another folder"))
    environment: Any = {**HOSTILE, "HOME": str(home), "TMPDIR": str(scratch)}
    repro = f"taskset -c 0 {sys.executable} -m dvc repro --force --no-run-cache"
    script = ["script", "--quiet", "--return", "--command", repro, "/dev/null"]
    printed = moved.run(*script, **environment).stdout
    assert "oneDNN" not in printed and "TF_" not in printed
    there = moved.outputs()
    assert [path for path in here if there[path] != here[path]] == []
