"""Comparison boards: songs side by side, prompts down and models across."""

from musicapi_nb.widgets.compare.board import Board, compare

__all__ = ["Board", "compare"]
