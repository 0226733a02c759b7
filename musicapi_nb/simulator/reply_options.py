"""Options for replies whose form is not documented or has changed (service.md 17)."""

from dataclasses import dataclass
from typing import Literal


@dataclass(slots=True, kw_only=True)
class ReplyOptions:
    """How the simulator replies where the documentation is silent or contradicts live replies.

    A client has to cope with every value. The defaults are what most public clients met. All may
    be changed while the simulator runs.
    """

    error_body: Literal[
        "all", "type_error", "message", "detail", "refund", "retriable", "envelope"
    ] = "all"
    """Keys of an error: ``{type,error,message}``, ``{type,error}``, ``{message}``, ``{detail}``,
    ``{type,message,refund_processed}``, ``{type,error,retriable}``, or studio's
    ``{code,message,data}``. Nuro always uses "refund"."""
    error_types: Literal["2025", "2026"] = "2025"
    """2026: the sibling host's words, such as ``rate_limited`` and ``endpoint_retired``."""
    ack_form: Literal["plain", "code", "data"] = "plain"
    """The reply to a submit: as in live replies; sonic's with a ``code``, as in the schema; or
    every task id below ``data``."""
    running_word: Literal["running", "processing"] = "running"
    """The state of a running task."""
    sonic_form: Literal["2024", "2025"] = "2025"
    """2024: the duration is a number and there is a video link. 2025: the duration is text, there
    is no video, and there are three more keys."""
    sonic_unfinished: Literal["clips", "not_ready"] = "clips"
    """Polls between the queue and the end: running clips, or 202 until all is done."""
    sonic_running_audio: Literal["stream", "empty"] = "stream"
    """``audio_url`` of a running clip: a temporary link, or empty."""
    sonic_failure: Literal["clips", "api_error", "timeout"] = "clips"
    """A failed task: clips in the state failed, a 200 with ``type: api_error``, or HTTP 504."""
    refund_key: Literal["already_refunded", "refund_processed"] = "already_refunded"
    """The key with which ``api_error`` reports a refund."""
    mv_spelling: Literal["requested", "chirp", "renderer"] = "requested"
    """``mv`` of a song: the model as requested, with sonic's prefix ``chirp-``, or the renderer:
    sonic-v6 for all older ids, Lyria 3 Pro for all of producer."""
    studio_unfinished: Literal["null", "empty", "songs"] = "null"
    """``data.data`` of an unfinished studio task: null, {}, or songs with an empty path."""
    studio_failure: Literal["status", "code"] = "status"
    """A failed studio task: status FAILURE with ``fail_reason``, or a ``code`` other than
    "success" with the reason as ``message``."""
    studio_wrapper: bool = False
    """Whether studio's object is nested under ``handledData``."""
    studio_defaults: bool = True
    """Whether a studio request may omit the numbers, the model and the config."""
    nuro_failure: Literal["status", "error"] = "status"
    """A failed nuro task: status failed in a 200, or HTTP 500 with ``type: api_error``."""
    webhook_hosts: Literal["public", "loopback"] = "public"
    """The accepted ``webhook_url``: https only, or also http on this machine."""
    webhook_signature: Literal["signed", "default", "older", "none"] = "signed"
    """Webhooks are signed with the requested secret, with the service's default secret, with
    ``X-Signature`` over the body alone (no timestamp), or not at all."""
    unknown_clip: Literal["refuse", "accept"] = "refuse"
    """Whether a clip, song or persona id that the account does not own gets a 400."""
    undeclared: Literal["songs", "refuse"] = "songs"
    """A POST to an engine whose path or ``task_type`` the simulator does not know: a task with the
    songs of the engine's create, at its price, or a refusal."""
    unfit: Literal["refuse", "ignore"] = "refuse"
    """Whether a field that the model or the kind of clip does not support gets a 400."""
    use_suno_cdn: Literal["optional", "required"] = "optional"
    """Whether sonic requires ``use_suno_cdn`` (live calls: no, schema: yes)."""
    remix_fields: Literal["optional", "required"] = "optional"
    """Whether an extend or cover needs ``custom_mode``, and an extend ``continue_at`` (the site's
    guides: no, docs: yes)."""
    retired: frozenset[str] = frozenset(
        f"producer.{kind}" for kind in ("music_variation", "swap_music_vocals", "swap_music_sound")
    )
    """Engines (``riffusion``) and operations (``producer.music_variation``) that answer 410."""
    remaster_clips: Literal[1, 2] = 1
    """Number of clips of a remaster."""
    stems: Literal["2/12", "4/24"] = "4/24"
    """Number of basic and full stems (2/12: docs of 2025; 4/24: pages of 2026 and live)."""
    repeat_charge: Literal["first", "each"] = "first"
    """Which calls are charged where the same call is repeated until a file is ready."""
    midi_unfinished: Literal["202", "text"] = "202"
    """A MIDI file that is not ready: HTTP 202, or a 200 with text in place of the link."""
    wav_unfinished: Literal["202", "empty"] = "202"
    """A WAV file that is not ready: HTTP 202, or a 200 with an empty link."""
    download_form: Literal["files", "links"] = "files"
    """Files of a download: ``files[] {format,url}``, or ``mp3_url`` and the like."""
    aligned_words: Literal["breaks", "plain"] = "breaks"
    """Whether aligned words include section marks, spaces and line breaks."""
    singing: Literal["free", "exact"] = "free"
    """Whether singers leave out, repeat or change a line at times, which aligned words show, or
    sing what is written. The habit is invented: see ``music.singer``."""
    step_failure: Literal[200, 400] = 200
    """HTTP status if one step of a request fails (``failed_step``)."""
    batch_tasks: Literal["objects", "ids"] = "objects"
    """``tasks`` of a batch: objects, or task ids with null for a refused item."""
    producer_form: Literal["2025", "2026"] = "2025"
    """2026 (documented for the sibling host): a ``status`` beside ``data``, a WAV link, and 200
    for an unfinished task."""
    producer_instrumental: Literal["ignored", "obeyed"] = "ignored"
    """``make_instrumental`` of producer: without effect since Lyria 3 Pro, or obeyed. (Its
    strengths and ``weirdness`` have no effect on the simulator's songs.)"""
    requested_sound: Literal["mostly", "always", "never"] = "mostly"
    """Whether songs have the tempo and key that the text or a field requests, and sonic's texts can
    ask for an instrumental: with the chances of ``vocabulary.TEMPO_HABITS``, ``KEY_HABITS`` and
    ``INSTRUMENTAL_CHANCE``, exactly, or not at all."""
    riffusion_unfinished: Literal["one", "clips"] = "one"
    """An unfinished riffusion task: only finished songs, or both songs with their states."""
    upload_probe: bool = False
    """Whether addresses of uploads are probed by HEAD: one that answers 403 or 404 gets a 400."""
    purged_after: float | None = None
    """Simulated seconds after which the source file of a finished song is deleted; None: never."""
