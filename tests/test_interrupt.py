"""Interrupting a cell or a script stops the wait within a second, with words; the job goes on."""

import asyncio
import os
import queue
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

import musicapi_nb as mnb
from musicapi_nb import nuro
from musicapi_nb.errors import WaitTimeout
from musicapi_nb.notebook.session import Session
from musicapi_nb.simulator import Simulator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a console event interrupts there")
BEAT = nuro.Instrumental(description="harbour at night", duration=30)
PREPARE = """
import asyncio, musicapi_nb as mnb
from musicapi_nb import nuro
from musicapi_nb.simulator import Simulator
api = mnb.connect(simulator=Simulator(speed=0.01), library="library")
job = api.run(nuro.Instrumental(description="harbour at night", duration=30))
while job.task is None:
    await asyncio.sleep(0.01)
"""


class Kernel:
    """An IPython kernel."""

    def __init__(self, folder: Path) -> None:
        self.traceback = ""  # of the last error, without colors
        self.outputs: list[dict[str, Any]] = []  # messages of the last cell with its output
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
        self.manager, self.client = start_new_kernel(
            kernel_name="python3", cwd=str(folder), env=environment
        )

    def run(self, code: str, *, interrupt: bool = False) -> tuple[str, str, float]:
        """Run a cell; return its text, its error, and the seconds from the interrupt to its end."""
        number = self.client.execute(code)
        text, error, start = "", "", time.monotonic()
        self.outputs = []
        while time.monotonic() - start < 60:
            try:
                message = self.client.get_iopub_msg(timeout=1)
            except queue.Empty:  # the cell is quiet: it waits for the job
                if interrupt and "waiting" in text:
                    interrupt, start = False, time.monotonic()
                    self.manager.interrupt_kernel()
                continue
            if message["parent_header"].get("msg_id") != number:
                continue
            content: dict[str, Any] = message["content"]
            text += content.get("text", "")
            if message["msg_type"] in {"stream", "display_data", "update_display_data"}:
                self.outputs.append(message)
            if message["msg_type"] == "error":
                error = f"{content['ename']}: {content['evalue']}"
                self.traceback = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(content["traceback"]))
            if content.get("execution_state") == "idle":
                return text, error, time.monotonic() - start
        raise AssertionError(f"the cell never ended: {text} {error}")


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    started = Kernel(tmp_path_factory.mktemp("kernel"))
    _, error, _ = started.run(PREPARE)
    assert not error
    yield started
    started.client.stop_channels()
    started.manager.shutdown_kernel(now=True)


@pytest.mark.parametrize(
    ("wait", "words"),
    [
        ("await job", True),
        ("job.result()", True),
        ("await asyncio.gather(job, api.credits())", False),
        ("await asyncio.wait_for(job, 1000)", False),
        ("await api.wait(job.task)", True),
    ],
)
def test_interrupted_cell_stops_and_the_job_goes_on(
    kernel: Kernel, wait: str, *, words: bool
) -> None:
    _, error, seconds = kernel.run(f"print('waiting', flush=True)\n{wait}", interrupt=True)
    assert error
    assert seconds < 5  # on a busy machine
    if words:
        assert "Stopped waiting for" in error
        assert "the job continues" in error.lower()
    text, error, _ = kernel.run("print(job.done(), job.task.state)")
    assert (text.split()[0], error) == ("False", "")


# --- errors in a cell ------------------------------------------------------------------------


def test_interrupted_cell_shows_its_line_only(kernel: Kernel) -> None:
    kernel.run("print('waiting', flush=True)\nawait job", interrupt=True)
    assert re.fullmatch(
        r"Cell In\[\d+\], line 2\n----> 2 await job\n"
        r"CancelledError: Stopped waiting for nuro.instrumental. The task is paid for; the job "
        r"continues: await it again, or job.cancel\(\) it.",
        kernel.traceback,
    )


