"""The Python side of the gallery: sources, state, replies to the page, ratings."""

import asyncio
import concurrent.futures
import io
import json
import re
import sqlite3
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile

import musicapi_nb as mnb
from musicapi_nb import sonic, tasks
from musicapi_nb.errors import DownloadFailed
from musicapi_nb.library import Library
from musicapi_nb.simulator import Simulator
from musicapi_nb.tasks import Song, Task
from musicapi_nb.widgets import song_widget
from musicapi_nb.widgets.gallery import Gallery, gallery
from musicapi_nb.widgets.song_audio import Audio
from tests.browser import hostile
from tests.library.helpers import FAILED, acknowledged, buy, looked, song


class FakePage:
    """Stands in for the browser: sends requests to a gallery and collects its messages."""

    def __init__(self, widget: Gallery) -> None:
        self.gallery = widget
        self.messages: list[tuple[dict[str, Any], list[bytes]]] = []
        self._arrived = threading.Condition()
        widget.send = self._receive
        widget.observe(lambda _: self._receive({"type": "outdated"}), "_outdated")

    def _receive(self, content: dict[str, Any], buffers: list[bytes] | None = None) -> None:
        with self._arrived:
            self.messages.append((content, buffers or []))
            self._arrived.notify_all()

    def send(self, kind: str, **content: Any) -> None:
        request = {"type": kind, "generation": self.gallery._songs["generation"], **content}
        self.gallery._handle_custom_msg(request, [])

    def receive(self, kind: str) -> tuple[dict[str, Any], list[bytes]]:
        """Wait for the first message of a kind; remove and return it with its buffers."""

        def first() -> tuple[dict[str, Any], list[bytes]] | None:
            return next((message for message in self.messages if message[0]["type"] == kind), None)

        with self._arrived:
            assert self._arrived.wait_for(first, timeout=60), self.messages
            message = first()
            assert message is not None
            self.messages.remove(message)
            return message

    def ask(self, kind: str, reply: str, **content: Any) -> dict[str, Any]:
        self.send(kind, **content)
        return self.receive(reply)[0]


def finished_tasks(number: int = 3, **fields: Any) -> list[Task]:
    """Return tasks with two songs each; `fields` are added to each clip of the reply."""
    finished = []
    for index in range(number):
        clips = [
            {
                "clip_id": f"c{index}-{side}",
                "state": "succeeded",
                "title": f"Song {index}{side}",
                "tags": "jazz, rain",
                "duration": 60.0 + index,
                "mv": "sonic-v5",
                "audio_url": f"https://cdn.example/{index}{side}.mp3",
                **fields,
            }
            for side in "ab"
        ]
        request = sonic.Create(custom_mode=True, mv="sonic-v5", prompt="[Verse]", tags="jazz, spy")
        task = acknowledged(request, f"t{index}")
        finished.append(looked(task, {"code": 200, "data": clips}))
    return finished


def wav_bytes(seconds: float = 1.0) -> bytes:
    file = io.BytesIO()
    samples = np.linspace(0, 0.5, int(8_000 * seconds), dtype=np.float32)
    soundfile.write(file, samples, 8_000, format="WAV")
    return file.getvalue()


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "shelf") as library:
        yield library


def store_audio(library: Library, song: Song, content: bytes) -> None:
    path = library.temporary_path()
    path.write_bytes(content)
    library.attach(song, "audio", library.add_file(path, ".wav"))


def test_library_gallery_refreshes(library: Library) -> None:
    first = song("one")
    library.record_poll(buy(library, first, "t1").entry.id, looked(acknowledged(first, "t1")))
    widget = gallery(library)
    assert widget._songs["title"] == ["Rain", "Rain"]
    second = song("two")
    failed = buy(library, second, "t2").entry.id
    buy(library, song("three"), "t3")
    library.record_poll(failed, looked(acknowledged(second, "t2"), FAILED))
    page = FakePage(widget)
    page.send("refresh")
    assert widget._songs["state"] == ["succeeded", "succeeded", "failed", "pending"]
    assert widget._songs["details"]["2"]["no_audio"] == "no luck. The credits were refunded."
    assert "being made" in widget._songs["details"]["3"]["no_audio"]
    problem = page.ask("rate", "problem", index=0, stars=3, generation=0)
    assert "the list has changed" in problem["message"]
    assert library.ratings() == []
    assert repr(widget) == "<Gallery: 4 songs (1 failed, 1 in the queue), library shelf>"


