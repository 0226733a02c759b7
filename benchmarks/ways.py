"""Ways to flatten uniform replies, each written as users of its library would write it.

Each returns the same tables of the replies of `generated.py`: songs, tags, replaced_tags and
durations (with the ids of the songs). The other ways make fewer columns than ours, and check
nothing.
"""

from __future__ import annotations

import contextlib
import io
import json
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Tables = dict[str, pd.DataFrame]
KEPT: Mapping[str, str] = {
    "id": "song_id",
    "title": "title",
    "lyrics": "lyrics",
    "prompt": "prompt",
    "duration": "duration",
    "song_path": "audio_url",
    "image_path": "image_url",
    "created_at": "created_at",
}
SONGS = ("task_id", *KEPT.values())
TAGS = ("task_id", "song_id", "position", "tag")
STEPS = ("task_id", "song_id", "step", "source", "type", "position", "tag")
TIMES = ("queue_seconds", "render_seconds", "total_seconds")
DURATIONS = ("task_id", "song_id", "duration", *TIMES)


def ours(replies: Sequence[bytes]) -> Any:
    from musicapi_nb.frames import flatten

    return flatten(list(replies))


def loads_alone(replies: Sequence[bytes]) -> None:
    """Parse each reply as JSON and drop the result, which no way can avoid."""
    import orjson

    for reply in replies:
        with contextlib.suppress(orjson.JSONDecodeError):  # some cases have broken replies
            orjson.loads(reply)


def _timed(tasks: pd.DataFrame) -> pd.DataFrame:
    return tasks.assign(
        queue_seconds=tasks["start_time"] - tasks["submit_time"],
        render_seconds=tasks["finish_time"] - tasks["start_time"],
        total_seconds=tasks["finish_time"] - tasks["submit_time"],
    )


def _positions(frame: pd.DataFrame, by: Sequence[str]) -> pd.Series[int]:
    return frame.groupby(list(by), sort=False).cumcount()


def json_normalize(replies: Sequence[bytes]) -> Tables:
    tasks = pd.json_normalize([json.loads(reply)["data"] for reply in replies], max_level=0)
    tasks["songs"] = [data["songs"] for data in tasks["data"]]
    exploded = tasks[["task_id", "songs"]].explode("songs", ignore_index=True)
    songs = pd.json_normalize(exploded["songs"].tolist(), max_level=0).rename(columns=KEPT)
    songs["task_id"] = exploded["task_id"]
    songs["created_at"] = pd.to_datetime(songs["created_at"], utc=True)
    tags = songs[["task_id", "song_id", "tags"]].explode("tags", ignore_index=True)
    tags = tags.rename(columns={"tags": "tag"})
    tags["position"] = _positions(tags, ["song_id"])
    rows = [
        (number, step, source, result["type"], result["tags"])
        for number, replaced in enumerate(songs["replaced_tags"])
        for step, (source, result) in enumerate(replaced.items())
    ]
    steps = pd.DataFrame(rows, columns=["song", "step", "source", "type", "tag"])
    steps = steps.explode("tag", ignore_index=True)
    steps = steps.merge(songs[["task_id", "song_id"]], left_on="song", right_index=True)
    steps["position"] = _positions(steps, ["song", "step"])
    durations = songs.merge(_timed(tasks)[["task_id", *TIMES]], on="task_id")
    return _tables(songs, tags, steps, durations)


def _arrow_type() -> Any:
    import pyarrow as pa

    text, integer = pa.string(), pa.int64()
    song = {name: pa.float64() if name == "duration" else text for name in KEPT}
    song |= {"tags": pa.list_(text)}
    songs = pa.struct({"songs": pa.list_(pa.struct(list(song.items())))}.items())
    times = dict.fromkeys(("submit_time", "start_time", "finish_time"), integer)
    data = pa.struct([("task_id", text), *times.items(), ("data", songs)])
    return pa.schema([("data", data)])