_POOR = """
poor = mnb.connect(simulator=Simulator(balance=3), library="poor")
beat = nuro.Instrumental(description="harbour", duration=30)
def make():
    text = "harbour"
    return poor.run(beat).result()
"""
_OUT = "OutOfCredits: Not enough credits: 10 needed, 3 left. Nothing was charged."
_OFFLINE = """\
client = mnb.MusicAPI("sk-some-key-0001", base_url="http://127.0.0.1:9", pace=0)
await client.run(beat)"""


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("await poor.run(beat)", ["Cell, line 1", "----> 1 await poor.run(beat)", _OUT]),
        ("1\npoor.run(beat).result()", ["Cell, line 2", "----> 2 poor.run(beat).result()", _OUT]),
        (
            "1\nmake()",
            [
                *("Cell, line 2", "----> 2 make()", "Cell, line 6, in make"),
                *("----> 6 return poor.run(beat).result()", _OUT),
            ],
        ),
        (
            "await poor.run(beat, take=0)",
            ["Cell, line 1", "----> 1 await poor.run(beat, take=0)", "InvalidRequest: "],
        ),
        (
            'mnb.connect(key="sk-other-key-0001", proxy=3)',
            ["Cell, line 1", '----> 1 mnb.connect(key="…", proxy=3)', "InvalidRequest: "],
        ),
        (
            _OFFLINE,
            [
                *("Cell, line 2", "----> 2 await client.run(beat)"),
                "Unreachable: No connection to 127.0.0.1:9 ",
            ],
        ),
    ],
)
def test_error_shows_the_line_of_the_user_and_a_sentence(
    kernel: Kernel, code: str, lines: list[str]
) -> None:
    _, error, _ = kernel.run(f"if 'poor' not in dir():{_POOR}".replace("\n", "\n    "))
    assert not error
    kernel.run(code)
    actual = re.sub(r"Cell In\[\d+\]", "Cell", kernel.traceback).splitlines()
    assert actual[:-1] == lines[:-1]
    assert actual[-1].startswith(lines[-1])
    assert "sk-" not in kernel.traceback


def test_whole_traceback_is_available(kernel: Kernel) -> None:
    kernel.run("await client.run(beat)")
    assert "transport.py" not in kernel.traceback
    kernel.run("%tb")
    assert "transport.py" in kernel.traceback
    kernel.run("await client.run(beat)")
    assert "transport.py" not in kernel.traceback


# --- words of a timeout --------------------------------------------------------------------


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Session]:
    session = mnb.connect(simulator=Simulator(speed=0.01), library=tmp_path)
    yield session
    session.close()


def timeout_of(job: mnb.Job[Any]) -> str:
    with pytest.raises(WaitTimeout) as caught:
        job.result(timeout=0)
    return str(caught.value)


def test_timeout_without_a_purchase_does_not_mention_payment(api: Session, tmp_path: Path) -> None:
    first = api.run(BEAT)
    while first.task is None:
        time.sleep(0.01)
    assert "paid for" in timeout_of(first)
    waiting = api.run(BEAT, take=2)  # its turn comes after minutes
    text = timeout_of(waiting)
    assert "The service has not accepted the request yet" in text
    jobs: list[mnb.Job[Any]] = [
        waiting,
        api.credits(),
        api.download("http://127.0.0.1:9/a.mp3", tmp_path),
        api.wait(mnb.Task(id="t", engine="nuro")),
        api.resume(),
    ]
    for job in jobs[:1] + [job for job in jobs[1:] if not job.done()]:
        text = timeout_of(job)
        assert "paid for" not in text
        assert "continues" in text
        job.cancel()
        assert "paid for" not in job._repr_html_()


async def test_cancelled_await_says_that_the_job_continues(api: Session) -> None:
    job = api.run(BEAT)
    waiting = asyncio.create_task(job)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError, match="the job continues"):
        await waiting
    assert not job.done()
    job.cancel()


async def test_timeouts_and_groups_of_asyncio_cancel_an_await(api: Session) -> None:
    job = api.run(BEAT)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(job, 0.01)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await job

    async def fail() -> None:
        raise ZeroDivisionError

    async def wait_beside_failure() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            await job

    with pytest.raises(ExceptionGroup) as caught:
        await wait_beside_failure()
    assert [type(error) for error in caught.value.exceptions] == [ZeroDivisionError]
    assert not job.done()
    job.cancel()


# --- bars in a cell --------------------------------------------------------------------------


def test_bar_is_one_output_of_the_cell(kernel: Kernel) -> None:
    _, error, _ = kernel.run("""
from musicapi_nb.widgets.monitor import Bar, BarState
bar = Bar("<b>tempo</b>")
bar.show(BarState(1, 2, "songs", ""), is_final=False)
bar.show(BarState(2, 2, "songs", "1 without a value"), is_final=True)
bar.show(BarState(1, 2, "songs", ""), is_final=False)
""")
    assert not error
    kinds = [message["msg_type"] for message in kernel.outputs]
    assert kinds == ["display_data", "update_display_data"]  # nothing on standard error
    first, last = (message["content"] for message in kernel.outputs)
    assert first["transient"]["display_id"] == last["transient"]["display_id"]
    assert last["data"]["text/plain"] == "<b>tempo</b>: 2 of 2 songs, 1 without a value"
    page = last["data"]["text/html"]
    assert page.index("&lt;b&gt;tempo&lt;/b&gt;") < page.index("2 of 2 songs, 1 without a value")
    assert "untitled" not in page
