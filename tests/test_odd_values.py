"""What is not understood is missing with an issue, unlike what is empty; odd text harms nothing."""

import io
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import musicapi_nb as mnb
from musicapi_nb import tasks
from musicapi_nb.exports.playlist import write_tables
from tests import replies
from tests.replies import NAMES, SONIC, STUDIO, replace_at, sample
from tests.test_flatten import assert_same, parsed_frames

EMPTY: list[Any] = [None, "", " ", [], {}]
NO_TEXT: list[Any] = [True, False, [1], {"a": 1}, [["a"]], [None]]
NO_NUMBER: list[Any] = [
    *NO_TEXT,
    "3:25",
    "PT3M",
    "100.5s",
    "1,234.5",
    "0x10",
    "NaN",
    "null",
    "∞",
    -1,
]
NO_TIME: list[Any] = [
    *NO_TEXT,
    "01/02/2024",
    "2024-13-01",
    "noon",
    1732240123000,
    -5,
    "10000-01-01",
]
NO_FLAG: list[Any] = ["yes", "true", 1, 0, "0", [True], {"a": 1}]
SONG: replies.Path_ = ("data", "data", "songs", 0)
COLUMNS: dict[str, tuple[str, replies.Path_, str, list[Any]]] = {
    "studio duration": (STUDIO, (*SONG, "duration"), "songs.duration", NO_NUMBER),
    "sonic duration": (SONIC, ("data", 0, "duration"), "songs.duration", NO_NUMBER),
    "studio created": (STUDIO, (*SONG, "created_at"), "songs.created_at", NO_TIME),
    "sonic created": (SONIC, ("data", 0, "created_at"), "songs.created_at", NO_TIME),
    "submitted": (STUDIO, ("data", "submit_time"), "tasks.submitted_at", NO_TIME),
    "started": (STUDIO, ("data", "start_time"), "tasks.started_at", NO_TIME),
    "finished": (STUDIO, ("data", "finish_time"), "tasks.finished_at", NO_TIME),
    "progress": (STUDIO, ("data", "progress"), "tasks.progress", [*NO_NUMBER, "101%", "half"]),
    "title": (STUDIO, (*SONG, "title"), "songs.title", NO_TEXT),
    "lyrics": (SONIC, ("data", 0, "lyrics"), "songs.lyrics", NO_TEXT),
    "model": (SONIC, ("data", 0, "mv"), "songs.model", NO_TEXT),
    "id": (SONIC, ("data", 0, "clip_id"), "songs.song_id", NO_TEXT),
    "studio tags": (STUDIO, (*SONG, "tags"), "songs.tags_text", [5, True, {"a": 1}, [5], [None]]),
    "sonic tags": (SONIC, ("data", 0, "tags"), "songs.tags_text", [5, True, {"a": 1}, [["a"]]]),
    "task": (STUDIO, ("data", "task_id"), "tasks.task_id", NO_TEXT),
}


def constant(value: Any) -> Callable[[Any], Any]:
    return lambda _: value


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("as_text", [False, True], ids=["decoded", "text"])
def test_unknown_form_is_an_issue_and_empty_is_none(name: str, *, as_text: bool) -> None:
    reply, path, column, odd_values = COLUMNS[name]
    table, _, column = column.partition(".")
    for value in [*odd_values, *EMPTY]:
        changed = replace_at(sample(reply), path, constant(value))
        flat = mnb.flatten(json.dumps(changed) if as_text else changed)
        assert pd.isna(getattr(flat, table)[column].iloc[0]), value
        fields = {where.rpartition(".")[2] for where in flat.issues["where"].dropna()}
        assert (path[-1] in fields) == (value not in EMPTY), value


@pytest.mark.parametrize("value", NO_FLAG, ids=repr)
def test_flag_of_unknown_form_is_an_issue(value: Any) -> None:
    failed = {"type": "api_error", "message": "x", "task_id": "t", "refund_processed": value}
    flat = mnb.flatten(failed)
    assert flat.tasks["refunded"].isna().all()
    assert list(flat.issues["where"]) == ["refund_processed"]
    unfinished = replace_at(sample(STUDIO), (*SONG, "finished"), lambda _: value)
    assert list(mnb.issues_frame(unfinished)["where"]) == ["data.data.songs[0].finished"]


@pytest.mark.parametrize(
    "step",
    [5, "a, b", ["a", "b"], {"tags": 5}, {"tags": {"a": 1}}, {"tag": ["a"]}, {"tags": [1]}, True],
    ids=repr,
)
def test_step_of_unknown_form_is_an_issue(step: Any) -> None:
    reply = replace_at(sample(STUDIO), (*SONG, "replaced_tags"), lambda _: {"spy": step})
    flat = mnb.flatten(json.dumps(reply))
    rows = flat.replaced_tags[flat.replaced_tags["source"] == "spy"]
    assert rows["tag"].isna().tolist() == [True]
    assert len(flat.issues) == 1
    assert "replaced_tags.spy" in flat.issues["where"][0]
    assert_same(flat, parsed_frames(json.dumps(reply)))


@pytest.mark.parametrize(
    "step", [{"tags": []}, {"tags": None}, {"type": "tags"}, {}, None], ids=repr
)
def test_empty_step_is_no_issue(step: Any) -> None:
    reply = replace_at(sample(STUDIO), (*SONG, "replaced_tags"), lambda _: {"spy": step})
    assert mnb.issues_frame(json.dumps(reply)).empty


