"""The fixtures for users' own tests: they reach the simulator, never the service."""

import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

USER_TESTS = """
import os
from pathlib import Path

import musicapi_nb as mnb

pytest_plugins = ["musicapi_nb.testing"]


def test_songs(musicapi_session, musicapi_simulator, tmp_path, capsys):
    task = musicapi_session.run("rain on a tin roof").result()
    assert [song.finished for song in task.songs] == [True, True]
    assert musicapi_session.library.path.is_relative_to(tmp_path)
    assert len(musicapi_simulator.request_log.paid) == 1
    assert not capsys.readouterr().out


def test_code_that_connects_by_itself(musicapi_simulator, tmp_path):
    assert "MUSICAPI_KEY" not in os.environ
    with mnb.connect() as api, mnb.Library() as library:
        assert api.simulated
        assert api.base_url == musicapi_simulator.url
        assert api.library.path.is_relative_to(tmp_path)
        assert library.path.is_relative_to(tmp_path)
    assert not musicapi_simulator.request_log.posts
    assert not list(Path.home().glob("musicapi*"))


def test_faults(musicapi_session, musicapi_simulator):
    musicapi_simulator.faults.arm("task_fails")
    assert musicapi_session.run("rain").result().state == "failed"
"""


def test_the_fixtures_work_in_a_users_test(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSICAPI_KEY", "sk-of-an-account-0001")
    pytester.makepyfile(USER_TESTS)
    pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:asyncio").assert_outcomes(
        passed=3
    )


def test_the_module_loads_no_pandas() -> None:
    code = "import sys, musicapi_nb.testing; sys.exit('pandas' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
