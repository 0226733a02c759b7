"""Cards in a real notebook: players play, hostile text is escaped, no trust is needed."""

import json
from pathlib import Path

import pytest
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from playwright.sync_api import Locator, Page, expect

from tests.browser import hostile
from tests.browser.lab import Lab
from tests.browser.watch import Watch

_CONNECT = """\
import asyncio, json
from pathlib import Path
import musicapi_nb as mnb
from musicapi_nb import nuro, sonic, studio, tasks
from musicapi_nb.simulator import Simulator

folder = Path("FOLDER")
sim = Simulator(speed=600)
api = mnb.connect(simulator=sim)

async def file_appeared(name):
    while not (folder / name).exists():
        await asyncio.sleep(0.02)

def media_requests():
    paths = [arrival.path for arrival in sim.request_log.recent]
    audio = [path for path in paths if path.endswith((".mp3", ".wav"))]
    covers = {path for path in paths if path.startswith("/media/") and path not in audio}
    return len(audio), len(covers), sim.request_log.media_authorized"""

_BEFORE_PLAYING = """\
songs = task.songs + (await job).songs
await file_appeared("shown")
print("audio:", media_requests()[0])"""

_AFTER_PLAYING = """\
await file_appeared("played")
print(json.dumps([[song.duration for song in songs], *media_requests()]))"""

_STUDIO = """\
task = await api.run(
    studio.Description(prompt="harbour, spy jazz, bossa nova", model_type="studio130-v1.5"))
task"""

_BOATS = """\
job = api.run(sonic.Create(custom_mode=True, mv="sonic-v5", title="Seven Small Boats",
                           tags="slow jazz, rain", prompt="[Verse] Turn with the tide"))
job"""

# Resolves with the duration once the audio has advanced.
_PLAY = """\
player => new Promise((done, fail) => {
  player.muted = true;
  player.addEventListener("timeupdate", () => player.currentTime > 0.3 && done(player.duration));
  player.addEventListener("error", () => fail(player.error?.message ?? "error"));
  player.play().catch(fail);
}).finally(() => player.pause())"""


def _export(notebook: NotebookNode) -> str:
    """Return a notebook as one HTML page that loads nothing from other hosts."""
    exporter = HTMLExporter(mathjax_url="", require_js_url="", jquery_url="", mermaid_js_url="")
    page, _ = exporter.from_notebook_node(notebook)
    return str(page)


def _wait_for_images(page: Page, area: Locator) -> None:
    for image in area.locator("img").all():
        page.wait_for_function("node => node.naturalWidth > 0", arg=image.element_handle())


def _play_all(page: Page, area: Locator) -> list[float]:
    """Play each song of a live output; return their durations."""
    audio = area.locator("audio")
    durations, source = [], ""
    for button in area.locator(".mnb-card .mnb-play").all():
        button.click()
        page.wait_for_function(
            "([audio, before]) => audio.currentSrc !== before && audio.currentTime > 0.3",
            arg=[audio.element_handle(), source],
        )
        source, duration = audio.evaluate("audio => [audio.currentSrc, audio.duration]")
        durations.append(duration)
    return durations


def test_cards_play_also_in_untrusted_notebook(lab: Lab, tmp_path: Path) -> None:
    cells = [
        _CONNECT.replace("FOLDER", str(tmp_path)),
        _STUDIO,
        _BOATS,
        _BEFORE_PLAYING,
        _AFTER_PLAYING,
    ]
    notebook = lab.open(cells)
    cards = [notebook.output_area(cell) for cell in (1, 2)]

    notebook.start_run_all()
    for area in cards:
        expect(area.locator(".mnb-card")).to_have_count(2)
        _wait_for_images(notebook.page, area)
    (tmp_path / "shown").touch()
    expect(notebook.output_area(3)).to_contain_text("audio: 0")
    played = [seconds for area in cards for seconds in _play_all(notebook.page, area)]
    (tmp_path / "played").touch()
    notebook.wait_until_done()
    untrusted = lab.open_untrusted(notebook.save())

    stated, audio, covers, with_key = json.loads(notebook.texts()[4])
    assert played == pytest.approx(stated, abs=0.1)
    assert (audio >= 4, covers, with_key) == (True, 4, 0)
    for cell in (1, 2):
        area = untrusted.output_area(cell)
        expect(area.locator("audio[preload=none]")).to_have_count(2)
        _wait_for_images(untrusted.page, area)
        assert area.locator("audio[controls]").first.evaluate(_PLAY) > 1
    boats = untrusted.output_area(2)
    expect(boats).to_contain_text("Seven Small Boats")
    expect(boats).to_contain_text("✓ rain")
    boats.locator("summary").first.click()
    expect(boats).to_contain_text("Turn with the tide")
    untrusted.screenshot("untrusted")


