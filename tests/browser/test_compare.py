"""The comparison board in a real JupyterLab: played, rated, filtered and judged blind."""

import json
import re
from pathlib import Path

from nbformat import NotebookNode
from playwright.sync_api import Locator, Page, expect

from tests.browser.axe import axe_violations
from tests.browser.lab import Lab

_LIBRARY = """\
import asyncio, io, json
from pathlib import Path
import numpy as np
import soundfile
import musicapi_nb as mnb
from musicapi_nb import sonic, tasks
from musicapi_nb.ledger_types import PurchaseTerms
from musicapi_nb.library import Library

folder = Path("FOLDER")
library = Library(folder / "songs")
PROMPTS = [f"prompt {number}" for number in range(30)]
MODELS = ["sonic-v6", "sonic-v5"]

def wav_bytes(seconds):
    file = io.BytesIO()
    samples = 0.4 * np.sin(np.arange(int(8_000 * seconds)) / 9)
    soundfile.write(file, samples, 8_000, format="WAV")
    return file.getvalue()

def bought_task(prompt, model):
    request = sonic.Create(custom_mode=True, mv=model, prompt=prompt, tags="jazz, rain",
                           title=f"Title by {model}")
    number = f"{PROMPTS.index(prompt)}-{MODELS.index(model)}"
    claim = library.claim(request, PurchaseTerms(retry_failed=False))
    if claim.kind == "have":
        return claim.task
    task = tasks.parse_submit_reply({"message": "success", "task_id": f"t{number}"}, request)
    library.record_accepted(claim.entry.id, task)
    failure = {"type": "api_error", "message": "no <i>luck</i>"}
    reply = failure if number == "1-1" else {"code": 200, "data": [
        {"clip_id": f"c{number}-{side}", "state": "succeeded", "title": f"Title by {model}",
         "tags": "jazz, swing", "duration": 1.5 if side == "a" else 8.0,
         "audio_url": "https://songs.invalid/a.mp3"}
        for side in "ab"]}
    library.record_poll(claim.entry.id, tasks.parse_task(reply, task=task))
    for song in library.task(claim.entry.id).songs:
        path = library.temporary_path()
        path.write_bytes(wav_bytes(song.duration or 1))
        if song.state == "succeeded":
            library.attach(song, "audio", library.add_file(path, ".wav"))
    return library.task(claim.entry.id)

bought = [bought_task(prompt, model) for prompt in PROMPTS for model in MODELS]
board = mnb.compare(library, title="Two <b>models</b>")"""

_RATINGS = """\
async def file_appeared(name):
    while not (folder / name).exists():
        await asyncio.sleep(0.02)

await file_appeared("rated")
print(json.dumps(sorted([rating.song_id, rating.stars] for rating in library.ratings())))"""

_AUDIO = "() => document.querySelector('.musicapi-nb-board audio')"


def _songs(board: Locator, row: int) -> Locator:
    return board.get_by_role("row").filter(has_text=f"prompt {row}").first.locator(".mnb-song")


def _playing(page: Page, song: Locator) -> None:
    page.wait_for_function(f"() => ({_AUDIO})().currentTime > 0.2 && !({_AUDIO})().paused")
    expect(song).to_have_class("mnb-song mnb-playing")


def test_songs_are_compared(lab: Lab, tmp_path: Path) -> None:
    notebook = lab.open([_LIBRARY.replace("FOLDER", str(tmp_path)), "board", _RATINGS])
    page = notebook.page
    notebook.start_run_all()
    board = page.locator(".musicapi-nb-board")
    expect(board.get_by_role("row")).to_have_count(31)
    expect(board.locator(".mnb-count")).to_contain_text(
        re.compile("^30 rows . 2 columns . 119 songs$")
    )
    expect(board.get_by_role("columnheader")).to_have_text(["prompt", "sonic-v6", "sonic-v5"])
    expect(_songs(board, 1).last.locator(".mnb-reason")).to_have_text("no <i>luck</i>")
    assert board.locator(".mnb-song").count() < 119  # the rest is drawn when it comes near

    _check_keys_and_playing_on(page, board)
    _check_blind_mode(page, board)
    _check_filter(board)
    assert axe_violations(board) == []

    (tmp_path / "rated").touch()
    notebook.wait_until_done()
    ratings = json.loads(notebook.texts()[2])
    assert ratings == [["c0-0-a", 5], ["c0-0-b", 2], ["c0-1-b", 4], ["c29-1-b", 3]]
    notebook.screenshot("board")
    _check_untrusted_notebook(lab, notebook.save())


