"""The experiments of the present commit: what was changed, and what came out.

The same as `dvc exp show --only-changed` without the sums of files, which take most of its width;
a parameter's name stands on two lines. Of many experiments, the best are shown. Options of `dvc exp
show` that choose rows, such as -n 10 for those of the last ten commits, may follow.
"""

import argparse
import signal
from collections import Counter

from tools import exp_show, tables
from tools.exp_show import Run

Column = tuple[str, str, list[str]]  # first and second line of the head, and a cell for each run


def formatted(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def changed(cells: list[str]) -> bool:
    return len(set(cells)) > 1


def state_column(runs: list[Run]) -> list[Column]:
    """Only where an experiment is queued, runs or has failed."""
    states = [run.state for run in runs]
    if not changed(states):
        return []
    return [("", "state", [state if state != exp_show.DONE else "" for state in states])]


def metric_columns(runs: list[Run]) -> list[Column]:
    names = dict.fromkeys(name for run in runs for name in run.metrics)
    columns = []
    for name in names:
        columns.append(("", name, [formatted(run.metrics.get(name, "")) for run in runs]))
    return columns


def param_columns(runs: list[Run]) -> list[Column]:
    """A name is told by its last part, and above it what it is in: conv1, and filters.

    A run shows none of another recipe or data set, unless no run has these.
    """
    columns = {}
    for path in dict.fromkeys(path for run in runs for path in run.params):
        cells = [run.params.get(path, "") for run in runs]
        if changed(cells):
            own = [exp_show.concerns(path, run.params) for run in runs]
            shown = [cell if one or not any(own) else "" for cell, one in zip(cells, own)]
            columns[path] = list(map(tables.cut, shown))
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
    rows = [list(row) for row in zip(*([above, name, *cells] for above, name, cells in columns))]
    return tables.aligned(rows if any(rows[0]) else rows[1:])


def best(runs: list[Run], most: int) -> tuple[list[Run], str]:
    """The workspace, the commits, and at most so many experiments; and what is not shown.

    The best come first, by the metric to choose by that all have; none is cut where few are there.
    """
    tried = [run for run in runs if run.is_experiment]
    if most < 1 or len(tried) <= most:
        return runs, ""
    others = [run for run in runs if not run.is_experiment]
    having = [run for run in tried if run.metrics]
    names = exp_show.shared(having) if having else []
    if names:
        sign = exp_show.sign(names[0])
        having.sort(key=lambda run: -sign * run.metrics[names[0]])
        tried = having + [run for run in tried if not run.metrics]
    states = Counter(run.state for run in tried[most:])
    states[f"with a worse {names[0]}" if names else "ended well"] = states.pop(exp_show.DONE, 0)
    left = ", ".join(f"{count} {state}" for state, count in states.items() if count)
    return others + tried[:most], f"not shown: {left}; --rows 0 shows all; make study: over seeds"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.show",
        description=__doc__,
        usage="%(prog)s [-h] [--rows ROWS] [options of dvc exp show]",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--rows", type=int, default=tables.MOST, help="experiments, at most; 0: all (default: 30)"
    )
    own, options = parser.parse_known_args()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `make show | head` ends without a word
    runs = exp_show.read(*options)
    shown, rest = best(runs, own.rows)
    print(table(shown))
    if rest:
        print(rest)
    if not any(run.is_experiment for run in runs):
        print('no experiments of the present commit; of the last ten: make show ARGS="-n 10"')


if __name__ == "__main__":
    main()
