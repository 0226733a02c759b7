"""The command line: buy songs, check plans, run experiments and export, without a notebook."""

from musicapi_nb.cli._main import main

__all__ = ["main"]
