"""One experiment of a sweep: run in a clone of its own, and pushed to the remotes.

It takes what the DVC remote's caches hold, and pushes what it adds: first outputs and runs, then,
once these are seen to be there, the experiment to the Git remote. What the Git remote has is whole,
and is not run again.
"""

# Ray calls `experiment` on any node that has this environment; Slurm or Kubernetes may call the
# program. Ray sends this module by value: what `experiment` uses stands here, or in a library.
import argparse
import contextlib
import fcntl
import hashlib
import json
import math
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h
# A command that ends when its parent does, even where that was killed. Linux alone has it.
BOUND = ["setpriv", "--pdeathsig", "TERM"]
METRICS = "reports/metrics.json"
LOG = "models/training.log"
OF_THE_COMMIT = ["dvc.lock", METRICS, "reports/figures"]  # no results of one that was stopped
NOBODY = ["-c", "user.name=search", "-c", "user.email=search@localhost"]
LOOK = 0.1  # seconds between two looks at a training's log
STOPPED = "-stopped-"
LONGEST = 60  # characters of an experiment's name, before its hash
NO_QUESTIONS = {"GIT_TERMINAL_PROMPT": "0"}


@dataclass(frozen=True)
class Outcome:
    status: int
    metrics: dict[str, object]
    log: str
    stopped: str = ""  # the training's log until then, where it was stopped


@dataclass(frozen=True)
class Bars:
    """What the best of a metric has to reach by the end of some epochs; else it is hopeless."""

    metric: str
    sign: int  # 1 where more is better, -1 where less is
    values: dict[int, float]  # by the number of the epoch, from 1

    def missed(self, log: str) -> str:
        """A training's log until the first bar that it missed; nothing where it missed none.

        None stands after the last epoch. So the same is missed however often one looks.
        """
        best = -math.inf
        for epoch, value in enumerate(curve(log, self.metric), start=1):
            best = max(best, self.sign * value)
            hopeless = epoch in self.values and best < self.sign * self.values[epoch]
            is_last = f"\nepoch {epoch}/{epoch} " in log  # as "epoch 5/5"
            if hopeless and not is_last:
                return log.partition(f"\nepoch {epoch + 1}/")[0].rstrip()
        return ""


class Failed(Exception):
    """A command of an experiment failed; its argument is the experiment's exit status."""


def label(words: str, overrides: list[str], commit: str) -> str:
    """A name for an experiment: in words, and by a hash of its values and its commit."""
    start = re.sub(r"([^A-Za-z0-9._]|\.\.)+", "-", words)[:LONGEST].strip("-.")
    values = json.dumps([commit, *sorted(overrides)])
    digest = hashlib.sha256(values.encode()).hexdigest()[:8]
    return f"{start}-{digest}".lstrip("-")


def curve(log: str, metric: str) -> list[float]:
    """A metric of held-out images after each epoch, by the log of the training."""
    return [float(value) for value in re.findall(rf"^epoch .* {metric} (\S+)", log, re.MULTILINE)]


def stopped(name: str) -> str:
    """The name of what is kept of an experiment that was stopped."""
    words, _, digest = name.rpartition("-")
    return f"{words}{STOPPED}{digest}"


def probe(git: str, commit: str) -> list[list[str]]:
    """Commands that push what changes nothing, and delete it: whether a Git remote takes a push.

    `git push --dry-run` does not ask the remote's disk, hooks and rules. DVC overlooks what is in
    refs/exps/exec.
    """
    reference = f"refs/exps/exec/probe-{secrets.token_hex(8)}"
    push = ["git", "push", "--quiet", git]
    return [[*push, f"{commit}:{reference}"], [*push, f":{reference}"]]


def masked(text: str) -> str:
    """The text without the names and passwords that addresses in it hold."""
    return re.sub(r"://[^/\s]+@", "://***@", text)


def tidy(folder: Path) -> None:
    """Remove the clones of tries that were killed: a living one holds its lock."""
    for path in folder.glob("*.lock"):
        if not path.with_suffix("").exists():
            continue
        with path.open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(path.with_suffix(""), ignore_errors=True)


