"""Sonic's calls about one clip, file, text or voice, and the older /suno ones."""

from collections.abc import Callable
from random import Random
from types import MappingProxyType
from typing import Any

from musicapi_nb.simulator import midi, song_edits
from musicapi_nb.simulator import validation_clips as checks
from musicapi_nb.simulator.catalog import (
    Call,
    Catalog,
    Operation,
    Table,
    Wait,
    brief,
    only_body,
    owned,
)
from musicapi_nb.simulator.lyrics import make_lyrics, make_title
from musicapi_nb.simulator.replies import Answer, Json, lyrics_ack, voice_ack
from musicapi_nb.simulator.songs import make_id, sonic_songs, uploaded
from musicapi_nb.simulator.tags import split
from musicapi_nb.simulator.tasks import Song, Timing, sonic_timing
from musicapi_nb.simulator.validation import Body, Refusal, invalid
from musicapi_nb.simulator.vocabulary import GENRES

_VOX_SECONDS = 30.0
_WRITING_MIDI = "generating midi..."


def _check_clip(body: Body, catalog: Catalog, key: str) -> None:
    checks.clip(body)
    owned(body, "clip_id", catalog, key)


def _check_vox(body: Body, catalog: Catalog, key: str) -> None:
    checks.vox(body)
    owned(body, "clip_id", catalog, key)


def _check_download(body: Body, catalog: Catalog, key: str) -> None:
    checks.download(body)
    clip = owned(body, "clip_id", catalog, key)
    if clip is not None and catalog.purged(clip.song_id):
        raise Refusal(404, "not_found", "The source audio of this clip is no longer available.")


def _check_persona(body: Body, catalog: Catalog, key: str) -> None:
    checks.persona(body)
    owned(body, "clip_id" if "clip_id" in body else "continue_clip_id", catalog, key)
    vox = body.get("vox_audio_id")
    if vox and catalog.options.unknown_clip == "refuse" and catalog.owners.get(vox) != key:
        raise invalid("The 'vox_audio_id' field is invalid.")


def _clip(call: Call) -> Song:
    # Where ReplyOptions.unknown_clip accepts ids that nobody made, a song is made up for the id.
    known = call.song("clip_id")
    if known is not None:
        return known
    stranger = {"custom_mode": False, "mv": "sonic-v5", "gpt_description_prompt": ""}
    made = brief(call)._replace(body=stranger, seed=str(call.body["clip_id"]))
    return sonic_songs(made, 1)[0]


def _file(call: Call, form: str) -> str:
    """Make a clip in another form, and give its link."""
    song = _clip(call)
    call.catalog.files.setdefault(song.song_id, set()).add(form)
    return call.links.file(song, form)


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
    clip = call.catalog.song(call.body.get("clip_id", call.body.get("continue_clip_id")), call.key)
    style = call.body.get("styles") or (", ".join(clip.tags[:2]) if clip else "")
    return {"code": 200, "persona_id": _voice(call, str(style)), "message": "success"}


def _voice(call: Call, style: str) -> str:
    persona_id = make_id(call.seed)
    call.catalog.personas[persona_id] = style
    call.catalog.owners[persona_id] = call.key
    return persona_id


def _created_voice(call: Call) -> Json:
    name = uploaded(str(call.body["audio_url"]), call.seed).title
    return {"persona_id": _voice(call, ""), "name": name}


def _upload(call: Call) -> Json:
    return {"code": 200, **_uploaded(call), "message": "success"}


def _uploaded(call: Call) -> Json:
    song = uploaded(str(call.body["url"]), call.seed)
    call.catalog.keep(song, call.key)
    return {"clip_id": song.song_id}


def _bpm(call: Call) -> Json:
    return _success(midi.tempo(_clip(call)))


def _aligned(call: Call) -> Json:
    breaks = call.catalog.options.aligned_words == "breaks"
    return _success({"alignment": midi.aligned(_clip(call), breaks=breaks)})


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
            "wave_response": midi.loudness(song, first, last),
        }
    )


def _upsampled(call: Call) -> Json:
    asked = split(str(call.body["tags"]))
    more = [tag for name in asked if name in GENRES for tag in GENRES[name].neighbours[:2]]
    eras = [GENRES[name].decade for name in asked if name in GENRES]
    rich = ("layered arrangement", "warm mix", "steady groove")
    return _success({"upsampled_tags": ", ".join(dict.fromkeys((*asked, *more, *eras[:1], *rich)))})


def _wav(call: Call) -> Json:
    return {"message": "success", "data": {"wav_url": _file(call, "wav")}}


def _no_wav(call: Call) -> Answer:
    later = call.catalog.options.wav_unfinished == "202"
    message = "not ready" if later else "success"
    return Answer(202 if later else 200, {"message": message, "data": {"wav_url": ""}})


