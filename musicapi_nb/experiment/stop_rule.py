"""A rule that ends an experiment when an effect is decided, at whole blocks."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Protocol

from musicapi_nb.errors import InvalidArgument, MusicAPIError
from musicapi_nb.extras import require_extra
from musicapi_nb.plan import Plan

if TYPE_CHECKING:
    import pandas as pd

_TAG = "tag: "
_PAIR = 2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StopRule:
    """Ends an experiment as soon as the effect of a factor on one outcome is decided.

    After every few blocks, when all their songs have come, the effect is tested in the model of
    `effects`. If p is at most what this look may spend (an O'Brien-Fleming type spending function
    of Lan and DeMets), no further block is bought. All looks together find an effect that does not
    exist with the chance 1 - level. An experiment with a rule needs the extra `analysis`.

    Attributes
    ----------
    factor
        A factor of the plan.
    outcome
        A column of the experiment's `songs()`, `durations()` or `frame()`, a pair of columns such
        as ("credits", "songs"), or "tag: ..." for the presence of a tag.
    every
        Blocks from one look to the next. Each look waits for the songs of the blocks before it, so
        fewer looks take less time.
    baseline
        The level to compare with; default: the first.
    level
        Confidence level of all looks together.
    """

    factor: str
    outcome: str | tuple[str, str] = "duration"
    every: int = 1
    baseline: Any = None
    level: float = 0.95

    def __post_init__(self) -> None:
        if isinstance(self.every, bool) or not isinstance(self.every, int) or self.every < 1:
            raise InvalidArgument(f"every must be a number of rounds >= 1, not {self.every!r:.40}")
        if not isinstance(self.level, int | float) or not 0 < self.level < 1:
            raise InvalidArgument(f"level must be between 0 and 1, not {self.level!r:.40}")
        is_pair = isinstance(self.outcome, tuple) and len(self.outcome) == _PAIR
        if not (isinstance(self.outcome, str) or is_pair):
            raise InvalidArgument(f"outcome must be a column or a pair, not {self.outcome!r:.60}")


class Tables(Protocol):
    """The tables of an experiment."""

    def songs(self) -> pd.DataFrame: ...
    def tags(self) -> pd.DataFrame: ...
    def durations(self) -> pd.DataFrame: ...
    def frame(self) -> pd.DataFrame: ...


class Looks:
    """The looks of a `StopRule` at an experiment.

    InvalidArgument is raised if the plan has no such factor, or the tables no such outcome.
    """

    def __init__(self, rule: StopRule, plan: Plan, tables: Tables) -> None:
        from musicapi_nb.experiment.frames import factor_columns, table_columns  # noqa: PLC0415 - loads pandas

        if not isinstance(rule, StopRule):
            raise InvalidArgument(f"stop must be a StopRule, not {rule!r:.60}")
        require_extra("analysis")
        varying = [name for name, levels in plan.factors.items() if len(levels) > 1]
        if rule.factor not in varying:
            raise InvalidArgument(
                f"stop: the plan has no factor {rule.factor!r} that varies; it has "
                f"{', '.join(varying) or 'none'}"
            )
        self._rule, self._tables, self._blocks = rule, tables, plan.blocks
        self._factor = factor_columns(plan)[rule.factor]
        text = rule.outcome if isinstance(rule.outcome, str) else ""
        self._tag = text.removeprefix(_TAG) if text.startswith(_TAG) else None
        names = {rule.outcome} if isinstance(rule.outcome, str) else {*rule.outcome}
        matching = [name for name, columns in table_columns().items() if names <= columns]
        if self._tag is None and not matching:
            raise InvalidArgument(
                f"stop: {rule.outcome!r} is not a column of songs(), durations() or frame(); the "
                "presence of a tag is written 'tag: ...'"
            )
        self._table = "songs" if self._tag is not None else matching[0]

    def is_look(self, block: int) -> bool:
        """Return whether a look is planned after this block, before the last one."""
        from musicapi_nb.analysis.sequential import planned_looks  # noqa: PLC0415 - loads pandas

        return block < self._blocks and block in planned_looks(self._blocks, self._rule.every)

    def reason_to_stop(self, block: int) -> str | None:
        """Return why no further block is to be bought after this one, or None."""
        try:
            looks = self.table(block)
        except Exception as error:  # noqa: BLE001 - rather no purchase than one without its rule
            reason = error.message if isinstance(error, MusicAPIError) else f"{error!r:.300}"
            return f"the stop rule could not be tested after round {block}: {reason}"
        if not looks["decided"].any():
            return None
        look = looks.iloc[-1]
        outcome = self._rule.outcome
        name = outcome if isinstance(outcome, str) else " / ".join(outcome)
        return (
            f"decided after round {look['block']} of {self._blocks}: {self._rule.factor} changes "
            f"{name} (p {look['p']:.2g}, of {look['p_limit']:.2g} that this look may spend)"
        )

    def table(self, last: int) -> pd.DataFrame:
        """Return the looks up to the `last` complete block: see `sequential_looks`."""
        from musicapi_nb.analysis.sequential import sequential_looks  # noqa: PLC0415 - as above

        rule, frame = self._rule, getattr(self._tables, self._table)()
        return sequential_looks(
            frame[frame["block"] <= last],
            self._factor,
            blocks=self._blocks,
            every=rule.every,
            outcome=rule.outcome,
            tags=None if self._tag is None else self._tables.tags(),
            presence=() if self._tag is None else (self._tag,),
            baseline=rule.baseline,
            level=rule.level,
        )
