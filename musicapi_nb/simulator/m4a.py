"""MP3 in the boxes of an M4A file (ISO 14496-12), as browsers and taggers read it. Pure."""

import struct

_SAMPLES = {3: 1152, 2: 576, 0: 576}
"""Samples of a layer III frame, by MPEG version bits."""
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_KILOBITS = {
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    0: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_SYNC = 0x7FF
_DECODER_DELAY = 529
_ENCODER_DELAY = 576
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def to_m4a(mp3: bytes, length: int, rate: int) -> bytes:
    """Wrap an MP3 of ``length`` sample frames at ``rate`` Hz; an edit list cuts its padding off."""
    frames, each = _frames(mp3)
    sizes = [len(frame) for frame in frames]
    head = _box("ftyp", b"M4A \0\0\0\0M4A mp42isom")
    # The table holds the offset of the data, which lies behind the table: so it is made twice.
    moov = _moov(sizes, each, length, rate, 0)
    moov = _moov(sizes, each, length, rate, len(head) + len(moov) + 8)
    return head + moov + _box("mdat", b"".join(frames))


def _frames(mp3: bytes) -> tuple[list[bytes], int]:
    at, frames, each = 0, [], 576
    while at + 4 <= len(mp3):
        word = int.from_bytes(mp3[at : at + 4], "big")
        version = word >> 19 & 3
        if word >> 21 != _SYNC or version not in _SAMPLES:
            at += 1
            continue
        each = _SAMPLES[version]
        kilobits = _KILOBITS[version][word >> 12 & 15]
        size = each // 8 * kilobits * 1000 // _RATES[version][word >> 10 & 3] + (word >> 9 & 1)
        frame = mp3[at : at + size]
        if not {b"Xing", b"Info"} & {frame[n : n + 4] for n in (13, 21, 36)}:
            frames.append(frame)
        at += size
    return frames, each


def _moov(sizes: list[int], each: int, length: int, rate: int, offset: int) -> bytes:
    total = len(sizes) * each
    delay = _ENCODER_DELAY + _DECODER_DELAY
    stbl = _box(
        "stbl",
        _stsd(rate)
        + _full("stts", struct.pack(">III", 1, len(sizes), each))
        + _full("stsc", struct.pack(">IIII", 1, 1, len(sizes), 1))
        + _full("stsz", struct.pack(f">II{len(sizes)}I", 0, len(sizes), *sizes))
        + _full("stco", struct.pack(">II", 1, offset)),
    )
    dinf = _box("dinf", _full("dref", struct.pack(">I", 1) + _full("url ", b"", flags=1)))
    minf = _box("minf", _full("smhd", bytes(4)) + dinf + stbl)
    mdhd = _full("mdhd", struct.pack(">IIIIHH", 0, 0, rate, total, 0x55C4, 0))
    hdlr = _full("hdlr", bytes(4) + b"soun" + bytes(12) + b"\0")
    tkhd = struct.pack(">IIIII8xHHHH", 0, 0, 1, 0, length, 0, 0, 0x100, 0)
    edit = _box("edts", _full("elst", struct.pack(">IIIHH", 1, length, delay, 1, 0)))
    track = _full("tkhd", tkhd + _MATRIX + bytes(8), flags=3) + edit
    trak = _box("trak", track + _box("mdia", mdhd + hdlr + minf))
    mvhd = struct.pack(">IIIIIH10x", 0, 0, rate, length, 0x10000, 0x100)
    return _box("moov", _full("mvhd", mvhd + _MATRIX + bytes(24) + struct.pack(">I", 2)) + trak)


def _stsd(rate: int) -> bytes:
    config = struct.pack(">BB3xII", 0x6B, 0x15, 128_000, 64_000)  # 0x6B: MPEG-1 or -2 layer III
    stream = _tag(3, b"\0\1\0" + _tag(4, config) + _tag(6, b"\2"))
    entry = bytes(6) + struct.pack(">H8xHHIHH", 1, 2, 16, 0, rate, 0)
    return _full("stsd", struct.pack(">I", 1) + _box("mp4a", entry + _full("esds", stream)))


def _tag(kind: int, content: bytes) -> bytes:
    return struct.pack(">BB", kind, len(content)) + content


def _full(name: str, content: bytes, *, flags: int = 0) -> bytes:
    return _box(name, struct.pack(">I", flags) + content)


def _box(name: str, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + name.encode() + content
