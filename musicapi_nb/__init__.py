"""The Jupyter toolkit for MusicAPI."""
