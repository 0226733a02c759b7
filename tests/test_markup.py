"""Hostile text is escaped, unsafe URLs are not used, and each block shows its content."""

import html
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musicapi_nb import markup
from musicapi_nb.markup import Html, TagMark, Tone
from musicapi_nb.markup.escape import TITLE_LIMIT, URL_LIMIT

VOID = {"img"}
# What the sanitizer of JupyterLab 4.6.6 keeps in an untrusted notebook (only what is used here).
ATTRIBUTES = {
    "a": {"href", "target", "rel"},
    "audio": {"controls", "preload", "src", "title", "style"},
    "bdi": set(),
    "details": set(),
    "div": {"style", "dir"},
    "h2": {"style"},
    "img": {"src", "alt", "style"},
    "span": {"style", "title", "class"},
    "summary": {"style"},
    "table": {"style"},
    "tbody": set(),
    "td": {"style"},
    "th": {"style", "scope"},
    "thead": set(),
    "tr": {"style"},
}
NUMBER = r"-?\d*\.?\d+(?:px|%)?"
COLOUR = r"(?:rgba\(\d+,\d+,\d+,\d*\.?\d+\)|transparent)"
KEPT_STYLES = {
    "align-content": "flex-start",
    "align-items": "flex-start",
    "background": COLOUR,
    "background-image": r"linear-gradient\(135deg,rgb\(\d+,\d+,\d+\),rgb\(\d+,\d+,\d+\)\)",
    "border": rf"0|1px (?:solid|dashed) {COLOUR}",
    "border-bottom": rf"1px solid {COLOUR}",
    "border-collapse": "collapse",
    "border-left": rf"3px solid {COLOUR}",
    "border-radius": rf"{NUMBER}(?: {NUMBER})*",
    "box-sizing": "border-box",
    "cursor": "pointer",
    "display": "flex|grid|block|inline-block",
    "flex": r"none|1 1 (?:0|\d+px)",
    "flex-direction": "column",
    "flex-wrap": "wrap",
    "font-size": NUMBER,
    "font-weight": "400|600",
    "gap": NUMBER,
    "grid-template-columns": r"repeat\(auto-fill,minmax\(280px,360px\)\)",
    "height": f"{NUMBER}|auto",
    "justify-content": "space-between",
    "line-height": NUMBER,
    "margin": rf"{NUMBER}(?: {NUMBER})*",
    "max-height": NUMBER,
    "max-width": NUMBER,
    "min-width": "0",
    "opacity": r"\.68",
    "overflow": "hidden|auto",
    "padding": rf"{NUMBER}(?: {NUMBER})*",
    "text-align": "left|right",
    "text-decoration": "line-through",
    "vertical-align": "top",
    "white-space": "pre-wrap|pre-line|nowrap",
    "width": NUMBER,
    "word-wrap": "break-word",  # word-break: break-word and overflow-wrap: anywhere are dropped
}
REFINEMENTS = {"font-variant-numeric:tabular-nums"}  # dropped; then only the alignment is lost


@dataclass
class Parsed(HTMLParser):
    """A parsed fragment: elements with attributes, and text."""

    source: str
    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names))
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(decl)

    def handle_pi(self, data: str) -> None:
        raise AssertionError(data)

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(data)

    @property
    def text(self) -> str:
        return "".join(self.texts)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def addresses(self) -> Iterator[str]:
        for _, attributes in self.elements:
            yield from (attributes[name] for name in ("href", "src") if name in attributes)


FATES: Sequence[TagMark] = ("plain", "kept", "split", "added", "dropped")
TONES: Sequence[Tone] = ("neutral", "good", "info", "warn", "bad")
SOUND = markup.data_url(b"RIFF", "audio/wav")
HOSTILE = [
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</details></div><script>alert(1)</script>",
    "<!-- ",
    "]]>",
    "<?php",
    "&lt;b&gt;&amp;",
    "&#60;script&#62;",
    "javascript:alert(1)",
    'https://example.com/" onerror="alert(1)',
    "data:text/html,<script>alert(1)</script>",
    "NUL\x00 and \ud800 alone",
    "\u202etfel ot thgir\u2066",
    "\u200b" * 5_000,
    "e\u0301\u0301" * 90,
    "a" + "\u0336" * 1_000,
    "wide " * 200_000,
    "שלום",
    "🎷👩\u200d🎤",
    "\r\n\u2028\t",
]


