"""A blind test laid out: songs drawn, their files found, measured and matched; kept once."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musicapi_nb._blind_test import loudness_match, store
from musicapi_nb._blind_test.candidates import LeftOut
from musicapi_nb._blind_test.design import draw
from musicapi_nb._blind_test.store import Shown, Trial
from musicapi_nb.client.download import suffix_of
from musicapi_nb.errors import InvalidArgument, MusicAPIError, NoAudio, NothingToCompare
from musicapi_nb.tasks import Song
from musicapi_nb.widgets import song_audio

if TYPE_CHECKING:
    from musicapi_nb._blind_test.candidates import Entrants
    from musicapi_nb._blind_test.design import Drawn, Kind
    from musicapi_nb._blind_test.loudness_match import Form, Measured
    from musicapi_nb._blind_test.store import BlindDesign
    from musicapi_nb.library import Library
    from musicapi_nb.widgets.song_audio import Audio

_NOBODY = "no-account"  # links are public; a client wants a key nevertheless
_MOST = 10_000


@dataclasses.dataclass(frozen=True, slots=True)
class Wish:
    """What a person asked for."""

    factor: str
    trials: int
    kind: Kind
    swap_repeats: bool
    seconds: float

    def check(self) -> None:
        """Refuse what is no test.

        Raises
        ------
        InvalidArgument
            Which argument, and what it may be.
        """
        if isinstance(self.trials, bool) or not isinstance(self.trials, int):
            raise InvalidArgument(f"trials is a whole number, not {self.trials!r:.40}")
        if not 1 <= self.trials <= _MOST:
            raise InvalidArgument(f"trials is 1 to {_MOST:,}, not {self.trials}")
        if self.kind not in {"pairs", "best_of_four"}:
            raise InvalidArgument(f"kind is 'pairs' or 'best_of_four', not {self.kind!r:.40}")
        if not 1 <= self.seconds <= 30:  # noqa: PLR2004 - longer ones nobody keeps in mind
            raise InvalidArgument(f"seconds is 1 to 30, not {self.seconds!r:.40}")

    @property
    def settings(self) -> dict[str, Any]:
        return {"kind": self.kind, "trials": self.trials, "swap_repeats": self.swap_repeats}


def kept_or_drawn(found: Entrants, wish: Wish, name: str, seed: int | None) -> BlindDesign:
    """The test of that name, or a new one.

    Raises
    ------
    InvalidArgument
        There is one of that name, with other settings.
    NothingToCompare
        Too few songs can be heard.
    """
    design = store.load_design(found.library, name)
    if design is None:
        design = _drawn(found, wish, name, 0 if seed is None else seed)
    asked = {"factor": wish.factor, **wish.settings, **({} if seed is None else {"seed": seed})}
    there = {"factor": design.factor, **design.settings}
    other = [f"{key}={there.get(key)!r}" for key in asked if asked[key] != there.get(key)]
    if other:
        raise InvalidArgument(
            f"the blind test {name!r} is there already, with {', '.join(other)}: ask for it so, "
            "or give another name=..."
        )
    return design


def _drawn(found: Entrants, wish: Wish, name: str, seed: int) -> BlindDesign:
    shelf = Shelf(found.library, found.songs)
    drawn, matched, left_out = _heard(found, wish, seed, shelf)
    trials = [
        Trial(
            test=name,
            number=number,
            repeat_of=None if each.repeat_of is None else each.repeat_of + 1,
            shown=tuple(Shown(song.key, song.task, song.level) for song in each.songs),
        )
        for number, each in enumerate(drawn, 1)
    ]
    settings = {
        **wish.settings,
        "seed": seed,
        "alike": sum(each.alike for each in drawn),
        "left_out": [list(one) for one in (*found.left_out, *left_out)],
        **matched,
    }
    return store.save_blind_test(found.library, name, wish.factor, settings, trials)


def _heard(
    found: Entrants, wish: Wish, seed: int, shelf: Shelf
) -> tuple[list[Drawn], dict[str, Any], list[LeftOut]]:
    """Draw until all that is drawn can be heard; what cannot is left out."""
    left_out: dict[str, LeftOut] = {}
    measured: dict[str, Measured] = {}
    while True:
        able = [each for each in found.candidates if each.key not in left_out]
        try:
            drawn = draw(
                able, wish.trials, kind=wish.kind, swap_repeats=wish.swap_repeats, seed=seed
            )
        except NothingToCompare as error:
            raise NothingToCompare(_with_reasons(error, found, left_out)) from None
        used = list(dict.fromkeys(song.key for each in drawn for song in each.songs))
        for key in used:
            if key not in measured:
                with _leaving_out(key, left_out):
                    measured[key] = loudness_match.measure(shelf.audio(key))
        if not left_out.keys().isdisjoint(used):
            continue
        form = loudness_match.common_form((measured[key] for key in used), wish.seconds)
        levels: dict[str, loudness_match.Level] = {}
        for key in used:
            with _leaving_out(key, left_out):
                levels[key] = loudness_match.level(shelf.excerpt(key, form), form)
        if len(levels) == len(used):
            target, gains = loudness_match.gains(levels)
            matched = {"form": dataclasses.asdict(form), "target": target, "gains": gains}
            return drawn, matched, list(left_out.values())


@contextlib.contextmanager
def _leaving_out(key: str, left_out: dict[str, LeftOut]) -> Iterator[None]:
    try:
        yield
    except MusicAPIError as error:
        left_out[key] = LeftOut(key, str(error))


def _with_reasons(error: MusicAPIError, found: Entrants, left_out: Mapping[str, LeftOut]) -> str:
    out = [*found.left_out, *left_out.values()]
    if not out:
        return error.message
    why = "; ".join(dict.fromkeys(one.why for one in out))
    return f"{error.message}. {len(out)} songs cannot be heard: {why:.500}"


@dataclasses.dataclass(frozen=True, slots=True)
class _File:
    """A file that is known already, where songs are asked for theirs."""

    path: Path | None

    def file_of(self, _: Song) -> Path | None:
        return self.path


class Shelf:
    """Where a test's songs are: in the library; what is missing there is fetched into it."""

    def __init__(self, library: Library, songs: Mapping[str, Song]) -> None:
        self._library = library
        self._songs = songs

    def excerpt(self, key: str, form: Form) -> Any:
        """The excerpt of a song: see `loudness_match.excerpt`."""
        return loudness_match.excerpt(self.audio(key), form)

    def audio(self, key: str) -> Audio:
        """The audio of a song.

        Raises
        ------
        MusicAPIError
            It is neither in the library nor behind its link.
        """
        found = self._kept(key)
        if found is None:
            self._fetch(key)
            found = self._kept(key)
        if found is None:
            raise NoAudio("its file is gone")
        return found

    def _kept(self, key: str) -> Audio | None:
        return song_audio.stored_audio(
            self._songs.get(key) or Song(), _File(self._library.file_of(key))
        )

    def _fetch(self, key: str) -> None:
        song = self._songs.get(key)
        if song is None or song_audio.playable_url(song) is None:
            raise NoAudio(
                (song_audio.no_audio_reason(song) if song else "")
                or "it is not in the library, and has no link"
            )
        # a thread of its own: a notebook's cell runs in a loop already
        with concurrent.futures.ThreadPoolExecutor(1) as thread:
            path = thread.submit(asyncio.run, self._fetched(song)).result()
        try:
            with path.open("rb") as file:
                suffix = suffix_of(file.read(16), "audio") or ".audio"
            self._library.attach(song, "audio", self._library.add_file(path, suffix))
        finally:
            path.unlink(missing_ok=True)

    async def _fetched(self, song: Song) -> Path:
        from musicapi_nb.client import MusicAPI  # noqa: PLC0415 - files are mostly here

        async with MusicAPI(_NOBODY, simulated=song.simulated) as client:
            return await client.download(
                song, self._library.incoming(".audio"), max_bytes=song_audio.MAX_BYTES
            )


def said(design: BlindDesign, trials: Iterable[Trial]) -> str:
    """What was done to make the songs alike; nothing that tells one from another."""
    settings = design.settings
    form, asked = settings["form"], settings["trials"]
    wide = "mono" if form["channels"] == 1 else "stereo"
    quieter = [-gain for gain in settings["gains"].values()]
    first = (
        f"All excerpts are {form['seconds']:.0f} s from the same relative place, in {wide} and in "
        f"one format, turned down by 0 to {max(quieter, default=0):.0f} dB to be equally loud."
    )
    words = [first]
    if settings["alike"] < asked:
        words.append(
            f"{settings['alike']} of {asked} trials have songs that share all that was asked but "
            "what is compared; the others share as much as there was."
        )
    if settings["left_out"]:
        words.append(f"{len(settings['left_out'])} songs were left out: they cannot be heard.")
    gone = sum(trial.answer == "left out" for trial in trials)
    if gone:
        words.append(f"{gone} trials were left out, since their audio was gone.")
    return " ".join(words)
