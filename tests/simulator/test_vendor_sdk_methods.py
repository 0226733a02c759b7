"""Every public method of the vendor's own client, unchanged, against the simulator."""

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
FUZZ = sdk.RiffusionCreateParams(custom_mode=False, prompt="surf rock", mv="FUZZ-1.1")
PRODUCED = sdk.ProducerCreateParams(sound="deep house", length=3, seed=7)


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    simulator = Simulator(speed=0, seconds=(3, 4), balance=100_000)
    simulator.reply_options.sonic_unfinished = "not_ready"  # it takes the first 200 for the end
    simulator.reply_options.riffusion_unfinished = "clips"
    with EmbeddedSimulator(simulator) as running:
        yield running


@pytest.fixture(scope="module")
def client(sim: Simulator) -> Iterator[sdk.MusicAPI]:
    with client_of(sim) as made:
        yield made


@pytest.fixture(scope="module")
def clips(client: sdk.MusicAPI) -> list[str]:
    return [song.clip_id for song in client.sonic.generate_and_wait(SUNG, FAST).data]


Use = Callable[[sdk.MusicAPI, list[str]], Any]
USES: dict[str, Use] = {}


def use(method: str) -> Callable[[Use], Use]:
    def entered(function: Use) -> Use:
        USES[method] = function
        return function

    return entered


def waited(client: sdk.MusicAPI, task_id: str | None) -> Any:
    assert task_id
    for _ in range(60):
        result = client.sonic.get_task(task_id)
        if result.code == 200:
            return result
    raise AssertionError("it never finished")


def made(result: Any) -> None:
    """One or more songs with audio that can be fetched."""
    assert result.code == 200
    assert result.data
    for song in result.data:
        assert song.state == "succeeded"
    assert httpx.get(result.data[-1].audio_url).headers["content-type"].startswith("audio/")


@use("sonic.create")
@use("sonic.get_task")
def _created(client: sdk.MusicAPI, clips: list[str]) -> None:
    for params in (
        sdk.SonicCreateParams(task_type="remaster", mv="sonic-v5", continue_clip_id=clips[0]),
        sdk.SonicCreateParams(
            task_type="add_instrumental", mv="sonic-v5", continue_clip_id=clips[0]
        ),
    ):
        made(waited(client, client.sonic.create(params).task_id))


@use("sonic.generate_and_wait")
def _generated(client: sdk.MusicAPI, _: list[str]) -> None:
    made(client.sonic.generate_and_wait(CREATE, FAST))


@use("sonic.lyrics")
def _lyrics(client: sdk.MusicAPI, _: list[str]) -> None:
    found = client.sonic.lyrics(sdk.SonicLyricsParams(description="a kettle on a rainy day"))
    assert [bool(each["lyrics"]) for each in found.results] == [True, True]


@use("sonic.aligned_lyrics")
def _aligned(client: sdk.MusicAPI, clips: list[str]) -> None:
    words = client.sonic.aligned_lyrics(sdk.AlignedLyricsParams(clips[0])).data["alignment"]
    assert [each["word"].split()[-1] for each in words] == ["la", "la", "la", "lo", "lo"]


@use("sonic.bpm")
def _bpm(client: sdk.MusicAPI, clips: list[str]) -> None:
    tempo = client.sonic.bpm(sdk.BpmParams(clips[0])).data
    assert tempo["min_bpm"] <= tempo["avg_bpm"] <= tempo["max_bpm"]


@use("sonic.upsample_tags")
def _upsampled(client: sdk.MusicAPI, _: list[str]) -> None:
    tags = client.sonic.upsample_tags(sdk.UpsampleTagsParams("surf rock")).data["upsampled_tags"]
    assert tags.startswith("surf rock, ")


@use("sonic.create_voice")
def _voice(client: sdk.MusicAPI, _: list[str]) -> None:
    ack = client.sonic.create_voice(sdk.CreateVoiceParams(audio_url=URL))
    assert ack.warning
    # Its own reader of tasks knows songs only: a finished voice is an object, which it cannot read.
    with pytest.raises(AttributeError):
        waited(client, ack.task_id)


