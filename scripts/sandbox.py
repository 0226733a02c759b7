"""Keep the tools that tests and the demo start out of the home folder."""

from pathlib import Path

_CACHE = Path(__file__).resolve().parent.parent / "build" / "cache"


def environment(root: Path) -> dict[str, str]:
    """
    Return environment variables that keep Jupyter, IPython and matplotlib out of the home folder.

    Files of a run go below `root`; caches are shared in build/cache, because they are slow to make.
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
