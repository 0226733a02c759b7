"""Labels and units of the columns of audio features, for people. No I/O."""

from collections.abc import Mapping
from typing import Final, NamedTuple


class ColumnLabel(NamedTuple):
    """What a measured column is called, and how its values are shown.

    A number is shown times `factor`, with `digits` decimal places and its unit; with four
    significant digits if `digits` is None.
    """

    label: str
    unit: str = ""
    digits: int | None = None
    factor: float = 1.0


_SHARE: Final = ("%", 1, 100.0)
LABELS: Final[Mapping[str, ColumnLabel]] = {
    "tempo": ColumnLabel("Tempo", "bpm", 0),
    "key": ColumnLabel("Key"),
    "loudness": ColumnLabel("Loudness", "LUFS", 1),
    "seconds": ColumnLabel("Measured length", "s", 1),
    "loudness_range": ColumnLabel("Loudness range", "LU", 1),
    "true_peak": ColumnLabel("True peak", "dBTP", 1),
    "silence_start": ColumnLabel("Silence at the start", "s", 2),
    "silence_end": ColumnLabel("Silence at the end", "s", 2),
    "onset_rate": ColumnLabel("Onsets", "per second", 1),
    "brightness": ColumnLabel("Brightness", "Hz", 0),
    "vocal_share": ColumnLabel("Energy where voices sing", *_SHARE),
    "clipped_share": ColumnLabel("Clipped samples", *_SHARE),
    "stereo_width": ColumnLabel("Stereo width", "", 2),
    "tempo_confidence": ColumnLabel("Confidence of the tempo", "", 2),
    "tempo_candidates": ColumnLabel("Other tempi", "bpm"),
    "key_confidence": ColumnLabel("Confidence of the key", "", 2),
    "key_runner_up": ColumnLabel("Next best key"),
}
"""The columns of `audio_features`, the main ones first."""
_DIFFERENCE_UNITS: Final = {"LUFS": "LU", "dBTP": "dB"}
MAIN: Final = ("tempo", "key", "loudness")
"""The columns that a line about a song shows."""


def label_of(column: str) -> ColumnLabel:
    """Return the label of a measured column; of other measures, its name in words."""
    return LABELS.get(column) or ColumnLabel(column.replace("_", " "))


def label_text(column: str, *, difference: bool = False) -> str:
    """Return a measured column's label with its unit, or that of differences: "Tempo (bpm)"."""
    label = label_of(column)
    unit = label.unit if label.factor == 1 else "share"
    unit = difference_unit(unit) if difference else unit
    return f"{label.label} ({unit})" if unit else label.label


def difference_unit(unit: str) -> str:
    """Return the unit of a difference: that of levels relative to full scale is another one."""
    return _DIFFERENCE_UNITS.get(unit, unit)


def value_text(column: str, value: float | str) -> str:
    """Return a measured value with its unit, such as "92 bpm"; of other measures, without one."""
    _, unit, digits, factor = label_of(column)
    if isinstance(value, bool):
        text = "yes" if value else "no"
    elif isinstance(value, str):
        text = value
    else:
        number = value * factor
        text = f"{number:.4g}" if digits is None else f"{number:.{digits}f}"
    return f"{text} {unit}" if unit else text
