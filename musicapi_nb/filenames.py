"""File names that every file system accepts, made from song titles."""

import re
import unicodedata
from collections.abc import Collection

from musicapi_nb import markup

# A file name has at most 255 bytes, on encrypted folders 143; number and suffix follow the stem.
MAX_STEM_BYTES = 110
_MAX_DETAIL = 40
_UNTITLED = "untitled"
# Not allowed on Windows; elsewhere only "/" and NUL.
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f]')
# Windows devices, with any suffix. NFKC turns superscript digits, which also count, into digits.
_DEVICES = re.compile(
    r"(con|prn|aux|nul|clock\$|conin\$|conout\$|com[0-9]|lpt[0-9])[ .]*(\..*)?", re.IGNORECASE
)


def safe_stem(title: str | None) -> str:
    """Turn a title into a visible file name without suffix that is safe everywhere.

    Removes invisible characters, direction marks, dots and spaces at the ends, and leading
    characters that hide a file or look like an option or a comment. The result has at most
    `MAX_STEM_BYTES` bytes of UTF-8, cut between characters.
    """
    text = " ".join((title or "").split())
    text = _FORBIDDEN.sub("_", markup.strip_invisible(text))
    text = unicodedata.normalize("NFC", " ".join(text.split())).lstrip(" .-~#").rstrip(" .")
    text = _cut(text, MAX_STEM_BYTES - 1)
    if not text.strip("_ .") or markup.is_blank(text):
        return _UNTITLED
    return f"_{text}" if _DEVICES.fullmatch(unicodedata.normalize("NFKC", text)) else text


def _cut(text: str, limit: int) -> str:
    return text.encode("utf-8")[:limit].decode("utf-8", "ignore").rstrip(" .")


def fold(name: str) -> str:
    """Fold a name so that names equal on a case- or form-insensitive file system are equal."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return unicodedata.normalize("NFKC", folded)


def unique_stem(title: str | None, used: Collection[str], detail: str = "") -> str:
    """Return `safe_stem(title)` and a detail, numbered from 2 on if among `used` (folded stems)."""
    first = safe_stem(title)
    detail = f" \u2013 {safe_stem(detail)[:_MAX_DETAIL]}" if detail else ""
    name, number = _with_suffix(first, detail), 1
    while fold(name) in used:
        number += 1
        name = _with_suffix(first, f"{detail} ({number})")
    return name


def _with_suffix(stem: str, suffix: str) -> str:
    return f"{_cut(stem, MAX_STEM_BYTES - len(suffix.encode()))}{suffix}" if suffix else stem
