"""Ears for a blind test: what the page and its messages tell, and listening to what it plays."""

import json

from playwright.sync_api import Locator, Page, WebSocket

HTML = "() => document.documentElement.outerHTML"


class Frames:
    """Every message between the pages and the server, from the first one on."""

    def __init__(self, page: Page) -> None:
        self.seen: list[bytes] = []
        page.on("websocket", self._attach)
        page.on("request", lambda request: self.seen.append(request.url.encode()))

    def _attach(self, socket: WebSocket) -> None:
        for event in ("framesent", "framereceived"):
            socket.on(
                event,
                lambda data: self.seen.append(data.encode() if isinstance(data, str) else data),
            )

    def check(self, secrets: list[str], held: str) -> None:
        """See that no secret is in any message, nor in what the page holds."""
        everything = [*self.seen, held.encode()]
        for known in (b"RIFF", b"musicapi-nb-blind", b"No difference", b'"do": "load"'):
            assert any(
                known.replace(b": ", b":") in part.replace(b": ", b":") for part in everything
            )
        for secret in secrets:
            spelled = {secret.encode(), json.dumps(secret)[1:-1].encode()}
            for part in everything:
                for form in spelled:
                    at = part.find(form)
                    assert at < 0, f"{secret!r} in {part[max(at - 80, 0) : at + 80]!r}"


def button(area: Locator, name: str) -> Locator:
    return area.get_by_role("button", name=name, exact=True)


def listen(area: Locator, letters: str = "AB") -> None:
    """Play each in turn, until the sound really goes on."""
    for at, letter in enumerate(letters):
        button(area, f"play {letter}").click()
        sound = area.locator("audio").nth(at).element_handle()
        area.page.wait_for_function(
            "audio => !audio.paused && audio.currentTime > 0.15 && audio.readyState >= 3", arg=sound
        )