def pyarrow_json(replies: Sequence[bytes]) -> Tables:
    import pyarrow as pa
    from pyarrow import json as arrow_json

    options = arrow_json.ParseOptions(
        explicit_schema=_arrow_type(), unexpected_field_behavior="ignore"
    )
    lines = pa.BufferReader(b"\n".join(replies))
    read = arrow_json.read_json(lines, parse_options=options).combine_chunks().flatten()
    tasks = {name.removeprefix("data."): read[name] for name in read.column_names}
    lists = tasks.pop("data").combine_chunks().field("songs")
    flat, of_task = lists.flatten(), lists.value_parent_indices()
    columns = {KEPT[name]: flat.field(name) for name in KEPT}
    columns["task_id"] = tasks["task_id"].take(of_task)
    columns["created_at"] = columns["created_at"].cast(pa.timestamp("us", "UTC"))
    songs = pa.table(columns).to_pandas()
    tags = flat.field("tags")
    numbers = tags.value_parent_indices().to_numpy()
    tag_rows = songs[["task_id", "song_id"]].take(numbers).reset_index(drop=True)
    tag_rows["tag"] = tags.flatten().to_pandas()
    tag_rows["position"] = _positions(tag_rows, ["song_id"])
    timed = _timed(pa.table(tasks).to_pandas())[[*TIMES]].take(of_task.to_numpy())
    durations = pd.concat([songs, timed.reset_index(drop=True)], axis=1)
    return _tables(songs, tag_rows, _second_pass(replies, songs), durations)


def _second_pass(replies: Sequence[bytes], songs: pd.DataFrame) -> pd.DataFrame:
    """Return the steps: their sources are object keys, which a schema cannot declare."""
    import orjson

    rows = [
        (number, step, source, result["type"], position, tag)
        for number, song in enumerate(
            song for reply in replies for song in orjson.loads(reply)["data"]["data"]["songs"]
        )
        for step, (source, result) in enumerate(song["replaced_tags"].items())
        for position, tag in enumerate(result["tags"])
    ]
    steps = pd.DataFrame(rows, columns=["song", "step", "source", "type", "position", "tag"])
    ids = songs[["task_id", "song_id"]].take(steps["song"].to_numpy()).reset_index(drop=True)
    return pd.concat([ids, steps], axis=1)


def polars(replies: Sequence[bytes]) -> Tables:
    import polars as pl

    song = {name: pl.Float64 if name == "duration" else pl.String for name in KEPT}
    songs_type = pl.List(pl.Struct({**song, "tags": pl.List(pl.String)}))
    times = dict.fromkeys(("submit_time", "start_time", "finish_time"), pl.Int64)
    data = pl.Struct({"task_id": pl.String, **times, "data": pl.Struct({"songs": songs_type})})
    read = pl.read_ndjson(io.BytesIO(b"\n".join(replies)), schema={"data": data})
    tasks = read.unnest("data").unnest("data")
    timed = tasks.select(
        "task_id",
        "songs",
        queue_seconds=pl.col("start_time") - pl.col("submit_time"),
        render_seconds=pl.col("finish_time") - pl.col("start_time"),
        total_seconds=pl.col("finish_time") - pl.col("submit_time"),
    )
    songs = timed.explode("songs").unnest("songs").rename(dict(KEPT))
    songs = songs.with_columns(
        pl.col("created_at").str.to_datetime(time_unit="us", time_zone="UTC")
    )
    tags = songs.select(
        "task_id", "song_id", tag="tags", position=pl.int_ranges(pl.col("tags").list.len())
    ).explode("tag", "position")
    frame = songs.drop("tags").to_pandas()
    return _tables(frame, tags.to_pandas(), _second_pass(replies, frame), frame)


