"""Monitor, gallery, board and blind test in Notebook 7 and in voila."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from musicapi_nb._blind_test.store import load_trials
from musicapi_nb.library import Library
from tests.blind_helpers import fill_library
from tests.browser.blind_page import HTML, MessageLog, button, listen
from tests.browser.lab import Lab, save_screenshot

_TIMEOUT = 120.0

_CONNECT = """\
import asyncio, json, threading, time
from pathlib import Path
import musicapi_nb as mnb
from musicapi_nb import sonic
from musicapi_nb.simulator import Simulator

folder = Path("FOLDER")
sim = Simulator(speed=300, seconds=(2, 2.4))
api = mnb.connect(simulator=sim, library=folder / "bought")
plan = mnb.Plan.grid(
    sonic.Create,
    base={"custom_mode": False, "gpt_description_prompt": "{style}", "mv": "sonic-v6"},
    factors={"style": ["spy jazz", "sea shanty"]},
    repeats=2,
)
sim.clock.speed = 0  # until the test has checked the page
run = api.experiment("harbour", plan, budget=200, concurrency=2, deadline=1e9)
job = run.start()

def write_state(name):
    charges = [charge.credits for charge in sim.accounts.charges()]
    (folder / "new").write_text(json.dumps([run.progress.state, charges]))
    (folder / "new").replace(folder / name)

def watch():
    while not job.done():
        time.sleep(0.02)
    write_state("cancelled")
    sim.clock.speed = 300
    while run.progress.state != "ended":
        time.sleep(0.02)
    write_state("ended")

threading.Thread(target=watch, daemon=True).start()"""

_MONITOR = "mnb.monitor(run)"

_AWAITING = """\
await job
print(run.progress.state)"""

_GALLERY = "mnb.gallery(run, title='Harbour songs')"

_BOARD = "api.compare(run)"

_TASK = "mnb.connect(simulator=Simulator(speed=600), library=False).run('harbour').result()"

_BLIND = """\
import musicapi_nb as mnb
test = mnb.blind_test(mnb.Library("FOLDER"), factor="mv", trials=2, name="by ear", seed=3)
test"""

_IS_PLAYING = "audio => !audio.paused && audio.currentTime > 0.2"


def _sources(folder: Path, *sources: str) -> list[str]:
    return [source.replace("FOLDER", str(folder)) for source in sources]


def _read_state(folder: Path, name: str) -> Any:
    """Return the experiment's state and charges that the kernel wrote at an event."""
    end = time.monotonic() + _TIMEOUT
    while not (folder / name).exists() and time.monotonic() < end:
        time.sleep(0.02)
    return json.loads((folder / name).read_text(encoding="utf-8"))


def _cancel_and_start_again(page: Page, folder: Path) -> None:
    """Press the monitor's buttons while the first two of four plan cells are made."""
    expect(page.get_by_text("2 being made").first).to_be_visible()
    page.get_by_role("button", name="Stop (keeps what is paid)", exact=True).click()
    expect(page.get_by_text("cancelled", exact=True).first).to_be_visible()
    assert _read_state(folder, "cancelled") == ["cancelled", [20, 20]]
    page.get_by_role("button", name="Run the rest", exact=True).click()
    expect(page.get_by_text("4 of 4 · ")).to_be_visible()
    cancel = page.get_by_role("button", name="Stop (keeps what is paid)", exact=True)
    expect(cancel).to_be_hidden()  # after the downloads
    assert _read_state(folder, "ended") == ["ended", [20] * 4]


def _filter_play_and_rate(page: Page, folder: Path) -> None:
    """Filter, sort and group by a factor, play, rate by a key; then check the library."""
    gallery = page.locator(".musicapi-nb-gallery").first  # the second shows a task
    cards, count = gallery.locator(".mnb-card"), gallery.locator(".mnb-count")
    expect(cards).to_have_count(8)  # also if it was shown before there were songs
    styles = gallery.get_by_label("style", exact=True)
    levels = styles.locator("option").all_inner_texts()
    assert sorted(levels) == ["all", "sea shanty", "spy jazz"]
    total = 0
    for level in levels[1:]:
        styles.select_option(level)
        number = cards.count()
        if number:
            expect(count).to_have_text(f"{number} of 8 songs")
            expect(cards.filter(has_text=level)).to_have_count(number)
        total += number
    assert total == 8
    styles.select_option("")
    gallery.get_by_label("Group by", exact=True).select_option("factor style")
    gallery.get_by_label("Sort by", exact=True).select_option("factor style")
    first = cards.first
    first.get_by_role("button", name="Play").click()
    page.wait_for_function(_IS_PLAYING, arg=gallery.locator("audio").element_handle())
    first.focus()
    page.keyboard.press("4")
    expect(first.locator(".mnb-status")).to_have_text("saved")
    gallery.get_by_label("Rating", exact=True).select_option("4")
    expect(cards).to_have_count(1)
    with Library(folder / "bought") as library:
        assert [rating.stars for rating in library.ratings()] == [4]
    first.focus()
    page.keyboard.press("m")
    gallery.get_by_role("menuitem", name="Extend").click()
    form = page.locator(".musicapi-form")  # below the gallery, filled in, and it has not bought
    expect(form.get_by_role("button", name="15 credits")).to_be_visible()
    expect(form.locator(":focus")).to_have_count(1)
    with Library(folder / "bought") as library:
        assert len(library.tasks()) == 4


