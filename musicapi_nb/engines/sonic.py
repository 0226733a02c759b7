"""Sonic: songs with vocals, their continuations, covers, personas and uploads.

Facts: docs.musicapi.ai (create-music and its sisters, sonic-instructions, error-handling; 2025 to
2026) and musicapi-sdk 0.1.0; limits confirmed by live refusals of 2026-07-15; prices as published
by clients on 2026-10-07.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from musicapi_nb.engines.request import ByModel, Field, Price, Request, is_missing
from musicapi_nb.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "Concat", "Cover", "CoverUpload", "Create", "CreatePersona", "Extend", "ExtendUpload",
    "PersonaMusic", "Upload",
]  # fmt: skip

# The newest three came on 2026-10-07; the older ids are still accepted and rendered by v6.
MODELS = (
    "sonic-v6", "sonic-v6-wild", "sonic-v6-mini", "sonic-v5-5", "sonic-v5", "sonic-v4-5-plus",
    "sonic-v4-5", "sonic-v4", "sonic-v3-5",
)  # fmt: skip
_REFUSED_MODEL = "sonic-v4-5-all"
_OLD_PROMPT = ByModel(5000, {"sonic-v3-5": 3000, "sonic-v4": 3000})
_OLD_TAGS = ByModel(1000, {"sonic-v3-5": 200, "sonic-v4": 200})


def _price(credits_: int) -> Price:
    return Price(credits_, dt.date(2026, 10, 7), "public client of api.musicapi.ai")


class _Music(Request, frozen=True, kw_only=True):
    """What every operation that renders music shares."""

    engine: ClassVar[str] = "sonic"
    path: ClassVar[str] = "/api/v1/sonic/create"
    songs: ClassVar[int | None] = 2
    cost: ClassVar[Price | None] = _price(15)
    webhook: ClassVar[bool] = True
    words: ClassVar[tuple[str, ...]] = ("prompt",)

    custom_mode: Annotated[
        bool | None,
        Field(
            kind="switch",
            required=True,
            help="True: you write lyrics, tags and title. False: you describe the song.",
        ),
    ] = None
    mv: Annotated[
        str | None,
        Field(kind="choice", required=True, choices=MODELS, open_choices=True, help="The model."),
    ] = None
    prompt: Annotated[
        str | None, Field(kind="long text", limit=_OLD_PROMPT, help="The lyrics (custom mode).")
    ] = None
    title: Annotated[str | None, Field(limit=80, help="The title (custom mode).")] = None
    tags: Annotated[
        str | None,
        Field(kind="tags", limit=_OLD_TAGS, help="Styles, comma-separated (custom mode)."),
    ] = None
    negative_tags: Annotated[
        str | None, Field(kind="tags", help="Styles to keep away from, comma-separated.")
    ] = None
    make_instrumental: Annotated[bool | None, Field(kind="switch", help="No vocals.")] = None

    def rules(self) -> Iterator[Problem]:
        if self.mv == _REFUSED_MODEL:
            yield Problem("mv", f"{_REFUSED_MODEL} is refused here (it is for sample and mashup)")
        if self.custom_mode is True and is_missing(self.prompt) and not self.make_instrumental:
            yield self._without_lyrics()

    def _without_lyrics(self) -> Problem:
        return Problem("prompt", "custom mode usually carries the lyrics here", hard=False)


class Create(_Music, frozen=True, kw_only=True):
    """Make two songs, from a description or from lyrics, tags and a title."""

    operation: ClassVar[str] = "create"
    fixed: ClassVar[Mapping[str, Any]] = {"task_type": "create_music"}
    cost: ClassVar[Price | None] = _price(20)
    only_with: ClassVar[Mapping[str, Mapping[str, tuple[Any, ...]]]] = {
        **{name: {"custom_mode": (True,)} for name in ("prompt", "title", "tags")},
        "gpt_description_prompt": {"custom_mode": (False,)},
    }
    words: ClassVar[tuple[str, ...]] = ("prompt", "gpt_description_prompt")

    gpt_description_prompt: Annotated[
        str | None,
        Field(kind="long text", limit=400, help="What the song is to be (description mode)."),
    ] = None

    def rules(self) -> Iterator[Problem]:
        yield from super().rules()
        if self.custom_mode is False:
            if is_missing(self.gpt_description_prompt):
                yield Problem(
                    "gpt_description_prompt",
                    "is needed when custom_mode is False: describe the song",
                )
            for name in self.only_with:
                if getattr(self, name) is not None and not self.is_of_use(name):
                    yield Problem(name, "is for custom_mode=True; a description may override it",
                                  hard=False)  # fmt: skip

    def _without_lyrics(self) -> Problem:
        return Problem("prompt", "is needed when custom_mode is True: give the lyrics, or "
                       "make_instrumental=True")  # fmt: skip


class _FromClip(_Music, frozen=True, kw_only=True):
    """Music made from an earlier clip."""

    continue_clip_id: Annotated[
        str | None, Field(kind="clip", required=True, help="The clip to start from.")
    ] = None


class Extend(_FromClip, frozen=True, kw_only=True):
    """Continue a clip from a moment on."""

    operation: ClassVar[str] = "extend"
    fixed: ClassVar[Mapping[str, Any]] = {"task_type": "extend_music"}

    continue_at: Annotated[
        float | None,
        Field(kind="seconds", required=True, help="Where in the clip the continuation begins."),
    ] = None


class ExtendUpload(Extend, frozen=True, kw_only=True):
    """Continue a clip that came from `Upload`."""

    operation: ClassVar[str] = "extend_upload"
    fixed: ClassVar[Mapping[str, Any]] = {"task_type": "extend_upload_music"}


class Cover(_FromClip, frozen=True, kw_only=True):
    """Sing a clip anew in another style."""

    operation: ClassVar[str] = "cover"
    fixed: ClassVar[Mapping[str, Any]] = {"task_type": "cover_music"}


class CoverUpload(Cover, frozen=True, kw_only=True):
    """Cover a clip that came from `Upload`."""

    operation: ClassVar[str] = "cover_upload"
    fixed: ClassVar[Mapping[str, Any]] = {"task_type": "cover_upload_music"}


class PersonaMusic(_Music, frozen=True, kw_only=True):
    """Make songs with the voice of a persona."""

    operation: ClassVar[str] = "persona_music"
    fixed: ClassVar[Mapping[str, Any]] = {"task_type": "persona_music"}

    persona_id: Annotated[
        str | None, Field(required=True, help="The persona, from `CreatePersona`.")
    ] = None


class Concat(Request, frozen=True, kw_only=True):
    """Join an extended clip with what it extends; how many songs come back is not known."""

    engine: ClassVar[str] = "sonic"
    operation: ClassVar[str] = "concat"
    path: ClassVar[str] = "/api/v1/sonic/create"
    fixed: ClassVar[Mapping[str, Any]] = {"task_type": "concat_music"}
    cost: ClassVar[Price | None] = _price(2)
    webhook: ClassVar[bool] = True

    continue_clip_id: Annotated[
        str | None, Field(kind="clip", required=True, help="The extended clip.")
    ] = None


class CreatePersona(Request, frozen=True, kw_only=True):
    """Make a persona from a clip; the reply holds its `persona_id`.

    The clip's field is `clip_id` in the newer docs and `continue_clip_id` in the older; the
    description is `describe` or `description` likewise.
    """

    engine: ClassVar[str] = "sonic"
    operation: ClassVar[str] = "create_persona"
    path: ClassVar[str] = "/api/v1/sonic/persona"
    answers: ClassVar[Literal["task", "now"]] = "now"
    songs: ClassVar[int | None] = 0
    cost: ClassVar[Price | None] = Price(
        1, dt.date(2026, 10, 7), "sibling host; not confirmed for api.musicapi.ai"
    )

    name: Annotated[str | None, Field(required=True, limit=80, help="The persona's name.")] = None
    clip_id: Annotated[str | None, Field(kind="clip", help="The clip to take the voice from.")] = (
        None
    )
    describe: Annotated[str | None, Field(kind="long text", help="What the voice is like.")] = None
    continue_clip_id: Annotated[
        str | None, Field(kind="clip", help="The older docs' name of clip_id.")
    ] = None
    description: Annotated[
        str | None,
        Field(kind="long text", limit=200, help="The older docs' name of describe."),
    ] = None

    def rules(self) -> Iterator[Problem]:
        if is_missing(self.clip_id) and is_missing(self.continue_clip_id):
            yield Problem("clip_id", "is needed: the clip to take the voice from")
        if self.clip_id is not None and self.continue_clip_id is not None:
            yield Problem("continue_clip_id", "is the older name of clip_id; give one of the two")


class Upload(Request, frozen=True, kw_only=True):
    """Register audio at a public address as a clip; the reply holds its `clip_id`.

    MP3 or WAV, up to 8 minutes; the service fetches it, which takes about 20 s.
    """

    engine: ClassVar[str] = "sonic"
    operation: ClassVar[str] = "upload"
    path: ClassVar[str] = "/api/v1/sonic/upload"
    answers: ClassVar[Literal["task", "now"]] = "now"
    songs: ClassVar[int | None] = 0
    cost: ClassVar[Price | None] = _price(2)

    url: Annotated[
        str | None,
        Field(kind="url", required=True, help="Where the audio is: reachable from the internet."),
    ] = None
