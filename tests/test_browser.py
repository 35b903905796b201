"""A person draws a 7 on the demo's page, in a real browser, and reads what the network sees and says."""

import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT, Project

pytest.importorskip("gradio", reason="needs what `make demo` installs")
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium"),
]
SEVEN = [(-0.25, -0.3), (0.25, -0.3), (-0.05, 0.35)]  # corners of its stroke, in sides of the canvas from the middle


@pytest.fixture(scope="module")
def trained(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose network reads digits well: the committed run where it is there, or one of a few epochs."""
    root = tmp_path_factory.mktemp("demo") / "project"
    shutil.copytree(finished.root, root, symlinks=True)
    project = Project(root)
    if (ROOT / "models/network.keras").exists():
        shutil.copy(ROOT / "models/network.keras", root / "models")
    else:
        project.change(datasets__synthetic__train=10_000, recipes__original__epochs=3)
        project.repro()
    return project


@pytest.fixture(scope="module")
def address(trained: Project) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with trained.start("python", "-m", "tools.demo", "--port", str(port), **options) as process:
        for _ in range(240):
            try:
                urllib.request.urlopen(address).close()
                break
            except OSError:
                assert process.poll() is None
                time.sleep(0.5)
        yield address
        process.terminate()


def test_a_drawn_seven_is_read_and_shown_as_the_network_sees_it(address: str, tmp_path: Path) -> None:
    from playwright.sync_api import expect, sync_playwright

    foreign: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.on("request", lambda request: foreign.append(request.url) if address not in request.url else None)
        page.goto(address)
        expect(page.get_by_text("Draw a digit with the mouse")).to_be_visible(timeout=30_000)
        expect(page.locator(".quite-round").first).to_be_visible()
        page.wait_for_timeout(1000)  # for the brush to be taken
        box = page.locator("canvas").first.bounding_box()
        assert box
        x, y, side = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, 0.75 * min(box["width"], box["height"])
        corners = [(x + right * side, y + down * side) for right, down in SEVEN]
        page.mouse.move(*corners[0])
        page.mouse.down()
        for corner in corners[1:]:
            page.mouse.move(*corner, steps=15)
        page.mouse.up()
        expect(page.locator("h2", has_text="7 (")).to_be_visible(timeout=15_000)
        expect(page.locator("img[alt]").first).to_be_visible()
        page.screenshot(path=tmp_path / "demo.png")
        browser.close()
    assert [url for url in foreign if not url.startswith(("data:", "blob:"))] == []
