"""The migration pages: their code runs, and other clients behave as described."""

import re
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import musicapi
import pytest
from musicapi import PollOptions, SonicCreateParams, StudioCreateParams

import musicapi_nb as mnb
from musicapi_nb import MusicAPI, sonic, studio
from musicapi_nb.errors import ContentRefused, LostReply, MusicAPIError, WaitTimeout
from musicapi_nb.simulator import EmbeddedSimulator, Simulator

PAGES = Path(__file__).parents[1] / "docs" / "moving"
SDK_SONG = SonicCreateParams(
    custom_mode=False, mv="sonic-v5", gpt_description_prompt="rain, slow jazz"
)
SONG = sonic.Create(custom_mode=False, mv="sonic-v5", gpt_description_prompt="rain, slow jazz")
SDK_STUDIO = StudioCreateParams(
    prompt="spy jazz",
    lyrics_type="generate",
    prompt_strength=0.5,
    clarity_strength=0.25,
    lyrics_strength=0.5,
    generation_quality=0.75,
    model_type="studio130-v1.5",
    config={"mode": "regular"},
)
STUDIO = studio.Description(prompt="spy jazz", model_type="studio130-v1.5")


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with EmbeddedSimulator(Simulator(speed=0, balance=10_000, seconds=(1.0, 1.2))) as simulator:
        yield simulator


