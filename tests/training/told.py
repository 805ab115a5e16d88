"""What a trainer finds: versions in stages, and answers that were contradicted or confirmed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from storage.database import Database
from storage.feedback import Feedback, record_feedback
from storage.predictions import Prediction, record_predictions
from storage.runs import Run, runs
from storage.versions import Stage, Version, add_version, change_stage
from training.snapshot import storable
from training.worker import Trainer
from use_cases.derive import derive_contract
from use_cases.use_case import UseCase

CHAMPION = "visits:20240101-000000-aaaaaaaa"
CHALLENGER = "visits:20240102-000000-bbbbbbbb"
K = 10**9


def opened(folder: Path) -> Database:
    """A new database in the folder; to be closed."""
    database = Database.open(f"sqlite:///{folder / 'rebento.sqlite'}")
    database.migrate()
    return database


def enter(
    database: Database,
    tag: str,
    stage: Stage,
    *,
    parent: str | None = None,
    accuracy: float = 0.95,
    auc: float = 0.9,
    at_ms: int = 1,
) -> None:
    """A version of that stage, with scores on its holdout."""
    scores = {"accuracy": {"value": accuracy}, "roc_auc": {"value": auc}}
    with database.writing() as connection:
        add_version(
            connection,
            Version(
                tag=tag,
                use_case=tag.partition(":")[0],
                model_tag=tag,
                stage="None",
                created_at_ms=at_ms,
                run_id=None,
                parent=parent,
                data_digest="d",
                candidate="sgd",
                scores_json=json.dumps(scores),
                as_of=None,
            ),
        )
        if stage != "None":
            change_stage(connection, tag, stage, actor="test", reason="test", at_ms=at_ms)


def give_contract(home: Path, use_case: UseCase, frame: object, tag: str = CHAMPION) -> None:
    """The contract file of a version, where the store has it."""
    folder = home / "bentoml" / "models" / tag.replace(":", "/")
    folder.mkdir(parents=True)
    derive_contract(use_case, storable(frame)).write(folder / "contract.json")  # type: ignore[arg-type]


def tell(
    database: Database,
    use_case: UseCase,
    answers: Sequence[tuple[str, str, str | None]],
    *,
    at_ms: int,
    name: str = "p",
    bento: str = CHAMPION,
    k: int = K,
) -> None:
    """(answered, true, source), each a row of its own, a second apart, in one transaction."""
    predictions, told = [], []
    for place, (label, target, source) in enumerate(answers):
        known = at_ms + place * 1_000
        other = "no" if label == "yes" else "yes"
        predictions.append(
            Prediction(
                prediction_id=f"{name}{place}",
                use_case=use_case.name,
                bento=bento,
                predicted_at_ms=known,
                row_json=json.dumps({"age": place}),
                vector=b"",
                label=label,
                probabilities_json=json.dumps({label: 0.8, other: 0.2}),
                confidence=0.8,
                entity_id=None,
                event_time=None,
                origin="request",
                is_holdout=False,
            )
        )
        told.append(Feedback(f"{name}{place}", target, source, None, known, None))
    with database.writing(durable=False) as connection:
        record_predictions(connection, predictions, k)
        for one in told:
            record_feedback(connection, use_case.name, [one], k)


def all_runs(database: Database, use_case: str = "visits") -> list[Run]:
    """Oldest request first."""
    with database.reading() as connection:
        return list(reversed(runs(connection, use_case)))


@contextmanager
def working(database: Database, folder: Path, read_use_case: Callable[[], UseCase]) -> Iterator[Trainer]:
    """A trainer at work in a thread of its own."""
    trainer = Trainer(
        read_use_case().name,
        read_use_case,
        home=folder,
        data=folder,
        database=database,
        stopping=threading.Event(),
        poll_seconds=0.01,
    )
    thread = threading.Thread(target=trainer.work)
    thread.start()
    try:
        yield trainer
    finally:
        trainer.stopping.set()
        thread.join()
