"""Every public method of the vendor's SDK, unchanged, against the simulator."""

import contextlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import httpx
import musicapi as sdk
import pytest

from musicapi_nb.simulator import EmbeddedSimulator, Simulator
from tests.simulator.test_vendor_sdk import CREATE, FAST, STUDIO, client_of

URL = "https://example.org/my-tune.mp3"
SUNG = sdk.SonicCreateParams(custom_mode=True, mv="sonic-v5", prompt="[Verse]\nla la la\nlo lo")
RIFFUSION = sdk.RiffusionCreateParams(custom_mode=False, prompt="surf rock", mv="FUZZ-1.1")
PRODUCER = sdk.ProducerCreateParams(sound="deep house", length=3, seed=7)


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    simulator = Simulator(speed=0, seconds=(3, 4), balance=100_000)
    simulator.reply_options.sonic_unfinished = "not_ready"  # else the SDK returns early
    simulator.reply_options.riffusion_unfinished = "clips"
    with EmbeddedSimulator(simulator) as running:
        yield running


@pytest.fixture(scope="module")
def client(sim: Simulator) -> Iterator[sdk.MusicAPI]:
    with client_of(sim) as vendor_client:
        yield vendor_client


@pytest.fixture(scope="module")
def clips(client: sdk.MusicAPI) -> list[str]:
    return [song.clip_id for song in client.sonic.generate_and_wait(SUNG, FAST).data]


Usage = Callable[[sdk.MusicAPI, list[str]], Any]
COVERED: dict[str, Usage] = {}


def covers(method: str) -> Callable[[Usage], Usage]:
    def register(function: Usage) -> Usage:
        COVERED[method] = function
        return function

    return register


def finished_task(client: sdk.MusicAPI, task_id: str | None) -> Any:
    assert task_id
    for _ in range(60):
        result = client.sonic.get_task(task_id)
        if result.code == 200:
            return result
    raise AssertionError("the task never finished")


def check_songs(result: Any) -> None:
    """Check that a result holds songs whose audio can be fetched."""
    assert result.code == 200
    assert result.data
    for song in result.data:
        assert song.state == "succeeded"
    assert httpx.get(result.data[-1].audio_url).headers["content-type"].startswith("audio/")


@covers("sonic.create")
@covers("sonic.get_task")
def _created(client: sdk.MusicAPI, clips: list[str]) -> None:
    for params in (
        sdk.SonicCreateParams(task_type="remaster", mv="sonic-v5", continue_clip_id=clips[0]),
        sdk.SonicCreateParams(
            task_type="add_instrumental", mv="sonic-v5", continue_clip_id=clips[0]
        ),
    ):
        check_songs(finished_task(client, client.sonic.create(params).task_id))


@covers("sonic.generate_and_wait")
def _generated(client: sdk.MusicAPI, _: list[str]) -> None:
    check_songs(client.sonic.generate_and_wait(CREATE, FAST))


@covers("sonic.lyrics")
def _lyrics(client: sdk.MusicAPI, _: list[str]) -> None:
    reply = client.sonic.lyrics(sdk.SonicLyricsParams(description="a kettle on a rainy day"))
    assert [bool(word["lyrics"]) for word in reply.results] == [True, True]


@covers("sonic.aligned_lyrics")
def _aligned(client: sdk.MusicAPI, clips: list[str]) -> None:
    words = client.sonic.aligned_lyrics(sdk.AlignedLyricsParams(clips[0])).data["alignment"]
    assert [word["word"].split()[-1] for word in words] == ["la", "la", "la", "lo", "lo"]


@covers("sonic.bpm")
def _bpm(client: sdk.MusicAPI, clips: list[str]) -> None:
    tempo = client.sonic.bpm(sdk.BpmParams(clips[0])).data
    assert tempo["min_bpm"] <= tempo["avg_bpm"] <= tempo["max_bpm"]


@covers("sonic.upsample_tags")
def _upsampled(client: sdk.MusicAPI, _: list[str]) -> None:
    tags = client.sonic.upsample_tags(sdk.UpsampleTagsParams("surf rock")).data["upsampled_tags"]
    assert tags.startswith("surf rock, ")


@covers("sonic.create_voice")
def _voice(client: sdk.MusicAPI, _: list[str]) -> None:
    ack = client.sonic.create_voice(sdk.CreateVoiceParams(audio_url=URL))
    assert ack.warning
    # The SDK parses songs only; a finished voice is an object, which it cannot parse.
    with pytest.raises(AttributeError):
        finished_task(client, ack.task_id)


