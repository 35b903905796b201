"""From now on `dvc plots show` and `dvc plots diff` write a page that needs no network to be seen.

Without this the page loads Vega, which draws its charts, from the web. It ends with the page of the
present run.
"""

import argparse
from pathlib import Path

from tools import commands

PAGE = Path("tools/plots.html")  # which .dvc/config names
OFFLINE = Path(".dvc/tmp/plots.html")
VEGA_LITE = "5.21"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.plots", description=__doc__)
    parser.parse_args()

    import vl_convert  # late: slow

    vega = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", VEGA_LITE)
    OFFLINE.parent.mkdir(exist_ok=True)
    OFFLINE.write_text(PAGE.read_text().replace("{scripts}", f"<script>{vega}</script>"))
    template = str(OFFLINE.relative_to(".dvc"))
    commands.output("dvc", "config", "--local", "plots.html_template", template)
    raise SystemExit(commands.status("dvc", "plots", "show"))


if __name__ == "__main__":
    main()
