"""Measure all features of a sound file."""

from pathlib import Path

from musicapi_nb.audio.features import AudioFeatures
from musicapi_nb.audio.levels import measure_levels
from musicapi_nb.audio.onsets import measure_onsets, onset_rate
from musicapi_nb.audio.spectrum import measure_timbre
from musicapi_nb.audio.tempo import estimate_tempo
from musicapi_nb.audio.tonality import estimate_key, measure_notes


def extract_features(source: Path | bytes) -> AudioFeatures:
    """Measure a whole sound file, or the content of one, decoding it once.

    NoAudio if it cannot be decoded, is shorter than 0.4 s or longer than half an hour, has less
    than 8,000 samples a second, or samples that are not numbers.
    """
    levels = measure_levels(source)
    onsets = measure_onsets(levels.mono, levels.rate)
    notes = measure_notes(levels.mono, levels.rate)
    tempo = estimate_tempo(onsets, notes)
    key = estimate_key(notes)
    timbre = measure_timbre(levels.mono, levels.rate)
    return AudioFeatures(
        seconds=levels.seconds,
        tempo=tempo.bpm if tempo else None,
        tempo_confidence=tempo.confidence if tempo else None,
        tempo_candidates=tempo.candidates if tempo else (),
        key=key.name if key else None,
        key_confidence=key.confidence if key else None,
        key_runner_up=key.runner_up if key else None,
        loudness=levels.loudness,
        loudness_range=levels.loudness_range,
        true_peak=levels.true_peak,
        silence_start=levels.silence_start,
        silence_end=levels.silence_end,
        onset_rate=onset_rate(onsets) if timbre else None,
        brightness=timbre.brightness if timbre else None,
        vocal_share=timbre.vocal_share if timbre else None,
        clipped_share=levels.clipped_share,
        stereo_width=levels.stereo_width,
    )
