"""What many generations of workers counted stays counted, in few files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, multiprocess

from monitoring.ended import _LEFT_ALONE
from monitoring.ended import reading as reading_counters
from tests.homes import wait_for
from tests.supervisor.conftest import SmallHome


def counted(folder: Path) -> Counter[tuple[str, str]]:
    """Requests by route and status, over all workers that there ever were."""
    registry = CollectorRegistry()
    with reading_counters(folder):
        multiprocess.MultiProcessCollector(registry, path=str(folder))  # type: ignore[no-untyped-call]
        return Counter(
            {
                (sample.labels["route"], sample.labels["status"]): int(sample.value)
                for metric in registry.collect()
                for sample in metric.samples
                if sample.name == "api_requests_total"
            }
        )


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_after_many_swaps_counters_are_few_and_every_answer_is_still_counted(home: SmallHome) -> None:
    swaps = 16
    answered: Counter[int] = Counter()

    def ask() -> str:
        _, bento, pid = home.ask()
        answered[pid] += 1
        return bento

    with home.supervised(probation_seconds=0) as supervisor:
        folder = Path(home.workers(supervisor, "a")[0].environ()["PROMETHEUS_MULTIPROC_DIR"])
        before = counted(folder)
        for number in range(swaps):
            name = "ba"[number % 2]
            home.wait(home.request(name), "done")
            wait_for(lambda name=name: ask() == f"small:{name}", "it to answer")  # type: ignore[misc]
            # Those of its last time may be on their way out still, and answer no more.
            wait_for(lambda name=name: len(home.workers(supervisor, name)) == 2, "its two alone")  # type: ignore[misc]
            new = {worker.pid for worker in home.workers(supervisor, name)}
            wait_for(lambda new=new: bool(ask()) and new <= set(answered), "both to count")  # type: ignore[misc]
        assert len(answered) >= 2 * swaps
        most = _LEFT_ALONE + 2 + 1  # those that run, and what is folded
        wait_for(lambda: len(list(folder.glob("*.db"))) <= most, "what ended ones counted to be folded")
        assert set(counted(folder)) == {("/predict", "200")}
        assert counted(folder).total() - before.total() == answered.total()
