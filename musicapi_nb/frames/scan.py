"""Many JSON texts at once: where their strings are, without a Python object of any of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from musicapi_nb.frames.arrays import between

if TYPE_CHECKING:
    from musicapi_nb.frames.arrays import Bytes, Flags, Numbers

_QUOTE, _BACKSLASH, _SPACE, _COLON, _OPENS = b'"\\ :{'
_KEYS_OF_A_STEP = 3


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """Texts one after the other in memory, and their strings.

    Attributes
    ----------
    data
        The texts and, behind them, what was asked to stand there.
    bounds
        Text `i` is `data[bounds[i]:bounds[i + 1]]`.
    starts, stops
        Where each string begins and ends, without its quotes; one more of both at the end.
    strings
        All strings: item `2 * i` is string `i` as it is written, `2 * i + 1` what follows it up
        to the next one, both quotes included; the last item is empty.
    string_bounds
        Strings `string_bounds[i]` up to `string_bounds[i + 1]` are those of text `i`.
    keys
        The numbers of the strings that name fields, in order, but for those within the steps of
        `replaced_tags`; `key_bounds` tells which are of which text.
    steps
        The first string of each of these steps, and the one that is named `type`: two columns.
    fit
        Whether a text can be read by this at all: it has whole strings, in UTF-8.
    """

    data: Bytes
    bounds: Numbers
    starts: Numbers
    stops: Numbers
    strings: pa.Array
    string_bounds: Numbers
    keys: Numbers
    key_bounds: Numbers
    steps: Numbers
    fit: Flags


def scan(texts: Sequence[bytes], behind: bytes) -> Scan:
    """Find the strings of texts. `behind` stands behind them; at least four bytes."""
    joined = b"".join((*texts, behind))
    data = np.frombuffer(joined, "uint8")
    bounds = np.zeros(len(texts) + 1, "int64")
    np.cumsum([len(text) for text in texts], out=bounds[1:])
    quotes = _quotes(data[: bounds[-1]])
    in_text = np.searchsorted(quotes, bounds)
    fit = np.diff(in_text) % 2 == 0
    if not fit.all():  # what follows would be taken for what is between strings
        kept = np.zeros(len(quotes), bool)
        for at in np.flatnonzero(fit):
            kept[in_text[at] : in_text[at + 1]] = True
        quotes = quotes[kept]
        in_text = np.searchsorted(quotes, bounds)
    # where strings begin and end in turn, and the end of all twice
    places = np.append(quotes, [bounds[-1] - 1, bounds[-1]])
    places[0::2] += 1
    starts, stops = places[0::2], places[1::2]
    fit &= ~_broken(texts, data, bounds, starts, stops)
    strings = between(places, pa.py_buffer(joined))
    keys, steps = _keys(data, starts, stops)
    string_bounds = in_text // 2
    return Scan(
        data,
        bounds,
        starts,
        stops,
        strings,
        string_bounds,
        keys,
        np.searchsorted(keys, string_bounds),
        steps,
        fit,
    )


def spelled(data: Bytes, at: Numbers, word: bytes) -> Flags:
    """Whether a word stands at each of these places."""
    letters = data[at[:, None] + np.arange(len(word))]
    found: Flags = (letters == np.frombuffer(word, "uint8")).all(axis=1)
    return found


def _quotes(data: Bytes) -> Numbers:
    """Where strings begin and end: quotes that no backslash takes away."""
    quotes = np.flatnonzero(data == _QUOTE)
    after = np.flatnonzero(data[quotes - 1] == _BACKSLASH)
    taken = np.ones(len(after), bool)
    if (data[quotes[after] - 2] == _BACKSLASH).any():  # which may take away one another
        slashes = np.flatnonzero(data == _BACKSLASH)
        places = np.arange(len(slashes))
        begin = np.where(np.diff(slashes, prepend=-2) == 1, 0, places)
        place = np.searchsorted(slashes, quotes[after] - 1)
        taken = (place - np.maximum.accumulate(begin)[place]) % 2 == 0
    real = np.ones(len(quotes), bool)
    real[after[taken]] = False
    return quotes[real]


def _broken(
    texts: Sequence[bytes], data: Bytes, bounds: Numbers, starts: Numbers, stops: Numbers
) -> Flags:
    """Which texts have a raw control character in a string, or are no UTF-8."""
    broken = np.zeros(len(texts), bool)
    if data.min() < _SPACE:
        controls = np.flatnonzero(data < _SPACE)
        string = np.searchsorted(starts, controls, "right") - 1
        inside = controls[(string >= 0) & (controls < stops[string])]
        broken[np.searchsorted(bounds, inside, "right") - 1] = True
    whole = between(np.array([0, bounds[-1]]), pa.py_buffer(data))
    try:
        whole.cast(pa.large_string())
    except pa.ArrowInvalid:
        broken |= [not _is_text(text) for text in texts]
    return broken


def _is_text(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _keys(data: Bytes, starts: Numbers, stops: Numbers) -> tuple[Numbers, Numbers]:
    """The strings that name fields, and the steps of `replaced_tags` taken out of them.

    Such a step is `"any text":{"tags":[...],"type":...}`: its first name is no field's.
    """
    is_key = data[stops[:-1] + 1] == _COLON
    keys = np.flatnonzero(is_key)
    value = stops[keys] + 2
    value += data[value] == _SPACE
    first = data[value]
    at = np.flatnonzero(first[: -_KEYS_OF_A_STEP + 1] == _OPENS)
    inner = keys[at + 1]
    is_step = (inner == keys[at] + 1) & (stops[inner] - starts[inner] == len(b"tags"))
    is_step &= (first[at + 1] == ord("[")) & spelled(data, starts[inner], b"tags")
    at = at[is_step]
    steps = np.column_stack([keys[at], keys[at + _KEYS_OF_A_STEP - 1]])
    kept = np.ones(len(keys), bool)
    for place in range(_KEYS_OF_A_STEP):
        kept[at + place] = False
    return keys[kept], steps
