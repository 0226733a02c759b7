"""Replies to measure with, made from a seed: one uniform case and its variants.

A uniform reply has the shape of studio's documented example: 2 songs, 5 to 8 tags a song, 1 to 3
rewriting steps, lyrics of 500 to 2,500 characters in several scripts; about 6.2 KB.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable, Mapping
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
_UNKNOWN_SHARE = 0.3
_FOREIGN_SHARE = 0.06

Reply = dict[str, Any]


def replies(number: int, case: str = "uniform", seed: int = 1) -> list[bytes]:
    """Return `number` replies of a case, as JSON in UTF-8."""
    rng = random.Random(seed)
    return [CASES[case](rng) for _ in range(number)]


# --- cases -----------------------------------------------------------------------------------


def _compact(reply: Reply) -> bytes:
    return json.dumps(reply, ensure_ascii=False, separators=(",", ":")).encode()


def _escaped(rng: random.Random) -> bytes:
    r"""Write every character beyond ASCII as `\uXXXX`."""
    return json.dumps(_studio_reply(rng), ensure_ascii=True).encode()


def _pretty(rng: random.Random) -> bytes:
    """Write each value on a line of its own; NDJSON cannot hold it, a list of replies can."""
    return json.dumps(_studio_reply(rng), ensure_ascii=False, indent=2).encode()


def _optional(rng: random.Random) -> bytes:
    """Leave out each field that is not needed to recognize the reply, at random."""
    reply = _studio_reply(rng)
    task = reply["data"]
    reply["data"] = _without_some(rng, task, {"status", "data", "task_id"})
    songs = task["data"]["songs"]
    task["data"]["songs"] = [_without_some(rng, song, {"finished", "id"}) for song in songs]
    return _compact(reply)


def _without_some(rng: random.Random, fields: Reply, needed: set[str]) -> Reply:
    return {name: value for name, value in fields.items() if name in needed or rng.random() < 0.7}  # noqa: PLR2004


def _shuffled(rng: random.Random) -> bytes:
    return _compact(_with_shuffled_keys(rng, _studio_reply(rng)))


def _with_shuffled_keys(rng: random.Random, value: Any) -> Any:
    """Shuffle the keys of objects at all levels."""
    if isinstance(value, list):
        return [_with_shuffled_keys(rng, item) for item in value]
    if not isinstance(value, dict):
        return value
    names = rng.sample(list(value), len(value))
    return {name: _with_shuffled_keys(rng, value[name]) for name in names}


def _unknown(rng: random.Random) -> bytes:
    """Add one to three fields that no type declares to some songs."""
    reply = _studio_reply(rng)
    for song in reply["data"]["data"]["songs"]:
        if rng.random() < _UNKNOWN_SHARE:
            for _ in range(rng.randint(1, 3)):
                song[f"new_{rng.choice(_WORDS)}"] = rng.choice([None, 1.5, "text", {"a": [1, 2]}])
    return _compact(reply)


def _mix(rng: random.Random) -> bytes:
    """Return 60 % sonic, 20 % studio, 10 % nuro, 10 % failed, pending or broken replies."""
    kinds = [_sonic_reply, _studio_reply, _nuro_reply, _unfinished_reply]
    (kind,) = rng.choices(kinds, [60, 20, 10, 10])
    body = _compact(kind(rng))
    return body[: len(body) // 2] if kind is _unfinished_reply and rng.random() < 0.3 else body  # noqa: PLR2004


CASES: Mapping[str, Callable[[random.Random], bytes]] = {
    "uniform": lambda rng: _compact(_studio_reply(rng)),
    "mix": _mix,
    "optional fields": _optional,
    "shuffled keys": _shuffled,
    "unknown fields": _unknown,
    "escapes": _escaped,
    "pretty-printed": _pretty,
}


# --- replies -----------------------------------------------------------------------------------


def _studio_reply(rng: random.Random) -> Reply:
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
        "data": {"songs": [_studio_song(rng, task_id, number) for number in (1, 2)]},
    }
    return {"code": "success", "message": "", "data": task}


def _studio_song(rng: random.Random, task_id: str, number: int) -> Reply:
    prompt = ", ".join(rng.sample(_TAGS, 3))
    title = _title(rng)
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
        "created_at": f"{_moment(rng)}.{rng.randrange(10**6):06}+00:00",
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


def _sonic_reply(rng: random.Random) -> Reply:
    songs = [_sonic_song(rng) for _ in range(rng.randint(1, 2))]
    return {"code": 200, "data": songs, "message": "success"}


def _sonic_song(rng: random.Random) -> Reply:
    clip_id = _id(rng)
    return {
        "clip_id": clip_id,
        "state": "succeeded",
        "title": _title(rng),
        "tags": ", ".join(rng.sample(_TAGS, rng.randint(3, 8))),
        "lyrics": _lyrics(rng),
        "image_url": f"https://cdn2.suno.ai/image_{clip_id}.jpeg",
        "audio_url": f"https://cdn1.suno.ai/{clip_id}.mp3",
        "video_url": rng.choice([None, f"https://cdn1.suno.ai/{clip_id}.mp4"]),
        "created_at": f"{_moment(rng)}.{rng.randrange(1000):03}Z",
        "gpt_description_prompt": rng.choice([None, "a slow song about rain"]),
        "duration": f"{rng.uniform(30, 240):.2f}",
        "negative_tags": None,
        "style_weight": None,
        "weirdness_constraint": None,
        "mv": "chirp-v5",
    }


def _nuro_reply(rng: random.Random) -> Reply:
    task_id = _id(rng)
    return {
        "task_id": task_id,
        "status": "succeeded",
        "progress": 100,
        "audio_url": f"https://cdn.musicapi.ai/storage/v1/object/public/songs/song-{task_id}.wav",
        "lyrics": _lyrics(rng),
        "duration": rng.uniform(30, 240),
        "genre": "Pop",
        "mood": "Dynamic/Energetic",
        "gender": "Female",
        "timbre": "Sweet_AUDIO_TIMBRE",
    }


def _unfinished_reply(rng: random.Random) -> Reply:
    return rng.choice(
        [
            {"code": 202, "type": "not_ready", "message": "task is not ready"},
            {"message": "success", "task_id": _id(rng)},
            {
                "type": "api_error",
                "message": "generation failed",
                "refund_processed": True,
                "task_id": _id(rng),
            },
        ]
    )


def _title(rng: random.Random) -> str:
    return " ".join(rng.choice(_WORDS).title() for _ in range(3))


def _lyrics(rng: random.Random) -> str:
    length, lines, size = rng.randint(500, 2500), list[str](), 0
    while size < length:
        line = (
            rng.choice(_FOREIGN if rng.random() < _FOREIGN_SHARE else _WORDS)
            for _ in range(rng.randint(4, 9))
        )
        lines.append(" ".join(line))
        if len(lines) % 6 == 0:
            lines.append(rng.choice(["[Verse]", "[Chorus]", "[Bridge]"]))
        size = sum(map(len, lines)) + len(lines)
    return "\n".join(lines)[:length]


def _moment(rng: random.Random) -> str:
    day, hour, minute, second = (rng.randrange(1, 31), *(rng.randrange(n) for n in (24, 60, 60)))
    return f"2024-11-{day:02}T{hour:02}:{minute:02}:{second:02}"


def _id(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128)))
