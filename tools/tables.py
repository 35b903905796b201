"""Tables on a terminal, and how values stand in them."""

import re

MOST = 30  # rows; more are no longer read
WIDEST = 20  # characters of a value, such as the list of a network's layers
DIGITS = 7  # characters of a number, which a search may draw with more


def cut(text: str) -> str:
    """A number with four digits; the end of another long value: that of a path says most."""
    if len(text) > DIGITS and re.fullmatch(r"-?\d+\.\d+(e[+-]?\d+)?", text):
        return f"{float(text):.4g}"
    return text if len(text) <= WIDEST else f"…{text[1 - WIDEST :]}"


def aligned(rows: list[list[str]]) -> str:
    """The rows as lines, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)
