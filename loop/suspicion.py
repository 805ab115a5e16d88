"""Whose feedback looks wrong, compared with everybody else's in the same window.

Suspicion is relative: a source is held back for what sets it apart from the others, never because it
contradicts the champion, for that is also what a changed world looks like.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from loop.shares import chance_of_at_least, chance_of_more
from loop.triggers import Decision

LEAST_ROWS = 20
"""Labels that a source, and all others together, must have in the window before anything is said of it."""

ERROR = 0.01
"""Of one look, over all its sources together (Bonferroni), for a source that lies right at the margin."""

LEAST_RISE = 0.05
"""How far everybody's share of contradictions must be proven above the expected one to be called change."""

MOST_REPEATS = 5
"""Labels of one source for one and the same row; beyond them it may be called a repetition."""

LEAST_REPEATED = 0.2
"""How far a source's share of repetitions must lie above the others'."""

LEAST_BURST = 100
BURSTS_OF_OTHERS = 10
"""Labels within one second, and how many times the largest burst of any other source they must be."""


WINDOWS = (1, 4, 16)
"""Looked at are the whole window, its newest quarter and sixteenth: what began lately hides in the whole."""


class Told(NamedTuple):
    """One labelled answer of the window."""

    feedback_id: int
    source: str | None
    row_key: str
    """The same for rows of the same content."""
    target: str
    predicted: str
    """What the version answered that was then in Production."""
    known_at_ms: int


