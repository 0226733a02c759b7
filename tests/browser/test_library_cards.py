"""Songs of an earlier kernel in a later one: covers and sound come from the library."""

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

import musicapi_nb as mnb
from musicapi_nb.library import Library
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
    """from musicapi_nb.tasks import card_media
limit, card_media.MAX_EMBEDDED_SONG = card_media.MAX_EMBEDDED_SONG, 1_000
display(api.songs())
card_media.MAX_EMBEDDED_SONG = limit""",
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
_RESTART = "path => window.labProbe.panel(path).sessionContext.restartKernel()"
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


def _check_menu(songs: Locator) -> None:
    """Open the form that extends a song; its button would buy, nothing here does."""
    songs.get_by_role("button", name="Menu").first.click()
    songs.get_by_role("menuitem", name="Extend").click()
    expect(songs.get_by_label("Title")).to_have_value("Past The Night Bus")
    expect(songs.get_by_role("button", name="Make 2 songs")).to_contain_text("credits")


def test_songs_of_an_earlier_kernel_play_and_show_covers(lab: Lab, yesterday: Path) -> None:
    notebook = lab.open([cell.replace("FOLDER", str(yesterday)) for cell in _CELLS])
    page = notebook.page
    notebook.run_all()
    _check_players(notebook.output_area(5), 4)
    numbers = {1: 2, 2: 1, 3: 4, 4: 4, 5: 4}  # songs by cell
    for cell, number in numbers.items():
        _check_covers(page, notebook.output_area(cell), number)
        if cell < 5:
            expect(notebook.output_area(cell).locator(".mnb-card")).to_have_count(number)
    # Links are dead, and the files are too large for the static cards of this cell.
    songs = notebook.output_area(3)
    songs.get_by_role("button", name="Play").first.click()
    page.wait_for_function(_PLAYED)
    songs.get_by_role("button", name="4 of 5").first.click()
    expect(songs.locator(".mnb-status").first).to_have_text("saved")
    _check_menu(songs)
    for theme in ("light", "dark"):
        notebook.set_theme(theme)
        notebook.screenshot(f"library-cards-{theme}")
    notebook.set_theme("light")
    for width in (700, 420):
        page.set_viewport_size({"width": width, "height": 900})
        notebook.screenshot(f"library-cards-{width}")
    page.set_viewport_size({"width": 1400, "height": 900})

    with Library(yesterday) as library:
        assert [rating.stars for rating in library.ratings()] == [4]
        assert library.counts() == {"done": 2}

    saved = notebook.save()
    page.evaluate(_RESTART, notebook.file.name)
    _check_players(notebook.output_area(1), 2)  # static again
    page.close()
    copy = lab.open_untrusted(saved)  # its kernel has run nothing
    for cell, number in numbers.items():
        _check_covers(copy.page, copy.output_area(cell), number)
        if cell != 3:
            _check_players(copy.output_area(cell), number)
    expect(copy.output_area(3)).to_contain_text("the file is in your library")
