"""What the calls about one clip, file, text or voice refuse (service.md 5, 19). Pure."""

from musicapi_nb.simulator.validation import (
    Body,
    address,
    invalid,
    moderated,
    required,
    seconds,
    shorter,
    span,
    typed,
)

LYRICS_DESCRIPTION_LIMIT = 120
PERSONA_NAME_LIMIT = 80
PERSONA_DESCRIPTION_LIMIT = 200
PERSONA_STYLES_LIMIT = 2000
VOX_SECONDS = 30.0
FORMATS = ("mp3", "m4a", "wav")


def lyrics(body: Body) -> None:
    """Check a body for /sonic/lyrics."""
    _described(body, "description")


def make_lyrics(body: Body) -> None:
    """Check a body for /suno/make-lyrics."""
    _described(body, "prompt")


def _described(body: Body, name: str) -> None:
    text = body.get(name)
    if not isinstance(text, str) or not text.strip():
        raise invalid(f"{name} is required.")
    shorter(text, LYRICS_DESCRIPTION_LIMIT, name)
    moderated(None, text)


def persona(body: Body) -> None:
    """Check a body for /sonic/persona, in its older or newer spelling."""
    name, clip = body.get("name"), body.get("clip_id", body.get("continue_clip_id"))
    if not (isinstance(name, str) and name.strip() and isinstance(clip, str) and clip):
        raise invalid("name and continue_clip_id are required fields.")
    typed(body, ("description", "describe", "styles", "vox_audio_id"), str, "string")
    shorter(name, PERSONA_NAME_LIMIT, "name")
    for described in ("description", "describe"):
        shorter(body.get(described) or "", PERSONA_DESCRIPTION_LIMIT, "description")
    if len(body.get("styles") or "") > PERSONA_STYLES_LIMIT:
        raise invalid(f"The styles character length should be at most {PERSONA_STYLES_LIMIT}.")
    span(body, "vocal_start_s", "vocal_end_s")


def upload(body: Body) -> None:
    """Check a body for /sonic/upload or /riffusion/upload."""
    address(body, "url")
    typed(body, ("callback_url",), str, "string")


def audio_url(body: Body) -> None:
    """Check a body for /sonic/create-voice or /producer/upload."""
    address(body, "audio_url")


def clip(body: Body) -> None:
    """Check a body that names one clip and asks no more."""
    required(body, ("clip_id",), None)
    typed(body, ("clip_id",), str, "string")


def vox(body: Body) -> None:
    """Check a body for /sonic/vox."""
    clip(body)
    seconds(body, "vocal_start_s")
    span(body, "vocal_start_s", "vocal_end_s", VOX_SECONDS)


def download(body: Body) -> None:
    """Check a body for /sonic/download."""
    clip(body)
    wanted = body.get("formats")
    if not isinstance(wanted, list) or not wanted or not all(each in FORMATS for each in wanted):
        raise invalid(f"The 'formats' field should be a list of {', '.join(FORMATS)}.")


def upsample_tags(body: Body) -> None:
    """Check a body for /sonic/upsample-tags."""
    if not isinstance(body.get("tags"), str) or not body["tags"].strip():
        raise invalid("The 'tags' field is required.")


def get_song(body: Body) -> None:
    """Check a body for /suno/get-song."""
    address(body, "share_link")
