"""Logs of polls: one row per task, and analyses of replies that do not name their task."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import musicapi_nb as mnb
from musicapi_nb import tasks
from musicapi_nb.errors import BadFrame, InvalidArgument
from musicapi_nb.frames import Flattener, Frames
from tests.replies import SONIC, STUDIO, sample

TABLES = ("tasks", "songs", "tags", "replaced_tags", "durations")


def clip(name: str, state: str = "succeeded", tags: str = "jazz, spy") -> dict[str, Any]:
    return {
        "clip_id": name,
        "state": state,
        "title": name,
        "tags": tags,
        "duration": "100.5",
        "gpt_description_prompt": "jazz, spy",
        "audio_url": f"https://x.example/{name}.mp3",
    }


def poll(*names: str, state: str = "succeeded", task_id: str | None = None) -> bytes:
    reply = {"code": 200, "message": "success", "data": [clip(name, state) for name in names]}
    return json.dumps(reply | ({"task_id": task_id} if task_id else {})).encode()


PENDING = json.dumps({"code": 202, "type": "not_ready", "task_id": "t"}).encode()
ACK = json.dumps({"message": "success", "task_id": "t"}).encode()


@pytest.mark.parametrize(
    ("log", "remaining"),
    [
        ([poll("a", "b", state="running"), poll("a", "b")], [1]),
        ([poll("a", "b"), poll("a", "b"), poll("c", "d"), poll("b", "a")], [2, 3]),
        ([poll("a", "b"), poll("a", "b", state="running")], [0]),
        ([poll("a", state="running"), poll("a", "b", state="running"), poll("a", "b")], [2]),
        ([poll("a", "b"), poll("b", "c")], [0, 1]),
        ([poll("a", "b"), poll("a")], [0, 1]),
        ([ACK, PENDING, poll("a", task_id="t"), PENDING], [2]),
        ([ACK, poll("a", task_id="t"), poll("a", task_id="u")], [1, 2]),
        ([ACK, PENDING, PENDING], [2]),
        ([poll("a", "b", task_id="t"), poll("a", "b")], [0]),
        ([poll("a", "b", task_id="t", state="running"), poll("a", "b")], [1]),
        ([poll("a", "b"), poll("a", "b", task_id="t", state="running")], [0]),
        ([poll(""), poll(""), poll("a", ""), poll("a", "")], [0, 1, 2, 3]),
        ([b"{cut", poll("a"), b"<html>", poll("a")], [3]),
    ],
    ids=range(14),
)
def test_polls_of_one_task_are_one_row(log: list[bytes], remaining: list[int]) -> None:
    flat = mnb.flatten(log)
    places = [str(index) for index in remaining]
    assert list(flat.tasks["reply"]) == places
    assert list(flat.songs["reply"].unique()) == list(
        mnb.songs_frame([log[index] for index in remaining], polls="all")["reply"]
        .map(lambda place: places[int(place)])
        .unique()
    )
    everything = mnb.flatten(log, polls="all")
    understood = [index for index, reply in enumerate(log) if reply[:2] in (b'{"', b"{}")]
    assert list(everything.tasks["reply"]) == [str(index) for index in understood]
    pd.testing.assert_frame_equal(flat.issues, everything.issues)


def test_numbers_of_other_tables_follow() -> None:
    studio, other = sample(STUDIO), sample(STUDIO)
    other["data"]["task_id"] = "another"
    for song in other["data"]["data"]["songs"]:
        song["id"] += " another"
        song["replaced_tags"] = {"spy": {"tags": []}, **song["replaced_tags"]}
    running = json.loads(json.dumps(other))
    running["data"]["status"] = "IN_PROGRESS"
    for song in running["data"]["data"]["songs"]:
        song |= {"finished": False, "tags": ["early"], "replaced_tags": {"x": {"tags": ["y"]}}}
    log = [running, sample(SONIC), studio, running, other, sample(SONIC)]
    flat, direct = mnb.flatten(log), mnb.flatten([studio, other, sample(SONIC)], polls="all")
    for name in TABLES:
        left, right = (getattr(frames, name).drop(columns="reply") for frames in (flat, direct))
        pd.testing.assert_frame_equal(left, right, obj=name)
        single = getattr(mnb, f"{name}_frame")(map(json.dumps, log))
        pd.testing.assert_frame_equal(single, getattr(flat, name), obj=name)
    assert "early" not in set(flat.tags["tag"])
    assert list(flat.tags["reply"].cat.categories) == ["2", "4", "5"]


NAMES = st.lists(st.sampled_from("abcd"), max_size=3, unique=True)
POLLS = st.builds(
    lambda names, state, task_id: poll(*names, state=state, task_id=task_id),
    NAMES,
    st.sampled_from(["succeeded", "running"]),
    st.sampled_from([None, None, "t", "u"]),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(POLLS, max_size=8), st.integers(0, 8))
def test_remaining_replies_follow_the_rule(log: list[bytes], split: int) -> None:
    """Compare with the rule as loops over parsed tasks; add the log in two portions."""
    parsed = [tasks.parse_task(json.loads(reply)) for reply in log]
    rank = [(task.finished, task.id is not None, number) for number, task in enumerate(parsed)]
    best: dict[str | None, Any] = {}
    for number, task in enumerate(parsed):
        best[task.id] = max(rank[number], best.get(task.id, rank[number]))
    left = [n for n, task in enumerate(parsed) if not task.id or rank[n] == best[task.id]]

    def replaced(number: int) -> bool:
        task = parsed[number]
        winners = set()
        for song in task.songs:
            holders = [n for n in left if song.id in {other.id for other in parsed[n].songs}]
            winners.add(max(holders, key=lambda n: rank[n]))
        if len(winners) != 1 or winners == {number}:
            return False
        (winner,) = winners
        return not (task.id and parsed[winner].id)

    expected = [str(number) for number in left if not replaced(number)]
    flattener = Flattener()
    flattener.add(log[:split])
    flattener.frames()
    flattener.add(log[split:])
    assert list(flattener.frames().tasks["reply"]) == expected
    assert set(flattener.frames().songs["reply"]) <= set(expected)


def test_unknown_option_is_refused() -> None:
    with pytest.raises(InvalidArgument, match='polls must be "last" or "all"'):
        mnb.flatten([], polls="first")  # type: ignore[arg-type]


# --- analyses --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plain() -> Frames:
    """Return the frames of 40 tasks, polled three times, that no reply names."""
    rng = np.random.default_rng(0)
    log: list[Any] = []
    for number in range(40):
        names = f"c{2 * number}", f"c{2 * number + 1}"
        tags = ("jazz, spy", "jazz", "spy, slow")
        clips = [clip(name, tags=tags[rng.integers(3)]) for name in names]
        reply = {"code": 200, "data": clips}
        log += [poll(*names, state="running"), json.dumps(reply).encode(), json.dumps(reply)]
    return mnb.flatten(log)


@pytest.fixture(scope="module")
def named(plain: Frames) -> Frames:
    """Return the same frames as if each reply named its task."""
    tables = {name: getattr(plain, name) for name in TABLES}
    named = {name: table.assign(task_id=table["reply"]) for name, table in tables.items()}
    return plain._replace(**named)


def test_analyses_of_unnamed_tasks_count_replies(plain: Frames, named: Frames) -> None:
    assert plain.songs["task_id"].isna().all()
    assert len(plain.songs) == 80
    results = []
    for flat in (plain, named):
        songs = flat.songs.assign(half=np.arange(80) // 40, duration=np.arange(80.0))
        results.append(
            [
                mnb.adherence(songs, flat.tags, requested_tags="prompt", by="half"),
                mnb.tag_counts(flat.tags),
                mnb.cooccurrence(flat.tags),
                mnb.effects(songs, "half", tags=flat.tags, presence=["spy"]),
                mnb.stability(songs, flat.tags, by="half"),
                mnb.variance(songs, within=["half"]),
                mnb.exclusive_sets(flat.tags).to_frame(),
            ]
        )
    for left, right in zip(*results, strict=True):
        pd.testing.assert_frame_equal(left, right)
    assert set(results[0][0]["tasks"]) == {20}


def test_rewritings_of_unnamed_tasks_count_replies() -> None:
    log = []
    for number in range(12):
        reply = sample(STUDIO)
        del reply["data"]["task_id"]
        for song in reply["data"]["data"]["songs"]:
            song["id"] += str(number)
        log.append(reply)
    flat = mnb.flatten(log)
    assert flat.replaced_tags["task_id"].isna().all()
    named = flat.replaced_tags.assign(task_id=flat.replaced_tags["reply"])
    pd.testing.assert_frame_equal(
        mnb.substitutions(flat.replaced_tags), mnb.substitutions(named), check_categorical=False
    )


def test_some_tasks_may_be_named() -> None:
    log = [poll("a", "b", task_id="1"), poll("c", "d"), poll("e", "f", task_id="0")]
    counts = mnb.tag_counts(mnb.tags_frame(log))
    assert set(counts["tasks"]) == {3}  # the reply "1" is not the task "1"


def test_tables_without_replies_still_name_the_fault() -> None:
    tags = mnb.tags_frame([poll("a")]).drop(columns="reply")
    with pytest.raises(BadFrame, match=r"2 of 2 rows .* have no 'task_id'"):
        mnb.tag_counts(tags)
