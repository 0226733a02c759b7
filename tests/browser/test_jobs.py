"""Jobs in a real notebook: cells queue behind them, and they change in place until they are done.

nbval sees neither: it sends one cell at a time and ignores updates of a display.
"""

from pathlib import Path

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
order, waited = [], []

def ask():
    job = api.run(SONG)
    waited.append(not job.done())
    return job"""

_BY_ASYNCIO_RUN = """\
async def first_title(job):
    task = await job
    return task.songs[0].title

titles.append(asyncio.run(first_title(job)))"""


def _queued(*numbers: int) -> list[str]:
    return [f"order.append({number})" for number in numbers]


def test_queued_cells_run_in_order_however_a_job_is_waited_for(lab: Lab) -> None:
    cells = [_CONNECT, "titles = []"]
    waits = [
        "titles.append((await job).songs[0].title)",
        "titles.append(job.result().songs[0].title)",
        _BY_ASYNCIO_RUN,
    ]
    for number, wait in enumerate(waits):
        if wait == _BY_ASYNCIO_RUN:
            cells.append("mnb.enable_nested_asyncio()")
        cells += ["job = ask()\njob", wait, *_queued(4 * number, 4 * number + 1)]
        cells += ["job = ask()", wait, *_queued(4 * number + 2, 4 * number + 3)]
    cells.append("print(order, all(waited), len(waited), len(titles), all(titles))")
    cells.append("'the last one'")
    notebook = lab.open(cells)

    notebook.run_all()

    assert notebook.texts()[-2:] == [f"{list(range(12))} True 6 6 True\n", "'the last one'"]
    assert notebook.execution_counts() == list(range(1, len(cells) + 1))


# The service's clock stands still until a cell moves it, and cells wait for the test to look.
_STILL = (
    _CONNECT.replace("speed=300", "speed=3000")  # its polls come quickly while the clock stands
    + """
sim.clock.speed = 0
looked = Path("FOLDER")

def state():
    task = job.task
    if task is None or job.done():
        return "done" if job.done() else "asking"
    return "one ready" if any(song.finished for song in task.songs) else task.state

def steps(until):
    while state() != until:
        asked = sim.request_log.total
        sim.clock.advance(4)
        while sim.request_log.total == asked and not job.done():  # let the client see each step
            yield 0.01
"""
)

_AWAITING = """\
for pause in steps("running"):
    await asyncio.sleep(pause)
while not (looked / "running").exists():
    await asyncio.sleep(0.02)"""

_BLOCKING = """\
for pause in steps("one ready"):
    time.sleep(pause)
while not (looked / "one ready").exists():
    time.sleep(0.02)"""

_IDLE = """\
import threading

def go_on():
    while not (looked / "idle").exists():
        time.sleep(0.02)
    for pause in steps("done"):
        time.sleep(pause)

threading.Thread(target=go_on, daemon=True).start()"""


def _shown_once_in_place(notebook: LabNotebook, cells: range) -> None:
    outputs = notebook.outputs()
    for cell in cells:
        assert len(outputs[cell]) == 1


def test_a_shown_job_changes_in_place_and_is_saved_as_its_songs(lab: Lab, tmp_path: Path) -> None:
    notebook = lab.open(
        [
            _STILL.replace("FOLDER", str(tmp_path)),
            "job = api.run(SONG, deadline=1e8)\njob",
            "display(job)",
            _AWAITING,
            _BLOCKING,
            _IDLE,
        ]
    )
    shown = [notebook.output_area(1), notebook.output_area(2)]

    notebook.start_run_all()
    for area in shown:  # while a cell awaits
        expect(area).to_contain_text("running", timeout=30_000)
        expect(area).to_contain_text("rain, slow jazz · 20 credits")
        expect(area).to_contain_text("elapsed, ")
    clock = shown[0].inner_text()
    expect(shown[0]).not_to_have_text(clock)  # it goes on by itself
    expect(shown[0]).to_contain_text("running")
    (tmp_path / "running").touch()
    notebook.screenshot("job-running")
    for area in shown:  # while a cell blocks
        expect(area).to_contain_text("2 of 2", timeout=30_000)
        # the other one still needs its time
        expect(area).to_contain_text("on the simulator's clock")
    notebook.screenshot("job-one-ready")
    (tmp_path / "one ready").touch()
    notebook.wait_until_done()
    _shown_once_in_place(notebook, range(1, 3))
    (tmp_path / "idle").touch()
    for area in shown:  # while no cell runs
        expect(area).not_to_contain_text("on the simulator's clock", timeout=30_000)
        expect(area).not_to_contain_text("running")
        expect(area.locator("audio")).to_have_count(2)
    _shown_once_in_place(notebook, range(1, 3))
    saved = notebook.save()

    assert "widgets" not in saved.metadata
    for cell in saved.cells[1:3]:
        (output,) = cell.outputs
        assert output.output_type == "display_data"
        assert output.data.keys() == {"text/html", "text/plain"}
        assert output.data["text/html"].count("<audio") == 2
        assert "succeeded, 2 songs" in output.data["text/plain"]


_POOR = """\
poor = mnb.connect(simulator=Simulator(speed=300, balance=3))
jobs.append(poor.run(SONG))
jobs[-1]"""

_ALL_ENDED = """\
while not all(job.done() for job in jobs):
    await asyncio.sleep(0.02)
print([type(job.exception()).__name__ for job in jobs])"""


def test_what_goes_wrong_is_shown_where_the_job_is_and_spoils_nothing_else(lab: Lab) -> None:
    background = "nuro.Instrumental(description='harbour', genre=['jazz'], duration=30)"
    notebook = lab.open(
        [
            _CONNECT + "\njobs = []",
            "sim.faults.arm('lost_reply')\njobs.append(api.run(SONG))\njobs[-1]",
            "while not jobs[-1].done():\n    await asyncio.sleep(0.02)",
            f"sim.faults.arm('task_fails')\njobs.append(api.run({background}))\njobs[-1]",
            _POOR,
            "jobs.append(still := api.run(SONG))\nstill",
            "still.cancel()",
            _ALL_ENDED,
            "job = api.run(SONG)\njob",
            "(await job).state",
            "await jobs[0]",
        ]
    )

    notebook.run_all(errors_expected=True)

    lost = notebook.output_area(1)
    expect(lost).to_contain_text("LostReply: the reply to POST /api/v1/sonic/create was lost")
    expect(lost).to_contain_text("may have cost credits")
    failed = notebook.output_area(3)
    expect(failed).to_contain_text("10 credits refunded")
    expect(failed).to_contain_text("The music generation failed.")
    poor = notebook.output_area(4).last  # behind what connect() prints
    expect(poor).to_contain_text("OutOfCredits")
    expect(poor).to_contain_text("Nothing was charged. Buy credits or request fewer songs.")
    expect(notebook.output_area(5)).to_contain_text("Stopped waiting.")
    assert notebook.texts()[7] == "['LostReply', 'NoneType', 'OutOfCredits', 'NoneType']\n"
    expect(notebook.output_area(8).locator("audio")).to_have_count(2)
    assert notebook.texts()[9] == "'succeeded'"
    assert notebook.texts()[10].startswith("LostReply: the reply to POST")
    notebook.screenshot("jobs-gone-wrong")
