"""The result of an export, and its card."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from musicapi_nb import markup
from musicapi_nb.library.html import format_bytes

Outcome: TypeAlias = Literal["written", "replaced", "skipped", "failed"]
_LABELS: Mapping[Outcome, tuple[str, markup.Tone]] = {
    "written": ("written", "good"),
    "replaced": ("written again", "info"),
    "skipped": ("already there", "neutral"),
    "failed": ("failed", "bad"),
}
_MAX_ROWS = 20


@dataclasses.dataclass(frozen=True, slots=True)
class ExportedSong:
    """One song of an export; `files` are names in the folder or ZIP, the audio first.

    `outcome`: "written", "skipped" (its files were present and unchanged), "replaced" (they were
    damaged or outdated), or "failed" (see `reason`; there are no files).
    """

    title: str
    outcome: Outcome
    files: tuple[str, ...] = ()
    reason: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class ExportResult:
    """The result of an export to a folder or ZIP; displays as a card.

    Attributes
    ----------
    songs
        Songs in the order of the playlist, followed by those that cannot be exported.
    shared_files
        Names of the playlist, the tables and the manifest.
    size
        Bytes of all files of this export.
    notes
        Further remarks: a title or file name, and a message.
    older
        Number of songs of earlier exports that are in the folder, and not in this export.
    """

    path: Path
    songs: tuple[ExportedSong, ...]
    shared_files: tuple[str, ...] = ()
    size: int = 0
    notes: tuple[tuple[str, str], ...] = ()
    older: int = 0

    @property
    def counts(self) -> dict[Outcome, int]:
        """Number of songs by outcome, without zeros."""
        counts = Counter(song.outcome for song in self.songs)
        return {outcome: counts[outcome] for outcome in _LABELS if counts[outcome]}

    @property
    def failed(self) -> tuple[ExportedSong, ...]:
        """Songs that are not in the export."""
        return tuple(song for song in self.songs if song.outcome == "failed")

    def __repr__(self) -> str:
        counts = [f"{count:,} {_LABELS[outcome][0]}" for outcome, count in self.counts.items()]
        summary = f"{', '.join(counts) or 'no songs'}; {format_bytes(self.size)}"
        lines = [f"<ExportResult {self.path}: {summary}>"]
        lines += [f"- {name}: {message}" for name, message in self._problems()]
        lines += [f"- {self._older_text()}"] if self.older else []
        return "\n".join(map(markup.one_line, lines))

    def _older_text(self) -> str:
        songs = markup.plural(self.older, "older song")
        return f"{songs} left in the folder, not in the playlist and tables"

    def _problems(self) -> list[tuple[str, str]]:
        return [*((song.title, song.reason) for song in self.failed), *self.notes]

    def _shared_files_text(self) -> list[str]:
        tables = [name for name in self.shared_files if "/" in name]
        text = [name for name in self.shared_files if "/" not in name]
        names = ", ".join(sorted({Path(name).stem for name in tables}))
        return [*text, f"tables: {names} ({_suffixes(tables)})"] if tables else text

    @markup.html_repr
    def _repr_html_(self) -> str:
        badges = [
            markup.badge(f"{count:,} {_LABELS[outcome][0]}", _LABELS[outcome][1])
            for outcome, count in self.counts.items()
        ]
        body: list[str] = []
        if problems := self._problems():
            body.append(markup.table(("song or file", "problem"), problems, limit=_MAX_ROWS))
        songs = [song for song in self.songs if song.files]
        if songs:
            rows = [(song.title, song.files[0], _suffixes(song.files[1:])) for song in songs]
            files = markup.table(("song", "file", "other files"), rows, limit=_MAX_ROWS)
            body.append(markup.collapsible(f"Files of {markup.plural(len(songs), 'song')}", files))
        body.append(markup.caption(*self._shared_files_text()))
        body.append(markup.caption(self._older_text()) if self.older else markup.EMPTY)
        if not self.songs:
            body.append(markup.notice("There are no finished songs to export."))
        facts = markup.facts(str(self.path), format_bytes(self.size))
        title = f"Exported to {self.path.name}"
        return markup.card(title, *body, facts=facts, badges=badges, wide=True)


def _suffixes(names: Iterable[str]) -> str:
    return ", ".join(sorted({Path(name).suffix for name in names}))
