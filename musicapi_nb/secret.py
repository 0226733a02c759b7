"""A secret that appears in no repr, pickle or error. No I/O."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any, Protocol

MIN_SECRET_LENGTH = 16
"""Characters. A shorter value could occur by chance in ordinary text or in an id."""


_GENERATE = "secrets.token_urlsafe()"
_MARKS = "\ufeff\u200b\u2060"  # an editor's mark at the start of a file; invisible spaces
# A line of a .env file, of a shell's profile or of YAML, or an HTTP header.
_NAME = re.compile(
    r"(?:(?:export|setx?)\s+|\$env:)?[\w-]*(?:key|token)\s*[=:]\s*|authorization:\s*", re.IGNORECASE
)
_COMMENT = re.compile(r"\s+#.*")
_SCHEME = re.compile(r"Bearer\s+", re.IGNORECASE)
_PLACEHOLDER = re.compile(
    r"<.*>|\$?\{.*\}|\$\w+|%\w+%|(?:sk[-_])?(?:x{3,}|\*{3,}|\.{3,}|\u2026)"
    r"|(?:your|my|insert|enter|paste|replace|change)[-_ ]?(?:me|this|the|your|own|api|key)\b.*"
    r"|.*your[-_ ]?(?:musicapi[-_ ]?)?(?:api[-_ ]?)?(?:key|token).*|api[-_ ]?key|todo|none|null",
    re.IGNORECASE | re.DOTALL,
)
_SHORTEST_PART = 4  # characters of a secret that breaks off; fewer tell nothing
_LONGEST_ESCAPE = 10  # bytes of one character
_CUT_ESCAPE = r"(?:\\+(?:u[0-9A-Fa-f]{0,3})?|%[0-9A-Fa-f]?)?\Z"


def _unquoted(text: str) -> str:
    """Drop white space, invisible marks and one pair of quotes around a text."""
    text = text.strip().strip(_MARKS).strip()
    is_quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\"`"
    return text[1:-1].strip() if is_quoted else text


class _Error(Protocol):
    """An error whose text can be replaced, such as `errors.MusicAPIError`."""

    message: str
    request_id: str | None
    body: Any

    def set_message(self, message: str) -> None: ...


class _HiddenText(str):
    """A text without a repr: tracebacks that show local variables also show those of aiohttp."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "[key]"


class HiddenBytes(bytes):
    """Bytes without a repr, as a request's body that has the webhook secret."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "[body]"


class Secret:
    """An API key or webhook secret. Its text is readable only where a call is sent.

    `other` is a second secret that is redacted from the same texts.
    """

    __slots__ = ("__other", "__pattern", "__value")

    def __init__(self, value: str, other: Secret | None = None) -> None:
        self.__value = value
        self.__other = other
        self.__pattern = _pattern(value)

    def __bool__(self) -> bool:
        return bool(self.__value.strip())

    def __repr__(self) -> str:
        return "[key]"

    def __reduce__(self) -> Any:
        raise TypeError("a secret cannot be pickled")

    def as_api_key(self, other: Secret | None = None) -> tuple[Secret, str]:
        """Return the API key in this text, and its problem ("" if there is none).

        White space, a name (`MUSICAPI_KEY=`), quotes and `Bearer` before it are dropped: a line
        of a .env file or an HTTP header may have been copied whole.
        """
        key = _COMMENT.sub("", _unquoted(self.__value))
        for prefix in (_NAME, _SCHEME):
            start = prefix.match(key)
            key = _unquoted(key[start.end() :] if start else key)
        if not key:
            problem = "no API key was given"
        elif _PLACEHOLDER.fullmatch(key):
            problem = "the API key is a placeholder of an example, not a key"
        elif not key.isascii() or not key.isprintable() or " " in key:
            problem = "the API key contains a space or another character that no key has"
        else:
            problem = ""
        return Secret(key, other), problem

    def as_webhook_secret(self) -> tuple[Secret, str]:
        """Return the secret without surrounding white space, and its problem."""
        value, problem = self.__value.strip(), ""
        if value and len(value) < MIN_SECRET_LENGTH:
            problem = f"needs at least {MIN_SECRET_LENGTH} characters; {_GENERATE} generates one"
        elif not value.isascii() or not value.isprintable() or " " in value:
            problem = f"must be ASCII without spaces; {_GENERATE} generates one"
        return Secret(value), problem

    def auth_headers(self) -> Mapping[str, str]:
        """Return the HTTP headers that authenticate a call with this key."""
        return {"Authorization": _HiddenText(f"Bearer {self.__value}")}

    def webhook_fields(self) -> Mapping[str, str]:
        """Return the request field that asks the service to sign webhooks with this secret."""
        return {"webhook_secret": self.__value}

    def sign(self, message: bytes) -> str:
        """Return the HMAC-SHA256 of a message as 64 hexadecimal digits."""
        return hmac.new(self.__value.encode(), message, hashlib.sha256).hexdigest()

    def redact(self, text: str) -> str:
        """Replace the secret by "[key]" in a text that a server may have echoed it into."""
        text = self.__other.redact(text) if self.__other else text
        return self.__pattern.sub("[key]", text)

    def redact_body(self, body: bytes) -> bytes:
        """Replace the secret in a reply's body, unless it is short enough to occur in an id."""
        body = self.__other.redact_body(body) if self.__other else body
        if len(self.__value) < MIN_SECRET_LENGTH:
            return body
        return self.__pattern.sub("[key]", body.decode("latin-1")).encode("latin-1")

    def redact_cut_body(self, body: bytes) -> bytes:
        """As `redact_body`, for a body that breaks off, perhaps within the secret."""
        body = self.__other.redact_cut_body(body) if self.__other else body
        head = self.redact_body(body)
        if len(self.__value) < MIN_SECRET_LENGTH:
            return head
        for length in range(len(self.__value) - 1, _SHORTEST_PART - 1, -1):
            start = re.compile(_escaped(self.__value[:length]) + _CUT_ESCAPE)
            tail = head[-_LONGEST_ESCAPE * len(self.__value) :].decode("latin-1")
            if part := start.search(tail):
                return head[: len(head) - len(tail) + part.start()] + b"[key]"
        return head

    def redact_error(self, error: _Error) -> None:
        """Replace the secret in an error's message, request id and body."""
        error.set_message(self.redact(error.message))
        error.request_id = error.request_id and self.redact(error.request_id)
        if isinstance(error.body, bytes):
            error.body = self.redact(error.body.decode("latin-1")).encode("latin-1")


def as_secret(value: object) -> Secret:
    """Wrap a text, so that tracebacks that show local variables do not show it."""
    if isinstance(value, Secret):
        return value
    return Secret(value if isinstance(value, str) else "")


def _pattern(value: str) -> re.Pattern[str]:
    """Match a secret as plain text and as JSON, a URL or a repr may escape its characters."""
    escaped = _escaped(value)
    if len(value) >= MIN_SECRET_LENGTH:
        return re.compile(escaped)
    return re.compile(rf"(?<![A-Za-z0-9]){escaped}(?![A-Za-z0-9])")


def _escaped(value: str) -> str:
    return "".join(char if char.isalnum() else _escapes(char) for char in value)


def _escapes(char: str) -> str:
    return rf"(?:\\*{re.escape(char)}|\\+u(?i:{ord(char):04x})|%(?i:{ord(char):02x}))"