def every_block(value: str) -> Html:
    """Use one value for every argument of every block."""
    song = markup.card(
        value,
        markup.chips([value, *((value, fate) for fate in FATES)]),
        markup.player(value, value),
        markup.player("https://example.com/a.mp3", value),
        markup.player(SOUND, value),
        *(markup.notice(value, tone) for tone in TONES),
        markup.progress(0.5, value),
        markup.progress(None, value),
        markup.lyrics(value),
        markup.table([value, "n"], [[value, 1.5], [None, None]], caption=value, row_heads=True),
        markup.collapsible(value, value, markup.verbatim(value)),
        markup.link(value, value),
        markup.link(value, "https://example.com/"),
        markup.text(value),
        markup.muted(value),
        markup.caption(value, value),
        markup.join(value, value, separator=value),
        value,
        facts=markup.facts(value, "2:11", value),
        badges=[markup.badge(value, tone) for tone in TONES],
        cover=markup.cover(value, value, value),
    )
    other = markup.card(
        value, facts=value, cover=markup.cover("https://example.com/c.png", value, value), wide=True
    )
    return markup.stack(markup.cards([song, other]), value)


def assert_only_own_markup(fragment: str) -> None:
    parsed = Parsed(fragment)
    for tag, attributes in parsed.elements:
        assert attributes.keys() <= ATTRIBUTES[tag]
        for declaration in attributes.get("style", "").split(";"):
            name, _, value = declaration.partition(":")
            allowed_style = re.fullmatch(KEPT_STYLES.get(name, "(?!)"), value)
            assert not declaration or allowed_style or declaration in REFINEMENTS, declaration
    for address in parsed.addresses():
        assert address == SOUND or re.match("https?://", address, re.IGNORECASE)
    # Every attribute is quoted: without quoted values, no equals sign remains.
    for written in re.findall(r"<[a-z][^<]*?>", re.sub(r'="[^"]*"', "", fragment)):
        assert "=" not in written
    assert re.search("[\x00\ud800-\udfff\u202a-\u202e\u2066-\u2069]", fragment) is None


@pytest.mark.parametrize("value", ["$5 or $6", r"a \(b\)", r"\begin{x}\end{x}", "$$é$$"])
def test_no_text_is_typeset_as_a_formula(value: str) -> None:
    parsed = Parsed(every_block(value))

    assert html.escape(value) in markup.text(value)
    assert "mathjax_ignore tex2jax_ignore" in markup.text(value)
    assert 'class="' not in markup.text("5 dollars")
    ignoring = sum("class" in attributes for _, attributes in parsed.elements)
    assert ignoring >= parsed.text.count(value) - 1  # join() adds separators


@given(value=st.text() | st.text("<>&\"'=/!-:;#\x00\u202e a", max_size=40))
def test_any_text_is_escaped_in_every_block(value: str) -> None:
    assert_only_own_markup(every_block(value))


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_escaped(value: str) -> None:
    built = every_block(value)
    assert_only_own_markup(built)
    built.encode()
    assert len(built) < 400_000


@given(value=st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=60))
def test_ordinary_text_is_unchanged(value: str) -> None:
    assert Parsed(markup.text(value)).text == value
    assert Parsed(markup.verbatim(value)).text == value
    if not markup.is_blank(value):
        assert Parsed(markup.card(value)).text == value
        assert Parsed(markup.chip(value)).text == value
        assert Parsed(markup.player("https://example.com/a", value)).all("audio") == [
            {
                "controls": "",
                "preload": "none",
                "src": "https://example.com/a",
                "title": f"Play {value}",
                "style": "display:block;width:100%;height:36px",
            }
        ]


def test_no_text_is_muted_twice() -> None:
    for value in HOSTILE:
        depth = [0]
        for closing, style in re.findall(r"<(/?)(?!img)[a-z]+([^>]*)>", every_block(value)):
            if closing:
                depth.pop()
            else:
                depth.append(depth[-1] + ("opacity" in style))
                assert depth[-1] <= 1


