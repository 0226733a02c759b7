"""Audio of songs: sources, decoding and peaks."""

import contextlib
import io
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from musicapi_nb import sonic, tasks
from musicapi_nb._blind_test.loudness_match import AudioFormat, cut_excerpt, read_info, usual_format
from musicapi_nb.client import MusicAPI
from musicapi_nb.client.sound import check_audio, decode
from musicapi_nb.errors import DownloadFailed, NoAudio
from musicapi_nb.library import Library
from musicapi_nb.simulator import Simulator
from musicapi_nb.widgets import song_audio
from musicapi_nb.widgets.song_audio import Audio, peaks

RATE = 48_000


def tone(
    seconds: float = 2.0, hertz: float = 997.0, level: float = 1.0, channels: int = 1
) -> NDArray[np.float32]:
    samples = level * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)
    return np.repeat(samples[:, None], channels, axis=1).astype(np.float32)


def encode(samples: NDArray[np.float32], file_format: str = "WAV") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format=file_format)
    return file.getvalue()


def song(url: str | None = "https://cdn.example/a.mp3", **changes: object) -> tasks.Song:
    fields = {"id": "s1", "state": "succeeded", "audio_url": url, **changes}
    return tasks.Song(**fields)  # type: ignore[arg-type]  # fields of Song


@pytest.mark.parametrize("file_format", ["WAV", "MP3"])
def test_peaks_follow_samples(file_format: str) -> None:
    rising = np.linspace(0, 0.8, RATE, dtype=np.float32)[:, None] * tone(1)
    bucket_peaks = peaks(Audio(encode(rising, file_format), "audio/wav"), 10)
    assert bucket_peaks.dtype == np.float32
    assert bucket_peaks == pytest.approx(np.linspace(0.08, 0.8, 10), abs=0.05)


@pytest.mark.parametrize("frames", [1, 100, 5_000])
def test_short_sound_has_all_peaks(frames: int) -> None:
    short = np.full((frames, 2), -0.5, dtype=np.float32)
    assert peaks(Audio(encode(short), "audio/wav"), 64) == pytest.approx(np.full(64, 0.5))


def test_invalid_audio_is_refused() -> None:
    for content in (b"", b"ID3 and then nothing", b"\x00\x00\x00\x20ftypM4A " + bytes(100)):
        with pytest.raises(NoAudio, match="cannot be decoded"):
            peaks(Audio(content, "audio/mpeg"))
    with pytest.raises(NoAudio, match="empty"):
        peaks(Audio(encode(tone(0)), "audio/wav"))


def test_excerpt_of_an_mp3_is_a_part_of_the_whole(capfd: pytest.CaptureFixture[str]) -> None:
    rising = np.linspace(0, 0.8, 9 * RATE, dtype=np.float32)[:, None] * tone(9)
    content = encode(rising, "MP3")
    excerpt_format = AudioFormat(3.0, RATE, 1)
    excerpt = cut_excerpt(Audio(content, "audio/mpeg"), excerpt_format)
    whole, _ = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    first = int(0.35 * (6 * RATE))
    inner = slice(RATE // 10, -RATE // 10)  # without the fades
    expected = whole[first : first + 3 * RATE]
    assert excerpt[inner] == pytest.approx(expected[inner], abs=1e-4)
    assert capfd.readouterr().err == ""


def claiming(frames: int = 2_000, rate: int = 44_100, channels: int = 1) -> bytes:
    """Return a small FLAC file whose header claims this much (RFC 9639, section 8.2)."""
    file = io.BytesIO()
    soundfile.write(file, tone(0.05)[:, 0], 44_100, format="FLAC")
    content = bytearray(file.getvalue())
    fields = rate << 44 | (channels - 1) << 41 | 15 << 36 | frames
    content[18:26] = fields.to_bytes(8, "big")
    return bytes(content)


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"frames": (1 << 36) - 1}, "header of the audio states 1,558,265 s"),
        ({"frames": 0}, "header of the audio states"),
        ({"frames": 90_000_000}, "header of the audio states 2,041 s"),
        ({"frames": 100_000}, "ends before the duration|cannot be decoded"),
    ],
)
def test_excerpt_of_a_file_that_claims_too_much_is_refused(
    claims: dict[str, int], reason: str
) -> None:
    audio = Audio(claiming(**claims), "audio/flac")
    with pytest.raises(NoAudio, match=reason):
        cut_excerpt(audio, usual_format({"x": [read_info(audio)]}, 20.0))
    with contextlib.suppress(NoAudio):  # libsndfile cannot skip to where the claimed sound is
        assert len(peaks(audio)) == 240


