"""Time to show 1,000 songs in JupyterLab: the gallery against one HTML output with all players.

In one real JupyterLab with Chromium, both cells run by turns, in alternating order: the gallery,
whose first page has covers from a library (small copies are made of pictures of 1024 pixels), and
one HTML output with 1,000 minimal cards (title, length, tags, player; no images, no lyrics).
Time runs from the start of the cell to the first frame after its last card is in the document;
bytes are those received over WebSockets in that time. A gallery of two songs is shown before, so
that what Lab and the kernel load once per page is not measured. Printed are medians of the rounds.

    python benchmarks/gallery.py [--check] [--songs N] [--rounds N]

It needs Chromium and the tests' harness. With --check it exits 1 if a limit is exceeded.
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

import numpy as np  # noqa: E402 - sorted with the next
import sandbox  # noqa: E402 - found on the path above
from PIL import Image  # noqa: E402 - as above

from tests.browser.chromium import empty_page  # noqa: E402 - as above
from tests.browser.lab import PROBE, Lab  # noqa: E402 - as above
from tests.browser.server import running_lab  # noqa: E402 - as above

if TYPE_CHECKING:
    from playwright.sync_api import Page, WebSocket

    from tests.browser.lab import LabNotebook

MAX_RATIO = 0.1
MAX_BYTES = 1_000_000
_COVERS = 24  # on the gallery's first page

_SONGS = """\
import shutil, tempfile
import musicapi_nb as mnb
from musicapi_nb import markup, sonic, tasks
from musicapi_nb.library import Library
from musicapi_nb.widgets.gallery import gallery

request = sonic.Create(custom_mode=True, mv="sonic-v6", prompt="[Verse]", tags="spy jazz, 1960s")

def clip(number):
    return {"clip_id": f"clip-{number:08}", "state": "succeeded",
            "title": f"Harbour Lamps {number}",
            "tags": "spy jazz, bossa nova, vocal jazz, 2010s", "duration": 104.88 + number % 60,
            "mv": "sonic-v6", "created_at": "2025-10-12T13:13:02.488Z",
            "audio_url": f"https://songs.invalid/{number}.mp3", "lyrics": "[Verse] slow\\n" * 40}

songs = []
for number in range(0, NUMBER, 2):
    task = tasks.parse_submit_reply({"message": "success", "task_id": f"task-{number}"}, request)
    reply = {"code": 200, "data": [clip(number), clip(number + 1)]}
    songs.append(tasks.parse_task(reply, task=task))

library = Library(tempfile.mkdtemp())
for number, song in enumerate(song for task in songs[:12] for song in task.songs):
    path = library.temporary_path(".jpg")
    shutil.copy(f"PICTURES/{number}.jpg", path)
    library.attach(song, "image", library.add_file(path, ".jpg"))

gallery(songs[-1:], library=library)"""

_HTML = """\
markup.cards([
    markup.card(song.title, markup.chips(song.tags), markup.player(song.audio_url),
                facts=markup.facts(markup.format_duration(song.duration)))
    for task in songs for song in task.songs])"""

_DISPLAYS = {
    "gallery": ("gallery(songs, library=library)", ".mnb-cover img", _COVERS),
    "html": (_HTML, "audio[controls]", None),
}

# Runs the second cell; resolves with the milliseconds until its last card is painted.
_PAINT = """\
([path, selector, count]) => new Promise((resolve, reject) => {
  const cell = window.labProbe.codeCells(path)[1];
  window.labProbe.panel(path).content.activeCellIndex = 1;
  const start = performance.now();
  const poll = () => {
    const shown = cell.node.querySelectorAll(selector).length;
    if (shown < count && performance.now() - start > 60_000)
      return reject(new Error(`after a minute there are ${shown} of ${count} ${selector}`));
    if (shown < count) return requestAnimationFrame(poll);
    cell.node.getBoundingClientRect();
    requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - start)));
  };
  window.jupyterapp.commands.execute("notebook:run-cell");
  poll();
})"""


class Round(NamedTuple):
    """Seconds until the cards are painted, and bytes received."""

    seconds: float
    received: int


class _ByteCounter:
    """Counts the bytes received over a page's WebSockets."""

    def __init__(self, page: Page) -> None:
        self.received = 0
        page.on("websocket", self._open)

    def _open(self, socket: WebSocket) -> None:
        socket.on("framereceived", self._count)

    def _count(self, frame: bytes | str) -> None:
        self.received += len(frame)


def write_pictures(folder: Path) -> None:
    """Write the covers of the gallery's first page, JPEG as those of the service."""
    folder.mkdir()
    for number in range(_COVERS):
        pixels = np.random.default_rng(number).integers(0, 255, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).resize((1024, 1024)).save(folder / f"{number}.jpg", quality=90)


def measure(lab: Lab, counter: _ByteCounter, display: str, number: int) -> Round:
    """Run the cell once in a new notebook."""
    code, selector, count = _DISPLAYS[display]
    songs = _SONGS.replace("NUMBER", str(number))
    notebook = lab.open([songs.replace("PICTURES", str(lab.server.folder / "pictures")), code])
    _run_first(notebook)
    before = counter.received
    arguments = [notebook.file.name, selector, count or number]
    milliseconds = notebook.page.evaluate(_PAINT, arguments)
    notebook.page.evaluate("() => window.labProbe.closeAll()")
    lab.server.end_kernels()
    return Round(milliseconds / 1_000, counter.received - before)


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


def run_rounds(number: int, count: int) -> dict[str, list[Round]]:
    rounds: dict[str, list[Round]] = {display: [] for display in _DISPLAYS}
    with tempfile.TemporaryDirectory() as folder, empty_page() as page:
        os.environ.update(sandbox.environment(Path(folder)))
        page.context.add_init_script(path=PROBE)
        counter = _ByteCounter(page)  # before the first socket is open
        with running_lab(Path(folder)) as server:
            write_pictures(server.folder / "pictures")
            Lab(server, page.context).open(["'JupyterLab is loaded'"], page)
            for index in range(count):
                for display in list(_DISPLAYS)[:: 1 if index % 2 else -1]:
                    lab = Lab(server, page.context, loaded=page)
                    rounds[display].append(measure(lab, counter, display, number))
                times = {display: f"{rounds[display][-1].seconds:.2f} s" for display in _DISPLAYS}
                print(f"round {index + 1}: gallery {times['gallery']}, HTML {times['html']}")
    return rounds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--songs", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    rounds = run_rounds(options.songs, options.rounds)
    ratio = statistics.median(
        gallery.seconds / html.seconds
        for gallery, html in zip(rounds["gallery"], rounds["html"], strict=True)
    )
    print(f"{options.songs:,} songs, medians of {options.rounds} rounds:")
    for display, results in rounds.items():
        seconds = statistics.median(result.seconds for result in results)
        received = statistics.median(result.received for result in results)
        print(f"  {display:8} {seconds:6.2f} s, {received / 1e6:.2f} MB received")
    print(f"gallery / HTML = {ratio:.3f} (limit {MAX_RATIO})")
    received_bytes = max(result.received for result in rounds["gallery"])
    if options.check and ratio > MAX_RATIO:
        sys.exit(f"missed: the gallery takes {ratio:.3f} of the time of HTML (limit {MAX_RATIO})")
    if options.check and received_bytes >= MAX_BYTES:
        sys.exit(f"missed: {received_bytes:,} bytes of messages (limit {MAX_BYTES:,})")


if __name__ == "__main__":
    main()
