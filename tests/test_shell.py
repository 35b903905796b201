"""Programs are started from shells full of other people's variables: none changes a result."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import PIPE, ROOT, STAGES, Project, set_up, stages_in

# --- what changes numbers or drawing ---

TENSORFLOW = {
    "CUDA_VISIBLE_DEVICES": "7",
    "TF2_BEHAVIOR": "0",
    "TF_CONFIG": '{"cluster": {"worker": ["127.0.0.1:9"]}, "task": {"type": "worker", "index": 0}}',
    "TF_CPP_MAX_VLOG_LEVEL": "1",
    "TF_CPP_MIN_LOG_LEVEL": "0",
    "TF_CPP_VMODULE": "executor=2",
    "TF_CUDNN_DETERMINISTIC": "1",
    "TF_DATA_EXPERIMENT_OPT_IN": "all",
    "TF_DETERMINISTIC_OPS": "1",
    "TF_DISABLE_MKL": "1",
    "TF_DUMP_GRAPH_PREFIX": "dumped",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    "TF_FP16_CONV_USE_FP32_COMPUTE": "0",
    "TF_FUNCTION_JIT_COMPILE_DEFAULT": "1",
    "TF_GPU_ALLOCATOR": "cuda_malloc_async",
    "TF_MKL_OPTIMIZE_PRIMITIVE_MEMUSE": "false",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "7",
    "TF_ONEDNN_USE_SYSTEM_ALLOCATOR": "1",
    "TF_SET_ONEDNN_FPMATH_MODE": "BF16",
    "TF_USE_LEGACY_KERAS": "1",
    "TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit",
    "XLA_FLAGS": "--xla_cpu_enable_fast_math=true --xla_dump_to=dumped",
}
ONEDNN = {
    "DNNL_MAX_CPU_ISA": "SSE41",
    "ONEDNN_CPU_ISA_HINTS": "PREFER_YMM",
    "ONEDNN_DEFAULT_FPMATH_MODE": "ANY",
    "ONEDNN_JIT_DUMP": "1",
    "ONEDNN_JIT_PROFILE": "6",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "0",
    "ONEDNN_VERBOSE": "2",
}
THREADS = {  # OpenMP's, MKL's and OpenBLAS'
    "GOMP_CPU_AFFINITY": "0",
    "KMP_AFFINITY": "disabled",
    "KMP_BLOCKTIME": "infinite",
    "KMP_SETTINGS": "1",
    "MKL_CBWR": "COMPATIBLE",
    "MKL_DYNAMIC": "FALSE",
    "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
    "MKL_NUM_THREADS": "5",
    "MKL_VERBOSE": "1",
    "OMP_DISPLAY_ENV": "verbose",
    "OMP_DYNAMIC": "true",
    "OMP_MAX_ACTIVE_LEVELS": "3",
    "OMP_NUM_THREADS": "3",
    "OMP_PLACES": "threads",
    "OMP_PROC_BIND": "close",
    "OMP_SCHEDULE": "dynamic,1",
    "OMP_STACKSIZE": "1",
    "OMP_THREAD_LIMIT": "1",
    "OMP_WAIT_POLICY": "active",
    "OPENBLAS_CORETYPE": "Prescott",
    "OPENBLAS_MAIN_FREE": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OPENBLAS_VERBOSE": "2",
}
LIBRARIES = {  # Keras', NumPy's, Matplotlib's and DVCLive's
    "DVCLIVE_LOGLEVEL": "DEBUG",
    "DVCLIVE_RESUME": "1",
    "DVCLIVE_TEST": "1",
    "KERAS_BACKEND": "torch",
    "KERAS_HOME": "hostile",
    "KERAS_MAX_EPOCHS": "0",
    "KERAS_MAX_STEPS_PER_EPOCH": "1",
    "KERAS_NNX_ENABLED": "true",
    "MATPLOTLIBRC": "hostile/matplotlibrc",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "MPLCONFIGDIR": "hostile",
    "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F",
    "NPY_PROMOTION_STATE": "legacy",
    "NUMPY_EXPERIMENTAL_ARRAY_FUNCTION": "0",
    "NUMPY_MADVISE_HUGEPAGE": "0",
    "SOURCE_DATE_EPOCH": "1",
}
SYSTEM = {
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX,-AVX2,-FMA,-AVX512F,-AVX512VL",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_PERTURB_": "165",
}
PYTHON = {
    "PYTHONBREAKPOINT": "os.abort",
    "PYTHONCOERCECLOCALE": "0",
    "PYTHONDEVMODE": "1",
    "PYTHONFAULTHANDLER": "1",
    "PYTHONHASHSEED": "7",
    "PYTHONINTMAXSTRDIGITS": "640",
    "PYTHONIOENCODING": "ascii",
    "PYTHONMALLOC": "malloc_debug",
    "PYTHONNODEBUGRANGES": "1",
    "PYTHONOPTIMIZE": "2",
    "PYTHONPYCACHEPREFIX": "hostile",
    "PYTHONSAFEPATH": "1",
    "PYTHONTRACEMALLOC": "1",
    "PYTHONUSERBASE": "hostile",
    "PYTHONUTF8": "0",
}
SURROUNDINGS = {
    "LANG": "tr_TR.UTF-8",
    "LC_ALL": "C",
    "TZ": "Asia/Kathmandu",
    "USER": "somebody-else",
}
HOSTILE = TENSORFLOW | ONEDNN | THREADS | LIBRARIES | SYSTEM | PYTHON | SURROUNDINGS
KERAS_JSON = '{"floatx": "float16", "image_data_format": "channels_first"}'
MATPLOTLIBRC = "font.size: 40\nsavefig.dpi: 20\n"


@pytest.mark.slow
def test_no_variable_and_no_settings_change_a_byte(project: Project, tmp_path: Path) -> None:
    """On one CPU too, at a terminal, and in another folder."""
    page = " ".join((ROOT / "docs/bytes.md").read_text().split())
    assert f"{len(HOSTILE)} variables at once" in page
    home, scratch = tmp_path / "home", tmp_path / "scratch"
    for folder in (home / ".keras", home / ".config/matplotlib", scratch):
        folder.mkdir(parents=True)
    (home / ".keras/keras.json").write_text(KERAS_JSON)
    (home / ".config/matplotlib/matplotlibrc").write_text(MATPLOTLIBRC)
    here = project.outputs()
    moved = Project(project.root.rename(tmp_path / "another folder"))
    (moved.root / "hostile").mkdir()
    (moved.root / "hostile/matplotlibrc").write_text(MATPLOTLIBRC)
    (moved.root / "hostile/keras.json").write_text(KERAS_JSON)

    environment: Any = {**HOSTILE, "HOME": str(home), "TMPDIR": str(scratch)}
    cpu = min(os.sched_getaffinity(0))
    repro = f"taskset -c {cpu} {sys.executable} -m dvc repro --force --no-run-cache"
    script = ["script", "--quiet", "--return", "--command", repro, "/dev/null"]
    printed = moved.run(*script, **environment).stdout
    assert stages_in(printed.replace("\r", "")) == STAGES
    assert "oneDNN" not in printed and "TF_" not in printed
    there = moved.outputs()
    assert [path for path in here if there[path] != here[path]] == []
    assert not (moved.root / "dumped").exists()


@pytest.mark.parametrize(
    "name, value",
    {"PYTHONHOME": "/nowhere", "PYTHONPLATLIBDIR": "nowhere", "PYTHONWARNINGS": "error"}.items(),
)
def test_a_stage_starts_where_python_itself_would_not(
    finished: Project, project: Project, name: str, value: str
) -> None:
    environment: Any = {name: value}
    project.run("python", "-E", "-m", "stages", "preprocess", **environment)
    assert project.outputs() == finished.outputs()


# --- what ends DVC, or its stages, before they begin ---


@pytest.mark.slow
def test_make_starts_the_stages_of_people_who_have_no_shell_and_no_other_home_for_packages(
    project: Project,
) -> None:
    set_up(project)
    project.change(plot__mistakes=5)
    nologin: Any = {
        "SHELL": "/usr/sbin/nologin",
        "PYTHONHOME": "/nowhere",
        "PYTHONWARNINGS": "error",
    }
    printed = project.run("make", "repro", CI="1", **nologin).stdout
    assert stages_in(printed) == ["validate", "plot"]


NAMELESS = ["unshare", "--user", "--map-user=12345", "--map-group=12345"]
possible = subprocess.run([*NAMELESS, "true"], capture_output=True).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not possible, reason="needs a system that lets a user be another one")
def test_make_runs_for_a_user_without_a_name(project: Project) -> None:
    """As in a container that was started with `--user 12345`, where HOME is /."""
    set_up(project)
    project.change(plot__mistakes=5)
    nobody: Any = {"HOME": "/", "USER": "", "LOGNAME": "", "CI": "1"}
    printed = project.run(*NAMELESS, "make", "repro", **nobody).stdout
    assert stages_in(printed) == ["validate", "plot"]


# --- what Git gives to a hook ---


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=folder, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


@pytest.fixture
def hook(tmp_path: Path) -> dict[str, Any]:
    """The variables of a hook in a person's linked worktree, whose commits are to be signed."""
    person = tmp_path / "person"
    git(tmp_path, "init", "--quiet", "person")
    (person / "file").touch()
    git(person, "add", "file")
    author = ["-c", "user.name=me", "-c", "user.email=me@example.org"]
    git(person, *author, "commit", "--quiet", "--message", "mine")
    git(person, "worktree", "add", "--quiet", str(tmp_path / "linked"))
    (tmp_path / ".gitconfig").write_text("[commit]\n\tgpgsign = true\n")
    own = git(tmp_path / "linked", "rev-parse", "--absolute-git-dir").strip()
    return {
        "GIT_DIR": own,
        "GIT_INDEX_FILE": f"{own}/index",
        "GIT_PREFIX": "",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "commit.gpgsign",
        "GIT_CONFIG_VALUE_0": "true",
        "HOME": str(tmp_path),
    }


