"""Songs from parts of others, and from audio at a public URL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar

from musicapi_nb.engines import sources
from musicapi_nb.engines.fields import Field, is_missing
from musicapi_nb.engines.request import Price, ReplyKind, Request, range_problems
from musicapi_nb.engines.sonic import generation
from musicapi_nb.errors import Problem

_REPLACED = ("sonic-v5-5", "sonic-v5", "sonic-v4-5-plus", "sonic-v4-5", "sonic-v4")


class _Mixed(generation.MusicFields, frozen=True, kw_only=True):
    cost: ClassVar[Price | None] = Price(14, *sources.SIBLING, is_assumption=True)
    fields_source: ClassVar[sources.Source | None] = sources.MIXING

    mv: generation.MixingModel = None
    audio_weight: generation.AudioWeight = None


class Sample(_Mixed, frozen=True, kw_only=True):
    """Make songs that sample a section of a clip, or of audio at a public URL."""

    path: ClassVar[str] = "/api/v1/sonic/sample"

    make_instrumental: Annotated[bool | None, Field("No vocals.", "switch", required=True)] = None
    sample_clip_id: Annotated[str | None, Field("The clip to sample.", "clip")] = None
    url: Annotated[str | None, Field("Or the public URL of the audio.", "url")] = None
    chop_sample_start_s: Annotated[
        float | None, Field("Second where the sample starts.", "seconds", required=True)
    ] = None
    chop_sample_end_s: Annotated[
        float | None, Field("Second where the sample ends.", "seconds", required=True)
    ] = None

    def rules(self) -> Iterator[Problem]:
        yield from super().rules()
        if is_missing(self.sample_clip_id) and is_missing(self.url):
            yield Problem("sample_clip_id", "is required unless url is given: the audio to sample")
        if self.sample_clip_id is not None and self.url is not None:
            yield Problem("url", "is a second source; give sample_clip_id or url, not both")
        yield from range_problems(self, "chop_sample_start_s", "chop_sample_end_s")


class Mashup(_Mixed, frozen=True, kw_only=True):
    """Combine two clips into new songs."""

    path: ClassVar[str] = "/api/v1/sonic/mashup"

    mashup_clip_ids: Annotated[
        Sequence[str] | None,
        Field(
            "The two clips.", "clips", required=True, min_items=2, max_items=2, source=sources.SDK
        ),
    ] = None

    def rules(self) -> Iterator[Problem]:
        yield from super().rules()
        match self.mashup_clip_ids:
            case [first, second] if first == second:
                yield Problem("mashup_clip_ids", "has the same clip twice", hard=False)


class ReplaceSection(Request, frozen=True, kw_only=True):
    """Re-sing one section of a clip."""

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
        float | None, Field("Second where the section starts.", "seconds", required=True)
    ] = None
    infill_end_s: Annotated[
        float | None, Field("Second where the section ends.", "seconds", required=True)
    ] = None
    infill_lyrics: Annotated[str | None, Field("The lyrics of the section.", "long text")] = None
    prompt: Annotated[str | None, Field("The lyrics of the whole song.", "long text")] = None
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
                yield Problem(name, "seems to be required, judging by the docs", hard=False)


class Upload(Request, frozen=True, kw_only=True):
    """Register audio at a public URL as a clip; the reply has its `clip_id`.

    MP3 or WAV, up to 8 minutes. The service downloads it, which takes about 20 s.
    """

    path: ClassVar[str] = "/api/v1/sonic/upload"
    reply: ClassVar[ReplyKind] = "immediate"
    songs: ClassVar[int | None] = 0
    cost: ClassVar[Price | None] = Price(2, *sources.CLIENTS)
    fields_source: ClassVar[sources.Source | None] = sources.UPLOAD

    url: Annotated[str | None, Field("Public URL of the audio.", "url", required=True)] = None


class _Uploaded(generation.MusicFields, frozen=True, kw_only=True):
    fields_source: ClassVar[sources.Source | None] = sources.UPLOADS

    url: Annotated[str | None, Field("Public URL of the audio.", "url", required=True)] = None
    audio_weight: generation.AudioWeight = None
    duration: generation.Length = None


class UploadExtend(_Uploaded, frozen=True, kw_only=True):
    """Register audio at a public URL and continue it from a given second."""

    path: ClassVar[str] = "/api/v1/sonic/upload-extend"
    cost: ClassVar[Price | None] = Price(10, *sources.LIKE_EXTEND, is_assumption=True)

    continue_at: Annotated[
        float | None,
        Field(
            "Second of the audio to continue from.",
            "seconds",
            advice_if_missing="is required by the docs, but not by the vendor's SDK",
        ),
    ] = None
    auto_concat: generation.AutoConcat = None


class UploadCover(_Uploaded, frozen=True, kw_only=True):
    """Register audio at a public URL and re-sing it in another style."""

    path: ClassVar[str] = "/api/v1/sonic/upload-cover"
    cost: ClassVar[Price | None] = Price(14, *sources.LIKE_COVER, is_assumption=True)

    auto_concat: Annotated[
        bool | None, Field("Also join the cover with its source.", "switch", source=sources.SDK)
    ] = None
