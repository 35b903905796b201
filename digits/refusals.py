"""What is wrong with params.yaml, a line for each thing: where, what was expected, what found.

What only a stage can tell (a layer that does not fit the images, more replicas than a batch has
images) has its words where it is raised.
"""

import difflib
import json
import re
import reprlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from digits.output import printable

LONGEST = 100  # characters that are shown of a value
MANY = 20  # names, which a line does not list
WORDS = {  # for pydantic's own, by the type of the error
    "dict_type": "a mapping",
    "list_type": "a list",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "string_too_short": "at least one character",
    "invalid_key": "text as a key, or in a number a point in place of the comma",
}


@dataclass(frozen=True)
class Refusal:
    """At a dotted path: a remark, or what was expected and what was found there."""

    path: str
    remark: str = ""
    expected: str = ""
    found: str = ""


def nearest(word: str, words: Iterable[str]) -> str:
    """A hint at the one of `words` that was probably meant, whatever its capitals."""
    lower = {other.lower(): other for other in sorted(map(str, words)) if other != word}
    match = difflib.get_close_matches(word.lower(), lower, n=1)
    match = match or [other for other in lower if word.lower() in other.split("_")]
    return f"; did you mean {lower[match[0]]!r}?" if match else ""


def unknown_key(path: str, key: str, keys: Iterable[str]) -> Refusal:
    return Refusal(path, f"unknown key{nearest(key, keys)}")


def unknown_name(path: str, name: str, names: Iterable[str]) -> Refusal:
    names = list(names)
    listed = ", ".join(names) if len(names) <= MANY else "the names in docs/params.md"
    return Refusal(path, expected=f"one of {listed}", found=f"{name!r}{nearest(name, names)}")


def shown(value: Any) -> str:
    """A value as JSON, less its end where it is long: a few aliases can unfold to a million."""
    try:
        pieces = islice(json.JSONEncoder(default=str).iterencode(value), LONGEST + 1)
        text = [letter for piece in pieces for letter in piece]
    except (TypeError, ValueError):  # a key that is no text, a list inside itself
        return reprlib.repr(value)
    return "".join(text[:LONGEST]) + (" ..." if len(text) > LONGEST else "")


def dotted(location: tuple, values: Any) -> str:
    """The path of an error: pydantic's location less the branches of unions."""
    parts = []
    for part in location:
        in_list = isinstance(values, list) and isinstance(part, int)
        if in_list or (isinstance(values, dict) and part in values):
            values = values[part]
            parts.append(str(part))
    return ".".join(parts)


def explain(
    failure: ValidationError, values: Any, schema: dict, prefix: str = ""
) -> Iterator[Refusal]:
    """Yield what pydantic refuses in the values at a path; `schema` has the keys they may have."""
    failures = failure.errors(include_url=False)
    missing = [error["loc"] for error in failures if error["type"] == "missing"]
    for error in failures:
        location = error["loc"]
        path = ".".join(filter(None, [prefix, dotted(location, values)]))
        last = str(location[-1]) if location else ""
        match error["type"]:
            case "missing":
                yield Refusal(f"{path}.{last}".lstrip("."), "missing")
            case "extra_forbidden":
                # A misspelt key is most likely one that is missing beside it.
                keys = [str(key) for *place, key in missing if tuple(place) == location[:-1]]
                yield unknown_key(path, last, keys or keys_at(location[:-1], schema))
            case "too_short" | "too_long" as kind:
                least = kind == "too_short"
                bound = error["ctx"]["min_length" if least else "max_length"]
                entries = "one entry" if bound == 1 else f"{bound} entries"
                expected = f"at {'least' if least else 'most'} {entries}"
                yield Refusal(path or last, expected=expected, found=shown(error["input"]))
            case kind:
                plain = re.sub("^(Input should be|String should match) ", "", error["msg"])
                found = shown(error["input"])
                yield Refusal(path or last, expected=WORDS.get(kind, plain), found=found)


def keys_at(place: tuple, schema: dict) -> Iterable[str]:
    """The keys that the section at a place of the file may have."""
    section = schema
    for part in place:
        named = list(section.get("patternProperties", {}).values())  # by the user, as a recipe is
        inner = section.get("properties", {}).get(part) or (named[0] if named else {})
        name = inner.get("$ref", "").rpartition("/")[2]
        section = schema["$defs"].get(name, inner)
    return section.get("properties", {})


def lines(file: Path, refusals: Iterable[Refusal]) -> list[str]:
    """A line for each place and value, in the order of the paths."""
    together: dict[tuple[str, str], list[Refusal]] = {}
    for refusal in refusals:
        together.setdefault((refusal.path, refusal.found), []).append(refusal)
    said = []
    for (path, found), entries in sorted(together.items()):
        if found:
            # The branches of a union each expect something else.
            expected = " or ".join(entry.expected for entry in entries)
            said.append(f"{file}: {path}: expected {expected}; found {found}")
        else:
            said.append(f"{file}: {path}: {'; '.join(entry.remark for entry in entries)}")
    return [printable(line) for line in said]
