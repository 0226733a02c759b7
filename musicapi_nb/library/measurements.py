"""What was measured in sound files, by the hash of the file, the measure and its version.

Measures are columns of tables: a measurement is a value for each column, or an error.
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias, TypeVar

from musicapi_nb.library.database import Database
from musicapi_nb.library.media_files import song_key
from musicapi_nb.tasks import Song

_Item = TypeVar("_Item")
Value: TypeAlias = float | int | bool | str | None
"""A measured value; None is missing."""


@dataclasses.dataclass(frozen=True, slots=True)
class Measurement:
    """The values by column that a measure has of one file, or the error that it ended with."""

    sha256: str
    values: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    error: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Measure:
    """A measure: its name, the version of its method, and its columns with their pandas dtypes.

    The dtype of a column without any value so far is None.
    """

    name: str
    version: str
    columns: Mapping[str, str | None] = dataclasses.field(default_factory=dict)


class Measurements:
    """The part of a library that has measurements; `Library` opens it."""

    _database: Database

    def use_measure(self, measure: Measure) -> None:
        """Make a version of a measure the one that tables show, and add its columns."""
        with self._database.write() as connection:
            _merge_columns(connection, measure)
            latest = connection.execute("SELECT max(used_at) FROM measures").fetchone()[0]
            connection.execute(
                "UPDATE measures SET used_at=? WHERE name=? AND version=?",
                # later than all others, whatever the clock says
                (max(time.time(), latest + 1e-3), measure.name, measure.version),
            )

    def measures(self) -> list[Measure]:
        """Return all measures in the version used last, by name."""
        query = "SELECT name, version, columns FROM current_measures ORDER BY name"
        rows = self._database.rows(query)
        return [
            Measure(name, version, _shown(json.loads(columns))) for name, version, columns in rows
        ]

    def store_measurements(self, measure: Measure, measurements: Iterable[Measurement]) -> None:
        """Store measurements of files, and the columns of `measure` that have values by now."""
        now = time.time()
        rows = [
            (item.sha256, measure.name, measure.version, json.dumps(item.values), item.error, now)
            for item in measurements
        ]
        with self._database.write() as connection:
            _merge_columns(connection, measure)
            connection.executemany(
                "INSERT OR REPLACE INTO measurements VALUES (?, ?, ?, ?, ?, ?)", rows
            )

    def measurements(self, measure: Measure, sha256: Iterable[str]) -> dict[str, Measurement]:
        """Return the stored measurements of files by their hash; those not measured are absent."""
        rows = self._database.rows(
            "SELECT sha256, result, error FROM measurements WHERE name=? AND version=? "
            "AND sha256 IN (SELECT value FROM json_each(?))",
            measure.name,
            measure.version,
            json.dumps([*sha256]),
        )
        return {name: Measurement(name, json.loads(result), error) for name, result, error in rows}

    def measurements_mark(self) -> tuple[int, float]:
        """Return their number and the time of the latest: another value after each change."""
        ((number, latest),) = self._database.rows("SELECT count(*), max(at) FROM measurements")
        return number, latest or 0.0

    def measured_values(self, songs: Sequence[Song]) -> list[dict[str, Value]]:
        """Return what tables show of each song: the values of all measures, by column."""
        keys = [song_key(song) for song in songs]
        names = [measure.name for measure in self.measures() if measure.columns]
        query = """
            SELECT song, result FROM attachments
            JOIN measurements ON measurements.sha256 = attachments.sha256
            JOIN current_measures ON current_measures.name = measurements.name
                AND current_measures.version = measurements.version
            WHERE media = 'audio' AND song IN (SELECT value FROM json_each(?))
                AND measurements.name IN (SELECT value FROM json_each(?))
            ORDER BY measurements.name
        """
        values: dict[str, dict[str, Value]] = {key: {} for key in keys}
        for song, result in self._database.rows(query, json.dumps(keys), json.dumps(names)):
            values[song] |= _shown(json.loads(result))
        return [values[key] for key in keys]


def _shown(columns: Mapping[str, _Item]) -> dict[str, _Item]:
    """Leave out what tables do not show, such as profiles: names that start with "_"."""
    return {name: item for name, item in columns.items() if not name.startswith("_")}


def _merge_columns(connection: sqlite3.Connection, measure: Measure) -> None:
    """Add the columns of a measure to those that are stored; dtypes become wider if necessary."""
    query = "SELECT columns FROM measures WHERE name=? AND version=?"
    row = connection.execute(query, (measure.name, measure.version)).fetchone()
    stored = json.loads(row[0]) if row else {}
    columns = merge_dtypes(stored, measure.columns)
    if row is None:
        values = (measure.name, measure.version, json.dumps(columns))
        connection.execute("INSERT INTO measures VALUES (?, ?, ?, 0)", values)
    elif columns != stored:
        connection.execute(
            "UPDATE measures SET columns=? WHERE name=? AND version=?",
            (json.dumps(columns), measure.name, measure.version),
        )


def copy_measurements(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Add the measurements of another library; of each, the one that is there stays."""
    for name, version, columns, used_at in source.execute("SELECT * FROM measures"):
        _merge_columns(target, Measure(name, version, json.loads(columns)))
        target.execute(
            "UPDATE measures SET used_at=max(used_at, ?) WHERE name=? AND version=?",
            (used_at, name, version),
        )
    target.executemany(
        "INSERT OR IGNORE INTO measurements VALUES (?, ?, ?, ?, ?, ?)",
        source.execute("SELECT sha256, name, version, result, error, at FROM measurements"),
    )


def dtypes_of(values: Mapping[str, Value]) -> dict[str, str | None]:
    """Return the pandas dtype of each value; None if it is missing."""
    return {name: None if value is None else _DTYPES[type(value)] for name, value in values.items()}


def merge_dtypes(
    columns: Mapping[str, str | None], others: Mapping[str, str | None]
) -> dict[str, str | None]:
    """Return the dtypes that hold the values of both: text if either has text."""
    return {
        name: _wider(columns.get(name), others.get(name))
        for name in dict.fromkeys((*columns, *others))
    }


def _wider(dtype: str | None, other: str | None) -> str | None:
    if dtype == other or dtype is None or other is None:
        return dtype or other
    return "str" if "str" in {dtype, other} else "float64"


_DTYPES = {bool: "boolean", int: "Int64", float: "float64", str: "str"}
