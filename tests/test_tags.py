"""The normalizer of tags: spellings, separators, sentences, negations, fates, categories."""

import csv
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import musicapi_nb as mnb
from musicapi_nb.tasks import parse_task
from musicapi_nb.tasks.tag_fates import tag_fates
from musicapi_nb.tasks.tag_reader import Tag, negation_of, read_negative_tags, read_tags
from musicapi_nb.tasks.tag_vocabulary import CATEGORIES, entries, spellings, tag_category, tag_group
from musicapi_nb.tasks.tag_words import tag_words
from musicapi_nb.tasks.tags import tag_key, unique_tags

SAMPLES = Path(__file__).parent / "samples"


def read(requested: str, returned: list[str]) -> tuple[Tag, ...]:
    return read_tags(requested, {tag_key(tag): tag for tag in returned})


def fates(requested: str, *returned: str) -> list[tuple[str, str]]:
    return [
        (fate.tag, fate.fate)
        for fate in tag_fates(read(requested, list(returned)), returned)
        if fate.fate != "added"
    ]


# --- pairs of a request and what was returned ------------------------------------------------


def _pairs() -> Iterator[list[str]]:
    for name in ("tag_pairs.csv", "more_tag_pairs.csv"):
        with (SAMPLES / name).open(encoding="utf-8", newline="") as file:
            yield from list(csv.reader(file))[1:]


@pytest.mark.parametrize("pair", list(_pairs()), ids=lambda pair: f"{pair[0]} > {pair[1]}")
def test_pairs_of_many_scripts_and_genres(pair: list[str]) -> None:
    requested, returned, number, kept_number, _ = pair
    result = fates(requested, *returned.split(" | "))
    assert len(result) == int(number)
    fulfilled = [fate for _, fate in result if fate in {"kept", "split", "avoided"}]
    assert len(fulfilled) == int(kept_number)


@pytest.mark.parametrize(
    "text",
    [
        "jazz; slow; spy",
        "jazz\nslow\r\nspy",
        "jazz, slow; spy",
        "jazz | slow | spy",
        "爵士，慢歌，女声",
        "ジャズ、夜、ピアノ",
        "جاز، بطيء؛ عود",
        "jazz；slow｜spy",
    ],
)
def test_requested_and_returned_texts_are_split_alike(text: str) -> None:
    clip = {"clip_id": "c", "title": "T", "tags": text, "duration": "9", "state": "succeeded"}
    reply = {"code": 200, "task_id": "t", "data": [{**clip, "audio_url": "https://a.b/c.mp3"}]}
    frames = mnb.flatten(reply)
    assert len(frames.tags) == 3
    assert parse_task(reply).songs[0].tags == tuple(frames.tags["tag"])
    assert frames.songs["tags_text"].tolist() == [text]
    songs = frames.songs.assign(requested_tags=text)
    assert mnb.tag_fates(songs, frames.tags)["fate"].tolist() == ["kept"] * 3


def test_compound_is_split_not_dropped() -> None:
    assert fates("slow jazz", "slow", "jazz") == [("slow jazz", "split")]
    assert fates("slow jazz", "slow jazz") == [("slow jazz", "kept")]
    assert fates("slow jazz", "jazz") == [("slow jazz", "dropped")]
    parts = tag_fates(read("slow jazz", []), ("spy", "slow", "jazz"))
    assert [(fate.returned, fate.fate) for fate in parts] == [((1, 2), "split"), ((0,), "added")]


def test_negations_are_avoided_or_violated() -> None:
    assert fates("no drums", "piano") == [("no drums", "avoided")]
    assert fates("no guitar", "acoustic guitar") == [("no guitar", "violated")]
    assert fates("no bass", "drum and bass") == [("no bass", "avoided")]
    assert fates("no rock", "punk rock") == [("no rock", "violated")]
    assert fates("no vocals", "instrumental") == [("no vocals", "avoided")]
    assert fates("instrumental", "no vocals") == [("instrumental", "kept")]
    assert fates("no wave", "drums") == [("no wave", "dropped")]
    violated = tag_fates(read("no drums", []), ("drums",))
    assert [fate.fate for fate in violated] == ["violated", "added"]
    negative = read_negative_tags("drums, no bass", {})
    assert [(tag.text, tag.key, tag.negated) for tag in negative] == [
        ("no drums", "drum", True),
        ("no bass", "bass", True),
    ]
    assert negation_of("without Drums") == "drum"
    assert negation_of("drums") is negation_of("no") is None


