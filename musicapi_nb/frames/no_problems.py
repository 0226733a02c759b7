"""A table of problems, with a message if it is empty."""

import pandas as pd

from musicapi_nb import markup

_NONE = "No problems."


class NoProblems(pd.DataFrame):
    """An empty DataFrame that is displayed as a sentence."""

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    def __repr__(self) -> str:
        return _NONE

    def _repr_html_(self) -> str:
        return str(markup.caption(_NONE))


def say_if_empty(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table of problems; one without rows is displayed as "No problems."."""
    return NoProblems(frame) if frame.empty else frame
