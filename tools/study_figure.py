"""The figure of a study: learning curves with their spread over seeds, and what came out of them.

A colour is a configuration, the same in both; orange is the reference.
"""

import statistics
from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tools import curves, exp_show, tables
from tools.configurations import Study, Values

# Okabe and Ito's, which also the colour-blind tell apart; orange is the reference's.
REFERENCE, GREY = "#d55e00", "#6b6b6b"
COLOURS = ["#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#222222"]
MOST_CELLS = 12  # of a heat map, in a direction
LABEL = 32  # characters of a line of a configuration's label
WIDE = 20  # values that far apart, as a factor, stand on a logarithmic axis


def colours(study: Study) -> dict[Values, str]:
    """Those of the reference and of the best configurations, in order; others are grey."""
    found, left = {}, iter(COLOURS)
    for group in study.groups:
        if group == study.reference:
            found[group] = REFERENCE
        elif colour := next(left, ""):
            found[group] = colour
    return found


def plain(text: str) -> str:
    """So that Matplotlib sets no dollar sign as mathematics."""
    return text.replace("$", r"\$")


def name(group: Values) -> str:
    return plain(", ".join(tables.cut(value) or "empty" for value in group)) or "all"


def described(study: Study, group: Values) -> list[str]:
    """What a configuration has otherwise than the commit, in lines of a label."""
    return tables.broken(plain(study.described(group)), LABEL)


def draw_curves(axes: Axes, study: Study) -> None:
    """The error rate, of held-out images where all have that, as long as all seeds trained."""
    palette = colours(study)
    found = {
        group: [curves.read(run.rev) for run in study.groups[group].values()] for group in palette
    }
    found = {group: seeds for group, seeds in found.items() if all(seeds)}
    if not found:
        axes.text(0.5, 0.5, "no learning curves in DVC's cache: dvc fetch", ha="center")
        axes.axis("off")
        return
    every = list(chain(*found.values()))
    curve = next(each for each in curves.NAMES if all(each in seed for seed in every))
    for group, seeds in found.items():
        epochs = [[100 * (1 - value) for value in row] for row in zip(*(s[curve] for s in seeds))]
        steps = range(1, len(epochs) + 1)
        means = list(map(statistics.mean, epochs))
        least, most = list(map(min, epochs)), list(map(max, epochs))
        colour = palette[group]
        axes.plot(steps, means, color=colour, marker="o", markevery=[-1], label=name(group))
        axes.fill_between(steps, least, most, color=colour, alpha=0.2, linewidth=0)
    part = "validation" if curve.startswith("val_") else "training"
    title = f"{part} error rate, %: mean and range of the seeds"
    axes.set(title=title, xlabel="epoch", yscale="log")
    axes.yaxis.set(major_formatter="{x:g}", minor_formatter="{x:g}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if form(study) != "ranking":  # else its names have the colours
        axes.legend(title=", ".join(study.names), frameon=False)


def numbers(study: Study) -> bool:
    """Is each parameter that differs a number in each configuration?"""
    try:
        return bool([float(value) for group in study.groups for value in group])
    except ValueError:
        return False


def scaled(metric: str, values: list[float]) -> list[float]:
    return [100 * value for value in values] if exp_show.in_percent(metric) else values


def label(metric: str) -> str:
    return f"{metric}, %" if exp_show.in_percent(metric) else metric


def draw_line(axes: Axes, study: Study) -> None:
    """The metric against a parameter: a dot for each seed, a line through the means."""
    groups = sorted(study.groups, key=lambda group: float(group[0]))
    places = [float(group[0]) for group in groups]
    palette = colours(study)
    for group, place in zip(groups, places):
        found = scaled(study.metric, study.values(group))
        colour = palette.get(group, GREY)
        axes.plot([place] * len(found), found, "o", color=colour, alpha=0.6)
    axes.plot(
        places, scaled(study.metric, [study.mean(group) for group in groups]), color=GREY, zorder=0
    )
    if min(places) > 0 and max(places) / min(places) > WIDE:
        axes.set_xscale("log")
    axes.set(xlabel=study.names[0], title=f"{label(study.metric)}: each seed, and the means")


def sides(study: Study) -> list[list[str]]:
    """The values of each parameter, from the least on."""
    return [sorted(set(values), key=float) for values in zip(*study.groups)]


def draw_map(axes: Axes, study: Study) -> None:
    """The mean at each pair of values of two parameters."""
    columns, rows = sides(study)
    means = np.full((len(rows), len(columns)), np.nan)
    for group in study.groups:
        x, y = columns.index(group[0]), rows.index(group[1])
        [means[y, x]] = scaled(study.metric, [study.mean(group)])
        style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 9}
        axes.text(x, y, f"{means[y, x]:.4g}", bbox={"color": "#ffffffaa", "pad": 1}, **style)
    image = axes.imshow(means, cmap="viridis", aspect="auto", origin="lower")
    axes.set_xticks(range(len(columns)), map(tables.cut, columns))
    axes.set_yticks(range(len(rows)), map(tables.cut, rows))
    axes.set(xlabel=study.names[0], ylabel=study.names[1], title=f"{label(study.metric)}: means")
    axes.figure.colorbar(image, ax=axes)


