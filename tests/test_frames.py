import datetime as dt
import doctest
import json
from collections import UserDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from musicapi_nb import frames, tasks
from musicapi_nb.engines import sonic
from musicapi_nb.errors import InvalidArgument, MusicAPIError
from musicapi_nb.frames import frames as frame_functions
from musicapi_nb.frames.files import path_of
from musicapi_nb.frames.no_problems import NoProblems
from musicapi_nb.frames.text_dtype import TEXT
from tests import replies
from tests.replies import NAMES, SONIC, STUDIO, sample, sample_text

SECONDS = {"queue_seconds": "float64", "render_seconds": "float64", "total_seconds": "float64"}
MOMENT = "datetime64[us, UTC]"
Frame: TypeAlias = Callable[[Any], pd.DataFrame]
DTYPES: dict[Frame, dict[str, Any]] = {
    frames.tasks_frame: {
        "task_id": TEXT,
        "songs": "int64",
        "engine": TEXT,
        "operation": TEXT,
        "state": TEXT,
        "submitted_at": MOMENT,
        "started_at": MOMENT,
        "finished_at": MOMENT,
        **SECONDS,
        "fail_reason": TEXT,
        "refunded": "boolean",
        "price": "Int64",
        "credits": "Int64",
        "state_word": TEXT,
        "expected": "Int64",
        "progress": "float64",
        "simulated": "bool",
        "issues": "int64",
        "request": TEXT,
        "answer": TEXT,
        "extra": TEXT,
        "reply": TEXT,
    },
    frames.songs_frame: {
        "task_id": TEXT,
        "song_id": TEXT,
        "engine": TEXT,
        "operation": TEXT,
        "state": TEXT,
        "title": TEXT,
        "tags_text": TEXT,
        "duration": "float64",
        "model": TEXT,
        "audio_url": TEXT,
        "image_url": TEXT,
        "video_url": TEXT,
        "created_at": MOMENT,
        "lyrics": TEXT,
        "prompt": TEXT,
        "requested_tags": TEXT,
        "negative_tags": TEXT,
        "credits": "float64",
        "song_position": "int64",
        "state_word": TEXT,
        "fail_reason": TEXT,
        "simulated": "bool",
        "extra": TEXT,
        "reply": TEXT,
    },
    frames.tags_frame: {
        "task_id": "category",
        "song_id": "category",
        "position": "int64",
        "tag": TEXT,
        "reply": "category",
    },
    frames.replaced_tags_frame: {
        "task_id": "category",
        "song_id": "category",
        "step": "int64",
        "source": "category",
        "type": "category",
        "position": "Int64",
        "tag": TEXT,
        "reply": "category",
    },
    frames.durations_frame: {
        "task_id": TEXT,
        "song_id": TEXT,
        "duration": "float64",
        **SECONDS,
        "reply": TEXT,
    },
    frames.issues_frame: {
        "reply": TEXT,
        "task_id": TEXT,
        "where": TEXT,
        "message": TEXT,
        "excerpt": TEXT,
    },
}

every_frame = pytest.mark.parametrize("frame", DTYPES, ids=lambda frame: frame.__name__)
ACK = {"message": "success", "task_id": "t1"}
PENDING = {"code": 202, "type": "not_ready"}
FAILED = {"type": "api_error", "message": "no luck", "refund_processed": True, "task_id": "t2"}


def dtypes(table: pd.DataFrame) -> dict[Any, Any]:
    return table.dtypes.to_dict()


def assert_fixed(table: pd.DataFrame, frame: Frame) -> None:
    assert dtypes(table) == DTYPES[frame]
    assert list(table.columns) == list(DTYPES[frame])
    assert list(table.index) == list(range(len(table)))


# --- the sample studio reply ---------------------------------------------------------------


@pytest.fixture(
    params=[
        sample,
        sample_text,
        lambda name: sample_text(name).encode(),
        lambda name: tasks.parse_task(sample(name)),
        lambda name: [sample(name)],
    ],
    ids=["dict", "str", "bytes", "task", "list"],
)
def studio(request: pytest.FixtureRequest) -> Any:
    return request.param(STUDIO)


