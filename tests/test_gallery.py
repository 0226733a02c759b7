"""The gallery as Python has it: what is shown, what travels, what is answered, what is kept."""

import asyncio
import concurrent.futures
import io
import json
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile

import musicapi_nb as mnb
from musicapi_nb import sonic, tasks
from musicapi_nb.errors import DownloadFailed, InvalidArgument, InvalidRequest
from musicapi_nb.library import Library
from musicapi_nb.simulator import Simulator
from musicapi_nb.tasks import Song, Task
from musicapi_nb.widgets.gallery import Gallery, gallery
from musicapi_nb.widgets.song_audio import Audio
from tests.browser import hostile
from tests.library.world import FAILED, acknowledged, buy, looked, song


class Page:
    """Stands where the browser is: sends what a page sends, keeps what it is told."""

    def __init__(self, shown: Gallery) -> None:
        self.gallery = shown
        self.heard: list[tuple[dict[str, Any], list[bytes]]] = []
        self._more = threading.Condition()
        shown.send = self._hear

    def _hear(self, content: dict[str, Any], buffers: list[bytes] | None = None) -> None:
        with self._more:
            self.heard.append((content, buffers or []))
            self._more.notify_all()

    def say(self, kind: str, **named: Any) -> None:
        given = {"type": kind, "generation": self.gallery._songs["generation"], **named}
        self.gallery._handle_custom_msg(given, [])

    def told(self, kind: str) -> tuple[dict[str, Any], list[bytes]]:
        """Wait for the first message of a kind; take it."""

        def found() -> tuple[dict[str, Any], list[bytes]] | None:
            return next((each for each in self.heard if each[0]["type"] == kind), None)

        with self._more:
            assert self._more.wait_for(found, timeout=60), self.heard
            message = found()
            assert message is not None
            self.heard.remove(message)
            return message

    def asked(self, kind: str, answer: str, **named: Any) -> dict[str, Any]:
        self.say(kind, **named)
        return self.told(answer)[0]


def made(number: int = 3, **named: Any) -> list[Task]:
    """Tasks with two songs each."""
    found = []
    for at in range(number):
        clips = [
            {
                "clip_id": f"c{at}-{side}",
                "state": "succeeded",
                "title": f"Song {at}{side}",
                "tags": "jazz, rain",
                "duration": 60.0 + at,
                "mv": "sonic-v5",
                "audio_url": f"https://cdn.example/{at}{side}.mp3",
                **named,
            }
            for side in "ab"
        ]
        request = sonic.Create(custom_mode=True, mv="sonic-v5", prompt="[Verse]", tags="jazz, spy")
        found.append(looked(acknowledged(request, f"t{at}"), {"code": 200, "data": clips}))
    return found


def wave(seconds: float = 1.0) -> bytes:
    file = io.BytesIO()
    samples = np.linspace(0, 0.5, int(8_000 * seconds), dtype=np.float32)
    soundfile.write(file, samples, 8_000, format="WAV")
    return file.getvalue()


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "shelf") as library:
        yield library


def put(library: Library, each: Song, content: bytes) -> None:
    path = library.incoming()
    path.write_bytes(content)
    library.attach(each, "audio", library.add_file(path, ".wav"))


# --- what is shown ---------------------------------------------------------------------------


def test_it_is_made_of_whatever_holds_songs(tmp_path: Path) -> None:
    two = made(2)
    titles = ["Song 0a", "Song 0b", "Song 1a", "Song 1b"]
    raw = [task.raw for task in two]
    for given in (two, iter(two), raw, json.dumps(raw[0]).encode(), two[0].songs, two[0].songs[0]):
        found = gallery(given)._songs["title"]
        assert found == titles[: len(found)]
        assert found
    (tmp_path / "r.ndjson").write_text("\n".join(map(json.dumps, raw)))
    assert gallery(str(tmp_path / "r.ndjson"))._songs["title"] == titles
    assert gallery([])._songs["title"] == []
    assert gallery([two[0].songs, [two[1]]])._songs["title"] == titles
    for wrong in (3, None, [3], {"a": 3}.items()):
        with pytest.raises(InvalidArgument, match="songs come from"):
            gallery(wrong)


