"""Replies to measure with: shaped like studio's documented example, from a seed.

Each has 2 songs, 5 to 8 tags a song, 1 to 3 steps of rewriting, lyrics of 500 to 2,500 characters
in several scripts: about 6.5 KB.
"""

from __future__ import annotations

import json
import random
import uuid
from typing import Any

_WORDS = [
    "boat",
    "harbour",
    "lamp",
    "rain",
    "tin",
    "roof",
    "slow",
    "quiet",
    "brass",
    "tide",
    "seven",
    "small",
    "radio",
    "hums",
    "paint",
    "wall",
    "dries",
    "salt",
    "air",
    "turn",
    "carry",
    "nowhere",
    "hide",
    "counting",
    "steps",
    "pier",
    "square",
]
_FOREIGN = ["été", "naïve", "Škoda", "東京", "夜", "море", "🎷", "żółw", "ñandú", "שלום", '"so"']
_TAGS = [
    "jazz",
    "bossa nova",
    "mpb",
    "vocal jazz",
    "spy",
    "2010s",
    "samba-jazz",
    "spy jazz",
    "slow",
    "rain",
    "cinematic",
    "lo-fi",
    "ambient",
    "female vocalist",
    "chanson française",
    "brushed drums",
    "J-ポップ",
    "funk",
    "soul",
    "dub",
]
_STORE = "https://storage.googleapis.com/studio-artifacts-c33fe3ba-3ffe-471f-92c8-5dfef90b3ea3"
_PICTURES = "https://imagedelivery.net/C9yUr1FL21Q6JwfYYh2ozQ"


def replies(number: int, seed: int = 1) -> list[bytes]:
    rng = random.Random(seed)
    return [
        json.dumps(_reply(rng), ensure_ascii=False, separators=(",", ":")).encode()
        for _ in range(number)
    ]


def _reply(rng: random.Random) -> dict[str, Any]:
    task_id = _id(rng)
    submitted = 1_732_240_123 + rng.randrange(10**7)
    started = submitted + rng.randrange(1, 60)
    task = {
        "task_id": task_id,
        "notify_hook": "",
        "action": "studio-generate",
        "status": "SUCCESS",
        "fail_reason": "",
        "submit_time": submitted,
        "start_time": started,
        "finish_time": started + rng.randrange(30, 120),
        "progress": "100%",
        "data": {"songs": [_song(rng, task_id, number) for number in (1, 2)]},
    }
    return {"code": "success", "message": "", "data": task}


def _song(rng: random.Random, task_id: str, number: int) -> dict[str, Any]:
    prompt = ", ".join(rng.sample(_TAGS, 3))
    title = " ".join(rng.choice(_WORDS).title() for _ in range(3))
    steps, source, tags = {}, prompt, [""]
    for _ in range(rng.randint(1, 3)):
        tags = rng.sample(_TAGS, rng.randint(5, 8))
        steps[source] = {"tags": tags, "type": "tags"}
        source = ", ".join(tags)
    return {
        "id": _id(rng),
        "tags": tags,
        "liked": False,
        "likes": 0,
        "plays": 0,
        "title": f"{title} v1.2.{number}",
        "artist": "QuietTrombone0000",
        "lyrics": _lyrics(rng),
        "prompt": prompt,
        "user_id": _id(rng),
        "disliked": False,
        "duration": rng.uniform(30, 200),
        "error_id": None,
        "finished": True,
        "song_path": f"{_STORE}/samples/{_id(rng)}/{number}/{title.replace(' ', '%2520')}.mp3",
        "user_tags": [],
        "created_at": _moment(rng),
        "error_code": None,
        "error_type": None,
        "image_path": f"{_PICTURES}/{_id(rng)}/public",
        "video_path": None,
        "attribution": "",
        "description": "",
        "publishable": True,
        "artist_image": "https://lh3.googleusercontent.com/a/ACg8ocIORKAHmHyclVkNM=s96-c",
        "error_detail": None,
        "published_at": None,
        "generation_id": task_id,
        "replaced_tags": steps,
        "original_song_path": None,
        "audio_conditioning_type": "precede",
    }


def _lyrics(rng: random.Random) -> str:
    length, lines, size = rng.randint(500, 2500), list[str](), 0
    while size < length:
        words = (
            rng.choice(_FOREIGN if rng.random() < 0.06 else _WORDS)  # noqa: PLR2004
            for _ in range(rng.randint(4, 9))
        )
        lines.append(" ".join(words))
        if len(lines) % 6 == 0:
            lines.append(rng.choice(["[Verse]", "[Chorus]", "[Bridge]"]))
        size = sum(map(len, lines)) + len(lines)
    return "\n".join(lines)[:length]


def _moment(rng: random.Random) -> str:
    day, hour, minute, second = (rng.randrange(1, 31), *(rng.randrange(n) for n in (24, 60, 60)))
    return f"2024-11-{day:02}T{hour:02}:{minute:02}:{second:02}.{rng.randrange(10**6):06}+00:00"


def _id(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128)))
