"""Sonic operations about one clip, file, text or voice, and the older /suno ones."""

from collections.abc import Callable
from functools import partial
from random import Random
from types import MappingProxyType
from typing import Any

from musicapi_nb.simulator import song_edits
from musicapi_nb.simulator import validation_clips as checks
from musicapi_nb.simulator.catalog import Call, Check, Operation, Table, Wait
from musicapi_nb.simulator.music import midi
from musicapi_nb.simulator.music.lyric_writer import make_lyrics, make_title
from musicapi_nb.simulator.replies import Answer, Json, lyrics_ack, voice_ack
from musicapi_nb.simulator.songs import make_id, uploaded_song
from musicapi_nb.simulator.tag_rewriting import split
from musicapi_nb.simulator.tasks import Song, sonic_timing
from musicapi_nb.simulator.validation_rules import Body
from musicapi_nb.simulator.vocabulary import GENRES

_VOX_SECONDS = 30.0
_MIDI_PENDING = "generating midi..."


def _clip(call: Call) -> Song:
    return call.source("clip_id")


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
    clip = call.song(checks.persona_clip_field(call.body))
    tags = call.body.get("styles") or (", ".join(clip.tags[:2]) if clip else "")
    return {"code": 200, "persona_id": _add_persona(call, str(tags)), "message": "success"}


def _add_persona(call: Call, tags: str) -> str:
    persona_id = make_id(call.seed)
    call.catalog.personas[persona_id] = tags
    call.catalog.owners[persona_id] = call.key
    return persona_id


def _voice(call: Call) -> Json:
    name = uploaded_song(str(call.body["audio_url"]), call.seed).title
    return {"persona_id": _add_persona(call, ""), "name": name}


def _upload(call: Call) -> Json:
    return {"code": 200, **_add_upload(call), "message": "success"}


def _add_upload(call: Call) -> Json:
    song = uploaded_song(str(call.body["url"]), call.seed)
    call.catalog.add(song, call.key)
    return {"clip_id": song.song_id}


def _bpm(call: Call) -> Json:
    return _success(midi.tempo(_clip(call).recording))


def _aligned_lyrics(call: Call) -> Json:
    song, breaks = _clip(call), call.options.aligned_words == "breaks"
    return _success({"alignment": midi.align_words(song.lyrics, song.recording, breaks=breaks)})


def _vox(call: Call) -> Json:
    song = _clip(call)
    first = float(call.body.get("vocal_start_s") or 0.0)
    last = float(call.body.get("vocal_end_s") or min(first + _VOX_SECONDS, song.duration))
    vox_id = make_id(f"{song.song_id}/vox/{first}/{last}")
    call.catalog.owners[vox_id] = call.key
    return _success(
        {
            "vox_audio_id": vox_id,
            "status": "complete",
            "source_clip_id": song.song_id,
            "vocal_start_s": first,
            "vocal_end_s": last,
            "wave_response": midi.vocal_envelope(song.recording),
        }
    )


def _upsample_tags(call: Call) -> Json:
    requested = split(str(call.body["tags"]))
    genres = [GENRES[tag] for tag in requested if tag in GENRES]
    related = [tag for genre in genres for tag in genre.neighbours[:2]]
    decades = [genre.decade for genre in genres[:1]]
    filler = ("layered arrangement", "warm mix", "steady groove")
    tags = dict.fromkeys((*requested, *related, *decades, *filler))
    return _success({"upsampled_tags": ", ".join(tags)})


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
    data = {"midi_url": _MIDI_PENDING, "instruments": []}
    return Answer(status, {"code": status, "data": data, "message": "success"})


def _download(call: Call) -> Json:
    return _success({f"{name}_url": _file_link(call, name) for name in call.body["formats"]})


def _download_pending(_: Call) -> Answer:
    return Answer(202, {"code": 202, "type": "not_ready", "message": "Preparing the files."})


def _stems(call: Call, kind: int) -> tuple[Song, ...]:
    count = int(call.options.stems.split("/")[kind])
    return song_edits.stems(call.brief(), _clip(call), count)


def _make_lyrics(call: Call) -> Json:
    text = _text(str(call.body["prompt"]), call.seed)
    return {"title": text["title"], "text": text["lyrics"]}


def _shared_song(call: Call) -> Json:
    """Return the song behind a share link: one of this account, or a made-up one."""
    link = str(call.body["share_link"]).rstrip("/")
    clip_id = link.rpartition("/")[2]
    song = _clip(Call({"clip_id": clip_id}, call.key, call.catalog, call.links, link))
    return {
        "audio_url": call.links.audio(song),
        "video_url": call.links.video(song),
        "cover_image": call.links.image(song),
        "song_title": song.title,
        "song_author": "simulator",
        "music_styles": ", ".join(song.tags),
    }


def _reply(
    name: str, price: int, check: Check, answer: Callable[[Call], Json], wait: Wait | None = None
) -> Operation:
    return Operation(f"sonic.{name}", price, check, answer=answer, wait=wait)


def _task(
    name: str, price: int, check: Check, result: Callable[[Call], Any], **more: Any
) -> Operation:
    fields = {"engine": "sonic", "timing": partial(sonic_timing, median=20.0), **more}
    return Operation(name, price, check, result=result, **fields)


def _stems_task(name: str, price: int, kind: int) -> Operation:
    make, timing = partial(_stems, kind=kind), partial(sonic_timing, median=80.0)
    return Operation(f"sonic.stems_{name}", price, checks.check_clip, "sonic", make, timing)


_UPLOAD = _reply("upload", 2, checks.check_upload, _upload)
_UPLOAD_TASK = _task("sonic.upload", 2, checks.check_upload, _add_upload)


def _either_upload(body: Body) -> Operation:
    return _UPLOAD_TASK if body.get("callback_url") else _UPLOAD


# Prices: service.md 14, the newest known. Of /sonic/download and /suno no price is public.
_REPLIES = (
    _reply("lyrics", 2, checks.check_lyrics, _lyrics),
    _reply("persona", 1, checks.check_persona, _persona),
    _reply("bpm", 1, checks.check_clip, _bpm),
    _reply("vox", 1, checks.check_vox, _vox),
    _reply("upsample_tags", 1, checks.check_upsample_tags, _upsample_tags),
    _reply("aligned_lyrics", 1, checks.check_clip, _aligned_lyrics, Wait(repeats_free=True)),
    _reply("wav", 2, checks.check_clip, _wav, Wait((6.0, 14.0), _wav_pending)),
    _reply("midi", 1, checks.check_clip, _midi, Wait((20.0, 50.0), _midi_pending)),
    _reply("download", 2, checks.check_download, _download, Wait((8.0, 20.0), _download_pending)),
)
CLIPS: Table = MappingProxyType(
    {
        **{operation.name.replace(".", "/").replace("_", "-"): operation for operation in _REPLIES},
        "sonic/upload": _either_upload,
        "sonic/create-voice": _task(
            "sonic.create_voice", 4, checks.check_audio_url, _voice, ack=voice_ack
        ),
        "sonic/stems/basic": _stems_task("basic", 30, 0),
        "sonic/stems/full": _stems_task("full", 75, 1),
        "suno/make-lyrics": _task(
            "suno.make_lyrics",
            2,
            checks.check_make_lyrics,
            _make_lyrics,
            engine="suno",
            ack=lyrics_ack,
        ),
        "suno/get-song": Operation("suno.get_song", 0, checks.check_get_song, answer=_shared_song),
    }
)
