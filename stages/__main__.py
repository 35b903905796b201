"""python -m stages NAME: run a stage with the values of params.yaml, or say in one line why not.

No stage depends on it, so that its words may change. After a change of KNOWN, which may change a
result: `dvc repro --force`.
"""

import contextlib
import ctypes
import functools
import importlib
import io
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from inspect import ismodule
from pathlib import Path
from typing import Any, TextIO

from digits.output import printable

STAGES = sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))
PR_SET_PDEATHSIG = 1  # of Linux' prctl

# The variables of the shell that a stage may see. All others go: many of TensorFlow's, XLA's,
# OpenMP's or Matplotlib's change numbers or drawings, and nothing else would tell.
KNOWN = {"CHECKPOINTS", "COLUMNS", "CURL_CA_BUNDLE", "DATASET_MIRROR", "HOME", "LANG", "LINES"}
KNOWN |= {"CUDA_VISIBLE_DEVICES"}  # which of several cards is free
KNOWN |= {"LD_LIBRARY_PATH", "LOGNAME", "NETRC", "NO_COLOR", "PATH", "REQUESTS_CA_BUNDLE"}
KNOWN |= {"SSL_CERT_DIR", "SSL_CERT_FILE", "TEMP", "TERM", "TMP", "TMPDIR", "TZ", "USER"}
KNOWN_STARTS = ("DVC_", "LC_", "XDG_")
KNOWN_ENDS = ("_proxy", "_PROXY")

# Between these, `dvc exp run` changes the files of a checkout: by -S, or as they were edited.
FROM, TO = "refs/exps/exec/EXEC_HEAD", "refs/exps/exec/EXEC_MERGE"
GO_BACK = (
    "params.yaml keeps the experiment's values; to go back to those of the last commit: "
    "git restore params.yaml && dvc repro"
)


class WithoutReader:
    """A stream that may lose its reader: what can no longer be written is dropped."""

    def __init__(self, stream: TextIO | None) -> None:
        self.stream = stream or io.StringIO()
        if isinstance(stream, io.TextIOWrapper):  # a class may have a name that it cannot show
            stream.reconfigure(errors="backslashreplace")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> None:
        try:
            self.stream.write(text)
            self.stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())

    def flush(self) -> None:
        self.write("")


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


def clear_environment() -> None:
    """Remove each variable that is not known to change no result."""
    for name in list(os.environ):
        known = name in KNOWN or name.startswith(KNOWN_STARTS) or name.endswith(KNOWN_ENDS)
        if not known:
            del os.environ[name]
    os.environ["MATPLOTLIBRC"] = os.devnull  # a broken one of the person's would end `plot`
    os.environ["DVCLIVE_LOGLEVEL"] = "ERROR"  # it warns of the experiment that `-f` is to replace


def in_experiment() -> bool:
    """Has `dvc exp run` written its values here? Queued experiments have folders of their own."""
    return "DVC_EXP_NAME" in os.environ and os.environ.get("DVC_ROOT") == os.getcwd()


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


def followed(name: str) -> dict[str, object]:
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
        after = followed(name)
        changed = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    except Exception:  # half written, or without what is used: whatever YAML and dates raise
        changed = ["params.yaml or dvc.yaml"]
    if changed:
        raise SystemExit(
            f"{printable(changed[0])}: changed while {name} ran, so nothing of it was kept; to run "
            "it with what is there now: dvc repro"
        )


def die_with_parent() -> None:
    """Let no stage outlive DVC: the next `dvc repro` would start a second one beside it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def run(name: str) -> None:
    """Call a stage's `main` with the parameters; SystemExit says in a line what went wrong."""
    die_with_parent()
    clear_environment()
    sys.stdout, sys.stderr = WithoutReader(sys.stdout), WithoutReader(sys.stderr)
    try:
        if in_experiment():
            touch_changed_files()
        from digits import params

        values = params.read()
        before = followed(name)  # before the import, which takes seconds
        stage = importlib.import_module(f"stages.{name}")
        check_versions(values.environment.model_dump())
        stage.main(values)
        check_unchanged(name, before)
    except OSError as error:  # a full disk, a folder that may not be written, a missing file
        place = error.filename or "reading or writing"
        raise SystemExit(f"{printable(place)}: {error.strerror or error}") from None
    except sqlite3.Error as error:
        raise SystemExit(f"DVC's own database, which DVCLive opens: {error}") from None
    except KeyboardInterrupt:
        raise SystemExit("interrupted; `dvc repro` starts again at this stage") from None


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in STAGES:
        found = " ".join(sys.argv[1:]) or "nothing"
        raise SystemExit(f"expected one stage of {', '.join(STAGES)}; found {found}")
    try:
        run(sys.argv[1])
    except SystemExit as refusal:
        if in_experiment():
            raise SystemExit(f"{refusal}\n{GO_BACK}") from None
        raise
