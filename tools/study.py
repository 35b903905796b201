"""What the experiments of the present commit show, taken together over their seeds.

A row is a configuration, named by what differs between them: how many seeds ran, the mean and the
standard deviation of a metric over them, and how far the mean is from the highest, with the
standard error of that difference. A seed counts once, however often it ran.
"""

import argparse
import signal
import statistics
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from tools import experiments
from tools.experiments import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEED = "train.seed"
ABSENT = "-"  # of a parameter that one configuration has and another lacks

Configuration = tuple[tuple[str, str], ...]  # (dotted path, value) of what differs
Groups = dict[Configuration, list[float]]  # the metric of each seed


def with_metric(runs: list[Run], metric: str) -> list[Run]:
    """Those that have the metric, after a word on the others; SystemExit where none has it."""
    having = [run for run in runs if metric in run.metrics]
    if not having:
        known = sorted({name for run in runs for name in run.metrics})
        raise SystemExit(f"--metric: no experiment has {metric}; there are: {', '.join(known)}")
    if len(having) < len(runs):
        why = " (nothing is held out: validation_split is 0)" if metric.startswith("val_") else ""
        print(f"left out: {len(runs) - len(having)} without {metric}{why}")
    return having


def study(runs: list[Run], metric: str) -> Groups:
    """Return the metric's values of each configuration, the one of the highest mean first."""
    differing = []
    for key in sorted({key for run in runs for key in run.params} - {SEED}):
        if len({run.params.get(key, ABSENT) for run in runs}) > 1:
            differing.append(key)

    groups: dict[Configuration, dict[str, float]] = defaultdict(dict)
    for run in runs:
        configuration = tuple((key, run.params.get(key, ABSENT)) for key in differing)
        groups[configuration][run.params[SEED]] = run.metrics[metric]
    found = {configuration: list(seeds.values()) for configuration, seeds in groups.items()}
    return dict(sorted(found.items(), key=lambda group: -statistics.mean(group[1])))


def keys(groups: Groups) -> list[str]:
    """The last two parts of each differing path, where they tell it from the others."""
    paths = [path for path, _ in next(iter(groups))]
    ends = [".".join(path.split(".")[-2:]) for path in paths]
    counts = Counter(ends)
    return [end if counts[end] == 1 else path for path, end in zip(paths, ends)]


def behind(best: list[float], found: list[float]) -> str:
    """How far the mean is from the best; without a second seed nothing is said of the spread."""
    difference = f"{statistics.mean(best) - statistics.mean(found):.5f}"
    if len(found) == 1 or len(best) == 1:
        return difference
    squares = [statistics.variance(seeds) / len(seeds) for seeds in (best, found)]
    return f"{difference} ± {sum(squares) ** 0.5:.5f}"


def table(groups: Groups, metric: str) -> str:
    best = next(iter(groups.values()))
    rows = [[*keys(groups), "n", metric, "sd", "behind"]]
    for configuration, found in groups.items():
        deviation = f"{statistics.stdev(found):.5f}" if len(found) > 1 else ""
        row = [value for _, value in configuration]
        row += [str(len(found)), f"{statistics.mean(found):.5f}", deviation]
        row.append("" if found is best else behind(best, found))
        rows.append(row)
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def draw(groups: Groups, metric: str) -> "Figure":
    from matplotlib.figure import Figure  # late: slow

    figure = Figure(figsize=(8, 1.2 + 0.45 * len(groups)), layout="constrained")
    axes = figure.subplots()
    for place, found in enumerate(groups.values()):
        axes.plot(found, [place] * len(found), "o", color="#0072b2", alpha=0.6)
        mean = statistics.mean(found)
        axes.plot([mean, mean], [place - 0.3, place + 0.3], color="#d55e00")
    names = [", ".join(value for _, value in configuration) for configuration in groups]
    axes.set_yticks(range(len(groups)), [name or "all" for name in names])
    axes.set_title(", ".join(keys(groups)))
    axes.set_xlabel(f"{metric}: each experiment, and the mean")
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.study", description=__doc__)
    parser.add_argument("--metric", default="val_accuracy", help="of reports/metrics.json")
    parser.add_argument(
        "--figure",
        metavar="FILE",
        help="draw a dot for each seed and a line at each mean, to study.png, say",
    )
    options = parser.parse_args()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `make study | head` ends without a word

    runs = [run for run in experiments.read() if run.is_experiment]
    others = Counter(run.state for run in runs if run.state != experiments.DONE)
    if others:
        print("left out:", ", ".join(f"{others[state]} {state}" for state in sorted(others)))
    ended = [run for run in runs if run.metrics]
    if not ended:
        raise SystemExit(
            "no experiment of the present commit has ended well; try dvc exp run --queue, or "
            "make show ARGS=-A"
        )
    groups = study(with_metric(ended, options.metric), options.metric)
    print(table(groups, options.metric))
    if options.figure:
        try:
            draw(groups, options.metric).savefig(options.figure, dpi=100)
        except (OSError, ValueError) as error:
            raise SystemExit(
                f"--figure: expected a file to draw to; found {options.figure}: {error}"
            ) from None


if __name__ == "__main__":
    main()
