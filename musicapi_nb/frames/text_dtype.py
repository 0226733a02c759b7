"""The dtype of text columns: the only place that asks for the version of pandas.

pandas 2.3 and 3 have one that stores text in Arrow memory, has NaN for missing text and is called
str. pandas 2.2 has the same under the name "string" (`string[pyarrow_numpy]`). The default of
pandas 2, object, holds Python's strings instead; tables that users pass may have it.
"""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa


def _text_dtype() -> Any:
    string_dtype: Any = pd.StringDtype  # its stubs are those of pandas 3
    try:
        return string_dtype("pyarrow", na_value=np.nan)
    except TypeError:  # pandas 2.2 lacks the argument
        return string_dtype("pyarrow_numpy")


TEXT: Any = _text_dtype()
"""The dtype of every text column that the package makes, whatever the options of pandas say.

Its name is "str", before pandas 2.3 "string".
"""


def text_values(array: pa.Array) -> Any:
    """Return a large_string array as a pandas array of dtype `TEXT` that shares its memory."""
    return TEXT.__from_arrow__(array)


def as_dtype(name: str) -> Any:
    """Return the dtype of a name in a schema: "str" is `TEXT`, which pandas 2 takes for object."""
    return TEXT if name == "str" else name
