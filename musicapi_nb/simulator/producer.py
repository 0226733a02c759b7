"""Producer and its forerunner riffusion (service.md 9, 10, 19). No I/O."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from random import Random

from musicapi_nb.simulator import clips, replies, rules, tag_rewriting
from musicapi_nb.simulator.catalog import Call, Choice, Make, Operation, Table, by_task_type
from musicapi_nb.simulator.music.lyric_writer import INSTRUMENTAL_LYRICS, make_lyrics, make_title
from musicapi_nb.simulator.music.recording import Recording
from musicapi_nb.simulator.replies import Answer, Json, Links
from musicapi_nb.simulator.reply_options import ReplyOptions
from musicapi_nb.simulator.requested_sound import tempo_and_key
from musicapi_nb.simulator.rules import invalid
from musicapi_nb.simulator.songs import make_id, source_of, uploaded_song
from musicapi_nb.simulator.tasks import Phase, Song, Task

RIFFUSION_MODELS = ("FUZZ-1.1 Pro", "FUZZ-1.0 Pro", "FUZZ-1.1", "FUZZ-1.0")
_RENDERER = "Lyria 3 Pro"
PRODUCER_MODELS = (
    *(_RENDERER, "Lyria 3 preview", "FUZZ-3-Demo", "FUZZ-2.0", "FUZZ-2.0 Pro", "FUZZ-2.0 Raw"),
    *RIFFUSION_MODELS,
    "FUZZ-0.8",
)


def _task_types(needs: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
    """Return each ``task_type`` and its required fields; ``{}`` stands for a form for uploads."""
    names = {name.format(upload): name for name in needs for upload in ("", "upload_")}
    return {"create_music": (), **{task_type: needs[name] for task_type, name in names.items()}}


PRODUCER_TASKS = _task_types(
    {
        "extend_{}music": ("clip_id",),
        "replace_{}music": ("clip_id", "starts_at", "ends_at"),
        "cover_{}music": ("clip_id", "instruction"),
        "music_variation": ("clip_id",),
        "swap_music_vocals": ("clip_id",),
        "swap_music_sound": ("clip_id",),
    }
)
"""``ReplyOptions.retired`` has those withdrawn."""
RIFFUSION_TASKS = _task_types(
    {
        "extend_{}music": ("continue_clip_id", "continue_at"),
        "cover_{}music": ("continue_clip_id",),
        "replace_{}music": ("continue_clip_id", "replace_start_time", "replace_end_time"),
        "swap_{}music_sound": ("continue_clip_id",),
        "swap_{}music_vocals": ("continue_clip_id",),
    }
)
_PRODUCER_FIELDS = {
    "sound lyrics clip_id instruction cover_url": rules.STRING,
    "title": rules.text(80),
    "make_instrumental": rules.BOOLEAN,
    "mv": rules.choice(*PRODUCER_MODELS),
    "lyrics_strength weirdness strength cover_strength": rules.fraction(),
    "sound_strength": rules.fraction(0.2),
    "extend_s": rules.SECONDS,
    "length": rules.integer(1, 240),
}
_RIFFUSION_FIELDS = {
    "custom_mode make_instrumental": rules.BOOLEAN,
    "title continue_clip_id": rules.STRING,
    "lyrics": rules.text(3001),
    "prompt sound": rules.text(201),
    "mv": rules.choice(*RIFFUSION_MODELS),
    "vocal_variation": rules.fraction(),
    "continue_at": rules.SECONDS,
}


def _check_producer(call: Call, task_type: str) -> None:
    body = call.body
    rules.check_fields(body, _PRODUCER_FIELDS)
    rules.check_required(body, PRODUCER_TASKS[task_type], task_type)
    if task_type == "create_music" and not body.get("sound") and not body.get("lyrics"):
        raise invalid("At least one of 'sound' and 'lyrics' is required.")
    rules.check_range(body, "starts_at", "ends_at")
    if type(body.get("seed", "")) not in (int, str):
        raise invalid("The 'seed' field should be an integer or a string.")
    rules.check_content(body.get("lyrics") or None, body.get("sound"))
    _check_source(call, task_type, "clip_id", PRODUCER_TASKS)


def _check_download(call: Call) -> None:
    clips.check_clip(call)
    rules.check_fields(call.body, {"format": rules.choice("mp3", "wav")})


def _check_riffusion(call: Call, task_type: str) -> None:
    body = call.body
    rules.check_fields(body, _RIFFUSION_FIELDS)
    rules.check_required(body, RIFFUSION_TASKS[task_type], task_type)
    if task_type == "create_music" and not isinstance(body.get("custom_mode"), bool):
        raise invalid("The 'custom_mode' field should be boolean.")
    if task_type == "create_music" and not body["custom_mode"]:
        rules.check_required(body, ("prompt",))
    elif task_type == "create_music" and not body.get("lyrics") and not body.get("sound"):
        raise invalid("At least one of 'lyrics' and 'sound' is required when custom_mode = true.")
    rules.check_range(body, "replace_start_time", "replace_end_time")
    rules.check_content(body.get("lyrics") or None, body.get("prompt"))
    _check_source(call, task_type, "continue_clip_id", RIFFUSION_TASKS)


def _check_source(
    call: Call, task_type: str, name: str, task_types: Mapping[str, tuple[str, ...]]
) -> None:
    """Refuse a clip of another account, and a task type that does not take uploaded clips."""
    if task_type == "create_music":
        return
    clip = call.own_song(name)
    uploaded = clip is not None and "uploaded" in clip.details
    upload_type = task_type.replace("_music", "_upload_music", 1)
    if uploaded and "upload" not in task_type and upload_type in task_types:
        raise invalid(f"The task_type should be '{upload_type}' for an uploaded clip.")


def _producer_songs(call: Call) -> tuple[Song, ...]:
    """Make producer's one song: new, an extension, a cover, or with a section replaced."""
    body, source = call.body, call.song("clip_id")
    cover = str(body.get("task_type")).startswith("cover")
    sound = str(body.get("sound") or (body["instruction"] if cover else ""))
    song = _song(call, source, 0, sound, _RENDERER)
    wordless = not body.get("lyrics") and {"instrumental", "no vocals"} & set(song.tags)
    obeyed = call.options.producer_instrumental == "obeyed" and body.get("make_instrumental")
    seconds = float(body.get("length") or song.duration)
    if source is not None and (cover or ("starts_at" in body and "ends_at" in body)):
        seconds = source.duration  # a cover, or a section is replaced
    elif source is not None:
        cut = min(float(body.get("starts_at") or source.duration), source.duration)
        seconds = round(cut + min(float(body.get("extend_s") or seconds), seconds), 6)
    song = replace(song, recording=replace(song.recording, seconds=seconds))
    return (_without_voice(song) if wordless or obeyed else song,)


