"""One installation of Rebento: which use case is current, where its files lie, what is in Production."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from loop.places import UNFINISHED_RESTORE, bento_code, model_folder
from loop.refusals import NothingInProduction, Refusal, StorageUnavailable
from settings import CURRENT_USE_CASE, Settings
from storage.database import Database
from storage.versions import Version
from storage.versions import champion as latest_champion
from use_cases.use_case import SHIPPED, UseCase, known_use_cases, read_use_case

if TYPE_CHECKING:
    from runner.engine import Engine
    from runner.package import Package


def make_current(settings: Settings, use_case_name: str) -> None:
    """The use case that commands mean when they name none."""
    settings.home.mkdir(parents=True, exist_ok=True)
    # In one step: a command that read an emptied file would mean the use case that comes along.
    new = settings.home / f"{CURRENT_USE_CASE}.{uuid4().hex}"
    new.write_text(use_case_name + "\n", encoding="utf-8")
    new.replace(settings.home / CURRENT_USE_CASE)


def bento_folder(home: Path, tag: str) -> Path:
    """The code of a stored Bento. Raises Refusal where its files are gone."""
    folder = bento_code(home, tag)
    if not folder.is_dir():
        raise Refusal(
            f"the files of {tag} are gone from {folder.parent}: `rebento rollback` takes the version before "
            "it, `rebento promote TAG` another"
        )
    return folder


@dataclass(frozen=True)
class Installation:
    """Settings and the use case that a command speaks of."""

    settings: Settings
    use_case_name: str

    @classmethod
    def find(cls, settings: Settings, use_case_name: str = "") -> Installation:
        """The named use case; else the current one."""
        name = use_case_name or settings.current_use_case
        installation = cls(settings, name)
        if name not in known_use_cases(installation.use_case_folders):
            installation.use_case()  # raises the sentence that lists those there are
        return installation

    @property
    def use_case_folders(self) -> tuple[Path, Path]:
        """Where use cases lie; a person's own come before those shipped."""
        return (self.settings.use_cases, SHIPPED)

    def use_case(self) -> UseCase:
        return read_use_case(self.use_case_name, self.use_case_folders)

    @contextmanager
    def database(self) -> Iterator[Database]:
        """The migrated database, closed at the end. Raises Refusal where a restore was broken off."""
        if (self.settings.home / UNFINISHED_RESTORE).exists():
            raise Refusal(
                f"{self.settings.home} holds half of an installation: a restore is going on or was broken "
                "off; do `rebento restore FILE` again"
            )
        database = Database.open(self.settings.database)
        try:
            database.migrate()
            yield database
        finally:
            database.close()

    def champion(self, database: Database) -> Version | None:
        with database.reading() as connection:
            return latest_champion(connection, self.use_case_name)

    def open_champion(self, threads: int = 1) -> Package:
        """The package in Production. Raises NothingInProduction, BrokenPackage."""
        from runner.package import Package

        with self.database() as database:
            champion = self.champion(database)
        if champion is None:
            raise NothingInProduction(
                f"nothing of {self.use_case_name} is in Production yet; `rebento train` makes a first version"
            )
        return Package.open(model_folder(self.settings.home, champion.model_tag), threads)

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        """The champion ready to take feedback in this process, as a worker would."""
        from runner.engine import Engine, Limits
        from runner.ids import PredictionIds
        from runner.journal import Journal
        from runner.store import Store, Unmeasured

        package = self.open_champion()
        settings = self.settings
        with self.database() as database:
            journal = Journal(
                Store(database, package.info, Unmeasured()).write,
                queue_rows=settings.log_queue_rows,
                commit_seconds=settings.log_commit_milliseconds / 1000,
                lost=_refuse_loss,
                waiting=lambda rows: None,
            )
            try:
                yield Engine(
                    package,
                    PredictionIds(database.secret("prediction_ids"), package.info.use_case),
                    journal,
                    Limits(settings.max_rows, settings.max_body_bytes, settings.max_explain_rows),
                    lambda labels, confidences, warnings: None,
                )
            finally:
                journal.close()

    def tag(self, tag: str) -> str:
        """The whole tag; a version alone will do for one of this use case."""
        return tag if ":" in tag else f"{self.use_case_name}:{tag}"


def _refuse_loss(rows: int) -> None:
    raise StorageUnavailable(f"{rows} rows could not be stored")
