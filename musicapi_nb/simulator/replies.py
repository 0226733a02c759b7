"""The replies of each engine about a task, with all keys of the documented examples. No I/O."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from musicapi_nb.simulator.reply_options import ReplyOptions
from musicapi_nb.simulator.rules import Refusal
from musicapi_nb.simulator.tasks import Phase, Song, Task

Json = dict[str, Any]

_RETRIABLE = (429, 500, 502, 503, 504)
_NEWER_TYPES = {
    "gone": "endpoint_retired",
    "too_many_requests": "rate_limited",
    "server_error": "upstream_error",
}


class Answer(NamedTuple):
    """An HTTP status and a JSON body."""

    status: int
    body: Json


class Links(NamedTuple):
    """Links to the files of a song on this simulator; ``base`` is its address."""

    base: str

    def audio(self, song: Song) -> str:
        return self.file(song, song.audio_format)

    def stream(self, song: Song) -> str:
        """Return the temporary link, which works only while the song is being made."""
        return f"{self.base}/media/stream/{song.song_id}.{song.audio_format}"

    def file(self, song: Song, file_format: str) -> str:
        """Return the link of the audio in a format, or of the MIDI file (``mid``).

        No M4A is made: its link answers 404.
        """
        kind = "midi" if file_format == "mid" else "audio"
        return f"{self.base}/media/{kind}/{song.song_id}.{file_format}"

    def image(self, song: Song) -> str:
        return f"{self.base}/media/image/{song.song_id}.png"

    def video(self, song: Song) -> str:
        """Return the link of a video, which answers 404: no videos are made."""
        return f"{self.base}/media/video/{song.song_id}.mp4"


def state_word(task: Task, phase: Phase) -> str:
    """Return the state as sonic, nuro and riffusion spell it; a fault may replace "running"."""
    return task.state_word if phase is Phase.RUNNING else phase


def error(refusal: Refusal, options: ReplyOptions, engine: str) -> Answer:
    """Return an error; nuro's form is documented, the others' depends on ``ReplyOptions``."""
    kind, message, form = refusal.kind, refusal.message, options.error_body
    if options.error_types == "2026":
        kind = _NEWER_TYPES.get(kind, kind)
    if engine == "nuro":
        form = "refund"
    bodies: dict[str, Json] = {
        "all": {"type": kind, "error": message, "message": message},
        "type_error": {"type": kind, "error": message},
        "message": {"message": message},
        "detail": {"detail": message},
        "refund": {"type": kind, "message": message, "refund_processed": False},
        "retriable": {"type": kind, "error": message, "retriable": refusal.status in _RETRIABLE},
        "envelope": {"code": kind, "message": message, "data": None},
    }
    return Answer(refusal.status, bodies[form])


def ack(task: Task, options: ReplyOptions) -> Json:
    """Return the reply to a submit."""
    body = {"message": "success", "task_id": task.task_id}
    return {"code": 200, **body} if options.ack_form == "code" and task.engine == "sonic" else body


def nested_ack(answer: Answer) -> Answer:
    """Return an ack with the task id below ``data``; other answers as they are."""
    ids = {name: answer.body[name] for name in ("task_id", "steps") if name in answer.body}
    return Answer(answer.status, {"data": ids}) if "task_id" in ids else answer


def voice_ack(task: Task, options: ReplyOptions) -> Json:
    """Return the reply to /sonic/create-voice, with a warning."""
    return {**ack(task, options), "warning": "A voice is made from what was uploaded today."}


def steps_ack(task: Task, steps: tuple[str, ...]) -> Json:
    """Return the reply to a request that uploads a file and makes a song of it."""
    upload, make = steps
    states = {
        upload: {"success": True, "clip_id": task.songs[0].details["parent"]},
        make: {"success": True, "task_id": task.task_id},
    }
    return {"code": 200, "message": "success", "task_id": task.task_id, "steps": states}


def step_failure(
    options: ReplyOptions, failed_step: str, message: str, finished: Mapping[str, str]
) -> Answer:
    """Return the reply if a step fails; ``finished`` maps the step before it to its clip."""
    states: Json = {step: {"success": True, "clip_id": clip} for step, clip in finished.items()}
    states[failed_step] = {"success": False, "error": message}
    body = {"code": 400, "message": message, "failed_step": failed_step, "steps": states}
    return Answer(options.step_failure, body)


def lyrics_ack(task: Task, _options: ReplyOptions) -> Json:
    return {"code": 200, "data": {"task_id": task.task_id}, "message": "success"}


def sonic_task(task: Task, now: float, options: ReplyOptions, links: Links) -> Answer:
    phase = task.phase(now)
    if phase is Phase.FAILED and options.sonic_failure == "timeout":
        message = "Task failed due to timeout. Credits were previously refunded."
        return error(Refusal(504, "timeout", message), options, "sonic")
    if phase is Phase.FAILED and (options.sonic_failure == "api_error" or not task.songs):
        return failed_task(task, options)
    hidden = options.sonic_unfinished == "not_ready" or not task.songs
    if phase is Phase.QUEUED or (hidden and phase is Phase.RUNNING):
        return Answer(202, {"type": "not_ready"})
    data = _clips(task, now, options, links) if task.songs else task.result
    return Answer(200, {"code": 200, "data": data, "message": "success"})


def failed_task(task: Task, options: ReplyOptions) -> Answer:
    """Return the reply to a poll of a failed task: a 200 with ``api_error``."""
    body = {"type": "api_error", "message": task.failure, options.refund_key: task.refunded}
    return Answer(200, body)


def lyrics_task(task: Task, now: float, options: ReplyOptions, _links: Links) -> Answer:
    phase = task.phase(now)
    if phase is Phase.FAILED:
        return failed_task(task, options)
    data = {"title": "", "text": "", "status": "running"}
    if phase is Phase.SUCCEEDED:
        data = {**task.result, "status": "complete"}
    return Answer(200, {"code": 200, "data": data, "message": "success"})


def batch_tasks(answers: Sequence[Answer], options: ReplyOptions) -> list[Any]:
    """Return ``tasks`` of a batch; a refused item has no task id."""
    if options.batch_tasks == "ids":
        return [answer.body.get("task_id") for answer in answers]
    failed = {"task_id": None, "status": "failed"}
    return [
        {"index": index, "task_id": answer.body["task_id"], "status": "submitted"}
        if "task_id" in answer.body
        else {"index": index, **failed, "code": answer.status, **answer.body}
        for index, answer in enumerate(answers)
    ]


def _clips(task: Task, now: float, options: ReplyOptions, links: Links) -> list[Json]:
    """Return the clips; those that are also joined to their source, in pairs."""
    clips = [_clip(task, index, now, options, links) for index in range(len(task.songs))]
    if "full_of" not in task.songs[-1].details:
        return clips
    half, ended = len(clips) // 2, (Phase.SUCCEEDED, Phase.FAILED)
    name = "replaced" if task.operation == "sonic.replace_section" else "extended"
    return [
        {name: clip, "full": full if full["state"] in ended else None}
        for clip, full in zip(clips[:half], clips[half:], strict=True)
    ]


def _clip(task: Task, index: int, now: float, options: ReplyOptions, links: Links) -> Json:
    song, phase = task.songs[index], task.song_phase(index, now)
    body, done = task.body, phase is Phase.SUCCEEDED
    audio = links.audio(song) if done else ""
    if phase is Phase.RUNNING and options.sonic_running_audio == "stream":
        audio = links.stream(song)
    old = options.sonic_form == "2024"
    clip: Json = {
        "clip_id": song.song_id,
        "state": state_word(task, phase),
        "title": song.title,
        "tags": ", ".join(song.tags),
        "lyrics": song.lyrics,
        "image_url": links.image(song),
        "audio_url": audio,
        "video_url": links.video(song) if old and done else None,
        "created_at": utc_text(task.timing.started, "milliseconds"),
        "gpt_description_prompt": body.get("gpt_description_prompt"),
        "duration": duration_of(task, song, text=not old) if done else None,
        "mv": _model(song.model, options),
    }
    if not old:
        echoed = ("negative_tags", "style_weight", "weirdness_constraint")
        clip |= {name: body.get(name) for name in echoed}
    return clip


def _model(model: str, options: ReplyOptions) -> str:
    if options.mv_spelling == "chirp":
        return model.replace("sonic-", "chirp-", 1)
    replaced = options.mv_spelling == "renderer" and not model.startswith("sonic-v6")
    return "sonic-v6" if replaced else model


def utc_text(instant: float, timespec: str) -> str:
    """Return unix seconds as ISO 8601 with a final Z."""
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec=timespec)[:-6] + "Z"


def duration_of(task: Task, song: Song, *, text: bool = False) -> float | str:
    """Return the duration as a number, or as text if asked for or by a fault."""
    return f"{song.duration:.12g}" if text or task.duration_text else song.duration
