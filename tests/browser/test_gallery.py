"""The gallery in a real JupyterLab: filtered, played and rated, by mouse and by keyboard."""

import json
import re
from pathlib import Path
from typing import cast

from playwright.sync_api import Locator, Page, expect

from tests.browser import hostile
from tests.browser.axe import axe_violations
from tests.browser.lab import Lab, LabNotebook
from tests.browser.watch import Watch

_LIBRARY = """\
import asyncio, io, json
from pathlib import Path
import numpy as np
import soundfile
import musicapi_nb as mnb
from musicapi_nb import sonic, tasks
from musicapi_nb.ledger_types import PurchaseTerms
from musicapi_nb.library import Library, Measure, Measurement
from musicapi_nb.library.measurements import dtypes_of

folder = Path("FOLDER")
library = Library(folder / "songs")

def wav_bytes(seconds):
    file = io.BytesIO()
    frame = np.arange(8_000 * seconds)
    samples = 0.4 * np.sin(frame / 9) * frame / len(frame)
    soundfile.write(file, samples, 8_000, format="WAV")
    return file.getvalue()

def bought_task(number):
    request = sonic.Create(custom_mode=True, mv="sonic-v5", prompt="[Verse]",
                           title=f"Song {number:02}",
                           tags=f"{'jazz' if number % 2 else 'rock'}, rain")
    claim = library.claim(request, PurchaseTerms(retry_failed=False))
    if claim.kind == "have":
        return claim.task
    task = tasks.parse_submit_reply({"message": "success", "task_id": f"t{number}"}, request)
    library.record_accepted(claim.entry.id, task)
    failure = {"type": "api_error", "message": "no luck"}
    host = "songs.invalid" if number < 20 else "127.0.0.1:9"
    reply = failure if number == 3 else {"code": 200, "data": [
        {"clip_id": f"c{number}-{side}", "state": "succeeded", "title": f"Song {number:02}{side}",
         "tags": f"{'jazz' if number % 2 else 'rock'}, swing", "duration": 4.0 + number,
         "audio_url": f"https://{host}/{number}.mp3", "lyrics": "[Verse] words",
         "created_at": f"2025-11-{28 - number:02}T12:00:00Z"}
        for side in "ab"]}
    library.record_poll(claim.entry.id, tasks.parse_task(reply, task=task))
    for song in library.task(claim.entry.id).songs:
        path = library.temporary_path()
        path.write_bytes(wav_bytes(4 + number))
        if number < 20:
            library.attach(song, "audio", library.add_file(path, ".wav"))
    return library.task(claim.entry.id)

def measure(song, **values):
    (file,) = library._database.rows(
        "SELECT sha256 FROM attachments WHERE song=? AND media='audio'", song.id
    )
    used = Measure("_".join(values), "1", dtypes_of(values))
    library.use_measure(used)
    library.store_measurements(used, [Measurement(*file, values)])

songs = [bought_task(number) for number in range(24)]
for number in (0, 1, 2):
    for song in songs[number].songs:
        measure(song, tempo=90.4 + number, key="A minor", loudness=-14.23 + number)
gallery = mnb.gallery(library)"""

_RATINGS = """\
async def file_appeared(name):
    while not (folder / name).exists():
        await asyncio.sleep(0.02)

await file_appeared("opened")
rating = library.rate(songs[2].songs[0], 3, note="in code")
measure(songs[4].songs[0], clap_score=0.25)
await file_appeared("rated")
library.rate(songs[2].songs[0], 0, note="")
print(json.dumps([[r.song_id, r.stars, r.note] for r in library.ratings()]))
names = ("page", "matches", "tag", "fate", "group")
print(json.dumps({name: gallery.view.get(name) for name in names}))"""

_AUDIO = "() => document.querySelector('.musicapi-nb-gallery audio')"


_RESTART = "path => window.labProbe.panel(path).sessionContext.restartKernel()"


