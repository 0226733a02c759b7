"""One JupyterLab and one Chromium per worker, with one page that has loaded JupyterLab."""

import os
import re
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.chromium import ARGUMENTS, VIEWPORT, chromium_path
from tests.browser.lab import PROBE, Lab, save_screenshot
from tests.browser.server import LabServer, running_lab
from tests.browser.watch import Watch

_FOLDER = Path(__file__).parent
_FAILED = pytest.StashKey[bool]()
_MS = 120_000.0  # a busy machine must not fail a test
expect.set_options(timeout=_MS)


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
    environment: dict[str, str | float | bool] = {
        **os.environ,
        "HOME": str(home),
        "PULSE_RUNTIME_PATH": str(home / "pulse"),  # else a temporary folder, which stays
    }
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


@pytest.fixture(scope="package")
def profile(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context(viewport=VIEWPORT) as profile:
        profile.add_init_script(path=PROBE)
        profile.set_default_timeout(_MS)
        yield profile


@pytest.fixture(scope="package")
def loaded() -> list[Page]:
    """Return a list with the page that has loaded JupyterLab, once a test has left one."""
    return []


@pytest.fixture
def context(
    profile: BrowserContext, loaded: list[Page], request: pytest.FixtureRequest
) -> Iterator[BrowserContext]:
    """Yield the browser's profile and close the test's pages; screenshot each if it failed."""
    yield profile
    name = re.sub(r"\W+", "-", request.node.name).strip("-")
    pages = [page for page in profile.pages if page not in loaded]
    for number, page in enumerate(pages):
        if request.node.stash.get(_FAILED, False):
            save_screenshot(page, f"failed-{name}-{number}")
        page.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """Return an empty page, for tests without a notebook."""
    return context.new_page()


@pytest.fixture
def lab(
    lab_server: LabServer,
    context: BrowserContext,
    loaded: list[Page],
    request: pytest.FixtureRequest,
) -> Iterator[Lab]:
    lab = Lab(lab_server, context, loaded.pop() if loaded else None)
    yield lab
    page = lab.first_page
    if page is not None and not page.is_closed() and not request.node.stash.get(_FAILED, False):
        page.evaluate("() => window.labProbe.closeAll()")
        page.set_viewport_size(VIEWPORT)
        loaded.append(page)
    lab_server.end_kernels()


@pytest.fixture
def watch(context: BrowserContext) -> Iterator[Watch]:
    """Yield a watch over all pages of the test; fail if it reports an incident."""
    with Watch(context) as watch:
        yield watch
    assert watch.incidents == []
