"""The text of params.yaml -> its values, as DVC reads them, by PyYAML's C loader.

PyYAML alone follows YAML 1.1, in which `1e-3` is a word and `no` is false. DVC follows YAML 1.2.
"""

import re
from typing import Any

import yaml

TAG = "tag:yaml.org,2002:"
MERGE = TAG + "merge"

# The scalars of YAML 1.2, with the underscores that DVC's reader allows: a pattern, and the
# characters with which such a scalar may begin.
SCALARS = {
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?(0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|[0-9_]+)", "-+0123456789"),
    "float": (
        r"[-+]?[0-9][0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?"
        r"|[-+]?\.[0-9_]+([eE][-+][0-9]+)?"
        r"|[-+]?\.(inf|Inf|INF)"
        r"|\.(nan|NaN|NAN)",
        "-+0123456789.",
    ),
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "timestamp": (
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
        r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(\.[0-9]*)?"
        r"([ \t]*(Z|[-+][0-9]{1,2}(:[0-9]{2})?))?",
        "0123456789",
    ),
    "merge": ("<<", "<"),
    "value": ("=", "="),
}


class Loader(yaml.CSafeLoader):
    """Refuses a key that stands twice: of two values, PyYAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = []
        for key_node, _ in getattr(node, "value", []):
            if key_node.tag == MERGE:
                continue
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                problem = f"the key {key!r} stands twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            seen.append(key)
        return super().construct_mapping(node, deep)


def construct_int(loader: Loader, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node).replace("_", "")
    prefixed = re.match("[-+]?0[box]", text)
    number = int(text, 0 if prefixed else 10)
    str(number)  # refuses thousands of digits, which no message could show
    return number


def construct_float(loader: Loader, node: yaml.ScalarNode) -> float:
    text = loader.construct_scalar(node).replace("_", "").lower()
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


Loader.yaml_implicit_resolvers = {}  # none of YAML 1.1's
for name, (pattern, first) in SCALARS.items():
    Loader.add_implicit_resolver(TAG + name, re.compile(f"(?:{pattern})$"), list(first))
Loader.add_constructor(TAG + "int", construct_int)
Loader.add_constructor(TAG + "float", construct_float)


def load(text: bytes) -> Any:
    """The values of a document; whatever PyYAML raises, and ValueError for a directive."""
    if re.search(rb"^%", text, re.MULTILINE):
        raise ValueError("a directive (a line that begins with %), which could ask for YAML 1.1")
    return yaml.load(text, Loader)


def line_of(error: Exception) -> int | None:
    """The line in which a mistake most likely is, the first being 1: a quote or brace left open."""
    context = getattr(error, "context", None) or ""
    open_from = context.startswith("while") and "block" not in context
    mark = getattr(error, "context_mark" if open_from else "problem_mark", None)
    return mark.line + 1 if mark else None