def _check_keys_and_playing_on(page: Page, board: Locator) -> None:
    press, songs = page.keyboard.press, _songs(board, 0)
    first, second = songs.nth(0), songs.nth(1)
    assert board.locator(".mnb-song[tabindex='0'], .mnb-none[tabindex='0']").count() == 1
    first.focus()
    press("5")
    expect(first.locator(".mnb-set")).to_have_count(5)
    expect(first.locator(".mnb-status")).to_have_text("saved")
    expect(board.get_by_role("columnheader", name="sonic-v6")).to_contain_text("★ 5.0 (1 rated)")
    press("Space")
    _playing(page, first)
    expect(second).to_have_class("mnb-song mnb-next")
    _playing(page, second)  # by itself, and the focus follows
    expect(second).to_be_focused()
    press("1")
    press("0")
    press("2")
    expect(second.locator(".mnb-set")).to_have_count(2)
    press("ArrowRight")  # plays on at the same place of the next model
    expect(songs.nth(3)).to_be_focused()
    _playing(page, songs.nth(3))
    press("Shift+ArrowRight")
    page.wait_for_function(f"() => ({_AUDIO})().currentTime > 5")
    songs.nth(3).get_by_role("button", name="4 of 5").click()
    expect(songs.nth(3).locator(".mnb-set")).to_have_count(4)
    page.wait_for_function(f"() => ({_AUDIO})().duration === 1.5")
    _playing(page, _songs(board, 1).first)  # the next row
    board.get_by_role("button", name="Pause").first.click()
    songs.nth(3).focus()
    press("Control+End")
    last = _songs(board, 29).last
    expect(last).to_be_focused()
    press("3")
    expect(last.locator(".mnb-status")).to_have_text("saved")
    press("Control+Home")
    expect(first).to_be_focused()
    press("ArrowDown")
    press("ArrowDown")
    expect(_songs(board, 1).first).to_be_focused()


def _check_blind_mode(page: Page, board: Locator) -> None:
    board.get_by_role("button", name="Blind").click()
    expect(board.get_by_role("columnheader")).to_have_text(
        ["prompt", "model: hidden, in another order in each row"]
    )
    for secret in ("sonic", "Title by", "jazz", "rated)"):
        assert secret not in board.inner_html()
    songs = _songs(board, 0)
    expect(songs.locator(".mnb-song-title")).to_have_text([f"Song {x}" for x in "ABCD"])
    songs.nth(2).get_by_role("button", name="Play").click()
    _playing(page, songs.nth(2))
    expect(board.locator(".mnb-bar-title")).to_contain_text("Song C")
    board.get_by_role("button", name="Pause").first.click()
    board.get_by_role("button", name="Reveal").click()
    expect(board.get_by_role("columnheader")).to_have_count(3)
    expect(board.locator(".mnb-bar-title")).to_contain_text("Title by sonic-v")
    titles = songs.locator(".mnb-song-title").all_inner_texts()
    assert titles == [
        f"Title by {model}" for model in ("sonic-v6", "sonic-v6", "sonic-v5", "sonic-v5")
    ]


def _check_filter(board: Locator) -> None:
    rows = board.get_by_label("Rows", exact=True)
    rows.select_option("rating")
    expect(board.locator(".mnb-count")).to_contain_text("0 of 30 rows")  # 3.5 and 4
    rows.select_option("")
    _songs(board, 0).nth(1).get_by_role("button", name="Clear").click()
    expect(_songs(board, 0).nth(1).locator(".mnb-set")).to_have_count(0)
    rows.select_option("rating")
    expect(board.locator(".mnb-count")).to_contain_text("1 of 30 rows")
    expect(board.get_by_role("rowheader")).to_have_text(["prompt 0"])
    rows.select_option("length")
    expect(board.locator(".mnb-count")).to_contain_text("0 of 30 rows")
    rows.select_option("")
    _songs(board, 0).nth(1).get_by_role("button", name="2 of 5").click()
    expect(_songs(board, 0).nth(1).locator(".mnb-set")).to_have_count(2)


def _check_untrusted_notebook(lab: Lab, content: NotebookNode) -> None:
    untrusted = lab.open_untrusted(content)
    area = untrusted.output_area(1)
    expect(area.get_by_role("columnheader", name="sonic-v5")).to_be_visible()
    expect(area.locator("audio")).to_have_count(16)
    expect(area).to_contain_text("no <i>luck</i>")
    expect(area).to_contain_text("The first 15 of 30 rows")
    assert area.locator(".musicapi-nb-board").count() == 0
    untrusted.screenshot("board-untrusted")
