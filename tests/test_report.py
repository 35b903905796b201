"""Facts of the report."""

import re

from stages import report

import pytest
from conftest import Project


def test_the_report_has_the_figures_of_the_metrics_and_links_to_pictures_that_are_there(finished: Project) -> None:
    folder = finished.root / "reports"
    text = (folder / "report.md").read_text()
    assert text.startswith("# synthetic, read by the recipe `original`\n")
    assert "of 100 test images are read right" in text
    links = re.findall(r"\]\((.*?)\)", text)
    assert len(links) == len(list((folder / "figures").iterdir()))
    assert all((folder / link).exists() for link in links)


def test_the_hardest_classes_come_first(finished: Project) -> None:
    text = (finished.root / "reports" / "report.md").read_text()
    part = text.partition("the hardest first")[2].partition("!")[0]
    shares = [float(share) for share in re.findall(r"\| ([\d.]+) % \|", part)]
    assert len(shares) == 10 and shares == sorted(shares)


def test_a_mapping_is_told_as_its_keys_and_values() -> None:
    assert report.value({"class": "Adam", "learning_rate": 0.001}) == "class Adam, learning_rate 0.001"


@pytest.mark.parametrize("text", ["", "class,accuracy,count", "other\n1,2,3"])
def test_a_table_without_its_header_or_rows_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="in the place of the header"):
        report.rows("class,accuracy,count")(text)
