"""What all sonic operations that render music share: models, limits, prices, fields, rules.

Facts: docs.musicapi.ai (sonic-instructions, error-handling; 2025 to 2026) and musicapi-sdk 0.1.0;
limits confirmed by live refusals of 2026-07-15; prices as published by clients on 2026-10-07.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, TypeAlias

from musicapi_nb.engines.request import (
    Field,
    LimitByModel,
    Price,
    Request,
    canonical_model,
    is_missing,
)
from musicapi_nb.errors import Problem

# The newest three came by 2026-10-07; the older ids are still accepted and rendered by v6.
NEWEST = ("sonic-v6", "sonic-v6-wild", "sonic-v6-mini")
OLDER = ("sonic-v5-5", "sonic-v5", "sonic-v4-5-plus", "sonic-v4-5", "sonic-v4", "sonic-v3-5")
MODELS = (*NEWEST, *OLDER)
MIXING_MODEL = "sonic-v4-5-all"
"""For `Sample` and `Mashup` only; a create with it was refused live."""
GENDERED = ("sonic-v5-5", "sonic-v5", "sonic-v4-5-plus", "sonic-v4-5")

_PROMPT = LimitByModel(5000, {"sonic-v3-5": 3000, "sonic-v4": 3000})
_TAGS = LimitByModel(1000, {"sonic-v3-5": 200, "sonic-v4": 200})


def priced(credits_: int) -> Price:
    """A price as it stood on the day on which the newest were read."""
    return Price(credits_, dt.date(2026, 10, 7), "public client of api.musicapi.ai")


def choice_of(models: Sequence[str]) -> Field:
    """The model's field, where an operation knows these."""
    return Field(
        kind="choice", required=True, choices=tuple(models), allow_other=True, help="The model."
    )


Model: TypeAlias = Annotated[str | None, choice_of(MODELS)]
Title: TypeAlias = Annotated[str | None, Field(limit=80, help="The title (custom mode).")]
Tags: TypeAlias = Annotated[
    str | None, Field(kind="tags", limit=_TAGS, help="Styles, comma-separated (custom mode).")
]
NegativeTags: TypeAlias = Annotated[
    str | None, Field(kind="tags", help="Styles to keep away from, comma-separated.")
]
Gender: TypeAlias = Annotated[
    str | None, Field(kind="choice", choices=("f", "m"), help="Whose voice sings: f or m.")
]
StyleWeight: TypeAlias = Annotated[
    float | None, Field(kind="fraction", help="How closely to keep to the tags.")
]
Weirdness: TypeAlias = Annotated[
    float | None, Field(kind="fraction", help="How far to leave the ordinary.")
]
AudioWeight: TypeAlias = Annotated[
    float | None, Field(kind="fraction", help="How closely to keep to the source's sound.")
]
Length: TypeAlias = Annotated[
    int | None,
    Field(kind="integer", minimum=10, maximum=360, help="Length to aim at, in whole seconds."),
]
AutoConcat: TypeAlias = Annotated[
    bool | None, Field(kind="switch", help="Also join the new part with what it was made from.")
]
SunoCdn: TypeAlias = Annotated[
    bool | None,
    Field(
        kind="switch",
        help="Links on the CDN of the music's maker; the docs call it needed, the service did "
        "without it.",
    ),
]
Clip: TypeAlias = Annotated[str | None, Field(kind="clip", required=True, help="The clip.")]


class Music(Request, frozen=True, kw_only=True):
    """What every operation of these fields shares; each says its task."""

    engine: ClassVar[str] = "sonic"
    path: ClassVar[str] = "/api/v1/sonic/create"
    songs: ClassVar[int | None] = 2
    cost: ClassVar[Price | None] = priced(15)
    webhook: ClassVar[bool] = True
    active_when: ClassVar[Mapping[str, Mapping[str, tuple[Any, ...]]]] = {
        "gpt_description_prompt": {"custom_mode": (False,)},
        "auto_lyrics": {"custom_mode": (True,)},
    }
    text_fields: ClassVar[tuple[str, ...]] = ("prompt", "gpt_description_prompt")

    custom_mode: Annotated[
        bool | None,
        Field(
            kind="switch",
            required=True,
            help="True: you write lyrics, tags and title. False: you describe the song.",
        ),
    ] = None
    mv: Model = None
    prompt: Annotated[
        str | None,
        Field(
            kind="long text",
            limit=_PROMPT,
            help="The lyrics (custom mode); with auto_lyrics, what they are to be about.",
        ),
    ] = None
    title: Title = None
    tags: Tags = None
    negative_tags: NegativeTags = None
    make_instrumental: Annotated[bool | None, Field(kind="switch", help="No vocals.")] = None
    gpt_description_prompt: Annotated[
        str | None,
        Field(kind="long text", limit=400, help="What the song is to be (description mode)."),
    ] = None
    auto_lyrics: Annotated[
        bool | None,
        Field(kind="switch", help="Have the lyrics written from the prompt (custom mode)."),
    ] = None
    vocal_gender: Gender = None
    style_weight: StyleWeight = None
    weirdness_constraint: Weirdness = None
    use_suno_cdn: SunoCdn = None

    def rules(self) -> Iterator[Problem]:
        if self.mv == MIXING_MODEL and MIXING_MODEL not in self.fields()["mv"].choices:
            yield Problem("mv", f"{MIXING_MODEL} is refused here (it is for sample and mashup)")
        if self.auto_lyrics is True and self.custom_mode is False:
            yield Problem("auto_lyrics", "needs custom_mode=True")
        if self.custom_mode is True and is_missing(self.prompt) and not self.make_instrumental:
            yield self._without_lyrics()
        yield from documented_for(self, "vocal_gender", GENDERED)

    def _without_lyrics(self) -> Problem:
        return Problem("prompt", "custom mode usually carries the lyrics here", hard=False)


def documented_for(request: Any, name: str, models: Sequence[str]) -> Iterator[Problem]:
    """Advise against a field with an older model that the docs do not name for it."""
    model = canonical_model(request.mv) if isinstance(request.mv, str) else ""
    if getattr(request, name) is not None and model in OLDER and model not in models:
        listed = ", ".join(reversed(models))
        yield Problem(name, f"is documented for {listed}; {model} may ignore it", hard=False)


def allowed_by(request: Any, models: Sequence[str]) -> Iterator[Problem]:
    """Refuse an older model that the docs do not allow here, and say what newer ones came to."""
    model = canonical_model(request.mv) if isinstance(request.mv, str) else ""
    listed = ", ".join(reversed(models))
    if model in NEWEST:
        yield Problem("mv", f"the docs allow {listed} here, but are older than v6", hard=False)
    elif model in OLDER and model not in models:
        yield Problem("mv", f"is {model}; the docs allow {listed} here")


def in_order(request: Any, start: str, end: str, longest: float | None = None) -> Iterator[Problem]:
    """Name the end of a range that is not after its start, or too far from it."""
    first, last = getattr(request, start), getattr(request, end)
    if not (isinstance(first, int | float) and isinstance(last, int | float)):
        return
    if not last > first:
        yield Problem(end, f"should be later than {start}")
    elif longest is not None and last - first > longest:
        yield Problem(end, f"is {last - first:g} s after {start}; at most {longest:g} s are taken")