def test_markup_is_deterministic() -> None:
    assert [every_block(value) for value in HOSTILE] == [every_block(value) for value in HOSTILE]


def test_only_html_passes_unescaped() -> None:
    built = markup.badge("new")
    assert markup.text(built) is built
    assert markup.join(built) == built
    for plain in (f"{built}", built + "", built.strip()):
        assert Parsed(markup.text(plain)).text == plain
    assert type(built._repr_html_()) is str
    assert built._repr_html_() == built


# --- text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a\x00b\x1b\x7f\x85", "a\ufffdb\ufffd\ufffd\ufffd"),
        ("\ud83c alone", "\ufffd alone"),
        ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour"),
        ("\u202eevil\u202c \u2067x\u2069", "evil x"),
        ("a" + "\u200b\u200c" * 5_00, "a" + "\u200b\u200c" * 4),
        ("a" + "\u0301" * 500 + "b", "a" + "\u0301" * 4 + "b"),
        ("a" + "\u034f\u0301" * 20, "a" + "\u034f\u0301" * 4 + "\u034f"),
        ("👩\u200d❤\ufe0f\u200d👩", "👩\u200d❤\ufe0f\u200d👩"),
        ("می\u200cشود", "می\u200cشود"),
    ],
)
def test_unprintable_text_is_replaced(value: str, expected: str) -> None:
    assert Parsed(markup.text(value)).text == expected


def test_non_ascii_text_is_isolated() -> None:
    assert markup.facts("שיר", "1:02") == (
        '<span style="white-space:nowrap"><bdi>שיר</bdi></span> · '
        '<span style="white-space:nowrap">1:02</span>'
    )
    assert "bdi" not in markup.facts("song", "1:02")


def test_cut_text_has_a_note() -> None:
    assert Parsed(markup.text("x" * 20, limit=20)).text == "x" * 20
    short = Parsed(markup.text("x" * 21, limit=20)).text
    assert short == "x" * 20 + "… (cut; 21 characters in total)"
    long = Parsed(markup.card("x" * 1_000_000)).text
    assert long == "x" * TITLE_LIMIT + "… (cut; 1,000,000 characters in total)"
    texts = Parsed(markup.lyrics("la " * 7_000)).text
    assert len(texts) > 19_000
    assert texts.endswith("… (cut; 21,000 characters in total)")


@pytest.mark.parametrize("title", [None, "", "  \n", "\u200b\u2060", "\u2800", "\u202e"])
def test_blank_title_is_untitled(title: str | None) -> None:
    assert markup.is_blank(title)
    assert Parsed(markup.card(title)).text == "(untitled)"


# --- URLs

FINE = [
    "https://cdn1.suno.ai/30264033-2b01.mp3",
    "http://127.0.0.1:8931/audio/1.wav",
    "http://[::1]:8931/a.wav",
    "HTTPS://Example.COM/a?b=c&d='e'#f",
    "https://example.com/samples/Harbour%2520Lamps.mp3",
    "https://example.com/夜の港.mp3",
    "https://example.com?x=//y@z",
    "https://example.com",
]
REFUSED = [
    "",
    " ",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\nscript:alert(1)",
    "\x01javascript:alert(1)",
    " javascript:alert(1)",
    "javascript&colon;alert(1)",
    "vbscript:msgbox(1)",
    "file:///etc/passwd",
    "blob:https://example.com/1",
    "data:text/html,x",
    "data:image/svg+xml,<svg onload=alert(1)>",
    "data:audio/wav;base64,UklG",
    "ftp://example.com/a",
    "about:blank",
    "mailto:a@example.com",
    "attachment:a.png",
    "//example.com/a",
    "/a.mp3",
    "a.mp3",
    "../a",
    "#a",
    "?a",
    "\\\\example.com\\a",
    "https:",
    "https:/",
    "https://",
    "https:///a",
    "https:example.com",
    "http:/example.com/a",
    "https:\\\\example.com",
    "https://good.example\\@evil.example/",
    "https:///\\evil.example",
    "https://user@example.com/",
    "https://user:word@example.com/",
    "https://a@b@example.com",
    "https://example.com:port/",
    "https://example.com:99999/",
    "https://example.com:0/",
    "https://[::1/",
    "https://[zz]/",
    "https://exa mple.com/",
    "https://example.com/a b",
    "https://example.com/a\tb",
    "https://example.com/a\n",
    "\nhttps://example.com/",
    " https://example.com/",
    "https://example.com/\x00",
    "https://example.com/\u202egpj.exe",
    "https://exam\u200bple.com/",
    "https://example.com/\ud800",
    "https://\u0435xample.com/",
    "https://example。com/",
    "https://example.com℀/",
    "https://%6a/",
    "https://-/",
    "https://./",
    'https://example.com/"onerror="alert(1)',
    "https://example.com/<b>",
    "https://example.com/`",
    "https://example.com/" + "a" * URL_LIMIT,
]


