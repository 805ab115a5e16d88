"""All tables as rows, out of one kind of database and into the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Table, func, insert, inspect, select, text

from storage import schema
from storage.columns import COUNTED
from storage.migration import revision, upgrade

#: Heartbeats: of processes, which no backup brings back.
_LEFT_OUT = frozenset({"processes", "leaders"})
_BATCH = 1_000

#: In an order in which every reference finds what it points to.
TABLES: tuple[Table, ...] = tuple(
    table for table in schema.metadata.sorted_tables if table.name not in _LEFT_OUT
)


def table_rows(connection: Connection, table: Table) -> Iterator[tuple[Any, ...]]:
    """Every row, in the order of `table.columns`; a thousand are held in memory at a time."""
    with connection.execute(select(table), execution_options={"yield_per": _BATCH}) as rows:
        for row in rows:
            yield tuple(row)


def last_numbers(connection: Connection) -> dict[str, int]:
    """The last number that each counting table gave out: one of an erased row is not given out again."""
    found: dict[str, int] = {}
    for table, key in _counting():
        if connection.dialect.name == "sqlite":
            wanted = text("SELECT seq FROM sqlite_sequence WHERE name = :table")
            last = connection.scalar(wanted, {"table": table.name})
        else:
            wanted = text("SELECT pg_sequence_last_value(pg_get_serial_sequence(:table, :key)::regclass)")
            last = connection.scalar(wanted, {"table": table.name, "key": key})
        found[table.name] = int(last or 0)
    return found


def is_empty(connection: Connection) -> bool:
    """Whether no table of ours holds a row."""
    there = set(inspect(connection).get_table_names())
    return not any(
        connection.scalar(select(func.count()).select_from(table)) for table in TABLES if table.name in there
    )


def prepare(connection: Connection, at_revision: str) -> None:
    """Makes the tables as they were at a revision. In the transaction that `fill` and `finish` go on in."""
    if revision(connection) is None:
        upgrade(connection, at_revision)


def fill(
    connection: Connection, table: Table, columns: Iterable[str], rows: Iterable[tuple[Any, ...]]
) -> int:
    """Enters rows whose values are in the order of `columns`; how many."""
    names, remaining, entered = list(columns), iter(rows), 0
    while batch := [dict(zip(names, row, strict=True)) for row in islice(remaining, _BATCH)]:
        connection.execute(insert(table), batch)
        entered += len(batch)
    return entered


def finish(connection: Connection, numbers: dict[str, int]) -> None:
    """Lets counting go on after `numbers` (of `last_numbers`), and brings the tables to the last revision."""
    for table, key in _counting():
        last = numbers.get(table.name, 0)
        if last <= 0:
            continue
        if connection.dialect.name == "sqlite":
            parameters = {"table": table.name, "last": last}
            changed = connection.execute(
                text("UPDATE sqlite_sequence SET seq = :last WHERE name = :table"), parameters
            )
            if changed.rowcount == 0:
                connection.execute(text("INSERT INTO sqlite_sequence VALUES (:table, :last)"), parameters)
        else:
            connection.execute(
                text("SELECT setval(pg_get_serial_sequence(:table, :key), :last)"),
                {"table": table.name, "key": key, "last": last},
            )
    upgrade(connection, "head")


def _counting() -> Iterator[tuple[Table, str]]:
    for table in TABLES:
        for column in table.primary_key.columns:
            if column.type is COUNTED:
                yield table, column.name
