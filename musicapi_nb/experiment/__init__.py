"""Experiments: plans bought into a library within a budget, resumable in a later kernel."""

from musicapi_nb.experiment.experiment import Experiment
from musicapi_nb.experiment.progress import CellState, Failure, Progress
from musicapi_nb.experiment.stop_rule import StopRule

__all__ = ["CellState", "Experiment", "Failure", "Progress", "StopRule"]
