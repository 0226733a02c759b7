"""Sonic calls about one clip, file, text or voice, and the older /suno ones (service.md 5, 19)."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

from musicapi_nb.simulator import rules, songs
from musicapi_nb.simulator.catalog import Call, Check, Make, Operation, Table, Wait
from musicapi_nb.simulator.music import midi
from musicapi_nb.simulator.music.lyric_writer import make_lyrics, make_title
from musicapi_nb.simulator.music.singer import sing
from musicapi_nb.simulator.replies import Answer, Json, lyrics_ack, voice_ack
from musicapi_nb.simulator.rules import Body, Refusal, invalid
from musicapi_nb.simulator.songs import make_id, source_of, uploaded_song
from musicapi_nb.simulator.tag_rewriting import split
from musicapi_nb.simulator.tasks import Song
from musicapi_nb.simulator.vocabulary import GENRES

_PERSONA_FIELDS = {
    "name": rules.text(80),
    "description describe": rules.text(200),
    "styles": rules.text(2001),
    "vox_audio_id": rules.STRING,
}
_VOX_SECONDS = 30.0
_FORMATS = ("mp3", "m4a", "wav")


def _require_text(call: Call, name: str, message: str) -> None:
    text = call.body.get(name)
    if not isinstance(text, str) or not text.strip():
        raise invalid(message)


def _check_description(call: Call, name: str) -> None:
    _require_text(call, name, f"{name} is required.")
    rules.check_fields(call.body, {name: rules.text(120)})
    rules.check_content(None, call.body[name])


def _check_persona(call: Call) -> None:
    """Check a persona, with its older or newer field names."""
    body, clip_field = call.body, _persona_clip_field(call.body)
    for name in ("name", clip_field):
        _require_text(call, name, "name and continue_clip_id are required fields.")
    rules.check_fields(body, _PERSONA_FIELDS)
    rules.check_range(body, "vocal_start_s", "vocal_end_s")
    call.own_song(clip_field)
    vox = body.get("vox_audio_id")
    call.check_owned("vox_audio_id", owned=not vox or call.catalog.owners.get(vox) == call.key)


def _persona_clip_field(body: Body) -> str:
    return "clip_id" if "clip_id" in body else "continue_clip_id"


def check_url(call: Call, name: str = "url") -> None:
    rules.check_url(call.body, name)
    rules.check_fields(call.body, {"callback_url": rules.STRING})


check_audio_url, _of_link = (partial(check_url, name=name) for name in ("audio_url", "share_link"))


def check_clip(call: Call) -> None:
    rules.check_required(call.body, ("clip_id",))
    rules.check_fields(call.body, {"clip_id": rules.STRING})
    call.own_song("clip_id")


def _check_vox(call: Call) -> None:
    check_clip(call)
    rules.check_range(call.body, "vocal_start_s", "vocal_end_s", _VOX_SECONDS)


def _check_download(call: Call) -> None:
    check_clip(call)
    formats = call.body.get("formats")
    if (
        not isinstance(formats, list)
        or not formats
        or not all(name in _FORMATS for name in formats)
    ):
        raise invalid(f"The 'formats' field should be a list of {', '.join(_FORMATS)}.")
    if call.catalog.is_purged(call.body["clip_id"]):
        raise Refusal(404, "not_found", "The source audio of this clip is no longer available.")


def _clip(call: Call) -> Song:
    return source_of(call, "clip_id")


def _file_link(call: Call, file_format: str) -> str:
    """Make a clip in another format and return its link."""
    song = _clip(call)
    call.catalog.formats.setdefault(song.song_id, set()).add(file_format)
    return call.links.file(song, file_format)


def _success(data: Any) -> Json:
    return {"code": 200, "data": data, "message": "success"}


def _lyrics(call: Call) -> Json:
    description = str(call.body["description"])
    results = [_text(description, f"{call.seed}/{index}") for index in (0, 1)]
    return {"code": 200, "results": results, "message": "success"}


def _text(about: str, seed: str) -> dict[str, str]:
    rng = Random(seed)
    return {"title": make_title(about, rng), "lyrics": make_lyrics(about, rng)}


def _persona(call: Call) -> Json:
    clip = call.song(_persona_clip_field(call.body))
    tags = call.body.get("styles") or (", ".join(clip.tags[:2]) if clip else "")
    return {"code": 200, "persona_id": _add_persona(call, str(tags)), "message": "success"}


def _add_persona(call: Call, tags: str) -> str:
    call.catalog.personas[call.seed] = tags
    call.catalog.owners[call.seed] = call.key
    return call.seed


def _voice(call: Call) -> Json:
    name = uploaded_song(str(call.body["audio_url"]), call.seed).title
    return {"persona_id": _add_persona(call, ""), "name": name}


def _upload(call: Call) -> Json:
    song = replace(uploaded_song(str(call.body["url"]), call.seed), song_id=call.seed)
    call.catalog.add(song, call.key)
    return {"clip_id": song.song_id}


def _in_task(make: Make) -> Make:
    """Give what a task makes an id of its own; its seed is the task's id."""
    return lambda call: make(replace(call, seed=make_id(call.seed)))


def _aligned_lyrics(call: Call) -> Json:
    song, breaks = _clip(call), call.options.aligned_words == "breaks"
    free = call.options.singing == "free"
    words = sing(song.lyrics, song.recording) if free else song.lyrics
    return _success({"alignment": midi.align_words(words, song.recording, breaks=breaks)})


