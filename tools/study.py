"""make show, python -m tools.study: what the experiments of the present commit show, taken together over their seeds.

A row is a configuration, named by what differs between them: how many seeds ran, the mean and the standard deviation of
a metric over them, and how far the mean is from the highest, with the standard error of that difference. The figure
has a dot for each seed, and a line at each mean. A seed counts once, however often it ran.
"""

import argparse
import json
import signal
import statistics
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from matplotlib.figure import Figure

SEED = "train.seed"
NAMES = {"dataset", "recipe"}  # metrics that are no numbers
HIDDEN = r".*(/|loss|_low|_high|_errors?$|network)|accuracy|step|Created|Executor|params\.yaml$|datasets.*"  # columns
Configuration = tuple[tuple[str, str], ...]


def leaves(values: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield each parameter as its dotted path and its value; a list is one value."""
    if isinstance(values, dict):
        for key, value in values.items():
            yield from leaves(value, f"{path}.{key}" if path else str(key))
    else:
        yield path, ",".join(map(str, values)) if isinstance(values, list) else str(values)


def show(*options: str, **capture: Any) -> str:
    """Run `dvc exp show`, which has said why where it fails."""
    done = subprocess.run(["dvc", "exp", "show", *options], text=True, **capture)
    if done.returncode:
        raise SystemExit(done.returncode)
    return done.stdout


def experiments() -> tuple[list[tuple[dict[str, str], dict[str, float]]], Counter[str]]:
    """Return the parameters and the metrics of each experiment that has ended well, and the states of the others.

    DVC gives these metrics too: those of the commit where one failed, half of them while one runs.
    """
    runs, others = [], Counter[str]()
    for commit in json.loads(show("--json", stdout=subprocess.PIPE)):
        for experiment in commit["experiments"] or []:
            state = experiment["executor"]["state"] if experiment["executor"] else "success"
            if state != "success":
                others[state] += 1
                continue
            for revision in experiment["revs"] or []:
                if (data := revision["data"]) and data["metrics"]:
                    files = [file.get("data", {}) for file in data["metrics"].values()]
                    metrics = {key: value for file in files for key, value in file.items() if key not in NAMES}
                    if metrics:
                        runs.append((dict(leaves(data["params"]["params.yaml"]["data"])), metrics))
    return runs, others


def study(runs: list[tuple[dict[str, str], dict[str, float]]], metric: str) -> dict[Configuration, list[float]]:
    """Return the metric's values of each configuration, the one of the highest mean first."""
    common = sorted(set.intersection(*(set(metrics) for _, metrics in runs)))
    if metric not in common:
        raise SystemExit(
            f"{metric}: not every experiment has it; choose by --metric what all have: {', '.join(common)}"
        )
    keys = {key for params, _ in runs for key in params} - {SEED}
    differing = sorted(key for key in keys if len({params.get(key, "-") for params, _ in runs}) > 1)
    groups: dict[Configuration, dict[str, float]] = defaultdict(dict)
    for params, metrics in runs:
        groups[tuple((key, params.get(key, "-")) for key in differing)][params[SEED]] = metrics[metric]
    found = {configuration: list(seeds.values()) for configuration, seeds in groups.items()}
    return dict(sorted(found.items(), key=lambda group: -statistics.mean(group[1])))


def short(keys: list[str]) -> list[str]:
    """The last two parts of each dotted path where they tell it from the others."""
    ends = [".".join(key.split(".")[-2:]) for key in keys]
    counts = Counter(ends)
    return [end if counts[end] == 1 else key for key, end in zip(keys, ends)]


def table(groups: dict[Configuration, list[float]], metric: str) -> str:
    """A row for each configuration; without a second seed nothing is said of the spread."""
    best = next(iter(groups.values()))
    rows = [[*short([key for key, _ in next(iter(groups))]), "n", metric, "sd", "behind"]]
    for configuration, found in groups.items():
        behind = f"{statistics.mean(best) - statistics.mean(found):.5f}"
        if len(found) > 1 and len(best) > 1:
            behind += f" ± {sum(statistics.variance(some) / len(some) for some in (best, found)) ** 0.5:.5f}"
        deviation = f"{statistics.stdev(found):.5f}" if len(found) > 1 else ""
        figures = [str(len(found)), f"{statistics.mean(found):.5f}", deviation, behind if found is not best else ""]
        rows.append([*(value for _, value in configuration), *figures])
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def draw(groups: dict[Configuration, list[float]], metric: str) -> Figure:
    keys = short([key for key, _ in next(iter(groups))])
    figure = Figure(figsize=(8, 1.2 + 0.45 * len(groups)), layout="constrained")
    axes = figure.subplots()
    for place, found in enumerate(groups.values()):
        axes.plot(found, [place] * len(found), "o", color="#0072b2", alpha=0.6)
        axes.plot([statistics.mean(found)] * 2, [place - 0.3, place + 0.3], color="#d55e00")
    names = [", ".join(value for _, value in configuration) or "all" for configuration in groups]
    axes.set_yticks(range(len(groups)), names)
    axes.set(title=", ".join(keys), xlabel=f"{metric}: each experiment, and the mean", ylim=(len(groups) - 0.5, -0.5))
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.study", description=__doc__)
    parser.add_argument(
        "--metric", default="validation_accuracy", help="of reports/metrics.json or of reports/training/metrics.json"
    )
    parser.add_argument("--figure", metavar="FILE", help="where to draw it: study.png, say")
    parser.add_argument("--list", action="store_true", help="first each experiment, by `dvc exp show`")
    options = parser.parse_args()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `make show | head` ends without a word
    runs, others = experiments()
    if options.list:
        show("--only-changed", "--drop", HIDDEN if others else f"{HIDDEN}|State")
    if others:
        print("left out:", ", ".join(f"{count} {state}" for state, count in sorted(others.items())))
    if not runs:
        raise SystemExit(
            "no experiment of the present commit has ended well; try dvc exp run --queue, or dvc exp show -A"
        )
    groups = study(runs, options.metric)
    print(table(groups, options.metric))
    if options.figure:
        try:
            draw(groups, options.metric).savefig(options.figure, dpi=100)
        except (OSError, ValueError) as error:
            raise SystemExit(f"--figure: expected a file to draw to; found {options.figure}: {error}") from None


if __name__ == "__main__":
    main()
