"""What a card says of a song and a task: what became of the tags, what it cost, what to do."""

import pytest

from musicapi_nb import Song, Task, lyrics, sonic
from musicapi_nb.tasks import Replacement, parse_task
from musicapi_nb.tasks.html import song_card, task_html
from tests.replies import STUDIO, sample

ASKED = sonic.Create(
    custom_mode=True, mv="sonic-v5", prompt="[Verse] la", title="Tide", tags="Slow Jazz, spy"
)


def test_tags_of_a_rewritten_song_are_told_kept_added_and_dropped() -> None:
    steps = (Replacement("jazz, spy jazz", ("bossa nova",)), Replacement("bossa nova", ("spy",)))

    card = song_card(Song(engine="studio", tags=("Jazz", "spy"), replacements=steps))

    # "spy" is a part of "spy jazz", and yet was not asked for
    assert [card.count(f'title="{fate}"') for fate in ("kept", "added", "dropped")] == [1, 1, 1]


def test_tags_are_compared_with_the_request_where_the_reply_does_not_tell() -> None:
    song = Song(engine="sonic", tags=("slow jazz", "1950s"))

    card = song_card(song, Task(request=ASKED, songs=(song,)))

    assert [card.count(f'title="{fate}"') for fate in ("kept", "added", "dropped")] == [1, 1, 1]
    assert "title=" not in song_card(song)


def test_a_song_without_tags_yet_has_dropped_none() -> None:
    song = Song(engine="sonic", state="pending")

    assert "dropped" not in song_card(song, Task(request=ASKED, songs=(song,)))


def test_the_sample_studio_song_keeps_three_tags_and_gets_three() -> None:
    card = song_card(parse_task(sample(STUDIO)).songs[0])

    assert [card.count(f'title="{fate}"') for fate in ("kept", "added", "dropped")] == [3, 3, 0]


def test_a_task_says_what_was_asked_and_what_it_cost() -> None:
    song = Song(engine="sonic", state="succeeded", audio_url="https://example.com/a.mp3")
    task = Task(
        id="t-1",
        engine="sonic",
        operation="create",
        state="succeeded",
        songs=(song,),
        request=ASKED,
    )

    shown = task_html(task)

    assert "sonic.create" in shown
    assert "20 credits" in shown
    assert "task t-1" in shown


@pytest.mark.parametrize(
    ("refunded", "words"),
    [
        (True, "20 credits refunded"),
        (False, "20 credits not refunded"),
        (None, "The service refunds failed tasks automatically"),
    ],
)
def test_a_failed_task_says_what_became_of_the_credits(
    *, refunded: bool | None, words: str
) -> None:
    task = Task(engine="sonic", state="failed", request=ASKED, refunded=refunded)

    shown = task_html(task)

    assert words in shown
    assert ("automatically" in shown) == (refunded is None)


def test_texts_are_open_to_be_read_and_have_no_picture() -> None:
    song = Song(engine="lyrics", state="succeeded", title="Echoes", lyrics="la la")
    task = Task(engine="lyrics", state="succeeded", songs=(song,), request=lyrics.Make())

    shown = task_html(task)

    assert "la la" in shown
    assert "<details" not in shown
    assert "linear-gradient" not in shown
    assert "No audio" not in shown


@pytest.mark.parametrize("value", ["\x1b[31mred\x07", "two\nlines", "\u202eturned", "\x9b31m"])
def test_what_the_service_says_reaches_no_terminal_raw(value: str) -> None:
    song = Song(id=value, title=value, tags_text=value, state_word=value)
    task = Task(id=value, engine="sonic", operation=value, fail_reason=value, songs=(song,))

    for shown in (repr(song), repr(task)):
        assert shown.isprintable()
        assert any(word in shown for word in ("red", "two", "turned", "31m"))


@pytest.mark.parametrize(
    ("songs", "words"), [(0, "0 songs"), (1, "1 song,"), (2, "2 songs")], ids=str
)
def test_songs_are_counted(songs: int, words: str) -> None:
    assert words in repr(Task(id="t", songs=(Song(),) * songs))


def test_tracks_are_cards_without_what_they_share() -> None:
    url = "https://example.com/a.mp3"
    track = Song(
        title="Rain (Drums)", state="succeeded", tags=("jazz",), lyrics="la", audio_url=url
    )
    shown = Task(engine="sonic", operation="stems_full", state="succeeded", songs=(track,))
    said = shown._repr_html_()
    assert "Rain (Drums)" in said
    assert f'src="{url}"' in said
    assert "jazz" not in said
    assert "Lyrics" not in said
