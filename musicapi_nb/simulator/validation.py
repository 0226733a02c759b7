"""What the service refuses before anything is charged, in its own words where these are known.

Sources: service.md 3 (fields, limits, models), 5 to 8 (other endpoints), 13 (wordings). Where no
wording is public, the message follows the pattern of a documented one. A limit that is worded "less
than" is taken at its word: a text of exactly that length is refused.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

Body = Mapping[str, Any]

SONIC_MODELS: tuple[str, ...] = (
    "sonic-v3-5", "sonic-v4", "sonic-v4-5", "sonic-v4-5-plus", "sonic-v5", "sonic-v5-5",
    "sonic-v6", "sonic-v6-wild", "sonic-v6-mini",
)  # fmt: skip
_SMALL_MODELS = frozenset(("sonic-v3-5", "sonic-v4"))
SONIC_TASK_TYPES: tuple[str, ...] = (
    "create_music", "extend_music", "concat_music", "cover_music", "persona_music",
    "extend_upload_music", "cover_upload_music",
)  # fmt: skip

TITLE_LIMIT = 80
DESCRIPTION_LIMIT = 400
LYRICS_DESCRIPTION_LIMIT = 120
PERSONA_NAME_LIMIT = 80
PERSONA_DESCRIPTION_LIMIT = 200
PERSONA_STYLES_LIMIT = 2000
WEBHOOK_LIMIT = 1024
SONIC_SECONDS = (10, 360)

REFUSALS: Mapping[str, str] = {
    "lyrics_format": "The lyrics format is invalid. Please check and try again.",
    "copyrighted": (
        "The lyrics contain copyrighted content: 'simulated'. Please use original lyrics."
    ),
    "inappropriate": "The lyrics contain inappropriate content: 'simulated'.",
    "review": "The song description needs moderation review.",
}
"""Documented 403s about content, by the reason that calls them up."""

REFUSED_PHRASES: Mapping[str, str] = {f"simulate {reason}": reason for reason in REFUSALS}
"""Lyrics or a description that contain one of these are refused for that reason."""

OUT_OF_CREDITS = (
    "The remaining credits are not enough. You can buy more one-time credit packs or subscribe."
)
QUEUE_FULL = "queue is full"
NO_SUBSCRIPTION = (
    "You do not have an active subscription. Please check whether your renewal was successful."
)


class Refusal(Exception):
    """An answer of the service other than success; nothing is charged."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message


def invalid(message: str) -> Refusal:
    """Give the 400 of a request that breaks a rule."""
    return Refusal(400, "validation_error", message)


def forbidden(message: str) -> Refusal:
    """Give the 403 of a request that is refused for its content or its credits."""
    return Refusal(403, "forbidden", message)


def sonic_create(body: Body) -> None:
    """Check a body for /sonic/create, whatever its ``task_type``."""
    task_type = body.get("task_type", "create_music")
    if task_type not in SONIC_TASK_TYPES:
        raise invalid(
            f"The 'task_type' field is invalid. It should be {_either(SONIC_TASK_TYPES)}."
        )
    _types(body)
    if task_type == "concat_music":
        if "duration" in body:
            raise invalid("The 'duration' field is not supported when task_type = concat_music.")
        _required(body, ("continue_clip_id",), task_type)
        return
    if not isinstance(body.get("custom_mode"), bool):
        raise invalid("The 'custom_mode' field should be boolean.")
    model = sonic_model(body)
    if task_type == "persona_music":
        _required(body, ("persona_id",), task_type)
    elif task_type in ("extend_music", "extend_upload_music"):
        _required(body, ("continue_clip_id", "continue_at"), task_type)
    elif task_type in ("cover_music", "cover_upload_music"):
        _required(body, ("continue_clip_id",), task_type)
    _sonic_mode(body, task_type)
    _sonic_limits(body, model)
    _moderated(lyrics_of(body), body.get("gpt_description_prompt"))


