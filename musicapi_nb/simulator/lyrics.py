"""Titles and lyrics, put together from our own words by a small grammar."""

import re
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

INSTRUMENTAL_LYRICS = "[Instrumental]"


class Theme(NamedTuple):
    """What a song can be about: the words that call it up, its things, and its places."""

    cues: tuple[str, ...]
    things: tuple[str, ...]
    places: tuple[str, ...]


THEMES: tuple[Theme, ...] = (
    Theme(
        ("sea", "harbour", "harbor", "boat", "ship", "sailor", "tide", "shanty", "ocean", "beach"),
        ("lantern", "mooring rope", "gull", "tide table", "paper boat", "buoy bell", "salt map"),
        ("the pier", "the breakwater", "the harbour wall", "the slipway", "the ferry deck"),
    ),
    Theme(
        ("rain", "storm", "cloud", "umbrella", "thunder", "grey", "roof"),
        ("umbrella", "gutter", "puddle", "kettle", "windowpane", "wet coat", "weather vane"),
        ("the tin roof", "the bus stop", "the back porch", "the stairwell", "the corner shop"),
    ),
    Theme(
        ("city", "night", "neon", "street", "midnight", "club", "party", "dance"),
        ("taxi light", "elevator", "shop sign", "last train", "spare key", "paper cup", "jukebox"),
        ("the overpass", "the twelfth floor", "the night bus", "the crossing", "the arcade"),
    ),
    Theme(
        ("road", "drive", "travel", "highway", "home", "train", "leaving", "journey"),
        ("road map", "suitcase", "milestone", "radio", "ticket stub", "dashboard", "thermos"),
        ("the county line", "the border town", "the filling station", "the platform", "the bridge"),
    ),
    Theme(
        ("love", "heart", "kiss", "romance", "wedding", "darling", "you"),
        ("letter", "second chair", "borrowed scarf", "photograph", "spare room", "ring", "song"),
        ("the kitchen", "the balcony", "the front row", "the garden gate", "the dance hall"),
    ),
    Theme(
        ("winter", "snow", "frost", "christmas", "cold", "ice"),
        ("candle", "sled", "wool glove", "frozen pond", "chimney", "snow globe", "cinnamon tin"),
        ("the white field", "the attic", "the skating rink", "the last hill", "the woodshed"),
    ),
    Theme(
        ("summer", "sun", "sunshine", "garden", "spring", "flower", "bee", "fruit"),
        ("peach tree", "bicycle", "lemonade jar", "screen door", "sprinkler", "kite", "sun hat"),
        ("the orchard", "the long grass", "the riverbank", "the roof at noon", "the courtyard"),
    ),
    Theme(
        ("space", "star", "moon", "robot", "future", "galaxy", "machine", "computer"),
        ("satellite", "antenna", "star chart", "signal", "silver suit", "telescope", "small moon"),
        ("the launch pad", "the far side", "the control room", "the quiet orbit", "the dome"),
    ),
    Theme(
        ("forest", "mountain", "river", "bird", "wolf", "wild", "tree", "field"),
        ("footpath", "owl", "hollow log", "fern", "compass", "campfire", "wooden bridge"),
        ("the tree line", "the valley", "the old mill", "the riverbend", "the clearing"),
    ),
)

_TAILS: tuple[tuple[str, ...], ...] = (
    (
        "in the kitchen light",
        "for the better part of the night",
        "and we hold it tight",
        "till the morning comes out right",
        "like a borrowed kite",
    ),
    (
        "in the falling rain",
        "like the last slow train",
        "and it starts again",
        "with your name on the windowpane",
        "and I don't complain",
    ),
    (
        "when the day is done",
        "like we've only begun",
        "one by one",
        "and it weighs a ton",
        "still warm from the sun",
    ),
    (
        "and nobody knows",
        "wherever it goes",
        "as the evening slows",
        "where the small wind blows",
        "and I guess it shows",
    ),
    (
        "a long way down",
        "on the edge of town",
        "without a sound",
        "till it turns around",
        "and we're homeward bound",
    ),
    (
        "and I'll let you know",
        "where the rivers slow",
        "in the afterglow",
        "from a year ago",
        "and away we go",
    ),
    (
        "for a little while",
        "another mile",
        "with a crooked smile",
        "in the finest style",
        "from a dusty pile",
    ),
    (
        "and I let it be",
        "between you and me",
        "like an open sea",
        "and the rest is free",
        "under lock and key",
    ),
)
"""Each row rhymes with itself."""

