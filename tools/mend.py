"""Find and mend what a DVC that was killed leaves broken in this checkout. No result is touched.

A cut dvc.lock, damaged records of runs, stale locks and copies, changes that Git does not see, a
HEAD that an experiment left detached, a queue that waits, data that are gone: a line says what was
mended, or how to.
Where DVC or Git is at work, or Git does not answer, nothing is done.
"""

import argparse
import json
import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from tools import commands, declared

LOCK = Path("dvc.lock")
RWLOCK = Path(".dvc/tmp/rwlock")
RUNNING = Path(".dvc/tmp/exps/run")  # of DVC's queue
DAMAGED = Path(".dvc/tmp/dvc.lock.damaged")
PROGRAMS = {"dvc", "git", "git-receive-pack"}
REFS = "refs/exps/exec"  # where `dvc exp run` notes what it is about


def git(*arguments: str) -> str:
    """Return what git printed, nothing where it said no; SystemExit where it failed."""
    return commands.answer("git", *arguments)


def resolve(revision: str) -> str:
    """Return the commit's name, nothing where there is none."""
    return git("rev-parse", "--verify", "--quiet", revision)


def at_work() -> list[str]:
    """Return the running commands of DVC and Git that work in this repository, in any worktree."""
    import psutil

    listed = git("worktree", "list", "--porcelain").splitlines()
    tops = [line.removeprefix("worktree ") for line in listed if line.startswith("worktree ")]
    tops.append(str(Path(git("rev-parse", "--git-common-dir")).resolve()))
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        command = process.info["cmdline"] or []
        names = {Path(part).name for part in command[:4]}  # also `python -P -m dvc`
        cwd = Path(process.info["cwd"] or "/")
        if names & PROGRAMS and any(map(cwd.is_relative_to, tops)):
            found.append(f"{' '.join(command)} (PID {process.pid})")
    return found


def whole(path: Path) -> bool:
    """Is this DVC's record of a stage, or of several, with all that DVC notes of each file?"""
    from dvc.schema import COMPILED_LOCK_FILE_STAGE_SCHEMA, COMPILED_LOCKFILE_SCHEMA
    from ruamel.yaml import YAML

    try:
        text = path.read_text()
        record = YAML(typ="safe").load(text)
        if "cmd" in record:
            COMPILED_LOCK_FILE_STAGE_SCHEMA(record)
            stages = [record]
        else:
            COMPILED_LOCKFILE_SCHEMA(record)
            stages = list(record["stages"].values())
        kinds = ("deps", "outs")
        files = [file for stage in stages for kind in kinds for file in stage.get(kind, [])]
        for file in files:  # the others: of what lies on servers, or is a dataset of DVC's
            noted = {"hash", "md5", "size"} <= file.keys()
            if not noted and not {"etag", "checksum", "files", "dataset"} & file.keys():
                return False
        return text.endswith("\n")
    except Exception:  # ruamel lets through whatever int, date, chr, hash and deep nesting raise
        return False


def index() -> Iterator[str]:
    own, shared = (Path(git("rev-parse", option)) for option in ("--git-dir", "--git-common-dir"))
    for left in {*own.glob("*.lock"), *shared.glob("*.lock"), *shared.glob("refs/**/*.lock")}:
        left.unlink()
        yield f"{left} was left by a git that is gone: removed"
    file = own / "index"
    seen = git("status", "--porcelain")
    if file.exists():
        os.utime(file, (1, 1))  # older than each file: Git reads them, whatever it has noted
    if git("status", "--porcelain") != seen:
        yield "Git took files for unchanged that an experiment had written: see git status"


def lock() -> Iterator[str]:
    if git("ls-files", "--unmerged", str(LOCK)):
        yield f"{LOCK}: two branches changed it: git checkout HEAD -- {LOCK} reports && dvc repro"
        return
    if not LOCK.exists() or whole(LOCK):
        return
    DAMAGED.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(LOCK, DAMAGED)
    now = "removed"
    if resolve(f"HEAD:./{LOCK}"):
        git("checkout", "HEAD", "--", str(LOCK))
        now = "it is that of the last commit again"
    yield (
        f"{LOCK} was damaged: {now}, the damaged one is {DAMAGED}; "
        "`dvc repro` takes the rest from its cache"
    )