def _compare(page: Page, folder: Path) -> None:
    """Play and rate on the board by keys; then check the library."""
    board = page.locator(".musicapi-nb-board")
    songs = board.locator(".mnb-song")
    old_heads = board.locator(".mnb-heads").element_handle()
    board.get_by_role("button", name="Refresh").click()  # as above
    page.wait_for_function("node => !node.isConnected", arg=old_heads)
    expect(songs).to_have_count(8)
    expect(board.get_by_role("rowheader")).to_have_text(["spy jazz", "sea shanty"])
    expect(songs.nth(2)).to_contain_text("version 2")
    songs.first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    page.wait_for_function(_IS_PLAYING, arg=board.locator("audio").element_handle())
    page.keyboard.press("2")
    expect(songs.nth(1).locator(".mnb-status")).to_have_text("saved")
    with Library(folder / "bought") as library:
        assert 2 in [rating.stars for rating in library.ratings()]
    page.keyboard.press("Space")


def _play_task(page: Page) -> None:
    """Play a song of a cell that ends in a task."""
    songs = page.locator(".musicapi-nb-gallery").last
    expect(songs.locator(".mnb-card")).to_have_count(2)
    songs.get_by_role("button", name="Play").last.click()
    page.wait_for_function(_IS_PLAYING, arg=songs.locator("audio").element_handle())


def test_monitor_gallery_and_board_in_notebook_7(lab: Lab, tmp_path: Path) -> None:
    sources = _sources(tmp_path, _CONNECT, _MONITOR, _AWAITING, _GALLERY, _BOARD, _TASK)
    notebook = lab.open_in_notebook7(sources)
    notebook.start_run_all()
    _cancel_and_start_again(notebook.page, tmp_path)  # cancel while a cell awaits
    notebook.wait_until_done()
    assert notebook.texts()[2] == "cancelled\n"
    _filter_play_and_rate(notebook.page, tmp_path)
    _compare(notebook.page, tmp_path)
    _play_task(notebook.page)
    notebook.screenshot("hosts-notebook-7")


def test_monitor_gallery_and_board_in_voila(lab: Lab, tmp_path: Path) -> None:
    page = lab.open_in_voila(_sources(tmp_path, _CONNECT, _MONITOR, _GALLERY, _BOARD, _TASK))
    _cancel_and_start_again(page, tmp_path)
    _filter_play_and_rate(page, tmp_path)
    _compare(page, tmp_path)
    _play_task(page)
    save_screenshot(page, "hosts-voila")


@pytest.mark.parametrize("host", ["Notebook 7", "voila"])
def test_blind_test_reveals_nothing(lab: Lab, tmp_path: Path, host: str) -> None:
    secrets = fill_library(tmp_path, takes=1)
    sources = _sources(tmp_path, _BLIND)
    page = lab.new_page()
    log = MessageLog(page)
    if host == "voila":
        lab.open_in_voila(sources, page)
    else:
        lab.open_in_notebook7(sources, page).start_run_all()
    area = page.locator(".musicapi-nb-blind")
    expect(area).to_contain_text("Question 1 of 2")
    listen(area)
    area.get_by_role("radio", name="B is better").click()
    save_screenshot(page, f"blind-{host.replace(' ', '-').lower()}")
    button(area, "Save & next").dblclick()
    expect(area).to_contain_text("Question 2 of 2")
    log.check(secrets, page.evaluate(HTML))
    with Library(tmp_path) as library:
        answers = [(trial.answer, trial.chosen) for trial in load_trials(library, "by ear")]
    assert answers == [("chosen", 1), (None, None)]
    listen(area)
    area.get_by_role("radio", name="No difference").click()
    button(area, "Save & next").click()
    expect(area).to_contain_text("You preferred")