def test_sentence_is_read_by_returned_tags() -> None:
    text = "A song about my grandmother's kitchen with slide whistle and glassy pads"
    texts = [tag.text for tag in read(text, ["slide whistle"])]
    assert texts == ["slide whistle", "pad"]
    assert [tag.text for tag in read("rain on a tin roof", [])] == ["rain on a tin roof"]
    # longest first, and the service's parts before a compound of the vocabulary
    assert [tag.text for tag in read("acid jazz with horns", ["jazz"])] == ["acid jazz", "horn"]
    assert [tag.text for tag in read("epic orchestral with horns", ["epic", "orchestral"])] == [
        "epic",
        "orchestral",
        "horn",
    ]


# --- one key for all spellings ---------------------------------------------------------------

SPELLINGS = [
    ("Hip-Hop", "hip hop", "hiphop", "HIP_HOP", "hip‐hop", "ｈｉｐ ｈｏｐ", "hip-hop 🎤"),
    ("80s", "1980s", "'80s", "1980's", "eighties", "80er", "80年代"),
    ("Am", "A minor", "a-moll", "in the key of A minor", "Amin", "AM"),
    ("C#", "C♯", "C sharp", "Db", "D♭", "D flat"),
    ("c# minor", "C♯m", "D flat minor", "c sharp minor", "cis-moll", "升C小调"),
    ("B minor", "h-moll", "Bm"),
    ("Bb major", "B-Dur", "降B大调"),
    ("120bpm", "120 BPM", "BPM: 120", "120 beats per minute", "♩ = 120", "tempo 120", "120.0 bpm"),
    ("6/8", "6/8 time", "time signature 6/8", "6 / 8"),
    ("drum and bass", "Drum & Bass", "drum'n'bass", "D&B", "DnB", "drum n bass"),
    ("r&b", "R'n'B", "RnB", "rhythm and blues", "R & B"),
    ("drums", "drum", "Drums", "drum kit"),
    ("música", "musica", "MU\u0301SICA"),
    ("male voice", "male vocals", "Male Vocalist", "man's voice"),
    ("موسيقى", "مُوسيقى"),
    ("ёлка", "елка"),
    ("Café", "cafe\u0301", "CAFE"),
]
DIFFERENT = [
    ("jazz", "acid jazz"),
    ("blue", "blues"),
    ("120 bpm", "121 bpm"),
    ("A minor", "A major"),
    ("3/4", "4/4"),
    ("80s", "90s"),
    ("か", "が"),
    ("हद", "हिंदी"),
    ("slow", "fast"),
    ("🎷", "🎹"),
    ("C#", "C"),
    ("drum and bass", "bass drum"),
]


@pytest.mark.parametrize("spelled", SPELLINGS, ids=lambda spelled: spelled[0])
def test_spellings_of_one_tag_have_one_key(spelled: tuple[str, ...]) -> None:
    assert len(set(map(tag_key, spelled))) == 1
    assert len(unique_tags(spelled)) == 1


@pytest.mark.parametrize(("first", "second"), DIFFERENT)
def test_different_tags_have_different_keys(first: str, second: str) -> None:
    assert tag_key(first) != tag_key(second)


any_text = st.text(max_size=40)
words = st.sampled_from(
    [
        *("jazz", "Drums", "80s", "&", "n", "no", "R&B", "ø", "’", "'s", "hip-hop", "120bpm"),
        *("Am", "C#", "6/8", "\ud800", "🎷", "👩\u200d🎤", "ジャズ", "שלום", "जैज़", "ses", "ies"),
        *("with", "'n'", "and", "music", "voice"),
    ]
)
tag_texts = st.one_of(any_text, st.lists(words, max_size=6).map(" ".join))


@settings(max_examples=300, deadline=None)
@given(tag_texts)
@example("abc ds")
@example("℡ ǅ ß İ")
@example("music music")
@example("n n n n")
@example("1 / 2 / 3")
@example("\u1100\u1161\u0301")
def test_key_of_a_key_is_the_key(text: str) -> None:
    key = tag_key(text)
    assert tag_key(key) == key
    assert tag_key(f"  {text}\u00a0 ") == key


@settings(max_examples=150, deadline=None)
@given(tag_texts)
def test_case_does_not_matter(text: str) -> None:
    # capital letters that have no single small letter, or the reverse, change more than case
    if text.upper().lower() == text.lower() == text.casefold():
        assert tag_key(text.upper()) == tag_key(text.lower())


