import json

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from musicapi_nb.frames import escapes

raws = msgspec.json.Decoder(list[msgspec.Raw]).decode
TEXTS = st.text(max_size=12) | st.text(
    alphabet='a"\\/\n\t\b\f\r ,[]{}été東🎷\u3000\x00', max_size=9
)


def as_json(values: object, *, ascii_only: bool) -> bytes:
    return json.dumps(values, ensure_ascii=ascii_only).encode()


@settings(max_examples=150, deadline=None)
@given(st.lists(st.none() | TEXTS, max_size=8), st.booleans())
@example([None, "", "a\nb", 'say "so"'], False)
@example(["\\n", "\\\\", "n\\"], False)
def test_texts_are_those_that_json_reads(texts: list[str | None], ascii_only: bool) -> None:  # noqa: FBT001 - drawn
    made = escapes.texts(raws(as_json(texts, ascii_only=ascii_only)))
    assert made.to_pylist() == [text or None for text in texts]
    made.validate(full=True)
    assert escapes.has_blank(made) == any(text.isspace() for text in texts if text)


@pytest.mark.parametrize("odd", [b"5", b"1.25", b"true", b'["a"]', b'{"a": "b"}', b'"\xff"'])
def test_what_is_no_text_is_refused(odd: bytes) -> None:
    with pytest.raises((ValueError, msgspec.MsgspecError)):
        escapes.texts(raws(b'["a", ' + odd + b"]"))
