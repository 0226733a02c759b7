"""A form made from a request's own declaration: type, see what is wrong and what it costs, buy."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import ipywidgets

from musicapi_nb import markup
from musicapi_nb.errors import InvalidRequest, MusicAPIError, Problem
from musicapi_nb.widgets.controls import Control, can_take, in_order
from musicapi_nb.widgets.layout import Parts, bundle, head, offer, summary
from musicapi_nb.widgets.purchase import Purchase

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from musicapi_nb.engines import Request
    from musicapi_nb.widgets.purchase import Job, Shop

_TICK_SECONDS = 0.5
# A second press of the mouse comes within this time, also where the answer came at once.
_REST_SECONDS = 1.0
_Given = ParamSpec("_Given")
_FormT = TypeVar("_FormT", bound="Form")


def _in_place(
    callback: Callable[Concatenate[_FormT, _Given], None],
) -> Callable[Concatenate[_FormT, _Given], None]:
    """Show in the form what goes wrong in a callback: nobody sees it otherwise."""

    @functools.wraps(callback)
    def shown(form: _FormT, /, *values: _Given.args, **named: _Given.kwargs) -> None:
        try:
            callback(form, *values, **named)
        except MusicAPIError as error:
            form.tell(str(error))
        except Exception as error:  # noqa: BLE001 - a callback's traceback goes nowhere
            form.tell(f"The form met an error of its own, {type(error).__name__}: {error}")

    return shown


class Form:
    """A form for one operation, or for several to choose from; its button buys.

    Show it in a cell. What it bought is shown below it; with a library, each press of the button
    buys the next take. A press while one is under way joins it.

    Attributes
    ----------
    job
        The last job; None before.
    widget
        Form and results as one ipywidget, to be put into a layout of your own.
    """

    def __init__(
        self,
        api: Shop,
        spawn: Callable[[Coroutine[Any, Any, Any]], Any],
        operations: Sequence[type[Request]],
        start: Request | None = None,
    ) -> None:
        self.job: Job | None = None
        self._api = api
        self._spawn = spawn
        self._operations = tuple(operations)
        self._lock = threading.RLock()
        self._balance: float | None = None
        self._resting = False
        self._takes: dict[str, int] = {}
        self._typed: dict[tuple[str, str], Any] = {}
        self._kept: set[str] = set()
        self._controls: dict[str, Control] = {}
        self._bought: list[Purchase] = []
        self._saved_as: set[str] = set()
        self._kind = type(start) if start else _first(self._operations)
        self._parts = Parts(
            self._operations, self._kind, self._changed, self._picked, self._pressed
        )
        self._choose(self._kind, start)
        self.widget = ipywidgets.VBox([self._parts.form, self._parts.results])

    # --- what is asked for -----------------------------------------------------------------

    @property
    def request(self) -> Request:
        """The request as it stands; shown, it is code to paste.

        Raises
        ------
        InvalidRequest
            What stands under "Other fields" is no JSON object.
        """
        request, problems = self._read()
        if problems:
            raise InvalidRequest(f"{self._kind.engine}.{self._kind.__name__}", problems)
        return request

    def problems(self) -> tuple[Problem, ...]:
        """Everything that is wrong or unwise as it stands; hard ones hold the button back."""
        request, problems = self._read()
        return (*problems, *request.problems())

    def _read(self) -> tuple[Request, list[Problem]]:
        extra, problems = _extra(self._parts.extra.value)
        values = {name: control.read() for name, control in self._controls.items()}
        whole = self._kind(**values, extra=extra)
        of_use = {
            name: value if self._is_shown(name, whole) else None for name, value in values.items()
        }
        return self._kind(**of_use, extra=extra), problems

    def _is_shown(self, name: str, request: Request) -> bool:
        return name in self._kept or request.is_of_use(name)

    def _choose(self, kind: type[Request], start: Request | None = None) -> None:
        """Make the controls of an operation; what was typed stays where names and kinds agree."""
        with self._lock:
            self._make(kind, start)
            self._draw()

    def _make(self, kind: type[Request], start: Request | None) -> None:
        for name, control in self._controls.items():
            self._typed[name, control.field.kind] = control.read()
            control.close()
        self._kind, self._kept = kind, set()
        values = {name: getattr(kind(), name) for name in kind.fields()}
        for name, field in kind.fields().items():
            typed = self._typed.get((name, field.kind), values[name])
            values[name] = getattr(start, name) if start else typed
            if start is None and not can_take(field, values[name]):
                values[name] = getattr(kind(), name)
        if start is not None:
            given = {name for name, value in values.items() if value is not None}
            self._kept = {name for name in given if not start.is_of_use(name)}
            self._parts.extra.value = json.dumps(dict(start.extra)) if start.extra else ""
        self._controls = {
            name: Control(name, field, values[name], functools.partial(self._changed, name))
            for name, field in in_order(kind).items()
        }
        self._parts.fields.children = [control.box for control in self._controls.values()]
        self._parts.head.value = head(kind, simulated=self._api.simulated)

    # --- what the person does --------------------------------------------------------------

    @_in_place
    def _changed(self, name: str = "") -> None:
        if any(name in wanted for wanted in self._kind.only_with.values()):
            self._kept = set()  # another mode: what it ignores is put away
        self._parts.said.value = ""
        self._refresh()

    @_in_place
    def _picked(self, kind: type[Request]) -> None:
        if kind is not self._kind:
            self._parts.said.value = ""
            self._choose(kind)

    @_in_place
    def _pressed(self) -> None:
        try:
            self.submit()
        finally:
            if not self._resting:  # it was refused here: the button has to come back
                self._rest()

    def submit(self) -> Job:
        """Buy what the form says, as its button does; while one is under way, join that.

        Raises
        ------
        InvalidRequest
            There are hard problems; nothing is sent.
        """
        with self._lock:
            if self.job is not None and not self.job.done():
                return self.job
            request = self.request
            request.check()
            take = self._next_take(request)
            self.job = self._api.run(request, take=take)
            self._takes[repr(request)] = take
            bought = Purchase(self.job, request, take, ipywidgets.HTML())
            self._bought.append(bought)
            self._parts.results.children = [each.view for each in self._bought]
            self._resting = True
            self._refresh()
        self._spawn(self._follow(bought))
        return self.job

    def _next_take(self, request: Request) -> int:
        """The first take that is not bought; one whose reply was lost is asked about, not passed.

        The library then says what has to be settled, and nothing is sent.
        """
        take = self._takes.get(repr(request), 1)
        if self._api.library is None:
            return take
        while True:
            claim = self._api.library.find(request, take, simulated=self._api.simulated)
            if claim is None or claim.kind == "uncertain":
                return take
            take += 1

    # --- what it shows ---------------------------------------------------------------------

    def tell(self, words: str) -> None:
        """Show an error above the button."""
        self._parts.said.value = markup.notice(words, "bad")

    def _refresh(self) -> None:
        with self._lock:
            self._draw()

    def _draw(self) -> None:
        request, broken = self._read()
        problems = [*broken, *request.problems()]
        model = getattr(request, "mv", None) or getattr(request, "model_type", None)
        values = {name: control.read() for name, control in self._controls.items()}
        whole = self._kind(**values)
        for name, control in self._controls.items():
            own = [problem for problem in problems if problem.field == name]
            control.show(
                own,
                model if isinstance(model, str) else None,
                visible=self._is_shown(name, whole),
            )
        self._parts.summary.value = summary(problems, self._controls)
        self._parts.code.value = markup.verbatim(f"api.run({request!r})")
        self._label(request, ready=not any(problem.hard for problem in problems))

    def _label(self, request: Request, *, ready: bool) -> None:
        button = self._parts.buy
        button.busy = self.job is not None and not self.job.done()
        button.price = markup.in_credits(request.price())
        button.label = "Under way …" if button.busy else offer(request, self._balance)
        button.ready = ready and not self._resting

    async def _follow(self, bought: Purchase) -> None:
        """Show how a job is doing until it has ended, then take the next press."""
        pressed = time.monotonic()
        ended = asyncio.ensure_future(_ended(bought.job))
        while not bought.job.done():
            bought.draw()
            await asyncio.wait({ended}, timeout=_TICK_SECONDS)
        bought.draw()
        self._save()
        await asyncio.sleep(max(0.0, pressed + _REST_SECONDS - time.monotonic()))
        await self._read_balance()
        self._arm()

    def _rest(self) -> None:
        self._resting = True

        async def rest() -> None:
            await asyncio.sleep(_REST_SECONDS)
            self._arm()

        self._refresh()
        self._spawn(rest())

    @_in_place
    def _arm(self) -> None:
        with self._lock:
            self._resting = self.job is not None and not self.job.done()
        self._refresh()

    async def _read_balance(self) -> None:
        """Read what is left; without it the button only does not say so."""
        balance = None
        with contextlib.suppress(MusicAPIError):
            balance = (await self._api.credits()).total
        self._balance = balance
        self._show_balance()

    @_in_place
    def _show_balance(self) -> None:
        self._refresh()

    def __repr__(self) -> str:
        request, problems = self._read()
        hard = sum(problem.hard for problem in (*problems, *request.problems()))
        state = f"{hard} to mend" if hard else offer(request, None)
        return markup.plain(f"<Form {request!r}: {state}>")

    def _repr_html_(self) -> str:
        request, _ = self._read()
        words = "The form as it was when it was shown. Run its cell to type into it."
        return markup.stack(markup.notice(words), markup.Html(request._repr_html_()))

    def _results_html(self) -> str:
        return markup.stack(*(each.html for each in reversed(self._bought)))

    def _ipython_display_(self) -> None:
        from IPython import get_ipython  # noqa: PLC0415 - outside of notebooks it is not needed
        from IPython.display import display  # noqa: PLC0415

        if getattr(get_ipython(), "kernel", None) is None:  # a terminal has no widgets
            print(repr(self))  # noqa: T201
            return
        self._spawn(self._read_balance())
        display(bundle(self._parts.form, self._repr_html_(), repr(self)), raw=True)
        # An output of its own: to save its songs it is drawn anew, the form never is.
        name = uuid.uuid4().hex
        display(self._resultsbundle(), raw=True, display_id=name)
        self._saved_as.add(name)

    def _resultsbundle(self) -> dict[str, Any]:
        words = "; ".join(repr(each.job) for each in reversed(self._bought))
        shown = words or "<nothing bought with this form yet>"
        return bundle(self._parts.results, self._results_html(), shown)

    def _save(self) -> None:
        """Put the songs into the saved notebook, where no widget will be alive."""
        if not self._saved_as:
            return
        from IPython.display import update_display  # noqa: PLC0415

        for name in tuple(self._saved_as):
            update_display(self._resultsbundle(), raw=True, display_id=name)


def _first(operations: Sequence[type[Request]]) -> type[Request]:
    """The operation to begin with: one that needs words and nothing that was made before."""
    plain = (
        kind
        for kind in operations
        if kind.words and all(field.kind != "clip" for field in kind.fields().values())
    )
    return next(plain, operations[0])


def _extra(text: str) -> tuple[dict[str, Any], list[Problem]]:
    if not text.strip():
        return {}, []
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        return {}, [Problem("extra", f"is no JSON: {error}")]
    if not isinstance(value, dict):
        return {}, [Problem("extra", 'should be a JSON object: {"name": "value"}')]
    return value, []


async def _ended(job: Job) -> None:
    with contextlib.suppress(Exception):  # the job shows it
        await job
