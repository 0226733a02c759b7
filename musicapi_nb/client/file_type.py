"""The type of a media file, by the signatures in its first bytes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from musicapi_nb.ledger_types import Media

_HEAD_BYTES = 1 << 20  # a cover in an ID3 tag comes before the sound
_ID3 = re.compile(rb"ID3[^\xff]{2}.([\x00-\x7f]{4})", re.DOTALL)
_MAX_JUNK = 65_536  # bytes before the first MPEG frame that libmpg123 skips
# Layer I is omitted: its frames begin like UTF-16 text.
_MPEG = re.compile(rb"\xff[\xe2-\xe5\xf2-\xf5\xfa-\xfd]")
_MPEG1, _LAYER_III = 3, 1  # values of header bits
_HZ = (44_100, 48_000, 32_000)  # of MPEG-1; a half for MPEG-2, a quarter for MPEG-2.5
_KBIT_PER_S = {  # by: MPEG-1, layer III
    (True, True): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (True, False): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (False, True): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, False): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_ADTS = re.compile(rb"\xff[\xf0\xf1\xf8\xf9]")
_SIGNATURES: dict[Media, tuple[tuple[bytes, str], ...]] = {  # regular expressions
    "audio": (
        (rb"(RIFF|RIFX|RF64)....WAVE", ".wav"),
        (rb"FORM....AIF[FC]", ".aiff"),
        (rb"....ftyp(?!avi|hei|hev|mif1|msf1|qt)", ".m4a"),
        (rb"fLaC", ".flac"),
        (rb"OggS(?!.{23,60}(\x80theora|fishead))", ".ogg"),
    ),
    "image": (
        (rb"\x89PNG\r\n\x1a\n", ".png"),
        (rb"\xff\xd8\xff", ".jpg"),
        (rb"GIF8[79]a", ".gif"),
        (rb"RIFF....WEBP", ".webp"),
        (rb"....ftypavi[fs]", ".avif"),
    ),
    "video": (
        (rb"....ftyp(?!avi|hei|hev|mif1|msf1|M4[AB])", ".mp4"),
        (rb"\x1aE\xdf\xa3(?!.{0,60}matroska)", ".webm"),
        (rb"\x1aE\xdf\xa3", ".mkv"),
    ),
}
SUFFIXES = frozenset(
    {".mp3", ".aac", *(suffix for pairs in _SIGNATURES.values() for _, suffix in pairs)}
)


def read_head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)


def suffix_of(head: bytes, media: Media) -> str | None:
    """Return the file suffix for the first bytes of a file; None if it is not such media.

    MPEG audio may begin with ID3 tags or other bytes. Its frames have no signature of their own: a
    frame counts if another one follows it, or if the bytes end before that.
    """
    start = 0
    while media == "audio" and (tag := _ID3.match(head, start)):
        start = tag.end() + sum(byte << 7 * index for index, byte in enumerate(reversed(tag[1])))
    for signature, suffix in _SIGNATURES[media]:
        if re.compile(signature, re.DOTALL).match(head, start):
            return suffix
    if media != "audio":
        return None
    if _ADTS.match(head, start) and _is_frame(head, start, _ADTS, _adts_bytes):
        return ".aac"
    frames = _MPEG.finditer(head, start, start + _MAX_JUNK)
    is_mpeg = any(_is_frame(head, frame.start(), _MPEG, _mpeg_bytes) for frame in frames)
    return ".mp3" if head.startswith(b"ID3") or is_mpeg else None


def _is_frame(
    head: bytes, start: int, pattern: re.Pattern[bytes], length: Callable[[bytes], int]
) -> bool:
    size = length(head[start : start + 6])
    following = start + size
    if start and following >= len(head):
        return False  # bytes that resemble a frame
    return size > 0 and (following >= len(head) or pattern.match(head, following) is not None)


def _adts_bytes(header: bytes) -> int:
    """Return the length of an AAC frame (ISO 13818-7)."""
    bits = int.from_bytes(header.ljust(6, b"\0"))
    return bits >> 5 & 0x1FFF


def _mpeg_bytes(header: bytes) -> int:
    """Return the length of an MPEG audio frame (ISO 11172-3, 13818-3); 0 without a valid one."""
    bits = int.from_bytes(header[:4].ljust(4, b"\0"))
    version, layer = bits >> 19 & 3, bits >> 17 & 3
    rates = _KBIT_PER_S[version == _MPEG1, layer == _LAYER_III]
    bitrate, rate = bits >> 12 & 15, bits >> 10 & 3
    if not 0 < bitrate <= len(rates) or rate == len(_HZ):
        return 0
    hertz = _HZ[rate] >> {_MPEG1: 0, 2: 1, 0: 2}[version]
    samples = 576 if layer == _LAYER_III and version != _MPEG1 else 1152
    return samples // 8 * 1000 * rates[bitrate - 1] // hertz + (bits >> 9 & 1)