def _midi(call: Call) -> Json:
    notes = midi.instruments(_clip(call))
    return _success({"midi_url": _file(call, "mid"), "instruments": notes})


def _no_midi(call: Call) -> Answer:
    status = 202 if call.catalog.options.midi_unfinished == "202" else 200
    data = {"midi_url": _WRITING_MIDI, "instruments": []}
    return Answer(status, {"code": status, "data": data, "message": "success"})


def _download(call: Call) -> Json:
    formats = call.body["formats"]
    return _success({f"{form}_url": _file(call, form) for form in formats})


def _no_download(_: Call) -> Answer:
    return Answer(202, {"code": 202, "type": "not_ready", "message": "Preparing the files."})


def _stems(kind: int) -> Callable[[Call], tuple[Song, ...]]:
    def sung(call: Call) -> tuple[Song, ...]:
        count = int(call.catalog.options.stems.split("/")[kind])
        return song_edits.stems(brief(call, _clip(call)), count)

    return sung


def _written(call: Call) -> Json:
    text = _text(str(call.body["prompt"]), call.seed)
    return {"title": text["title"], "text": text["lyrics"]}


def _shared(call: Call) -> Json:
    """Tell what lies behind a share link: a song of this account, or one made up."""
    link = str(call.body["share_link"]).rstrip("/")
    song_id = link.rpartition("/")[2]
    song = _clip(Call({"clip_id": song_id}, call.key, link, call.catalog, call.links))
    return {
        "audio_url": call.links.audio(song),
        "video_url": call.links.video(song),
        "cover_image": call.links.image(song),
        "song_title": song.title,
        "song_author": "simulator",
        "music_styles": ", ".join(song.tags),
    }


def _briefly(submitted: float, songs: int, rng: Random) -> Timing:
    return sonic_timing(submitted, max(1, songs), rng, median=20.0)


def _part_by_part(submitted: float, songs: int, rng: Random) -> Timing:
    return sonic_timing(submitted, songs, rng, median=80.0)


def _now(
    name: str,
    price: int,
    check: Callable[[Body, Catalog, str], None],
    answer: Callable[[Call], Json],
    wait: Wait | None = None,
) -> Operation:
    return Operation(name, price, check, answer=answer, wait=wait)


def _later(
    name: str, price: int, check: Callable[[Body], None], result: Callable[[Call], Any], **more: Any
) -> Operation:
    known = {"engine": "sonic", "timer": _briefly, **more}
    return Operation(name, price, only_body(check), result=result, **known)


def _stemmed(kind: str, price: int, sing: Callable[[Call], tuple[Song, ...]]) -> Operation:
    return Operation(f"sonic.stems_{kind}", price, _check_clip, "sonic", sing, _part_by_part)


_UPLOAD = _now("sonic.upload", 2, only_body(checks.upload), _upload)
_UPLOAD_LATER = _later("sonic.upload", 2, checks.upload, _uploaded)


def _upload_either(body: Body) -> Operation:
    return _UPLOAD_LATER if body.get("callback_url") else _UPLOAD


# Prices: service.md 14, the newest seen. Of /sonic/download and /suno no price is public.
CLIPS: Table = MappingProxyType(
    {
        "sonic/lyrics": _now("sonic.lyrics", 2, only_body(checks.lyrics), _lyrics),
        "sonic/persona": _now("sonic.persona", 1, _check_persona, _persona),
        "sonic/upload": _upload_either,
        "sonic/create-voice": _later(
            "sonic.create_voice", 4, checks.audio_url, _created_voice, ack=voice_ack
        ),
        "sonic/stems/basic": _stemmed("basic", 30, _stems(0)),
        "sonic/stems/full": _stemmed("full", 75, _stems(1)),
        "sonic/bpm": _now("sonic.bpm", 1, _check_clip, _bpm),
        "sonic/vox": _now("sonic.vox", 1, _check_vox, _vox),
        "sonic/upsample-tags": _now(
            "sonic.upsample_tags", 1, only_body(checks.upsample_tags), _upsampled
        ),
        "sonic/aligned-lyrics": _now(
            "sonic.aligned_lyrics", 1, _check_clip, _aligned, Wait(repeats_free=True)
        ),
        "sonic/wav": _now("sonic.wav", 2, _check_clip, _wav, Wait((6.0, 14.0), _no_wav)),
        "sonic/midi": _now("sonic.midi", 1, _check_clip, _midi, Wait((20.0, 50.0), _no_midi)),
        "sonic/download": _now(
            "sonic.download", 2, _check_download, _download, Wait((8.0, 20.0), _no_download)
        ),
        "suno/make-lyrics": _later(
            "suno.make_lyrics", 2, checks.make_lyrics, _written, engine="suno", ack=lyrics_ack
        ),
        "suno/get-song": _now("suno.get_song", 0, only_body(checks.get_song), _shared),
    }
)
