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
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h
# A command that ends when its parent does, even where that was killed. Linux alone has it.
BOUND = ["setpriv", "--pdeathsig", "TERM"]
METRICS = "reports/metrics.json"
LONGEST = 60  # characters of an experiment's name, before its hash
NO_QUESTIONS = {"GIT_TERMINAL_PROMPT": "0"}


@dataclass(frozen=True)
class Outcome:
    status: int
    metrics: dict[str, object]
    log: str


class Failed(Exception):
    """A command of an experiment failed; its argument is the experiment's exit status."""


def label(words: str, overrides: list[str], commit: str) -> str:
    """A name for an experiment: in words, and by a hash of its values and its commit."""
    start = re.sub(r"([^A-Za-z0-9._]|\.\.)+", "-", words)[:LONGEST].strip("-.")
    values = json.dumps([commit, *sorted(overrides)])
    digest = hashlib.sha256(values.encode()).hexdigest()[:8]
    return f"{start}-{digest}".lstrip("-")


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
    log: list[str] = field(default_factory=list)

    def run(self, *command: str, status: int = TRY_AGAIN) -> str:
        """Return what a command printed; Failed with `status` where it failed."""
        # Ray's own variables, its token among them, are not for what an experiment starts.
        own = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
        path = f"{sys.prefix}/bin:{os.environ['PATH']}"
        done = subprocess.run(
            [*(BOUND if shutil.which(BOUND[0]) else []), *command],
            cwd=self.folder / self.inner if command[0] == "dvc" else self.folder,
            env={**own, **NO_QUESTIONS, "PATH": path},
            capture_output=True,
            text=True,
            errors="replace",
        )
        said = f"$ {' '.join(command[:3])}\n{done.stdout}{done.stderr}"
        self.log.append(masked(said))
        if done.returncode:
            raise Failed(status)
        return done.stdout.strip()  # and not stderr, where ssh may warn

    def run_experiment(self, name: str, overrides: list[str], commit: str, dvc: str) -> None:
        """Run the experiment of a commit, and push its outputs and runs.

        Failed before anything is computed where this machine may not push to the Git remote.
        """
        taken, cleared = probe("origin", commit)
        self.run(*taken)
        with contextlib.suppress(Failed):
            self.run(*cleared)
        self.run("git", "checkout", "--quiet", "--detach", commit)
        if dvc:
            self.run("dvc", "remote", "add", "--local", "--default", "sweep", dvc)
        words = [word for override in overrides for word in ("-S", override)]
        self.run("dvc", "exp", "run", "--pull", "--name", name, *words, status=1)
        self.run("dvc", "push", "--run-cache")
        if json.loads(self.run("dvc", "status", "--cloud", "--json")):
            raise Failed(TRY_AGAIN)


def experiment(
    name: str, overrides: list[str], commit: str, git: str, dvc: str, inner: str
) -> Outcome:
    """Run an experiment of a commit and push it; `git` and `dvc` are addresses of the remotes.

    Without `dvc`, the commit's own configuration says where the DVC remote is. `inner` is the
    project's folder in its repository.
    """
    folder = Path(tempfile.gettempdir(), f"sweeps-{os.getuid()}")
    folder.mkdir(exist_ok=True)
    tidy(folder)
    clone = Clone(folder / name, inner)
    reference = f"refs/exps/{commit[:2]}/{commit[2:]}/{name}"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(
            lock, fcntl.LOCK_EX
        )  # where the same experiment runs on this node, it ends first
        shutil.rmtree(clone.folder, ignore_errors=True)
        clone.folder.mkdir()
        try:
            # A clone that copies files, as of a folder, fails where another is being pushed to it.
            clone.run("git", "clone", "--quiet", "--no-local", "--no-checkout", git, ".")
            if not clone.run("git", "ls-remote", "origin", reference):
                clone.run_experiment(name, overrides, commit, dvc)
                clone.run("git", "push", "--quiet", "origin", f"{reference}:{reference}")
            clone.run("git", "fetch", "--quiet", "origin", reference)
            metrics = clone.run("git", "show", f"FETCH_HEAD:{Path(inner, METRICS)}")
            return Outcome(0, json.loads(metrics), "\n".join(clone.log))
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
    outcome = experiment(name, options.set_param, commit, git, options.dvc, inner)
    print(outcome.log, file=sys.stderr)
    print(json.dumps(outcome.metrics))
    raise SystemExit(outcome.status)


if __name__ == "__main__":
    main()
