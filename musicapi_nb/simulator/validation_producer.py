"""Checks of producer and its forerunner riffusion (service.md 9, 10, 19). No I/O."""

from collections.abc import Mapping

from musicapi_nb.simulator import validation_rules as rules
from musicapi_nb.simulator.catalog import Call
from musicapi_nb.simulator.validation_clips import check_clip
from musicapi_nb.simulator.validation_rules import Body, invalid

RIFFUSION_MODELS = ("FUZZ-1.1 Pro", "FUZZ-1.0 Pro", "FUZZ-1.1", "FUZZ-1.0")
PRODUCER_MODELS = (
    "Lyria 3 Pro",
    "Lyria 3 preview",
    "FUZZ-3-Demo",
    "FUZZ-2.0",
    "FUZZ-2.0 Pro",
    "FUZZ-2.0 Raw",
    *RIFFUSION_MODELS,
    "FUZZ-0.8",
)
TITLE_LIMIT = 80
LENGTH = (1, 240)
RIFFUSION_LYRICS_LIMIT = 3000
RIFFUSION_TEXT_LIMIT = 200

_CLIP = ("clip_id",)
_SECTION = (*_CLIP, "starts_at", "ends_at")
PRODUCER_TASKS: Mapping[str, tuple[str, ...]] = {
    "create_music": (),
    "extend_music": _CLIP,
    "extend_upload_music": _CLIP,
    "replace_music": _SECTION,
    "replace_upload_music": _SECTION,
    "cover_music": (*_CLIP, "instruction"),
    "cover_upload_music": (*_CLIP, "instruction"),
    "music_variation": _CLIP,
    "swap_music_vocals": _CLIP,
    "swap_music_sound": _CLIP,
}
"""Each ``task_type`` and its required fields; ``ReplyOptions.retired`` has those withdrawn."""
_SOURCE = ("continue_clip_id",)
_EXTENDED = (*_SOURCE, "continue_at")
_REPLACED = (*_SOURCE, "replace_start_time", "replace_end_time")
RIFFUSION_TASKS: Mapping[str, tuple[str, ...]] = {
    "create_music": (),
    "extend_music": _EXTENDED,
    "extend_upload_music": _EXTENDED,
    "cover_music": _SOURCE,
    "cover_upload_music": _SOURCE,
    "replace_music": _REPLACED,
    "replace_upload_music": _REPLACED,
    "swap_music_sound": _SOURCE,
    "swap_upload_music_sound": _SOURCE,
    "swap_music_vocals": _SOURCE,
    "swap_upload_music_vocals": _SOURCE,
}
_UPLOAD_TASKS = frozenset(name for name in (*PRODUCER_TASKS, *RIFFUSION_TASKS) if "upload" in name)
"""Task types that replace those of almost the same name where the clip was uploaded."""
_STRENGTHS = {
    "lyrics_strength": 0.0,
    "weirdness": 0.0,
    "sound_strength": 0.2,
    "cover_strength": 0.2,
}
"""Field to its lowest value."""


def check_producer(call: Call) -> None:
    """Check a call of /producer/create."""
    body = call.body
    task_type = rules.task_type_of(body, PRODUCER_TASKS)
    rules.check_types(body, str, "sound", "lyrics", "title", "clip_id", "instruction", "cover_url")
    rules.check_types(body, bool, "make_instrumental")
    rules.check_choice(body, "mv", PRODUCER_MODELS)
    rules.check_required(body, PRODUCER_TASKS[task_type], task_type)
    if task_type == "create_music" and not body.get("sound") and not body.get("lyrics"):
        raise invalid("At least one of 'sound' and 'lyrics' is required.")
    rules.check_length(body.get("title"), TITLE_LIMIT, "title")
    for name, low in _STRENGTHS.items():
        rules.check_fraction(body, name, low)
    rules.check_range(body, "starts_at", "ends_at")
    rules.check_seconds(body, "extend_s")
    rules.check_integer(body, "length", *LENGTH)
    if type(body.get("seed", "")) not in (int, str):
        raise invalid("The 'seed' field should be an integer or a string.")
    rules.check_content(body.get("lyrics") or None, body.get("sound"))
    _check_source(call, task_type, "clip_id")


def check_download(call: Call) -> None:
    """Check a call of /producer/download."""
    check_clip(call)
    rules.check_choice(call.body, "format", ("mp3", "wav"))


def check_riffusion(call: Call) -> None:
    """Check a call of /riffusion/create."""
    body = call.body
    task_type = rules.task_type_of(body, RIFFUSION_TASKS)
    rules.check_types(body, bool, "custom_mode", "make_instrumental")
    rules.check_types(body, str, "lyrics", "prompt", "sound", "title", "continue_clip_id")
    rules.check_choice(body, "mv", RIFFUSION_MODELS)
    rules.check_required(body, RIFFUSION_TASKS[task_type], task_type)
    if task_type == "create_music":
        _check_riffusion_text(body)
    rules.check_fraction(body, "vocal_variation")
    rules.check_seconds(body, "continue_at")
    rules.check_range(body, "replace_start_time", "replace_end_time")
    rules.check_length(body.get("lyrics"), RIFFUSION_LYRICS_LIMIT + 1, "lyrics")
    for name in ("prompt", "sound"):
        rules.check_length(body.get(name), RIFFUSION_TEXT_LIMIT + 1, name)
    rules.check_content(body.get("lyrics") or None, body.get("prompt"))
    _check_source(call, task_type, "continue_clip_id")


def _check_source(call: Call, task_type: str, name: str) -> None:
    """Refuse a clip of another account, and a task type that does not take uploaded clips."""
    if task_type == "create_music":
        return
    clip = call.own_song(name)
    uploaded = clip is not None and "uploaded" in clip.details
    upload_type = task_type.replace("_music", "_upload_music", 1)
    if uploaded and "upload" not in task_type and upload_type in _UPLOAD_TASKS:
        raise invalid(f"The task_type should be '{upload_type}' for an uploaded clip.")


def _check_riffusion_text(body: Body) -> None:
    custom = body.get("custom_mode")
    if not isinstance(custom, bool):
        raise invalid("The 'custom_mode' field should be boolean.")
    if not custom:
        rules.check_required(body, ("prompt",))
    elif not body.get("lyrics") and not body.get("sound"):
        raise invalid("At least one of 'lyrics' and 'sound' is required when custom_mode = true.")
