"""Run the whole pipeline anew in a temporary clone, and compare each output with dvc.lock.

The last commit is verified, without the caches of this checkout. Then every object of the local
cache that dvc.lock names is read, because DVC trusts them unread. Status 1 where anything differs.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tools import commands


def outputs(lock: str) -> Iterator[tuple[str, str, str]]:
    """Yield (stage, path, sum) for each output that a dvc.lock names."""
    from ruamel.yaml import YAML  # late: slow

    for stage, entry in YAML(typ="safe").load(lock)["stages"].items():
        for out in entry.get("outs", []):
            yield stage, out["path"], out["md5"]


def run_anew(folder: str) -> str:
    """Clone the last commit to `folder`, run all its stages, and return the dvc.lock they leave."""
    commands.output("git", "clone", "--quiet", "--no-hardlinks", ".", folder)
    Path(folder, "dvc.lock").unlink()  # else DVC keeps in it stages that dvc.yaml has no more
    own = {
        "CHECKPOINTS": f"{folder}/.dvc/tmp/checkpoints",
        "DVC_SITE_CACHE_DIR": f"{folder}/.dvc/tmp/site",
    }
    command = ["dvc", "repro", "--force", "--no-run-cache"]
    done = subprocess.run(command, cwd=folder, env={**os.environ, **own}, stdout=sys.stderr)
    if done.returncode:
        raise SystemExit("verify: the pipeline did not run to its end; nothing was compared")
    return Path(folder, "dvc.lock").read_text()


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


def compare(committed: str, lock: str) -> bool:
    """Print a line for each output; return whether they are the same."""
    now = {path: md5 for _, path, md5 in outputs(lock)}
    for _, path, md5 in outputs(committed):
        if now.get(path) == md5:
            print(f"same       {path}")
        else:
            print(f"different  {path}: {md5} in dvc.lock, {now.get(path)} anew")
    print(f"{'same' if lock == committed else 'different':<10} dvc.lock")
    return lock == committed


def check_cache(committed: str) -> bool:
    """Print a line for each object of the cache that has rotted; return whether none has."""
    cache = Path(commands.output("dvc", "cache", "dir"))
    sound = True
    for stage, path, md5 in outputs(committed):
        for damaged in rotten(cache, md5):
            sound = False
            restore = f"rm -f {damaged} && dvc repro --force --single-item {stage}"
            print(f"rotten     {path} in the cache: {restore}")
    return sound


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.verify", description=__doc__)
    parser.parse_args()
    changed = commands.output("git", "status", "--porcelain", "--untracked-files=no")
    if changed:
        print(f"verify: the last commit, without your changes to\n{changed}", file=sys.stderr)
    committed = commands.output("git", "show", "HEAD:dvc.lock") + "\n"
    with tempfile.TemporaryDirectory() as folder:
        lock = run_anew(folder)
    sound = check_cache(committed)
    same = compare(committed, lock)
    raise SystemExit(0 if same and sound else 1)


if __name__ == "__main__":
    main()
