"""Replies of producer and of its forerunner riffusion (service.md 9, 10, 19). No I/O."""

from musicapi_nb.simulator.replies import Answer, Json, Links, failed_task, state_word, utc_text
from musicapi_nb.simulator.reply_options import ReplyOptions
from musicapi_nb.simulator.tasks import Phase, Song, Task

_NOT_READY: Json = {
    "code": 202,
    "type": "not_ready",
    "error": "Task is still processing. Please wait a few seconds and try again.",
}
_STATUS_WORDS = {
    Phase.QUEUED: "PENDING",
    Phase.RUNNING: "RUNNING",
    Phase.SUCCEEDED: "SUCCESS",
    Phase.FAILED: "FAILED",
}


def producer_task(task: Task, now: float, options: ReplyOptions, links: Links) -> Answer:
    """Return the reply to a producer poll; the form of 2026 has a ``status``."""
    phase, has_status = task.phase(now), options.producer_form == "2026"
    done = phase is Phase.SUCCEEDED
    if phase is Phase.FAILED and not has_status:
        return failed_task(task, options)
    if not done and not has_status:
        return Answer(202, _NOT_READY)
    body: Json = {"code": 200}
    if has_status:
        body["status"] = _STATUS_WORDS[phase]
        if phase is Phase.RUNNING and task.state_word:
            body["status"] = task.state_word.upper()
    songs = [_producer_song(task, song, options, links) for song in task.songs]
    body |= {"data": (songs or task.result) if done else [], "message": "success"}
    if phase is Phase.FAILED:
        body |= {"message": task.failure, options.refund_key: task.refunded}
    return Answer(200, body)


def riffusion_task(task: Task, now: float, options: ReplyOptions, links: Links) -> Answer:
    """Return the reply to a riffusion poll."""
    phase = task.phase(now)
    if phase is Phase.FAILED:
        return failed_task(task, options)
    songs = [
        _riffusion_song(task, index, now, links)
        for index in range(len(task.songs))
        if options.riffusion_unfinished == "clips"
        or task.song_phase(index, now) in (Phase.SUCCEEDED, Phase.FAILED)
    ]
    if phase is Phase.QUEUED or not songs:
        return Answer(202, _NOT_READY)
    return Answer(200, {"code": 200, "data": songs, "message": "success"})


def _producer_song(task: Task, song: Song, options: ReplyOptions, links: Links) -> Json:
    row = _song(task, song, links) | {
        "sound": song.details["sound"],
        "audio_url": links.audio(song),
        "seed": song.details["seed"],
        "state": "failed" if song.song_id in task.failed_songs else "succeeded",
    }
    return row | {"wav_url": links.file(song, "wav")} if options.producer_form == "2026" else row


def _riffusion_song(task: Task, index: int, now: float, links: Links) -> Json:
    song, phase = task.songs[index], task.song_phase(index, now)
    return _song(task, song, links) | {
        "audio_url": links.audio(song) if phase is Phase.SUCCEEDED else "",
        "timestamp": {},
        "state": state_word(task, phase),
    }


def _song(task: Task, song: Song, links: Links) -> Json:
    return {
        "clip_id": song.song_id,
        "title": song.title,
        "lyrics": song.lyrics,
        "image_url": links.image(song),
        "video_url": None,
        "created_at": utc_text(task.timing.started, "microseconds"),
        "mv": song.model,
        "duration": str(song.duration) if task.duration_text else song.duration,
    }
