"""Tests of what the simulator's singers make of lyrics."""

from musicapi_nb.simulator.music.recording import Recording
from musicapi_nb.simulator.music.singer import sing

LINES = [f"line {number} of the song" for number in range(200)]
LYRICS = "[Verse]\n\n" + "\n".join(LINES)


def sung(seconds: float, seed: str = "a") -> list[str]:
    return sing(LYRICS, Recording(seed, (), seconds, instrumental=False)).split("\n")


def test_a_seed_decides_which_lines_differ() -> None:
    assert sung(300) == sung(300)
    assert sung(300) != sung(300, "b")
    assert sung(300)[:2] == ["[Verse]", ""]


def test_hurried_singers_keep_fewer_lines_than_slow_ones() -> None:
    slow, fast = sung(1_000), sung(60)
    assert 0.9 < share_sung(slow) < 1
    assert 0.6 < share_sung(fast) < 0.85
    assert len(set(LINES) & set(slow)) > len(set(LINES) & set(fast))


def share_sung(lines: list[str]) -> float:
    """Return the share of lines that were sung once, as they are written."""
    return sum(lines.count(line) == 1 for line in LINES) / len(LINES)
