"""Checks of the calls about one clip, file, text or voice (service.md 5, 19). No I/O."""

from musicapi_nb.simulator import validation_rules as rules
from musicapi_nb.simulator.catalog import Call
from musicapi_nb.simulator.validation_rules import Body, Refusal, invalid

LYRICS_DESCRIPTION_LIMIT = 120
PERSONA_NAME_LIMIT = 80
PERSONA_DESCRIPTION_LIMIT = 200
PERSONA_STYLES_LIMIT = 2000
VOX_SECONDS = 30.0
FORMATS = ("mp3", "m4a", "wav")


def check_lyrics(call: Call) -> None:
    """Check a call of /sonic/lyrics."""
    _check_description(call, "description")


def check_make_lyrics(call: Call) -> None:
    """Check a call of /suno/make-lyrics."""
    _check_description(call, "prompt")


def _check_description(call: Call, name: str) -> None:
    text = call.body.get(name)
    if not isinstance(text, str) or not text.strip():
        raise invalid(f"{name} is required.")
    rules.check_length(text, LYRICS_DESCRIPTION_LIMIT, name)
    rules.check_content(None, text)


def check_persona(call: Call) -> None:
    """Check a call of /sonic/persona, with its older or newer field names."""
    body, clip_field = call.body, persona_clip_field(call.body)
    name, clip = body.get("name"), body.get(clip_field)
    if not (isinstance(name, str) and name.strip() and isinstance(clip, str) and clip):
        raise invalid("name and continue_clip_id are required fields.")
    rules.check_types(body, str, "description", "describe", "styles", "vox_audio_id")
    rules.check_length(name, PERSONA_NAME_LIMIT, "name")
    for field in ("description", "describe"):
        rules.check_length(body.get(field), PERSONA_DESCRIPTION_LIMIT, "description")
    if len(body.get("styles") or "") > PERSONA_STYLES_LIMIT:
        raise invalid(f"The styles character length should be at most {PERSONA_STYLES_LIMIT}.")
    rules.check_range(body, "vocal_start_s", "vocal_end_s")
    call.own_song(clip_field)
    vox = body.get("vox_audio_id")
    unknown = vox and call.catalog.owners.get(vox) != call.key
    if unknown and call.options.unknown_clip == "refuse":
        raise invalid("The 'vox_audio_id' field is invalid.")


def persona_clip_field(body: Body) -> str:
    """Return the name of the field that holds the clip of a persona."""
    return "clip_id" if "clip_id" in body else "continue_clip_id"


def check_upload(call: Call) -> None:
    """Check a call of /sonic/upload or /riffusion/upload."""
    rules.check_url(call.body, "url")
    rules.check_types(call.body, str, "callback_url")


def check_audio_url(call: Call) -> None:
    """Check a call of /sonic/create-voice or /producer/upload."""
    rules.check_url(call.body, "audio_url")


def check_clip(call: Call) -> None:
    """Check a call about one clip."""
    rules.check_required(call.body, ("clip_id",))
    rules.check_types(call.body, str, "clip_id")
    call.own_song("clip_id")


def check_vox(call: Call) -> None:
    """Check a call of /sonic/vox."""
    check_clip(call)
    rules.check_range(call.body, "vocal_start_s", "vocal_end_s", VOX_SECONDS)


def check_download(call: Call) -> None:
    """Check a call of /sonic/download."""
    check_clip(call)
    formats = call.body.get("formats")
    if not isinstance(formats, list) or not formats or not all(name in FORMATS for name in formats):
        raise invalid(f"The 'formats' field should be a list of {', '.join(FORMATS)}.")
    if call.catalog.is_purged(call.body["clip_id"]):
        raise Refusal(404, "not_found", "The source audio of this clip is no longer available.")


def check_upsample_tags(call: Call) -> None:
    """Check a call of /sonic/upsample-tags."""
    tags = call.body.get("tags")
    if not isinstance(tags, str) or not tags.strip():
        raise invalid("The 'tags' field is required.")


def check_get_song(call: Call) -> None:
    """Check a call of /suno/get-song."""
    rules.check_url(call.body, "share_link")
