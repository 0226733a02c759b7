"""What leaves the notebook: songs as files with tags, lyrics, playlist, tables and provenance."""

from musicapi_nb.exports._export import export
from musicapi_nb.exports._lrc import lrc
from musicapi_nb.exports.result import Exported, ExportedSong, Outcome

__all__ = ["ExportFailed", "Exported", "ExportedSong", "Outcome", "export", "lrc"]
