"""Old Bentos make room, never those that are needed."""

from __future__ import annotations

import json
from pathlib import Path

from loop.clock import now_ms
from storage.database import Database
from storage.processes import beat
from storage.promotions import promote_now
from storage.versions import Version, add_version, versions
from training.pruning import prune_bentos

DAY_MS = 86_400_000


def entered(database: Database, home: Path, number: int, use_case: str = "visits", **more: str) -> str:
    tag = f"{use_case}:{number:03d}"
    digest = more.get("digest", f"digest-{number}")
    version = Version(
        tag=tag,
        use_case=use_case,
        model_tag=tag,
        stage="None",
        created_at_ms=number,
        run_id=None,
        parent=more.get("parent"),
        data_digest=digest,
        candidate="sgd",
        scores_json="{}",
        as_of=None,
        recipe_json=json.dumps({"ancestor": more.get("ancestor")}),
    )
    with database.writing() as connection:
        add_version(connection, version)
    for kind, name in (("bentos", use_case), ("models", use_case), ("models", f"{use_case}_pipeline")):
        (home / "bentoml" / kind / name / f"{number:03d}").mkdir(parents=True)
    (home / "snapshots").mkdir(exist_ok=True)
    (home / "snapshots" / f"{digest}.parquet").touch()
    return tag


def there(home: Path) -> list[str]:
    return sorted(folder.name for folder in (home / "bentoml" / "models" / "visits_pipeline").iterdir())


def test_old_bentos_go_and_their_entries_stay(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path / 'rebento.sqlite'}")
    database.migrate()
    tags = [entered(database, tmp_path, number) for number in range(1, 9)]
    with database.writing() as connection:
        for tag in tags[1:3]:
            promote_now(
                connection, "visits", tag, kind="promotion", actor="test", reason="test", at_ms=now_ms()
            )
    gone = prune_bentos(database, "visits", tmp_path, 3, at_ms=now_ms())
    # 002 is what a rollback goes back to, 003 is the champion, 006 to 008 are the newest.
    assert gone == ["visits:001", "visits:004", "visits:005"]
    assert there(tmp_path) == ["002", "003", "006", "007", "008"]
    assert not (tmp_path / "bentoml/bentos/visits/001").exists()
    assert not (tmp_path / "snapshots/digest-1.parquet").exists()
    assert (tmp_path / "snapshots/digest-2.parquet").exists()
    with database.reading() as connection:
        assert len(versions(connection, "visits")) == 8
    assert prune_bentos(database, "visits", tmp_path, 3, at_ms=now_ms()) == []
    database.close()


def test_a_snapshot_that_another_version_learned_from_stays(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path / 'rebento.sqlite'}")
    database.migrate()
    entered(database, tmp_path, 1, digest="shared")
    for number in range(2, 5):
        entered(database, tmp_path, number)
    entered(database, tmp_path, 1, use_case="others", digest="shared")
    assert prune_bentos(database, "visits", tmp_path, 3, at_ms=now_ms()) == ["visits:001"]
    assert (tmp_path / "snapshots/shared.parquet").exists()
    assert (tmp_path / "bentoml/models/others/001").is_dir()
    database.close()


def test_what_a_host_still_answers_with_stays_until_it_goes_on_or_leaves(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path / 'rebento.sqlite'}")
    database.migrate()
    tags = [entered(database, tmp_path, number) for number in range(1, 9)]
    with database.writing() as connection:
        for tag in tags[:5]:
            promote_now(
                connection, "visits", tag, kind="promotion", actor="test", reason="test", at_ms=now_ms()
            )

    def says(name: str, bento: str | None, at_ms: int, use_case: str = "visits") -> None:
        there = {"pid": 1, "host": "there", "started_at_ms": 1, "at_ms": at_ms, "bento": bento}
        with database.writing() as connection:
            beat(connection, use_case, name, **there)

    def pruned(at_ms: int) -> list[str]:
        gone = prune_bentos(database, "visits", tmp_path, 3, at_ms=at_ms)
        return [tag.removeprefix("visits:") for tag in gone]

    says("supervisor", tags[4], DAY_MS)
    says("supervisor lagging", tags[1], DAY_MS)  # the versions after it do not load there
    says("supervisor cut off", tags[0], 1)
    says("supervisor of earlier code", None, DAY_MS)
    says("supervisor", "visits:002", DAY_MS, use_case="others")
    assert pruned(DAY_MS) == []
    assert pruned(DAY_MS + 2) == ["001"], "it has been silent for a day"
    assert (tmp_path / "bentoml/bentos/visits/002").is_dir()
    says("supervisor lagging", tags[4], DAY_MS + 2)
    assert pruned(DAY_MS + 2) == ["002"]
    assert there(tmp_path) == ["003", "004", "005", "006", "007", "008"]
    database.close()


def test_files_left_behind_by_a_kill_go_the_next_time(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path / 'rebento.sqlite'}")
    database.migrate()
    for number in range(1, 5):
        entered(database, tmp_path, number)
    prune_bentos(database, "visits", tmp_path, 3, at_ms=now_ms())
    (tmp_path / "bentoml/models/visits/001").mkdir(parents=True)
    prune_bentos(database, "visits", tmp_path, 3, at_ms=now_ms())
    assert not (tmp_path / "bentoml/models/visits/001").exists()
    database.close()