def duckdb(replies: Sequence[bytes]) -> Tables:
    import tempfile

    import duckdb

    song: dict[str, Any] = {name: "DOUBLE" if name == "duration" else "VARCHAR" for name in KEPT}
    steps_type = "MAP(VARCHAR, STRUCT(tags VARCHAR[], type VARCHAR))"
    song |= {"tags": ["VARCHAR"], "replaced_tags": steps_type}
    times = dict.fromkeys(("submit_time", "start_time", "finish_time"), "BIGINT")
    # typing objects after reading them: read_ndjson with a type takes ten times as long
    shape = json.dumps({"data": {"task_id": "VARCHAR", **times, "data": {"songs": [song]}}})
    named = ", ".join(f"song.{name} AS {new}" for name, new in KEPT.items() if name != "created_at")
    with tempfile.NamedTemporaryFile(suffix=".ndjson") as file, duckdb.connect() as base:
        file.write(b"\n".join(replies))
        file.flush()
        base.execute("SET preserve_insertion_order = true")
        base.execute(
            "CREATE TABLE songs AS SELECT row_number() OVER () AS number, * FROM (SELECT "
            f"data.task_id AS task_id, {named}, song.created_at::TIMESTAMPTZ AS created_at, "
            "data.start_time - data.submit_time AS queue_seconds, "
            "data.finish_time - data.start_time AS render_seconds, "
            "data.finish_time - data.submit_time AS total_seconds, song.tags AS tags, "
            "song.replaced_tags AS replaced FROM (SELECT data, unnest(data.data.songs) AS song "
            f"FROM (SELECT json_transform(json, '{shape}').data AS data "
            f"FROM read_ndjson_objects('{file.name}'))))"
        )
        songs = base.execute("SELECT * EXCLUDE (tags, replaced) FROM songs ORDER BY number").df()
        tags = base.execute(
            "SELECT task_id, song_id, unnest(tags) AS tag, "
            "generate_subscripts(tags, 1) - 1 AS position, number FROM songs "
            "ORDER BY number, position"
        ).df()
        steps = base.execute(
            "SELECT task_id, song_id, step, entry.key AS source, entry.value.type AS type, "
            "unnest(entry.value.tags) AS tag, "
            "generate_subscripts(entry.value.tags, 1) - 1 AS position, number FROM ("
            "SELECT task_id, song_id, number, unnest(map_entries(replaced)) AS entry, "
            "generate_subscripts(map_entries(replaced), 1) - 1 AS step FROM songs) "
            "ORDER BY number, step, position"
        ).df()
    return _tables(songs, tags, steps, songs)


def _tables(
    songs: pd.DataFrame, tags: pd.DataFrame, steps: pd.DataFrame, durations: pd.DataFrame
) -> Tables:
    return {
        "songs": songs[[*SONGS]],
        "tags": tags[[*TAGS]],
        "replaced_tags": steps[[*STEPS]],
        "durations": durations[[*DURATIONS]],
    }


WAYS: Mapping[str, Callable[[Sequence[bytes]], Any]] = {
    "ours": ours,
    "pyarrow.json": pyarrow_json,
    "duckdb": duckdb,
    "polars": polars,
    "json_normalize": json_normalize,
}


def comparable_tables(tables: Any) -> Tables:
    """Return the tables of a way with the columns and dtypes that all ways share."""
    tables = tables if isinstance(tables, dict) else tables._asdict()
    columns = {"songs": SONGS, "tags": TAGS, "replaced_tags": STEPS, "durations": DURATIONS}
    return {name: _with_dtypes(tables[name][[*of]]) for name, of in columns.items()}


def _with_dtypes(table: pd.DataFrame) -> pd.DataFrame:
    integers, floats = {"position", "step"}, {"duration", *TIMES}
    kinds = {
        name: "int64"
        if name in integers
        else "float64"
        if name in floats
        else "datetime64[us, UTC]"
        if name == "created_at"
        else "str"
        for name in table.columns
    }
    return table.reset_index(drop=True).astype(kinds)
