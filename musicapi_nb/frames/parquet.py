"""Frames, and optionally their raw replies, in a folder of Parquet files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from musicapi_nb.frames import io
from musicapi_nb.frames.flattener import Frames
from musicapi_nb.frames.inputs import iter_items
from musicapi_nb.tasks import Task

if TYPE_CHECKING:
    from musicapi_nb.frames.inputs import Replies


def write_parquet(
    frames: Frames, folder: str | os.PathLike[str], *, raw: Replies | None = None
) -> None:
    """Write each frame to `<name>.parquet` in a folder, which is created if needed.

    Frames may have more columns than `flatten` returns (factors, for example), as long as they are
    flat: text, numbers, flags, moments, categories. `read_parquet` restores them with dtypes.

    Parameters
    ----------
    raw
        Replies to write unchanged to `replies.parquet` (of a Task, its raw reply). Frames can be
        made from that file again: `flatten(folder / "replies.parquet")`.

    Raises
    ------
    InvalidArgument
        A column holds lists or objects, or `raw` is not an input of frames.
    """
    path = Path(folder).expanduser()
    io.write_frames(path, frames._asdict())
    if raw is not None:
        replies = (item.reply for item in iter_items(raw))
        raw_replies = (reply.raw if isinstance(reply, Task) else reply for reply in replies)
        io.write_replies(path / "replies.parquet", raw_replies)


def read_parquet(folder: str | os.PathLike[str]) -> Frames:
    """Read the frames that `write_parquet` wrote.

    Raises
    ------
    FileNotFoundError
        One of the files does not exist.
    """
    path = Path(folder).expanduser()
    return Frames(*(io.read_frame(path / f"{name}.parquet") for name in Frames._fields))
