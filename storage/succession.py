"""Who was in Production before: what a rollback goes back to, and who answered when."""

from __future__ import annotations

from sqlalchemy import Connection, and_, exists, or_, select

from storage import schema

_CHANGES = schema.stage_changes
_PROMOTIONS = schema.promotions


def in_production_at(connection: Connection, use_case: str, at_ms: int) -> str | None:
    """Tag of the version that answered at an instant; None: nothing was in Production."""
    wanted = (
        select(_CHANGES.c.tag, _CHANGES.c.to_stage)
        .where(
            _CHANGES.c.use_case == use_case,
            _CHANGES.c.changed_at_ms <= at_ms,
            or_(_CHANGES.c.to_stage == "Production", _CHANGES.c.from_stage == "Production"),
        )
        # A swap archives the old champion first: of its two changes the later one is the new champion's.
        .order_by(_CHANGES.c.id.desc())
        .limit(1)
    )
    row = connection.execute(wanted).first()
    return row.tag if row is not None and row.to_stage == "Production" else None


def former_champions(connection: Connection, use_case: str) -> tuple[str, ...]:
    """Tags that rollbacks would go back to, one after the other, the nearest first; each once.

    A promotion adds a step, a rollback or a promotion that failed takes steps back: after one, the next
    goes further back and not forth. Empty where nothing is in Production.
    """
    is_step = exists().where(
        _PROMOTIONS.c.use_case == _CHANGES.c.use_case,
        _PROMOTIONS.c.tag == _CHANGES.c.tag,
        _PROMOTIONS.c.kind == "promotion",
        _PROMOTIONS.c.accepted_at_ms == _CHANGES.c.changed_at_ms,
    )
    moves = select(_CHANGES.c.tag, _CHANGES.c.to_stage, is_step.label("is_step")).where(
        _CHANGES.c.use_case == use_case,
        or_(
            _CHANGES.c.to_stage == "Production",
            and_(_CHANGES.c.from_stage == "Production", _CHANGES.c.to_stage != "Production"),
        ),
    )
    steps: list[str] = []
    standing: str | None = None
    for tag, to_stage, is_promotion in connection.execute(moves.order_by(_CHANGES.c.id)):
        standing = tag if to_stage == "Production" else None
        if standing is None:
            continue
        if tag in steps and not is_promotion:
            while steps[-1] != tag:
                steps.pop()
        else:
            steps.append(tag)
    if standing is None:
        return ()
    before = dict.fromkeys(reversed(steps[:-1]))
    return tuple(tag for tag in before if tag != standing)
