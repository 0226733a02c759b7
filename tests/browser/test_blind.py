"""A blind test in real JupyterLab: it tells nothing, and it goes on after a kernel restart."""

import json
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, expect

from musicapi_nb._blind_test.store import load_trials
from musicapi_nb.library import Library
from tests.blind_helpers import LEVELS, filled
from tests.browser.ears import HTML, Frames, button, listen
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
    found: list[bool] = area.locator("audio").evaluate_all("all => all.map(each => !each.paused)")
    return found


def _at(area: Locator, number: int) -> float:
    return float(area.locator("audio").nth(number).evaluate("audio => audio.currentTime"))


def _answers(path: Path) -> list[Any]:
    with Library(path) as library:
        return [(trial.answer, trial.chosen) for trial in load_trials(library, "by ear")]


def _held(notebook: LabNotebook) -> str:
    """The document, and the notebook with the state of every widget's model in it."""
    notebook.page.evaluate(_TOGGLE)
    saved = notebook.save()
    notebook.page.evaluate(_TOGGLE)
    states = saved.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    assert any("_now" in model["state"] for model in states.values())
    return str(notebook.page.evaluate(HTML)) + json.dumps(saved)


def _by_mouse(area: Locator, path: Path) -> None:
    button(area, "Keep answer").click(force=True)  # nothing was played yet: nothing is kept
    listen(area)
    assert _playing(area) == [False, True]
    save_screenshot(area, "blind-asking")
    area.get_by_role("radio", name="B is better").click()
    assert _answers(path) == [(None, None)] * 4
    button(area, "Keep answer").dblclick()
    expect(area).to_contain_text("Trial 2 of 4")
    assert _answers(path)[:2] == [("chosen", 1), (None, None)]


def _by_keys(area: Locator, path: Path) -> None:
    page = area.page
    expect(area.get_by_role("status")).to_contain_text("Not played yet: A, B")
    button(area, "play A").focus()
    for key, at in (("a", 0), ("2", 1)):
        page.keyboard.press(key)
        sound = area.locator("audio").nth(at).element_handle()
        page.wait_for_function("audio => !audio.paused && audio.currentTime > 0.1", arg=sound)
    switched = _at(area, 1)
    page.keyboard.press("a")  # goes on where B was
    page.wait_for_function(
        "([audio, at]) => !audio.paused && audio.currentTime > at",
        arg=[area.locator("audio").nth(0).element_handle(), switched],
    )
    assert _playing(area) == [True, False]
    page.keyboard.press("ArrowRight")
    expect(area.get_by_role("radio", name="B is better")).to_be_checked()
    page.keyboard.press("t")
    expect(area.get_by_role("radio", name="No difference")).to_be_checked()
    page.keyboard.press("Enter")
    expect(area).to_contain_text("Trial 3 of 4")
    assert _answers(path)[1:3] == [("tie", None), (None, None)]


def _answer_a(area: Locator) -> None:
    listen(area)
    area.get_by_role("radio", name="A is better").click()
    assert not any(level in area.inner_text() for level in LEVELS)
    button(area, "Keep answer").click()


def test_a_blind_test_tells_nothing_until_its_end_and_outlives_the_kernel(
    lab: Lab, tmp_path: Path
) -> None:
    path = tmp_path / "library"
    secrets = filled(path, takes=1)
    notebook = lab.open([_CELLS[0].replace("FOLDER", str(path)), *_CELLS[1:]])
    page = notebook.page
    frames = Frames(page)
    page.reload()  # to see its messages from the first on
    notebook.wait_until_open()
    cells = page.locator(".jp-CodeCell").count()
    area = page.locator(".musicapi-nb-blind").first
    notebook.run_all()
    expect(area).to_contain_text("Trial 1 of 4")

    _by_mouse(area, path)
    _by_keys(area, path)

    assert page.locator(".jp-CodeCell").count() == cells, "Lab took a key for a command"
    frames.check(secrets, _held(notebook))
    assert "0 of 4 answered" in notebook.texts()[0]

    page.evaluate(
        "path => window.labProbe.panel(path).sessionContext.restartKernel()", notebook.file.name
    )
    notebook.wait_until_open()
    notebook.run_all()
    expect(area).to_contain_text("Trial 3 of 4")
    _answer_a(area)
    expect(area).to_contain_text("Trial 4 of 4")
    frames.check(secrets, _held(notebook))
    assert "2 of 4 answered" in notebook.texts()[0]
    saved = notebook.save()

    _answer_a(area)
    for shown in page.locator(".musicapi-nb-blind").all():
        expect(shown).to_contain_text("what was heard")
        for level in LEVELS:
            expect(shown).to_contain_text(level)
    assert [answer for answer, _ in _answers(path)] == ["chosen", "tie", "chosen", "chosen"]
    save_screenshot(area, "blind-end")

    for written, words in (
        (saved, ("2 of 4 answered", "told at the end")),
        (notebook.save(), LEVELS),
    ):
        reader = lab.open_untrusted(written)
        for cell in (0, 1):
            for each in words:
                expect(reader.output_area(cell)).to_contain_text(each)