def _playing(page: Page) -> None:
    page.wait_for_function(f"() => ({_AUDIO})().currentTime > 0.3 && !({_AUDIO})().paused")


def _titles(gallery: Locator) -> list[str]:
    return gallery.locator(".mnb-title").all_inner_texts()


def _card(gallery: Locator, title: str) -> Locator:
    return gallery.get_by_role("group", name=re.compile(f"^Song {title}, [12] of 2$"))


def test_songs_are_filtered_played_and_rated(lab: Lab, tmp_path: Path) -> None:
    sources = [_LIBRARY.replace("FOLDER", str(tmp_path)), "gallery", _RATINGS]
    notebook = lab.open(sources)
    page = notebook.page
    notebook.start_run_all()
    gallery = page.locator(".musicapi-nb-gallery")
    cards = gallery.locator(".mnb-card")
    expect(cards).to_have_count(24)
    (tmp_path / "opened").touch()

    _check_list(page, gallery)
    _check_measured_values(gallery)
    notebook.screenshot("gallery-list-light")
    assert axe_violations(gallery) == []
    gallery.get_by_role("button", name="Cards").click()
    assert axe_violations(gallery) == []
    _check_pages_filters_and_groups(gallery)
    _check_one_song_plays_at_a_time(page, gallery)
    _check_rating_by_keyboard(page, gallery)

    (tmp_path / "rated").touch()
    notebook.wait_until_done()
    ratings, view = map(json.loads, notebook.texts()[2].splitlines())
    assert ratings[-2:] == [["c0-a", 4, ""], ["c1-a", 2, "thin & <b>loud</b>"]]
    assert view == {"page": 0, "matches": 47, "tag": "", "fate": "", "group": ""}
    notebook.screenshot("gallery-light")

    page.evaluate(_RESTART, notebook.file.name)
    notebook.wait_until_open()
    card = _card(gallery, "Song 02a")  # its kernel is gone
    card.get_by_role("button", name="Rate Song 02a, 1 of 2 5 of 5").click()
    expect(card.locator(".mnb-status")).to_contain_text("May not have been saved")
    card.get_by_role("button", name="Play").click()
    expect(card.locator(".mnb-reason")).to_contain_text("The kernel is gone")
    notebook.start_run_all()
    gallery.get_by_role("button", name="Cards").click()
    expect(_card(gallery, "Song 00a").locator(".mnb-set")).to_have_count(4)
    expect(_card(gallery, "Song 01a").get_by_label("Note on")).to_have_value("thin & <b>loud</b>")
    expect(card.locator(".mnb-set")).to_have_count(0)
    notebook.wait_until_done()
    _check_untrusted_notebook(lab, notebook)


def _check_list(page: Page, gallery: Locator) -> None:
    """Play on, move by keys and use the menu in the list, which many songs are at first."""
    press = page.keyboard.press
    first, second, third = (_card(gallery, name) for name in ("Song 00a", "Song 00b", "Song 01a"))
    assert 40 <= cast("dict[str, float]", first.bounding_box())["height"] <= 48
    expect(_card(gallery, "Song 02a").locator(".mnb-set")).to_have_count(3)  # rated in code
    first.get_by_role("button", name="Play Song 00a, 1 of 2").click()
    _playing(page)
    bar = gallery.get_by_role("group", name="Player", exact=True)
    expect(bar).to_contain_text("Song 00a")
    press("Shift+ArrowRight")  # to its end
    expect(bar).to_contain_text("Song 00b")  # it plays on
    _playing(page)
    bar.get_by_label("Play on").uncheck()
    bar.get_by_role("button", name="Next song").click()
    expect(bar).to_contain_text("Song 01a")
    bar.get_by_role("button", name="Pause").click()

    first.focus()
    press("ArrowDown")
    expect(second).to_be_focused()
    press("ArrowDown")
    press("x")  # is no command of the notebook here, which would cut the cell
    press("m")
    menu = third.get_by_role("menu")
    expect(menu.get_by_role("menuitem", name="Save")).to_be_focused()
    extend = menu.get_by_role("menuitem", name="Extend")
    expect(extend).to_contain_text("There is no connection")
    press("ArrowDown")
    press("Enter")
    expect(extend).to_be_focused()  # nothing happens
    press("Escape")
    expect(menu).to_have_count(0)
    expect(third.get_by_role("button", name="Menu")).to_be_focused()
    press("Enter")
    with page.expect_download() as download:
        press("Enter")
    assert download.value.suggested_filename == "Song 01a.wav"
    press("m")
    menu.get_by_role("menuitem", name="Lyrics and note").click()
    expect(third.get_by_label("Note on")).to_be_visible()
    expect(third).to_be_focused()
    press("Tab")  # the controls of this song only
    expect(third.get_by_role("button", name="Menu")).to_be_focused()


