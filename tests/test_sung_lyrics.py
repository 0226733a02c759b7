"""Tests of sung_lyrics and sung_lines: aligned lyrics against the requested ones."""

import itertools
import re
import time
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import musicapi_nb as mnb
from musicapi_nb import sonic
from musicapi_nb.errors import InvalidArgument
from musicapi_nb.frames.text_dtype import TEXT
from musicapi_nb.measures.lyric_words import comparable_text, lyric_words
from musicapi_nb.measures.singing import Singing, compare_lyrics
from musicapi_nb.measures.subsequence import common_subsequence
from musicapi_nb.notebook.experiment_run import ExperimentRun
from musicapi_nb.notebook.session import Session
from musicapi_nb.simulator import Simulator
from musicapi_nb.simulator.music.lyric_writer import make_lyrics
from musicapi_nb.simulator.music.midi import align_words
from musicapi_nb.simulator.music.recording import Recording
from musicapi_nb.simulator.music.singer import sing as sing_freely
from musicapi_nb.tasks import Song, Task
from tests.test_experiment import disable_files

RAIN, YOU, HOLD, ON, TRAIN = (
    *("I love the rain", "I love you so", "Hold on to me", "Hold on, hold on"),
    "The train is late",
)
LYRICS = f"[Verse]\n{RAIN}\n{YOU}\n\n[Chorus]\n{HOLD}\n{ON}\n\n[Verse]\n{TRAIN}\nYeah"


def aligned(text: str, *, plain: bool = False, success: bool = True) -> list[dict[str, Any]]:
    """Sing a text: each word takes 0.3 s and starts 0.4 s after the one before, lines 1.4 s."""
    items, start = [], 1.0
    for match in re.finditer(r"((?:\[[^\]\n]*\]\s*)*)(\S+)(\s*)", f"{text}\n"):
        times = {"start_s": start, "end_s": start + 0.3, "p_align": 0.9, "success": success}
        items.append({"word": match[2] if plain else match[0], **times})
        start += 1.4 if "\n" in match[3] else 0.4
    return items


def sing(text: str, **options: Any) -> Singing:
    return compare_lyrics(LYRICS, aligned(text, **options))


def states(singing: Singing) -> list[tuple[str, str | None]]:
    return [(line.state, line.text or line.sung_text) for line in singing.lines]


def words(text: str) -> list[str]:
    return [word.key for word in lyric_words(comparable_text(text))]


# --- words ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("Don\u2019t STOP, don't! Dont", ["dont", "stop", "dont", "dont"]),
        ("rock 'n' roll, singin'", ["rock", "n", "roll", "singin"]),
        ("Caf\u00e9 cafe\u0301 CAFE", ["cafe", "cafe", "cafe"]),
        ("la-la\u2014la / la", ["la", "la", "la", "la"]),
        ("Stra\u00dfe \uff32\uff21\uff29\uff2e", ["strasse", "rain"]),
        ("\u0439 \u0438", ["\u0439", "\u0438"]),  # two letters of Cyrillic
        ("\u96e8\u306e\u964d\u308b\u3001\u304c\u304b", list("雨の降るがか")),
        ("\uc0ac\ub791 \ub178\ub798", ["사랑", "노래"]),  # Korean has spaces
        ("hello \u4e16\u754c", ["hello", "世", "界"]),
        ("\u0633\u064e\u0644\u0627\u0645", ["\u0633\u0644\u0627\u0645"]),  # optional vowel sign
        ("so\u00adft", ["soft"]),
        ("... --- '", []),
    ],
)
def test_words_are_compared_without_case_punctuation_and_accents(
    text: str, keys: list[str]
) -> None:
    assert words(text) == keys


@pytest.mark.parametrize(
    "mark",
    [
        *("[Verse 1]", "[Guitar solo, 8 bars]", "\uff3bintro\uff3d", "\u3010A\u3011", "[Verse"),
        *("*sighs*", "**Bridge**", "## Outro", "Chorus:", "CHORUS", "Verse 2", "Pre-Chorus"),
        *("(Chorus)", "(x2)", "(guitar solo)", "(fade out)", "Drop:"),
    ],
)
def test_marks_are_not_sung(mark: str) -> None:
    assert words(f"rain\n{mark}\nroof") == ["rain", "roof"]


