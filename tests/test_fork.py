"""A forked child: it refuses its parent's session at once, connects anew, and ends."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.library.helpers import ROOT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot fork")

PREPARE = """
import asyncio, os, sys, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside a thread: that is tested
import musicapi_nb as mnb
from musicapi_nb import lyrics, nuro, sonic
from musicapi_nb.errors import MusicAPIError
from musicapi_nb.library import Library
from musicapi_nb.simulator import EmbeddedSimulator, Simulator
folder = sys.argv[1]
BEAT = nuro.Instrumental(description="harbour at night", duration=30)
def in_child(call):
    '''Fork; print what the child's call returns or raises, and how the child ended.'''
    read, write = os.pipe()
    sys.stdout.flush()  # else the child would print it again
    child = os.fork()
    if child == 0:
        warnings.simplefilter("ignore", ResourceWarning)  # its copies are not closed in the child
        start = time.monotonic()
        try:
            text = str(call())
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"
        os.write(write, f"{text} {'slow' if time.monotonic() - start > 20 else ''}".encode())
        sys.exit(0)  # runs the child's atexit functions, as of the parent
    os.close(write)
    with os.fdopen(read) as texts:
        print(texts.read().strip() or "nothing")
    print("ended", os.waitpid(child, 0)[1])
"""


def output(code: str, folder: Path) -> list[str]:
    """Run the code after `PREPARE` in a process of its own; return the lines that it prints."""
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", PREPARE + textwrap.dedent(code), str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert "Traceback" not in process.stderr, process.stderr
    connected = ("MusicAPI", "Practice mode", "Library: ")  # printed by connect()
    # Two children that print at once may write both lines before both line ends.
    lines = filter(None, process.stdout.splitlines())
    return [line for line in lines if not line.startswith(connected)]


CALLS = (
    "api.run(BEAT)",
    "api.credits().result(20)",
    "api.download('http://127.0.0.1:9/a.mp3', folder)",
    "job.result(20)",
    "asyncio.run(wait(job))",
    "api.wait(mnb.Task(id='t', engine='sonic'))",
    "api.form()",
    "api.resume()",
)


def test_parents_session_is_refused_at_once(tmp_path: Path) -> None:
    *children, parent = output(
        f"""
        api = mnb.connect(simulator=Simulator(speed=1), library=folder)
        job = api.run(BEAT)
        async def wait(job):
            return await job
        for call in {CALLS!r}:
            in_child(lambda: eval(call))
        print(len(api.simulator.request_log.paid) <= 1, job.done())
        """,
        tmp_path,
    )
    for call, text, end in zip(CALLS, children[::2], children[1::2], strict=True):
        assert text.startswith("ClientClosed: a forked process cannot use its parent's session"), (
            call
        )
        assert "call connect() again" in text
        assert "paid for" not in text
        assert not text.endswith("slow")
        assert end == "ended 0"
    assert parent == "True False"


def test_child_connects_anew(tmp_path: Path) -> None:
    lines = output(
        """
        with EmbeddedSimulator(Simulator(speed=600)) as simulator:
            api = mnb.connect(simulator=simulator.url, library=folder)
            first = api.run(BEAT).result().id
            def again():
                other = mnb.connect(simulator=simulator.url, library=folder)
                bought = other.run(BEAT).result(), other.run(BEAT, take=2).result()
                return other is api, [task.id == first for task in bought]
            in_child(again)
            print(len(simulator.request_log.paid), len(api.library.entries()))
            print(mnb.connect(simulator=simulator.url, library=folder) is api)
        """,
        tmp_path,
    )
    assert lines == ["(False, [True, False])", "ended 0", "2 2", "True"]


def test_children_of_a_pool_connect_anew(tmp_path: Path) -> None:
    lines = output(
        """
        import multiprocessing
        api = mnb.connect()
        def buy(words):
            request = nuro.Instrumental(description=words, duration=30)
            try:
                return api.run(request)
            except MusicAPIError:
                return mnb.connect(simulator=Simulator(speed=600)).run(request).result().state
        with multiprocessing.get_context("fork").Pool(2) as pool:
            print(pool.map(buy, ["rain", "wind", "snow"]))
        """,
        tmp_path,
    )
    assert lines == [str(["succeeded"] * 3)]


def test_child_closes_what_its_parent_opened(tmp_path: Path) -> None:
    lines = output(
        """
        with EmbeddedSimulator(Simulator(speed=600)) as simulator:
            simulator.faults.arm("slow_reply", seconds=1e6)
            api = mnb.connect(simulator=simulator.url, library=folder)
            job = api.run(BEAT)
            while not simulator.request_log.posts:
                time.sleep(0.01)
            in_child(lambda: (api.close(), api.library.close(), "closed")[-1])
            print(job.done(), [entry.state for entry in api.library.entries()])
            simulator.clock.advance(2e6)
        """,
        tmp_path,
    )
    assert lines == ["closed", "ended 0", "False ['sending']"]


def test_client_under_way_can_be_closed_in_a_child(tmp_path: Path) -> None:
    lines = output(
        """
        import threading
        with EmbeddedSimulator(Simulator(speed=600)) as simulator:
            simulator.faults.arm("slow_reply", seconds=2400.0)
            api = mnb.MusicAPI("k" * 20, base_url=simulator.url, speed=600)
            buying = threading.Thread(target=lambda: asyncio.run(api.submit(BEAT)))
            buying.start()
            while not simulator.request_log.posts:
                time.sleep(0.01)
            in_child(lambda: asyncio.run(api.close()))
            buying.join()
            print(len(simulator.request_log.paid))
        """,
        tmp_path,
    )
    assert lines == ["None", "ended 0", "1"]
