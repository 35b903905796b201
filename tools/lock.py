"""Resolve what pyproject.toml asks for, and write the versions where they must stand too.

That is each requirements file, by `uv pip compile`, and `environment` in params.yaml, by which a
stage runs anew when a library that its numbers follow has another version. pyproject.toml is the
place to change a version.
"""

import argparse
import re
import shutil
import tomllib
from pathlib import Path

from digits import output
from tools import commands

PARAMS = Path("params.yaml")
PROJECT = Path("pyproject.toml")
REQUIREMENTS = Path("requirements.txt")
PYTHON = "3.11"  # the oldest that pyproject.toml allows
COMPILE = ["uv", "pip", "compile", "--universal", "--generate-hashes", "--no-emit-index-url"]
COMPILE += ["--no-annotate", "--no-header", "--quiet", "--python-version", PYTHON]
# Packages that another name than that of their module, or one of several, installs.
PACKAGES = {"PIL": ["pillow"], "tensorflow": ["tensorflow", "tensorflow-cpu"]}


def compile_all() -> None:
    """Write the requirements files; a group's versions are those that requirements.txt has."""
    if not shutil.which("uv"):
        raise SystemExit("lock: expected the program uv on PATH; found none: make .venv/ready")
    commands.output(*COMPILE, str(PROJECT), "-o", str(REQUIREMENTS))
    for group in tomllib.loads(PROJECT.read_text())["dependency-groups"]:
        target = f"requirements-{group}.txt"
        commands.output(*COMPILE, "--group", group, "-c", str(REQUIREMENTS), "-o", target)


def version(library: str, requirements: str) -> str:
    """The version of the package that installs a library, such as PIL; SystemExit if not one."""
    names = PACKAGES.get(library, [library])
    choices = "|".join(map(re.escape, names))
    pinned = rf"^(?:{choices})==(\S+)"
    found = sorted(set(re.findall(pinned, requirements, re.MULTILINE)))
    if len(found) != 1:
        raise SystemExit(
            f"{REQUIREMENTS}: expected one version of {' or '.join(names)}; "
            f"found {', '.join(found) or 'none'}"
        )
    return found[0]


def with_versions(params: str, requirements: str) -> str:
    """Return the text of params.yaml with these versions in `environment`, else as it is."""
    section = re.search(r"^environment:.*\n((?:[ #].*\n|\n)+)", params, re.MULTILINE)
    if not section:
        raise SystemExit(f"{PARAMS}: expected a section 'environment:'; found none")

    def pin(line: re.Match[str]) -> str:
        return line[1] + version(line[2], requirements)

    entries = re.sub(r"^( +(\w+): +)[^\s#]+", pin, section[1], flags=re.MULTILINE)
    return params[: section.start(1)] + entries + params[section.end(1) :]


def write_environment() -> None:
    params = PARAMS.read_bytes().decode()
    changed = with_versions(params, REQUIREMENTS.read_text())
    if changed != params:
        output.write_text(PARAMS, changed)
        print(f"{PARAMS}: environment has new versions; dvc repro runs what follows them")


def main() -> None:
    argparse.ArgumentParser(prog="python -m tools.lock", description=__doc__).parse_args()
    compile_all()
    write_environment()


if __name__ == "__main__":
    main()
