"""Operations of producer and its forerunner riffusion."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from musicapi_nb.simulator import validation_clips, validation_producer
from musicapi_nb.simulator.catalog import Call, Operation, Table, body_check, by_task_type
from musicapi_nb.simulator.replies import Json, plain_ack
from musicapi_nb.simulator.songs import uploaded_song
from musicapi_nb.simulator.songs_producer import producer_songs, riffusion_songs
from musicapi_nb.simulator.tasks import Engine, Song, producer_timing, sonic_timing
from musicapi_nb.simulator.validation_rules import Body, invalid

_UPLOAD_TASKS = frozenset(
    name
    for name in (*validation_producer.PRODUCER_TASKS, *validation_producer.RIFFUSION_TASKS)
    if "upload" in name
)
"""Task types that replace those of almost the same name where the clip was uploaded."""
_brief_timing = partial(sonic_timing, median=15.0)


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


def _imported(call: Call) -> tuple[Song, ...]:
    song = uploaded_song(str(call.body["audio_url"]), call.seed)
    return (replace(song, details={**song.details, "sound": "", "seed": ""}),)


def _exported(call: Call) -> list[Json]:
    song, audio_format = call.song("clip_id"), str(call.body.get("format") or "mp3")
    if song is None:  # only where ReplyOptions.unknown_clip accepts unknown ids
        song = uploaded_song(str(call.body["clip_id"]), call.seed)
        call.catalog.add(song, call.key)
    call.catalog.formats.setdefault(song.song_id, set()).add(audio_format)
    return [{"audio_url": call.links.file(song, audio_format)}]


def _upload(call: Call) -> Json:
    song = uploaded_song(str(call.body["url"]), call.seed)
    call.catalog.add(song, call.key)
    return {"code": 200, "clip_id": song.song_id, "message": "success"}


def _create(
    engine: Engine,
    name: str,
    check_body: Callable[[Body], None],
    source_field: str,
    make_songs: Callable[[Call], tuple[Song, ...]],
) -> Operation:
    def check(call: Call) -> None:
        check_body(call.body)
        _check_source(call, source_field)

    return Operation(
        name=f"{engine}.{name}",
        price=12,
        check=check,
        engine=engine,
        make_songs=make_songs,
        timing=producer_timing,
        ack=plain_ack,
    )


def _producer(name: str) -> Operation:
    check = validation_producer.check_producer
    return _create(
        "producer",
        name,
        check,
        "clip_id",
        lambda call: producer_songs(call.brief(call.song("clip_id"))),
    )


def _riffusion(name: str) -> Operation:
    check, field = validation_producer.check_riffusion, "continue_clip_id"
    return _create(
        "riffusion", name, check, field, lambda call: riffusion_songs(call.brief(call.song(field)))
    )


# Prices: service.md 14; of /riffusion/upload none is public.
PRODUCER: Table = MappingProxyType(
    {
        "producer/create": by_task_type(
            {name: _producer(name) for name in validation_producer.PRODUCER_TASKS}
        ),
        "producer/upload": Operation(
            name="producer.upload",
            price=2,
            check=body_check(validation_clips.check_audio_url),
            engine="producer",
            make_songs=_imported,
            timing=_brief_timing,
            ack=plain_ack,
        ),
        "producer/download": Operation(
            name="producer.download",
            price=2,
            check=_check_download,
            engine="producer",
            timing=_brief_timing,
            result=_exported,
            ack=plain_ack,
        ),
        "riffusion/create": by_task_type(
            {name: _riffusion(name) for name in validation_producer.RIFFUSION_TASKS}
        ),
        "riffusion/upload": Operation(
            name="riffusion.upload",
            price=2,
            check=body_check(validation_clips.check_upload),
            answer=_upload,
        ),
    }
)
