"""A short text that identifies a request on a card."""

import textwrap

from musicapi_nb.engines import Request

# The request's text on a card is the first of these fields that is set.
_SUMMARY_FIELDS = ("title", "gpt_description_prompt", "description", "prompt", "lyrics")
_SUMMARY_LENGTH = 72


def request_summary(request: Request | None) -> str | None:
    """Return a short text that identifies a request."""
    values = (getattr(request, name, None) for name in _SUMMARY_FIELDS)
    text = next((value for value in values if isinstance(value, str) and value.strip()), None)
    return text and textwrap.shorten(text, _SUMMARY_LENGTH, placeholder="…")
