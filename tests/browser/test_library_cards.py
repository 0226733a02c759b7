"""Songs of an earlier kernel in a later one: covers and sound come from the library."""

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

import musicapi_nb as mnb
from musicapi_nb.simulator import Simulator
from tests.browser.lab import Lab

_CELLS = [
    """\
import musicapi_nb as mnb
from musicapi_nb.simulator import Simulator

api = mnb.connect(simulator=Simulator(seed=2, speed=600, seconds=(8, 9)), library="FOLDER")""",
    """task = api.run("rain on a tin roof, slow jazz").result()
task""",
    "task.songs[0]",
    "api.songs()",
    "api.gallery()",
    "api",
]
# Resolves with how far the sound has advanced in half a second.
_PLAY = """\
async player => {
  player.muted = true;
  await player.play();
  const start = player.currentTime;
  await new Promise(done => setTimeout(done, 500));
  player.pause();
  return player.currentTime - start;
}"""
_PLAYED = """() => [...document.querySelectorAll("audio")].some(
  player => !player.paused && player.src.startsWith("blob:") && player.currentTime > 0.5)"""


@pytest.fixture
def yesterday(tmp_path: Path) -> Path:
    """Return a library whose simulator has ended."""
    folder = tmp_path / "library"
    with mnb.connect(simulator=Simulator(speed=4000, seconds=(8, 9)), library=folder) as api:
        api.run("rain on a tin roof, slow jazz").result()
        api.run("harbour at night").result()
    return folder


def _check_covers(page: Page, area: Locator, number: int) -> None:
    images = area.locator("img")
    expect(images).to_have_count(number)
    for image in images.all():
        image.scroll_into_view_if_needed()
        assert (image.get_attribute("src") or "").startswith("data:image/jpeg")
        page.wait_for_function("node => node.naturalWidth > 0", arg=image.element_handle())


def _check_players(area: Locator, number: int) -> None:
    players = area.locator("audio")
    expect(players).to_have_count(number)
    assert all((player.get_attribute("src") or "").startswith("data:") for player in players.all())
    assert players.first.evaluate(_PLAY) > 0.2


def test_songs_of_an_earlier_kernel_play_and_show_covers(lab: Lab, yesterday: Path) -> None:
    notebook = lab.open([cell.replace("FOLDER", str(yesterday)) for cell in _CELLS])
    page = notebook.page
    notebook.run_all()
    numbers = {1: 2, 2: 1, 3: 4, 5: 4}  # songs by cell
    for cell, number in numbers.items():
        _check_covers(page, notebook.output_area(cell), number)
        _check_players(notebook.output_area(cell), number)

    gallery = notebook.output_area(4)
    _check_covers(page, gallery, 4)
    gallery.get_by_role("button", name="Play").first.click()
    page.wait_for_function(_PLAYED)
    for theme in ("light", "dark"):
        notebook.set_theme(theme)
        notebook.screenshot(f"library-cards-{theme}")
    notebook.set_theme("light")
    for width in (700, 420):
        page.set_viewport_size({"width": width, "height": 900})
        notebook.screenshot(f"library-cards-{width}")
    page.set_viewport_size({"width": 1400, "height": 900})

    saved = notebook.save()
    page.close()
    copy = lab.open_untrusted(saved)  # its kernel has run nothing
    for cell, number in {**numbers, 4: 4}.items():
        _check_covers(copy.page, copy.output_area(cell), number)
        _check_players(copy.output_area(cell), number)
