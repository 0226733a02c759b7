"""Analyses of tags, durations and other outcomes: functions from tables to tables."""

from musicapi_nb.analysis._adherence import adherence, tag_fates
from musicapi_nb.analysis._cooccurrence import cooccurrence, exclusive_sets, tag_counts
from musicapi_nb.analysis._effects import effects
from musicapi_nb.analysis._stability import stability
from musicapi_nb.analysis._substitutions import substitution_graph, substitutions
from musicapi_nb.analysis.variance_components import variance

__all__ = [
    "adherence",
    "cooccurrence",
    "effects",
    "exclusive_sets",
    "stability",
    "substitution_graph",
    "substitutions",
    "tag_counts",
    "tag_fates",
    "variance",
]