def _check_measured_values(gallery: Locator) -> None:
    """See measured values in rows, also those that arrive later, and sort by them."""
    expect(_card(gallery, "Song 01b")).to_contain_text("91 bpm · A minor · -13.2 LUFS")
    expect(_card(gallery, "Song 04a")).to_contain_text("clap score 0.25")  # measured in code
    sort = gallery.get_by_label("Sort by")
    sort.select_option(label="Tempo, highest")
    rows = gallery.locator(".mnb-row")
    expect(rows.first.locator(".mnb-row-value")).to_have_text("92 bpm")
    assert _titles(gallery)[:3] == ["Song 02a", "Song 02b", "Song 01a"]
    sort.select_option(label="clap score, lowest")
    expect(rows.first).to_contain_text("Song 04a")  # its file is also that of the second song
    expect(rows.nth(2).locator(".mnb-row-value")).to_have_text("\u2013")
    sort.select_option("newest")
    expect(rows.first).to_contain_text("Song 00a")


def _check_pages_filters_and_groups(gallery: Locator) -> None:
    expect(gallery.locator(".mnb-count")).to_have_text("47 songs (1\u201324)")
    following = gallery.get_by_role("button", name="Next", exact=True)
    following.first.click()
    assert _titles(gallery)[0] == "Song 13a"  # newest first; the failed one is last
    assert len(_titles(gallery)) == 23
    expect(following.first).to_be_disabled()

    gallery.get_by_label("Tag", exact=True).fill("rain")
    expect(gallery.locator(".mnb-count")).to_have_text("0 of 47 songs")
    expect(gallery.locator(".mnb-none")).to_have_text("No song matches.")
    gallery.get_by_label("Tag was", exact=True).select_option("dropped")
    expect(gallery.locator(".mnb-count")).to_have_text("46 of 47 songs (1\u201324)")
    gallery.get_by_label("Tag", exact=True).fill("swing")
    gallery.get_by_label("Tag was", exact=True).select_option("requested")
    expect(gallery.locator(".mnb-count")).to_have_text("0 of 47 songs")
    gallery.get_by_role("button", name="Clear filters").click()
    gallery.get_by_role("searchbox", name="Title").fill("song 2")
    assert _titles(gallery)[:2] == ["Song 20a", "Song 20b"]
    gallery.get_by_role("searchbox", name="Title").fill("")
    gallery.get_by_label("State", exact=True).select_option("failed")
    assert _titles(gallery) == ["Song 03"]
    expect(gallery.locator(".mnb-notice")).to_have_text("no luck")
    gallery.get_by_role("button", name="Clear filters").click()
    assert len(_titles(gallery)) == 24
    gallery.get_by_label("Sort by", exact=True).select_option("longest")
    assert _titles(gallery)[0] == "Song 23a"
    gallery.get_by_label("Group by", exact=True).select_option("state")
    following.last.click()
    expect(gallery.get_by_role("heading")).to_have_text(
        ["ready 46 songs, continued", "failed 1 song"]
    )
    gallery.get_by_label("Group by", exact=True).select_option("")
    gallery.get_by_label("Sort by", exact=True).select_option("newest")


