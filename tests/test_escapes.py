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
@given(st.lists(st.lists(TEXTS, max_size=4), max_size=4), st.booleans())
@example([["", "a\nb", 'say "so"']], False)
@example([["\\n", "\\\\", "n\\"], ["a"], [], ["\n", "\t b"]], False)
def test_texts_are_those_that_json_reads(columns: list[list[str]], ascii_only: bool) -> None:  # noqa: FBT001 - drawn
    texts = [text for column in columns for text in column]
    array = written(texts, ascii_only=ascii_only)
    made, unread, blank = escapes.texts(array, [len(column) for column in columns])
    assert [column.to_pylist() for column in made] == [
        [text or None for text in column] for column in columns
    ]
    for column in made:
        column.validate(full=True)
    assert unread == []
    assert blank == [place for place, text in enumerate(texts) if text.isspace()]


@pytest.mark.parametrize("odd", [rb"\x", rb"\u12", rb"\ud800", rb"a\n\q"])
def test_what_is_no_string_is_told(odd: bytes) -> None:
    array = pa.array([b"c", b"a", odd, b"b\\n"], pa.large_binary())
    (before, made), unread, _ = escapes.texts(array, [1, 3])
    assert unread == [2]
    assert (before.to_pylist(), made.to_pylist()) == (["c"], ["a", None, "b\n"])
