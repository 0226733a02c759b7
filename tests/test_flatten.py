import copy
import gzip
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from musicapi_nb import frames, sonic, tasks
from musicapi_nb.errors import InvalidArgument
from musicapi_nb.frames import decode
from musicapi_nb.frames import flattener as flattener_module
from musicapi_nb.frames.text_dtype import TEXT
from tests import replies
from tests.replies import NAMES, SONIC, STUDIO, sample

BULK = (STUDIO, SONIC, "sonic_get_success_2024.json")


def as_bytes(reply: Any) -> bytes:
    return json.dumps(reply, ensure_ascii=False).encode("utf-8", "surrogatepass")


def parsed_frames(inputs: Any) -> frames.Frames:
    """Return the frames made by `tasks.parse_task` alone, without typed decoding."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode, "_decode", lambda _: None)
        return frames.flatten(inputs)


def assert_same(left: frames.Frames, right: frames.Frames) -> None:
    for name, frame in left._asdict().items():
        pd.testing.assert_frame_equal(
            with_sorted_extra(frame), with_sorted_extra(getattr(right, name)), obj=name
        )


def assert_same_rows(left: pd.DataFrame, right: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(with_sorted_extra(left), with_sorted_extra(right))


def with_sorted_extra(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with the JSON texts of `extra` in a canonical form."""
    if "extra" not in frame:
        return frame
    texts = frame["extra"].dropna().map(lambda text: json.dumps(json.loads(text), sort_keys=True))
    return frame.assign(extra=texts.reindex(frame.index).astype(TEXT))


