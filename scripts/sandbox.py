"""Folders of their own for the tools that tests and demo start, so that none writes elsewhere."""

from pathlib import Path

_CACHE = Path(__file__).resolve().parent.parent / "build" / "cache"


def environment(root: Path) -> dict[str, str]:
    """
    Environment variables that keep Jupyter, IPython and matplotlib out of the home folder.

    What a run leaves behind goes below `root`; caches, which only cost time to make again, are
    shared below build/cache.
    """
    return {
        "JUPYTER_CONFIG_DIR": str(root / "jupyter-config"),
        "JUPYTER_DATA_DIR": str(root / "jupyter-data"),
        "JUPYTER_RUNTIME_DIR": str(root / "jupyter-runtime"),
        "IPYTHONDIR": str(root / "ipython"),
        "MPLCONFIGDIR": str(_CACHE / "matplotlib"),
        "XDG_CACHE_HOME": str(_CACHE),
        "XDG_CONFIG_HOME": str(root / "config"),
    }
