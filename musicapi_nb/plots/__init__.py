"""Plots of the tables that `analysis` and `frames` return; each function returns Axes.

They need the extra `plots`.
"""

import importlib
import sys
from typing import TYPE_CHECKING, Any

from musicapi_nb.extras import missing_extra, require_extra
from musicapi_nb.public_names import missing_name

if TYPE_CHECKING or not missing_extra("plots"):
    from musicapi_nb.plots._adherence import adherence
    from musicapi_nb.plots._effects import effects
    from musicapi_nb.plots._timeline import timeline
    from musicapi_nb.plots._upset import upset
    from musicapi_nb.plots.control_chart import drift
    from musicapi_nb.plots.cost_panels import costs
    from musicapi_nb.plots.distributions import durations, latencies
    from musicapi_nb.plots.dose_lines import dose_response
    from musicapi_nb.plots.heatmap import cooccurrence
    from musicapi_nb.plots.repeats import stability, variance
    from musicapi_nb.plots.sankey import substitutions
    from musicapi_nb.plots.score_chart import preference
    from musicapi_nb.plots.sound_chart import sound_adherence

__all__ = [
    "adherence",
    "cooccurrence",
    "costs",
    "dose_response",
    "drift",
    "durations",
    "effects",
    "latencies",
    "preference",
    "sound_adherence",
    "stability",
    "substitutions",
    "timeline",
    "upset",
    "variance",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise missing_name(__name__, name, __all__)
        require_extra("plots")
        importlib.reload(sys.modules[__name__])  # the extra was installed after the import
        return globals()[name]

    def __dir__() -> list[str]:
        return __all__
