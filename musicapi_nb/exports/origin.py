"""How a song of a title differs from others of that title: a cover, a version. No I/O."""

from musicapi_nb import filenames
from musicapi_nb.tasks import Song, Task

_ORIGINALS = frozenset({"create", "description", "custom", "instrumental", "vocal"})
_WORDS = {"extend": "extended", "concat": "joined", "replace_section": "replaced section"}
_UPLOAD = "upload"


def title_key(song: Song) -> str:
    """Return a key that is equal for titles with the same file name."""
    return filenames.fold(filenames.safe_stem(song.title))


def origin_text(song: Song, task: Task) -> str:
    """Describe what a song was made of: "cover, spy jazz - 1", "version 2 - 1"; "" if original."""
    operation = task.operation or ""
    word = "" if operation in _ORIGINALS else _WORDS.get(operation, _name(operation))
    tags = getattr(task.request, "tags", None) if operation.startswith("cover") else None
    style = tags.split(",")[0].strip() if isinstance(tags, str) else ""
    version = f"version {task.take}" if task.take > 1 else ""
    origin = ", ".join(part for part in (word, style, version) if part)
    return f"{origin} \u2013 {song.position + 1}" if origin and len(task.songs) > 1 else origin


def _name(operation: str) -> str:
    return operation.replace(f"_{_UPLOAD}", "").replace(f"{_UPLOAD}_", "").replace("_", " ")