@dataclass
class Clone:
    """A clone of the project's repository, and a log of the commands that ran in it.

    `inner` is the project's folder in the repository, empty where that is the project.
    """

    folder: Path
    inner: str
    bars: Bars | None
    log: list[str] = field(default_factory=list)

    def missed(self) -> str:
        with contextlib.suppress(FileNotFoundError):
            if self.bars:
                return self.bars.missed(Path(self.folder, self.inner, LOG).read_text())
        return ""

    def run(self, *command: str, status: int = TRY_AGAIN, watched: bool = False) -> str:
        """Return what a command printed; Failed with `status` where it failed.

        One that is watched is killed, with all that it started, when its training misses a bar.
        """
        # Ray's own variables, its token among them, are not for what an experiment starts.
        own = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
        path = f"{sys.prefix}/bin:{os.environ['PATH']}"
        process = subprocess.Popen(
            [*(BOUND if shutil.which(BOUND[0]) else []), *command],
            cwd=self.folder / self.inner if command[0] == "dvc" else self.folder,
            env={**own, **NO_QUESTIONS, "PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            process_group=0 if watched else None,
        )
        while process.returncode is None:
            try:
                out, err = process.communicate(timeout=LOOK if watched else None)
            except subprocess.TimeoutExpired:
                if self.missed():
                    os.killpg(process.pid, signal.SIGKILL)
        self.log.append(masked(f"$ {' '.join(command[:3])}\n{out}{err}"))
        if process.returncode and not (watched and self.missed()):
            raise Failed(status)
        return out.strip()  # and not stderr, where ssh may warn

    def run_experiment(self, name: str, overrides: list[str], commit: str, dvc: str) -> str:
        """Run the experiment of a commit, and push its outputs and runs.

        Return the log of a training that missed a bar, of which nothing is pushed; else nothing.
        Failed before anything is computed where this machine may not push to the Git remote.
        """
        taken, cleared = probe("origin", commit)
        self.run(*taken)
        with contextlib.suppress(Failed):
            self.run(*cleared)
        self.run("git", "checkout", "--quiet", "--detach", commit)
        if dvc:
            self.name_remote(dvc)
        words = [word for override in overrides for word in ("-S", override)]
        run = ["dvc", "exp", "run", "--pull", "--name", name, *words]
        self.run(*run, status=1, watched=bool(self.bars))
        if log := self.missed():
            return log
        self.run("dvc", "push", "--run-cache")
        if json.loads(self.run("dvc", "status", "--cloud", "--json")):
            raise Failed(TRY_AGAIN)
        return ""

    def name_remote(self, dvc: str) -> None:
        """As `dvc remote add`, which takes no letters beyond ASCII."""
        from configobj import ConfigObj

        settings = {"core": {"remote": "sweep"}, 'remote "sweep"': {"url": dvc}}
        config = ConfigObj(settings, encoding="utf-8")
        with Path(self.folder, self.inner, ".dvc/config.local").open("wb") as file:
            config.write(file)

    def kept(self, commit: str, log: str) -> str:
        """Keep the values and, as a message, the log; nothing of what the commit's own run gave."""
        others = [str(Path(self.inner, path)) for path in OF_THE_COMMIT]
        self.run("git", "read-tree", commit)
        self.run("git", "rm", "-r", "--force", "--cached", "--ignore-unmatch", *others)
        self.run("git", "add", str(Path(self.inner, "params.yaml")))
        tree = self.run("git", "write-tree")
        return self.run(
            "git", *NOBODY, "commit-tree", "-p", commit, "-m", "stopped", "-m", log, tree
        )


def experiment(
    name: str,
    overrides: list[str],
    commit: str,
    git: str,
    dvc: str,
    inner: str,
    bars: Bars | None,
) -> Outcome:
    """Run an experiment of a commit and push it; `git` and `dvc` are addresses of the remotes.

    Without `dvc`, the commit's own configuration says where the DVC remote is. `inner` is the
    project's folder in its repository.
    """
    folder = Path(tempfile.gettempdir(), f"sweeps-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        return Outcome(1, {}, f"{folder}: expected a folder of yours, found another's; set TMPDIR")
    tidy(folder)
    clone = Clone(folder / name, inner, bars)
    whole = f"refs/exps/{commit[:2]}/{commit[2:]}/{name}"
    part = stopped(whole)  # does not contain the other
    with (folder / f"{name}.lock").open("w") as lock:
        # where the same experiment runs on this node, it ends first
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(clone.folder, ignore_errors=True)
        clone.folder.mkdir()
        try:
            # A clone that copies files, as of a folder, fails where another is being pushed to it.
            clone.run("git", "clone", "--quiet", "--no-local", "--no-checkout", git, ".")
            enough = [whole, part] if bars else [whole]
            there = clone.run("git", "ls-remote", "origin", *enough)
            if not there:
                log = clone.run_experiment(name, overrides, commit, dvc)
                made, there = (clone.kept(commit, log), part) if log else (whole, whole)
                clone.run("git", "push", "--quiet", "origin", f"{made}:{there}")
            if whole in there:
                clone.run("git", "fetch", "--quiet", "origin", whole)
                metrics = clone.run("git", "show", f"FETCH_HEAD:{Path(inner, METRICS)}")
                return Outcome(0, json.loads(metrics), "\n".join(clone.log))
            clone.run("git", "fetch", "--quiet", "origin", part)
            log = clone.run("git", "show", "--no-patch", "--format=%B", "FETCH_HEAD")
            return Outcome(0, {}, "\n".join(clone.log), log)
        except Failed as failure:
            return Outcome(failure.args[0], {}, "\n".join(clone.log))
        finally:
            shutil.rmtree(clone.folder, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.experiment",
        description=__doc__,
        epilog="Exit status: 75 where Git or a remote failed, so that another try may help; "
        "1 where the experiment itself did.",
    )
    parser.add_argument("name", help="what to call it; a hash of values and commit is added")
    parser.add_argument(
        "-S", "--set-param", action="append", default=[], help="as `dvc exp run` takes them"
    )
    parser.add_argument("--commit", help="whose experiment it is (default: the present one)")
    parser.add_argument("--git", help="address to push it to (default: of the remote origin)")
    parser.add_argument("--dvc", default="", help="address for outputs, if the commit names none")
    parser.add_argument("--folder", help="the project's, in its repository (default: this one)")
    options = parser.parse_args()

    from tools import commands

    commit = options.commit or commands.output("git", "rev-parse", "HEAD")
    git = options.git or commands.output("git", "remote", "get-url", "origin")
    name = label(options.name, options.set_param, commit)
    inner = options.folder
    if inner is None:
        inner = commands.output("git", "rev-parse", "--show-prefix")
    outcome = experiment(name, options.set_param, commit, git, options.dvc, inner, bars=None)
    print(outcome.log, file=sys.stderr)
    print(json.dumps(outcome.metrics))
    raise SystemExit(outcome.status)


if __name__ == "__main__":
    main()
