"""Cover pictures: abstract, painted from a song's seed and mood, as PNG. Pure."""

import colorsys
import struct
import zlib
from random import Random

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
Picture = NDArray[np.float32]
Colour = tuple[float, float, float]

SIZE = 400
CONTENT_TYPE = "image/png"


def cover(seed: str, valence: float, energy: float) -> bytes:
    """Paint a square PNG. Valence (-1 to 1) warms the colours, energy (-1 to 1) saturates them."""
    rng = Random(f"{seed}/cover")
    palette = _palette(rng, valence, energy)
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32) / np.float32(SIZE - 1)
    angle = rng.uniform(-0.5, 0.5)
    picture = _gradient(np.clip(y + (x - 0.5) * np.float32(angle), 0, 1), palette[0], palette[1])
    scene = rng.choice((_hills, _rings, _waves, _arches, _discs))
    picture = scene(picture, x, y, palette, rng)
    shade = 1 - 0.22 * ((x - 0.5) ** 2 + (y - 0.5) ** 2)
    return _png(np.clip(picture * shade[..., None] * 255, 0, 255).astype(np.uint8))


def _palette(rng: Random, valence: float, energy: float) -> list[Colour]:
    """Five colours: two of the sky, two of the ground, one light."""
    # Warm hues (reds to golds) for bright moods, cool ones (teals to violets) for dark ones.
    hue = rng.gauss(0.06, 0.07) if rng.random() < 0.5 + valence / 2 else rng.gauss(0.6, 0.09)
    saturation = min(0.85, max(0.3, 0.56 + 0.2 * energy))
    light = 0.5 + 0.12 * valence
    apart = rng.choice((0.08, -0.09, 0.14, -0.14))

    def colour(turn: float, lightness: float, strength: float = 1.0) -> Colour:
        return colorsys.hls_to_rgb((hue + turn) % 1, lightness, saturation * strength)

    return [
        colour(0, light + 0.08),
        colour(apart, light + 0.24, 1.1),
        colour(apart * 2, light - 0.12),
        colour(apart * 2.6, light - 0.28, 0.9),
        colorsys.hls_to_rgb(0.11 + apart / 4, 0.87, 0.85),
    ]


def _gradient(amount: Plane, top: Colour, bottom: Colour) -> Picture:
    share = amount[..., None]
    ends = np.array([top, bottom], dtype=np.float32)
    return np.asarray(ends[0] * (1 - share) + ends[1] * share, dtype=np.float32)


def _over(picture: Picture, mask: Plane, colour: Colour, opacity: float = 1.0) -> Picture:
    share = (mask * np.float32(opacity))[..., None]
    return np.asarray(picture * (1 - share) + np.array(colour, dtype=np.float32) * share)


def _inside(distance: Plane) -> Plane:
    """Mask of where a signed distance (in picture widths) is negative, with a soft edge."""
    return np.asarray(np.clip(0.5 - distance * np.float32(SIZE / 1.5), 0, 1), dtype=np.float32)


def _mixed(first: Colour, second: Colour, share: float) -> Colour:
    a, b, c = (p * (1 - share) + q * share for p, q in zip(first, second, strict=True))
    return a, b, c


def _ridge(x: Plane, rng: Random, height: float, rough: float) -> Plane:
    line = np.full_like(x, height)
    for octave in range(1, 5):
        line += np.float32(rough / octave) * np.sin(
            np.float32(rng.uniform(1.5, 3.5) * octave) * x * 3 + np.float32(rng.uniform(0, 6.3))
        )
    return line


def _sun(picture: Picture, x: Plane, y: Plane, colour: Colour, rng: Random) -> Picture:
    at, high, size = rng.uniform(0.25, 0.75), rng.uniform(0.22, 0.42), rng.uniform(0.08, 0.17)
    away = np.hypot(x - np.float32(at), y - np.float32(high))
    picture = _over(picture, np.exp(-((away / np.float32(size * 2.4)) ** 2)), colour, 0.35)
    return _over(picture, _inside(away - np.float32(size)), colour, 0.95)


