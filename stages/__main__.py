"""python -m stages NAME: run a stage with the values of params.yaml, or say in one line why not.

No stage depends on it, so that its words may change.
"""

import importlib
import os
import sqlite3
import sys
from pathlib import Path

from digits.output import printable
from stages import _inputs, _surroundings

STAGES = sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))
GO_BACK = (
    "params.yaml keeps the experiment's values; to go back to those of the last commit, without "
    "what you changed since (git diff params.yaml): "
    "git restore params.yaml && dvc repro\n"
    "to go on, once it is right: dvc repro && dvc exp save --name {name}"
)


def in_experiment() -> bool:
    """Has `dvc exp run` written its values here? Queued experiments have folders of their own."""
    return "DVC_EXP_NAME" in os.environ and os.environ.get("DVC_ROOT") == os.getcwd()


def run(name: str) -> None:
    """Call a stage's `main` with the parameters; SystemExit says in a line what went wrong."""
    _surroundings.die_with_parent()
    _surroundings.clear_environment()
    _surroundings.outlive_readers()
    try:
        if in_experiment():
            _inputs.touch_changed_files()
        from digits import params

        values = params.read()
        before = _inputs.noted(name)  # before the import, which takes seconds
        stage = importlib.import_module(f"stages.{name}")
        _inputs.check_versions(values.environment.model_dump())
        stage.main(values)
        _inputs.check_unchanged(name, before)
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
            words = GO_BACK.format(name=os.environ["DVC_EXP_NAME"])
            raise SystemExit(f"{refusal}\n{words}") from None
        raise
