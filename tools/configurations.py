"""Experiments, taken together by configuration: what differs between them, but for the seed.

Each data set has a `Study` of its own. A seed counts once, however often it ran.
"""

import statistics
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

from tools import exp_show, overrides, pairs, tables
from tools.exp_show import Run

SEED = "train.seed"
ABSENT = "-"  # of a parameter that one configuration has and another lacks
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
    commit: Values  # what the commit has, but for `shared`

    @property
    def committed(self) -> bool:
        """Whether the commit's own configuration ran."""
        return self.commit in self.groups

    @property
    def reference(self) -> Values:
        """The configuration that the others are compared with.

        The commit's own, or the best of those that have most seeds.
        """
        return self.commit if self.committed else max(self.groups, key=self.count)

    @property
    def runs(self) -> int:
        return sum(map(len, self.groups.values()))

    @property
    def as_committed(self) -> str:
        return "otherwise as committed" if self.shared else "as committed"

    def count(self, group: Values) -> int:
        return len(self.groups[group])

    @property
    def names(self) -> list[str]:
        return [*overrides.ends(self.keys, 2).values()]

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

    @cached_property
    def comparisons(self) -> int:
        """How many configurations have an interval: two seeds in common with the reference."""
        others = [group for group in self.groups if group != self.reference]
        return sum(len(self.differences(group)) > 1 for group in others)

    def compared(self, group: Values) -> list[str]:
        """How much better than the reference, the interval, and by how many pairs."""
        if group == self.reference:
            return ["reference", "", ""]
        return pairs.cells(self.differences(group), self.metric, self.comparisons)

    def described(self, group: Values) -> str:
        """What a configuration has otherwise than the commit."""
        parts = [
            f"{name}={tables.cut(value)}"
            for name, value, other in zip(self.names, group, self.commit)
            if value not in (other, ABSENT)
        ]
        return ", ".join(parts) or self.as_committed

    def shown(self, value: float) -> str:
        return f"{100 * value:.3f} %" if exp_show.in_percent(self.metric) else f"{value:.5g}"

    def rows(self, apart: bool = True) -> list[list[str]]:
        """The table, its head first; the parameters `apart`, in columns, or in one together."""
        head = [*(self.names if apart else ["configuration"]), "seeds", self.metric, "sd"]
        rows = [[*head, "better by", "95 % interval", "pairs"]]
        for group in self.groups:
            found = self.values(group)
            deviation = self.shown(statistics.stdev(found)) if len(found) > 1 else ""
            numbers = [str(len(found)), self.shown(statistics.mean(found)), deviation]
            told = map(tables.cut, group) if apart else [self.described(group)]
            rows.append([*told, *numbers, *self.compared(group)])
        alone = len(self.groups) == 1
        return [row[: len(head)] for row in rows] if alone else rows

    def remarks(self) -> list[str]:
        """What a reader of the table must know."""
        found = []
        if len(self.groups) > 1:
            what = self.as_committed if self.committed else "the best of those with most seeds"
            unit = "percentage points" if exp_show.in_percent(self.metric) else self.metric
            found.append(f"reference: {what}; better by: {unit}, on the seeds that both have")
            if not self.comparisons:
                found.append("no two seeds in common: what differs may be luck; run more seeds")
        if self.shared:
            names = overrides.ends(self.shared, 2).values()
            alike = zip(names, map(tables.cut, self.shared.values()))
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
        others = [key for key in self.keys if splits(key)]
        if others and self.metric.startswith("val_"):
            found.append(f"other images validate where another {', '.join(others)} stands")
        return found


def splits(path: str) -> bool:
    """Does a parameter say which images of a data set are trained on, and which validate?"""
    return path.startswith("preprocess.") or path.endswith(".validation_split")


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


def by_seed(run: Run) -> tuple[int, str]:
    """A key that sorts 9 before 10."""
    seed = run.params.get(SEED, ABSENT)
    return len(seed), seed


def of_data(data: str, runs: list[Run], metric: str, commit: Run) -> Study:
    """The study of the runs on a data set."""
    every = differing(runs, metric, commit)
    found = [dict(zip(every, configuration(run, every, metric))) for run in runs]
    keys = [key for key in every if len({values[key] for values in found}) > 1]
    shared = {key: found[0][key] for key in every if key not in keys}
    groups: dict[Values, dict[str, Run]] = defaultdict(dict)
    for run in sorted(runs, key=by_seed):
        groups[configuration(run, keys, metric)][run.params.get(SEED, ABSENT)] = run

    def rank(group: Values) -> float:
        mean = statistics.mean(run.metrics[metric] for run in groups[group].values())
        return -exp_show.sign(metric) * mean

    ordered = {group: groups[group] for group in sorted(groups, key=rank)}
    return Study(data, metric, keys, shared, ordered, configuration(commit, keys, metric))


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
