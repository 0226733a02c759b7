"""Export of songs as audio files with tags, lyrics, a playlist, tables and provenance."""

from musicapi_nb.errors import ExportFailed
from musicapi_nb.exports._export import export
from musicapi_nb.exports._lrc import lrc
from musicapi_nb.exports.result import ExportedSong, ExportResult, Outcome

__all__ = ["ExportFailed", "ExportResult", "ExportedSong", "Outcome", "export", "lrc"]
