"""Numbers of a report in words: with units, and as many digits as the margin makes sensible."""

import math
from typing import NamedTuple

_MINUS = "\N{MINUS SIGN}"
_PERCENT = 100
_POINTS = "percentage points"
_STEPS = 10  # of the last digit in a margin, at least
_DIGITS = 3  # decimals at most, and significant digits without a margin


class NumberFormat(NamedTuple):
    """How the numbers of an outcome are written; shares are written in percent.

    `other_unit` is that of differences, if it is another.
    """

    unit: str
    is_share: bool
    margin: float
    other_unit: str = ""

    def value(self, number: float) -> str:
        """Return the figure of a level, without its unit; a dash if it is missing."""
        return self._text(number) if math.isfinite(number) else "\N{EN DASH}"

    def difference(self, number: float) -> str:
        """Return the size of a difference with its unit."""
        return f"{self._text(abs(number))} {self.difference_unit}".strip()

    def short_difference(self, number: float) -> str:
        """Return the size of a difference for a table: percentage points as "points"."""
        return f"{self._text(abs(number))} {self.short_unit}".strip()

    def signed(self, number: float) -> str:
        """Return a difference with its sign, without its unit."""
        text = self.value(number)
        return f"+{text}" if number > 0 and any(digit in text for digit in "123456789") else text

    def interval(self, low: float, high: float) -> str:
        return f"{self.value(low)} to {self.value(high)}"

    @property
    def short_unit(self) -> str:
        return "points" if self.is_share else self.difference_unit

    @property
    def difference_unit(self) -> str:
        return _POINTS if self.is_share else self.other_unit or self.unit

    def _text(self, number: float) -> str:
        scale = _PERCENT if self.is_share else 1
        margin = self.margin * scale
        if not (math.isfinite(margin) and margin > 0):
            return f"{number * scale:.{_DIGITS}g}".replace("-", _MINUS)
        step = math.floor(math.log10(margin / _STEPS))  # of the last digit
        decimals = min(max(-step, 0), _DIGITS)
        text = f"{number * scale:,.{decimals}f}"
        if not text.strip("-0.,"):
            text = text.lstrip("-")  # minus zero
        return text.replace("-", _MINUS)


def p_text(p: float) -> str:
    """Return a p-value in words: "p = 0.03", "p < 0.001"; a dash if it is missing."""
    if math.isnan(p):
        return "\N{EN DASH}"
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"  # noqa: PLR2004 - the limit as written