plain_tags = st.sampled_from(
    ["jazz", "Slow Jazz", "hip-hop", "drum & bass", "no drums", "80s", "C# minor", "6/8", "ジャズ"]
)


@settings(max_examples=100, deadline=None)
@given(st.lists(plain_tags, min_size=1, max_size=6, unique=True), st.randoms(), st.data())
def test_order_and_separators_do_not_matter(
    tags: list[str], rng: random.Random, data: st.DataObject
) -> None:
    expected = {(tag.key, tag.negated) for tag in read(", ".join(tags), [])}
    assert len(expected) == len(tags)
    rng.shuffle(tags)
    separators = [",", "; ", " | ", "\n", "、", "，", "،", " • ", "🎷", " — ", "\u2028"]
    text = tags[0]
    for tag in tags[1:]:
        text += data.draw(st.sampled_from(separators)) + tag
    assert {(tag.key, tag.negated) for tag in read(text, [])} == expected
    quoted = " ".join(f"[{tag}]" for tag in tags)
    assert {(tag.key, tag.negated) for tag in read(quoted, [])} == expected


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(any_text, st.lists(st.one_of(words, st.sampled_from(",;/|()[]#-:'\"")), max_size=20))
)
def test_no_text_is_refused(text: str | list[str]) -> None:
    text = text if isinstance(text, str) else " ".join(text)
    tags = read(text, ["jazz", "hip hop"])
    assert all(tag.text and tag.key for tag in tags)
    assert len({(tag.key, tag.negated) for tag in tags}) == len(tags)
    result = tag_fates(tags, ("jazz", text or "x"))
    assert [fate.tag for fate in result[: len(tags)]] == [tag.text for tag in tags]
    tag_category(text)


@pytest.mark.parametrize(
    "unit",
    [
        *("a", " ", "/ ", "爵", "a.", " -", "1", "'n' ", "90 beats ", " :", "no ", "a ", "(1"),
        *("1/1", "\t", "#", "slow jazz with no drums and ", "\ud800", "👩\u200d🎤", "e\u0301"),
    ],
)
def test_time_is_in_proportion_to_length(unit: str) -> None:
    def seconds(length: int) -> float:
        text = (unit * length)[:length]
        start = time.process_time()
        read(text, ["jazz"])
        tag_words(text)
        return time.process_time() - start

    seconds(1000)
    limit = 40 * min(seconds(5_000) for _ in range(3)) + 0.05
    # A quadratic reader would take 100 times as long, each time; a busy machine may disturb one.
    assert any(seconds(50_000) < limit for _ in range(3))


# --- categories --------------------------------------------------------------------------------


def test_categories_of_tags() -> None:
    expected = {
        "genre": ["Jazz", "drum & bass", "hiphop", "melodic techno", "kuduro", "ジャズ", "R&B"],
        "mood": ["Dreamy", "melancholy", "feel-good", "laid back"],
        "instrument": ["synths", "acoustic guitar", "soaring violins", "808s", "horn section"],
        "era": ["'80s", "eighties", "1810s", "vintage"],
        "tempo": ["slow", "120 BPM", "uptempo", "four-on-the-floor"],
        "voice": ["female vocals", "Raspy Voice", "a cappella", "instrumental", "gospel choir"],
        "other": ["rain", "", "🎷", "C minor", "\ud800"],
    }
    for category, tags in expected.items():
        assert [(tag, tag_category(tag)) for tag in tags] == [(tag, category) for tag in tags]
    assert set(CATEGORIES) | {"other"} == set(expected)


def test_near_synonyms_have_one_group() -> None:
    assert tag_group("Cheerful") == tag_group("joyful") == "happy"
    assert tag_group("chill") == tag_group("peaceful") == tag_group("laid-back") == "calm"
    assert tag_group("sad") != tag_group("happy")
    assert tag_group("kazoo solo in space") == "kazoo solo in space"


def test_vocabulary_is_consistent() -> None:
    assert len(entries()) > 2000
    assert {entry.category for entry in entries().values()} == set(CATEGORIES)
    assert all(tag_key(key) == key for key in entries())
    # a spelling leads to its tag in one step
    assert not set(spellings()) & set(spellings().values())
    assert all(tag_key(key) == key for key in spellings().values())
