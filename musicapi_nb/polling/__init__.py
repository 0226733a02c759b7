"""When to poll a task next, learned from past render times. No I/O and no clock."""

from musicapi_nb.polling._optimal_schedule import Schedule, optimal_schedule
from musicapi_nb.polling.history import POLL_COST, Eta, History, TaskKind
from musicapi_nb.polling.posterior import Prior, prior, published_range
from musicapi_nb.polling.scheduler import MIN_INTERVAL, Scheduler

__all__ = [
    "MIN_INTERVAL",
    "POLL_COST",
    "Eta",
    "History",
    "Prior",
    "Schedule",
    "Scheduler",
    "TaskKind",
    "optimal_schedule",
    "prior",
    "published_range",
]
