"""Replies of producer and of its forerunner riffusion (service.md 9, 10, 19). Pure."""

from datetime import UTC, datetime

from musicapi_nb.simulator.replies import Answer, Json, Links, failed
from musicapi_nb.simulator.reply_options import ReplyOptions
from musicapi_nb.simulator.tasks import Phase, Task

_WAITS: Json = {
    "code": 202,
    "type": "not_ready",
    "error": "Task is still processing. Please wait a few seconds and try again.",
}
_WORDS = {
    Phase.QUEUED: "pending",
    Phase.RUNNING: "running",
    Phase.SUCCEEDED: "succeeded",
    Phase.FAILED: "failed",
}


def producer_task(task: Task, now: float, options: ReplyOptions, links: Links) -> Answer:
    """Answer a producer poll: 202 until the song is there; the form of 2026 has a ``status``."""
    phase, late = task.phase(now), options.producer_form == "2026"
    done = phase is Phase.SUCCEEDED
    if phase is Phase.FAILED and not late:
        return failed(task, options)
    if not done and not late:
        return Answer(202, _WAITS)
    body: Json = {"code": 200}
    if late:
        words = {Phase.QUEUED: "PENDING", Phase.RUNNING: "RUNNING", Phase.SUCCEEDED: "SUCCESS"}
        body["status"] = words.get(phase, "FAILED")
        if phase is Phase.RUNNING and task.state_word:
            body["status"] = task.state_word.upper()
    songs = [_producer_song(task, index, options, links) for index in range(len(task.songs))]
    body |= {"data": (songs or task.result) if done else [], "message": "success"}
    if phase is Phase.FAILED:
        body |= {"message": task.failure, options.refund_key: task.refunded}
    return Answer(200, body)


def riffusion_task(task: Task, now: float, options: ReplyOptions, links: Links) -> Answer:
    """Answer a riffusion poll."""
    phase = task.phase(now)
    if phase is Phase.FAILED:
        return failed(task, options)
    shown = [
        index
        for index in range(len(task.songs))
        if options.riffusion_unfinished == "clips"
        or task.song_phase(index, now) in (Phase.SUCCEEDED, Phase.FAILED)
    ]
    if phase is Phase.QUEUED or not shown:
        return Answer(202, _WAITS)
    songs = [_riffusion_song(task, index, now, links) for index in shown]
    return Answer(200, {"code": 200, "data": songs, "message": "success"})


def _producer_song(task: Task, index: int, options: ReplyOptions, links: Links) -> Json:
    song = task.songs[index]
    dressed: Json = {
        "clip_id": song.song_id,
        "title": song.title,
        "sound": song.details["sound"],
        "lyrics": song.lyrics,
        "image_url": links.image(song),
        "audio_url": links.audio(song),
        "video_url": None,
        "created_at": _micro(task.timing.started),
        "mv": song.model,
        "seed": song.details["seed"],
        "duration": str(song.duration) if task.duration_text else song.duration,
        "state": "failed" if song.song_id in task.spoilt else "succeeded",
    }
    if options.producer_form == "2026":
        dressed["wav_url"] = links.file(song, "wav")
    return dressed


def _riffusion_song(task: Task, index: int, now: float, links: Links) -> Json:
    song, phase = task.songs[index], task.song_phase(index, now)
    done = phase is Phase.SUCCEEDED
    running = task.state_word or "running"
    return {
        "clip_id": song.song_id,
        "title": song.title,
        "lyrics": song.lyrics,
        "image_url": links.image(song),
        "audio_url": links.audio(song) if done else "",
        "video_url": None,
        "created_at": _micro(task.timing.started),
        "mv": song.model,
        "duration": str(song.duration) if task.duration_text else song.duration,
        "timestamp": {},
        "state": running if phase is Phase.RUNNING else _WORDS[phase],
    }


def _micro(instant: float) -> str:
    text = datetime.fromtimestamp(instant, UTC).isoformat(timespec="microseconds")
    return text.replace("+00:00", "Z")
