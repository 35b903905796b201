"""Search for hyperparameters: Optuna proposes, Ray runs, DVC keeps each trial as experiments.

A trial is judged by images that are held out from the training, never by test images. No database
stands beside the experiments: the same command, started again anywhere, reads from them what was
tried, goes on, and repeats nothing. A trial that is worse than most were after as many epochs is
stopped; its experiment says so in its name.
"""

import argparse
import contextlib
import hashlib
import json
import re
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tools import commands, exp_show, experiment, overrides, study, sweep
from tools.experiment import Bars, Outcome
from tools.sweep import Remotes, Sweep, Todo

if TYPE_CHECKING:
    import optuna
    import ray
    from tqdm import tqdm

    from tools.space import Space, Values

HELD_OUT = "val_"  # so the names of metrics of held-out images begin
AT_ONCE = 4
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
    def failed(self) -> bool:
        return None in self.results.values()

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
        values = [*self.space.overrides(trial.values), f"{study.SEED}={seed}"]
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
            elif trial.failed:
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
        done = [trial for trial in self.trials if self.ended(trial) and not trial.failed]
        return sorted(done, key=lambda trial: -exp_show.sign(self.metric) * trial.mean)


class Runner(Sweep):
    """Runs what a search proposes."""

    def __init__(self, search: Search, todo: Todo, bar: "tqdm") -> None:
        super().__init__(todo, search.to, bar)
        self.search, self.metric, self.bars = search, search.metric, search.bars

    def end(self, done: "ray.ObjectRef", name: str, attempt: int) -> Outcome | None:
        outcome = super().end(done, name, attempt)
        if outcome and outcome.status == experiment.TRY_AGAIN:  # which says nothing of its values
            raise SystemExit("workers or remotes fail again and again; the same command goes on")
        if outcome:
            self.search.end(name, outcome)
        return outcome

    def more(self) -> None:
        new = self.search.more()
        self.todo |= new
        self.waiting.extend((name, 1) for name in new)


def run(search: Search, first: Todo, address: str | None) -> None:
    total = search.wanted * len(search.seeds)
    wanted = [trial for trial in search.known.values() if trial.number < search.wanted]
    done = sum(len(trial.results) for trial in wanted)
    bar = sweep.progress(total, done)
    with sweep.connected(address), bar:
        runner = Runner(search, first, bar)
        if (cores := runner.cores()) > search.at_once * len(search.seeds):
            bar.write(f"{cores} cores; to use all: --at-once {cores // len(search.seeds)}")
        runner.run()


def options() -> argparse.Namespace:
    example = (
        "For example: -S recipe=fast -S train.validation_split=0.1 "
        "-S recipes.fast.optimizer.learning_rate=0.001..0.02:log "
        "-S recipes.fast.batch_size=32..256:32"
    )
    ranges = "as `dvc exp run --queue`; or a range, a..b, a..b:STEP or a..b:log"
    parser = sweep.arguments("tools.search", __doc__, example, ranges)
    say = parser.add_argument
    say("--trials", type=positive, default=30, help="in all, earlier ones included (30)")
    say("--metric", default="val_accuracy", help="of held-out images (val_accuracy)")
    say("--seeds", type=positive, default=1, help="of a trial, whose mean counts (1)")
    say("--seed", type=natural, default=0, help="of the proposals; another one: another search (0)")
    at_once = f"trials at a time ({AT_ONCE}); the proposals follow from it"
    say("--at-once", type=positive, default=AT_ONCE, help=at_once)
    whole = "train hopeless trials to their end too"
    say("--no-pruning", dest="pruning", action="store_false", help=whole)
    return parser.parse_args()


def main() -> None:
    given = options()
    check(given.metric)
    to, git = sweep.destination(given, "ray", "optuna")
    from tools import space  # late: Optuna

    search = Search(space.read(given.set_param), given, to)
    found = [name for name in sweep.there(to, git) if name.startswith(f"{search.name}-")]
    sweep.fetch(found, to)
    search.read(found)
    if first := search.more():
        sweep.check_push(to, git)
        run(search, first, given.address)
        names = [name for trial in search.ranked() for name in trial.names.values()]
        sweep.fetch(names, to)

    from tools import search_report  # late: slow

    search_report.show(search)


def check(metric: str) -> None:
    """SystemExit where it is none of held-out images, or no experiment will have it."""
    committed = commands.answer("git", "show", f"HEAD:./{experiment.METRICS}", no=128)
    known = {"val_accuracy", *json.loads(committed or "{}")}
    held_out = sorted(name for name in known if name.startswith(HELD_OUT))
    if metric not in held_out:
        raise SystemExit(
            f"--metric: expected one of held-out images, {', '.join(held_out)}; found {metric}: "
            "test images by which a choice was made can no longer test it"
        )


def natural(text: str, least: int = 0) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"expected {least} or more; found {text}")
    return int(text)


def positive(text: str) -> int:
    return natural(text, least=1)


if __name__ == "__main__":
    sweep.interruptible(main)
