"""Building blocks of static HTML. All escaping happens here. No I/O.

Blocks return :class:`Html`; any other string is text and gets escaped. The HTML works in an
untrusted notebook, whose sanitizer keeps only inline styles with plain values: no ids, no classes,
no SVG. Text inherits its color and surfaces are translucent, so it is readable on light and dark.
"""

from musicapi_nb.markup._page import page
from musicapi_nb.markup.components import (
    Cell,
    TagMark,
    Tone,
    badge,
    caption,
    card,
    cards,
    chip,
    chips,
    collapsible,
    cover,
    facts,
    format_credits,
    format_datetime,
    format_duration,
    format_estimate,
    format_local_time,
    gradient,
    link,
    lyrics,
    notice,
    player,
    plural,
    progress,
    stack,
    table,
    verbatim,
)
from musicapi_nb.markup.escape import (
    EMPTY,
    DataUrl,
    Html,
    MediaType,
    data_url,
    html_repr,
    is_blank,
    is_private,
    join,
    local_file,
    media_url,
    muted,
    one_line,
    render,
    safe_repr,
    strip_invisible,
    text,
    web_url,
)