@use("sonic.create_persona")
@use("sonic.vox")
def _persona(client: sdk.MusicAPI, clips: list[str]) -> None:
    vox = client.sonic.vox(sdk.VoxParams(clips[0], vocal_start_s=0, vocal_end_s=2)).data
    assert (vox["source_clip_id"], vox["vocal_end_s"]) == (clips[0], 2)
    persona = client.sonic.create_persona(
        sdk.CreatePersonaParams("Ada", clips[0], vox_audio_id=vox["vox_audio_id"])
    )
    assert persona.persona_id


@use("sonic.midi")
def _midi(client: sdk.MusicAPI, clips: list[str]) -> None:
    for _ in range(10):
        found = client.sonic.midi(sdk.MidiParams(clips[0]))
        if found.code == 200:
            break
        assert found.data["midi_url"] == "generating midi..."
    assert httpx.get(found.data["midi_url"]).content.startswith(b"MThd")
    assert found.data["instruments"][0]["notes"]


@use("sonic.wav")
def _wav(client: sdk.MusicAPI, clips: list[str]) -> None:
    found = client.sonic.wav(sdk.WavParams(clips[0]))
    while found.message != "success":
        found = client.sonic.wav(sdk.WavParams(clips[0]))
    assert httpx.get(found.data["wav_url"]).content.startswith(b"RIFF")


@use("sonic.stems_basic")
@use("sonic.stems_basic_and_wait")
def _basic(client: sdk.MusicAPI, clips: list[str]) -> None:
    assert client.sonic.stems_basic(sdk.StemsParams(clips[0])).task_id
    made(client.sonic.stems_basic_and_wait(sdk.StemsParams(clips[0]), FAST))


@use("sonic.stems_full")
@use("sonic.stems_full_and_wait")
def _full(client: sdk.MusicAPI, clips: list[str]) -> None:
    assert client.sonic.stems_full(sdk.StemsParams(clips[0])).task_id
    result = client.sonic.stems_full_and_wait(sdk.StemsParams(clips[0]), FAST)
    assert len(result.data) == 24


@use("sonic.mashup")
@use("sonic.mashup_and_wait")
def _mashup(client: sdk.MusicAPI, clips: list[str]) -> None:
    params = sdk.MashupParams((clips[0], clips[1]), custom_mode=False, mv="sonic-v5")
    assert client.sonic.mashup(params).task_id
    made(client.sonic.mashup_and_wait(params, FAST))


@use("sonic.replace_section")
@use("sonic.replace_section_and_wait")
def _section(client: sdk.MusicAPI, clips: list[str]) -> None:
    params = sdk.ReplaceSectionParams(clips[0], "sonic-v5", 1, 2, infill_lyrics="[Bridge]\noh")
    assert client.sonic.replace_section(params).task_id
    made(client.sonic.replace_section_and_wait(params, FAST))


@use("sonic.sample")
def _sample(client: sdk.MusicAPI, clips: list[str]) -> None:
    for where in ({"sample_clip_id": clips[0]}, {"url": URL}):
        found = client.sonic.sample(
            sdk.SampleParams(
                0,
                2,
                custom_mode=False,
                mv="sonic-v5",
                make_instrumental=True,
                gpt_description_prompt="dub",
                **where,  # type: ignore[arg-type]
            )
        )
        assert bool(found.steps) == ("url" in where)
        made(waited(client, found.task_id))


@use("sonic.upload")
def _upload(client: sdk.MusicAPI, _: list[str]) -> None:
    assert client.sonic.upload(sdk.SonicUploadParams(url=URL)).clip_id


@use("sonic.upload_cover")
def _upload_cover(client: sdk.MusicAPI, _: list[str]) -> None:
    params = sdk.UploadCoverParams(url=URL, custom_mode=True, mv="sonic-v5", prompt="la")
    found = client.sonic.upload_cover(params)
    assert found.steps["cover"]["task_id"] == found.task_id
    made(waited(client, found.task_id))
    params.url = "https://nowhere.invalid/a.mp3"
    failed = client.sonic.upload_cover(params)
    assert (failed.failed_step, failed.task_id) == ("upload", None)


@use("sonic.upload_extend")
def _upload_extend(client: sdk.MusicAPI, _: list[str]) -> None:
    params = sdk.UploadExtendParams(
        url=URL, custom_mode=True, mv="sonic-v5", prompt="la", continue_at=2
    )
    made(waited(client, client.sonic.upload_extend(params).task_id))


@use("suno.create")
@use("suno.get_clip")
@use("suno.generate_and_wait")
def _suno(client: sdk.MusicAPI, _: list[str]) -> None:
    assert client.suno.get_clip(client.suno.create(CREATE).task_id).code == 202
    made(client.suno.generate_and_wait(CREATE, FAST))


