"""The tags that the simulator understands, and the rules by which it changes them. No I/O.

The real service's vocabulary and habits are not public. These are invented so that requested tags
are kept, rewritten, dropped and added often enough to be measured. ``tag_rewriting.py`` applies
``RULES`` and nothing else.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple, cast

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


def _items(text: str) -> Iterator[str]:
    return (" ".join(item.split()) for item in text.split(";"))


def _pairs(text: str) -> dict[str, str]:
    return dict(cast("tuple[str, str]", tuple(item.split(" = "))) for item in _items(text))


_GENRES = """
pop | dance-pop, indie pop, synthpop | 2010s pop
dance-pop | pop, electropop, house | 2010s house
indie pop | indie rock, dream pop, bedroom pop | 2010s pop
bedroom pop | indie pop, lofi, dream pop | 2020s lofi
dream pop | shoegaze, indie pop, ambient | 1990s ambient
electropop | synthpop, dance-pop, pop | 2010s synthwave
synthpop | new wave, electropop, synthwave | 1980s synthwave
synthwave | retrowave, synthpop, electronic | 1980s synthwave
retrowave | synthwave, synthpop, new wave | 1980s synthwave
new wave | synthpop, post-punk, pop rock | 1980s synthwave
rock | alternative rock, pop rock, classic rock | 1990s rock
pop rock | rock, indie rock, pop | 2000s rock
indie rock | alternative rock, indie pop, garage rock | 2000s rock
alternative rock | rock, grunge, indie rock | 1990s rock
classic rock | rock, blues rock, hard rock | 1970s rock
garage rock | punk, indie rock, surf rock | 1960s rock
surf rock | garage rock, spy, rock | 1960s rock
blues rock | blues, classic rock, southern rock | 1970s rock
southern rock | blues rock, country, classic rock | 1970s rock
hard rock | classic rock, metal, rock | 1980s rock
grunge | alternative rock, punk, rock | 1990s rock
punk | pop punk, post-punk, garage rock | 1970s rock
pop punk | punk, pop rock, alternative rock | 2000s rock
post-punk | new wave, punk, shoegaze | 1980s rock
shoegaze | dream pop, post-punk, indie rock | 1990s ambient
metal | hard rock, symphonic metal, rock | 1980s rock
symphonic metal | metal, orchestral, hard rock | 2000s rock
jazz | vocal jazz, bossa nova, swing | 1950s jazz
vocal jazz | jazz, swing, lounge | 1950s jazz
spy jazz | jazz, spy, surf rock | 1960s jazz
spy | spy jazz, surf rock, film score | 1960s jazz
swing | big band, vocal jazz, jazz | 1940s swing
big band | swing, jazz, brass | 1940s swing
lounge | vocal jazz, bossa nova, chillout | 1960s bossa
bossa nova | mpb, samba-jazz, vocal jazz | 1960s bossa
mpb | bossa nova, samba-jazz, samba | 1970s bossa
samba-jazz | samba, bossa nova, jazz | 1960s bossa
samba | samba-jazz, mpb, latin | 1970s bossa
latin | reggaeton, samba, latin pop | 2000s bossa
latin pop | latin, pop, reggaeton | 2000s pop
reggaeton | latin, dancehall, latin pop | 2010s hiphop
jazz fusion | jazz, funk, progressive rock | 1970s funk
progressive rock | classic rock, jazz fusion, art rock | 1970s rock
art rock | progressive rock, post-punk, indie rock | 1970s rock
blues | blues rock, soul, delta blues | 1950s blues
delta blues | blues, folk, acoustic | 1930s blues
soul | r&b, neo-soul, gospel | 1970s soul
neo-soul | soul, r&b, jazz | 2000s soul
r&b | soul, neo-soul, hip hop | 2000s soul
gospel | soul, choir, blues | 1960s soul
funk | disco, soul, jazz fusion | 1970s funk
disco | funk, house, dance-pop | 1970s funk
house | deep house, disco, techno | 1990s house
deep house | house, chillout, nu-disco | 2010s house
nu-disco | disco, deep house, funk | 2010s funk
techno | minimal techno, house, industrial | 1990s techno
minimal techno | techno, deep house, electronic | 2000s techno
trance | techno, progressive house, electronic | 1990s techno
progressive house | trance, house, edm | 2010s house
edm | progressive house, electronic, dance-pop | 2010s house
electronic | techno, synthwave, idm | 2000s techno
idm | electronic, ambient, glitch | 1990s techno
industrial | techno, metal, electronic | 1990s techno
drum and bass | jungle, electronic, liquid funk | 1990s breaks
jungle | drum and bass, breakbeat, reggae | 1990s breaks
breakbeat | jungle, electronic, trip hop | 1990s breaks
trip hop | downtempo, breakbeat, lofi | 1990s lofi
downtempo | trip hop, chillout, ambient | 2000s lofi
chillout | downtempo, lounge, ambient | 2000s lofi
lofi | chillhop, bedroom pop, downtempo | 2010s lofi
chillhop | lofi, jazz, hip hop | 2010s lofi
hip hop | boom bap, trap, r&b | 1990s hiphop
boom bap | hip hop, chillhop, jazz | 1990s hiphop
trap | hip hop, r&b, electronic | 2010s hiphop
reggae | dub, roots reggae, dancehall | 1970s reggae
roots reggae | reggae, dub, soul | 1970s reggae
dub | reggae, downtempo, electronic | 1970s reggae
dancehall | reggae, reggaeton, hip hop | 1990s reggae
ska | reggae, punk, brass | 1960s reggae
folk | indie folk, singer-songwriter, country | 1960s folk
indie folk | folk, singer-songwriter, chamber folk | 2010s folk
chamber folk | indie folk, classical, folk | 2000s folk
singer-songwriter | folk, indie folk, soft rock | 1970s folk
soft rock | pop rock, singer-songwriter, pop | 1970s pop
country | americana, bluegrass, folk | 1990s folk
americana | country, folk, southern rock | 2000s folk
bluegrass | country, folk, americana | 1950s folk
sea shanty | folk, celtic, choir | 1800s folk
celtic | folk, sea shanty, world | 1990s folk
world | celtic, afrobeat, latin | 1990s bossa
afrobeat | funk, world, jazz | 1970s funk
ambient | drone, new age, downtempo | 1990s ambient
drone | ambient, minimalism, electronic | 2000s ambient
new age | ambient, classical, world | 1980s ambient
classical | chamber music, orchestral, romantic classical | 1800s classical
romantic classical | classical, piano, orchestral | 1800s classical
chamber music | classical, strings, minimalism | 1800s classical
minimalism | classical, ambient, chamber music | 1970s classical
orchestral | film score, classical, epic | 2000s classical
film score | orchestral, ambient, epic | 2000s classical
waltz | classical, folk, chamber music | 1800s classical
lullaby | folk, new age, classical | 1900s ambient
"""


def _genres() -> Iterator[tuple[str, Genre]]:
    for line in _GENRES.strip().splitlines():
        name, neighbours, context = line.split(" | ")
        decade, style = context.split()
        yield name, Genre(tuple(neighbours.split(", ")), decade, style)


GENRES: dict[str, Genre] = dict(_genres())

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

INSTRUMENTS: dict[str, str] = _pairs("""
piano = piano; electric piano = rhodes; rhodes = rhodes; organ = organ;
acoustic guitar = guitar; guitar = guitar; electric guitar = electric; ukulele = guitar;
banjo = guitar; harp = harp; strings = strings; violin = strings; cello = strings;
brass = brass; trumpet = brass; saxophone = reed; clarinet = reed; flute = flute;
accordion = reed; marimba = marimba; vibraphone = marimba; music box = harp; synth = synth;
synths = synth; analog synth = synth; choir = voice; glockenspiel = harp
""")
"""Instrument to the timbre that plays it (``music/synthesis.py``)."""

VOICES: tuple[str, ...] = tuple(
    _items("female vocals; male vocals; duet; vocal harmonies; spoken word; instrumental")
)

_FEATURES = """
claps; handclaps; brushed drums; 808 bass; upright bass; drum machine; acoustic; acapella;
vinyl crackle; tape hiss; reverb; fingerpicked; walking bass
"""
FEATURES: tuple[str, ...] = tuple(_items(_FEATURES))

DECADES: tuple[str, ...] = tuple(
    _items("1800s; 1900s; 1930s; 1940s; 1950s; 1960s; 1970s; 1980s; 1990s; 2000s; 2010s; 2020s")
)

SPELLINGS: dict[str, str] = _pairs("""
lo-fi = lofi; lo fi = lofi; hiphop = hip hop; hip-hop = hip hop; rap = hip hop; rnb = r&b;
synth pop = synthpop; synth-pop = synthpop; synth wave = synthwave; dnb = drum and bass;
drum & bass = drum and bass; bossanova = bossa nova; bossa = bossa nova; electro = electronic;
electronica = electronic; alt rock = alternative rock; indie = indie pop; chill = chillout;
electric = electronic; female voice = female vocals; female vocal = female vocals;
male voice = male vocals; male vocal = male vocals; 80s = 1980s; 90s = 1990s; 70s = 1970s;
60s = 1960s; sax = saxophone; shanty = sea shanty
""")
"""Other spellings and the tag that each always becomes."""

_COMPOUNDS = """
spy jazz = jazz + spy; blues rock = blues + rock; pop rock = pop + rock;
dance-pop = pop + danceable; samba-jazz = samba + jazz; jazz fusion = jazz + funk;
romantic classical = classical + romantic; neo-soul = soul + r&b
"""
COMPOUNDS: dict[str, tuple[str, ...]] = {
    tag: tuple(components.split(" + ")) for tag, components in _pairs(_COMPOUNDS).items()
}
"""Tags that the first song of a studio task reads as their components, in this order."""

ADD_CHANCES: tuple[float, ...] = (0.55, 0.3, 0.15)
"""Chance that a genre adds its nearest, second and third neighbour in one pass."""
DECADE_CHANCE = 0.5
"""Chance that a genre adds its decade."""
UNKNOWN_DROP_CHANCE = 0.6
"""Chance that a tag outside the vocabulary is dropped in one pass (rule of the tag ``*``)."""
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
    yield Rule("drop", "*", "", UNKNOWN_DROP_CHANCE)
    for name, genre in GENRES.items():
        for neighbour, chance in zip(genre.neighbours, ADD_CHANCES, strict=True):
            yield Rule("add", name, neighbour, chance)
        yield Rule("add", name, genre.decade, DECADE_CHANCE)


RULES: tuple[Rule, ...] = tuple(_rules())
"""All changes that a pass can make to a tag, with their chances. Other tags stay."""

KNOWN: frozenset[str] = frozenset(
    (*GENRES, *MOODS, *INSTRUMENTS, *VOICES, *FEATURES, *DECADES, *SPELLINGS)
)
"""All tags and spellings of the vocabulary, in lower case."""