@pytest.fixture(autouse=True)
def _sleep_in_simulated_time(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    test_thread, really_sleep = threading.current_thread(), time.sleep

    def sleep(seconds: float) -> None:
        """Advance the clock in the thread of the test; another one must not move it."""
        in_test = threading.current_thread() is test_thread
        (sim.clock.advance if in_test else really_sleep)(seconds)

    monkeypatch.setattr(time, "sleep", sleep)


@pytest.fixture
def sdk_client(sim: Simulator) -> Iterator[musicapi.MusicAPI]:
    with musicapi.MusicAPI("their-key", base_url=f"{sim.url}/api/v1") as client:
        yield client


def our_client(sim: Simulator) -> MusicAPI:
    return MusicAPI("our-own-key-0001", base_url=sim.url, speed=1000, pace=0)


def _code(page: str, title: str) -> str:
    text = (PAGES / page).read_text(encoding="utf-8")
    blocks = re.findall(rf'^```python title="{title}"\n(.*?)^```', text, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 4
    return "\n".join(blocks)


def test_sdk_examples_run_unchanged(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sim.reply_options.sonic_unfinished = "not_ready"  # otherwise it returns before there are songs
    local_client = partial(musicapi.MusicAPI, base_url=f"{sim.url}/api/v1")
    monkeypatch.setattr(musicapi, "MusicAPI", local_client)
    scope: dict[str, Any] = {}

    exec(compile(_code("sdk.md", "musicapi-sdk"), "sdk.md", "exec"), scope)  # noqa: S102 - our page

    scope["client"].close()
    printed = capsys.readouterr().out
    assert f"{sim.url}/media/" in printed
    assert "400 validation_error" in printed
    assert len(sim.request_log.paid) == 6


def test_requests_script_runs_unchanged(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MUSICAPI_KEY", "a-key-of-the-simulator")
    code = _code("requests.md", "requests").replace("https://api.musicapi.ai", sim.url)
    scope: dict[str, Any] = {}

    exec(compile(code, "requests.md", "exec"), scope)  # noqa: S102 - our page

    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".mp3", ".mp3"]
    assert len(scope["frame"]) == 2


async def test_lost_reply_costs_the_sdk_four_times(
    sim: Simulator, sdk_client: musicapi.MusicAPI
) -> None:
    sim.faults.arm("lost_reply", times=None)
    with pytest.raises(musicapi.MusicAPIError):
        sdk_client.sonic.create(SDK_SONG)
    assert len(sim.request_log.paid) == 4

    async with our_client(sim) as api:
        with pytest.raises(LostReply):
            await api.submit(SONG)
    assert len(sim.request_log.paid) == 5


async def test_error_after_charge_costs_the_sdk_four_times(
    sim: Simulator, sdk_client: musicapi.MusicAPI
) -> None:
    sim.faults.arm("error_after", times=None)
    with pytest.raises(musicapi.MusicAPIError):
        sdk_client.sonic.create(SDK_SONG)
    assert len(sim.request_log.paid) == 4

    async with our_client(sim) as api:
        with pytest.raises(MusicAPIError) as raised:
            await api.submit(SONG)
    assert raised.value.may_have_cost
    assert len(sim.request_log.paid) == 5


async def test_sdk_returns_pending_clips(sim: Simulator, sdk_client: musicapi.MusicAPI) -> None:
    result = sdk_client.sonic.generate_and_wait(SDK_SONG)
    assert {song.state for song in result.data} != {"succeeded"}

    sim.clock.speed = 1000
    async with our_client(sim) as api:
        task = await api.run(SONG)
    assert [song.state for song in task.songs] == ["succeeded", "succeeded"]


async def test_sdk_does_not_see_a_failed_studio_task(
    sim: Simulator, sdk_client: musicapi.MusicAPI
) -> None:
    sim.faults.arm("task_fails", message="no voice left", times=2)
    patience = PollOptions(poll_interval_ms=1, timeout_ms=300)
    sim.clock.speed = 1000
    with pytest.raises(musicapi.MusicAPIError) as raised:
        sdk_client.studio.generate_and_wait(SDK_STUDIO, patience)
    assert raised.value.code == "client_timeout"

    async with our_client(sim) as api:
        task = await api.run(STUDIO)
    assert (task.state, task.fail_reason) == ("failed", "no voice left")


async def test_our_wait_timeout_has_the_task(sim: Simulator, sdk_client: musicapi.MusicAPI) -> None:
    sim.faults.arm("stuck", times=2)
    sim.reply_options.sonic_unfinished = "not_ready"
    with pytest.raises(musicapi.MusicAPIError, match=r"/sonic/task/") as raised:
        sdk_client.sonic.generate_and_wait(SDK_SONG, PollOptions(poll_interval_ms=1, timeout_ms=1))
    assert (raised.value.code, raised.value.response_body) == ("client_timeout", None)

    sim.clock.speed = 1000
    async with our_client(sim) as api:
        with pytest.raises(WaitTimeout) as ended:
            await api.run(SONG, deadline=60)
    charge = sim.request_log.paid[-1].charge
    assert charge is not None
    assert ended.value.task.id == charge.task_id


async def test_sdk_drops_replaced_tags(sim: Simulator, sdk_client: musicapi.MusicAPI) -> None:
    result = sdk_client.studio.generate_and_wait(SDK_STUDIO)
    assert result.data is not None
    assert result.data.songs
    assert not hasattr(result.data.songs[0], "replaced_tags")

    sim.clock.speed = 1000
    async with our_client(sim) as api:
        task = await api.run(STUDIO)
    assert len(mnb.replaced_tags_frame(task))


async def test_unknown_field_breaks_the_sdk(sim: Simulator, sdk_client: musicapi.MusicAPI) -> None:
    sim.faults.arm("extra_keys", method="POST", times=2)
    with pytest.raises(TypeError):
        sdk_client.sonic.create(SDK_SONG)
    assert len(sim.request_log.paid) == 1

    async with our_client(sim) as api:
        assert (await api.submit(SONG)).id


async def test_sdk_reports_every_403_as_credits(
    sim: Simulator, sdk_client: musicapi.MusicAPI
) -> None:
    sim.faults.arm("refused_content", times=2)
    with pytest.raises(musicapi.MusicAPIError) as raised:
        sdk_client.sonic.create(SDK_SONG)
    assert raised.value.is_credit_error

    async with our_client(sim) as api:
        with pytest.raises(ContentRefused):
            await api.submit(SONG)
