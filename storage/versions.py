"""Bentos built from training runs, the stage each is in, and how it came there."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from typing import Literal, get_args

from sqlalchemy import Connection, insert, select, update

from loop.refusals import Refusal
from storage import schema
from storage.processes import answering_bentos
from storage.succession import former_champions

Stage = Literal[
    "None",  # built
    "Staging",  # proven, waits for a person
    "Production",  # the champion, one at most a use case
    "Archived",  # was in Production, or set aside
]


class UnknownVersion(Refusal):
    """A Bento tag that no version of this installation has."""


@dataclass(frozen=True, slots=True)
class Version:
    """One Bento."""

    tag: str
    """The Bento's tag, such as `doctor_visits:20260301-abc`."""
    use_case: str
    model_tag: str
    stage: Stage
    created_at_ms: int
    run_id: str | None
    """The training run that built it."""
    parent: str | None
    """Tag of the champion when it was built."""
    data_digest: str
    """Digest of the snapshot it learned from."""
    candidate: str
    scores_json: str
    as_of: str | None
    recipe_json: str | None = None
    """How it was made, a JSON object, enough to make it again; `ancestor` is the tag that a
    fine-tuned version started from."""
    files_removed_at_ms: int | None = None
    """When its Bento's files were pruned; it cannot be served any more."""


@dataclass(frozen=True, slots=True)
class StageChange:
    """One move of a version from stage to stage."""

    tag: str
    use_case: str
    from_stage: Stage
    to_stage: Stage
    changed_at_ms: int
    actor: str
    reason: str


_TABLE = schema.versions
_COLUMNS = [_TABLE.c[field.name] for field in fields(Version)]
_CHANGE_COLUMNS = [schema.stage_changes.c[field.name] for field in fields(StageChange)]


def add_version(connection: Connection, version: Version) -> None:
    """Enters a built Bento. Raises ValueError where its stage is not 'None': stages are reached by moves."""
    if version.stage != "None":
        raise ValueError(f"{version.tag} cannot enter as {version.stage}; enter it as None and move it")
    values = {field.name: getattr(version, field.name) for field in fields(Version)}
    connection.execute(insert(_TABLE), values)


def champion(connection: Connection, use_case: str) -> Version | None:
    """The version in Production."""
    wanted = select(*_COLUMNS).where(_TABLE.c.use_case == use_case, _TABLE.c.stage == "Production")
    row = connection.execute(wanted).first()
    return None if row is None else Version(*row)


def version(connection: Connection, tag: str) -> Version | None:
    """The version of this Bento tag."""
    row = connection.execute(select(*_COLUMNS).where(_TABLE.c.tag == tag)).first()
    return None if row is None else Version(*row)


def versions(connection: Connection, use_case: str) -> tuple[Version, ...]:
    """Every version of a use case, newest first."""
    newest_first = (_TABLE.c.created_at_ms.desc(), _TABLE.c.tag.desc())
    wanted = select(*_COLUMNS).where(_TABLE.c.use_case == use_case).order_by(*newest_first)
    return tuple(Version(*row) for row in connection.execute(wanted))


def kept_versions(connection: Connection) -> tuple[Version, ...]:
    """Every version of every use case whose files were not pruned."""
    wanted = select(*_COLUMNS).where(_TABLE.c.files_removed_at_ms.is_(None)).order_by(_TABLE.c.tag)
    return tuple(Version(*row) for row in connection.execute(wanted))


