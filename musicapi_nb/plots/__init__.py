"""Plots of the tables that `analysis` and `frames` return; each function returns Axes.

They need the extra `plots`; without it the first use of a function says so.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from musicapi_nb.extras import require_extra
from musicapi_nb.public_names import missing_name

if TYPE_CHECKING:
    from musicapi_nb.plots._adherence import adherence as adherence
    from musicapi_nb.plots._effects import effects as effects
    from musicapi_nb.plots._timeline import timeline as timeline
    from musicapi_nb.plots._upset import upset as upset
    from musicapi_nb.plots.control_chart import drift as drift
    from musicapi_nb.plots.cost_panels import costs as costs
    from musicapi_nb.plots.distributions import durations as durations
    from musicapi_nb.plots.distributions import latencies as latencies
    from musicapi_nb.plots.dose_lines import dose_response as dose_response
    from musicapi_nb.plots.heatmap import cooccurrence as cooccurrence
    from musicapi_nb.plots.repeats import stability as stability
    from musicapi_nb.plots.repeats import variance as variance
    from musicapi_nb.plots.sankey import substitutions as substitutions
    from musicapi_nb.plots.score_chart import preference as preference
    from musicapi_nb.plots.sound_chart import sound_adherence as sound_adherence

# The functions by module; each is imported when it is first used.
_NAMES = {
    "musicapi_nb.plots._adherence": "adherence",
    "musicapi_nb.plots._effects": "effects",
    "musicapi_nb.plots._timeline": "timeline",
    "musicapi_nb.plots._upset": "upset",
    "musicapi_nb.plots.control_chart": "drift",
    "musicapi_nb.plots.cost_panels": "costs",
    "musicapi_nb.plots.distributions": "durations latencies",
    "musicapi_nb.plots.dose_lines": "dose_response",
    "musicapi_nb.plots.heatmap": "cooccurrence",
    "musicapi_nb.plots.repeats": "stability variance",
    "musicapi_nb.plots.sankey": "substitutions",
    "musicapi_nb.plots.score_chart": "preference",
    "musicapi_nb.plots.sound_chart": "sound_adherence",
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names.split()}
__all__ = sorted(_MODULE_OF)  # noqa: PLE0605 - generated from the table above

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in _MODULE_OF:
            raise missing_name(__name__, name, __all__)
        require_extra("plots")
        value = getattr(importlib.import_module(_MODULE_OF[name]), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return __all__
