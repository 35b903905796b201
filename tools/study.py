"""What the experiments of the present commit show, taken together over their seeds.

A row is a configuration, named by what differs: how many seeds ran, mean and standard deviation of
a metric, and how much better it is than the commit's own parameters, seed by seed. Each data set
of several experiments has a table; your pictures count as another whenever some are added. A seed
counts once, however often it ran.
"""

import argparse
import fnmatch
import hashlib
import signal
import sys
from collections import Counter
from dataclasses import replace
from itertools import chain, islice

from digits.output import listed
from tools import commands, configurations, dvc_lock, exp_show, tables
from tools.configurations import Study
from tools.exp_show import Run

DATA = "data/idx"  # the output that a data set is
CODE = ("stages", "digits", "dvc.yaml")  # that stages are made of


def with_code(runs: list[Run]) -> list[Run]:
    """The runs with one parameter more: a sum of the code that ran, which may have been edited."""
    asked = [f"{run.rev}:./{name}" for run in runs for name in CODE]
    command = "git", "cat-file", "--batch-check=%(objectname)"
    sums = iter(commands.output(*command, told="\n".join(asked)).splitlines())
    found = []
    for run in runs:
        own = " ".join(islice(sums, len(CODE)))
        code = hashlib.sha256(own.encode()).hexdigest()[:7]
        found.append(replace(run, params={**run.params, "code": code}))
    return found


def with_data(runs: list[Run]) -> list[Run]:
    """The runs on somebody's own data with one parameter more: a sum of these, which may grow."""
    found = []
    for run in runs:
        dataset = run.params.get("download.dataset")
        if dataset in ("folder", "url"):
            sums = dvc_lock.sums(dvc_lock.at(run.rev))
            data = sums.get(DATA, configurations.ABSENT)[:7]
            run = replace(run, params={**run.params, f"datasets.{dataset}.data": data})
        found.append(run)
    return found


def with_metric(runs: list[Run], metric: str) -> list[Run]:
    """Those that have the metric, after a word on the others; SystemExit where none has it."""
    having = [run for run in runs if metric in run.metrics]
    if not having:
        known = sorted({name for run in runs for name in run.metrics})
        raise SystemExit(f"--metric: no experiment has {metric}; there are: {', '.join(known)}")
    if len(having) < len(runs):
        print(f"left out: {len(runs) - len(having)} without {metric}")
    return having


def choose(runs: list[Run]) -> str:
    """The metric to compare by: one that all runs have; SystemExit where there is none."""
    if not (found := exp_show.shared(runs)):
        raise SystemExit("the experiments have no metric in common; --metric names one")
    return found[0]


def caution(runs: list[Run], metric: str) -> None:
    """Say why configurations are not compared by images that are held out."""
    lacking = [run.name for run in runs if "val_accuracy" not in run.metrics]
    if lacking:
        print(f"by {metric}, which all have: {len(lacking)} of {len(runs)} hold no images out")
        print("(-S train.validation_split=0.1 does); a choice by test images spoils them as a test")
        if len(lacking) < len(runs):
            print(f"those that hold none out: {listed(lacking)}; ARGS=\"'NAME-*'\": these alone")


def ended(runs: list[Run]) -> list[Run]:
    """The experiments that ended well, after a word on the others; SystemExit where none did."""
    tried = [run for run in runs if run.is_experiment]
    others = Counter(run.state for run in tried if run.state != exp_show.DONE)
    if others:
        print("left out:", ", ".join(f"{others[state]} {state}" for state in sorted(others)))
    found = [run for run in tried if run.metrics]
    if not found:
        which = "of these experiments" if tried else "experiment of the present commit"
        raise SystemExit(
            f"no{'ne' if tried else ''} {which} has ended well; try dvc exp run --queue, or "
            'make show ARGS="-n 10"'
        )
    return found


def named(runs: list[Run], patterns: list[str]) -> list[Run]:
    """Those whose names fit a pattern, and what is no experiment; SystemExit where none does."""
    names = [run.name for run in runs if run.is_experiment]
    fit = {name for pattern in patterns for name in fnmatch.filter(names, pattern)}
    if not fit:
        begun = [one for one in patterns if any(name.startswith(f"{one}-") for name in names)]
        hint = f"did you mean '{begun[0]}-*'?" if begun else "their names: make show"
        raise SystemExit(f"no experiment is named {' or '.join(patterns)}; {hint}")
    if lost := [pattern for pattern in patterns if not fnmatch.filter(names, pattern)]:
        print(f"no experiment of this commit is named {' or '.join(lost)}")
    return [run for run in runs if run.name in fit or not run.is_experiment]


def table(study: Study, most: int) -> str:
    """The best configurations, at most so many, and the reference.

    Each parameter has a column, where all fit.
    """
    count = len(study.groups)
    places = list(range(count if most <= 0 else min(most, count)))
    reference = list(study.groups).index(study.reference)
    places += [reference] if reference not in places else []

    def shown(rows: list[list[str]]) -> list[list[str]]:
        head, *others = rows
        return [head, *(others[place] for place in places)]

    apart = tables.aligned(shown(study.rows()))
    text = apart if tables.fits(apart) else tables.fitted(shown(study.rows(apart=False)), 0)
    left = count - len(places)
    return f"{text}\n{left} more; --rows 0: all" if left else text


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.study", description=__doc__)
    parser.add_argument(
        "names", metavar="NAME", nargs="*", help="of experiments, such as 'shift-*' (default: all)"
    )
    parser.add_argument("--metric", help="of reports/metrics.json (default: one that all have)")
    parser.add_argument(
        "--figure", metavar="FILE", help="draw learning curves and results, to study.png, say"
    )
    parser.add_argument(
        "--page", metavar="FILE", help="tables to sort, and the curves: one file, study.html, say"
    )
    parser.add_argument(
        "--rows", type=int, default=tables.MOST, help="of a table, at most; 0: all (default: 30)"
    )
    options = parser.parse_args()
    commands.end_with_reader()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # so does Ctrl-C

    runs = with_data(with_code([run for run in exp_show.read() if run.name != exp_show.WORKSPACE]))
    if options.names:
        runs = named(runs, options.names)
    having = ended(runs)
    metric = options.metric or choose(having)
    [commit] = [run for run in runs if not run.is_experiment]
    found = configurations.studies(with_metric(having, metric), metric, commit)
    if not options.metric and any(len(study.groups) > 1 for study in found):
        caution(having, metric)
    alone = [study for study in found if study.runs == 1]
    alone = alone if len(alone) < len(found) else []
    for study in (study for study in found if study not in alone):
        heading = [f"\n{study.data}"] if len(found) > 1 else []
        remarks = [tables.broken(remark, tables.terminal()) for remark in study.remarks()]
        print(*heading, table(study, options.rows), *chain(*remarks), sep="\n")
    if alone:
        print(f"\nnot shown, of one experiment each: {listed(study.data for study in alone)}")
    sys.stdout.flush()
    if options.figure:
        from tools import study_figure  # late: slow

        study_figure.save(study_figure.draw(found), options.figure, "--figure")
        print(f"drawn in {options.figure}")
    if options.page:
        from tools import study_page

        study_page.save(found, options.page)
        print(f"written to {options.page}: open it in a browser")


if __name__ == "__main__":
    main()
