"""Sonic operations that make songs: create, upload and make, sample, mashup, section, batch."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random
from types import MappingProxyType

from musicapi_nb.simulator import song_edits
from musicapi_nb.simulator import validation_sonic as checks
from musicapi_nb.simulator.catalog import (
    Call,
    Check,
    DrawTiming,
    MakeSongs,
    Operation,
    Table,
    by_task_type,
)
from musicapi_nb.simulator.replies import steps_ack
from musicapi_nb.simulator.songs import Brief, sonic_songs, uploaded_song
from musicapi_nb.simulator.tasks import Song, Timing, paired_timing, sonic_timing
from musicapi_nb.simulator.validation_rules import Body


def _create(call: Call) -> tuple[Song, ...]:
    return sonic_songs(call.brief(call.song("continue_clip_id")))


def _create_with_persona(call: Call) -> tuple[Song, ...]:
    persona_tags = call.catalog.personas.get(str(call.body["persona_id"]), "")
    return sonic_songs(call.brief()._replace(persona_tags=persona_tags))


def _concat(call: Call) -> tuple[Song, ...]:
    extension = call.source("continue_clip_id")
    source = call.catalog.song(extension.details.get("parent"), call.key)
    cut = float(extension.details.get("continue_at", 0))
    cut = min(cut, source.duration if source else 0.0)
    details = {"parent": extension.song_id}
    return (song_edits.join(extension, source, cut, f"{call.seed}/0", details),)


def _remaster(call: Call) -> tuple[Song, ...]:
    source = call.source("continue_clip_id")
    return song_edits.remaster(call.brief(), source, call.options.remaster_clips)


def _upload_and_create(call: Call) -> tuple[Song, ...]:
    source = uploaded_song(str(call.body["url"]), f"{call.seed}/upload")
    call.catalog.add(source, call.key)
    brief = call.brief(source)
    songs = sonic_songs(brief)
    return (
        song_edits.add_joined_songs(brief, source, songs) if call.body.get("auto_concat") else songs
    )


def _upload_timing(submitted: float, songs: int, rng: Random) -> Timing:
    paired = songs > 2  # noqa: PLR2004 - a create makes two
    return (paired_timing if paired else sonic_timing)(submitted, songs, rng)


def _sample(call: Call) -> tuple[Song, ...]:
    return sonic_songs(call.brief(call.song("sample_clip_id")))


def _mashup(call: Call) -> tuple[Song, ...]:
    calls = (replace(call, body={"clip_id": clip_id}) for clip_id in call.body["mashup_clip_ids"])
    first, second = (single.source("clip_id") for single in calls)
    return song_edits.mashup(call.brief(), first, second)


def _edit(edit: Callable[[Brief, Song], tuple[Song, ...]], source_field: str) -> MakeSongs:
    return lambda call: edit(call.brief(), call.source(source_field))


def _songs(
    name: str, price: int, check: Check, make: MakeSongs, timing: DrawTiming = sonic_timing
) -> Operation:
    return Operation(f"sonic.{name}", price, check, "sonic", make, timing)


def _upload_songs(name: str, check: Check, step: str) -> Operation:
    operation = _songs(name, 17, check, _upload_and_create, _upload_timing)
    return replace(operation, steps=("upload", step), ack=steps_ack("upload", step))


_MAKERS: dict[str, MakeSongs] = {
    "extend_music": _create,
    "cover_music": _create,
    "persona_music": _create_with_persona,
    "extend_upload_music": _create,
    "cover_upload_music": _create,
    "remaster": _remaster,
    "add_vocals": _edit(song_edits.with_vocals, "continue_clip_id"),
    "add_instrumental": _edit(song_edits.with_instruments, "continue_clip_id"),
}
# Prices: service.md 14, the newest known (2026-10-07).
_CREATES = {name: _songs(name, 15, checks.check_create, make) for name, make in _MAKERS.items()} | {
    "create_music": _songs("create_music", 20, checks.check_create, _create),
    "concat_music": _songs(
        "concat_music", 2, checks.check_create, _concat, partial(sonic_timing, median=30.0)
    ),
}
_BATCH = Operation("sonic.batch", 0, checks.check_batch, "sonic", items_path="sonic/create")
_REPLACE_SECTION = _edit(song_edits.replace_section, "clip_id")
_SAMPLE = _songs("sample", 15, checks.check_sample, _sample)
_UPLOAD_SAMPLE = _upload_songs("sample", checks.check_sample, "sample")


def _either_sample(body: Body) -> Operation:
    return _UPLOAD_SAMPLE if body.get("url") else _SAMPLE


# Prices beside create and concat are not public: assumed as for a create that builds on a clip,
# plus an upload where a file is uploaded.
SONIC: Table = MappingProxyType(
    {
        "sonic/create": by_task_type(_CREATES),
        "sonic/upload-extend": _upload_songs("upload_extend", checks.check_upload, "extend"),
        "sonic/upload-cover": _upload_songs("upload_cover", checks.check_upload, "cover"),
        "sonic/sample": _either_sample,
        "sonic/mashup": _songs("mashup", 15, checks.check_mashup, _mashup),
        "sonic/replace-section": _songs(
            "replace_section", 15, checks.check_section, _REPLACE_SECTION
        ),
        "sonic/batch": _BATCH,
    }
)
