"""What an export did, and how that shows itself; what can go wrong with it as a whole."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from musicapi_nb import markup
from musicapi_nb.library.html import format_bytes

Outcome: TypeAlias = Literal["written", "replaced", "skipped", "failed"]
_WORDS: Mapping[Outcome, tuple[str, markup.Tone]] = {
    "written": ("written", "good"),
    "replaced": ("replaced", "info"),
    "skipped": ("whole already", "neutral"),
    "failed": ("failed", "bad"),
}
_SHOWN = 20


@dataclasses.dataclass(frozen=True, slots=True)
class ExportedSong:
    """One song of an export.

    Attributes
    ----------
    files
        Names in the folder or ZIP, the audio first; empty where it failed.
    outcome
        "skipped": its files were here, whole. "replaced": they were here, and were not whole, or
        of other ingredients. "failed": `why` tells it.
    """

    title: str
    outcome: Outcome
    files: tuple[str, ...] = ()
    reason: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class ExportResult:
    """What an export did; a card that shows itself.

    Attributes
    ----------
    path
        The folder or the ZIP.
    songs
        In the order of the playlist; those that failed have no file there.
    shared_files
        Names of the files that are not one song's: playlist, tables, manifest.
    size
        Bytes of all files of this export.
    notes
        What a person should know besides: a file's title or name, and what of it.
    """

    path: Path
    songs: tuple[ExportedSong, ...]
    shared_files: tuple[str, ...] = ()
    size: int = 0
    notes: tuple[tuple[str, str], ...] = ()

    @property
    def counts(self) -> dict[Outcome, int]:
        """How many songs had each outcome; only those that occur."""
        found = Counter(song.outcome for song in self.songs)
        return {outcome: found[outcome] for outcome in _WORDS if found[outcome]}

    @property
    def failed(self) -> tuple[ExportedSong, ...]:
        """The songs that are not in the export."""
        return tuple(song for song in self.songs if song.outcome == "failed")

    def __repr__(self) -> str:
        said = [f"{number:,} {_WORDS[outcome][0]}" for outcome, number in self.counts.items()]
        head = f"<Exported {self.path}: {', '.join(said) or 'no songs'}; {format_bytes(self.size)}>"
        lines = [f"- {title}: {reason}" for title, reason in self._said()]
        return "\n".join(map(markup.one_line, [head, *lines]))

    def _said(self) -> list[tuple[str, str]]:
        return [*((song.title, song.reason) for song in self.failed), *self.notes]

    def _shared(self) -> list[str]:
        tables = [name for name in self.shared_files if "/" in name]
        names = {Path(name).stem for name in tables}
        said = [f"tables: {', '.join(sorted(names))} ({_endings(tables)})"] if tables else []
        return [*(name for name in self.shared_files if name not in tables), *said]

    def _repr_html_(self) -> str:
        badges = [
            markup.badge(f"{number:,} {_WORDS[outcome][0]}", _WORDS[outcome][1])
            for outcome, number in self.counts.items()
        ]
        kept = [song for song in self.songs if song.files]
        rows = [(song.title, song.files[0], _endings(song.files[1:])) for song in kept]
        listed = markup.table(("song", "file", "beside it"), rows, limit=_SHOWN)
        said = self._said()
        wrong = markup.table(("what", "why"), said, limit=_SHOWN) if said else markup.EMPTY
        return markup.card(
            f"Exported to {self.path.name}",
            wrong,
            markup.collapsible(f"Files of {len(kept):,} songs", listed) if kept else markup.EMPTY,
            markup.caption(*self._shared()),
            markup.EMPTY if self.songs else markup.notice("There are no finished songs to export."),
            facts=markup.facts(str(self.path), format_bytes(self.size)),
            badges=badges,
            wide=True,
        )


def _endings(names: Iterable[str]) -> str:
    return ", ".join(sorted({Path(name).suffix for name in names}))
