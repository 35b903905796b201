"""make verify: run the whole pipeline afresh in a temporary clone, without caches, and compare each output with the
committed dvc.lock; then read every object of the local cache that dvc.lock names, because DVC trusts them unread."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ruamel.yaml import YAML


def run(*command: str, **environment: str) -> str:
    """Return what a program printed; SystemExit where it failed."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})
    if done.returncode:
        raise SystemExit(f"verify: {' '.join(command)} ended with status {done.returncode}")
    return done.stdout


def outputs(lock: str) -> Iterator[tuple[str, str, str]]:
    """Yield (stage, path, sum) for each output that a dvc.lock names."""
    for stage, entry in YAML(typ="safe").load(lock)["stages"].items():
        for out in entry["outs"]:
            yield stage, out["path"], out["md5"]


def afresh(folder: str) -> str:
    """Clone the last commit to `folder`, run all its stages there, and return the dvc.lock that they leave."""
    run("git", "clone", "--quiet", "--no-hardlinks", ".", folder)
    own = {"CHECKPOINTS": f"{folder}/.dvc/tmp/checkpoints", "DVC_SITE_CACHE_DIR": f"{folder}/.dvc/tmp/site"}
    command = "dvc", "repro", "--force", "--no-run-cache"
    done = subprocess.run(command, cwd=folder, env={**os.environ, **own}, stdout=sys.stderr)
    if done.returncode:
        raise SystemExit("verify: the pipeline did not run to its end; nothing was compared")
    return Path(folder, "dvc.lock").read_text()


def rotten(cache: Path, md5: str) -> list[Path]:
    """Return the objects of the cache, of an output with that sum, whose bytes do not have the sum in their name."""
    path = cache / "files/md5" / md5[:2] / md5[2:]
    if not path.exists():
        return []  # not every output is cached, and not here
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "md5").hexdigest()
    if found != md5.removesuffix(".dir"):
        return [path]
    inner = json.loads(path.read_text()) if md5.endswith(".dir") else []
    return [each for entry in inner for each in rotten(cache, entry["md5"])]


def main() -> None:
    if changed := run("git", "status", "--porcelain", "--untracked-files=no"):
        print(f"verify: the last commit is verified, without your changes to\n{changed}", file=sys.stderr)
    committed = run("git", "show", "HEAD:dvc.lock")
    with tempfile.TemporaryDirectory() as folder:
        lock = afresh(folder)
    now = {path: md5 for _, path, md5 in outputs(lock)}
    cache, bad = Path(run("dvc", "cache", "dir").strip()), committed != lock
    for stage, path, md5 in outputs(committed):
        same = now.get(path) == md5
        print(f"same       {path}" if same else f"different  {path}: {md5} in dvc.lock, {now.get(path)} afresh")
        for object in rotten(cache, md5):
            bad = True
            print(f"rotten     {path} in the cache: rm -f {object} && dvc repro --force --single-item {stage}")
    print(f"{'different' if committed != lock else 'same':<10} dvc.lock")
    raise SystemExit(bad)


if __name__ == "__main__":
    main()
