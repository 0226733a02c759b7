"""Tags inside audio files, by mutagen: ID3 in MP3 and WAV, MP4's own, comments in FLAC and Ogg."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mutagen
from mutagen.flac import FLAC, Picture
from mutagen.id3 import APIC, ID3, TCON, TDRC, TIT2, TXXX, USLT
from mutagen.mp4 import MP4Cover, MP4FreeForm, MP4Tags

from musicapi_nb.errors import Untaggable
from musicapi_nb.tasks import Song
from musicapi_nb.tasks.json_reader import clean

# NUL parts the values of one ID3 frame; other controls show as rubbish.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_FRONT = 3  # of ID3's and FLAC's kinds of picture: the front cover
_MP4_COVERS = {"image/jpeg": MP4Cover.FORMAT_JPEG, "image/png": MP4Cover.FORMAT_PNG}
_FREE = "----:com.apple.iTunes:"


@dataclasses.dataclass(frozen=True, slots=True)
class Tags:
    """What is written into a file; what is empty is not written.

    Attributes
    ----------
    date
        ISO 8601, UTC, to the second.
    ids
        Names such as MUSICAPI_SONG_ID to values, as free fields of the format.
    """

    title: str = ""
    genre: str = ""
    lyrics: str = ""
    date: str = ""
    ids: Mapping[str, str] = dataclasses.field(default_factory=dict)


def tags_of(song: Song, model: str | None) -> Tags:
    made = f"{song.created_at.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S}" if song.created_at else ""
    ids = {"SONG_ID": song.id, "TASK_ID": song.task_id, "ENGINE": song.engine, "MODEL": model}
    return Tags(
        title=_text(song.title),
        genre=_text(song.tags_text or ", ".join(song.tags)),
        lyrics=_text(song.lyrics),
        date=made,
        ids={f"MUSICAPI_{name}": _text(value) for name, value in ids.items() if value},
    )


def _text(value: str | None) -> str:
    lines = (value or "").replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROLS.sub("", clean(lines)).strip()


def write_tags(path: Path, tags: Tags, cover: bytes | None = None, media_type: str = "") -> None:
    """Write tags and a cover into an audio file; what it says besides stays.

    Raises
    ------
    Untaggable
        The file is no MP3, WAV, MP4, FLAC or Ogg file, or is damaged.
    """
    try:
        file = mutagen.File(path)
        if file is None:
            raise Untaggable("it is no audio file that tags can be written into")
        if file.tags is None:
            file.add_tags()
        if isinstance(file.tags, ID3):
            _to_id3(file.tags, tags, cover, media_type)
        elif isinstance(file.tags, MP4Tags):
            _to_mp4(file.tags, tags, cover, media_type)
        else:
            _to_comments(file, tags, cover, media_type)
        file.save()
    except (mutagen.MutagenError, IndexError, ValueError) as error:  # of files that are damaged
        raise Untaggable(f"no tags can be written into it ({error})") from None


def _to_id3(found: Any, tags: Tags, cover: bytes | None, media_type: str) -> None:
    utf8 = 3
    for kind, text in ((TIT2, tags.title), (TCON, tags.genre), (TDRC, tags.date)):
        if text:
            found.setall(kind.__name__, [kind(encoding=utf8, text=[text])])
    if tags.lyrics:
        # "XXX" says that nobody knows the language.
        found.setall("USLT", [USLT(encoding=utf8, lang="XXX", desc="", text=tags.lyrics)])
    for name, value in tags.ids.items():
        found.setall(f"TXXX:{name}", [TXXX(encoding=utf8, desc=name, text=[value])])
    if cover is not None:
        picture = APIC(encoding=utf8, mime=media_type, type=_FRONT, desc="", data=cover)
        found.setall("APIC", [picture])


def _to_mp4(found: Any, tags: Tags, cover: bytes | None, media_type: str) -> None:
    texts = {
        "\xa9nam": tags.title,
        "\xa9gen": tags.genre,
        "\xa9lyr": tags.lyrics,
        "\xa9day": tags.date,
    }
    found.update({name: [text] for name, text in texts.items() if text})
    found.update(
        {f"{_FREE}{name}": [MP4FreeForm(value.encode())] for name, value in tags.ids.items()}
    )
    if cover is not None and media_type in _MP4_COVERS:
        found["covr"] = [MP4Cover(cover, _MP4_COVERS[media_type])]


def _to_comments(file: Any, tags: Tags, cover: bytes | None, media_type: str) -> None:
    texts = {
        "title": tags.title,
        "genre": tags.genre,
        "lyrics": tags.lyrics,
        "date": tags.date,
        **tags.ids,
    }
    for name, text in texts.items():
        if text:
            file.tags[name] = [text]
    if cover is None:
        return
    picture = Picture()
    picture.type, picture.mime, picture.data = _FRONT, media_type, cover
    if isinstance(file, FLAC):
        file.clear_pictures()
        file.add_picture(picture)
    else:
        packed = base64.b64encode(picture.write()).decode("ascii")
        file.tags["metadata_block_picture"] = [packed]
