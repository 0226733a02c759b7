"""Set up a blind test: draw songs, load their audio, match the excerpts, save the design."""

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import secrets
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from musicapi_nb import markup
from musicapi_nb._blind_test import loudness_match, store
from musicapi_nb._blind_test.candidates import Candidates, ExcludedSong
from musicapi_nb._blind_test.design import DrawnTrial, Kind, draw_trials
from musicapi_nb._blind_test.loudness_match import AudioFormat, Loudness
from musicapi_nb._blind_test.store import BlindDesign, Trial, TrialSong
from musicapi_nb.client.file_type import read_head, suffix_of
from musicapi_nb.errors import InvalidArgument, MusicAPIError, NoAudio, NothingToCompare
from musicapi_nb.library import Library
from musicapi_nb.tasks import Song
from musicapi_nb.widgets import song_audio

_ANONYMOUS_KEY = "no-account"  # audio links are public, but the client requires some key
_MAX_TRIALS = 10_000
_MAX_SECONDS = 30
_CACHED_EXCERPTS = 8
# of tests that were drawn before these settings existed
_MISSING_SETTINGS = {"catch_trials": 0, "listener": None}


@dataclasses.dataclass(frozen=True, slots=True)
class BlindTestSpec:
    """The arguments of `blind_test` that describe its trials."""

    factor: str
    trials: int
    kind: Kind
    swap_repeats: bool
    catch_trials: int
    listener: str | None
    seconds: float

    def __post_init__(self) -> None:
        is_number = isinstance(self.trials, int) and not isinstance(self.trials, bool)
        if not is_number or not 1 <= self.trials <= _MAX_TRIALS:
            limits = f"a whole number from 1 to {_MAX_TRIALS:,}"
            raise InvalidArgument(f"trials must be {limits}, not {self.trials!r:.40}")
        catches = self.catch_trials
        is_number = isinstance(catches, int) and not isinstance(catches, bool)
        if not is_number or not 0 <= catches <= self.trials:
            limits = "a whole number from 0 to the number of trials"
            raise InvalidArgument(f"catch_trials must be {limits}, not {catches!r:.40}")
        if self.listener is not None and not (
            isinstance(self.listener, str) and self.listener.strip()
        ):
            raise InvalidArgument(f"listener must be a name or None, not {self.listener!r:.40}")
        if self.kind not in {"pairs", "best_of_four"}:
            raise InvalidArgument(f"kind must be 'pairs' or 'best_of_four', not {self.kind!r:.40}")
        if not 1 <= self.seconds <= _MAX_SECONDS:
            raise InvalidArgument(f"seconds must be 1 to {_MAX_SECONDS}, not {self.seconds!r:.40}")

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "trials": self.trials,
            "swap_repeats": self.swap_repeats,
            "catch_trials": self.catch_trials,
            "listener": self.listener,
        }


class ExcerptCache:
    """Excerpts and audio of a test's songs; missing files are downloaded into the library."""

    def __init__(self, library: Library, songs: Mapping[str, Song]) -> None:
        self._library = library
        self._songs = songs
        self._excerpts: dict[str, bytes] = {}

    def excerpt(self, key: str, design: BlindDesign) -> bytes:
        """Return the WAV file of a song's excerpt, as matched in the design."""
        if key not in self._excerpts:
            excerpt_format = AudioFormat(**design.settings["format"])
            samples = loudness_match.cut_excerpt(self.audio(key), excerpt_format)
            wav = loudness_match.wav_bytes(samples, excerpt_format, design.settings["gains"][key])
            if len(self._excerpts) >= _CACHED_EXCERPTS:
                del self._excerpts[next(iter(self._excerpts))]
            self._excerpts[key] = wav
        return self._excerpts[key]

    def audio(self, key: str) -> song_audio.Audio:
        """Read a song's audio from the library, after downloading it if necessary.

        MusicAPIError if the library has no file, and the link is missing or dead.
        """
        if (audio := song_audio.stored_audio(key, self._library)) is None:
            self._download(key)
            audio = song_audio.stored_audio(key, self._library)
        if audio is None:
            raise NoAudio("the audio file is missing")
        return audio

    def _download(self, key: str) -> None:
        song = self._songs.get(key)
        if song is None or song_audio.playable_url(song) is None:
            reason = song_audio.no_audio_reason(song) if song else ""
            raise NoAudio(reason or "the song has no file in the library, and no link")
        # In a thread, since a notebook cell already runs inside an event loop.
        with concurrent.futures.ThreadPoolExecutor(1) as thread:
            path = thread.submit(asyncio.run, self._fetch(song)).result()
        try:
            suffix = suffix_of(read_head(path), "audio") or ".audio"
            self._library.attach(song, "audio", self._library.add_file(path, suffix))
        finally:
            path.unlink(missing_ok=True)

    async def _fetch(self, song: Song) -> Path:
        from musicapi_nb.client import MusicAPI  # noqa: PLC0415 - most songs have a file

        async with MusicAPI(_ANONYMOUS_KEY, simulated=song.simulated) as client:
            return await client.download(
                song, self._library.temporary_path(".audio"), max_bytes=song_audio.MAX_BYTES
            )