def sonic_model(body: Body) -> str:
    """Give the model asked for, in the spelling of this host; ``chirp-*`` is an alias."""
    asked = body.get("mv")
    model = asked.replace("chirp-", "sonic-", 1) if isinstance(asked, str) else ""
    if model not in SONIC_MODELS:
        allowed = _either(SONIC_MODELS)
        raise invalid(f"The 'mv' field is invalid. The model should be {allowed}.")
    return model


def lyrics_of(body: Body) -> str | None:
    """Give the lyrics of a custom sonic request; ``prompt`` wins over its alias ``lyrics``."""
    text = body.get("prompt") or body.get("lyrics")
    return text if isinstance(text, str) else None


def lyrics(body: Body) -> None:
    """Check a body for /sonic/lyrics."""
    description = body.get("description")
    if not isinstance(description, str) or not description.strip():
        raise invalid("description is required.")
    _shorter(description, LYRICS_DESCRIPTION_LIMIT, "description")
    _moderated(None, description)


def persona(body: Body) -> None:
    """Check a body for /sonic/persona, in its older or newer spelling."""
    name, clip = body.get("name"), body.get("clip_id", body.get("continue_clip_id"))
    if not (isinstance(name, str) and name.strip() and isinstance(clip, str) and clip):
        raise invalid("name and continue_clip_id are required fields.")
    _shorter(name, PERSONA_NAME_LIMIT, "name")
    _shorter(str(body.get("description") or ""), PERSONA_DESCRIPTION_LIMIT, "description")
    if len(str(body.get("styles") or "")) > PERSONA_STYLES_LIMIT:
        raise invalid(f"The styles character length should be at most {PERSONA_STYLES_LIMIT}.")


def upload(body: Body) -> None:
    """Check a body for /sonic/upload. Hosts below ``.invalid`` count as not reachable."""
    url = body.get("url")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise invalid("The 'url' field should be a URL.")
    host = url.split("/")[2].rsplit("@", 1)[-1].split(":")[0]
    if not host or host.endswith(".invalid"):
        raise invalid("The audio URL is not reachable.")


def studio(body: Body, *, defaults: bool) -> None:
    """Check a body for /studio/create; ``defaults`` lets numbers, model and config be left out."""
    prompt = body.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise invalid("The 'prompt' field is required.")
    kinds = ("user", "generate", "instrumental")
    if body.get("lyrics_type") not in kinds:
        raise invalid(f"The 'lyrics_type' field is invalid. It should be {_either(kinds)}.")
    if body["lyrics_type"] == "user" and not str(body.get("lyrics") or "").strip():
        raise invalid("The 'lyrics' field is required when lyrics_type = user.")
    shares = ("prompt_strength", "clarity_strength", "lyrics_strength", "generation_quality")
    if not defaults:
        _required(body, (*shares, "model_type", "config"), None)
    places = ("song_section_start", "song_section_end", "lyrics_placement_start")
    for name in (*shares, *places, "lyrics_placement_end"):
        _fraction(body, name)
    models = ("studio32-v1.5", "studio130-v1.5")
    if "model_type" in body and body["model_type"] not in models:
        raise invalid(f"The 'model_type' field is invalid. It should be {_either(models)}.")
    if "seed" in body and (isinstance(body["seed"], bool) or not isinstance(body["seed"], int)):
        raise invalid("The 'seed' field should be an integer.")
    _studio_config(body.get("config", {"mode": "regular"}))
    _moderated(body.get("lyrics") if body["lyrics_type"] == "user" else None, prompt)


def _studio_config(config: Any) -> None:
    modes = ("regular", "continuation", "precede")
    if not isinstance(config, Mapping) or config.get("mode") not in modes:
        raise invalid(f"The 'config.mode' field is invalid. It should be {_either(modes)}.")
    if config["mode"] != "regular":
        source = config.get("source")
        if not isinstance(source, Mapping) or not source.get("song_id"):
            raise invalid("The 'config.source.song_id' field is required to extend a song.")