@pytest.mark.parametrize("url", FINE)
def test_web_urls_are_unchanged(url: str) -> None:
    assert markup.web_url(url) == url
    assert Parsed(markup.link("open", url)).all("a") == [
        {"href": url, "target": "_blank", "rel": "noopener noreferrer"}
    ]
    assert set(Parsed(markup.player(url, "it", local=True)).addresses()) == {url}
    assert set(Parsed(markup.cover(url, "id", "it", local=True)).addresses()) == {url}


@pytest.mark.parametrize("url", [None, *REFUSED], ids=repr)
def test_other_urls_are_not_used(url: str | None) -> None:
    assert markup.web_url(url) is None
    expected = [markup.link("open", url), markup.player(url)]
    assert [list(Parsed(block).addresses()) for block in expected] == [[], []]
    notes = [Parsed(block).text for block in expected]
    assert notes[0] == "open (link not shown)"
    assert notes[1].startswith("No audio")
    assert markup.cover(url, "id", "it") == markup.cover(None, "id")


def test_only_own_data_urls_are_used() -> None:
    assert SOUND == "data:audio/wav;base64,UklGRg=="
    assert list(Parsed(markup.player(SOUND)).addresses()) == [SOUND]
    assert list(Parsed(markup.player(str(SOUND))).addresses()) == []
    picture = markup.data_url(b"\x89PNG", "image/png")
    assert list(Parsed(markup.cover(picture, "id")).addresses()) == [picture]
    assert markup.link("open", SOUND) == markup.link("open", None)
    forged = markup.DataUrl("data:text/html,<script>alert(1)</script>")
    assert list(Parsed(markup.player(forged)).addresses()) == []
    script = markup.DataUrl("javascript:alert(1)")
    assert list(Parsed(markup.cover(script, "id")).addresses()) == []


@pytest.mark.parametrize("media_type", ["image/svg+xml", "text/html", "image/png,", ""])
def test_data_url_of_active_content_is_refused(media_type: str) -> None:
    with pytest.raises(ValueError, match="not a picture or sound"):
        markup.data_url(b"<svg/>", media_type)  # type: ignore[arg-type] # the point of the test


def test_data_url_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="0 bytes"):
        markup.data_url(b"", "image/png")


# --- formatted values


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (130.794666666667, "2:11"),
        (0, "0:00"),
        (45, "0:45"),
        (59.6, "1:00"),
        (600, "10:00"),
        (3_731, "1:02:11"),
        (None, ""),
        (-1, ""),
        (float("nan"), ""),
        (float("inf"), ""),
    ],
)
def test_format_duration(seconds: float | None, expected: str) -> None:
    assert markup.format_duration(seconds) == expected


def test_format_datetime_keeps_the_time_zone() -> None:
    when = datetime(2024, 11, 22, 1, 48, 41, tzinfo=UTC)
    assert markup.format_datetime(when) == "22 Nov 2024, 01:48"
    assert (
        markup.format_datetime(when.astimezone(timezone(timedelta(hours=-2))))
        == "21 Nov 2024, 23:48"
    )
    assert markup.format_datetime(None) == ""
    months = [
        markup.format_datetime(datetime(2024, month, 1, tzinfo=UTC))[2:5] for month in range(1, 13)
    ]
    assert " ".join(months) == "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"


