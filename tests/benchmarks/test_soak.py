"""The soak's accounts: each promise that is broken is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.soak.accounts import broken_promises
from benchmarks.soak.callers import Account
from loop.clock import now_ms
from storage.database import Database
from storage.versions import Version, add_version, change_stage
from tests.databases import migrated

KILLED_AT = 1_000.0


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    version = Version("small:a", "small", "small:a", "None", now_ms(), None, None, "", "sgd", "{}", None)
    with migrated(f"sqlite:///{tmp_path / 'rebento.sqlite'}") as opened:
        with opened.writing() as connection:
            add_version(connection, version)
            change_stage(connection, "small:a", "Production", actor="test", reason="first", at_ms=now_ms())
        yield opened


def cut(at: float) -> Callable[[Account], None]:
    return lambda account: account.failed.append((at, at, "/predict: ConnectionResetError()"))


def lost(at: float) -> Callable[[Account], None]:
    return lambda account: account.answered.update({"an-id": at})


def forgotten(account: Account) -> None:
    account.acknowledged.update(["an-id"])


def fell(times: int) -> Callable[[Account], None]:
    return lambda account: account.resets.update({"api_requests_total": times})


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (cut(KILLED_AT + 0.5), []),
        (cut(KILLED_AT + 5), ["a call failed although no worker was killed"]),
        (lost(KILLED_AT - 0.5), []),
        (lost(KILLED_AT - 5), ["1 answered predictions are not in the log"]),
        (forgotten, ["1 accepted feedbacks are not stored"]),
        (fell(1), []),
        (fell(2), ["api_requests_total fell 2 times"]),
    ],
)
def test_a_promise_that_is_broken_is_said(
    database: Database, what: Callable[[Account], None], said: list[str]
) -> None:
    account = Account()
    what(account)
    found = broken_promises(database, account, [KILLED_AT], 1, k=300, use_case="small")
    assert len(found) == len(said)
    assert all(sentence in one for sentence, one in zip(said, found, strict=True))
    assert broken_promises(database, Account(), [], 0, k=300, use_case="other") == [
        "0 versions are in Production"
    ]
