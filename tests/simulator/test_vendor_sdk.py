"""The vendor's SDK, unchanged, against the simulator, as an independent check.

The simulated clock advances with every reply, which keeps the SDK's waits short.
"""

from collections.abc import Iterator

import httpx
import musicapi
import pytest
from musicapi import (
    CreatePersonaParams,
    PollOptions,
    SonicCreateParams,
    SonicLyricsParams,
    SonicUploadParams,
    StudioCreateParams,
)

from musicapi_nb.simulator import EmbeddedSimulator, Simulator

FAST = PollOptions(poll_interval_ms=1, timeout_ms=20_000)
CREATE = SonicCreateParams(
    custom_mode=False, mv="sonic-v5", gpt_description_prompt="uplifting synthwave"
)
STUDIO = StudioCreateParams(
    prompt="Boats at a harbour, spy jazz, bossa nova",
    lyrics_type="generate",
    prompt_strength=0.5,
    clarity_strength=0.25,
    lyrics_strength=0.5,
    generation_quality=0.75,
    model_type="studio130-v1.5",
    config={"mode": "regular"},
)


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with EmbeddedSimulator(Simulator(speed=0, seconds=(3, 4))) as simulator:
        yield simulator


def client_of(sim: Simulator, key: str = "sdk-key") -> musicapi.MusicAPI:
    def advance(_: httpx.Response) -> None:
        sim.clock.advance(8)

    http = httpx.Client(event_hooks={"response": [advance]}, timeout=30)
    return musicapi.MusicAPI(key, base_url=f"{sim.url}/api/v1", http_client=http)


@pytest.fixture
def client(sim: Simulator) -> Iterator[musicapi.MusicAPI]:
    with client_of(sim) as vendor_client:
        yield vendor_client


def test_create_and_wait_returns_at_the_first_200_with_unfinished_clips(
    client: musicapi.MusicAPI,
) -> None:
    result = client.sonic.generate_and_wait(CREATE, FAST)
    assert result.code == 200
    assert [song.state for song in result.data] == ["pending", "pending"]


def test_create_and_wait_returns_songs_if_unfinished_clips_are_hidden(
    sim: Simulator, client: musicapi.MusicAPI
) -> None:
    sim.reply_options.sonic_unfinished = "not_ready"
    result = client.sonic.generate_and_wait(CREATE, FAST)
    assert [song.state for song in result.data] == ["succeeded", "succeeded"]
    for song in result.data:
        assert song.title
        assert song.tags
        assert song.audio_url
        assert httpx.get(song.audio_url).headers["content-type"] == "audio/mpeg"
    assert sim.request_log.count("POST", "/sonic/create") == 1


def test_create_then_poll_by_hand(client: musicapi.MusicAPI) -> None:
    submitted = client.sonic.create(CREATE)
    assert submitted.message == "success"
    first = client.sonic.get_task(submitted.task_id)
    assert (first.code, first.data) == (202, [])
    last = first
    for _ in range(60):
        last = client.sonic.get_task(submitted.task_id)
    assert {song.state for song in last.data} == {"succeeded"}


@pytest.mark.parametrize("unfinished", ["null", "empty", "songs"])
def test_studio_create_and_wait(sim: Simulator, client: musicapi.MusicAPI, unfinished: str) -> None:
    sim.reply_options.studio_unfinished = unfinished  # type: ignore[assignment]
    result = client.studio.generate_and_wait(STUDIO, FAST)
    assert result.data is not None
    assert (result.code, result.data.status, result.data.progress) == ("success", "SUCCESS", "100%")
    songs = result.data.songs or []
    assert [song.finished for song in songs] == [True, True]
    assert all(song.song_path and song.title and song.duration for song in songs)


def test_lyrics(client: musicapi.MusicAPI) -> None:
    result = client.sonic.lyrics(SonicLyricsParams(description="a kettle on a rainy day"))
    assert (result.code, result.message, len(result.results)) == (200, "success", 2)


def test_credits(sim: Simulator, client: musicapi.MusicAPI) -> None:
    sim.accounts.open("sdk-key", credits=40, extra_credits=2)
    client.sonic.create(CREATE)
    balance = client.credits.get()
    assert (balance.credits, balance.extra_credits) == (22, 0)


def test_upload_persona_cover(sim: Simulator, client: musicapi.MusicAPI) -> None:
    uploaded = client.sonic.upload(SonicUploadParams(url="https://example.org/my-tune.mp3"))
    cover = client.sonic.create(
        SonicCreateParams(
            task_type="cover_upload_music",
            custom_mode=True,
            prompt="[Verse]\nla",
            mv="sonic-v4-5",
            continue_clip_id=uploaded.clip_id,
        )
    )
    sim.clock.advance(600)
    clip = client.sonic.get_task(cover.task_id).data[0]
    assert clip.clip_id is not None
    persona = client.sonic.create_persona(CreatePersonaParams(name="Ada", clip_id=clip.clip_id))
    assert persona.persona_id


def test_sdk_errors_parse_our_error_bodies(sim: Simulator, client: musicapi.MusicAPI) -> None:
    with pytest.raises(musicapi.MusicAPIError, match="custom_mode") as refused:
        client.sonic.create(SonicCreateParams())
    assert (refused.value.status, refused.value.code) == (400, "validation_error")
    assert (refused.value.request_id or "").startswith("sim-")
    sim.accounts.open("poor", credits=1)
    with client_of(sim, "poor") as poor, pytest.raises(musicapi.MusicAPIError) as broke:
        poor.sonic.create(CREATE)
    assert broke.value.is_credit_error
    sim.reply_options.sonic_failure = "api_error"
    sim.faults.arm("task_fails", message="no voice left")
    sim.reply_options.sonic_unfinished = "not_ready"
    with pytest.raises(musicapi.MusicAPIError, match="no voice left") as failed:
        client.sonic.generate_and_wait(CREATE, FAST)
    assert failed.value.code == "api_error"
