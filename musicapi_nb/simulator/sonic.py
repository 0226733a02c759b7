"""Sonic calls that make songs: create, upload and make, sample, mashup, section, batch. No I/O.

Fields, limits and models: service.md 3, 5, 19.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from musicapi_nb.simulator import rules, songs
from musicapi_nb.simulator.catalog import Call, Check, Make, Operation, Table, by_task_type
from musicapi_nb.simulator.rules import Body, invalid
from musicapi_nb.simulator.songs import sonic_songs, source_of, uploaded_song
from musicapi_nb.simulator.tasks import Song

_SMALL_MODELS = ("sonic-v3-5", "sonic-v4")
SONIC_MODELS: tuple[str, ...] = (
    *_SMALL_MODELS,
    *("sonic-v4-5", "sonic-v4-5-plus", "sonic-v5", "sonic-v5-5"),
    *("sonic-v6", "sonic-v6-wild", "sonic-v6-mini"),
)
_ALL_MODELS = (*SONIC_MODELS, "sonic-v4-5-all")
_OVERPAINTING_MODELS = ("sonic-v4-5-plus", "sonic-v5")

BATCH_LIMIT = 10
_FIELDS = {
    "make_instrumental custom_mode auto_lyrics use_suno_cdn auto_concat": rules.BOOLEAN,
    "prompt lyrics infill_lyrics": rules.text(5000),
    "gpt_description_prompt": rules.text(400),
    "title": rules.text(80),
    "tags": rules.text(1000),
    "continue_clip_id persona_id clip_id sample_clip_id": rules.STRING,
    "url webhook_secret negative_tags": rules.STRING,
    "style_weight weirdness_constraint audio_weight": rules.fraction(),
    "vocal_gender": rules.choice("f", "m"),
    "variation_category": rules.choice("subtle", "normal", "high"),
    "continue_at": rules.SECONDS,
    "duration": rules.integer(10, 360),
}
_SMALL_FIELDS = {"prompt lyrics infill_lyrics": rules.text(3000), "tags": rules.text(200)}


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


_OF_UPLOAD = TaskRule(("url",), duration=True)
_OF_SAMPLE = TaskRule(
    ("chop_sample_start_s", "chop_sample_end_s", "make_instrumental"), _ALL_MODELS
)
_OF_MASHUP = TaskRule(("mashup_clip_ids",), _ALL_MODELS)
_OF_SECTION = TaskRule(
    ("clip_id", "infill_start_s", "infill_end_s"), SONIC_MODELS[1:], custom_mode=False
)


def _check_create(call: Call, task_type: str, rule: TaskRule) -> None:
    body, options = call.body, call.options
    if task_type in ("extend_music", "cover_music") and options.remix_fields == "optional":
        rule = rule._replace(needs=_CLIP, custom_mode=False)
    _check(call, rule, task_type)
    if task_type == "persona_music":
        owner = call.catalog.owners.get(body["persona_id"])
        call.check_owned("persona_id", owned=owner == call.key)
    if task_type in ("create_music", "persona_music") or options.unknown_clip == "accept":
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


def _check_sample(call: Call) -> None:
    if bool(call.body.get("url")) == bool(call.body.get("sample_clip_id")):
        raise invalid("Exactly one of 'url' and 'sample_clip_id' is required.")
    _check(call, _OF_SAMPLE)
    if "sample_clip_id" in call.body:
        call.own_song("sample_clip_id")


def _check_mashup(call: Call) -> None:
    match call.body.get("mashup_clip_ids"):
        case [str() as first, str() as second]:
            _check(call, _OF_MASHUP)
            clips = [call.catalog.song(clip_id, call.key) for clip_id in (first, second)]
            call.check_owned("mashup_clip_ids", owned=None not in clips)
        case _:
            raise invalid("The 'mashup_clip_ids' field should hold exactly two clip ids.")


def _check_section(call: Call) -> None:
    _check(call, _OF_SECTION)
    clip = call.own_song("clip_id")
    if clip is not None and call.body["infill_start_s"] >= clip.duration:
        raise invalid("The 'infill_start_s' field should lie within the song.")


def _check_batch(call: Call) -> None:
    items = call.body.get("items")
    if not isinstance(items, list) or not 1 <= len(items) <= BATCH_LIMIT:
        raise invalid(f"The 'items' field should hold 1 to {BATCH_LIMIT} requests.")


def _check(call: Call, rule: TaskRule, task_type: str | None = None) -> None:
    body, options = call.body, call.options
    rules.check_fields(body, _FIELDS)
    for name in ("overpainting", "chop_sample", "infill"):
        rules.check_range(body, f"{name}_start_s", f"{name}_end_s")
    when = f" when task_type = {task_type}" if task_type else ""
    if "duration" in body and not rule.duration:
        raise invalid(f"The 'duration' field is not supported{when}.")
    if options.use_suno_cdn == "required":
        rules.check_required(body, ("use_suno_cdn",))
    if rule.custom_mode and not isinstance(body.get("custom_mode"), bool):
        raise invalid("The 'custom_mode' field should be boolean.")
    model = _checked_model(body, rule.models) if rule.models else ""
    rules.check_required(body, rule.needs, task_type)
    if "url" in body and not str(body["url"]).startswith(("http://", "https://")):
        rules.check_url(body, "url")  # the upload step finds out whether the file is refused
    if rule.text:
        _check_text(body)
    if body.get("auto_lyrics") and not body.get("custom_mode"):
        raise invalid("The 'auto_lyrics' field requires custom_mode = true.")
    if model and options.unfit == "refuse":
        _check_features(body, model)
    rules.check_content(
        rules.lyrics_of(body) or body.get("infill_lyrics"), body.get("gpt_description_prompt")
    )


def _checked_model(body: Body, allowed: tuple[str, ...]) -> str:
    """Return the requested model (``chirp-*`` is an alias of ``sonic-*``); check its limits."""
    name = body.get("mv")
    model = name.replace("chirp-", "sonic-", 1) if isinstance(name, str) else ""
    if model not in allowed:
        raise invalid(f"The 'mv' field is invalid. The model should be {rules.either(allowed)}.")
    if model in _SMALL_MODELS:
        rules.check_fields(body, _SMALL_FIELDS)
    return model


def _check_text(body: Body) -> None:
    if body["custom_mode"] and not rules.lyrics_of(body) and not body.get("make_instrumental"):
        raise invalid("The 'prompt' field is required when custom_mode = true.")
    if not body["custom_mode"] and not body.get("gpt_description_prompt"):
        raise invalid("The 'gpt_description_prompt' field is required when custom_mode = false.")


def _check_features(body: Body, model: str) -> None:
    if model in _SMALL_MODELS and body.get("vocal_gender"):
        raise invalid(f"The 'vocal_gender' field is not supported by {model}.")
    if model not in _OVERPAINTING_MODELS and "overpainting_start_s" in body:
        raise invalid(f"The 'overpainting_start_s' field is not supported by {model}.")
    if body.get("variation_category") and model != "sonic-v5":
        raise invalid(f"The 'variation_category' field is not supported by {model}.")


def _create(call: Call) -> tuple[Song, ...]:
    return sonic_songs(call, call.song("continue_clip_id"))


def _extend(call: Call) -> tuple[Song, ...]:
    source = call.song("continue_clip_id")
    end = source.duration if source else 0.0
    return sonic_songs(replace(call, body={"continue_at": end, **call.body}), source)


def _concat(call: Call) -> tuple[Song, ...]:
    extension = source_of(call, "continue_clip_id")
    source = call.catalog.song(extension.details.get("parent"), call.key)
    cut = float(extension.details.get("continue_at", 0))
    cut = min(cut, source.duration if source else 0.0)
    details = {"parent": extension.song_id}
    return (songs.join(extension, source, cut, f"{call.seed}/0", details),)


def _upload_and_create(call: Call) -> tuple[Song, ...]:
    source = uploaded_song(str(call.body["url"]), f"{call.seed}/upload")
    call.catalog.add(source, call.key)
    made = sonic_songs(call, source)
    return songs.add_joined_songs(call, source, made) if call.body.get("auto_concat") else made


def _songs(name: str, price: int, check: Check, make: Make) -> Operation:
    return Operation(f"sonic.{name}", price, check, make)


def _upload_songs(name: str, step: str, check: Check) -> Operation:
    return replace(_songs(name, 17, check, _upload_and_create), steps=("upload", step))


_CLIP = ("continue_clip_id",)
_EXTEND = TaskRule((*_CLIP, "continue_at"), duration=True)
_COVER = TaskRule(_CLIP, duration=True)
_ADD = TaskRule(_CLIP, custom_mode=False)
_REMASTERS = ("sonic-v4", "sonic-v4-5-plus", "sonic-v5", *SONIC_MODELS[-3:])
# Prices: service.md 14, the newest known (2026-10-07).
_CREATES: Mapping[str, tuple[int, TaskRule, Make]] = {
    "create_music": (20, TaskRule(text=True, duration=True), _create),
    "extend_music": (15, _EXTEND, _extend),
    "concat_music": (2, _ADD._replace(models=()), _concat),
    "cover_music": (15, _COVER, _create),
    "persona_music": (15, TaskRule(("persona_id",), duration=True), songs.of_persona),
    "extend_upload_music": (15, _EXTEND, _create),
    "cover_upload_music": (15, _COVER, _create),
    "remaster": (15, _ADD._replace(models=_REMASTERS), songs.remaster),
    "add_vocals": (15, _ADD, songs.with_vocals),
    "add_instrumental": (15, _ADD, songs.with_instruments),
}
_SAMPLE = _songs(
    "sample", 15, _check_sample, lambda call: sonic_songs(call, call.song("sample_clip_id"))
)
_UPLOAD_SAMPLE = _upload_songs("sample", "sample", _check_sample)
_check_upload = partial(_check, rule=_OF_UPLOAD)
# Prices beside create and concat are not public: assumed as for a create that builds on a clip,
# plus an upload where a file is uploaded.
SONIC: Table = {
    "sonic/create": by_task_type(
        {
            name: _songs(name, price, partial(_check_create, task_type=name, rule=rule), make)
            for name, (price, rule, make) in _CREATES.items()
        }
    ),
    "sonic/upload-extend": _upload_songs("upload_extend", "extend", _check_upload),
    "sonic/upload-cover": _upload_songs("upload_cover", "cover", _check_upload),
    "sonic/sample": lambda body: _UPLOAD_SAMPLE if body.get("url") else _SAMPLE,
    "sonic/mashup": _songs("mashup", 15, _check_mashup, songs.mashup),
    "sonic/replace-section": _songs("replace_section", 15, _check_section, songs.replace_section),
    "sonic/batch": Operation("sonic.batch", 0, _check_batch, items_path="sonic/create"),
}