def test_studio_songs(studio: Any) -> None:
    table = frames.songs_frame(studio)
    first, second = (row for _, row in table.iterrows())
    assert first.task_id == second.task_id == "1938c07e-be59-4cfe-af63-55c22201e10b"
    assert first.song_id == "6b021760-9c10-413b-b2df-b379496cb37c"
    assert second.song_id == "9016648c-7bf7-4bdb-81de-95da35e58822"
    assert first.title == "Harbour Lamps ext v1.2.1"
    assert first.tags_text == "jazz, bossa nova, mpb, vocal jazz, spy, 2010s"
    assert set(table.duration) == {130.794666666667}
    assert list(table.song_position) == [0, 1]
    assert set(table.engine) == {"studio"}
    assert set(table.state) == {"succeeded"}
    assert first.created_at == pd.Timestamp("2024-11-22T01:48:41.839599Z")
    assert table.video_url.isna().all()
    assert json.loads(first.extra)["artist"] == "QuietTrombone0000"


def test_studio_tags(studio: Any) -> None:
    table = frames.tags_frame(studio)
    assert len(table) == 12
    assert list(table.position) == [0, 1, 2, 3, 4, 5] * 2
    by_song = table.groupby("song_id", sort=False, observed=True).tag.agg(list)
    assert list(by_song) == [
        ["jazz", "bossa nova", "mpb", "vocal jazz", "spy", "2010s"],
        ["bossa nova", "mpb", "jazz", "vocal jazz", "spy jazz", "2010s"],
    ]


def test_studio_replaced_tags(studio: Any) -> None:
    table = frames.replaced_tags_frame(studio)
    assert len(table) == 24
    assert list(table.step) == ([0] * 6 + [1] * 6) * 2
    assert list(table.position) == [0, 1, 2, 3, 4, 5] * 4
    assert set(table.type) == {"tags"}
    middle = ["jazz", "vocal jazz", "bossa nova", "mpb", "samba-jazz", "2010s"]
    requested = iter(["jazz, bossa nova, spy", "spy jazz, bossa nova"])
    final = frames.tags_frame(studio).groupby("song_id", sort=False, observed=True).tag.agg(list)
    for song_id, steps in table.groupby("song_id", sort=False, observed=True):
        first, last = (steps[steps.step == step] for step in (0, 1))
        assert set(first.source) == {next(requested)}
        assert list(first.tag) == middle
        assert set(last.source) == {", ".join(middle)}
        assert list(last.tag) == final[song_id]


def test_studio_durations(studio: Any) -> None:
    table = frames.durations_frame(studio)
    assert list(table.duration) == [130.794666666667] * 2
    assert list(table.queue_seconds) == [16.0] * 2
    assert list(table.render_seconds) == [50.0] * 2
    assert list(table.total_seconds) == [66.0] * 2


def test_studio_task_and_no_issues(studio: Any) -> None:
    (row,) = (row for _, row in frames.tasks_frame(studio).iterrows())
    assert (row.songs, row.engine, row.state, row.state_word) == (
        2,
        "studio",
        "succeeded",
        "SUCCESS",
    )
    assert row.submitted_at == pd.Timestamp(1732240123, unit="s", tz="UTC")
    assert (row.queue_seconds, row.render_seconds, row.total_seconds) == (16.0, 50.0, 66.0)
    assert row.progress == 1.0
    assert pd.isna(row.fail_reason)
    assert frames.issues_frame(studio).empty


# --- columns and dtypes --------------------------------------------------------------------


@every_frame
@pytest.mark.parametrize(
    "inputs",
    [
        [],
        (),
        iter([]),
        [PENDING, ACK, FAILED],
        [sample(name) for name in NAMES],
        [sample_text(name).encode() for name in reversed(NAMES)],
        [None, 5, "", b"\xff\xfe", "<html>", [1], {}],
    ],
    ids=["list", "tuple", "iterator", "unfinished", "samples", "bytes", "garbage"],
)
def test_columns_and_dtypes_do_not_depend_on_the_input(frame: Frame, inputs: Any) -> None:
    assert_fixed(frame(list(inputs)), frame)


