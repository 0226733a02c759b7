"""Two libraries become one: nothing is lost, counted twice, or bought again."""

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musicapi_nb import sonic
from musicapi_nb._blind_test.store import (
    Trial,
    TrialSong,
    load_trials,
    save_answer,
    save_blind_test,
)
from musicapi_nb.errors import ContentRefused, InvalidArgument, LibraryError, LostReply, MissingFile
from musicapi_nb.ledger_types import PurchaseTerms
from musicapi_nb.library import FileRef, Library, Measure, Measurement, Merge
from musicapi_nb.tasks import Song, parse_submit_reply
from tests.library.helpers import (
    FAILED,
    FAILED_UNSAID,
    KILL_CODE,
    PRICE,
    acknowledged,
    buy,
    looked,
    python,
    read_line,
    rebuilt_is_the_same,
    song,
    wait_for_end,
)
from tests.library.test_adoption import reply

_IDS = itertools.count()
MIDI = sonic.Midi(clip_id="00000000-0000-0000-0000-000000000000")
NOT_READY = parse_submit_reply({"message": "generating midi..."}, MIDI, status=202)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "one") as opened:
        yield opened
        rebuilt_is_the_same(opened)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "two") as opened:
        yield opened


def done(library: Library, prompt: str = "rain on tin", **terms: Any) -> int:
    """Buy a song with an id of its own."""
    number = next(_IDS)
    entry = buy(library, song(prompt), f"task-{number}", **terms).entry.id
    answer = reply(f"clip-{number}", f"second-{number}")
    library.record_poll(entry, looked(acknowledged(song(prompt), f"task-{number}"), answer))
    return entry


def song_ids(library: Library) -> set[str | None]:
    return {song.id for task in library.tasks() for song in task.songs}


def attach(library: Library, of: Song | str, content: bytes) -> None:
    path = library.temporary_path()
    path.write_bytes(content)
    library.attach(of, "audio", library.add_file(path, ".mp3"), "short")


# --- money ----------------------------------------------------------------------------------

_REPLIES = {"refunded": FAILED, "charged": FAILED_UNSAID, "settled": FAILED_UNSAID}
_ERRORS = {
    "refused": ContentRefused("no"),
    "uncertain": LostReply("cut"),
    "unsent": LostReply("no"),
}
_OUTCOMES = ("accepted", "done", "freed", "planned", *_REPLIES, *_ERRORS)


def outcome(library: Library, prompt: str, kind: str) -> None:
    """Bring the purchase of a request into one state, if it can be bought."""
    if kind == "planned":
        library.plan(song(prompt))
        return
    claim = library.claim(song(prompt))
    if claim.kind != "buy":
        return
    entry, number = claim.entry.id, next(_IDS)
    if kind == "freed":  # a person says that it was not charged
        library.record_uncertain(entry, LostReply("cut off"))
        library.resolve(entry, charged=False)
    elif kind in _ERRORS:
        getattr(library, f"record_{kind}")(entry, _ERRORS[kind])
    else:
        task = acknowledged(song(prompt), f"task-{number}")
        library.record_accepted(entry, task)
        clips = reply(f"clip-{number}", f"second-{number}")
        if kind != "accepted":
            library.record_poll(entry, looked(task, _REPLIES.get(kind, clips)))
        if kind == "settled":  # a person says that it was charged
            library.resolve(entry, charged=True)


def buys(library: Library, prompt: str) -> bool:
    """Return whether running the request would send it."""
    return library.find(song(prompt), PurchaseTerms()) is None


def has_news(library: Library, other: Library, entry: int) -> bool:
    """Return whether the other library knows more of a purchase than that a reply was lost."""
    there = {event.identity for event in library.events()}
    news = [event for event in other.events(entry) if event.identity not in there]
    return any(event.kind != "uncertain" for event in news)


_STEPS = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(_OUTCOMES)), max_size=5)