@pytest.fixture
def new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if sys.platform == "win32":
        pytest.skip("the time zone of a process on Windows is that of the system")
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("new_york")
def test_local_time_has_the_year_only_if_it_is_past() -> None:
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert markup.format_local_time(datetime(2026, 1, 1, 6, 5, tzinfo=UTC), now) == "1 Jan, 01:05"
    assert (
        markup.format_local_time(datetime(2026, 1, 1, 4, 5, tzinfo=UTC), now)
        == "31 Dec 2025, 23:05"
    )
    assert markup.format_local_time(None) == ""
    assert markup.format_local_time(datetime(1, 1, 1, tzinfo=UTC), now) == "1 Jan 1, 00:00"


def test_plural() -> None:
    counts = [markup.plural(count, "request") for count in (0, 1, 1.0, 2, 1234, 0.5)]
    assert counts == [
        *("0 requests", "1 request", "1 request", "2 requests", "1,234 requests"),
        "0.5 requests",
    ]
    assert markup.plural(2, "entry", "entries") == "2 entries"


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        (15, "15 credits"),
        (1, "1 credit"),
        (0, "0 credits"),
        (1_200, "1,200 credits"),
        (2.5, "2.5 credits"),
        (15.0, "15 credits"),
        (None, "credits unknown"),
        (float("nan"), "credits unknown"),
    ],
)
def test_format_credits(amount: float | None, expected: str) -> None:
    assert markup.format_credits(amount) == expected


def test_missing_facts_are_skipped() -> None:
    assert Parsed(markup.facts("", "2:11", None, "sonic-v5", " ")).text == "2:11 · sonic-v5"
    assert markup.facts(None, "") == ""


# --- blocks


def test_tag_mark_is_readable_without_color() -> None:
    block = Parsed(markup.chips(["plain", ("jazz", "kept"), ("mpb", "added"), ("spy", "dropped")]))
    assert block.text == "plain✓ jazz+ mpb− spy✓ kept · + added · − dropped"  # noqa: RUF001 - minus
    titles = [span["title"] for span in block.all("span") if "title" in span]
    assert titles == ["kept", "added", "dropped"]
    assert sum("line-through" in span.get("style", "") for span in block.all("span")) == 1


def test_plain_tags_have_no_legend() -> None:
    assert Parsed(markup.chips(["jazz", " ", "spy"])).text == "jazz(blank)spy"
    assert markup.chips([]) == ""


def test_many_tags_are_counted() -> None:
    assert Parsed(markup.chips(f"t{index};" for index in range(1_040))).text.endswith(
        "t39;and 1,000 more"
    )


def test_progress_is_clamped() -> None:
    def widths(fraction: float | None) -> list[str]:
        return re.findall(r"[\";]width:([\d.]+%)", markup.progress(fraction, "rendering"))

    assert [widths(part) for part in (0.525, -1, 7)] == [["52.5%"], ["0.0%"], ["100.0%"]]
    assert Parsed(markup.progress(0.999, "rendering")).text == "rendering99%"
    assert Parsed(markup.progress(None, "waiting")).text == "waiting"
    assert Parsed(markup.progress(float("nan"), "waiting")).text == "waiting"
    assert "dashed" in markup.progress(None)


def test_player_preloads_nothing_and_contains_a_link() -> None:
    block = Parsed(markup.player("https://example.com/a.mp3", "Harbour Lamps"))
    assert block.all("audio")[0]["preload"] == "none"
    assert block.all("audio")[0]["title"] == "Play Harbour Lamps"
    assert block.text == "Listen to Harbour Lamps"
    assert block.all("a")[0]["href"] == "https://example.com/a.mp3"
    assert Parsed(markup.player(None)).text == "No audio."
    assert Parsed(markup.player("x:y")).text == "No audio: its URL cannot be opened."


def test_cover_has_alt_text() -> None:
    assert Parsed(markup.cover("https://example.com/a", "id", "Tide")).all("img")[0]["alt"] == (
        "Cover of Tide"
    )
    assert Parsed(markup.cover("https://example.com/a", "id")).all("img")[0]["alt"] == "Cover"
    gradient = Parsed(markup.cover(None, "id", "Tide"))
    assert gradient.all("img") == []
    assert gradient.text == ""