@pytest.mark.parametrize(("rate", "channels"), [(900_000, 1), (100, 1), (8_000, 64)])
def test_audio_of_an_absurd_format_is_refused(rate: int, channels: int) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.zeros((1_000, channels)), rate, format="WAV")
    audio = Audio(file.getvalue(), "audio/wav")
    for use in (peaks, read_info):
        with pytest.raises(NoAudio, match=f"the audio has {rate:,} Hz and {channels} channels"):
            use(audio)


def test_decoding_stops_far_beyond_the_stated_length(tmp_path: Path) -> None:
    path = tmp_path / "silence.flac"
    with soundfile.SoundFile(path, "w", 8_000, 1, format="FLAC") as file:
        for _ in range(900):
            file.write(np.zeros(8_000 * 10, dtype=np.int16))  # 2.5 hours
    assert path.stat().st_size < 300_000
    assert check_audio(path, 9_000.0) == ""
    for stated in (1.0, 120.0):
        note = f"the audio lasts more than {2 * stated + 600:,.0f} s instead of the stated"
        assert check_audio(path, stated).startswith(note)
    assert check_audio(path, 4_500.0).startswith("the audio lasts 9000.0 s instead of")
    sound = decode(path, 3.5)
    assert (sound.seconds, sound.complete) == (3.5, False)
    assert decode(path).complete
    for unstated in (None, 0.0, -1.0, math.inf, math.nan):
        assert check_audio(path, unstated) == ""


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
def test_only_safe_links_are_played(url: str | None, simulated: bool, plays: bool) -> None:  # noqa: FBT001 - parametrised
    link = song(url, simulated=simulated)
    assert (song_audio.playable_url(link) == url) is (plays or url is None)
    assert (song_audio.no_audio_reason(link) == "") is plays


def test_reason_for_missing_audio() -> None:
    assert "being made" in song_audio.no_audio_reason(song(None, state="running"))
    assert "no audio" in song_audio.no_audio_reason(song(None))
    assert (
        song_audio.no_audio_reason(song(None, state="failed", fail_reason="bad luck")) == "bad luck"
    )
    assert "text" in song_audio.no_audio_reason(song(None, engine="lyrics"))


def test_stored_audio_is_read_from_library(tmp_path: Path) -> None:
    content = encode(tone(0.5))
    (tmp_path / "a").write_bytes(content)
    with Library(tmp_path / "l") as library:
        assert song_audio.stored_audio(song(), library) is None
        assert song_audio.stored_audio(song(), None) is None
        library.attach(song(), "audio", library.add_file(tmp_path / "a", ".wav"))
        assert song_audio.stored_audio(song(), library) == Audio(content, "audio/wav")
        (tmp_path / "b").write_bytes(content)
        with pytest.raises(NoAudio, match="limit"):
            song_audio.read_audio(tmp_path / "b", 10)


async def test_audio_is_fetched_from_link() -> None:
    request = sonic.Create(custom_mode=False, gpt_description_prompt="rain", mv="sonic-v5")
    async with (
        Simulator(speed=600) as sim,
        MusicAPI("k", base_url=sim.url, speed=600, simulated=True) as api,
    ):
        task = await api.run(request)
        audio = await song_audio.fetch_audio(task.songs[0], api)
        duration = soundfile.info(io.BytesIO(audio.content)).duration
        assert duration == pytest.approx(task.songs[0].duration, abs=0.2)
        with pytest.raises(DownloadFailed, match="larger than 100 bytes"):
            await song_audio.fetch_audio(task.songs[0], api, max_bytes=100)
        dead = song(f"{sim.url}/media/nothing.mp3", simulated=True)
        with pytest.raises(DownloadFailed, match="404"):
            await song_audio.fetch_audio(dead, api)
