"""Tests of connect() to a standalone simulator, over real HTTP."""

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

_REQUEST = lyrics.Make(description="a lighthouse keeper who collects echoes")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("MUSICAPI_KEY", raising=False)
    monkeypatch.delenv("MUSICAPI_SIMULATOR", raising=False)


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with EmbeddedSimulator(Simulator(speed=2500, balance=50)) as simulator:
        yield simulator


def test_one_simulator_serves_several_sessions(simulator: Simulator) -> None:
    first = mnb.connect(simulator=simulator.url)
    try:
        assert first.simulated
        assert first.simulator is None
        assert first.base_url == simulator.url
        assert simulator.url in first.description
        assert first._client.speed == 2500
        first.run(_REQUEST).result()
        assert mnb.connect(simulator=simulator.url) is first
    finally:
        first.close()
    again = mnb.connect(simulator=simulator.url)
    try:
        assert again.run(_REQUEST).result().bought_before
        assert again.credits().result().total == 48
    finally:
        again.close()


def test_default_library_is_named_after_the_address(simulator: Simulator, tmp_path: Path) -> None:
    api = mnb.connect(simulator=simulator.url)
    api.close()
    assert [path.name for path in tmp_path.iterdir()] == [
        f"musicapi-library-127.0.0.1-{simulator.port}"
    ]


def test_environment_simulator_takes_precedence_over_a_key(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MUSICAPI_SIMULATOR", simulator.url)
    monkeypatch.setenv("MUSICAPI_KEY", "sk-unused-key-0001")
    api = mnb.connect()
    try:
        assert api.simulated
        assert "Practice mode" in capsys.readouterr().out
        assert api.credits().result().total == 50
        recent = simulator.request_log.recent
        (request,) = (entry for entry in recent if entry.path.endswith("credits"))
        assert "unused-key" not in str(request.headers)
    finally:
        api.close()


@pytest.mark.parametrize(
    "arguments",
    [{"key": "sk-some-key-0001"}, {"key": "sk-some-key-0001", "base_url": "https://example.com"}],
    ids=["key", "host"],
)
def test_arguments_take_precedence_over_the_environment(
    arguments: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSICAPI_SIMULATOR", "http://127.0.0.1:1")
    api = mnb.connect(**arguments)  # type: ignore[arg-type]  # mypy takes any value for any name
    try:
        assert not api.simulated
    finally:
        api.close()


def test_unreachable_simulator_error_shows_how_to_start_one() -> None:
    before = threading.active_count()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(Unreachable, match=r"python -m musicapi_nb\.simulator"):
        mnb.connect(simulator=f"http://127.0.0.1:{port}")
    assert threading.active_count() == before


@pytest.mark.parametrize(
    "body",
    [b"<html>hello</html>", {"speed": 60}, ["simulator"], {"simulator": "x", "speed": 0}, b""],
    ids=["page", "no name", "list", "speed 0", "empty"],
)
async def test_other_server_is_not_accepted_as_a_simulator(body: object) -> None:
    async with peer(answers(reply(body))) as server:
        with pytest.raises(UnexpectedReply, match="not a musicapi_nb simulator"):
            await asyncio.to_thread(lambda: mnb.connect(simulator=server.url))


@pytest.mark.parametrize("address", ["elsewhere", "http://192.0.2.1:8765", "ftp://127.0.0.1"])
def test_malformed_address_raises(address: str) -> None:
    with pytest.raises(InvalidRequest, match="base_url"):
        mnb.connect(simulator=address)


def test_simulator_with_base_url_raises(simulator: Simulator) -> None:
    with pytest.raises(InvalidRequest, match="has its own address"):
        mnb.connect(simulator=simulator.url, base_url="https://example.com")
