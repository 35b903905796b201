"""Tables on a terminal, and how values stand in them."""

import re
import shutil

MOST = 30  # rows; more are no longer read
WIDEST = 20  # characters of a value, such as the list of a network's layers
DIGITS = 7  # characters of a number, which a search may draw with more
PIPED = 120  # characters of a line that goes to no terminal
NARROWEST = 16  # characters of a column that is broken into lines
GAP = "  "


def cut(text: str) -> str:
    """A number with four digits; the end of another long value: that of a path says most."""
    if len(text) > DIGITS and re.fullmatch(r"-?\d+\.\d+(e[+-]?\d+)?", text):
        return f"{float(text):.4g}"
    if len(text) <= WIDEST:
        return text
    end = text[1 - WIDEST :]
    return f"…{end[max(0, end.find('/')) :]}"


def terminal() -> int:
    """The characters of a line on the terminal."""
    return shutil.get_terminal_size((PIPED, 0)).columns


def fits(table: str) -> bool:
    return max(map(len, table.splitlines())) <= terminal()


def aligned(rows: list[list[str]]) -> str:
    """The rows as lines, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = [GAP.join(cell.ljust(width) for cell, width in zip(row, widths)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def broken(text: str, room: int) -> list[str]:
    """A text in lines of so many characters; a longer word has lines of its own."""
    lines = [""]
    for word in re.findall(r"\S+ ?", text):
        long = len(word.rstrip()) > room
        parts = re.findall(r"[\d.]+,?|[^./=]+[./=]?|.", word) if long else [word]
        for place, part in enumerate(parts):
            full = len(lines[-1] + part.rstrip()) > room
            if lines[-1] and (full or (long and place == 0)):
                lines.append("")
            lines[-1] += part
    return [line.rstrip() for line in lines]


def fitted(rows: list[list[str]], column: int) -> str:
    """The rows aligned, the cells of a column broken into lines, so that all fits the terminal."""
    others = [[cell for at, cell in enumerate(row) if at != column] for row in rows]
    taken = max(map(len, aligned(others).splitlines())) + len(GAP)
    room = max(NARROWEST, terminal() - taken)
    found = []
    for row in rows:
        first, *rest = broken(row[column], room)
        found.append([*row[:column], first, *row[column + 1 :]])
        for line in rest:
            found.append([line if at == column else "" for at in range(len(row))])
    return aligned(found)
