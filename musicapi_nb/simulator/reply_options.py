"""What nobody outside knows about the service (service.md 17), each as a switch."""

from dataclasses import dataclass
from typing import Literal


@dataclass(slots=True, kw_only=True)
class ReplyOptions:
    """How replies look where the truth is unknown or has changed; may be changed while running.

    The defaults are what most public clients met.
    """

    error_body: Literal["all", "type_error", "message", "refund", "envelope"] = "all"
    """``{type,error,message}``, ``{type,error}``, ``{message}``, ``{type,message,
    refund_processed}`` or studio's ``{code,message,data}``. Nuro always has the fourth."""
    ack_code: bool = False
    """Whether the ack of a sonic task carries ``code`` (schema: yes, live replies: no)."""
    sonic_form: Literal["2024", "2025"] = "2025"
    """2024: duration is a number, there is a video link. 2025: duration is text, no video, and
    three more keys."""
    sonic_unfinished: Literal["clips", "not_ready"] = "clips"
    """After the first 202s: clips that run, or 202 until all is done."""
    sonic_running_audio: Literal["stream", "empty"] = "stream"
    """What ``audio_url`` holds before a clip is done: a temporary link, or nothing."""
    sonic_failure: Literal["clips", "api_error", "timeout"] = "clips"
    """A failed task: clips in state failed, a 200 with ``type: api_error``, or HTTP 504."""
    refund_key: Literal["already_refunded", "refund_processed"] = "already_refunded"
    """How ``api_error`` says that the credits are back."""
    mv_spelling: Literal["asked", "chirp", "v6"] = "asked"
    """Whether a sonic clip repeats the model as asked, with the upstream's prefix, or names the
    one that renders them all since 2026-09-09."""
    studio_unfinished: Literal["null", "empty", "songs"] = "null"
    """``data.data`` of an unfinished studio task: null, {}, or songs with an empty path."""
    studio_failure: Literal["status", "code"] = "status"
    """A failed studio task: status FAILURE with ``fail_reason``, or a ``code`` that is not
    "success" with the reason as ``message``."""
    studio_wrapper: bool = False
    """Whether studio's object lies one level deeper, under ``handledData``."""
    studio_defaults: bool = True
    """Whether studio fills in numbers, model and config that a request leaves out."""
    nuro_failure: Literal["status", "error"] = "status"
    """A failed nuro task: status failed in a 200, or HTTP 500 with ``type: api_error``."""
    webhook_hosts: Literal["public", "loopback"] = "public"
    """Which ``webhook_url`` is taken: https alone, or http on this machine too."""
    webhook_signature: Literal["signed", "default", "older", "none"] = "signed"
    """With the secret that was asked for, always with the service's own, ``X-Signature`` of the
    body alone and without an age, or not at all."""
    unknown_clip: Literal["refuse", "accept"] = "refuse"
    """Whether a clip, song or persona id that the account does not own is refused with a 400."""
    unfit: Literal["refuse", "ignore"] = "refuse"
    """Whether a field that the model or the kind of clip does not know is a 400 or passed over."""
    use_suno_cdn: Literal["optional", "required"] = "optional"
    """Whether sonic's ``use_suno_cdn`` may be left out (live calls: yes, schema: no)."""
    retired: frozenset[str] = frozenset(
        f"producer.{kind}"
        for kind in ("cover_music", "music_variation", "swap_music_vocals", "swap_music_sound")
    )
    """Engines (``riffusion``) and operations (``producer.cover_music``) that answer 410."""
    remaster_clips: Literal[1, 2] = 1
    """How many clips a remaster gives."""
    stems: Literal["2/12", "4/24"] = "4/24"
    """How many stems basic and full give (2025 docs; 2026 pages and live)."""
    again_charge: Literal["first", "each"] = "first"
    """Which calls are charged where a call is repeated until its file is there."""
    midi_unfinished: Literal["202", "text"] = "202"
    """A MIDI file that is not there yet: HTTP 202, or a 200 with words in place of the link."""
    wav_unfinished: Literal["202", "empty"] = "202"
    """A WAV file that is not there yet: HTTP 202, or a 200 with an empty link."""
    aligned_words: Literal["breaks", "plain"] = "breaks"
    """Whether aligned words keep the section marks before and the line breaks after them."""
    step_failure: Literal[200, 400] = 200
    """HTTP status where one step of several failed (``failed_step``)."""
    batch_tasks: Literal["objects", "ids"] = "objects"
    """What ``tasks`` of a batch holds: objects, or task ids with null for a refused item."""
    producer_form: Literal["2025", "2026"] = "2025"
    """2026 (seen on the sibling host): a ``status`` beside ``data``, a WAV link, 200 while it
    waits."""
    riffusion_unfinished: Literal["one", "clips"] = "one"
    """An unfinished riffusion task: only the songs that are done, or both with their states."""
    purged_after: float | None = None
    """Simulated seconds after which the source of a finished song is gone; None: never."""