def _types(body: Body) -> None:
    for name in ("make_instrumental", "custom_mode", "auto_lyrics", "use_suno_cdn"):
        if body.get(name) is not None and not isinstance(body[name], bool):
            raise invalid(f"The '{name}' field should be boolean.")
    texts = ("prompt", "lyrics", "gpt_description_prompt", "title", "tags", "negative_tags")
    for name in (*texts, "continue_clip_id", "persona_id", "webhook_secret"):
        if body.get(name) is not None and not isinstance(body[name], str):
            raise invalid(f"The '{name}' field should be string.")
    for name in ("style_weight", "weirdness_constraint", "audio_weight"):
        _fraction(body, name)
    if body.get("vocal_gender") not in (None, "f", "m"):
        raise invalid("The 'vocal_gender' field is invalid. It should be 'f' or 'm'.")
    at = body.get("continue_at")
    if at is not None and (not _number(at) or at < 0):
        raise invalid("The 'continue_at' field should be a number of seconds.")
    length = body.get("duration")
    low, high = SONIC_SECONDS
    if length is not None and (type(length) is not int or not low <= length <= high):
        raise invalid(f"The 'duration' field should be an integer from {low} to {high}.")


def _sonic_mode(body: Body, task_type: str) -> None:
    if body.get("auto_lyrics") and not body["custom_mode"]:
        raise invalid("The 'auto_lyrics' field requires custom_mode = true.")
    if task_type != "create_music":
        return  # the newer pages ask only for the clip or persona, custom_mode and mv
    if body["custom_mode"] and not lyrics_of(body) and not body.get("make_instrumental"):
        raise invalid("The 'prompt' field is required when custom_mode = true.")
    if not body["custom_mode"] and not body.get("gpt_description_prompt"):
        raise invalid("The 'gpt_description_prompt' field is required when custom_mode = false.")


def _sonic_limits(body: Body, model: str) -> None:
    small = model in _SMALL_MODELS
    _shorter(lyrics_of(body) or "", 3000 if small else 5000, "prompt")
    described = body.get("gpt_description_prompt") or ""
    _shorter(described, DESCRIPTION_LIMIT, "'gpt_description_prompt'")
    _shorter(body.get("tags") or "", 200 if small else 1000, "tags")
    _shorter(body.get("title") or "", TITLE_LIMIT, "title")


def _moderated(words: str | None, description: str | None) -> None:
    if words is not None and not any(character.isalpha() for character in words):
        raise forbidden(REFUSALS["lyrics_format"])
    text = f"{words or ''}\n{description or ''}".lower()
    for phrase, reason in REFUSED_PHRASES.items():
        if phrase in text:
            raise forbidden(REFUSALS[reason])


def _required(body: Body, names: Sequence[str], task_type: str | None) -> None:
    when = f" when task_type = {task_type}" if task_type else ""
    for name in names:
        if body.get(name) in (None, ""):
            raise invalid(f"The '{name}' field is required{when}.")


def _shorter(text: str, limit: int, name: str) -> None:
    if len(text) >= limit:
        raise invalid(f"The {name} character length should be less than {limit}.")


def _fraction(body: Body, name: str) -> None:
    value = body.get(name)
    if value is not None and (not _number(value) or not 0 <= value <= 1):
        raise invalid(f"The '{name}' field should be a number from 0 to 1.")


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _either(words: Sequence[str]) -> str:
    *most, last = (f"'{word}'" for word in words)
    return f"{', '.join(most)} or {last}"


def only_chinese_or_english(text: str) -> bool:
    """Whether most letters of a text are Latin or Chinese: nuro sings nothing else."""
    letters = [character for character in text if character.isalpha()]
    own = sum(unicodedata.name(letter, "").startswith(("LATIN", "CJK")) for letter in letters)
    return 2 * own >= len(letters)
