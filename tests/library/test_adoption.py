"""Replies from elsewhere become songs of a library, and no purchases of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import musicapi_nb as mnb
from musicapi_nb import sonic
from musicapi_nb.errors import (
    ClientClosed,
    InvalidArgument,
    InvalidTransition,
    LostReply,
    MissingFile,
)
from musicapi_nb.ledger_types import PurchaseTerms
from musicapi_nb.library import Account, Library
from musicapi_nb.tasks import Task, mark_failed, parse_submit_reply, parse_task, update_parts
from tests.library.helpers import (
    FAILED_UNSAID,
    KILL_CODE,
    PRICE,
    acknowledged,
    buy,
    looked,
    python,
    rebuilt_is_the_same,
    song,
    wait_for_end,
)
from tests.replies import NAMES, sample


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "library") as opened:
        yield opened
        rebuilt_is_the_same(opened)


def reply(*clips: str, state: str = "succeeded", **fields: Any) -> dict[str, Any]:
    """Return a poll of sonic with these clips."""
    songs = [
        {"clip_id": clip, "state": state, "title": f"Song {clip}", "tags": "jazz, slow"}
        | ({"audio_url": f"https://cdn.example/{clip}.mp3"} if state == "succeeded" else {})
        for clip in clips
    ]
    return {"code": 200, "data": songs, **fields}


# --- the frames -----------------------------------------------------------------------------

_CLIPS = {"t1": ("a", "b"), "t2": ("c",), "t3": ("d", "e"), None: ("f", "g")}
_REPLIES = st.lists(
    st.builds(
        lambda task, state, title: reply(
            *_CLIPS[task], state=state, note=title, **({"task_id": task} if task else {})
        ),
        st.sampled_from(list(_CLIPS)),
        st.sampled_from(["pending", "running", "succeeded"]),
        st.sampled_from(["x", "y"]),
    ),
    max_size=8,
    unique_by=json.dumps,  # a reply that the library has says nothing new
)


@settings(max_examples=15)
@given(replies=_REPLIES, split=st.integers(0, 8))
def test_the_frames_are_those_of_the_replies(
    tmp_path_factory: pytest.TempPathFactory, replies: list[Any], split: int
) -> None:
    with Library(tmp_path_factory.mktemp("library")) as library:
        library.adopt(replies[:split])
        library.adopt(replies[split:])
        assert_same_frames(library, replies)
        before = len(library.events())
        again = library.adopt(replies)
        assert (again.new, again.updated) == (0, 0)
        assert len(library.events()) == before
        assert library.account() == Account()
        rebuilt_is_the_same(library)


def assert_same_frames(library: Library, replies: Any) -> None:
    for adopted, direct in zip(mnb.flatten(library), mnb.flatten(replies), strict=True):
        pd.testing.assert_frame_equal(_comparable(adopted), _comparable(direct))


def _comparable(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows in an order of their own: the library has tasks in that of their arrival."""
    texts = frame.drop(columns=["reply", "message", "excerpt"], errors="ignore").astype(str)
    return texts.sort_values(list(texts.columns)).reset_index(drop=True)


@pytest.mark.parametrize("name", NAMES)
def test_each_documented_reply_is_the_same_afterwards(library: Library, name: str) -> None:
    adoption = library.adopt(sample(name))
    if adoption.issues:
        assert library.entries() == []
        return
    assert_same_frames(library, sample(name))


# --- sources --------------------------------------------------------------------------------


def test_files_and_folders_of_replies_are_adopted(library: Library, tmp_path: Path) -> None:
    folder = tmp_path / "replies"
    folder.mkdir()
    lines = [reply("a", "b", task_id="t1"), reply("c", task_id="t2")]
    (folder / "one.ndjson").write_text(
        "\n".join([*map(json.dumps, lines), "<html>busy</html>"]), encoding="utf-8"
    )
    mnb.write_parquet(mnb.flatten([]), folder, raw=[json.dumps(reply("d", task_id="t3"))])
    adoption = library.adopt(str(folder / "one.ndjson"))
    assert (adoption.new, len(adoption.issues)) == (2, 1)
    assert "HTML" in adoption.issues[0].message
    assert "one.ndjson:2: the reply is an HTML page" in repr(adoption)
    assert library.adopt(folder).new == 1
    assert len(mnb.songs_frame(library)) == 4
    with pytest.raises(MissingFile):
        library.adopt(tmp_path / "none.ndjson")


