"""Sound matches: the requested and the measured sound of each song, and how they relate."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from musicapi_nb.analysis.array_types import Flags
from musicapi_nb.analysis.checks import ColumnKind, as_frame, finite_values, no_conflict, require
from musicapi_nb.analysis.song_keys import require_distinct, require_unique, song_codes
from musicapi_nb.analysis.sound_relations import (
    COMPARISONS,
    relation_of_keys,
    tempo_deviation,
    tempo_relations,
)
from musicapi_nb.analysis.source_tables import Source, table_of
from musicapi_nb.engines import Request
from musicapi_nb.errors import BadFrame
from musicapi_nb.frames.arrow_tables import Table, as_pandas
from musicapi_nb.frames.inputs import parse_replies
from musicapi_nb.frames.measures import measures_frame, song_columns
from musicapi_nb.tasks import Song
from musicapi_nb.tasks.musical_keys import parse_key
from musicapi_nb.tasks.sound_requests import (
    TEMPO_FIELDS,
    RequestParts,
    SoundRequest,
    read_sound_request,
    sound_request,
)

_SONGS = "the table of songs"
_MATCHES = "the table of sound_matches"
_MEASURES = "the table of measures (measures_frame or audio_features)"
_FIELD_COLUMNS = {
    **{name: name for name in (*TEMPO_FIELDS, "make_instrumental", "length")},
    "duration_requested": "duration",  # how a run calls a factor that a column is named like
}
_MEASURED: dict[str, ColumnKind] = {
    "tempo": "number",
    "key": "text",
    "seconds": "number",
    "instrumental": "number or boolean",
}
_COLUMNS = {
    **dict.fromkeys(("requested_tempo", "measured_tempo", "tempo_deviation"), "float64"),
    "tempo_relation": "str",
    "tempo_followed": "boolean",
    **dict.fromkeys(("requested_key", "measured_key", "key_relation"), "str"),
    "key_followed": "boolean",
    **dict.fromkeys(("requested_duration", "measured_duration", "duration_deviation"), "float64"),
    "duration_followed": "boolean",
    **dict.fromkeys(
        ("requested_instrumental", "measured_instrumental", "instrumental_followed"), "boolean"
    ),
    **dict.fromkeys(("requested_tempo_low", "requested_tempo_high"), "float64"),
    **dict.fromkeys(("request_sources", "request_conflicts"), "str"),
}
_KINDS: dict[str, ColumnKind] = {"str": "text", "float64": "number", "boolean": "number or boolean"}


def sound_matches(songs: Source, measures: Table | None = None) -> pd.DataFrame:
    """List the requested and the measured properties of each song's sound.

    Requests are read from fields of the engines (`bpm`, `duration`, `length`, `make_instrumental`),
    styles, descriptions, and tags to avoid ("90 bpm", "in A minor", "3 minutes long", "no vocals");
    a value that is not stated clearly is missing, and so is one that the request contradicts.
    Titles and lyrics request nothing, except lyrics that are only "[Instrumental]". Tempo words
    ("slow", "allegro") are not read as figures. The guide to sound has the rules.

    Measured values are those of `audio_features`. A value that could not be measured is missing,
    and so is all that compares it. `audio_features` cannot tell whether someone sings: that is
    compared if a measure of your own has the column `instrumental` (boolean, or 0 and 1). Songs
    that did not succeed are left out; `.attrs` counts them as "songs_left_out".

    Parameters
    ----------
    songs
        A run, a library, jobs or songs, whose requests are known. Or a table: one row for each song
        with `task_id, song_id, song_position`, of which the columns `requested_tags`,
        `negative_tags`, `bpm`, `length`, `duration_requested`, `make_instrumental` are read. A
        table of this function is returned as it is.
    measures
        A table of the measured values (`tempo`, `key`, `seconds`, ...), such as that of
        `audio_features`. Default: those of the table, behind `task_id`; else those that are stored
        in the library of the songs (`measures_frame`).

    Returns
    -------
    pd.DataFrame
        The columns before `task_id` (cell, block, take, factors), then `task_id, song_id,
        song_position`, and

        - `requested_tempo, measured_tempo` (float64, bpm; of a range its middle),
          `tempo_deviation` (float64: percent above the request, or below; 0 within a range),
          `tempo_relation` (str: "exact" within 4 %, "half", "double", "third", "triple",
          "two thirds", "three halves", "other"), `tempo_followed` (boolean: exact),
        - `requested_key, measured_key` (str, such as "A minor"), `key_relation` (str: "exact",
          "relative", "fifth", "parallel", "other"), `key_followed` (boolean: exact),
        - `requested_duration, measured_duration, duration_deviation` (float64, seconds),
          `duration_followed` (boolean: within 5 %),
        - `requested_instrumental, measured_instrumental, instrumental_followed` (boolean),
        - `requested_tempo_low, requested_tempo_high` (float64, bpm: equal unless a range),
          `request_sources` (str: where each value was read), `request_conflicts` (str).

    Raises
    ------
    BadFrame
        Nothing was measured in any song (call `audio_features` first), columns are of a wrong
        kind, a song has several rows, or a factor is named like a column of the result.
    """
    songs = as_pandas(songs, "songs")
    if isinstance(songs, pd.DataFrame) and "request_conflicts" in songs.columns:
        require(songs, {name: _KINDS[dtype] for name, dtype in _COLUMNS.items()}, _MATCHES)
        return songs
    table = _read_table(songs) if isinstance(songs, pd.DataFrame) else _read_songs(songs)
    measured = _measured_values(table.rows, as_pandas(measures, "measures"))
    requests = [_request_columns(request) for request in table.requests]
    columns = pd.DataFrame(requests, columns=list(_request_columns(SoundRequest())))
    values = _compare({**{str(name): columns[name] for name in columns}, **measured})
    lead = song_columns(table.rows).drop(columns="simulated", errors="ignore")
    no_conflict(lead.columns, _COLUMNS, _SONGS)
    result = pd.concat([lead, as_frame(values, _COLUMNS)], axis=1)
    result = result[table.succeeded].reset_index(drop=True)
    result.attrs["songs_left_out"] = int((~table.succeeded).sum())
    return result


class _Table(NamedTuple):
    """Songs as rows, the request of each, and whether it succeeded."""

    rows: pd.DataFrame
    requests: list[SoundRequest]
    succeeded: Flags


def _read_songs(source: Any) -> _Table:
    """Read the songs of a source that knows their requests."""
    if isinstance(source, Iterator):
        source = list(source)
    rows = table_of(source, "measures")
    songs: dict[tuple[Any, ...], Song] = {}
    for reply in parse_replies(source):
        for song in reply.task.songs if reply.task else ():
            songs[song.task_id, song.id, song.position] = song
    names = ["task_id", "song_id", "song_position"]
    keys = rows[names].astype(object).where(rows[names].notna(), None).itertuples(index=False)
    listed = [songs.get(tuple(key), Song()) for key in keys]
    cached: dict[Request, SoundRequest] = {}  # the songs of a task share their request

    def request_of(song: Song) -> SoundRequest:
        if song.request is None:
            return sound_request(song)
        if song.request not in cached:
            cached[song.request] = sound_request(song)
        return cached[song.request]

    requests = list(map(request_of, listed))
    succeeded = np.array([song.state == "succeeded" for song in listed], dtype=bool)
    return _Table(rows, requests, succeeded)


def _read_table(rows: pd.DataFrame) -> _Table:
    """Read requests from the columns of a table."""
    require(rows, dict.fromkeys(("task_id", "song_id"), "key"), _SONGS)
    require_unique(rows, _SONGS)
    if "song_position" not in rows.columns:
        position = rows.groupby("task_id", dropna=False, observed=True).cumcount()
        rows = rows.assign(song_position=position)
    texts = {name: name for name in ("requested_tags",) if name in rows}
    negative = {name: name for name in ("negative_tags",) if name in rows}
    fields = {name: field for name, field in _FIELD_COLUMNS.items() if name in rows}
    require(rows, dict.fromkeys((*texts, *negative), "text"), _SONGS)
    names = [*texts, *negative, *fields]
    values = rows[names].astype(object).where(rows[names].notna(), None).to_dict("records")
    cached: dict[tuple[Any, ...], SoundRequest] = {}
    requests = []
    for row in values:
        key = tuple(map(str, row.values()))
        if key not in cached:
            parts = RequestParts(
                {name: row[name] for name in texts if row[name]},
                {name: row[name] for name in negative if row[name]},
                fields={field: row[name] for name, field in fields.items()},
            )
            cached[key] = read_sound_request(parts)
        requests.append(cached[key])
    is_done = rows["state"] == "succeeded" if "state" in rows else pd.Series(True, rows.index)
    return _Table(rows.reset_index(drop=True), requests, is_done.to_numpy(dtype=bool))


def _request_columns(request: SoundRequest) -> dict[str, Any]:
    tempo = request.tempo.value if request.tempo else None
    statements = request.statements().items()
    sources = (f"{name}: {part.text!r} in {part.field}" for name, part in statements)
    return {
        "requested_tempo": (tempo.low + tempo.high) / 2 if tempo else np.nan,
        "requested_tempo_low": tempo.low if tempo else np.nan,
        "requested_tempo_high": tempo.high if tempo else np.nan,
        "requested_key": request.key.value.name if request.key else None,
        "requested_duration": request.duration.value if request.duration else np.nan,
        "requested_instrumental": request.instrumental.value if request.instrumental else None,
        "request_sources": "; ".join(sources) or None,
        "request_conflicts": "; ".join(request.conflicts) or None,
    }


def _measured_values(rows: pd.DataFrame, measures: pd.DataFrame | None) -> dict[str, Any]:
    """Return the measured columns, (rows,) each; all missing where a measure does not exist."""
    table = _align(rows, measures) if measures is not None else rows
    columns = _measured_columns(table)
    if not columns and measures is None:
        table = measures_frame(rows)
        columns = _measured_columns(table)
    if not columns:
        raise BadFrame(
            "nothing was measured in the sound of these songs: mnb.audio_features(...) measures "
            "and stores it; or pass its table as measures=..."
        )
    kinds = {columns[name]: kind for name, kind in _MEASURED.items() if name in columns}
    require(table, kinds, _MEASURES)
    missing = pd.Series(np.nan, index=table.index)
    values = {name: table[columns[name]] if name in columns else missing for name in _MEASURED}
    keys = [parse_key(text) if isinstance(text, str) else None for text in values["key"]]
    tempo = finite_values(values["tempo"])
    return {
        "measured_tempo": np.where(tempo > 0, tempo, np.nan),
        "measured_key": [None if key is None else key.name for key in keys],
        "measured_duration": finite_values(values["seconds"]),
        "measured_instrumental": _booleans(values["instrumental"]),
    }


def _booleans(column: pd.Series) -> list[bool | None]:
    """Return 1 as True, 0 as False, and other values as missing."""
    choices = {1.0: True, 0.0: False}
    return [choices.get(value) for value in column.to_numpy("float64", na_value=np.nan).tolist()]


def _measured_columns(table: pd.DataFrame) -> dict[str, str]:
    """Return the columns of measures by name; those in front of `task_id` are factors."""
    names = list(map(str, table.columns))
    behind = names[names.index("task_id") + 1 :] if "task_id" in names else names
    return {
        name: column
        for name in _MEASURED
        for column in (name, f"{name}_measured")
        if column in behind
    }


def _align(rows: pd.DataFrame, measures: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of measures in the order of the songs; missing where there is none."""
    tables = (rows, _SONGS), (measures, _MEASURES)
    codes, measured = song_codes(*tables)
    require_distinct(tables[1], measured, np.ones(len(measured), dtype=bool), tables[0])
    index = pd.Series(range(len(measured)), index=measured).reindex(codes).to_numpy()
    aligned = measures.reset_index(drop=True).reindex(index)
    return aligned.reset_index(drop=True)


def _compare(values: dict[str, Any]) -> dict[str, Any]:
    """Add deviations, relations and followed flags to the requested and measured columns."""
    low, high, tempo = (
        np.asarray(values[name], dtype=float)
        for name in ("requested_tempo_low", "requested_tempo_high", "measured_tempo")
    )
    values["tempo_deviation"] = 100 * tempo_deviation(low, high, tempo)
    values["tempo_relation"] = tempo_relations(low, high, tempo)
    values["key_relation"] = [
        None if pd.isna(requested) or measured is None else relation_of_keys(requested, measured)
        for requested, measured in zip(values["requested_key"], values["measured_key"], strict=True)
    ]
    requested = np.asarray(values["requested_duration"], dtype=float)
    values["duration_deviation"] = values["measured_duration"] - requested
    for name, comparison in COMPARISONS.items():
        columns, measured = comparison.columns(values)
        both = columns[0].notna() & measured.notna()
        followed = pd.Series(None, index=both.index, dtype=object)
        request = [column[both].to_numpy() for column in columns]
        followed[both] = comparison.follows(request, measured[both].to_numpy())
        values[f"{name}_followed"] = followed
    return values
