"""What came of a search: the best trial, how sure that is, what mattered, and a figure of all.

The figure shows what each trial gave, in order and against each parameter: a dot is a trial, the
darker the later; orange is the best.
"""

import math
import shlex
import statistics
from itertools import accumulate
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from optuna.distributions import CategoricalDistribution
from optuna.importance import get_param_importances
from optuna.trial import TrialState

from tools import exp_show, overrides, study_figure, sweep, tables
from tools.study_figure import GREY, REFERENCE, label, scaled
from tools.trials import Search, Trial

PICTURE = sweep.LOGS / "search.png"
FEW = 10  # trials, which do not tell what mattered
COLUMNS = 3
LATER = "Blues"  # lighter to darker


def show(search: Search) -> None:
    """Print it; SystemExit where no trial has ended well."""
    ranked = search.ranked()
    if not ranked:
        raise SystemExit(f"no trial has ended well; their logs: {sweep.LOGS}")
    best = ranked[0]
    stopped = [min(map(len, trial.stopped)) for trial in search.trials if trial.stopped]
    failed = sum(trial.failed for trial in search.trials)
    remarks = [f", {failed} failed"] if failed else []
    if stopped:
        epochs = " to ".join(map(str, sorted({min(stopped), max(stopped)})))
        remarks += [f", {len(stopped)} stopped after {epochs} epochs"]
    remarks += ["; there are no other values"] if search.exhausted else []
    print(f"\n{len(search.trials)} trials", *remarks, sep="")
    print(f"the best is number {best.number}: {said(best, search.metric)}")
    print(sure(ranked))
    print(mattered(search))
    study_figure.save(draw(search), str(PICTURE), "the figure")
    print(f"drawn in {PICTURE}")
    words = " ".join(f"-S {shlex.quote(each)}" for each in search.space.overrides(best.values))
    print(f"to take it over: dvc exp apply {min(best.names.items())[1]}")
    print(f"or: dvc exp run {words}")


def said(trial: Trial, metric: str) -> str:
    """The mean of a trial's results, and their spread."""
    scale, unit = (100, " %") if exp_show.in_percent(metric) else (1, "")
    mean = f"{metric} {scale * trial.mean:.5g}"
    spread = f" ± {scale * statistics.stdev(trial.found):.2g}" if len(trial.found) > 1 else ""
    return f"{mean}{spread}{unit}, seeds: {len(trial.found)}"


def sure(ranked: list[Trial]) -> str:
    """How far it can be trusted that the best is the best."""
    best, *others = ranked
    if len(best.found) == 1:
        return "one seed does not tell how much of that is luck: --seeds 3"
    spread = statistics.stdev(best.found)
    near = sum(abs(trial.mean - best.mean) <= spread for trial in others)
    return f"{near} others lie within its spread; the best of many is also the luckiest"


def mattered(search: Search) -> str:
    told = search.told(len(search.trials))
    if len(told.get_trials(states=[TrialState.COMPLETE])) <= FEW:
        return f"which parameters mattered: it takes more than {FEW} trials to tell"
    found = get_param_importances(told)
    shares = [f"{overrides.key(key)} {100 * share:.0f} %" for key, share in found.items()]
    return f"which parameters mattered, by Optuna's PED-ANOVA: {', '.join(shares)}"


def draw_order(axes: Axes, search: Search, results: list[float]) -> None:
    """Each trial, and the best until then."""
    ranked = search.ranked()
    in_order = sorted(zip((trial.number for trial in ranked), results))
    numbers, values = zip(*in_order)
    better = max if exp_show.sign(search.metric) > 0 else min
    best = list(accumulate(values, better))
    axes.step(numbers, best, where="post", color=REFERENCE, label="the best until then")
    draw_dots(axes, list(numbers), list(values), list(numbers), ranked[0].number)
    axes.set(xlabel="trial")
    axes.locator_params(axis="x", integer=True)
    axes.legend(frameon=False)


def draw_dots(
    axes: Axes, places: list[Any], values: list[float], numbers: list[int], best: int
) -> None:
    style: dict[str, Any] = {"edgecolors": GREY, "linewidths": 0.5, "zorder": 2}
    # A scale that starts before the first trial leaves no dot white.
    scale: dict[str, Any] = {"vmin": -max(numbers) / 2 - 1, "vmax": max(numbers)}
    axes.scatter(places, values, c=numbers, cmap=LATER, **scale, **style)
    place = numbers.index(best)
    axes.scatter(places[place], values[place], color=REFERENCE, zorder=3)


def draw_parameter(axes: Axes, search: Search, results: list[float], key: str, name: str) -> None:
    """Each trial against a parameter's value; choices stand in the order of -S."""
    ranked = search.ranked()
    bounds = search.space.ranges[key]
    places = [trial.values[key] for trial in ranked]
    if isinstance(bounds, CategoricalDistribution):
        choices = list(dict.fromkeys([*bounds.choices, *places]))  # the list was longer once
        axes.set_xticks(range(len(choices)), [tables.cut(str(choice)) for choice in choices])
        axes.margins(x=0.3)
        places = [choices.index(place) for place in places]
    draw_dots(axes, places, results, [trial.number for trial in ranked], ranked[0].number)
    if getattr(bounds, "log", False):
        axes.set_xscale("log")
        axes.xaxis.set(major_locator=LogLocator(subs=(1, 2, 5)), major_formatter="{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set(xlabel=name)


def draw(search: Search) -> Figure:
    results = scaled(search.metric, [trial.mean for trial in search.ranked()])
    keys = list(search.space.ranges)
    names = overrides.ends(map(overrides.key, keys))
    count = 1 + len(keys)
    columns = min(count, COLUMNS)
    rows = math.ceil(count / columns)
    figure = Figure(figsize=(4.4 * columns, 3.6 * rows), layout="constrained")
    panels = list(figure.subplots(rows, columns, sharey=True, squeeze=False).flat)
    draw_order(panels[0], search, results)
    for axes, key in zip(panels[1:], keys):
        draw_parameter(axes, search, results, key, names[overrides.key(key)])
    for axes in panels[:count]:
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[count:]:
        axes.axis("off")
    for axes in panels[:count:columns]:
        axes.set_ylabel(label(search.metric))
    return figure