def draw_ranking(axes: Axes, study: Study) -> None:
    """A line for each configuration: a dot for each seed, a stroke at the mean."""
    groups = list(study.groups)[: tables.MOST]
    palette = colours(study)
    for place, group in enumerate(groups):
        found = scaled(study.metric, study.values(group))
        colour = palette.get(group, GREY)
        axes.plot(found, [place] * len(found), "o", color=colour, alpha=0.6)
        axes.plot([statistics.mean(found)] * 2, [place - 0.3, place + 0.3], color=colour)
    axes.set_yticks(range(len(groups)), ["\n".join(described(study, group)) for group in groups])
    for text, group in zip(axes.get_yticklabels(), groups):
        text.set_color(palette.get(group, GREY))
    if len(groups) < len(study.groups):
        axes.set_title(f"the {len(groups)} best of {len(study.groups)}", loc="right")
    axes.set(ylim=(len(groups) - 0.5, -0.5), xlabel=label(study.metric))


def form(study: Study) -> str:
    """How results are drawn: against one number, on a map of two, or else as a ranking."""
    if not numbers(study) or len(study.keys) > 2:
        return "ranking"
    if len(study.keys) == 1:
        return "line"
    return "map" if max(map(len, sides(study))) <= MOST_CELLS else "ranking"


def draw_results(axes: Axes, study: Study) -> None:
    forms = {"line": draw_line, "map": draw_map, "ranking": draw_ranking}
    forms[form(study)](axes, study)


def draw(studies: list[Study]) -> Figure:
    """A row for each data set."""
    lines = [
        sum(len(described(study, group)) for group in list(study.groups)[: tables.MOST])
        for study in studies
    ]
    heights = [max(4.5, 1.2 + 0.3 * count) for count in lines]
    figure = Figure(figsize=(13, sum(heights)), layout="constrained")
    rows = figure.subfigures(len(studies), 1, squeeze=False, height_ratios=heights)[:, 0]
    for row, study in zip(rows, studies):
        if len(studies) > 1:
            row.suptitle(plain(study.data))
        left, right = row.subplots(1, 2)
        draw_curves(left, study)
        draw_results(right, study)
        for axes in (left, right):
            axes.spines[["top", "right"]].set_visible(False)
    return figure


def write(option: str, path: str, make: Callable[[], object]) -> None:
    """Make the file that an option names; SystemExit where that cannot be."""
    try:
        make()
    except (OSError, ValueError) as error:  # the latter: its name does not end as a picture's
        raise SystemExit(f"{option}: expected a file to write to; found {path}: {error}") from None


def save(figure: Figure, path: str, option: str) -> None:
    write(option, path, lambda: figure.savefig(path, dpi=100))