def test_a_library_is_a_source(library: Library, tmp_path: Path) -> None:
    library.adopt([reply("a", "b", task_id="t1"), reply("c")])
    buy(library, song(), "t2")
    assert library.adopt(library).unchanged == 3
    with Library(tmp_path / "other") as other:
        assert other.adopt(library).new == 3
        assert other.account() == Account()
        assert list(mnb.songs_frame(other)["song_id"]) == ["a", "b", "c"]
        assert mnb.tasks_frame(other)["price"].isna().all()  # it is known where they were bought


def test_reply_without_a_task_id_is_an_issue(library: Library) -> None:
    adoption = library.adopt([{"message": "hello"}, reply("a"), "[1, 2]"])
    assert [issue.reply for issue in adoption.issues] == ["0", "2"]
    assert (adoption.new, len(library.entries())) == (1, 1)


@pytest.mark.parametrize("source", ["sonic:abc-1", ["0f0f-1"], ("sonic:abc",)])
def test_a_task_id_has_no_reply(library: Library, source: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"api\.adopt"):
        library.adopt(source)


def test_adopted_task_keeps_its_request_without_being_its_purchase(library: Library) -> None:
    request = song()
    adoption = library.adopt(looked(acknowledged(request, "t1")))
    (entry,) = library.entries()
    assert (adoption.entries, entry.request_key, entry.price) == ((entry.id,), "", None)
    assert repr(entry) == "<Entry 1: sonic.create, done, adopted>"
    assert library.request(entry.id) == request
    assert library.tasks()[0].songs[0].request == request
    assert library.find(request) is None
    assert library.claim(request).kind == "buy"


# --- states ---------------------------------------------------------------------------------


def test_the_state_is_that_of_the_task(library: Library) -> None:
    library.adopt([reply("a", task_id="t1"), reply("b", state="running", task_id="t2")])
    library.adopt(parse_task(FAILED_UNSAID, task=Task(id="t3", engine="sonic")))
    assert [entry.state for entry in library.entries()] == ["done", "accepted", "failed"]
    assert library.account() == Account()
    assert [work.task.id for work in library.unfinished()] == ["t2"]
    library.adopt(reply("b", task_id="t2"))
    assert library.counts() == {"done": 2, "failed": 1}
    assert "3 of these adopted, bought elsewhere" in repr(library)
    with pytest.raises(InvalidTransition, match="adopted"):
        library.resolve(library.entries("failed")[0].id, before=30, after=10)
    assert library.render_times("sonic", "") == []


def test_a_task_without_a_reply_is_asked_for_later_unless_it_failed(library: Library) -> None:
    made = parse_task(reply("a", task_id="t1"))
    library.adopt(made.songs[0])  # it knows its task
    assert [work.task.id for work in library.unfinished()] == ["t1"]
    failed = mark_failed(Task(id="t1", engine="sonic"), "no luck", refunded=True)
    assert library.adopt(failed).updated == 1
    assert library.adopt(failed).unchanged == 1
    assert [(task.state, task.fail_reason) for task in library.tasks()] == [("failed", "no luck")]


def test_a_reply_without_an_id_belongs_to_the_task_with_its_songs(library: Library) -> None:
    library.adopt(reply("a", "b"))
    library.adopt(reply("a", "b", "c"))  # a later reply with one more
    library.adopt(reply("a", "b", "c", task_id="t1"))
    (entry,) = library.entries()
    assert entry.task_id == "t1"
    assert library.adopt(reply("a", "b")).unchanged == 1


def test_the_price_of_a_batch_bought_elsewhere_does_not_count(library: Library) -> None:
    batch = sonic.Batch(items=[song("rain"), song("snow")])
    task = parse_submit_reply({"batch_id": "b", "tasks": ["t1", "t2"]}, batch)
    (entry,) = library.adopt(task).entries
    parts = [parse_task(reply("a", "b"), task=part) for part in task.parts]
    library.record_poll(entry, update_parts(task, parts))
    assert task.price == 2 * PRICE
    assert (library.entry(entry).state, library.entry(entry).price) == ("done", None)
    assert library.account() == Account()


def test_a_finished_task_stays_finished(library: Library) -> None:
    """A late reply of the time when it was made only tells its id."""
    library.adopt(reply("a", "b"))
    assert library.adopt(reply("a", "b", state="running", task_id="t1")).updated == 1
    (task,) = library.tasks()
    assert (task.id, task.state, len(task.songs)) == ("t1", "succeeded", 2)


