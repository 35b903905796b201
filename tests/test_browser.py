"""What a person sees in a real browser: the demo, with a drawing or a photo; the page of plots."""

import importlib.util
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, Project
from PIL import Image
from test_study import try_rates, without_a_run

if not importlib.util.find_spec("gradio"):  # an import takes seconds, also of what is not run
    pytest.skip("needs what `make demo` installs", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium"),
]
SEVEN = [
    (-0.25, -0.3),
    (0.25, -0.3),
    (-0.05, 0.35),
]  # corners of its stroke, in sides of the canvas from the middle

# Vega draws on a canvas: what it writes there is kept in `texts`.
NOTE_TEXTS = """
    window.texts = [];
    const write = CanvasRenderingContext2D.prototype.fillText;
    CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
        window.texts.push(String(text));
        return write.call(this, text, ...place);
    };
"""


@pytest.fixture(scope="module")
def trained(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with a good network."""
    root = tmp_path_factory.mktemp("demo") / "project"
    shutil.copytree(finished.root, root, symlinks=True)
    project = Project(root)
    project.change(datasets__synthetic__train=10_000, recipes__original__epochs=3)
    project.repro()
    return project


@pytest.fixture(scope="module")
def address(trained: Project) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    nobody = {"http_proxy": "http://127.0.0.1:9", "GRADIO_SHARE": "true"}
    options: dict = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    options["environment"] = nobody
    command = ["python", "-E", "-m", "tools.demo", "--port", str(port)]
    with trained.start(*command, **options) as process:
        for _ in range(240):
            try:
                urllib.request.urlopen(address).close()
                break
            except OSError:
                assert process.poll() is None
                time.sleep(0.5)
        else:
            pytest.fail("the demo does not answer")
        yield address
        process.terminate()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page that may load nothing from another machine."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    foreign: list[str] = []
    local = ("http://127.0.0.1:", "file:", "data:", "blob:")
    page.on(
        "request",
        lambda request: None if request.url.startswith(local) else foreign.append(request.url),
    )
    yield page
    page.close()
    assert foreign == []


@pytest.fixture
def demo(page: Any, address: str) -> Any:
    page.goto(address)
    playwright.expect(page.get_by_text("Draw a digit or a number")).to_be_visible(timeout=30_000)
    playwright.expect(page.locator(".quite-round").first).to_be_visible()
    page.wait_for_timeout(1000)  # for the brush to be taken
    return page


def draw_seven(demo: Any) -> None:
    box = demo.locator("canvas").first.bounding_box()
    x, y, side = (
        box["x"] + box["width"] / 2,
        box["y"] + box["height"] / 2,
        0.75 * min(box["width"], box["height"]),
    )
    corners = [(x + right * side, y + down * side) for right, down in SEVEN]
    demo.mouse.move(*corners[0])
    demo.mouse.down()
    for corner in corners[1:]:
        demo.mouse.move(*corner, steps=15)
    demo.mouse.up()
    playwright.expect(demo.locator("h2", has_text="7 (")).to_be_visible(timeout=15_000)


def test_digits_are_drawn_one_after_the_other_and_shown_as_the_network_gets_them(
    demo: Any, tmp_path: Path
) -> None:
    """First a file that is no picture is dropped, and told."""
    (tmp_path / "notes.png").write_text("no picture")
    demo.locator("input[type=file]").last.set_input_files(tmp_path / "notes.png")
    playwright.expect(demo.get_by_text("This file is no picture")).to_be_visible(timeout=15_000)
    demo.screenshot(path=tmp_path / "told.png")
    draw_seven(demo)
    playwright.expect(demo.locator("img[alt]").first).to_be_visible()
    demo.screenshot(path=tmp_path / "demo.png")
    demo.get_by_label("Clear canvas").click()
    playwright.expect(demo.locator("h2", has_text="7 (")).not_to_be_visible(timeout=15_000)
    demo.wait_for_timeout(1000)  # for the brush to be taken again
    draw_seven(demo)
    demo.screenshot(path=tmp_path / "again.png")


def test_a_number_in_a_photo_is_read_and_each_digit_shown(
    demo: Any, trained: Project, tmp_path: Path
) -> None:
    images = np.load(trained.root / "data/processed/test_images.npy")[..., 0]
    labels = np.load(trained.root / "data/processed/test_labels.npy").argmax(axis=1)
    digits = [(255 * images[labels == label][0]).astype(np.uint8) for label in (3, 1)]
    number = Image.fromarray(np.concatenate(digits, axis=1)).resize((560, 280))
    Image.fromarray(200 - np.asarray(number) // 2).save(tmp_path / "number.jpg")
    demo.locator("input[type=file]").last.set_input_files(tmp_path / "number.jpg")
    playwright.expect(demo.locator("h2", has_text="31")).to_be_visible(timeout=15_000)
    playwright.expect(demo.get_by_text("3 (")).to_have_count(1)
    demo.screenshot(path=tmp_path / "photo.png")


@pytest.mark.parametrize("free", [False, True])
def test_a_port_that_cannot_be_had_is_told_in_one_line(
    trained: Project, address: str, free: bool
) -> None:
    port = "70000" if free else address.rpartition(":")[2]
    done = trained.run("python", "-E", "-m", "tools.demo", "--port", port, check=False)
    said = "demo: expected an address of this machine and a port that is not in use"
    assert (done.returncode, done.stdout) == (1, f"{said}; found 127.0.0.1 and {port}\n")


def test_two_runs_are_laid_side_by_side_without_a_network(
    page: Any, project: Project, tmp_path: Path
) -> None:
    (project.root / ".venv").mkdir()
    (project.root / ".venv/vega.js").symlink_to(ROOT / ".venv/vega.js")
    project.run("dvc", "exp", "run", "--name", "longer", "-S", "recipes.original.epochs=2")
    project.run("dvc", "plots", "diff", "HEAD", "longer")
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.add_init_script(NOTE_TEXTS)
    page.goto(f"file://{project.root}/dvc_plots/index.html")
    playwright.expect(page.locator(".vega-embed .marks")).to_have_count(5)
    widths = page.locator("img").evaluate_all(
        "all => all.map(image => [image.naturalWidth, image.offsetLeft])"
    )
    assert len(widths) == 2 * 6 and all(width for width, _ in widths)
    assert [left > 600 for _, left in widths] == 6 * [False, True]
    texts = set(page.evaluate("texts"))
    assert {"HEAD", "longer", "training", "validation", "predicted class", "images"} <= texts
    assert [text for text in texts if "::" in text or ".tsv" in text] == []
    page.screenshot(path=tmp_path / "plots.png", full_page=True)
    assert said == []


def test_the_page_of_a_study_is_sorted_by_the_column_that_is_clicked(
    page: Any, tmp_path: Path
) -> None:
    project = without_a_run(tmp_path / "project")
    try_rates(project, seeds=2)
    project.run("python", "-m", "tools.study", "--page", "study.html")
    page.goto(f"file://{project.root}/study.html")
    configurations = page.locator("table").first

    def first_column() -> list[str]:
        return configurations.locator("tbody td:first-child").all_text_contents()

    rising = ["0.0005", "0.001", "0.002"]
    for head, expected in [("rate", rising), ("better by", rising), ("better by", rising[::-1])]:
        configurations.locator("th", has_text=head).click()
        assert first_column() == expected
    assert page.locator("svg").bounding_box()["width"] > 800
    page.screenshot(path=tmp_path / "study.png", full_page=True)
