"""`measure`: any function of a sound file, over songs."""

from __future__ import annotations

import keyword
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musicapi_nb.errors import InvalidArgument
from musicapi_nb.extras import require_extra
from musicapi_nb.frames import schema
from musicapi_nb.library import Library, Measure
from musicapi_nb.measures.code_version import code_version
from musicapi_nb.measures.engine import Options, measure_sounds
from musicapi_nb.measures.feature_columns import COLUMNS
from musicapi_nb.measures.result_values import MAX_NAME
from musicapi_nb.measures.worker import Method

if TYPE_CHECKING:
    import pandas as pd

_TABLES = (schema.SONGS, schema.TASKS, schema.TAGS, schema.STEPS, schema.DURATIONS, schema.RATINGS)
_RESERVED = frozenset(
    {"path", "issue", "cell", "block", "take", "audio_features", "likeness"}.union(
        COLUMNS, *_TABLES
    )
)
_MAX_VERSION = 100  # characters


def measure(  # noqa: PLR0913 - all but the first two are options
    songs: Any,
    function: Callable[[Path], Any],
    *,
    name: str | None = None,
    version: str | None = None,
    library: Library | None = None,
    workers: int | None = None,
    progress: bool = True,
    client: Any = None,
) -> pd.DataFrame:
    """Measure songs with a function of your own, such as a model that judges their sound.

    Each sound file is measured once: values are stored in the library by the hash of the file, the
    name and the version, as soon as they are there. A call that was interrupted, or a process that
    was killed, loses the songs under way; the next call computes what is missing. Stored values are
    outcomes of analyses (`run.effects("mv", outcomes=name)`) and columns of `measures_frame`.

        def sample(path):
            import soundfile
            samples, rate = soundfile.read(path)
            return {"peak": abs(samples).max(), "rate": rate}

        mnb.measure(run, sample)     # columns sample_peak and sample_rate

    Needs the extra `audio`.

    Parameters
    ----------
    songs
        Songs, tasks, jobs, an experiment (a run), a library, a gallery or rows of `songs_frame`; or
        a folder (with those in it), a sound file, or a list of these. A finished song without a
        file in the library is downloaded by its open session, which is free.
    function
        It gets the path of a sound file and returns a number, a text, True, False or None, or a
        flat mapping of names to these: each is a column `<name>_<entry>`. NaN and infinity are
        missing. It runs in worker processes, with one thread each; load a model inside it, on the
        first call. If it raises, that is the song's `issue`, and the next call tries again; after
        `errors.NoAudio`, it does not.
    name
        The name of the column, by default that of the function: letters, digits and underscores,
        100 at most.
    version
        A text that names the method. By default a hash of the function's code, its default
        arguments, and the constants and functions of the same notebook or module that it names: an
        edited function is computed anew. Other modules and a model's weights are not seen: give
        a version, and another one when they change. Tables show the version that was used last.
    library
        Where values are stored and files are looked up. By default that of the songs; for files,
        that of the session which was connected last. Without one, values last as long as the
        process.
    workers
        Worker processes, each with its own copy of a model; default one for each core.
    progress
        Whether to print a progress bar.
    client
        A `distributed.Client`: its workers measure instead. They need the files at the same paths.

    Returns
    -------
    One row per song, also for unfinished and failed ones. Columns: the factors of a run, with cell,
    block and take; `task_id`, `song_id`, `song_position`, `simulated` and `title`, or `path` of
    files; the measured ones (Int64, float64, str or boolean); and `issue`, why a song has no value.
    A column named like a factor is called `<name>_measured`.

    Raises
    ------
    InvalidArgument
        The function returned something else, or cannot be sent to another process; the name or the
        songs are not valid. Values computed before that are stored.
    MissingFile
        There is no such file, or no sound file in the folder.
    """
    require_extra("audio")
    if not callable(function):
        raise InvalidArgument(f"function must be callable, not {function!r:.60}")
    if name is None:
        name = getattr(function, "__name__", "")
    check_name(name)
    if version is None:
        version = code_version(function)
    elif not isinstance(version, str) or not version.strip() or len(version) > _MAX_VERSION:
        raise InvalidArgument(f"version must be a text such as 'clap 1', not {version!r:.80}")
    options = Options(library, workers, progress, client)
    return measure_sounds(songs, Method(name, function), Measure(name, version), options)


def check_name(name: Any) -> None:
    """Raise InvalidArgument if a measure cannot have this name."""
    is_name = isinstance(name, str) and name.isidentifier() and not name.startswith("_")
    if not is_name or keyword.iskeyword(name) or len(name) > MAX_NAME:
        raise InvalidArgument(
            f"name must be letters, digits and underscores, {MAX_NAME} at most, such as "
            f"'clap_score', not {name!r:.80}"
        )
    if name in _RESERVED:
        raise InvalidArgument(f"{name!r} is a column of other tables; choose another name")
