"""Studio: checks, two songs a task with different final tags, replies (service.md 6). No I/O."""

from collections.abc import Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any

from musicapi_nb.simulator import rules, tag_rewriting
from musicapi_nb.simulator.catalog import Call, Operation
from musicapi_nb.simulator.music.lyric_writer import INSTRUMENTAL_LYRICS, make_lyrics, make_title
from musicapi_nb.simulator.music.recording import Recording
from musicapi_nb.simulator.replies import Answer, Json, Links, duration_of
from musicapi_nb.simulator.reply_options import ReplyOptions
from musicapi_nb.simulator.requested_sound import tempo_and_key
from musicapi_nb.simulator.rules import Body, invalid
from musicapi_nb.simulator.songs import make_id
from musicapi_nb.simulator.tasks import Phase, Song, Task

_USER_ID = "5b7b1c7e-8d5c-4a39-9d1f-6f0c2d4e8a11"
_QUEUE_WORDS = ("NOT_START", "SUBMITTED", "QUEUED")
_STRENGTHS = ("prompt_strength", "clarity_strength", "lyrics_strength", "generation_quality")
_FIELDS = {
    "lyrics_type": rules.choice("user", "generate", "instrumental"),
    " ".join(_STRENGTHS): rules.fraction(),
    "song_section_start song_section_end": rules.fraction(),
    "lyrics_placement_start lyrics_placement_end": rules.fraction(),
    "model_type": rules.choice("studio32-v1.5", "studio130-v1.5"),
}
_MODES = rules.choice("regular", "continuation", "precede")


def _check(call: Call) -> None:
    body = call.body
    prompt, kind = body.get("prompt"), body.get("lyrics_type")
    if not isinstance(prompt, str) or not prompt.strip():
        raise invalid("The 'prompt' field is required.")
    rules.check_required(body, ("lyrics_type",))
    rules.check_fields(body, _FIELDS)
    if kind == "user" and not str(body.get("lyrics") or "").strip():
        raise invalid("The 'lyrics' field is required when lyrics_type = user.")
    if not call.options.studio_defaults:
        rules.check_required(body, (*_STRENGTHS, "model_type", "config"))
    if "seed" in body and type(body["seed"]) is not int:
        raise invalid("The 'seed' field should be an integer.")
    _check_config(body.get("config", {"mode": "regular"}))
    rules.check_content(body.get("lyrics") if kind == "user" else None, prompt)
    if _source_id(body):
        call.check_owned("config.source.song_id", owned=_source_of(call) is not None)


def _check_config(config: Any) -> None:
    mode = str(config.get("mode")) if isinstance(config, Mapping) else ""
    rules.check_fields({"config.mode": mode}, {"config.mode": _MODES})
    if mode != "regular" and not _source_id({"config": config}):
        raise invalid("The 'config.source.song_id' field is required to extend a song.")


def _source_id(body: Body) -> str:
    """Return the id of the song that a request extends, or an empty text."""
    match body.get("config"):
        case {"source": {"song_id": str(song_id)}}:
            return song_id
        case _:
            return ""


def _source_of(call: Call) -> Song | None:
    return call.catalog.song(_source_id(call.body), call.key)


def _songs(call: Call) -> tuple[Song, ...]:
    """Make the two songs of a task; their final tags differ."""
    body, source = call.body, _source_of(call)
    prompt, kind = str(body["prompt"]), body["lyrics_type"]
    mode = (body.get("config") or {}).get("mode", "regular")
    title = source.title if source else make_title(prompt, Random(f"{call.seed}/words"))
    negative = str(body.get("negative_prompt") or "")
    fixed_lyrics = {"user": str(body.get("lyrics") or ""), "instrumental": INSTRUMENTAL_LYRICS}
    artist = make_title("", Random(f"{call.seed}/artist")).replace(" ", "")
    songs: list[Song] = []
    for index in (0, 1):
        seed = f"{call.seed}/{index}"
        rng = Random(seed)
        steps = tag_rewriting.studio_steps(prompt, rng, first=index == 0, negative=negative)
        if songs:
            steps = tag_rewriting.differing_steps(steps, songs[0].tags, rng)
        tags = steps[-1].tags
        lyrics = fixed_lyrics.get(kind) or make_lyrics(prompt, rng)
        seconds = round(rng.uniform(*call.catalog.seconds), 9)
        song = Song(
            song_id=make_id(seed),
            title=title if mode == "regular" else f"{title} ext v1.2.{index + 1}",
            tags=tags,
            lyrics=lyrics,
            recording=Recording(
                *(seed, tags, seconds, kind == "instrumental"), **tempo_and_key(call, prompt, seed)
            ),
            model=str(body.get("model_type") or "studio130-v1.5"),
            steps=steps,
            details={"prompt": prompt, "artist": artist, "mode": mode},
        )
        songs.append(song)
    return tuple(songs)