def _check_one_song_plays_at_a_time(page: Page, gallery: Locator) -> None:
    first, second = _card(gallery, "Song 00a"), _card(gallery, "Song 01a")
    first.get_by_role("button", name="Play").click()
    _playing(page)
    assert page.evaluate(f"() => ({_AUDIO})().src").startswith("blob:")
    second.get_by_role("button", name="Play").click()
    _playing(page)
    assert page.evaluate(f"() => ({_AUDIO})().duration") == 5
    expect(first.get_by_role("button", name="Play")).to_be_visible()
    expect(second.get_by_role("button", name="Pause")).to_be_visible()
    wave = second.locator("canvas")
    box = wave.bounding_box()
    assert box is not None
    wave.click(position={"x": box["width"] * 0.6, "y": 10})
    page.wait_for_function(f"() => ({_AUDIO})().currentTime >= 2.9")
    # the audio grows louder, and the waveform higher
    assert wave.evaluate(_PAINTED_PIXELS, 0.9) > 3 * wave.evaluate(_PAINTED_PIXELS, 0.1) > 0
    second.get_by_role("button", name="Pause").click()
    page.wait_for_function(f"() => ({_AUDIO})().paused")

    gallery.get_by_role("searchbox", name="Title").fill("song 2")
    card = _card(gallery, "Song 20a")
    expect(card.locator(".mnb-reason")).to_have_text("No audio: its URL is not safe to open.")
    gallery.get_by_role("searchbox", name="Title").fill("")


# Count the painted pixels in the tenth of a canvas that starts at a share of its width.
_PAINTED_PIXELS = """\
(canvas, share) => {
  const width = Math.floor(canvas.width / 10);
  const left = Math.min(Math.floor(canvas.width * share), canvas.width - width);
  const { data } = canvas.getContext("2d").getImageData(left, 0, width, canvas.height);
  return data.filter((value, index) => index % 4 === 3 && value > 40).length;
}"""


def _check_rating_by_keyboard(page: Page, gallery: Locator) -> None:
    press = page.keyboard.press
    first, second = _card(gallery, "Song 00a"), _card(gallery, "Song 01a")
    first.focus()
    press("5")
    expect(first.locator(".mnb-set")).to_have_count(5)
    press("0")
    expect(first.locator(".mnb-set")).to_have_count(0)
    press("4")
    expect(first.locator(".mnb-status")).to_have_text("saved")
    expect(first.locator(".mnb-set")).to_have_count(4)
    press("Space")
    _playing(page)
    press("ArrowRight")
    press("ArrowRight")
    expect(second).to_be_focused()
    _playing(page)
    press("ArrowUp")  # nothing above in the first row
    expect(second).to_be_focused()
    press("Shift+ArrowRight")
    page.wait_for_function(f"() => ({_AUDIO})().currentTime >= 4.5")
    press("Space")
    second.get_by_label("Note on").click()
    page.keyboard.type("thin & <b>loud</b>")
    press("Enter")
    expect(second.locator(".mnb-status")).to_have_text("saved")
    second.get_by_role("button", name="Rate Song 01a, 1 of 2 2 of 5").click()
    expect(second.locator(".mnb-set")).to_have_count(2)
    expect(second.locator(".mnb-status")).to_have_text("saved")


def _check_untrusted_notebook(lab: Lab, notebook: LabNotebook) -> None:
    untrusted = lab.open_untrusted(notebook.save())
    area = untrusted.output_area(1).first  # the second is for forms
    expect(area.locator("audio")).to_have_count(6)
    expect(area).to_contain_text("rated 4 of 5")
    expect(area).to_contain_text("The first 24 of 47 songs, as of the last run")
    assert area.locator(".musicapi-nb-gallery").count() == 0
    untrusted.screenshot("gallery-untrusted")