def copies() -> Iterator[str]:
    for path in declared.tidy(str(RWLOCK.parent)):
        yield f"{path} was left by a `make declared` that is gone: removed"


def runs() -> Iterator[str]:
    """Of DVC's records of what each stage gave: a folder for each of its inputs."""
    for folder in Path(commands.output("dvc", "cache", "dir"), "runs").glob("*/*"):
        entries = list(folder.iterdir())
        if not entries or not all(map(whole, entries)):
            shutil.rmtree(folder)
            yield f"{folder} was damaged: removed; `dvc repro` runs that stage again if it needs to"


def rwlock() -> Iterator[str]:
    if not RWLOCK.exists():
        return
    try:
        busy = any(json.loads(RWLOCK.read_bytes()).values())
    except (ValueError, AttributeError, RecursionError):
        busy = True
    if busy:
        RWLOCK.unlink()
        yield f"{RWLOCK} was damaged, or named processes that are gone: removed"


def queue() -> Iterator[str]:
    """Of experiments in DVC's queue that stand as running: for these the next run would wait."""
    if not RUNNING.is_dir():
        return
    for line in commands.output("dvc", "queue", "status").splitlines():
        if line.endswith("Running"):
            task, *_ = line.split()
            drop = f"dvc queue kill {task} && dvc queue remove {task}"
            yield f"{task} in DVC's queue was killed: {drop}; then queue it again"


def detached_by_dvc(branch: str) -> bool:
    """Was it DVC that left the branch for the present commit? A person may have had reasons.

    DVC leaves its notes in REFS, or else gives Git the whole name of the commit.
    """
    if resolve(f"{REFS}/EXEC_BASELINE"):
        return True
    commit = resolve("HEAD")
    moved = f"checkout: moving from {branch.removeprefix('refs/heads/')} to {commit}"
    entries = git("reflog", "-100", "--format=%gs").splitlines()  # the last first
    return moved == next((entry for entry in entries if entry.startswith("checkout: ")), "")


def branch_left() -> str:
    """The branch from which DVC detached HEAD, for an experiment that is gone; else nothing."""
    if git("symbolic-ref", "--quiet", "HEAD"):
        return ""
    branch = git("rev-parse", "--verify", "--quiet", "--symbolic-full-name", "@{-1}")
    return branch if detached_by_dvc(branch) else ""


def head() -> Iterator[str]:
    branch = branch_left()
    if not branch:
        return
    if resolve("HEAD") != resolve(branch):
        yield "HEAD is detached, and not where its last branch is: git switch BRANCH"
        return
    changes = resolve(f"{REFS}/EXEC_MERGE")
    if changes and not git("status", "--porcelain", "--untracked-files=no"):
        git("stash", "apply", changes)  # they were not put in yet
    git("symbolic-ref", "HEAD", branch)
    git("reset", "--quiet")  # as DVC does, which puts a file of its own into the index
    for ref in git("for-each-ref", "--format=%(refname)", REFS).split():
        git("update-ref", "-d", ref)
    short = branch.removeprefix("refs/heads/")
    yield f"HEAD was detached by an experiment that is gone: it is on {short} again"
    if not changes and resolve("stash^") == resolve("HEAD"):
        yield "it put what you had not committed on Git's stash: git checkout . && git stash pop"
    elif git("status", "--porcelain", "--untracked-files=no"):
        yield "its values are still here; to go back to the last commit: git restore . && dvc repro"


def data() -> Iterator[str]:
    """Of data that DVC keeps, and that an experiment took away which was older than these."""
    gone = git("ls-files", "-z", "--deleted", "--", "*.dvc").split("\0")
    for file in filter(None, gone):
        back = f"git restore {shlex.quote(str(Path(file).parent))} && dvc checkout"
        yield f"{file} is gone, as `dvc exp apply` of an older experiment leaves it: {back}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.mend", description=__doc__)
    parser.parse_args()
    if busy := at_work():
        raise SystemExit("mend: wait for this to end, or stop it:\n" + "\n".join(busy))
    checks = (index, lock, copies, runs, rwlock, queue, head, data)
    mended = [line for check in checks for line in check()]
    print("\n".join(mended or ["nothing to mend"]))


if __name__ == "__main__":
    main()