@every_frame
def test_frame_has_flat_cells_and_survives_parquet(frame: Frame, tmp_path: Path) -> None:
    table = frame([sample(name) for name in NAMES] + ["{cut off", {"data": ["odd"]}])
    assert len(table)
    table.to_parquet(tmp_path / "table.parquet")
    restored = pd.read_parquet(tmp_path / "table.parquet")
    # pandas 2 reads texts as another dtype of text, or as object; read_parquet of ours does not
    pd.testing.assert_frame_equal(restored.astype(table.dtypes.to_dict()), table)


@every_frame
def test_docstring_lists_every_column_with_its_dtype(frame: Frame) -> None:
    for name, dtype in DTYPES[frame].items():
        assert f"{name} : {'str' if dtype == TEXT else dtype}\n" in (frame.__doc__ or "")


def test_docstring_examples_run() -> None:
    ran = doctest.testmod(frame_functions)
    assert ran.failed == 0
    assert ran.attempted >= len(DTYPES)


# --- states ----------------------------------------------------------------------------------


def test_unfinished_values_are_missing_not_zero_or_empty() -> None:
    running = sample("nuro_get_running.json")
    (song,) = (row for _, row in frames.songs_frame(running).iterrows())
    assert song.state == "running"
    for name in ("title", "tags_text", "duration", "audio_url", "lyrics", "created_at"):
        assert pd.isna(song[name]), name
    assert frames.tags_frame(running).empty
    assert frames.durations_frame(running).duration.isna().all()
    (task,) = (row for _, row in frames.tasks_frame(running).iterrows())
    assert (task.state, task.songs, task.progress) == ("running", 1, 0.45)
    assert pd.isna(task.total_seconds)


def test_pending_and_failed_tasks_have_rows() -> None:
    table = frames.tasks_frame([PENDING, ACK, FAILED])
    assert list(table.state) == ["pending", "pending", "failed"]
    assert table.task_id.isna().tolist() == [True, False, False]
    assert table.fail_reason.tolist()[2] == "no luck"
    assert table.refunded.isna().tolist() == [True, True, False]
    assert bool(table.refunded[2])
    for frame in (frames.songs_frame, frames.tags_frame, frames.durations_frame):
        assert frame([PENDING, ACK, FAILED]).empty


def test_raw_sonic_reply_has_no_task_id() -> None:
    assert frames.songs_frame(sample(SONIC)).task_id.isna().all()
    assert frames.tags_frame(sample(SONIC)).task_id.isna().all()


def test_submitted_task_has_operation_and_request() -> None:
    request = sonic.Create(custom_mode=False, gpt_description_prompt="rain", mv="sonic-v5")
    submitted = tasks.parse_submit_reply(ACK, request, simulated=True)
    task = tasks.parse_task(sample(SONIC), task=submitted)
    (row,) = (row for _, row in frames.tasks_frame(task).iterrows())
    assert (row.task_id, row.operation, row.expected) == ("t1", "create", 2)
    assert row.request == repr(request)
    assert row.simulated
    assert list(frames.songs_frame(task).operation) == ["create"]


def test_answer_without_songs_is_json_text() -> None:
    (row,) = (row for _, row in frames.tasks_frame(sample("credits.json")).iterrows())
    assert json.loads(row.answer) == {"credits": 50, "extra_credits": 0}


def test_step_without_tags_keeps_its_source() -> None:
    reply = replies.replace_at(
        sample(STUDIO),
        ("data", "data", "songs", 0, "replaced_tags"),
        lambda _: {"spy, harp": {"tags": [], "type": "dropped"}, "spy": {"tags": ["spy"]}},
    )
    steps = frames.replaced_tags_frame(reply)
    steps = steps[steps.song_id == "6b021760-9c10-413b-b2df-b379496cb37c"]
    assert list(steps.source) == ["spy, harp", "spy"]
    assert list(steps.step) == [0, 1]
    assert steps.position.isna().tolist() == steps.tag.isna().tolist() == [True, False]
    assert steps.type.tolist()[0] == "dropped"


def test_moments_are_converted_to_utc() -> None:
    reply = {"data": [{"clip_id": "c", "created_at": "2025-01-01T01:00:00+05:00"}]}
    (moment,) = frames.songs_frame(reply).created_at
    assert moment == dt.datetime(2024, 12, 31, 20, tzinfo=dt.UTC)
    assert str(moment.tz) == "UTC"


