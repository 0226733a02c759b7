"""The names of levels as a report shows them: short, on one line, and distinct. No I/O."""

import re
from collections.abc import Iterable

from musicapi_nb import markup

LEVEL_LIMIT = 40
"""Characters of a level in a sentence; of lyrics, the start and the end are shown."""
_ONE_WORD = re.compile(r"[\w.+-]+|\(.*\)")
_ALL = 4_000  # characters of a level, of which the start and the end are taken


def plain(name: str, limit: int = LEVEL_LIMIT) -> str:
    """Return the name of a factor or level as one line; the middle of a long one is omitted."""
    line = markup.one_line(name, _ALL) or "(blank)"
    if len(line) <= limit:
        return line
    tail = limit // 3
    return f"{line[: limit - tail - 1].rstrip()}\N{HORIZONTAL ELLIPSIS}{line[-tail:].lstrip()}"


def level_names(levels: Iterable[str], limit: int = LEVEL_LIMIT) -> dict[str, str]:
    """Return the name of each level; different levels whose names became equal are numbered."""
    names: dict[str, str] = {}
    counts: dict[str, int] = {}
    for level in dict.fromkeys(levels):
        name = plain(level, limit)
        counts[name] = counts.get(name, 0) + 1
        names[level] = name if counts[name] == 1 else f"{name} #{counts[name]}"
    return names


def quoted(name: str) -> str:
    """Return the name of a level for a sentence: in quotation marks, unless it is one word."""
    return name if _ONE_WORD.fullmatch(name) else f'"{name}"'
