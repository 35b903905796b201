"""params.yaml -> reports/params.schema.json, for editors.

`python -m stages` refuses wrong values before any stage's `main`. DVC removes a stage's outputs
before it starts its command, so this one stands first in dvc.yaml: a mistake is told in time.
Without a word on params.yaml, DVC itself refuses a path where nothing is.
"""

import json
from pathlib import Path

from digits import output
from digits.output import printable
from digits.params import Params

SCHEMA = Path("reports/params.schema.json")


def main(params: Params) -> None:
    path = params.datasets.folder.path
    if not Path(path).exists():
        raise SystemExit(
            f"params.yaml: datasets.folder.path: expected a file or a folder; found nothing at "
            f"{printable(path)} (--queue and --temp see what Git and DVC have: docs/own-data.md)"
        )
    output.write_text(SCHEMA, json.dumps(params.model_json_schema(), indent=1) + "\n")