# --- inputs ------------------------------------------------------------------------


def test_mixed_input_keeps_its_order() -> None:
    mixed = (
        item
        for item in (
            tasks.parse_task({**ACK, "task_id": "a"}),
            {**ACK, "task_id": "b"},
            json.dumps({**ACK, "task_id": "c"}),
            json.dumps({**ACK, "task_id": "d"}).encode(),
            bytearray(json.dumps({**ACK, "task_id": "e"}).encode()),
            UserDict({**ACK, "task_id": "f"}),
        )
    )
    assert list(frames.tasks_frame(mixed).task_id) == list("abcdef")


@pytest.mark.parametrize("as_str", [False, True], ids=["Path", "str"])
def test_ndjson_file(tmp_path: Path, *, as_str: bool) -> None:
    path = tmp_path / "replies.ndjson"
    lines = [json.dumps(sample(STUDIO)), "", "  ", "{cut off", json.dumps(ACK), '{"a": 1}']
    path.write_bytes("\r\n".join(lines).encode())
    argument = str(path) if as_str else path
    assert list(frames.tasks_frame(argument).state) == ["succeeded", "pending"]
    assert len(frames.replaced_tags_frame([argument])) == 24
    issues = frames.issues_frame([ACK, argument])
    assert list(issues.reply) == [f"{path}:3", f"{path}:5"]
    assert list(issues.excerpt) == ["{cut off", '{"a": 1}']


def test_empty_file_gives_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "none.ndjson"
    path.touch()
    assert frames.tasks_frame(path).empty
    assert frames.issues_frame(path).empty


