"""Experiments in a real notebook: outputs change in place, and the last state is saved.

nbval tests neither: it sends one cell at a time and ignores updates of a display.
"""

from pathlib import Path

from playwright.sync_api import expect

from tests.browser import hostile
from tests.browser.axe import axe_violations
from tests.browser.lab import Lab, save_screenshot
from tests.browser.watch import Watch

_CONNECT = """\
import json, threading, time
from pathlib import Path
import musicapi_nb as mnb
from IPython.display import display
from musicapi_nb import sonic
from musicapi_nb.simulator import Simulator

folder = Path("FOLDER")
sim = Simulator(speed=300, seconds=(1, 1.2))
api = mnb.connect(simulator=sim, library=folder / "library")
plan = mnb.Plan.grid(
    sonic.Create,
    base={"custom_mode": False, "gpt_description_prompt": "{style} about {topic}"},
    factors={"style": ["spy jazz", "sea shanty"], "topic": ["rain", "a lighthouse"],
             "mv": ["sonic-v6"]},
    repeats=2,
)"""

_RUN = """\
run = api.experiment("harbour", plan, budget=200, concurrency=3, deadline=100_000)
run"""

# The service's clock stops before anything is bought, and moves in `direct` only, after the test
# has checked the page.
_START = """\
sim.clock.speed = 0
job = run.start()
run"""
_DIRECTOR = """\
def wait_for(name):
    while not (folder / name).exists():
        time.sleep(0.02)

def until_done(number):
    while run.progress.counts.get("done", 0) < number:
        sim.clock.advance(4)
        time.sleep(0.03)

def direct():
    wait_for("end bought cells")
    until_done(3)
    wait_for("continue")
    sim.faults.arm("lost_reply")
    until_done(6)
    wait_for("resolve")
    (lost,) = api.library.entries("uncertain")
    api.library.resolve(lost.id, charged=False)
    (folder / "resolved").touch()
    until_done(8)

threading.Thread(target=direct, daemon=True).start()"""

_AWAITING = """\
import asyncio
while not (folder / "paused").exists():
    await asyncio.sleep(0.02)
print(run.progress.state)"""


def test_experiment_output_follows_run_and_monitor_buttons(  # noqa: C901, PLR0915 - one story
    lab: Lab, tmp_path: Path
) -> None:
    notebook = lab.open(
        [
            _CONNECT.replace("FOLDER", str(tmp_path)),
            _RUN,
            "mnb.monitor(run)",
            _START,
            _DIRECTOR,
            _AWAITING,
        ]
    )
    dry_run, card, plain = (notebook.output_area(cell).first for cell in (1, 2, 3))
    outputs, monitor = (card, plain), notebook.output_area(2)

    def signal(name: str) -> None:
        (tmp_path / name).touch()

    def press(label: str) -> None:
        monitor.get_by_role("button", name=label, exact=True).click()

    def enabled_buttons() -> list[str]:
        enabled = monitor.locator("button:not([disabled])")
        return [label.strip() for label in enabled.all_inner_texts()]

    notebook.start_run_all()
    expect(dry_run).to_contain_text("nothing sent yet")
    for area in outputs:
        expect(area).to_contain_text("3 being made")
        expect(area).to_contain_text("5 waiting")
        expect(area).to_contain_text("budget of 200: 0 spent, 60 on hold, 140 left")
    clock = outputs[1].inner_text()
    expect(outputs[1]).not_to_have_text(clock)  # it updates by itself
    assert enabled_buttons() == ["Pause", "Stop (keeps what is paid)"]
    notebook.screenshot("experiment-running")

    press("Pause")  # while a cell awaits
    for area in outputs:
        expect(area).to_contain_text("paused")
        expect(area).to_contain_text("resume() continues")
    assert enabled_buttons() == ["Resume", "Stop (keeps what is paid)"]
    signal("paused")
    notebook.wait_until_done()
    assert notebook.texts()[5] == "paused\n"
    signal("end bought cells")
    for area in outputs:
        expect(area).to_contain_text("3 done")
        expect(area).to_contain_text("3 of 8")
        expect(area).to_contain_text("5 waiting")
    notebook.screenshot("experiment-paused")

    press("Resume")  # while none runs
    expect(outputs[0]).to_contain_text("3 being made")
    expect(outputs[0]).not_to_contain_text("paused")
    signal("continue")
    for area in outputs:
        expect(area).to_contain_text("1 uncertain")
        expect(area).to_contain_text("6 done")
        expect(area).to_contain_text("failures() says how to settle each")
    press("Stop (keeps what is paid)")
    for area in outputs:
        expect(area).to_contain_text("cancelled")
    expect(monitor.get_by_role("button", name="Run the rest", exact=True)).to_be_enabled()
    notebook.screenshot("experiment-cancelled")

    signal("resolve")
    while not (tmp_path / "resolved").exists():
        notebook.page.wait_for_timeout(20)
    press("Run the rest")
    for area in (*outputs, notebook.output_area(1).nth(1)):  # also the card of before the start
        expect(area).to_contain_text("8 done")
        expect(area).to_contain_text("complete")
        expect(area).not_to_contain_text("uncertain")
    notebook.screenshot("experiment-complete")
    saved = notebook.save()

    assert "nothing sent yet" in dry_run.inner_text(), "the dry run of before the start changed"
    for cell in saved.cells[2:4]:
        output = cell.outputs[0]
        assert output.output_type == "display_data"
        assert output.data.keys() == {"text/html", "text/plain"}
        assert "complete" in output.data["text/html"]
        assert "<Experiment harbour: complete; " in output.data["text/plain"]


