"""The dtype of text columns. No other module depends on the version of pandas.

In pandas 2.3 and 3, the dtype is called str; it stores text in Arrow memory and marks missing text
as NaN. pandas 2.2 has the same dtype under the name "string" (`string[pyarrow_numpy]`). The default
dtype of pandas 2, object, stores Python strings instead; tables of users may have it.
"""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa


def _text_dtype() -> Any:
    string_dtype: Any = pd.StringDtype  # the stubs describe pandas 3
    try:
        return string_dtype("pyarrow", na_value=np.nan)
    except TypeError:  # pandas 2.2 lacks the argument
        return string_dtype("pyarrow_numpy")


TEXT: Any = _text_dtype()
"""The dtype of all text columns of the package, independent of the options of pandas.

It is called "str", and "string" before pandas 2.3.
"""


def text_values(array: pa.Array) -> Any:
    """Return a large_string array as a pandas array of dtype `TEXT` that shares its memory."""
    return TEXT.__from_arrow__(array)


def as_dtype(name: str) -> Any:
    """Return the dtype of a name in a schema; "str" is `TEXT`, not object as in pandas 2."""
    return TEXT if name == "str" else name
