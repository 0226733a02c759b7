"""What producer and its forerunner riffusion refuse (service.md 9, 10, 19). Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from musicapi_nb.simulator.validation import (
    Body,
    either,
    fraction,
    invalid,
    moderated,
    number,
    one_of,
    required,
    seconds,
    shorter,
    span,
    typed,
)
from musicapi_nb.simulator.validation_clips import clip

PRODUCER_MODELS = (
    "FUZZ-2.0",
    "FUZZ-2.0 Pro",
    "FUZZ-2.0 Raw",
    "FUZZ-1.1 Pro",
    "FUZZ-1.1",
    "FUZZ-1.0 Pro",
    "FUZZ-1.0",
    "FUZZ-0.8",
)
RIFFUSION_MODELS = ("FUZZ-1.1 Pro", "FUZZ-1.0 Pro", "FUZZ-1.1", "FUZZ-1.0")
TITLE_LIMIT = 80
LENGTH = (1, 240)
RIFFUSION_LYRICS_LIMIT = 3000
RIFFUSION_TEXT_LIMIT = 200

_SECTION = ("clip_id", "starts_at", "ends_at")
PRODUCER_TASKS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "create_music": (),
        "extend_music": ("clip_id",),
        "extend_upload_music": ("clip_id",),
        "replace_music": _SECTION,
        "replace_upload_music": _SECTION,
        "cover_music": ("clip_id",),
        "music_variation": ("clip_id",),
        "swap_music_vocals": ("clip_id",),
        "swap_music_sound": ("clip_id",),
    }
)
"""What each ``task_type`` needs; which of them are still offered says ``ReplyOptions.retired``."""
_CONTINUED, _REPLACED = (
    ("continue_clip_id", "continue_at"),
    ("continue_clip_id", "replace_start_time", "replace_end_time"),
)
RIFFUSION_TASKS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "create_music": (),
        "extend_music": _CONTINUED,
        "extend_upload_music": _CONTINUED,
        "cover_music": _CONTINUED[:1],
        "cover_upload_music": _CONTINUED[:1],
        "replace_music": _REPLACED,
        "replace_upload_music": _REPLACED,
        "swap_music_sound": _CONTINUED[:1],
        "swap_upload_music_sound": _CONTINUED[:1],
        "swap_music_vocals": _CONTINUED[:1],
        "swap_upload_music_vocals": _CONTINUED[:1],
    }
)
UPLOAD_TASKS = frozenset(name for name in (*PRODUCER_TASKS, *RIFFUSION_TASKS) if "upload" in name)
"""What is asked in place of a task of almost the same name where the clip was uploaded."""


def producer(body: Body) -> None:
    """Check a body for /producer/create."""
    task_type = _task_type(body, PRODUCER_TASKS)
    typed(body, ("sound", "lyrics", "title", "clip_id", "instruction", "cover_url"), str, "string")
    typed(body, ("make_instrumental",), bool, "boolean")
    one_of(body, "mv", PRODUCER_MODELS)
    required(body, PRODUCER_TASKS[task_type], task_type)
    if task_type == "create_music" and not body.get("sound") and not body.get("lyrics"):
        raise invalid("At least one of 'sound' and 'lyrics' is required.")
    shorter(body.get("title") or "", TITLE_LIMIT, "title")
    for name, low in (
        ("lyrics_strength", 0.0),
        ("weirdness", 0.0),
        ("sound_strength", 0.2),
        ("cover_strength", 0.2),
    ):
        _share(body, name, low)
    span(body, "starts_at", "ends_at")
    seconds(body, "extend_s")
    low, high = LENGTH
    length = body.get("length")
    if length is not None and (type(length) is not int or not low <= length <= high):
        raise invalid(f"The 'length' field should be an integer from {low} to {high}.")
    if type(body.get("seed", "")) not in (int, str):
        raise invalid("The 'seed' field should be an integer or a string.")
    moderated(body.get("lyrics") or None, body.get("sound"))


def producer_download(body: Body) -> None:
    """Check a body for /producer/download."""
    clip(body)
    one_of(body, "format", ("mp3", "wav"))


def riffusion(body: Body) -> None:
    """Check a body for /riffusion/create."""
    task_type = _task_type(body, RIFFUSION_TASKS)
    typed(body, ("custom_mode", "make_instrumental"), bool, "boolean")
    typed(body, ("lyrics", "prompt", "sound", "title", "continue_clip_id"), str, "string")
    one_of(body, "mv", RIFFUSION_MODELS)
    required(body, RIFFUSION_TASKS[task_type], task_type)
    if task_type == "create_music":
        _riffusion_words(body)
    fraction(body, "vocal_variation")
    seconds(body, "continue_at")
    span(body, "replace_start_time", "replace_end_time")
    shorter(body.get("lyrics") or "", RIFFUSION_LYRICS_LIMIT + 1, "lyrics")
    for name in ("prompt", "sound"):
        shorter(body.get(name) or "", RIFFUSION_TEXT_LIMIT + 1, name)
    moderated(body.get("lyrics") or None, body.get("prompt"))


def _riffusion_words(body: Body) -> None:
    custom = body.get("custom_mode")
    if not isinstance(custom, bool):
        raise invalid("The 'custom_mode' field should be boolean.")
    if not custom:
        required(body, ("prompt",), None)
    elif not body.get("lyrics") and not body.get("sound"):
        raise invalid("At least one of 'lyrics' and 'sound' is required when custom_mode = true.")


def _task_type(body: Body, tasks: Mapping[str, Any]) -> str:
    task_type = body.get("task_type", "create_music")
    if not isinstance(task_type, str) or task_type not in tasks:
        raise invalid(f"The 'task_type' field is invalid. It should be {either(tuple(tasks))}.")
    return task_type


def _share(body: Body, name: str, low: float) -> None:
    value = body.get(name)
    if value is not None and (not number(value) or not low <= value <= 1):
        raise invalid(f"The '{name}' field should be a number from {low:g} to 1.")
