"""Cards, galleries and pages take sound and covers from the library's files, else from links."""

import base64
import io
import zlib
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import msgspec
import pytest
from PIL import Image

import musicapi_nb as mnb
from musicapi_nb import Request, Song, markup, sonic
from musicapi_nb.errors import ClientClosed, InvalidArgument, MusicAPIError
from musicapi_nb.library import Library
from musicapi_nb.library.thumbnails import thumbnail
from musicapi_nb.notebook.session import Session
from musicapi_nb.notebook.session_songs import SessionSongs
from musicapi_nb.simulator import Simulator
from musicapi_nb.tasks import Songs, card_media
from musicapi_nb.tasks.card_media import CardMedia
from musicapi_nb.tasks.html import song_card, task_html
from musicapi_nb.tasks.song_actions import SongMedia, actions_of, register, unregister
from tests.test_gallery import wav_bytes

RAIN = sonic.Create(mv="sonic-v6", custom_mode=False, gpt_description_prompt="rain on tin")


class Sessions(SessionSongs):
    """A session that has the songs with these ids."""

    def __init__(self, *ids: str, simulated: bool = False) -> None:
        self.simulated, self.ids, self.library = simulated, ids, None

    download = None  # type: ignore[assignment]

    def fetch_audio(self, song: Song) -> Future[bytes]:
        raise AssertionError(song)

    def form(self, start: Request) -> object:
        raise AssertionError(start)

    def holds(self, song: Song) -> bool:
        return song.id in self.ids


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Session]:
    with mnb.connect(library=tmp_path / "library", simulator=Simulator(speed=4000)) as api:
        yield api


def test_a_song_belongs_to_the_session_whose_library_has_it() -> None:
    first, second = Sessions("a"), Sessions("b")
    simulated = Sessions("a", "b", "c", simulated=True)
    for actions in (first, second, simulated):
        register(actions)
    try:
        assert actions_of(Song(id="a")) is first
        assert actions_of(Song(id="b")) is second
        assert actions_of(Song(id="c")) is second  # connected last
        assert actions_of(Song(id="c", simulated=True)) is simulated
        register(first)
        assert actions_of(Song(id="c")) is first
    finally:
        for actions in (first, second, simulated):
            unregister(actions)
    assert actions_of(Song(id="a")) is None


def test_cards_have_sound_and_cover_of_the_library(api: Session) -> None:
    task = api.run(RAIN).result()
    assert api.library is not None
    audio = [api.library.file_of(song) for song in task.songs]

    for html in (task_html(task), Songs(task.songs)._repr_html_(), mnb.gallery(task)._repr_html_()):
        assert html.count('src="data:audio/mpeg;base64,') == 2
        assert html.count('src="data:image/jpeg;base64,') == 2
        assert "http://127.0.0.1" not in html
        for path in audio:
            assert path is not None
            assert base64.b64encode(path.read_bytes()).decode() in html
    detail = mnb.gallery(task)._songs["details"]["0"]
    assert (detail["audio"], detail["cover"][:23]) == ("file", "data:image/jpeg;base64,")
    assert len(detail["cover"]) < 20_000

    api.close()
    assert "http://127.0.0.1" in task_html(task)


def test_a_library_without_session_has_media_in_its_gallery(api: Session) -> None:
    api.run(RAIN).result()
    path = api.library.path if api.library else Path()
    api.close()
    with Library(path) as library:
        assert mnb.gallery(library)._repr_html_().count('src="data:audio/mpeg') == 2


def test_sound_beyond_the_limits_is_named_not_embedded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "song.wav"
    file.write_bytes(wav_bytes(1))
    size = file.stat().st_size
    songs = [
        Song(id=str(n), state="succeeded", audio_url="https://cdn.example/a.mp3") for n in (1, 2, 3)
    ]
    monkeypatch.setattr(card_media, "MAX_EMBEDDED_OUTPUT", 2 * size)

    media = CardMedia(lambda _: SongMedia(audio=file))
    urls = [media.urls(song) for song in songs]

    assert [url.audio == songs[0].audio_url for url in urls] == [False, False, True]
    assert [url.note for url in urls[:2]] == ["", ""]
    assert "in your library: api.gallery() plays it" in song_card(songs[2], urls=urls[2])
    monkeypatch.setattr(card_media, "MAX_EMBEDDED_SONG", size - 1)
    without_link = msgspec.structs.replace(songs[0], audio_url=None)
    urls_without = CardMedia(lambda _: SongMedia(audio=file)).urls(without_link)
    assert "in your library" in song_card(without_link, urls=urls_without)