def test_a_done_task_does_not_fail_later(library: Library) -> None:
    library.adopt(reply("a", "b", task_id="t1"))
    library.adopt(reply("c", "d"))
    failed = {**FAILED_UNSAID, "task_id": "t1"}
    assert library.adopt(failed).unchanged == 1
    assert [task.state for task in library.tasks()] == ["succeeded"] * 2


def test_the_parts_of_a_batch_are_there_with_it(library: Library) -> None:
    batch = sonic.Batch(items=[song("rain"), song("snow")])
    task = parse_submit_reply({"batch_id": "b", "tasks": ["t1", "t2"]}, batch)
    library.record_accepted(library.claim(batch).entry.id, task)
    adoption = library.adopt([reply("a", "b", task_id=name) for name in ("t1", "t2", "t3")])
    assert (adoption.new, adoption.unchanged) == (1, 1)
    assert [task.id for task in library.tasks()] == ["b", "t3"]


def test_simulated_tasks_stay_apart(library: Library) -> None:
    library.adopt(reply("a", task_id="t1"))
    assert library.adopt(reply("a", task_id="t1"), simulated=True).new == 1
    assert [task.simulated for task in library.tasks()] == [False, True]
    assert library.holds(library.tasks()[1].songs[0])


# --- purchases ------------------------------------------------------------------------------


def test_a_purchase_is_never_changed_by_a_reply(library: Library) -> None:
    bought = buy(library, song()).entry.id
    failed = {**FAILED_UNSAID, "refund_processed": True, "task_id": "t1"}
    for foreign in (failed, reply("x", task_id="t1"), Task(id="t1", engine="sonic")):
        adoption = library.adopt(foreign)
        assert (adoption.new, adoption.unchanged, adoption.entries) == (0, 1, (bought,))
    assert [entry.state for entry in library.entries()] == ["accepted"]
    library.record_poll(bought, looked(acknowledged(song(), "t1")))
    library.adopt(reply("c", "d"))  # the songs of that purchase
    assert len(library.entries()) == 1


def test_purchase_replaces_its_adopted_task(library: Library) -> None:
    """Its task was adopted while it was uncertain; then a person finds that out."""
    entry = library.claim(song()).entry.id
    library.record_uncertain(entry, LostReply("cut off"))
    library.adopt(reply("a", "b", task_id="t1"))
    assert library.find(song(), PurchaseTerms()).kind == "uncertain"  # type: ignore[union-attr]
    library.resolve(entry, task_id="t1")
    assert [task.take for task in library.tasks()] == [1]
    assert library.counts() == {"accepted": 1}
    library.record_poll(entry, looked(acknowledged(song(), "t1"), reply("a", "b")))
    assert len(mnb.songs_frame(library)) == 2
    assert library.adopt(reply("a", "b", task_id="t1")).unchanged == 1
    assert library.task_with("a")[0].id == entry  # type: ignore[index]
    assert library.account().spent == 20


def test_a_poll_under_way_counts_for_the_purchase(library: Library) -> None:
    """The adopted task was waited for when the purchase took its place."""
    purchase = library.claim(song()).entry.id
    library.record_uncertain(purchase, LostReply("cut off"))
    (adopted,) = library.adopt(reply("a", state="running", task_id="t1")).entries
    task = library.task(adopted)
    library.resolve(purchase, task_id="t1")
    assert library.record_poll(adopted, looked(task, reply("a", "b"))).id == purchase
    assert library.entry(purchase).state == "done"


def test_a_closed_library_says_so(tmp_path: Path) -> None:
    library = Library(tmp_path)
    library.close()
    for change in (lambda: library.adopt(reply("a")), lambda: library.merge(tmp_path / "other")):
        with pytest.raises(ClientClosed, match="the library is closed"):
            change()
    assert library.notice == "the library is closed"


# --- a process that is killed ---------------------------------------------------------------

KILLED = """
import itertools, os, sys
from musicapi_nb.library import Library, adoption
from tests.library.test_adoption import reply

adoption._BATCH = 2
def replies():
    for number in range(7):
        if number == 5:
            os.kill(os.getpid(), 9)
        yield reply(f"c{number}", task_id=f"t{number}")

Library(sys.argv[1]).adopt(replies())
"""


def test_adopting_goes_on_after_a_kill(tmp_path: Path) -> None:
    assert wait_for_end(python(KILLED, str(tmp_path))) == KILL_CODE
    with Library(tmp_path) as library:
        assert len(library.entries()) == 4
        adoption = library.adopt([reply(f"c{number}", task_id=f"t{number}") for number in range(7)])
        assert (adoption.new, adoption.unchanged) == (3, 4)
        rebuilt_is_the_same(library)
