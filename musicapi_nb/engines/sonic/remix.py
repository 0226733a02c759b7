"""Songs from parts of others, and from audio at a public URL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, TypeAlias

from musicapi_nb.engines import sources
from musicapi_nb.engines.fields import Field, is_missing
from musicapi_nb.engines.request import Group, Price, ReplyKind, Request, range_problems
from musicapi_nb.engines.sonic import generation
from musicapi_nb.errors import Problem

_Link: TypeAlias = Annotated[
    str | None,
    Field(
        "A public link to the audio.",
        "url",
        label="Link to the audio",
        example="https://example.org/tune.mp3",
        required=True,
    ),
]
_REPLACED = ("sonic-v5-5", "sonic-v5", "sonic-v4-5-plus", "sonic-v4-5", "sonic-v4")


class _Mixed(generation.MusicFields, frozen=True, kw_only=True):
    group: ClassVar[Group] = "Continue or change songs"
    cost: ClassVar[Price | None] = Price(14, *sources.SIBLING, is_assumption=True)
    fields_source: ClassVar[sources.Source | None] = sources.MIXING

    mv: generation.MixingModel = None
    audio_weight: generation.AudioWeight = None


class Sample(_Mixed, frozen=True, kw_only=True):
    """Make two songs that sample a part of a song, or of audio on the web."""

    path: ClassVar[str] = "/api/v1/sonic/sample"

    make_instrumental: Annotated[
        bool | None,
        Field(
            "Make the song without a singer.",
            "switch",
            label="Instrumental (no vocals)",
            synonyms=("instrumental",),
            required=True,
        ),
    ] = None
    sample_clip_id: Annotated[
        str | None,
        Field("The song to sample, unless you give a link.", "clip", label="Song to sample"),
    ] = None
    url: Annotated[
        str | None,
        Field(
            "A public link to audio, instead of a song.",
            "url",
            label="Link to audio",
            example="https://example.org/tune.mp3",
        ),
    ] = None
    chop_sample_start_s: Annotated[
        float | None,
        Field(
            "Where the sample starts.",
            "seconds",
            label="Sample from",
            example="0:30",
            required=True,
        ),
    ] = None
    chop_sample_end_s: Annotated[
        float | None,
        Field(
            "Where the sample ends.", "seconds", label="Sample to", example="0:40", required=True
        ),
    ] = None

    def rules(self) -> Iterator[Problem]:
        yield from super().rules()
        if is_missing(self.sample_clip_id) and is_missing(self.url):
            yield Problem("sample_clip_id", "is required unless url is given")
        if self.sample_clip_id is not None and self.url is not None:
            yield Problem("url", "is a second source; give sample_clip_id or url, not both")
        yield from range_problems(self, "chop_sample_start_s", "chop_sample_end_s")


class Mashup(_Mixed, frozen=True, kw_only=True):
    """Mix two songs into new ones."""

    path: ClassVar[str] = "/api/v1/sonic/mashup"

    mashup_clip_ids: Annotated[
        Sequence[str] | None,
        Field(
            "The two songs to mix.",
            "clips",
            label="Songs to mix",
            required=True,
            min_items=2,
            max_items=2,
            source=sources.SDK,
        ),
    ] = None

    def rules(self) -> Iterator[Problem]:
        yield from super().rules()
        match self.mashup_clip_ids:
            case [first, second] if first == second:
                yield Problem("mashup_clip_ids", "has the same song twice", hard=False)


class ReplaceSection(Request, frozen=True, kw_only=True):
    """Sing a section of a song again, with other words."""

    group: ClassVar[Group] = "Continue or change songs"
    path: ClassVar[str] = "/api/v1/sonic/replace-section"
    songs: ClassVar[int | None] = 2
    cost: ClassVar[Price | None] = Price(10, *sources.SIBLING, is_assumption=True)
    fields_source: ClassVar[sources.Source | None] = sources.SECTION
    webhook: ClassVar[bool] = True
    text_fields: ClassVar[tuple[str, ...]] = ("infill_lyrics",)
    tag_fields: ClassVar[tuple[str, ...]] = ("tags",)
    negative_tag_fields: ClassVar[tuple[str, ...]] = ("negative_tags",)

    clip_id: generation.Clip = None
    mv: generation.Model = None
    infill_start_s: Annotated[
        float | None,
        Field(
            "Where the section starts.",
            "seconds",
            label="Section from",
            example="0:30",
            required=True,
        ),
    ] = None
    infill_end_s: Annotated[
        float | None,
        Field(
            "Where the section ends.", "seconds", label="Section to", example="0:50", required=True
        ),
    ] = None
    infill_lyrics: Annotated[
        str | None, Field("The new words.", "long text", label="Lyrics of the section")
    ] = None
    prompt: Annotated[
        str | None, Field("The words of the whole song.", "long text", label="Lyrics of the song")
    ] = None
    title: generation.Title = None
    tags: generation.Tags = None
    negative_tags: generation.NegativeTags = None
    vocal_gender: generation.Gender = None
    style_weight: generation.StyleWeight = None
    weirdness_constraint: generation.Weirdness = None
    auto_concat: generation.AutoConcat = None

    def rules(self) -> Iterator[Problem]:
        yield from generation.model_advice(self, _REPLACED)
        yield from range_problems(self, "infill_start_s", "infill_end_s")
        for name in ("infill_lyrics", "prompt", "title", "tags"):
            if getattr(self, name) is None:
                yield Problem(name, "may be wanted by the service, judging by its docs", hard=False)


class Upload(Request, frozen=True, kw_only=True):
    """Upload audio by its public link.

    MP3 or WAV, up to 8 minutes. The service downloads it, which takes about 20 s. The reply has
    its `clip_id`.
    """

    group: ClassVar[Group] = "Upload audio, make voices"
    action: ClassVar[str] = "Upload"
    path: ClassVar[str] = "/api/v1/sonic/upload"
    reply: ClassVar[ReplyKind] = "immediate"
    songs: ClassVar[int | None] = 0
    cost: ClassVar[Price | None] = Price(2, *sources.CLIENTS)
    fields_source: ClassVar[sources.Source | None] = sources.UPLOAD

    url: _Link = None


class _Uploaded(generation.MusicFields, frozen=True, kw_only=True):
    group: ClassVar[Group] = "Upload audio, make voices"
    fields_source: ClassVar[sources.Source | None] = sources.UPLOADS

    url: _Link = None
    audio_weight: generation.AudioWeight = None
    duration: generation.Length = None


class UploadExtend(_Uploaded, frozen=True, kw_only=True):
    """Upload a song (by link) and extend it from a given time."""

    path: ClassVar[str] = "/api/v1/sonic/upload-extend"
    cost: ClassVar[Price | None] = Price(10, *sources.LIKE_EXTEND, is_assumption=True)

    continue_at: Annotated[
        float | None,
        Field(
            "Where in the audio the new part starts.",
            "seconds",
            label="Continue at",
            example="1:45",
            advice_if_missing=(
                "may be wanted by the service: its docs require it, the vendor's SDK does not"
            ),
        ),
    ] = None
    auto_concat: generation.AutoConcat = None


class UploadCover(_Uploaded, frozen=True, kw_only=True):
    """Upload a song (by link) and cover it in another style."""

    path: ClassVar[str] = "/api/v1/sonic/upload-cover"
    cost: ClassVar[Price | None] = Price(14, *sources.LIKE_COVER, is_assumption=True)

    auto_concat: Annotated[
        bool | None,
        Field(
            "Also join the cover with the original.",
            "switch",
            label="Join with the original",
            source=sources.SDK,
            advanced=True,
        ),
    ] = None
