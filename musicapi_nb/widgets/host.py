"""Where values are displayed: each kind of notebook updates them in another way."""

import os
import sys
from typing import Literal

Host = Literal["jupyter", "voila", "marimo", "terminal"]


def host() -> Host:
    """Return what displays the values of the current cell; "terminal" also for scripts."""
    if "marimo" in sys.modules:
        import marimo  # noqa: PLC0415 - not a dependency: it is there, because it runs the cell

        if marimo.running_in_notebook():
            return "marimo"
    if "IPython" not in sys.modules:
        return "terminal"
    from IPython import get_ipython  # noqa: PLC0415 - a plain script does not pay for the import

    if getattr(get_ipython(), "kernel", None) is None:
        return "terminal"
    return "voila" if "VOILA_PREHEAT" in os.environ else "jupyter"  # voila sets it in its kernels
