"""A drive that is a folder beside the machine's working directory, as in Colab."""

import os
from pathlib import Path

_FOLDER = Path("drive")


def mount(mountpoint: str) -> None:
    if mountpoint != "/content/drive":  # Colab's working directory is /content
        raise ValueError(mountpoint)
    if not _FOLDER.exists():
        _FOLDER.symlink_to(os.environ["COLAB_DRIVE"], target_is_directory=True)


def flush_and_unmount() -> None:
    _FOLDER.unlink()