def long_rows(parsed: list[tasks.Task]) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of the long frames, made by loops over tasks."""
    songs = [(task, song) for task in parsed for song in task.songs]
    return {
        "tags": [
            (task.id, song.id, position, tag)
            for task, song in songs
            for position, tag in enumerate(song.tags)
        ],
        "replaced_tags": [
            (task.id, song.id, number, step.source or None, step.type, position, tag)
            for task, song in songs
            for number, step in enumerate(song.replacements)
            for position, tag in (enumerate(step.tags) if step.tags else [(None, None)])
        ],
        "durations": [
            (
                task.id,
                song.id,
                song.duration,
                task.queue_seconds,
                task.render_seconds,
                task.total_seconds,
            )
            for task, song in songs
        ],
    }


def cells(table: pd.DataFrame) -> list[tuple[Any, ...]]:
    table = table.astype(object)
    return list(table.where(table.notna(), None).itertuples(index=False, name=None))


# --- the same frames as parsing alone --------------------------------------------------------


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("name", BULK)
def test_bulk_samples_are_decoded_by_type(name: str, separators: tuple[str, str]) -> None:
    reply = json.dumps(sample(name), separators=separators, ensure_ascii=False)
    assert decode._decode(reply) is not None
    assert decode._decode(reply.encode()) is not None


def test_mix_of_all_samples_gives_the_parsed_frames() -> None:
    mixed = [as_bytes(sample(name)) for name in (*NAMES, *reversed(NAMES), *BULK * 3)] * 12
    assert_same(frames.flatten(mixed), parsed_frames(mixed))


def test_long_frames_hold_the_rows_of_loops_over_tasks() -> None:
    mixed = [sample(name) for name in NAMES] * 2
    parsed = [tasks.parse_task(reply) for reply in mixed if "error" not in reply]
    raw_replies = [as_bytes(reply) for reply in mixed if "error" not in reply]
    flat = frames.flatten(raw_replies, polls="all")
    for name, rows in long_rows(parsed).items():
        assert cells(getattr(flat, name).drop(columns="reply")) == rows, name


@st.composite
def bulk_replies(draw: st.DrawFn) -> bytes:
    """Draw a bulk reply, unchanged or with a few parts changed, sometimes cut off."""
    reply = sample(draw(st.sampled_from(BULK)))
    for _ in range(draw(st.integers(0, 2))):
        path = draw(st.sampled_from(list(replies.paths(reply))))
        reply = replies._odd(draw, reply, path)
    body = replies.as_text(reply).encode()
    return body[: draw(st.integers(0, len(body)))] if draw(st.integers(0, 9)) == 0 else body


TEXTS = st.one_of(
    replies.any_text,
    st.sampled_from(
        [
            "",
            " ",
            "\n",
            "\u3000 ",
            "\u00a0",
            "a\\nb",
            '"',
            "\\",
            "\\\\n",
            "\t/",
            "\u2028",
            "\x00",
            "été 東京 🎷",
            "a, b,, c ",
            ",",
            "x" * 3000,
        ]
    ),
)
WITH_TEXT = ("title", "lyrics", "prompt", "id", "song_path", "created_at", "artist", "user_id")
MOMENTS = st.sampled_from(
    [
        "2024-11-22T01:48:41.839599+00:00",
        "2025-10-12T13:13:02.488Z",
        "2024-11-22",
        "0",
        "20241122",
        "0001-01-01T00:00:00+05:00",
        "9999-12-31T23:59:59-12:00",
        "0000-01-01T00:00:00Z",
        "2024-11-22T24:00:00Z",
        "2024-02-30T00:00:00Z",
        "2024-11-22T01:48:41.8395999+05:30",
        "2024-11-22t01:48:41z",
        " 2024-11-22T01:48:41Z",
        "2024-11-22T01:48:41",
        "1732240121",
    ]
)


@st.composite
def studio_replies(draw: st.DrawFn) -> bytes:
    """Draw a studio reply with arbitrary texts, tags, steps and times in the right places."""
    reply = copy.deepcopy(sample(STUDIO))
    tags = st.lists(TEXTS, max_size=4)
    for song in reply["data"]["data"]["songs"]:
        for name in WITH_TEXT:
            if draw(st.booleans()):
                song[name] = draw(TEXTS)
        song["created_at"] = draw(MOMENTS | st.none())
        song["duration"] = draw(st.none() | st.integers(-1, 10**20) | st.floats(allow_nan=False))
        song["tags"] = draw(tags | st.none())
        song["likes"] = draw(st.none() | st.integers())
        step = st.fixed_dictionaries({}, optional={"tags": tags | st.none(), "type": TEXTS})
        song["replaced_tags"] = draw(st.none() | st.dictionaries(TEXTS, step, max_size=3))
    for name in ("submit_time", "start_time", "finish_time"):
        reply["data"][name] = draw(st.integers(-1, 5 * 10**9) | st.none() | st.just(1732240123))
    return json.dumps(reply, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")


@settings(max_examples=80, deadline=None)
@given(st.lists(bulk_replies() | studio_replies(), min_size=1, max_size=5))
@example([b'{"data":[{"state":"succeeded","tags":"a, ,b","duration":"-1"}]}'])
@example([b'{"data":[{"state":"succeeded","tags":null,"style_weight":0.5,"lyrics":5}]}'])
@example(
    [b'{"data":[{"state":"succeeded","tags":"a","lyrics":"\\ud83c\\udfb7","duration":"1e3"}]}']
)
@example([b'{"data":[{"state":"succeeded","tags":"a","lyrics":"\xff"}]}'])
@example([b'{"data":[{"state":"succeeded","tags":"[\\"a\\", \\"b\\"]"}]}'])
def test_arbitrary_replies_give_the_parsed_frames(raw_replies: list[bytes]) -> None:
    assert_same(frames.flatten(raw_replies), parsed_frames(raw_replies))


PLACES: dict[str, list[replies.Path_]] = {
    STUDIO: [(), ("data",), ("data", "data"), ("data", "data", "songs", 0)],
    SONIC: [(), ("data", 0)],
}
ODD_VALUES = ["odd text", "", " ", 0, 7, 10**30, 1e300, True, None, [], ["a", ""], {}, {"a": None}]


@pytest.mark.parametrize("value", ODD_VALUES, ids=repr)
@pytest.mark.parametrize("name", [STUDIO, SONIC])
def test_any_field_with_any_value_gives_the_parsed_frames(name: str, value: Any) -> None:
    def with_field(path: replies.Path_, field: str) -> bytes:
        return as_bytes(replies.replace_at(sample(name), path, lambda part: {**part, field: value}))

    fields = (*replies._KEYS, "brand_new")
    malformed_replies = [with_field(path, field) for path in PLACES[name] for field in fields]
    assert_same(frames.flatten(malformed_replies), parsed_frames(malformed_replies))


@pytest.mark.parametrize("name", [STUDIO, SONIC])
def test_unknown_fields_of_songs_are_decoded_by_type(name: str) -> None:
    unknown = {"brand_new": [1.5, {"b": None}], "\u00e9": "\u00e9", "": 10}
    path = PLACES[name][-1]
    reply = as_bytes(replies.replace_at(sample(name), path, lambda song: {**song, **unknown}))
    assert decode._decode(reply) is not None
    assert_same(frames.flatten(reply), parsed_frames(reply))
    extra = json.loads(frames.songs_frame(reply)["extra"][0])
    assert {key: extra[key] for key in unknown} == unknown


def test_single_frames_equal_those_of_flatten() -> None:
    invalid = sample(STUDIO)
    invalid["data"]["data"]["songs"][0]["created_at"] = "never"
    mixed = [as_bytes(reply) for reply in (sample(STUDIO), invalid, sample(SONIC))] * 3
    flat = frames.flatten(mixed)
    assert len(flat.issues) == 3
    for name, frame in flat._asdict().items():
        single = getattr(frames, f"{name}_frame")(mixed)
        pd.testing.assert_frame_equal(single, frame, obj=name)


@pytest.mark.parametrize("name", [STUDIO, SONIC])
def test_absent_field_gives_the_parsed_frames(name: str) -> None:
    usual = sample(name)
    songs = usual["data"]["data"]["songs"] if name == STUDIO else usual["data"]
    for key in songs[0]:
        shorter = [{field: song[field] for field in song if field != key} for song in songs]
        reply = json.dumps(usual).replace(json.dumps(songs), json.dumps(shorter))
        assert_same(frames.flatten([reply] * 3), parsed_frames([reply] * 3))


CHANGES = [
    (b'"duration":1', b'"duration":1""'),
    (b'"duration":', b'"duration":0'),
    (b'"status":"SUCCESS"', b'"status": "SUCCESS"'),
    (b'"type":"tags"', b'"kind":"tags"'),
    (b'"type":"tags"', b'"type":"tags","type":"x"'),
    (b'"type":"tags"', b'"type":null'),
    (b'"liked":false', b'"liked":falsy'),
    (b'"plays":0', b'"plays":00'),
    (b'"submit_time":', b'"submit_time":922337'),
    (b'"submit_time":', b'"submit_time":' + b"9" * 400),
    (b'"duration":', b'"duration":' + b"9" * 400),
    (b'"plays":0', b'"plays":1e2'),
    (b'"user_tags":[]', b'"user_tags":["a",5]'),
    (b'"user_tags":[]', b'"user_tags":["a","b"]'),
    (b'"artist":"', b'"artist":"\\u0041'),
    (b'"title":"', b'"title":"\\'),
    (b'"title":"', b'"title":"\x01'),
    (b'"tags":["', b'"tags":["","'),
    (b'"tags":["', b'"tags":["\\u00e9 \\"so\\"","'),
    (b'"tags":["', b'"tags":[ "'),
    (b'"replaced_tags":{', b'"replaced_tags":{"tags":{"tags":["x"],"type":"tags"},'),
    (b'"replaced_tags":{', b'"replaced_tags":{"":{"tags":[],"type":"tags"},'),
    (b"}}", b"}} "),
    (b"{", b"{{"),
]


@pytest.mark.parametrize(("old", "new"), CHANGES)
def test_changed_bytes_give_the_parsed_frames(old: bytes, new: bytes) -> None:
    usual = json.dumps(sample(STUDIO), separators=(",", ":"), ensure_ascii=False).encode()
    assert old in usual
    changed = usual.replace(old, new, 1)
    mixed = [usual, changed, usual, changed[:-1], usual + b"\n", b"\xff" + usual, usual]
    assert_same(frames.flatten(mixed), parsed_frames(mixed))
    assert decode._decode(usual) is not None


# --- stored replies ---------------------------------------------------------------------


class Library:
    """Stored replies, as a library returns them."""

    def __init__(self, stored: list[tasks.StoredReply]) -> None:
        self._stored = stored

    def replies(self) -> list[tasks.StoredReply]:
        return self._stored


OWN_ID = sample(STUDIO)["data"]["task_id"]


@st.composite
def stored_replies(draw: st.DrawFn) -> tasks.StoredReply:
    base = tasks.Task(
        id=draw(st.sampled_from([None, "t1", OWN_ID])),
        engine=draw(st.sampled_from(["studio", "sonic", "sonic", "producer", None])),
        operation=draw(st.sampled_from([None, "create"])),
        expected=draw(st.sampled_from([None, 1, 2])),
        request=draw(st.sampled_from([None, sonic.Concat(continue_clip_id="\ud800 c1")])),
        simulated=draw(st.booleans()),
    )
    overrides: dict[str, Any] = draw(
        st.sampled_from(
            [
                {},
                {"state": "succeeded"},
                {"state": "succeeded", "state_word": "SUCCESS"},
                {"state": "failed", "fail_reason": "no luck", "refunded": True},
            ]
        )
    )
    raw = draw(bulk_replies() | st.sampled_from([as_bytes(sample(name)) for name in BULK]))
    try:
        json.loads(raw)
    except (ValueError, RecursionError):  # a library stores neither
        return tasks.StoredReply(base, None, overrides)
    return tasks.StoredReply(base, raw.decode(), overrides)


@settings(max_examples=60, deadline=None)
@given(st.lists(stored_replies(), max_size=12))
def test_stored_replies_give_the_frames_of_their_tasks(stored: list[tasks.StoredReply]) -> None:
    from_tasks = frames.flatten([reply.task() for reply in stored])
    from_library = frames.flatten(Library(stored))
    for left, right in zip(from_library, from_tasks, strict=True):
        assert_same_rows(left.drop(columns="reply"), right.drop(columns="reply"))


def test_stored_replies_are_decoded_by_type_unless_contradicted() -> None:
    base = tasks.Task(id="t1", engine="sonic", operation="create", expected=1)
    stored = tasks.StoredReply(base, json.dumps(sample(SONIC)), {"state": "succeeded"})
    decoded = decode._decode(stored)
    assert decoded is not None
    assert decoded.task[0] == "t1"
    songs = frames.songs_frame(Library([stored] * 3), polls="all")
    assert songs["task_id"].tolist() == ["t1"] * 3
    assert songs["reply"].tolist() == ["Library[0]", "Library[1]", "Library[2]"]
    contradicted = stored._replace(base=tasks.Task(id="t1", engine="sonic", expected=2))
    assert decode._decode(contradicted) is None


# --- adding -----------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.lists(bulk_replies(), max_size=6), st.data())
def test_replies_may_be_added_in_any_portions(
    raw_replies: list[bytes], data: st.DataObject
) -> None:
    split = data.draw(st.integers(0, len(raw_replies)))
    flattener = frames.Flattener()
    flattener.add(raw_replies[:split])
    intermediate = flattener.frames()
    flattener.add(iter(raw_replies[split:]))
    final = flattener.frames()
    for name in ("tasks", "songs", "tags", "replaced_tags", "durations"):
        pd.testing.assert_frame_equal(
            getattr(final, name), getattr(frames.flatten(raw_replies), name), obj=name
        )
    assert_same(intermediate, frames.flatten(raw_replies[:split]))


def test_frame_is_independent_of_later_frames_and_replies() -> None:
    flattener = frames.Flattener()
    flattener.add([as_bytes(sample(STUDIO))] * 3)
    first = flattener.frames()
    copies = frames.Frames(*(frame.copy(deep=True) for frame in first))
    written = flattener.frames()
    written.songs.loc[0, "duration"] = -1.0
    written.tasks.loc[0, "songs"] = 99
    written.tags.loc[0, "position"] = 77
    flattener.add([as_bytes(sample(SONIC))] * 2000)
    assert_same(first, copies)
    assert list(flattener.frames().songs["duration"][:2]) == list(first.songs["duration"][:2])
    assert flattener.frames().tasks["songs"][0] == 2


def test_each_text_column_is_one_chunk() -> None:
    flattener = frames.Flattener()
    for _ in range(3):
        flattener.add([as_bytes(sample(name)) for name in (STUDIO, SONIC)] * 300)
    for frame in flattener.frames():
        for name in frame.columns[frame.dtypes == TEXT]:
            assert frame[name].array.__arrow_array__().num_chunks == 1, name


def test_refused_item_keeps_earlier_replies() -> None:
    flattener = frames.Flattener()
    flattener.add(as_bytes(sample(STUDIO)))
    with pytest.raises(InvalidArgument, match="item 2 is a object"):
        flattener.add([as_bytes(sample(STUDIO)), object()])  # type: ignore[list-item]
    assert len(flattener.frames().tasks) == 1


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read batches of two replies."""
    monkeypatch.setattr(flattener_module, "_BATCH", 2)


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("number", range(9))
def test_batches_keep_their_order(number: int) -> None:
    raw_replies = [as_bytes(sample(NAMES[index % len(NAMES)])) for index in range(number)]
    assert_same(frames.flatten(raw_replies), parsed_frames(raw_replies))


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("number", range(9))
@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_complete_batches_before_an_exception_are_kept(
    number: int, error: type[BaseException]
) -> None:
    raw_replies = [as_bytes(sample(NAMES[index % len(NAMES)])) for index in range(number)]

    def failing() -> Iterator[bytes]:
        yield from raw_replies
        raise error

    flattener = frames.Flattener()
    with pytest.raises(error):
        flattener.add(failing())
    assert_same(flattener.frames(), parsed_frames(raw_replies[: number // 2 * 2]))
    flattener.add(raw_replies)
    again = parsed_frames([*raw_replies[: number // 2 * 2], *raw_replies])
    for left, right in zip(flattener.frames(), again, strict=True):  # numbers were used up
        assert_same_rows(left.drop(columns="reply"), right.drop(columns="reply"))


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("position", range(8))
def test_failing_reply_keeps_the_batches_before_it(position: int) -> None:
    class Failing(dict[str, Any]):
        def items(self) -> Any:
            raise MemoryError

        keys = __iter__ = items

    raw_replies: list[Any] = [as_bytes(sample(STUDIO)) for _ in range(8)]
    raw_replies[position] = Failing(data=[])
    flattener = frames.Flattener()
    with pytest.raises(MemoryError):
        flattener.add(raw_replies)
    assert_same(flattener.frames(), parsed_frames(raw_replies[: position // 2 * 2]))


# --- files -------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True], ids=["ndjson", "ndjson.gz"])
def test_file_is_read_line_by_line(tmp_path: Path, *, packed: bool) -> None:
    raw_replies = [as_bytes(sample(name)) for name in NAMES] * 40
    path = tmp_path / ("replies.ndjson.gz" if packed else "replies.ndjson")
    body = b"\n".join(raw_replies) + b"\n\n  \n"
    path.write_bytes(gzip.compress(body) if packed else body)
    from_file, from_memory = frames.flatten(path), frames.flatten(raw_replies)
    for name, frame in from_memory._asdict().items():
        numbers = frame["reply"].astype("category")
        places = pd.Index([f"{path}:{number}" for number in numbers.cat.categories], dtype=TEXT)
        renamed = numbers.cat.rename_categories(places)
        is_text = frame["reply"].dtype == TEXT
        expected = frame.assign(reply=renamed.astype(TEXT) if is_text else renamed)
        assert_same_rows(getattr(from_file, name), expected)
    assert_same_rows(frames.songs_frame(str(path)), from_file.songs)


def test_raw_replies_are_written_unchanged(tmp_path: Path) -> None:
    task = tasks.parse_task(sample(SONIC))
    raw_replies = [
        as_bytes(sample(STUDIO)),
        "<html>busy</html>",
        sample(STUDIO),
        task,
        b"{cut",
        None,
    ]
    flat = frames.flatten(raw_replies)
    frames.write_parquet(flat, tmp_path / "kept", raw=raw_replies)
    again = frames.flatten(tmp_path / "kept" / "replies.parquet")
    for name in ("tasks", "songs", "tags", "replaced_tags", "durations"):
        left, right = (getattr(tables, name).drop(columns="reply") for tables in (again, flat))
        pd.testing.assert_frame_equal(left, right, obj=name)
    path = tmp_path / "kept" / "replies.parquet"
    assert list(flat.issues["reply"]) == ["1", "4", "5"]
    assert list(again.issues["reply"]) == [f"{path}[{number}]" for number in (1, 4, 5)]
    assert list(again.issues["message"]) == list(flat.issues["message"])


@settings(max_examples=20, deadline=None)
@given(st.lists(bulk_replies() | studio_replies(), max_size=4))
def test_parquet_restores_frames(raw_replies: list[bytes]) -> None:
    flat = frames.flatten(raw_replies)
    with tempfile.TemporaryDirectory() as folder:
        frames.write_parquet(flat, folder)
        assert_same(frames.read_parquet(folder), flat)
        assert sorted(path.name for path in Path(folder).iterdir()) == sorted(
            f"{name}.parquet" for name in frames.Frames._fields
        )


def test_parquet_restores_added_columns(tmp_path: Path) -> None:
    flat = frames.flatten(as_bytes(sample(STUDIO)))
    tempo = pd.Categorical(["slow", "slow"], categories=["slow", "fast"], ordered=True)
    flat = flat._replace(songs=flat.songs.assign(tempo=tempo, rating=pd.array([4, None], "Int64")))
    frames.write_parquet(flat, tmp_path)
    assert_same(frames.read_parquet(tmp_path), flat)


def test_column_of_objects_is_refused_before_writing(tmp_path: Path) -> None:
    flat = frames.flatten(as_bytes(sample(STUDIO)))
    for cell in ({"a": 1}, ["a"], object()):
        bad = flat._replace(songs=flat.songs.assign(odd=pd.Series([cell, cell], dtype=object)))
        with pytest.raises(InvalidArgument, match="odd"):
            frames.write_parquet(bad, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_other_files_are_refused(tmp_path: Path) -> None:
    frames.write_parquet(frames.flatten([]), tmp_path)
    with pytest.raises(InvalidArgument, match="no column 'reply'"):
        frames.flatten(tmp_path / "songs.parquet")
    with pytest.raises(FileNotFoundError):
        frames.flatten(tmp_path / "absent.parquet")
    with pytest.raises(FileNotFoundError, match=r"tasks\.parquet"):
        frames.read_parquet(tmp_path / "absent")


# --- categories ---------------------------------------------------------------------------


def test_categories_are_unique_and_in_order_of_appearance() -> None:
    tags = frames.tags_frame([as_bytes(sample(STUDIO)), as_bytes(sample(SONIC))])
    for name in ("task_id", "song_id"):
        values = list(dict.fromkeys(tags[name].dropna()))
        public = pd.CategoricalDtype(pd.Index(values, dtype=TEXT))
        assert tags[name].dtype == public
        assert hash(tags[name].dtype) == hash(public)
        assert tags[name].cat.categories.is_unique
