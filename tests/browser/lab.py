"""Notebooks in a real JupyterLab, Notebook 7 or voila: write, open, run, read, save, screenshot."""

import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, cast

import nbformat
from nbformat import NotebookNode
from playwright.sync_api import BrowserContext, Locator, Page
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from tests.browser.server import LabServer

SCREENSHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"

PROBE = Path(__file__).with_name("lab.js")
_OPEN_SECONDS = 120.0
_METADATA = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
_THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}


Theme = Literal["light", "dark"]


def save_screenshot(target: Page | Locator, name: str) -> Path:
    """Write build/screenshots/<name>.png and return its path."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    path = SCREENSHOTS / f"{name}.png"
    if isinstance(target, Page):
        target.screenshot(path=path, full_page=True)
    else:
        target.screenshot(path=path)
    return path


def output_text(output: NotebookNode) -> str:
    """Return an output as plain text; an error as `Name: message`."""
    if output["output_type"] == "stream":
        return str(output["text"])
    if output["output_type"] == "error":
        return f"{output['ename']}: {output['evalue']}"
    return str(output["data"].get("text/plain", ""))


class LabNotebook:
    """A notebook in a browser page, with a connected and idle kernel at the start."""

    def __init__(self, page: Page, file: Path) -> None:
        self.page = page
        self.file = file

    def _wait(self, function: str, seconds: float) -> None:
        self.page.wait_for_function(
            f"path => window.labProbe?.{function}(path)", arg=self.file.name, timeout=seconds * 1000
        )

    def _call(self, function: str) -> object:
        return self.page.evaluate(f"path => window.labProbe.{function}(path)", self.file.name)

    def wait_until_open(self) -> None:
        try:
            self._wait("loaded", _OPEN_SECONDS)
            self._wait("kernelIdle", _OPEN_SECONDS)
        except PlaywrightTimeoutError as error:
            message = f"{self.file.name} did not open with an idle kernel; see the screenshot"
            raise AssertionError(message) from error

    def run_all(self, seconds: float = 120.0, *, errors_expected: bool = False) -> None:
        """
        Run All, as the menu does, and wait until all cells have ended and the kernel is idle.

        Raise AssertionError with the state of each cell after `seconds`, or with a cell's error
        unless errors are expected.
        """
        self.start_run_all()
        self.wait_until_done(seconds)
        errors = [text for cell in self.outputs() for text in _error_texts(cell)]
        if errors and not errors_expected:
            raise AssertionError("a cell ended in an error:\n" + errors[0])

    def start_run_all(self) -> None:
        """Queue all cells and return at once, for tests that act during the run."""
        self._call("startRunAll")

    def wait_until_done(self, seconds: float = 120.0) -> None:
        try:
            self._wait("runAllDone", seconds)
        except PlaywrightTimeoutError as error:
            message = f"Run All did not end within {seconds:g} s:\n{self._call('states')}"
            raise AssertionError(message) from error

    def outputs(self) -> list[list[NotebookNode]]:
        """Return the outputs of each code cell as the page holds them, in the notebook format."""
        cells = cast("list[list[dict[str, object]]]", self._call("outputs"))
        return [[nbformat.from_dict(output) for output in cell] for cell in cells]

    def texts(self) -> list[str]:
        """Return each code cell's outputs as plain text, joined without a separator."""
        return ["".join(map(output_text, cell)) for cell in self.outputs()]

    def execution_counts(self) -> list[int | None]:
        """Return each code cell's `[n]`; None if the cell has not ended."""
        return cast("list[int | None]", self._call("executionCounts"))

    def output_area(self, cell: int) -> Locator:
        """Return the rendered output of a code cell; index 0 is the first code cell."""
        return self.page.locator(".jp-CodeCell").nth(cell).locator(".jp-OutputArea-output")

    def is_trusted(self) -> bool:
        return bool(self._call("trusted"))

    def save(self) -> NotebookNode:
        """Save, as the menu does, and return the content of the file."""
        self._call("save")
        return self.read()

    def read(self) -> NotebookNode:
        return cast("NotebookNode", nbformat.read(self.file, as_version=4))

    def set_theme(self, theme: Theme) -> None:
        name = _THEMES[theme]
        self.page.evaluate("name => window.labProbe.setTheme(name)", name)
        self.page.wait_for_function("name => window.labProbe.themed(name)", arg=name)

    def screenshot(self, name: str) -> Path:
        """Write build/screenshots/<name>.png, as tall as the whole notebook."""
        viewport = self.page.viewport_size
        assert viewport is not None
        height = max(viewport["height"], int(cast("float", self._call("contentHeight"))) + 40)
        self.page.set_viewport_size({"width": viewport["width"], "height": height})
        self._call("scrollToTop")
        path = save_screenshot(self.page, name)
        self.page.set_viewport_size(viewport)
        return path


