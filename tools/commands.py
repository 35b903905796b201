"""Other programs, run from ours. What they print counts only where they end well."""

import os
import signal
import subprocess
import sys
from pathlib import Path

# A hook's Git names its own repository and index in these; ours is the one that we stand in.
for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY"):
    os.environ.pop(name, None)


def end_with_reader() -> None:
    """Let the program end without a word once nobody reads on, as in `make why | head`."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def output(*command: str, told: str | None = None) -> str:
    """Return what a program printed, without the end of its last line; `told` is its input.

    SystemExit where it failed; it has said why on stderr.
    """
    done = subprocess.run(command, input=told, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(failure(command, done.returncode))
    return done.stdout.rstrip()


def answer(*command: str, no: int = 1) -> str:
    """Return what a program printed, and nothing where its status is `no`.

    So Git says that what it was asked for is not there. SystemExit where it failed in another way.
    """
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == no:
        return ""
    if done.returncode:
        sys.stderr.write(done.stderr)
        raise SystemExit(failure(command, done.returncode))
    return done.stdout.rstrip()


def status(*command: str) -> int:
    """Run a program, which prints for itself, and return how it ended."""
    return subprocess.run(command).returncode


def failure(command: tuple[str, ...], code: int) -> str:
    called = Path(sys.argv[0]).stem  # NAME of tools.NAME
    return f"{called}: {' '.join(command)} ended with status {code}"
