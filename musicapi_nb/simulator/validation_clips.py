"""Checks of the calls about one clip, file, text or voice (service.md 5, 19). No I/O."""

from musicapi_nb.simulator import validation_rules as rules
from musicapi_nb.simulator.validation_rules import Body, invalid

LYRICS_DESCRIPTION_LIMIT = 120
PERSONA_NAME_LIMIT = 80
PERSONA_DESCRIPTION_LIMIT = 200
PERSONA_STYLES_LIMIT = 2000
VOX_SECONDS = 30.0
FORMATS = ("mp3", "m4a", "wav")


def check_lyrics(body: Body) -> None:
    """Check a body for /sonic/lyrics."""
    _check_description(body, "description")


def check_make_lyrics(body: Body) -> None:
    """Check a body for /suno/make-lyrics."""
    _check_description(body, "prompt")


def _check_description(body: Body, name: str) -> None:
    text = body.get(name)
    if not isinstance(text, str) or not text.strip():
        raise invalid(f"{name} is required.")
    rules.shorter(text, LYRICS_DESCRIPTION_LIMIT, name)
    rules.moderated(None, text)


def check_persona(body: Body) -> None:
    """Check a body for /sonic/persona, with its older or newer field names."""
    name, clip = body.get("name"), body.get("clip_id", body.get("continue_clip_id"))
    if not (isinstance(name, str) and name.strip() and isinstance(clip, str) and clip):
        raise invalid("name and continue_clip_id are required fields.")
    rules.strings(body, "description", "describe", "styles", "vox_audio_id")
    rules.shorter(name, PERSONA_NAME_LIMIT, "name")
    for field in ("description", "describe"):
        rules.shorter(body.get(field), PERSONA_DESCRIPTION_LIMIT, "description")
    if len(body.get("styles") or "") > PERSONA_STYLES_LIMIT:
        raise invalid(f"The styles character length should be at most {PERSONA_STYLES_LIMIT}.")
    rules.span(body, "vocal_start_s", "vocal_end_s")


def check_upload(body: Body) -> None:
    """Check a body for /sonic/upload or /riffusion/upload."""
    rules.web_address(body, "url")
    rules.strings(body, "callback_url")


def check_audio_url(body: Body) -> None:
    """Check a body for /sonic/create-voice or /producer/upload."""
    rules.web_address(body, "audio_url")


def check_clip(body: Body) -> None:
    """Check a body whose only field is a clip."""
    rules.required(body, ("clip_id",))
    rules.strings(body, "clip_id")


def check_vox(body: Body) -> None:
    """Check a body for /sonic/vox."""
    check_clip(body)
    rules.span(body, "vocal_start_s", "vocal_end_s", VOX_SECONDS)


def check_download(body: Body) -> None:
    """Check a body for /sonic/download."""
    check_clip(body)
    formats = body.get("formats")
    if not isinstance(formats, list) or not formats or not all(name in FORMATS for name in formats):
        raise invalid(f"The 'formats' field should be a list of {', '.join(FORMATS)}.")


def check_upsample_tags(body: Body) -> None:
    """Check a body for /sonic/upsample-tags."""
    if not isinstance(body.get("tags"), str) or not body["tags"].strip():
        raise invalid("The 'tags' field is required.")


def check_get_song(body: Body) -> None:
    """Check a body for /suno/get-song."""
    rules.web_address(body, "share_link")
