"""Cover pictures: a colour gradient from a song's seed and mood, as PNG. No I/O."""

import colorsys
import struct
import zlib
from random import Random

import numpy as np
from numpy.typing import NDArray

SIZE = 400
"""Width and height in pixels."""
CONTENT_TYPE = "image/png"


def cover(seed: str, valence: float, energy: float) -> bytes:
    """Paint a square PNG; valence warms and lightens it, energy saturates it (-1 to 1 each)."""
    rng = Random(f"{seed}/cover")
    hue = rng.gauss(0.06, 0.07) if rng.random() < 0.5 + valence / 2 else rng.gauss(0.6, 0.09)
    saturation, light = 0.56 + 0.2 * energy, 0.5 + 0.12 * valence
    far_hue = hue + rng.choice((-0.2, -0.12, 0.12, 0.2))
    start = colorsys.hls_to_rgb(hue % 1, light + 0.2, saturation)
    end = colorsys.hls_to_rgb(far_hue % 1, light - 0.22, saturation)
    colours = np.clip(np.linspace(start, end, 256) * 255, 0, 255).astype(np.uint8)
    line = np.linspace(0, 255, SIZE)
    shares = line[:, None] + (line - 128) * rng.uniform(-0.8, 0.8)
    return _png(colours[np.clip(shares, 0, 255).astype(np.uint8)])


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """Encode RGB rows as differences to the row above (filter 2), which suits gradients."""
    height, width, _ = pixels.shape
    rows = pixels.reshape(height, width * 3)
    filtered = np.full((height, 1 + width * 3), 2, dtype=np.uint8)
    filtered[:, 1:] = np.diff(rows, axis=0, prepend=np.zeros((1, width * 3), dtype=np.uint8))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes(), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
