"""Promotions: swaps of the version in Production, from the request to the end of the probation."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from sqlalchemy import Connection, insert, select, update

from loop.refusals import Refusal
from storage import schema
from storage.processes import alive
from storage.succession import former_champions
from storage.succession import in_production_at as in_production_at
from storage.turns import take_turn
from storage.versions import UnknownVersion, Version, champion, change_stage, version

Kind = Literal["promotion", "rollback"]
PromotionState = Literal[
    "requested",  # waits for the supervisor
    "starting",  # its workers are being started; the old version answers
    "probation",  # it answers; the old version's workers stay warm
    "done",
    "failed",  # `error` says why; the version before is in Production (again)
    "withdrawn",  # a later request took its place before it began
]


class NotPromotable(Refusal):
    """A version that cannot be put in Production."""


class PromotionNotOpen(Refusal):
    """A promotion that is unknown, or not in the state from which it could go on."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """One swap. None: not known, or not so far yet."""

    promotion_id: int
    use_case: str
    tag: str
    """The version that shall answer."""
    previous: str | None
    """The version it took over from."""
    kind: Kind
    state: PromotionState
    actor: str
    reason: str
    requested_at_ms: int
    accepted_at_ms: int | None = None
    finished_at_ms: int | None = None
    error: str | None = None
    started_at_ms: int | None = None


_TABLE = schema.promotions
_COLUMNS = [_TABLE.c[field.name] for field in fields(Promotion)]


def request_promotion(
    connection: Connection, use_case: str, tag: str, *, kind: Kind, actor: str, reason: str, at_ms: int
) -> Promotion:
    """Asks for a swap. An earlier request that has not begun is withdrawn.

    Raises UnknownVersion, and NotPromotable for the champion itself, a version that is being promoted
    already, and one whose files were removed.
    """
    take_turn(connection, f"promotions of {use_case}", alone=True)
    found = version(connection, tag)
    if found is None or found.use_case != use_case:
        raise UnknownVersion(
            f"no version of {use_case} is called {tag}; `rebento versions` lists those there are"
        )
    if found.files_removed_at_ms is not None:
        raise NotPromotable(
            f"the files of {tag} were removed; choose a version that still has them, or train"
        )
    if found.stage == "Production":
        raise NotPromotable(f"{tag} is in Production already; `rebento versions` shows since when")
    if any(tag == one.tag for one in open_promotions(connection, use_case)):
        raise NotPromotable(f"{tag} is being promoted already; `rebento versions` shows how far it is")
    earlier = update(_TABLE).where(_TABLE.c.use_case == use_case, _TABLE.c.state == "requested")
    connection.execute(earlier.values(state="withdrawn", finished_at_ms=at_ms))
    values = {
        "use_case": use_case,
        "tag": tag,
        "kind": kind,
        "state": "requested",
        "actor": actor,
        "reason": reason,
        "requested_at_ms": at_ms,
    }
    made = connection.execute(insert(_TABLE).values(values).returning(*_COLUMNS))
    return Promotion(*made.one())


def next_promotion(connection: Connection, use_case: str) -> Promotion | None:
    """The promotion that waits for the supervisor."""
    return next(iter(_in_states(connection, use_case, "requested")), None)


def start_promotion(connection: Connection, promotion_id: int, at_ms: int) -> bool:
    """Claims a requested promotion. False where it does not wait any more."""
    return _moved(connection, promotion_id, "requested", {"state": "starting", "started_at_ms": at_ms})


def accept_promotion(connection: Connection, promotion_id: int, at_ms: int) -> None:
    """Puts the version in Production and begins its probation: its workers answer from now on.

    Raises PromotionNotOpen where it was not starting.
    """
    going = _promotion(connection, promotion_id)
    take_turn(connection, f"promotions of {going.use_case}", alone=True)
    before = champion(connection, going.use_case)
    previous = None if before is None or before.tag == going.tag else before.tag
    values = {"state": "probation", "accepted_at_ms": at_ms, "previous": previous}
    if not _moved(connection, promotion_id, "starting", values):
        raise _not_open(going, "accepted")
    change_stage(connection, going.tag, "Production", actor=going.actor, reason=going.reason, at_ms=at_ms)


def finish_promotion(connection: Connection, promotion_id: int, at_ms: int) -> None:
    """Ends the probation: the version stays. Raises PromotionNotOpen where it was on none."""
    if not _moved(connection, promotion_id, "probation", {"state": "done", "finished_at_ms": at_ms}):
        raise _not_open(_promotion(connection, promotion_id), "finished")


def fail_promotion(connection: Connection, promotion_id: int, at_ms: int, error: str) -> None:
    """Ends a promotion that did not work. Raises PromotionNotOpen where it was not under way.

    On probation: the version before goes back to Production and this one to Archived. Before that no
    stage has changed.
    """
    going = _promotion(connection, promotion_id)
    take_turn(connection, f"promotions of {going.use_case}", alone=True)
    values = {"state": "failed", "finished_at_ms": at_ms, "error": error}
    if _moved(connection, promotion_id, "starting", values):
        return
    if not _moved(connection, promotion_id, "probation", values):
        raise _not_open(going, "failed")
    standing = champion(connection, going.use_case)
    if standing is None or standing.tag != going.tag:
        return  # another promotion has taken its place meanwhile
    reason = f"the {going.kind} of {going.tag} failed: {error}"
    if going.previous is None:
        change_stage(connection, going.tag, "Archived", actor="supervisor", reason=reason, at_ms=at_ms)
    else:
        change_stage(connection, going.previous, "Production", actor="supervisor", reason=reason, at_ms=at_ms)


def promote_now(
    connection: Connection, use_case: str, tag: str, *, kind: Kind, actor: str, reason: str, at_ms: int
) -> Promotion:
    """A whole swap at once, where no supervisor runs. Raises as `request_promotion` does."""
    asked = request_promotion(connection, use_case, tag, kind=kind, actor=actor, reason=reason, at_ms=at_ms)
    enter_promotion(connection, asked.promotion_id, at_ms)
    return _promotion(connection, asked.promotion_id)


def enter_promotion(connection: Connection, promotion_id: int, at_ms: int) -> bool:
    """Sees a requested promotion through at once, where nothing has to be swapped for it.

    False where it does not wait any more.
    """
    if not start_promotion(connection, promotion_id, at_ms):
        return False
    accept_promotion(connection, promotion_id, at_ms)
    finish_promotion(connection, promotion_id, at_ms)
    return True


def put_in_production(
    connection: Connection, use_case: str, tag: str, *, kind: Kind, actor: str, reason: str, at_ms: int
) -> Promotion:
    """Asks the supervisor for a swap, or does it at once (state 'done') where none runs.

    Raises as `request_promotion` does.
    """
    supervisor = alive(connection, use_case, "supervisor", at_ms=at_ms)
    ask = promote_now if supervisor is None else request_promotion
    return ask(connection, use_case, tag, kind=kind, actor=actor, reason=reason, at_ms=at_ms)


def open_promotions(connection: Connection, use_case: str) -> tuple[Promotion, ...]:
    """Promotions under way, oldest first: starting or on probation, or left so by a killed supervisor."""
    return _in_states(connection, use_case, "starting", "probation")


def promotions(connection: Connection, use_case: str, limit: int = 50) -> tuple[Promotion, ...]:
    """Promotions of a use case, newest first."""
    wanted = select(*_COLUMNS).where(_TABLE.c.use_case == use_case)
    wanted = wanted.order_by(_TABLE.c.promotion_id.desc()).limit(limit)
    return tuple(Promotion(*row) for row in connection.execute(wanted))


def rollback_target(connection: Connection, use_case: str) -> Version | None:
    """The version that was in Production before the champion, with its files still there.

    After a rollback it is one further back. None: nothing was, or nothing is in Production.
    """
    for tag in former_champions(connection, use_case):
        former = version(connection, tag)
        if former is not None and former.files_removed_at_ms is None:
            return former
    return None


def _in_states(connection: Connection, use_case: str, *states: PromotionState) -> tuple[Promotion, ...]:
    wanted = select(*_COLUMNS).where(_TABLE.c.use_case == use_case, _TABLE.c.state.in_(states))
    return tuple(Promotion(*row) for row in connection.execute(wanted.order_by(_TABLE.c.promotion_id)))


def _promotion(connection: Connection, promotion_id: int) -> Promotion:
    row = connection.execute(select(*_COLUMNS).where(_TABLE.c.promotion_id == promotion_id)).first()
    if row is None:
        raise PromotionNotOpen(
            f"there is no promotion {promotion_id}; `rebento versions` lists those there are"
        )
    return Promotion(*row)


def _moved(
    connection: Connection, promotion_id: int, from_state: PromotionState, values: dict[str, Any]
) -> bool:
    here = (_TABLE.c.promotion_id == promotion_id, _TABLE.c.state == from_state)
    return connection.execute(update(_TABLE).where(*here).values(values)).rowcount == 1


def _not_open(promotion: Promotion, verb: str) -> PromotionNotOpen:
    return PromotionNotOpen(
        f"the promotion of {promotion.tag} is {promotion.state}, so it cannot be {verb}; "
        "see `rebento versions`"
    )
