"""What nobody outside knows about the service's replies (service.md 17), each as a switch."""

from dataclasses import dataclass
from typing import Literal


@dataclass(slots=True, kw_only=True)
class Shapes:
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
    mv_spelling: Literal["asked", "chirp"] = "asked"
    """Whether a sonic clip repeats the model as asked, or with the upstream's prefix."""
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
