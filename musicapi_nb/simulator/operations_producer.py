"""Operations of producer and its forerunner riffusion."""

from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

from musicapi_nb.simulator import validation_clips as clips
from musicapi_nb.simulator import validation_producer as producer
from musicapi_nb.simulator.catalog import Call, Check, MakeSongs, Operation, Table, by_task_type
from musicapi_nb.simulator.replies import Json, plain_ack
from musicapi_nb.simulator.songs import uploaded_song
from musicapi_nb.simulator.songs_producer import producer_songs, riffusion_songs
from musicapi_nb.simulator.tasks import Engine, Song, sonic_timing

_song_timing = partial(sonic_timing, median=50.0)
_file_timing = partial(sonic_timing, median=15.0)


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


def _producer_songs(call: Call) -> tuple[Song, ...]:
    return producer_songs(call.brief(call.song("clip_id")))


def _riffusion_songs(call: Call) -> tuple[Song, ...]:
    return riffusion_songs(call.brief(call.song("continue_clip_id")))


def _create(engine: Engine, name: str, check: Check, make: MakeSongs) -> Operation:
    return Operation(f"{engine}.{name}", 12, check, engine, make, _song_timing, ack=plain_ack)


def _file_task(name: str, check: Check, **fields: Any) -> Operation:
    name = f"producer.{name}"
    return Operation(name, 2, check, "producer", timing=_file_timing, ack=plain_ack, **fields)


_PRODUCER = {
    name: _create("producer", name, producer.check_producer, _producer_songs)
    for name in producer.PRODUCER_TASKS
}
_RIFFUSION = {
    name: _create("riffusion", name, producer.check_riffusion, _riffusion_songs)
    for name in producer.RIFFUSION_TASKS
}
# Prices: service.md 14; of /riffusion/upload none is public.
PRODUCER: Table = MappingProxyType(
    {
        "producer/create": by_task_type(_PRODUCER),
        "producer/upload": _file_task("upload", clips.check_audio_url, make_songs=_import),
        "producer/download": _file_task("download", producer.check_download, result=_export),
        "riffusion/create": by_task_type(_RIFFUSION),
        "riffusion/upload": Operation("riffusion.upload", 2, clips.check_upload, answer=_upload),
    }
)
