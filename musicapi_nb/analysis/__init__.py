"""Tag and listening science: frames in, frames out."""

from musicapi_nb.analysis._adherence import adherence, tag_fates
from musicapi_nb.analysis._cooccurrence import cooccurrence, exclusive_sets, tag_counts
from musicapi_nb.analysis._effects import effects
from musicapi_nb.analysis._stability import stability
from musicapi_nb.analysis._substitutions import substitution_graph, substitutions
from musicapi_nb.analysis.answers import preferences_frame
from musicapi_nb.analysis.draw import Candidate, Drawn, Kind, draw
from musicapi_nb.analysis.scores import Preference, preference
from musicapi_nb.analysis.variance_components import variance

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
