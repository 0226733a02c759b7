"""What a singer makes of the lyrics: some lines are left out, repeated or changed. No I/O.

This habit is invented, so that there is something to measure: the more letters a second have to be
sung, the more lines differ from what is written.
"""

from random import Random

from musicapi_nb.simulator.music.recording import Recording

_SLOW, _FAST = 8.0, 30.0
"""Letters a second at which the fewest and the most lines differ."""
_FEWEST, _MOST = 0.04, 0.3
"""Share of lines that differ."""
_SLIPS = {"left out": 2, "repeated": 1, "changed": 1}
"""What happens to these lines, and how often."""
_OTHER_WORDS = ("oh", "yeah", "somehow", "again", "tonight", "maybe")


def sing(lyrics: str, recording: Recording) -> str:
    """Return the lyrics as they are sung, with the section marks; the recording's seed decides."""
    lines = lyrics.split("\n")
    letters = sum(len(line.strip()) for line in lines if not _is_mark(line))
    speed = letters / max(recording.seconds, 1.0)
    share = min(1.0, max(0.0, (speed - _SLOW) / (_FAST - _SLOW)))
    chance = _FEWEST + (_MOST - _FEWEST) * share
    rng = Random(f"{recording.seed}/singing")
    sung: list[str] = []
    for line in lines:
        slips = rng.random() < chance and not _is_mark(line)
        sung += _slip(line, rng) if slips else [line]
    return "\n".join(sung)


def _is_mark(line: str) -> bool:
    """Return whether a line is blank or a section mark."""
    return not line.strip() or line.strip().startswith("[")


def _slip(line: str, rng: Random) -> list[str]:
    slip = rng.choices([*_SLIPS], [*_SLIPS.values()])[0]
    if slip == "left out":
        return []
    if slip == "repeated":
        return [line, line]
    words = line.split()
    words[rng.randrange(len(words))] = rng.choice(_OTHER_WORDS)
    return [" ".join(words)]
