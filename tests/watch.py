"""Run a stage in the current folder; print as JSON what it reads, writes and uses.

Used are parameters: their dotted paths are noted when a value is taken out of its section.
"""

import json
import os
import sys
from typing import Any

READ: set[str] = set()
WRITTEN: set[str] = set()
USED: set[str] = set()
PATHS: dict[int, str] = {}  # of sections, by their id


def watch_open(event: str, arguments: tuple) -> None:
    if event == "os.rename":  # what was written beside gets its name
        arguments = (arguments[1], "w", 0)
    elif event != "open" or not isinstance(arguments[0], str | bytes):
        return
    path, mode, flags = os.path.relpath(os.fsdecode(arguments[0])), *arguments[1:]
    outside = path.startswith((".", "/")) or "__pycache__" in path
    if outside or (event == "open" and os.path.isdir(path)):
        return
    writes = set(mode) & set("wax+") if mode else flags & (os.O_WRONLY | os.O_RDWR)
    (WRITTEN if writes else READ).add(path)


sys.addaudithook(watch_open)  # first, since the project's own modules count as read

from digits import params  # noqa: E402
from digits.schema import Section  # noqa: E402
from stages import __main__ as stages  # noqa: E402


def noted(path: str, value: Any) -> Any:
    """Note that a value was taken, or prepare to note what will be taken out of it."""
    if isinstance(value, dict):
        return Noted(path, value)
    if isinstance(value, Section):
        PATHS[id(value)] = path
    else:
        USED.add(path)
    return value


class Noted(dict):
    """A mapping at a path that notes each value taken out of it."""

    def __init__(self, path: str, values: dict) -> None:
        super().__init__(values)
        self.path = path

    def __getitem__(self, key: str) -> Any:
        return noted(f"{self.path}.{key}", super().__getitem__(key))

    def __iter__(self) -> Any:  # with a method of its own, `**` takes each value by __getitem__
        return super().__iter__()

    def items(self) -> Any:
        return [(key, self[key]) for key in self]

    def values(self) -> Any:
        return [self[key] for key in self]

    def get(self, key: str, default: Any = None) -> Any:
        if key not in self:
            return default
        return self[key]

    def pop(self, key: str, *default: Any) -> Any:
        self.get(key)
        return super().pop(key, *default)


def path_of(section: Section, field: str) -> str:
    key = type(section).model_fields[field].alias or field
    return f"{PATHS[id(section)]}.{key}".lstrip(".")


class Watched:
    """What takes the place of two methods of every section."""

    attribute = Section.__getattribute__
    dump = Section.model_dump

    def __getattribute__(self: Any, name: str) -> Any:
        value = Watched.attribute(self, name)
        if name in type(self).model_fields and id(self) in PATHS and name in self.model_fields_set:
            return noted(path_of(self, name), value)
        return value

    def model_dump(self: Any, **options: Any) -> Noted:
        return Noted(PATHS[id(self)], Watched.dump(self, **options))


def read_and_watch() -> params.Params:
    values = read()
    PATHS[id(values)] = ""
    Section.__getattribute__ = Watched.__getattribute__  # type: ignore[method-assign]
    Section.model_dump = Watched.model_dump  # type: ignore[method-assign]
    return values


read = params.read
params.read = read_and_watch
stages.run(sys.argv[1])
only_read = sorted(path for path in READ - WRITTEN if os.path.isfile(path))
print(json.dumps([only_read, sorted(WRITTEN), sorted(USED)]))
