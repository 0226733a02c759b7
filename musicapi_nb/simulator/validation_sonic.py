"""Checks of the sonic calls that make songs (service.md 3, 5, 19). No I/O."""

from collections.abc import Mapping
from typing import NamedTuple

from musicapi_nb.simulator import validation_rules as rules
from musicapi_nb.simulator.catalog import Call
from musicapi_nb.simulator.validation_rules import Body, invalid

_SMALL_MODELS = ("sonic-v3-5", "sonic-v4")
SONIC_MODELS: tuple[str, ...] = (
    *_SMALL_MODELS,
    *("sonic-v4-5", "sonic-v4-5-plus", "sonic-v5", "sonic-v5-5"),
    *("sonic-v6", "sonic-v6-wild", "sonic-v6-mini"),
)
_ALL_MODELS = (*SONIC_MODELS, "sonic-v4-5-all")
_OVERPAINTING_MODELS = ("sonic-v4-5-plus", "sonic-v5")

TITLE_LIMIT = 80
DESCRIPTION_LIMIT = 400
SONIC_SECONDS = (10, 360)
BATCH_LIMIT = 10


class TaskRule(NamedTuple):
    """What one way to make a song requires and allows.

    ``needs`` are required fields, ``models`` the allowed models (empty: it takes none),
    ``custom_mode`` says whether that field is required, ``text`` whether lyrics or a description
    are, ``duration`` whether a duration is allowed.
    """

    needs: tuple[str, ...] = ()
    models: tuple[str, ...] = SONIC_MODELS
    custom_mode: bool = True
    text: bool = False
    duration: bool = False


_CLIP = ("continue_clip_id",)
_EXTEND = TaskRule((*_CLIP, "continue_at"), duration=True)
_COVER = TaskRule(_CLIP, duration=True)
_ADD = TaskRule(_CLIP, custom_mode=False)
TASK_TYPES: Mapping[str, TaskRule] = {
    "create_music": TaskRule(text=True, duration=True),
    "extend_music": _EXTEND,
    "concat_music": TaskRule(_CLIP, (), custom_mode=False),
    "cover_music": _COVER,
    "persona_music": TaskRule(("persona_id",), duration=True),
    "extend_upload_music": _EXTEND,
    "cover_upload_music": _COVER,
    "remaster": TaskRule(
        _CLIP, ("sonic-v4", "sonic-v4-5-plus", "sonic-v5", *SONIC_MODELS[-3:]), custom_mode=False
    ),
    "add_vocals": _ADD,
    "add_instrumental": _ADD,
}
_UPLOAD = TaskRule(("url",), duration=True)
_SAMPLE = TaskRule(("chop_sample_start_s", "chop_sample_end_s", "make_instrumental"), _ALL_MODELS)
_MASHUP = TaskRule(("mashup_clip_ids",), _ALL_MODELS)
_SECTION = TaskRule(
    ("clip_id", "infill_start_s", "infill_end_s"), SONIC_MODELS[1:], custom_mode=False
)


def check_create(call: Call) -> None:
    """Check a call of /sonic/create, whatever its ``task_type``."""
    body, options = call.body, call.options
    task_type = rules.task_type_of(body, TASK_TYPES)
    _check(call, TASK_TYPES[task_type], task_type)
    if task_type == "create_music" or options.unknown_clip == "accept":
        return
    if task_type == "persona_music":
        if call.catalog.owners.get(str(body["persona_id"])) != call.key:
            raise invalid("The 'persona_id' field is invalid.")
        return
    clip = call.own_song("continue_clip_id")
    uploaded = clip is not None and clip.details.get("uploaded")
    if task_type in ("extend_music", "cover_music") and uploaded:
        upload_type = task_type.replace("_music", "_upload_music")
        raise invalid(f"The task_type should be '{upload_type}' for an uploaded clip.")
    if task_type == "concat_music" and clip is not None and "continue_at" not in clip.details:
        raise invalid("The 'continue_clip_id' field should be an extended clip.")
    if "overpainting_start_s" in body and not uploaded and options.unfit == "refuse":
        raise invalid("The 'overpainting_start_s' field needs an uploaded clip.")


def check_upload(call: Call) -> None:
    """Check a call of /sonic/upload-extend or /sonic/upload-cover."""
    _check(call, _UPLOAD)


def check_sample(call: Call) -> None:
    """Check a call of /sonic/sample: a part of either a file or a clip."""
    if bool(call.body.get("url")) == bool(call.body.get("sample_clip_id")):
        raise invalid("Exactly one of 'url' and 'sample_clip_id' is required.")
    _check(call, _SAMPLE)
    if "sample_clip_id" in call.body:
        call.own_song("sample_clip_id")


def check_mashup(call: Call) -> None:
    """Check a call of /sonic/mashup."""
    match call.body.get("mashup_clip_ids"):
        case [str() as first, str() as second]:
            _check(call, _MASHUP)
        case _:
            raise invalid("The 'mashup_clip_ids' field should hold exactly two clip ids.")
    unknown = None in (call.catalog.song(first, call.key), call.catalog.song(second, call.key))
    if unknown and call.options.unknown_clip == "refuse":
        raise invalid("The 'mashup_clip_ids' field is invalid.")