def test_rows_of_a_table_select_songs_of_a_library(shelf: Library) -> None:
    requests = [song("one"), song("two")]
    for number, request in enumerate(requests):
        entry = buy(shelf, request, f"t{number}").entry.id
        shelf.record_poll(entry, looked(acknowledged(request, f"t{number}")))
    frame = mnb.songs_frame(shelf)
    frame.insert(0, "style", ["jazz", "jazz", "folk", None])
    rows = gallery(frame.iloc[1:], library=shelf)
    assert [item.song.position for item in rows.collection.items] == [1, 0, 1]
    assert rows.collection.factors == {"style": ("jazz", "folk", "(none)")}
    with pytest.raises(InvalidArgument, match=r"library=api\.library"):
        gallery(frame)
    with pytest.raises(InvalidArgument, match="columns task_id and song_position"):
        gallery(frame.drop(columns="task_id"), library=shelf)
    with pytest.raises(InvalidArgument, match="has no song 7 of task 't0'"):
        gallery(frame.assign(task_id="t0", song_position=7), library=shelf)


def test_a_library_shows_all_it_has_and_looks_again(shelf: Library) -> None:
    first = song("one")
    shelf.record_poll(buy(shelf, first, "t1").entry.id, looked(acknowledged(first, "t1")))
    shown = gallery(shelf)
    assert shown._songs["title"] == ["Rain", "Rain"]
    second = song("two")
    failed = buy(shelf, second, "t2").entry.id
    buy(shelf, song("three"), "t3")
    shelf.record_poll(failed, looked(acknowledged(second, "t2"), FAILED))
    page = Page(shown)
    page.say("refresh")
    assert shown._songs["state"] == ["succeeded", "succeeded", "failed", "pending"]
    assert shown._songs["details"]["2"]["why"] == "no luck"
    assert "being made" in shown._songs["details"]["3"]["why"]
    old = page.asked("rate", "problem", index=0, stars=3, generation=0)
    assert "changed meanwhile" in old["message"]
    assert shelf.ratings() == []
    assert repr(shown) == "<Gallery: 4 songs (1 failed, 1 pending), library shelf>"


async def test_an_experiment_brings_its_factors(tmp_path: Path) -> None:
    plan = mnb.Plan.grid(
        sonic.Create,
        base={"custom_mode": True, "prompt": "[Verse] {topic}", "mv": "sonic-v5"},
        factors={"topic": ["rain", None], "tags": ["slow jazz"]},
    )
    simulator = Simulator(seconds=(1, 1.2), speed=6000, seed=1)
    api = mnb.connect(simulator=simulator, library=tmp_path / "l")
    simulator.clock.speed = 0
    run = api.experiment("harbour", plan)
    before = api.gallery(run)
    assert (before._songs["title"], before._songs["without"]) == ([], 2)
    run.start()
    while run.progress.counts.get("accepted") != 2:  # noqa: ASYNC110 - it runs on another loop
        await asyncio.sleep(0)
    assert api.gallery(run)._songs["state"] == ["pending", "pending"]
    simulator.clock.speed = 6000
    await run
    shown = api.gallery(run)
    (factor,) = shown._songs["factors"]
    assert (factor["name"], factor["levels"]) == ("topic", ["rain", "(none)"])
    of = [cell.levels["topic"] for cell in plan.cells for _ in range(2)]
    assert [factor["levels"][at] for at in factor["of"]] == [each or "(none)" for each in of]
    for source in ([run], run.songs()):
        assert gallery(source, library=api.library)._songs["factors"] == shown._songs["factors"]
    assert shown._songs["details"]["0"]["audio"] == "file"
    assert "topic: rain" in shown._repr_html_()
    assert api.gallery()._songs["title"] == shown._songs["title"]
    api.close()


def test_a_handle_without_a_library_needs_to_be_told_what() -> None:
    api = mnb.connect(simulator=Simulator(seconds=(1, 1.2), speed=600))
    with pytest.raises(InvalidRequest, match="is to be shown"):
        api.gallery()
    assert len(api.gallery(made(1))._songs["title"]) == 2
    api.close()


