"""What connect() prints, and the card of a session."""

import socket
import time
from pathlib import Path

import pytest

import musicapi_nb as mnb
from musicapi_nb.errors import Unauthorized
from musicapi_nb.notebook import session as sessions
from musicapi_nb.notebook.session import Session
from musicapi_nb.simulator import EmbeddedSimulator, Simulator
from musicapi_nb.widgets.gallery import Gallery

KEY = "sk-some-key-0001"


def practice(library: Path | None = None) -> Session:
    return mnb.connect(simulator=Simulator(speed=4000, seconds=(1, 1.2)), library=library)


def test_a_key_shows_the_balance_when_it_connects(capsys: pytest.CaptureFixture[str]) -> None:
    with EmbeddedSimulator(Simulator()) as simulator:
        simulator.accounts.open(KEY, credits=900, extra_credits=80)
        with mnb.connect(KEY, base_url=simulator.url) as api:
            line = capsys.readouterr().out
            card = api._repr_html_()
    assert f"MusicAPI at {simulator.url} · 980 credits left · a song request costs 20\n" in line
    assert "980 credits left" in card
    assert KEY not in line + card


def test_a_wrong_key_is_an_error_when_it_connects(tmp_path: Path) -> None:
    with EmbeddedSimulator(Simulator()) as simulator:
        simulator.faults.arm("wrong_key")
        with pytest.raises(Unauthorized, match="the MusicAPI dashboard shows your key"):
            mnb.connect(KEY, base_url=simulator.url, library=tmp_path)
        with mnb.connect(KEY, base_url=simulator.url, library=tmp_path) as api:  # a new session
            assert api.balance.credits == 1000  # type: ignore[union-attr]


def test_no_network_is_a_line_and_no_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "_BALANCE_SECONDS", 0.2)
    silent = socket.create_server(("127.0.0.1", 0))  # accepts, and never answers
    url = f"http://127.0.0.1:{silent.getsockname()[1]}"
    with silent, mnb.connect(KEY, base_url=url) as api:
        assert "balance unknown (no answer from 127.0.0.1" in capsys.readouterr().out
        assert "balance unknown" in api._repr_html_()


def test_practice_says_so_and_offers_first_steps(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with practice(tmp_path) as api:
        line = capsys.readouterr().out
        card = api._repr_html_()
        assert line.splitlines()[0] == (
            "Practice mode (simulator): free, made on this computer. "
            "For real songs set MUSICAPI_KEY."
        )
        assert line.splitlines()[1] == f"Library: {tmp_path}"
        assert [step in card for step in ("api.run(", "api.form()", "api.gallery()")] == [True] * 3
        assert "For real songs" not in card

        task = api.run("rain on a tin roof").result()
        card = api._repr_html_()
    assert card.count("data:image/jpeg") == 2
    assert card.count("data:audio/mpeg") == 2
    assert str(task.songs[0].title) in card
    assert "api.form()" not in card


def test_the_card_says_what_is_under_way_and_uncertain(tmp_path: Path) -> None:
    with mnb.connect(simulator=Simulator(speed=20), library=tmp_path) as api:
        assert api.simulator is not None
        assert api.library is not None
        api.simulator.faults.arm("lost_reply")
        with pytest.raises(mnb.MusicAPIError):
            api.run("wind").result()
        job = api.run("rain")
        while not api.library.unfinished():
            time.sleep(0.01)
        card = api._repr_html_()
        job.cancel()
    assert "1 request under way (sonic.create): await api.resume()." in card
    assert "1 request may have been charged, its answer got lost: see api.library." in card


def test_without_a_library_the_gallery_has_the_songs_of_the_session() -> None:
    with practice() as api:
        assert len(api.gallery().collection.items) == 0
        task = api.run("rain").result()
        gallery = api.gallery()
    assert isinstance(gallery, Gallery)
    assert [item.song.id for item in gallery.collection.items] == [song.id for song in task.songs]


def test_practice_goes_on_if_its_library_cannot_be_opened(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (Path.home() / "musicapi-library-simulated").write_text("a file in its place", encoding="utf-8")
    with mnb.connect() as api:
        assert api.library is None
        assert "Songs are not kept: the library cannot be" in capsys.readouterr().out
        assert "Songs are not kept" in api._repr_html_()
    with pytest.raises(mnb.errors.LibraryError):
        mnb.connect(spend_limit=5)


def test_a_running_simulator_is_connected_to_by_its_address(tmp_path: Path) -> None:
    with EmbeddedSimulator(Simulator()) as simulator:
        with pytest.raises(mnb.errors.InvalidRequest, match=f"pass its address, '{simulator.url}'"):
            mnb.connect(simulator=simulator)
        with mnb.connect(simulator=simulator.url, library=tmp_path) as api:
            assert api.credits().result().total == 1000