def _error_texts(cell: list[NotebookNode]) -> list[str]:
    errors = [output for output in cell if output["output_type"] == "error"]
    return ["\n".join([output_text(output), *output["traceback"]]) for output in errors]


class Lab:
    """
    Opens the notebooks of one test, each in its own page, with the light theme.

    To load JupyterLab takes two seconds of a processor; the first notebook is opened in a page
    that has loaded it for an earlier test, if there is one.
    """

    def __init__(
        self, server: LabServer, context: BrowserContext, loaded: Page | None = None
    ) -> None:
        self.server = server
        self.first_page: Page | None = None
        self._context = context
        self._loaded = loaded

    def new_page(self) -> Page:
        """Return an empty page, for tests that watch what a notebook sends while it opens."""
        return self._context.new_page()

    def open(self, cells: Sequence[str] | NotebookNode, page: Page | None = None) -> LabNotebook:
        """Write a notebook (or one made of the sources of its code cells) and open it."""
        file = self._write(cells)
        reused, self._loaded = (self._loaded, None) if page is None else (None, self._loaded)
        if reused is not None:
            reused.evaluate("path => window.labProbe.open(path)", file.name)
            notebook = self._opened(reused, file)
        else:
            # In a new workspace; else Lab would also open the tabs of earlier tests.
            notebook = self._open(file, self.server.url(file.name, workspace=file.stem), page)
        notebook.page.evaluate("() => window.labProbe.collapseSidebars()")
        if page is None and self.first_page is None:
            self.first_page = notebook.page
        return notebook

    def open_in_notebook7(
        self, cells: Sequence[str] | NotebookNode, page: Page | None = None
    ) -> LabNotebook:
        """Open a notebook in Notebook 7."""
        file = self._write(cells)
        return self._open(file, self.server.notebook_url(file.name), page)

    def open_in_voila(self, cells: Sequence[str] | NotebookNode, page: Page | None = None) -> Page:
        """Run a notebook in voila; return its page, to which widgets are added later."""
        file = self._write(cells)
        page = page or self.new_page()
        page.goto(self.server.voila_url(file.name), timeout=_OPEN_SECONDS * 1000)
        return page

    def _write(self, cells: Sequence[str] | NotebookNode) -> Path:
        if not isinstance(cells, NotebookNode):
            sources = [nbformat.v4.new_code_cell(source) for source in cells]
            cells = nbformat.v4.new_notebook(cells=sources, metadata=_METADATA)
        file = self.server.folder / f"{uuid.uuid4().hex}.ipynb"
        nbformat.write(cells, file)
        return file

    def _open(self, file: Path, url: str, page: Page | None) -> LabNotebook:
        page = page or self.new_page()
        page.goto(url)
        return self._opened(page, file)

    def _opened(self, page: Page, file: Path) -> LabNotebook:
        notebook = LabNotebook(page, file)
        notebook.wait_until_open()
        notebook.set_theme("light")
        return notebook

    def open_untrusted(self, notebook: NotebookNode) -> LabNotebook:
        """
        Open a notebook with its outputs without trusting it, as for a reader who did not run it.

        JupyterLab then sanitises HTML and runs no script. Trust is a signature of the content; the
        copy is changed, so that no signature matches. Its page is new: no script has run in it.
        """
        copy = nbformat.from_dict(json.loads(json.dumps(notebook)))
        copy.metadata["unsigned"] = uuid.uuid4().hex
        for cell in copy.cells:
            cell.metadata.pop("trusted", None)
        untrusted = self.open(copy, self.new_page())
        assert not untrusted.is_trusted(), "the notebook has no output to distrust"
        return untrusted
