"""Writes tags with mutagen: ID3 (MP3, WAV, AIFF), MP4 atoms, FLAC and Ogg comments."""

import base64
import datetime as dt
import hashlib
import re
import shutil
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import mutagen
from mutagen.flac import FLAC, Picture
from mutagen.id3 import APIC, ID3, TBPM, TCON, TDRC, TIT2, TKEY, TXXX, USLT
from mutagen.mp4 import Atoms, MP4Cover, MP4FreeForm, MP4Tags  # type: ignore[attr-defined]

from musicapi_nb.client.sound import decode
from musicapi_nb.errors import MusicAPIError, Untaggable
from musicapi_nb.exports.wav_header import copy_wav
from musicapi_nb.tasks import Song
from musicapi_nb.tasks.json_reader import clean
from musicapi_nb.tasks.musical_keys import parse_key

# NUL separates the values of an ID3 frame, and players show other control characters as garbage.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_MAX_BPM = 1_000
_FRONT_COVER = 3  # picture type in ID3 and FLAC
_ID3_UTF8 = 3
_MP4_COVERS = {"image/jpeg": MP4Cover.FORMAT_JPEG, "image/png": MP4Cover.FORMAT_PNG}
_MP4_ATOMS = {"title": "\xa9nam", "genre": "\xa9gen", "lyrics": "\xa9lyr", "date": "\xa9day"}
_NO_SOUND = hashlib.sha256().hexdigest()
_MP4_FREEFORM = "----:com.apple.iTunes:"


class Tags(NamedTuple):
    """The tags of a file; empty ones are not written."""

    title: str
    genre: str
    lyrics: str
    date: str  # ISO 8601, UTC, to the second
    ids: Mapping[str, str]  # free-form fields such as MUSICAPI_SONG_ID
    bpm: str = ""  # beats per minute, a whole number
    key: str = ""  # such as "F#m", as in ID3's TKEY


def tags_of(song: Song, model: str | None, measured: Mapping[str, Any]) -> Tags:
    """Return the tags of a song; tempo and key are the measured ones, if there are any."""
    date = f"{song.created_at.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S}" if song.created_at else ""
    ids = {"SONG_ID": song.id, "TASK_ID": song.task_id, "ENGINE": song.engine, "MODEL": model}
    return Tags(
        title=_clean(song.title),
        genre=_clean(song.tags_text or ", ".join(song.tags)),
        lyrics=_clean(song.lyrics),
        date=date,
        ids={f"MUSICAPI_{name}": _clean(value) for name, value in ids.items() if value},
        bpm=_whole_bpm(measured.get("tempo")),
        key=_short_key(measured.get("key")),
    )


def _whole_bpm(tempo: Any) -> str:
    is_tempo = isinstance(tempo, int | float) and 0 < tempo < _MAX_BPM
    return str(round(tempo)) if is_tempo else ""


def _short_key(name: Any) -> str:
    key = parse_key(name) if isinstance(name, str) else None
    return "" if key is None else key.name.removesuffix(" major").replace(" minor", "m")


def _clean(value: str | None) -> str:
    lines = (value or "").replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROLS.sub("", clean(lines)).strip()


def copy_with_tags(
    source: Path, target: Path, tags: Tags, cover: bytes | None = None, media_type: str = ""
) -> str:
    """Copy an audio file and write tags and a cover into the copy; its other tags are kept.

    A file that is damaged or cannot hold tags, or whose sound would change, is copied as it is.
    Return why; "" if the copy has the tags.
    """
    try:
        _copy(source, target)
        sound = _sound_hash(target)
        _save_tags(target, tags, cover, media_type)
        if _sound_hash(target) == sound:
            return ""
        reason = "they would change its sound"
    except OSError:
        raise
    except MusicAPIError as error:
        reason = error.message
    except Exception as error:  # noqa: BLE001 - mutagen trusts sizes in a file: struct.error, ...
        reason = f"they do not fit into its header ({type(error).__name__}: {error})"
    shutil.copyfile(source, target)
    return reason


