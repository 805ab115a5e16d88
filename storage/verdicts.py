"""What the judge said of each challenger, with everything it went by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Literal

from sqlalchemy import Connection, func, insert, select

from storage import schema

Ruling = Literal["promote", "keep", "more labels"]


@dataclass(frozen=True, slots=True)
class StoredVerdict:
    """One challenger judged in one training run. Texts ending in `_json` are JSON objects."""

    run_id: str
    use_case: str
    champion: str | None
    """Tag of the version it was judged against; None: nothing was in Production."""
    challenger: str
    """Its kind, such as 'fresh' or 'recent'."""
    bento: str | None
    """Tag, where a Bento was built of it."""
    decision: Ruling
    difference: float | None
    """In the deciding metric; positive: the challenger is better."""
    low: float | None
    high: float | None
    """The interval of the difference, from low to high, at level 1 - alpha."""
    rows: int
    """Labelled rows on which both were compared."""
    look: int
    """The how-manieth comparison with this champion, from 1."""
    alpha: float
    labels_wanted: int | None
    """For 'more labels': about how many more would decide."""
    reason: str
    scores_json: str
    policy_json: str
    """The policy in force."""
    at_ms: int


_TABLE = schema.verdicts
_COLUMNS = [_TABLE.c[field.name] for field in fields(StoredVerdict)]


def add_verdicts(connection: Connection, verdicts: Sequence[StoredVerdict]) -> None:
    """Enters verdicts; their order, best first, is kept. None at all is fine."""
    if verdicts:
        connection.execute(insert(_TABLE), [asdict(verdict) for verdict in verdicts])


def verdicts_of_run(connection: Connection, run_id: str) -> tuple[StoredVerdict, ...]:
    """Every verdict of a training run, best challenger first."""
    wanted = select(*_COLUMNS).where(_TABLE.c.run_id == run_id).order_by(_TABLE.c.verdict_id)
    return tuple(StoredVerdict(*row) for row in connection.execute(wanted))


def looks_at(connection: Connection, use_case: str, champion_tag: str) -> int:
    """How many training runs have judged challengers against this champion, on one row at least.

    Repeated looks are what the judge corrects for: the next is this number plus one.
    """
    wanted = select(func.count(_TABLE.c.run_id.distinct())).where(
        _TABLE.c.use_case == use_case, _TABLE.c.champion == champion_tag, _TABLE.c.rows > 0
    )
    return int(connection.execute(wanted).scalar_one())
