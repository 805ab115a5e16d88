"""A folder in which a person types commands, what a refusal looks like, and what a command left behind."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from storage import schema
from storage.database import Database
from tests.homes import Home


@dataclass(frozen=True)
class Folder(Home):
    """A folder in which a person works, with no setting of Rebento's in the environment."""

    @property
    def environment(self) -> dict[str, str]:
        named = ("REBENTO_", "BENTOML", "PROMETHEUS", "COLUMNS")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(named)}
        return {**clean, **self.extra}


def refused(home: Home, *arguments: str | Path) -> str:
    """The one sentence of a command that declines. Progress may stand above it."""
    run = home.rebento(*arguments, check=False)
    assert run.returncode == 1, f"{arguments}\n{run.stdout}\n{run.stderr}"
    assert "Traceback" not in run.stderr
    last = run.stderr.rstrip("\n").splitlines()[-1]
    assert last.startswith("rebento: ") and run.stderr.count("rebento: ") == 1
    return last.removeprefix("rebento: ")


def column(home: Home, what: Any, *where: Any) -> list[Any]:
    """Values of one expression, read from the home's database."""
    with closing(Database.open(home.database_url)) as database, database.reading() as connection:
        return list(connection.scalars(select(what).where(*where)))


def stages(home: Home) -> dict[str, str]:
    with closing(Database.open(home.database_url)) as database, database.reading() as connection:
        table = schema.versions
        return {tag: stage for tag, stage in connection.execute(select(table.c.tag, table.c.stage))}


def stored_and_joined(url: str) -> tuple[int, int]:
    """How many predictions a database holds, and how many of them have their true answer."""
    with closing(Database.open(url)) as database, database.reading() as connection:
        told = schema.feedback.c
        answered = select(func.count(told.prediction_id.distinct())).where(told.state == "joined")
        stored = connection.scalar(select(func.count(schema.predictions.c.prediction_id)))
        return int(stored or 0), int(connection.scalar(answered) or 0)