@pytest.mark.parametrize("line", ["(ooh ooh)", "Solo", "Drop", "(I)", "the chorus of birds", "in"])
def test_lines_that_may_be_sung_are_words(line: str) -> None:
    assert words(line)


# --- one song ------------------------------------------------------------------------------


@pytest.mark.parametrize("plain", [False, True])
def test_lyrics_sung_as_written_are_sung_in_whole_and_in_order(*, plain: bool) -> None:
    singing = sing(LYRICS.upper().replace("[CHORUS]", "[A choir]"), plain=plain)

    assert (singing.sung_share, singing.order_share, singing.added) == (1.0, 1.0, 0)
    assert (singing.requested, singing.sung, singing.count("sung")) == (21, 21, 6)
    assert singing.confidence == pytest.approx(0.9)
    first = singing.lines[0]
    assert (first.start, first.end) == pytest.approx((1.0, 2.5))
    assert first.speed == pytest.approx(60 * 4 / 1.5)
    assert (singing.first, singing.last) == pytest.approx((1.0, 14.3))
    # 21 words in five lines of 1.5 s and one word of 0.3 s: pauses between lines do not count
    assert singing.speed == pytest.approx(60 * 21 / (5 * 1.5 + 0.3))


@pytest.mark.parametrize("plain", [False, True])
def test_lines_are_missing_repeated_added_moved_or_changed(*, plain: bool) -> None:
    without = sing(LYRICS.replace(f"{YOU}\n", ""), plain=plain)
    assert states(without)[1] == ("missing", YOU)
    assert without.sung_share == pytest.approx(17 / 21)
    assert without.order_share == 1.0
    assert (without.lines[1].start, without.lines[1].sung_text) == (None, None)

    repeated = sing(LYRICS.replace(HOLD, f"{HOLD}\n{HOLD}"), plain=plain)
    assert [state for state, _ in states(repeated)] == ["sung"] * 6 + ["repeated"]
    assert repeated.lines[-1].number == 3
    assert repeated.added == 4

    moved = sing(f"{YOU}\n{TRAIN}\n{RAIN}\n{HOLD}\n{ON}\nnew words here\nYeah", plain=plain)
    assert states(moved) == [
        *(("sung", RAIN), ("moved", YOU), ("sung", HOLD), ("sung", ON), ("moved", TRAIN)),
        *(("sung", "Yeah"), ("added", "new words here")),
    ]
    assert moved.sung_share == 1.0
    assert moved.order_share == pytest.approx(14 / 21)

    changed = sing(LYRICS.replace(TRAIN, "The bus was late"), plain=plain)
    assert states(changed)[4] == ("changed", TRAIN)
    assert (changed.lines[4].sung, changed.lines[4].sung_text) == (2, "The bus was late")
    assert changed.count("added") == 0
    assert changed.added == 2


def test_a_repetition_beside_its_line_is_not_the_missing_one_far_away() -> None:
    lyrics = f"{HOLD}\n{RAIN}\n{HOLD}\n{YOU}"
    singing = compare_lyrics(lyrics, aligned(f"{HOLD}\n{HOLD}\n{RAIN}\n{YOU}"))
    assert [state for state, _ in states(singing)] == [
        "sung",
        "sung",
        "missing",
        "sung",
        "repeated",
    ]


def test_words_that_the_service_did_not_find_were_not_sung() -> None:
    alignment = aligned(RAIN) + aligned(YOU, success=False)
    assert compare_lyrics(f"{RAIN}\n{YOU}", alignment).sung_share == 0.5


def test_japanese_is_counted_by_characters() -> None:
    alignment = [
        {"word": letter, "start_s": index / 2, "end_s": index / 2 + 0.4}
        for index, letter in enumerate("雨が降る")
    ]
    singing = compare_lyrics("[サビ]\n雨が、降る\n夜に", alignment)
    assert (singing.unit, singing.requested, singing.sung_share) == ("characters", 6, 4 / 6)
    assert states(singing) == [("sung", "雨が、降る"), ("missing", "夜に")]
    assert singing.speed == pytest.approx(60 * 4 / 1.9)


def test_without_words_shares_are_unknown() -> None:
    instrumental = compare_lyrics("[Instrumental]", [])
    assert (instrumental.sung_share, instrumental.order_share) == (None, None)
    silent = compare_lyrics(LYRICS, [])
    assert (silent.sung_share, silent.order_share, silent.speed) == (0.0, None, None)
    assert silent.count("missing") == 6