def load_or_create(
    candidates: Candidates, spec: BlindTestSpec, name: str, seed: int | None
) -> BlindDesign:
    """Return the saved design of this name, or draw, save and return a new one."""
    design = store.load_design(candidates.library, name)
    if design is None:
        design = _create(candidates, spec, name, secrets.randbelow(2**31) if seed is None else seed)
    requested = {"factor": spec.factor, **spec.settings}
    requested |= {} if seed is None else {"seed": seed}
    saved = {**_MISSING_SETTINGS, "factor": design.factor, **design.settings}
    differing = [key for key, value in requested.items() if value != saved.get(key)]
    if differing:
        settings = ", ".join(f"{key}={saved.get(key)!r}" for key in differing)
        raise InvalidArgument(
            f"the blind test {name!r} exists with {settings}: use these values, or another name=..."
        )
    return design


def _create(candidates: Candidates, spec: BlindTestSpec, name: str, seed: int) -> BlindDesign:
    cache = ExcerptCache(candidates.library, candidates.songs)
    sample, audio_settings, excluded = _draw_playable(candidates, spec, seed, cache)
    trials = [
        Trial(
            test=name,
            number=number,
            repeat_of=None if trial.repeat_of is None else trial.repeat_of + 1,
            songs=tuple(TrialSong(song.key, song.task, song.level) for song in trial.songs),
        )
        for number, trial in enumerate(sample, 1)
    ]
    settings = {
        **spec.settings,
        "seed": seed,
        "matched": sum(trial.matched and not trial.is_catch for trial in sample),
        "excluded": [list(song) for song in (*candidates.excluded, *excluded)],
        **audio_settings,
    }
    return store.save_blind_test(candidates.library, name, spec.factor, settings, trials)


def _draw_playable(
    candidates: Candidates, spec: BlindTestSpec, seed: int, cache: ExcerptCache
) -> tuple[list[DrawnTrial], dict[str, Any], list[ExcludedSong]]:
    """Draw trials until all drawn songs can be played; return them, settings and exclusions."""
    excluded: dict[str, ExcludedSong] = {}
    infos: dict[str, AudioFormat] = {}
    while True:
        eligible = [song for song in candidates.candidates if song.key not in excluded]
        try:
            trials = draw_trials(
                eligible,
                spec.trials,
                kind=spec.kind,
                swap_repeats=spec.swap_repeats,
                catch_trials=spec.catch_trials,
                seed=seed,
            )
        except NothingToCompare as error:
            unplayable = [*candidates.excluded, *excluded.values()]
            reasons = "; ".join(dict.fromkeys(song.reason for song in unplayable))
            detail = f". {len(unplayable)} songs cannot be used: {reasons:.500}"
            raise NothingToCompare(error.message + (detail if unplayable else "")) from None
        keys = list(dict.fromkeys(song.key for trial in trials for song in trial.songs))
        for key in keys:
            if key not in infos:
                with _exclude_on_error(key, excluded):
                    infos[key] = loudness_match.read_info(cache.audio(key))
        if not excluded.keys().isdisjoint(keys):
            continue
        excerpt_format = _choose_format(trials, infos, spec.seconds, excluded)
        if not excluded.keys().isdisjoint(keys):
            continue
        levels: dict[str, Loudness] = {}
        for key in keys:
            with _exclude_on_error(key, excluded):
                samples = loudness_match.cut_excerpt(cache.audio(key), excerpt_format)
                levels[key] = loudness_match.measure_loudness(samples, excerpt_format.rate)
                if loudness_match.is_too_dynamic(levels[key]):
                    raise NoAudio("its peaks would be distorted at the loudness of the others")
        if excluded.keys().isdisjoint(keys):
            target, gains = loudness_match.match_gains(levels)
            settings = {"format": excerpt_format._asdict(), "lufs": target}
            return trials, {**settings, "gains": gains}, list(excluded.values())


def _choose_format(
    trials: Sequence[DrawnTrial],
    infos: Mapping[str, AudioFormat],
    max_seconds: float,
    excluded: dict[str, ExcludedSong],
) -> AudioFormat:
    """Return the format of all excerpts, and exclude songs that are much shorter than usual."""
    songs = {song.key: song for trial in trials for song in trial.songs}
    by_level: dict[str, list[AudioFormat]] = defaultdict(list)
    for key, song in songs.items():
        by_level[song.level].append(infos[key])
    usual = loudness_match.usual_format(by_level, max_seconds)
    for key in songs:
        if loudness_match.is_too_short(infos[key], usual):
            seconds = infos[key].seconds
            reason = f"it lasts {seconds:.1f} s, less than half of the usual {usual.seconds:.1f} s"
            excluded[key] = ExcludedSong(key, reason)
    return loudness_match.common_format(usual, [infos[key] for key in songs])


@contextlib.contextmanager
def _exclude_on_error(key: str, excluded: dict[str, ExcludedSong]) -> Iterator[None]:
    try:
        yield
    except MusicAPIError as error:
        excluded[key] = ExcludedSong(key, str(error))


def describe(design: BlindDesign, trials: Iterable[Trial]) -> str:
    """Describe how the excerpts were matched, without revealing any song."""
    settings = design.settings
    clips = "Both clips" if settings["kind"] == "pairs" else "All clips"
    seconds = settings["format"]["seconds"]
    text = f"{clips}: {seconds:.0f} s, same place in the song, equally loud."
    if unmatched := settings["trials"] - settings["matched"]:
        text += (
            f" In {markup.plural(unmatched, 'question')} the songs also differ in something else "
            "than what is compared."
        )
    if excluded := len(settings["excluded"]):
        text += (
            f" Left out: {markup.plural(excluded, 'song')} without usable audio, much shorter than "
            "the others, or with peaks that cannot be made equally loud."
        )
    if skipped := sum(trial.answer == "skipped" for trial in trials):
        text += f" Skipped: {markup.plural(skipped, 'question')} without audio."
    return text