@settings(max_examples=20)
@given(before=_STEPS, here=_STEPS, there=_STEPS)
def test_purchases_of_either_library_are_not_repeated(
    tmp_path_factory: pytest.TempPathFactory, before: Any, here: Any, there: Any
) -> None:
    """Both go on from copies of one library, which may be empty."""
    folder = tmp_path_factory.mktemp("libraries")
    with Library(folder / "one") as library:
        for step in before:
            outcome(library, *step)
    shutil.copytree(folder / "one", folder / "two")
    with Library(folder / "one") as library, Library(folder / "two") as other:
        for step in here:
            outcome(library, *step)
        for step in there:
            outcome(other, *step)
        new = {entry.id for entry in other.entries() if has_news(library, other, entry.id)}
        claims = {prompt: other.find(song(prompt), PurchaseTerms()) for prompt in "ab"}
        bought = [
            prompt
            for prompt, claim in claims.items()
            if not buys(library, prompt) or (claim and claim.entry.id in new)
        ]
        purchases = {
            (entry.task_id or entry.sent_at, entry.refunded): entry.price
            for entry in (*library.entries(), *(other.entry(number) for number in new))
            if entry.state in {"accepted", "done", "failed", "uncertain"}
        }
        songs = song_ids(library) | song_ids(other)
        library.merge(other)
        account = library.account()
        assert [prompt for prompt in "ab" if not buys(library, prompt)] == bought
        assert account.spent + account.refunded + account.uncertain == PRICE * len(purchases)
        assert song_ids(library) == songs
        events = len(library.events())
        again = library.merge(other)
        assert (again.new, again.updated, len(library.events())) == (0, 0, events)
        rebuilt_is_the_same(library)
        other.merge(library)  # back again: it may not have heard of a refund, and counts on
        assert other.account().spent + other.account().uncertain >= (
            account.spent + account.uncertain
        )
        assert song_ids(other) == songs
        assert not any(buys(other, prompt) for prompt in bought)


def test_a_take_of_both_keeps_both_purchases(library: Library, other: Library) -> None:
    first, second = done(library), done(other)
    done(other, take=2)
    merge = library.merge(other)
    assert [(item.take, item.new_take) for item in merge.takes] == [(1, 3)]
    assert "sonic.create, take 1 there, is take 3 here" in repr(merge)
    takes = [library.find(song(), PurchaseTerms(take=take)) for take in (1, 2, 3, 4)]
    assert [claim and claim.kind for claim in takes] == ["have", "have", "have", None]
    assert takes[0].entry.id == first  # type: ignore[union-attr]
    assert takes[2].task.songs[0].id == other.task(second).songs[0].id  # type: ignore[union-attr]
    assert library.next_take(song()) == 4
    assert library.account().spent == 3 * PRICE


def test_an_older_copy_changes_nothing(library: Library, tmp_path: Path) -> None:
    """What was refunded or refused since then is neither counted again nor uncertain."""
    refunded = buy(library, song(), "t1").entry.id
    lost = library.claim(song("snow")).entry.id
    shutil.copytree(library.path, tmp_path / "copy")
    Library(tmp_path / "copy").close()  # there, the reply is lost
    library.record_poll(refunded, looked(acknowledged(song(), "t1"), FAILED))
    library.record_refused(lost, ContentRefused("no"))
    account, events = library.account(), len(library.events())
    assert library.merge(tmp_path / "copy") == Merge(unchanged=2)
    assert (library.account(), len(library.events())) == (account, events)
    assert buys(library, "rain on tin")


def test_a_purchase_that_is_being_sent_here_keeps_its_outcome(
    library: Library, tmp_path: Path
) -> None:
    sent, reposted = library.claim(song()).entry.id, library.claim(MIDI).entry.id
    library.record_accepted(reposted, NOT_READY)
    library.claim_repost(MIDI)
    shutil.copytree(library.path, tmp_path / "copy")
    library.merge(tmp_path / "copy")
    assert library.record_unsent(sent, LostReply("no")).state == "not_run"
    assert library.record_poll(reposted, NOT_READY).state == "accepted"


