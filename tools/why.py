"""make why: what `dvc repro` would do now, stage by stage, and why. It runs and changes nothing.

A stage is up to date, comes from the cache, or runs. What a stage that runs will give is not known, so that those after
it may run: only if what they take from it comes out different.
"""

import difflib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import networkx
from dvc.dependency.param import ParamsDependency
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage import Stage
from dvc.stage.cache import _get_cache_hash
from dvc.stage.serialize import to_single_stage_lockfile
from dvc_data.hashfile.hash_info import HashInfo
from ruamel.yaml import YAML

Sums = dict[str, str | None]  # of outputs, by path, as they will be; None where a stage runs first


def differences(old: Any, new: Any, path: str) -> Iterator[str]:
    """Yield `path: old -> new` for each value that differs; of a list, what it lost and gained."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            yield from differences(old.get(key, "nothing"), new.get(key, "nothing"), f"{path}.{key}".lstrip("."))
    elif old == new:
        return
    elif isinstance(old, list) and isinstance(new, list):
        lines = difflib.ndiff(list(map(str, old)), list(map(str, new)))
        yield f"{path}: {', '.join(line for line in lines if line[0] in '+-')}"
    elif isinstance(new, (dict, list)):
        yield f"{path}: new"
    elif isinstance(old, (dict, list)):
        yield f"{path}: gone"
    else:
        yield f"{path}: {old} -> {new}"


def reasons(stage: Stage, sums: Sums) -> Iterator[str]:
    """Yield what differs from what dvc.lock has of the stage. A dep that an earlier stage makes is as `sums` says."""
    if not any(dep.hash_info for dep in stage.deps):
        yield "nothing of it in dvc.lock"
        return
    if stage.changed_stage():
        yield "its command in dvc.yaml"
    for dep in stage.deps:
        if isinstance(dep, ParamsDependency):
            yield from differences(dep.hash_info.value or {}, dep.read_params(), "")
        elif str(dep) not in sums:
            yield from (f"{path}: {state}" for path, state in dep.status().items())
        elif sums[str(dep)] and sums[str(dep)] != dep.hash_info.value:
            yield f"{dep}: modified"
    for out in stage.outs:
        yield from (f"{path}: {state}" for path, state in out.status().items())


def cached(stage: Stage, sums: Sums) -> Sums | None:
    """Return the sums of what the stage gave when it last ran with the present deps, None where it never did."""
    stage.save_deps(allow_missing=True)
    for dep in stage.deps:
        if known := sums.get(str(dep)):
            dep.hash_info = HashInfo("md5", known)
    runs = stage.repo.stage_cache
    key = _get_cache_hash(to_single_stage_lockfile(stage), key=True)
    for path in sorted(Path(runs.cache_dir, key[:2], key).glob("*"), key=lambda path: -path.stat().st_mtime)[:1]:
        record = YAML(typ="safe").load(path)
        if runs._create_stage(record, wdir=stage.wdir).outs_cached():
            return {out["path"]: out["md5"] for out in record["outs"]}
    return None


def explain(repo: Repo) -> Iterator[tuple[str, str, list[str]]]:
    """Yield (stage, what becomes of it, why) in the order in which `dvc repro` takes them."""
    sums: Sums = {}
    makers: dict[str, str] = {}
    places = {stage: place for place, stage in enumerate(repo.index.stages)}
    for stage in networkx.lexicographical_topological_sort(repo.index.graph.reverse(), key=places.__getitem__):
        why = list(reasons(stage, sums))
        waits = dict.fromkeys(makers[str(dep)] for dep in stage.deps if sums.get(str(dep), "") is None)
        outs: Sums | None = {str(out): out.hash_info.value for out in stage.outs}
        if why or waits:
            outs = None if waits else cached(stage, sums)
            state = "from the cache" if outs else "runs" if why else "may run"
        else:
            state = "up to date"
        sums |= outs or dict.fromkeys(map(str, stage.outs))
        makers |= dict.fromkeys(map(str, stage.outs), stage.addressing)
        yield stage.addressing, state, [*why, *(f"what {stage} makes" for stage in waits)]


def main() -> None:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `make why | head` ends without a word
    try:
        with Repo() as repo, repo.lock:
            for stage, state, why in explain(repo):
                print(f"{stage:<11} {state:<15} {why[0] if why else ''}".rstrip())
                print("".join(f"{'':<28}{line}\n" for line in why[1:]), end="")
    except DvcException as error:
        raise SystemExit(f"why: {error}") from None


if __name__ == "__main__":
    main()
