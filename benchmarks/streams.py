"""Data that changes: reference rows to begin with, then rows whose true answers arrive later."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

SOURCES = ("north", "east", "south", "west", "centre")
POISONER = "centre"


@dataclass(frozen=True)
class Stream:
    """One data set in the order in which it happened."""

    name: str
    yaml: str
    """The use case; its source is `reference.csv`."""
    target: str
    id: str | None
    positive: str
    classes: tuple[str, ...]
    reference: pd.DataFrame
    arriving: pd.DataFrame
    """Rows in order, with their target."""
    told: tuple[str, ...]
    """What is said to be the answer to each; the target, or not."""
    sources: tuple[str, ...]
    delay_rows: int
    """So many rows later than its row the true answer arrives."""
    step_rows: int
    """Rows of one call."""
    k: int

    @property
    def labels(self) -> np.ndarray:
        """str (rows,): the true answers."""
        return self.arriving[self.target].to_numpy(dtype=str)

    def rows(self) -> list[dict[str, Any]]:
        """What is sent: everything but the target."""
        sent = self.arriving.drop(columns=self.target)
        return [{str(name): _plain(value) for name, value in row.items()} for row in sent.to_dict("records")]

    def first(self, rows: int) -> Stream:
        """The same stream, ending earlier."""
        return replace(
            self, arriving=self.arriving.iloc[:rows], told=self.told[:rows], sources=self.sources[:rows]
        )

    def poisoned(self, share: float, since: int, seed: int) -> Stream:
        """The same stream in which one source among five turns `share` of its labels from a row on."""
        generator = np.random.default_rng(seed)
        turned = generator.random(len(self.told)) < share
        other = dict(zip(self.classes, reversed(self.classes), strict=True))
        told = tuple(
            other[label] if turned[place] and source == POISONER and place >= since else label
            for place, (label, source) in enumerate(zip(self.told, self.sources, strict=True))
        )
        return replace(self, told=told)


ELEC2 = """\
source: {csv: reference.csv}
target: price
positive: up
embedding: {kind: columns}
scaler: none
candidates: {hist_gradient_boosting: {max_iter: 100, learning_rate: 0.1}}
metric: roc_auc
policy: {feedbacks_per_training: 2000, judged_rows: 500}
"""


def elec2(data: Path) -> Stream:
    """Electricity prices, 45,312 half-hours in order; the first tenth to begin with, labels two days late."""
    frame = pd.read_csv(data / "elec2.csv.gz").drop(columns=["date", "nswprice"])
    frame["price"] = np.where(frame.pop("class") == 1, "up", "down")
    begin = len(frame) // 10
    return _stream("elec2", ELEC2, "price", None, "up", ("down", "up"), frame, begin, 96, 48, 2_000)


STREAMFLOW = """\
source: {csv: reference.csv}
target: churn_label
positive: "true"
id: user_id
embedding: {kind: columns}
candidates: {logistic_regression: {}}
metric: roc_auc
policy: {feedbacks_per_training: 700}
"""
_TABLES = ("users", "subscriptions", "usage_agg_30d", "payments_agg_90d", "support_agg_90d", "labels")


def streamflow(data: Path) -> Stream:
    """Two months of a streaming service: one to begin with, and the next, in which other users leave."""
    months = []
    with zipfile.ZipFile(data / "streamflow_seeds.zip") as archive:
        for month in ("month_000", "month_001"):
            tables = [_table(archive, month, name) for name in _TABLES]
            frame = tables[0]
            for table in tables[1:]:
                frame = frame.merge(
                    table[[c for c in table if c == "user_id" or c not in frame]], on="user_id"
                )
            frame["churn_label"] = np.where(frame["churn_label"].astype(bool), "true", "false")
            months.append(frame)
    # The file is not in the order of time; any order that says nothing of the label will do.
    order = np.random.default_rng(7).permutation(len(months[1]))
    frame = pd.concat([months[0], months[1].iloc[order]], ignore_index=True)
    begin = len(months[0])
    return _stream(
        "streamflow",
        STREAMFLOW,
        "churn_label",
        "user_id",
        "true",
        ("false", "true"),
        frame,
        begin,
        100,
        50,
        700,
    )


def _stream(
    name: str,
    yaml: str,
    target: str,
    id_column: str | None,
    positive: str,
    classes: tuple[str, ...],
    frame: pd.DataFrame,
    begin: int,
    delay_rows: int,
    step_rows: int,
    k: int,
) -> Stream:
    arriving = frame.iloc[begin:].reset_index(drop=True)
    generator = np.random.default_rng(11)
    return Stream(
        name=name,
        yaml=yaml,
        target=target,
        id=id_column,
        positive=positive,
        classes=classes,
        reference=frame.iloc[:begin].reset_index(drop=True),
        arriving=arriving,
        told=tuple(arriving[target].astype(str)),
        sources=_drawn(SOURCES, len(arriving), generator),
        delay_rows=delay_rows,
        step_rows=step_rows,
        k=k,
    )


def _drawn(names: Sequence[str], rows: int, generator: np.random.Generator) -> tuple[str, ...]:
    return tuple(names[place] for place in generator.integers(0, len(names), rows))


def _table(archive: zipfile.ZipFile, month: str, name: str) -> pd.DataFrame:
    (path,) = (one for one in archive.namelist() if month in one and one.endswith(f"/{name}.csv"))
    return pd.read_csv(io.BytesIO(archive.read(path)))


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and value != value else value
