"""The file server: audio, covers, byte ranges, and no key."""

import asyncio
import io
from typing import Any

import aiohttp
import numpy as np
import pytest
import soundfile

from musicapi_nb.simulator import Simulator
from musicapi_nb.simulator.media import Files
from musicapi_nb.simulator.music import cover_art
from musicapi_nb.simulator.music.synthesis import RATE
from tests.simulator.caller import CREATE, STUDIO, VOCAL, Caller
from tests.simulator.test_music import cover_pixels


async def fetch(url: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Fetch a file without a key, as a browser does."""
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as reply:
        return reply.status, dict(reply.headers), await reply.read()


def decode(content: bytes) -> Any:
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
async def test_audio_has_the_duration_of_the_reply(
    caller: Caller, path: str, body: Any, link: Any, kind: str
) -> None:
    reply = await caller.finished(await caller.submit(body, f"{path}/create"), path)
    durations = {
        "sonic": lambda: reply["data"][0]["duration"],
        "studio": lambda: reply["data"]["data"]["songs"][1]["duration"],
        "nuro": lambda: reply["duration"],
    }
    status, headers, content = await fetch(link(reply))
    assert (status, headers["Content-Type"]) == (200, kind)
    assert headers["Access-Control-Allow-Origin"] == "*"
    samples = decode(content)
    assert samples.shape[1] == 2
    assert len(samples) / RATE == pytest.approx(float(durations[path]()), abs=0.05)


@pytest.fixture
async def link(caller: Caller) -> str:
    url: str = (await caller.clips(CREATE))[0]["audio_url"]
    return url


async def test_ranges_are_parts_of_the_file(link: str) -> None:
    _, headers, complete = await fetch(link)
    size = len(complete)
    assert headers["Accept-Ranges"] == "bytes"
    for requested_range, first, last in [
        ("bytes=0-99", 0, 99),
        ("bytes=100-", 100, size - 1),
        ("bytes=-50", size - 50, size - 1),
        (f"bytes=10-{size + 5}", 10, size - 1),
    ]:
        status, headers, content = await fetch(link, Range=requested_range)
        assert (status, content) == (206, complete[first : last + 1])
        assert headers["Content-Range"] == f"bytes {first}-{last}/{size}"


async def test_malformed_range_is_ignored(link: str) -> None:
    assert (await fetch(link, Range="lines=1-2"))[0] == 200


async def test_range_outside_the_file_is_416(link: str) -> None:
    _, _, complete = await fetch(link)
    status, headers, content = await fetch(link, Range="bytes=9999999-")
    assert (status, content) == (416, b"")
    assert headers["Content-Range"] == f"bytes */{len(complete)}"


async def test_head_and_preflight(caller: Caller, link: str) -> None:
    _, _, content = await fetch(link)
    async with caller.session.head(link) as reply:
        assert reply.headers["Content-Length"] == str(len(content))
        assert await reply.read() == b""
    async with caller.session.options(link) as reply:
        assert (reply.status, reply.headers["Access-Control-Allow-Methods"]) == (204, "GET, HEAD")


@pytest.mark.parametrize("path", ["audio/nope.mp3", "image/nope.png", "nope", "video/x.mp4", ""])
async def test_unknown_files_are_404(sim: Simulator, path: str) -> None:
    assert (await fetch(f"{sim.url}/media/{path}"))[0] == 404


async def test_audio_of_an_unfinished_song_is_404(sim: Simulator, caller: Caller) -> None:
    await caller.submit(CREATE)
    song_id = next(iter(sim.service.catalog.songs))
    assert (await fetch(f"{sim.url}/media/audio/{song_id}.mp3"))[0] == 404


async def test_key_sent_to_the_file_server_is_counted(
    sim: Simulator, caller: Caller, link: str
) -> None:
    await fetch(link)
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
    download = asyncio.create_task(fetch(done["audio_url"]))
    answered = 0
    while not download.done():
        await caller.get("get-credits")
        answered += 1
    assert (await download)[0] == 200
    assert answered > 3
    assert sim.request_log.count("GET", "/media/audio/") == 1


async def test_file_is_rendered_once_while_cached(
    sim: Simulator, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    painted: list[str] = []
    cover = cover_art.cover

    def counting_cover(seed: str, valence: float, energy: float) -> bytes:
        painted.append(seed)
        return cover(seed, valence, energy)

    monkeypatch.setattr(cover_art, "cover", counting_cover)
    first, second = [clip["image_url"] for clip in await caller.clips(CREATE)]
    await asyncio.gather(*(fetch(first) for _ in range(5)))
    assert len(painted) == 1
    assert isinstance(sim._files, Files)
    sim._files._most = 1
    await fetch(second)
    await fetch(first)
    assert len(painted) == 3


async def test_covers_are_different_png_files(caller: Caller) -> None:
    pictures = []
    for clip in await caller.clips(CREATE):
        status, headers, content = await fetch(clip["image_url"])
        assert (status, headers["Content-Type"]) == (200, "image/png")
        pictures.append(cover_pixels(content))
    assert not np.array_equal(*pictures)
    for picture in pictures:
        assert picture.std() > 8  # more than one colour


@pytest.mark.parametrize(
    ("path", "name"), [("sonic/upload", "url"), ("producer/upload", "audio_url")]
)
async def test_upload_can_be_probed_by_head(
    sim: Simulator, caller: Caller, link: str, path: str, name: str
) -> None:
    gone = f"{sim.url}/media/audio/gone.mp3"
    assert (await caller.post(path, {name: gone})).status == 200
    before = await caller.credits()
    sim.reply_options.upload_probe = True
    refused = await caller.post(path, {name: gone})
    assert (refused.status, refused.body["message"][:32]) == (
        400,
        "Audio URL is not accessible. Ple",
    )
    assert (await caller.post(path, {name: "http://127.0.0.1:1/a.mp3"})).status == 400
    assert await caller.credits() == before
    assert (await caller.post(path, {name: link})).status == 200
    assert sim.request_log.count("HEAD", "/media/audio/gone") == 1
