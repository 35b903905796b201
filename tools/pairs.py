"""How sure a difference is, where the same seeds were run with both configurations."""

import math
import statistics
from collections.abc import Sequence

from tools import exp_show

ALPHA = 0.05  # how often an interval, or one of several at once, misses


def within(angle: float, freedom: int) -> float:
    """P(|T| < sqrt(freedom) * tan(angle)) of Student's T, for a whole number of degrees of freedom.

    The finite sums of Abramowitz and Stegun, 26.7.3 and 26.7.4.
    """
    odd = freedom % 2
    term, total = math.cos(angle) ** odd, 0.0
    for power in range(odd, freedom - 1, 2):
        total += term
        term *= (power + 1) / (power + 2) * math.cos(angle) ** 2
    total *= math.sin(angle)
    return (angle + total) * 2 / math.pi if odd else total


def quantile(probability: float, freedom: int) -> float:
    """The t with P(|T| < t) = probability."""
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        middle = (low + high) / 2
        if within(middle, freedom) < probability:
            low = middle
        else:
            high = middle
    return math.sqrt(freedom) * math.tan(low)


def interval(differences: Sequence[float], comparisons: int) -> tuple[float, float]:
    """The t interval of a mean difference; all of some comparisons at once hold with 95 %.

    Each then holds with 1 - 0.05 / comparisons (Bonferroni). It takes at least two differences.
    """
    count = len(differences)
    t = quantile(1 - ALPHA / comparisons, count - 1)
    half = t * statistics.stdev(differences) / math.sqrt(count)
    mean = statistics.mean(differences)
    return mean - half, mean + half


def cells(differences: Sequence[float], metric: str, comparisons: int) -> list[str]:
    """How much better, the interval, and how many pairs; an accuracy in percentage points.

    `0.12`, `0.03 to 0.21`, `10`
    """
    if not differences:
        return ["no seed in common", "", ""]
    scale, style = (100, ".2f") if exp_show.in_percent(metric) else (1, ".3g")
    shown = [scale * difference for difference in differences]
    found = [f"{statistics.mean(shown):{style}}", "", str(len(shown))]
    if len(shown) > 1:
        low, high = interval(shown, comparisons)
        found[1] = f"{low:{style}} to {high:{style}}"
    return found
