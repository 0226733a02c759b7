"""A form made from a request's own declaration: type, see what is wrong and what it costs, buy."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import threading
import time
import uuid
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import ipywidgets

from musicapi_nb import markup
from musicapi_nb.engines import Request, default_operation, model_of
from musicapi_nb.errors import InvalidRequest, MusicAPIError, Problem
from musicapi_nb.widgets.form import wording
from musicapi_nb.widgets.form.controls import Control, can_take, in_order
from musicapi_nb.widgets.form.submission import Purchase
from musicapi_nb.widgets.form.view import FormView

if TYPE_CHECKING:
    from musicapi_nb.widgets.form.submission import Buyer, Job

_TICK_SECONDS = 0.5
# A second press of the mouse comes within this time, also where the answer came at once.
_REST_SECONDS = 1.0
_STATIC = "Here stood a form. Run its cell to type into it."
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
        api: Buyer,
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
        self._turn = 0
        self._error = ""
        self._extra = ""
        self._takes: dict[str, int] = {}
        self._typed: dict[tuple[str, str], Any] = {}
        self._kept: set[str] = set()
        self._controls: Mapping[str, Control] = {}
        self._bought: list[Purchase] = []
        self._saved_as: set[str] = set()
        self._view, self._results = FormView(), ipywidgets.VBox()
        self._results.add_class("musicapi-results")
        self._kind = type(start) if start else default_operation(self._operations)
        self._choose(self._kind, start)
        self._view.on_msg(self._hear)
        self.widget = ipywidgets.VBox([self._view, self._results])

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
            raise InvalidRequest(wording.name_of(self._kind), problems)
        return request

    def problems(self) -> tuple[Problem, ...]:
        """Everything that is wrong or unwise as it stands; hard ones hold the button back."""
        request, problems = self._read()
        return (*problems, *request.problems())

    def _read(self) -> tuple[Request, list[Problem]]:
        extra, problems = wording.read_extra(self._extra)
        values = {name: control.read() for name, control in self._controls.items()}
        shown = self._shown()
        of_use = {name: value if name in shown else None for name, value in values.items()}
        return self._kind(**of_use, extra=extra), problems

    def _shown(self) -> set[str]:
        whole = self._kind(**{name: control.read() for name, control in self._controls.items()})
        return {name for name in self._controls if name in self._kept or whole.is_active(name)}

    def _choose(self, kind: type[Request], start: Request | None = None) -> None:
        """Make the controls of an operation; what was typed stays where names and kinds agree."""
        for name, control in self._controls.items():
            self._typed[name, control.field.kind] = control.read()
        usual, values = kind(), {}
        for name, field in kind.fields().items():
            own = getattr(start or usual, name)
            typed = self._typed.get((name, field.kind), own)
            values[name] = typed if start is None and can_take(field, typed) else own
        self._kind, self._kept = kind, set()
        if start is not None:
            given = {name for name, value in values.items() if value is not None}
            self._kept = {name for name in given if not start.is_active(name)}
            self._extra = json.dumps(dict(start.extra)) if start.extra else ""
        self._controls = {
            name: Control(name, field, values[name]) for name, field in in_order(kind).items()
        }
        with self._view.hold_sync():
            self._view.spec = {
                **wording.head(kind, simulated=self._api.simulated),
                **wording.choices(self._operations, kind),
                "fields": [control.spec() for control in self._controls.values()],
            }
            self._hold("")
            self._draw()

    # --- what the person does --------------------------------------------------------------

    @_in_place
    def _hear(self, _: object, content: Any, __: object) -> None:
        said = content if isinstance(content, dict) else {}
        with self._lock:
            match said.get("kind"):
                case "typed":
                    self._type(said.get("name"), said.get("value"), str(said.get("view")))
                case "pick":
                    self._pick(said)
                case "buy":
                    self._press(said)

    def _type(self, name: Any, raw: Any, view: str) -> None:
        if name == "extra" and isinstance(raw, str):
            self._extra = raw
        elif name in self._controls:
            self._controls[name].type(raw)
        if any(name in wanted for wanted in self._kind.active_when.values()):
            self._kept = set()  # another mode: what it ignores is put away
        self._error = ""
        with self._view.hold_sync():
            self._hold(view)
            self._draw()

    def _pick(self, said: Mapping[str, Any]) -> None:
        engine, operation = said.get("engine", self._kind.engine), said.get("operation")
        own = [kind for kind in self._operations if kind.engine == engine]
        if operation is not None:
            own = [kind for kind in own if kind.operation == operation]
        if own:
            self._error = ""
            self._choose(default_operation(own))

    def _press(self, said: Mapping[str, Any]) -> None:
        """Buy for a click, once for each turn, and only at the price that the person saw."""
        price = self._view.state["price"]
        if said.get("turn") != self._turn or said.get("price") != price or not self._ready():
            self._view.send({"kind": "no", "turn": said.get("turn")})
            return
        self._turn += 1
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
            self._results.children = [each.view for each in self._bought]
            self._resting = True
            self._draw()
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

    def tell(self, message: str) -> None:
        """Show an error above the button."""
        with self._lock:
            self._error = markup.one_line(message)
            self._draw()

    def _hold(self, view: str) -> None:
        values = {name: control.raw for name, control in self._controls.items()}
        self._view.held = {"view": view, "values": {**values, "extra": self._extra}}

    def _ready(self) -> bool:
        return not self._resting and not any(problem.hard for problem in self.problems())

    def _draw(self) -> None:
        request, broken = self._read()
        problems = [*broken, *request.problems()]
        shown, model = self._shown(), model_of(request)
        busy = self.job is not None and not self.job.done()
        summary = wording.summary(problems, self._controls)
        fields = {
            name: control.state(
                [problem for problem in problems if problem.field == name],
                model,
                shown=name in shown,
            )
            for name, control in self._controls.items()
        }
        self._view.state = {
            "fields": fields,
            "summary": [*summary, [self._error, "bad"]] if self._error else summary,
            "code": f"api.run({request!r})",
            "label": "Under way …" if busy else wording.offer(request, self._balance),
            "price": markup.format_credits(request.price()),
            "ready": not self._resting and not any(problem.hard for problem in problems),
            "busy": busy,
            "turn": self._turn,
        }

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

        self._draw()
        self._spawn(rest())

    @_in_place
    def _arm(self) -> None:
        with self._lock:
            self._resting = self.job is not None and not self.job.done()
            self._draw()

    async def _read_balance(self) -> None:
        """Read what is left; without it the button only does not say so."""
        balance = None
        with contextlib.suppress(MusicAPIError):
            balance = (await self._api.credits()).total
        self._balance = balance
        self._show_balance()

    @_in_place
    def _show_balance(self) -> None:
        with self._lock:
            self._draw()

    def __repr__(self) -> str:
        request, problems = self._read()
        hard = sum(problem.hard for problem in (*problems, *request.problems()))
        state = f"{hard} to mend" if hard else wording.offer(request, None)
        return markup.one_line(f"<Form {request!r}: {state}>")

    def _repr_html_(self) -> str:
        return markup.stack(markup.notice(_STATIC), self._results_html())

    def _ipython_display_(self) -> None:
        from IPython import get_ipython  # noqa: PLC0415 - outside of notebooks it is not needed
        from IPython.display import display  # noqa: PLC0415

        if getattr(get_ipython(), "kernel", None) is None:  # a terminal has no widgets
            print(repr(self))  # noqa: T201
            return
        self._spawn(self._read_balance())
        display(_bundle(self._view, markup.notice(_STATIC), repr(self)), raw=True)
        # An output of its own: to save its songs it is drawn anew, the form never is.
        name = uuid.uuid4().hex
        display(self._results_bundle(), raw=True, display_id=name)
        self._saved_as.add(name)

    def _results_bundle(self) -> dict[str, Any]:
        text = "; ".join(repr(each.job) for each in reversed(self._bought))
        text = text or "<nothing bought with this form yet>"
        return _bundle(self._results, self._results_html(), text)

    def _results_html(self) -> markup.Html:
        """What was bought, the latest first; before that, the request as it was when shown."""
        if not self._bought:
            return markup.Html(self._read()[0]._repr_html_())
        return markup.stack(*(each.html for each in reversed(self._bought)))

    def _save(self) -> None:
        """Put the songs into the saved notebook, where no widget will be alive."""
        if not self._saved_as:
            return
        from IPython.display import update_display  # noqa: PLC0415 - as above

        for name in tuple(self._saved_as):
            update_display(self._results_bundle(), raw=True, display_id=name)


async def _ended(job: Job) -> None:
    with contextlib.suppress(Exception):  # the job shows it
        await job


def _bundle(widget: Any, html: str, text: str) -> dict[str, Any]:
    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    return {"application/vnd.jupyter.widget-view+json": view, "text/html": html, "text/plain": text}
