"""Libraries with audible songs, and the texts that would identify each song."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from musicapi_nb import sonic
from musicapi_nb.library import Library
from tests.library.helpers import acknowledged, buy, looked

LEVELS = ("sonic-v5", "sonic-v4-5")
TOPICS = ("rain on tin", "a lighthouse")
# Rate, channels, duration and volume vary independently of the level.
_FORMATS = ((44_100, 2, 4.0, 0.8), (22_050, 2, 3.0, 0.05), (44_100, 2, 3.4, 0.3))


def tone(
    rate: int = 44_100,
    channels: int = 2,
    seconds: float = 4.0,
    volume: float = 0.5,
    *,
    pitch: int = 0,
) -> bytes:
    """Return a WAV file of a swelling chord, `pitch` semitones above 220 Hz."""
    time = np.arange(int(rate * seconds)) / rate
    frequency = 220.0 * 2 ** (pitch / 12)
    chord = sum(np.sin(2 * np.pi * frequency * ratio * time) for ratio in (1, 1.25, 1.5)) / 3
    samples = (volume * chord * (0.6 + 0.4 * np.sin(2 * np.pi * 0.5 * time)))[:, None]
    file = io.BytesIO()
    soundfile.write(file, np.repeat(samples, channels, axis=1), rate, format="WAV")
    return file.getvalue()


def request(level: str, topic: str) -> sonic.Create:
    return sonic.Create(custom_mode=False, gpt_description_prompt=topic, mv=level)


def add_songs(
    library: Library,
    create: sonic.Create,
    number: int,
    sounds: tuple[bytes | None, ...],
    **fields: Any,
) -> list[str]:
    """Buy a task with these files (None: no file); return the texts that identify its songs."""
    take = fields.pop("take", 1)
    simulated = fields.pop("simulated", False)
    task_id = f"task-{number:04}-4711"
    clips = [
        {
            "clip_id": f"clip-{number:04}-{index}",
            "state": "succeeded",
            "title": f"Kazoo Ballad {number}-{index}",
            "tags": f"zydeco{number}, hurdy-gurdy",
            "lyrics": f"[Verse]\nthe mangrove hums {number}-{index}\nnobody else sings it",
            "audio_url": f"https://cdn-of-songs.example/{number}-{index}.mp3",
            "image_url": f"https://cdn-of-songs.example/{number}-{index}.jpg",
            "duration": 137.25 + number,
            "mv": create.mv,
            **fields,
        }
        for index in range(len(sounds))
    ]
    claim = buy(library, create, task_id, take=take, simulated=simulated)
    task = looked(acknowledged(create, task_id), {"code": 200, "data": clips})
    library.record_poll(claim.entry.id, task)
    secrets = [task_id, create.mv or "", create.gpt_description_prompt or ""]
    for song, sound in zip(library.task(claim.entry.id).songs, sounds, strict=True):
        if sound is not None:
            path = library.temporary_path(".wav")
            path.write_bytes(sound)
            file = library.add_file(path, ".wav")
            library.attach(song, "audio", file)
            secrets.append(file.sha256)
        secrets += [
            song.id or "",
            song.title or "",
            song.audio_url or "",
            song.image_url or "",
            str(song.duration),
            *song.tags,
            *(song.lyrics or "").split("\n"),
        ]
    return [secret for secret in secrets if secret]


def fill_library(path: Path, *, takes: int = 2, topics: tuple[str, ...] = TOPICS) -> list[str]:
    """Fill a library with tasks of two songs, for each level, topic and take."""
    secrets: list[str] = []
    with Library(path) as library:
        number = 0
        for take in range(1, takes + 1):
            for topic in topics:
                for level in LEVELS:
                    formats = (_FORMATS[(number + index) % 3] for index in range(2))
                    sounds = tuple(
                        tone(*audio_format, pitch=2 * number + index)
                        for index, audio_format in enumerate(formats)
                    )
                    secrets += add_songs(library, request(level, topic), number, sounds, take=take)
                    number += 1
    return list(dict.fromkeys(secrets))