def _ack(task: Task, _options: ReplyOptions) -> Json:
    """Return the reply to a submit: ``code`` is text, ``data`` the task id."""
    return {"code": "success", "message": "", "data": task.task_id}


def poll(task: Task, now: float, options: ReplyOptions, links: Links) -> Answer:
    phase, timing = task.phase(now), task.timing
    if phase is Phase.FAILED and options.studio_failure == "code":
        return Answer(200, {"code": "failed", "message": task.failure, "data": None})
    finished = timing.finished if task.fails_at is None else task.fails_at
    data = {
        "task_id": task.task_id,
        "notify_hook": "",
        "action": "studio-generate",
        "status": _status(task, now),
        "fail_reason": task.failure if phase is Phase.FAILED else "",
        "submit_time": int(timing.submitted),
        "start_time": 0 if phase is Phase.QUEUED else int(timing.started),
        "finish_time": int(finished) if phase.ended else 0,
        "progress": "100%" if phase.ended else f"{task.progress(now)}%",
        "data": _data(task, now, options, links),
    }
    holder = "handledData" if options.studio_wrapper else "data"
    return Answer(200, {"code": "success", "message": "", holder: data})


def _status(task: Task, now: float) -> str:
    phase, timing = task.phase(now), task.timing
    if phase is Phase.QUEUED:
        share = (now - timing.submitted) / max(timing.started - timing.submitted, 1e-9)
        return _QUEUE_WORDS[min(2, max(0, int(3 * share)))]
    running = "IN_PROGRESS" if task.state_word == "running" else task.state_word.upper()
    return {Phase.RUNNING: running, Phase.SUCCEEDED: "SUCCESS"}.get(phase, "FAILURE")


def _data(task: Task, now: float, options: ReplyOptions, links: Links) -> Json | None:
    phase = task.phase(now)
    if phase is not Phase.SUCCEEDED:
        if options.studio_unfinished == "null":
            return None
        if options.studio_unfinished == "empty" or phase in (Phase.QUEUED, Phase.FAILED):
            return {}
    return {"songs": [_song(task, index, now, links) for index in range(len(task.songs))]}


def _song(task: Task, index: int, now: float, links: Links) -> Json:
    song, phase = task.songs[index], task.song_phase(index, now)
    done, failed = phase is Phase.SUCCEEDED, phase is Phase.FAILED
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
        "user_id": _USER_ID,
        "disliked": False,
        "duration": duration_of(task, song) if done else 0,
        "error_id": None,
        "finished": done or failed,
        "song_path": links.audio(song) if done else "",
        "user_tags": [],
        "created_at": created.isoformat(timespec="microseconds"),
        "error_code": None,
        "error_type": "generation_error" if failed else None,
        "image_path": links.image(song),
        "video_path": None,
        "attribution": "",
        "description": "",
        "publishable": True,
        "artist_image": links.image(song),
        "error_detail": task.failure if failed else None,
        "published_at": None,
        "generation_id": task.task_id,
        "replaced_tags": replaced,
        "original_song_path": None,
        "audio_conditioning_type": song.details["mode"],
    }


CREATE = Operation("studio.create", 15, _check, _songs, 58.0, 0.25, ack=_ack)
"""Price of 2025-02-18."""
