"""Plans: factors to a list of requests, checked, priced and judged before anything is sent."""

from musicapi_nb.plan.aliasing import Effect, Effects
from musicapi_nb.plan.cells import Cell
from musicapi_nb.plan.dry_run import DryRun
from musicapi_nb.plan.plan import Plan, PlanProblem

__all__ = ["Cell", "DryRun", "Effect", "Effects", "Plan", "PlanProblem"]
