"""What dvc.lock says of the last run: the parameters that it used, and the sums of its outputs."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from digits import yaml12

FILE = Path("dvc.lock")


def stages(text: bytes | None = None) -> list[dict[str, Any]]:
    """What it, or another such text, has of each stage; nothing where that cannot be read."""
    try:
        found = yaml12.load(FILE.read_bytes() if text is None else text)
    except (OSError, yaml.YAMLError):
        return []
    return list((found.get("stages") or {}).values()) if isinstance(found, dict) else []


def params() -> Iterator[tuple[str, Any]]:
    """Yield the parameters of params.yaml that the stages used: a dotted path, and the value."""
    for stage in stages():
        yield from stage.get("params", {}).get("params.yaml", {}).items()


def sums(text: bytes | None = None) -> dict[str, str]:
    """The MD5 sum of each output, by its path."""
    return {out["path"]: out["md5"] for stage in stages(text) for out in stage.get("outs", [])}


def is_another(path: Path) -> bool:
    """Whether a file is not the one that the last run made, as after `git checkout` alone."""
    outs = sums()
    if str(path) not in outs or not path.exists():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest() != outs[str(path)]
