"""From the asked text to a song's tags: one pass for sonic, one to three steps for studio.

A pass goes over the tags in order. Spellings are settled; a rewrite or drop rule of the tag may
strike (the first that does); then its add rules may bring others, which queue up behind. At the
end the additions fill up to ``MOST_TAGS``, a decade last and never a second one. All chances stand
in ``vocabulary.RULES``. A song whose tags were all dropped gets a genre made up.
"""

import re
from collections.abc import Iterable, Sequence
from random import Random
from typing import NamedTuple

from musicapi_nb.simulator.vocabulary import (
    COMPOUNDS,
    DECADES,
    GENRES,
    KNOWN,
    MOST_TAGS,
    RETURN_CHANCE,
    RULES,
    SPELLINGS,
    Rule,
)

_STEP_CHANCES = (0.25, 0.5, 0.25)
_LIST_WORDS = 3
_LONGEST_TAG_WORDS = 3
_BY_TAG: dict[str, tuple[Rule, ...]] = {}
for _rule in RULES:
    _BY_TAG[_rule.tag] = (*_BY_TAG.get(_rule.tag, ()), _rule)


class Step(NamedTuple):
    """One rewriting of studio's ``replaced_tags``: the text it read and the tags it made of it."""

    source: str
    tags: tuple[str, ...]


def split(text: str) -> tuple[str, ...]:
    """Split a comma-separated text into its tags, in lower case, without empty ones or repeats."""
    parts = (" ".join(part.split()).lower() for part in re.split(r"[,;\n]", text))
    return tuple(dict.fromkeys(part for part in parts if part))


def asked_text(prompt: str) -> str:
    """Give the part of a description that asks for tags.

    A plain list of short parts is taken whole; of prose, the known tags within each part. Where
    nothing is known, the whole prompt.
    """
    parts = split(prompt)
    if parts and all(len(part.split()) <= _LIST_WORDS for part in parts):
        return prompt.strip()
    found = [tag for part in parts for tag in ([part] if part in KNOWN else _known_within(part))]
    return ", ".join(dict.fromkeys(found)) or prompt.strip()


def one_pass(tags: Sequence[str], rng: Random, avoid: Iterable[str] = ()) -> tuple[str, ...]:
    """Apply ``RULES`` once; tags in ``avoid`` are neither kept nor added."""
    unwanted = set(avoid)
    kept: dict[str, None] = {}
    added: dict[str, None] = {}
    for asked in tags:
        tag = SPELLINGS.get(asked, asked)
        rules = _BY_TAG.get(tag, ()) if tag in KNOWN else _BY_TAG["*"]
        final = _struck(tag, rules, rng)
        if final is not None and final not in unwanted:
            kept[final] = None
        for rule in rules:
            if rule.kind == "add" and rng.random() < rule.chance and rule.to not in unwanted:
                added[rule.to] = None
    fresh = [tag for tag in added if tag not in kept and tag not in DECADES]
    rng.shuffle(fresh)
    decades = [tag for tag in (*kept, *added) if tag in DECADES]
    fresh += [tag for tag in decades[:1] if tag not in kept]
    return tuple([*kept, *fresh][: max(MOST_TAGS, len(kept))])


def sonic_tags(text: str, rng: Random, avoid: str = "") -> tuple[str, ...]:
    """Tags of a sonic clip: one pass over the asked text, never empty."""
    return one_pass(_understood(text), rng, split(avoid)) or (rng.choice(tuple(GENRES)),)


def described_tags(description: str, rng: Random, avoid: str = "") -> tuple[str, ...]:
    """Tags of a clip that was asked for by a description: what it names, or a genre made up."""
    asked = [tag for part in split(description) for tag in _known_within(part)]
    if not any(SPELLINGS.get(tag, tag) in GENRES for tag in asked):
        asked.append(rng.choice(tuple(GENRES)))
    return sonic_tags(", ".join(asked), rng, avoid)


def studio_steps(prompt: str, rng: Random, *, first: bool, avoid: str = "") -> tuple[Step, ...]:
    """Rewrite a studio prompt in one to three steps; the last step's tags are the song's.

    Each step after the first reads the joined tags of the one before. The first song of a task
    reads compounds as their parts (``COMPOUNDS``), the second does not.
    """
    source = asked_text(prompt)
    asked = _understood(source)
    if first and (parted := _without_compounds(asked)) != asked:
        asked, source = parted, ", ".join(parted)
    unwanted = split(avoid)
    wanted = rng.choices((1, 2, 3), _STEP_CHANCES)[0]
    tags = one_pass(asked, rng, unwanted) or (rng.choice(tuple(GENRES)),)
    steps = [Step(source, tags)]
    while len(steps) < wanted:
        joined = ", ".join(tags)
        if joined in {step.source for step in steps}:
            break
        tags = _second_thoughts(asked, tags, rng, unwanted)
        steps.append(Step(joined, tags))
    return tuple(steps)


def unlike(steps: tuple[Step, ...], other: tuple[str, ...], rng: Random) -> tuple[Step, ...]:
    """Give steps whose last tags differ from ``other``: two songs of one task never agree."""
    last = steps[-1]
    if last.tags != other:
        return steps
    genre = next((GENRES[tag] for tag in last.tags if tag in GENRES), None)
    near = genre.neighbours if genre else tuple(GENRES)
    extra = [tag for tag in (*near, *rng.sample(tuple(GENRES), 3)) if tag not in last.tags]
    return (*steps[:-1], Step(last.source, (*last.tags[: MOST_TAGS - 1], extra[0])))


def _second_thoughts(
    asked: Sequence[str], tags: Sequence[str], rng: Random, avoid: Iterable[str]
) -> tuple[str, ...]:
    lost = [tag for tag in asked if tag not in tags and tag not in avoid]
    back = [tag for tag in lost if rng.random() < RETURN_CHANCE]
    settled = one_pass(tags, rng, avoid)
    keep = [tag for tag in settled if tag not in back][: max(1, MOST_TAGS - len(back))]
    order = [tag for tag in (*keep, *back) if tag not in DECADES]
    rng.shuffle(order)
    return (*order, *(tag for tag in keep if tag in DECADES)) or tuple(tags[:1])


def _struck(tag: str, rules: Iterable[Rule], rng: Random) -> str | None:
    for rule in rules:
        if rule.kind != "add" and rng.random() < rule.chance:
            return rule.to if rule.kind == "rewrite" else None
    return tag


def _without_compounds(tags: Iterable[str]) -> tuple[str, ...]:
    """Lead with the main part of each compound; their colourings come last."""
    heads: list[str] = []
    tails: list[str] = []
    for tag in tags:
        head, *rest = COMPOUNDS.get(tag, (tag,))
        heads.append(head)
        tails += rest
    return tuple(dict.fromkeys([*heads, *tails]))


def _understood(text: str) -> tuple[str, ...]:
    """Tags of a list, where "slow jazz" is read as its two known words."""
    tags: list[str] = []
    for part in split(text):
        within = _known_within(part)
        tags += within if " ".join(within) == part else [part]
    return tuple(dict.fromkeys(tags))


def _known_within(text: str) -> list[str]:
    """Known tags in running text, the longest match first, in their order."""
    words = re.findall(r"[\w&'-]+", text.lower())
    found: list[str] = []
    at = 0
    while at < len(words):
        for length in range(_LONGEST_TAG_WORDS, 0, -1):
            candidate = " ".join(words[at : at + length])
            if candidate in KNOWN:
                found.append(candidate)
                at += length
                break
        else:
            at += 1
    return found