LINES = st.lists(
    st.lists(
        st.sampled_from(["la", "li", "rain", "roof", "night", "day", "you", "me"]),
        min_size=1,
        max_size=5,
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(lines=LINES, plain=st.booleans())
def test_identical_lyrics_are_all_sung(*, lines: list[list[str]], plain: bool) -> None:
    text = "\n".join(map(" ".join, lines))
    singing = compare_lyrics(text, aligned(text, plain=plain))
    assert (singing.sung_share, singing.order_share, singing.added) == (1.0, 1.0, 0)
    assert {line.state for line in singing.lines} == {"sung"}
    starts = [line.start or 0.0 for line in singing.lines]
    assert starts == sorted(starts)


@settings(max_examples=60, deadline=None)
@given(LINES, st.data())
def test_words_left_out_lower_the_share_by_as_many(lines: list[list[str]], data: Any) -> None:
    text = "\n".join(map(" ".join, lines))
    items = aligned(text)
    number = len(items)
    left_out = data.draw(st.sets(st.integers(0, number - 1)))
    singing = compare_lyrics(text, [w for index, w in enumerate(items) if index not in left_out])
    assert singing.sung_share == pytest.approx(1 - len(left_out) / number)
    assert singing.order_share == (1.0 if len(left_out) < number else None)
    assert singing.added == 0


@settings(max_examples=60, deadline=None)
@given(LINES, st.randoms(use_true_random=False))
def test_sorting_changes_only_the_order(lines: list[list[str]], random: Any) -> None:
    text = "\n".join(map(" ".join, lines))
    shuffled = random.sample(lines, len(lines))
    singing = compare_lyrics(text, aligned("\n".join(map(" ".join, shuffled))))
    assert (singing.sung_share, singing.added) == (1.0, 0)
    assert singing.order_share is not None
    assert 0 < singing.order_share <= 1


@settings(max_examples=150, deadline=None)
@given(st.text("abc", max_size=8), st.text("abc", max_size=8), st.lists(st.integers(0, 1)))
def test_subsequences_are_longest_or_keep_most_neighbours(
    first: str, second: str, breaks: list[int]
) -> None:
    lines = list(itertools.accumulate((breaks + [0] * 8)[: len(first)]))
    longest = common_subsequence(first, second)
    whole = common_subsequence(first, second, lines)
    every = list(_subsequences(first, second))

    for pairs in (longest, whole):
        assert all(first[i] == second[j] for i, j in pairs)
        assert pairs == sorted(pairs)
        assert all(len({pair[side] for pair in pairs}) == len(pairs) for side in (0, 1))
    assert len(longest) == max(map(len, every))
    assert _score(whole, lines) == max(_score(pairs, lines) for pairs in every)


def _subsequences(first: str, second: str) -> Iterator[list[tuple[int, int]]]:
    for size in range(min(len(first), len(second)) + 1):
        for left in itertools.combinations(range(len(first)), size):
            letters = [first[index] for index in left]
            for right in itertools.combinations(range(len(second)), size):
                if [second[index] for index in right] == letters:
                    yield list(zip(left, right, strict=True))


def _score(pairs: list[tuple[int, int]], lines: list[int]) -> tuple[int, int]:
    neighbours = sum(
        (i + 1, j + 1) == following and lines[i] == lines[following[0]]
        for (i, j), following in itertools.pairwise(pairs)
    )
    return neighbours, len(pairs)


TIMES = st.one_of(st.floats(), st.integers(-5, 500), st.none(), st.text(max_size=2))
ITEMS = st.fixed_dictionaries(
    {
        "word": st.one_of(
            st.text(max_size=6), st.sampled_from(["la ", "la\n", "[x]\nla"]), st.none()
        )
    },
    optional={"start_s": TIMES, "end_s": TIMES, "success": st.booleans(), "p_align": TIMES},
)


@settings(max_examples=80, deadline=None)
@given(st.lists(ITEMS, max_size=12), st.text(max_size=30))
def test_any_answer_of_the_service_is_read(alignment: list[Any], lyrics: str) -> None:
    singing = compare_lyrics(lyrics, [*alignment, None, 7])

    counts = Counter(line.state for line in singing.lines)
    requested = sum(counts[state] for state in ("sung", "changed", "missing", "moved"))
    assert [line.number for line in singing.lines[:requested]] == [*range(1, requested + 1)]
    for share in (singing.sung_share, singing.order_share, singing.confidence):
        assert share is None or 0 <= share <= 1
    for line in singing.lines:
        assert line.speed is None or line.speed > 0
    assert 0 <= singing.added <= singing.sung


def test_the_longest_lyrics_take_little_time() -> None:
    lyrics = "雨が降る夜\n" * 830  # 4,980 characters, the most there are
    start = time.process_time()
    assert compare_lyrics(lyrics, aligned(lyrics[::-1], plain=True)).sung_share == 1.0
    hostile = [{"word": "[" * 50 + "la " * 20, "start_s": 1}] * 200
    assert compare_lyrics("la " * 1_600, hostile).sung_share == 1.0
    assert time.process_time() - start < 15


def test_whole_lines_are_those_that_simulated_singers_keep() -> None:
    right = 0
    for number in range(60):
        lyrics = make_lyrics("harbour rain lantern", Random(number))  # noqa: S311 - no secret
        recording = Recording(str(number), (), 30.0, instrumental=False)
        sung = sing_freely(lyrics, recording)
        alignment = align_words(sung, recording, breaks=number % 2 == 0)
        requested, kept = (
            Counter(line for line in text.split("\n") if line and not line.startswith("["))
            for text in (lyrics, sung)
        )
        right += compare_lyrics(lyrics, alignment).count("sung") == (requested & kept).total()
    assert right >= 57


# --- tables --------------------------------------------------------------------------------


class Story(NamedTuple):
    api: Session
    run: ExperimentRun
    songs: list[Song]
    jobs: list[Any]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Run an experiment with short and long lyrics; align all songs but the last."""
    simulator = Simulator(seconds=(6, 7), speed=6000, seed=3)
    disable_files(simulator)
    api = mnb.connect(simulator=simulator, library=tmp_path_factory.mktemp("lyrics") / "l")
    base = {"custom_mode": True, "mv": "sonic-v6", "tags": "jazz", "prompt": "{words}"}
    long = f"{LYRICS}\n{LYRICS}\n{LYRICS}"
    plan = mnb.Plan.grid(sonic.Create, base=base, factors={"words": [LYRICS, long]}, repeats=3)
    run = api.experiment("lengths", plan)
    run.start().result()
    songs = [song for task in run.tasks() for song in task.songs]
    jobs = [api.run(song.aligned_lyrics()) for song in songs[:-1]]
    for job in jobs:
        job.result()
    yield Story(api, run, songs, jobs)
    api.close()


def test_a_run_has_its_factors_first_and_the_figures_of_each_song(story: Story) -> None:
    frame = mnb.sung_lyrics(story.run)

    assert list(frame.columns)[:8] == [
        *("cell", "block", "take", "words"),
        *("task_id", "song_id", "song_position", "simulated"),
    ]
    assert frame["song_id"].tolist() == [song.id for song in story.songs]
    assert frame["lyrics_from"].eq("request").all()
    done = frame.iloc[:-1]
    assert done["sung_share"].between(0.3, 1).all()
    assert done["sung_share"].lt(1).any()
    assert done["issue"].isna().all()
    parts = ["sung_lines", "changed_lines", "missing_lines", "moved_lines"]
    assert done[parts].sum(axis=1).tolist() == done["requested_lines"].tolist()
    dtypes = frame.dtypes
    assert dtypes[["missing_lines", "sung_share", "missing_lyrics"]].tolist() == [
        *("Int64", "float64", TEXT)
    ]


def test_songs_without_aligned_lyrics_say_what_they_cost(story: Story) -> None:
    assert story.api.simulator is not None
    paid = len(story.api.simulator.request_log.paid)
    last = mnb.sung_lyrics(story.run).iloc[-1]

    assert last[["requested_words", "sung_share", "words_per_minute"]].isna().all()
    assert last["issue"] == "not bought: api.run(song.aligned_lyrics()) costs 1 credit"
    assert len(story.api.simulator.request_log.paid) == paid
    other = Song(id="a", engine="producer", state="succeeded", simulated=True)
    (issue,) = mnb.sung_lyrics([other])["issue"]
    assert issue == "the service aligns no lyrics of producer songs"


def test_lines_follow_the_songs(story: Story) -> None:
    frame, lines = mnb.sung_lyrics(story.run), mnb.sung_lines(story.run)

    counts = lines.groupby(["song_id", "line_state"]).size()
    for row in frame.iloc[:-1].to_dict("records"):
        assert counts.get((row["song_id"], "missing"), 0) == row["missing_lines"]
        assert counts.get((row["song_id"], "repeated"), 0) == row["repeated_lines"]
    missing = lines[lines["line_state"] == "missing"]
    assert missing["start_seconds"].isna().all()
    listed = [text for texts in frame["missing_lyrics"].dropna() for text in texts.split("\n")]
    assert missing["requested_text"].tolist() == listed
    assert set(lines["song_id"]) == {song.id for song in story.songs[:-1]}
    sung = lines[lines["line_state"] == "sung"]
    assert (sung["end_seconds"] > sung["start_seconds"]).all()


def test_sources_give_the_same_rows(story: Story) -> None:
    frame = mnb.sung_lyrics(story.run).iloc[:, 4:]
    answers = [job.result() for job in story.jobs]

    for source in (story.api.library, story.songs, story.run.songs(), story.run.tasks()):
        assert mnb.sung_lyrics(source)[list(frame)].equals(frame)
    for source in (story.jobs, answers, [story.songs[:-1], *answers]):
        assert mnb.sung_lyrics(source)[list(frame)].equals(frame.iloc[:-1])
    assert mnb.sung_lyrics(story.jobs[0])["sung_share"].tolist() == frame["sung_share"].tolist()[:1]
    pairs = [*zip(story.songs, story.jobs, strict=False), (RAIN, aligned(RAIN))]
    assert mnb.sung_lyrics(pairs)["sung_share"].tolist() == [*frame["sung_share"].iloc[:-1], 1.0]
    assert mnb.sung_lyrics([]).empty


def test_lyrics_of_the_reply_stand_in_for_those_that_were_not_requested(story: Story) -> None:
    task = story.api.run("rain on a tin roof", take=1).result()
    job = story.api.run(task.songs[0].aligned_lyrics())
    job.result()
    row = mnb.sung_lyrics(task).iloc[0]
    assert row["lyrics_from"] == "reply"
    assert row["requested_words"] == len(words(task.songs[0].lyrics or ""))
    instrumental = story.api.run("rain", make_instrumental=True).result()
    frame = mnb.sung_lyrics(instrumental)
    assert frame["lyrics_from"].tolist() == ["reply", "reply"]  # "[Instrumental]"


def test_shares_are_outcomes_of_effects_clustered_by_task(story: Story) -> None:
    effects = mnb.effects(
        mnb.sung_lyrics(story.run), "words", outcomes=["sung_share", "missing_lines"]
    )

    assert effects["outcome"].tolist() == ["sung_share", "missing_lines"]
    assert effects["tasks"].tolist() == [3, 3]
    assert effects["missing_songs"].tolist() == [1, 1]
    assert effects["estimate"].iloc[1] > 0


def test_hostile_words_are_escaped_where_they_are_shown() -> None:
    hostile = "<img src=x onerror=alert(1)>"
    pairs = [(hostile, aligned(f"{RAIN}\n<script>alert(2)</script> \ud800"))]

    for frame in (mnb.sung_lyrics(pairs), mnb.sung_lines(pairs)):
        html = frame.to_html()
        assert "<img" not in html
        assert "<script" not in html
    assert "&lt;script" in html
    assert "\ufffd" in html  # what no encoding accepts


def test_other_sources_are_refused(story: Story) -> None:
    with pytest.raises(InvalidArgument, match="songs come from tasks"):
        mnb.sung_lyrics(7)
    with pytest.raises(InvalidArgument, match="a pair is"):
        mnb.sung_lyrics([(story.songs[0], story.songs[0])])
    answer = Task(request=sonic.AlignedLyrics(clip_id="x"), answer={"alignment": []})
    with pytest.raises(InvalidArgument, match="no open session has the song 'x'"):
        mnb.sung_lyrics(answer)
    with pytest.raises(InvalidArgument, match="among pairs"):
        mnb.sung_lyrics([(RAIN, aligned(RAIN)), story.songs[0]])
