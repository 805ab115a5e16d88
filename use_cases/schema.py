"""The parts of a `use_case.yaml`: where rows come from, the embedding, the policy."""

from __future__ import annotations

import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Part(BaseModel):
    """A frozen part of a use case in which an unknown key is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Join(Part):
    """Several tables side by side: each row of the first finds its one row in every other."""

    on: str = Field(min_length=1, description="the key column that every table has")
    tables: tuple[str, ...] = Field(
        min_length=2, description="CSV or Parquet files; the first gives the rows"
    )


class Snapshot(Part):
    """The data as known at the end of one day. Without files of its own it has the source's files."""

    date: datetime.date
    folder: str = Field(default="", description="folder of this snapshot's files, inside the source's folder")
    csv: str | None = None
    parquet: str | None = None
    join: Join | None = None

    @model_validator(mode="after")
    def names_at_most_one_kind(self) -> Self:
        kinds = [kind for kind in ("csv", "parquet", "join") if getattr(self, kind) is not None]
        if len(kinds) > 1:
            raise ValueError(f"give one of {' and '.join(kinds)}, not both")
        return self


class Source(Part):
    """Where the rows are: one of csv, parquet, loader or join; or dated snapshots of such files.

    Relative paths start from the data folder (REBENTO_DATA), a loader's file from the use case's folder.
    """

    folder: str = Field(default="", description="folder of the files; relative: inside the data folder")
    csv: str | None = None
    parquet: str | None = None
    loader: str | None = Field(default=None, description="`file.py:function` or `package.module:function`")
    join: Join | None = None
    snapshots: tuple[Snapshot, ...] = ()

    @model_validator(mode="after")
    def names_one_kind(self) -> Self:
        kinds = [kind for kind in ("csv", "parquet", "loader", "join") if getattr(self, kind) is not None]
        if len(kinds) > 1:
            raise ValueError(f"give one of {', '.join(kinds)}, not several")
        if self.loader is not None and self.snapshots:
            raise ValueError("a loader cannot have snapshots; name csv, parquet or join files")
        own = [one.csv or one.parquet or one.join for one in self.snapshots]
        if not kinds and not (own and all(own)):
            raise ValueError("name one of csv, parquet, loader or join (or give each snapshot its files)")
        if self.loader is not None and not all(self.loader.rpartition(":")[::2]):
            raise ValueError(f"loader {self.loader!r} must read `file.py:function` or `module:function`")
        dates = [one.date for one in self.snapshots]
        if len(set(dates)) < len(dates):
            raise ValueError("two snapshots have the same date")
        return self


class Embedding(Part):
    """How a raw row becomes a vector. `pca` needs `components` or `variance`; `columns` neither."""

    kind: Literal["pca", "columns"] = "pca"
    components: int | None = Field(default=None, ge=1, description="dimensions of the vector")
    variance: float | None = Field(
        default=None, gt=0, lt=1, description="share of variance the dimensions must keep"
    )

    @model_validator(mode="after")
    def is_one_of_three(self) -> Self:
        given = [name for name in ("components", "variance") if getattr(self, name) is not None]
        if self.kind == "columns" and given:
            raise ValueError(f"kind columns takes no {' and no '.join(given)}; remove it or say kind: pca")
        if self.kind == "pca" and len(given) == 2:
            raise ValueError("give components or variance, not both")
        if self.kind == "pca" and not given:
            raise ValueError("kind pca needs components (a number) or variance (a share below 1)")
        return self


class Policy(Part):
    """When to retrain, when to promote, how long to remember. Margins are differences of scores, 0 to 1."""

    feedbacks_per_training: int = Field(
        default=100, ge=1, description="k: labelled answers that ask for a training"
    )
    schedule_hours: float | None = Field(
        default=None, gt=0, description="train when so many hours have passed since the last run; null: never"
    )
    cooldown_minutes: float = Field(
        default=1, ge=0, description="shortest rest between two training runs that no person asked for"
    )
    promotion: Literal["automatic", "ask"] = Field(
        default="automatic",
        description="automatic: a proven challenger is promoted; ask: it waits in Staging",
    )
    probation_seconds: float = Field(
        default=60, ge=0, description="how long the replaced workers stay warm beside the new ones"
    )
    recent_rows: int = Field(
        default=5_000, ge=50, description="newest labelled rows that the recent challenger learns from"
    )
    half_life_rows: int = Field(
        default=2_000, ge=1, description="rows after which a row weighs half for the weighted challenger"
    )
    judged_rows: int = Field(
        default=1_000, ge=50, description="newest labelled holdout rows on which the judge compares"
    )
    false_promotions: float = Field(
        default=0.05, gt=0, lt=1, description="chance of ever promoting what is no better than one champion"
    )
    quality_margin: float = Field(
        default=0.02, ge=0, le=1, description="how far the metric may fall below the champion's reference"
    )
    older_margin: float = Field(
        default=0.1, ge=0, le=1, description="how much the metric may fall on older rows in a promotion"
    )
    recall_margin: float = Field(
        default=0.05, ge=0, le=1, description="how much the recall of any class may fall in a promotion"
    )
    calibration_margin: float = Field(
        default=0.05, ge=0, le=1, description="how much the calibration error may rise in a promotion"
    )
    suspicious_disagreement: float = Field(
        default=0.2,
        gt=0,
        le=1,
        description="how far one source's share of contradicted answers may lie above the other sources'",
    )
    drift_share: float = Field(
        default=0.3, ge=0, le=1, description="share of drifted input columns from which to act"
    )
    drift_method: Literal["jensenshannon", "hellinger"] = Field(
        default="jensenshannon", description="how the distance of two distributions is measured, 0 to 1"
    )
    drift_distance: float = Field(
        default=0.1, ge=0, le=1, description="distance below which a column has not drifted, however certain"
    )
    target_drift: float = Field(
        default=0.1, ge=0, le=1, description="distance of the target's distributions from which to act"
    )
    drift_false_alarms: float = Field(
        default=0.05, gt=0, lt=1, description="chance of naming any column drifted where none has"
    )
    report_rows: int = Field(default=1_000, ge=1, description="newest production rows of a scheduled report")
    report_hours: float | None = Field(
        default=24, gt=0, description="report when so many hours have passed since the last; null: never"
    )
    least_report_rows: int = Field(
        default=100, ge=1, description="with fewer current rows a report says that it cannot tell drift"
    )
    retention_days: int = Field(default=90, ge=1, description="days a prediction without feedback is kept")
    keep_bentos: int = Field(default=10, ge=3, description="built Bentos whose files are kept")
