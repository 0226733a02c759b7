"""Noisy-or model of tag rewriting, fitted by expectation-maximisation. No I/O.

For one step, the model has the chances

    r(b, t)  that tag b of the source is rewritten as t,
    d(b)     that b is dropped (a tag is kept, rewritten or dropped),
    a(b, t)  that b also adds t, in any of these cases, and
    n(t)     that t is added without a cause.

docs/statistics.md has its formulas, the E and M steps, the stages of the fit and the sources.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from musicapi_nb.analysis.array_types import Floats
from musicapi_nb.analysis.clusters import sum_by_code
from musicapi_nb.tasks.tag_words import join_words, tag_words

NOTHING = -1
"""The code of no tag: the source of tags without a cause, the target of dropped tags."""
_TINY, _TOLERANCE = 1e-12, 1e-5
_START_REWRITE, _START_REWRITE_SHARED, _START_DROP = 0.3, 0.6, 0.3
_START_ADD, _START_ADD_SHARED, _START_ADD_BY_LOST, _START_NOTHING = 0.05, 0.1, 0.001, 0.01
_PRIOR, _PRIOR_NOTHING, _MIN_PRIOR = 0.5, 1.0, 0.1
_LINK = ["step", "source", "target"]


class Event(NamedTuple):
    """Tags of one song before and after one step, without repeats."""

    step: int
    before: tuple[str, ...]
    after: tuple[str, ...]


class Attributions(NamedTuple):
    """Tags by code; sources: event, step, source; rows: these, kind, target, chance.

    `source` and `target` are codes of tags, or `NOTHING`, which is a source of every event.
    """

    tags: list[str]
    sources: pd.DataFrame
    rows: pd.DataFrame


class Params(NamedTuple):
    """The chances r, d, a and n of the model, by row of `_Tables`; equal where `param` is."""

    rewrite: Floats
    drop: Floats
    add: Floats
    nothing: Floats


class Posterior(NamedTuple):
    """Chances that possible rewritings, drops and additions happened, by row of `_Tables`."""

    rewritten: Floats
    dropped: Floats
    added: Floats
    nothing: Floats


class Stage(NamedTuple):
    """The number of rounds, and whether a of kept tags, and a of lost tags and n, are fitted."""

    rounds: int
    fit_kept: bool = False
    fit_all: bool = False


_STAGES = (Stage(10), Stage(30, fit_kept=True), Stage(500, fit_kept=True, fit_all=True))


def attribute(events: Sequence[Event], weight: Floats) -> Attributions:
    """Estimate what happened to the tags of each event; `weight` is its number of occurrences."""
    tables = _read_events(events, weight)
    params = _start(tables)
    posterior = e_step(params, tables, _STAGES[0])
    for stage in _STAGES:
        if stage.fit_all:
            params = params._replace(add=np.maximum(params.add, _START_ADD_BY_LOST))
        for _ in range(stage.rounds):
            posterior = e_step(params, tables, stage)
            previous, params = params, m_step(posterior, params, tables, stage)
            if stage.fit_all and _distance(previous, params) < _TOLERANCE:
                break
    sources = tables.sources[["event", "step", "source"]]
    kept_tags = tables.sources[tables.sources["is_kept"] == 1]
    rows = [
        kept_tags.assign(kind="kept", target=kept_tags["source"], chance=1.0),
        tables.parts.assign(kind="rewritten", chance=1.0),
        tables.rewriting.assign(kind="rewritten", chance=posterior.rewritten),
        tables.lost.assign(kind="dropped", chance=posterior.dropped),
        tables.adding.assign(kind="added", chance=posterior.added),
        tables.new.assign(kind="added", chance=posterior.nothing),
    ]
    columns = ["kind", "event", *_LINK, "chance"]
    return Attributions(tables.tags, sources, pd.concat(rows, ignore_index=True)[columns])


def _distance(previous: Params, params: Params) -> float:
    """Return the largest change of a chance."""
    fitted = (params.rewrite, params.add, params.nothing)
    earlier = (previous.rewrite, previous.add, previous.nothing)
    return float(np.abs(np.concatenate(fitted) - np.concatenate(earlier)).max(initial=0.0))


class _Tables(NamedTuple):
    """Tags and possible links of all events, with the columns event, step, source, target.

    - sources: tags before the step, with `is_kept`, and `NOTHING` for every event; no target
    - lost: tags that are not kept, with `NOTHING` as their target; `is_open`: without parts
    - new: new tags, with `NOTHING` as their source
    - parts: new tags that are parts of a lost one
    - rewriting, adding: possible rewritings of open lost tags, possible additions

    `slot` is the row of a link's target in new, `lost_row` that of its source in lost. `param`
    numbers the parameters: r of rewriting, d of lost, a of adding, n of new. `weight` is that of
    the event, `times` the weight of a parameter's opportunities, `kept_times` of those where the
    source was kept.
    """

    tags: list[str]
    sources: pd.DataFrame
    lost: pd.DataFrame
    new: pd.DataFrame
    parts: pd.DataFrame
    rewriting: pd.DataFrame
    adding: pd.DataFrame


def _read_events(events: Sequence[Event], weight: Floats) -> _Tables:
    tags = list(dict.fromkeys(tag for event in events for tag in (*event.before, *event.after)))
    codes = {tag: code for code, tag in enumerate(tags)}
    step = np.array([event.step for event in events], dtype="int64")

    def table(rows: list[tuple[int, ...]], *columns: str) -> pd.DataFrame:
        frame = pd.DataFrame(rows, columns=["event", *columns], dtype="int64")
        return frame.assign(step=step[frame["event"]], weight=weight[frame["event"]])

    def with_params(links: pd.DataFrame) -> pd.DataFrame:
        return links.assign(param=links.groupby(_LINK).ngroup()).reset_index(drop=True)

    rows: list[tuple[int, ...]]
    rows = [(i, codes[tag], tag in e.after) for i, e in enumerate(events) for tag in e.before]
    before = table(rows, "source", "is_kept")
    is_lost = before["is_kept"] == 0
    before["lost_row"] = is_lost.cumsum() - 1
    nothing = table([(i, NOTHING, 0) for i in range(len(events))], "source", "is_kept")
    sources = pd.concat([nothing, before])
    rows = [(i, codes[tag]) for i, e in enumerate(events) for tag in e.after if tag not in e.before]
    new = with_params(table(rows, "target").assign(source=NOTHING, slot=range(len(rows))))

    adding = with_params(before.merge(new[["event", "target", "slot"]], on="event"))
    of_lost = adding[adding["is_kept"] == 0]
    pairs = zip(of_lost["target"], of_lost["source"], strict=True)
    is_part = np.array([_is_part(tags[new], tags[lost]) for new, lost in pairs], dtype=bool)
    parts = of_lost[is_part]
    lost = with_params(before[is_lost].assign(target=NOTHING))
    lost["is_open"] = ~lost["lost_row"].isin(parts["lost_row"])
    rewriting = with_params(of_lost[lost["is_open"].to_numpy()[of_lost["lost_row"]]])
    kept_tags = sources[sources["is_kept"] == 1]
    new["times"] = _opportunities(new, sources, sources)
    adding["times"] = _opportunities(adding, sources, sources)
    adding["kept_times"] = _opportunities(adding, kept_tags, sources)
    return _Tables(tags, sources, lost, new, parts, rewriting, adding)


def hidden_links(sources: pd.DataFrame, all_sources: pd.DataFrame) -> pd.DataFrame:
    """Return the links to targets that the source already has, so that they are not observable."""
    targets = all_sources.loc[all_sources["source"] != NOTHING, ["event", "source"]]
    return sources.merge(targets.rename(columns={"source": "target"}), on="event")


def _opportunities(links: pd.DataFrame, sources: pd.DataFrame, all_sources: pd.DataFrame) -> Floats:
    """Count the songs with the source, but not the target, of each link before the step."""
    present = sources.groupby(["step", "source"])["weight"].sum()
    hidden = hidden_links(sources, all_sources).groupby(_LINK)["weight"].sum()
    present = present.reindex(pd.MultiIndex.from_frame(links[["step", "source"]]), fill_value=0.0)
    hidden = hidden.reindex(pd.MultiIndex.from_frame(links[_LINK]), fill_value=0.0)
    opportunities: Floats = present.to_numpy("float64") - hidden.to_numpy("float64")
    return opportunities


def _is_part(tag: str, other: str) -> bool:
    """Return whether a tag has only words of the other one, or is another spelling of it."""
    words, other_words = tag_words(tag), tag_words(other)
    return set(words) < set(other_words) or join_words(words) == join_words(other_words)


def _start(tables: _Tables) -> Params:
    word_sets = [set(tag_words(tag)) for tag in tables.tags]

    def chances(links: pd.DataFrame, chance: float, shared: float) -> Floats:
        pairs = zip(links["source"].tolist(), links["target"].tolist(), strict=True)
        values = [
            shared if word_sets[source] & word_sets[target] else chance for source, target in pairs
        ]
        return np.array(values, dtype="float64")

    return Params(
        chances(tables.rewriting, _START_REWRITE, _START_REWRITE_SHARED),
        np.full(len(tables.lost), _START_DROP),
        chances(tables.adding, _START_ADD, _START_ADD_SHARED),
        np.full(len(tables.new), _START_NOTHING),
    )


def _log_not(chance: Floats) -> Floats:
    return np.log1p(-np.minimum(chance, 1 - _TINY))


def _divide(part: Floats, total: Floats) -> Floats:
    return part / np.maximum(total, _TINY)


def e_step(params: Params, tables: _Tables, stage: Stage) -> Posterior:
    """Return the posterior chances of what happened in each event."""
    rewriting, adding, lost = tables.rewriting, tables.adding, tables.lost
    slot, lost_row = rewriting["slot"].to_numpy(), rewriting["lost_row"].to_numpy()
    slots = len(tables.new)
    add = params.add if stage.fit_all else np.where(adding["is_kept"], params.add, 0.0)
    nothing = np.maximum(params.nothing, _TINY)
    log_off = sum_by_code(adding["slot"].to_numpy(), _log_not(add), slots) + _log_not(nothing)

    stays = _log_not(params.rewrite)
    other_causes = -np.expm1(log_off[slot] + sum_by_code(slot, stays, slots)[slot] - stays)
    odds = _divide(params.rewrite, other_causes)
    total = np.maximum(params.drop + sum_by_code(lost_row, odds, len(lost)), _TINY)
    rewritten = odds / total[lost_row]

    explained = -np.expm1(sum_by_code(slot, _log_not(rewritten), slots))
    explained[tables.parts["slot"]] = 1.0
    unexplained = _divide(1 - explained, -np.expm1(log_off))
    added = np.minimum(add * (unexplained + explained)[adding["slot"]], 1.0)
    dropped = np.where(lost["is_open"], params.drop / total, 0.0)
    return Posterior(rewritten, dropped, added, np.minimum(nothing * unexplained, 1.0))


def m_step(posterior: Posterior, params: Params, tables: _Tables, stage: Stage) -> Params:
    """Return the chances that fit the posterior; those not fitted at this stage stay."""
    rewriting, lost, adding, new = tables.rewriting, tables.lost, tables.adding, tables.new
    tag, lost_row = lost["param"].to_numpy(), rewriting["lost_row"].to_numpy()
    prior = _PRIOR * _prior_weight(_sum_by_param(lost, lost["is_open"].to_numpy()))
    counts = np.maximum(_sum_by_param(rewriting, posterior.rewritten) - prior[lost_row], 0.0)
    drops = _sum_by_param(lost, posterior.dropped)
    first = ~rewriting["param"].duplicated().to_numpy()
    total = drops + sum_by_code(tag[lost_row[first]], counts[first], len(lost))[tag]
    add, nothing = params.add, params.nothing
    if stage.fit_kept:
        opportunities = adding["times" if stage.fit_all else "kept_times"]
        add = _mean_chance(adding, posterior.added, opportunities.to_numpy(), _PRIOR)
    if stage.fit_all:
        nothing = _mean_chance(new, posterior.nothing, new["times"].to_numpy(), _PRIOR_NOTHING)
    drop = np.where(total > 0, _divide(drops, total), 1.0)
    return Params(_divide(counts, total[lost_row]), drop, add, nothing)


def _mean_chance(links: pd.DataFrame, posterior: Floats, times: Floats, prior: float) -> Floats:
    counts = _sum_by_param(links, posterior) - prior * _prior_weight(times)
    return np.clip(_divide(counts, times), 0.0, 1.0)


def _sum_by_param(table: pd.DataFrame, posterior: Floats) -> Floats:
    """Return, for each row, the sum over all rows of its parameter."""
    param = table["param"].to_numpy()
    sums = sum_by_code(param, table["weight"].to_numpy() * posterior)
    return np.asarray(sums[param])


def _prior_weight(times: Floats) -> Floats:
    """Return how much of the prior counts: little if there was a single opportunity."""
    return np.maximum(1 - 1 / np.maximum(times, 1.0), _MIN_PRIOR)
