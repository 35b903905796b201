"""What dvc.lock says of the last run: the parameters that it used, and the sums of its outputs."""

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from digits import yaml12
from tools import commands

FILE = Path("dvc.lock")
NO_FILE = 128  # Git's status where a commit has none
# what a file that is cut off, or not DVC's, raises
UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, yaml.YAMLError)


def stages(text: bytes | None = None) -> dict[str, dict[str, Any]]:
    """What it, or another such text, has of each stage by name; nothing where it is damaged."""
    try:
        return dict(yaml12.load(FILE.read_bytes() if text is None else text)["stages"])
    except UNREADABLE:
        return {}


def params(text: bytes | None = None) -> dict[str, Any]:
    """The parameters of params.yaml that the stages used, by their dotted paths."""
    found: dict[str, Any] = {}
    for stage in stages(text).values():
        with suppress(*UNREADABLE):
            found |= stage["params"]["params.yaml"]
    return found


def sums(text: bytes | None = None) -> dict[str, str]:
    """The MD5 sum of each output, by its path."""
    found: dict[str, str] = {}
    for stage in stages(text).values():
        with suppress(*UNREADABLE):
            found |= {out["path"]: out["md5"] for out in stage.get("outs", [])}
    return found


def at(rev: str) -> bytes:
    """That of a commit; empty where it has none."""
    return commands.answer("git", "show", f"{rev}:./{FILE}", no=NO_FILE).encode()


def is_another(path: Path) -> bool:
    """Whether a file is not the one that the last run made, as after `git checkout` alone."""
    outs = sums()
    if str(path) not in outs or not path.exists():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest() != outs[str(path)]
