"""The page of a study: tables that can be sorted, and the figure, in one file without a network."""

import io
from html import escape
from pathlib import Path
from string import Template

import matplotlib

from tools import study_figure, tables
from tools.configurations import SEED, Study

TEMPLATE = Path(__file__).with_name("study.html")


def table(rows: list[list[str]], marked: int = 0) -> str:
    """Rows, their head first, as a table of HTML; one of them, if any, is marked."""
    heads = "".join(f"<th><button>{escape(cell)}</button></th>" for cell in rows[0])
    lines = [f"<div><table><thead><tr>{heads}</tr></thead><tbody>"]
    for place, row in enumerate(rows[1:], start=1):
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in row)
        mark = ' class="reference"' if place == marked else ""
        lines.append(f"<tr{mark}>{cells}</tr>")
    return "\n".join([*lines, "</tbody></table></div>"])


def picture(study: Study) -> str:
    """The figure, as SVG that may stand in a page."""
    text = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": study.data}):  # its names hold for it alone
        study_figure.draw([study]).savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()[text.getvalue().index("<svg") :]


def experiments(study: Study) -> list[list[str]]:
    """A row for each experiment, its name first: what was changed, and all its metrics."""
    runs = [(group, run) for group, seeds in study.groups.items() for run in seeds.values()]
    metrics = list(dict.fromkeys(name for _, run in runs for name in run.metrics))
    rows = [["experiment", *study.names, "seed", *metrics]]
    for group, run in runs:
        values = [f"{run.metrics[name]:.6g}" if name in run.metrics else "" for name in metrics]
        rows.append([run.name, *map(tables.cut, group), run.params.get(SEED, ""), *values])
    return rows


def section(study: Study) -> str:
    marked = 1 + list(study.groups).index(study.reference)
    parts = [
        f"<h2>{escape(study.data)}</h2>",
        f"<figure>{picture(study)}</figure>",
        table(study.rows(), marked),
        *(f"<p>{escape(remark)}.</p>" for remark in study.remarks()),
        "<h3>The experiments</h3>",
        "<p>To take one over: <code>dvc exp apply NAME</code>.</p>",
        table(experiments(study)),
    ]
    return "\n".join(parts)


def save(studies: list[Study], path: str) -> None:
    """Write the page of the studies to the file that `--page` names; SystemExit if it cannot."""
    counts = [len(seeds) for study in studies for seeds in study.groups.values()]
    summary = (
        f"Experiments: {sum(counts)}. Configurations: {len(counts)}, each compared with the "
        "reference on the seeds that both have. "
        "A click on the head of a column sorts by it."
    )
    page = Template(TEMPLATE.read_text("utf-8")).substitute(
        title=f"A study by {studies[0].metric}",
        summary=escape(summary),
        studies="\n".join(map(section, studies)),
    )
    study_figure.write("--page", path, lambda: Path(path).write_text(page, "utf-8"))
