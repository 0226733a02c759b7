"""The browser of tests and pictures: where it is, and its command line."""

import shutil

_NAMES = ("chromium", "chromium-browser", "google-chrome")

ARGUMENTS = (
    "--no-sandbox",  # CI runs as root
    "--disable-gpu",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # no internet
    "--autoplay-policy=no-user-gesture-required",
    "--mute-audio",
)


def chromium_path() -> str | None:
    """Return the path of a browser, None if there is none."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)
