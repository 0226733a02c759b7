"""Near misses: dropped and added tags of one song that look alike."""

import difflib
import functools
import itertools
from collections.abc import Mapping

import pandas as pd

from musicapi_nb.analysis._adherence import RequestedTags, tag_fates
from musicapi_nb.analysis.checks import as_frame
from musicapi_nb.analysis.source_tables import Source
from musicapi_nb.analysis.tag_matching import Match
from musicapi_nb.errors import InvalidArgument
from musicapi_nb.tasks.tags import tag_key

_COLUMNS = {"requested": "str", "returned": "str", "similarity": "float64", "songs": "int64"}
_FATES = ["dropped", "added"]


def near_misses(  # noqa: PLR0913 - all but two are keywords
    songs: Source,
    tags: Source | None = None,
    *,
    requested_tags: RequestedTags = "requested_tags",
    match: Match = "tag",
    aliases: Mapping[str, str] | None = None,
    min_similarity: float = 0.6,
) -> pd.DataFrame:
    """List pairs of a dropped and an added tag of one song that look alike.

    They may be one tag in two spellings. Accept those that are, and compare again:

        misses = near_misses(songs, tags)
        aliases = dict(zip(misses["returned"], misses["requested"]))
        adherence(songs, tags, aliases=aliases)

    Parameters
    ----------
    songs, tags, requested_tags, match, aliases
        As for `tag_fates`.
    min_similarity
        Leave out pairs below this similarity of their letters (0 to 1; the ratio of Python's
        difflib).

    Returns
    -------
    pd.DataFrame
        `requested, returned` (str: the dropped and the added tag, in their first spelling),
        `similarity` (float64), `songs` (int64: with this pair), most frequent first.
    """
    if not isinstance(min_similarity, int | float) or not 0 <= min_similarity <= 1:
        raise InvalidArgument(f"min_similarity must be between 0 and 1, not {min_similarity!r}")
    fates = tag_fates(songs, tags, requested_tags=requested_tags, match=match, aliases=aliases)
    fates = fates[fates["fate"].isin(_FATES)]
    spellings: dict[tuple[str, str], list[str]] = {}
    numbers: dict[tuple[str, str], int] = {}
    keys = [name for name in ("cell", "task_id", "song_id") if name in fates]
    for _, song in fates.groupby(keys, sort=False, dropna=False, observed=True):
        dropped, added = (song["tag"][song["fate"] == fate].tolist() for fate in _FATES)
        for pair in itertools.product(dropped, added):
            key = tag_key(pair[0]), tag_key(pair[1])
            spellings.setdefault(key, list(pair))
            numbers[key] = numbers.get(key, 0) + 1
    rows = [
        (*spellings[key], similarity, numbers[key])
        for key in spellings
        if (similarity := _similarity(*key)) >= min_similarity
    ]
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    table = table.sort_values(["songs", "similarity"], ascending=False, kind="stable")
    return as_frame(table.reset_index(drop=True), _COLUMNS)


@functools.lru_cache(maxsize=65536)
def _similarity(first: str, second: str) -> float:
    return difflib.SequenceMatcher(None, first, second, autojunk=False).ratio()
