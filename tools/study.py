"""What the experiments of the present commit show, taken together over their seeds.

A row is a configuration, named by what differs: how many seeds ran, mean and standard deviation of
a metric, and how much better it is than the commit's own parameters, seed by seed. Each data set
has a table of its own. A seed counts once, however often it ran.
"""

import argparse
import fnmatch
import hashlib
import signal
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice

from tools import commands, exp_show, pairs, tables
from tools.exp_show import Run

SEED = "train.seed"
ABSENT = "-"  # of a parameter that one configuration has and another lacks
HELD_OUT = ("preprocess.", "train.validation_split")  # these say which images validate
CODE = ("stages", "digits", "dvc.yaml")  # that stages are made of
SOURCE = ("download.", "datasets.")  # where the images come from

Values = tuple[str, ...]  # of the parameters that differ


@dataclass(frozen=True)
class Study:
    """Configurations of a data set: those of the best mean first, each with a run per seed."""

    data: str
    metric: str
    keys: list[str]  # dotted paths of what differs
    shared: dict[str, str]  # what all configurations have alike, and the commit otherwise
    groups: dict[Values, dict[str, Run]]
    reference: Values  # the configuration that the others are compared with
    committed: bool  # it is the commit's own, but for `shared`; else it is the best

    @property
    def names(self) -> list[str]:
        return short(self.keys)

    def values(self, group: Values) -> list[float]:
        return [run.metrics[self.metric] for run in self.groups[group].values()]

    def mean(self, group: Values) -> float:
        return statistics.mean(self.values(group))

    def differences(self, group: Values) -> list[float]:
        """How much better than the reference each seed is that both have."""
        own, other = self.groups[group], self.groups[self.reference]
        sign = exp_show.sign(self.metric)
        shared = [seed for seed in own if seed in other]
        return [
            sign * (own[seed].metrics[self.metric] - other[seed].metrics[self.metric])
            for seed in shared
        ]

    @property
    def comparisons(self) -> int:
        """How many configurations have an interval: two seeds in common with the reference."""
        others = [group for group in self.groups if group != self.reference]
        return sum(len(self.differences(group)) > 1 for group in others)

    def compared(self, group: Values) -> str:
        if group == self.reference:
            committed = "otherwise as committed" if self.shared else "as committed"
            return f"reference: {committed if self.committed else 'the best'}"
        return pairs.words(self.differences(group), self.metric, self.comparisons)

    def shown(self, value: float) -> str:
        return f"{100 * value:.3f} %" if exp_show.in_percent(self.metric) else f"{value:.5g}"

    def rows(self) -> list[list[str]]:
        """The table, its head first."""
        rows = [[*self.names, "seeds", self.metric, "sd", "compared"]]
        for group in self.groups:
            found = self.values(group)
            deviation = self.shown(statistics.stdev(found)) if len(found) > 1 else ""
            numbers = [str(len(found)), self.shown(statistics.mean(found)), deviation]
            rows.append([*map(tables.cut, group), *numbers, self.compared(group)])
        alone = len(self.groups) == 1
        return [row[:-1] for row in rows] if alone else rows

    def remarks(self) -> list[str]:
        """What a reader of the table must know."""
        found = []
        if self.shared:
            alike = zip(short(list(self.shared)), map(tables.cut, self.shared.values()))
            listed = ", ".join(f"{name} {value or 'empty'}" for name, value in alike)
            found.append(f"all differ from the commit in: {listed}")
        if self.comparisons > 1:
            each = 100 * (1 - pairs.ALPHA / self.comparisons)
            found.append(
                f"{self.comparisons} comparisons at once: with 95 % all their intervals hold, "
                f"each alone with {each:.4g} % (Bonferroni)"
            )
        if self.comparisons and not self.committed:
            found.append("the best of several is also the luckiest: expect a smaller lead")
        others = [key for key in self.keys if key.startswith(HELD_OUT) or key.endswith("_split")]
        if others and self.metric.startswith("val_"):
            found.append(f"other images validate where another {', '.join(others)} stands")
        return found


def short(keys: list[str]) -> list[str]:
    """The last two parts of each path, where they tell it from the others."""
    ends = [".".join(key.split(".")[-2:]) for key in keys]
    counts = Counter(ends)
    return [end if counts[end] == 1 else key for key, end in zip(keys, ends)]


def counts(path: str, params: dict[str, str], metric: str) -> bool:
    """Can a parameter change a run's metric? The seed is no part of a configuration."""
    conditions = {
        SEED: False,
        "plot.": False,
        "environment.": False,
        "evaluate.": not metric.startswith("val_"),
        "evaluate.calibration_bins": metric == "ece",
    }
    held = all(holds for start, holds in conditions.items() if path.startswith(start))
    return held and exp_show.concerns(path, params)


def several(path: str, runs: list[Run]) -> bool:
    """Whether a parameter has more than one value among the runs."""
    return len({run.params.get(path, ABSENT) for run in runs}) > 1