_HOSTILE = """\
texts = json.loads((folder / "hostile.json").read_text(encoding="utf-8"))["texts"]
plan = mnb.Plan.one_at_a_time(
    sonic.Create,
    base={"custom_mode": False, "gpt_description_prompt": "{topic}", "mv": "sonic-v6"},
    factors={"topic": texts[:7], texts[7]: texts[7:]},
)
armed = sim.faults.arm("refused_content"), sim.faults.arm("lost_reply", after=2)"""


_REPORT = """\
import pandas as pd
rows = [
    {"cell": number, "take": 1, texts[7]: texts[number % 2], "task_id": f"t{number}",
     "song_id": f"s{number}", "duration": 60 + 7 * number % 13 + 40 * (number % 2),
     "rating": 1 + 3 * number % 5}
    for number in range(16)
]
report = mnb.report(pd.DataFrame(rows))
report.save(folder / "report.html")
report"""
_BARS = """\
areas => areas.flatMap(area => [...area.querySelectorAll("div")])
  .filter(node => getComputedStyle(node).backgroundColor === "rgba(56, 132, 244, 0.5)")
  .map(node => node.getBoundingClientRect().width)"""


def test_hostile_names_and_levels_are_shown_as_text(lab: Lab, watch: Watch, tmp_path: Path) -> None:
    (tmp_path / "hostile.json").write_text(hostile.as_json(), encoding="utf-8")
    notebook = lab.open(
        [
            _CONNECT.replace("FOLDER", str(tmp_path)),
            _HOSTILE,
            "plan",
            "run = api.experiment(texts[0], plan)\nrun",
            "run.start()",
            "await run.job",
            "display(api.library, run.failures())\nrun",
            "print(run.progress.counts)",
            _REPORT,
        ]
    )

    notebook.run_all()

    assert notebook.is_trusted(), "JupyterLab sanitised the outputs, so that they prove nothing"
    assert notebook.texts()[7] == "{'done': 11, 'refused': 1, 'uncertain': 1}\n"
    watch.check(notebook.page, notebook.page.locator(".jp-OutputArea-output"))
    notebook.screenshot("experiment-hostile")

    report = notebook.output_area(8)
    assert "more with" in report.inner_text()
    bars = report.evaluate_all(_BARS)
    assert len(bars) == 9, "of three outcomes: two levels and their difference each"
    assert min(bars) > 4
    assert axe_violations(report) == []
    notebook.set_theme("dark")
    assert axe_violations(report) == []
    save_screenshot(report, "report-dark")
    untrusted = lab.open_untrusted(notebook.save())
    assert untrusted.output_area(8).evaluate_all(_BARS) == bars
    page = lab.new_page()
    page.goto((tmp_path / "report.html").as_uri())
    for width in (420, 1400):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") == width
        save_screenshot(page, f"report-{width}")
        assert axe_violations(page.locator("body")) == []
    assert page.evaluate("window.pwned ?? null") is None