def _riffusion_songs(call: Call) -> tuple[Song, ...]:
    source = call.song("continue_clip_id")
    sound = str(call.body.get("sound") or call.body.get("prompt") or "")
    songs = tuple(_song(call, source, index, sound, "FUZZ-1.1") for index in (0, 1))
    return tuple(map(_without_voice, songs)) if call.body.get("make_instrumental") else songs


def _without_voice(song: Song) -> Song:
    recording = replace(song.recording, instrumental=True)
    return replace(song, lyrics=INSTRUMENTAL_LYRICS, recording=recording)


def _song(call: Call, source: Song | None, index: int, sound: str, model: str) -> Song:
    body, seed = call.body, f"{call.seed}/{index}"
    rng = Random(seed)
    about = " ".join(str(body[name]) for name in ("title", "sound", "prompt") if body.get(name))
    title = body.get("title") or (source.title if source else "")
    lyrics = str(body.get("lyrics") or (source.lyrics if source else "") or "")
    audio_seed = f"{seed}/{body['seed']}" if "seed" in body else seed
    requested = tempo_and_key(call, sound, audio_seed)
    sound = sound or ", ".join(source.tags if source else ())
    tags = tag_rewriting.split(tag_rewriting.requested_text(sound)) if sound else ("pop",)
    drawn_seed = Random(f"{call.seed}/seed").randrange(2**32)
    details = {"sound": sound, "seed": str(body.get("seed", drawn_seed)), "formats": ("wav",)}
    seconds = round(rng.uniform(*call.catalog.seconds), 6)
    return Song(
        song_id=make_id(seed),
        title=str(title or make_title(about or lyrics, rng)),
        tags=tags,
        lyrics=lyrics or make_lyrics(about, rng),
        recording=Recording(audio_seed, tags, seconds, instrumental=False, **requested),
        model=str(body.get("mv") or model),
        details=details | ({"parent": source.song_id} if source else {}),
    )


