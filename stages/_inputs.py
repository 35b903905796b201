"""What DVC notes of a stage's inputs once it has ended is what the stage has used.

No stage depends on it.
"""

import contextlib
import functools
import os
import re
import subprocess
import sys
import time
from inspect import ismodule
from pathlib import Path
from typing import Any

from digits.output import printable

# Between these, `dvc exp run` changes the files of a checkout: by -S, or as they were edited.
FROM, TO = "refs/exps/exec/EXEC_HEAD", "refs/exps/exec/EXEC_MERGE"


def noted(name: str) -> dict[str, object]:
    """What DVC notes of a stage once it has ended: its parameters; its files, by size and time."""
    from digits import params, yaml12

    if not Path("dvc.yaml").exists():  # a stage by hand, elsewhere: nothing is noted
        return {}
    stage = yaml12.load(Path("dvc.yaml").read_bytes())["stages"].get(name)
    if stage is None:
        raise SystemExit(f"dvc.yaml: stages: expected {name}, found no such stage")
    values = yaml12.load(params.FILE.read_bytes())

    def value(path: str) -> Any:
        return functools.reduce(lambda inner, key: inner[key], path.split("."), values)

    def filled(entry: str) -> str:
        return re.sub(r"\$\{([\w.]+)\}", lambda reference: str(value(reference[1])), entry)

    own = [entry for entry in stage.get("params", []) if isinstance(entry, str)]  # of params.yaml
    found: dict[str, object] = {path: value(path) for path in map(filled, own)}
    for dep in map(Path, map(filled, stage.get("deps", []))):
        for path in dep.rglob("*") if dep.is_dir() else [dep]:
            with contextlib.suppress(OSError):  # it went away
                seen = path.stat()
                found[str(path)] = seen.st_size, seen.st_mtime_ns
    return found


def check_unchanged(name: str, before: dict[str, object]) -> None:
    """SystemExit where DVC would note another input than the one that was used."""
    try:
        after = noted(name)
        changed = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    except Exception:  # half written, or without what is used: whatever YAML and dates raise
        changed = ["params.yaml or dvc.yaml"]
    if changed:
        raise SystemExit(
            f"{printable(changed[0])}: changed while {name} ran, so nothing of it was kept; to run "
            "it with what is there now: dvc repro"
        )


def check_versions(recorded: dict[str, str]) -> None:
    """SystemExit where a library that our own modules import is not of the recorded version."""
    own = [
        module for name, module in sys.modules.items() if name.startswith(("digits.", "stages."))
    ]
    theirs = [value for module in own for value in vars(module).values() if ismodule(value)]
    imported = {module.__name__.partition(".")[0] for module in theirs}
    for library in sorted(imported & set(recorded)):
        installed = sys.modules[library].__version__
        if installed != recorded[library]:
            raise SystemExit(
                f"params.yaml: environment.{library}: expected {installed}, the version that is "
                f"installed; found {recorded[library]}; correct it, or install what "
                "requirements.txt says: rm .venv/ready && make .venv/ready"
            )


def touch_changed_files() -> None:
    """Give the files that `dvc exp run` has just written a time that no index of Git has for them.

    It writes those of the commit first, often in the same second. Where their sizes are equal too,
    Git would take what the experiment changed for unchanged, and restore nothing.
    """
    command = ["git", "diff", "--name-only", "--relative", "-z", FROM, TO]
    # Without an experiment Git has no such names, and says so; then there is nothing to do.
    changed = subprocess.run(command, capture_output=True, text=True).stdout
    for path in map(Path, filter(None, changed.split("\0"))):
        if path.exists():
            later = max(time.time(), path.stat().st_mtime + 1)
            os.utime(path, (later, later))
