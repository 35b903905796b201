"""The experiments of `dvc exp show`, for the programs that make tables of them."""

import json
import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from digits import output
from tools import commands, experiment

DONE, FAILED = "success", "failed"
WORKSPACE = "workspace"  # DVC's name for what is no commit
LESS_IS_BETTER = ("loss", "val_loss", "errors", "ece")  # of other metrics, more is


@dataclass(frozen=True)
class Run:
    """The workspace, a commit or an experiment: its parameters by dotted path, and its metrics.

    DVC has metrics of an experiment that has not ended well too: those of its commit, or half of
    them while it runs. They are left out here.
    """

    name: str
    state: str
    is_experiment: bool
    params: dict[str, str]
    metrics: dict[str, float]
    rev: str = ""  # its commit


def leaves(values: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield each parameter as its dotted path and its value, in one line; a list is one value."""
    if isinstance(values, dict):
        for key, value in values.items():
            yield from leaves(value, f"{path}.{key}" if path else str(key))
    elif isinstance(values, list):
        yield path, output.printable(",".join(map(str, values)))
    else:
        yield path, "" if values is None else output.printable(values)


def files(section: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    """Yield what DVC read from each file of parameters or of metrics."""
    for file in (section or {}).values():
        if isinstance(file.get("data"), dict):
            yield file["data"]


def run(revision: dict[str, Any], state: str, is_experiment: bool) -> Run:
    data = revision["data"] or {}
    params = dict(leaf for file in files(data.get("params")) for leaf in leaves(file))
    metrics = {name: value for file in files(data.get("metrics")) for name, value in file.items()}
    metrics = {name: value for name, value in metrics.items() if is_number(value)}
    rev = revision["rev"]
    name = revision["name"] or (rev if rev == WORKSPACE else rev[:7])
    if experiment.STOPPED in name and not metrics:
        state = "stopped"
    return Run(name, state, is_experiment, params, metrics if state == DONE else {}, rev)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def sign(metric: str) -> int:
    """1 where more of a metric is better, -1 where less is."""
    return -1 if metric in LESS_IS_BETTER else 1


def in_percent(metric: str) -> bool:
    """Whether a metric is shown in percent, and its differences in points."""
    return metric.endswith("accuracy")


def concerns(path: str, params: dict[str, str]) -> bool:
    """Whether a parameter is none of another recipe or data set than the run's own."""
    recipe, dataset = params.get("recipe"), params.get("download.dataset")
    chosen = {"recipes": recipe, "evaluate.test_time_augmentation": recipe, "datasets": dataset}
    for section, name in chosen.items():
        if path.startswith(f"{section}.") and not f"{path}.".startswith(f"{section}.{name}."):
            return False
    return True


def ordered(metrics: Iterable[str]) -> list[str]:
    """Each once: first the one to choose by, then that of the test images."""
    found = list(metrics)
    first = [name for name in ("val_accuracy", "test_accuracy") if name in found]
    return list(dict.fromkeys([*first, *found]))


def shared(runs: list[Run]) -> list[str]:
    """The metrics that all runs have, the one to choose by first."""
    return ordered(name for name in runs[0].metrics if all(name in run.metrics for run in runs))


def read(*options: str) -> list[Run]:
    """Return each row of `dvc exp show` with these options, in its order."""
    dvc = [sys.executable, "-E", "-X", "utf8", "-m", "tools.dvc_internals"]
    runs = []
    for commit in json.loads(commands.output(*dvc, "exp", "show", "--json", *options)):
        runs.append(run(commit, DONE, is_experiment=False))
        for each in commit["experiments"] or []:
            executor = each["executor"]
            state = executor["state"] if executor else DONE
            for revision in each["revs"] or []:
                runs.append(run(revision, state, is_experiment=True))
    return runs
