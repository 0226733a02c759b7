"""BlindTest: songs heard without a name, one trial after the other, each answer kept at once."""

from __future__ import annotations

import concurrent.futures
import secrets
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import traitlets

from musicapi_nb import markup
from musicapi_nb._blind_test import loudness_match, store
from musicapi_nb._blind_test.answers import preferences_frame
from musicapi_nb._blind_test.candidates import LeftOut, entrants
from musicapi_nb._blind_test.preference import preference
from musicapi_nb._blind_test.setup import Shelf, Wish, kept_or_drawn, said
from musicapi_nb.errors import InvalidArgument, MusicAPIError
from musicapi_nb.tasks import Song
from musicapi_nb.widgets.base import LiveWidget

if TYPE_CHECKING:
    import pandas as pd

    from musicapi_nb._blind_test.design import Kind
    from musicapi_nb._blind_test.preference import Preference
    from musicapi_nb._blind_test.store import Answer, BlindDesign, Trial
    from musicapi_nb.library import Library

_HERE = Path(__file__).parent
_LONGEST = 86_400.0  # seconds on one answer that are believed
_READY = 8  # excerpts


def blind_test(  # noqa: PLR0913 - each is a setting of its own
    what: Any,
    factor: str,
    *,
    trials: int = 24,
    kind: Kind = "pairs",
    swap_repeats: bool = False,
    seed: int | None = None,
    name: str | None = None,
    library: Library | None = None,
    seconds: float = 30.0,
) -> BlindTest:
    """Compare the levels of a factor by ear, not knowing which one is heard.

    The songs of a trial differ in the factor and share the levels of the other factors, and the
    block, where the design has such songs. Excerpts are equally long and equally loud
    (ITU-R BS.1770-4), in one format; nothing of what a song is leaves the kernel before the end.
    The draw is kept in the library, each answer before the next trial shows: run again, here or
    in another kernel, the test goes on where it was.

    Parameters
    ----------
    what
        An experiment; or, with `library`, tasks, or a frame of songs such as
        `run.songs().query(...)`, in which the columns before `task_id` are what else to share;
        or a library.
    factor
        What is compared: a factor of the experiment, a field of the requests, a column.
    trials
        How many questions there are in all.
    kind
        "pairs" asks which of two is better, "best_of_four" which of four.
    swap_repeats
        Whether the second half of the trials asks the first half again, in the other order.
    seed
        Determines the draw; left out, it is a new one.
    name
        Of the test in the library; else it follows from what was given.
    library
        Where answers are kept; an experiment and a library bring theirs.
    seconds
        The longest excerpt, 1 to 30.

    Raises
    ------
    InvalidArgument
        An argument that cannot be used, or a test of that name with other settings.
    NothingToCompare
        Too few songs of different levels can be heard.
    """
    wish = Wish(factor, trials, kind, swap_repeats, seconds)
    wish.check()
    found = entrants(what, factor, library)
    called = found.name if name is None else name
    known = store.load_design(found.library, called) is not None
    drawn_by = secrets.randbelow(2**31) if seed is None and not known else seed
    design = kept_or_drawn(found, wish, called, drawn_by)
    return BlindTest(found.library, design, found.songs)


