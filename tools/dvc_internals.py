"""What tools.why needs of DVC that DVC does not promise to keep: the records of earlier runs.

tests/test_tools.py names each of these functions; it says which one a new DVC has changed.
"""

import json
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage import Stage
from dvc.stage.cache import _get_cache_hash
from dvc.stage.serialize import to_single_stage_lockfile
from dvc_data.hashfile.hash_info import HashInfo
from ruamel.yaml import YAML

Sums = dict[str, str]  # MD5 sums of files and folders, by path


def has_run_cache(stage: Stage) -> bool:
    """Does DVC keep the runs of this stage?"""
    kept = not any(out.persist or not out.is_in_repo for out in stage.outs)
    return bool(stage.cmd and stage.deps and stage.outs and not stage.always_changed and kept)


def run_key(stage: Stage, known: Sums) -> str:
    """The name under which DVC keeps the runs of a stage with its present deps.

    Deps that an earlier stage will make first count with their `known` sums. The stage's own notes
    of its deps are overwritten; nothing on the disk is.
    """
    stage.save_deps(allow_missing=True)
    for dep in stage.deps:
        if str(dep) in known:
            dep.hash_info = HashInfo("md5", known[str(dep)])
    return _get_cache_hash(to_single_stage_lockfile(stage), key=True)


def last_run(repo: Repo, stage: Stage, key: str) -> Sums | None:
    """The outputs of the last run with that key; None where it is not, or no longer, known."""
    folder = Path(repo.stage_cache.cache_dir, key[:2], key)
    records = sorted(folder.glob("*"), key=lambda path: path.stat().st_mtime)
    if not records:
        return None
    try:
        record = YAML(typ="safe").load(records[-1])
        outputs = repo.stage_cache._create_stage(record, wdir=stage.wdir)
        there = outputs.outs_cached()
        return {str(out): out.hash_info.value for out in outputs.outs} if there else None
    except (DvcException, LookupError, TypeError):
        return None  # a damaged record: `dvc repro` runs the stage


def inside_folder(repo: Repo, md5: str, inner: str) -> str | None:
    """The sum of a file in a folder of DVC's cache, by the folder's sum; None if not there."""
    path = Path(repo.cache.local.path, md5[:2], md5[2:])
    if not path.exists():
        return None
    entries = {entry["relpath"]: entry["md5"] for entry in json.loads(path.read_bytes())}
    return entries.get(inner)
