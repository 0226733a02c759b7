"""The static HTML of all values is a plain `str`: marimo refuses subclasses."""

import importlib
import pkgutil
from pathlib import Path
from typing import Any

import musicapi_nb as mnb
from musicapi_nb import markup, sonic
from musicapi_nb.notebook.session import Session
from musicapi_nb.simulator import Simulator
from musicapi_nb.tasks import Tasks
from musicapi_nb.widgets.form.submission import Job
from musicapi_nb.widgets.monitor import Monitor, Watchable
from tests.blind_helpers import fill_library

SONG = sonic.Create(custom_mode=False, mv="sonic-v5", gpt_description_prompt="rain")
PROTOCOLS = {Job, Watchable}


def classes_with_html() -> set[type]:
    """Return the classes of the package that define `_repr_html_`."""
    classes: set[type] = set()
    for module in pkgutil.walk_packages(mnb.__path__, "musicapi_nb."):
        if not module.name.endswith("__main__"):
            values = vars(importlib.import_module(module.name)).values()
            classes |= {kind for kind in values if isinstance(kind, type)}
    ours = {kind for kind in classes if kind.__module__.startswith("musicapi_nb.")}
    return {kind for kind in ours if "_repr_html_" in vars(kind)} - PROTOCOLS


def values_of(api: Session, folder: Path) -> list[Any]:
    job = api.run(SONG, deadline=1e7)
    task = job.result()
    base = {"custom_mode": False, "gpt_description_prompt": "sea"}
    plan = mnb.Plan.grid(sonic.Create, base=base, factors={"mv": ["sonic-v5", "sonic-v4-5"]})
    new, run = (api.experiment(name, plan, budget=100, deadline=1e7) for name in ("new", "run"))
    run.start().result()
    jobs = [
        job,
        Monitor(job),
        Monitor(job)._display_(),
        new,
        run,
        run.experiment,
        run.dry_run,
        plan,
        mnb.issues_frame(task),
        api.form(SONG),
    ]
    songs = [task, Tasks((task,)), task.songs[0], api.songs(), SONG, mnb.operations(), api]
    exported = api.export(folder / "files")
    gallery = api.gallery()
    page = gallery.save_page(folder / "songs.html")
    assert api.library is not None
    others = [api.compare(run), api.library, api.library.lineage(), api.resume().result()]
    others += [mnb.issues_frame(task), run.report()]
    others += [api.library.adopt(task), api.library.merge(folder / "blind")]
    return [*jobs, *songs, exported, gallery, page, *others]


def test_html_of_each_class_is_a_plain_str(tmp_path: Path) -> None:
    fill_library(tmp_path / "blind", takes=1)
    sim = Simulator(seconds=(1, 1.2), speed=3000)
    api = mnb.connect(simulator=sim, library=tmp_path / "library")
    with mnb.Library(tmp_path / "blind") as library:
        blind = mnb.blind_test(library, factor="mv", trials=2, seed=1)
        values = [markup.Html("<b>bold</b>"), blind, blind.preference(), *values_of(api, tmp_path)]
        types = {type(value): type(value._repr_html_()) for value in values}
    api.close()
    assert {kind.__name__ for kind, html in types.items() if html is not str} == set()
    bases = {base for kind in types for base in kind.__mro__}
    assert classes_with_html() <= bases, "a class with _repr_html_ has no example here"
