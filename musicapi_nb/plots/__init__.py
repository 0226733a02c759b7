"""Frames as pictures: each function takes a table of `analysis` or `frames`, and gives Axes."""

from musicapi_nb.plots.course import timeline
from musicapi_nb.plots.forest import effects
from musicapi_nb.plots.heat import cooccurrence
from musicapi_nb.plots.ribbons import substitutions
from musicapi_nb.plots.sets import upset
from musicapi_nb.plots.shares import adherence
from musicapi_nb.plots.spread import durations, latencies

__all__ = [
    "adherence",
    "cooccurrence",
    "durations",
    "effects",
    "latencies",
    "substitutions",
    "timeline",
    "upset",
]
