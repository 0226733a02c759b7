"""Jobs in a real notebook: cells queue behind them, and their outputs change in place.

nbval tests neither: it sends one cell at a time and ignores updates of a display.
"""

import os
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.lab import Lab, LabNotebook

_CONNECT = """\
import asyncio, time
from pathlib import Path
import musicapi_nb as mnb
from IPython.display import display
from musicapi_nb import nuro, sonic
from musicapi_nb.simulator import Simulator

SONG = sonic.Create(custom_mode=False, mv="sonic-v5", gpt_description_prompt="rain, slow jazz")
sim = Simulator(speed=300)
api = mnb.connect(simulator=sim)
order, had_to_wait = [], []

def start():
    job = api.run(SONG)
    had_to_wait.append(not job.done())
    return job"""

_BY_ASYNCIO_RUN = """\
async def first_title(job):
    task = await job
    return task.songs[0].title

titles.append(asyncio.run(first_title(job)))"""


def _append_cells(*numbers: int) -> list[str]:
    return [f"order.append({number})" for number in numbers]


def test_queued_cells_run_in_order_after_every_kind_of_wait(lab: Lab) -> None:
    cells = [_CONNECT, "titles = []"]
    waits = [
        "titles.append((await job).songs[0].title)",
        "titles.append(job.result().songs[0].title)",
        _BY_ASYNCIO_RUN,
    ]
    for number, wait in enumerate(waits):
        if wait == _BY_ASYNCIO_RUN:
            cells.append("mnb.enable_nested_asyncio()")
        cells += ["job = start()\njob", wait, *_append_cells(4 * number, 4 * number + 1)]
        cells += ["job = start()", wait, *_append_cells(4 * number + 2, 4 * number + 3)]
    cells.append("print(order, all(had_to_wait), len(had_to_wait), len(titles), all(titles))")
    cells.append("'the last one'")
    notebook = lab.open(cells)

    notebook.run_all()

    assert notebook.texts()[-2:] == [f"{list(range(12))} True 6 6 True\n", "'the last one'"]
    assert notebook.execution_counts() == list(range(1, len(cells) + 1))


# The service's clock only moves in cells, and cells wait until the test has checked the page: to
# read one of these pipes takes until the test writes it.
_CHECKED = ("running", "one ready", "idle")
_WITH_STOPPED_CLOCK = (
    _CONNECT.replace("speed=300", "speed=3000")  # polls are fast although the clock stands still
    + """
sim.clock.speed = 0
checked = Path("FOLDER")

def state():
    task = job.task
    if task is None or job.done():
        return "done" if job.done() else "asking"
    return "one ready" if any(song.finished for song in task.songs) else task.state

def steps(until):
    while state() != until:
        total = sim.request_log.total
        sim.clock.advance(4)
        while sim.request_log.total == total and not job.done():  # until the client has polled
            yield 0.01
"""
)

_AWAITING = """\
for pause in steps("running"):
    await asyncio.sleep(pause)
await asyncio.to_thread((checked / "running").read_bytes)"""

_BLOCKING = """\
for pause in steps("one ready"):
    time.sleep(pause)
(checked / "one ready").read_bytes()"""

_IDLE = """\
import threading

def finish():
    (checked / "idle").read_bytes()
    for pause in steps("done"):
        time.sleep(pause)

threading.Thread(target=finish, daemon=True).start()"""


def _check_single_outputs(notebook: LabNotebook, cells: range) -> None:
    outputs = notebook.outputs()
    for cell in cells:
        assert len(outputs[cell]) == 1


