"""The experiments of the present commit: what was changed, and what came out.

The same as `dvc exp show --only-changed` without the sums of files, which take most of its width;
a parameter's name stands on two lines. Options of `dvc exp show` that choose rows, such as -A for
those of all commits, may follow.
"""

import argparse
import signal
from collections import Counter

from tools import experiments
from tools.experiments import Run

WIDEST = 20  # characters of a value, such as the list of a network's layers

Column = tuple[str, str, list[str]]  # first and second line of the head, and a cell for each run


def cut(text: str) -> str:
    """The end of a long value: that of a path says most."""
    return text if len(text) <= WIDEST else f"…{text[1 - WIDEST :]}"


def figure(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def changed(cells: list[str]) -> bool:
    return len(set(cells)) > 1


def state_column(runs: list[Run]) -> list[Column]:
    """Only where an experiment is queued, runs or has failed."""
    states = [run.state for run in runs]
    if not changed(states):
        return []
    return [("", "state", [state if state != experiments.DONE else "" for state in states])]


def metric_columns(runs: list[Run]) -> list[Column]:
    names = dict.fromkeys(name for run in runs for name in run.metrics)
    columns = []
    for name in names:
        columns.append(("", name, [figure(run.metrics.get(name, "")) for run in runs]))
    return columns


def param_columns(runs: list[Run]) -> list[Column]:
    """A name is told by its last part, and above it what it is in: conv1, and filters."""
    columns = {}
    for path in dict.fromkeys(path for run in runs for path in run.params):
        cells = [run.params.get(path, "") for run in runs]
        if changed(cells):
            columns[path] = list(map(cut, cells))
    ends = Counter(tuple(path.split(".")[-2:]) for path in columns)
    found = []
    for path, cells in columns.items():
        parents, _, name = path.rpartition(".")
        alone = ends[tuple(path.split(".")[-2:])] == 1
        found.append((parents.rpartition(".")[2] if alone else parents, name, cells))
    return found


def table(runs: list[Run]) -> str:
    columns: list[Column] = [("", "experiment", [run.name for run in runs])]
    columns += state_column(runs) + metric_columns(runs) + param_columns(runs)
    widths = [max(len(above), len(name), *map(len, cells)) for above, name, cells in columns]
    rows = zip(*([above, name, *cells] for above, name, cells in columns))
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)) for row in rows]
    return "\n".join(line.rstrip() for line in lines if line.strip())


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.show",
        description=__doc__,
        usage="%(prog)s [-h] [options of dvc exp show]",
    )
    _, options = parser.parse_known_args()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `make show | head` ends without a word
    runs = experiments.read(*options)
    print(table(runs))
    if not any(run.is_experiment for run in runs):
        print("no experiments of the present commit; -A: of all commits")


if __name__ == "__main__":
    main()
