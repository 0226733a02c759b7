"""Titles and lyrics from word lists and sentence patterns. No I/O."""

import re
from random import Random
from typing import NamedTuple

INSTRUMENTAL_LYRICS = "[Instrumental]"


class Theme(NamedTuple):
    """A subject: the words that call for it, its objects and its places."""

    cues: tuple[str, ...]
    objects: tuple[str, ...]
    places: tuple[str, ...]


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(" ".join(phrase.split()) for phrase in re.split(r"[,\n]", text.strip()))


def _theme(text: str) -> Theme:
    cues, objects, places = map(_phrases, text.strip().splitlines())
    return Theme(cues, objects, places)


_THEMES = """
sea, harbour, harbor, boat, ship, sailor, tide, shanty, ocean, beach
lantern, mooring rope, gull, tide table, paper boat, buoy bell, salt map
the pier, the breakwater, the harbour wall, the slipway, the ferry deck

rain, storm, cloud, umbrella, thunder, grey, roof
umbrella, gutter, puddle, kettle, windowpane, wet coat, weather vane
the tin roof, the bus stop, the back porch, the stairwell, the corner shop

city, night, neon, street, midnight, club, party, dance
taxi light, elevator, shop sign, last train, spare key, paper cup, jukebox
the overpass, the twelfth floor, the night bus, the crossing, the arcade

road, drive, travel, highway, home, train, leaving, journey
road map, suitcase, milestone, radio, ticket stub, dashboard, thermos
the county line, the border town, the filling station, the platform, the bridge

love, heart, kiss, romance, wedding, darling, you
letter, second chair, borrowed scarf, photograph, spare room, ring, song
the kitchen, the balcony, the front row, the garden gate, the dance hall

summer, sun, sunshine, garden, spring, flower, bee, fruit
peach tree, bicycle, lemonade jar, screen door, sprinkler, kite, sun hat
the orchard, the long grass, the riverbank, the roof at noon, the courtyard

space, star, moon, robot, future, galaxy, machine, computer
satellite, antenna, star chart, signal, silver suit, telescope, small moon
the launch pad, the far side, the control room, the quiet orbit, the dome

forest, mountain, river, bird, winter, snow, wild, tree, field
footpath, owl, hollow log, fern, compass, campfire, wooden bridge
the tree line, the valley, the old mill, the riverbend, the clearing
"""
THEMES: tuple[Theme, ...] = tuple(_theme(text) for text in _THEMES.split("\n\n"))

_RHYMES: tuple[tuple[str, ...], ...] = tuple(
    _phrases(line)
    for line in """
in the kitchen light, for the better part of the night, till the morning comes out right
in the falling rain, like the last slow train, and it starts again, and I don't complain
when the day is done, like we've only begun, one by one, still warm from the sun
and nobody knows, wherever it goes, as the evening slows, where the small wind blows
a long way down, on the edge of town, without a sound, till it turns around
and I'll let you know, where the rivers slow, in the afterglow, from a year ago
for a little while, another mile, with a crooked smile, in the finest style
and I let it be, between you and me, like an open sea, and the rest is free
""".strip().splitlines()
)
"""Endings of lines; those of one row rhyme."""

_LINES = _phrases("""
The {thing} is humming, I left the {thing} burning, You carry the {thing}, We painted the {thing}
Somebody's {thing} by {place}, There's a {thing} at {place}, I counted each {thing}
The {thing} and the {other}, Down by {place} we're waiting, Past {place} and over
Every {thing} remembers, They sold me a {thing}, My {thing} keeps turning
""")
_HOOKS = _phrases("""
Hold on to the {thing}, Carry me over to {place}, Leave one {thing} for me, Oh the {thing} and I
All the way back to {place}, Meet me once more by {place}, Keep the {thing} running
""")
_TITLES = _phrases("""
The {thing} and the {other}, Back at {place}, A {thing} for Later, One More {thing}
Leave the {thing} On, Past {place}, Letters from {place}, Slow {thing}, No {thing} Tonight
Where the {thing} Goes, Half a {thing}, Third {thing} from the Left
""")
_ARTISTS = _phrases(
    "QuietTrombone, PaperLantern, SecondCellar, MarbleStairs, TinOrchard, LateFerry"
)
_SMALL_WORDS = frozenset(
    _phrases(
        "a, an, and, at, by, for, from, in, of, on, or, the, to, with, over, under, into, as, but"
    )
)


def make_title(text: str, rng: Random) -> str:
    """Make up a title about the subject of a text."""
    return title_case(_fill(rng.choice(_TITLES), _theme_of(text, rng), rng))


def make_lyrics(text: str, rng: Random, *, verses: int = 2) -> str:
    """Write rhymed lyrics in bracketed sections about the subject of a text."""
    theme = _theme_of(text, rng)
    chorus_rhymes, bridge_rhymes, *rhymes = rng.sample(_RHYMES, k=verses + 2)
    hook = _fill(rng.choice(_HOOKS), theme, rng)
    first, second = rng.sample(chorus_rhymes, k=2)
    chorus = f"[Chorus]\n{hook}, {first}\n{hook}, {second}"
    sections: list[str] = []
    for ends in rhymes:
        sections += [f"[Verse]\n{_lines(theme, ends, rng, 3)}", chorus]
    sections.insert(-1, f"[Bridge]\n{_lines(theme, bridge_rhymes, rng, 2)}")
    return "\n\n".join(sections)


def studio_artist(rng: Random) -> str:
    """Make up the artist of a studio song."""
    return f"{rng.choice(_ARTISTS)}{rng.randrange(10_000):04d}"


def title_case(text: str) -> str:
    """Capitalize the words of a title except small ones such as "of"."""
    return " ".join(
        word if position and word.lower() in _SMALL_WORDS else word[:1].upper() + word[1:]
        for position, word in enumerate(text.split())
    )


def _theme_of(text: str, rng: Random) -> Theme:
    """Choose the theme with most cues in a text, at random among equals."""
    words = set(re.findall(r"[a-z]+", text.lower()))
    words |= {word.removesuffix("s") for word in words}
    counts = [len(words.intersection(theme.cues)) for theme in THEMES]
    best = max(counts)
    return rng.choice([theme for theme, n in zip(THEMES, counts, strict=True) if n == best])


def _lines(theme: Theme, rhymes: tuple[str, ...], rng: Random, count: int) -> str:
    starts, ends = rng.sample(_LINES, k=count), rng.sample(rhymes, k=count)
    return "\n".join(
        f"{_fill(start, theme, rng)} {end}" for start, end in zip(starts, ends, strict=True)
    )


def _fill(pattern: str, theme: Theme, rng: Random) -> str:
    thing, other = rng.sample(theme.objects, k=2)
    text = pattern.format(thing=thing, other=other, place=rng.choice(theme.places))
    return re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", text)
