"""Run the whole pipeline anew in a temporary clone, and compare each output with dvc.lock.

The last commit is verified, without the caches of this checkout. Then every object of the local
cache that dvc.lock names is read, because DVC trusts them unread. Status 1 where anything differs.
The last line printed is a row for docs/verified.csv, except with your own data.
"""

import argparse
import contextlib
import csv
import datetime
import hashlib
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from digits import yaml12
from tools import commands, dvc_lock

TABLE = "docs/verified.csv"


def outputs(lock: str) -> Iterator[tuple[str, str, str]]:
    """Yield (stage, path, sum) for each output that a dvc.lock names."""
    for stage, entry in dvc_lock.stages(lock.encode()).items():
        for out in entry.get("outs", []):
            yield stage, out["path"], out["md5"]


def run_anew(folder: str) -> str:
    """Clone the last commit into `folder`, run all stages, and return the dvc.lock they leave."""
    top = commands.output("git", "rev-parse", "--show-toplevel")
    clone = folder + top  # as deep as this one, so that `../pictures` too leads into `folder`
    commands.output("git", "clone", "--quiet", "--no-hardlinks", top, clone)
    # the project may be a folder of a larger repository
    project = Path(clone, commands.output("git", "rev-parse", "--show-prefix"))
    lock = project / "dvc.lock"
    lock.unlink()  # else DVC keeps in it stages that dvc.yaml has no more
    own = {
        "CHECKPOINTS": f"{project}/.dvc/tmp/checkpoints",
        "DVC_SITE_CACHE_DIR": f"{project}/.dvc/tmp/site",
    }
    # what Git does not have is in no clone: a person's own pictures, and files put there by hand
    params = yaml12.load((project / "params.yaml").read_bytes())
    pictures = Path(params["datasets"]["folder"]["path"])
    if pictures.exists() and not (project / pictures).exists():
        (project / pictures).parent.mkdir(parents=True, exist_ok=True)
        (project / pictures).symlink_to(pictures.resolve())
    by_hand = Path("data/raw")
    if by_hand.is_dir() and "DATASET_MIRROR" not in os.environ:
        own["DATASET_MIRROR"] = str(by_hand.resolve())
    command = ["dvc", "repro", "--force", "--no-run-cache"]
    done = subprocess.run(command, cwd=project, env={**os.environ, **own}, stdout=sys.stderr)
    if done.returncode:
        raise SystemExit("verify: the pipeline did not run to its end; nothing was compared")
    return lock.read_text()


def rotten(cache: Path, md5: str) -> list[Path]:
    """Return the objects of an output in the cache whose bytes have another sum than their name."""
    path = cache / "files/md5" / md5[:2] / md5[2:]
    if not path.exists():
        return []  # not every output is cached, and not here
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "md5").hexdigest()
    if found != md5.removesuffix(".dir"):
        return [path]
    if not md5.endswith(".dir"):
        return []
    return [each for entry in json.loads(path.read_text()) for each in rotten(cache, entry["md5"])]


def compare(committed: str, lock: str) -> tuple[int, int]:
    """Print a line for each output; return how many are the same, of how many."""
    before, now = (dvc_lock.sums(text.encode()) for text in (committed, lock))
    same = [path for path in before if now.get(path) == before[path]]
    for path, md5 in before.items():
        found = "" if path in same else f": {md5} in dvc.lock, {now.get(path)} anew"
        print(f"{'same' if path in same else 'different':<10} {path}{found}")
    print(f"{'same' if lock == committed else 'different':<10} dvc.lock")
    return len(same), len(before)


def check_cache(committed: str) -> bool:
    """Print a line for each object of the cache that has rotted; return whether none has."""
    cache = Path(commands.output("dvc", "cache", "dir"))
    sound = True
    for stage, path, md5 in outputs(committed):
        for damaged in rotten(cache, md5):
            sound = False
            remove = f"rm -f {shlex.quote(str(damaged))}"
            restore = f"dvc repro --force --single-item {stage}"
            print(f"rotten     {path} in the cache: {remove} && {restore}")
    return sound


def machine() -> list[str]:
    """The processor, its widest instructions, the system and its Python."""
    known = dict.fromkeys(["model name", "cpu family", "model", "flags"], "")
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text()
        known |= dict(re.findall(r"^([\w ]+?)\s*: (.*)$", lines, re.MULTILINE))
    name = known["model name"] or platform.processor() or platform.machine()
    if known["model"]:  # a virtual machine may give its processor a name that tells nothing
        name += f" (family {known['cpu family']} model {known['model']})"
    widths = {"avx512f": "AVX-512", "avx2": "AVX2", "avx": "AVX"}
    instructions = [width for flag, width in widths.items() if flag in known["flags"].split()]
    system = platform.system()
    with contextlib.suppress(OSError):
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    return [name, "".join(instructions[:1]), system, platform.python_version()]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.verify", description=__doc__)
    parser.parse_args()
    changed = commands.output("git", "status", "--porcelain", "--untracked-files=no", ".")
    if changed:
        print(f"verify: the last commit, without your changes to\n{changed}", file=sys.stderr)
    committed = commands.output("git", "show", "HEAD:./dvc.lock") + "\n"
    with tempfile.TemporaryDirectory() as folder:
        lock = run_anew(folder)
    sound = check_cache(committed)
    same, count = compare(committed, lock)
    today = datetime.date.today().isoformat()
    commit = commands.output("git", "rev-parse", "--short", "HEAD")
    if dvc_lock.params(committed.encode()).get("download.dataset") != "folder":
        print(f"To tell others, add this row to {TABLE}:", flush=True)
        csv.writer(sys.stdout, lineterminator="\n").writerow(
            [*machine(), today, commit, same, count, "make verify"]
        )
    raise SystemExit(0 if lock == committed and sound else 1)


if __name__ == "__main__":
    main()
