"""Titles and lyrics from word lists and sentence patterns. No I/O."""

import re
from random import Random

INSTRUMENTAL_LYRICS = "[Instrumental]"


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(re.split(r", |\n", text.strip()))


_THINGS = _phrases("""
lantern, paper boat, umbrella, kettle, taxi light, last train, road map, suitcase, letter
borrowed scarf, candle, bicycle, lemonade jar, satellite, telescope, footpath, campfire, radio
""")
_PLACES = _phrases("""
the harbour wall, the ferry deck, the tin roof, the bus stop, the night bus, the county line
the kitchen, the garden gate, the attic, the orchard, the riverbank, the far side, the old mill
""")
_RHYMES = tuple(
    _phrases(line)
    for line in """
in the kitchen light, for the better part of the night, till the morning comes out right
in the falling rain, like the last slow train, and it starts again, and I don't complain
when the day is done, like we've only begun, one by one, still warm from the sun
and nobody knows, wherever it goes, as the evening slows, where the small wind blows
a long way down, on the edge of town, without a sound, till it turns around
for a little while, another mile, with a crooked smile, in the finest style
""".strip().splitlines()
)
"""Endings of lines; those of one row rhyme."""
_LINES = _phrases("""
The {thing} is humming, I left the {thing} burning, You carry the {thing}, We painted the {thing}
Somebody's {thing} by {place}, I counted each {thing}, Past {place} and over, My {thing} is turning
The {thing} and the {other}, Down by {place} we're waiting, Every {thing} remembers
""")
_HOOKS = _phrases("""
Hold on to the {thing}, Carry me over to {place}, Leave one {thing} for me, Oh the {thing} and I
All the way back to {place}, Meet me once more by {place}, Keep the {thing} running
""")
_TITLES = _phrases("""
The {thing} and the {other}, Back at {place}, A {thing} for Later, One More {thing}, Half a {thing}
Leave the {thing} On, Past {place}, Letters from {place}, Slow {thing}, Where the {thing} Goes
""")
_SMALL_WORDS = _phrases("a, an, and, as, at, by, for, from, in, of, on, or, the, to, with")


def make_title(text: str, rng: Random) -> str:
    """Make up a title with words of a text."""
    return title_case(_fill(rng.choice(_TITLES), text, rng))


def make_lyrics(text: str, rng: Random, *, verses: int = 2) -> str:
    """Write rhymed lyrics in bracketed sections with words of a text."""
    chorus_rhymes, bridge_rhymes, *rhymes = rng.sample(_RHYMES, k=verses + 2)
    hook = _fill(rng.choice(_HOOKS), text, rng)
    first, second = rng.sample(chorus_rhymes, k=2)
    chorus = f"[Chorus]\n{hook}, {first}\n{hook}, {second}"
    sections: list[str] = []
    for ends in rhymes:
        sections += [f"[Verse]\n{_lines(text, ends, rng, 3)}", chorus]
    sections.insert(-1, f"[Bridge]\n{_lines(text, bridge_rhymes, rng, 2)}")
    return "\n\n".join(sections)


def title_case(text: str) -> str:
    """Capitalize the words of a title except small ones such as "of"."""
    return " ".join(
        word if position and word.lower() in _SMALL_WORDS else word[:1].upper() + word[1:]
        for position, word in enumerate(text.split())
    )


def _lines(text: str, rhymes: tuple[str, ...], rng: Random, count: int) -> str:
    starts, ends = rng.sample(_LINES, k=count), rng.sample(rhymes, k=count)
    return "\n".join(
        f"{_fill(start, text, rng)} {end}" for start, end in zip(starts, ends, strict=True)
    )


def _fill(pattern: str, text: str, rng: Random) -> str:
    things = re.findall(r"\b[a-z]{4,12}\b", text.lower())[:8] + rng.sample(_THINGS, k=2)
    thing, other = rng.sample(list(dict.fromkeys(things)), k=2)
    line = pattern.format(thing=thing, other=other, place=rng.choice(_PLACES))
    return re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", line)
