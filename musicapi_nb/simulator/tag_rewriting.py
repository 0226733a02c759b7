"""Rewrite the requested text to a song's tags: one pass for sonic, one to three steps for studio.

A pass takes the tags in order. Each spelling becomes its standard tag, the first rewrite or drop
rule that applies changes it, and its add rules queue up further tags. At the end the additions
fill the list up to ``MOST_TAGS``; a decade comes last, and never two. ``vocabulary.RULES`` has all
chances. A song whose tags are all dropped gets a random genre. No I/O.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from random import Random
from typing import NamedTuple

from musicapi_nb.simulator import vocabulary
from musicapi_nb.simulator.vocabulary import DECADES, GENRES, KNOWN, MOST_TAGS, SPELLINGS, Rule

_LIST_WORDS = 3
"""A comma-separated part of at most this many words counts as a tag, a longer one as prose."""
_LONGEST_FIRST = sorted(map(re.escape, KNOWN), key=len, reverse=True)
_KNOWN_TAG = re.compile(rf"(?<![\w&'-])(?:{'|'.join(_LONGEST_FIRST)})(?![\w&'-])")
_RULES_BY_TAG: defaultdict[str, list[Rule]] = defaultdict(list)
for _rule in vocabulary.RULES:
    _RULES_BY_TAG[_rule.tag].append(_rule)


class Step(NamedTuple):
    """One entry of studio's ``replaced_tags``: the text before and the tags after."""

    source: str
    tags: tuple[str, ...]


def split(text: str) -> tuple[str, ...]:
    """Split comma-separated text into lower-case tags, without empty ones or repeats."""
    parts = (" ".join(part.split()).lower() for part in re.split(r"[,;\n]", text))
    return tuple(dict.fromkeys(part for part in parts if part))


def requested_text(prompt: str) -> str:
    """Return the part of a description that requests tags.

    A list of short parts is returned whole; of prose, the known tags in it; without known tags,
    the whole prompt.
    """
    parts = split(prompt)
    if parts and all(len(part.split()) <= _LIST_WORDS for part in parts):
        return prompt.strip()
    tags = [tag for part in parts for tag in _KNOWN_TAG.findall(part)]
    return ", ".join(dict.fromkeys(tags)) or prompt.strip()


def one_pass(tags: Sequence[str], rng: Random, negative: Iterable[str] = ()) -> tuple[str, ...]:
    """Apply ``RULES`` once; ``negative`` tags are neither kept nor added."""
    excluded = set(negative)
    kept_tags: dict[str, None] = {}
    added_tags: dict[str, None] = {}
    for requested in tags:
        tag = SPELLINGS.get(requested, requested)
        rules = _RULES_BY_TAG[tag if tag in KNOWN else "*"]
        changed = _keep_or_rewrite(tag, rules, rng)
        if changed is not None and changed not in excluded:
            kept_tags[changed] = None
        for rule in rules:
            if rule.kind == "add" and rng.random() < rule.chance and rule.to not in excluded:
                added_tags[rule.to] = None
    additions = [tag for tag in added_tags if tag not in kept_tags and tag not in DECADES]
    rng.shuffle(additions)
    decades = [tag for tag in (*kept_tags, *added_tags) if tag in DECADES]
    additions += [tag for tag in decades[:1] if tag not in kept_tags]
    return tuple([*kept_tags, *additions][: max(MOST_TAGS, len(kept_tags))])


def sonic_tags(text: str, rng: Random, negative: str = "") -> tuple[str, ...]:
    """Return a sonic clip's tags: one pass over the requested text, never empty."""
    return one_pass(_split_known(text), rng, split(negative)) or (rng.choice(tuple(GENRES)),)


def described_tags(description: str, rng: Random, negative: str = "") -> tuple[str, ...]:
    """Return tags for a description: the known tags in it, with a random genre if it has none."""
    tags = [tag for part in split(description) for tag in _KNOWN_TAG.findall(part)]
    if not any(SPELLINGS.get(tag, tag) in GENRES for tag in tags):
        tags.append(rng.choice(tuple(GENRES)))
    return sonic_tags(", ".join(tags), rng, negative)


def studio_steps(prompt: str, rng: Random, *, first: bool, negative: str = "") -> tuple[Step, ...]:
    """Rewrite a studio prompt in one to three steps; the last step's tags are the song's.

    Each later step reads the joined tags of the step before. The first song of a task reads
    compounds as their components (``COMPOUNDS``), the second does not.
    """
    source = requested_text(prompt)
    requested = _split_known(source)
    if first and vocabulary.COMPOUNDS.keys() & set(requested):
        parts = [vocabulary.COMPOUNDS.get(tag, (tag,)) for tag in requested]
        rest = [component for part in parts for component in part[1:]]
        requested = tuple(dict.fromkeys([*(part[0] for part in parts), *rest]))
        source = ", ".join(requested)
    excluded = split(negative)
    count = rng.choices((1, 2, 3), (0.25, 0.5, 0.25))[0]
    tags = one_pass(requested, rng, excluded) or (rng.choice(tuple(GENRES)),)
    steps = [Step(source, tags)]
    while len(steps) < count:
        joined = ", ".join(tags)
        if joined in {step.source for step in steps}:
            break
        tags = _later_tags(requested, tags, rng, excluded)
        steps.append(Step(joined, tags))
    return tuple(steps)


def differing_steps(
    steps: tuple[Step, ...], tags: tuple[str, ...], rng: Random
) -> tuple[Step, ...]:
    """Change the last step where it ends in these tags: a task's two songs never share all tags."""
    *before, last = steps
    if last.tags != tags:
        return steps
    others = [genre for genre in GENRES if genre not in tags]
    return (*before, Step(last.source, (*tags[: MOST_TAGS - 1], rng.choice(others))))


def _later_tags(
    requested: Sequence[str], tags: Sequence[str], rng: Random, excluded: Iterable[str]
) -> tuple[str, ...]:
    dropped = [tag for tag in requested if tag not in tags and tag not in excluded]
    restored = [tag for tag in dropped if rng.random() < vocabulary.RETURN_CHANCE]
    passed = one_pass(tags, rng, excluded)
    kept_tags = [tag for tag in passed if tag not in restored][: max(1, MOST_TAGS - len(restored))]
    order = [tag for tag in (*kept_tags, *restored) if tag not in DECADES]
    rng.shuffle(order)
    return (*order, *(tag for tag in kept_tags if tag in DECADES)) or tuple(tags[:1])


def _keep_or_rewrite(tag: str, rules: Iterable[Rule], rng: Random) -> str | None:
    """Return the tag, its rewrite, or None if it is dropped."""
    for rule in rules:
        if rule.kind != "add" and rng.random() < rule.chance:
            return rule.to if rule.kind == "rewrite" else None
    return tag


def _split_known(text: str) -> tuple[str, ...]:
    """Split a list of tags, where "slow jazz" becomes two known tags."""
    tags: list[str] = []
    for part in split(text):
        known_tags = _KNOWN_TAG.findall(part)  # the longest match first
        tags += known_tags if " ".join(known_tags) == part else [part]
    return tuple(dict.fromkeys(tags))
