import json

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from musicapi_nb.frames import escapes

TEXTS = st.text(max_size=12) | st.text(
    alphabet='a"\\/\n\t\b\f\r ,[]{}été東🎷\u3000\x00', max_size=9
)


def written(texts: list[str], *, ascii_only: bool = False) -> pa.Array:
    inner = [json.dumps(text, ensure_ascii=ascii_only).encode()[1:-1] for text in texts]
    return pa.array(inner, pa.large_binary())


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXTS, max_size=8), st.booleans())
@example(["", "a\nb", 'say "so"'], False)
@example(["\\n", "\\\\", "n\\"], False)
def test_texts_are_those_that_json_reads(texts: list[str], ascii_only: bool) -> None:  # noqa: FBT001 - drawn
    made, unread, blank = escapes.texts(written(texts, ascii_only=ascii_only))
    assert made.to_pylist() == [text or None for text in texts]
    made.validate(full=True)
    assert unread == []
    assert blank == [place for place, text in enumerate(texts) if text.isspace()]


@pytest.mark.parametrize("odd", [rb"\x", rb"\u12", rb"\ud800", rb"a\n\q"])
def test_what_is_no_string_is_told(odd: bytes) -> None:
    made, unread, _ = escapes.texts(pa.array([b"a", odd, b"b\\n"], pa.large_binary()))
    assert unread == [1]
    assert made.to_pylist() == ["a", None, "b\n"]
