"""Frames kept as Parquet, with the raw replies beside them if asked."""

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
    """Write each frame to `<name>.parquet` in a folder, which is made if there is none.

    Frames may have columns more than `flatten` gives them (factors), all flat: text, numbers,
    flags, moments, categories. `read_parquet` gives back what was written, dtypes included.

    Parameters
    ----------
    raw
        Replies to be kept as they came in `replies.parquet` (of a Task its raw reply). That file
        is a file of replies like any .ndjson: `flatten(folder / "replies.parquet")` reads it.

    Raises
    ------
    InvalidArgument
        A column holds lists or objects, or `raw` is nothing that frames are made of.
    """
    made = Path(folder).expanduser()
    io.write_frames(made, frames._asdict())
    if raw is not None:
        items = (item.reply for item in iter_items(raw))
        replies = (item.raw if isinstance(item, Task) else item for item in items)
        io.write_replies(made / "replies.parquet", replies)


def read_parquet(folder: str | os.PathLike[str]) -> Frames:
    """Read the frames that `write_parquet` wrote.

    Raises
    ------
    FileNotFoundError
        One of them is not there.
    """
    made = Path(folder).expanduser()
    return Frames(*(io.read_frame(made / f"{name}.parquet") for name in Frames._fields))