def state(folder: Path) -> list[str]:
    """All that a test might have changed in a person's repository."""
    commands = ["log --all --format=%H%s", "config --list --local", "ls-files -s", "status --short"]
    return [git(folder, *command.split()) for command in commands]


@pytest.mark.slow
def test_the_tests_leave_the_repository_of_a_hook_alone(
    hook: dict[str, Any], tmp_path: Path
) -> None:
    before = [state(tmp_path / name) for name in ("person", "linked")]
    (tmp_path / "test_tiny.py").write_text(
        "import conftest\n"
        "def test_tiny(tmp_path):\n"
        "    project = conftest.new_project(tmp_path / 'tiny')\n"
        "    assert project.run('git', 'log', '--format=%s').stdout == 'tiny\\n'\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider", "-q"]
    path = {"PYTHONPATH": f"{ROOT / 'tests'}:{ROOT}"}
    done = subprocess.run(
        [*command, "-c", str(ROOT / "pyproject.toml"), "test_tiny.py"],
        cwd=tmp_path,
        env={**os.environ, **path, **hook},
        text=True,
        **PIPE,
    )
    assert done.returncode == 0, done.stdout
    assert [state(tmp_path / name) for name in ("person", "linked")] == before


@pytest.mark.slow
def test_the_programs_work_on_the_repository_that_they_stand_in(
    project: Project, hook: dict[str, Any], tmp_path: Path
) -> None:
    before = [state(tmp_path / name) for name in ("person", "linked")]
    project.change(plot__mistakes=5)
    project.run("dvc", "repro", **hook)
    printed = project.run("python", "-E", "-m", "tools.compare", "HEAD", **hook).stdout
    assert "| reports/figures/mistakes.png |" in printed
    assert project.run("python", "-E", "-m", "tools.mend", **hook).stdout == "nothing to mend\n"
    assert [state(tmp_path / name) for name in ("person", "linked")] == before
