"""What producer and its forerunner riffusion can be asked."""

from dataclasses import replace
from random import Random
from types import MappingProxyType

from musicapi_nb.simulator import validation_clips, validation_producer
from musicapi_nb.simulator.catalog import (
    Call,
    Catalog,
    Operation,
    Table,
    brief,
    by_task_type,
    only_body,
    owned,
)
from musicapi_nb.simulator.replies import Json, plain_ack
from musicapi_nb.simulator.songs import uploaded
from musicapi_nb.simulator.songs_producer import producer_songs, riffusion_songs
from musicapi_nb.simulator.tasks import Song, Timing, fuzz_timing, sonic_timing
from musicapi_nb.simulator.validation import Body, invalid


def _check_producer(body: Body, catalog: Catalog, key: str) -> None:
    validation_producer.producer(body)
    _builds_on(body, "clip_id", catalog, key)


def _check_riffusion(body: Body, catalog: Catalog, key: str) -> None:
    validation_producer.riffusion(body)
    _builds_on(body, "continue_clip_id", catalog, key)


def _builds_on(body: Body, name: str, catalog: Catalog, key: str) -> None:
    """Refuse a clip of somebody else, and an uploaded one where a made one is meant or the like."""
    task_type = str(body.get("task_type", "create_music"))
    if task_type == "create_music":
        return
    clip = owned(body, name, catalog, key)
    sent_up = clip is not None and "uploaded" in clip.details
    own = task_type.replace("_music", "_upload_music", 1)
    if sent_up and "upload" not in task_type and own in validation_producer.UPLOAD_TASKS:
        raise invalid(f"The task_type should be '{own}' for an uploaded clip.")


def _check_download(body: Body, catalog: Catalog, key: str) -> None:
    validation_producer.producer_download(body)
    owned(body, "clip_id", catalog, key)


def _sing_producer(call: Call) -> tuple[Song, ...]:
    return producer_songs(brief(call, call.song("clip_id")))


def _sing_riffusion(call: Call) -> tuple[Song, ...]:
    return riffusion_songs(brief(call, call.song("continue_clip_id")))


def _imported(call: Call) -> tuple[Song, ...]:
    song = uploaded(str(call.body["audio_url"]), call.seed)
    details = {**song.details, "sound": "", "seed": ""}
    return (replace(song, form="m4a", details=details),)


def _exported(call: Call) -> list[Json]:
    song, form = call.song("clip_id"), str(call.body.get("format") or "mp3")
    if song is None:  # only where ReplyOptions.unknown_clip accepts ids that nobody made
        song = uploaded(str(call.body["clip_id"]), call.seed)
        call.catalog.keep(song, call.key)
    call.catalog.files.setdefault(song.song_id, set()).add(form)
    return [{"audio_url": call.links.file(song, form)}]


def _upload(call: Call) -> Json:
    song = uploaded(str(call.body["url"]), call.seed)
    call.catalog.keep(song, call.key)
    return {"code": 200, "clip_id": song.song_id, "message": "success"}


def _briefly(submitted: float, songs: int, rng: Random) -> Timing:
    return sonic_timing(submitted, max(1, songs), rng, median=15.0)


def _producer(name: str) -> Operation:
    return Operation(
        f"producer.{name}",
        12,
        _check_producer,
        "producer",
        _sing_producer,
        fuzz_timing,
        ack=plain_ack,
    )


def _riffusion(name: str) -> Operation:
    return Operation(
        f"riffusion.{name}",
        12,
        _check_riffusion,
        "riffusion",
        _sing_riffusion,
        fuzz_timing,
        ack=plain_ack,
    )


# Prices: service.md 14; of /riffusion/upload none is public.
PRODUCER: Table = MappingProxyType(
    {
        "producer/create": by_task_type(
            {name: _producer(name) for name in validation_producer.PRODUCER_TASKS}
        ),
        "producer/upload": Operation(
            "producer.upload",
            2,
            only_body(validation_clips.audio_url),
            "producer",
            _imported,
            _briefly,
            ack=plain_ack,
        ),
        "producer/download": Operation(
            "producer.download",
            2,
            _check_download,
            "producer",
            timer=_briefly,
            result=_exported,
            ack=plain_ack,
        ),
        "riffusion/create": by_task_type(
            {name: _riffusion(name) for name in validation_producer.RIFFUSION_TASKS}
        ),
        "riffusion/upload": Operation(
            "riffusion.upload", 2, only_body(validation_clips.upload), answer=_upload
        ),
    }
)