@every_frame
def test_missing_file_raises_file_not_found(frame: Frame, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        frame(str(tmp_path / "absent.ndjson"))


@every_frame
@pytest.mark.parametrize(
    "inputs",
    [5, None, 1.5, True, pd.DataFrame({"a": ["{}"]}), object(), [object()], [ACK, (ACK,)]],
    ids=["int", "None", "float", "bool", "table", "object", "objects", "tuple inside"],
)
def test_invalid_input_is_refused_with_a_list_of_valid_ones(frame: Frame, inputs: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"tasks.*dict, str, bytes.*\.ndjson") as refused:
        frame(inputs)
    assert isinstance(refused.value, MusicAPIError)
    assert isinstance(refused.value, TypeError)


def test_refusal_names_the_item() -> None:
    nested: Any = [ACK, (ACK,)]
    with pytest.raises(InvalidArgument, match="item 1 is a tuple"):
        frames.songs_frame(nested)


def test_series_of_replies_is_an_iterable() -> None:
    assert len(frames.songs_frame(pd.Series([sample_text(STUDIO)]))) == 2


# --- issues ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ("", "empty"),
        ("<html><title>502 Bad Gateway</title></html>", "HTML page"),
        ('{"code": 200, "data": [', "truncated"),
        (b"\xff\xfe\x00", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "list"),
        ("null", "NoneType"),
        ({}, "no known shape"),
        ({"error": "Internal Server Error."}, "Internal Server Error"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_reply_that_is_not_understood_is_an_issue(reply: Any, message: str) -> None:
    issues = frames.issues_frame([ACK, reply, sample(SONIC)])
    (row,) = (row for _, row in issues.iterrows())
    assert message in row.message
    assert row.reply == "1"
    assert pd.isna(row["where"])
    assert len(row.excerpt if isinstance(row.excerpt, str) else "") <= 200
    # the other frames go on with the rest
    assert len(frames.tasks_frame([ACK, reply, sample(SONIC)])) == 2
    assert len(frames.songs_frame([ACK, reply, sample(SONIC)])) == 1


def test_invalid_field_of_an_understood_reply_is_an_issue() -> None:
    reply = replies.replace_at(
        sample(STUDIO), ("data", "data", "songs", 1, "duration"), lambda _: "long"
    )
    (row,) = (row for _, row in frames.issues_frame([ACK, json.dumps(reply)]).iterrows())
    assert row.reply == "1"
    assert row.task_id == "1938c07e-be59-4cfe-af63-55c22201e10b"
    assert row["where"] == "data.data.songs[1].duration"
    assert "'long'" in row.message
    assert row.excerpt.startswith('{"code": "success"')
    assert frames.songs_frame(reply).duration.isna().tolist() == [False, True]
    assert list(frames.tasks_frame(reply).issues) == [1]


def test_unknown_reply_still_names_its_task() -> None:
    reply = json.dumps({"task_id": "t9", "error": "strange"})
    assert list(frames.issues_frame(reply).task_id) == ["t9"]


def test_extra_value_without_json_form_is_named() -> None:
    reply = replies.expand({**ACK, "data": None, "odd": {1, 2}, "fine": [1]})
    extra = json.loads(frames.tasks_frame(reply).extra[0])
    assert extra["fine"] == [1]
    assert "cannot be written as JSON" in extra["odd"]


# --- arbitrary replies -------------------------------------------------------------------------


def assert_all_accounted_for(inputs: Any, count: int) -> None:
    names = [frame.__name__.removesuffix("_frame") for frame in DTYPES]
    flat = frames.flatten(inputs, polls="all")
    tables = {frame: getattr(flat, name) for frame, name in zip(DTYPES, names, strict=True)}
    for frame, table in tables.items():
        assert_fixed(table, frame)
        for name, dtype in DTYPES[frame].items():
            if dtype == TEXT:
                texts = table[name].dropna()
                assert all(isinstance(text, str) and text for text in texts)
    issues = tables[frames.issues_frame]
    refused = issues[issues["where"].isna() & ~issues.reply.duplicated()]
    assert len(tables[frames.tasks_frame]) + len(refused) == count
    assert len(tables[frames.songs_frame]) == tables[frames.tasks_frame].songs.sum()
    assert len(tables[frames.songs_frame]) == len(tables[frames.durations_frame])


@settings(max_examples=45, deadline=None)
# A list would be several replies, and a text may be the path of a file.
@given(replies.malformed_replies().filter(lambda reply: not isinstance(reply, list | str)))
@example({"data": [{"clip_id": "\ud800", "title": "\udfff", "tags": "a\ud800, b"}]})
@example({"data": [{"replaced_tags": {"\ud800": {"tags": [1], "\ud800": 1}}}], "task_id": ""})
@example({"task_id": "\ud800", "odd": 1})
@example({"message": "success", "task_id": "t", "": None})
def test_arbitrary_value_in_a_reply_is_accounted_for(reply: Any) -> None:
    text = replies.as_text(reply)
    assert_all_accounted_for([replies.expand(reply), text, text.encode()], 3)


def is_no_path(text: str) -> bool:
    """Return whether a text is read as a reply; one like "~a" or "b.json" is read as a path."""
    try:
        return path_of(text) is None
    except InvalidArgument:
        return False


@settings(max_examples=45, deadline=None)
@given(st.one_of(replies.any_text.filter(is_no_path), st.binary(max_size=30)), st.data())
def test_arbitrary_text_is_accounted_for(garbage: str | bytes, data: st.DataObject) -> None:
    text = sample_text(data.draw(st.sampled_from(NAMES)))
    cut = text[: data.draw(st.integers(0, len(text)))]
    assert_all_accounted_for([garbage, cut, cut.encode()], 3)


# --- nothing to report ---------------------------------------------------------------------


def test_table_of_issues_says_that_there_are_none() -> None:
    issues = frames.issues_frame([{"task_id": "t", "message": "success"}])
    assert isinstance(issues, NoProblems)
    assert repr(issues) == "No problems."
    assert "No problems." in issues._repr_html_()
    assert type(issues.copy()) is pd.DataFrame
    assert type(frames.issues_frame(["<html>"])) is pd.DataFrame


@every_frame
def test_text_that_is_no_reply_is_an_issue_or_an_error(frame: Frame) -> None:
    if frame is frames.issues_frame:
        assert frame("nonsense")["message"].item() == "the reply is the text 'nonsense', not JSON"
        return
    with pytest.raises(InvalidArgument, match="the text 'nonsense' is neither a reply nor a file"):
        frame("nonsense")
