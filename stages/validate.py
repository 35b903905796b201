"""params.yaml -> reports/params.schema.json, for editors.

`python -m stages` refuses wrong values before any stage's `main`. DVC removes a stage's outputs
before it starts its command, so this one stands first in dvc.yaml: a mistake is told in time. Not
so to `dvc repro TARGET`, which runs only what the target follows from.
"""

import json
from pathlib import Path

from digits import output, refusals
from digits.params import Params

UNSET = Path("data/own/README.md")  # stands in params.yaml until the user names a path
SCHEMA = Path("reports/params.schema.json")


def check_path(path: Path) -> None:
    """SystemExit where nothing lies at a path, nor does DVC have it, which --pull may bring."""
    if path.exists() or any(Path(f"{place}.dvc").exists() for place in (path, *path.parents)):
        return
    beside = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    raise SystemExit(
        "params.yaml: datasets.folder.path: expected a file or a folder, found nothing at "
        f"{output.printable(path)}{refusals.nearest(path.name, beside)} (experiments with --queue "
        "or --temp see only what Git and DVC have: docs/own-data.md)"
    )


def main(params: Params) -> None:
    path = Path(params.datasets.folder.path)
    check_path(path)
    if path != UNSET and params.download.dataset != "folder":
        used = params.download.dataset
        print(f"looks wrong: datasets.folder.path is set, but download.dataset is {used}")
    output.write_text(SCHEMA, json.dumps(params.model_json_schema(), indent=1) + "\n")
