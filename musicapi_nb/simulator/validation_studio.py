"""What studio refuses (service.md 6)."""

from collections.abc import Mapping
from typing import Any

from musicapi_nb.simulator.validation import Body, either, fraction, invalid, moderated, required


def studio(body: Body, *, defaults: bool) -> None:
    """Check a body for /studio/create; ``defaults`` lets numbers, model and config be left out."""
    prompt = body.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise invalid("The 'prompt' field is required.")
    kinds = ("user", "generate", "instrumental")
    if body.get("lyrics_type") not in kinds:
        raise invalid(f"The 'lyrics_type' field is invalid. It should be {either(kinds)}.")
    if body["lyrics_type"] == "user" and not str(body.get("lyrics") or "").strip():
        raise invalid("The 'lyrics' field is required when lyrics_type = user.")
    shares = ("prompt_strength", "clarity_strength", "lyrics_strength", "generation_quality")
    if not defaults:
        required(body, (*shares, "model_type", "config"), None)
    places = ("song_section_start", "song_section_end", "lyrics_placement_start")
    for name in (*shares, *places, "lyrics_placement_end"):
        fraction(body, name)
    models = ("studio32-v1.5", "studio130-v1.5")
    if "model_type" in body and body["model_type"] not in models:
        raise invalid(f"The 'model_type' field is invalid. It should be {either(models)}.")
    if "seed" in body and (isinstance(body["seed"], bool) or not isinstance(body["seed"], int)):
        raise invalid("The 'seed' field should be an integer.")
    _studio_config(body.get("config", {"mode": "regular"}))
    moderated(body.get("lyrics") if body["lyrics_type"] == "user" else None, prompt)


def _studio_config(config: Any) -> None:
    modes = ("regular", "continuation", "precede")
    if not isinstance(config, Mapping) or config.get("mode") not in modes:
        raise invalid(f"The 'config.mode' field is invalid. It should be {either(modes)}.")
    if config["mode"] != "regular":
        source = config.get("source")
        if not isinstance(source, Mapping) or not source.get("song_id"):
            raise invalid("The 'config.source.song_id' field is required to extend a song.")
