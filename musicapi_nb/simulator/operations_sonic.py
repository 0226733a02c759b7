"""Sonic's ways of making songs: create, upload and make in one, sample, mashup, section, batch."""

from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType

from musicapi_nb.simulator import song_edits, validation_sonic
from musicapi_nb.simulator.catalog import (
    Call,
    Catalog,
    Operation,
    Table,
    Timer,
    brief,
    by_task_type,
    only_body,
    owned,
)
from musicapi_nb.simulator.replies import steps_ack
from musicapi_nb.simulator.songs import made_up, sonic_songs, uploaded
from musicapi_nb.simulator.tasks import Song, Timing, paired_timing, sonic_timing
from musicapi_nb.simulator.validation import Body, invalid

Sing = Callable[[Call], tuple[Song, ...]]


def _check_create(body: Body, catalog: Catalog, key: str) -> None:
    validation_sonic.create(body, catalog.options)
    task_type = str(body.get("task_type", "create_music"))
    if task_type == "create_music" or catalog.options.unknown_clip == "accept":
        return
    if task_type == "persona_music":
        if catalog.owners.get(str(body["persona_id"])) != key:
            raise invalid("The 'persona_id' field is invalid.")
        return
    clip = owned(body, "continue_clip_id", catalog, key)
    sent_up = clip is not None and clip.details.get("uploaded")
    if task_type in ("extend_music", "cover_music") and sent_up:
        own = task_type.replace("_music", "_upload_music")
        raise invalid(f"The task_type should be '{own}' for an uploaded clip.")
    if task_type == "concat_music" and clip is not None and "continue_at" not in clip.details:
        raise invalid("The 'continue_clip_id' field should be an extended clip.")
    if "overpainting_start_s" in body and not sent_up and catalog.options.unfit == "refuse":
        raise invalid("The 'overpainting_start_s' field needs an uploaded clip.")


def _check_uploaded(body: Body, catalog: Catalog, _key: str) -> None:
    validation_sonic.upload_and_make(body, catalog.options)


def _check_sample(body: Body, catalog: Catalog, key: str) -> None:
    validation_sonic.sample(body, catalog.options)
    if "sample_clip_id" in body:
        owned(body, "sample_clip_id", catalog, key)


def _check_mashup(body: Body, catalog: Catalog, key: str) -> None:
    validation_sonic.mashup(body, catalog.options)
    for clip in body["mashup_clip_ids"]:
        if catalog.options.unknown_clip == "refuse" and catalog.song(clip, key) is None:
            raise invalid("The 'mashup_clip_ids' field is invalid.")


def _check_section(body: Body, catalog: Catalog, key: str) -> None:
    validation_sonic.replace_section(body, catalog.options)
    clip = owned(body, "clip_id", catalog, key)
    if clip is not None and body["infill_start_s"] >= clip.duration:
        raise invalid("The 'infill_start_s' field should lie within the song.")


def _sing(call: Call) -> tuple[Song, ...]:
    return sonic_songs(brief(call, call.song("continue_clip_id")))


def _sing_persona(call: Call) -> tuple[Song, ...]:
    style = call.catalog.personas.get(str(call.body["persona_id"]), "")
    return sonic_songs(brief(call)._replace(style=style))


def _sing_concat(call: Call) -> tuple[Song, ...]:
    extension = call.song("continue_clip_id")
    if extension is None:  # only where ReplyOptions.unknown_clip accepts ids that nobody made
        return sonic_songs(made_up(brief(call)), 1)
    first = call.catalog.song(extension.details.get("parent"), call.key)
    kept = min(float(extension.details.get("continue_at", 0)), first.duration if first else 0.0)
    lineage = {"parent": extension.song_id}
    return (song_edits.join(extension, first, kept, f"{call.seed}/0", lineage),)


def _sing_remaster(call: Call) -> tuple[Song, ...]:
    source = call.song("continue_clip_id")
    return song_edits.remastered(brief(call, source), call.catalog.options.remaster_clips)


def _sing_with_vocals(call: Call) -> tuple[Song, ...]:
    return song_edits.with_vocals(brief(call, call.song("continue_clip_id")))


