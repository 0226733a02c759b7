"""The line that connect() prints, and the card of a session."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from musicapi_nb import markup
from musicapi_nb.client import BASE_URL, Balance
from musicapi_nb.engines import described_song
from musicapi_nb.markup.escape import element
from musicapi_nb.tasks import Songs

if TYPE_CHECKING:
    from musicapi_nb.library import Library
    from musicapi_nb.simulator import Simulator

KEY_VARIABLE = "MUSICAPI_KEY"
_LATEST_SONGS = 8
_FIRST_STEPS = (
    ('api.run("rain on a tin roof, slow jazz")', "makes two songs"),
    ("api.form()", "is a form with every option, and the price on its button"),
    ("api.gallery()", "lists your songs, to play and rate"),
)


class Session(Protocol):
    """What is shown of a session."""

    simulated: bool
    base_url: str
    simulator: Simulator | None
    library: Library | None
    balance: Balance | str
    note: str

    def songs(self, last: int = ...) -> Songs: ...


def service_line(session: Session) -> str:
    """Say what a session is connected to, and what a song costs."""
    if not session.simulated:
        name = "MusicAPI" if session.base_url == BASE_URL else f"MusicAPI at {session.base_url}"
        price = described_song("a song").price()
        cost = f"a song request costs {price}" if price else "each song request costs credits"
        return f"{name} · {_balance_text(session.balance)} · {cost}"
    if session.simulator is None:
        return (
            f"Practice mode (simulator at {session.base_url}): free. "
            "For real songs connect with a key."
        )
    return (
        "Practice mode (simulator): free, made on this computer. "
        f"For real songs set {KEY_VARIABLE}."
    )


def _balance_text(balance: Balance | str) -> str:
    if isinstance(balance, str):
        return f"balance unknown ({balance})"
    return f"{markup.format_credits(balance.total)} left"


def session_card(session: Session) -> markup.Html:
    """Return the balance, running tasks and the latest songs, or the first steps."""
    songs = session.songs(_LATEST_SONGS)
    title = "Practice mode" if session.simulated else "MusicAPI"
    balance = None if session.simulated else _balance_text(session.balance)
    if not songs:
        return markup.card(
            title,
            *_notices(session),
            _first_steps(),
            facts=markup.facts(balance, "no songs yet"),
            wide=True,
        )
    latest = "the latest song" if len(songs) == 1 else f"the latest {len(songs)} songs"
    head = element(
        "div",
        element("div", title, style="font-size:16px;font-weight:600"),
        markup.caption(balance, f"{latest}, newest first"),
    )
    notices = element("div", markup.stack(*_notices(session)), style="max-width:720px")
    return markup.stack(head, notices, markup.Html(songs._repr_html_()))


def _notices(session: Session) -> Iterator[markup.Html]:
    library = session.library
    if session.note:
        yield markup.notice(session.note, "warn")
    if library is None:
        return
    if library.notice:
        yield markup.notice(f"Purchases are refused: {library.notice}.", "warn")
    if uncertain := library.counts().get("uncertain", 0):
        may = (
            "request may have been charged, its answer"
            if uncertain == 1
            else ("requests may have been charged, their answers")
        )
        yield markup.notice(f"{uncertain:,} {may} got lost: see api.library.", "warn")
    unfinished = library.unfinished(simulated=session.simulated)
    if unfinished:
        names = dict.fromkeys(item.entry.name for item in unfinished)
        count = markup.plural(len(unfinished), "request")
        yield markup.notice(f"{count} under way ({', '.join(names)}): await api.resume().")


def _first_steps() -> markup.Html:
    lines = [
        element("div", element("code", code), f" {effect}", style="margin:0 0 6px;line-height:1.5")
        for code, effect in _FIRST_STEPS
    ]
    return element("div", *lines)
