"""Small copies of covers, which are put into cards and pages."""

from __future__ import annotations

import functools
import io
import logging
from pathlib import Path
from typing import Final

from musicapi_nb import markup

_PIXELS: Final = 192  # twice the width of a cover on a card
_QUALITY: Final = 82  # about 10 KB
_MAX_BYTES: Final = 20_000_000
_MAX_PIXELS: Final = 50_000_000  # a small file can claim a picture that fills the memory
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF")
_log = logging.getLogger(__name__)


@functools.lru_cache(maxsize=2_000)
def thumbnail(path: Path) -> markup.DataUrl | None:
    """Return a small JPEG of a picture file; None if it is not a picture, or too large.

    The name of a library's file is the hash of its content, so that a path can be the cache's key.
    """
    try:
        from PIL import Image  # noqa: PLC0415 - loads many modules

        if path.stat().st_size > _MAX_BYTES:
            return None
        with Image.open(path, formats=_FORMATS) as picture:
            if picture.width * picture.height > _MAX_PIXELS:
                return None
            picture.draft("RGB", (_PIXELS, _PIXELS))  # decodes a large JPEG at a smaller size
            small = picture.convert("RGB")
        small.thumbnail((_PIXELS, _PIXELS))
        content = io.BytesIO()
        small.save(content, "JPEG", quality=_QUALITY, optimize=True)
    except Exception as error:  # noqa: BLE001 - Pillow raises anything about a damaged file
        _log.info("no thumbnail of %s: %s", path.name, error)
        return None
    return markup.data_url(content.getvalue(), "image/jpeg")
