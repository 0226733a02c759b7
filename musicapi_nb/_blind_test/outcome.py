"""The result of a blind test: the preferred level in words, and each question with its songs."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from musicapi_nb import markup
from musicapi_nb._blind_test.preference import Preference
from musicapi_nb._blind_test.store import Trial
from musicapi_nb.markup.escape import TITLE_LIMIT, plain_attribute
from musicapi_nb.tasks import Song

_CLEAR = 0.05  # adjusted p
_MAX_LEVELS = 6
LETTERS = "ABCD"


def outcome_text(trials: Sequence[Trial], result: Preference, listener: str | None) -> str:
    """Say in sentences how often each level was preferred, and whether that is clear.

    Catch trials do not count. A preference is clear if its p, adjusted for the number of pairs, is
    at most 0.05; else the text says what share so many answers could have shown.
    """
    questions = [trial for trial in trials if not _is_catch(trial)]
    chosen = Counter(
        trial.songs[trial.chosen].level for trial in questions if trial.chosen is not None
    )
    ties = sum(trial.answer == "tie" for trial in questions)
    if not chosen and not ties:
        return "No question was answered."
    levels = sorted(result.scores["level"].tolist(), key=lambda level: -chosen[level])
    counts = [f"{_plain(level)} in {chosen[level]}" for level in levels[:_MAX_LEVELS]]
    if rest := sum(chosen[level] for level in levels[_MAX_LEVELS:]):
        counts.append(f"others in {rest}")
    if ties:
        counts.append(f"no difference in {ties}")
    person = "You" if listener is None else _plain(listener)
    return f"{person} preferred {', '.join(counts)}. {_clarity_text(result)}"


def _clarity_text(result: Preference) -> str:
    clear = result.pairs[result.pairs["p_adjusted"] <= _CLEAR]
    if len(clear):
        pairs = [
            f"{_plain(str(row.level))} to {_plain(str(row.versus))}"
            for row in clear.head(_MAX_LEVELS).itertuples()
        ]
        return f"This is hardly chance: {'; '.join(pairs)}."
    check = result.checks.iloc[-1]  # the smallest detectable difference
    if math.isnan(check["estimate"]):
        return "Too few to tell."
    answers = markup.plural(int(check["n"]), "independent answer")
    share = f"{0.5 + check['estimate']:.0%}".replace("%", " %")
    return f"Too few to tell: {answers} could show only a preference of {share} or more."


def questions(trials: Sequence[Trial], songs: Mapping[str, Song]) -> list[dict[str, Any]]:
    """Return each question as JSON values: its songs by title and level, and the chosen song."""
    return [
        {
            "number": trial.number,
            "chosen": trial.chosen,
            "note": _note(trial),
            "songs": [
                {"title": _title(songs.get(song.song)), "level": _plain(song.level)}
                for song in trial.songs
            ],
        }
        for trial in trials
    ]


def questions_table(trials: Sequence[Trial], songs: Mapping[str, Song]) -> markup.Html:
    """Return the questions as a table; a tick marks the chosen song."""
    rows: list[list[markup.Cell]] = [
        [
            row["number"],
            *(
                f"{'✓ ' if index == row['chosen'] else ''}{song['title']} · {song['level']}"
                for index, song in enumerate(row["songs"])
            ),
            "; ".join(filter(None, (_letter(row["chosen"]), row["note"]))) or None,
        ]
        for row in questions(trials, songs)
    ]
    letters = LETTERS[: max((len(trial.songs) for trial in trials), default=0)]
    return markup.table(["", *letters, "answer"], rows)


def _letter(position: int | None) -> str:
    return "" if position is None else LETTERS[position]


def _note(trial: Trial) -> str:
    notes = []
    if trial.answer in {"tie", "skipped"}:
        notes.append("no difference" if trial.answer == "tie" else "skipped: no audio")
    if _is_catch(trial):
        notes.append("the same song, as a check")
    if trial.repeat_of is not None:
        notes.append(f"question {trial.repeat_of} again, in another order")
    return "; ".join(notes)


def _is_catch(trial: Trial) -> bool:
    return len({song.song for song in trial.songs}) == 1


def _title(song: Song | None) -> str:
    title = song.title if song else None
    return "(untitled)" if markup.is_blank(title) else _plain(title or "")


def _plain(text: str) -> str:
    return plain_attribute(text, TITLE_LIMIT)
