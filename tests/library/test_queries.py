"""Queries about a library, and its card."""

import contextlib
import itertools
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings

from musicapi_nb import MusicAPI, frames, sonic, tasks
from musicapi_nb.errors import (
    ContentRefused,
    InvalidArgument,
    LostReply,
    MusicAPIError,
    UnexpectedReply,
)
from musicapi_nb.experiment import Experiment
from musicapi_nb.ledger_types import FileRef, PurchaseTerms
from musicapi_nb.library import Entry, Library, RenderTime, request_key
from musicapi_nb.library.stored_tasks import raw_text, restore, to_event
from musicapi_nb.notebook import connect
from musicapi_nb.plan import Plan
from musicapi_nb.simulator import Simulator
from musicapi_nb.tasks import StoredReply
from tests.library.helpers import (
    FAILED,
    FAILED_UNSAID,
    PRICE,
    RUNNING,
    Unpriced,
    acknowledged,
    buy,
    looked,
    rebuilt_is_the_same,
    song,
)
from tests.raw_http_server import DONE
from tests.replies import NAMES, expand, malformed_replies, sample


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "my library") as opened:
        yield opened


def finish(library: Library, prompt: str, reply: Any = DONE, **named: Any) -> tasks.Task:
    request = song(prompt)
    claim = buy(library, request, f"task {prompt}", **named)
    task = looked(acknowledged(request, f"task {prompt}"), reply)
    library.record_poll(claim.entry.id, task)
    return task


def test_tasks_are_restored_as_polled(library: Library) -> None:
    tasks_made = [finish(library, "a"), finish(library, "b", FAILED), finish(library, "c", RUNNING)]
    library.claim(song("d"))
    assert library.tasks() == tasks_made
    assert library.tasks("done") == tasks_made[:1]
    assert library.tasks("accepted") == tasks_made[2:]
    assert [entry.state for entry in library.entries()] == ["done", "failed", "accepted", "sending"]
    with pytest.raises(InvalidArgument, match="planned, sending"):
        library.tasks("finished")  # type: ignore[arg-type]  # what a person may type


def test_experiment_tasks_are_those_of_its_cells(library: Library) -> None:
    first = finish(library, "a", experiment="e")
    finish(library, "b")
    assert library.tasks(experiment="e") == [first]
    assert library.tasks(experiment="none") == []
    assert library.counts(experiment="e") == {"done": 1}


def test_frame_accepts_a_library(library: Library) -> None:
    tasks_made = [finish(library, "a"), finish(library, "b", FAILED)]
    given_library = frames.songs_frame(library)
    by_tasks = frames.songs_frame(tasks_made)
    assert given_library.drop(columns="reply").equals(by_tasks.drop(columns="reply"))
    assert len(given_library) == 2
    both = frames.tasks_frame([library, tasks_made[0]])  # the last reply about a task counts
    assert list(both["task_id"]) == ["task b", "task a"]


def test_table_with_a_replies_column_is_not_a_library() -> None:
    with pytest.raises(InvalidArgument, match="DataFrame"):
        frames.songs_frame(cast("Any", pd.DataFrame({"tasks": [1]})))


@pytest.mark.parametrize("name", NAMES)
def test_every_sample_reply_is_restored(library: Library, name: str) -> None:
    number = buy(library, song()).entry.id
    try:
        task = looked(acknowledged(song()), sample(name))
    except UnexpectedReply:  # acknowledgements of webhooks and similar calls
        return
    library.record_poll(number, task)
    assert library.task(number) == task


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(malformed_replies())
def test_malformed_replies_are_restored(reply: Any) -> None:
    payload = json.loads(json.dumps(reply))  # as received, with NaN and lone surrogates
    try:
        task = tasks.parse_task(payload, task=acknowledged(song()))
    except MusicAPIError:
        return
    entry = Entry(1, 1, "i", "sonic", "create", "accepted", task_id=task.id)
    data = json.loads(json.dumps(to_event(task)))
    assert repr(restore(entry, song(), data, raw_text(task)).task()) == repr(task)
    back = restore(entry, song(), data, raw_text(task)).task()
    assert json.dumps(back.raw) == json.dumps(task.raw)


def test_songs_of_a_deeply_nested_reply_are_stored(library: Library) -> None:
    number = buy(library, song()).entry.id
    task = looked(acknowledged(song()), {**DONE, "deep": expand("<deep>")})
    library.record_poll(number, task)
    back = library.task(number)
    assert (back.state, back.songs) == ("succeeded", task.songs)
    assert "nested too deeply" in repr(back.raw["deep"])


