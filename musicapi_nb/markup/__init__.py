"""The building blocks of static HTML: every string is escaped here, and nowhere else.

What a block returns is :class:`Html`; every other string is text and is escaped when it gets here.
Only what JupyterLab leaves in an untrusted notebook carries meaning: inline styles with plain
values, no ids, no classes to style by, no svg. Text inherits its colour and surfaces are
translucent, so that the same HTML reads on light and on dark.
"""

from musicapi_nb.markup.blocks import (
    Cell,
    Fate,
    Tone,
    badge,
    caption,
    chip,
    chips,
    facts,
    folded,
    in_credits,
    lyrics,
    minutes,
    moment,
    notice,
    progress,
    table,
    verbatim,
)
from musicapi_nb.markup.cards import card, cards, cover, gradient, image, link, page, player, stack
from musicapi_nb.markup.safe import (
    EMPTY,
    DataUrl,
    Html,
    MediaType,
    data_url,
    is_blank,
    join,
    local_file,
    plain,
    quiet,
    text,
    web_url,
)

__all__ = [
    "EMPTY",
    "Cell",
    "DataUrl",
    "Fate",
    "Html",
    "MediaType",
    "Tone",
    "badge",
    "caption",
    "card",
    "cards",
    "chip",
    "chips",
    "cover",
    "data_url",
    "facts",
    "folded",
    "gradient",
    "image",
    "in_credits",
    "is_blank",
    "join",
    "link",
    "local_file",
    "lyrics",
    "minutes",
    "moment",
    "notice",
    "page",
    "plain",
    "player",
    "progress",
    "quiet",
    "stack",
    "table",
    "text",
    "verbatim",
    "web_url",
]
