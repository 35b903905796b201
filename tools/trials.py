"""The trials of a search: what the experiments tell of them, and what Optuna proposes next.

No database stands beside the experiments: their names and values say which trial each is of.
"""

import argparse
import contextlib
import hashlib
import json
import re
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tools import commands, configurations, exp_show, experiment, overrides, sweep
from tools.experiment import Bars, Outcome
from tools.sweep import Remotes, Todo

if TYPE_CHECKING:
    import optuna

    from tools.space import Space, Values

HELD_OUT = "val_"  # so the names of metrics of held-out images begin
STARTUP = 10  # trials at random, before what came of them guides
UNPRUNED, WARM_UP = 5, 1  # trials that end well before one is stopped, epochs of one that is
DRAWS, GUIDED = 100, 25  # for a trial with new values: so many, the first of them guided


@dataclass
class Trial:
    """Values, and what came of them with each seed: None where that failed or was stopped."""

    number: int
    values: "Values"
    names: dict[int, str] = field(default_factory=dict)
    results: dict[int, float | None] = field(default_factory=dict)
    curves: dict[int, list[float]] = field(default_factory=dict)  # the metric after each epoch

    @property
    def found(self) -> list[float]:
        return [result for result in self.results.values() if result is not None]

    @property
    def cut_short(self) -> bool:
        """Whether a seed of it failed or was stopped."""
        return None in self.results.values()

    @property
    def failed(self) -> bool:
        return self.cut_short and not self.stopped

    @property
    def stopped(self) -> list[list[float]]:
        """The curves of those seeds that were stopped."""
        seeds = [seed for seed, name in self.names.items() if experiment.STOPPED in name]
        return [self.curves[seed] for seed in seeds]

    @property
    def mean(self) -> float:
        return statistics.mean(self.found)


