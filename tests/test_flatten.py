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
from tests import replies
from tests.replies import NAMES, SONIC, STUDIO, sample

BULK = (STUDIO, SONIC, "sonic_get_success_2024.json")


def as_bytes(reply: Any) -> bytes:
    return json.dumps(reply, ensure_ascii=False).encode("utf-8", "surrogatepass")


def plainly(given_: Any) -> frames.Frames:
    """The frames by `tasks.parse_task` alone."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode, "_decode", lambda _: None)
        return frames.flatten(given_)


def assert_same(left: frames.Frames, right: frames.Frames) -> None:
    for name, made in left._asdict().items():
        pd.testing.assert_frame_equal(
            with_sorted_extra(made), with_sorted_extra(getattr(right, name)), obj=name
        )


def with_sorted_extra(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with each JSON text of `extra` parsed and written again."""
    if "extra" not in frame:
        return frame
    texts = frame["extra"].dropna().map(lambda text: json.dumps(json.loads(text), sort_keys=True))
    return frame.assign(extra=texts.reindex(frame.index).astype("str"))


def loops(read: list[tasks.Task]) -> dict[str, list[tuple[Any, ...]]]:
    """What the long tables hold, by plain loops over tasks."""
    songs = [(task, song) for task in read for song in task.songs]
    return {
        "tags": [
            (task.id, song.id, position, tag)
            for task, song in songs
            for position, tag in enumerate(song.tags)
        ],
        "replaced_tags": [
            (task.id, song.id, step, made.source or None, made.type, position, tag)
            for task, song in songs
            for step, made in enumerate(song.replacements)
            for position, tag in (enumerate(made.tags) if made.tags else [(None, None)])
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


# --- the same answer as the plain path --------------------------------------------------------


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("name", BULK)
def test_the_samples_that_come_in_bulk_are_read_by_their_layout(
    name: str, separators: tuple[str, str]
) -> None:
    reply = json.dumps(sample(name), separators=separators, ensure_ascii=False)
    assert decode._decode(reply) is not None
    assert decode._decode(reply.encode()) is not None


def test_a_mix_of_all_samples_is_read_as_plainly_as_one_by_one() -> None:
    mixed = [as_bytes(sample(name)) for name in (*NAMES, *reversed(NAMES), *BULK * 3)] * 12
    assert_same(frames.flatten(mixed), plainly(mixed))


def test_the_long_frames_hold_what_loops_over_tasks_find() -> None:
    mixed = [sample(name) for name in NAMES] * 2
    read = [tasks.parse_task(reply) for reply in mixed if "error" not in reply]
    made = frames.flatten([as_bytes(reply) for reply in mixed if "error" not in reply])
    for name, found in loops(read).items():
        assert cells(getattr(made, name)) == found, name


@st.composite
def bulk_replies(draw: st.DrawFn) -> bytes:
    """A reply of a known shape: unchanged, or with a few parts changed; now and then no JSON."""
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
    """A studio reply with all kinds of texts, tags, steps and times in the right places."""
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
def test_any_replies_give_what_the_plain_path_gives(given_: list[bytes]) -> None:
    assert_same(frames.flatten(given_), plainly(given_))


PLACES: dict[str, list[replies.Path_]] = {
    STUDIO: [(), ("data",), ("data", "data"), ("data", "data", "songs", 0)],
    SONIC: [(), ("data", 0)],
}
ODD_VALUES = ["odd text", "", " ", 0, 7, 10**30, 1e300, True, None, [], ["a", ""], {}, {"a": None}]


@pytest.mark.parametrize("value", ODD_VALUES, ids=repr)
@pytest.mark.parametrize("name", [STUDIO, SONIC])
def test_any_field_with_any_value_is_read_as_plainly(name: str, value: Any) -> None:
    def with_field(path: replies.Path_, field: str) -> bytes:
        return as_bytes(replies.changed(sample(name), path, lambda part: {**part, field: value}))

    fields = (*replies._KEYS, "brand_new")
    odd_replies = [with_field(path, field) for path in PLACES[name] for field in fields]
    assert_same(frames.flatten(odd_replies), plainly(odd_replies))


@pytest.mark.parametrize("name", [STUDIO, SONIC])
def test_unknown_fields_of_songs_do_not_need_the_plain_path(name: str) -> None:
    unknown = {"brand_new": [1.5, {"b": None}], "\u00e9": "\u00e9", "": 10**30}
    path = PLACES[name][-1]
    reply = as_bytes(replies.changed(sample(name), path, lambda song: {**song, **unknown}))
    assert decode._decode(reply) is not None
    assert_same(frames.flatten(reply), plainly(reply))
    extra = json.loads(frames.songs_frame(reply)["extra"][0])
    assert {key: extra[key] for key in unknown} == unknown


def test_a_frame_alone_is_as_it_is_among_all() -> None:
    odd = sample(STUDIO)
    odd["data"]["data"]["songs"][0]["created_at"] = "never"
    mixed = [as_bytes(each) for each in (sample(STUDIO), odd, sample(SONIC))] * 3
    made = frames.flatten(mixed)
    assert len(made.issues) == 3
    for name, frame in made._asdict().items():
        alone = getattr(frames, f"{name}_frame")(mixed)
        pd.testing.assert_frame_equal(alone, frame, obj=name)


@pytest.mark.parametrize("name", [STUDIO, SONIC])
def test_a_field_that_no_song_has_is_missing_as_plainly(name: str) -> None:
    usual = sample(name)
    songs = usual["data"]["data"]["songs"] if name == STUDIO else usual["data"]
    for key in songs[0]:
        kept = [{field: song[field] for field in song if field != key} for song in songs]
        reply = json.dumps(usual).replace(json.dumps(songs), json.dumps(kept))
        assert_same(frames.flatten([reply] * 3), plainly([reply] * 3))


LAYOUTS = [
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


@pytest.mark.parametrize(("old", "new"), LAYOUTS)
def test_what_differs_by_bytes_is_read_as_plainly_and_spoils_nothing_beside_it(
    old: bytes, new: bytes
) -> None:
    usual = json.dumps(sample(STUDIO), separators=(",", ":"), ensure_ascii=False).encode()
    assert old in usual
    changed = usual.replace(old, new, 1)
    mixed = [usual, changed, usual, changed[:-1], usual + b"\n", b"\xff" + usual, usual]
    assert_same(frames.flatten(mixed), plainly(mixed))
    assert decode._decode(usual) is not None


# --- as a library has them ---------------------------------------------------------------------


class Shelf:
    """What has replies about tasks of which something was known before."""

    def __init__(self, kept: list[tasks.StoredReply]) -> None:
        self._kept = kept

    def replies(self) -> list[tasks.StoredReply]:
        return self._kept


OWN_ID = sample(STUDIO)["data"]["task_id"]


@st.composite
def kept_replies(draw: st.DrawFn) -> tasks.StoredReply:
    known = tasks.Task(
        id=draw(st.sampled_from([None, "t1", OWN_ID])),
        engine=draw(st.sampled_from(["studio", "sonic", "sonic", "producer", None])),
        operation=draw(st.sampled_from([None, "create"])),
        expected=draw(st.sampled_from([None, 1, 2])),
        request=draw(st.sampled_from([None, sonic.Concat(continue_clip_id="\ud800 c1")])),
        simulated=draw(st.booleans()),
    )
    said: dict[str, Any] = draw(
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
    except (ValueError, RecursionError):  # a library writes down neither
        return tasks.StoredReply(known, None, said)
    return tasks.StoredReply(known, raw.decode(), said)


@settings(max_examples=60, deadline=None)
@given(st.lists(kept_replies(), max_size=12))
def test_kept_replies_give_what_their_tasks_give(kept: list[tasks.StoredReply]) -> None:
    assert_same(frames.flatten(Shelf(kept)), frames.flatten([each.task() for each in kept]))


def test_kept_replies_of_known_tasks_are_read_by_their_layout() -> None:
    known = tasks.Task(id="t1", engine="sonic", operation="create", expected=1)
    kept = tasks.StoredReply(known, json.dumps(sample(SONIC)), {"state": "succeeded"})
    decoded = decode._decode(kept)
    assert decoded is not None
    assert decoded[0].id == "t1"
    assert frames.songs_frame(Shelf([kept] * 3))["task_id"].tolist() == ["t1"] * 3
    odd = kept._replace(base=tasks.Task(id="t1", engine="sonic", expected=2))
    assert decode._decode(odd) is None


# --- adding -----------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.lists(bulk_replies(), max_size=6), st.data())
def test_replies_may_be_added_in_any_portions(given_: list[bytes], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(given_)))
    flattener = frames.Flattener()
    flattener.add(given_[:at])
    between = flattener.frames()
    flattener.add(iter(given_[at:]))
    whole = flattener.frames()
    for name in ("tasks", "songs", "tags", "replaced_tags", "durations"):
        pd.testing.assert_frame_equal(
            getattr(whole, name), getattr(frames.flatten(given_), name), obj=name
        )
    assert_same(between, frames.flatten(given_[:at]))


def test_a_frame_stays_as_it_is_when_more_is_added_or_another_is_written_to() -> None:
    flattener = frames.Flattener()
    flattener.add([as_bytes(sample(STUDIO))] * 3)
    first = flattener.frames()
    kept = frames.Frames(*(frame.copy(deep=True) for frame in first))
    written = flattener.frames()
    written.songs.loc[0, "duration"] = -1.0
    written.tasks.loc[0, "songs"] = 99
    written.tags.loc[0, "position"] = 77
    flattener.add([as_bytes(sample(SONIC))] * 2000)
    assert_same(first, kept)
    assert list(flattener.frames().songs["duration"][:2]) == list(first.songs["duration"][:2])
    assert flattener.frames().tasks["songs"][0] == 2


def test_each_text_column_is_one_piece() -> None:
    flattener = frames.Flattener()
    for _ in range(3):
        flattener.add([as_bytes(sample(name)) for name in (STUDIO, SONIC)] * 300)
    for frame in flattener.frames():
        for name in frame.columns[frame.dtypes == "str"]:
            assert frame[name].array.__arrow_array__().num_chunks == 1, name


def test_what_is_refused_leaves_what_was_added() -> None:
    flattener = frames.Flattener()
    flattener.add(as_bytes(sample(STUDIO)))
    with pytest.raises(InvalidArgument, match="item 1 is a object"):
        flattener.add([as_bytes(sample(STUDIO)), object()])  # type: ignore[list-item]
    assert len(flattener.frames().tasks) == 1


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of two replies: every other of them is read in another thread."""
    monkeypatch.setattr(flattener_module, "_BATCH", 2)


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("number", range(9))
def test_batches_keep_their_order(number: int) -> None:
    given_ = [as_bytes(sample(NAMES[place % len(NAMES)])) for place in range(number)]
    assert_same(frames.flatten(given_), plainly(given_))


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("number", range(9))
@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_whole_batches_before_an_end_by_force_are_kept_in_order(
    number: int, error: type[BaseException]
) -> None:
    given_ = [as_bytes(sample(NAMES[place % len(NAMES)])) for place in range(number)]

    def ended() -> Iterator[bytes]:
        yield from given_
        raise error

    flattener = frames.Flattener()
    with pytest.raises(error):
        flattener.add(ended())
    assert_same(flattener.frames(), plainly(given_[: number // 2 * 2]))
    flattener.add(given_)
    assert_same(flattener.frames(), plainly([*given_[: number // 2 * 2], *given_]))


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("place", range(8))
def test_a_batch_that_fails_ends_all_and_those_before_it_are_kept(place: int) -> None:
    class Failing(dict[str, Any]):
        def items(self) -> Any:
            raise MemoryError

        keys = __iter__ = items

    given_: list[Any] = [as_bytes(sample(STUDIO)) for _ in range(8)]
    given_[place] = Failing(data=[])
    flattener = frames.Flattener()
    with pytest.raises(MemoryError):
        flattener.add(given_)
    assert_same(flattener.frames(), plainly(given_[: place // 2 * 2]))


# --- files -------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True], ids=["ndjson", "ndjson.gz"])
def test_a_file_is_its_lines(tmp_path: Path, *, packed: bool) -> None:
    given_ = [as_bytes(sample(name)) for name in NAMES] * 40
    path = tmp_path / ("replies.ndjson.gz" if packed else "replies.ndjson")
    body = b"\n".join(given_) + b"\n\n  \n"
    path.write_bytes(gzip.compress(body) if packed else body)
    from_file, from_memory = frames.flatten(path), frames.flatten(given_)
    assert set(from_file.issues["source"]) == {str(path)}
    assert_same(
        from_file._replace(issues=from_file.issues.drop(columns="source")),
        from_memory._replace(issues=from_memory.issues.drop(columns="source")),
    )
    pd.testing.assert_frame_equal(frames.songs_frame(str(path)), from_memory.songs)


def test_raw_replies_are_kept_as_they_came(tmp_path: Path) -> None:
    task = tasks.parse_task(sample(SONIC))
    given_ = [as_bytes(sample(STUDIO)), "<html>busy</html>", sample(STUDIO), task, b"{cut", None]
    made = frames.flatten(given_)
    frames.write_parquet(made, tmp_path / "kept", raw=given_)
    again = frames.flatten(tmp_path / "kept" / "replies.parquet")
    for name in ("tasks", "songs", "tags", "replaced_tags", "durations"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(made, name), obj=name)
    assert list(again.issues["reply"]) == list(made.issues["reply"]) == [1, 4, 5]
    assert list(again.issues["message"]) == list(made.issues["message"])


@settings(max_examples=20, deadline=None)
@given(st.lists(bulk_replies() | studio_replies(), max_size=4))
def test_frames_are_read_from_parquet_as_they_were_written(given_: list[bytes]) -> None:
    made = frames.flatten(given_)
    with tempfile.TemporaryDirectory() as folder:
        frames.write_parquet(made, folder)
        assert_same(frames.read_parquet(folder), made)
        assert sorted(path.name for path in Path(folder).iterdir()) == sorted(
            f"{name}.parquet" for name in frames.Frames._fields
        )


def test_columns_that_were_joined_are_kept_too(tmp_path: Path) -> None:
    made = frames.flatten(as_bytes(sample(STUDIO)))
    asked = pd.Categorical(["slow", "slow"], categories=["slow", "fast"], ordered=True)
    made = made._replace(songs=made.songs.assign(tempo=asked, rating=pd.array([4, None], "Int64")))
    frames.write_parquet(made, tmp_path)
    assert_same(frames.read_parquet(tmp_path), made)


def test_a_column_of_objects_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    made = frames.flatten(as_bytes(sample(STUDIO)))
    for odd in ({"a": 1}, ["a"], object()):
        bad = made._replace(songs=made.songs.assign(odd=pd.Series([odd, odd], dtype=object)))
        with pytest.raises(InvalidArgument, match="odd"):
            frames.write_parquet(bad, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_what_is_no_file_of_replies_is_refused(tmp_path: Path) -> None:
    frames.write_parquet(frames.flatten([]), tmp_path)
    with pytest.raises(InvalidArgument, match="no column 'reply'"):
        frames.flatten(tmp_path / "songs.parquet")
    with pytest.raises(FileNotFoundError):
        frames.flatten(tmp_path / "absent.parquet")
    with pytest.raises(FileNotFoundError, match=r"tasks\.parquet"):
        frames.read_parquet(tmp_path / "absent")


# --- what is leant on ---------------------------------------------------------------------------


def test_categories_are_as_the_public_constructor_makes_them() -> None:
    made = frames.tags_frame([as_bytes(sample(STUDIO)), as_bytes(sample(SONIC))])
    for name in ("task_id", "song_id"):
        values = list(dict.fromkeys(made[name].dropna()))
        public = pd.CategoricalDtype(pd.Index(values, dtype="str"))
        assert made[name].dtype == public
        assert hash(made[name].dtype) == hash(public)
        assert made[name].cat.categories.is_unique