def test_a_card_survives_a_file_that_disappears(tmp_path: Path) -> None:
    song = Song(id="a", state="succeeded", audio_url="https://cdn.example/a.mp3")

    urls = CardMedia(lambda _: SongMedia(audio=tmp_path / "gone.mp3")).urls(song)

    assert urls.audio == song.audio_url


def _png(width: int, height: int, rows: bytes) -> bytes:
    image = io.BytesIO()
    Image.new("RGB", (1, 1)).save(image, "PNG")
    content = bytearray(image.getvalue())
    content[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    content[29:33] = zlib.crc32(bytes(content[12:29])).to_bytes(4, "big")
    return bytes(content) + rows


def test_thumbnails_are_small_and_hostile_pictures_are_refused(tmp_path: Path) -> None:
    noise = tmp_path / "noise.png"
    Image.effect_noise((1200, 800), 90).save(noise)
    small = thumbnail(noise)
    assert small is not None
    assert markup.media_url(small) == small
    content = base64.b64decode(small.partition(",")[2])
    assert len(content) < 30_000
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.size == (192, 128)

    files = {
        "bomb.png": _png(60_000, 60_000, b""),
        "cut.png": noise.read_bytes()[:3_000],
        "text.png": b"<html>not a picture</html>",
        "vector.svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        "empty.jpg": b"",
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        assert thumbnail(tmp_path / name) is None, name
    assert thumbnail(tmp_path / "absent.png") is None


def test_songs_are_saved_rated_and_played_through_the_open_session(
    api: Session, tmp_path: Path
) -> None:
    task = api.run(RAIN).result()
    song, other = task.songs
    assert api.library is not None

    path = song.save(tmp_path / "rain.mp3")
    stored = api.library.file_of(song)
    assert stored is not None
    assert path.read_bytes() == stored.read_bytes()
    folder = tmp_path / "music"
    folder.mkdir()
    paths = {one.save(folder) for one in (song, other, song)}
    assert len(paths) == 2  # the same song again is the same file, the other has another name
    assert {file.parent for file in paths} == {folder}

    song.rate(5)
    song.note("warm")
    rating = api.library.rating(song)
    assert rating is not None
    assert (rating.stars, rating.note) == (5, "warm")
    assert song.rate(0, note="").empty
    player = song.play()
    assert [item.song for item in player.collection.items] == [song]

    api.close()
    for act in (song.save, song.play, song.rate, lambda: song.note("x")):
        with pytest.raises(ClientClosed, match=r"Open one first: api = mnb\.connect\(\)"):
            act()


def test_rating_without_a_library_explains_the_error(tmp_path: Path) -> None:
    with mnb.connect(library=None, simulator=Simulator(speed=4000)) as api:
        song = api.run(RAIN).result().songs[0]
        assert song.save(tmp_path / "rain.mp3").stat().st_size
        with pytest.raises(InvalidArgument, match="stored in a library"):
            song.rate(4)


@pytest.mark.parametrize(
    ("guess", "name"),
    [("tags_requested", "requested_tags"), ("download", "save"), ("url", "audio_url")],
)
def test_a_guess_at_a_name_gets_a_suggestion(guess: str, name: str) -> None:
    with pytest.raises(AttributeError, match=rf"did you mean song\.{name}"):
        getattr(Song(), guess)


def test_a_job_says_its_state_and_suggests_names(api: Session) -> None:
    job = api.run(RAIN)
    assert job.state in {"sending", "in the queue", "being made", "ready"}
    job.result()
    assert (job.state, job.songs) == ("ready", job.result().songs)
    balance = api.credits()
    balance.result()
    assert (balance.state, balance.songs) == ("ready", ())
    with pytest.raises(InvalidArgument, match="'credits' makes no songs"):
        balance.tasks()
    with pytest.raises(AttributeError, match=r"did you mean job\.state"):
        _ = job.status  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match=r"did you mean await job"):
        _ = job.wait  # type: ignore[attr-defined]
    refused = api.run(sonic.Extend(mv="sonic-v6", continue_clip_id="no-such-clip", continue_at=1.0))
    assert refused.exception() is not None or not refused.done()
    with pytest.raises(MusicAPIError):
        refused.result()
    assert (refused.state, refused.songs) == ("failed", ())
