"""What a running service tells Prometheus of the loop."""

from __future__ import annotations

from typing import Any

import pytest

from monitoring.catalogue import METRICS
from tests.homes import Home, up, wait_for

pytestmark = pytest.mark.slow


def test_the_loop_is_measured_and_unknown_urls_add_no_series(
    trained: Home, tmp_path: Any, row: dict[str, Any]
) -> None:
    home = trained.copy(tmp_path)
    with up(home, workers=2) as server:
        wait_for(lambda: b"\nproduction_rows 0.0" in server.call("/metrics").body, "the first look")
        # An alert goes by it; the training before has moved the instant of labels that there never were.
        assert b"\nlast_label_timestamp_seconds " not in server.call("/metrics").body
        (answer,) = server.predict(row)
        told = [{"prediction_id": answer["prediction_id"], "target": "yes"}]
        assert server.call("/feedback", {"feedback": told}).status == 200
        wait_for(lambda: server.metric("production_rows") == 1, "the label to be counted")
        assert server.metric("last_label_timestamp_seconds") > 1.7e9
        (tag,) = home.tags()
        assert server.metric(f'bento_in_force{{bento="{tag}"}}') == 1
        assert server.metric('process_up{process="supervisor"}') == 1
        assert server.metric("automation_paused") == 0
        wait_for(lambda: server.metric("feedback_delay_seconds_count") == 1, "its delay to be counted")
        assert server.metric('database_write_seconds_count{outcome="stored"}') >= 1
        assert 0 < server.metric("disk_free_bytes") <= server.metric("disk_size_bytes")
        home.rebento("pause")
        wait_for(lambda: server.metric("automation_paused") == 1, "the pause to be measured")

        def series() -> set[str]:
            text = server.call("/metrics").body.decode()
            return {line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")}

        def of_the_api() -> set[str]:
            """What the supervisor measures has series that come with time."""
            return {name for name in series() if name.startswith("api_")}

        server.call("/nothing/0")
        elsewhere = 'api_requests_total{route="other",status="404"}'
        wait_for(lambda: server.metric(elsewhere) == 1, "it to be counted")
        before = of_the_api()
        for place in range(500):
            server.call(f"/nothing/{place}")
        wait_for(lambda: server.metric(elsewhere) == 501, "all to be counted")
        assert of_the_api() == before
        assert not [name for name in series() if "nothing" in name]
        known = {metric.shown for metric in METRICS}
        bare = {name.partition("{")[0] for name in series()}
        ends = ("_bucket", "_sum", "_count", "_created")
        assert {name for name in bare if not name.endswith(ends)} <= known
