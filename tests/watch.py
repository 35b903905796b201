"""Run a stage in the current folder, and print as JSON what it reads, what it writes, and which parameters it uses."""

import json
import os
import sys

from stages import validate
from stages.__main__ import run

READ: set[str] = set()
WRITTEN: set[str] = set()
USED: set[str] = set()


def watch_open(event: str, arguments: tuple) -> None:
    if event != "open" or not isinstance(arguments[0], str | bytes):
        return
    path, mode, flags = os.path.relpath(os.fsdecode(arguments[0])), *arguments[1:]
    if not path.startswith((".", "/")) and "__pycache__" not in path and not os.path.isdir(path):
        writes = set(mode) & set("wax+") if mode else flags & (os.O_WRONLY | os.O_RDWR)
        (WRITTEN if writes else READ).add(path)


class Watched(dict):
    """A mapping of parameters that notes each value taken out of it by its dotted path."""

    path = ""

    def __getitem__(self, key):
        value = super().__getitem__(key)
        if isinstance(value, dict):
            value = Watched(value)
            value.path = f"{self.path}{key}."
        else:
            USED.add(f"{self.path}{key}")
        return value

    def items(self):
        return [(key, self[key]) for key in self]


stage = sys.argv[1]
read_params = validate.read
validate.read = lambda: Watched(read_params())
sys.addaudithook(watch_open)
run(stage)
read = sorted(path for path in READ - WRITTEN if os.path.isfile(path))
print(json.dumps([read, sorted(WRITTEN), sorted(USED)]))
