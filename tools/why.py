"""What `dvc repro` would do now, stage by stage, and why. It runs nothing and changes nothing.

A stage is up to date, comes from the cache, or runs. What a stage that runs will give is not known:
the stages after it may run, if what they take from it comes out different. Files that `dvc add`
keeps, and stages that are frozen, have no command: they are recorded anew, or missing.
"""

import argparse
import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools import commands, mend

if TYPE_CHECKING:
    from dvc.output import Output
    from dvc.repo import Repo
    from dvc.stage import Stage

UP_TO_DATE, CACHED, RUNS, MAY_RUN = "up to date", "from the cache", "runs", "may run"
RECORDED, MISSING = "recorded", "missing"
NOT_IN_CACHE = "not in cache"
ABSENT = {"deleted", NOT_IN_CACHE}  # DVC's words for an output that is not there
ALWAYS = "it has no deps and outs, or always_changed in dvc.yaml"


def differences(old: Any, new: Any, path: str) -> Iterator[str]:
    """Yield `path: old -> new` for each value that differs; of a list, what it lost and gained."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            inner = f"{path}.{key}" if path else str(key)
            yield from differences(old.get(key, "nothing"), new.get(key, "nothing"), inner)
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


@dataclass
class Made:
    """An output of a stage that was explained already."""

    stage: str
    path: str
    then: str | None  # its sum once `dvc repro` has passed the stage; None where that is not known


@dataclass
class Explanation:
    stage: str
    state: str
    reasons: list[str] = field(default_factory=list)


class Explainer:
    """Goes through the stages as `dvc repro` does, and notes what becomes of each output."""

    def __init__(self, repo: "Repo", allow_missing: bool) -> None:
        self.repo = repo
        self.allow_missing = allow_missing
        self.made: list[Made] = []

    def makers(self, dep: "Output") -> list[Made]:
        """The outputs that are a dep, hold it, or lie in it."""

        def overlap(made: Made) -> bool:
            one, other = f"{dep}/", f"{made.path}/"
            return one.startswith(other) or other.startswith(one)

        return list(filter(overlap, self.made))

    def then(self, dep: "Output") -> str | None:
        """The sum that a dep will have where it, or a folder that holds it, is an output."""
        from tools import dvc_internals

        for made in self.makers(dep):
            if made.then and made.path == str(dep):
                return made.then
            if made.then and str(dep).startswith(f"{made.path}/"):
                inner = str(dep).removeprefix(f"{made.path}/")
                return dvc_internals.inside_folder(self.repo, made.then, inner)
        return None

    def changes_of_dep(self, dep: "Output") -> Iterator[str]:
        """Yield what differs in a dep from what dvc.lock has of it."""
        from dvc.dependency.param import ParamsDependency

        if isinstance(dep, ParamsDependency):
            yield from differences(dep.hash_info.value or {}, dep.read_params(), "")
        elif self.makers(dep):
            then = self.then(dep)
            if then and then != dep.hash_info.value:
                yield f"{dep}: modified"
        elif dep.hash_info:
            yield from self.status(dep)
        else:
            yield f"{dep}: new"

    def gone(self, stage: "Stage") -> list[str]:
        """The deps without which `dvc repro` ends in an error: no stage makes them."""
        from dvc.dependency.param import ParamsDependency

        if self.allow_missing:
            return []
        files = [dep for dep in stage.deps if not isinstance(dep, ParamsDependency)]
        return [str(dep) for dep in files if not self.makers(dep) and not dep.exists]

    def status(self, file: "Output") -> Iterator[str]:
        """Yield what DVC says of a dep or an output as it is on the disk."""
        for path, state in file.status().items():
            if not (self.allow_missing and state in ABSENT):
                yield f"{path}: {state}"

    def changes_of_outs(self, stage: "Stage") -> Iterator[str]:
        for out in stage.outs:
            yield from self.status(out)

    def changes(self, stage: "Stage") -> Iterator[str]:
        """Yield what differs from what dvc.lock has of a stage with a command."""
        if stage.is_callback or stage.always_changed:
            yield ALWAYS
            return
        if not any(dep.hash_info for dep in stage.deps):
            yield "nothing of it in dvc.lock"
            return
        if stage.changed_stage():
            yield "its command in dvc.yaml"
        for dep in stage.deps:
            yield from self.changes_of_dep(dep)
        yield from self.changes_of_outs(stage)

    def waits(self, stage: "Stage") -> list[str]:
        """The earlier stages of whose outputs it is not known what they will be."""
        unknown = [
            made.stage for dep in stage.deps for made in self.makers(dep) if made.then is None
        ]
        return list(dict.fromkeys(unknown))

    def cached(self, stage: "Stage") -> dict[str, str] | None:
        """The outputs that DVC's cache has for the present deps, by path; None if it has none."""
        from tools import dvc_internals

        if not dvc_internals.has_run_cache(stage):
            return None
        known = {str(dep): then for dep in stage.deps if (then := self.then(dep))}
        return dvc_internals.last_run(self.repo, stage, dvc_internals.run_key(stage, known))

    def explain_data(self, stage: "Stage") -> Explanation:
        """Of files that `dvc add` or `dvc import` keeps, and of what is frozen: no command runs.

        Stages that use them look at the files themselves.
        """
        changes = list(self.changes_of_outs(stage))
        if not changes:
            return Explanation(stage.addressing, UP_TO_DATE)
        if any(change.endswith("deleted") for change in changes):
            return Explanation(
                stage.addressing, MISSING, [*changes, "to get it back: dvc checkout"]
            )
        return Explanation(stage.addressing, RECORDED, changes)

    def explain(self, stage: "Stage") -> Explanation:
        if stage.frozen or stage.is_data_source:
            return self.explain_data(stage)
        if gone := self.gone(stage):
            self.made += [Made(stage.addressing, str(out), None) for out in stage.outs]
            return Explanation(stage.addressing, MISSING, [f"{dep}: not there" for dep in gone])
        reasons, waits = list(self.changes(stage)), self.waits(stage)
        if not reasons and not waits:
            state, then = UP_TO_DATE, {str(out): out.hash_info.value for out in stage.outs}
        elif not waits and (cached := self.cached(stage)):
            state, then = CACHED, cached
        else:
            state, then = RUNS if reasons else MAY_RUN, {}
        self.made += [Made(stage.addressing, str(out), then.get(str(out))) for out in stage.outs]
        reasons += [f"what {earlier} makes" for earlier in waits]
        return Explanation(stage.addressing, state, reasons)


