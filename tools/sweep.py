"""python -m tools.sweep -S recipe=fast,best -S 'train.seed=range(0,10)': many experiments, here or on a cluster.

Every combination of the values is an experiment of the present commit; each runs on a core of its own (see
tools/experiment.py). The same command, started again, runs what is missing.
"""

import argparse
import logging
import shutil
import socket
import subprocess
import sys
import tempfile
from collections import deque
from pathlib import Path

from tools import experiment
from tools.experiment import Outcome, printed

from dvc.exceptions import DvcException
from dvc.utils.cli_parse import to_path_overrides
from dvc.utils.hydra import apply_overrides, get_hydra_sweeps
from hydra.errors import HydraException
from tqdm import tqdm

try:
    import ray
    from ray.exceptions import RayError
except ImportError:
    raise SystemExit("a sweep needs Ray; to install it: make .venv/ready-sweep") from None

LOGS = Path(".dvc/tmp/sweep")
ORIGIN = "origin"
TRIES = 3  # of an experiment whose worker died or did not reach a remote


def combinations(overrides: list[str], commit: str) -> dict[str, list[str]]:
    """Return the overrides of each experiment by its name: what varies, and a hash of all and of the commit."""
    try:
        sweeps = [sweep["params.yaml"] for sweep in get_hydra_sweeps(to_path_overrides(overrides))]
        if not sweeps:
            raise SystemExit(f"-S: expected at least one value of each parameter; found none in {' '.join(overrides)}")
        with tempfile.TemporaryDirectory() as folder:  # names that params.yaml lacks would fail in every experiment
            apply_overrides(shutil.copy("params.yaml", folder), sweeps[0])
    except (DvcException, HydraException, KeyError) as error:
        found = str(error.__cause__ or error).splitlines()[0]
        raise SystemExit(
            f"-S: expected values of params.yaml, as `dvc exp run -S` takes them; found: {found}"
        ) from None
    fixed = set.intersection(*map(set, sweeps))
    named = {}
    for values in sweeps:
        words = [value.partition("=")[2] for value in values if value not in fixed]
        named[experiment.label("-".join(words), values, commit)] = values
    return named


def remotes(git: str, commit: str) -> tuple[str, str]:
    """Return the addresses of the Git and the DVC remote; this checkout serves where there is none. SystemExit where
    the commit does not say all, or is not in the Git remote."""
    if changed := printed("git", "status", "--porcelain"):
        raise SystemExit(f"a sweep runs what is committed; commit or stash these first:\n{changed}")
    address = printed("git", "remote", "get-url", git)
    if not address and git != ORIGIN:
        raise SystemExit(f"--git-remote: expected a name that `git remote` prints; found {git}")
    if address and not printed("git", "branch", "--remotes", "--contains", commit, "--list", f"{git}/*"):
        raise SystemExit(
            f"{git}: expected the present commit there, {commit[:7]}; found none such: git push {git} HEAD"
        )
    default = printed("dvc", "config", "--project", "core.remote")
    return address or str(Path.cwd()), "" if default else printed("dvc", "cache", "dir")


def run(todo: dict[str, list[str]], bar: tqdm, commit: str, git: str, dvc: str) -> dict[str, Outcome]:
    """Run experiments, as many at a time as there are cores, and return what came of each."""
    ray.cloudpickle.register_pickle_by_value(experiment)  # so that a node needs the libraries alone
    task = ray.remote(num_cpus=1, max_retries=0)(experiment.experiment)
    waiting = deque((name, 1) for name in todo)
    running: dict[ray.ObjectRef, tuple[str, int]] = {}
    ended = {}
    while waiting or running:
        while waiting and len(running) < max(1, ray.cluster_resources().get("CPU", 0)):
            name, attempt = waiting.popleft()
            running[task.remote(name, todo[name], commit, git, dvc)] = name, attempt
        bar.set_postfix_str(f"{len(running)} running: {', '.join(sorted(name for name, _ in running.values()))}"[:60])
        for done in ray.wait(list(running), timeout=1)[0]:
            name, attempt = running.pop(done)
            try:
                outcome = ray.get(done)
            except RayError as error:
                outcome = Outcome(experiment.TRY_AGAIN, {}, experiment.masked(str(error)))
            again = outcome.status == experiment.TRY_AGAIN and attempt < TRIES
            with LOGS.joinpath(f"{name}.log").open("w" if attempt == 1 else "a") as log:
                print(f"try {attempt} of {TRIES}\n{outcome.log}", file=log)
            if again:
                bar.write(f"{name}: its worker or a remote failed; another try, {attempt + 1} of {TRIES}")
                waiting.append((name, attempt + 1))
                continue
            ended[name] = outcome
            accuracy = outcome.metrics.get("test_accuracy")
            bar.write(f"{name}: {f'failed, see {LOGS}/{name}.log' if outcome.status else f'test_accuracy {accuracy}'}")
            bar.update()
    return ended


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.sweep", description=__doc__)
    parser.add_argument("-S", "--set-param", action="append", required=True, help="as `dvc exp run --queue` takes them")
    parser.add_argument("--address", help="of a running Ray cluster; without it, the cores of this machine")
    parser.add_argument("--git-remote", default=ORIGIN, help="where the experiments go; without one, to this checkout")
    options = parser.parse_args()
    commit = printed("git", "rev-parse", "HEAD")
    git, dvc = remotes(options.git_remote, commit)
    todo = combinations(options.set_param, commit)
    LOGS.mkdir(parents=True, exist_ok=True)

    prefix = f"refs/exps/{commit[:2]}/{commit[2:]}/"
    listed = subprocess.run(["git", "ls-remote", git, f"{prefix}*"], stdout=subprocess.PIPE, text=True)
    if listed.returncode:
        raise SystemExit(f"{options.git_remote}: expected a Git remote that answers; found none, for the reason above")
    there = {line.rpartition("/")[2] for line in listed.stdout.splitlines()}
    missing = {name: values for name, values in todo.items() if name not in there}
    failed = []
    if missing:
        where = {"address": options.address} if options.address else {"address": "local", "include_dashboard": False}
        try:
            try:
                if options.address and ":" in options.address:  # Ray itself tries for ten minutes and more
                    host, _, port = options.address.rpartition(":")
                    socket.create_connection((host, int(port)), timeout=5).close()
                ray.init(**where, log_to_driver=False, logging_level=logging.ERROR)
            except (OSError, ValueError) as error:
                raise SystemExit(
                    f"--address: expected that of a running Ray cluster; found {options.address}: {error}"
                ) from None
            with tqdm(total=len(todo), initial=len(todo) - len(missing), unit=" experiments", disable=None) as bar:
                ended = run(missing, bar, commit, git, dvc)
            failed = [name for name, outcome in ended.items() if outcome.status]
        except KeyboardInterrupt:
            raise SystemExit("interrupted; the same command goes on") from None
        except RayError as error:
            raise SystemExit(f"the Ray cluster is lost: {error}; the same command goes on") from None
        finally:
            ray.shutdown()
    if whole := [f"+{prefix}{name}:{prefix}{name}" for name in todo if name not in failed]:
        if subprocess.run(["git", "fetch", "--quiet", git, *whole]).returncode:
            raise SystemExit(
                "the experiments are in the Git remote, but could not be fetched; the same command goes on"
            )
        table = ["--list", "--metric", "test_accuracy", "--figure", str(LOGS / "study.png")]
        subprocess.run([sys.executable, "-m", "tools.study", *table], check=True)
        print(f"drawn in {LOGS}/study.png")
    if failed:
        raise SystemExit(f"{len(failed)} of {len(todo)} experiments failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