_HOSTILE_REPLIES = """\
import http.server, threading
import pandas as pd
from IPython.display import display

data = json.loads((folder / "hostile.json").read_text(encoding="utf-8"))
texts = data["texts"]
parsed = [tasks.parse_task(reply) for reply in data["replies"]]
pd.set_option("display.max_colwidth", None)
pd.set_option("display.max_columns", None)"""

_HOSTILE_JOBS = """\
jobs = [
    api.run(sonic.Create(custom_mode=True, mv="sonic-v5", prompt="\\n".join(texts), title=text[:79],
                         tags=f"{text}, {texts[0]}"))
    for text in texts[:4]
]
for text in texts[:3]:
    sim.faults.arm("task_fails", message=text, path="/nuro/")
    jobs.append(api.run(nuro.Instrumental(description=text, genre=["jazz"], duration=30)))
    sim.faults.arm("unknown_state", word=text, path="/sonic/")
for job in jobs:
    display(job)"""

# A server whose errors differ from the service's, as those of a proxy may.
_HOSTILE_ERRORS = """\
class Hostile(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.dumps({"error": texts[self.server.count], "message": texts[1]}).encode()
        self.server.count += 1
        self.send_response(403)
        self.send_header("x-request-id", texts[0])
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
server.count = 0
threading.Thread(target=server.serve_forever, daemon=True).start()
session = mnb.connect("a-key-for-nobody", base_url=f"http://127.0.0.1:{server.server_port}")
refused = [session.run(studio.Description(prompt=text, model_type="studio130-v1.5"))
           for text in texts[:2]]
for job in refused:
    display(job)"""

_HOSTILE_REQUESTS = """\
for number in range(0, len(texts), 3):
    first, second, third = texts[number], texts[number - 1], texts[number - 2]
    display(sonic.Create(custom_mode=True, title=first, tags=second, mv=third, prompt=first,
                         extra={second: third}))"""

_HOSTILE_FRAMES = """\
for frame in (mnb.songs_frame, mnb.tasks_frame, mnb.tags_frame, mnb.replaced_tags_frame,
              mnb.issues_frame):
    display(frame(parsed))"""

_ALL_ENDED = """\
while not all(job.done() for job in jobs + refused):
    await asyncio.sleep(0.02)"""

_HOSTILE_CELLS = [
    _HOSTILE_REPLIES,
    "for task in parsed:\n    display(task)",
    "for song in parsed[0].songs[:1] + parsed[1].songs[:2]:\n    display(song)",
    _HOSTILE_JOBS,
    _HOSTILE_ERRORS,
    _HOSTILE_REQUESTS,
    _HOSTILE_FRAMES,
    "parsed, parsed[0].songs, [str(job) for job in jobs]",
    _ALL_ENDED,
]


def test_hostile_replies_are_shown_as_text(
    lab: Lab, watch: Watch, page: Page, tmp_path: Path
) -> None:
    (tmp_path / "hostile.json").write_text(hostile.as_json(), encoding="utf-8")
    notebook = lab.open([_CONNECT.replace("FOLDER", str(tmp_path)), *_HOSTILE_CELLS])

    notebook.run_all()
    assert notebook.is_trusted(), "JupyterLab sanitised the outputs, so that they prove nothing"
    watch.check(notebook.page, notebook.page.locator(".jp-OutputArea-output"))
    notebook.screenshot("hostile")

    exported = tmp_path / "exported.html"
    exported.write_text(_export(notebook.save()), encoding="utf-8")
    page.goto(exported.as_uri())
    watch.check(page, page.locator(".jp-OutputArea-output"))
