"""The browser of tests and pictures: where it is, and its command line."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, ViewportSize, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")

ARGUMENTS = (
    "--no-sandbox",  # CI runs as root
    "--disable-gpu",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # no internet
    "--autoplay-policy=no-user-gesture-required",
    "--mute-audio",
)

VIEWPORT = ViewportSize(width=1280, height=900)


def chromium_path() -> str | None:
    """Return the path of a browser, None if there is none."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


@contextmanager
def empty_page(width: int = VIEWPORT["width"]) -> Iterator[Page]:
    """Start a browser for one page, as benchmarks do."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
        viewport = ViewportSize(width=width, height=VIEWPORT["height"])
        with browser.new_context(viewport=viewport) as context:
            yield context.new_page()
        browser.close()
