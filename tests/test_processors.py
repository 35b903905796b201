"""Other processors give the same bytes; tests/test_shell.py tries other surroundings.

Each kind of network once, each maker's processor once: QEMU computes alike for both, and they
differ in what libraries choose for them. The recipe `fast` has no operation that `original` lacks.
"""

import shutil
import sys

import pytest
from conftest import STAGES, Project

QEMU = shutil.which("qemu-x86_64")
CASES = {"Haswell": ("original", STAGES), "EPYC-Rome": ("best", ["train", "evaluate"])}
# Each kind of layer of `best` once: QEMU took seven minutes for all of them.
SHORTER = ["conv1", "norm", "SiLU", "pool", "GlobalMaxPooling2D", "dropout", "dense", "Softmax"]


def two_steps(recipe: str) -> dict[str, object]:
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
    if recipe == "best":
        project.change(recipes__best__network=SHORTER)
    project.repro()
    here = project.outputs()
    # in one process: QEMU takes half a minute to import TensorFlow
    code = f"from stages import __main__ as stages; [stages.run(name) for name in {stages}]"
    project.run(str(QEMU), "-cpu", processor, sys.executable, "-c", code)
    there = project.outputs()
    assert [path for path in here if there[path] != here[path]] == []
