"""Starting and stopping: on a loop, in a thread, and as a program."""

import asyncio
import gc
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from concurrent.futures import Future
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from musicapi_nb.simulator import EmbeddedSimulator, Simulator, embedded
from tests.simulator.caller import CREATE, Caller
from tests.stderr import lines_of

KEY = {"Authorization": "Bearer k"}


def ask(url: str) -> bytes:
    request = urllib.request.Request(f"{url}/api/v1/get-credits", headers=KEY)  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310 - loopback
        content: bytes = reply.read()
    return content


async def test_url_is_known_after_start() -> None:
    simulator = Simulator()
    with pytest.raises(RuntimeError, match="no address before"):
        _ = simulator.url
    async with simulator:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", simulator.url)
        assert simulator.url in repr(simulator)
        with pytest.raises(RuntimeError, match="already running"):
            await simulator.start()
    await simulator.stop()


async def test_restart_keeps_address_and_state() -> None:
    simulator = Simulator(speed=0)
    async with simulator, Caller(simulator, "k") as caller:
        task_id = await caller.submit(CREATE)
        where = simulator.url
    async with simulator, Caller(simulator, "k") as caller:
        assert simulator.url == where
        assert (await caller.get(f"sonic/task/{task_id}")).status == 202
        assert await caller.credits() == 980


async def test_port_in_use_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy_port:
        busy = Simulator(port=busy_port.getsockname()[1])
        with pytest.raises(OSError, match="ddress already in use"):
            await busy.start()
        assert not busy.running


async def test_stop_does_not_wait_for_idle_connections() -> None:
    simulator = Simulator(speed=0)
    await simulator.start()
    async with Caller(simulator, "k") as caller:
        await caller.credits()
        await asyncio.wait_for(simulator.stop(), 5)


@pytest.mark.parametrize("turns", range(6))
def test_stop_closes_a_connection_that_is_being_accepted(turns: int) -> None:
    async def connected() -> socket.socket:
        async with Simulator(speed=0) as simulator:
            client = socket.create_connection(("127.0.0.1", simulator.port))
            for _ in range(turns):
                await asyncio.sleep(0)
        return client

    with asyncio.run(connected()):
        gc.collect()  # an open connection would now cause a warning, which fails this test


def test_embedded_simulator_serves_blocking_clients() -> None:
    before = threading.active_count()
    with EmbeddedSimulator(Simulator(speed=0, balance=7)) as sim:
        assert b'"credits": 7' in ask(sim.url)
        sim.accounts.deposit("k", 5)
        sim.clock.advance(10)
        assert b'"extra_credits": 5' in ask(sim.url)
        assert sim.request_log.count("GET", "get-credits") == 2
    assert threading.active_count() == before
    with pytest.raises(OSError, match="refused"):
        ask(sim.url)


def test_embedded_simulator_restarts_and_stops_twice() -> None:
    before = threading.active_count()
    embedded = EmbeddedSimulator()
    first = embedded.start().url
    with pytest.raises(RuntimeError, match="already running"):
        embedded.start()
    embedded.stop()
    embedded.stop()
    assert embedded.start().url == first
    embedded.stop()
    assert threading.active_count() == before


def test_embedded_simulator_raises_port_in_use_in_the_caller() -> None:
    before = threading.active_count()
    with socket.create_server(("127.0.0.1", 0)) as busy_port:
        with pytest.raises(OSError, match="ddress already in use"):
            EmbeddedSimulator(Simulator(port=busy_port.getsockname()[1])).start()
        assert threading.active_count() == before


@pytest.mark.parametrize("late", [False, True])
def test_interrupt_while_an_embedded_simulator_starts_ends_its_thread(
    monkeypatch: pytest.MonkeyPatch, *, late: bool
) -> None:
    class Interrupted(Future[None]):
        def result(self, timeout: float | None = None) -> None:
            if late:
                super().result(timeout)
            raise KeyboardInterrupt

    before = threading.active_count()
    monkeypatch.setattr(embedded, "Future", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        EmbeddedSimulator(Simulator(speed=0)).start()
    assert threading.active_count() == before


def open_request(sim: Simulator, method: str, path: str, body: object = None) -> HTTPConnection:
    """Send a request whose reply is not read yet."""
    connection = HTTPConnection("127.0.0.1", sim.port, timeout=60)
    connection.request(method, path, json.dumps(body), KEY)
    return connection


def test_stop_during_rendering_and_a_slow_reply() -> None:
    before = threading.active_count()
    with EmbeddedSimulator(Simulator(speed=0)) as sim:
        song = {"type": "bgm", "description": "a long walk", "duration": 60}
        submitted = open_request(sim, "POST", "/api/v1/nuro/create", song)
        task_id = json.loads(submitted.getresponse().read())["task_id"]
        sim.clock.advance(600)
        polled = open_request(sim, "GET", f"/api/v1/nuro/task/{task_id}")
        link = urlsplit(json.loads(polled.getresponse().read())["audio_url"]).path
        sim.faults.arm("slow")
        waiting = [open_request(sim, "GET", "/api/v1/get-credits"), open_request(sim, "GET", link)]
        while sim.request_log.total < 4:
            threading.Event().wait(0.001)
    for connection in (submitted, polled, *waiting):
        connection.close()
    assert threading.active_count() == before
    gc.collect()  # an open connection would now cause a warning, which fails this test


def test_stop_while_a_client_does_not_read() -> None:
    with EmbeddedSimulator(Simulator(speed=0)) as sim:
        song = {"type": "bgm", "description": "a long walk", "duration": 60}
        submitted = open_request(sim, "POST", "/api/v1/nuro/create", song)
        task_id = json.loads(submitted.getresponse().read())["task_id"]
        sim.clock.advance(600)
        polled = open_request(sim, "GET", f"/api/v1/nuro/task/{task_id}")
        link = urlsplit(json.loads(polled.getresponse().read())["audio_url"]).path
        listener = open_request(sim, "GET", link)
        assert listener.getresponse().status == 200  # megabytes follow, unread
    for connection in (submitted, polled, listener):
        connection.close()
    gc.collect()


RUN = [sys.executable, "-X", "dev", "-W", "error", "-m", "musicapi_nb.simulator"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_standalone_simulator_prints_its_address_and_ends_on_signal(number: signal.Signals) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows cannot send a signal to one process")
    command = [*RUN, "--port", "0", "--speed", "600", "--balance", "77", "--seed", "5"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = process.stdout.readline().strip()
        try:
            assert b'"credits": 77' in ask(url)
        finally:
            process.send_signal(number)
        assert process.wait(20) == 0
        assert lines_of(process.stderr.read()) == []


def test_python_exits_silently_while_it_runs() -> None:
    code = (
        "from musicapi_nb.simulator import EmbeddedSimulator\n"
        "print(EmbeddedSimulator().start().url)\n"
    )
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert (done.returncode, lines_of(done.stderr)) == (0, [])
    assert done.stdout.startswith("http://127.0.0.1:")


def test_import_loads_no_pandas_matplotlib_or_ipywidgets() -> None:
    code = (
        "import sys, musicapi_nb.simulator\n"
        "print(sorted({'pandas', 'matplotlib', 'ipywidgets'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert os.environ.get("MUSICAPI_KEY") is None
