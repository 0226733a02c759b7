"""Tag and listening science: frames in, frames out."""

from musicapi_nb.analysis.answers import preferences_frame
from musicapi_nb.analysis.asked import adherence, tag_fates
from musicapi_nb.analysis.components import variance
from musicapi_nb.analysis.draw import Candidate, Drawn, Kind, NothingToCompare, draw
from musicapi_nb.analysis.levels import effects
from musicapi_nb.analysis.repeats import stability
from musicapi_nb.analysis.rewriting import substitution_graph, substitutions
from musicapi_nb.analysis.scores import Preference, preference
from musicapi_nb.analysis.together import cooccurrence, exclusive_sets, tag_counts

__all__ = [
    "Candidate",
    "Drawn",
    "Kind",
    "NothingToCompare",
    "Preference",
    "adherence",
    "cooccurrence",
    "draw",
    "effects",
    "exclusive_sets",
    "preference",
    "preferences_frame",
    "stability",
    "substitution_graph",
    "substitutions",
    "tag_counts",
    "tag_fates",
    "variance",
]
