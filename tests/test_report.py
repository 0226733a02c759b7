"""Reports: planted differences and missing data in words and figures, the page, odd sources."""

import itertools
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import musicapi_nb as mnb
from musicapi_nb import MusicAPI, Song, sonic
from musicapi_nb._blind_test.store import Trial, TrialSong, save_answer, save_blind_test
from musicapi_nb._report.comparison_report import Report, request_counts
from musicapi_nb._report.figures import collect_figures
from musicapi_nb._report.level_names import level_names
from musicapi_nb._report.outcomes import TableName, read_outcomes
from musicapi_nb._report.tables import ReportTables, observed_times
from musicapi_nb._report.verdicts import find_verdicts
from musicapi_nb.errors import BadFrame, InvalidArgument
from musicapi_nb.experiment import Experiment
from musicapi_nb.library import Library, Measure, Measurement
from musicapi_nb.library.measurements import dtypes_of
from musicapi_nb.library.media_files import song_key
from musicapi_nb.plan import Plan
from musicapi_nb.simulator import Simulator
from tests.library.helpers import RUNNING, acknowledged, buy, looked, song
from tests.library.test_measurements import add_sound
from tests.report_tables import blind_answers, rated_songs
from tests.test_experiment import disable_files
from tests.test_markup import assert_only_own_markup

HOSTILE = '<img src=x onerror="alert(1)">\u202e$x$\n'


def sentence(report: Report, outcome: str, factor: str = "mv") -> str:
    (found,) = (
        part for part in report.sentences if (part.factor, part.outcome) == (factor, outcome)
    )
    return f"{found.kind}: {found.sentence}"


def comparisons(report: Report) -> pd.DataFrame:
    return report.table[report.table["baseline"].notna()]


@pytest.fixture(scope="module")
def planted() -> Report:
    songs = rated_songs(stars=1.5, tasks=24)
    return mnb.report(songs, answers=blind_answers(songs, 0.85))


def test_planted_differences_are_named_with_their_direction(planted: Report) -> None:
    assert re.fullmatch(
        r"difference: 1\.\d\d stars more with wild than with plain "
        r"\(interval 0\.\d\d to [12]\.\d\d\)\.",
        sentence(planted, "stars"),
    )
    assert re.fullmatch(
        r"difference: wild was preferred to plain in [89]\d % of the choices "
        r"\(interval [567]\d to 9\d %\)\.",
        sentence(planted, "blind test"),
    )
    assert "percentage points more with wild than with plain" in sentence(
        planted, "rated 4 or more"
    )
    swapped = mnb.report(rated_songs(stars=-1.5, tasks=24), baseline="wild", outcomes=["stars"])
    assert "stars more with plain than with wild" in sentence(swapped, "stars")
    less = mnb.report(rated_songs(stars=-1.5, tasks=24), outcomes=["stars"])
    assert "stars less with wild than with plain" in sentence(less, "stars")


def test_small_differences_are_bounded(planted: Report) -> None:
    assert re.fullmatch(
        r"no difference: No difference was found between plain and wild; if there is one, it is at "
        r"most \d s\.",
        sentence(planted, "duration"),
    )


def test_undecided_outcomes_say_what_would_have_been_found() -> None:
    report = mnb.report(rated_songs(tasks=8))
    text = sentence(report, "stars")
    match = re.fullmatch(
        r"not decided: No difference was found between plain and wild\. A difference of more than "
        r"(\d\.\d\d) stars would have been found with 80 % chance\. With about (\d+) more tasks "
        r"per level, one of 0\.50 stars would be found\.",
        text,
    )
    assert match, text
    (row,) = report.table[
        report.table["verdict"].notna() & (report.table["outcome"] == "stars")
    ].to_dict("records")
    assert float(match[1]) == pytest.approx(row["detectable"], abs=0.005)
    assert int(match[2]) == row["more_needed"]
    # errors fall with the square root of the tasks; quantiles of t fall a little, too
    growth = (row["more_needed"] + row["tasks"]) / row["tasks"]
    assert 0.8 * growth <= (row["detectable"] / 0.5) ** 2 * 0.9 <= 1.5 * growth