def differing(runs: list[Run], metric: str, *commit: Run) -> list[str]:
    """The parameters that have several values among the runs whose metric they can change.

    So what only one of two recipes has is no difference between them. The value that a commit has,
    if one is given, counts as well.
    """
    everything = [*runs, *commit]
    found = []
    for path in {path for run in everything for path in run.params}:
        if several(path, everything):  # few do, of many
            having = [run for run in runs if counts(path, run.params, metric)]
            if having and several(path, [*having, *commit]):
                found.append(path)
    return sorted(found)


def configuration(run: Run, keys: list[str], metric: str) -> Values:
    return tuple(
        run.params.get(key, ABSENT) if counts(key, run.params, metric) else ABSENT for key in keys
    )


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


def of_data(data: str, runs: list[Run], metric: str, commit: Run) -> Study:
    """The study of the runs on a data set."""
    every = differing(runs, metric, commit)
    found = [dict(zip(every, configuration(run, every, metric))) for run in runs]
    keys = [key for key in every if len({values[key] for values in found}) > 1]
    shared = {key: found[0][key] for key in every if key not in keys}
    groups: dict[Values, dict[str, Run]] = defaultdict(dict)
    for run in runs:
        groups[configuration(run, keys, metric)][run.params.get(SEED, ABSENT)] = run

    for group, seeds in groups.items():
        groups[group] = dict(sorted(seeds.items(), key=lambda seed: (len(seed[0]), seed[0])))

    def rank(group: Values) -> float:
        mean = statistics.mean(run.metrics[metric] for run in groups[group].values())
        return -exp_show.sign(metric) * mean

    ordered = {group: groups[group] for group in sorted(groups, key=rank)}
    own = configuration(commit, keys, metric)
    reference = own if own in ordered else next(iter(ordered))
    return Study(data, metric, keys, shared, ordered, reference, own in ordered)


def studies(runs: list[Run], metric: str, commit: Run) -> list[Study]:
    """A study for each data set: its images cannot be compared with those of another."""
    keys = [path for path in differing(runs, metric) if path.startswith(SOURCE)]
    of: dict[Values, list[Run]] = defaultdict(list)
    for run in runs:
        of[configuration(run, keys, metric)].append(run)
    found = []
    for values, some in sorted(of.items()):
        names = [key.rpartition(".")[2] for key in keys]
        own = [f"{name} {value}" for name, value in zip(names, values) if value != ABSENT]
        name = some[0].params.get("download.dataset", "")
        found.append(of_data(", ".join(own) or name, some, metric, commit))
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
    lacking = sum("val_accuracy" not in run.metrics for run in runs)
    if lacking:
        print(f"by {metric}, which all have: {lacking} of {len(runs)} hold no images out")
        print("(-S train.validation_split=0.1 does); a choice by test images spoils them as a test")


def ended(runs: list[Run]) -> list[Run]:
    """The experiments that ended well, after a word on the others; SystemExit where none did."""
    tried = [run for run in runs if run.is_experiment]
    others = Counter(run.state for run in tried if run.state != exp_show.DONE)
    if others:
        print("left out:", ", ".join(f"{others[state]} {state}" for state in sorted(others)))
    found = [run for run in tried if run.metrics]
    if not found:
        raise SystemExit(
            "no experiment of the present commit has ended well; try dvc exp run --queue, or "
            "make show ARGS=-A"
        )
    return found


def named(runs: list[Run], patterns: list[str]) -> list[Run]:
    """Those whose names fit a pattern, and what is no experiment; SystemExit where none does."""
    names = [run.name for run in runs if run.is_experiment]
    fit = {name for pattern in patterns for name in fnmatch.filter(names, pattern)}
    if not fit:
        raise SystemExit(f"no experiment is named {' or '.join(patterns)}; their names: make show")
    return [run for run in runs if run.name in fit or not run.is_experiment]


def write(option: str, path: str, make: Callable[[], None]) -> None:
    try:
        make()
    except (OSError, ValueError) as error:
        raise SystemExit(f"{option}: expected a file to write to; found {path}: {error}") from None


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
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `make study | head` ends without a word
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # so does Ctrl-C

    runs = with_code([run for run in exp_show.read() if run.name != "workspace"])
    if options.names:
        runs = named(runs, options.names)
    having = ended(runs)
    metric = options.metric or choose(having)
    [commit] = [run for run in runs if not run.is_experiment]
    found = studies(with_metric(having, metric), metric, commit)
    if not options.metric and any(len(study.groups) > 1 for study in found):
        caution(having, metric)
    for study in found:
        rows = study.rows()
        most = options.rows if options.rows > 0 else len(rows)
        heading = [f"\n{study.data}"] if len(found) > 1 else []
        print(*heading, tables.aligned(rows[: most + 1]), *study.remarks(), sep="\n")
        if len(rows) > most + 1:
            print(f"{len(rows) - most - 1} more; --rows 0: all")
    sys.stdout.flush()
    if options.figure:
        from tools import study_figure  # late: slow

        figure = study_figure.draw(found)
        write("--figure", options.figure, lambda: figure.savefig(options.figure, dpi=100))
    if options.page:
        from tools import study_page

        write("--page", options.page, lambda: study_page.save(found, options.page))


if __name__ == "__main__":
    main()