def _vox(call: Call) -> Json:
    song = _clip(call)
    first = float(call.body.get("vocal_start_s") or 0.0)
    last = float(call.body.get("vocal_end_s") or min(first + _VOX_SECONDS, song.duration))
    vox_id = make_id(f"{song.song_id}/vox/{first}/{last}")
    call.catalog.owners[vox_id] = call.key
    rng, loudest = Random(vox_id), 0.0 if song.instrumental else 1.0
    return _success(
        {
            "vox_audio_id": vox_id,
            "status": "complete",
            "source_clip_id": song.song_id,
            "vocal_start_s": first,
            "vocal_end_s": last,
            "wave_response": [round(loudest * rng.random(), 3) for _ in range(64)],
        }
    )


def _upsample_tags(call: Call) -> Json:
    requested = split(str(call.body["tags"]))
    genres = [GENRES[tag] for tag in requested if tag in GENRES]
    related = [tag for genre in genres for tag in (*genre.neighbours[:2], genre.decade)]
    filler = ("layered arrangement", "warm mix", "steady groove")
    return _success({"upsampled_tags": ", ".join(dict.fromkeys((*requested, *related, *filler)))})


def _wav(call: Call) -> Json:
    return {"message": "success", "data": {"wav_url": _file_link(call, "wav")}}


def _wav_pending(call: Call) -> Answer:
    later = call.options.wav_unfinished == "202"
    message = "not ready" if later else "success"
    return Answer(202 if later else 200, {"message": message, "data": {"wav_url": ""}})


def _midi(call: Call) -> Json:
    instruments = midi.instruments(_clip(call).recording)
    return _success({"midi_url": _file_link(call, "mid"), "instruments": instruments})


def _midi_pending(call: Call) -> Answer:
    status = 202 if call.options.midi_unfinished == "202" else 200
    data = {"midi_url": "generating midi...", "instruments": []}
    return Answer(status, {"code": status, "data": data, "message": "success"})


def _download(call: Call) -> Json:
    links = {name: _file_link(call, name) for name in call.body["formats"]}
    if call.options.download_form == "links":
        return _success({f"{name}_url": link for name, link in links.items()})
    files = [{"format": name, "url": link} for name, link in links.items()]
    return _success({"clip_id": call.body["clip_id"], "files": files})


def _download_pending(_: Call) -> Answer:
    return Answer(202, {"code": 202, "type": "not_ready", "message": "Preparing the files."})


def _make_lyrics(call: Call) -> Json:
    text = _text(str(call.body["prompt"]), call.seed)
    return {"title": text["title"], "text": text["lyrics"]}


def _shared_song(call: Call) -> Json:
    """Return the song behind a share link: one of this account, or a made-up one."""
    clip_id = str(call.body["share_link"]).rstrip("/").rpartition("/")[2]
    song = _clip(replace(call, body={"clip_id": clip_id}))
    return {
        "audio_url": call.links.audio(song),
        "video_url": call.links.video(song),
        "cover_image": call.links.image(song),
        "song_title": song.title,
        "song_author": "simulator",
        "music_styles": ", ".join(song.tags),
    }


def _stems(name: str, price: int, kind: int) -> Operation:
    def make(call: Call) -> tuple[Song, ...]:
        count = int(call.options.stems.split("/")[kind])
        return songs.stems(call.seed, _clip(call), count)

    return Operation(f"sonic.stems_{name}", price, check_clip, make, 80.0)


def _reply(
    name: str, price: int, check: Check, answer: Callable[[Call], Json], wait: Wait | None = None
) -> Operation:
    return Operation(f"sonic.{name}", price, check, answer=answer, wait=wait)


def upload_to(engine: str) -> Operation:
    """Return the operation that uploads a file and replies with its clip."""
    answer = lambda call: {"code": 200, **_upload(call), "message": "success"}  # noqa: E731
    return Operation(f"{engine}.upload", 2, check_url, answer=answer)


_UPLOAD = upload_to("sonic")
_UPLOAD_TASK = Operation("sonic.upload", 2, check_url, _in_task(_upload), 20.0)
_of_description, _of_prompt = (
    partial(_check_description, name=name) for name in ("description", "prompt")
)
_of_tags = partial(_require_text, name="tags", message="The 'tags' field is required.")
_DOWNLOAD_WAIT = Wait((8.0, 20.0), _download_pending, unready_free=True)
# Prices: service.md 14, the newest known. Of /sonic/download and /suno no price is public.
_REPLIES = (
    _reply("lyrics", 2, _of_description, _lyrics),
    _reply("persona", 1, _check_persona, _persona),
    _reply("bpm", 1, check_clip, lambda call: _success(midi.tempo(_clip(call).recording))),
    _reply("vox", 1, _check_vox, _vox),
    _reply("upsample_tags", 1, _of_tags, _upsample_tags),
    _reply("aligned_lyrics", 1, check_clip, _aligned_lyrics, Wait(repeats_free=True)),
    _reply("wav", 2, check_clip, _wav, Wait((6.0, 14.0), _wav_pending)),
    _reply("midi", 1, check_clip, _midi, Wait((20.0, 50.0), _midi_pending)),
    _reply("download", 2, _check_download, _download, _DOWNLOAD_WAIT),
)
CLIPS: Table = {
    **{operation.name.replace(".", "/").replace("_", "-"): operation for operation in _REPLIES},
    "sonic/upload": lambda body: _UPLOAD_TASK if body.get("callback_url") else _UPLOAD,
    "sonic/create-voice": Operation(
        "sonic.create_voice", 4, check_audio_url, _in_task(_voice), 20.0, ack=voice_ack
    ),
    "sonic/stems/basic": _stems("basic", 30, 0),
    "sonic/stems/full": _stems("full", 75, 1),
    "suno/make-lyrics": Operation(
        "suno.make_lyrics", 2, _of_prompt, _make_lyrics, 20.0, ack=lyrics_ack
    ),
    "suno/get-song": Operation("suno.get_song", 0, _of_link, answer=_shared_song),
}
