"""Time to show 1,000 songs on a comparison board of 63 rows and 8 columns.

The page's module runs in Chromium without a notebook around it, on the state that the kernel sends:
time runs from the call of `render` to the first frame after the visible rows are in the document.
The kernel's own time, to make the widget, is measured apart. Printed are medians of the rounds.

    python benchmarks/compare.py [--check] [--songs N] [--rounds N]

It needs Chromium. With --check it exits 1 if a limit is exceeded.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import musicapi_nb as mnb  # noqa: E402 - found on the path above
from musicapi_nb import sonic, tasks  # noqa: E402 - as above
from tests.browser.chromium import empty_page  # noqa: E402 - as above

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Page

    from musicapi_nb.tasks import Task

MAX_SECONDS = 0.4
MAX_BYTES = 1_000_000
_STYLES = ("spy jazz", "sea shanty", "lofi hip hop", "bossa nova")
_MODELS = ("sonic-v6", "sonic-v6-wild")

# Renders the module's widget; returns the milliseconds until its first rows are painted.
_PAINT = """\
async ([module, state]) => {
  const url = URL.createObjectURL(new Blob([module], { type: "text/javascript" }));
  const widget = (await import(url)).default;
  const model = {
    get: (name) => state[name], set() {}, save_changes() {}, send() {}, on() {}, off() {},
  };
  const el = document.body.appendChild(document.createElement("div"));
  await new Promise(requestAnimationFrame);
  const start = performance.now();
  const close = widget.render({ model, el });
  el.getBoundingClientRect();
  const milliseconds = await new Promise((resolve) => requestAnimationFrame(
    () => setTimeout(() => resolve(performance.now() - start))));
  const box = el.querySelector(".mnb-box").getBoundingClientRect();
  const last = [...el.querySelectorAll(".mnb-cell")].at(-1).getBoundingClientRect();
  if (last.bottom < box.bottom - 2) throw new Error("not all visible rows were drawn");
  const songs = el.querySelectorAll(".mnb-song").length;
  close();
  el.remove();
  return [milliseconds, songs];
}"""


class Round(NamedTuple):
    """Seconds of the kernel and of the page, bytes of the state, and songs that were drawn."""

    kernel: float
    page: float
    size: int
    drawn: int


def finished_tasks(number: int) -> list[Task]:
    """Return tasks of two songs each, for prompts, styles and models by turns."""
    combinations = list(itertools.product(_STYLES, _MODELS))
    finished = []
    for index in range(number // 2):
        prompt, column = divmod(index, len(combinations))
        style, model = combinations[column]
        request = sonic.Create(
            custom_mode=True, mv=model, prompt=f"[Verse] prompt {prompt}", tags=f"{style}, 1960s"
        )
        reply = {"message": "success", "task_id": f"task-{index}"}
        task = tasks.parse_submit_reply(reply, request)
        clips = [
            {
                "clip_id": f"clip-{index}-{side}",
                "state": "succeeded",
                "title": f"Harbour Lamps {index}",
                "tags": f"{style}, vocal jazz, 2010s, ballad",
                "duration": 104.88 + index % 60,
                "mv": model,
                "audio_url": f"https://cdn.example/{index}{side}.mp3",
                "lyrics": "[Verse] slow\n" * 40,
            }
            for side in "ab"
        ]
        finished.append(tasks.parse_task({"code": 200, "data": clips}, task=task))
    return finished


def measure(page: Page, songs: Sequence[Task]) -> Round:
    """Make a board and render it once."""
    start = time.perf_counter()
    board = mnb.compare(songs, rows="prompt", columns=["styles", "model"])
    kernel = time.perf_counter() - start
    state: dict[str, Any] = {
        name: value for name, value in board.get_state().items() if name not in {"_esm", "_css"}
    }
    text = json.dumps(state)
    page.set_content(f"<!DOCTYPE html><style>{board._css}</style>")  # noqa: SLF001 - as anywidget does
    milliseconds, drawn = page.evaluate(_PAINT, [str(board._esm), json.loads(text)])  # noqa: SLF001 - as above
    return Round(kernel, milliseconds / 1_000, len(text), drawn)


def run_rounds(number: int, count: int) -> list[Round]:
    songs = finished_tasks(number)
    rounds = []
    with empty_page(width=1400) as page:
        measure(page, songs[:4])  # loads what is loaded once
        for index in range(count):
            rounds.append(measure(page, songs))
            print(f"round {index + 1}: {rounds[-1].page:.3f} s, {rounds[-1].drawn} songs drawn")
    return rounds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--songs", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    rounds = run_rounds(options.songs, options.rounds)
    seconds = statistics.median(result.page for result in rounds)
    kernel = statistics.median(result.kernel for result in rounds)
    size = max(result.size for result in rounds)
    print(f"{options.songs:,} songs, medians of {options.rounds} rounds:")
    print(f"  first paint {seconds:.3f} s (limit {MAX_SECONDS}), kernel {kernel:.3f} s")
    print(f"  state {size:,} bytes (limit {MAX_BYTES:,})")
    if options.check and seconds > MAX_SECONDS:
        sys.exit(f"missed: the first paint takes {seconds:.3f} s (limit {MAX_SECONDS})")
    if options.check and size > MAX_BYTES:
        sys.exit(f"missed: the state has {size:,} bytes (limit {MAX_BYTES:,})")


if __name__ == "__main__":
    main()
