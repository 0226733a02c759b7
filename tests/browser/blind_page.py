"""Helpers for blind tests in the browser: log of messages, and listening to what is played."""

import json

from playwright.sync_api import Locator, Page, WebSocket

HTML = "() => document.documentElement.outerHTML"


class MessageLog:
    """All messages between a page and the server."""

    def __init__(self, page: Page) -> None:
        self.messages: list[bytes] = []
        page.on("websocket", self._attach)
        page.on("request", lambda request: self.messages.append(request.url.encode()))

    def _attach(self, socket: WebSocket) -> None:
        for event in ("framesent", "framereceived"):
            socket.on(
                event,
                lambda data: self.messages.append(data.encode() if isinstance(data, str) else data),
            )

    def check(self, secrets: list[str], held: str) -> None:
        """Check that no secret is in a message or in `held`, the content of the page."""
        everything = [*self.messages, held.encode()]
        for marker in (b"RIFF", b"musicapi-nb-blind", b"No difference", b'"do": "load"'):
            assert any(
                marker.replace(b": ", b":") in part.replace(b": ", b":") for part in everything
            )
        for secret in secrets:
            spellings = {secret.encode(), json.dumps(secret)[1:-1].encode()}
            for part in everything:
                for spelling in spellings:
                    index = part.find(spelling)
                    assert index < 0, f"{secret!r} in {part[max(index - 80, 0) : index + 80]!r}"


def button(area: Locator, name: str) -> Locator:
    return area.get_by_role("button", name=name, exact=True)


def listen(area: Locator, letters: str = "AB") -> None:
    """Play each song in turn until its audio has advanced."""
    for index, letter in enumerate(letters):
        button(area, f"play {letter}").click()
        audio = area.locator("audio").nth(index).element_handle()
        area.page.wait_for_function(
            "audio => !audio.paused && audio.currentTime > 0.15 && audio.readyState >= 3", arg=audio
        )
