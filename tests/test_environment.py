"""What `make .venv/ready` installs, with what, and for whom it refuses. No test needs a network."""

import ast
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import PIPE, ROOT

from tools import environment

BASE = getattr(sys, "_base_executable", sys.executable)
UV = Path(sys.executable).with_name("uv")


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A project that requires one package, `mine`, which lies in a folder that pip is told of."""
    project = tmp_path / "project"
    (project / "tools").mkdir(parents=True)
    for name in ("__init__", "environment"):
        shutil.copy(ROOT / f"tools/{name}.py", project / "tools")
    index = tmp_path / "simple/mine"
    index.mkdir(parents=True)
    wheel = index / "mine-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("mine.py", "print('mine')\n")
        archive.writestr(
            "mine-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n"
        )
        archive.writestr("mine-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("mine-1.0.dist-info/RECORD", "")
    (index / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
    (tmp_path / "pip.conf").write_text(f"[global]\nindex-url = file://{index.parent}\n")
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (project / "requirements.txt").write_text(f"mine==1.0 --hash=sha256:{sha256}\n")
    (project / "requirements-uv.txt").write_text("uv==0.0 --hash=sha256:0\n")
    return project


def install(project: Path, *groups: str) -> subprocess.CompletedProcess[str]:
    own = {
        name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))
    }
    own |= {"PIP_CONFIG_FILE": str(project.parent / "pip.conf")}
    own |= {"UV_CACHE_DIR": str(project.parent / "cache")}
    command = [BASE, "-E", "-m", "tools.environment", *groups]
    return subprocess.run(command, cwd=project, env=own, text=True, **PIPE)


def change(project: Path, old: str, new: str) -> None:
    """Let the program of a project know another thing of the machine."""
    program = project / "tools/environment.py"
    assert old in program.read_text()
    program.write_text(program.read_text().replace(old, new))


def installed_by(project: Path) -> str:
    [said] = project.glob(".venv/lib/*/site-packages/mine-1.0.dist-info/INSTALLER")
    return said.read_text().strip()


@pytest.mark.slow
def test_where_uv_cannot_be_had_pip_installs_and_says_so(bare: Path) -> None:
    done = install(bare)
    assert done.returncode == 0, done.stdout
    assert "Without uv: pip installs, which takes longer" in done.stdout
    assert installed_by(bare) == "pip"


@pytest.mark.parametrize("name", ["__init__", "environment"])
def test_any_python_3_reads_what_looks_for_another_one(name: str) -> None:
    tree = ast.parse((ROOT / f"tools/{name}.py").read_text(), feature_version=(3, 6))
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.annotation:
            assert isinstance(node.annotation, ast.Name | ast.Constant), ast.unparse(node)


@pytest.mark.skipif(not UV.exists(), reason="needs uv in the environment of the tests")
@pytest.mark.slow
def test_uv_installs_from_where_pip_is_told_that_packages_are(bare: Path) -> None:
    subprocess.run([BASE, "-m", "venv", bare / ".venv"], check=True)
    (bare / ".venv/bin/uv").symlink_to(UV)
    stamp = environment.fingerprint(bare / "requirements-uv.txt")
    (bare / ".venv/ready-uv").write_text(stamp)
    (bare / ".venv.old").mkdir()  # as a killed run leaves it
    done = install(bare)
    assert done.returncode == 0, done.stdout
    assert "Without uv" not in done.stdout
    assert not (bare / ".venv.old").exists()
    assert installed_by(bare) == "uv"


@pytest.mark.slow
def test_an_environment_whose_python_went_away_is_made_anew(bare: Path) -> None:
    assert install(bare).returncode == 0
    python = bare / ".venv/bin/python"
    python.unlink()
    python.symlink_to("/nowhere/python3")
    assert install(bare).returncode == 0
    assert python.exists()
    assert installed_by(bare) == "pip"
    assert not (bare / ".venv.old").exists()


def test_a_processor_without_avx_is_refused_before_anything_is_installed(bare: Path) -> None:
    processor = bare.parent / "cpuinfo"
    processor.write_text("model name\t: Celeron N3450\nflags\t\t: fpu sse4_2 rdrand\n")
    change(bare, "/proc/cpuinfo", str(processor))
    done = install(bare)
    found = "expected a processor with AVX, for which TensorFlow is built; found one without"
    assert done.stdout == f"{processor}: {found}: use another machine\n"
    assert done.returncode == 1
    assert not (bare / ".venv").exists()


@pytest.mark.slow
def test_where_no_python_fits_and_none_can_be_had_it_says_which_is_needed(bare: Path) -> None:
    change(bare, "OLDEST, NEWEST = (3, 11), (3, 13)", "OLDEST, NEWEST = (3, 98), (3, 99)")
    done = install(bare)
    last = done.stdout.splitlines()[-1]
    assert last.startswith("Python 3.98 to 3.99 is needed; ")
    assert last.endswith(". Try: make PYTHON=python3.99")
    assert done.returncode == 1
    assert not (bare / ".venv").exists()


@pytest.mark.skipif(not UV.exists(), reason="needs uv in the environment of the tests")
def test_another_python_is_found_where_one_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(Path(BASE).parent))
    found = environment.find_python(str(UV))
    assert Path(found).resolve() == Path(BASE).resolve()
    monkeypatch.setattr(environment, "NEWEST", (3, 2))
    assert environment.find_python(str(UV)) == ""
