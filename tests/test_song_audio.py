"""A song's audio: where it comes from, and what is drawn and measured of it."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from musicapi_nb import tasks
from musicapi_nb.client import MusicAPI
from musicapi_nb.errors import DownloadFailed, NoAudio
from musicapi_nb.library import Library
from musicapi_nb.simulator import Simulator
from musicapi_nb.widgets import song_audio
from musicapi_nb.widgets.song_audio import Audio, Sound, decode, loudness, peaks

RATE = 48_000


def tone(
    seconds: float = 2.0, hertz: float = 997.0, level: float = 1.0, channels: int = 1
) -> Sound:
    wave = level * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)
    return Sound(np.repeat(wave[:, None], channels, axis=1).astype(np.float32), RATE)


def encoded(sound: Sound, form: str = "WAV") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, sound.samples, sound.rate, format=form)
    return file.getvalue()


def song(url: str | None = "https://cdn.example/a.mp3", **named: object) -> tasks.Song:
    given = {"id": "s1", "state": "succeeded", "audio_url": url, **named}
    return tasks.Song(**given)  # type: ignore[arg-type]  # named by the test


def test_peaks_follow_the_sound() -> None:
    rising = Sound(np.linspace(0, 0.8, RATE, dtype=np.float32)[:, None], RATE)
    whole = peaks(rising, 10)
    assert whole.dtype == np.float32
    assert whole == pytest.approx(np.linspace(0.08, 0.8, 10), abs=0.01)
    assert peaks(Audio(encoded(rising), "audio/wav"), 10) == pytest.approx(whole, abs=0.001)


@pytest.mark.parametrize("frames", [1, 100, 5_000])
def test_a_short_sound_has_as_many_peaks(frames: int) -> None:
    short = Sound(np.full((frames, 2), -0.5, dtype=np.float32), RATE)
    assert peaks(short, 64) == pytest.approx(np.full(64, 0.5))


def test_decoding_gives_shape_and_rate() -> None:
    sound = decode(Audio(encoded(tone(1.5, channels=2), "MP3"), "audio/mpeg"))
    assert sound.samples.shape[1] == 2
    assert sound.rate == RATE
    assert sound.seconds == pytest.approx(1.5, abs=0.1)


def test_what_is_no_sound_is_said_to_be_none() -> None:
    for bad in (b"", b"ID3 and then nothing", b"\x00\x00\x00\x20ftypM4A " + bytes(100)):
        with pytest.raises(NoAudio):
            decode(Audio(bad, "audio/mpeg"))
        with pytest.raises(NoAudio):
            peaks(Audio(bad, "audio/mpeg"))
    with pytest.raises(NoAudio, match="empty"):
        decode(Audio(encoded(tone(0)), "audio/wav"))


def test_loudness_is_the_standards() -> None:
    # BS.1770-4, annex 1: a 997 Hz sine at full scale in one channel is -3.01 LKFS.
    assert loudness(tone()) == pytest.approx(-3.01, abs=0.05)
    assert loudness(tone(channels=2)) == pytest.approx(0.0, abs=0.05)
    assert loudness(tone(level=0.1)) == pytest.approx(-23.01, abs=0.05)
    assert loudness(Sound(tone().samples[::2][:100], RATE)) < 0
    assert loudness(tone(level=0.0)) == -np.inf


def test_silence_around_it_does_not_make_a_sound_softer() -> None:
    quiet = np.zeros((10 * RATE, 1), dtype=np.float32)
    padded = Sound(np.concatenate([quiet, tone(10).samples, quiet]), RATE)
    assert loudness(padded) == pytest.approx(-3.01, abs=0.3)


@pytest.mark.parametrize(
    ("url", "simulated", "plays"),
    [
        ("https://cdn.example/a.mp3", False, True),
        ("http://cdn.example/a.mp3", False, False),
        ("http://127.0.0.1:80/a.mp3", False, False),
        ("http://127.0.0.1:80/a.mp3", True, True),
        ("http://[::1]:80/a.mp3", True, True),
        ("http://localhost/a.mp3", True, True),
        ("http://127.0.0.1.example/a.mp3", True, False),
        ("javascript:alert(1)", True, False),
        ("file:///etc/passwd", True, False),
        (None, False, False),
    ],
)
def test_only_some_links_are_played(url: str | None, simulated: bool, plays: bool) -> None:  # noqa: FBT001 - parametrised
    given = song(url, simulated=simulated)
    assert (song_audio.playable_url(given) == url) is (plays or url is None)
    assert (song_audio.no_audio_reason(given) == "") is plays


def test_why_there_is_none() -> None:
    assert "being made" in song_audio.no_audio_reason(song(None, state="running"))
    assert "no audio" in song_audio.no_audio_reason(song(None))
    assert (
        song_audio.no_audio_reason(song(None, state="failed", fail_reason="bad luck")) == "bad luck"
    )
    assert "text" in song_audio.no_audio_reason(song(None, engine="lyrics"))


def test_a_librarys_file_is_found_first(tmp_path: Path) -> None:
    content = encoded(tone(0.5))
    (tmp_path / "a").write_bytes(content)
    with Library(tmp_path / "l") as library:
        assert song_audio.stored_audio(song(), library) is None
        assert song_audio.stored_audio(song(), None) is None
        library.attach(song(), "audio", library.add_file(tmp_path / "a", ".wav"))
        assert song_audio.stored_audio(song(), library) == Audio(content, "audio/wav")
        with pytest.raises(NoAudio, match="limit"):
            song_audio.stored_audio(song(), library, max_bytes=10)


async def test_else_it_comes_from_the_link() -> None:
    from musicapi_nb import sonic  # noqa: PLC0415 - this test alone asks for songs

    request = sonic.Create(custom_mode=False, gpt_description_prompt="rain", mv="sonic-v5")
    async with (
        Simulator(speed=600) as sim,
        MusicAPI("k", base_url=sim.url, speed=600, simulated=True) as api,
    ):
        task = await api.run(request)
        made = await song_audio.fetch_audio(task.songs[0], api)
        assert decode(made).seconds == pytest.approx(task.songs[0].duration, abs=0.2)
        with pytest.raises(DownloadFailed, match="allowed"):
            await song_audio.fetch_audio(task.songs[0], api, max_bytes=100)
        dead = song(f"{sim.url}/media/nothing.mp3", simulated=True)
        with pytest.raises(DownloadFailed, match="404"):
            await song_audio.fetch_audio(dead, api)