def _import(call: Call) -> tuple[Song, ...]:
    song = uploaded_song(str(call.body["audio_url"]), call.seed)
    return (replace(song, details={**song.details, "sound": "", "seed": ""}),)


def _export(call: Call) -> list[Json]:
    song, audio_format = source_of(call, "clip_id"), str(call.body.get("format") or "mp3")
    call.catalog.formats.setdefault(song.song_id, set()).add(audio_format)
    return [{"audio_url": call.links.file(song, audio_format)}]


def _creates(engine: str, names: Iterable[str], check: Callable[..., None], make: Make) -> Choice:
    return by_task_type(
        {
            name: Operation(f"{engine}.{name}", 12, partial(check, task_type=name), make, 50.0)
            for name in names
        }
    )


# Prices: service.md 14; of /riffusion/upload none is public.
PRODUCER: Table = {
    "producer/create": _creates("producer", PRODUCER_TASKS, _check_producer, _producer_songs),
    "producer/upload": Operation("producer.upload", 2, clips.check_audio_url, _import, 15.0),
    "producer/download": Operation("producer.download", 2, _check_download, _export, 15.0),
    "riffusion/create": _creates("riffusion", RIFFUSION_TASKS, _check_riffusion, _riffusion_songs),
    "riffusion/upload": clips.upload_to("riffusion"),
}

_NOT_READY: Json = {
    "code": 202,
    "type": "not_ready",
    "error": "Task is still processing. Please wait a few seconds and try again.",
}
_STATUS_WORDS = {Phase.QUEUED: "PENDING", Phase.SUCCEEDED: "SUCCESS"}


def poll_producer(task: Task, now: float, options: ReplyOptions, links: Links) -> Answer:
    """Return the reply to a poll of producer; the form of 2026 has a ``status``."""
    phase, has_status = task.phase(now), options.producer_form == "2026"
    done = phase is Phase.SUCCEEDED
    if phase is Phase.FAILED and not has_status:
        return replies.failed_task(task, options)
    if not done and not has_status:
        return Answer(202, _NOT_READY)
    body: Json = {"code": 200}
    if has_status:
        body["status"] = _STATUS_WORDS.get(phase, replies.state_word(task, phase).upper())
    songs = [_producer_song(task, song, options, links) for song in task.songs]
    body |= {"data": (songs or task.result) if done else [], "message": "success"}
    if phase is Phase.FAILED:
        body |= {"message": task.failure, options.refund_key: task.refunded}
    return Answer(200, body)


def poll_riffusion(task: Task, now: float, options: ReplyOptions, links: Links) -> Answer:
    phase = task.phase(now)
    if phase is Phase.FAILED:
        return replies.failed_task(task, options)
    songs = [
        _riffusion_song(task, index, now, links)
        for index in range(len(task.songs))
        if options.riffusion_unfinished == "clips" or task.song_phase(index, now).ended
    ]
    if phase is Phase.QUEUED or not songs:
        return Answer(202, _NOT_READY)
    return Answer(200, {"code": 200, "data": songs, "message": "success"})


def _producer_song(task: Task, song: Song, options: ReplyOptions, links: Links) -> Json:
    row = _row(task, song, links) | {
        "sound": song.details["sound"],
        "audio_url": links.audio(song),
        "seed": song.details["seed"],
        "state": "failed" if song.song_id in task.failed_songs else "succeeded",
    }
    if options.mv_spelling == "renderer":
        row["mv"] = _RENDERER
    return row | {"wav_url": links.file(song, "wav")} if options.producer_form == "2026" else row


def _riffusion_song(task: Task, index: int, now: float, links: Links) -> Json:
    song, phase = task.songs[index], task.song_phase(index, now)
    return _row(task, song, links) | {
        "audio_url": links.audio(song) if phase is Phase.SUCCEEDED else "",
        "timestamp": {},
        "state": replies.state_word(task, phase),
    }


def _row(task: Task, song: Song, links: Links) -> Json:
    return {
        "clip_id": song.song_id,
        "title": song.title,
        "lyrics": song.lyrics,
        "image_url": links.image(song),
        "video_url": None,
        "created_at": replies.utc_text(task.timing.started, "microseconds"),
        "mv": song.model,
        "duration": replies.duration_of(task, song),
    }
