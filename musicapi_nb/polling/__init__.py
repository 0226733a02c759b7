"""When to ask next how a task is doing, learned from past render times. Pure: no clock, no wait."""

from musicapi_nb.polling._optimal_schedule import Schedule, best
from musicapi_nb.polling.history import PRICE, Eta, History, Key
from musicapi_nb.polling.priors import Prior, prior, usual
from musicapi_nb.polling.scheduler import SHORTEST, Scheduler

__all__ = [
    "PRICE",
    "SHORTEST",
    "Eta",
    "History",
    "Key",
    "Prior",
    "Schedule",
    "Scheduler",
    "best",
    "prior",
    "usual",
]
