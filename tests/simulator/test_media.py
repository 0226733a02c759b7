"""Files: audio that decodes and lasts as stated, covers, ranges, and no key asked for."""

import asyncio
import io
import struct
import zlib
from typing import Any

import aiohttp
import numpy as np
import pytest
import soundfile

from musicapi_nb.simulator import Simulator, audio, covers
from musicapi_nb.simulator.genres import STYLES
from musicapi_nb.simulator.media import Files
from musicapi_nb.simulator.synth import RATE
from musicapi_nb.simulator.vocabulary import GENRES
from tests.simulator.caller import CREATE, STUDIO, VOCAL, Caller

ONE_OF_EACH = {GENRES[name].style: name for name in GENRES}


async def fetched(url: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Without a key, as a browser does."""
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as reply:
        return reply.status, dict(reply.headers), await reply.read()


def decoded(content: bytes) -> Any:
    samples, rate = soundfile.read(io.BytesIO(content))
    assert rate == RATE
    return samples


@pytest.mark.parametrize(
    ("path", "body", "link", "kind"),
    [
        ("sonic", CREATE, lambda reply: reply["data"][0]["audio_url"], "audio/mpeg"),
        (
            "studio",
            STUDIO,
            lambda reply: reply["data"]["data"]["songs"][1]["song_path"],
            "audio/mpeg",
        ),
        ("nuro", VOCAL, lambda reply: reply["audio_url"], "audio/wav"),
    ],
)
async def test_audio_lasts_as_long_as_the_reply_says(
    caller: Caller, path: str, body: Any, link: Any, kind: str
) -> None:
    reply = await caller.finished(await caller.submit(body, f"{path}/create"), path)
    durations = {
        "sonic": lambda: reply["data"][0]["duration"],
        "studio": lambda: reply["data"]["data"]["songs"][1]["duration"],
        "nuro": lambda: reply["duration"],
    }
    status, headers, content = await fetched(link(reply))
    assert (status, headers["Content-Type"]) == (200, kind)
    assert headers["Access-Control-Allow-Origin"] == "*"
    samples = decoded(content)
    assert samples.shape[1] == 2
    assert len(samples) / RATE == pytest.approx(float(durations[path]()), abs=0.05)


def test_there_is_a_song_for_every_style() -> None:
    assert set(ONE_OF_EACH) == set(STYLES)


@pytest.mark.parametrize("genre", ONE_OF_EACH.values(), ids=list(ONE_OF_EACH))
def test_every_style_sounds_clean(genre: str) -> None:
    samples = audio.render(f"{genre}/7", (genre,), 12.3, instrumental=False)
    assert samples.shape == (audio.frames(12.3), 2)
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() < 0.86
    rms = 20 * np.log10(np.sqrt(np.mean(samples**2)))
    assert -26 < rms < -13
    assert np.abs(samples.mean(axis=0)).max() < 2e-3  # no DC
    assert np.abs(samples[0]).max() < 1e-3  # no click at either end
    assert np.abs(samples[-1]).max() < 1e-3
    assert np.abs(np.diff(samples, axis=0)).max() < 0.6
    # Music, not noise: most of the power lies in few of the frequencies.
    power = np.sort(np.abs(np.fft.rfft(samples[:, 0] * np.hanning(len(samples)))) ** 2)[::-1]
    assert power[: len(power) // 20].sum() > 0.8 * power.sum()
    assert not np.array_equal(samples[:, 0], samples[:, 1])


def brightness(*tags: str) -> tuple[float, float]:
    """Strokes and loudness: how often the sound jumps up a second, and its level in dB."""
    samples = audio.render("same", tags, 16, instrumental=True)[:, 0]
    frame = RATE // 100
    energy = np.sqrt(
        (samples[: len(samples) // frame * frame].reshape(-1, frame) ** 2).mean(axis=1)
    )
    onsets = np.sum(np.diff(energy) > 0.5 * energy.std())
    return float(onsets) / 16, float(20 * np.log10(np.sqrt((samples**2).mean())))


def test_slow_jazz_is_softer_and_calmer_than_techno() -> None:
    jazz, techno = brightness("slow", "jazz"), brightness("techno")
    assert jazz[0] < techno[0]
    assert jazz[1] < techno[1] - 3


def test_the_same_seed_sounds_the_same_and_another_does_not() -> None:
    one, same, other = (audio.render(seed, ("pop",), 3, instrumental=True) for seed in "aab")
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("duration", [1.0, 2.5, 5.0])
def test_short_pieces_work(duration: float) -> None:
    samples = audio.render("short", ("jazz",), duration, instrumental=False)
    assert len(decoded(audio.encode(samples, "mp3"))) == pytest.approx(duration * RATE, abs=1)


@pytest.fixture
async def link(caller: Caller) -> str:
    url: str = (await caller.clips(CREATE))[0]["audio_url"]
    return url


async def test_ranges_are_parts_of_the_file(link: str) -> None:
    _, headers, whole = await fetched(link)
    size = len(whole)
    assert headers["Accept-Ranges"] == "bytes"
    for asked, first, last in [
        ("bytes=0-99", 0, 99),
        ("bytes=100-", 100, size - 1),
        ("bytes=-50", size - 50, size - 1),
        (f"bytes=10-{size + 5}", 10, size - 1),
    ]:
        status, headers, content = await fetched(link, Range=asked)
        assert (status, content) == (206, whole[first : last + 1])
        assert headers["Content-Range"] == f"bytes {first}-{last}/{size}"


async def test_a_range_that_is_none_is_passed_over(link: str) -> None:
    assert (await fetched(link, Range="lines=1-2"))[0] == 200


async def test_a_range_outside_is_416(link: str) -> None:
    _, _, whole = await fetched(link)
    status, headers, content = await fetched(link, Range="bytes=9999999-")
    assert (status, content) == (416, b"")
    assert headers["Content-Range"] == f"bytes */{len(whole)}"


async def test_head_and_preflight(caller: Caller, link: str) -> None:
    _, _, whole = await fetched(link)
    async with caller.session.head(link) as reply:
        assert reply.headers["Content-Length"] == str(len(whole))
        assert await reply.read() == b""
    async with caller.session.options(link) as reply:
        assert (reply.status, reply.headers["Access-Control-Allow-Methods"]) == (204, "GET, HEAD")


@pytest.mark.parametrize("path", ["audio/nope.mp3", "image/nope.png", "nope", "video/x.mp4", ""])
async def test_unknown_files_are_404(sim: Simulator, path: str) -> None:
    assert (await fetched(f"{sim.url}/media/{path}"))[0] == 404


async def test_audio_of_an_unfinished_song_is_404(sim: Simulator, caller: Caller) -> None:
    await caller.submit(CREATE)
    song_id = next(iter(sim.service.catalog.songs))
    assert (await fetched(f"{sim.url}/media/audio/{song_id}.mp3"))[0] == 404


async def test_a_key_sent_to_the_files_is_noticed(
    sim: Simulator, caller: Caller, link: str
) -> None:
    await fetched(link)
    assert sim.request_log.media_authorized == 0
    async with caller.session.get(link) as reply:
        await reply.read()
    assert sim.request_log.media_authorized == 1


async def test_polls_are_answered_while_a_long_song_is_rendered(
    sim: Simulator, caller: Caller
) -> None:
    done = await caller.finished(
        await caller.submit({**VOCAL, "duration": 120}, "nuro/create"), "nuro"
    )
    download = asyncio.create_task(fetched(done["audio_url"]))
    answered = 0
    while not download.done():
        await caller.get("get-credits")
        answered += 1
    assert (await download)[0] == 200
    assert answered > 3
    assert sim.request_log.count("GET", "/media/audio/") == 1


async def test_a_file_is_made_once_and_kept_while_there_is_room(
    sim: Simulator, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    paint = covers.cover

    def counted(seed: str, valence: float, energy: float) -> bytes:
        made.append(seed)
        return paint(seed, valence, energy)

    monkeypatch.setattr(covers, "cover", counted)
    first, second = [clip["image_url"] for clip in await caller.clips(CREATE)]
    await asyncio.gather(*(fetched(first) for _ in range(5)))
    assert len(made) == 1
    assert isinstance(sim._files, Files)
    sim._files._most = 1
    await fetched(second)
    await fetched(first)
    assert len(made) == 3


async def test_covers_are_pictures_that_browsers_show(caller: Caller) -> None:
    pictures = []
    for clip in await caller.clips(CREATE):
        status, headers, content = await fetched(clip["image_url"])
        assert (status, headers["Content-Type"]) == (200, "image/png")
        pictures.append(pixels(content))
    assert not np.array_equal(*pictures)
    for picture in pictures:
        assert picture.std() > 8  # not one flat colour


def pixels(png: bytes) -> Any:
    """Decode what covers writes: 8-bit RGB, each row the difference to the one above."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    start = png.index(b"IDAT")
    (length,) = struct.unpack(">I", png[start - 4 : start])
    assert (
        zlib.crc32(png[start : start + 4 + length])
        == struct.unpack(">I", png[start + 4 + length : start + 8 + length])[0]
    )
    rows = np.frombuffer(zlib.decompress(png[start + 4 : start + 4 + length]), dtype=np.uint8)
    rows = rows.reshape(height, 1 + 3 * width)
    assert set(rows[:, 0]) == {2}
    return np.cumsum(rows[:, 1:].astype(int), axis=0) % 256


def test_happy_covers_are_lighter_than_sad_ones() -> None:
    happy, sad = (
        np.mean([pixels(covers.cover(str(seed), mood, 0)).mean() for seed in range(6)])
        for mood in (0.9, -0.9)
    )
    assert happy > sad + 10
