"""One installation of Rebento: which use case is current, where its files lie, what is in Production."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loop.clock import now_ms
from loop.refusals import NothingInProduction, Refusal, StorageUnavailable
from settings import Settings
from storage.database import Database
from storage.versions import Version, change_stage
from storage.versions import champion as latest_champion
from storage.versions import version as find_version
from use_cases.use_case import SHIPPED, UseCase, known_use_cases, read_use_case

if TYPE_CHECKING:
    from runner.engine import Engine
    from runner.package import Package

DEFAULT_USE_CASE = "doctor_visits"
_CURRENT = "current_use_case"
_DAY_MS = 86_400_000


def make_current(settings: Settings, use_case_name: str) -> None:
    """The use case that commands mean when they name none."""
    settings.home.mkdir(parents=True, exist_ok=True)
    (settings.home / _CURRENT).write_text(use_case_name + "\n", encoding="utf-8")


def bento_folder(home: Path, tag: str) -> Path:
    """The code of a stored Bento. Raises Refusal where its files are gone."""
    name, _, version = tag.partition(":")
    folder = home / "bentoml" / "bentos" / name / version / "src"
    if not folder.is_dir():
        raise Refusal(f"the files of {tag} are gone from {folder.parent}; promote another version")
    return folder


def model_folder(home: Path, tag: str) -> Path:
    """The package of a stored model, by its exact tag."""
    name, _, version = tag.partition(":")
    return home / "bentoml" / "models" / name / version


@dataclass(frozen=True)
class Installation:
    """Settings and the use case that a command speaks of."""

    settings: Settings
    use_case_name: str

    @classmethod
    def find(cls, settings: Settings, use_case_name: str = "") -> Installation:
        """The named use case; else REBENTO_USE_CASE, the one made current, or the embedded default."""
        name = use_case_name or settings.use_case
        current = settings.home / _CURRENT
        if not name and current.is_file():
            name = current.read_text(encoding="utf-8").strip()
        name = name or DEFAULT_USE_CASE
        installation = cls(settings, name)
        if name not in known_use_cases(installation._folders):
            installation.use_case()  # raises the sentence that lists those there are
        return installation

    @property
    def _folders(self) -> tuple[Path, Path]:
        return (self.settings.use_cases, SHIPPED)

    def use_case(self) -> UseCase:
        return read_use_case(self.use_case_name, self._folders)

    @contextmanager
    def database(self) -> Iterator[Database]:
        """The migrated database, closed at the end."""
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
        from runner.store import Store

        package = self.open_champion()
        settings = self.settings
        with self.database() as database:
            journal = Journal(
                Store(database, package.info, lambda outcome, count: None).write,
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
                    lambda labels, confidences: None,
                )
            finally:
                journal.close()

    def promote(self, tag: str) -> None:
        """Puts a built version in Production; the one before is archived. A version alone will do as tag."""
        tag = tag if ":" in tag else f"{self.use_case_name}:{tag}"
        with self.database() as database, database.writing() as connection:
            version = find_version(connection, tag)
            if version is None or version.use_case != self.use_case_name:
                raise Refusal(
                    f"{self.use_case_name} has no version {tag}; `rebento versions` lists those there are"
                )
            bento_folder(self.settings.home, tag)
            change_stage(
                connection, tag, "Production", actor="person", reason="rebento promote", at_ms=now_ms()
            )

    def prune(self) -> tuple[int, int]:
        """How many predictions without feedback were removed, and the policy's days."""
        from storage.retention import prune_unlabelled

        days = self.use_case().policy.retention_days
        removed = 0
        with self.database() as database:
            while True:
                with database.writing() as connection:
                    batch = prune_unlabelled(
                        connection, self.use_case_name, older_than_ms=now_ms() - days * _DAY_MS, limit=5_000
                    )
                removed += batch
                if batch < 5_000:
                    return removed, days

    def erase(self, entity_id: str) -> list[str]:
        """Removes one person's rows; sentences that say what went and what remains."""
        from storage.retention import erase_entity

        with self.database() as database, database.writing() as connection:
            erasure = erase_entity(connection, self.use_case_name, entity_id)
        sentences = [
            f"{erasure.predictions} predictions and {erasure.feedback} feedbacks of {entity_id} were removed "
            f"from {self.use_case_name}."
        ]
        if erasure.bentos:
            sentences.append(
                f"Models that may have learned from them remain: {', '.join(erasure.bentos)}. Train again "
                "and remove those versions with their snapshots to be rid of that, too."
            )
        sentences.append("Rows of the training data itself stay where its source keeps them.")
        return sentences


def _refuse_loss(rows: int) -> None:
    raise StorageUnavailable(f"{rows} rows could not be stored")
