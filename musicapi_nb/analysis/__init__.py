"""Tag and listening science: frames in, frames out."""

from musicapi_nb.analysis.adherence import adherence, tag_fates
from musicapi_nb.analysis.answers import preferences_frame
from musicapi_nb.analysis.draw import Candidate, Drawn, Kind, NothingToCompare, draw
from musicapi_nb.analysis.scores import Preference, preference

__all__ = [
    "Candidate",
    "Drawn",
    "Kind",
    "NothingToCompare",
    "Preference",
    "adherence",
    "draw",
    "preference",
    "preferences_frame",
    "tag_fates",
]
