"""The page that `make demo` writes, opened without any server."""

import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.lab import save_screenshot

_SCRIPT = Path(__file__).parents[2] / "scripts" / "demo.py"

# Resolves with the duration once the audio has advanced.
_PLAY = """\
player => new Promise((done, fail) => {
  player.addEventListener("timeupdate", () => player.currentTime > 0.2 && done(player.duration));
  player.addEventListener("error", () => fail(player.error?.message ?? "error"));
  player.play().catch(fail);
}).finally(() => player.pause())"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo")
    process = subprocess.run(
        [sys.executable, _SCRIPT, "--out", out], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    return out / "songs.html"


def test_demo_page_plays_and_shows_images_without_server(demo: Path, page: Page) -> None:
    failed: list[str] = []
    page.on("requestfailed", lambda request: failed.append(request.url))
    page.goto(demo.as_uri())
    players = page.locator("audio")
    images = page.locator("img")

    durations = [player.evaluate(_PLAY) for player in players.all()]
    widths = [image.evaluate("node => node.naturalWidth") for image in images.all()]

    save_screenshot(page, "demo-page")
    assert len(durations) >= 3
    assert min(durations) > 1
    assert widths
    assert min(widths) > 0
    assert failed == []
