"""One installation of Rebento: which use case is current, where its files lie, what is in Production."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from loop.clock import now_ms
from loop.places import bento_code, model_folder
from loop.refusals import NothingInProduction, Refusal, StorageUnavailable
from settings import Settings
from storage import automation, quarantine
from storage.database import Database
from storage.promotions import Kind, Promotion, put_in_production, rollback_target
from storage.versions import Version
from storage.versions import champion as latest_champion
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
        """The named use case; else REBENTO_USE_CASE, the one made current, or the embedded default."""
        name = use_case_name or settings.use_case
        current = settings.home / _CURRENT
        if not name and current.is_file():
            name = current.read_text(encoding="utf-8").strip()
        name = name or DEFAULT_USE_CASE
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

    def promote(self, tag: str) -> Promotion:
        """Asks the supervisor to put a version in Production, or does so where none runs.

        A version alone will do as tag. Raises UnknownVersion, NotPromotable, and Refusal where its files
        are gone.
        """
        with self.database() as database, database.writing() as connection:
            return self._promotion(connection, self.tag(tag), "promotion")

    def rollback(self) -> Promotion:
        """As `promote`, of the version before the champion; automatic promotion is suspended with it."""
        with self.database() as database, database.writing() as connection:
            target = rollback_target(connection, self.use_case_name)
            if target is None:
                raise Refusal(
                    f"{self.use_case_name} has no earlier version to go back to; `rebento versions` lists "
                    "those there are, and `rebento promote TAG` takes any of them"
                )
            automation.suspend_promotion(
                connection, self.use_case_name, actor="person", reason="rebento rollback", at_ms=now_ms()
            )
            return self._promotion(connection, target.tag, "rollback")

    def _promotion(self, connection: Connection, tag: str, kind: Kind) -> Promotion:
        verb = "promote" if kind == "promotion" else "rollback"
        promotion = put_in_production(
            connection,
            self.use_case_name,
            tag,
            kind=kind,
            actor="person",
            reason=f"rebento {verb}",
            at_ms=now_ms(),
        )
        bento_folder(self.settings.home, tag)  # a refusal here undoes the request
        return promotion

    def tag(self, tag: str) -> str:
        """The whole tag; a version alone will do for one of this use case."""
        return tag if ":" in tag else f"{self.use_case_name}:{tag}"

    def pause(self, reason: str) -> None:
        """Stops what Rebento does by itself."""
        with self.database() as database, database.writing() as connection:
            automation.pause(connection, self.use_case_name, actor="person", reason=reason, at_ms=now_ms())

    def resume(self, reason: str) -> None:
        """Ends a pause, and the suspension of promotions that a rollback left."""
        with self.database() as database, database.writing() as connection:
            automation.resume(connection, self.use_case_name, actor="person", reason=reason, at_ms=now_ms())

    def release(self, source: str) -> str:
        """Takes a suspended source's feedback after all; the sentence that says what it did."""
        k = self.use_case().policy.feedbacks_per_training
        with self.database() as database, database.writing() as connection:
            rows, run = quarantine.release_source(
                connection, self.use_case_name, source, actor="person", k=k, at_ms=now_ms()
            )
        asked = f"; training requested: {run}" if run else ""
        return f"{rows:,} true answers of {source} take part from now on{asked}"

    def discard(self, source: str) -> str:
        """Leaves a suspended source's feedback out for good; the sentence that says what it did."""
        with self.database() as database, database.writing() as connection:
            rows = quarantine.discard_source(
                connection, self.use_case_name, source, actor="person", at_ms=now_ms()
            )
        return f"{rows:,} true answers of {source} are left out for good"

    def prune(self) -> list[str]:
        """Removes what the policy keeps no longer; sentences that say what went."""
        from training.pruning import prune_bentos

        policy = self.use_case().policy
        sentences = [self.prune_predictions()]
        with self.database() as database:
            gone = prune_bentos(
                database, self.use_case_name, self.settings.home, policy.keep_bentos, now_ms()
            )
        sentences += [f"the files of {tag} were removed; its scores and history stay" for tag in gone]
        return sentences

    def prune_predictions(self) -> str:
        """Removes old predictions without feedback, without training code; a sentence says how many."""
        from storage.retention import prune_unlabelled

        days, removed = self.use_case().policy.retention_days, 0
        with self.database() as database:
            while True:
                with database.writing() as connection:
                    batch = prune_unlabelled(
                        connection, self.use_case_name, older_than_ms=now_ms() - days * _DAY_MS, limit=5_000
                    )
                removed += batch
                if batch < 5_000:
                    break
        return f"{removed:,} predictions without feedback, older than {days} days, were removed"

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
