"""How each style is played: tempo, rhythm, instruments, loudness. No I/O."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from musicapi_nb.simulator.vocabulary import GENRES, INSTRUMENTS, MOODS, Mood


class Style(NamedTuple):
    """One way to play.

    ``bpm`` is a range; ``groove`` names patterns of ``composition.py``; ``chords``, ``bass`` and
    ``lead`` name timbres of ``synthesis.py``; ``minor`` is the chance of a minor key; ``level`` is
    the loudness in dBFS (RMS).
    """

    bpm: tuple[float, float]
    groove: str
    chords: str
    bass: str
    lead: str
    minor: float
    level: float


_STYLES = """
pop       96 118  pop     piano    finger  voice    0.25 -16.5
rock      104 144 rock    electric finger  electric 0.45 -15.5
jazz      84 124  swing   piano    upright reed     0.4  -20
swing     128 168 swing   piano    upright brass    0.2  -18
bossa     112 136 bossa   guitar   upright flute    0.4  -19.5
blues     72 100  pop     electric finger  electric 0.5  -18
soul      68 96   pop     rhodes   finger  voice    0.45 -18
funk      102 120 funk    rhodes   finger  synth    0.6  -16.5
house     118 128 house   synth    sub     synth    0.6  -15.5
techno    126 138 techno  synth    sub     synth    0.9  -15
breaks    160 174 breaks  pad      sub     synth    0.75 -15.5
hiphop    82 96   hiphop  rhodes   sub     reed     0.75 -16.5
lofi      68 84   hiphop  rhodes   finger  marimba  0.5  -20
reggae    70 84   onedrop organ    finger  voice    0.35 -17.5
folk      88 116  brush   guitar   finger  voice    0.35 -19.5
synthwave 88 112  house   pad      sub     synth    0.7  -16.5
ambient   58 72   none    pad      sub     harp     0.4  -21.5
classical 66 96   none    piano    cello   strings  0.5  -21
"""


STYLES: Mapping[str, Style] = {
    name: Style((float(low), float(high)), groove, chords, bass, lead, float(minor), float(level))
    for name, low, high, groove, chords, bass, lead, minor, level in map(
        str.split, _STYLES.strip().splitlines()
    )
}
_SUNG = frozenset(
    ("female vocals", "male vocals", "duet", "vocal harmonies", "vocal jazz", "choir")
)


def style_of(tags: Sequence[str], *, instrumental: bool) -> Style:
    """Choose how a song is played: the first genre among its tags, changed by the other tags."""
    style = STYLES[next((GENRES[tag].style for tag in tags if tag in GENRES), "pop")]
    valence, energy = mood_of(tags)
    instruments = [INSTRUMENTS[tag] for tag in tags if tag in INSTRUMENTS]
    lead = instruments[0] if instruments else "voice" if _SUNG & set(tags) else style.lead
    low, high = style.bpm
    return style._replace(
        bpm=(low * (1 + 0.16 * energy), high * (1 + 0.16 * energy)),
        lead="flute" if instrumental and lead == "voice" else lead,
        minor=min(0.95, max(0.05, style.minor - 0.5 * valence)),
        level=min(-14.5, max(-23.0, style.level + 1.5 * energy)),
    )


def mood_of(tags: Sequence[str]) -> Mood:
    """Average the moods among the tags; valence and energy are 0 without any."""
    moods = [MOODS[tag] for tag in tags if tag in MOODS] or [Mood(0, 0)]
    valence, energy = (sum(axis) / len(moods) for axis in zip(*moods, strict=True))
    return Mood(valence, energy)
