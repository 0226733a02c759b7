"""A blind test in JupyterLab: it stays anonymous, and resumes after a kernel restart."""

import json
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, expect

from musicapi_nb._blind_test.store import load_trials
from musicapi_nb.library import Library
from tests.blind_helpers import LEVELS, fill_library
from tests.browser.axe import axe_violations
from tests.browser.blind_page import HTML, MessageLog, button, listen
from tests.browser.lab import Lab, LabNotebook, save_screenshot

_CELLS = [
    """\
import musicapi_nb as mnb
library = mnb.Library("FOLDER")
test = mnb.blind_test(library, factor="mv", trials=4, swap_repeats=True, name="by ear", seed=3)
test""",
    "test",
]
_TOGGLE = """() => window.jupyterapp.commands.execute(
  "@jupyter-widgets/jupyterlab-manager:saveWidgetState")"""


def _playing(area: Locator) -> list[bool]:
    playing: list[bool] = area.locator("audio").evaluate_all(
        "players => players.map(player => !player.paused)"
    )
    return playing


def _current_time(area: Locator, number: int) -> float:
    return float(area.locator("audio").nth(number).evaluate("audio => audio.currentTime"))


def _answers(path: Path) -> list[Any]:
    with Library(path) as library:
        return [(trial.answer, trial.chosen) for trial in load_trials(library, "by ear")]


def _page_and_notebook(notebook: LabNotebook) -> str:
    """Return the page's HTML, and the notebook with the state of all widgets."""
    notebook.page.evaluate(_TOGGLE)
    saved = notebook.save()
    notebook.page.evaluate(_TOGGLE)
    states = saved.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    assert any("_view" in model["state"] for model in states.values())
    return str(notebook.page.evaluate(HTML)) + json.dumps(saved)


def _answer_by_mouse(area: Locator, path: Path) -> None:
    button(area, "Save & next").click(force=True)  # nothing was played yet, so nothing is saved
    listen(area)
    assert _playing(area) == [False, True]
    save_screenshot(area, "blind-asking")
    assert axe_violations(area) == []
    area.get_by_role("radio", name="B is better").click()
    assert _answers(path) == [(None, None)] * 4
    button(area, "Save & next").dblclick()
    expect(area).to_contain_text("Question 2 of 4")
    assert _answers(path)[:2] == [("chosen", 1), (None, None)]


def _answer_by_keys(area: Locator, path: Path) -> None:
    page = area.page
    expect(area.get_by_role("status")).to_contain_text("Listen to A and B first.")
    button(area, "play A").focus()
    for key, index in (("a", 0), ("2", 1)):
        page.keyboard.press(key)
        sound = area.locator("audio").nth(index).element_handle()
        page.wait_for_function("audio => !audio.paused && audio.currentTime > 0.1", arg=sound)
    switched = _current_time(area, 1)
    page.keyboard.press("a")  # continues at B's position
    page.wait_for_function(
        "([audio, time]) => !audio.paused && audio.currentTime > time",
        arg=[area.locator("audio").nth(0).element_handle(), switched],
    )
    assert _playing(area) == [True, False]
    page.keyboard.press("ArrowRight")
    expect(area.get_by_role("radio", name="B is better")).to_be_checked()
    page.keyboard.press("0")
    expect(area.get_by_role("radio", name="No difference")).to_be_checked()
    page.keyboard.press("Enter")
    expect(area).to_contain_text("Question 3 of 4")
    assert _answers(path)[1:3] == [("tie", None), (None, None)]


def _answer_a(area: Locator) -> None:
    listen(area)
    area.get_by_role("radio", name="A is better").click()
    assert not any(level in area.inner_text() for level in LEVELS)
    button(area, "Save & next").click()


def _hear_again(area: Locator) -> None:
    """Play two songs of the list at the end, one at a time, with the names that were hidden."""
    expect(area).to_contain_text("Too few to tell")
    expect(area.get_by_text("your choice")).to_have_count(3)
    expect(area.locator(".blind-question-row")).to_have_count(4)
    expect(area.locator(".blind-question-row").nth(1)).to_contain_text("no difference")
    for name in ("A of question 1", "B of question 4"):
        player = area.get_by_role("button", name=f"Play {name}: Kazoo Ballad")
        player.click()
        expect(area.get_by_role("button", name=f"Pause {name}: Kazoo Ballad")).to_be_visible()
        sound = area.locator("audio").element_handle()
        area.page.wait_for_function("audio => !audio.paused && audio.currentTime > 0.1", arg=sound)
    area.get_by_role("button", name="Pause B of question 4").click()
    assert _playing(area) == [False]
    area.get_by_text("Statistics").click()
    expect(area).to_contain_text("How clearly each was preferred")


def test_blind_test_is_anonymous_and_survives_a_kernel_restart(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "library"
    secrets = fill_library(path, takes=1)
    page = lab.new_page()
    frames = MessageLog(page)  # from the start
    notebook = lab.open([_CELLS[0].replace("FOLDER", str(path)), *_CELLS[1:]], page)
    cells = page.locator(".jp-CodeCell").count()
    area = page.locator(".musicapi-nb-blind").first
    notebook.run_all()
    expect(area).to_contain_text("Question 1 of 4")

    _answer_by_mouse(area, path)
    _answer_by_keys(area, path)

    assert page.locator(".jp-CodeCell").count() == cells, "JupyterLab took a key for a command"
    frames.check(secrets, _page_and_notebook(notebook))
    assert "0 of 4 answered" in notebook.texts()[0]

    page.evaluate(
        "path => window.labProbe.panel(path).sessionContext.restartKernel()", notebook.file.name
    )
    notebook.wait_until_open()
    notebook.run_all()
    expect(area).to_contain_text("Question 3 of 4")
    _answer_a(area)
    expect(area).to_contain_text("Question 4 of 4")
    frames.check(secrets, _page_and_notebook(notebook))
    assert "2 of 4 answered" in notebook.texts()[0]
    saved = notebook.save()

    _answer_a(area)
    for widget in page.locator(".musicapi-nb-blind").all():
        expect(widget).to_contain_text("You preferred")
        for level in LEVELS:
            expect(widget).to_contain_text(level)
    assert [answer for answer, _ in _answers(path)] == ["chosen", "tie", "chosen", "chosen"]
    _hear_again(area)
    assert axe_violations(area) == []
    save_screenshot(area, "blind-end")

    for document, texts in (
        (saved, ("2 of 4 answered", "revealed after the last question")),
        (notebook.save(), LEVELS),
    ):
        reader = lab.open_untrusted(document)
        for cell in (0, 1):
            for text in texts:
                expect(reader.output_area(cell)).to_contain_text(text)