class Search:
    """The trials of a search, as the experiments tell them, and what is to be tried next.

    A proposal follows from the seed, the trial's number and the trials before it; of the last
    `at_once - 1` of these it knows the values alone, whether they have ended or not. So it depends
    neither on how long each took nor on how often the search was killed.
    """

    def __init__(self, space: "Space", options: argparse.Namespace, to: Remotes) -> None:
        self.space, self.to = space, to
        self.metric, self.seed, self.seeds = options.metric, options.seed, range(options.seeds)
        self.wanted, self.at_once = options.trials, options.at_once
        self.pruning = options.pruning
        self.bars: dict[str, Bars | None] = {}
        self.exhausted = False  # no values are left that were not tried
        self.trials: list[Trial] = []
        self.known: dict[int, Trial] = {}
        self.started: dict[str, tuple[Trial, int]] = {}  # by the name of the experiment
        what = json.dumps([sorted(space.fixed), sorted(space.ranges), self.seed])
        self.name = f"search-{hashlib.sha256(what.encode()).hexdigest()[:4]}"

    def read(self, names: list[str]) -> None:
        """Read the trials of which the experiments of these names are part."""
        from digits import params, yaml12  # late: pydantic

        # One that ended counts more than one that was stopped, of the same seed and values.
        for name in sorted(names, key=lambda name: experiment.STOPPED in name):
            match = re.match(rf"{self.name}-(\d+)-seed-(\d+)-", name)
            if not match or int(match[2]) not in self.seeds:
                continue
            number, seed = map(int, match.groups())
            values = self.space.read(yaml12.load(self.file(name, str(params.FILE)).encode()))
            # Two searches that did not know of each other gave two trials one number.
            while number in self.known and self.known[number].values != values:
                number += 1
            trial = self.known.setdefault(number, Trial(number, values))
            if seed in trial.results:
                continue
            trial.names[seed] = name
            if experiment.STOPPED in name:
                show = ["git", "show", "--no-patch", "--format=%B", f"{self.to.prefix}{name}"]
                trial.curves[seed] = experiment.curve(commands.output(*show), self.metric)
                trial.results[seed] = None
            else:
                trial.results[seed] = self.result(json.loads(self.file(name, experiment.METRICS)))

    def end(self, name: str, outcome: Outcome) -> None:
        """Note what came of an experiment."""
        trial, seed = self.started[name]
        ended = not outcome.status and not outcome.stopped
        trial.results[seed] = self.result(outcome.metrics) if ended else None
        if outcome.stopped:
            trial.names[seed] = experiment.stopped(name)
            trial.curves[seed] = experiment.curve(outcome.stopped, self.metric)

    def file(self, name: str, path: str) -> str:
        to = self.to
        return commands.output("git", "show", f"{to.prefix}{name}:{to.inner}{path}")

    def result(self, metrics: dict[str, Any]) -> float:
        if self.metric not in metrics:
            known = ", ".join(name for name in metrics if name.startswith(HELD_OUT))
            raise SystemExit(f"--metric: expected one of {known}; found {self.metric}")
        return metrics[self.metric]

    def ended(self, trial: Trial) -> bool:
        return all(seed in trial.results for seed in self.seeds)

    def more(self) -> Todo:
        """The experiments that may start now and have not: of a trial whose turn has come."""
        todo = {}
        while len(self.trials) < self.wanted and all(map(self.ended, self.settled())):
            trial = self.known.get(len(self.trials)) or self.propose()
            if not trial:
                self.wanted, self.exhausted = len(self.trials), True
                break
            for seed in self.seeds:
                if seed not in trial.results:
                    name, todo[name] = self.experiment(trial, seed)
            self.trials.append(trial)
        return todo

    def settled(self) -> list[Trial]:
        """The trials whose results the next proposal knows."""
        return self.trials[: max(0, len(self.trials) + 1 - self.at_once)]

    def next_bars(self, seed: int) -> Bars | None:
        """Optuna's median rule for the next trial: of those its proposal knows that ended well."""
        known = [trial for trial in self.settled() if trial.results[seed] is not None]
        if not self.pruning or len(known) < UNPRUNED:
            return None
        medians = map(statistics.median, zip(*(self.curve(trial, seed) for trial in known)))
        values = dict(list(enumerate(medians, start=1))[WARM_UP:])
        return Bars(self.metric, exp_show.sign(self.metric), values)

    def curve(self, trial: Trial, seed: int) -> list[float]:
        """The metric after each epoch; of what ended well, from DVC's cache or remote."""
        if seed not in trial.curves:
            import dvc.api
            from dvc.exceptions import DvcException

            name = trial.names[seed]
            sweep.fetch([name], self.to)
            try:
                log = dvc.api.read(experiment.LOG, rev=f"{self.to.prefix}{name}")
            except DvcException as error:
                raise SystemExit(f"{name}: {error}; without it: --no-pruning") from None
            trial.curves[seed] = experiment.curve(log, self.metric)
        return trial.curves[seed]

    def experiment(self, trial: Trial, seed: int) -> tuple[str, list[str]]:
        """Name and values of an experiment: the name alone says which trial and seed it is of."""
        values = [*self.space.overrides(trial.values), f"{configurations.SEED}={seed}"]
        searched = values[len(self.space.fixed) : -1]
        names = overrides.ends(map(overrides.key, searched))
        words = f"{self.name}-{trial.number:03d}-seed-{seed}-{overrides.words(searched, names)}"
        name = experiment.label(words, values, self.to.commit)
        trial.names[seed] = name
        self.started[name] = trial, seed
        self.bars[name] = self.next_bars(seed)
        return name, values

    def propose(self) -> Trial | None:
        """The next trial, of values that none before it has; None where no new ones are found."""
        import numpy as np
        import optuna

        tried = [trial.values for trial in self.trials]
        for draw in range(DRAWS):
            seed = int(np.random.default_rng([self.seed, len(tried), draw]).integers(2**32))
            startup = STARTUP if draw < GUIDED else self.wanted + 1
            sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup)
            asked = self.told(len(self.settled()), sampler).ask(self.space.ranges)
            values = self.space.rounded(asked.params)
            if values not in tried:
                return Trial(len(tried), values)
        return None

    def told(self, settled: int, sampler: Any = None) -> "optuna.Study":
        """What Optuna knows: so many trials have ended. One that failed counts as the worst.

        One that was stopped counts as worse than those that were not, the sooner the worse.
        """
        import optuna
        from optuna.trial import TrialState, create_trial

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        more = exp_show.sign(self.metric) > 0
        found = optuna.create_study(direction="maximize" if more else "minimize", sampler=sampler)
        for trial in self.trials:
            if trial.number >= settled:
                state = TrialState.RUNNING
            elif trial.cut_short:
                state = TrialState.PRUNED
            else:
                state = TrialState.COMPLETE
            value = trial.mean if state == TrialState.COMPLETE else None
            until = map(statistics.mean, zip(*trial.stopped))
            reached = dict(enumerate(until, start=1)) if state == TrialState.PRUNED else {}
            with contextlib.suppress(ValueError):  # where the ranges were wider once
                known = create_trial(
                    state=state,
                    value=value,
                    intermediate_values=reached,
                    params=trial.values,
                    distributions=self.space.ranges,
                )
                found.add_trial(known)
        return found

    def ranked(self) -> list[Trial]:
        """The trials that ended well, the best first."""
        done = [trial for trial in self.trials if self.ended(trial) and not trial.cut_short]
        return sorted(done, key=lambda trial: -exp_show.sign(self.metric) * trial.mean)
