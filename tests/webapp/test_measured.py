"""What the pages tell Prometheus."""

from __future__ import annotations

from pathlib import Path

from tests.homes import Home
from tests.webapp.conftest import plan_of_home, served


def test_pages_are_counted_by_route_and_unknown_ones_share_one_series(tmp_path: Path) -> None:
    with served(plan_of_home(Home(tmp_path, "doctor_visits"), "http://127.0.0.1:1")) as pages:
        assert pages.get("/livez").status_code == 200
        for place in range(30):
            assert pages.get(f"/nothing/{place}").status_code == 404
            pages.get(f"/predictions/{place}")
        pages.get("/settings")
        answer = pages.get("/metrics", headers={"host": "pages:8081"})
        assert answer.status_code == 200
        lines = answer.text.splitlines()
    assert 'web_requests_total{route="other",status="404"} 30.0' in lines
    assert 'web_requests_total{route="/settings",status="200"} 1.0' in lines
    assert 'web_requests_total{route="/predictions/{prediction_id}",status="404"} 30.0' in lines
    assert 'web_request_latency_seconds_count{route="/settings"} 1.0' in lines
    assert sum(line.startswith("web_requests_total{") for line in lines) == 3
    assert any(line.startswith("web_process_resident_memory_bytes ") for line in lines)
