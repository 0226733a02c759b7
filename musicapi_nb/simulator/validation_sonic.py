"""What sonic's song making refuses (service.md 3, 5, 19): create and its kin. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from musicapi_nb.simulator.reply_options import ReplyOptions
from musicapi_nb.simulator.validation import (
    Body,
    address,
    either,
    fraction,
    invalid,
    moderated,
    one_of,
    required,
    seconds,
    shorter,
    span,
    typed,
)

SONIC_MODELS: tuple[str, ...] = (
    "sonic-v3-5",
    "sonic-v4",
    "sonic-v4-5",
    "sonic-v4-5-plus",
    "sonic-v5",
    "sonic-v5-5",
    "sonic-v6",
    "sonic-v6-wild",
    "sonic-v6-mini",
)
_SMALL_MODELS = frozenset(("sonic-v3-5", "sonic-v4"))
_ALL = (*SONIC_MODELS, "sonic-v4-5-all")
_OVERPAINTING = ("sonic-v4-5-plus", "sonic-v5")

TITLE_LIMIT = 80
DESCRIPTION_LIMIT = 400
SONIC_SECONDS = (10, 360)
BATCH_MOST = 10


class Rule(NamedTuple):
    """What one way of making a song needs and takes."""

    needs: tuple[str, ...] = ()
    models: tuple[str, ...] = SONIC_MODELS
    """None at all: the way knows no model."""
    modes: bool = True
    """Whether ``custom_mode`` has to be said."""
    words: bool = False
    """Whether there have to be lyrics or a description, as the mode wants it."""
    duration: bool = False


_CLIP = ("continue_clip_id",)
_EXTEND = Rule(("continue_clip_id", "continue_at"), duration=True)
_COVER = Rule(_CLIP, duration=True)
TASK_TYPES: Mapping[str, Rule] = MappingProxyType(
    {
        "create_music": Rule(words=True, duration=True),
        "extend_music": _EXTEND,
        "concat_music": Rule(_CLIP, (), modes=False),
        "cover_music": _COVER,
        "persona_music": Rule(("persona_id",), duration=True),
        "extend_upload_music": _EXTEND,
        "cover_upload_music": _COVER,
        "remaster": Rule(_CLIP, ("sonic-v4", "sonic-v4-5-plus", "sonic-v5"), modes=False),
        "add_vocals": Rule(_CLIP, modes=False),
        "add_instrumental": Rule(_CLIP, modes=False),
    }
)
_UPLOAD = Rule(("url",), duration=True)
_SAMPLE = Rule(("chop_sample_start_s", "chop_sample_end_s", "make_instrumental"), _ALL)
_MASHUP = Rule(("mashup_clip_ids",), _ALL)
_REPLACE = Rule(("clip_id", "infill_start_s", "infill_end_s"), SONIC_MODELS[1:], modes=False)


def create(body: Body, options: ReplyOptions) -> None:
    """Check a body for /sonic/create, whatever its ``task_type``."""
    task_type = body.get("task_type", "create_music")
    rule = TASK_TYPES.get(task_type) if isinstance(task_type, str) else None
    if rule is None:
        allowed = either(tuple(TASK_TYPES))
        raise invalid(f"The 'task_type' field is invalid. It should be {allowed}.")
    _made(body, rule, options, task_type)


def upload_and_make(body: Body, options: ReplyOptions) -> None:
    """Check a body for /sonic/upload-extend or /sonic/upload-cover."""
    _made(body, _UPLOAD, options)


def sample(body: Body, options: ReplyOptions) -> None:
    """Check a body for /sonic/sample: a part of a file or of a clip, not of both."""
    if bool(body.get("url")) == bool(body.get("sample_clip_id")):
        raise invalid("Exactly one of 'url' and 'sample_clip_id' is required.")
    _made(body, _SAMPLE, options)


def mashup(body: Body, options: ReplyOptions) -> None:
    """Check a body for /sonic/mashup."""
    clips = body.get("mashup_clip_ids")
    strange = not isinstance(clips, list) or not all(isinstance(each, str) for each in clips)
    if strange or len(clips) != 2:  # type: ignore[arg-type] # noqa: PLR2004 - a mashup is of two
        raise invalid("The 'mashup_clip_ids' field should hold exactly two clip ids.")
    _made(body, _MASHUP, options)


def replace_section(body: Body, options: ReplyOptions) -> None:
    """Check a body for /sonic/replace-section."""
    _made(body, _REPLACE, options)


def batch(body: Body) -> None:
    """Check a body for /sonic/batch; its items are checked one by one when they are carried out."""
    items = body.get("items")
    if not isinstance(items, list) or not 1 <= len(items) <= BATCH_MOST:
        raise invalid(f"The 'items' field should hold 1 to {BATCH_MOST} requests.")


def lyrics_of(body: Body) -> str | None:
    """Give the lyrics of a custom sonic request; ``prompt`` wins over its alias ``lyrics``."""
    text = body.get("prompt") or body.get("lyrics")
    return text if isinstance(text, str) else None


def _made(body: Body, rule: Rule, options: ReplyOptions, task_type: str | None = None) -> None:
    _types(body)
    when = f" when task_type = {task_type}" if task_type else ""
    if "duration" in body and not rule.duration:
        raise invalid(f"The 'duration' field is not supported{when}.")
    if options.use_suno_cdn == "required":
        required(body, ("use_suno_cdn",), None)
    if rule.modes and not isinstance(body.get("custom_mode"), bool):
        raise invalid("The 'custom_mode' field should be boolean.")
    model = _model(body, rule.models) if rule.models else ""
    required(body, rule.needs, task_type)
    if "url" in body:
        _audio_url(body)
    if rule.words:
        _words(body)
    if body.get("auto_lyrics") and not body.get("custom_mode"):
        raise invalid("The 'auto_lyrics' field requires custom_mode = true.")
    if model:
        _limits(body, model)
        if options.unfit == "refuse":
            _features(body, model)
    infilled = body.get("infill_lyrics")
    moderated(lyrics_of(body) or infilled, body.get("gpt_description_prompt"))


def _audio_url(body: Body) -> None:
    # Whether the file is taken is found out in the step that uploads it.
    if not str(body["url"]).startswith(("http://", "https://")):
        address(body, "url")


def _model(body: Body, allowed: tuple[str, ...]) -> str:
    """Give the model asked for, in the spelling of this host; ``chirp-*`` is an alias."""
    asked = body.get("mv")
    model = asked.replace("chirp-", "sonic-", 1) if isinstance(asked, str) else ""
    if model not in allowed:
        raise invalid(f"The 'mv' field is invalid. The model should be {either(allowed)}.")
    return model


def _types(body: Body) -> None:
    typed(
        body,
        ("make_instrumental", "custom_mode", "auto_lyrics", "use_suno_cdn", "auto_concat"),
        bool,
        "boolean",
    )
    texts = ("prompt", "lyrics", "gpt_description_prompt", "title", "tags", "negative_tags")
    ids = ("continue_clip_id", "persona_id", "webhook_secret", "clip_id", "sample_clip_id")
    typed(body, (*texts, *ids, "infill_lyrics", "url"), str, "string")
    for name in ("style_weight", "weirdness_constraint", "audio_weight"):
        fraction(body, name)
    one_of(body, "vocal_gender", ("f", "m"))
    one_of(body, "variation_category", ("subtle", "normal", "high"))
    seconds(body, "continue_at")
    for part in ("overpainting", "chop_sample", "infill"):
        span(body, f"{part}_start_s", f"{part}_end_s")
    length = body.get("duration")
    low, high = SONIC_SECONDS
    if length is not None and (type(length) is not int or not low <= length <= high):
        raise invalid(f"The 'duration' field should be an integer from {low} to {high}.")


def _words(body: Body) -> None:
    if body["custom_mode"] and not lyrics_of(body) and not body.get("make_instrumental"):
        raise invalid("The 'prompt' field is required when custom_mode = true.")
    if not body["custom_mode"] and not body.get("gpt_description_prompt"):
        raise invalid("The 'gpt_description_prompt' field is required when custom_mode = false.")


def _limits(body: Body, model: str) -> None:
    small = model in _SMALL_MODELS
    longest = 3000 if small else 5000
    shorter(lyrics_of(body) or "", longest, "prompt")
    shorter(body.get("infill_lyrics") or "", longest, "infill_lyrics")
    described = body.get("gpt_description_prompt") or ""
    shorter(described, DESCRIPTION_LIMIT, "'gpt_description_prompt'")
    shorter(body.get("tags") or "", 200 if small else 1000, "tags")
    shorter(body.get("title") or "", TITLE_LIMIT, "title")


def _features(body: Body, model: str) -> None:
    if model in _SMALL_MODELS and body.get("vocal_gender"):
        raise invalid(f"The 'vocal_gender' field is not supported by {model}.")
    if model not in _OVERPAINTING and "overpainting_start_s" in body:
        raise invalid(f"The 'overpainting_start_s' field is not supported by {model}.")
    if body.get("variation_category") and model != "sonic-v5":
        raise invalid(f"The 'variation_category' field is not supported by {model}.")
