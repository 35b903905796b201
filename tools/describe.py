"""Write docs/params.md, what each key of params.yaml means and may be, from digits/params.py."""

import argparse
from collections.abc import Iterator
from pathlib import Path

PAGE = Path("docs/params.md")
HEAD = """# The parameters

What each key of [params.yaml](../params.yaml) means and may be. `make describe` writes this page
from [digits/params.py](../digits/params.py), [layers.py](../digits/layers.py) and
[optimizers.py](../digits/optimizers.py); editors show the same words as one types.
"""
BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
MANY = 2**31  # a bound from here on only keeps a number in its machine's size


def entries(schema: dict) -> dict:
    """The schema of a mapping's values, where each may have a name of the user's own."""
    patterns = list(schema.get("patternProperties", {}).values())
    return patterns[0] if patterns else {}


def reference(schema: dict) -> str:
    """The name of the class that a schema is, or whose objects it holds; nothing if none."""
    target = schema.get("$ref") or entries(schema).get("$ref", "")
    return target.rpartition("/")[2]


def allowed(schema: dict) -> str:
    """What a value may be: its type and its bounds, or its choices."""
    if "anyOf" in schema:
        return " or ".join(map(allowed, schema["anyOf"]))
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{choice}`" for choice in schema["enum"])
    if "$ref" in schema or "oneOf" in schema:
        return "mapping"
    if schema["type"] == "object":
        return (
            f"mapping of names; each: {allowed(entries(schema))}" if entries(schema) else "mapping"
        )
    kind = {"array": "list", "null": "empty"}.get(schema["type"], schema["type"])
    bounds = [
        f"{sign} {schema[key]}" for key, sign in BOUNDS.items() if schema.get(key, MANY) < MANY
    ]
    return ", ".join([kind, *bounds])


def table(section: dict) -> str:
    """A row for each key of a section; those that may be left out say so."""
    rows = ["| key | meaning | value |", "| --- | --- | --- |"]
    for key, value in section["properties"].items():
        optional = "" if key in section.get("required", []) else "; may be left out"
        rows.append(f"| `{key}` | {value['description']} | {allowed(value)}{optional} |")
    return "\n".join(rows)


def sections(schema: dict) -> Iterator[tuple[str, dict]]:
    """Yield (heading, section): the file, its sections in order, then the classes of Keras."""
    yield "params.yaml", schema
    waiting = list(schema["properties"].items())
    while waiting:
        path, value = waiting.pop(0)
        name = reference(value)
        if not name:
            continue
        path = path if "$ref" in value else f"{path}.NAME"
        section = schema["$defs"][name]
        yield path, section
        inner = section.get("properties", {}).items()
        waiting[:0] = [(f"{path}.{key}", each) for key, each in inner]
    for name, section in schema["$defs"].items():
        if "class" in section.get("properties", {}):
            yield f"{{class: {name}}}", section


def page() -> str:
    from digits.params import Params

    parts = [
        f"## `{path}`\n\n{table(part)}\n" for path, part in sections(Params.model_json_schema())
    ]
    return "\n".join([HEAD, *parts])


def main() -> None:
    argparse.ArgumentParser(prog="python -m tools.describe", description=__doc__).parse_args()
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