@pytest.mark.parametrize(
    ("times", "where"),
    [
        ({"submit_time": 200, "start_time": 100, "finish_time": 300}, ["start_time"]),
        ({"submit_time": 100, "start_time": 300, "finish_time": 200}, ["finish_time"]),
        ({"submit_time": 300, "start_time": 0, "finish_time": 200}, ["finish_time"]),
        ({"submit_time": 100, "start_time": 100, "finish_time": 100}, []),
    ],
)
def test_reversed_times_are_an_issue(times: dict[str, int], where: list[str]) -> None:
    reply = replace_at(sample(STUDIO), ("data",), lambda data: {**data, **times})
    flat = mnb.flatten(json.dumps(reply))
    assert list(flat.issues["where"]) == [f"data.{name}" for name in where]
    assert_same(flat, parsed_frames(json.dumps(reply)))


def test_reason_of_a_task_that_did_not_fail_is_kept() -> None:
    reply = replace_at(sample(STUDIO), ("data", "fail_reason"), lambda _: "late")
    for source in (reply, json.dumps(reply)):
        (extra,) = mnb.tasks_frame(source)["extra"]
        assert json.loads(extra)["fail_reason"] == "late"


def test_python_values_without_json_form_stay_local() -> None:
    """Situations: keys that are no texts, a table inside, an object without repr, a cycle."""

    class Odd:
        def __repr__(self) -> str:
            raise ValueError

    cycle: dict[Any, Any] = {"task_id": "t"}
    cycle["self"] = cycle
    odd: list[Any] = [
        {1: 2, ("a",): "b"},
        {"data": pd.DataFrame({"a": [1]}), "task_id": pd.array([1, 2])},
        {"data": [Odd()], "message": Odd()},
        cycle,
        {"code": 200, "data": [{"clip_id": Odd(), "audio_url": "x", 5: Odd()}]},
    ]
    for value in odd:
        flat = mnb.flatten([sample(SONIC), value, sample(STUDIO)])
        assert {"sonic", "studio"} <= set(flat.tasks["engine"].dropna())
        assert len(flat.issues) + (flat.tasks["reply"] == "1").sum() >= 1


# --- half surrogates -------------------------------------------------------------------------


@st.composite
def replies_with_surrogates(draw: st.DrawFn) -> Any:
    reply = sample(draw(st.sampled_from(NAMES)))
    half = st.sampled_from(["\ud800", "a\udfffb", "\udc80, \ud83c", "\ud83c\udfb7\ud83c"])
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(list(replies.paths(reply))))
        part = replies.at(reply, path)
        text = draw(half)
        changed = {**part, text: part} if isinstance(part, dict) and draw(st.booleans()) else text
        reply = replace_at(reply, path, constant(changed))
    return reply


@settings(max_examples=30, deadline=None)
@given(replies_with_surrogates())
def test_half_surrogates_harm_no_table_file_or_repr(reply: Any) -> None:
    text = json.dumps(reply, ensure_ascii=False)
    sources = [reply, json.dumps(reply), text, text.encode("utf-8", "surrogatepass")]
    sources += [text.encode("utf-16", "surrogatepass"), tasks.parse_task(sample(SONIC)), f"{text}x"]
    flat = mnb.flatten(sources, polls="all")
    assert len(flat.tasks) + len(flat.issues) >= len(sources) - 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mnb.write_parquet(flat, folder / "tables", raw=sources)
        assert_same(mnb.read_parquet(folder / "tables"), flat)
        again = mnb.flatten(folder / "tables", polls="all")
        assert list(again.songs["state"]) == list(flat.songs["state"])
        write_tables(folder / "csv", flat._asdict())
        (folder / "log.json").write_bytes("\n".join([text] * 2).encode("utf-8", "surrogatepass"))
        mnb.flatten(folder / "log.json")
    for table in flat:
        repr(table).encode()
        table.to_csv(io.StringIO())
    try:
        task = tasks.parse_task(reply)
    except mnb.MusicAPIError as error:
        str(error).encode()
        return
    repr(task).encode()
    for song in task.songs:
        repr(song).encode()


def test_undecodable_file_names_are_read(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    folder.mkdir()
    (folder / os.fsdecode(b"\xfe.json")).write_text(json.dumps(sample(SONIC)), encoding="utf-8")
    flat = mnb.flatten(folder)
    assert flat.songs["reply"].str.endswith("\ufffd.json:0").all()
    with pytest.raises(mnb.MusicAPIError) as missing:
        mnb.flatten(folder / "absent.json")
    str(missing.value).encode()


@pytest.mark.parametrize("column", [["\ud800", "b"], [None, "\ud800"]], ids=["texts", "missing"])
def test_surrogates_in_columns_of_the_user_are_written(tmp_path: Path, column: list[Any]) -> None:
    flat = mnb.flatten(sample(STUDIO))
    songs = flat.songs.assign(mine=pd.Series(column, dtype=object))
    mnb.write_parquet(flat._replace(songs=songs), tmp_path)
    assert "\ufffd" in set(mnb.read_parquet(tmp_path).songs["mine"])
