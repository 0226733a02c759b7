"""connect() to a simulator that runs by itself and outlives the kernel, over real HTTP."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import musicapi_nb as mnb
from musicapi_nb import lyrics
from musicapi_nb.errors import InvalidRequest, UnexpectedReply, Unreachable
from musicapi_nb.simulator import EmbeddedSimulator, Simulator
from tests.raw_http_server import answers, peer, reply

_WORDS = lyrics.Make(description="a lighthouse keeper who collects echoes")


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MUSICAPI_KEY", raising=False)
    monkeypatch.delenv("MUSICAPI_SIMULATOR", raising=False)


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with EmbeddedSimulator(Simulator(speed=2500, balance=50)) as simulator:
        yield simulator


def test_one_simulator_serves_several_handles_that_come_and_go(simulator: Simulator) -> None:
    first = mnb.connect(simulator=simulator.url)
    try:
        assert first.simulated
        assert first.simulator is None
        assert first.base_url == simulator.url
        assert simulator.url in first.description
        assert first._client.speed == 2500
        first.run(_WORDS).result()
        assert mnb.connect(simulator=simulator.url) is first
    finally:
        first.close()
    again = mnb.connect(simulator=simulator.url)
    try:
        assert again.run(_WORDS).result().bought_before
        assert again.credits().result().total == 48
    finally:
        again.close()


def test_it_has_a_library_of_its_own_because_its_songs_outlive_the_kernel(
    simulator: Simulator, tmp_path: Path
) -> None:
    api = mnb.connect(simulator=simulator.url)
    api.close()
    assert [path.name for path in tmp_path.iterdir()] == [
        f"musicapi-library-127.0.0.1-{simulator.port}"
    ]


def test_the_environment_names_it_and_goes_before_a_key_that_would_pay(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MUSICAPI_SIMULATOR", simulator.url)
    monkeypatch.setenv("MUSICAPI_KEY", "sk-not-to-be-used-0001")
    api = mnb.connect()
    try:
        assert api.simulated
        assert "nothing is paid" in capsys.readouterr().out
        assert api.credits().result().total == 50
        (asked,) = (each for each in simulator.request_log.recent if each.path.endswith("credits"))
        assert "not-to-be-used" not in str(asked.headers)
    finally:
        api.close()


@pytest.mark.parametrize(
    "given",
    [{"key": "sk-some-key-0001"}, {"key": "sk-some-key-0001", "base_url": "https://example.com"}],
    ids=["key", "host"],
)
def test_what_is_said_in_the_call_goes_before_the_environment(
    given: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSICAPI_SIMULATOR", "http://127.0.0.1:1")
    api = mnb.connect(**given)  # type: ignore[arg-type]  # mypy takes any value for any name
    try:
        assert not api.simulated
    finally:
        api.close()


def test_where_nothing_listens_it_says_how_to_start_one() -> None:
    before = threading.active_count()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(Unreachable, match=r"python -m musicapi_nb\.simulator"):
        mnb.connect(simulator=f"http://127.0.0.1:{port}")
    assert threading.active_count() == before


@pytest.mark.parametrize(
    "body",
    [b"<html>hello</html>", {"speed": 60}, ["simulator"], {"simulator": "x", "speed": 0}, b""],
    ids=["page", "something else", "list", "stands still", "nothing"],
)
async def test_what_is_no_simulator_is_not_taken_for_one(body: object) -> None:
    async with peer(answers(reply(body))) as here:
        with pytest.raises(UnexpectedReply, match="no simulator"):
            await asyncio.to_thread(lambda: mnb.connect(simulator=here.url))


@pytest.mark.parametrize("address", ["elsewhere", "http://192.0.2.1:8765", "ftp://127.0.0.1"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidRequest, match="base_url"):
        mnb.connect(simulator=address)


def test_a_simulator_and_another_host_contradict_each_other(simulator: Simulator) -> None:
    with pytest.raises(InvalidRequest, match="brings its own address"):
        mnb.connect(simulator=simulator.url, base_url="https://example.com")
