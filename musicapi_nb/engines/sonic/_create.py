"""Songs from text and from earlier songs: the task types of /sonic/create, and batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar

from musicapi_nb.engines.fields import Field, is_missing
from musicapi_nb.engines.request import ActiveWhen, Group, Price, Request, range_problems
from musicapi_nb.engines.sonic import generation
from musicapi_nb.engines.sources import BATCH, CLIENTS, CREATE, CREATE_2025, GUIDES, Source
from musicapi_nb.errors import Problem

REMASTERED = ("sonic-v5", "sonic-v4-5-plus", "sonic-v4")
_NOT_IN_GUIDES = "may be wanted by the service: its docs require it, its guide leaves it out"


class Create(generation.MusicFields, frozen=True, kw_only=True):
    """Make two songs from a description, or from lyrics and styles."""

    path: ClassVar[str] = "/api/v1/sonic/create"
    constants: ClassVar[Mapping[str, Any]] = {"task_type": "create_music"}
    cost: ClassVar[Price | None] = Price(20, *CLIENTS)
    active_when: ClassVar[ActiveWhen] = {
        **generation.MusicFields.active_when,
        "prompt": {"custom_mode": (True,)},
    }
    description_field: ClassVar[str | None] = "gpt_description_prompt"

    duration: generation.Length = None

    def rules(self) -> Iterator[Problem]:
        yield from super().rules()
        if self.custom_mode is False:
            if is_missing(self.gpt_description_prompt):
                message = "is required when custom_mode is False: say what the song should be like"
                yield Problem("gpt_description_prompt", message)
            if self.prompt is not None:
                message = "belongs to custom_mode=True; a description may override it"
                yield Problem("prompt", message, hard=False)

    def _missing_lyrics(self) -> Problem:
        if self.auto_lyrics is True:
            return Problem("prompt", "is required with auto_lyrics: say what the lyrics are about")
        condition = "when custom_mode is True: give lyrics, or set make_instrumental=True"
        return Problem("prompt", f"is required {condition}")


class _FromClip(generation.MusicFields, frozen=True, kw_only=True):
    """Fields of operations on an earlier song."""

    path: ClassVar[str] = "/api/v1/sonic/create"
    group: ClassVar[Group] = "Continue or change songs"

    continue_clip_id: Annotated[
        str | None, Field("The song to start from.", "clip", label="Song", required=True)
    ] = None
    audio_weight: generation.AudioWeight = None


class _Rework(_FromClip, frozen=True, kw_only=True):
    """Fields of extends and covers."""

    custom_mode: Annotated[
        bool | None,
        Field(
            generation.MODE_HELP,
            "switch",
            label="Mode",
            option_labels=generation.MODES,
            advice_if_missing=_NOT_IN_GUIDES,
            source=GUIDES,
        ),
    ] = None
    duration: generation.Length = None


class Extend(_Rework, frozen=True, kw_only=True):
    """Extend a song from a given time."""

    constants: ClassVar[Mapping[str, Any]] = {"task_type": "extend_music"}

    continue_clip_id: Annotated[
        str | None, Field("The song to extend.", "clip", label="Song to continue", required=True)
    ] = None

    continue_at: Annotated[
        float | None,
        Field(
            "Where in the song the new part starts.",
            "seconds",
            label="Continue at",
            example="1:45",
            advice_if_missing=_NOT_IN_GUIDES,
            source=GUIDES,
        ),
    ] = None


class ExtendUpload(Extend, frozen=True, kw_only=True):
    """Extend an uploaded song from a given time.

    The song was registered with `Upload`.
    """

    constants: ClassVar[Mapping[str, Any]] = {"task_type": "extend_upload_music"}


class Cover(_Rework, frozen=True, kw_only=True):
    """Cover a song in another style."""

    constants: ClassVar[Mapping[str, Any]] = {"task_type": "cover_music"}


class CoverUpload(Cover, frozen=True, kw_only=True):
    """Cover an uploaded song in another style.

    The song was registered with `Upload`.
    """

    constants: ClassVar[Mapping[str, Any]] = {"task_type": "cover_upload_music"}


class PersonaMusic(generation.MusicFields, frozen=True, kw_only=True):
    """Make two songs with a voice (persona) of yours."""

    path: ClassVar[str] = "/api/v1/sonic/create"
    constants: ClassVar[Mapping[str, Any]] = {"task_type": "persona_music"}

    persona_id: Annotated[
        str | None,
        Field(
            "The persona_id that CreateVoice or CreatePersona returned.",
            label="Voice (persona id)",
            required=True,
        ),
    ] = None
    duration: generation.Length = None


class _Painted(_FromClip, frozen=True, kw_only=True):
    """Fields of operations that add to a song, or to a section of an uploaded song."""

    songs: ClassVar[int | None] = None  # not documented

    overpainting_start_s: Annotated[
        float | None,
        Field(
            "Where to start, in an uploaded song.",
            "seconds",
            label="Section from",
            example="0:30",
            advanced=True,
        ),
    ] = None
    overpainting_end_s: Annotated[
        float | None,
        Field(
            "Where to end, in an uploaded song.",
            "seconds",
            label="Section to",
            example="1:00",
            advanced=True,
        ),
    ] = None

    def rules(self) -> Iterator[Problem]:
        yield from super().rules()
        yield from range_problems(self, "overpainting_start_s", "overpainting_end_s")


class AddVocals(_Painted, frozen=True, kw_only=True):
    """Add vocals to a song (made in the last day).

    The docs do not say how many songs come.
    """

    constants: ClassVar[Mapping[str, Any]] = {"task_type": "add_vocals"}


class AddInstrumental(_Painted, frozen=True, kw_only=True):
    """Add instruments to a song (made in the last day).

    The docs do not say how many songs come.
    """

    constants: ClassVar[Mapping[str, Any]] = {"task_type": "add_instrumental"}


class Remaster(Request, frozen=True, kw_only=True):
    """Remaster a song (made in the last day): the same song, rendered again.

    The docs do not say how many songs come.
    """

    path: ClassVar[str] = "/api/v1/sonic/create"
    group: ClassVar[Group] = "Continue or change songs"
    constants: ClassVar[Mapping[str, Any]] = {"task_type": "remaster"}
    cost: ClassVar[Price | None] = Price(15, *CLIENTS)
    fields_source: ClassVar[Source | None] = CREATE
    webhook: ClassVar[bool] = True

    continue_clip_id: Annotated[
        str | None, Field("The song to remaster.", "clip", label="Song", required=True)
    ] = None
    mv: generation.Model = None
    variation_category: Annotated[
        str | None,
        Field(
            "How much may change.",
            "choice",
            label="Variation",
            choices=("subtle", "normal", "high"),
            option_labels={"subtle": "A little", "normal": "Normal", "high": "A lot"},
        ),
    ] = None
    use_suno_cdn: generation.SunoCdn = None

    def rules(self) -> Iterator[Problem]:
        yield from generation.model_advice(self, REMASTERED)


class Concat(Request, frozen=True, kw_only=True):
    """Join an extension with the song it extends.

    The docs do not say how many songs come.
    """

    path: ClassVar[str] = "/api/v1/sonic/create"
    group: ClassVar[Group] = "Continue or change songs"
    action: ClassVar[str] = "Join the songs"
    constants: ClassVar[Mapping[str, Any]] = {"task_type": "concat_music"}
    cost: ClassVar[Price | None] = Price(2, *CLIENTS)
    fields_source: ClassVar[Source | None] = CREATE_2025
    webhook: ClassVar[bool] = True

    continue_clip_id: Annotated[
        str | None,
        Field(
            "The extension; the service knows its original.",
            "clip",
            label="Extension",
            required=True,
        ),
    ] = None
    use_suno_cdn: generation.SunoCdn = None


class Batch(Request, frozen=True, kw_only=True):
    """Send up to ten song requests at once.

    Each has its own task and can fail separately. The reply has a `batch_id` and the tasks. Price
    and number of songs are the sum of its items. An item can name its own webhook:
    `Create(..., extra={"webhook_url": "https://..."})`.
    """

    path: ClassVar[str] = "/api/v1/sonic/batch"
    cost: ClassVar[Price | None] = Create.cost
    fields_source: ClassVar[Source | None] = BATCH

    items: Annotated[
        Sequence[Create] | None,
        Field(
            "Up to ten requests for songs, each a sonic.Create.",
            "requests",
            label="Requests",
            required=True,
            item=Create,
            min_items=1,
            max_items=10,
        ),
    ] = None

    def rules(self) -> Iterator[Problem]:
        for index, item in enumerate(self._creates()):
            for problem in item.problems():
                yield Problem("items", f"[{index}] {problem}", problem.hard)

    def price(self) -> int | None:
        """Return the credits for all items; None if there are none."""
        prices = [item.price() for item in self._creates()]
        if not prices or None in prices:
            return None
        return sum(price for price in prices if price is not None)

    def body(self) -> dict[str, Any]:
        return {**super().body(), "items": [item.body() for item in self._creates()]}

    def _creates(self) -> list[Create]:
        items = self.items if isinstance(self.items, list | tuple) else ()
        return [item for item in items if isinstance(item, Create)]