def in_order(repo: "Repo") -> Iterator["Stage"]:
    """The stages as `dvc repro` takes them; where it may choose, in the order of dvc.yaml."""
    import networkx

    places = {stage: place for place, stage in enumerate(repo.index.stages)}
    graph = repo.index.graph.reverse()
    yield from networkx.lexicographical_topological_sort(graph, key=places.__getitem__)


def explain_all(repo: "Repo", allow_missing: bool) -> list[Explanation]:
    """What `dvc repro` would do with each stage, in its order."""
    explainer = Explainer(repo, allow_missing)
    return list(map(explainer.explain, in_order(repo)))


def show(explanation: Explanation) -> None:
    first, *others = explanation.reasons or [""]
    if others and explanation.state == CACHED:
        others = [f"and {len(others)} more"]
    print(f"{explanation.stage:<11} {explanation.state:<15} {first}".rstrip())
    for reason in others:
        print(f"{'':<27} {reason}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.why", description=__doc__)
    parser.add_argument(
        "--check",
        action="store_true",
        help="end with status 1 if a stage runs or may run, or data are missing or not recorded, "
        "with 0 if all is up to date or comes from the cache",
    )
    parser.add_argument(
        "--allow-missing",
        action="store_true",
        help="take outputs that are not here as they stand in dvc.lock: with --check, whether "
        "dvc.lock fits the code and the parameters, in a checkout without data",
    )
    options = parser.parse_args()
    commands.end_with_reader()

    from dvc.exceptions import DvcException  # late: slow
    from dvc.repo import Repo

    from digits import params

    if params.FILE.exists():
        params.read()  # says what is wrong better than DVC does
    try:
        with Repo() as repo, repo.lock:
            explanations = explain_all(repo, options.allow_missing)
    except (DvcException, OSError) as error:
        raise SystemExit(f"why: {error}") from None
    for explanation in explanations:
        show(explanation)
    reasons = [reason for each in explanations for reason in each.reasons]
    lost = [each.partition(": ")[0] for each in reasons if each.endswith(NOT_IN_CACHE)]
    if any(Path(path).exists() for path in lost):
        print(f"{NOT_IN_CACHE}: dvc commit puts back what is here; dvc repro makes it anew")
    if mend.branch_left():
        print("HEAD is detached by an experiment that is gone: make mend, before git restore")
    if options.check and {each.state for each in explanations} - {UP_TO_DATE, CACHED}:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
