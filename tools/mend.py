"""make mend: find and mend what a DVC that was killed leaves broken in this checkout. No result is touched."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
from dvc.schema import COMPILED_LOCK_FILE_STAGE_SCHEMA, COMPILED_LOCKFILE_SCHEMA
from ruamel.yaml import YAML

LOCK = Path("dvc.lock")
RWLOCK = Path(".dvc/tmp/rwlock")
RUNS = Path(".dvc/cache/runs")  # what each stage gave, a folder for each of its inputs
REFS = "refs/exps/exec"  # where `dvc exp run` notes what it is about


def git(*arguments: str) -> str:
    """Return what git printed, nothing where it failed."""
    return subprocess.run(["git", *arguments], capture_output=True, text=True).stdout.strip()


def resolve(revision: str) -> str:
    """Return the commit's name, nothing where there is none."""
    return git("rev-parse", "--verify", "--quiet", revision)


def at_work() -> list[str]:
    """Return the running commands of DVC and Git whose working folder is this one."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        command = process.info["cmdline"] or []
        names = {Path(part).name for part in command[:3]}
        if process.info["cwd"] == str(Path.cwd()) and names & {"dvc", "git"}:
            found.append(f"{' '.join(command)} (PID {process.pid})")
    return found


def whole(path: Path) -> bool:
    """Is this DVC's record of a stage, or of several, with all that DVC notes of each file?"""
    try:
        text = path.read_text()
        record = YAML(typ="safe").load(text)
        single = "cmd" in record
        (COMPILED_LOCK_FILE_STAGE_SCHEMA if single else COMPILED_LOCKFILE_SCHEMA)(record)
        stages = [record] if single else record["stages"].values()
        files = [file for stage in stages for file in [*stage["deps"], *stage["outs"]]]
        return text.endswith("\n") and all(file["hash"] == "md5" and {"md5", "size"} <= file.keys() for file in files)
    except Exception:  # ruamel lets through whatever int, date, chr, hash and deep nesting raise
        return False


def lock() -> Iterator[str]:
    if LOCK.exists() and not whole(LOCK):
        LOCK.unlink()
        git("checkout", "HEAD", "--", str(LOCK))
        yield f"{LOCK} was damaged: it is that of the last commit again; `dvc repro` takes the rest from its cache"


def runs() -> Iterator[str]:
    for folder in RUNS.glob("*/*"):
        entries = list(folder.iterdir())
        if not entries or not all(map(whole, entries)):
            shutil.rmtree(folder)
            yield f"{folder} was damaged: removed; `dvc repro` runs that stage again where it needs to"


def rwlock() -> Iterator[str]:
    try:
        busy = RWLOCK.exists() and any(json.loads(RWLOCK.read_bytes()).values())
    except (ValueError, AttributeError, RecursionError):
        busy = True
    if busy:
        RWLOCK.unlink()
        yield f"{RWLOCK} was damaged, or named processes that are gone: removed"


def index() -> Iterator[str]:
    path = Path(git("rev-parse", "--git-path", "index.lock"))
    if path.exists():
        path.unlink()
        yield f"{path} was left by a git that is gone: removed"


def head() -> Iterator[str]:
    if git("symbolic-ref", "HEAD"):
        return
    branch, changes = git("rev-parse", "--symbolic-full-name", "@{-1}"), resolve(f"{REFS}/EXEC_MERGE")
    short, told = branch.removeprefix("refs/heads/"), git("reflog", "-1", "--format=%gs")
    dvcs = f"checkout: moving from {short} to {resolve('HEAD')}", f"dvc: Restore HEAD to '{resolve('HEAD')}'"
    if not resolve(f"{REFS}/EXEC_BASELINE") and told not in dvcs:
        return  # it was not DVC, which gives Git the whole name of the commit
    if resolve("HEAD") != resolve(branch):
        yield "HEAD is detached, and not where its last branch is: git switch BRANCH"
        return
    if changes and not git("status", "--porcelain", "--untracked-files=no"):  # they were not put in yet
        git("stash", "apply", changes)
    git("symbolic-ref", "HEAD", branch)
    git("reset", "--quiet")  # as DVC does, which puts a file of its own into the index
    for ref in git("for-each-ref", "--format=%(refname)", REFS).split():
        git("update-ref", "-d", ref)
    yield f"HEAD was detached by an experiment that is gone: it is on {short} again"
    if not changes and resolve("stash^") == resolve("HEAD"):
        yield "it put what you had not committed on Git's stash: git checkout . && git stash pop"


def main() -> None:
    if commands := at_work():
        raise SystemExit("mend: wait for this to end, or stop it:\n" + "\n".join(commands))
    mended = [line for check in (index, lock, runs, rwlock, head) for line in check()]
    print("\n".join(mended or ["nothing to mend"]))


if __name__ == "__main__":
    main()
