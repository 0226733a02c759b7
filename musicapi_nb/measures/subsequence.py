"""Common subsequences of two lists of words: as long as possible, or as whole as possible."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

_Steps: TypeAlias = NDArray[np.uint8]
_TAKEN, _CONTINUED, _ABOVE = 1, 2, 4
_WHOLE = 1 << 14  # more than all single matches together
MAX_WORDS = _WHOLE // 2
"""The longest list; lyrics have at most 5,000 characters."""


def common_subsequence(
    first: Sequence[str], second: Sequence[str], lines: Sequence[int] | None = None
) -> list[tuple[int, int]]:
    """Return the index pairs of a common subsequence of two lists of at most `MAX_WORDS`.

    It is the longest one. With `lines`, the line of each word of the first list, it is the one
    that keeps lines whole: it has as many neighbours of a line side by side in both lists as
    possible, and of these the most words. So a line matches one repetition of it and not the
    halves of two. Among equal ones, it takes the earliest words of the second list.

    By dynamic programming over both lists (Wagner and Fischer, 1974, doi 10.1145/321796.321811):
    time and memory (1 byte) grow with the product of their lengths.
    """
    number_of = {word: number for number, word in enumerate(dict.fromkeys((*first, *second)))}
    others = np.array([number_of[word] for word in second], dtype=np.int32)
    steps = np.zeros((len(first), len(second)), dtype=np.uint8)
    best = np.zeros(len(second) + 1, dtype=np.int32)  # score of each prefix of the second list
    ending = np.full(len(second) + 1, -_WHOLE, dtype=np.int32)  # of those that end in a match
    for index, word in enumerate(first):
        same_line = lines is not None and index > 0 and lines[index] == lines[index - 1]
        separate = best[:-1] + 1
        continued = ending[:-1] + 1 + (_WHOLE if same_line else 0)
        score = np.maximum(separate, continued)
        matches = np.where(others == number_of[word], score, -_WHOLE)
        above = best
        best = np.concatenate([above[:1], np.maximum(above[1:], matches)])
        best = np.maximum.accumulate(best)
        ending = np.concatenate([ending[:1], matches])
        steps[index] = (
            _TAKEN * ((matches == best[1:]) & (matches > best[:-1]) & (matches > above[1:]))
            + _CONTINUED * (continued > separate)
            + _ABOVE * (best[1:] == above[1:])
        )
    return _trace(steps)


def _trace(steps: _Steps) -> list[tuple[int, int]]:
    """Follow the steps from the end of both lists to the start."""
    pairs = []
    row, column = (size - 1 for size in steps.shape)
    continues = False  # the match after this one, which then is one, too
    while row >= 0 and column >= 0:
        step = steps[row, column]
        if continues or step & _TAKEN:
            pairs.append((row, column))
            continues = bool(step & _CONTINUED)
            row, column = row - 1, column - 1
        elif step & _ABOVE:
            row -= 1
        else:
            column -= 1
    return pairs[::-1]
