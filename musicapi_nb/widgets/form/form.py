"""A form made from a request's declaration: fill it in, see problems and price, buy."""

import asyncio
import contextlib
import json
import threading
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator, Mapping
from types import ModuleType
from typing import Any

import ipywidgets

from musicapi_nb import markup
from musicapi_nb.engines import Request, default_operation, model_of, operations
from musicapi_nb.errors import InvalidArgument, InvalidRequest, MusicAPIError, Problem
from musicapi_nb.widgets.form import wording
from musicapi_nb.widgets.form.controls import Control, can_take, fields_in_order
from musicapi_nb.widgets.form.song_picker import SongPicker
from musicapi_nb.widgets.form.submission import Buyer, Job, Submission
from musicapi_nb.widgets.form.view import FormView
from musicapi_nb.widgets.host import host
from musicapi_nb.widgets.live_cards import LiveCards

_REFRESH_SECONDS = 0.5
# The button stays disabled this long, so that a double click buys once even if the reply is fast.
_DOUBLE_CLICK_SECONDS = 1.0
_STATIC_TEXT = "Interactive form: run this cell to use it."


class Form:
    """A form for one operation, or for several to choose from; its button buys.

    Show it in a cell. Purchases are shown below the form. With a library, each press of the
    button buys the next take. A press while a purchase is under way joins it. `job` is the last
    job, None before the first; `widget` is form and results as one ipywidget, for own layouts.
    """

    def __init__(
        self,
        api: Buyer,
        spawn: Callable[[Coroutine[Any, Any, Any]], Any],
        start: type[Request] | Request | ModuleType | None = None,
    ) -> None:
        self.job: Job | None = None
        self._api = api
        self._spawn = spawn
        self._operations = _operations_of(start)
        self._lock = threading.RLock()
        self._balance: float | None = None
        self._is_paused = False  # the button: while a job runs, and against double clicks
        self._turn = 0
        self._error = ""
        self._extra = ""
        self._takes: dict[str, int] = {}  # last take, by repr of the request
        self._values: dict[tuple[str, str], Any] = {}  # of earlier operations, by name and kind
        self._picker = SongPicker(api.songs)
        self._always_active: set[str] = set()  # set by the start request against its mode
        self._controls: Mapping[str, Control] = {}
        self._submissions: list[Submission] = []
        self._display_ids: list[str] = []
        self._view, self._results = FormView(), LiveCards()
        self._results_class = f"musicapi-results-{uuid.uuid4().hex}"  # the page scrolls to it
        self._results.add_class(self._results_class)
        self._operation = default_operation(self._operations)
        self._select(self._operation, start if isinstance(start, Request) else None)
        self._view.on_msg(self._receive)
        self.widget: Any = ipywidgets.VBox([self._view, self._results])

    @property
    def request(self) -> Request:
        """The request that the form describes; its repr is code to paste.

        InvalidRequest if "Extra fields" is not a JSON object.
        """
        request, problems = self._read()
        if problems:
            raise InvalidRequest(wording.name_of(self._operation), problems)
        return request

    def problems(self) -> tuple[Problem, ...]:
        """Return all errors and advice; an error disables the button."""
        request, problems = self._read()
        return (*problems, *request.problems())

    def _read(self) -> tuple[Request, list[Problem]]:
        """Return the request, and the problems of "Extra fields"."""
        extra, problems = wording.read_extra(self._extra)
        values, active = self._control_values(), self._active_fields()
        fields = {name: value if name in active else None for name, value in values.items()}
        return self._operation(**fields, extra=extra), problems

    def _control_values(self) -> dict[str, Any]:
        return {name: control.read() for name, control in self._controls.items()}

    def _active_fields(self) -> set[str]:
        request = self._operation(**self._control_values())
        return self._always_active | {name for name in self._controls if request.is_active(name)}

    def _select(self, operation: type[Request], start: Request | None = None) -> None:
        """Create the controls of an operation; keep typed values of equal names and kinds."""
        for name, control in self._controls.items():
            if control.touched:
                self._values[name, control.field.kind] = control.read()
        values = {}
        for name, field in operation.fields().items():
            default = getattr(start or operation(), name)
            value = self._values.get((name, field.kind), default)
            values[name] = value if start is None and can_take(field, value) else default
            if start is not None and default is not None:
                self._values[name, field.kind] = default
        self._operation, self._always_active = operation, set()
        if start is not None:
            filled = {name for name, value in values.items() if value is not None}
            self._always_active = {name for name in filled if not start.is_active(name)}
            self._extra = json.dumps(dict(start.extra)) if start.extra else ""
        self._controls = {
            name: Control(name, field, values[name])
            for name, field in fields_in_order(operation).items()
        }
        with self._view.hold_sync():
            self._view.spec = {
                **wording.head(operation, simulated=self._api.simulated),
                **wording.choices(self._operations, operation),
                "fields": [control.spec() for control in self._controls.values()],
                "results": self._results_class,
            }
            self._hold("")
            self._draw()

    @contextlib.contextmanager
    def _updating(self) -> Iterator[None]:
        """Hold the lock, and show exceptions in the form; they would be invisible otherwise."""
        try:
            with self._lock:
                yield
        except MusicAPIError as error:
            self.show_error(str(error))
        except Exception as error:  # noqa: BLE001 - see the docstring
            self.show_error(f"Unexpected error in the form: {type(error).__name__}: {error}")

    def _receive(self, _: object, content: Any, __: object) -> None:
        message = content if isinstance(content, dict) else {}
        handlers = {
            "typed": self._on_typed,
            "pick": self._on_pick,
            "find": self._on_find,
            "buy": self._on_buy,
        }
        with self._updating():
            if message.get("kind") in handlers:
                handlers[message["kind"]](message)

    def _on_typed(self, message: Mapping[str, Any]) -> None:
        name, raw = str(message.get("name")), message.get("value")
        if name == "extra" and isinstance(raw, str):
            self._extra = raw
        elif name in self._controls:
            self._controls[name].type(raw)
        if any(name in conditions for conditions in self._operation.active_when.values()):
            self._always_active = set()  # another mode: hide what it ignores
        self._error = ""
        with self._view.hold_sync():
            self._hold(str(message.get("view")))
            self._draw()

    def _on_pick(self, message: Mapping[str, Any]) -> None:
        engine, name = message.get("engine", self._operation.engine), message.get("operation")
        kinds = [kind for kind in self._operations if kind.engine == engine]
        if matches := [kind for kind in kinds if name in (None, kind.operation)]:
            self._error = ""
            self._select(default_operation(matches))

    def _on_find(self, message: Mapping[str, Any]) -> None:
        """Search songs to choose from, off the kernel's thread."""
        text, engine = str(message.get("text")), self._operation.engine

        async def reply() -> None:
            with self._updating():
                songs = await asyncio.to_thread(self._picker.find, text, engine)
                self._view.send({**message, "kind": "songs", "songs": songs})

        self._spawn(reply())

    def _on_buy(self, message: Mapping[str, Any]) -> None:
        """Buy for a click: once for each turn, and only at the price that the person saw."""
        turn, price = message.get("turn"), message.get("price")
        state = self._view.state
        if turn != self._turn or price != state["price"] or not state["ready"]:
            self._view.send({"kind": "refused", "turn": turn})
            return
        self._turn += 1
        try:
            self.submit()
        finally:
            if not self._is_paused:  # nothing was submitted: enable the button again
                self._pause_button()

    def submit(self) -> Job:
        """Buy what the form describes, as its button does; join a purchase that is under way.

        InvalidRequest if the request has errors; nothing is sent.
        """
        with self._lock:
            if self.job is not None and not self.job.done():
                return self.job
            request = self.request
            request.check()
            take = self._next_take(request)
            self.job = self._api.run(request, take=take)
            self._takes[repr(request)] = take
            submission = Submission(self.job, request, take)
            self._submissions.append(submission)
            self._is_paused = True
            self._draw()
        self._spawn(self._follow(submission))
        return self.job

    def _next_take(self, request: Request) -> int:
        """Return the first take that was not bought.

        A take whose reply was lost is not skipped: the library then refuses the purchase and says
        how to resolve the lost one.
        """
        take, library = self._takes.get(repr(request), 1), self._api.library
        if library is not None:
            take = library.next_take(request, take, simulated=self._api.simulated)
        return take

    def show_error(self, message: str) -> None:
        """Show an error above the button."""
        with self._lock:
            self._error = markup.one_line(message)
            self._draw()

    def _hold(self, view: str) -> None:
        chosen = {song for control in self._controls.values() for song in control.songs}
        if chosen != self._view.songs.keys():
            self._view.songs = {song: self._picker.describe(song) for song in chosen}
        values = {name: control.raw for name, control in self._controls.items()}
        self._view.held = {"view": view, "values": {**values, "extra": self._extra}}

    def _draw(self) -> None:
        request, extra_problems = self._read()
        problems = [*extra_problems, *request.problems()]
        active, model = self._active_fields(), model_of(request)
        is_busy = self.job is not None and not self.job.done()
        declared, blank = self._operation.fields(), self._operation()
        values = {name: value for name, value in self._control_values().items() if name in active}
        fields = {
            name: control.state(problems, declared, model, is_active=name in active)
            for name, control in self._controls.items()
        }
        blockers: dict[str, list[str]] = {}
        for control in self._controls.values():
            if reason := control.blocker(problems):
                blockers.setdefault(reason, []).append(control.label)
        summary = wording.summary(problems, blockers, self._controls)
        self._view.state = {
            "fields": fields,
            "summary": [*summary, [self._error, "bad"]] if self._error else summary,
            "code": f"api.run({request!r})",
            "unfolded": any(
                self._controls[name].is_folded and (fields[name]["tone"] or value not in usual)
                for name, value in values.items()
                for usual in [(None, False, getattr(blank, name))]
            ),
            "label": "Working…" if is_busy else wording.button_label(request, self._balance),
            "price": markup.format_credits(request.price()),
            "ready": not self._is_paused and not any(problem.hard for problem in problems),
            "busy": is_busy,
            "turn": self._turn,
        }

    async def _follow(self, submission: Submission) -> None:
        """Show the progress of a job until it ends, then enable the button."""
        started = time.monotonic()
        end = asyncio.ensure_future(_end_of(submission.job))
        while not submission.job.done():
            self._draw_results(submission)
            await asyncio.wait({end}, timeout=_REFRESH_SECONDS)
        self._draw_results(submission)
        self._save_results()
        await asyncio.sleep(max(0.0, started + _DOUBLE_CLICK_SECONDS - time.monotonic()))
        await self._read_balance()
        self._resume_button()

    def _draw_results(self, submission: Submission) -> None:
        """Update one purchase, and show all, newest first."""
        submission.draw()
        self._results.cards = [submission.shown for submission in reversed(self._submissions)]

    def _pause_button(self) -> None:
        self._is_paused = True

        async def resume() -> None:
            await asyncio.sleep(_DOUBLE_CLICK_SECONDS)
            self._resume_button()

        self._draw()
        self._spawn(resume())

    def _resume_button(self) -> None:
        with self._updating():
            self._is_paused = self.job is not None and not self.job.done()
            self._draw()

    async def _read_balance(self) -> None:
        """Read the balance for the button's label; a failure leaves it out of the label."""
        balance = None
        with contextlib.suppress(MusicAPIError):
            balance = (await self._api.credits()).total
        with self._updating():
            self._balance = balance
            self._draw()

    @markup.safe_repr
    def __repr__(self) -> str:
        errors = sum(problem.hard for problem in self.problems())
        request, _ = self._read()
        state = wording.button_label(request, None)
        if errors:
            state = f"{errors} problem{'' if errors == 1 else 's'}"
        return markup.one_line(f"<Form {request!r}: {state}>")

    @markup.html_repr
    def _repr_html_(self) -> str:
        return markup.stack(markup.notice(_STATIC_TEXT), self._results_html())

    def _ipython_display_(self) -> None:
        from IPython.display import display  # noqa: PLC0415 - not needed outside of notebooks

        if host() == "terminal":  # it has no widgets
            print(repr(self))  # noqa: T201
            return
        self._spawn(self._read_balance())
        data, metadata = _bundle(self._view, markup.notice(_STATIC_TEXT), repr(self))
        display(data, metadata=metadata, raw=True)
        # The results are a second output: it is updated to save songs, the form's never is.
        display_id = uuid.uuid4().hex
        data, metadata = self._results_bundle()
        display(data, metadata=metadata, raw=True, display_id=display_id)
        self._display_ids.append(display_id)

    def _display_(self) -> Any:
        """Return what marimo displays: the form, and below it the purchases."""
        import marimo  # noqa: PLC0415 - not a dependency: it is there, because it calls this

        self._spawn(self._read_balance())
        return marimo.vstack([self._view, self._results])

    def _results_bundle(self) -> tuple[dict[str, Any], dict[str, Any]]:
        jobs = [repr(submission.job) for submission in reversed(self._submissions)]
        text = "; ".join(jobs) or "<nothing bought with this form yet>"
        return _bundle(self._results, self._results_html(), text)

    def _results_html(self) -> markup.Html:
        """Render the purchases, newest first; before the first, the request."""
        if not self._submissions:
            return markup.Html(self._read()[0]._repr_html_())
        return markup.stack(*(submission.html for submission in reversed(self._submissions)))

    def _save_results(self) -> None:
        """Update the static output, which a saved notebook shows when no widget is alive."""
        from IPython.display import update_display  # noqa: PLC0415 - as above

        for display_id in self._display_ids:
            data, metadata = self._results_bundle()
            update_display(data, metadata=metadata, raw=True, display_id=display_id)


def _operations_of(start: object) -> tuple[type[Request], ...]:
    """Return the operations that a form offers; InvalidArgument if it cannot start from `start`."""
    if start is None or isinstance(start, ModuleType):
        engine = start and start.__name__.rpartition(".")[2]
        offered = tuple(kind for kind in operations() if engine in {None, kind.engine})
    else:
        kind = start if isinstance(start, type) else type(start)
        offered = (kind,) if issubclass(kind, Request) else ()
    if not offered:
        raise InvalidArgument(
            f"a form starts from an operation, a request or an engine, not from {start!r:.60}"
        )
    return offered


async def _end_of(job: Job) -> None:
    with contextlib.suppress(Exception):  # the job's card shows it
        await job


def _bundle(widget: Any, html: str, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the data and metadata of a widget, with static HTML for pages without a kernel."""
    data, metadata = widget._repr_mimebundle_()
    return {**data, "text/html": html, "text/plain": text}, metadata
