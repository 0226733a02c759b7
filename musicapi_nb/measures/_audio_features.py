"""`audio_features`: tempo, key, loudness and more of songs, as a measure like any other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from musicapi_nb.audio.features import VERSION
from musicapi_nb.extras import require_extra
from musicapi_nb.library import Library, Measure
from musicapi_nb.measures.engine import Options, measure_sounds
from musicapi_nb.measures.feature_columns import COLUMNS, read_features
from musicapi_nb.measures.worker import Method

if TYPE_CHECKING:
    import pandas as pd

NAME = "audio_features"


def audio_features(
    songs: Any,
    *,
    library: Library | None = None,
    workers: int | None = None,
    progress: bool = True,
    client: Any = None,
) -> pd.DataFrame:
    """Measure tempo, key, loudness and more in the sound of songs.

    Each sound file is measured once, in worker processes, and its values are stored in the library
    as soon as they are there; see `measure`, which has the same arguments and returns the same
    rows. Stored values are outcomes of analyses (`run.effects("mv", outcomes="tempo")`) and columns
    of `measures_frame`. The page "How sound is measured" of the docs has the methods, their sources
    and their accuracy.

    Needs the extra `audio`.

    Parameters
    ----------
    songs, library, workers, progress, client
        As for `measure`.

    Returns
    -------
    One row per song, as of `measure`, with these columns. A missing value is unknown; `issue` says
    why a song has none at all.

    seconds : float64
        Duration of the decoded sound, in seconds.
    tempo, tempo_confidence : float64
        Beats per minute; from 0 to 1, how regular the pulse is, and how clearly not half or double.
    tempo_candidates : str
        Other tempi at which the pulse could be counted, such as "180, 45"; the likeliest first.
    key, key_runner_up : str; key_confidence : float64
        Such as "A minor", and the key that fits next best; from 0 to 1, how clearly it fits.
    loudness, loudness_range, true_peak : float64
        Integrated loudness in LUFS, loudness range in LU (EBU R 128), highest level in dBTP.
    silence_start, silence_end : float64
        Seconds below -60 dBFS at the start and the end.
    onset_rate : float64
        Notes and strokes per second.
    brightness : float64
        Median spectral centroid in Hz.
    vocal_share : float64
        Share of the energy from 200 Hz to 4 kHz, where voices sing, and instruments play.
    clipped_share : float64
        Share of samples at full scale, three or more in a row.
    stereo_width : float64
        Share of the energy in the difference of left and right: 0 is mono.

    Raises
    ------
    InvalidArgument, MissingFile
        As `measure`.
    """
    require_extra("audio")
    options = Options(library, workers, progress, client)
    method = Method(NAME, read_features, prefix=False)
    return measure_sounds(songs, method, Measure(NAME, VERSION, COLUMNS), options)
