"""Proof of no loss: promotions and a rollback under a real server that is driven without pause."""

from __future__ import annotations

import csv
import http.client
import json
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from loop.clock import now_ms
from storage.automation import automation
from storage.database import Database
from storage.promotions import promotions
from storage.versions import history, version
from tests.homes import Home, up, wait_for
from tests.journeys.command_line import refused
from use_cases.contract import Contract
from use_cases.derive import frame_rows
from use_cases.doctor_visits.loader import person_years

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
Row = dict[str, Any]
#: Connections, and since when they rest (monotonic seconds).
Resting = dict[http.client.HTTPConnection, float]
PROBATION_SECONDS = 2
#: From the commit of a stage to the last answer that was on its way.
TOLERANCE_MS = 1_000
#: A worker keeps an idle connection for 75 s.
REST_SECONDS = 60


@dataclass(frozen=True)
class Answer:
    """One answer: when it was asked for and there, who gave it, and the row by its number."""

    began_ms: int
    ended_ms: int
    bento: str
    row: int
    label: str


@dataclass
class Callers:
    """Callers of several kinds, and everything that they saw."""

    address: str
    rows: list[Row]
    answers: list[Answer] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.address, timeout=60)

    def ask(self, connection: http.client.HTTPConnection, number: int, pieces: int = 1) -> bool:
        """One row asked for, its body in so many pieces. Whether an answer came; nothing is tried twice."""
        row = number % len(self.rows)
        body = json.dumps({"rows": [self.rows[row]]}).encode()
        began_ms = now_ms()
        try:
            connection.putrequest("POST", "/predict")
            connection.putheader("content-type", "application/json")
            connection.putheader("content-length", str(len(body)))
            connection.endheaders()
            size = -(-len(body) // pieces)
            for start in range(0, len(body), size):
                connection.send(body[start : start + size])
                if pieces > 1:
                    self.stop.wait(0.1)  # the caller is slow: that is the case, not a wait
            response = connection.getresponse()
            said = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.failures.append(f"row {row} in {pieces} pieces: {error!r}")
            connection.close()
            return False
        if response.status != 200:
            self.failures.append(f"{response.status} {said!r}")
            return False
        answer = json.loads(said)
        label = answer["predictions"][0]["prediction"]
        self.answers.append(Answer(began_ms, now_ms(), answer["bento"], row, label))
        return True

    def busy(self, first: int) -> None:
        """Again and again on a kept-alive connection, a new one only where the answer said `close`."""
        connection = self.connection()
        number = first
        while not self.stop.wait(0.01):
            self.ask(connection, number)
            number += 16
        connection.close()

    def slow(self, first: int) -> None:
        number = first
        while not self.stop.is_set():
            connection = self.connection()
            self.ask(connection, number, pieces=8)
            connection.close()
            number += 3

    def idle(self, count: int) -> Resting:
        """Connections that were used once and rest."""
        resting = {self.connection(): time.monotonic() for _ in range(count)}
        for number, connection in enumerate(resting):
            assert self.ask(connection, number), self.failures[-1]
        return resting

    def wake(self, resting: Resting) -> None:
        """One request on each, on the very connection that rested, unless that was for too long."""
        for number, (connection, since) in enumerate(resting.items()):
            connection.auto_open = 0
            if time.monotonic() - since < REST_SECONDS:
                self.ask(connection, number)
            connection.close()


@pytest.fixture(scope="module")
def quick(two: Home) -> Home:
    """Two Bentos that contradict each other, and a short probation."""
    file = two.folder / "use_cases" / "small" / "use_case.yaml"
    file.write_text(
        file.read_text().replace("policy: {", f"policy: {{probation_seconds: {PROBATION_SECONDS}, ")
    )
    return two


@pytest.fixture(scope="module")
def told_apart(quick: Home) -> tuple[list[Row], dict[str, list[str]]]:
    """Rows on which the two Bentos differ, and the label that each gives to each, by its tag."""
    a, b = quick.tags()
    frame = person_years(Path()).iloc[:300]
    frame.to_csv(quick.folder / "rows.csv", index=False)

    def labels() -> list[str]:
        quick.rebento("predict", "rows.csv", "--output", "answers.csv")
        with (quick.folder / "answers.csv").open() as file:
            return [line["prediction"] for line in csv.DictReader(file)]

    by_a = labels()
    quick.rebento("promote", b)
    by_b = labels()
    quick.rebento("promote", a)
    contract = Contract.read(next((quick.var / "bentoml" / "models" / "small").glob("*/contract.json")))
    rows = list(frame_rows(contract, frame))
    differ = [place for place in range(len(rows)) if by_a[place] != by_b[place]]
    assert len(differ) > 50
    return [rows[n] for n in differ], {a: [by_a[n] for n in differ], b: [by_b[n] for n in differ]}


def in_production(home: Home) -> list[tuple[int, int, str]]:
    """Spans of time in milliseconds, and the version that was in Production then."""
    with closing(Database.open(home.database_url)) as database, database.reading() as connection:
        entered = [
            (change.changed_at_ms, change.tag)
            for change in reversed(history(connection, "small"))
            if change.to_stage == "Production"
        ]
    ends = [at for at, _ in entered[1:]] + [now_ms()]
    return [(start, end, tag) for (start, tag), end in zip(entered, ends, strict=True)]


def done(home: Home) -> int:
    """How many promotions are over."""
    with closing(Database.open(home.database_url)) as database, database.reading() as connection:
        return sum(one.state == "done" for one in promotions(connection, "small"))


def is_suspended(home: Home) -> bool:
    with closing(Database.open(home.database_url)) as database, database.reading() as connection:
        return automation(connection, "small").promotion_is_suspended


def graph_of(home: Home, tag: str) -> Path:
    with closing(Database.open(home.database_url)) as database, database.reading() as connection:
        found = version(connection, tag)
    assert found is not None
    return home.var / "bentoml" / "models" / found.model_tag.replace(":", "/") / "graph.onnx"


def test_three_promotions_and_a_rollback_lose_no_answer_and_give_no_wrong_one(
    quick: Home, told_apart: tuple[list[Row], dict[str, list[str]]]
) -> None:
    rows, expected = told_apart
    a, b = quick.tags()
    over, began_ms = done(quick), now_ms()
    with up(quick, workers=2) as server:
        callers = Callers(server.base.removeprefix("http://"), rows)
        threads = [threading.Thread(target=callers.busy, args=(n,)) for n in range(16)]
        threads += [threading.Thread(target=callers.slow, args=(n,)) for n in range(3)]
        for thread in threads:
            thread.start()
        longer: Resting = {}
        try:
            for tag in (b, a, b, None):
                through_one, through_two = callers.idle(5), longer
                longer = callers.idle(5)
                said = quick.rebento("rollback") if tag is None else quick.rebento("promote", tag)
                assert f"{tag or a} is in Production and answers" in said.stdout
                callers.wake(through_one)
                over += 1
                wait_for(lambda over=over: done(quick) == over, "the probation to end")
                # Those who hold these have begun to leave.
                callers.wake(through_two)
            callers.wake(longer)
        finally:
            callers.stop.set()
            for thread in threads:
                thread.join()
    assert not callers.failures
    assert len(callers.answers) > 1_000
    wrong = [one for one in callers.answers if one.label != expected[one.bento][one.row]]
    assert not wrong
    spans = in_production(quick)
    # Where processes stand still, orders take their time, and so does each swap.
    shortest_ms = min(end - start for start, end, _ in spans if start > began_ms)
    tolerance_ms = max(TOLERANCE_MS, shortest_ms // 2)
    late = [
        one
        for one in callers.answers
        if not any(
            tag == one.bento and start - tolerance_ms <= one.ended_ms and one.began_ms <= end + tolerance_ms
            for start, end, tag in spans
        )
    ]
    print(f"{len(callers.answers)} answers, none failed, none wrong")
    assert not late, f"{len(late)} of {len(callers.answers)} by {tolerance_ms} ms: {late[:3]} {spans}"
    assert {one.bento for one in callers.answers} == {a, b}
    assert is_suspended(quick), "a rollback ends promotions that nobody asked for"
    quick.rebento("resume")
    assert not is_suspended(quick)


def test_a_promotion_that_fails_says_why_and_changes_nothing(quick: Home, row: Row, tmp_path: Path) -> None:
    home = quick.copy(tmp_path)
    a, b = home.tags()
    graph = graph_of(home, b)
    graph.write_bytes(graph.read_bytes()[:-1])
    with up(home) as server:
        said = refused(home, "promote", b)
        assert said.startswith(f"{b} was not promoted: {b} cannot serve here")
        assert server.call("/predict", {"rows": [row]}).json["bento"] == a
        assert refused(home, "promote", a) == (
            f"{a} is in Production already; `rebento versions` shows since when"
        )


def test_without_a_supervisor_a_rollback_takes_effect_at_the_next_start(
    quick: Home, row: Row, tmp_path: Path
) -> None:
    home = quick.copy(tmp_path)
    a, b = home.tags()
    home.rebento("promote", b)
    assert (
        f"{a} is in Production. `rebento up` serves it from its next start."
        in home.rebento("rollback").stdout
    )
    with up(home) as server:
        assert server.call("/predict", {"rows": [row]}).json["bento"] == a
