"""One JupyterLab and one Chromium per worker; a fresh profile for each test."""

import os
import re
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.chromium import ARGUMENTS, chromium_path
from tests.browser.lab import PROBE, Lab, save_screenshot
from tests.browser.server import LabServer, running_lab
from tests.browser.watch import Watch

_FOLDER = Path(__file__).parent
_FAILED = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _FOLDER in item.path.parents:
            item.add_marker("browser")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    return report


@pytest.fixture(scope="package")
def chromium() -> str:
    """Return the browser's path. Without a browser, tests are skipped; in CI they fail."""
    if path := chromium_path():
        return path
    message = "there is no chromium, chromium-browser or google-chrome on PATH"
    if os.environ.get("CI", "").lower() in {"", "0", "false"}:
        pytest.skip(message)
    pytest.fail(message, pytrace=False)


# Scoped to this package, not the session: Playwright occupies the thread's event loop while it
# runs, so that later asyncio tests of the same process could not run.
@pytest.fixture(scope="package")
def browser(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    home = tmp_path_factory.mktemp("chromium")
    environment: dict[str, str | float | bool] = {**os.environ, "HOME": str(home)}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, env=environment, args=ARGUMENTS
        )
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def lab_server(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    assert chromium, "the server is only useful with a browser"
    with running_lab(tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture
def context(browser: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    """Yield an empty browser profile; if the test fails, save a screenshot of each page."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        context.add_init_script(path=PROBE)
        yield context
        if request.node.stash.get(_FAILED, False):
            name = re.sub(r"\W+", "-", request.node.name).strip("-")
            for number, page in enumerate(context.pages):
                save_screenshot(page, f"failed-{name}-{number}")


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """Return an empty page, for tests without a notebook."""
    return context.new_page()


@pytest.fixture
def lab(lab_server: LabServer, context: BrowserContext) -> Iterator[Lab]:
    yield Lab(lab_server, context)
    lab_server.end_kernels()


@pytest.fixture
def watch(context: BrowserContext) -> Iterator[Watch]:
    """Yield a watch over all pages of the test; fail if it reports an incident."""
    watch = Watch(context)
    yield watch
    assert watch.incidents == []
