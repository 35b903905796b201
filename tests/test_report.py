"""Facts of the page of a run."""

import csv
import re

import numpy as np
import pytest
from conftest import Project

from digits import report
from digits.figures import FIGURES

LOG = """recipe: original
address: https://example.org

1_conv1                 (None, 28, 28, 16)               416
parameters                                               416

epoch 1/1  loss 0.2
"""


def text(project: Project) -> str:
    return (project.root / "reports/report.md").read_text()


def part(project: Project, heading: str) -> str:
    return text(project).partition(f"## {heading}\n")[2].partition("##")[0]


def test_the_head_of_the_log_holds_hyperparameters_and_layers() -> None:
    settings, layers = report.parse(LOG)
    assert settings == [["recipe", "original"], ["address", "https://example.org"]]
    assert layers == [["1_conv1", "(28, 28, 16)", "416"], ["parameters", "", "416"]]


@pytest.mark.parametrize("log", ["", "recipe: original\n", "1_conv1\nepoch 1/1\n", "a\n\nb"])
def test_a_log_without_its_parts_is_refused(log: str) -> None:
    with pytest.raises(ValueError, match="no two parts"):
        report.parse(log)


def test_the_page_begins_with_data_set_recipe_and_accuracy(finished: Project) -> None:
    first, _, second = text(finished).splitlines()[:3]
    assert first == "# synthetic, classified by the recipe `original`"
    pattern = r"\*\*Test accuracy .* %\*\* \(95 % interval .*\): \d+ of 100 test images .*\."
    assert re.fullmatch(pattern, second)


def test_the_page_shows_every_figure_once(finished: Project) -> None:
    links = re.findall(r"\]\((.*?)\)", text(finished))
    tables = ["mistakes.csv", "predictions.csv"]
    assert links == [*(f"figures/{name}.png" for name in FIGURES), *tables]
    assert all((finished.root / "reports" / link).exists() for link in links)


def test_the_hardest_classes_come_first(finished: Project) -> None:
    rows = re.findall(r"\| ([\d.]+) % \|", part(finished, "Classes, the hardest first"))
    shares = [float(share) for share in rows]
    assert len(shares) == 10
    assert shares == sorted(shares)


def test_the_page_names_the_mistakes_in_which_the_network_was_most_confident(
    finished: Project,
) -> None:
    with (finished.root / "reports/mistakes.csv").open() as file:
        mistakes = list(csv.DictReader(file))
    confidences = [float(row["confidence"]) for row in mistakes]
    assert confidences == sorted(confidences, reverse=True)
    labels = np.load(finished.root / "data/processed/test_labels.npy").argmax(axis=1)
    assert all(labels[int(row["image"])] == int(row["actual"]) for row in mistakes)
    first = [f"| {row['image']} | {row['actual']} | {row['predicted']} |" for row in mistakes[:10]]
    lines = part(finished, "Mistakes, the most confident first").splitlines()
    rows = [line for line in lines if re.match(r"\| \d", line)]
    assert len(rows) == len(first) and all(map(str.startswith, rows, first))


def test_the_page_says_what_the_network_was_trained_with(finished: Project) -> None:
    trained = part(finished, "Hyperparameters")
    assert "| recipe | original |" in trained
    assert "| test_time_augmentation | 0 |" in trained
    assert "| parameters |  | 242,062 |" in part(finished, "Layers")


def test_a_table_shows_names_as_they_are() -> None:
    made = report.table(["image"], [["a|b `c` [d](e) *f* <g>"], [r"__init__ IMG_1 ~h~ $i$ \_"]])
    assert made.splitlines()[-2:] == [
        r"| a\|b \`c\` \[d](e) \*f\* &lt;g&gt; |",
        r"| \_\_init\_\_ IMG_1 \~h\~ \$i\$ \\\_ |",
    ]