@covers("sonic.create_persona")
@covers("sonic.vox")
def _persona(client: sdk.MusicAPI, clips: list[str]) -> None:
    vox = client.sonic.vox(sdk.VoxParams(clips[0], vocal_start_s=0, vocal_end_s=2)).data
    assert (vox["source_clip_id"], vox["vocal_end_s"]) == (clips[0], 2)
    persona = client.sonic.create_persona(
        sdk.CreatePersonaParams("Ada", clips[0], vox_audio_id=vox["vox_audio_id"])
    )
    assert persona.persona_id


@covers("sonic.midi")
def _midi(client: sdk.MusicAPI, clips: list[str]) -> None:
    for _ in range(10):
        reply = client.sonic.midi(sdk.MidiParams(clips[0]))
        if reply.code == 200:
            break
        assert reply.data["midi_url"] == "generating midi..."
    assert httpx.get(reply.data["midi_url"]).content.startswith(b"MThd")
    assert reply.data["instruments"][0]["notes"]


@covers("sonic.wav")
def _wav(client: sdk.MusicAPI, clips: list[str]) -> None:
    reply = client.sonic.wav(sdk.WavParams(clips[0]))
    while reply.message != "success":
        reply = client.sonic.wav(sdk.WavParams(clips[0]))
    assert httpx.get(reply.data["wav_url"]).content.startswith(b"RIFF")


@covers("sonic.stems_basic")
@covers("sonic.stems_basic_and_wait")
def _basic(client: sdk.MusicAPI, clips: list[str]) -> None:
    assert client.sonic.stems_basic(sdk.StemsParams(clips[0])).task_id
    check_songs(client.sonic.stems_basic_and_wait(sdk.StemsParams(clips[0]), FAST))


@covers("sonic.stems_full")
@covers("sonic.stems_full_and_wait")
def _full(client: sdk.MusicAPI, clips: list[str]) -> None:
    assert client.sonic.stems_full(sdk.StemsParams(clips[0])).task_id
    result = client.sonic.stems_full_and_wait(sdk.StemsParams(clips[0]), FAST)
    assert len(result.data) == 24


@covers("sonic.mashup")
@covers("sonic.mashup_and_wait")
def _mashup(client: sdk.MusicAPI, clips: list[str]) -> None:
    params = sdk.MashupParams((clips[0], clips[1]), custom_mode=False, mv="sonic-v5")
    assert client.sonic.mashup(params).task_id
    check_songs(client.sonic.mashup_and_wait(params, FAST))


@covers("sonic.replace_section")
@covers("sonic.replace_section_and_wait")
def _section(client: sdk.MusicAPI, clips: list[str]) -> None:
    params = sdk.ReplaceSectionParams(clips[0], "sonic-v5", 1, 2, infill_lyrics="[Bridge]\noh")
    assert client.sonic.replace_section(params).task_id
    check_songs(client.sonic.replace_section_and_wait(params, FAST))


@covers("sonic.sample")
def _sample(client: sdk.MusicAPI, clips: list[str]) -> None:
    for source in ({"sample_clip_id": clips[0]}, {"url": URL}):
        reply = client.sonic.sample(
            sdk.SampleParams(
                0,
                2,
                custom_mode=False,
                mv="sonic-v5",
                make_instrumental=True,
                gpt_description_prompt="dub",
                **source,  # type: ignore[arg-type]
            )
        )
        assert bool(reply.steps) == ("url" in source)
        check_songs(finished_task(client, reply.task_id))


@covers("sonic.upload")
def _upload(client: sdk.MusicAPI, _: list[str]) -> None:
    assert client.sonic.upload(sdk.SonicUploadParams(url=URL)).clip_id


@covers("sonic.upload_cover")
def _upload_cover(client: sdk.MusicAPI, _: list[str]) -> None:
    params = sdk.UploadCoverParams(url=URL, custom_mode=True, mv="sonic-v5", prompt="la")
    reply = client.sonic.upload_cover(params)
    assert reply.steps["cover"]["task_id"] == reply.task_id
    check_songs(finished_task(client, reply.task_id))
    params.url = "https://nowhere.invalid/a.mp3"
    failed = client.sonic.upload_cover(params)
    assert (failed.failed_step, failed.task_id) == ("upload", None)


@covers("sonic.upload_extend")
def _upload_extend(client: sdk.MusicAPI, _: list[str]) -> None:
    params = sdk.UploadExtendParams(
        url=URL, custom_mode=True, mv="sonic-v5", prompt="la", continue_at=2
    )
    check_songs(finished_task(client, client.sonic.upload_extend(params).task_id))


