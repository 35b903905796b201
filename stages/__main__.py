"""python -m stages NAME: run a stage with the values of params.yaml, or say in one line why not.

This changes no result, so no stage depends on it.
"""

import ctypes
import importlib
import signal
import sqlite3
import sys
from inspect import ismodule
from pathlib import Path

STAGES = sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))
PR_SET_PDEATHSIG = 1  # of Linux' prctl


def check(recorded: dict[str, str]) -> None:
    """SystemExit where a library that the stage's own modules import is not of the recorded version."""
    own = [module for name, module in sys.modules.items() if name.startswith(("digits.", "stages."))]
    inner = [value for module in own for value in vars(module).values() if ismodule(value)]
    imported = {module.__name__.partition(".")[0] for module in inner}
    for library in imported & set(recorded):
        if (installed := sys.modules[library].__version__) != recorded[library]:
            raise SystemExit(
                f"params.yaml: environment.{library}: expected {installed}, the version that is installed; "
                f"found {recorded[library]}; "
                "correct it, or install what requirements.txt says: make --always-make .venv/ready"
            )


def run(name: str) -> None:
    """Call a stage's `main` with the values of params.yaml; SystemExit with a line for each thing that is wrong."""
    if sys.platform == "linux":  # let no stage outlive DVC, or the next `dvc repro` would start a second one beside it
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        from stages import validate

        params = validate.read()
        stage = importlib.import_module(f"stages.{name}")
        check(params["environment"])
        stage.main(params)
    except OSError as error:  # a full disk, a folder that may not be written, a file that is not there
        raise SystemExit(f"{error.filename or 'writing'}: {error.strerror or error}") from None
    except sqlite3.Error as error:
        raise SystemExit(f"DVC's own database, which DVCLive opens: {error}") from None
    except KeyboardInterrupt:
        raise SystemExit("interrupted; `dvc repro` starts again at this stage") from None


if __name__ == "__main__":
    if sys.argv[1:] not in ([name] for name in STAGES):
        raise SystemExit(f"expected one stage of {', '.join(STAGES)}; found {' '.join(sys.argv[1:]) or 'nothing'}")
    run(sys.argv[1])
