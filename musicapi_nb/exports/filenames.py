"""Names of files that any file system takes, made of any title."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

from musicapi_nb import markup

# A name has 255 bytes at most, on encrypted folders 143; number and suffix come after the stem.
LONGEST_STEM = 110
_NOTHING = "untitled"
# Windows: not in a name; on all others "/" and NUL.
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f]')
# Windows: devices, whatever suffix follows, superscript digits too (NFKC makes digits of them).
_DEVICES = re.compile(
    r"(con|prn|aux|nul|clock\$|conin\$|conout\$|com[0-9]|lpt[0-9])[ .]*(\..*)?", re.IGNORECASE
)


def stem(title: str | None) -> str:
    """Make a title the name of a file, without its suffix: one that shows and is safe anywhere.

    Invisible characters and marks of direction are left out, as are dots and spaces at the ends,
    and at the start what hides a file or looks like an option or a comment. It has at most
    `LONGEST_STEM` bytes of UTF-8, cut between characters.
    """
    text = " ".join((title or "").split())
    text = _FORBIDDEN.sub("_", markup.strip_invisible(text))
    text = unicodedata.normalize("NFC", " ".join(text.split())).lstrip(" .-~#").rstrip(" .")
    text = _cut(text, LONGEST_STEM - 1)
    if not text.strip("_ .") or markup.is_blank(text):
        return _NOTHING
    return f"_{text}" if _DEVICES.fullmatch(unicodedata.normalize("NFKC", text)) else text


def _cut(text: str, most: int) -> str:
    return text.encode("utf-8")[:most].decode("utf-8", "ignore").rstrip(" .")


def folded(name: str) -> str:
    """What a file system that knows no case, or composes letters, tells names apart by."""
    once = unicodedata.normalize("NFKC", name).casefold()
    return unicodedata.normalize("NFKC", once)


def unique(title: str | None, taken: Collection[str]) -> str:
    """As `stem`, and not among `taken` (folded stems); twins are numbered from 2 on."""
    first = stem(title)
    name, number = first, 1
    while folded(name) in taken:
        number += 1
        end = f" ({number})"
        name = f"{_cut(first, LONGEST_STEM - len(end))}{end}"
    return name