@covers("suno.create")
@covers("suno.get_clip")
@covers("suno.generate_and_wait")
def _suno(client: sdk.MusicAPI, _: list[str]) -> None:
    assert client.suno.get_clip(client.suno.create(CREATE).task_id).code == 202
    check_songs(client.suno.generate_and_wait(CREATE, FAST))


@covers("suno.make_lyrics")
@covers("suno.get_lyrics")
def _suno_lyrics(client: sdk.MusicAPI, _: list[str]) -> None:
    task_id = client.suno.make_lyrics(sdk.MakeLyricsParams(prompt="a kettle")).data["task_id"]
    reply = client.suno.get_lyrics(task_id)
    while reply.data["status"] != "complete":
        reply = client.suno.get_lyrics(task_id)
    assert "[Verse]" in reply.data["text"]


@covers("suno.get_song")
def _shared(client: sdk.MusicAPI, clips: list[str]) -> None:
    link = f"https://suno.com/song/{clips[0]}"
    reply = client.suno.get_song(sdk.GetSongParams(share_link=link))
    assert clips[0] in str(reply.audio_url)


@covers("producer.create")
@covers("producer.get_task")
@covers("producer.generate_and_wait")
@covers("producer.download")
@covers("producer.download_and_wait")
def _producer(client: sdk.MusicAPI, _: list[str]) -> None:
    assert client.producer.get_task(client.producer.create(PRODUCER).task_id).code == 202
    result = client.producer.generate_and_wait(PRODUCER, FAST)
    check_songs(result)
    params = sdk.ProducerDownloadParams(clip_id=result.data[0].clip_id, format="wav")
    assert client.producer.download(params).task_id
    file = client.producer.download_and_wait(params, FAST).data[0]
    assert httpx.get(file.audio_url).content.startswith(b"RIFF")
    gone = sdk.ProducerCreateParams(task_type="music_variation")  # type: ignore[arg-type]
    with pytest.raises(sdk.MusicAPIError) as refused:
        client.producer.create(gone)
    assert refused.value.status == 410


@covers("producer.upload")
def _producer_upload(client: sdk.MusicAPI, _: list[str]) -> None:
    task_id = client.producer.upload(sdk.ProducerUploadParams(audio_url=URL)).task_id
    while (result := client.producer.get_task(task_id)).code != 200:
        pass
    assert result.data[0].clip_id


@covers("riffusion.create")
@covers("riffusion.get_task")
@covers("riffusion.generate_and_wait")
def _riffusion(client: sdk.MusicAPI, _clips: list[str]) -> None:
    assert client.riffusion.generate_and_wait(RIFFUSION, FAST).data
    task_id = client.riffusion.create(RIFFUSION).task_id
    for _ in range(30):
        result = client.riffusion.get_task(task_id)
    check_songs(result)


@covers("riffusion.upload")
def _riffusion_upload(client: sdk.MusicAPI, _: list[str]) -> None:
    assert client.riffusion.upload(sdk.RiffusionUploadParams(url=URL)).clip_id


@covers("studio.create")
@covers("studio.get_task")
@covers("studio.generate_and_wait")
def _studio(client: sdk.MusicAPI, _: list[str]) -> None:
    first = client.studio.get_task(client.studio.create(STUDIO).data)
    assert first.data is not None
    assert first.data.status == "SUBMITTED"
    result = client.studio.generate_and_wait(STUDIO, FAST)
    assert result.data is not None
    assert result.data.songs


@covers("credits.get")
def _credits(client: sdk.MusicAPI, _: list[str]) -> None:
    assert client.credits.get().credits > 0


# One function may use several methods, and is run once.
@pytest.mark.parametrize("exercise", list(dict.fromkeys(COVERED.values())))
def test_sdk_method_works(client: sdk.MusicAPI, clips: list[str], exercise: Usage) -> None:
    with contextlib.ExitStack() as stack:
        watched = {}
        for method in (name for name, used in COVERED.items() if used is exercise):
            area, _, name = method.partition(".")
            resource = getattr(client, area)
            watch = mock.patch.object(resource, name, wraps=getattr(resource, name))
            watched[method] = stack.enter_context(watch)
        exercise(client, clips)
    assert not [method for method, watch in watched.items() if not watch.called]


def test_all_public_sdk_methods_are_covered(client: sdk.MusicAPI) -> None:
    methods = {
        f"{area}.{name}"
        for area, resource in vars(client).items()
        if not area.startswith("_")
        for name, _ in inspect.getmembers(resource, inspect.ismethod)
        if not name.startswith("_")
    }
    assert len(methods) > 30
    assert set(COVERED) == methods
