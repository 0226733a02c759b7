"""Operations of producer and its forerunner riffusion."""

from dataclasses import replace
from random import Random
from types import MappingProxyType

from musicapi_nb.simulator import validation_clips, validation_producer
from musicapi_nb.simulator.catalog import (
    Call,
    Check,
    MakeSongs,
    Operation,
    Table,
    body_check,
    by_task_type,
)
from musicapi_nb.simulator.replies import Json, plain_ack
from musicapi_nb.simulator.songs import uploaded_song
from musicapi_nb.simulator.songs_producer import producer_songs, riffusion_songs
from musicapi_nb.simulator.tasks import Engine, Song, Timing, producer_timing, sonic_timing
from musicapi_nb.simulator.validation_rules import invalid

_UPLOAD_TASKS = frozenset(
    name
    for name in (*validation_producer.PRODUCER_TASKS, *validation_producer.RIFFUSION_TASKS)
    if "upload" in name
)
"""Task types that replace those of almost the same name where the clip was uploaded."""


def _file_timing(submitted: float, songs: int, rng: Random) -> Timing:
    return sonic_timing(submitted, max(1, songs), rng, median=15.0)


def _check_source(call: Call, name: str) -> None:
    """Refuse a clip of another account, and a task type that does not take uploaded clips."""
    task_type = str(call.body.get("task_type", "create_music"))
    if task_type == "create_music":
        return
    clip = call.own_song(name)
    uploaded = clip is not None and "uploaded" in clip.details
    upload_type = task_type.replace("_music", "_upload_music", 1)
    if uploaded and "upload" not in task_type and upload_type in _UPLOAD_TASKS:
        raise invalid(f"The task_type should be '{upload_type}' for an uploaded clip.")


def _check_download(call: Call) -> None:
    validation_producer.check_download(call.body)
    call.own_song("clip_id")


def _import(call: Call) -> tuple[Song, ...]:
    song = uploaded_song(str(call.body["audio_url"]), call.seed)
    return (replace(song, details={**song.details, "sound": "", "seed": ""}),)


def _export(call: Call) -> list[Json]:
    song, audio_format = call.source("clip_id"), str(call.body.get("format") or "mp3")
    call.catalog.formats.setdefault(song.song_id, set()).add(audio_format)
    return [{"audio_url": call.links.file(song, audio_format)}]


def _upload(call: Call) -> Json:
    song = uploaded_song(str(call.body["url"]), call.seed)
    call.catalog.add(song, call.key)
    return {"code": 200, "clip_id": song.song_id, "message": "success"}


def _check_producer(call: Call) -> None:
    validation_producer.check_producer(call.body)
    _check_source(call, "clip_id")


def _check_riffusion(call: Call) -> None:
    validation_producer.check_riffusion(call.body)
    _check_source(call, "continue_clip_id")


def _producer_songs(call: Call) -> tuple[Song, ...]:
    return producer_songs(call.brief(call.song("clip_id")))


def _riffusion_songs(call: Call) -> tuple[Song, ...]:
    return riffusion_songs(call.brief(call.song("continue_clip_id")))


def _create(engine: Engine, name: str, check: Check, make: MakeSongs) -> Operation:
    return Operation(f"{engine}.{name}", 12, check, engine, make, producer_timing, ack=plain_ack)


_PRODUCER = {
    name: _create("producer", name, _check_producer, _producer_songs)
    for name in validation_producer.PRODUCER_TASKS
}
_RIFFUSION = {
    name: _create("riffusion", name, _check_riffusion, _riffusion_songs)
    for name in validation_producer.RIFFUSION_TASKS
}
_CHECK_IMPORT = body_check(validation_clips.check_audio_url)
_CHECK_UPLOAD = body_check(validation_clips.check_upload)
_IMPORT = Operation(
    "producer.upload", 2, _CHECK_IMPORT, "producer", _import, _file_timing, ack=plain_ack
)
_EXPORT = Operation(
    "producer.download", 2, _check_download, "producer", None, _file_timing, ack=plain_ack
)
# Prices: service.md 14; of /riffusion/upload none is public.
PRODUCER: Table = MappingProxyType(
    {
        "producer/create": by_task_type(_PRODUCER),
        "producer/upload": _IMPORT,
        "producer/download": replace(_EXPORT, result=_export),
        "riffusion/create": by_task_type(_RIFFUSION),
        "riffusion/upload": Operation("riffusion.upload", 2, _CHECK_UPLOAD, answer=_upload),
    }
)
