"""Many experiments of the present commit, on the cores of this machine or on a Ray cluster.

Every combination of the values is an experiment, and runs on a core of its own (see
tools/experiment.py). The same command, started again, runs what is missing.
"""

import argparse
import importlib.util
import logging
import os
import secrets
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tools import commands, experiment, overrides
from tools.experiment import Outcome

if TYPE_CHECKING:
    import ray
    from tqdm import tqdm

LOGS = Path(".dvc/tmp/sweep")
ORIGIN = "origin"
TRIES = 3  # of an experiment whose worker died or did not reach a remote
METRIC = "test_accuracy"

Todo = dict[str, list[str]]  # the overrides of each experiment by its name


@dataclass(frozen=True)
class Remotes:
    """Where experiments go: addresses, and the name of the commit whose experiments they are."""

    git: str
    dvc: str  # nothing where the commit names one
    commit: str
    inner: str = ""  # the project's folder in its repository, with / at its end

    @property
    def prefix(self) -> str:
        return f"refs/exps/{self.commit[:2]}/{self.commit[2:]}/"


def combinations(values: list[str], commit: str) -> Todo:
    """Name each experiment by what varies, and by a hash of all its values and of the commit."""
    sweeps = overrides.combinations(values)
    fixed = set.intersection(*map(set, sweeps))
    varying = [[each for each in sweep if each not in fixed] for sweep in sweeps]
    names = overrides.ends(overrides.key(each) for each in varying[0])
    return {
        experiment.label(overrides.words(own, names), whole, commit): whole
        for own, whole in zip(varying, sweeps)
    }


def remotes(git: str, commit: str) -> Remotes:
    """Return where experiments go: to the Git remote of that name, or without one to this checkout.

    SystemExit where the commit does not say all, or is not in the Git remote.
    """
    if changed := commands.output("git", "status", "--porcelain", "--untracked-files=no", "."):
        raise SystemExit(f"a sweep runs what is committed; commit or stash these first:\n{changed}")
    cache = commands.output("dvc", "cache", "dir")
    top = commands.output("git", "rev-parse", "--show-toplevel")
    inner = commands.output("git", "rev-parse", "--show-prefix")
    if not git:
        return Remotes(top, cache, commit, inner)

    address = commands.answer("git", "remote", "get-url", git, no=2)
    if not address:
        raise SystemExit(f"--git-remote: expected a name that `git remote` prints; found {git}")
    there = ["git", "branch", "--remotes", "--contains", commit, "--list", f"{git}/*"]
    if not commands.output(*there):
        raise SystemExit(
            f"{git}: expected the present commit there, {commit[:7]}; "
            f"found none such: git push {git} HEAD"
        )
    folder = Path(top, address)
    if folder.is_dir():  # a relative path leads elsewhere from where workers stand
        address = str(folder.resolve())
    settings = commands.output("dvc", "config", "--project", "--list").splitlines()
    named = any(line.startswith("core.remote=") for line in settings)
    return Remotes(address, "" if named else cache, commit, inner)


def there(to: Remotes, name: str) -> list[str]:
    """The names of the experiments that the Git remote has."""
    command = ["git", "ls-remote", to.git, f"{to.prefix}*"]
    listed = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if listed.returncode:
        raise SystemExit(
            f"{name}: expected a Git remote that answers; found none, for the reason above"
        )
    return [line.rpartition("/")[2] for line in listed.stdout.splitlines()]


def check_push(to: Remotes, name: str) -> None:
    """SystemExit where a remote would not take results: known before anything is computed."""
    settings = {**os.environ, **experiment.NO_QUESTIONS}
    taken, cleared = experiment.probe(to.git, to.commit)
    if subprocess.run(taken, env=settings).returncode:
        raise SystemExit(
            f"{name}: expected a Git remote that takes a push; found that it does not, "
            "for the reason above"
        )
    subprocess.run(cleared, env=settings)
    if to.dvc:
        return
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            store = repo.cloud.get_remote_odb()
            path = store.fs.join(store.path, f"probe-{secrets.token_hex(8)}")
            store.fs.makedirs(store.path, exist_ok=True)
            store.fs.pipe_file(path, b"")
            store.fs.rm_file(path)
    except Exception as error:  # whatever the library of a kind of remote raises
        found = " ".join(str(error).split())
        raise SystemExit(f"expected a DVC remote that takes a push; found: {found}") from None


