"""What requests ask of the sound: tempi, keys, lengths and singing in texts and fields."""

import string
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from musicapi_nb import nuro, producer, sonic, studio
from musicapi_nb.engines import Request
from musicapi_nb.tasks import Song
from musicapi_nb.tasks.musical_keys import Key, find_keys, key_relation, parse_key
from musicapi_nb.tasks.sound_requests import (
    RequestParts,
    SoundRequest,
    read_sound_request,
    sound_request,
)
from musicapi_nb.tasks.sound_texts import find_lengths, find_tempi, plain_text


class Expected(NamedTuple):
    """What is requested: tempo as text, key by its name, seconds, and whether nobody sings."""

    tempo: str | None = None
    key: str | None = None
    length: float | None = None
    instrumental: bool | None = None
    conflicts: int = 0


def bpm(text: str) -> Expected:
    return Expected(tempo=f"{text} bpm")


def in_key(name: str) -> Expected:
    return Expected(key=name)


def lasting(seconds: float) -> Expected:
    return Expected(length=seconds)


NOTHING = Expected()
WORDLESS = Expected(instrumental=True)
CONFLICT = Expected(conflicts=1)

TEXTS = {
    "slow jazz, 90 bpm": bpm("90"),
    "90BPM": bpm("90"),
    "BPM: 90": bpm("90"),
    "tempo: 90": bpm("90"),
    "♩=90": bpm("90"),
    "♩ = 132, march": bpm("132"),
    "90-100 bpm": bpm("90 to 100"),
    "90\u2013100BPM": bpm("90 to 100"),
    "90 to 100 bpm": bpm("90 to 100"),
    "BPM 120-130": bpm("120 to 130"),
    "something between 90 and 100 bpm": bpm("90 to 100"),
    "around 90 BPM": bpm("90"),
    "a tempo of about 90": bpm("90"),
    "92.5 bpm": bpm("92.5"),
    "120 beats per minute": bpm("120"),
    "\uff19\uff10 bpm": bpm("90"),
    "90 bpm for 16 bars, 12/8": bpm("90"),
    "90-bpm beat, 90 BPM": bpm("90"),
    "85-95 bpm, 90 bpm": bpm("90"),
    "pop,120bpm,hopeful": bpm("120"),
    "BPM - 120": bpm("120"),
    "tempo ~90": bpm("90"),
    "Tempo 100 to 110 bpm": bpm("100 to 110"),
    # no tempo
    "slow, allegro, 80s, 808 drums": NOTHING,
    "1990s, 120 years ago": NOTHING,
    "128 kbps, 44.1 kHz": NOTHING,
    "tempo 12/8": NOTHING,
    "tempo 80% of the original": NOTHING,
    "9000 bpm, 5 bpm": NOTHING,
    "under 100 bpm": NOTHING,
    "140+ bpm": NOTHING,
    "140 bpm or faster": NOTHING,
    "max 120 bpm": NOTHING,
    "not 120 bpm": NOTHING,
    # two tempi
    "90 bpm, 120 bpm": CONFLICT,
    "90 or 120 bpm": CONFLICT,
    "from 90 to 120 bpm": CONFLICT,
    "85 bpm verse, drop at 140 bpm": CONFLICT,
    # keys
    "A minor": in_key("A minor"),
    "Am": in_key("A minor"),
    "ballad in Am": in_key("A minor"),
    "a sad ballad in a minor": in_key("A minor"),
    "slow A minor ballad": in_key("A minor"),
    "A harmonic minor": in_key("A minor"),
    "a-moll": in_key("A minor"),
    "h-moll": in_key("B minor"),
    "Fuge in B-Dur": in_key("Bb major"),
    "Es-Dur": in_key("Eb major"),
    "F# major": in_key("F# major"),
    "F♯m": in_key("F# minor"),
    "Gb major, F# major": in_key("F# major"),
    "Bb maj": in_key("Bb major"),
    "D flat major": in_key("C# major"),
    "key of C": in_key("C major"),
    "Key: Ebm": in_key("Eb minor"),
    "in the key of F#": in_key("F# major"),
    "C小调": in_key("C minor"),
    "E minor, e minor, Em": in_key("E minor"),
    # no key
    "a minor setback": NOTHING,
    "in a major way": NOTHING,
    "A major hit": NOTHING,
    "In A Major Way": NOTHING,
    "IN A MAJOR WAY": NOTHING,
    "he was only a minor": NOTHING,
    "in a minor key": NOTHING,
    "B side, side B, plan B": NOTHING,
    "I Am the lighthouse": NOTHING,
    "Am I late": NOTHING,
    "the radio at 6 am": NOTHING,
    "key of a dream, key of life": NOTHING,
    "key of E dorian, D phrygian": NOTHING,
    "Am, F, C, G": NOTHING,
    "chords Am F C G": NOTHING,
    "Am7, Dmaj7": NOTHING,
    "not in A minor": NOTHING,
    "C, F#": NOTHING,
    "vitamin C major": NOTHING,
    "in the style of A major label band": NOTHING,
    "F minor 7, C major chords": NOTHING,
    # two keys
    "A minor or C major": CONFLICT,
    "from A minor to C major": CONFLICT,
    # lengths
    "3 minutes": lasting(180),
    "ambient, 90 seconds": lasting(90),
    "a 90-second jingle": lasting(90),
    "a 2 minute ambient track": lasting(120),
    "2 min 30 s, jazz": lasting(150),
    "duration: 2:30": lasting(150),
    "about 3 minutes long": lasting(180),
    "1:30 long, pop": lasting(90),
    "length: 90s": lasting(90),
    "30s jazz": NOTHING,
    "the drums enter after 30 seconds": NOTHING,
    "after 2 minutes the song explodes": NOTHING,
    "10-second intro": NOTHING,
    "15 minutes of fame": NOTHING,
    "under 3 minutes": NOTHING,
    "2:30": NOTHING,
    # singing
    "instrumental": WORDLESS,
    "instrumental hip hop": WORDLESS,
    "jazz without any vocals": WORDLESS,
    "no singing": WORDLESS,
    "vocals: none": WORDLESS,
    "无人声": WORDLESS,
    "instrumental break": NOTHING,
    "long instrumental intro, female vocals": NOTHING,
    "not instrumental": NOTHING,
    "non-instrumental": NOTHING,
    "multi-instrumentalist, instrumentation: piano": NOTHING,
    "mostly instrumental": NOTHING,
    "no male vocals": NOTHING,
    "no lyrics, no autotune": NOTHING,
    # several
    "slow jazz at 90 bpm in A minor with no vocals": Expected("90 bpm", "A minor", None, True),
    "120bpm Am, 3 minutes": Expected("120 bpm", "A minor", 180),
}


