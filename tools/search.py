"""Search for hyperparameters: Optuna proposes, Ray runs, DVC keeps each trial as experiments.

A trial is judged by images that are held out from the training, never by test images. No database
stands beside the experiments: the same command, started again anywhere, reads from them what was
tried, goes on, and repeats nothing. A trial that is worse than most were after as many epochs is
stopped; its experiment says so in its name.
"""

import argparse
import json
from typing import TYPE_CHECKING

from tools import commands, experiment, sweep
from tools.experiment import Outcome
from tools.sweep import Sweep, Todo
from tools.trials import HELD_OUT, Search

if TYPE_CHECKING:
    import ray
    from tqdm import tqdm

AT_ONCE = 4


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