def _copy(source: Path, target: Path) -> None:
    if source.suffix == ".aac":
        raise Untaggable("AAC without a container holds none")
    if source.suffix != ".wav":
        shutil.copyfile(source, target)
        return
    copy_wav(source, target)
    # Without a size of the sound, libsndfile reads nothing, and other decoders read to the end.
    if _sound_hash(source) not in {_sound_hash(target), _NO_SOUND}:
        raise Untaggable("its WAV header is not understood")


def _sound_hash(path: Path) -> str:
    if path.suffix == ".m4a":
        return _mp4_hash(path)
    sound = decode(path)
    if not sound.complete:
        raise Untaggable("it is too long to compare its sound")
    return sound.digest


def _mp4_hash(path: Path) -> str:
    """Hash the encoded sound, which libsndfile cannot decode, and where its chunks begin in it."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        atoms = Atoms(file)
        if any(atom.name == b"moof" for atom in atoms.atoms):
            raise Untaggable("its MP4 is in fragments, whose offsets mutagen does not all correct")
        sound = [atom for atom in atoms.atoms if atom.name == b"mdat"]
        for atom in sound:
            digest.update(atom.read(file)[1])
        starts = [atom.offset for atom in sound]
        for name, code in ((b"stco", "I"), (b"co64", "Q")):
            for table in atoms[b"moov"].findall(name, recursive=True):
                content = table.read(file)[1][8:]
                offsets = struct.unpack(f">{len(content) // struct.calcsize(code)}{code}", content)
                digest.update(repr([offset - starts[0] for offset in offsets]).encode())
    return digest.hexdigest()


def _save_tags(path: Path, tags: Tags, cover: bytes | None, media_type: str) -> None:
    file = mutagen.File(path)
    if file is None:
        raise Untaggable("it is not a known kind of audio file")
    if file.tags is None:
        file.add_tags()
    if isinstance(file.tags, ID3):
        _set_id3(file.tags, tags, cover, media_type)
    elif isinstance(file.tags, MP4Tags):
        _set_mp4(file.tags, tags, cover, media_type)
    else:
        _set_comments(file, tags, cover, media_type)
    file.save()


def _set_id3(frames: Any, tags: Tags, cover: bytes | None, media_type: str) -> None:
    texts = ((TIT2, tags.title), (TCON, tags.genre), (TDRC, tags.date))
    for frame, text in (*texts, (TBPM, tags.bpm), (TKEY, tags.key)):
        if text:
            frames.setall(frame.__name__, [frame(encoding=_ID3_UTF8, text=[text])])
    if tags.lyrics:
        # "XXX": language unknown
        frames.setall("USLT", [USLT(encoding=_ID3_UTF8, lang="XXX", desc="", text=tags.lyrics)])
    for name, value in tags.ids.items():
        frames.setall(f"TXXX:{name}", [TXXX(encoding=_ID3_UTF8, desc=name, text=[value])])
    if cover is not None:
        picture = APIC(encoding=_ID3_UTF8, mime=media_type, type=_FRONT_COVER, desc="", data=cover)
        frames.setall("APIC", [picture])


def _set_mp4(atoms: Any, tags: Tags, cover: bytes | None, media_type: str) -> None:
    for name, atom in _MP4_ATOMS.items():
        if text := getattr(tags, name):
            atoms[atom] = [text]
    if tags.bpm:
        atoms["tmpo"] = [int(tags.bpm)]
    keys = {"initialkey": tags.key} if tags.key else {}
    for name, value in {**tags.ids, **keys}.items():
        atoms[f"{_MP4_FREEFORM}{name}"] = [MP4FreeForm(value.encode())]
    if cover is not None and media_type in _MP4_COVERS:
        atoms["covr"] = [MP4Cover(cover, _MP4_COVERS[media_type])]


def _set_comments(file: Any, tags: Tags, cover: bytes | None, media_type: str) -> None:
    names = ("title", "genre", "lyrics", "date", "bpm", "key")
    texts = {name: getattr(tags, name) for name in names}
    for name, text in (texts | dict(tags.ids)).items():
        if text:
            file.tags[name] = [text]
    if cover is None:
        return
    picture = Picture()
    picture.type, picture.mime, picture.data = _FRONT_COVER, media_type, cover
    if isinstance(file, FLAC):
        file.clear_pictures()
        file.add_picture(picture)
    else:
        packed = base64.b64encode(picture.write()).decode("ascii")
        file.tags["metadata_block_picture"] = [packed]