@dataclass(frozen=True, slots=True)
class SuspectedSource:
    """A source to suspend: its rows known since then are held back, and all that it sends later."""

    source: str
    reason: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What to hold back until a person has looked."""

    sources: tuple[SuspectedSource, ...]
    rows: dict[int, str]
    """Feedback id -> reason, of rows to quarantine one by one."""
    decision: Decision
    """INVESTIGATE where a person should look: something is held back, or everybody contradicts."""


def suspect(told: Sequence[Told], *, most_difference: float, expected_share: float | None) -> Suspicion:
    """What is suspicious in a window of labelled answers, none of which is quarantined already.

    `most_difference` is how far a source's share of contradicted answers may lie above the others' (0 to 1);
    `expected_share` how many the champion expects (its error where it was judged), None: not known. An
    unknown source (None) is never suspended, a single one never for its share.
    """
    told = sorted(told, key=lambda one: (one.known_at_ms, one.feedback_id))
    # Repetitions first: one row sent again and again would otherwise stand for its whole source.
    rows = _repetitions(told)
    told = [one for one in told if one.feedback_id not in rows]
    by_source = _by_source(told)
    named = {name: own for name, own in by_source.items() if name is not None and len(own) >= LEAST_ROWS}
    suspects: dict[str, tuple[str, int]] = {}
    for name, own in sorted(named.items()):
        if len(named) < 2 or len(told) - len(own) < LEAST_ROWS:
            continue
        found = _contradicts(name, told, most_difference, len(named))
        found = found or _floods(name, own, by_source, len(named))
        if found is not None:
            suspects[name] = found
    sources = tuple(
        SuspectedSource(name, f"{name}: {reason}", since_ms) for name, (reason, since_ms) in suspects.items()
    )
    kept = [one for one in told if one.source not in suspects]
    return Suspicion(sources, rows, _decided(sources, rows, kept, expected_share))


def _by_source(told: Sequence[Told]) -> dict[str | None, list[Told]]:
    found: dict[str | None, list[Told]] = defaultdict(list)
    for one in told:
        found[one.source].append(one)
    return found


def _repetitions(told: Sequence[Told]) -> dict[int, str]:
    found: dict[int, str] = {}
    by_source = _by_source(told)
    for name, own in by_source.items():
        others = [one for one in told if one.source != name]
        if len(own) >= LEAST_ROWS and len(others) >= LEAST_ROWS:
            found |= _repeated(own, others, len(by_source))
    return found


def _contradicts(name: str, told: Sequence[Told], margin: float, sources: int) -> tuple[str, int] | None:
    """Why, and since when, where the source contradicts the champion far more than the others do."""
    for part in WINDOWS:
        window = told[len(told) - len(told) // part :]
        own = [one for one in window if one.source == name]
        others = [one for one in window if one.source != name]
        if len(own) < LEAST_ROWS or len(own) > len(others):
            continue  # where most labels come from it, it is the world, not an exception to it
        hits, other_hits = _contradictions(own), _contradictions(others)
        share, other_share = hits / len(own), other_hits / len(others)
        # The whole margin is proven: looks are many, and a small difference now and then seems a large one.
        beyond = chance_of_at_least(hits, len(own), min(1.0, other_share + margin))
        differs = chance_of_more(hits, len(own), other_hits, len(others))
        if max(beyond, differs) > ERROR / (sources * len(WINDOWS)):
            continue
        reason = (
            f"{share:.0%} of its {len(own):,} labels contradict the champion, "
            f"{other_share:.0%} of the {len(others):,} of the others do"
        )
        return reason, _since([one for one in told if one.source == name], other_share + margin / 2)
    return None


def _since(own: Sequence[Told], usual: float) -> int:
    """When it began: from where on contradictions exceed the usual share by most in all (Page 1954)."""
    excess = most = 0.0
    began = own[-1].known_at_ms
    for one in reversed(own):
        excess += (one.target != one.predicted) - usual
        if excess >= most:
            most, began = excess, one.known_at_ms
    return began


def _floods(
    name: str, own: Sequence[Told], by_source: dict[str | None, list[Told]], sources: int
) -> tuple[str, int] | None:
    """A burst of labels that no other source comes near; two others must show what is usual."""
    if sources < 3:
        return None
    burst = _burst(own)
    usual = max(_burst(rows) for other, rows in by_source.items() if other != name)
    if burst < LEAST_BURST or burst < BURSTS_OF_OTHERS * usual:
        return None
    reason = f"{burst:,} labels came within one second, of no other source more than {usual:,}"
    return reason, own[0].known_at_ms


def _burst(rows: Sequence[Told]) -> int:
    """The most labels within any one second."""
    times = sorted(one.known_at_ms for one in rows)
    most = start = 0
    for place, at_ms in enumerate(times):
        while at_ms - times[start] >= 1_000:
            start += 1
        most = max(most, place - start + 1)
    return most


def _repeated(own: Sequence[Told], others: Sequence[Told], sources: int) -> dict[int, str]:
    """Labels for rows that the source labelled again and again, where the others hardly do so.

    One label a row stays; where they conflict none does, for nobody can tell which is true.
    """
    repeats, other_repeats = _repeats(own), _repeats(others)
    if repeats / len(own) - other_repeats / len(others) < LEAST_REPEATED:
        return {}
    if chance_of_more(repeats, len(own), other_repeats, len(others)) > ERROR / sources:
        return {}
    by_row: dict[str, list[Told]] = defaultdict(list)
    for one in own:
        by_row[one.row_key].append(one)
    found: dict[int, str] = {}
    for same in by_row.values():
        if len(same) <= MOST_REPEATS:
            continue
        conflicting = len({one.target for one in same}) > 1
        reason = f"one row was labelled {len(same):,} times by the same source" + (
            ", differently" if conflicting else ""
        )
        found |= dict.fromkeys((one.feedback_id for one in same[0 if conflicting else 1 :]), reason)
    return found


def _repeats(rows: Sequence[Told]) -> int:
    """Labels beyond the first of those rows that one source labelled too often."""
    counts = Counter((one.source, one.row_key) for one in rows)
    return sum(count - 1 for count in counts.values() if count > MOST_REPEATS)


def _contradictions(rows: Sequence[Told]) -> int:
    return sum(one.target != one.predicted for one in rows)


def _decided(
    sources: Sequence[SuspectedSource],
    rows: dict[int, str],
    kept: Sequence[Told],
    expected_share: float | None,
) -> Decision:
    hits = _contradictions(kept)
    numbers: dict[str, float | int | str | None] = {
        "rows": len(kept),
        "contradicted": hits,
        "expected_share": expected_share,
        "suspended_sources": len(sources),
        "quarantined_rows": len(rows),
    }
    said = [one.reason for one in sources]
    if rows:
        said.append(f"{len(rows):,} labels are repetitions: {next(iter(rows.values()))}")
    if expected_share is not None and _everybody(kept, expected_share):
        names = {one.source for one in kept}
        whom = f"all {len(names)} sources contradict" if len(names) > 1 else "the labels contradict"
        said.append(
            f"{whom} the champion: {hits / len(kept):.0%} of {len(kept):,} answers where "
            f"{expected_share:.0%} were expected. That is change, not poison: nothing is held back for it"
        )
    if said:
        return Decision("INVESTIGATE", "; ".join(said), numbers)
    return Decision("NO_ACTION", f"nothing sets a source apart in {len(kept):,} labelled rows", numbers)


def _everybody(kept: Sequence[Told], expected_share: float) -> bool:
    if len(kept) < LEAST_ROWS:
        return False
    heard = [rows for rows in _by_source(kept).values() if len(rows) >= LEAST_ROWS]
    all_above = all(_contradictions(rows) / len(rows) > expected_share for rows in heard)
    return (
        all_above
        and chance_of_at_least(_contradictions(kept), len(kept), expected_share + LEAST_RISE) < ERROR
    )
