"""What a gallery costs the page: 1,000 songs, its first page painted, against a blob of players.

In one real JupyterLab with Chromium, both cells are run in turn, the order turned about from round
to round: the gallery, and one HTML output with 1,000 small cards: title, length, tags, a player (no
pictures, no lyrics: the least that such a page can be). Timed is from the run of a cell to the
first frame after its last card is in the document; counted are the bytes that come over the
WebSocket meanwhile. What Lab and the kernel load once for the first widget of a page is loaded
before, by a gallery of two songs. Medians of the rounds, side by side.

    python benchmarks/gallery.py [--check] [--songs N] [--rounds N]

It needs Chromium and the tests' harness. Exits 1 with --check where a limit is passed, naming the
figure.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import sandbox  # noqa: E402 - found on the path above
from playwright.sync_api import sync_playwright  # noqa: E402 - as above

from tests.browser.conftest import chromium_path  # noqa: E402 - as above
from tests.browser.lab import PROBE, Lab  # noqa: E402 - as above
from tests.browser.server import running_lab  # noqa: E402 - as above

if TYPE_CHECKING:
    from playwright.sync_api import Page, WebSocket

    from tests.browser.lab import LabNotebook

SHARE = 0.1
MOST_BYTES = 1_000_000

_SONGS = """\
import musicapi_nb as mnb
from musicapi_nb import markup, sonic, tasks
from musicapi_nb.widgets.gallery import gallery

request = sonic.Create(custom_mode=True, mv="sonic-v5", prompt="[Verse]", tags="spy jazz, 1960s")

def clip(at):
    return {"clip_id": f"clip-{at:08}", "state": "succeeded", "title": f"Harbour Lamps {at}",
            "tags": "spy jazz, bossa nova, vocal jazz, 2010s", "duration": 104.88 + at % 60,
            "mv": "sonic-v5", "created_at": "2025-10-12T13:13:02.488Z",
            "audio_url": f"http://127.0.0.1:9/{at}.mp3", "lyrics": "[Verse] slow\\n" * 40}

songs = []
for at in range(0, NUMBER, 2):
    task = tasks.parse_submit_reply({"message": "success", "task_id": f"task-{at}"}, request)
    songs.append(tasks.parse_task({"code": 200, "data": [clip(at), clip(at + 1)]}, task=task))

gallery(songs[:1])"""

_BLOB = """\
markup.cards([
    markup.card(song.title, markup.chips(song.tags), markup.player(song.audio_url),
                facts=markup.facts(markup.format_duration(song.duration)))
    for task in songs for song in task.songs])"""

_WAYS = {"gallery": ("gallery(songs)", ".mnb-card", 24), "blob": (_BLOB, "audio[controls]", None)}

# Runs the second cell; resolves with the milliseconds until its last part is painted.
_PAINT = """\
([path, selector, count]) => new Promise((done) => {
  const cell = window.labProbe.codeCells(path)[1];
  window.labProbe.panel(path).content.activeCellIndex = 1;
  const start = performance.now();
  const look = () => {
    if (cell.node.querySelectorAll(selector).length < count) return requestAnimationFrame(look);
    cell.node.getBoundingClientRect();
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
  };
  window.jupyterapp.commands.execute("notebook:run-cell");
  look();
})"""


class Round(NamedTuple):
    """Seconds until it is painted, and bytes that came for it."""

    seconds: float
    received: int


class _Ear:
    """Counts the bytes that come over a page's WebSockets."""

    def __init__(self, page: Page) -> None:
        self.received = 0
        page.on("websocket", self._open)

    def _open(self, socket: WebSocket) -> None:
        socket.on("framereceived", self._count)

    def _count(self, frame: bytes | str) -> None:
        self.received += len(frame)


def measure(lab: Lab, way: str, number: int) -> Round:
    """Open a fresh notebook, run the cell once, and close it."""
    code, selector, count = _WAYS[way]
    notebook = lab.open([_SONGS.replace("NUMBER", str(number)), code])
    try:
        ear = _Ear(notebook.page)
        notebook.page.reload()  # the sockets that are open already would not be heard
        notebook.wait_until_open()
        _run_first(notebook)
        before = ear.received
        given = [notebook.file.name, selector, count or number]
        milliseconds = notebook.page.evaluate(_PAINT, given)
        return Round(milliseconds / 1_000, ear.received - before)
    finally:
        notebook.page.close()
        lab.server.end_kernels()


def _run_first(notebook: LabNotebook) -> None:
    notebook.page.evaluate(
        """path => {
          window.jupyterapp.shell.activateById(window.labProbe.panel(path).id);
          window.labProbe.panel(path).content.activeCellIndex = 0;
          return window.jupyterapp.commands.execute("notebook:run-cell");
        }""",
        notebook.file.name,
    )
    notebook.wait_until_open()  # idle again


def rounds(number: int, times: int) -> dict[str, list[Round]]:
    found: dict[str, list[Round]] = {way: [] for way in _WAYS}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        os.environ.update(sandbox.environment(Path(folder)))
        browser = playwright.chromium.launch(
            executable_path=chromium_path(), args=["--no-sandbox", "--disable-gpu"]
        )
        with running_lab(Path(folder)) as server:
            for at in range(times):
                with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
                    context.add_init_script(path=PROBE)
                    lab = Lab(server, context)
                    for way in list(_WAYS)[:: 1 if at % 2 else -1]:
                        found[way].append(measure(lab, way, number))
                told = {way: f"{found[way][-1].seconds:.2f} s" for way in _WAYS}
                print(f"round {at + 1}: {told['gallery']} the gallery, {told['blob']} the blob")
        browser.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--songs", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    found = rounds(given.songs, given.rounds)
    ratio = statistics.median(
        ours.seconds / theirs.seconds
        for ours, theirs in zip(found["gallery"], found["blob"], strict=True)
    )
    print(f"{given.songs:,} songs, medians of {given.rounds} rounds:")
    for way, measured in found.items():
        seconds = statistics.median(each.seconds for each in measured)
        received = statistics.median(each.received for each in measured)
        print(f"  {way:8} {seconds:6.2f} s, {received / 1e6:.2f} MB received")
    print(f"gallery / blob = {ratio:.3f} (limit {SHARE})")
    most = max(each.received for each in found["gallery"])
    if given.check and ratio > SHARE:
        sys.exit(f"missed: the gallery takes {ratio:.3f} of the blob's time, at most {SHARE}")
    if given.check and most >= MOST_BYTES:
        sys.exit(f"missed: {most:,} bytes of messages, fewer than {MOST_BYTES:,} are allowed")


if __name__ == "__main__":
    main()