def test_undecided_outcomes_are_rows_of_a_table() -> None:
    songs = rated_songs(tasks=8).drop(columns="block")
    topics = np.array(["rain", "sea"])[songs["cell"] // 2 % 2]
    songs.insert(3, "topic", topics)
    report = mnb.report(songs)
    lines = report.text.splitlines()
    start = lines.index("Not decided") + 2
    head, *rows = lines[start : lines.index("", start)]
    columns = [match.start() for match in re.finditer(r"(?<=  )\S", head)]
    assert len(columns) == 5
    cells = [[row[a:b].strip() for a, b in itertools.pairwise([*columns, None])] for row in rows]
    undecided = [part for part in report.sentences if part.kind == "not decided"]
    assert cells == [list(part.undecided or ()) for part in undecided]
    assert [row[:2] for row in cells[:4]] == [
        ["Stars", "mv"],
        ["Stars", "topic"],
        ["Songs rated 4 or more", "mv"],
        ["Songs rated 4 or more", "topic"],
    ]
    stars = report.table[(report.table["outcome"] == "stars") & report.table["verdict"].notna()]
    detectable, needed = stars[["detectable", "more_needed"]].iloc[0]
    assert cells[0][2:] == [f"{detectable:.2f} stars", "0.50 stars", f"{needed:.0f} tasks"]
    page = report._repr_html_()
    assert all(f">{cell}<" in page for row in cells for cell in row)
    assert not any(part.sentence in page for part in undecided)


@pytest.mark.parametrize("tasks", [2, 3])
def test_figures_stay_within_what_is_possible(tasks: int) -> None:
    songs = rated_songs(tasks=tasks, rated=1.0, seed=4)
    report = mnb.report(songs)
    for outcome, (low, high) in {"stars": (1, 5), "rated 4 or more": (0, 1)}.items():
        rows = report.table[report.table["outcome"] == outcome]
        levels, pair = rows[rows["baseline"].isna()], rows[rows["baseline"].notna()]
        assert levels["low"].ge(low).all()
        assert levels["high"].le(high).all()
        assert pair[["low", "joint_low"]].ge(low - high).all(axis=None)
        assert pair[["high", "joint_high"]].le(high - low).all(axis=None)
    page = re.sub(r"<[^>]+>", " ", report._repr_html_())
    assert "\N{MINUS SIGN}100 +100" in " ".join(page.split()), "the axis goes to the bounds"
    text = sentence(report, "rated 4 or more")
    assert "So few tasks could not show any." in text
    assert "points would have been found" not in text
    assert "none: too few" in report.text


def test_constant_outcomes_have_no_axis() -> None:
    songs = rated_songs(tasks=3).assign(credits=10, songs=1)
    page = mnb.report(songs, outcomes=["cost"])._repr_html_()
    assert "10.0" in page
    assert "justify-content:space-between" not in page
    assert "background:rgba(56,132,244,.85)" not in page, "there is a dot"


def test_small_differences_are_called_small() -> None:
    songs = rated_songs(tasks=12)
    rng = np.random.default_rng(1)
    loudness = -14 + 0.5 * (songs["mv"] == "wild") + 0.2 * rng.normal(size=len(songs))
    report = mnb.report(
        songs.assign(loudness=loudness, duration=30.0 * (songs["mv"] == "wild") + songs["duration"])
    )
    assert re.fullmatch(
        r"difference: 0\.\d LU more with wild than with plain \(interval 0\.\d to 0\.\d\): a small "
        r"one, less than 1\.0 LU\.",
        sentence(report, "loudness"),
    )
    assert "small difference" in report._repr_html_()
    decided = [part.outcome for part in report.sentences if part.kind == "difference"]
    assert decided == ["duration", "loudness"], "the small one is the last"
    assert "small one" not in sentence(report, "duration")
    (row,) = comparisons(report)[comparisons(report)["outcome"] == "loudness"].to_dict("records")
    assert row["joint_high"] < row["margin"]


def test_levels_are_quoted_in_sentences() -> None:
    lyrics = [
        f"[Verse]\nrain on the {thing}, and all night long it " * 9 for thing in ("roof", "sea")
    ]
    levels = ("spy jazz, 90 bpm", *lyrics, "sonic-v5")
    report = mnb.report(rated_songs(levels, tasks=8, stars=2.5), outcomes=["stars", "duration"])
    text = sentence(report, "duration")
    assert 'between "spy jazz, 90 bpm", "[Verse] rain on the roof,\N{HORIZONTAL ELLIPSIS}' in text
    assert '" and sonic-v5;' in text
    short = re.findall(r'"(\[Verse\][^"]*)"', text)
    assert len(set(short)) == 2
    assert max(map(len, short)) <= 44
    stars = sentence(report, "stars")
    assert re.search(
        r"more with sonic-v5 than with .*No difference was found between the other", stars
    )
    assert "would have been found" not in stars, "what is decided is drowned by what is not"
    same = level_names([lyrics[0], lyrics[0][:100] + "!" + lyrics[0][101:]])
    assert len(set(same.values())) == 2


def test_outcomes_without_data_say_how_to_get_it() -> None:
    report = mnb.report(rated_songs(rated=0.0, tasks=4))
    missing = {part.outcome: part.text for part in report.sentences if part.kind == "no data"}
    assert missing["blind test"].endswith("mnb.blind_test(run, factor='mv').")
    assert missing["stars"].startswith("Stars and Songs rated 4 or more: No song is rated yet")
    assert missing["loudness"].endswith("mnb.audio_features(run).")
    assert set(report.table["outcome"]) == {"duration"}


def test_figures_agree_with_effects_and_adjusted_means() -> None:
    songs = rated_songs(("a", "b", "c"), tasks=6, stars=2)
    report = mnb.report(songs, outcomes=["duration", "stars"])
    pairs = comparisons(report)
    assert list(zip(pairs["level"], pairs["baseline"], strict=True)) == 2 * [
        ("b", "a"),
        ("c", "a"),
        ("c", "b"),
    ]
    direct = mnb.effects(songs, "mv", outcomes=["duration", "rating"], correction=None)
    same = pairs[pairs["baseline"] == "a"]
    for name in ("estimate", "low", "high", "p"):
        np.testing.assert_allclose(same[name], direct[name], atol=1e-8)
    means = mnb.adjusted_means(songs, "mv", outcomes=["duration", "rating"])
    levels = report.table[report.table["baseline"].isna()]
    np.testing.assert_allclose(levels["estimate"], means["mean"], atol=1e-8)
    assert (pairs["p_adjusted"] >= pairs["p"]).all()
    assert (pairs["joint_low"] < pairs["low"]).all()
    assert "2.0" in sentence(report, "stars") or "1.9" in sentence(report, "stars")


def test_means_of_levels_have_intervals_although_ratings_are_missing(planted: Report) -> None:
    levels = planted.table[planted.table["baseline"].isna()].set_index("outcome")
    assert levels[["low", "high"]].notna().all(axis=None)
    low, high = levels["estimate"][["stars"]].tolist()
    pair = comparisons(planted).set_index("outcome").loc["stars"]
    assert high - low == pytest.approx(pair["estimate"])


def test_the_family_holds_all_factors_and_outcomes() -> None:
    songs = rated_songs(stars=0.9, tasks=16)
    topics = np.array(["rain", "sea"])[songs["cell"] // 2 % 2]
    both = songs.drop(columns="block")
    both.insert(3, "topic", topics)
    alone = mnb.report(both, "mv", outcomes=["stars"])
    together = mnb.report(both)
    (single,) = comparisons(alone)["p_adjusted"]
    rows = comparisons(together)
    row = rows[(rows["factor"] == "mv") & (rows["outcome"] == "stars")].iloc[0]
    assert single == pytest.approx(row["p"])
    assert row["p_adjusted"] > 4 * single
    assert set(rows["factor"]) == {"mv", "topic"}


def test_more_than_six_levels_are_compared_with_the_first() -> None:
    levels = tuple("abcdefgh")
    report = mnb.report(rated_songs(levels, tasks=3), outcomes=["duration"])
    assert set(comparisons(report)["baseline"]) == {"a"}
    assert "the 8 levels" in sentence(report, "duration")


def test_prices_need_no_chance() -> None:
    songs = rated_songs(tasks=3)
    prices = np.where(songs["mv"] == "wild", 15, 10)
    report = mnb.report(songs.assign(credits=prices, songs=1), outcomes=["cost"])
    assert sentence(report, "cost") == (
        "difference: 5.0 credits per song more with wild than with plain (in every request)."
    )
    report = mnb.report(songs.assign(credits=10, songs=1), outcomes=["cost"])
    assert (
        sentence(report, "cost") == "no difference: The same in every request with plain and wild."
    )
    equal = mnb.report(songs.assign(duration=30.0), outcomes=["duration"])
    assert sentence(equal, "duration") == (
        "not decided: No comparison of plain and wild: the tasks of a level are all alike."
    )


def test_aliased_effects_are_not_decided() -> None:
    songs = rated_songs(tasks=6)
    report = mnb.report(songs.assign(block=(songs["mv"] == "wild").astype(int)))
    (part,) = (part for part in report.sentences if part.kind == "not decided")
    assert part.title == "Stars, Songs rated 4 or more and Duration by mv"
    assert "cannot be distinguished from that of block" in part.sentence
    assert "difference" not in {part.kind for part in report.sentences}
    single = mnb.report(rated_songs(tasks=1))
    assert "no degrees of freedom" in single.text


def test_a_level_without_songs_is_not_compared() -> None:
    songs = rated_songs(tasks=6)
    songs["rating"] = songs["rating"].where(songs["mv"] == "wild")
    assert "No comparison of plain and wild: no song of a level has a value" in sentence(
        mnb.report(songs), "stars"
    )


def test_a_level_whose_requests_all_failed_is_compared_by_its_failures() -> None:
    songs = rated_songs(tasks=12)
    requests = songs.drop_duplicates("cell")[["cell", "block", "take", "mv"]]
    requests = requests.assign(failed=requests["mv"] == "wild")
    frames: dict[TableName, pd.DataFrame] = {
        "songs": songs[songs["mv"] == "plain"],
        "requests": requests,
        "answers": blind_answers(songs).head(0),
    }
    tables = ReportTables(frames, {"mv": "mv"}, {"mv": ["plain", "wild"]}, None)
    outcomes = read_outcomes(["duration", "failures"], frames)
    failures, duration = find_verdicts(collect_figures(tables, outcomes, None), outcomes)
    assert "100 percentage points more with wild than with plain" in failures.text
    assert duration.text == "Duration by mv: only plain has songs with values."


def test_columns_of_the_songs_are_outcomes() -> None:
    songs = rated_songs(tasks=10, seconds=30)
    report = mnb.report(songs.assign(tempo=songs["duration"] / 2), outcomes=["tempo", "stars"])
    assert sentence(report, "tempo").startswith("difference: ")
    with pytest.raises(InvalidArgument, match="there is no outcome 'tempi'"):
        mnb.report(songs, outcomes=["tempi"])


def test_hostile_names_are_escaped(tmp_path: Path) -> None:
    songs = rated_songs((HOSTILE, "b"), tasks=5, stars=2)
    name = "<script>alert(2)</script>"
    report = mnb.report(songs.rename(columns={"mv": name}))
    page = report.save(tmp_path / "page.html").read_text(encoding="utf-8")
    for html in (report._repr_html_(), page):
        assert "<img" not in html
        assert "<script" not in html
        assert "\u202e" not in html
        assert "&lt;script&gt;" in html
    assert_only_own_markup(report._repr_html_())
    assert "\u202e" not in report.text


def test_page_shows_all_sentences_and_is_one_file(planted: Report, tmp_path: Path) -> None:
    path = planted.save(tmp_path / "new" / "report.html")
    page = path.read_text(encoding="utf-8")
    text = re.sub(r"<[^>]+>", "", page)
    for part in planted.sentences:
        assert part.text.split("'")[0] in text
    assert "<script" not in page
    assert "src=" not in page
    assert page.count('scope="row"') > 10
    assert re.search(r"tests?: p and intervals", planted.text)
    assert planted.save(path) == path
    with pytest.raises(InvalidArgument, match="is a folder"):
        planted.save(tmp_path)


def test_other_names_of_a_report_are_answered_with_its_own(planted: Report) -> None:
    for name, hint in (("to_html", "report.save"), ("df", "report.table"), ("texts", "text")):
        with pytest.raises(AttributeError, match=f"did you mean {hint}"):
            getattr(planted, name)


def test_repr_counts_the_verdicts(planted: Report) -> None:
    assert repr(planted) == "<Report: 3 difference, 1 no difference, 7 no data>"
    assert str(planted) == planted.text
    assert planted.text.startswith("Report\n96 songs · 48 tasks · mv (2 levels)\n")


async def test_report_of_a_run_reads_stored_data(tmp_path: Path) -> None:
    base = {"custom_mode": True, "make_instrumental": True, "tags": "spy jazz, 90 bpm"}
    factors = {"mv": ["sonic-v6", "sonic-v6-wild"], "title": ["Rain", "Sea"]}
    plan = Plan.grid(sonic.Create, base=base, factors=factors, repeats=2)
    simulator = Simulator(speed=4000, seconds=(1, 1.2))
    disable_files(simulator)
    with mnb.connect(simulator=simulator, library=tmp_path / "library") as api:
        run = api.experiment("two models", plan)
        await run
        library = run.experiment.library
        songs = [song for task in run.tasks() for song in task.songs]
        models = run.songs()["mv"].tolist()
        for number, (song, model) in enumerate(zip(songs, models, strict=True)):
            if number % 4:
                song.rate(1 + (model == "sonic-v6-wild") * 3 + number % 2)
        pairs = list(itertools.pairwise(zip(songs, models, strict=True)))
        trials = [
            Trial("by ear", number, None, tuple(trial_song(*part) for part in pair))
            for number, pair in enumerate((p for p in pairs if p[0][1] != p[1][1]), 1)
        ]
        save_blind_test(library, "by ear", "mv", {}, trials)
        other = [TrialSong("x1", "t1", "sonic-v6"), TrialSong("x2", "t2", "sonic-v6-wild")]
        save_blind_test(library, "other songs", "mv", {}, [Trial("", 1, None, (*other,))])
        for name, number in (("other songs", 1), *(("by ear", trial.number) for trial in trials)):
            save_answer(library, name, number, "chosen", chosen=0)
        for number, (part, model) in enumerate(zip(songs, models, strict=True)):
            wild = model == "sonic-v6-wild"
            values = {"tempo": 120.0 if wild else 90.0, "loudness": -14.0 - number % 5 + 9 * wild}
            measure = Measure("sound", "1", dtypes_of(values))
            name = add_sound(library, part, f"sound {number}".encode())
            library.store_measurements(measure, [Measurement(name, values)])
        report = run.report()
        by_model = mnb.report(library, "model", outcomes=["stars", "duration", "cost"])
    assert report.title == "Report on two models"
    assert "simulated" in report.facts
    assert re.search(r"[789]\.\d LU more with sonic-v6-wild than", sentence(report, "loudness"))
    tempo = report.table[report.table["outcome"] == "requested tempo"]["estimate"]
    assert tempo.tolist()[:3] == [1, 0, -1]
    missing = {part.outcome for part in report.sentences if part.kind == "no data"}
    assert missing == {"blind test", "requested key", "requested instrumental", "waiting time"}
    answers = report.table[
        (report.table["outcome"] == "blind test") & (report.table["factor"] == "mv")
    ]
    assert answers["songs"].tolist() == [len(trials)] * 3  # without those of other songs
    for outcome in ("stars", "requested tags", "duration", "failures", "cost"):
        rows = report.table[report.table["outcome"] == outcome]
        assert rows["level"].tolist() == [*factors["mv"], "sonic-v6-wild", *factors["title"], "Sea"]
    cost = report.table[report.table["outcome"] == "cost"]["estimate"]
    assert cost.tolist() == [10, 10, 0, 10, 10, 0]
    assert "Plan: 8 requests in 2 rounds" in report.text
    assert by_model.table["outcome"].unique().tolist() == ["stars", "duration", "cost"]


async def test_experiment_of_which_everything_failed(tmp_path: Path) -> None:
    base = {"custom_mode": False, "gpt_description_prompt": "rain"}
    plan = Plan.grid(
        sonic.Create, base=base, factors={"mv": ["sonic-v6", "sonic-v6-wild"]}, repeats=2
    )
    simulator = Simulator(speed=4000)
    simulator.faults.arm("task_fails", times=None)
    with mnb.connect(simulator=simulator, library=tmp_path / "library") as api:
        run = api.experiment("failing", plan)
        await run
        report = run.report()
    assert report.facts == "0 songs · 4 tasks · 4 of 4 requests failed · mv (2 levels) · simulated"
    assert {part.kind for part in report.sentences} == {"not decided", "no data"}
    assert "So few tasks could not show any" in sentence(report, "failures")
    assert sentence(report, "cost").endswith(": no song of a level has a value.")
    assert "no song of a level has a value" in report._repr_html_()


def test_facts_say_how_many_requests_are_finished() -> None:
    requests = pd.DataFrame({"failed": pd.array([True, False, None, None], dtype="boolean")})
    tables = ReportTables({"requests": requests}, {}, {}, None)
    assert request_counts(tables) == "2 of 4 requests finished · 1 of 4 requests failed"
    requests["failed"] = requests["failed"].fillna(value=False)
    assert request_counts(tables) == "1 of 4 requests failed"


def trial_song(song: Song, level: str) -> TrialSong:
    return TrialSong(song_key(song), str(song.task_id), level)


def test_waiting_times_are_those_that_somebody_waited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a poll in the last ten minutes, and of a simulator, they are missing."""
    now = [1_000.0]
    monkeypatch.setattr("time.time", lambda: now[0])
    numbers = []
    with Library(tmp_path) as library:
        for name, simulated in (("watched", False), ("left", False), ("simulated", True)):
            claim = buy(library, song(name), name, simulated=simulated)
            numbers.append(claim.entry.id)
            task = acknowledged(song(name), name)
            now[0] += 90
            library.record_poll(claim.entry.id, looked(task, RUNNING))
            now[0] += 3_600 if name == "left" else 30
            library.record_poll(claim.entry.id, looked(task))
        times = observed_times(library, [*numbers, pd.NA])
    np.testing.assert_array_equal(times, [120, np.nan, np.nan, np.nan])


def test_sources_that_cannot_be_compared_are_refused(tmp_path: Path) -> None:
    songs = rated_songs(tasks=2)
    with pytest.raises(InvalidArgument, match="factor 'mv' has 1 level; a report compares two"):
        mnb.report(songs[songs["mv"] == "wild"], "mv")
    with pytest.raises(InvalidArgument, match="no factor with several levels"):
        mnb.report(songs[songs["mv"] == "wild"])
    with pytest.raises(InvalidArgument, match="factor 'style' is not a column"):
        mnb.report(songs, "style")
    with pytest.raises(InvalidArgument, match="baseline 'c' is not a level"):
        mnb.report(songs, "mv", baseline="c")
    with pytest.raises(InvalidArgument, match="factor must be one name"):
        mnb.report(songs, ["mv"])  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="answers is a int, not a DataFrame"):
        mnb.report(songs, "mv", answers=5)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="2 columns 'mv'"):
        mnb.report(pd.concat([songs, songs[["mv"]]], axis=1), "mv")
    with pytest.raises(BadFrame, match="it holds lists"):
        mnb.report(songs.assign(mv=songs["mv"].map(list)), "mv")
    plan = Plan.grid(sonic.Create, factors={"gpt_description_prompt": ["rain", "sea"]})
    with Library(tmp_path / "library") as library:
        experiment = Experiment("new", plan, MusicAPI("sk-a-key-01", ledger=library), library)
        with pytest.raises(InvalidArgument, match="no songs yet"):
            mnb.report(experiment)
