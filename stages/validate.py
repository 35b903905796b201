"""params.yaml -> reports/params.schema.json: refuse what no stage could run.

DVC removes a stage's outputs before it starts its command. This stage comes first, so that a
mistake is told while all outputs are still there. Editors read the schema.
"""

import json
from pathlib import Path

from digits import output
from digits.params import Params

SCHEMA = Path("reports/params.schema.json")


def main(params: Params) -> None:
    output.write_text(SCHEMA, json.dumps(params.model_json_schema(), indent=1) + "\n")
