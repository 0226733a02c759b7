"""What leaves the notebook: songs as files with tags, lyrics, playlist, tables and provenance."""

from musicapi_nb.exports.api import export
from musicapi_nb.exports.timed import lrc
from musicapi_nb.exports.values import Exported, ExportedSong, ExportFailed, Outcome

__all__ = ["ExportFailed", "Exported", "ExportedSong", "Outcome", "export", "lrc"]
