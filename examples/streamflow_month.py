"""Streams one month of the streaming service's users through a running Rebento: asks, then tells the truth.

    python examples/streamflow_month.py data/streamflow/month_001 [--rows 5600] [--url http://127.0.0.1:8080]

Every user is a prediction, and a moment later a feedback with what the user really did. `--shuffle` tells the
answers of other users instead: from those nothing can be learned, so no model may be promoted on them.
"""

from __future__ import annotations

import argparse
import http.client
import json
import math
import random
import time
import urllib.parse
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

TABLES = ("subscriptions", "usage_agg_30d", "payments_agg_90d", "support_agg_90d", "labels")


def users(month: Path) -> list[dict[str, Any]]:
    """One row a user, joined from the month's six tables."""
    rows = pd.read_csv(month / "users.csv")
    for table in TABLES:
        rows = rows.merge(pd.read_csv(month / f"{table}.csv"), on="user_id")
    return [{name: plain(value) for name, value in row.items()} for row in rows.to_dict("records")]


def plain(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


class Service:
    """One kept-alive connection; Rebento says when it is to be opened anew."""

    def __init__(self, url: str, token: str) -> None:
        place = urllib.parse.urlsplit(url)
        self._connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
        self._headers = {"content-type": "application/json"}
        if token:
            self._headers["authorization"] = f"Bearer {token}"

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self._connection.request("POST", path, json.dumps(body), self._headers)
        response = self._connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
        if response.status != 200:
            raise SystemExit(f"{path} answered {response.status}: {answer}")
        return answer


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("month", type=Path, help="folder of the month's six CSV files")
    parser.add_argument("--rows", type=int, default=5_600, help="how many users (default 5600)")
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--token", default="", help="where REBENTO_API_TOKEN is set")
    parser.add_argument("--batch", type=int, default=50, help="users in one call (default 50)")
    parser.add_argument("--seconds", type=float, default=0.0, help="spread over so many seconds")
    parser.add_argument("--shuffle", action="store_true", help="tell the answers of other users")
    arguments = parser.parse_args()
    rows = users(arguments.month)[: arguments.rows]
    truths = [str(row.pop("churn_label")).lower() for row in rows]
    if arguments.shuffle:
        random.Random(0).shuffle(truths)
    service = Service(arguments.url, arguments.token)
    answered_by: Counter[str] = Counter()
    began = time.monotonic()
    for start in range(0, len(rows), arguments.batch):
        batch = rows[start : start + arguments.batch]
        answer = service.post("/predict", {"rows": batch})
        answered_by[answer["bento"]] += len(batch)
        told = [
            {"prediction_id": one["prediction_id"], "target": truth}
            for one, truth in zip(answer["predictions"], truths[start:], strict=False)
        ]
        receipt = service.post("/feedback", {"feedback": told})
        if receipt["training_run"]:
            print(
                f"{receipt['production_rows']:,} labelled rows: training {receipt['training_run']} asked for"
            )
        due = began + arguments.seconds * (start + len(batch)) / len(rows)
        time.sleep(max(0.0, due - time.monotonic()))
    for bento, count in answered_by.items():
        print(f"{count:,} users answered by {bento}")


if __name__ == "__main__":
    main()