def test_render_times_lie_between_two_polls(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("musicapi_nb.library.events.time.time", lambda: now)
    request = song()
    number = buy(library, request).entry.id
    task = acknowledged(request)
    now = 1020.0
    library.record_poll(number, looked(task, RUNNING))
    now = 1045.0
    library.record_poll(number, looked(task, RUNNING))
    now = 1060.0
    library.record_poll(number, looked(task))
    other = buy(library, song("b"), "t2").entry.id
    now = 1100.0
    library.record_poll(other, looked(acknowledged(song("b"), "t2")))
    failed = buy(library, song("c"), "t3").entry.id
    library.record_poll(failed, looked(acknowledged(song("c"), "t3"), FAILED))
    expected = [RenderTime(45.0, 60.0, "sonic-v5"), RenderTime(0.0, 40.0, "sonic-v5")]
    assert library.render_times("sonic", "create") == expected
    assert library.render_times("sonic", "extend") == []
    assert library.render_times("sonic", "create", simulated=True) == []


def test_entry_describes_its_request(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = library.claim(song(), PurchaseTerms(take=3, experiment="e"))
    entry = library.entry(claim.entry.id)
    assert (entry.name, entry.model, entry.take, entry.experiment) == (
        "sonic.create",
        "sonic-v5",
        3,
        "e",
    )
    assert entry.request_key == request_key(song(), 3)
    assert library.request(entry.id) == song()
    monkeypatch.setattr(Unpriced, "custom", False)  # as if a newer version had declared it
    assert library.request(library.claim(Unpriced()).entry.id) is None


# --- card ----------------------------------------------------------------------------------


def test_card_shows_uncertain_purchases_first(library: Library) -> None:
    finish(library, "a")
    finish(library, "b", FAILED)
    lost = library.claim(song("c")).entry.id
    library.record_uncertain(lost, LostReply("the <b>reply</b> was lost"))
    html = library._repr_html_()
    assert html.index("1 uncertain") < html.index("1 done") < html.index("1 failed")
    assert f"library.resolve({lost}, task_id=" in html
    assert "the &lt;b&gt;reply&lt;/b&gt; was lost" in html
    assert "<b>" not in html
    assert f"{PRICE} credits spent, {PRICE} refunded, {PRICE} uncertain" in html
    assert "KB on disk" in html
    line = repr(library)
    assert "1 uncertain, 1 done, 1 failed" in line
    assert "\n" not in line


def test_empty_and_simulated_libraries_have_a_card(library: Library) -> None:
    assert "No requests yet" in library._repr_html_()
    buy(library, song(), simulated=True)
    html = library._repr_html_()
    assert "simulated: 20 credits spent" in html
    assert "0 credits spent" in html


def test_card_shows_purchases_of_ended_processes(tmp_path: Path) -> None:
    with Library(tmp_path) as first, Library(tmp_path) as second:
        first.claim(song())
        assert "uncertain" not in repr(second).split(";")[0]
        first.close()
        assert "1 uncertain" in repr(second)


def test_disk_used_counts_each_file_once(library: Library, tmp_path: Path) -> None:
    before = library.disk_used()
    (tmp_path / "a").write_bytes(b"x" * 1000)
    file = library.add_file(tmp_path / "a", ".mp3")
    library.attach("one", "audio", file)
    library.attach("other", "audio", file)
    assert library.disk_used() == before + 1000


def test_display_looks_at_no_media_file(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        (tmp_path / "a").write_bytes(str(number).encode())
        library.attach(str(number), "audio", library.add_file(tmp_path / "a", ".mp3"))
    looked_at: list[str] = []

    def counted(look: Callable[..., Any]) -> Callable[..., Any]:
        def count(path: Any, *arguments: Any, **options: Any) -> Any:
            looked_at.append(str(path))
            return look(path, *arguments, **options)

        return count

    for name in ("stat", "scandir", "listdir"):
        monkeypatch.setattr(os, name, counted(getattr(os, name)))
    for text in (repr(library), library._repr_html_()):
        assert "on disk" in text
    assert any("library.sqlite" in path for path in looked_at)
    assert [path for path in looked_at if "files" in path] == []


def test_display_of_many_purchases_costs_as_much_as_of_few(library: Library) -> None:
    connection = library._database.connection
    instructions = 0

    def count() -> None:
        nonlocal instructions
        instructions += 1

    def cost() -> int:
        nonlocal instructions
        instructions = 0
        connection.set_progress_handler(count, 1)
        assert " done" in repr(library)
        assert " done" in library._repr_html_()
        list(itertools.islice(library.latest_tasks(), 6))
        connection.set_progress_handler(None, 1)
        return instructions

    def fill(number: int) -> None:
        with library.transaction():
            for index in range(number):
                finish(library, f"{number} {index}")
                file = FileRef(f"{number:032}{index:032}", 1, Path("a.mp3"))
                library.attach(f"{number} {index}", "audio", file)

    fill(40)
    before = cost()
    fill(400)
    assert cost() <= 1.2 * before


def test_totals_are_the_sums_of_the_ended_entries(library: Library) -> None:
    for number, payload in enumerate([DONE, FAILED, FAILED_UNSAID, RUNNING]):
        finish(library, str(number), payload)
    library.record_refused(library.claim(song("refused")).entry.id, ContentRefused("no"))
    library.record_uncertain(library.claim(song("lost")).entry.id, LostReply("lost"))
    library.plan(song("planned"))
    library.claim(Unpriced())
    entries = (
        "SELECT state, refunded IS 1, simulated, count(*), coalesce(sum(price), 0), "
        "sum(price IS NULL), coalesce(sum(max(reserve - price, 0)), 0) "
        "FROM entries WHERE ended_at IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    )
    totals = (
        "SELECT state, refunded, simulated, purchases, credits, unpriced, repost_credits "
        "FROM totals WHERE purchases OR credits OR unpriced OR repost_credits ORDER BY 1, 2, 3"
    )
    assert library._database.rows(totals) == library._database.rows(entries)
    rebuilt_is_the_same(library)
    assert library._database.rows(totals) == library._database.rows(entries)


@pytest.mark.parametrize("last", [0, 1, 12, 30])
def test_last_songs_parse_no_other_replies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: int
) -> None:
    session = connect(simulator=Simulator(), library=tmp_path / "l")
    library = session.library
    assert library is not None
    with library.transaction():
        for number in range(100):
            buy(library, song(str(number)), f"t{number}")
            task = looked(acknowledged(song(str(number)), f"t{number}"))
            library.record_poll(library.entries()[-1].id, task)
    expected = [part for task in library.tasks()[::-1] for part in task.songs]
    parsed: list[str | None] = []
    parse = StoredReply.task

    def count(reply: StoredReply) -> tasks.Task:
        parsed.append(reply.base.id)
        return parse(reply)

    monkeypatch.setattr(StoredReply, "task", count)
    with contextlib.closing(session):
        assert session.songs(last) == tuple(expected[:last])
    assert len(parsed) <= last


@pytest.mark.parametrize(
    "read",
    [
        lambda library: library.tasks(),
        lambda library: library.missing_files(),
        lambda library: library.lineage(),
        lambda library: [reply.task() for reply in library.replies()],
        lambda library: [*library.latest_tasks()],
        lambda library: library.unfinished(),
    ],
    ids=["tasks", "missing files", "lineage", "replies", "latest", "unfinished"],
)
def test_others_can_write_while_a_library_is_read(
    library: Library, monkeypatch: pytest.MonkeyPatch, read: Callable[[Library], object]
) -> None:
    finish(library, "done")
    buy(library, song("accepted"), "t")
    parse, writes = StoredReply.task, []
    other = sqlite3.connect(library.path / "library.sqlite", isolation_level=None, timeout=0)

    def write(reply: StoredReply) -> tasks.Task:
        writes.append(other.execute("BEGIN IMMEDIATE"))
        other.execute("ROLLBACK")
        return parse(reply)

    monkeypatch.setattr(StoredReply, "task", write)
    with contextlib.closing(other):
        read(library)
    assert writes


async def test_experiment_reads_only_its_own_purchases(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        finish(library, str(number), simulated=True)
    base = {"custom_mode": False, "mv": "sonic-v5"}
    plan = Plan.grid(sonic.Create, base=base, factors={"gpt_description_prompt": ["1", "2"]})
    parse, parsed = StoredReply.task, []

    def count(reply: StoredReply) -> tasks.Task:
        parsed.append(reply.base.id)
        return parse(reply)

    monkeypatch.setattr(StoredReply, "task", count)
    async with Simulator(speed=600) as simulator:
        key, url = "k" * 20, simulator.url
        async with MusicAPI(
            key, base_url=url, speed=600, pace=0, simulated=True, ledger=library
        ) as api:
            await Experiment("two of them", plan, api, library).run()
    assert set(parsed) == {"task 1", "task 2"}


def test_latest_tasks_are_all_tasks_newest_first(library: Library) -> None:
    for number in range(70):  # more than are read at once
        buy(library, song(str(number)), f"t{number}")
    assert list(library.latest_tasks()) == library.tasks()[::-1]


def test_long_reply_is_stored_completely(library: Library) -> None:
    number = buy(library, song()).entry.id
    task = looked(acknowledged(song()), {**DONE, "many": [{"a": [1, None, 0.5]}] * 500})
    library.record_poll(number, task)
    assert library.task(number) == task
