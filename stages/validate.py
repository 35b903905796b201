"""params.yaml -> reports/params.schema.json: refuse what no stage could run, nor DVC read.

DVC removes a stage's outputs before it starts its command. This stage comes first, so that a
mistake is told while all outputs are still there. Editors read the schema.
"""

import json
import os.path
from itertools import chain
from pathlib import Path

from digits import output
from digits.params import Params

SCHEMA = Path("reports/params.schema.json")


def check_files(place: Path) -> None:
    """SystemExit where own data hold what is no file: of a pipe, DVC would wait for the end."""
    for path in chain([place], place.rglob("*")):
        if os.path.lexists(path) and not path.is_file() and not path.is_dir():
            found = "a pipe, a device or a link that leads nowhere, which DVC cannot read"
            raise SystemExit(
                f"{output.printable(path)}: expected files and folders, found {found}; remove it"
            )


def main(params: Params) -> None:
    if params.download.dataset == "folder":
        check_files(Path(params.datasets.folder.path))
    output.write_text(SCHEMA, json.dumps(params.model_json_schema(), indent=1) + "\n")
