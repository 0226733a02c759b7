"""Titles and lyrics from word lists and sentence patterns. No I/O."""

import re
import string
from random import Random

from musicapi_nb.simulator.vocabulary import word_lists

INSTRUMENTAL_LYRICS = "[Instrumental]"
_WORDS = word_lists("""
thing: lantern, paper boat, umbrella, kettle, taxi light, last train, road map, suitcase, letter,
borrowed scarf, candle, bicycle, lemonade jar, satellite, telescope, footpath, campfire, radio;
place: the harbour wall, the ferry deck, the tin roof, the bus stop, the night bus, the kitchen,
the garden gate, the attic, the orchard, the riverbank, the far side, the old mill;
line: The {thing} is humming, I left the {thing} burning, We painted the {thing},
Somebody's {thing} by {place}, I counted each {thing}, Past {place} and over, Every {thing} waits,
You carry the {thing}, The {thing} and the {other}, Down by {place} we're waiting;
hook: Hold on to the {thing}, Carry me over to {place}, Leave one {thing} for me, Keep the {thing},
All the way back to {place}, Meet me once more by {place}, Oh the {thing} and I;
title: The {thing} and the {other}, Back at {place}, A {thing} for Later, One More {thing},
Leave the {thing} On, Past {place}, Letters from {place}, Slow {thing}, Where the {thing} Goes
""")
_RHYMES = """
in the kitchen light, for the better part of the night, till the morning comes out right
in the falling rain, like the last slow train, and it starts again, and I don't complain
when the day is done, like we've only begun, one by one, still warm from the sun
and nobody knows, wherever it goes, as the evening slows, where the small wind blows
a long way down, on the edge of town, without a sound, till it turns around
for a little while, another mile, with a crooked smile, in the finest style
""".strip().splitlines()
"""Endings of lines; those of one row rhyme."""


def make_title(text: str, rng: Random) -> str:
    """Make up a title with words of a text."""
    return string.capwords(_fill(rng.choice(_WORDS["title"]), text, rng))


def make_lyrics(text: str, rng: Random) -> str:
    """Write rhymed lyrics in bracketed sections with words of a text."""
    rhymes = [row.split(", ") for row in rng.sample(_RHYMES, k=4)]
    hook = _fill(rng.choice(_WORDS["hook"]), text, rng)
    chorus = "\n".join(["[Chorus]", *(f"{hook}, {end}" for end in rng.sample(rhymes[0], k=2))])
    verse, other_verse = (f"[Verse]\n{_lines(text, ends, rng, 3)}" for ends in rhymes[1:3])
    bridge = f"[Bridge]\n{_lines(text, rhymes[3], rng, 2)}"
    return f"{verse}\n\n{chorus}\n\n{other_verse}\n\n{bridge}\n\n{chorus}"


def _lines(text: str, rhymes: list[str], rng: Random, count: int) -> str:
    starts = (_fill(line, text, rng) for line in rng.sample(_WORDS["line"], k=count))
    ends = rng.sample(rhymes, k=count)
    return "\n".join(f"{start} {end}" for start, end in zip(starts, ends, strict=True))


def _fill(pattern: str, text: str, rng: Random) -> str:
    things = re.findall(r"\b[a-z]{4,12}\b", text.lower())[:8] + rng.sample(_WORDS["thing"], k=2)
    thing, other = rng.sample(list(dict.fromkeys(things)), k=2)
    line = pattern.format(thing=thing, other=other, place=rng.choice(_WORDS["place"]))
    return re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", line)