def change_stage(
    connection: Connection, tag: str, to_stage: Stage, *, actor: str, reason: str, at_ms: int
) -> Version:
    """The version, moved to a stage. The one that was in Production before goes to Archived with it.

    Where it is in that stage already, nothing changes. Raises UnknownVersion, and ValueError for a
    stage that does not exist.
    """
    if to_stage not in get_args(Stage):
        raise ValueError(f"{to_stage!r} is no stage; the stages are {', '.join(get_args(Stage))}")
    found = version(connection, tag)
    if found is None:
        raise UnknownVersion(f"no version is called {tag}; `rebento versions` lists those there are")
    # PostgreSQL: two promotions at once would each archive the same old champion. Locked in one order.
    of_use_case = select(_TABLE.c.tag).where(_TABLE.c.use_case == found.use_case)
    connection.execute(of_use_case.order_by(_TABLE.c.tag).with_for_update()).all()
    moving = version(connection, tag) or found
    if moving.stage == to_stage:
        return moving
    if to_stage == "Production":
        previous = champion(connection, moving.use_case)
        if previous is not None:
            _move(connection, previous, "Archived", actor, f"{tag} took its place: {reason}", at_ms)
    _move(connection, moving, to_stage, actor, reason, at_ms)
    return replace(moving, stage=to_stage)


def mark_files_removed(connection: Connection, tag: str, at_ms: int) -> None:
    """Notes that a version's Bento is gone; it stays in the list. Raises UnknownVersion."""
    gone = update(_TABLE).where(_TABLE.c.tag == tag).values(files_removed_at_ms=at_ms)
    if connection.execute(gone).rowcount != 1:
        raise UnknownVersion(f"no version is called {tag}; `rebento versions` lists those there are")


def digests_in_use(connection: Connection) -> set[str]:
    """Digests of the snapshots that versions of any use case learned from and whose files are there."""
    wanted = select(_TABLE.c.data_digest).where(_TABLE.c.files_removed_at_ms.is_(None)).distinct()
    return set(connection.scalars(wanted))


def prunable(connection: Connection, use_case: str, keep: int, *, at_ms: int) -> tuple[Version, ...]:
    """Versions whose files may go, oldest first: all that have files but the newest `keep` and some more.

    Those are: the champion and its parent, what waits in Staging, the last two former champions, what
    promotions under way need, what a host that lags behind still answers with (`answering_bentos`), and what
    a kept fine-tuned version started from, back to a fresh one.
    """
    there = [one for one in versions(connection, use_case) if one.files_removed_at_ms is None]
    by_tag = {one.tag: one for one in there}
    kept = {one.tag for one in there[:keep]} | {one.tag for one in there if one.stage == "Staging"}
    kept.update(one.parent for one in there if one.stage == "Production" and one.parent)
    kept.update(one.tag for one in there if one.stage == "Production")
    kept.update(answering_bentos(connection, use_case, at_ms=at_ms))
    kept.update([tag for tag in former_champions(connection, use_case) if tag in by_tag][:2])
    table = schema.promotions
    under_way = select(table.c.tag, table.c.previous).where(
        table.c.use_case == use_case, table.c.state.in_(("requested", "starting", "probation"))
    )
    for tag, previous in connection.execute(under_way):
        kept.update((tag, previous or tag))
    waiting = list(kept)
    while waiting:
        ancestor = _ancestor(by_tag.get(waiting.pop()))
        if ancestor is not None and ancestor not in kept:
            kept.add(ancestor)
            waiting.append(ancestor)
    return tuple(one for one in reversed(there) if one.tag not in kept)


def _ancestor(fitted: Version | None) -> str | None:
    if fitted is None or fitted.recipe_json is None:
        return None
    ancestor = json.loads(fitted.recipe_json).get("ancestor")
    return None if ancestor is None else str(ancestor)


def history(connection: Connection, use_case: str) -> tuple[StageChange, ...]:
    """Every change of stage in a use case, newest first."""
    table = schema.stage_changes
    wanted = select(*_CHANGE_COLUMNS).where(table.c.use_case == use_case).order_by(table.c.id.desc())
    return tuple(StageChange(*row) for row in connection.execute(wanted))


def _move(
    connection: Connection, moving: Version, to_stage: Stage, actor: str, reason: str, at_ms: int
) -> None:
    connection.execute(update(_TABLE).where(_TABLE.c.tag == moving.tag).values(stage=to_stage))
    connection.execute(
        insert(schema.stage_changes),
        {
            "tag": moving.tag,
            "use_case": moving.use_case,
            "from_stage": moving.stage,
            "to_stage": to_stage,
            "changed_at_ms": at_ms,
            "actor": actor,
            "reason": reason,
        },
    )