def expected_of(request: SoundRequest) -> Expected:
    return Expected(
        str(request.tempo.value) if request.tempo else None,
        request.key.value.name if request.key else None,
        request.duration.value if request.duration else None,
        request.instrumental.value if request.instrumental else None,
        len(request.conflicts),
    )


def read(text: str) -> SoundRequest:
    return read_sound_request(RequestParts({"tags": text}))


@pytest.mark.parametrize("text", TEXTS)
def test_only_clear_statements_are_requests(text: str) -> None:
    assert expected_of(read(text)) == TEXTS[text]


def of(request: Request) -> SoundRequest:
    return sound_request(Song(request=request))


def custom(**fields: Any) -> Any:
    return sonic.Create(**{"lyrics": "[Verse]\nrain at 60 bpm in C major", **fields})


REQUESTS = [
    (custom(styles="jazz, 90 bpm", duration=60), Expected("90 bpm", None, 60)),
    (custom(styles="jazz", title="120 BPM in A minor"), NOTHING),
    (
        sonic.Create(custom_mode=False, gpt_description_prompt="a ballad in F# minor at 80 bpm"),
        Expected("80 bpm", "F# minor"),
    ),
    (custom(styles="x", make_instrumental=True), WORDLESS),
    (custom(styles="x", make_instrumental=False), Expected(instrumental=False)),
    (custom(styles="x", negative_tags="vocals, drums"), WORDLESS),
    (custom(styles="x", negative_tags="male vocals"), NOTHING),
    (custom(lyrics="[Intro]\n[Instrumental]", styles="x"), WORDLESS),
    (custom(lyrics="[Verse]\nhey\n[Instrumental]", styles="x"), NOTHING),
    (custom(styles="instrumental", make_instrumental=False), CONFLICT),
    (producer.Create(sound="jazz", bpm=92, length=45), Expected("92 bpm", None, 45)),
    (producer.Create(sound="90-95 bpm", bpm=92), bpm("92")),
    (producer.Create(sound="120 bpm", bpm=92), CONFLICT),
    (producer.Extend(clip_id="c", starts_at=9, sound="in Am", length=20), in_key("A minor")),
    (producer.Create(sound="x", extra={"instrumental": True}), WORDLESS),
    (studio.Instrumental(prompt="90 bpm"), Expected("90 bpm", None, None, True)),
    (
        nuro.Instrumental(
            description="piano",
            version="v2.0",
            segments=[
                nuro.Segment(name="intro", duration=10),
                nuro.Segment(name="verse", duration=25),
            ],
        ),
        Expected(None, None, 35, True),
    ),
]


