"""What our programs need of DVC that DVC does not promise to keep: the records of earlier runs.

tests/test_tools.py names each of these functions; it says which one a new DVC has changed.
"""

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

from dvc import cli
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.repo.experiments.cache import ExpCache
from dvc.repo.experiments.serialize import SerializableExp
from dvc.stage import Stage
from dvc.stage.cache import _get_cache_hash
from dvc.stage.serialize import to_single_stage_lockfile
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.meta import Meta
from ruamel.yaml import YAML

from digits import yaml12

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
            dep.meta = Meta()  # of a file that is gone it has the sum that dvc.lock noted
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


def content(repo: Repo, name: str) -> bytes:
    """A file of the commit that DVC looks at, or of the workspace."""
    with repo.fs.open(repo.fs.join(repo.root_dir, name), "rb") as file:
        return file.read()


def read_experiments_quickly() -> None:
    """Let DVC, in this process, read of an experiment its params.yaml and metrics, and no more.

    It would make an index of the stages of each commit. That is done once for each dvc.yaml, to
    know which files there are. Of the others DVC keeps no record, since it would not be whole.
    """
    whole, keep = SerializableExp.from_repo, ExpCache.put
    known: dict[bytes, SerializableExp] = {}

    def read(repo: Repo, rev: str, param_deps: bool = False, **about: Any) -> SerializableExp:
        pipeline = content(repo, "dvc.yaml")
        like = known.get(pipeline)
        if like and rev != "workspace" and not param_deps and list(like.params) == ["params.yaml"]:
            with contextlib.suppress(Exception):  # DVC itself says then what is wrong
                params = {"params.yaml": {"data": yaml12.load(content(repo, "params.yaml"))}}
                metrics = {name: {"data": json.loads(content(repo, name))} for name in like.metrics}
                return SerializableExp(rev, params=params, metrics=metrics, **about)
        known[pipeline] = whole(repo, rev, param_deps, **about)
        return known[pipeline]

    def put(cache: ExpCache, found: Any, **options: Any) -> None:
        if getattr(found, "deps", True):
            keep(cache, found, **options)

    SerializableExp.from_repo = read  # type: ignore[method-assign, assignment]
    ExpCache.put = put  # type: ignore[method-assign, assignment]


if __name__ == "__main__":  # `python -m tools.dvc_internals exp show`, say
    read_experiments_quickly()
    raise SystemExit(cli.main(sys.argv[1:]))