class BlindTest(LiveWidget):
    """A blind test that goes on wherever it was left; made by `blind_test`.

    Shown, it is where one listens and answers: A, B or 1 to 4 play a song, space plays and
    pauses, the arrows choose, T says that there is no difference, Enter keeps the answer.
    `mnb.preferences_frame(test)` has the answers, `test.preference()` what they amount to.

    Attributes
    ----------
    design
        How it was drawn and matched.
    error
        What last went wrong, whole; the page says less, so that it tells nothing.
    """

    _esm = _HERE / "blind_test.js"
    _css = _HERE / "blind_test.css"
    _now = traitlets.Dict().tag(sync=True)

    def __init__(self, library: Library, design: BlindDesign, songs: Mapping[str, Song]) -> None:
        self.design = design
        self.error: Exception | None = None
        self._library = library
        self._shelf = Shelf(library, songs)
        self._form = loudness_match.Form(**design.settings["form"])
        self._ready: dict[str, bytes] = {}
        self._lock = threading.RLock()
        self._worker: concurrent.futures.ThreadPoolExecutor | None = None
        super().__init__(_now=self._state())
        self.on_msg(self._receive)

    # --- looking ---------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Its name in the library."""
        return self.design.name

    @property
    def left_out(self) -> list[LeftOut]:
        """The songs that could not be heard when it was drawn, and why."""
        return [LeftOut(*one) for one in self.design.settings["left_out"]]

    def trials(self) -> list[Trial]:
        """Its trials and answers. To look before the end tells what is heard."""
        return store.load_trials(self._library, self.name)

    def preferences_frame(self) -> pd.DataFrame:
        """Its answers: see `mnb.preferences_frame`. To look before the end tells the levels."""
        return preferences_frame(self)

    def preference(self) -> Preference:
        """What the answers amount to: see `mnb.preference`."""
        return preference(self.preferences_frame(), self.design.factor)

    # --- what the page knows ---------------------------------------------------------------

    def _state(self) -> dict[str, Any]:
        """All that the page is told: numbers of trials, nothing of songs, until the end."""
        trials = self.trials()
        open_ = [trial for trial in trials if trial.answer is None]
        return {
            "trial": open_[0].number if open_ else None,
            "done": len(trials) - len(open_),
            "trials": len(trials),
            "places": len(open_[0].shown) if open_ else 0,
            "said": said(self.design, trials),
            "summary": None if open_ else _summary(self.preference()),
        }

    def _refresh(self) -> None:
        state = self._state()
        if state["summary"] is not None and self._now["summary"] is None:
            self._update_display()  # first: once the page says that it is over, it can be saved so
        self._now = state

    # --- what the page asks ----------------------------------------------------------------

    def _receive(self, _: Any, message: Any, __: Any) -> None:
        try:
            with self._lock:
                self._answer(message)
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs on the page
            self._failed(error, message)

    def _failed(self, error: Exception, message: Any) -> None:
        """Say that something went wrong; the words of an error may name a song."""
        self.error = error
        about = message.get("do") if isinstance(message, dict) else None
        place = message.get("place") if isinstance(message, dict) else None
        self.send(
            {
                "do": "failed",
                "about": about,
                "place": place,
                "trial": self._now["trial"],
                "why": type(error).__name__,
            }
        )

    def _answer(self, message: Any) -> None:
        do = message.get("do") if isinstance(message, dict) else None
        if do not in {"hear", "answer", "leave out"}:
            raise InvalidArgument(f"the page sent something unknown: {message!r:.80}")
        trial = next((each for each in self.trials() if each.answer is None), None)
        if trial is None or message.get("trial") != trial.number:
            self._refresh()  # another page, or another kernel, was faster
            return
        if do == "hear":
            place = message.get("place")
            if not isinstance(place, int) or not 0 <= place < len(trial.shown):
                raise InvalidArgument(f"there is no song {place!r:.40}")
            self._beside(self._play, trial, message)
        elif do == "leave out":
            self._check_gone(trial)
            store.save_answer(self._library, self.name, trial.number, "left out")
            self._refresh()
        else:
            chosen = message.get("chosen")
            answer: Answer = "tie" if chosen is None else "chosen"
            store.save_answer(
                self._library,
                self.name,
                trial.number,
                answer,
                chosen=chosen,
                seconds=_seconds(message),
            )
            self._refresh()

    def _check_gone(self, trial: Trial) -> None:
        for shown in trial.shown:
            try:
                self._shelf.audio(shown.song)
            except MusicAPIError:
                return
        raise InvalidArgument("a trial that can be heard is answered, not left out")

    # --- sound -----------------------------------------------------------------------------

    def _beside(self, work: Callable[..., None], *given: Any) -> None:
        """Do it on a thread: decoding takes longer than a click should."""
        if self._worker is None:
            self._worker = concurrent.futures.ThreadPoolExecutor(1, "musicapi_nb blind test")
        self._worker.submit(work, *given)

    def _play(self, trial: Trial, message: Mapping[str, Any]) -> None:
        try:
            place = message["place"]
            sound = self._excerpt(trial.shown[place].song)
            self.send({"do": "play", "trial": trial.number, "place": place}, buffers=[sound])
            if place == len(trial.shown) - 1:
                self._beside(self._get_ready, trial.number + 1)
        except Exception as error:  # noqa: BLE001 - as _receive
            self._failed(error, dict(message))

    def _get_ready(self, number: int) -> None:
        """Prepare what is asked next, while this trial is listened to."""
        for trial in self.trials():
            for shown in trial.shown if trial.number == number else ():
                try:
                    self._excerpt(shown.song)
                except MusicAPIError as error:
                    self.error = error  # told when it is asked for

    def _excerpt(self, key: str) -> bytes:
        if key not in self._ready:
            samples = self._shelf.excerpt(key, self._form)
            gain = self.design.settings["gains"][key]
            while len(self._ready) >= _READY:
                self._ready.pop(next(iter(self._ready)))
            self._ready[key] = loudness_match.wav(samples, self._form, gain)
        return self._ready[key]

    def close(self) -> None:
        """End the widget; the test can be gone on with at any time."""
        if self._worker is not None:
            self._worker.shutdown(wait=False, cancel_futures=True)
        super().close()

    # --- how it shows itself where it is not live ------------------------------------------

    def __repr__(self) -> str:
        state = self._state()
        if state["summary"] is None:
            return f"<BlindTest: {state['done']} of {state['trials']} answered>"
        return f"<BlindTest: all {state['trials']} answered; {self.preference()!r}>"

    def _repr_html_(self) -> str:
        state = self._state()
        if state["summary"] is not None:
            return str(markup.stack(markup.Html(self.preference()._repr_html_())))
        done, trials = state["done"], state["trials"]
        return markup.card(
            "Blind test",
            markup.progress(done / trials, f"{done} of {trials} answered"),
            markup.text(state["said"]),
            markup.notice("Run the cell to go on. What was heard is told at the end.", "neutral"),
        )


def _seconds(message: Mapping[str, Any]) -> float | None:
    took = message.get("seconds")
    if not isinstance(took, int | float) or isinstance(took, bool):
        return None
    return float(took) if 0 <= took <= _LONGEST else None  # not a NaN either


def _summary(found: Preference) -> dict[str, Any]:
    """The end, for the page: plain values."""
    columns = ["level", "score", "low", "high", "answers", "wins", "ties", "losses"]
    checks = found.checks.astype(object).where(found.checks.notna(), None)
    scores = found.scores.astype(object).where(found.scores.notna(), None)
    return {
        "factor": markup.one_line(found.factor),
        "scores": scores[columns].to_dict("records"),
        "checks": checks.to_dict("records"),
        "notes": list(found.notes),
    }
