"""What can be asked of the simulator: one entry an operation, with its check, price and work.

To add an operation, write its check (validation.py) and its songs or reply, and enter it in
``OPERATIONS``; the server needs no change.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from types import MappingProxyType
from typing import Any

from musicapi_nb.simulator import songs as making
from musicapi_nb.simulator import validation, validation_nuro
from musicapi_nb.simulator.shapes import Shapes
from musicapi_nb.simulator.songs import Brief
from musicapi_nb.simulator.tasks import (
    Engine,
    Song,
    Task,
    Timing,
    nuro_timing,
    sonic_timing,
    studio_timing,
)
from musicapi_nb.simulator.validation import Body, invalid
from musicapi_nb.simulator.words import make_lyrics, make_title

Timer = Callable[[float, int, Random], Timing]


@dataclass(slots=True)
class World:
    """What the simulator remembers: tasks, songs and personas, and to which key they belong."""

    shapes: Shapes
    seconds: tuple[float, float]
    tasks: dict[str, Task] = field(default_factory=dict)
    songs: dict[str, Song] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict, repr=False)
    personas: dict[str, str] = field(default_factory=dict)
    task_of: dict[str, str] = field(default_factory=dict)

    def keep(self, song: Song, key: str, task_id: str = "") -> None:
        """Remember a song and whose it is."""
        self.songs[song.song_id] = song
        self.owners[song.song_id] = key
        self.task_of[song.song_id] = task_id

    def song(self, song_id: Any, key: str) -> Song | None:
        """Give a song, if it belongs to this key."""
        return self.songs.get(song_id) if self.owners.get(song_id) == key else None


@dataclass(frozen=True, slots=True)
class Call:
    """One accepted request on its way to being carried out."""

    body: Body
    key: str = field(repr=False)
    seed: str
    world: World


@dataclass(frozen=True, slots=True)
class Operation:
    """Either ``sing`` makes the songs of a task of ``engine``, or ``answer`` replies at once."""

    name: str
    price: int
    check: Callable[[Body, World, str], None]
    engine: Engine | None = None
    sing: Callable[[Call], tuple[Song, ...]] | None = None
    timer: Timer | None = None
    answer: Callable[[Call], dict[str, Any]] | None = None


def operation_at(path: str, body: Body) -> Operation | None:
    """Find what a POST asks for; one path serves several tasks, told apart in the body."""
    entry = OPERATIONS.get(path)
    if entry is None or isinstance(entry, Operation):
        return entry
    return entry.get(str(body.get("task_type", "create_music"))) or entry["create_music"]


def _check_sonic(body: Body, world: World, key: str) -> None:
    validation.sonic_create(body)
    task_type = body.get("task_type", "create_music")
    if world.shapes.unknown_clip == "accept":
        return
    persona = body.get("persona_id")
    if task_type == "persona_music" and world.owners.get(str(persona)) != key:
        raise invalid("The 'persona_id' field is invalid.")
    if task_type in ("create_music", "persona_music"):
        return
    clip = world.song(body["continue_clip_id"], key)
    if clip is None:
        raise invalid("The 'continue_clip_id' field is invalid.")
    if task_type in ("extend_music", "cover_music") and clip.details.get("uploaded"):
        own = task_type.replace("_music", "_upload_music")
        raise invalid(f"The task_type should be '{own}' for an uploaded clip.")
    if task_type == "concat_music" and "continue_at" not in clip.details:
        raise invalid("The 'continue_clip_id' field should be an extended clip.")


def _check_persona(body: Body, world: World, key: str) -> None:
    validation.persona(body)
    clip = body.get("clip_id", body.get("continue_clip_id"))
    if world.shapes.unknown_clip == "refuse" and world.song(clip, key) is None:
        raise invalid("The 'continue_clip_id' field is invalid.")


def _check_studio(body: Body, world: World, key: str) -> None:
    validation.studio(body, defaults=world.shapes.studio_defaults)
    source = (body.get("config") or {}).get("source")
    if source and world.shapes.unknown_clip == "refuse" and not world.song(source["song_id"], key):
        raise invalid("The 'config.source.song_id' field is invalid.")


def _sing_sonic(call: Call) -> tuple[Song, ...]:
    return making.sonic_songs(_brief(call, call.body.get("continue_clip_id")))


def _sing_persona(call: Call) -> tuple[Song, ...]:
    style = call.world.personas.get(str(call.body["persona_id"]), "")
    return making.sonic_songs(_brief(call, None)._replace(style=style))


def _sing_concat(call: Call) -> tuple[Song, ...]:
    brief = _brief(call, call.body["continue_clip_id"])
    parent = brief.source.details.get("parent") if brief.source else None
    return making.concat_songs(brief._replace(before=call.world.song(parent, call.key)))


def _sing_studio(call: Call) -> tuple[Song, ...]:
    source = (call.body.get("config") or {}).get("source") or {}
    return making.studio_songs(_brief(call, source.get("song_id")))


def _sing_nuro(call: Call) -> tuple[Song, ...]:
    return making.nuro_songs(_brief(call, None))


def _brief(call: Call, source: Any) -> Brief:
    world = call.world
    return Brief(call.body, call.seed, world.seconds, world.song(source, call.key))


def _answer_lyrics(call: Call) -> dict[str, Any]:
    description = str(call.body["description"])
    results = []
    for index in (0, 1):
        rng = Random(f"{call.seed}/{index}")
        results.append(
            {"title": make_title(description, rng), "lyrics": make_lyrics(description, rng)}
        )
    return {"code": 200, "results": results, "message": "success"}


def _answer_persona(call: Call) -> dict[str, Any]:
    persona_id = making.make_id(call.seed)
    clip = call.world.song(call.body.get("clip_id", call.body.get("continue_clip_id")), call.key)
    style = call.body.get("styles") or (", ".join(clip.tags[:2]) if clip else "")
    call.world.personas[persona_id] = str(style)
    call.world.owners[persona_id] = call.key
    return {"code": 200, "persona_id": persona_id, "message": "success"}


def _answer_upload(call: Call) -> dict[str, Any]:
    song = making.uploaded(str(call.body["url"]), call.seed)
    call.world.keep(song, call.key)
    return {"code": 200, "clip_id": song.song_id, "message": "success"}


def _only_body(check: Callable[[Body], None]) -> Callable[[Body, World, str], None]:
    def checked(body: Body, _world: World, _key: str) -> None:
        check(body)

    return checked


def _time_concat(submitted: float, songs: int, rng: Random) -> Timing:
    return sonic_timing(submitted, songs, rng, median=30.0)


def _time_nuro(submitted: float, _songs: int, rng: Random) -> Timing:
    return nuro_timing(submitted, rng)


def _sonic(
    task_type: str,
    sing: Callable[[Call], tuple[Song, ...]],
    price: int,
    timer: Timer = sonic_timing,
) -> Operation:
    name = f"sonic.{task_type}"
    return Operation(name, price, _check_sonic, engine="sonic", sing=sing, timer=timer)


# Prices: service.md 14. Sonic's are the newest seen (2026-10-07), studio's of 2025-02-18.
OPERATIONS: Mapping[str, Operation | Mapping[str, Operation]] = MappingProxyType(
    {
        "sonic/create": {
            "create_music": _sonic("create_music", _sing_sonic, 20),
            "extend_music": _sonic("extend_music", _sing_sonic, 15),
            "cover_music": _sonic("cover_music", _sing_sonic, 15),
            "persona_music": _sonic("persona_music", _sing_persona, 15),
            "extend_upload_music": _sonic("extend_upload_music", _sing_sonic, 15),
            "cover_upload_music": _sonic("cover_upload_music", _sing_sonic, 15),
            "concat_music": _sonic("concat_music", _sing_concat, 2, _time_concat),
        },
        "sonic/lyrics": Operation(
            "sonic.lyrics", 2, _only_body(validation.lyrics), answer=_answer_lyrics
        ),
        "sonic/persona": Operation("sonic.persona", 1, _check_persona, answer=_answer_persona),
        "sonic/upload": Operation(
            "sonic.upload", 2, _only_body(validation.upload), answer=_answer_upload
        ),
        "studio/create": Operation(
            "studio.create", 15, _check_studio, "studio", _sing_studio, studio_timing
        ),
        "nuro/create": Operation(
            "nuro.create", 10, _only_body(validation_nuro.nuro), "nuro", _sing_nuro, _time_nuro
        ),
    }
)
"""Path below /api/v1 to the operation, or to the operations by ``task_type``."""