_HEADS: tuple[str, ...] = (
    "The {thing} is humming",
    "I left the {thing} burning",
    "You carry the {thing}",
    "We painted the {thing}",
    "Somebody's {thing} by {place}",
    "There's a {thing} at {place}",
    "I counted each {thing}",
    "The {thing} and the {other}",
    "Down by {place} we're waiting",
    "Past {place} and over",
    "Every {thing} remembers",
    "They sold me a {thing}",
    "My {thing} keeps turning",
    "Hang the {thing} over {place}",
    "Nobody mends the {thing}",
)

_HOOKS: tuple[str, ...] = (
    "Hold on to the {thing}",
    "Carry me over to {place}",
    "Leave one {thing} for me",
    "All the way back to {place}",
    "Oh, the {thing} and I",
    "Meet me once more by {place}",
    "Turn, little {thing}, turn",
    "Keep the {thing} running",
)

_TITLES: tuple[str, ...] = (
    "The {thing} and the {other}",
    "Back at {place}",
    "A {thing} for Later",
    "One More {thing}",
    "Leave the {thing} On",
    "Past {place}",
    "Letters from {place}",
    "Slow {thing}",
    "No {thing} Tonight",
    "Where the {thing} Goes",
    "Half a {thing}",
    "Third {thing} from the Left",
)

_STUDIO_ARTISTS: tuple[str, ...] = (
    "QuietTrombone",
    "PaperLantern",
    "SecondCellar",
    "MarbleStairs",
    "TinOrchard",
    "LateFerry",
)

_SMALL_WORDS = frozenset(
    [
        "a",
        "an",
        "and",
        "at",
        "by",
        "for",
        "from",
        "in",
        "of",
        "on",
        "or",
        "the",
        "to",
        "with",
        "over",
        "under",
        "into",
        "as",
        "but",
    ]
)


def theme_of(text: str, rng: Random) -> Theme:
    """Choose the theme that most words of a text call up; with none, any."""
    words = set(re.findall(r"[a-z]+", text.lower()))
    words |= {word.removesuffix("s") for word in words}
    hits = [sum(cue in words for cue in theme.cues) for theme in THEMES]
    best = max(hits)
    return rng.choice([theme for theme, hit in zip(THEMES, hits, strict=True) if hit == best])


def make_title(text: str, rng: Random) -> str:
    """Make a title up that suits what was asked."""
    return title_case(_filled(rng.choice(_TITLES), theme_of(text, rng), rng))


def make_lyrics(text: str, rng: Random, *, verses: int = 2) -> str:
    """Write rhymed lyrics in bracketed sections, about what the text is about."""
    theme = theme_of(text, rng)
    families = rng.sample(_TAILS, k=min(len(_TAILS), verses + 2))
    chorus = _chorus(theme, families[0], rng)
    sections: list[str] = []
    for verse in range(verses):
        sections += [f"[Verse]\n{_verse(theme, families[verse + 1], rng)}", chorus]
    bridge = f"[Bridge]\n{_verse(theme, families[-1], rng, lines=2)}"
    sections[-1:] = [bridge, sections[-1]]
    return "\n\n".join(sections)


def studio_artist(rng: Random) -> str:
    """Name the pretended artist of a studio song."""
    return f"{rng.choice(_STUDIO_ARTISTS)}{rng.randrange(10_000):04d}"


def title_case(text: str) -> str:
    """Write a title with capitals, small words small."""
    words = text.split()
    return " ".join(
        word if position and word.lower() in _SMALL_WORDS else word[:1].upper() + word[1:]
        for position, word in enumerate(words)
    )


def _chorus(theme: Theme, tails: Sequence[str], rng: Random) -> str:
    hook = _filled(rng.choice(_HOOKS), theme, rng)
    first, second = rng.sample(tails, k=2)
    return f"[Chorus]\n{hook}, {first}\n{hook}, {second}"


def _verse(theme: Theme, tails: Sequence[str], rng: Random, lines: int = 4) -> str:
    heads = rng.sample(_HEADS, k=lines)
    ends = rng.sample(tails, k=lines)
    return "\n".join(
        f"{_filled(head, theme, rng)} {end}" for head, end in zip(heads, ends, strict=True)
    )


def _filled(pattern: str, theme: Theme, rng: Random) -> str:
    thing, other = rng.sample(theme.things, k=2)
    text = pattern.format(thing=thing, other=other, place=rng.choice(theme.places))
    return re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", text)