def test_the_reposts_of_both_count(library: Library, tmp_path: Path) -> None:
    library.set_budget("tools", 100)
    entry = library.claim(MIDI, PurchaseTerms(budgets=("tools",))).entry.id
    library.record_accepted(entry, NOT_READY)
    shutil.copytree(library.path, tmp_path / "copy")
    with Library(tmp_path / "copy") as copy:
        for owner in (library, copy, copy):
            owner.claim_repost(MIDI)
            owner.record_poll(entry, NOT_READY)
        copy.claim_repost(MIDI)
        copy.record_unchanged(entry)  # refused: not counted
        library.merge(copy)
        assert library.budgets()["tools"].held == 1 + 1 + 2  # credits; it costs 1


def test_takes_that_one_library_has_are_takes_of_the_other(
    library: Library, other: Library
) -> None:
    """Merged back, the first take of one becomes the second of the other, and the reverse."""
    first, second = done(library), done(other)
    assert [item.new_take for item in library.merge(other).takes] == [2]
    done(library, take=3)
    other.plan(song(), PurchaseTerms(take=2))
    assert [item.new_take for item in other.merge(library).takes] == [2]
    claims = [other.find(song(), PurchaseTerms(take=take)) for take in (1, 2, 3, 4)]
    assert [claim and claim.kind for claim in claims] == ["have", "have", "have", None]
    assert claims[0].entry.id == second  # type: ignore[union-attr]
    assert claims[1].task.songs == library.task(first).songs  # type: ignore[union-attr]
    again = library.merge(other)  # the plan is new here
    assert (again.new, again.unchanged) == (1, 3)
    assert library.account().spent == 3 * PRICE


def test_a_take_that_was_refused_before_is_found_by_its_number(
    library: Library, other: Library
) -> None:
    """The refused try gets another take, since this one is planned here. The purchase does not."""
    library.plan(song())
    other.record_refused(other.claim(song()).entry.id, ContentRefused("no"))
    library.merge(other)
    buy(other, song())
    library.merge(other)
    assert not buys(library, "rain on tin")
    assert library.account().spent == PRICE


def test_a_take_with_a_new_number_can_be_bought_again_on_both_sides(
    library: Library, other: Library
) -> None:
    buy(library, song(), "here")
    failed = buy(other, song(), "there").entry.id
    (taken,) = library.merge(other).takes
    for owner, entry in ((library, taken.entry), (other, failed)):
        owner.record_poll(entry, looked(acknowledged(song(), "there"), FAILED))
    buy(library, song(), "here again", take=taken.new_take)
    buy(other, song(), "there again")
    assert [item.new_take for item in library.merge(other).takes] == [3]
    assert library.account().spent == 3 * PRICE


def test_uncertain_purchases_stay_uncertain(
    library: Library, other: Library, tmp_path: Path
) -> None:
    lost = other.claim(song()).entry.id
    other.record_uncertain(lost, LostReply("cut off"))
    library.merge(other)
    (entry,) = library.entries("uncertain")
    assert library.find(song()).kind == "uncertain"  # type: ignore[union-attr]
    shutil.copytree(other.path, tmp_path / "copy")
    other.resolve(lost, charged=False)  # a statement there is none here
    library.merge(other)
    with Library(tmp_path / "copy") as copy:
        copy.resolve(lost, charged=True)  # nor is this one, after which it can be bought again
        library.merge(copy)
    assert library.entry(entry.id).state == "uncertain"
    assert library.resolve(entry.id, task_id="t7").task_id == "t7"


def test_simulators_of_one_seed_give_the_same_ids(library: Library, other: Library) -> None:
    for owner, prompt in ((library, "rain"), (other, "snow")):
        buy(owner, song(prompt), "t1", simulated=True)
    buy(other, song("rain"), "t1", simulated=True, take=2)
    merge = library.merge(other)
    assert (merge.new, merge.unchanged) == (1, 1)
    assert library.find(song("snow"), PurchaseTerms(simulated=True)) is not None