class Sweep:
    """Runs experiments, as many at a time as there are cores."""

    metric = METRIC

    def __init__(self, todo: Todo, to: Remotes, bar: "tqdm") -> None:
        import ray

        ray.cloudpickle.register_pickle_by_value(experiment)  # so a node needs the libraries alone
        self.task = ray.remote(num_cpus=1, max_retries=0)(experiment.experiment)
        self.todo = todo
        self.to = to
        self.bar = bar
        self.waiting = deque((name, 1) for name in todo)
        self.running: dict[ray.ObjectRef, tuple[str, int]] = {}
        self.failed: list[str] = []
        self.bars: dict[str, experiment.Bars | None] = {}  # of experiments that may be stopped

    def more(self) -> None:
        """Let more wait, by what has ended: nothing in a sweep, which knows all from the start."""

    def run(self) -> None:
        import ray

        self.more()
        while self.waiting or self.running:
            while self.waiting and len(self.running) < self.cores():
                self.start(*self.waiting.popleft())
            self.bar.set_postfix_str(f"{len(self.running)} running")
            for done in ray.wait(list(self.running), timeout=1)[0]:
                self.end(done, *self.running.pop(done))
            self.more()

    def cores(self) -> int:
        import ray

        return max(1, int(ray.cluster_resources().get("CPU", 0)))

    def start(self, name: str, attempt: int) -> None:
        to = self.to
        bars = self.bars.get(name)
        reference = self.task.remote(
            name, self.todo[name], to.commit, to.git, to.dvc, to.inner, bars
        )
        self.running[reference] = name, attempt

    def end(self, done: "ray.ObjectRef", name: str, attempt: int) -> Outcome | None:
        """Log and return what came of a try; None where another may help, at the queue's end."""
        outcome = result(done)
        with LOGS.joinpath(f"{name}.log").open("w" if attempt == 1 else "a") as log:
            print(f"try {attempt} of {TRIES}\n{outcome.log}", file=log)
        if outcome.status == experiment.TRY_AGAIN and attempt < TRIES:
            again = f"another try, {attempt + 1} of {TRIES}"
            self.bar.write(f"{name}: its worker or a remote failed; {again}")
            self.waiting.append((name, attempt + 1))
            return None
        if outcome.status:
            self.failed.append(name)
            self.bar.write(f"{name}: failed, see {LOGS}/{name}.log")
        elif outcome.stopped:
            self.bar.write(f"{name}: stopped after {outcome.stopped.splitlines()[-1]}")
        else:
            self.bar.write(f"{name}: {self.metric} {outcome.metrics.get(self.metric)}")
        self.bar.update()
        return outcome


def result(done: "ray.ObjectRef") -> Outcome:
    """What an experiment returned; where its worker died, that it is to be tried again."""
    import ray
    from ray.exceptions import RayError

    try:
        return ray.get(done)
    except RayError as error:
        return Outcome(experiment.TRY_AGAIN, {}, experiment.masked(str(error)))


def keep_private() -> None:
    """Let the Ray of a sweep on this machine, not imported yet, serve nobody but the sweep."""
    os.environ |= {
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # it listens on the loopback address alone,
        "RAY_AUTH_MODE": "token",  # where other users of the machine are strangers too
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }


def connect(address: str | None) -> None:
    """Start Ray here, or join the cluster at `address`; SystemExit where none answers there."""
    import ray

    quiet: dict = {"log_to_driver": False, "logging_level": logging.ERROR}
    if not address:
        ray.init(address="local", include_dashboard=False, **quiet)
        return
    try:
        if ":" in address:  # Ray itself tries for ten minutes and more
            host, _, port = address.rpartition(":")
            socket.create_connection((host, int(port)), timeout=5).close()
        ray.init(address=address, **quiet)
    except (OSError, ValueError) as error:
        raise SystemExit(
            "--address: expected that of a running Ray cluster, and its token if it has one; "
            f"found {address}: {error}"
        ) from None
    except ray.exceptions.AuthenticationError:
        raise SystemExit(
            f"--address: expected the token of the cluster {address}; found none: "
            "docs/sweeps.md, A cluster"
        ) from None
    except RuntimeError as error:  # another Ray or Python; Ray says which, in some lines
        found = " ".join(str(error).split())
        raise SystemExit(
            f"--address: expected a cluster of the same Ray and Python; found {address}: {found}"
        ) from None


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Ray, for as long as the block runs; SystemExit where it is lost."""
    if not address:
        keep_private()
    import ray

    try:
        connect(address)
        yield
    except ray.exceptions.RayError as error:
        raise SystemExit(f"the Ray cluster is lost: {error}; the same command goes on") from None
    except OSError as error:  # of this machine's disk
        raise SystemExit(f"{error}; the same command goes on") from None
    finally:
        ray.shutdown()


def progress(total: int, done: int) -> "tqdm":
    """Say how many experiments are to run; on a terminal, a bar of those that have ended."""
    from tqdm import tqdm

    print(f"{total - done} of {total} experiments to run; their logs: {LOGS}", flush=True)
    style = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"
    return tqdm(total=total, initial=done, bar_format=style, disable=None)


def run(todo: Todo, done: int, to: Remotes, address: str | None) -> list[str]:
    """Run experiments, beside `done` that are there; return the names of those that failed."""
    bar = progress(len(todo) + done, done)
    with connected(address), bar:
        sweep = Sweep(todo, to, bar)
        sweep.run()
    return sweep.failed


def fetch(names: Iterable[str], to: Remotes) -> None:
    """Bring experiments here from the Git remote."""
    whole = [f"+{to.prefix}{name}:{to.prefix}{name}" for name in names]
    if whole and commands.status("git", "fetch", "--quiet", to.git, *whole):
        raise SystemExit(
            "the experiments are in the Git remote, but could not be fetched; "
            "the same command goes on"
        )


def show(names: list[str]) -> None:
    """Compare the experiments over their seeds."""
    picture = str(LOGS / "study.png")
    study = [sys.executable, "-E", "-X", "utf8", "-m", "tools.study"]
    if commands.status(*study, "--figure", picture, *names):
        raise SystemExit("the experiments are here; for the tables: make show; make study")
    print("each experiment: make show")


def arguments(
    name: str, what: str | None, example: str, values: str = "as `dvc exp run --queue`"
) -> argparse.ArgumentParser:
    """The options of a program that runs many experiments."""
    parser = argparse.ArgumentParser(prog=f"python -m {name}", description=what, epilog=example)
    say = parser.add_argument
    say("-S", "--set-param", action="append", required=True, help=values)
    say("--address", help="of a running Ray cluster; without it, the cores of this machine")
    say(
        "--git-remote",
        help="where the experiments go (with --address: origin; without: this checkout)",
    )
    return parser


def destination(options: argparse.Namespace, *modules: str) -> tuple[Remotes, str]:
    """Where the experiments go, and its name; SystemExit where a module is not installed."""
    if not all(map(importlib.util.find_spec, modules)):
        raise SystemExit(f"expected {' and '.join(modules)}; to install: make .venv/ready-sweep")
    commit = commands.answer("git", "rev-parse", "--verify", "--quiet", "HEAD")
    if not commit:
        raise SystemExit("expected a commit, whose experiments these are; found none")
    git = options.git_remote or (ORIGIN if options.address else "")
    to = remotes(git, commit)
    try:
        LOGS.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SystemExit(f"expected a folder for logs; found: {error}") from None
    return to, git or "this checkout"


def main() -> None:
    example = "For example: -S recipe=fast,original -S 'train.seed=range(0,10)'"
    options = arguments("tools.sweep", __doc__, example).parse_args()
    to, git = destination(options, "ray")
    kept = [name for name in there(to, git) if experiment.STOPPED not in name]
    known = {name.rpartition("-")[2]: name for name in kept}  # by their hashes
    todo = {
        known.get(name.rpartition("-")[2], name): values
        for name, values in combinations(options.set_param, to.commit).items()
    }
    absent = {name: values for name, values in todo.items() if name not in known.values()}
    failed = []
    if absent:
        check_push(to, git)
        failed = run(absent, len(todo) - len(absent), to, options.address)
    if whole := [name for name in todo if name not in failed]:
        fetch(whole, to)
        show(whole)
    if failed:
        raise SystemExit(f"{len(failed)} of {len(todo)} experiments failed: {', '.join(failed)}")


def interruptible(main: Callable[[], None]) -> None:
    """Run a program; SystemExit, and no traceback, where a person interrupts it."""
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("interrupted; the same command goes on") from None


if __name__ == "__main__":
    interruptible(main)