def test_gradient_depends_on_the_seed() -> None:
    def gradient(block: str) -> list[str]:
        return re.findall(r"linear-gradient\([^;\"]*", block)

    plain = gradient(markup.cover(None, "one"))
    assert plain == ["linear-gradient(135deg,rgb(103,114,193),rgb(108,53,130))"]
    assert gradient(markup.cover("https://example.com/a", "one")) == plain
    assert gradient(markup.cover(None, "two")) != plain


def test_card_keeps_order_and_skips_empty_blocks() -> None:
    texts = [markup.notice("first"), markup.lyrics(None), markup.notice("second", "bad")]
    badges = [markup.badge("failed", "bad"), markup.badge("15 credits refunded", "good")]
    block = markup.card("Tide", *texts, facts="2:11", badges=badges)
    assert Parsed(block).text == "Tide2:11failed15 credits refundedfirstsecond"
    assert block == markup.card("Tide", texts[0], texts[2], facts="2:11", badges=badges)
    assert Parsed(markup.cards([block, block])).text == Parsed(block).text * 2
    assert "max-width:420px" in block
    assert "max-width:420px" not in markup.card("Tide", wide=True)


def test_lyrics_are_collapsed() -> None:
    block = Parsed(markup.lyrics("[Verse]\n  two  spaces\n\n[Chorus]"))
    assert block.text == "Lyrics[Verse]\n  two  spaces\n\n[Chorus]"
    assert [tag for tag, _ in block.elements][:2] == ["details", "summary"]
    assert "white-space:pre-wrap" in block.all("div")[1]["style"]
    assert markup.lyrics(None) == markup.lyrics(" \n") == ""


def test_table_aligns_numbers_and_marks_missing_values() -> None:
    when = datetime(2024, 11, 22, 1, 48, tzinfo=UTC)
    rows: list[list[markup.Cell]] = [
        ["a", 1_234, when, 0.031_25, markup.badge("ok"), True],
        [None, None, None, float("nan"), "<b>", False],
    ]
    block = Parsed(markup.table(["s", "n", "t", "f", "h", "y"], rows, caption="things"))
    assert block.text == "thingssntfhya1,23422 Nov 2024, 01:480.031okyes––––<b>no"  # noqa: RUF001 - dashes
    sides = [re.findall("text-align:([a-z]+)", cell["style"])[0] for cell in block.all("td")]
    assert sides == ["left", "right", "left", "right", "left", "left"] * 2
    assert [cell["scope"] for cell in block.all("th")] == ["col"] * 6


def test_long_table_has_a_note() -> None:
    block = Parsed(markup.table(["n"], ([index] for index in range(1_200)), limit=2))
    assert block.text == "the first 2 of 1,200 rowsn01"


def test_ragged_table_is_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        markup.table(["a", "b"], [["only one"]])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (66.0, "66"),
        (130.794666, "130.79"),
        (0.25, "0.25"),
        (0.1, "0.1"),
        (-1_234.5, "-1,234.5"),
        (0.004, "0.004"),
        (float("inf"), "inf"),
        (10**21, "1,000,000,000,000,000,000,000"),
    ],
)
def test_numbers_in_tables(value: float, expected: str) -> None:
    assert Parsed(markup.table(["n"], [[value]])).text == f"n{expected}"


# --- page


def test_page_is_complete_and_runs_no_script() -> None:
    hostile = "</title><script>alert(1)</script>\ud800"
    document = markup.page(hostile, markup.card("Tide"), "<b>text</b>")
    document.encode()
    assert document.startswith("<!DOCTYPE html>\n")
    assert "<script" not in document
    assert "&lt;b&gt;text&lt;/b&gt;" in document
    policy = re.findall(r'Content-Security-Policy" content="([^"]*)"', document)
    assert len(policy) == 1
    rules = dict(rule.strip().split(" ", 1) for rule in html.unescape(policy[0]).split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == rules["media-src"] == "http: https: data:"
    assert not rules.keys() & {"script-src", "connect-src", "frame-src"}
    assert document.index("Content-Security-Policy") < document.index("<title>")


def test_page_is_a_plain_str() -> None:
    assert not isinstance(markup.page("Songs"), Html)