def test_tags_tell_what_became_of_them() -> None:
    songs = gallery(made(1))._songs
    fates = [(songs["tag_words"][code // 4], code % 4) for code in songs["tags"][0]]
    assert fates == [("jazz", 1), ("rain", 2), ("spy", 3)]


# --- what travels ------------------------------------------------------------------------------


def state_bytes(shown: Gallery) -> int:
    """What is sent for a gallery that opens, without its program."""
    state = {
        name: value for name, value in shown.get_state().items() if name not in {"_esm", "_css"}
    }
    return len(json.dumps(state).encode())


def test_a_thousand_songs_travel_light() -> None:
    lyrics = "[Verse]\nPaint on the harbour wall dries slow\n" * 20
    tags = ", ".join(f"a tag of number {at}" for at in range(12))
    thousand = gallery(made(500, lyrics=lyrics, tags=tags))
    assert len(thousand._songs["title"]) == 1_000
    assert state_bytes(thousand) < 400_000
    assert len(thousand._repr_html_()) < 100_000
    page = Page(thousand)
    details = page.asked("page", "page", indices=list(range(100, 140)))["details"]
    assert list(details) == [str(at) for at in range(100, 124)]
    assert details["100"]["lyrics"] == lyrics


def test_five_thousand_songs_are_as_quick() -> None:
    many = gallery(made(2_500))
    assert len(many._songs["title"]) == 5_000
    assert state_bytes(many) < 1_000_000
    assert len(many._songs["details"]) == 24
    assert "The first 24 of 5,000 songs" in many._repr_html_()


def test_hostile_songs_are_tamed_and_lead_nowhere() -> None:
    shown = gallery([tasks.parse_task(reply) for reply in hostile.replies()])
    sent = json.dumps(shown.get_state()["_songs"])
    assert "\\u202e" not in sent
    for details in shown._songs["details"].values():
        assert details["url"] is None
        assert details["cover"] is None or details["cover"].startswith("https://")
    html = shown._repr_html_()
    assert "<script" not in html
    assert re.findall(r"""(?:src|href)=["'](?!https://)[^"']*""", html) == []


# --- rating ------------------------------------------------------------------------------------


def test_a_rating_is_in_the_library_when_it_is_answered(shelf: Library, tmp_path: Path) -> None:
    shown = gallery(made(1), library=shelf)
    page = Page(shown)
    said = page.asked("rate", "rated", index=1, stars=4)
    assert (said["mark"], said["problem"], said["of"]) == ([4, 0], "", "stars")
    said = page.asked("rate", "rated", index=1, note="  thin  ")
    assert (said["mark"], said["note"], said["of"]) == ([4, 1], "thin", "note")
    assert shown._rated == {"1": [4, 1]}
    with Library(tmp_path / "shelf") as other:
        (kept,) = other.ratings()
        assert (kept.song_id, kept.stars, kept.note) == ("c0-b", 4, "thin")
        again = gallery(made(1), library=other)
        assert again._rated == {"1": [4, 1]}
        assert again._songs["details"]["1"]["note"] == "thin"
        assert "rated 4 of 5" in again._repr_html_()
    assert page.asked("rate", "rated", index=1, stars=0)["mark"] == [0, 1]
    assert mnb.ratings_frame(shown)["note"].tolist() == ["thin"]


def test_a_refusal_is_told_in_place_with_what_still_stands(shelf: Library, tmp_path: Path) -> None:
    with Library(tmp_path / "shelf", lock_timeout=0.05) as impatient:
        shown = gallery(made(1), library=impatient)
        page = Page(shown)
        page.asked("rate", "rated", index=0, stars=2)
        other = sqlite3.connect(shelf.path / "library.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        said = page.asked("rate", "rated", index=0, stars=5)
        other.execute("ROLLBACK")
        other.close()
    assert "held by another program" in said["problem"]
    assert said["mark"] == [2, 0]
    assert shown._rated == {"0": [2, 0]}
    closed = page.asked("rate", "rated", index=0, stars=5)
    assert "closed" in closed["problem"]


def test_without_a_library_ratings_last_as_long_as_the_gallery() -> None:
    shown = gallery(
        [msgspec.structs.replace(each, id=None, task_id=None) for each in made(1)[0].songs]
    )
    page = Page(shown)
    assert shown._songs["kept"] == ""
    assert page.asked("rate", "rated", index=0, stars=5)["mark"] == [5, 0]
    assert page.asked("rate", "rated", index=1, stars=1)["mark"] == [1, 0]
    assert mnb.ratings_frame(shown)["rating"].tolist() == [5, 1]
    assert "2 rated" in repr(shown)


def test_what_cannot_be_rated_is_refused(shelf: Library) -> None:
    failed = looked(acknowledged(song(), "t9"), FAILED)
    page = Page(gallery([*made(1), failed], library=shelf))
    assert "1 to 5" in page.asked("rate", "rated", index=0, stars=6)["problem"]
    assert "1 to 5" in page.asked("rate", "rated", index=0, stars="5")["problem"]
    assert "characters" in page.asked("rate", "rated", index=0, note="x" * 5_000)["problem"]
    assert "not made" in page.asked("rate", "rated", index=2, stars=3)["problem"]
    assert shelf.ratings() == []


@pytest.mark.parametrize(
    "message",
    [
        None,
        3,
        "rate",
        [],
        {},
        {"type": "eval"},
        {"type": "_told"},
        {"type": "rate", "generation": 0},
        {"type": "rate", "generation": 0, "index": 99},
        {"type": "rate", "generation": 0, "index": -1},
        {"type": "page", "generation": 0},
        {"type": "page", "generation": 0, "indices": ["x"]},
        {"type": "audio", "generation": 0, "index": None},
    ],
)
def test_nonsense_from_the_page_is_answered_and_harms_nothing(message: Any) -> None:
    shown = gallery(made(1))
    page = Page(shown)
    shown._handle_custom_msg(message, [])
    assert page.told("problem")[0]["message"]
    assert page.asked("rate", "rated", index=0, stars=1)["mark"] == [1, 0]


# --- sound -------------------------------------------------------------------------------------


def test_a_file_of_the_library_travels_as_bytes(shelf: Library) -> None:
    dead = made(1, audio_url=None)[0].songs
    content = wave()
    put(shelf, dead[0], content)
    shown = gallery(dead, library=shelf)
    page = Page(shown)
    assert shown._songs["details"]["0"]["audio"] == "file"
    page.say("audio", index=0)
    told, (sent,) = page.told("audio")
    assert (told["media"], sent) == ("audio/wav", content)
    drawn = np.frombuffer(page.told("peaks")[1][0], dtype=np.float32)
    assert len(drawn) == 240
    assert drawn[-1] == pytest.approx(0.5, abs=0.01)
    page.say("peaks", index=0)
    assert page.told("peaks")[1][0] == drawn.tobytes()
    assert "no audio" in page.asked("audio", "silent", index=1)["message"]
    shown.close()


def test_a_file_that_is_no_sound_is_said_to_be_none(shelf: Library) -> None:
    each = made(1)[0].songs[0]
    put(shelf, each, b"<html>gone</html>")
    shown = gallery(each, library=shelf)
    assert "not audio" in Page(shown).asked("audio", "silent", index=0)["message"]
    put(shelf, each, wave()[:40])  # it starts as sound does, and is none
    page = Page(gallery(each, library=shelf))
    page.say("audio", index=0)
    assert page.told("audio")
    assert page.told("peaks")[1] == [b""]


Outcome = Callable[[concurrent.futures.Future[Audio]], None]


@pytest.mark.parametrize("reachable", [True, False])
def test_a_link_that_the_browser_cannot_reach_is_fetched_here(reachable: bool) -> None:  # noqa: FBT001 - parametrised
    def fetch(_: Song) -> concurrent.futures.Future[Audio]:
        future: concurrent.futures.Future[Audio] = concurrent.futures.Future()
        if reachable:
            future.set_result(Audio(wave(), "audio/wav"))
        else:
            future.set_exception(DownloadFailed("the link answered 404"))
        return future

    page = Page(gallery(made(1), fetch=fetch))
    page.say("audio", index=0)
    if reachable:
        assert page.told("audio")[1] == [wave()]
        assert page.told("peaks")
    else:
        assert "404" in page.told("silent")[0]["message"]
        page.say("peaks", index=0)
        page.say("audio", index=0)
        assert "404" in page.told("silent")[0]["message"]
        assert page.heard == []


def test_without_anybody_to_fetch_it_says_so() -> None:
    page = Page(gallery(made(1)))
    assert "link is dead" in page.asked("audio", "silent", index=0)["message"]


# --- where it is not live ----------------------------------------------------------------------


def test_every_display_has_a_static_form(shelf: Library) -> None:
    shelf.rate(made(1)[0].songs[1], 5, note="<b>best</b>")
    shown = gallery(made(20), library=shelf, title="Twenty & more")
    data, _ = shown._repr_mimebundle_()
    assert set(data) == {"text/html", "text/plain", "application/vnd.jupyter.widget-view+json"}
    assert data["text/plain"] == "<Gallery: 40 songs, 1 rated>"
    html = data["text/html"]
    assert html.count("<audio") == 6
    assert html.count("<tr") == 1 + 18
    assert "Twenty &amp; more" in html
    assert "rated 5 of 5" in html
    assert "&lt;b&gt;best" in html
    assert "The first 24 of 40 songs" in html
    assert "<style" not in html
    assert "class=" not in html