def test_later_merge_adds_tasks_that_ended_since(library: Library, other: Library) -> None:
    entry = buy(other, song(), "t1").entry.id
    library.merge(other)
    other.record_poll(entry, looked(acknowledged(song(), "t1"), reply("a", "b")))
    done(other, "snow")
    merge = library.merge(other)
    assert (merge.new, merge.updated, merge.unchanged) == (1, 1, 0)
    assert library.counts() == {"done": 2}


SENDING = """
import sys
from musicapi_nb.library import Library
from tests.library.helpers import song

library = Library(sys.argv[1])
library.claim(song())
print("sending", flush=True)
sys.stdin.readline()
"""


def test_a_request_that_is_being_sent_refuses_the_merge(library: Library, tmp_path: Path) -> None:
    process = python(SENDING, str(tmp_path / "two"))
    assert read_line(process) == "sending"
    with pytest.raises(LibraryError, match="is sending 1 request"):
        library.merge(tmp_path / "two")
    assert library.events() == []
    process.kill()
    wait_for_end(process)
    library.merge(tmp_path / "two")  # it ended before its reply came
    assert [entry.state for entry in library.entries()] == ["uncertain"]


# --- all the rest ---------------------------------------------------------------------------


def test_files_ratings_and_notes_come_along(library: Library, other: Library) -> None:
    here, there = (library.task(done(library)).songs[0], other.task(done(other, "ice")).songs[0])
    attach(library, here, b"here")
    attach(other, there, b"there")
    attach(other, "lost", b"lost")
    other.file_of("lost").unlink()  # type: ignore[union-attr]
    library.rate(here, 5, note="mine")
    other.rate(here, 1)  # later, of the same song
    other.rate(there, 3)
    library.rate(there, 4)  # later again
    merge = library.merge(other)
    assert (merge.files, merge.size, merge.missing_files, merge.ratings) == (1, 5, 1, 1)
    assert library.file_of(there).read_bytes() == b"there"  # type: ignore[union-attr]
    assert library.verify() == []
    assert [note.note for note in library.file_notes()] == ["short", "short"]
    assert [rating.stars for rating in (library.rating(here), library.rating(there)) if rating] == [
        1,
        4,
    ]
    assert library.merge(other) == Merge(unchanged=1, missing_files=1)


def test_blind_tests_keep_their_answers(library: Library, other: Library) -> None:
    songs = (TrialSong("a", "t1", "v5"), TrialSong("b", "t2", "v6"))
    for owner, factor in ((library, "mv"), (other, "bpm")):
        trials = [Trial("mood", number, None, songs) for number in (1, 2)]
        save_blind_test(owner, "mood", factor, {}, trials)
        save_answer(owner, "mood", 1, "chosen", chosen=1, seconds=2.5)
    merge = library.merge(other)
    assert merge.renamed_tests == {"mood": "mood (2)"}
    assert "is called 'mood (2)' here" in repr(merge)
    save_answer(other, "mood", 2, "tie")
    assert library.merge(other).answers == 1
    own, taken = (load_trials(library, name) for name in ("mood", "mood (2)"))
    assert [trial.answer for trial in own] == ["chosen", None]
    assert [(trial.answer, trial.chosen) for trial in taken] == [("chosen", 1), ("tie", None)]
    assert taken[0].answered_at == load_trials(other)[0].answered_at


def test_experiments_budgets_and_plans_are_united(library: Library, other: Library) -> None:
    library.set_budget("both", 50)
    other.set_budget("both", 1000)
    other.set_budget("there", 70, assume=5)
    done(library, "rain", experiment="tempi", budgets=("both",))
    done(other, "snow", experiment="tempi", budgets=("both", "there"))
    library.plan(song("snow"), PurchaseTerms(experiment="moods"))
    library.merge(other)
    budgets = library.budgets()
    assert (budgets["both"].credits, budgets["both"].held) == (50, 2 * PRICE)
    assert (budgets["there"].credits, budgets["there"].held, budgets["there"].assume) == (
        70,
        PRICE,
        5,
    )
    assert len(library.cells("tempi")) == 2
    (moods,) = library.entries(experiment="moods")  # planned here, bought there
    assert (moods.state, moods.name) == ("done", "sonic.create")


