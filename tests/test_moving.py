"""What the pages on moving over say of others: their code runs, and does what we say it does."""

import re
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
THEIRS = SonicCreateParams(
    custom_mode=False, mv="sonic-v5", gpt_description_prompt="rain, slow jazz"
)
OURS = sonic.Create(custom_mode=False, mv="sonic-v5", gpt_description_prompt="rain, slow jazz")
THEIR_STUDIO = StudioCreateParams(
    prompt="spy jazz",
    lyrics_type="generate",
    prompt_strength=0.5,
    clarity_strength=0.25,
    lyrics_strength=0.5,
    generation_quality=0.75,
    model_type="studio130-v1.5",
    config={"mode": "regular"},
)
OUR_STUDIO = studio.Description(prompt="spy jazz", model_type="studio130-v1.5")


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with EmbeddedSimulator(Simulator(speed=0, balance=10_000, seconds=(1.0, 1.2))) as simulator:
        yield simulator


@pytest.fixture(autouse=True)
def _waits_pass_in_the_simulator(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", sim.clock.advance)


@pytest.fixture
def theirs(sim: Simulator) -> Iterator[musicapi.MusicAPI]:
    with musicapi.MusicAPI("their-key", base_url=f"{sim.url}/api/v1") as client:
        yield client


def ours(sim: Simulator) -> MusicAPI:
    return MusicAPI("our-own-key-0001", base_url=sim.url, speed=1000, pace=0)


def _code(page: str, title: str) -> str:
    text = (PAGES / page).read_text(encoding="utf-8")
    blocks = re.findall(rf'^```python title="{title}"\n(.*?)^```', text, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 4
    return "\n".join(blocks)


def test_the_vendors_blocks_run_as_they_stand(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sim.reply_options.sonic_unfinished = "not_ready"  # else it returns before there are songs
    here = partial(musicapi.MusicAPI, base_url=f"{sim.url}/api/v1")
    monkeypatch.setattr(musicapi, "MusicAPI", here)
    scope: dict[str, Any] = {}

    exec(compile(_code("sdk.md", "musicapi-sdk"), "sdk.md", "exec"), scope)  # noqa: S102 - our page

    scope["client"].close()
    printed = capsys.readouterr().out
    assert f"{sim.url}/media/" in printed
    assert "400 validation_error" in printed
    assert len(sim.request_log.paid) == 6


def test_the_script_with_requests_runs_as_it_stands(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MUSICAPI_KEY", "a-key-of-the-simulator")
    code = _code("requests.md", "requests").replace("https://api.musicapi.ai", sim.url)
    scope: dict[str, Any] = {}

    exec(compile(code, "requests.md", "exec"), scope)  # noqa: S102 - our page

    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".mp3", ".mp3"]
    assert len(scope["frame"]) == 2


async def test_a_lost_reply_is_paid_for_four_times_by_the_sdk_and_once_by_us(
    sim: Simulator, theirs: musicapi.MusicAPI
) -> None:
    sim.faults.arm("lost_reply", times=None)
    with pytest.raises(musicapi.MusicAPIError):
        theirs.sonic.create(THEIRS)
    assert len(sim.request_log.paid) == 4

    async with ours(sim) as api:
        with pytest.raises(LostReply):
            await api.submit(OURS)
    assert len(sim.request_log.paid) == 5


async def test_an_error_after_the_charge_is_paid_for_four_times_by_the_sdk_and_once_by_us(
    sim: Simulator, theirs: musicapi.MusicAPI
) -> None:
    sim.faults.arm("error_after", times=None)
    with pytest.raises(musicapi.MusicAPIError):
        theirs.sonic.create(THEIRS)
    assert len(sim.request_log.paid) == 4

    async with ours(sim) as api:
        with pytest.raises(MusicAPIError) as raised:
            await api.submit(OURS)
    assert raised.value.may_have_cost
    assert len(sim.request_log.paid) == 5


async def test_the_sdk_returns_while_clips_are_pending_and_we_wait(
    sim: Simulator, theirs: musicapi.MusicAPI
) -> None:
    result = theirs.sonic.generate_and_wait(THEIRS)
    assert {song.state for song in result.data} != {"succeeded"}

    sim.clock.speed = 1000
    async with ours(sim) as api:
        task = await api.run(OURS)
    assert [song.state for song in task.songs] == ["succeeded", "succeeded"]


async def test_the_sdk_waits_out_a_failed_studio_task_and_we_say_why(
    sim: Simulator, theirs: musicapi.MusicAPI
) -> None:
    sim.faults.arm("task_fails", message="no voice left", times=2)
    patience = PollOptions(poll_interval_ms=1, timeout_ms=300)
    sim.clock.speed = 1000
    with pytest.raises(musicapi.MusicAPIError) as raised:
        theirs.studio.generate_and_wait(THEIR_STUDIO, patience)
    assert raised.value.code == "client_timeout"

    async with ours(sim) as api:
        task = await api.run(OUR_STUDIO)
    assert (task.state, task.fail_reason) == ("failed", "no voice left")


async def test_a_wait_that_ends_early_leaves_the_sdk_words_and_us_the_task(
    sim: Simulator, theirs: musicapi.MusicAPI
) -> None:
    sim.faults.arm("stuck", times=2)
    sim.reply_options.sonic_unfinished = "not_ready"
    with pytest.raises(musicapi.MusicAPIError, match=r"/sonic/task/") as raised:
        theirs.sonic.generate_and_wait(THEIRS, PollOptions(poll_interval_ms=1, timeout_ms=1))
    assert (raised.value.code, raised.value.response_body) == ("client_timeout", None)

    sim.clock.speed = 1000
    async with ours(sim) as api:
        with pytest.raises(WaitTimeout) as ended:
            await api.run(OURS, deadline=60)
    charge = sim.request_log.paid[-1].charge
    assert charge is not None
    assert ended.value.task.id == charge.task_id


async def test_the_sdk_drops_replaced_tags_and_we_make_a_table_of_them(
    sim: Simulator, theirs: musicapi.MusicAPI
) -> None:
    result = theirs.studio.generate_and_wait(THEIR_STUDIO)
    assert result.data is not None
    assert result.data.songs
    assert not hasattr(result.data.songs[0], "replaced_tags")

    sim.clock.speed = 1000
    async with ours(sim) as api:
        task = await api.run(OUR_STUDIO)
    assert len(mnb.replaced_tags_frame(task))


async def test_a_key_more_in_the_reply_breaks_the_sdk_after_paying(
    sim: Simulator, theirs: musicapi.MusicAPI
) -> None:
    sim.faults.arm("extra_keys", method="POST", times=2)
    with pytest.raises(TypeError):
        theirs.sonic.create(THEIRS)
    assert len(sim.request_log.paid) == 1

    async with ours(sim) as api:
        assert (await api.submit(OURS)).id


async def test_every_403_is_a_credit_error_to_the_sdk(
    sim: Simulator, theirs: musicapi.MusicAPI
) -> None:
    sim.faults.arm("refused_content", times=2)
    with pytest.raises(musicapi.MusicAPIError) as raised:
        theirs.sonic.create(THEIRS)
    assert raised.value.is_credit_error

    async with ours(sim) as api:
        with pytest.raises(ContentRefused):
            await api.submit(OURS)
