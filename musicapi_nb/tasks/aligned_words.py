"""Read the answer of aligned-lyrics: texts with the times at which they are sung. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from musicapi_nb.tasks.json_reader import clean

_MAX_SECONDS = 86_400.0


class AlignedText(NamedTuple):
    """One item of an alignment: a word, perhaps with the section mark and the space around it.

    `start` and `end` are in seconds, None if unknown; `success` is False if the service did not
    find the word in the sound; `probability` is its own figure, 0 to 1, None without one.
    """

    text: str
    start: float | None = None
    end: float | None = None
    success: bool = True
    probability: float | None = None


def read_alignment(items: Any) -> Iterator[AlignedText]:
    """Yield the items of an alignment `[{word, start_s, end_s, p_align, success}]`.

    Items without a text are left out. Starts never decrease: one before the previous start is
    unknown, and so are the times of an item with `success: false`.
    """
    latest = 0.0
    for item in items if isinstance(items, Sequence) else ():
        if not isinstance(item, Mapping) or not isinstance(text := item.get("word"), str):
            continue
        success = item.get("success") is not False
        start = valid_seconds(item.get("start_s"), latest) if success else None
        end = valid_seconds(item.get("end_s"), start) if start is not None else None
        probability = valid_seconds(item.get("p_align"))
        is_share = probability is not None and probability <= 1
        yield AlignedText(clean(text), start, end, success, probability if is_share else None)
        latest = latest if start is None else start


def valid_seconds(value: Any, minimum: float = 0.0) -> float | None:
    """Return a number of at least `minimum` and less than a day, or None if it is not one."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if minimum <= value < _MAX_SECONDS else None  # false for NaN
