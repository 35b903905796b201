"""params.yaml -> reports/params.schema.json, for editors.

`python -m stages` refuses wrong values before any stage's `main`. DVC removes a stage's outputs
before it starts its command, so this one stands first in dvc.yaml: a mistake is told in time. Not
so to `dvc repro TARGET`, which runs only what the target follows from.
"""

import json
from pathlib import Path

from digits import output
from digits.params import Params

SCHEMA = Path("reports/params.schema.json")


def main(params: Params) -> None:
    output.write_text(SCHEMA, json.dumps(params.model_json_schema(), indent=1) + "\n")
