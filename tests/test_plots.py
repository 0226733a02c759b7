"""All plots: readable text, given axes, settings, empty and invalid tables."""

import functools
import gc
import itertools
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import musicapi_nb as mnb
from musicapi_nb import plots
from musicapi_nb.errors import BadFrame, InvalidArgument
from musicapi_nb.frames.text_dtype import TEXT
from musicapi_nb.plots import text
from tests.plot_inspection import all_text, row_labels, visible_texts
from tests.plot_tables import (
    HOSTILE,
    MANY,
    TAGS,
    adherence_frame,
    cooccurrence_frame,
    costs_frame,
    dose_response_frame,
    drift_frame,
    effects_frame,
    preference_tables,
    sets_series,
    songs_frame,
    sound_matches_frame,
    stability_frame,
    substitutions_frame,
    variance_frame,
)

Draw = Callable[..., Axes]


def every_plot(tags: tuple[str, ...]) -> Iterator[tuple[str, Draw, Any, dict[str, Any]]]:
    """Yield each plot with a table of these tags or levels."""
    few = tags[:12]
    yield "adherence", plots.adherence, adherence_frame(tags), {}
    yield "costs", plots.costs, costs_frame(tags), {}
    yield (
        "effects",
        plots.effects,
        effects_frame(few[:4], ("duration", "rating", *(f"tag: {tag}" for tag in tags))),
        {},
    )
    yield "substitutions", plots.substitutions, substitutions_frame(tags), {}
    yield "cooccurrence", plots.cooccurrence, cooccurrence_frame(tags, songs=1000), {}
    yield "upset", plots.upset, sets_series(tags), {}
    yield "drift", plots.drift, drift_frame(tags), {}
    yield "dose_response", plots.dose_response, dose_response_frame(tags), {}
    yield "variance", plots.variance, variance_frame(tags), {}
    yield "stability", plots.stability, stability_frame(tags), {}
    yield "durations", plots.durations, songs_frame(tags, 6), {"by": "mv"}
    yield "latencies", plots.latencies, songs_frame(tags, 3), {"by": "mv"}
    yield "sound", plots.sound_adherence, sound_matches_frame(tags), {"by": "prompt"}
    scores, pairs = preference_tables(tags if len(tags) < len(MANY) else tags[:60])
    yield "preference", plots.preference, scores, {"pairs": pairs}
    yield "timeline", plots.timeline, songs_frame(few, max(1, len(tags) // 8)), {}


SIZES = {"one": TAGS[:1], "few": TAGS, "hostile": HOSTILE, "many": MANY}
NAMES = (
    "adherence",
    "costs",
    "effects",
    "substitutions",
    "cooccurrence",
    "upset",
    "drift",
    "dose_response",
    "variance",
    "stability",
    "durations",
    "latencies",
    "sound",
    "preference",
    "timeline",
)


@functools.cache
def plots_of(size: str) -> dict[str, tuple[Draw, Any, dict[str, Any]]]:
    """Return each plot with its table; made when the first test runs, not in every worker."""
    cases = {name: (draw, table, named) for name, draw, table, named in every_plot(SIZES[size])}
    assert tuple(cases) == NAMES
    return cases


CASES = [
    pytest.param(name, size, id=f"{name}-{size}")
    for size in SIZES
    for name in NAMES
    # the heat map of few tags is crowded by intention; one tag has no pairs
    if (size == "few") <= (name == "cooccurrence") <= (size != "one")
]


@pytest.mark.parametrize(("name", "size"), CASES)
def test_texts_are_inside_the_figure_and_do_not_overlap(name: str, size: str) -> None:
    draw, table, named = plots_of(size)[name]
    ax = draw(table, **named)

    sheet = ax.figure.figure.bbox
    boxes = [
        (text.get_text(), text.get_window_extent())
        for text in visible_texts(ax, laid_out=True)
        # the bounding box of slanted text is larger than the text
        if float(text.get_rotation()) % 90 == 0
    ]
    assert len(boxes) > 3
    for content, box in boxes:
        assert box.x0 >= sheet.x0 - 1, content
        assert box.y0 >= sheet.y0 - 1, content
        assert box.x1 <= sheet.x1 + 1, content
        assert box.y1 <= sheet.y1 + 1, content
    for (first, box), (second, its) in itertools.combinations(boxes, 2):
        wide = min(box.x1, its.x1) - max(box.x0, its.x0)
        high = min(box.y1, its.y1) - max(box.y0, its.y0)
        assert wide <= 2 or high <= 2, (first, second)


@pytest.mark.parametrize("name", NAMES)
def test_plot_changes_no_settings_and_is_freed(name: str) -> None:
    draw, table, named = plots_of("few")[name]
    gc.freeze()  # existing objects need no inspection
    with mpl.rc_context({"font.size": 31, "axes.facecolor": "black", "text.color": "red"}):
        before, copy = dict(mpl.rcParams), table.copy(deep=True)
        ax = draw(table, **named)
        assert dict(mpl.rcParams) == before

    assert table.equals(copy)
    assert to_hex(ax.figure.get_facecolor()) == "#ffffff"
    assert {to_hex(text.get_color()) for text in visible_texts(ax)} <= {"#1f2328", "#ffffff"}
    assert max(float(text.get_fontsize()) for text in visible_texts(ax)) < 12

    figure = weakref.ref(ax.figure)
    del ax
    gc.collect()
    gc.unfreeze()
    assert figure() is None


@pytest.mark.parametrize("name", NAMES)
def test_text_is_readable_on_dark_axes(name: str) -> None:
    draw, table, named = plots_of("few")[name]
    figure = Figure(figsize=(7, 6), layout="constrained", facecolor="black")
    axes = figure.add_subplot(facecolor="black")

    ax = draw(table, **named, ax=axes)

    assert ax is axes
    assert to_hex(figure.get_facecolor()) == "#000000"
    # text in cells of the heat map is on the colour map
    outside = [text for text in visible_texts(ax) if text not in ax.texts or not ax.images]
    assert {to_hex(text.get_color()) for text in outside} == {"#f0f2f4"}


@pytest.mark.parametrize("name", NAMES)
def test_empty_table_is_explained(name: str) -> None:
    draw, table, named = plots_of("few")[name]
    ax = draw(table.iloc[:0], **named)

    assert "Nothing to show" in all_text(ax)
    assert not ax.lines


def test_empty_tables_of_analyses_are_explained() -> None:
    tags = pd.DataFrame({name: pd.Series(dtype=TEXT) for name in ("task_id", "song_id", "tag")})
    times = songs_frame(TAGS, 2)[:0]
    for ax in (
        plots.upset(mnb.exclusive_sets(tags)),
        plots.upset(mnb.exclusive_sets(tags, top=3)),
        plots.cooccurrence(mnb.cooccurrence(tags)),
        plots.drift(mnb.drift(times, "render_seconds"), times),
        plots.variance(mnb.variance(times, ())),
        plots.stability(mnb.stability(times, tags, by="mv")),
        plots.dose_response(mnb.dose_response(times.assign(mv=1.0), "mv")),
    ):
        assert "Nothing to show" in all_text(ax)


@pytest.mark.parametrize(
    ("draw", "table", "column"),
    [
        (plots.adherence, adherence_frame(TAGS), "measure"),
        (plots.effects, effects_frame(TAGS, ["duration"]), "p_adjusted"),
        (plots.substitutions, substitutions_frame(TAGS), "share"),
        (plots.preference, preference_tables(TAGS)[0], "score"),
        (plots.cooccurrence, cooccurrence_frame(TAGS), "conditional"),
        (plots.durations, songs_frame(TAGS, 2), "duration"),
        (plots.drift, drift_frame(TAGS), "start"),
        (plots.drift, drift_frame(TAGS), "mean"),
        (plots.dose_response, dose_response_frame(TAGS), "slope"),
        (plots.variance, variance_frame(TAGS), "icc"),
        (plots.stability, stability_frame(TAGS), "jaccard_within"),
        (plots.timeline, songs_frame(TAGS, 2), "finished_at"),
        (plots.sound_adherence, sound_matches_frame(TAGS), "measured_tempo"),
    ],
)
def test_errors_name_the_column(draw: Draw, table: pd.DataFrame, column: str) -> None:
    with pytest.raises(BadFrame, match=column):
        draw(table.drop(columns=column))
    second = "5" if column != "measure" else 5.0
    with pytest.raises(BadFrame, match=column):
        draw(table.assign(**{column: second}))
    with pytest.raises(InvalidArgument, match="list"):
        draw([1, 2])


def test_invalid_arguments_are_refused() -> None:
    table = adherence_frame(TAGS)
    for top in (0, True, 2.5):
        with pytest.raises(InvalidArgument, match="top"):
            plots.adherence(table, top=top)  # type: ignore[arg-type]  # the mistake itself
    with pytest.raises(InvalidArgument, match="ax"):
        plots.adherence(table, ax=Figure())  # type: ignore[arg-type]  # the mistake itself
    with pytest.raises(BadFrame, match="no column of levels"):
        plots.adherence(table.drop(columns="prompt"))
    with pytest.raises(BadFrame, match="'genre'"):
        plots.durations(songs_frame(TAGS, 2), by="genre")
    with pytest.raises(BadFrame, match="task is unknown"):
        plots.latencies(songs_frame(TAGS, 2).drop(columns="cell").assign(task_id=None))
    with pytest.raises(BadFrame, match="queue_seconds"):
        plots.latencies(songs_frame(TAGS, 2)[["cell", "duration"]])
    with pytest.raises(InvalidArgument, match="not a Series"):
        plots.upset(table)  # type: ignore[arg-type]  # the mistake itself
    with pytest.raises(BadFrame, match="True or False"):
        plots.upset(pd.Series([1], index=pd.MultiIndex.from_tuples([("a", "b")], names=list("xy"))))
    with pytest.raises(BadFrame, match="named after it"):
        plots.upset(pd.Series([1], index=[True]))


def test_hostile_text_is_drawn_literally_in_one_line() -> None:
    ax = plots.adherence(adherence_frame(HOSTILE))

    displayed = row_labels(ax)
    assert displayed[0] == "$x$ and $\\alpha_{"
    assert displayed[2].startswith("saxo [saxophone] f")
    assert "overridden" in displayed[4]
    assert not any(mark in "".join(displayed) for mark in "\u202e\u202c\n\t")
    assert len(set(displayed)) == len(HOSTILE)
    assert not any(label.get_parse_math() for label in ax.get_yticklabels())


def test_shortened_labels_stay_distinct() -> None:
    first, second = text.shorten_labels(["b" * 90 + "x" * 90, "b" * 90 + "y" + "x" * 89], 1.0, 9)

    assert first[0] == "b"
    assert first[-1] == "x"
    assert second == f"{first} #2"
    assert text.width(first, 9) <= 1.0
    assert text.shorten_labels(["a", "b", "a"], 1.0, 9) == ["a", "b", "a"]


def test_missing_font_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    text._warn_of_missing_font.cache_clear()
    for _ in range(2):  # each script once
        text.to_drawable("tag \N{THAI CHARACTER KO KAI}\N{THAI CHARACTER KHO KHAI}")
        text.to_drawable("\N{HIRAGANA LETTER A} \N{SAXOPHONE} e\u0301")
    messages = [record.getMessage() for record in caplog.records]
    missing = [text.to_drawable(letter) != letter for letter in "\u0e01\u3042"]
    assert len(messages) == sum(missing)
    if missing[0]:
        assert "Thai letters" in messages[0]
        assert "fonts-noto-core" in messages[0]
    if missing[1]:
        assert "matplotlib-fontja" in messages[-1]
        assert "fonts-noto-cjk" in messages[-1]
