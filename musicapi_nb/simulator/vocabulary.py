"""The tags that the simulator understands, and what it does to them, as data.

The real service's vocabulary and habits are not known; these are invented so that asked tags are
kept, rewritten, dropped and added often enough, and by rules that can be found out again: ``RULES``
is all that ``tags.py`` obeys.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple


class Genre(NamedTuple):
    """Neighbours (nearest first), the decade it calls to mind, and the style it is played in."""

    neighbours: tuple[str, ...]
    decade: str
    style: str


class Mood(NamedTuple):
    """Valence and energy from -1 to 1: they steer key, tempo, loudness and colours."""

    valence: float
    energy: float


class Rule(NamedTuple):
    """What may happen to a tag in one pass: ``rewrite`` it, ``drop`` it, or ``add`` another."""

    kind: Literal["rewrite", "drop", "add"]
    tag: str
    to: str
    chance: float


GENRES: Mapping[str, Genre] = MappingProxyType(
    {
        "pop": Genre(("dance-pop", "indie pop", "synthpop"), "2010s", "pop"),
        "dance-pop": Genre(("pop", "electropop", "house"), "2010s", "house"),
        "indie pop": Genre(("indie rock", "dream pop", "bedroom pop"), "2010s", "pop"),
        "bedroom pop": Genre(("indie pop", "lofi", "dream pop"), "2020s", "lofi"),
        "dream pop": Genre(("shoegaze", "indie pop", "ambient"), "1990s", "ambient"),
        "electropop": Genre(("synthpop", "dance-pop", "pop"), "2010s", "synthwave"),
        "synthpop": Genre(("new wave", "electropop", "synthwave"), "1980s", "synthwave"),
        "synthwave": Genre(("retrowave", "synthpop", "electronic"), "1980s", "synthwave"),
        "retrowave": Genre(("synthwave", "synthpop", "new wave"), "1980s", "synthwave"),
        "new wave": Genre(("synthpop", "post-punk", "pop rock"), "1980s", "synthwave"),
        "rock": Genre(("alternative rock", "pop rock", "classic rock"), "1990s", "rock"),
        "pop rock": Genre(("rock", "indie rock", "pop"), "2000s", "rock"),
        "indie rock": Genre(("alternative rock", "indie pop", "garage rock"), "2000s", "rock"),
        "alternative rock": Genre(("rock", "grunge", "indie rock"), "1990s", "rock"),
        "classic rock": Genre(("rock", "blues rock", "hard rock"), "1970s", "rock"),
        "garage rock": Genre(("punk", "indie rock", "surf rock"), "1960s", "rock"),
        "surf rock": Genre(("garage rock", "spy", "rock"), "1960s", "rock"),
        "blues rock": Genre(("blues", "classic rock", "southern rock"), "1970s", "rock"),
        "southern rock": Genre(("blues rock", "country", "classic rock"), "1970s", "rock"),
        "hard rock": Genre(("classic rock", "metal", "rock"), "1980s", "rock"),
        "grunge": Genre(("alternative rock", "punk", "rock"), "1990s", "rock"),
        "punk": Genre(("pop punk", "post-punk", "garage rock"), "1970s", "rock"),
        "pop punk": Genre(("punk", "pop rock", "alternative rock"), "2000s", "rock"),
        "post-punk": Genre(("new wave", "punk", "shoegaze"), "1980s", "rock"),
        "shoegaze": Genre(("dream pop", "post-punk", "indie rock"), "1990s", "ambient"),
        "metal": Genre(("hard rock", "symphonic metal", "rock"), "1980s", "rock"),
        "symphonic metal": Genre(("metal", "orchestral", "hard rock"), "2000s", "rock"),
        "jazz": Genre(("vocal jazz", "bossa nova", "swing"), "1950s", "jazz"),
        "vocal jazz": Genre(("jazz", "swing", "lounge"), "1950s", "jazz"),
        "spy jazz": Genre(("jazz", "spy", "surf rock"), "1960s", "jazz"),
        "spy": Genre(("spy jazz", "surf rock", "film score"), "1960s", "jazz"),
        "swing": Genre(("big band", "vocal jazz", "jazz"), "1940s", "swing"),
        "big band": Genre(("swing", "jazz", "brass"), "1940s", "swing"),
        "lounge": Genre(("vocal jazz", "bossa nova", "chillout"), "1960s", "bossa"),
        "bossa nova": Genre(("mpb", "samba-jazz", "vocal jazz"), "1960s", "bossa"),
        "mpb": Genre(("bossa nova", "samba-jazz", "samba"), "1970s", "bossa"),
        "samba-jazz": Genre(("samba", "bossa nova", "jazz"), "1960s", "bossa"),
        "samba": Genre(("samba-jazz", "mpb", "latin"), "1970s", "bossa"),
        "latin": Genre(("reggaeton", "samba", "latin pop"), "2000s", "bossa"),
        "latin pop": Genre(("latin", "pop", "reggaeton"), "2000s", "pop"),
        "reggaeton": Genre(("latin", "dancehall", "latin pop"), "2010s", "hiphop"),
        "jazz fusion": Genre(("jazz", "funk", "progressive rock"), "1970s", "funk"),
        "progressive rock": Genre(("classic rock", "jazz fusion", "art rock"), "1970s", "rock"),
        "art rock": Genre(("progressive rock", "post-punk", "indie rock"), "1970s", "rock"),
        "blues": Genre(("blues rock", "soul", "delta blues"), "1950s", "blues"),
        "delta blues": Genre(("blues", "folk", "acoustic"), "1930s", "blues"),
        "soul": Genre(("r&b", "neo-soul", "gospel"), "1970s", "soul"),
        "neo-soul": Genre(("soul", "r&b", "jazz"), "2000s", "soul"),
        "r&b": Genre(("soul", "neo-soul", "hip hop"), "2000s", "soul"),
        "gospel": Genre(("soul", "choir", "blues"), "1960s", "soul"),
        "funk": Genre(("disco", "soul", "jazz fusion"), "1970s", "funk"),
        "disco": Genre(("funk", "house", "dance-pop"), "1970s", "funk"),
        "house": Genre(("deep house", "disco", "techno"), "1990s", "house"),
        "deep house": Genre(("house", "chillout", "nu-disco"), "2010s", "house"),
        "nu-disco": Genre(("disco", "deep house", "funk"), "2010s", "funk"),
        "techno": Genre(("minimal techno", "house", "industrial"), "1990s", "techno"),
        "minimal techno": Genre(("techno", "deep house", "electronic"), "2000s", "techno"),
        "trance": Genre(("techno", "progressive house", "electronic"), "1990s", "techno"),
        "progressive house": Genre(("trance", "house", "edm"), "2010s", "house"),
        "edm": Genre(("progressive house", "electronic", "dance-pop"), "2010s", "house"),
        "electronic": Genre(("techno", "synthwave", "idm"), "2000s", "techno"),
        "idm": Genre(("electronic", "ambient", "glitch"), "1990s", "techno"),
        "industrial": Genre(("techno", "metal", "electronic"), "1990s", "techno"),
        "drum and bass": Genre(("jungle", "electronic", "liquid funk"), "1990s", "breaks"),
        "jungle": Genre(("drum and bass", "breakbeat", "reggae"), "1990s", "breaks"),
        "breakbeat": Genre(("jungle", "electronic", "trip hop"), "1990s", "breaks"),
        "trip hop": Genre(("downtempo", "breakbeat", "lofi"), "1990s", "lofi"),
        "downtempo": Genre(("trip hop", "chillout", "ambient"), "2000s", "lofi"),
        "chillout": Genre(("downtempo", "lounge", "ambient"), "2000s", "lofi"),
        "lofi": Genre(("chillhop", "bedroom pop", "downtempo"), "2010s", "lofi"),
        "chillhop": Genre(("lofi", "jazz", "hip hop"), "2010s", "lofi"),
        "hip hop": Genre(("boom bap", "trap", "r&b"), "1990s", "hiphop"),
        "boom bap": Genre(("hip hop", "chillhop", "jazz"), "1990s", "hiphop"),
        "trap": Genre(("hip hop", "r&b", "electronic"), "2010s", "hiphop"),
        "reggae": Genre(("dub", "roots reggae", "dancehall"), "1970s", "reggae"),
        "roots reggae": Genre(("reggae", "dub", "soul"), "1970s", "reggae"),
        "dub": Genre(("reggae", "downtempo", "electronic"), "1970s", "reggae"),
        "dancehall": Genre(("reggae", "reggaeton", "hip hop"), "1990s", "reggae"),
        "ska": Genre(("reggae", "punk", "brass"), "1960s", "reggae"),
        "folk": Genre(("indie folk", "singer-songwriter", "country"), "1960s", "folk"),
        "indie folk": Genre(("folk", "singer-songwriter", "chamber folk"), "2010s", "folk"),
        "chamber folk": Genre(("indie folk", "classical", "folk"), "2000s", "folk"),
        "singer-songwriter": Genre(("folk", "indie folk", "soft rock"), "1970s", "folk"),
        "soft rock": Genre(("pop rock", "singer-songwriter", "pop"), "1970s", "pop"),
        "country": Genre(("americana", "bluegrass", "folk"), "1990s", "folk"),
        "americana": Genre(("country", "folk", "southern rock"), "2000s", "folk"),
        "bluegrass": Genre(("country", "folk", "americana"), "1950s", "folk"),
        "sea shanty": Genre(("folk", "celtic", "choir"), "1800s", "folk"),
        "celtic": Genre(("folk", "sea shanty", "world"), "1990s", "folk"),
        "world": Genre(("celtic", "afrobeat", "latin"), "1990s", "bossa"),
        "afrobeat": Genre(("funk", "world", "jazz"), "1970s", "funk"),
        "ambient": Genre(("drone", "new age", "downtempo"), "1990s", "ambient"),
        "drone": Genre(("ambient", "minimalism", "electronic"), "2000s", "ambient"),
        "new age": Genre(("ambient", "classical", "world"), "1980s", "ambient"),
        "classical": Genre(
            ("chamber music", "orchestral", "romantic classical"), "1800s", "classical"
        ),
        "romantic classical": Genre(("classical", "piano", "orchestral"), "1800s", "classical"),
        "chamber music": Genre(("classical", "strings", "minimalism"), "1800s", "classical"),
        "minimalism": Genre(("classical", "ambient", "chamber music"), "1970s", "classical"),
        "orchestral": Genre(("film score", "classical", "epic"), "2000s", "classical"),
        "film score": Genre(("orchestral", "ambient", "epic"), "2000s", "classical"),
        "waltz": Genre(("classical", "folk", "chamber music"), "1800s", "classical"),
        "lullaby": Genre(("folk", "new age", "classical"), "1900s", "ambient"),
    }
)

MOODS: Mapping[str, Mood] = MappingProxyType(
    {
        "happy": Mood(0.8, 0.4),
        "joyful": Mood(0.9, 0.5),
        "uplifting": Mood(0.8, 0.4),
        "bright": Mood(0.6, 0.3),
        "playful": Mood(0.6, 0.4),
        "romantic": Mood(0.4, -0.3),
        "warm": Mood(0.4, -0.3),
        "hopeful": Mood(0.5, 0.0),
        "nostalgic": Mood(-0.1, -0.3),
        "bittersweet": Mood(-0.2, -0.2),
        "melancholic": Mood(-0.7, -0.4),
        "sad": Mood(-0.8, -0.4),
        "lonely": Mood(-0.7, -0.5),
        "dark": Mood(-0.7, 0.1),
        "mysterious": Mood(-0.4, -0.1),
        "dreamy": Mood(0.2, -0.5),
        "ethereal": Mood(0.2, -0.6),
        "calm": Mood(0.3, -0.7),
        "peaceful": Mood(0.4, -0.8),
        "mellow": Mood(0.2, -0.5),
        "soft": Mood(0.2, -0.6),
        "smooth": Mood(0.3, -0.3),
        "intimate": Mood(0.1, -0.6),
        "energetic": Mood(0.4, 0.9),
        "driving": Mood(0.1, 0.8),
        "aggressive": Mood(-0.4, 1.0),
        "epic": Mood(0.2, 0.8),
        "groovy": Mood(0.5, 0.4),
        "sultry": Mood(0.1, -0.2),
        "tense": Mood(-0.5, 0.5),
        "slow": Mood(0.0, -0.8),
        "midtempo": Mood(0.0, 0.0),
        "fast": Mood(0.1, 0.9),
        "upbeat": Mood(0.6, 0.7),
        "ballad": Mood(-0.1, -0.7),
        "danceable": Mood(0.4, 0.6),
        "cinematic": Mood(0.0, 0.1),
        "atmospheric": Mood(0.0, -0.5),
        "laid-back": Mood(0.3, -0.6),
    }
)

INSTRUMENTS: Mapping[str, str] = MappingProxyType(
    {
        "piano": "piano",
        "electric piano": "rhodes",
        "rhodes": "rhodes",
        "organ": "organ",
        "acoustic guitar": "guitar",
        "guitar": "guitar",
        "electric guitar": "electric",
        "ukulele": "guitar",
        "banjo": "guitar",
        "harp": "harp",
        "strings": "strings",
        "violin": "strings",
        "cello": "strings",
        "brass": "brass",
        "trumpet": "brass",
        "saxophone": "reed",
        "clarinet": "reed",
        "flute": "flute",
        "accordion": "reed",
        "marimba": "marimba",
        "vibraphone": "marimba",
        "music box": "harp",
        "synth": "synth",
        "synths": "synth",
        "analog synth": "synth",
        "choir": "voice",
        "glockenspiel": "harp",
    }
)
"""Instrument to the voice that plays it."""

VOICES: tuple[str, ...] = (
    "female vocals",
    "male vocals",
    "duet",
    "vocal harmonies",
    "spoken word",
    "instrumental",
)

FEATURES: tuple[str, ...] = (
    "claps",
    "handclaps",
    "brushed drums",
    "808 bass",
    "upright bass",
    "drum machine",
    "acoustic",
    "acapella",
    "vinyl crackle",
    "tape hiss",
    "reverb",
    "fingerpicked",
    "walking bass",
)

DECADES: tuple[str, ...] = (
    "1800s",
    "1900s",
    "1930s",
    "1940s",
    "1950s",
    "1960s",
    "1970s",
    "1980s",
    "1990s",
    "2000s",
    "2010s",
    "2020s",
)

SPELLINGS: Mapping[str, str] = MappingProxyType(
    {
        "lo-fi": "lofi",
        "lo fi": "lofi",
        "hiphop": "hip hop",
        "hip-hop": "hip hop",
        "rap": "hip hop",
        "rnb": "r&b",
        "synth pop": "synthpop",
        "synth-pop": "synthpop",
        "synth wave": "synthwave",
        "dnb": "drum and bass",
        "drum & bass": "drum and bass",
        "bossanova": "bossa nova",
        "bossa": "bossa nova",
        "electro": "electronic",
        "electronica": "electronic",
        "alt rock": "alternative rock",
        "indie": "indie pop",
        "chill": "chillout",
        "electric": "electronic",
        "female voice": "female vocals",
        "female vocal": "female vocals",
        "male voice": "male vocals",
        "male vocal": "male vocals",
        "80s": "1980s",
        "90s": "1990s",
        "70s": "1970s",
        "60s": "1960s",
        "sax": "saxophone",
        "shanty": "sea shanty",
    }
)
"""Other spellings; they become the tag they stand for, always."""

COMPOUNDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "spy jazz": ("jazz", "spy"),
        "blues rock": ("blues", "rock"),
        "pop rock": ("pop", "rock"),
        "dance-pop": ("pop", "danceable"),
        "samba-jazz": ("samba", "jazz"),
        "jazz fusion": ("jazz", "funk"),
        "romantic classical": ("classical", "romantic"),
        "neo-soul": ("soul", "r&b"),
    }
)
"""Tags that the first song of a studio task reads as their parts, appended in this order."""

ADD_CHANCES: tuple[float, ...] = (0.55, 0.3, 0.15)
"""Chance that a genre brings its nearest, second and third neighbour along in one pass."""
DECADE_CHANCE = 0.5
"""Chance that a genre brings its decade along."""
UNKNOWN_DROP_CHANCE = 0.6
"""Chance that words outside the vocabulary are dropped in one pass (rule of the tag ``*``)."""
RETURN_CHANCE = 0.5
"""Chance that a step after the first brings a dropped tag of the asked text back."""
MOST_TAGS = 6
"""A pass ends with at most this many tags; the latest added give way first."""

_HABITS: tuple[Rule, ...] = (
    Rule("rewrite", "sad", "melancholic", 0.6),
    Rule("rewrite", "slow", "downtempo", 0.35),
    Rule("rewrite", "slow", "ballad", 0.25),
    Rule("rewrite", "fast", "energetic", 0.5),
    Rule("rewrite", "happy", "uplifting", 0.4),
    Rule("rewrite", "calm", "mellow", 0.4),
    Rule("rewrite", "lonely", "melancholic", 0.5),
    Rule("rewrite", "handclaps", "claps", 0.8),
    Rule("rewrite", "synths", "synth", 0.7),
    Rule("rewrite", "edm", "electronic", 0.4),
    Rule("rewrite", "choir", "vocal harmonies", 0.3),
    Rule("rewrite", "vinyl crackle", "lofi", 0.3),
    Rule("drop", "spy", "", 0.4),
    Rule("drop", "bright", "", 0.4),
    Rule("drop", "warm", "", 0.3),
    Rule("drop", "soft", "", 0.3),
    Rule("drop", "cinematic", "", 0.25),
    Rule("drop", "midtempo", "", 0.6),
    Rule("drop", "reverb", "", 0.5),
    Rule("drop", "tape hiss", "", 0.7),
    Rule("drop", "spoken word", "", 0.5),
    Rule("drop", "*", "", UNKNOWN_DROP_CHANCE),
    Rule("add", "melancholic", "bittersweet", 0.3),
    Rule("add", "uplifting", "energetic", 0.25),
    Rule("add", "dreamy", "ethereal", 0.35),
    Rule("add", "energetic", "driving", 0.25),
    Rule("add", "romantic", "warm", 0.3),
    Rule("add", "piano", "intimate", 0.2),
    Rule("add", "saxophone", "smooth", 0.4),
    Rule("add", "strings", "cinematic", 0.3),
)


def _genre_rules() -> tuple[Rule, ...]:
    rules: list[Rule] = []
    for name, genre in GENRES.items():
        rules += [
            Rule("add", name, neighbour, chance)
            for neighbour, chance in zip(genre.neighbours, ADD_CHANCES, strict=True)
        ]
        rules.append(Rule("add", name, genre.decade, DECADE_CHANCE))
    return tuple(rules)


RULES: tuple[Rule, ...] = (*_HABITS, *_genre_rules())
"""All that may happen to a tag in one pass, with its chance. What no rule strikes is kept."""

KNOWN: frozenset[str] = frozenset(
    (*GENRES, *MOODS, *INSTRUMENTS, *VOICES, *FEATURES, *DECADES, *SPELLINGS)
)
"""Every tag and spelling that is understood, in lower case."""