def test_gallery_of_a_large_library_has_its_latest_purchases(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(song_widget, "_LATEST", 3)
    for number in range(5):
        request = song(str(number))
        claim = buy(library, request, f"t{number}")
        library.record_poll(claim.entry.id, looked(acknowledged(request, f"t{number}")))
        shown = [item.task.id for item in gallery(library).collection.items if item.task]
        assert list(dict.fromkeys(shown)) == [f"t{index}" for index in range(number + 1)][-3:]
    widget = gallery(library)
    note = "the latest 3 purchases; library.tasks() with library=library shows all"
    assert note in widget._songs["note"]
    assert note in widget._repr_html_()
    whole = gallery(library.tasks(), library=library)
    assert len(whole.collection.items) == 5 * len(looked(acknowledged(song())).songs)
    assert whole._songs["note"] == ""


async def test_experiment_gallery_has_factors(tmp_path: Path) -> None:
    plan = mnb.Plan.grid(
        sonic.Create,
        base={"custom_mode": True, "prompt": "[Verse] {topic}", "mv": "sonic-v5"},
        factors={"topic": ["rain", None], "tags": ["slow jazz"]},
    )
    simulator = Simulator(seconds=(1, 1.2), speed=600, seed=1)
    api = mnb.connect(simulator=simulator, library=tmp_path / "l")
    simulator.clock.speed = 0
    run = api.experiment("harbour", plan)
    before = api.gallery(run)
    assert (before._songs["title"], before._songs["without_songs"]) == ([], 2)
    run.start()
    while run.progress.counts.get("accepted") != 2:  # noqa: ASYNC110 - it runs on another loop
        await asyncio.sleep(0)
    assert api.gallery(run)._songs["state"] == ["pending", "pending"]
    simulator.clock.speed = 600
    await run
    widget = api.gallery(run)
    (factor,) = widget._songs["factors"]
    assert (factor["name"], factor["levels"]) == ("topic", ["rain", "(none)"])
    levels = [cell.levels["topic"] or "(none)" for cell in plan.cells for _ in range(2)]
    assert [factor["levels"][index] for index in factor["level_indices"]] == levels
    for source in ([run], run.songs()):
        assert gallery(source, library=api.library)._songs["factors"] == widget._songs["factors"]
    assert widget._songs["details"]["0"]["audio"] == "file"
    assert "topic: rain" in widget._repr_html_()
    assert api.gallery()._songs["title"] == widget._songs["title"]
    api.close()


def test_session_without_library_shows_its_own_songs() -> None:
    api = mnb.connect(simulator=Simulator(seconds=(1, 1.2), speed=600))
    assert api.gallery()._songs["title"] == []
    assert len(api.gallery(finished_tasks(1))._songs["title"]) == 2
    api.close()


def test_tag_codes_hold_fates() -> None:
    songs = gallery(finished_tasks(1))._songs
    fates = [(songs["tag_names"][code // 8], code % 8) for code in songs["tags"][0]]
    assert fates == [("jazz", 1), ("rain", 3), ("spy", 4)]


# --- size of the state -------------------------------------------------------------------------


def state_bytes(widget: Gallery) -> int:
    """Return the size of what is sent for a new gallery, without its script and styles."""
    state = {
        name: value for name, value in widget.get_state().items() if name not in {"_esm", "_css"}
    }
    return len(json.dumps(state).encode())


def test_state_of_thousand_songs_is_small() -> None:
    lyrics = "[Verse]\nPaint on the harbour wall dries slow\n" * 20
    tags = ", ".join(f"a tag of number {number}" for number in range(12))
    thousand = gallery(finished_tasks(500, lyrics=lyrics, tags=tags))
    assert len(thousand._songs["title"]) == 1_000
    assert state_bytes(thousand) < 400_000
    assert len(thousand._repr_html_()) < 100_000
    page = FakePage(thousand)
    details = page.ask("page", "page", indices=list(range(100, 140)))["details"]
    assert list(details) == [str(index) for index in range(100, 124)]
    assert details["100"]["lyrics"] == lyrics


def test_state_of_five_thousand_songs_is_bounded() -> None:
    five_thousand = gallery(finished_tasks(2_500))
    assert len(five_thousand._songs["title"]) == 5_000
    assert state_bytes(five_thousand) < 1_000_000
    assert len(five_thousand._songs["details"]) == 24
    assert "The first 24 of 5,000 songs" in five_thousand._repr_html_()


def test_hostile_songs_are_escaped_and_not_linked() -> None:
    widget = gallery([tasks.parse_task(reply) for reply in hostile.replies()])
    sent = json.dumps(widget.get_state()["_songs"])
    assert "\\u202e" not in sent
    for details in widget._songs["details"].values():
        assert details["url"] is None
        assert details["cover"] is None or details["cover"].startswith("https://")
    html = widget._repr_html_()
    assert "<script" not in html
    assert re.findall(r"""(?:src|href)=["'](?!https://)[^"']*""", html) == []


# --- rating ------------------------------------------------------------------------------------


def test_rating_is_stored_before_reply(library: Library, tmp_path: Path) -> None:
    widget = gallery(finished_tasks(1), library=library)
    page = FakePage(widget)
    reply = page.ask("rate", "rating", index=1, stars=4)
    assert (reply["mark"], reply["problem"], reply["field"]) == ([4, 0], "", "stars")
    reply = page.ask("rate", "rating", index=1, note="  thin  ")
    assert (reply["mark"], reply["note"], reply["field"]) == ([4, 1], "thin", "note")
    assert widget._ratings == {"1": [4, 1]}
    with Library(tmp_path / "shelf") as other:
        (rating,) = other.ratings()
        assert (rating.song_id, rating.stars, rating.note) == ("c0-b", 4, "thin")
        again = gallery(finished_tasks(1), library=other)
        assert again._ratings == {"1": [4, 1]}
        assert again._songs["details"]["1"]["note"] == "thin"
        assert "rated 4 of 5" in again._repr_html_()
    assert page.ask("rate", "rating", index=1, stars=0)["mark"] == [0, 1]
    assert mnb.ratings_frame(widget)["note"].tolist() == ["thin"]


def test_changes_made_elsewhere_are_shown(library: Library, tmp_path: Path) -> None:
    first = song("one")
    library.record_poll(buy(library, first, "t1").entry.id, looked(acknowledged(first, "t1")))
    widget = gallery(library)
    page = FakePage(widget)
    (task,) = library.tasks()
    with Library(tmp_path / "shelf") as other:  # such as in another kernel
        other.rate(task.songs[1], 4, note="warm")
        assert page.receive("notes")[0]["notes"] == {"1": "warm"}
        details = widget.get_state("_songs")["_songs"]["details"]  # for a page opened by now
        assert details["1"]["note"] == "warm"
        assert widget._ratings == {"1": [4, 1]}
        second = song("two")
        other.record_poll(buy(other, second, "t2").entry.id, looked(acknowledged(second, "t2")))
        page.receive("outdated")
    page.send("refresh")
    assert len(widget._songs["title"]) == 4
    assert widget._songs["state"] == ["succeeded"] * 4
    widget.close()


def test_purchases_that_end_while_the_songs_are_read_are_announced(library: Library) -> None:
    first = song("one")
    purchase = buy(library, first, "t1").entry.id

    class SlowLibrary(Library):
        """A library in which a purchase ends just after the songs have been read."""

        def latest_tasks(self) -> Iterator[Task]:
            yield from list(super().latest_tasks())
            library.record_poll(purchase, looked(acknowledged(first, "t1")))

    with SlowLibrary(library.path) as slow:
        widget = gallery(slow)
        assert widget._songs["state"] == ["pending"]
        FakePage(widget).receive("outdated")
        widget.refresh()
        assert widget._songs["state"] == ["succeeded"] * 2
        widget.close()


def test_failed_rating_reports_problem_and_stored_rating(library: Library, tmp_path: Path) -> None:
    with Library(tmp_path / "shelf", lock_timeout=0.05) as impatient:
        widget = gallery(finished_tasks(1), library=impatient)
        page = FakePage(widget)
        page.ask("rate", "rating", index=0, stars=2)
        other = sqlite3.connect(library.path / "library.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        reply = page.ask("rate", "rating", index=0, stars=5)
        other.execute("ROLLBACK")
        other.close()
    assert "locked by another program" in reply["problem"]
    assert reply["mark"] == [2, 0]
    assert widget._ratings == {"0": [2, 0]}
    closed = page.ask("rate", "rating", index=0, stars=5)
    assert "closed" in closed["problem"]


def test_ratings_without_library_last_for_session() -> None:
    songs = finished_tasks(1)[0].songs
    widget = gallery([msgspec.structs.replace(song, id=None, task_id=None) for song in songs])
    page = FakePage(widget)
    assert widget._songs["library"] == ""
    assert page.ask("rate", "rating", index=0, stars=5)["mark"] == [5, 0]
    assert page.ask("rate", "rating", index=1, stars=1)["mark"] == [1, 0]
    assert mnb.ratings_frame(widget)["rating"].tolist() == [5, 1]
    assert "2 rated" in repr(widget)


def test_invalid_ratings_are_refused(library: Library) -> None:
    failed = looked(acknowledged(song(), "t9"), FAILED)
    page = FakePage(gallery([*finished_tasks(1), failed], library=library))
    assert "1 to 5" in page.ask("rate", "rating", index=0, stars=6)["problem"]
    assert "1 to 5" in page.ask("rate", "rating", index=0, stars="5")["problem"]
    assert "characters" in page.ask("rate", "rating", index=0, note="x" * 5_000)["problem"]
    assert "was not made" in page.ask("rate", "rating", index=2, stars=3)["problem"]
    assert library.ratings() == []


@pytest.mark.parametrize(
    "message",
    [
        None,
        3,
        "rate",
        [],
        {},
        {"type": "eval"},
        {"type": "_songs"},
        {"type": "rate", "generation": 0},
        {"type": "rate", "generation": 0, "index": 99},
        {"type": "rate", "generation": 0, "index": -1},
        {"type": "page", "generation": 0},
        {"type": "page", "generation": 0, "indices": ["x"]},
        {"type": "audio", "generation": 0, "index": None},
    ],
)
def test_malformed_request_is_answered_with_problem(message: Any) -> None:
    widget = gallery(finished_tasks(1))
    page = FakePage(widget)
    widget._handle_custom_msg(message, [])
    assert page.receive("problem")[0]["message"]
    assert page.ask("rate", "rating", index=0, stars=1)["mark"] == [1, 0]


def test_changes_after_the_close_are_ignored(tmp_path: Path) -> None:
    with Library(tmp_path) as library:
        widget = gallery(library)
        widget.library_changed({})
        widget.close()
        widget.library_changed({})  # of the watching thread, which had read the list of widgets


# --- menu --------------------------------------------------------------------------------------


def test_menu_opens_forms_and_buys_nothing(tmp_path: Path) -> None:
    with mnb.connect(simulator=Simulator(seconds=(1, 1.2), speed=600), library=tmp_path) as api:
        task = api.run(sonic.Create(prompt="[Verse]", title="Rain <1>")).result()
        widget = mnb.show(task)
        page = FakePage(widget)
        items = {item["action"]: item for item in widget._songs["details"]["1"]["menu"]}
        assert [item["label"] for item in items.values()] == [
            *("Save", "Extend …", "Cover …", "Stems …", "Copy code")
        ]
        assert items["extend"]["price"] == "15 credits"
        assert {item["reason"] for item in items.values()} == {""}
        page.ask("form", "form", index=1, action="extend")
        (form,) = widget._forms.children
        assert repr(task.songs[1].id) in page.ask("form", "form", index=1, action="cover")["code"]
        assert widget._forms.children != (form,)
        assert (
            "there is no menu item" in page.ask("form", "problem", index=1, action="run")["message"]
        )
        page.send("save", index=0)
        message, (content,) = page.receive("save")
        assert api.library is not None
        path = api.library.file_of(task.songs[0])
        assert path is not None
        assert message["name"] == f"Rain _1_{path.suffix}"
        assert content == path.read_bytes()
        assert len(api.library.tasks()) == 1
        cover = widget._open_forms[0]
        cover.submit().result()
        page.ask("form", "form", index=0, action="extend")
        assert widget._forms.children[1:] == (cover.widget,)  # with the songs that it has bought


def test_copied_code_gets_the_song_again_without_a_purchase(tmp_path: Path) -> None:
    create = sonic.Create(prompt="[Verse]", title="Rain")
    with mnb.connect(simulator=Simulator(seconds=(1, 1.2), speed=600), library=tmp_path) as api:
        second_version = api.run(create, take=2).result()
        batch = api.run(sonic.Batch(items=[create, create])).result()
        credits_left = api.credits().result().total
        widget = mnb.show([second_version, batch])
        page = FakePage(widget)
        for index, item in enumerate(widget.collection.items):
            code = page.ask("code", "code", index=index)["code"]
            function = f"async def song_of():\n{textwrap.indent(code, '    ')}\n    return song"
            names: dict[str, Any] = {"api": api, "sonic": sonic}
            exec(function, names)  # noqa: S102 - the code is ours
            assert asyncio.run(names["song_of"]()) == item.song
        assert api.credits().result().total == credits_left


def test_menu_says_why_an_item_is_disabled() -> None:
    failed = looked(acknowledged(song(), "t9"), FAILED)
    widget = gallery([*finished_tasks(1), failed])
    items = widget._songs["details"]["0"]["menu"]
    assert ["There is no connection" in item["reason"] for item in items] == [
        *(False, True, True, True, False)
    ]
    failed_items = {item["action"]: item for item in widget._songs["details"]["2"]["menu"]}
    assert failed_items["save"]["reason"] == "There is no audio to save."
    assert failed_items["extend"]["reason"]


def test_songs_say_what_they_were_made_from() -> None:
    (task,) = finished_tasks(1)
    reply = {"code": 200, "data": [{"clip_id": "x", "state": "succeeded", "title": "Longer"}]}
    longer = looked(acknowledged(task.songs[0].extend(mv="sonic-v5", prompt="on"), "t7"), reply)
    cover = looked(acknowledged(task.songs[1].cover(mv="sonic-v5", prompt="on"), "t8"), reply)
    assert gallery([task, longer])._songs["sources"] == {"2": "Extends Song 0a"}
    assert gallery([cover])._songs["sources"] == {"0": "Cover of another song"}


# --- audio -------------------------------------------------------------------------------------


def test_library_file_is_sent_as_bytes(library: Library) -> None:
    dead = finished_tasks(1, audio_url=None)[0].songs
    content = wav_bytes()
    store_audio(library, dead[0], content)
    widget = gallery(dead, library=library)
    page = FakePage(widget)
    assert widget._songs["details"]["0"]["audio"] == "file"
    page.send("audio", index=0)
    message, (audio,) = page.receive("audio")
    assert (message["media_type"], audio) == ("audio/wav", content)
    peaks = np.frombuffer(page.receive("peaks")[1][0], dtype=np.float32)
    assert len(peaks) == 240
    assert peaks[-1] == pytest.approx(0.5, abs=0.01)
    page.send("peaks", index=0)
    assert page.receive("peaks")[1][0] == peaks.tobytes()
    assert "no audio" in page.ask("audio", "no_audio", index=1)["message"]
    widget.close()


def test_file_without_audio_is_reported(library: Library) -> None:
    song = finished_tasks(1)[0].songs[0]
    store_audio(library, song, b"<html>gone</html>")
    widget = gallery(song, library=library)
    assert "not audio" in FakePage(widget).ask("audio", "no_audio", index=0)["message"]
    store_audio(library, song, wav_bytes()[:40])  # a valid header, but no samples
    page = FakePage(gallery(song, library=library))
    page.send("audio", index=0)
    assert page.receive("audio")
    assert page.receive("peaks")[1] == [b""]


@pytest.mark.parametrize("reachable", [True, False])
def test_unreachable_link_is_fetched_by_kernel(reachable: bool) -> None:  # noqa: FBT001 - parametrised
    def fetch(_: Song) -> concurrent.futures.Future[Audio]:
        future: concurrent.futures.Future[Audio] = concurrent.futures.Future()
        if reachable:
            future.set_result(Audio(wav_bytes(), "audio/wav"))
        else:
            future.set_exception(DownloadFailed("the link answered 404"))
        return future

    page = FakePage(gallery(finished_tasks(1), fetch=fetch))
    page.send("audio", index=0)
    if reachable:
        assert page.receive("audio")[1] == [wav_bytes()]
        assert page.receive("peaks")
    else:
        assert "404" in page.receive("no_audio")[0]["message"]
        page.send("peaks", index=0)
        page.send("audio", index=0)
        assert "404" in page.receive("no_audio")[0]["message"]
        assert page.messages == []


def test_missing_fetch_is_reported() -> None:
    page = FakePage(gallery(finished_tasks(1)))
    assert "link is dead" in page.ask("audio", "no_audio", index=0)["message"]


# --- static HTML -------------------------------------------------------------------------------


def test_gallery_has_static_html(library: Library) -> None:
    library.rate(finished_tasks(1)[0].songs[1], 5, note="<b>best</b>")
    widget = gallery(finished_tasks(20), library=library, title="Twenty & more")
    data, _ = widget._repr_mimebundle_()
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
