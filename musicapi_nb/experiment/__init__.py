"""A plan bought and waited for: a run that can stop, go on in another kernel, keep to a budget."""

from musicapi_nb.experiment.experiment import Experiment
from musicapi_nb.experiment.progress import CellState, Failure, Progress

__all__ = ["CellState", "Experiment", "Failure", "Progress"]
