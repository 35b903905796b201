"""The experiments of the present commit: what came out, and what was changed.

The same as `dvc exp show --only-changed` in lines that fit the terminal: in place of a column for
each parameter and each file, what differs from the commit. Of many experiments, the best are shown.
Options of `dvc exp show` that choose rows, such as -n 10 for those of the last ten commits, may
follow.
"""

import argparse
import re
from collections import Counter
from dataclasses import replace
from itertools import chain

from tools import commands, configurations, dvc_lock, exp_show, overrides, tables
from tools.exp_show import Run

# options of `dvc exp show`
ROWS = "-n --num -A --all-commits -a --all-branches -T --all-tags --rev --hide-queued --hide-failed"


def formatted(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def without_metrics_of_others(run: Run) -> Run:
    """The workspace or a commit; not its metrics, where its dvc.lock has not its params.yaml.

    Parameters of figures change no metric.
    """
    lock = None if run.rev == exp_show.WORKSPACE else dvc_lock.at(run.rev)
    for path, value in dvc_lock.params(lock).items():
        if path.startswith("plot."):
            continue
        own = [name for name in run.params if f"{name}.".startswith(f"{path}.")]
        if {name: run.params[name] for name in own} != dict(exp_show.leaves(value, path)):
            return replace(run, state="not run", metrics={})
    return run


def bases(runs: list[Run]) -> dict[str, Run]:
    """What each run is compared with: its commit; the workspace and a commit, the one before."""
    commits = [run for run in runs if not run.is_experiment]
    earlier = [*commits[1:], commits[-1]]
    before = {run.rev: base for run, base in zip(commits, earlier)}
    found = {}
    for run in runs:
        if not run.is_experiment:
            commit = run
        found[run.rev] = commit if run.is_experiment else before[run.rev]
    return found


def differing(run: Run, base: Run) -> list[str]:
    """The dotted paths of the parameters that differ, less those of recipes and data not used.

    None where the parameters of one cannot be read.
    """
    if not run.params or not base.params:
        return []
    paths = {**run.params, **base.params}
    used = [path for path in paths if exp_show.concerns(path, run.params)]
    found = [path for path in used if run.params.get(path) != base.params.get(path)]
    if "datasets.folder.path" in found and "download.dataset" in found:
        found.remove("download.dataset")  # the path tells it
    return found


def changes(runs: list[Run], compared: dict[str, Run]) -> list[list[str]]:
    """For each run what was changed: conv1.filters=32, train.seed=1."""
    paths = [differing(run, compared[run.rev]) for run in runs]
    every = list(dict.fromkeys(chain(*paths)))
    names = overrides.ends(every, 2)
    found = []
    for run, own in zip(runs, paths):
        values = [tables.cut(run.params.get(path, configurations.ABSENT)) for path in own]
        found.append([f"{names[path]}={value}" for path, value in zip(own, values)])
    return found


def in_all(runs: list[Run], changed: list[list[str]]) -> list[str]:
    """What was changed in every experiment, if there are several."""
    tried = [own for run, own in zip(runs, changed) if run.is_experiment]
    if len(tried) < 2:
        return []
    return [change for change in tried[0] if all(change in own for own in tried)]


def results(runs: list[Run]) -> list[list[str]]:
    """A column for each metric, the first with the states of those that have none.

    test_accuracy stands on two lines.
    """
    columns = []
    for metric in exp_show.ordered(name for run in runs for name in run.metrics) or ["state"]:
        above, _, below = metric.rpartition("_")
        columns.append([above, below, *(formatted(run.metrics.get(metric, "")) for run in runs)])
    for place, run in enumerate(runs, start=2):
        if run.state != exp_show.DONE:
            columns[0][place] = run.state.lower()
    return columns


def table(runs: list[Run], compared: dict[str, Run]) -> str:
    """A row for each run, what was changed last; below, what was changed in all experiments."""
    changed = changes(runs, compared)
    alike = in_all(runs, changed)
    words = []
    for run, own in zip(runs, changed):
        told = alike if run.is_experiment else []
        words.append(", ".join(change for change in own if change not in told))
    names = ["", "experiment", *(run.name for run in runs)]
    columns = [names, *results(runs), ["", "changed", *words]]
    rows = [list(row) for row in zip(*columns)]
    found = tables.fitted(rows if any(rows[0]) else rows[1:], len(columns) - 1)
    if not alike:
        return found
    said = f"changed in all experiments: {', '.join(alike)}"
    return "\n".join([found, *tables.broken(said, tables.terminal())])


def ranked(runs: list[Run]) -> tuple[list[Run], str]:
    """Experiments, the best first by the metric to choose by; and its name, if any.

    Each data set by itself. Last come those without the metric, then those that did not end well.
    """
    names = exp_show.ordered(name for run in runs for name in run.metrics)[:1]
    datasets = list(dict.fromkeys(run.params.get("download.dataset") for run in runs))

    def place(run: Run) -> tuple[int, bool, float]:
        values = [-exp_show.sign(name) * run.metrics[name] for name in names if name in run.metrics]
        return datasets.index(run.params.get("download.dataset")), not values, sum(values)

    having = sorted((run for run in runs if run.metrics), key=place)
    return [*having, *(run for run in runs if not run.metrics)], "".join(names)


def best(runs: list[Run], compared: dict[str, Run], most: int) -> tuple[list[Run], str]:
    """The workspace, the commits, and below each the best experiments; and what is not shown.

    Of many commits, those that have experiments.
    """
    tried, metric = ranked([run for run in runs if run.is_experiment])
    most = most if most > 0 else len(tried)
    found = []
    commits = [run for run in runs if not run.is_experiment]
    for place, commit in enumerate(commits):
        own = [run for run in tried[:most] if compared[run.rev] is commit]
        if own or place < 2 or len(commits) <= tables.MOST:  # the first are the workspace and HEAD
            found += [commit, *own]
    states = Counter(run.state for run in tried[most:])
    states[f"further down by {metric}" if metric else "ended well"] = states.pop(exp_show.DONE, 0)
    left = ", ".join(f"{count} {state}" for state, count in states.items() if count)
    rest = f"not shown: {left}; --rows 0 shows all; make study: over seeds" if left else ""
    return found, rest


def of_other_commits(shown: set[str]) -> int:
    """How many experiments there are of commits that are not shown."""
    refs = commands.output("git", "for-each-ref", "--format=%(refname)", "refs/exps").splitlines()
    found = [re.fullmatch(r"refs/exps/(..)/(.{38})/.+", ref) for ref in refs]
    return sum(each[1] + each[2] not in shown for each in found if each)


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
    for option in options:
        if option.startswith("-") and not option.startswith(tuple(ROWS.split())):
            parser.error(f"expected options that choose rows, {ROWS}; found {option}")
    commands.end_with_reader()
    read = exp_show.read(*options)
    runs = [run if run.is_experiment else without_metrics_of_others(run) for run in read]
    compared = bases(runs)
    shown, rest = best(runs, compared, own.rows)
    print(table(shown, compared))
    if rest:
        print(rest)
    if failed := [run.name for run in shown if run.state == exp_show.FAILED]:
        print(f"why {failed[0]} failed: dvc queue logs {failed[0]}")
    if not any(run.is_experiment for run in runs):
        print('no experiments of the present commit; of the last ten: make show ARGS="-n 10"')
    elif others := of_other_commits({run.rev for run in runs}):
        print(f"{others} of other commits: make show ARGS=-A")


if __name__ == "__main__":
    main()