def test_job_output_changes_in_place_and_saves_songs(lab: Lab, tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no named pipes in folders")
    for name in _CHECKED:
        os.mkfifo(tmp_path / name)
    notebook = lab.open(
        [
            _WITH_STOPPED_CLOCK.replace("FOLDER", str(tmp_path)),
            "job = api.run(SONG, deadline=1e8)\njob",
            "display(job)",
            _AWAITING,
            _BLOCKING,
            _IDLE,
        ]
    )
    areas = [notebook.output_area(1), notebook.output_area(2)]

    notebook.start_run_all()
    for area in areas:  # while a cell awaits
        expect(area).to_contain_text("being made")
        expect(area).to_contain_text("rain, slow jazz · 20 credits")
        expect(area).to_contain_text("(simulated time)")
    clock = areas[0].inner_text()
    expect(areas[0]).not_to_have_text(clock)  # it updates by itself
    expect(areas[0]).to_contain_text("being made")
    (tmp_path / "running").write_bytes(b"")
    notebook.screenshot("job-running")
    for area in areas:  # while a cell blocks
        expect(area).to_contain_text("2 of 2")
        # the second song is not ready yet
        expect(area).to_contain_text("(simulated time)")
    notebook.screenshot("job-one-ready")
    (tmp_path / "one ready").write_bytes(b"")
    notebook.wait_until_done()
    _check_single_outputs(notebook, range(1, 3))
    (tmp_path / "idle").write_bytes(b"")
    for area in areas:  # while no cell runs
        expect(area).not_to_contain_text("(simulated time)")
        expect(area.locator(".musicapi-nb-gallery .mnb-card")).to_have_count(2)
    _check_single_outputs(notebook, range(1, 3))
    saved = notebook.save()

    assert "widgets" not in saved.metadata
    for cell in saved.cells[1:3]:
        (output,) = cell.outputs
        assert output.output_type == "display_data"
        assert output.data.keys() == {"text/html", "text/plain"}
        assert output.data["text/html"].count("<audio") == 2
        assert "ready, 2 songs" in output.data["text/plain"]


_POOR = """\
poor = mnb.connect(simulator=Simulator(speed=300, balance=3))
jobs.append(poor.run(SONG))
jobs[-1]"""

_SLOWLY_SAVED = """\
saver = Simulator(speed=300)
saver.faults.arm("slow_download", seconds=1500)
job = mnb.connect(simulator=saver, library="saved").run(SONG)
display(job)
while job.task is None:
    await asyncio.sleep(0.02)"""

_SHOW_ERRORS = """\
REFUSED = sonic.Create(mv="sonic-v6", gpt_description_prompt="harbour")
sim.faults.arm("refused_content")
offline = mnb.MusicAPI("sk-some-key-0001", base_url="http://127.0.0.1:9", pace=0)
for attempt in range(3):
    try:
        if attempt == 0:
            await poor.run(SONG)
        if attempt == 1:
            await api.run(REFUSED)
        await offline.run(SONG)
    except mnb.errors.MusicAPIError:
        get_ipython().showtraceback()"""

_ALL_ENDED = """\
while not all(job.done() for job in jobs):
    await asyncio.sleep(0.02)
print([type(job.exception()).__name__ for job in jobs])"""


def test_errors_are_shown_in_their_job_and_affect_no_other(lab: Lab) -> None:
    background = "nuro.Instrumental(description='harbour', genre=['jazz'], duration=30)"
    notebook = lab.open(
        [
            _CONNECT + "\njobs = []",
            _SLOWLY_SAVED,
            "sim.faults.arm('lost_reply')\njobs.append(api.run(SONG))\njobs[-1]",
            "while not jobs[-1].done():\n    await asyncio.sleep(0.02)",
            f"sim.faults.arm('task_fails')\njobs.append(api.run({background}))\njobs[-1]",
            _POOR,
            "jobs.append(cancelled := api.run(SONG))\ncancelled",
            "cancelled.cancel()",
            _ALL_ENDED,
            "(await job).state",
            _SHOW_ERRORS,
            "await jobs[0]",
        ]
    )

    notebook.start_run_all()
    saving = "Songs are ready · saving the audio to your library…"
    expect(notebook.output_area(1).last).to_contain_text(saving)
    notebook.screenshot("job-saving")
    notebook.wait_until_done()

    lost = notebook.output_area(2)
    expect(lost).to_contain_text("The connection broke before the answer came")
    expect(lost).to_contain_text("may have cost credits")
    failed = notebook.output_area(4)
    expect(failed).to_contain_text("10 credits refunded")
    expect(failed).to_contain_text("The music generation failed.")
    poor = notebook.output_area(5).last  # after the message of connect()
    expect(poor).to_contain_text("Not enough credits: 20 needed, 3 left. Nothing was charged.")
    expect(notebook.output_area(6)).to_contain_text("Stopped waiting.")
    assert notebook.texts()[8] == "['LostReply', 'NoneType', 'OutOfCredits', 'NoneType']\n"
    expect(notebook.output_area(1).locator(".mnb-card")).to_have_count(2)
    assert notebook.texts()[9] == "'succeeded'"
    for error, line, words in zip(
        notebook.outputs()[10],
        ("await poor.run(SONG)", "await api.run(REFUSED)", "await offline.run(SONG)"),
        (
            "Not enough credits: 20 needed, 3 left.",
            "Nothing was charged.",
            "No connection to 127.0",
        ),
        strict=True,
    ):
        (traceback,) = error["traceback"]
        assert len(traceback.splitlines()) <= 6
        assert line in traceback
        assert words in traceback
    assert notebook.texts()[11].startswith("LostReply: The connection broke")
    notebook.screenshot("jobs-errors")
