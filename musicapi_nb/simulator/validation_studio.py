"""Checks of /studio/create (service.md 6). No I/O."""

from collections.abc import Mapping
from typing import Any

from musicapi_nb.simulator import validation_rules as rules
from musicapi_nb.simulator.catalog import Call
from musicapi_nb.simulator.tasks import Song
from musicapi_nb.simulator.validation_rules import invalid

_STRENGTHS = ("prompt_strength", "clarity_strength", "lyrics_strength", "generation_quality")
_POSITIONS = (
    "song_section_start",
    "song_section_end",
    "lyrics_placement_start",
    "lyrics_placement_end",
)


def check(call: Call) -> None:
    """Check a call of /studio/create."""
    body = call.body
    prompt = body.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise invalid("The 'prompt' field is required.")
    kind = str(body.get("lyrics_type"))
    rules.check_choice({"lyrics_type": kind}, "lyrics_type", ("user", "generate", "instrumental"))
    if kind == "user" and not str(body.get("lyrics") or "").strip():
        raise invalid("The 'lyrics' field is required when lyrics_type = user.")
    if not call.options.studio_defaults:
        rules.check_required(body, (*_STRENGTHS, "model_type", "config"))
    for name in (*_STRENGTHS, *_POSITIONS):
        rules.check_fraction(body, name)
    rules.check_choice(body, "model_type", ("studio32-v1.5", "studio130-v1.5"))
    if "seed" in body and type(body["seed"]) is not int:
        raise invalid("The 'seed' field should be an integer.")
    _check_config(body.get("config", {"mode": "regular"}))
    rules.check_content(body.get("lyrics") if kind == "user" else None, prompt)
    unknown = (body.get("config") or {}).get("source") and source_of(call) is None
    if unknown and call.options.unknown_clip == "refuse":
        raise invalid("The 'config.source.song_id' field is invalid.")


def source_of(call: Call) -> Song | None:
    """Return the song that a studio request extends."""
    source = (call.body.get("config") or {}).get("source") or {}
    return call.catalog.song(source.get("song_id"), call.key)


def _check_config(config: Any) -> None:
    mode = str(config.get("mode")) if isinstance(config, Mapping) else ""
    modes = ("regular", "continuation", "precede")
    rules.check_choice({"mode": mode}, "mode", modes, label="config.mode")
    if mode != "regular":
        source = config.get("source")
        if not isinstance(source, Mapping) or not source.get("song_id"):
            raise invalid("The 'config.source.song_id' field is required to extend a song.")
