"""The tags that the simulator understands, and the rules by which it changes them. No I/O.

The real service's vocabulary and habits are not public. These are invented so that requested tags
are kept, rewritten, dropped and added often enough to be measured. ``tag_rewriting.py`` applies
``RULES`` and nothing else.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

RuleKind = Literal["rewrite", "drop", "add"]


class Genre(NamedTuple):
    """Related tags (nearest first), the decade that goes with it, and the style it is played in."""

    neighbours: tuple[str, ...]
    decade: str
    style: str


class Mood(NamedTuple):
    """Valence and energy from -1 to 1: they set key, tempo, loudness and colours."""

    valence: float
    energy: float


class Rule(NamedTuple):
    """One possible change of a tag in a pass: ``rewrite`` it, ``drop`` it, or ``add`` another."""

    kind: RuleKind
    tag: str
    to: str
    chance: float


def _items(text: str) -> list[str]:
    return " ".join(text.split()).split("; ")


def word_lists(text: str) -> dict[str, tuple[str, ...]]:
    """Read lists written as ``name: word, word; name: word``."""
    lists = (item.split(": ") for item in _items(text))
    return {name: tuple(words.split(", ")) for name, words in lists}


_GENRES = """
pop: pop 2010s, indie pop 2010s, soft rock 1970s, latin pop 2000s
synthwave: electropop 2010s, synthpop 1980s, new wave 1980s, synthwave 1980s, retrowave 1980s
ambient: dream pop 1990s, shoegaze 1990s
rock: post-punk 1980s, punk 1970s, pop punk 2000s, pop rock 2000s, rock 1990s
rock: alternative rock 1990s, grunge 1990s, indie rock 2000s, garage rock 1960s, surf rock 1960s
rock: metal 1980s, symphonic metal 2000s, hard rock 1980s, classic rock 1970s, art rock 1970s
rock: progressive rock 1970s, southern rock 1970s, blues rock 1970s
jazz: spy 1960s, spy jazz 1960s, vocal jazz 1950s, jazz 1950s
blues: blues 1950s, delta blues 1930s
soul: gospel 1960s, soul 1970s, neo-soul 2000s, r&b 2000s
funk: funk 1970s, afrobeat 1970s, jazz fusion 1970s
swing: swing 1940s, big band 1940s
bossa: lounge 1960s, bossa nova 1960s, mpb 1970s, samba-jazz 1960s, samba 1970s, latin 2000s
bossa: world 1990s
folk: celtic 1990s, sea shanty 1800s, folk 1960s, indie folk 2010s, singer-songwriter 1970s
folk: americana 2000s, country 1990s, bluegrass 1950s, chamber folk 2000s
classical: chamber music 1800s, classical 1800s, romantic classical 1800s, waltz 1800s
classical: orchestral 2000s, film score 2000s, minimalism 1970s
ambient: lullaby 1900s, new age 1980s, ambient 1990s, drone 2000s
lofi: downtempo 2000s, chillout 2000s, trip hop 1990s, bedroom pop 2020s, lofi 2010s, chillhop 2010s
hiphop: boom bap 1990s, hip hop 1990s, trap 2010s, reggaeton 2010s
reggae: dancehall 1990s, ska 1960s, reggae 1970s, roots reggae 1970s, dub 1970s
breaks: jungle 1990s, drum and bass 1990s, breakbeat 1990s
techno: idm 1990s, electronic 2000s, industrial 1990s, techno 1990s, minimal techno 2000s
techno: trance 1990s
house: progressive house 2010s, edm 2010s, deep house 2010s, house 1990s
funk: nu-disco 2010s, disco 1970s
house: dance-pop 2010s
"""


def _genres() -> Iterator[tuple[str, Genre]]:
    rows = [line.split(": ") for line in _GENRES.strip().splitlines()]
    genres = [(*tag.rsplit(" ", 1), style) for style, tags in rows for tag in tags.split(", ")]
    names = [name for name, _, _ in genres]
    for index, (name, decade, style) in enumerate(genres):
        after = (index + 1) % len(names)
        neighbours = (names[after], names[index - 1], names[(after + 1) % len(names)])
        yield name, Genre(neighbours, decade, style)


GENRES: dict[str, Genre] = dict(_genres())
"""The neighbours of a genre are those next to it in the list, which is read as a circle."""

_MOODS = """
happy 0.8 0.4; joyful 0.9 0.5; uplifting 0.8 0.4; bright 0.6 0.3; playful 0.6 0.4;
romantic 0.4 -0.3; warm 0.4 -0.3; hopeful 0.5 0; nostalgic -0.1 -0.3; bittersweet -0.2 -0.2;
melancholic -0.7 -0.4; sad -0.8 -0.4; lonely -0.7 -0.5; dark -0.7 0.1; mysterious -0.4 -0.1;
dreamy 0.2 -0.5; ethereal 0.2 -0.6; calm 0.3 -0.7; peaceful 0.4 -0.8; mellow 0.2 -0.5;
soft 0.2 -0.6; smooth 0.3 -0.3; intimate 0.1 -0.6; energetic 0.4 0.9; driving 0.1 0.8;
aggressive -0.4 1; epic 0.2 0.8; groovy 0.5 0.4; sultry 0.1 -0.2; tense -0.5 0.5; slow 0 -0.8;
midtempo 0 0; fast 0.1 0.9; upbeat 0.6 0.7; ballad -0.1 -0.7; danceable 0.4 0.6;
cinematic 0 0.1; atmospheric 0 -0.5; laid-back 0.3 -0.6
"""
MOODS: dict[str, Mood] = {
    name: Mood(float(valence), float(energy))
    for name, valence, energy in (item.split() for item in _items(_MOODS))
}

_INSTRUMENTS = """
piano: piano; rhodes: electric piano, rhodes; organ: organ; guitar: acoustic guitar, guitar,
ukulele, banjo; electric: electric guitar; harp: harp, music box, glockenspiel; strings: strings,
violin, cello; brass: brass, trumpet; reed: saxophone, clarinet, accordion; flute: flute; marimba:
marimba, vibraphone; synth: synth, synths, analog synth; voice: choir
"""
INSTRUMENTS: dict[str, str] = {
    name: timbre for timbre, names in word_lists(_INSTRUMENTS).items() for name in names
}
"""Instrument to the timbre that plays it (``music/recording.py``)."""

_OTHERS = word_lists("""
voices: female vocals, male vocals, duet, vocal harmonies, spoken word, instrumental;
features: claps, handclaps, brushed drums, 808 bass, upright bass, drum machine, acoustic, acapella,
vinyl crackle, tape hiss, reverb, fingerpicked, walking bass
""")
VOICES, FEATURES = _OTHERS["voices"], _OTHERS["features"]
_YEARS = (1800, 1900, *range(1930, 2030, 10))
DECADES: tuple[str, ...] = tuple(f"{year}s" for year in _YEARS)

_SPELLINGS = """
lofi: lo-fi, lo fi; hip hop: hiphop, hip-hop, rap; r&b: rnb; synthpop: synth pop, synth-pop;
synthwave: synth wave; drum and bass: dnb, drum & bass; bossa nova: bossanova, bossa; electronic:
electro, electronica, electric; alternative rock: alt rock; indie pop: indie; chillout: chill;
female vocals: female voice, female vocal; male vocals: male voice, male vocal; 1980s: 80s; 1990s:
90s; 1970s: 70s; 1960s: 60s; saxophone: sax; sea shanty: shanty
"""
SPELLINGS: dict[str, str] = {
    spelling: tag for tag, spellings in word_lists(_SPELLINGS).items() for spelling in spellings
}
"""Other spellings and the tag that each always becomes."""

COMPOUNDS: dict[str, tuple[str, ...]] = word_lists("""
spy jazz: jazz, spy; blues rock: blues, rock; pop rock: pop, rock; dance-pop: pop, danceable;
samba-jazz: samba, jazz; jazz fusion: jazz, funk; romantic classical: classical, romantic; neo-soul:
soul, r&b
""")
"""Tags that the first song of a studio task reads as their components, in this order."""

RETURN_CHANCE = 0.5
"""Chance that a step after the first restores a requested tag that was dropped."""
MOST_TAGS = 6
"""A pass ends with at most this many tags; the last added are cut first."""

_HABITS: dict[RuleKind, str] = {
    "rewrite": """
