"""python -m tools.experiment NAME -S ...: one experiment of a sweep, in a clone of its own, pushed to the remotes.

It takes what the DVC remote's caches already hold, and pushes what it adds: first outputs and runs, then, once these
are seen to be there, the experiment itself to the Git remote. What the Git remote has is whole, and is not run again.
Ray calls `experiment` on any node that has this environment; Slurm or Kubernetes may call the program. Exit status: 75
where Git or a remote failed, so that another try may help; 1 where the experiment itself did.
"""

import argparse
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h
BOUND = ("setpriv", "--pdeathsig", "TERM")  # a command that ends when its parent does, even where that was killed


@dataclass(frozen=True)
class Outcome:
    status: int
    metrics: dict[str, object]
    log: str


class Failed(Exception):
    """A command of an experiment failed; its argument is the experiment's exit status."""


def label(words: str, overrides: list[str], commit: str) -> str:
    """A name for an experiment: in words, and by a hash of its values and its commit."""
    start = re.sub(r"[^A-Za-z0-9.]+", "-", words)[:40].strip("-.")
    digest = hashlib.sha256(json.dumps([commit, *sorted(overrides)]).encode()).hexdigest()[:8]
    return f"{start}-{digest}".lstrip("-")


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


def experiment(name: str, overrides: list[str], commit: str, git: str, dvc: str) -> Outcome:
    """Run an experiment of a commit and push it; `git` and `dvc` are addresses of the remotes.

    Without `dvc`, the commit's own configuration says where the DVC remote is.
    """
    folder = Path(tempfile.gettempdir(), f"sweeps-{os.getuid()}")
    clone = folder / name
    reference, log = f"refs/exps/{commit[:2]}/{commit[2:]}/{name}", []
    environment = {**os.environ, "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}", "GIT_TERMINAL_PROMPT": "0"}
    bound = BOUND if shutil.which(BOUND[0]) else ()  # Linux alone has it

    def run(*command: str, status: int = TRY_AGAIN) -> str:
        options: dict = {"capture_output": True, "text": True, "errors": "replace"}
        done = subprocess.run([*bound, *command], cwd=clone, env=environment, **options)
        log.append(masked(f"$ {' '.join(command[:3])}\n{done.stdout}{done.stderr}"))  # ssh may warn: stdout counts
        if done.returncode:
            raise Failed(status)
        return done.stdout.strip()

    folder.mkdir(exist_ok=True)
    tidy(folder)
    lock = (folder / f"{name}.lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)  # where the same experiment runs on this node, it ends first
    shutil.rmtree(clone, ignore_errors=True)
    clone.mkdir()
    try:
        # A clone that copies files, as of a folder, fails where another experiment is being pushed to it.
        run("git", "clone", "--quiet", "--no-local", "--no-checkout", git, ".")
        if not run("git", "ls-remote", "origin", reference):
            run("git", "checkout", "--quiet", "--detach", commit)
            if dvc:
                run("dvc", "remote", "add", "--local", "--default", "sweep", dvc)
            words = [word for override in overrides for word in ("-S", override)]
            run("dvc", "exp", "run", "--pull", "--name", name, *words, status=1)
            run("dvc", "push", "--run-cache")
            if json.loads(run("dvc", "status", "--cloud", "--json")):
                raise Failed(TRY_AGAIN)
            run("git", "push", "--quiet", "origin", f"{reference}:{reference}")
        run("git", "fetch", "--quiet", "origin", reference)
        return Outcome(0, json.loads(run("git", "show", "FETCH_HEAD:reports/metrics.json")), "\n".join(log))
    except Failed as failure:
        return Outcome(failure.args[0], {}, "\n".join(log))
    finally:
        shutil.rmtree(clone, ignore_errors=True)
        lock.close()


def printed(*command: str) -> str:
    """Return what a program printed, nothing where it failed."""
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.rstrip()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.experiment", description=__doc__)
    parser.add_argument("name", help="what to call it; a hash of its values and its commit is added")
    parser.add_argument("-S", "--set-param", action="append", default=[], help="as `dvc exp run` takes them")
    parser.add_argument("--commit", default=printed("git", "rev-parse", "HEAD"), help="whose experiment it is")
    parser.add_argument("--git", default=printed("git", "remote", "get-url", "origin"), help="address to push it to")
    parser.add_argument("--dvc", default="", help="address for the outputs, where the commit names none")
    options = parser.parse_args()
    name = label(options.name, options.set_param, options.commit)
    outcome = experiment(name, options.set_param, options.commit, options.git, options.dvc)
    print(outcome.log, file=sys.stderr)
    print(json.dumps(outcome.metrics))
    raise SystemExit(outcome.status)


if __name__ == "__main__":
    main()
