"""What leaves the notebook: songs as files with tags, lyrics, playlist, tables and provenance."""

from musicapi_nb.export.lrc import lrc

__all__ = ["lrc"]