sad > melancholic 0.6; slow > downtempo 0.35; slow > ballad 0.25; fast > energetic 0.5;
happy > uplifting 0.4; calm > mellow 0.4; lonely > melancholic 0.5; handclaps > claps 0.8;
synths > synth 0.7; edm > electronic 0.4; choir > vocal harmonies 0.3; vinyl crackle > lofi 0.3
""",
    "drop": """
spy > 0.4; bright > 0.4; warm > 0.3; soft > 0.3; cinematic > 0.25; midtempo > 0.6; reverb > 0.5;
tape hiss > 0.7; spoken word > 0.5
""",
    "add": """
melancholic > bittersweet 0.3; uplifting > energetic 0.25; dreamy > ethereal 0.35;
energetic > driving 0.25; romantic > warm 0.3; piano > intimate 0.2; saxophone > smooth 0.4;
strings > cinematic 0.3
""",
}


def _rules() -> Iterator[Rule]:
    for kind, text in _HABITS.items():
        for item in _items(text):
            tag, _, change = item.partition(" > ")
            to, _, number = change.rpartition(" ")
            yield Rule(kind, tag, to, float(number))
    yield Rule("drop", "*", "", 0.6)  # any tag outside the vocabulary
    for name, genre in GENRES.items():
        for neighbour, chance in zip(genre.neighbours, (0.55, 0.3, 0.15), strict=True):
            yield Rule("add", name, neighbour, chance)
        yield Rule("add", name, genre.decade, 0.5)


RULES: tuple[Rule, ...] = tuple(_rules())
"""All changes that a pass can make to a tag, with their chances. Other tags stay."""

TEMPO_HABITS: dict[float, float] = {1: 0.86, 0.5: 0.05, 2: 0.05, 0: 0.04}
"""The tempo of a song divided by the requested one, and the chance of it; 0 ignores the request."""
TEMPO_SPREAD = 0.02
"""A followed tempo is at most this share above or below the requested one."""
KEY_HABITS: dict[str, float] = {"exact": 0.9, "relative": 0.04, "fifth": 0.03, "ignored": 0.03}
"""How the key of a song relates to the requested one, and the chance of it."""
INSTRUMENTAL_CHANCE = 0.9
"""Chance that a sonic task whose text asks for an instrumental has no singer."""

KNOWN: frozenset[str] = frozenset(
    (*GENRES, *MOODS, *INSTRUMENTS, *VOICES, *FEATURES, *DECADES, *SPELLINGS)
)
"""All tags and spellings of the vocabulary, in lower case."""
