"""Work on all cores, in order, with little of it in memory."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def parallel(
    function: Callable[[Item], Result], items: Sequence[Item], size: int
) -> Iterator[tuple[Item, Result]]:
    """Yield each item with what becomes of it, `size` of them in memory."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(items), size):
            batch = items[start : start + size]
            yield from zip(batch, pool.map(function, batch))
