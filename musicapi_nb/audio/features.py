"""The features of the sound of one song; `extraction` measures them."""

from dataclasses import dataclass

VERSION = "5"
"""Changes whenever a field can have another value for the same file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioFeatures:
    """What was measured in one sound file. None is unknown, never 0.

    Attributes
    ----------
    seconds
        Duration of the decoded sound in seconds, not that in the file's header.
    tempo
        Beats per minute; None without a regular pulse.
    tempo_confidence
        0 to 1: how regular the pulse is, times the share of this tempo among those at which it
        could be counted. Low where half or double the tempo is as likely. It is not a probability.
    tempo_candidates
        Other tempi in bpm at which the same pulse could be counted, the likeliest first.
    key
        Tonic and mode, such as "A minor"; None if no key fits.
    key_confidence
        0 to 1: how well and how clearly the key fits. It is not a probability.
    key_runner_up
        The key that fits next best, often the relative one or a fifth away.
    loudness
        Integrated loudness in LUFS (ITU-R BS.1770-4); None for silence.
    loudness_range
        Loudness range in LU (EBU Tech 3342); None below 3 s.
    true_peak
        Highest level of samples and between them in dBTP (BS.1770-4, annex 2); None for silence.
    silence_start, silence_end
        Seconds before the first and after the last sample of at least -60 dBFS; both are the
        duration if there is none.
    onset_rate
        Notes and strokes that set in, in 1/s; those at the same time count once.
    brightness
        Median spectral centroid in Hz, of the band from 20 Hz to 10.5 kHz.
    vocal_share
        Share of the energy from 200 Hz to 4 kHz, where most of a singing voice lies. Instruments
        sound there as well: it does not tell whether someone sings.
    clipped_share
        Share of samples at full scale, three or more in a row.
    stereo_width
        Share of the energy in the difference of left and right: 0 for mono, 0.5 for two independent
        channels, 1 for opposite ones. Only the first two channels count.
    """

    seconds: float
    tempo: float | None
    tempo_confidence: float | None
    tempo_candidates: tuple[float, ...]
    key: str | None
    key_confidence: float | None
    key_runner_up: str | None
    loudness: float | None
    loudness_range: float | None
    true_peak: float | None
    silence_start: float
    silence_end: float
    onset_rate: float | None
    brightness: float | None
    vocal_share: float | None
    clipped_share: float
    stereo_width: float | None
