"""Programs beside the pipeline, `python -m tools.NAME`, and what these share; see `make help`."""

# tools/environment.py runs with any Python 3, which reads this first: types are words for it.
import sys
from types import TracebackType


def hook(kind: "type[BaseException]", error: BaseException, trace: "TracebackType | None") -> None:
    """Say of Ctrl-C that it was pressed, not where; show other errors as Python does."""
    if issubclass(kind, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = hook