@use("suno.make_lyrics")
@use("suno.get_lyrics")
def _suno_lyrics(client: sdk.MusicAPI, _: list[str]) -> None:
    task_id = client.suno.make_lyrics(sdk.MakeLyricsParams(prompt="a kettle")).data["task_id"]
    found = client.suno.get_lyrics(task_id)
    while found.data["status"] != "complete":
        found = client.suno.get_lyrics(task_id)
    assert "[Verse]" in found.data["text"]


@use("suno.get_song")
def _shared(client: sdk.MusicAPI, clips: list[str]) -> None:
    link = f"https://suno.com/song/{clips[0]}"
    found = client.suno.get_song(sdk.GetSongParams(share_link=link))
    assert clips[0] in str(found.audio_url)


@use("producer.create")
@use("producer.get_task")
@use("producer.generate_and_wait")
@use("producer.download")
@use("producer.download_and_wait")
def _producer(client: sdk.MusicAPI, _: list[str]) -> None:
    assert client.producer.get_task(client.producer.create(PRODUCED).task_id).code == 202
    result = client.producer.generate_and_wait(PRODUCED, FAST)
    made(result)
    wanted = sdk.ProducerDownloadParams(clip_id=result.data[0].clip_id, format="wav")
    assert client.producer.download(wanted).task_id
    file = client.producer.download_and_wait(wanted, FAST).data[0]
    assert httpx.get(file.audio_url).content.startswith(b"RIFF")
    gone = sdk.ProducerCreateParams(task_type="cover_music")  # type: ignore[arg-type]
    with pytest.raises(sdk.MusicAPIError) as refused:
        client.producer.create(gone)
    assert refused.value.status == 410


@use("producer.upload")
def _producer_upload(client: sdk.MusicAPI, _: list[str]) -> None:
    task_id = client.producer.upload(sdk.ProducerUploadParams(audio_url=URL)).task_id
    while (result := client.producer.get_task(task_id)).code != 200:
        pass
    assert result.data[0].clip_id


@use("riffusion.create")
@use("riffusion.get_task")
@use("riffusion.generate_and_wait")
def _riffusion(client: sdk.MusicAPI, _clips: list[str]) -> None:
    assert client.riffusion.generate_and_wait(FUZZ, FAST).data
    task_id = client.riffusion.create(FUZZ).task_id
    for _ in range(30):
        result = client.riffusion.get_task(task_id)
    made(result)


@use("riffusion.upload")
def _riffusion_upload(client: sdk.MusicAPI, _: list[str]) -> None:
    assert client.riffusion.upload(sdk.RiffusionUploadParams(url=URL)).clip_id


@use("studio.create")
@use("studio.get_task")
@use("studio.generate_and_wait")
def _studio(client: sdk.MusicAPI, _: list[str]) -> None:
    first = client.studio.get_task(client.studio.create(STUDIO).data)
    assert first.data is not None
    assert first.data.status == "SUBMITTED"
    result = client.studio.generate_and_wait(STUDIO, FAST)
    assert result.data is not None
    assert result.data.songs


@use("credits.get")
def _credits(client: sdk.MusicAPI, _: list[str]) -> None:
    assert client.credits.get().credits > 0


# One function may use several methods, and is run once.
@pytest.mark.parametrize("exercise", list(dict.fromkeys(USES.values())))
def test_the_vendors_methods_are_served(
    client: sdk.MusicAPI, clips: list[str], exercise: Use
) -> None:
    with contextlib.ExitStack() as stack:
        watched = {}
        for method in (name for name, used in USES.items() if used is exercise):
            area, _, name = method.partition(".")
            resource = getattr(client, area)
            watch = mock.patch.object(resource, name, wraps=getattr(resource, name))
            watched[method] = stack.enter_context(watch)
        exercise(client, clips)
    assert not [method for method, watch in watched.items() if not watch.called]


def test_no_public_method_of_the_vendor_is_left_out(client: sdk.MusicAPI) -> None:
    methods = {
        f"{area}.{name}"
        for area, resource in vars(client).items()
        if not area.startswith("_")
        for name, _ in inspect.getmembers(resource, inspect.ismethod)
        if not name.startswith("_")
    }
    assert len(methods) > 30
    assert set(USES) == methods
