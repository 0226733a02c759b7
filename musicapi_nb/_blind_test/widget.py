"""blind_test and its widget BlindTest: anonymous excerpts, one trial at a time."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import traitlets

from musicapi_nb import markup
from musicapi_nb._blind_test import outcome, store
from musicapi_nb._blind_test.answers import preferences_frame
from musicapi_nb._blind_test.candidates import ExcludedSong, find_candidates
from musicapi_nb._blind_test.design import Kind
from musicapi_nb._blind_test.preference import Preference, preference
from musicapi_nb._blind_test.setup import BlindTestSpec, ExcerptCache, describe, load_or_create
from musicapi_nb._blind_test.store import BlindDesign, Trial
from musicapi_nb.errors import InvalidArgument, MusicAPIError
from musicapi_nb.extras import require_extra
from musicapi_nb.library import Library
from musicapi_nb.tasks import Song
from musicapi_nb.widgets.base import LiveWidget, join_modules

_FOLDER = Path(__file__).parent
_WIDGETS = _FOLDER.parent / "widgets"
_MODULES = ("results", "reveal", "blind_test")
_MAX_ANSWER_SECONDS = 86_400.0


class BlindTest(LiveWidget):
    """A blind test that can be resumed at any time; `blind_test` returns it.

    Keys: A, B, ... or 1 to 4 play a song, space plays and pauses, the arrows choose, 0 chooses
    "no difference", Enter saves the answer. At the end, every question can be heard again.
    `mnb.preferences_frame(test)` has the answers, `test.preference()` the estimated preferences.
    `design` says how it was drawn and matched; `error` is the last error in full, of which the
    page shows only the type: it may name a song.
    """

    _esm = join_modules(_WIDGETS / "dom.js", *(_FOLDER / f"{name}.js" for name in _MODULES))
    _css = _FOLDER / "blind_test.css"
    _view = traitlets.Dict().tag(sync=True)

    def __init__(self, library: Library, design: BlindDesign, songs: Mapping[str, Song]) -> None:
        self.name, self.design = design.name, design
        self.error: Exception | None = None
        self._library, self._songs = library, songs
        self._cache = ExcerptCache(library, songs)
        self._lock = threading.RLock()
        super().__init__(_view=self._view_state())
        self.on_msg(self._receive)

    @property
    def excluded(self) -> list[ExcludedSong]:
        """Songs that could not be used when the test was drawn, and why."""
        return [ExcludedSong(*song) for song in self.design.settings["excluded"]]

    def trials(self) -> list[Trial]:
        """Return the trials and answers, which reveal the levels."""
        return store.load_trials(self._library, self.name)

    def preferences_frame(self) -> pd.DataFrame:
        """Tabulate the answers, which reveal the levels; see `mnb.preferences_frame`."""
        return preferences_frame(self)

    def preference(self) -> Preference:
        """Estimate the preferences; see `mnb.preference`."""
        return preference(self.preferences_frame(), self.design.factor)

    def _view_state(self) -> dict[str, Any]:
        """Return all that the page shows; it identifies no song until the test has ended."""
        trials = self.trials()
        remaining = [trial for trial in trials if trial.answer is None]
        return {
            "trial": remaining[0].number if remaining else None,
            "done": len(trials) - len(remaining),
            "trials": len(trials),
            "songs": len(remaining[0].songs) if remaining else 0,
            "description": describe(self.design, trials),
            "summary": None if remaining else self._summary(trials),
        }

    def _summary(self, trials: list[Trial]) -> dict[str, Any]:
        result = self.preference()
        return {
            "outcome": self._outcome(trials, result),
            "questions": outcome.questions(trials, self._songs),
            **_statistics(result),
        }

    def _outcome(self, trials: list[Trial], result: Preference) -> str:
        return outcome.outcome_text(trials, result, self.design.settings.get("listener"))

    def _refresh(self) -> None:
        state = self._view_state()
        if state["summary"] is not None and self._view["summary"] is None:
            self._update_display()  # first, so that a page that shows the end can be saved
        self._view = state

    def _receive(self, _: Any, message: Any, __: Any) -> None:
        try:
            with self._lock:
                self._handle(message)
        except Exception as error:  # noqa: BLE001 - the page shows every error
            self._send_failure(error, message)

    def _send_failure(self, error: Exception, message: Any) -> None:
        """Send the type of an error only, since its text may name a song."""
        self.error, name = error, type(error).__name__
        request = message.get("do") if isinstance(message, dict) else None
        trial = self._view["trial"]
        self.send({"do": "failed", "trial": trial, "request": request, "error": name})

    def _handle(self, message: Any) -> None:
        request = message.get("do") if isinstance(message, dict) else None
        if request not in {"load", "answer", "skip", "replay"}:
            raise InvalidArgument(f"unknown message of the page: {message!r:.80}")
        trials = self.trials()
        trial = next((trial for trial in trials if trial.answer is None), None)
        if request == "replay" and trial is None:
            self._replay(trials, message)
        elif request == "replay" or trial is None or message.get("trial") != trial.number:
            self._refresh()  # answered on another page or in another kernel
        elif request == "load":
            self._in_worker(self._send_excerpt, trial, _position(message, trial))
        elif request == "skip":
            self._check_unplayable(trial)
            store.save_answer(self._library, self.name, trial.number, "skipped")
            self._refresh()
        else:
            chosen, seconds = message.get("chosen"), _seconds(message)
            answer: store.Answer = "tie" if chosen is None else "chosen"
            store.save_answer(
                self._library, self.name, trial.number, answer, chosen=chosen, seconds=seconds
            )
            self._refresh()

    def _replay(self, trials: list[Trial], message: Mapping[str, Any]) -> None:
        """Send a song of any trial, once all of them have ended."""
        number = message.get("trial")
        trial = next((trial for trial in trials if trial.number == number), None)
        if trial is None:
            raise InvalidArgument(f"there is no trial {number!r:.40}")
        self._in_worker(self._send_excerpt, trial, _position(message, trial))

    def _check_unplayable(self, trial: Trial) -> None:
        for song in trial.songs:
            try:
                self._cache.audio(song.song)
            except MusicAPIError:
                return
        raise InvalidArgument("only a trial with missing audio can be skipped")

    def _send_excerpt(self, trial: Trial, position: int) -> None:
        try:
            wav = self._cache.excerpt(trial.songs[position].song, self.design)
            message = {"do": "audio", "trial": trial.number, "position": position}
            self.send(message, buffers=[wav])
            if position == len(trial.songs) - 1:  # the listener hears this trial meanwhile
                self._in_worker(self._preload, trial.number + 1)
        except Exception as error:  # noqa: BLE001 - the page shows every error
            self._send_failure(error, {"do": "load"})

    def _preload(self, number: int) -> None:
        for trial in self.trials():
            for song in trial.songs if trial.number == number else ():
                try:
                    self._cache.excerpt(song.song, self.design)
                except MusicAPIError as error:
                    self.error = error  # the page shows it when it loads the song

    @markup.safe_repr
    def __repr__(self) -> str:
        state = self._view_state()
        if state["summary"] is None:
            return f"<BlindTest: {state['done']} of {state['trials']} answered>"
        return f"<BlindTest: all {state['trials']} answered; {self.preference()!r}>"

    @markup.html_repr
    def _repr_html_(self) -> str:
        state = self._view_state()
        if state["summary"] is not None:
            result, trials = self.preference(), self.trials()
            return markup.card(
                "Result",
                markup.text(self._outcome(trials, result)),
                outcome.questions_table(trials, self._songs),
                markup.collapsible("Statistics", *result.blocks()),
                wide=True,
            )
        done, number = state["done"], state["trials"]
        hint = "Run the cell to continue. The levels are revealed after the last question."
        return markup.card(
            "Blind test",
            markup.progress(done / number, f"{done} of {number} answered"),
            markup.text(state["description"]),
            markup.notice(hint, "neutral"),
        )


def blind_test(  # noqa: PLR0913 - each argument is an independent setting
    source: Any,
    factor: str,
    *,
    trials: int = 24,
    kind: Kind = "pairs",
    swap_repeats: bool = False,
    catch_trials: int = 0,
    listener: str | None = None,
    seed: int | None = None,
    name: str | None = None,
    library: Library | None = None,
    seconds: float = 30.0,
) -> BlindTest:
    """Compare the levels of a factor by ear, without knowing which level is playing.

    The songs of a trial differ in the factor and share the levels of the other factors, and the
    block, where the design has such songs. Nothing that identifies a song leaves the kernel before
    the end. The library stores the design, and each answer before the next trial appears: the same
    call, also in another kernel, resumes the test.

    Excerpts have the same length, format and loudness: -23 LUFS (ITU-R BS.1770-4), or up to 6 dB
    less if the peaks of a song need it. One unusual song does not change all: a song is left out
    if it lasts less than half as long as usual (the least of the levels' medians, at most
    `seconds`), or if its peaks would need more than these 6 dB. `excluded` names such songs.

    Needs the extra `analysis`.

    Parameters
    ----------
    source
        An experiment, tasks, a library, or a frame of songs such as `run.songs().query(...)`, in
        which the columns before `task_id` are further factors.
    factor
        What is compared: a factor of the experiment, a column of the frame, or a request field.
    trials
        Total number of trials.
    kind
        "pairs": which of two songs is better; "best_of_four": which of four is best.
    swap_repeats
        Whether the second half repeats the first half with the songs in the opposite order. A
        repeat is a check of consistency: it counts as one answer together with its first trial.
    catch_trials
        Number of further trials, at random places, that play one song at all positions: a check
        of attention, which no estimate uses.
    listener
        Name of the person who listens, kept with the answers. Each listener has a test of their
        own, named after them; `preference(preferences_frame(library))` pools them.
    seed
        Determines the trials; random if omitted.
    name
        Name of the test in the library; derived from the source and the factor if omitted. The
        name of the listener is appended.
    library
        Where the answers are stored; by default the library of the source, or of the open session.
    seconds
        Maximum length of the excerpts, 1 to 30.

    Raises
    ------
    InvalidArgument
        An argument cannot be used, or the library has a test of this name with other settings.
    NothingToCompare
        Too few songs of different levels have audio.
    """
    require_extra("analysis")
    spec = BlindTestSpec(factor, trials, kind, swap_repeats, catch_trials, listener, seconds)
    candidates = find_candidates(source, factor, library)
    test_name = candidates.name if name is None else name
    if listener is not None and test_name.strip():
        test_name = f"{test_name}, {listener}"
    design = load_or_create(candidates, spec, test_name, seed)
    return BlindTest(candidates.library, design, candidates.songs)


def _seconds(message: Mapping[str, Any]) -> float | None:
    seconds = message.get("seconds")
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        return None
    return float(seconds) if 0 <= seconds <= _MAX_ANSWER_SECONDS else None  # None for NaN too


def _position(message: Mapping[str, Any], trial: Trial) -> int:
    position = message.get("position")
    if not isinstance(position, int) or not 0 <= position < len(trial.songs):
        raise InvalidArgument(f"the trial has no song at position {position!r:.40}")
    return position


def _statistics(result: Preference) -> dict[str, Any]:
    """Return the result as JSON values for the page."""
    tables = {
        "scores": result.scores.drop(columns="tasks"),
        "pairs": result.pairs.drop(columns=["detectable", "p"]),
        "checks": result.checks,
    }
    values = {
        name: frame.astype(object).where(frame.notna(), None).to_dict("records")
        for name, frame in tables.items()
    }
    return {"factor": markup.one_line(result.factor), **values, "notes": list(result.notes)}