def test_adopted_tasks_come_along_and_purchases_take_their_place(
    library: Library, other: Library
) -> None:
    library.adopt([reply("x", task_id="t1"), reply("y")])
    other.adopt([reply("y", "z"), reply("w", task_id="t9"), reply("v", task_id="t8")])
    buy(other, song(), "t1")
    buy(library, song("ice"), "t8")
    merge = library.merge(other)
    assert song_ids(library) == {"y", "z", "w"}
    assert merge.updated == 1
    assert [entry.state for entry in library.entries() if entry.task_id == "t1"] == [
        "not_run",
        "accepted",
    ]
    assert library.account().spent == 2 * PRICE


def test_measurements_come_along(library: Library, other: Library) -> None:
    for owner, value in ((library, 1.0), (other, 2.0)):
        measure = Measure("tempo", "1", {"tempo": "float64"})
        owner.use_measure(measure)
        names = ("a", "b") if owner is other else ("a",)
        owner.store_measurements(measure, [Measurement(name, {"tempo": value}) for name in names])
    library.merge(other)
    (measure,) = library.measures()
    stored = library.measurements(measure, ["a", "b"])
    assert [stored[name].values["tempo"] for name in "ab"] == [1.0, 2.0]


def test_a_folder_of_a_colleague_is_data(library: Library, other: Library, tmp_path: Path) -> None:
    """Names of files there are texts, and lead nowhere."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    other.attach("a", "audio", FileRef("../../secret", 6, Path("x")))
    other.attach("b", "audio", FileRef("0" * 64, 6, Path("x.mp3/../../../../secret")))
    assert library.merge(other).missing_files == 2
    assert library.file_of("a") is None


def test_wrong_folders_are_refused(library: Library, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="into itself"):
        library.merge(library)
    with pytest.raises(InvalidArgument, match="into itself"):
        library.merge(str(library.path) + "/../one")
    with pytest.raises(MissingFile, match="no library in"):
        library.merge(tmp_path)
    assert not (tmp_path / "library.sqlite").exists()


# --- a process that is killed ---------------------------------------------------------------

KILLED = """
import os, sys
from musicapi_nb.library import Library, events
from musicapi_nb.library.media_files import MediaFiles

library, other = Library(sys.argv[1]), sys.argv[2]
kind, left = sys.argv[3], int(sys.argv[4])
place, name = (MediaFiles, "copy") if kind == "copy" else (events, kind)
original = getattr(place, name)

def count(*arguments, **options):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), 9)
    return original(*arguments, **options)

setattr(place, name, count)
library.merge(other)
"""


@pytest.mark.parametrize(("kind", "calls"), [("copy", 1), ("append_to", 5), ("append_unbound", 3)])
def test_a_killed_merge_is_done_again(
    other: Library, tmp_path: Path, kind: str, calls: int
) -> None:
    for number in range(3):
        made = other.task(done(other, f"song {number}")).songs[0]
        attach(other, made, bytes([number]))
        other.rate(made, 3)
    with Library(tmp_path / "one") as library:
        done(library)
        before = len(library.events())
        assert python_killed(tmp_path, kind, calls) == KILL_CODE
        added = [event.kind for event in library.events()[before:]]
        assert set(added) <= {"merging"}
    with Library(tmp_path / "one") as library:
        library.merge(other)
        assert library.counts() == {"done": 4}
        assert library.account().spent == 4 * PRICE
        assert len([task for task in library.tasks() if library.file_of(task.songs[0])]) == 3
        assert len(library.ratings()) == 3
        assert list((library.path / "files" / "incoming").iterdir()) == []
        rebuilt_is_the_same(library)


def python_killed(folder: Path, kind: str, calls: int) -> int:
    process = python(KILLED, str(folder / "one"), str(folder / "two"), kind, str(calls))
    return wait_for_end(process)
