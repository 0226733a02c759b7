"""Cards of songs and tasks: tag marks, cost, refund, next step."""

import copy
import pickle
from pathlib import Path

import pytest

import musicapi_nb as mnb
from musicapi_nb import Song, Task, lyrics, sonic
from musicapi_nb.simulator import Simulator
from musicapi_nb.tasks import Replacement, parse_task
from musicapi_nb.tasks.html import song_card, task_html
from tests.replies import STUDIO, sample

ASKED = sonic.Create(
    custom_mode=True, mv="sonic-v5", prompt="[Verse] la", title="Tide", tags="Slow Jazz, spy"
)


def test_tag_marks_from_replacements() -> None:
    steps = (Replacement("jazz, spy jazz", ("bossa nova",)), Replacement("bossa nova", ("spy",)))

    card = song_card(Song(engine="studio", tags=("Jazz", "spying"), replacements=steps))

    assert [card.count(f'title="{fate}"') for fate in ("kept", "added", "dropped")] == [1, 1, 1]

    in_parts = song_card(Song(engine="studio", tags=("Jazz", "spy"), replacements=steps))
    assert [in_parts.count(f'title="{fate}"') for fate in ("kept", "split")] == [1, 1]


def test_tag_marks_from_the_request() -> None:
    song = Song(engine="sonic", tags=("slow jazz", "1950s"))

    (of_task,) = Task(request=ASKED, songs=(song,)).songs
    card = song_card(of_task)  # a song alone knows its request

    assert [card.count(f'title="{fate}"') for fate in ("kept", "added", "dropped")] == [1, 1, 1]
    assert of_task.requested_tags == ASKED.tags
    assert pickle.loads(pickle.dumps(of_task)) == of_task  # noqa: S301 - made here
    assert "title=" not in song_card(song)


def test_songs_are_cards_that_say_which_of_the_pair_they_are() -> None:
    pair = tuple(Song(id=f"c{number}", engine="sonic", position=number) for number in range(2))
    songs = Task(request=ASKED, songs=pair).songs

    cards = songs._repr_html_()  # type: ignore[attr-defined]
    assert "1 of 2" in cards
    assert "2 of 2" in cards
    assert "1 of" not in songs[1:]._repr_html_()  # type: ignore[attr-defined]
    assert repr(songs).count("<Song ") == 2
    assert Song() in Task(songs=[Song()]).songs  # type: ignore[arg-type]
    assert pickle.loads(pickle.dumps(songs)) == songs == tuple(songs)  # noqa: S301 - as above
    assert type(copy.copy(songs)) is type(songs)


def test_song_without_tags_has_no_dropped_ones() -> None:
    song = Song(engine="sonic", state="pending")

    assert "dropped" not in song_card(Task(request=ASKED, songs=(song,)).songs[0])


def test_tag_marks_of_the_studio_sample() -> None:
    card = song_card(parse_task(sample(STUDIO)).songs[0])

    assert [card.count(f'title="{fate}"') for fate in ("kept", "added", "dropped")] == [3, 3, 0]


def test_task_card_shows_request_and_cost() -> None:
    song = Song(engine="sonic", state="succeeded", audio_url="https://example.com/a.mp3")
    task = Task(
        id="t-1",
        engine="sonic",
        operation="create",
        state="succeeded",
        songs=(song,),
        request=ASKED,
    )

    html = task_html(task)

    assert "sonic.create" in html
    assert "20 credits" in html
    assert "task t-1" in html


@pytest.mark.parametrize(
    ("refunded", "message"),
    [
        (True, "20 credits refunded"),
        (False, "20 credits not refunded"),
        (None, "The service refunds failed tasks automatically"),
    ],
)
def test_failed_task_card_shows_the_refund(*, refunded: bool | None, message: str) -> None:
    task = Task(engine="sonic", state="failed", request=ASKED, refunded=refunded)

    html = task_html(task)

    assert message in html
    assert ("automatically" in html) == (refunded is None)


def test_lyrics_cards_are_open_without_cover() -> None:
    song = Song(engine="lyrics", state="succeeded", title="Echoes", lyrics="la la")
    task = Task(engine="lyrics", state="succeeded", songs=(song,), request=lyrics.Make())

    html = task_html(task)

    assert "la la" in html
    assert "<details" not in html
    assert "linear-gradient" not in html
    assert "No audio" not in html


@pytest.mark.parametrize("value", ["\x1b[31mred\x07", "two\nlines", "\u202eturned", "\x9b31m"])
def test_repr_has_no_control_characters(value: str) -> None:
    song = Song(id=value, title=value, tags_text=value, state_word=value)
    task = Task(id=value, engine="sonic", operation=value, fail_reason=value, songs=(song,))

    for html in (repr(song), repr(task)):
        assert html.isprintable()
        assert any(word in html for word in ("red", "two", "turned", "31m"))


@pytest.mark.parametrize(
    ("songs", "message"), [(0, "0 songs"), (1, "1 song,"), (2, "2 songs")], ids=str
)
def test_repr_counts_songs(songs: int, message: str) -> None:
    assert message in repr(Task(id="t", songs=(Song(),) * songs))


def test_stem_cards_have_no_cover() -> None:
    url = "https://example.com/a.mp3"
    track = Song(
        title="Rain (Drums)", state="succeeded", tags=("jazz",), lyrics="la", audio_url=url
    )
    html = Task(engine="sonic", operation="stems_full", state="succeeded", songs=(track,))
    html_text = html._repr_html_()
    assert "Rain (Drums)" in html_text
    assert f'src="{url}"' in html_text
    assert "jazz" not in html_text
    assert "Lyrics" not in html_text


def test_cards_say_what_songs_were_made_from(tmp_path: Path) -> None:
    simulator = Simulator(seconds=(1, 1.2), speed=600)
    with mnb.connect(simulator=simulator, library=tmp_path) as api:
        song = api.run(sonic.Create(prompt="[Verse]", title="Rain <1>")).result().songs[0]
        cover = api.run(song.cover(tags="spy jazz")).result()
        assert "Cover of Rain &lt;1&gt;" in cover._repr_html_()
    assert "Cover of another song" in cover._repr_html_()


def test_songs_that_are_not_there_yet_are_awaited() -> None:
    with pytest.raises(IndexError, match="await the job"):
        Task(id="t", engine="sonic").songs[0]