_HOSTILE = """\
import json
import re
from pathlib import Path
import musicapi_nb as mnb
from musicapi_nb import tasks

folder = Path("FOLDER")
texts_and_replies = json.loads((folder / "hostile.json").read_text(encoding="utf-8"))
songs = [tasks.parse_task(reply) for reply in texts_and_replies["replies"]]
widget = mnb.gallery(songs, title=texts_and_replies["texts"][0])
for index, text in enumerate(texts_and_replies["texts"]):
    widget._rate(index, 3, text)
print(mnb.save_page(folder / "page.html", widget).songs)
widget = mnb.gallery(songs, title=texts_and_replies["texts"][0])"""

# Elements and attributes that could run or load something and are not the gallery's.
_ACTIVE_CONTENT = """\
area => [...area.querySelectorAll("*")].flatMap(node => {
  const names = "script iframe object embed svg form meta base a style".split(" ");
  const active = names.includes(node.localName) ? [node.outerHTML] : [];
  for (const { name, value } of node.attributes) {
    const isLink = ["src", "href", "action", "poster"].includes(name) && !/^https:/i.test(value);
    const isStyle = name === "style" && /url|position|expression|import/i.test(value);
    if (name.startsWith("on") || name === "srcdoc" || isLink || isStyle) active.push(name + value);
  }
  return active;
})"""


def test_hostile_songs_are_text_in_gallery_board_and_on_saved_page(
    lab: Lab, watch: Watch, page: Page, tmp_path: Path
) -> None:
    (tmp_path / "hostile.json").write_text(hostile.as_json(), encoding="utf-8")
    board = "mnb.compare(songs, title=texts_and_replies['texts'][0])"
    notebook = lab.open([_HOSTILE.replace("FOLDER", str(tmp_path)), "widget", board])
    notebook.run_all()
    gallery = notebook.page.locator(".musicapi-nb-gallery")
    expect(gallery.locator(".mnb-card")).to_have_count(20)
    for summary in gallery.locator("summary").all():
        summary.click()
    more_tags = gallery.get_by_text("more tags")
    for _ in range(more_tags.count()):  # each click takes one away
        more_tags.first.click()
    gallery.locator(".mnb-play").evaluate_all("nodes => nodes.forEach(node => node.click())")
    gallery.get_by_label("Group by").select_option("state")
    content = gallery.inner_text()
    for text in hostile.TEXTS:
        assert text.replace("\u202e", "").partition("\x1b")[0][:40].strip() in content
    assert gallery.evaluate(_ACTIVE_CONTENT) == []
    compared = notebook.page.locator(".musicapi-nb-board")
    expect(compared.get_by_role("row").nth(1)).to_be_visible()
    assert compared.evaluate(_ACTIVE_CONTENT) == []
    assert notebook.page.evaluate("() => window.pwned ?? null") is None
    notebook.screenshot("gallery-hostile")

    page.goto((tmp_path / "page.html").as_uri())
    watch.check(page, page.locator("body"))


_SAVED = """\
widget = mnb.gallery(library)
print(mnb.save_page(folder / "page.html", widget, title="Beside the library"))
print(mnb.save_page(folder / "whole.html", library, embed=True).embedded)"""


def test_saved_page_plays_from_disk(lab: Lab, page: Page, tmp_path: Path) -> None:
    notebook = lab.open([_LIBRARY.replace("FOLDER", str(tmp_path)), _SAVED])
    notebook.run_all()
    assert "38 from the library's files" in notebook.texts()[1]
    for name, scheme in (("page", "file"), ("whole", "data")):
        page.goto((tmp_path / f"{name}.html").as_uri())
        player = page.locator("audio").first
        assert player.evaluate(_PLAY).startswith(f"{scheme}:")
        expect(page.locator("summary").last).to_have_text("All songs as a table")


_PLAY = """\
player => new Promise((done, fail) => {
  player.addEventListener("timeupdate", () => player.currentTime > 0.2 && done(player.currentSrc));
  player.addEventListener("error", () => fail(player.error?.message ?? "error"));
  player.play().catch(fail);
}).finally(() => player.pause())"""