def _sing_with_instruments(call: Call) -> tuple[Song, ...]:
    return song_edits.with_instruments(brief(call, call.song("continue_clip_id")))


def _sing_uploaded(call: Call) -> tuple[Song, ...]:
    source = uploaded(str(call.body["url"]), f"{call.seed}/upload")
    call.catalog.keep(source, call.key)
    asked = brief(call, source)
    made = sonic_songs(asked)
    return song_edits.paired(asked, made) if call.body.get("auto_concat") else made


def _time_uploaded(submitted: float, songs: int, rng: Random) -> Timing:
    paired = songs > 2  # noqa: PLR2004 - a create is of two
    return (paired_timing if paired else sonic_timing)(submitted, songs, rng)


def _sing_sample(call: Call) -> tuple[Song, ...]:
    return sonic_songs(brief(call, call.song("sample_clip_id")))


def _sing_mashup(call: Call) -> tuple[Song, ...]:
    first, second = (call.catalog.song(each, call.key) for each in call.body["mashup_clip_ids"])
    return song_edits.mashed(brief(call, first), second)


def _sing_section(call: Call) -> tuple[Song, ...]:
    return song_edits.section_replaced(brief(call, call.song("clip_id")))


def _time_concat(submitted: float, songs: int, rng: Random) -> Timing:
    return sonic_timing(submitted, songs, rng, median=30.0)


def _create(task_type: str, sing: Sing, price: int, timer: Timer = sonic_timing) -> Operation:
    return Operation(f"sonic.{task_type}", price, _check_create, "sonic", sing, timer)


def _made(
    name: str, price: int, check: Callable[[Body, Catalog, str], None], sing: Sing
) -> Operation:
    return Operation(f"sonic.{name}", price, check, "sonic", sing, sonic_timing)


def _stepped(name: str, check: Callable[[Body, Catalog, str], None], last: str) -> Operation:
    steps = ("upload", last)
    return Operation(
        f"sonic.{name}",
        17,
        check,
        "sonic",
        _sing_uploaded,
        _time_uploaded,
        steps=steps,
        ack=steps_ack(*steps),
    )


CREATES: Mapping[str, Operation] = MappingProxyType(
    {
        "create_music": _create("create_music", _sing, 20),
        "extend_music": _create("extend_music", _sing, 15),
        "cover_music": _create("cover_music", _sing, 15),
        "persona_music": _create("persona_music", _sing_persona, 15),
        "extend_upload_music": _create("extend_upload_music", _sing, 15),
        "cover_upload_music": _create("cover_upload_music", _sing, 15),
        "concat_music": _create("concat_music", _sing_concat, 2, _time_concat),
        "remaster": _create("remaster", _sing_remaster, 15),
        "add_vocals": _create("add_vocals", _sing_with_vocals, 15),
        "add_instrumental": _create("add_instrumental", _sing_with_instruments, 15),
    }
)
"""By ``task_type``. Prices: service.md 14, the newest seen (2026-10-07)."""

_SAMPLE = _made("sample", 15, _check_sample, _sing_sample)
_SAMPLE_URL = _stepped("sample", _check_sample, "sample")


def _sample(body: Body) -> Operation:
    return _SAMPLE_URL if body.get("url") else _SAMPLE


# Nobody states what these cost: they are priced as a create that builds on a clip, and where they
# upload, as an upload besides.
SONGS: Table = MappingProxyType(
    {
        "sonic/create": by_task_type(CREATES),
        "sonic/upload-extend": _stepped("upload_extend", _check_uploaded, "extend"),
        "sonic/upload-cover": _stepped("upload_cover", _check_uploaded, "cover"),
        "sonic/sample": _sample,
        "sonic/mashup": _made("mashup", 15, _check_mashup, _sing_mashup),
        "sonic/replace-section": _made("replace_section", 15, _check_section, _sing_section),
        "sonic/batch": Operation(
            "sonic.batch", 0, only_body(validation_sonic.batch), "sonic", each="sonic/create"
        ),
    }
)
