"""Compute one measure of songs or files, and return it as a table."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from musicapi_nb.engines.values import whole_number
from musicapi_nb.errors import InvalidArgument
from musicapi_nb.frames.arrow_tables import as_pandas
from musicapi_nb.frames.measures import add_measured, rename_measured
from musicapi_nb.frames.text_dtype import TEXT
from musicapi_nb.library import Library, Measure
from musicapi_nb.measures.cluster import measure_on_cluster
from musicapi_nb.measures.processes import measure_files
from musicapi_nb.measures.result_store import ResultStore
from musicapi_nb.measures.song_sounds import Sound, Sounds, song_sounds, song_table
from musicapi_nb.measures.sound_files import file_columns, find_sound_files, hash_file
from musicapi_nb.measures.worker import Method, Outcome
from musicapi_nb.short_traceback import ShortTraceback
from musicapi_nb.tasks.song_actions import latest_session
from musicapi_nb.widgets.monitor import Bar, BarState
from musicapi_nb.widgets.songs_of import songs_of

_REDRAW = 0.1  # seconds between two states of the bar

_Files: TypeAlias = Generator[Path | None, None, None]


class MeasuringInterrupted(ShortTraceback, KeyboardInterrupt):
    """Measuring was interrupted; finished songs are stored."""


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """How songs are measured; see `measure`."""

    library: Any
    workers: Any
    progress: bool
    client: Any  # of Dask

    def __post_init__(self) -> None:
        if self.library is not None and not isinstance(self.library, Library):
            kind = type(self.library).__name__
            raise InvalidArgument(f"library must be a Library, such as api.library, not a {kind}")
        if self.workers is not None and not whole_number(self.workers, 1):
            raise InvalidArgument(
                f"workers must be a number of processes, not {self.workers!r:.40}"
            )


def measure_sounds(source: Any, method: Method, measure: Measure, options: Options) -> pd.DataFrame:
    """Compute missing values and return the table: see `measure`."""
    source = as_pandas(source, "songs")
    files = find_sound_files(source)
    with tempfile.TemporaryDirectory(prefix="musicapi-nb-") as folder:
        if files is None:
            songs = songs_of(source, options.library)
            table, library = song_table(songs, source), songs.library
            sounds = song_sounds([item.song for item in songs.items], library, Path(folder))
        else:
            session = latest_session()
            library = options.library or getattr(session, "library", None)
            table, sounds = file_columns(files), _file_sounds(files)
        computation = _Computation(ResultStore(measure, library), len(table))
        _compute(computation, computation.pending_files(sounds), method, options)
    return computation.table(table)


def _compute(computation: _Computation, files: _Files, method: Method, options: Options) -> None:
    outcomes = (
        measure_files(method, files, options.workers)
        if options.client is None
        else measure_on_cluster(method, files, options.client)
    )
    bar = Bar(method.name.replace("_", " ")) if options.progress else None
    try:
        # both are closed at once on Ctrl-C: the worker processes end, and no download goes on
        with contextlib.closing(files), contextlib.closing(outcomes):
            computation.compute(outcomes, bar)
    except KeyboardInterrupt:
        raise MeasuringInterrupted(
            f"{computation.done:,} of {computation.rows:,} songs are done; "
            "the same call does the rest"
        ) from None


def _file_sounds(files: Sequence[Path]) -> Sounds:
    for row, path in enumerate(files):
        try:
            yield Sound(row, path, hash_file(path))
        except OSError as error:
            yield Sound(row, issue=f"the file cannot be read ({error.strerror or error})")


class _Computation:
    """The outcomes of one call, by the hash of the file. Equal files are measured once."""

    def __init__(self, store: ResultStore, rows: int) -> None:
        self._store, self.rows = store, rows
        self._sounds: list[Sound | None] = [None] * rows
        self._outcomes: dict[str, Outcome | None] = {}
        self._under_way: dict[Path, Sound] = {}
        self.done = self._failed = 0

    def pending_files(self, sounds: Sounds) -> _Files:
        """Yield the files that have to be measured; None if the next one is not there yet."""
        with contextlib.closing(sounds):
            for sound in sounds:
                if sound is None:
                    yield None
                    continue
                self._sounds[sound.row] = sound
                if sound.path is not None and sound.sha256 not in self._outcomes:
                    # looked up just before: another process may be measuring the same songs
                    outcome = self._outcomes[sound.sha256] = self._store.get(sound.sha256)
                    if outcome is None:
                        self._under_way[sound.path] = sound
                        yield sound.path
                        continue
                self._count(sound)

    def compute(self, outcomes: Iterator[tuple[Path, Outcome]], bar: Bar | None) -> None:
        """Store each outcome as soon as it is there; without any, no bar is shown."""
        draw_time = 0.0
        self._store.open()
        try:
            for path, outcome in outcomes:
                sound = self._under_way.pop(path)
                if sound.temporary:
                    path.unlink(missing_ok=True)
                self._outcomes[sound.sha256] = outcome
                self._store.put(sound.sha256, outcome)
                self._count(sound)
                if bar is not None and time.monotonic() - draw_time >= _REDRAW:
                    bar.show(self._bar_state(), is_final=False)
                    draw_time = time.monotonic()
        finally:
            if bar is not None and draw_time:
                bar.show(self._bar_state(), is_final=True)

    def _count(self, sound: Sound) -> None:
        self.done += 1
        self._failed += self._issue(sound) is not None

    def _bar_state(self) -> BarState:
        text = f"{self._failed:,} without a value" if self._failed else ""
        return BarState(self.done, self.rows, "songs", text)

    def _issue(self, sound: Sound | None) -> str | None:
        if sound is None:
            return None
        outcome = self._outcomes.get(sound.sha256)
        return sound.issue or (outcome.error if outcome else None)

    def table(self, songs: pd.DataFrame) -> pd.DataFrame:
        """Return the table of songs with the measured columns and that of the issues."""
        outcomes = [self._outcomes.get(sound.sha256) if sound else None for sound in self._sounds]
        results = [(outcome or Outcome()).values for outcome in outcomes]  # noqa: PD011 - of a tuple
        table = add_measured(songs, results, self._store.columns or {self._store.name: None})
        issues = pd.Series(map(self._issue, self._sounds), dtype=TEXT, index=table.index)
        column = rename_measured(pd.DataFrame({"issue": issues}), table.columns)
        return pd.concat([table, column], axis=1)