def check_section(call: Call) -> None:
    """Check a call of /sonic/replace-section."""
    _check(call, _SECTION)
    clip = call.own_song("clip_id")
    if clip is not None and call.body["infill_start_s"] >= clip.duration:
        raise invalid("The 'infill_start_s' field should lie within the song.")


def check_batch(call: Call) -> None:
    """Check a call of /sonic/batch; its items are checked when they are carried out."""
    items = call.body.get("items")
    if not isinstance(items, list) or not 1 <= len(items) <= BATCH_LIMIT:
        raise invalid(f"The 'items' field should hold 1 to {BATCH_LIMIT} requests.")


def _check(call: Call, rule: TaskRule, task_type: str | None = None) -> None:
    body, options = call.body, call.options
    _check_types(body)
    when = f" when task_type = {task_type}" if task_type else ""
    if "duration" in body and not rule.duration:
        raise invalid(f"The 'duration' field is not supported{when}.")
    if options.use_suno_cdn == "required":
        rules.check_required(body, ("use_suno_cdn",))
    if rule.custom_mode and not isinstance(body.get("custom_mode"), bool):
        raise invalid("The 'custom_mode' field should be boolean.")
    model = _model_of(body, rule.models) if rule.models else ""
    rules.check_required(body, rule.needs, task_type)
    if "url" in body and not str(body["url"]).startswith(("http://", "https://")):
        rules.check_url(body, "url")  # the upload step finds out whether the file is refused
    if rule.text:
        _check_text(body)
    if body.get("auto_lyrics") and not body.get("custom_mode"):
        raise invalid("The 'auto_lyrics' field requires custom_mode = true.")
    if model:
        _check_lengths(body, model)
        if options.unfit == "refuse":
            _check_features(body, model)
    rules.check_content(
        rules.lyrics_of(body) or body.get("infill_lyrics"), body.get("gpt_description_prompt")
    )


def _model_of(body: Body, allowed: tuple[str, ...]) -> str:
    """Return the requested model; ``chirp-*`` is an alias of ``sonic-*``."""
    name = body.get("mv")
    model = name.replace("chirp-", "sonic-", 1) if isinstance(name, str) else ""
    if model not in allowed:
        raise invalid(f"The 'mv' field is invalid. The model should be {rules.either(allowed)}.")
    return model


def _check_types(body: Body) -> None:
    rules.check_types(
        body, bool, "make_instrumental", "custom_mode", "auto_lyrics", "use_suno_cdn", "auto_concat"
    )
    texts = ("prompt", "lyrics", "gpt_description_prompt", "title", "tags", "negative_tags")
    ids = ("continue_clip_id", "persona_id", "webhook_secret", "clip_id", "sample_clip_id")
    rules.check_types(body, str, *texts, *ids, "infill_lyrics", "url")
    for name in ("style_weight", "weirdness_constraint", "audio_weight"):
        rules.check_fraction(body, name)
    rules.check_choice(body, "vocal_gender", ("f", "m"))
    rules.check_choice(body, "variation_category", ("subtle", "normal", "high"))
    rules.check_seconds(body, "continue_at")
    for name in ("overpainting", "chop_sample", "infill"):
        rules.check_range(body, f"{name}_start_s", f"{name}_end_s")
    rules.check_integer(body, "duration", *SONIC_SECONDS)


def _check_text(body: Body) -> None:
    if body["custom_mode"] and not rules.lyrics_of(body) and not body.get("make_instrumental"):
        raise invalid("The 'prompt' field is required when custom_mode = true.")
    if not body["custom_mode"] and not body.get("gpt_description_prompt"):
        raise invalid("The 'gpt_description_prompt' field is required when custom_mode = false.")


def _check_lengths(body: Body, model: str) -> None:
    small = model in _SMALL_MODELS
    lyrics_limit, tags_limit = (3000, 200) if small else (5000, 1000)
    rules.check_length(rules.lyrics_of(body), lyrics_limit, "prompt")
    rules.check_length(body.get("infill_lyrics"), lyrics_limit, "infill_lyrics")
    description = body.get("gpt_description_prompt")
    rules.check_length(description, DESCRIPTION_LIMIT, "'gpt_description_prompt'")
    rules.check_length(body.get("tags"), tags_limit, "tags")
    rules.check_length(body.get("title"), TITLE_LIMIT, "title")


def _check_features(body: Body, model: str) -> None:
    if model in _SMALL_MODELS and body.get("vocal_gender"):
        raise invalid(f"The 'vocal_gender' field is not supported by {model}.")
    if model not in _OVERPAINTING_MODELS and "overpainting_start_s" in body:
        raise invalid(f"The 'overpainting_start_s' field is not supported by {model}.")
    if body.get("variation_category") and model != "sonic-v5":
        raise invalid(f"The 'variation_category' field is not supported by {model}.")
