"""Models, limits, fields and rules that sonic operations share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar, TypeAlias

from musicapi_nb.engines.fields import Field, LimitByModel, canonical_model, is_missing
from musicapi_nb.engines.request import ActiveWhen, Price, Request
from musicapi_nb.engines.sources import CLIENTS, CREATE, REFUSALS, Source
from musicapi_nb.errors import Problem

# The newest three were listed by 2026-10-07. Older ids are accepted, at the same price, but v6 has
# rendered them since 2026-09-09.
NEWEST = ("sonic-v6", "sonic-v6-wild", "sonic-v6-mini")
OLDER = ("sonic-v5-5", "sonic-v5", "sonic-v4-5-plus", "sonic-v4-5", "sonic-v4", "sonic-v3-5")
MODELS = (*NEWEST, *OLDER)
DEFAULT = NEWEST[0]
"""The model of a request that names none: see `Field.preset`.

A purchase is found again by its fields, of which the model is one. With another default, cells that
name no model buy other songs: such a change is listed as breaking in the changelog.
"""
MIXING_MODEL = "sonic-v4-5-all"
"""For `Sample` and `Mashup` only; `Create` with it was refused live."""

MODES = {False: "Describe the song", True: "Write the lyrics"}
MODE_HELP = "Whether you describe the song (False) or write its lyrics (True)."
_PROMPT = LimitByModel(5000, {"sonic-v3-5": 3000, "sonic-v4": 3000})
_TAGS = LimitByModel(1000, {"sonic-v3-5": 200, "sonic-v4": 200})


def _choice_of(*models: str) -> Field:
    return Field(
        "Which model makes the song.",
        "choice",
        label="Model",
        required=True,
        synonyms=("model",),
        preset=DEFAULT,
        choices=models,
        allow_other=True,
        renderers=dict.fromkeys((*OLDER, MIXING_MODEL), NEWEST[0]),
        source=CLIENTS,
    )


Model: TypeAlias = Annotated[str | None, _choice_of(*MODELS)]
MixingModel: TypeAlias = Annotated[str | None, _choice_of(*MODELS, MIXING_MODEL)]
Title: TypeAlias = Annotated[
    str | None,
    Field("The title of the song.", label="Title", example="Tin Roof", limit=80, source=REFUSALS),
]
Tags: TypeAlias = Annotated[
    str | None,
    Field(
        "Styles, instruments and moods, separated by commas.",
        "tags",
        label="Styles",
        synonyms=("styles", "style", "genre"),
        example="slow jazz, brushed drums",
        limit=_TAGS,
        source=REFUSALS,
    ),
]
NegativeTags: TypeAlias = Annotated[
    str | None,
    Field(
        "What the song should not be like, separated by commas.",
        "tags",
        label="Styles to avoid",
        example="metal, autotune",
        advanced=True,
    ),
]
Instrumental: TypeAlias = Annotated[
    bool | None,
    Field(
        "Make the song without a singer.",
        "switch",
        label="Instrumental (no vocals)",
        synonyms=("instrumental",),
    ),
]
Gender: TypeAlias = Annotated[
    str | None,
    Field(
        "Who sings.",
        "choice",
        label="Voice",
        choices=("f", "m"),
        option_labels={None: "Automatic", "f": "Female", "m": "Male"},
        advanced=True,
    ),
]
StyleWeight: TypeAlias = Annotated[
    float | None,
    Field("How closely to follow the styles.", "fraction", label="Style influence", advanced=True),
]
Weirdness: TypeAlias = Annotated[
    float | None, Field("From safe to strange.", "fraction", label="Weirdness", advanced=True)
]
AudioWeight: TypeAlias = Annotated[
    float | None,
    Field(
        "How closely to follow the sound of the original.",
        "fraction",
        label="Audio influence",
        advanced=True,
    ),
]
Length: TypeAlias = Annotated[
    int | None,
    Field(
        "The length to aim at, from 10 s to 6 min.",
        "whole seconds",
        label="Length (about)",
        synonyms=("length", "seconds"),
        example="2:30",
        minimum=10,
        maximum=360,
        advanced=True,
    ),
]
AutoConcat: TypeAlias = Annotated[
    bool | None,
    Field(
        "Also join the new part with the original.",
        "switch",
        label="Join with the original",
        advanced=True,
    ),
]
SunoCdn: TypeAlias = Annotated[
    bool | None,
    Field(
        "Get links to files on Suno's servers instead of the service's.",
        "switch",
        label="Links on Suno's own servers",
        default=False,  # the docs require the field, so it is always sent
        advanced=True,
    ),
]
Clip: TypeAlias = Annotated[
    str | None, Field("The song to work on.", "clip", label="Song", required=True)
]


class MusicFields(Request, frozen=True, kw_only=True):
    """Fields that the operations which render music share."""

    songs: ClassVar[int | None] = 2
    cost: ClassVar[Price | None] = Price(15, *CLIENTS)
    fields_source: ClassVar[Source | None] = CREATE
    webhook: ClassVar[bool] = True
    active_when: ClassVar[ActiveWhen] = {
        "prompt": {"custom_mode": (True, None)},
        "gpt_description_prompt": {"custom_mode": (False,)},
        "auto_lyrics": {"custom_mode": (True,)},
    }
    text_fields: ClassVar[tuple[str, ...]] = ("prompt", "gpt_description_prompt")
    tag_fields: ClassVar[tuple[str, ...]] = ("tags", "gpt_description_prompt")
    negative_tag_fields: ClassVar[tuple[str, ...]] = ("negative_tags",)

    custom_mode: Annotated[
        bool | None, Field(MODE_HELP, "switch", label="Mode", option_labels=MODES, required=True)
    ] = None
    mv: Model = None
    prompt: Annotated[
        str | None,
        Field(
            "Your words, with [Verse], [Chorus].",
            "long text",
            label="Lyrics",
            synonyms=("lyrics",),
            example="[Verse]\nRain on a tin roof",
            limit=_PROMPT,
            source=REFUSALS,
        ),
    ] = None
    title: Title = None
    tags: Tags = None
    negative_tags: NegativeTags = None
    make_instrumental: Instrumental = None
    gpt_description_prompt: Annotated[
        str | None,
        Field(
            "Say what the song should be like.",
            "long text",
            label="Description",
            synonyms=("description",),
            example="rain on a tin roof, slow jazz",
            limit=400,
            source=REFUSALS,
        ),
    ] = None
    auto_lyrics: Annotated[
        bool | None,
        Field(
            "The service writes the lyrics; say under Lyrics what they are about.",
            "switch",
            label="Write the lyrics for me",
        ),
    ] = None
    vocal_gender: Gender = None
    style_weight: StyleWeight = None
    weirdness_constraint: Weirdness = None
    use_suno_cdn: SunoCdn = None

    def rules(self) -> Iterator[Problem]:
        if self.mv == MIXING_MODEL and MIXING_MODEL not in self.fields()["mv"].choices:
            yield Problem("mv", f"{MIXING_MODEL} is not accepted here, only by Sample and Mashup")
        if self.auto_lyrics is True and self.custom_mode is False:
            yield Problem("auto_lyrics", "needs custom_mode=True")
        if self.custom_mode is True and is_missing(self.prompt) and not self.make_instrumental:
            yield self._missing_lyrics()

    def _missing_lyrics(self) -> Problem:
        return Problem("prompt", "lyrics are normally needed here", hard=False)


def model_advice(request: Any, models: Sequence[str]) -> Iterator[Problem]:
    """Yield advice for an older model that the docs exclude."""
    model = canonical_model(request.mv) if isinstance(request.mv, str) else ""
    if model in OLDER and model not in models:
        listed = ", ".join(reversed(models))
        yield Problem("mv", f"the docs list {listed} and v6 here", hard=False)
