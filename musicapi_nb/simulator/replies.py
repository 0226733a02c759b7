"""Tasks dressed as each engine's reply: the keys of the documented examples, all of them. Pure."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from musicapi_nb.simulator.reply_options import ReplyOptions
from musicapi_nb.simulator.tasks import Phase, Song, Task

Json = dict[str, Any]

_LISTENER = "5b7b1c7e-8d5c-4a39-9d1f-6f0c2d4e8a11"
TIMED_OUT = "Task failed due to timeout. Credits were previously refunded."
_QUEUE_WORDS = ("NOT_START", "SUBMITTED", "QUEUED")
_SLUGS = {
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    410: "gone",
    429: "too_many_requests",
}


class Answer(NamedTuple):
    """A status and a JSON body on their way out."""

    status: int
    body: Json


class Links(NamedTuple):
    """Where the files of a song lie on this simulator."""

    base: str

    def audio(self, song: Song) -> str:
        """Link of the finished file."""
        return f"{self.base}/media/audio/{song.song_id}.{song.form}"

    def stream(self, song: Song) -> str:
        """Temporary link, good only while the song is being made."""
        return f"{self.base}/media/stream/{song.song_id}.{song.form}"

    def file(self, song: Song, form: str) -> str:
        """Link of the file in another form; a score lies apart."""
        kind = "midi" if form == "mid" else "audio"
        return f"{self.base}/media/{kind}/{song.song_id}.{form}"

    def image(self, song: Song) -> str:
        """Link of the cover picture."""
        return f"{self.base}/media/image/{song.song_id}.png"

    def video(self, song: Song) -> str:
        """Link of a video; the simulator films nothing, so it is answered by a 404."""
        return f"{self.base}/media/video/{song.song_id}.mp4"


def error(
    status: int, message: str, kind: str | None, options: ReplyOptions, engine: str
) -> Answer:
    """Dress an error; nuro's shape is documented, the others' is a choice (``ReplyOptions``)."""
    slug = kind or _SLUGS.get(status, "server_error" if status >= 500 else "error")  # noqa: PLR2004 - HTTP
    if engine == "nuro" or options.error_body == "refund":
        return Answer(status, {"type": slug, "message": message, "refund_processed": False})
    bodies: dict[str, Json] = {
        "all": {"type": slug, "error": message, "message": message},
        "type_error": {"type": slug, "error": message},
        "message": {"message": message},
        "envelope": {"code": slug, "message": message, "data": None},
    }
    return Answer(status, bodies[options.error_body])


def plain_ack(task: Task, _options: ReplyOptions) -> Json:
    """Answer the submit of an engine other than sonic and studio."""
    return {"message": "success", "task_id": task.task_id}


def ack(task: Task, options: ReplyOptions) -> Json:
    """Answer a sonic submit."""
    body = plain_ack(task, options)
    return {"code": 200, **body} if options.ack_code else body


def voice_ack(task: Task, options: ReplyOptions) -> Json:
    """Answer a submit of /sonic/create-voice, which may carry a warning."""
    return {**ack(task, options), "warning": "A voice is made from what was uploaded today."}


def steps_ack(*steps: str) -> Callable[[Task, ReplyOptions], Json]:
    """Answer a request that uploads and makes a song of it, step by step."""

    def acked(task: Task, _options: ReplyOptions) -> Json:
        clip_id = task.songs[0].details["parent"]
        done = {
            steps[0]: {"success": True, "clip_id": clip_id},
            steps[1]: {"success": True, "task_id": task.task_id},
        }
        return {"code": 200, "message": "success", "task_id": task.task_id, "steps": done}

    return acked


def step_failed(
    steps: tuple[str, ...], failed: str, message: str, clip_id: str | None, options: ReplyOptions
) -> Answer:
    """Answer such a request of which one step failed; ``clip_id`` is what was uploaded before."""
    done: Json = {failed: {"success": False, "error": message}}
    if clip_id is not None:
        done = {steps[0]: {"success": True, "clip_id": clip_id}, **done}
    body = {"code": 400, "message": message, "failed_step": failed, "steps": done}
    return Answer(options.step_failure, body)


def lyrics_ack(task: Task, _options: ReplyOptions) -> Json:
    """Answer a submit of /suno/make-lyrics."""
    return {"code": 200, "data": {"task_id": task.task_id}, "message": "success"}


def studio_ack(task: Task, _options: ReplyOptions) -> Json:
    """Answer a studio submit: ``code`` is a string and ``data`` the id itself."""
    return {"code": "success", "message": "", "data": task.task_id}


def sonic_task(task: Task, now: float, options: ReplyOptions, links: Links) -> Answer:
    """Answer a sonic poll."""
    phase = task.phase(now)
    if phase is Phase.FAILED and options.sonic_failure == "timeout":
        return error(504, TIMED_OUT, "timeout", options, "sonic")
    if phase is Phase.FAILED and (options.sonic_failure == "api_error" or not task.songs):
        return failed(task, options)
    hidden = options.sonic_unfinished == "not_ready" or not task.songs
    if phase is Phase.QUEUED or (hidden and phase is Phase.RUNNING):
        return Answer(202, {"type": "not_ready"})
    data = _items(task, now, options, links) if task.songs else task.result
    return Answer(200, {"code": 200, "data": data, "message": "success"})


def failed(task: Task, options: ReplyOptions) -> Answer:
    """Answer the poll of a failed task with a 200 that says so."""
    body = {"type": "api_error", "message": task.failure, options.refund_key: task.refunded}
    return Answer(200, body)


def lyrics_task(task: Task, now: float, options: ReplyOptions, _links: Links) -> Answer:
    """Answer a poll of /suno/get-lyrics."""
    phase = task.phase(now)
    if phase is Phase.FAILED:
        return failed(task, options)
    done = phase is Phase.SUCCEEDED
    known = task.result if done else {"title": "", "text": ""}
    status = "complete" if done else "running"
    return Answer(200, {"code": 200, "data": {**known, "status": status}, "message": "success"})


def batch_tasks(answers: Sequence[Answer], options: ReplyOptions) -> list[Any]:
    """List the tasks of a batch; a refused item has none."""
    ids = [answer.body.get("task_id") for answer in answers]
    if options.batch_tasks == "ids":
        return ids
    return [
        {"index": index, "task_id": task_id, "status": "submitted"}
        if task_id
        else {"index": index, "task_id": None, "status": "failed", "code": each.status, **each.body}
        for index, (task_id, each) in enumerate(zip(ids, answers, strict=True))
    ]


def studio_task(task: Task, now: float, options: ReplyOptions, links: Links) -> Answer:
    """Answer a studio poll."""
    phase, timing = task.phase(now), task.timing
    if phase is Phase.FAILED and options.studio_failure == "code":
        return Answer(200, {"code": "failed", "message": task.failure, "data": None})
    ended = phase in (Phase.SUCCEEDED, Phase.FAILED)
    finished = timing.finished if task.fails_at is None else task.fails_at
    data = {
        "task_id": task.task_id,
        "notify_hook": "",
        "action": "studio-generate",
        "status": _studio_status(task, now),
        "fail_reason": task.failure if phase is Phase.FAILED else "",
        "submit_time": int(timing.submitted),
        "start_time": 0 if phase is Phase.QUEUED else int(timing.started),
        "finish_time": int(finished) if ended else 0,
        "progress": "100%" if ended else f"{task.progress(now)}%",
        "data": _studio_data(task, now, options, links),
    }
    holder = "handledData" if options.studio_wrapper else "data"
    return Answer(200, {"code": "success", "message": "", holder: data})


def nuro_task(task: Task, now: float, options: ReplyOptions, links: Links) -> Answer:
    """Answer a nuro poll: a flat object; empty strings and 0 until it is done."""
    phase, song = task.phase(now), task.songs[0]
    done, failed = phase is Phase.SUCCEEDED, phase is Phase.FAILED
    problem = {"type": "api_error", "message": task.failure, "refund_processed": task.refunded}
    if failed and options.nuro_failure == "error":
        return Answer(500, problem)
    words = {Phase.QUEUED: "pending", Phase.RUNNING: task.state_word or "running"}
    status = "failed" if failed else words.get(phase, "succeeded")
    known = song.details if done else {}
    body = {
        "task_id": task.task_id,
        "status": status,
        "progress": task.progress(now),
        "audio_url": links.audio(song) if done else "",
        "lyrics": song.lyrics if done else "",
        "duration": _duration(task, song.duration) if done else 0,
        **{name: known.get(name, "") for name in ("genre", "mood", "gender", "timbre")},
    }
    return Answer(200, {**body, **problem} if failed else body)


def _items(task: Task, now: float, options: ReplyOptions, links: Links) -> list[Json | None]:
    """Dress the clips; where each is also joined to what it extends, in pairs."""
    clips = [_clip(task, index, now, options, links) for index in range(len(task.songs))]
    joined = {
        song.details["full_of"]: index
        for index, song in enumerate(task.songs)
        if "full_of" in song.details
    }
    if not joined:
        return list(clips)
    pairs: list[Json | None] = []
    for clip in clips[: len(joined)]:
        index = joined[clip["clip_id"]]
        ended = task.song_phase(index, now) in (Phase.SUCCEEDED, Phase.FAILED)
        pairs.append({"extended": clip, "full": clips[index] if ended else None})
    return pairs


def _clip(task: Task, index: int, now: float, options: ReplyOptions, links: Links) -> Json:
    song, phase = task.songs[index], task.song_phase(index, now)
    body, done = task.body, phase is Phase.SUCCEEDED
    words = {
        Phase.QUEUED: "pending",
        Phase.RUNNING: task.state_word or "running",
        Phase.SUCCEEDED: "succeeded",
        Phase.FAILED: "failed",
    }
    audio = links.audio(song) if done else ""
    if phase is Phase.RUNNING and options.sonic_running_audio == "stream":
        audio = links.stream(song)
    old = options.sonic_form == "2024"
    text = task.duration_text or not old
    clip: Json = {
        "clip_id": song.song_id,
        "state": words[phase],
        "title": song.title,
        "tags": ", ".join(song.tags),
        "lyrics": song.lyrics,
        "image_url": links.image(song),
        "audio_url": audio,
        "video_url": links.video(song) if old and done else None,
        "created_at": _zulu(task.timing.started),
        "gpt_description_prompt": body.get("gpt_description_prompt"),
        "duration": (_text(song.duration) if text else song.duration) if done else None,
        "mv": _model(song.model, options),
    }
    if not old:
        echoed = ("negative_tags", "style_weight", "weirdness_constraint")
        clip |= {name: body.get(name) for name in echoed}
    return clip


def _model(asked: str, options: ReplyOptions) -> str:
    if options.mv_spelling == "chirp":
        return asked.replace("sonic-", "chirp-", 1)
    renders = options.mv_spelling == "v6" and not asked.startswith("sonic-v6")
    return "sonic-v6" if renders else asked


def _studio_status(task: Task, now: float) -> str:
    phase, timing = task.phase(now), task.timing
    if phase is Phase.QUEUED:
        share = (now - timing.submitted) / max(timing.started - timing.submitted, 1e-9)
        return _QUEUE_WORDS[min(2, max(0, int(3 * share)))]
    running = task.state_word.upper() if task.state_word else "IN_PROGRESS"
    return {Phase.RUNNING: running, Phase.SUCCEEDED: "SUCCESS"}.get(phase, "FAILURE")


def _studio_data(task: Task, now: float, options: ReplyOptions, links: Links) -> Json | None:
    phase = task.phase(now)
    if phase is not Phase.SUCCEEDED:
        if options.studio_unfinished == "null":
            return None
        if options.studio_unfinished == "empty" or phase in (Phase.QUEUED, Phase.FAILED):
            return {}
    return {"songs": [_studio_song(task, index, now, links) for index in range(len(task.songs))]}


def _studio_song(task: Task, index: int, now: float, links: Links) -> Json:
    song, phase = task.songs[index], task.song_phase(index, now)
    done, spoilt = phase is Phase.SUCCEEDED, phase is Phase.FAILED
    created = datetime.fromtimestamp(task.timing.started + 0.839599, UTC)
    replaced = {step.source: {"tags": list(step.tags), "type": "tags"} for step in song.steps}
    return {
        "id": song.song_id,
        "tags": list(song.tags),
        "liked": False,
        "likes": 0,
        "plays": 0,
        "title": song.title,
        "artist": song.details["artist"],
        "lyrics": song.lyrics,
        "prompt": song.details["prompt"],
        "user_id": _LISTENER,
        "disliked": False,
        "duration": _duration(task, song.duration) if done else 0,
        "error_id": None,
        "finished": done or spoilt,
        "song_path": links.audio(song) if done else "",
        "user_tags": [],
        "created_at": created.isoformat(timespec="microseconds"),
        "error_code": None,
        "error_type": "generation_error" if spoilt else None,
        "image_path": links.image(song),
        "video_path": None,
        "attribution": "",
        "description": "",
        "publishable": True,
        "artist_image": links.image(song),
        "error_detail": task.failure if spoilt else None,
        "published_at": None,
        "generation_id": task.task_id,
        "replaced_tags": replaced,
        "original_song_path": None,
        "audio_conditioning_type": song.details["mode"],
    }


def _duration(task: Task, seconds: float) -> float | str:
    return _text(seconds) if task.duration_text else seconds


def _zulu(instant: float) -> str:
    text = datetime.fromtimestamp(instant, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _text(seconds: float) -> str:
    return f"{seconds:.12g}"