@pytest.mark.parametrize(("request_", "expected"), REQUESTS, ids=[repr(r) for r, _ in REQUESTS])
def test_fields_and_texts_of_each_operation_are_read(request_: Request, expected: Expected) -> None:
    assert expected_of(of(request_)) == expected


def test_each_value_names_its_field_and_its_words() -> None:
    request = of(producer.Create(sound="jazz in Am, no vocals", bpm=92, length=45))
    statements = request.statements().values()
    assert [(part.field, part.text) for part in statements] == [
        ("bpm", "92"),
        ("sound", "Am"),
        ("length", "45"),
        ("sound", "no vocals"),
    ]


def test_a_contradiction_names_both_words_and_their_fields() -> None:
    (conflict,) = of(producer.Create(sound="120 bpm", bpm=92)).conflicts
    assert conflict == "several tempi: '92' in bpm, '120 bpm' in sound"


def test_without_its_request_a_song_has_the_tags_that_the_reply_repeats() -> None:
    request = sound_request(Song(prompt="jazz, 90 bpm", extra={"negative_tags": "vocals"}))
    assert expected_of(request) == Expected("90 bpm", instrumental=True)
    assert sound_request(Song()) == SoundRequest()


@given(st.text() | st.text(string.ascii_letters[:14] + " -#/:0123456789bpm,"))
@example("90 - " * 400)
@example("Am " * 400)
def test_every_text_is_read(text: str) -> None:
    request = read(text)
    if request.tempo:
        assert 20 <= request.tempo.value.low <= request.tempo.value.high <= 400
    if request.duration:
        assert 5 <= request.duration.value <= 900
    assert request == read(f"  {text}\u00a0 ")


FORMS = ("{} bpm", "{}bpm", "jazz, {} BPM", "BPM: {}", "tempo {}", "♩={}", "at ~{} bpm in Am, sad")


@given(st.integers(20, 400), st.sampled_from(FORMS))
def test_a_tempo_in_any_form(figure: int, form: str) -> None:
    (mention,) = find_tempi(plain_text(form.format(figure)))
    assert mention.tempo == (figure, figure)


KEYS = [Key(tonic, mode) for tonic in range(12) for mode in ("major", "minor")]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_a_key_in_any_form(key: Key) -> None:
    spelled = key.name
    short = spelled.replace(" minor", "m").replace(" major", " maj")
    for form in (spelled, short, spelled.replace("#", "♯"), spelled.replace("b", "♭", 1), spelled):
        assert parse_key(form) == key
        for text in (form, f"jazz, {form}", f"in {form}, 90 bpm", f"120bpm {form}", f"key: {form}"):
            assert {mention.key for mention in find_keys(text)} == {key}, text


def test_relations_of_keys() -> None:
    for requested in KEYS:
        relations = [key_relation(requested, measured) for measured in KEYS]
        counts = {name: relations.count(name) for name in set(relations)}
        assert counts == {"exact": 1, "relative": 1, "fifth": 2, "parallel": 1, "other": 19}
        for measured, relation in zip(KEYS, relations, strict=True):
            assert key_relation(measured, requested) == relation
    assert key_relation(Key(9, "minor"), Key(0, "major")) == "relative"
    assert key_relation(Key(0, "major"), Key(7, "major")) == "fifth"


@given(st.integers(1, 14), st.integers(0, 59))
def test_a_length_in_minutes_and_seconds(minutes: int, seconds: int) -> None:
    total = 60 * minutes + seconds
    for text in (f"duration: {minutes}:{seconds:02}", f"{minutes} min {seconds} s"):
        assert {mention.seconds for mention in find_lengths(text)} == {float(total)}