def _hills(picture: Picture, x: Plane, y: Plane, palette: list[Colour], rng: Random) -> Picture:
    picture = _sun(picture, x, y, palette[4], rng)
    layers = rng.choice((3, 4))
    for layer in range(layers):
        depth = (layer + 1) / layers
        line = _ridge(x, rng, 0.48 + 0.42 * depth - 0.08, 0.05 * (1.1 - depth / 2))
        picture = _over(picture, _inside(line - y), _mixed(palette[1], palette[3], depth), 0.95)
    return picture


def _waves(picture: Picture, x: Plane, y: Plane, palette: list[Colour], rng: Random) -> Picture:
    picture = _sun(picture, x, y, palette[4], rng)
    bands = rng.randint(5, 8)
    phase, turns = rng.uniform(0, 6.3), rng.uniform(1.0, 2.2)
    for band in range(bands):
        depth = band / (bands - 1)
        swell = np.float32(0.035 - 0.015 * depth)
        wave = swell * np.sin(2 * np.pi * np.float32(turns) * x + np.float32(phase + band * 1.1))
        line = np.float32(0.5 + 0.46 * depth) + wave
        picture = _over(picture, _inside(line - y), _mixed(palette[2], palette[3], depth), 0.8)
        picture = _over(picture, _inside(np.abs(line - y) - np.float32(0.002)), palette[4], 0.35)
    return picture


def _rings(picture: Picture, x: Plane, y: Plane, palette: list[Colour], rng: Random) -> Picture:
    at, high = rng.uniform(0.3, 0.7), rng.uniform(0.35, 0.65)
    away = np.hypot(x - np.float32(at), y - np.float32(high))
    count = rng.randint(5, 7)
    for ring in range(count, 0, -1):
        shade = _mixed(palette[1], palette[3], ring / count)
        radius = np.float32(0.62 * (ring / count) ** 1.15)
        picture = _over(picture, _inside(away - radius), shade, 0.7)
    return _over(picture, _inside(away - np.float32(0.045)), palette[4])


def _arches(picture: Picture, x: Plane, y: Plane, palette: list[Colour], rng: Random) -> Picture:
    at, floor = rng.uniform(0.35, 0.65), rng.uniform(0.78, 0.9)
    bands = rng.randint(4, 6)
    for band in range(bands):
        depth = band / (bands - 1)
        radius = np.float32(0.46 * (1 - depth) + 0.1 * depth)
        dome = np.hypot(x - np.float32(at), np.minimum(y - np.float32(floor - 0.32), 0))
        arch = np.maximum(dome - radius, y - np.float32(floor))
        colour = (
            _mixed(palette[3], palette[4], depth)
            if band % 2
            else _mixed(palette[2], palette[1], depth)
        )
        picture = _over(picture, _inside(arch), colour, 0.92)
    return _over(picture, _inside(np.float32(floor) - y), palette[3], 0.95)


def _discs(picture: Picture, x: Plane, y: Plane, palette: list[Colour], rng: Random) -> Picture:
    for _ in range(rng.randint(6, 9)):
        size = rng.uniform(0.06, 0.26)
        away = np.hypot(x - np.float32(rng.uniform(0, 1)), y - np.float32(rng.uniform(0, 1)))
        colour = rng.choice(palette[1:])
        picture = _over(picture, _inside(away - np.float32(size)), colour, rng.uniform(0.35, 0.7))
        hole = np.abs(away - np.float32(size * 1.25)) - np.float32(0.002)
        picture = _over(picture, _inside(hole), palette[4], 0.5)
    return picture


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """Encode RGB rows; each is stored as its difference to the row above, which packs best here."""
    height, width, _ = pixels.shape
    rows = pixels.reshape(height, width * 3)
    above = np.vstack([np.zeros((1, width * 3), dtype=np.uint8), rows[:-1]])
    filtered = np.empty((height, 1 + width * 3), dtype=np.uint8)
    filtered[:, 0] = 2
    filtered[:, 1:] = rows - above
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes(), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
