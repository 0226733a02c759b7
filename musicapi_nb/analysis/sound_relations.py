"""How a measured sound relates to the requested one: tempo, key, length, singing. No I/O."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from musicapi_nb.analysis.array_types import Flags, Floats
from musicapi_nb.tasks.musical_keys import key_relation, parse_key

TEMPO_TOLERANCE = 0.04
"""Share by which a tempo may differ: 4 %, as in evaluations of tempo estimation (Gouyon et al.,
IEEE Trans. Audio Speech Lang. Process. 14, 2006)."""
LENGTH_TOLERANCE = 0.05
"""Share by which a length may differ: the service takes it as a length to aim at."""

TEMPO_RATIOS = {
    "half": 1 / 2,
    "double": 2.0,
    "third": 1 / 3,
    "triple": 3.0,
    "two thirds": 2 / 3,
    "three halves": 3 / 2,
}
"""Measured divided by requested tempo: other readings of the same beat."""
RELATED = {
    "tempo": frozenset({"exact", "half", "double", "third", "triple"}),
    "key": frozenset({"exact", "relative", "fifth", "parallel"}),
}
"""The relations that count as related: of tempi, those of Gouyon et al.; of keys, those for which
the evaluation of key detection at MIREX gives points."""


def tempo_deviation(low: Floats, high: Floats, measured: Floats) -> Floats:
    """Return by how much measured tempi are above or below a requested range, as a share of it.

    0 within the range; NaN where either is missing. Arrays broadcast.
    """
    below, above = measured / low - 1, measured / high - 1
    return np.where(below < 0, below, np.where(above > 0, above, 0.0 * (below + above)))


def tempo_relations(low: Floats, high: Floats, measured: Floats) -> list[str | None]:
    """Return "exact", a name of `TEMPO_RATIOS`, or "other"; None where a value is missing.

    The first relation counts for ranges that are so wide that several apply.
    """
    relations = np.full(measured.shape, None, dtype=object)
    relations[np.isfinite(low + high + measured)] = "other"
    for name, ratio in reversed([("exact", 1.0), *TEMPO_RATIOS.items()]):
        deviation = tempo_deviation(low * ratio, high * ratio, measured)
        relations[_within(deviation, TEMPO_TOLERANCE)] = name
    return list(relations)


def relation_of_keys(requested: str, measured: str) -> str | None:
    """Return `key_relation` of two names of keys; None if either is not a key."""
    keys = parse_key(requested), parse_key(measured)
    return None if keys[0] is None or keys[1] is None else key_relation(keys[0], keys[1])


def _within(deviation: Floats, tolerance: float) -> Flags:
    # rounding must not exclude the limit itself
    return np.abs(deviation) <= tolerance * (1 + 1e-9)


class Comparison(NamedTuple):
    """A property that requests can have, and how songs follow it.

    `requested` names the columns of the request, `measured` that of the sound. `follows` takes the
    values of these columns, none of them missing, and says which songs follow their request; a
    single request is compared with all songs.
    """

    requested: tuple[str, ...]
    measured: str
    follows: Callable[[Sequence[Any], Any], Flags]

    def columns(self, table: Any) -> tuple[list[pd.Series], pd.Series]:
        """Return the requested and the measured columns of a table or a mapping, as objects."""
        requested = [pd.Series(table[name], dtype=object) for name in self.requested]
        return requested, pd.Series(table[self.measured], dtype=object)


def _follow_tempo(request: Sequence[Any], measured: Any) -> Flags:
    low, high, tempo = (np.asarray(values, dtype=float) for values in (*request, measured))
    return _within(tempo_deviation(low, high, tempo), TEMPO_TOLERANCE)


def _follow_length(request: Sequence[Any], measured: Any) -> Flags:
    requested, length = (np.asarray(values, dtype=float) for values in (*request, measured))
    return _within(length / requested - 1, LENGTH_TOLERANCE)


def _equal(request: Sequence[Any], measured: Any) -> Flags:
    return np.asarray(np.asarray(measured, object) == request[0], dtype=bool)


COMPARISONS = {
    "tempo": Comparison(
        ("requested_tempo_low", "requested_tempo_high"), "measured_tempo", _follow_tempo
    ),
    "key": Comparison(("requested_key",), "measured_key", _equal),
    "duration": Comparison(("requested_duration",), "measured_duration", _follow_length),
    "instrumental": Comparison(("requested_instrumental",), "measured_instrumental", _equal),
}
"""The properties, by name. Keys are compared by their names in one spelling."""
