"""Plans: checked and priced lists of requests made from factors, before anything is sent."""

from musicapi_nb.plan.aliasing import Aliasing, Effect
from musicapi_nb.plan.cells import Cell, PlanProblem
from musicapi_nb.plan.dry_run import DryRun
from musicapi_nb.plan.plan import Plan
from musicapi_nb.plan.size import SmallestEffect, repeats_needed

__all__ = [
    "Aliasing",
    "Cell",
    "DryRun",
    "Effect",
    "Plan",
    "PlanProblem",
    "SmallestEffect",
    "repeats_needed",
]
