"""Windows in which nothing has changed, something has, or a column was moved on purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.streams import elec2, streamflow
from benchmarks.watched import Champion, Reported, Side, Watched, report
from loop.triggers import Decision
from use_cases.source import load_rows
from use_cases.use_case import UseCase, read_use_case

REFERENCE_ROWS = 5_000
CALM_ROWS = 500
SIZES = (100, 200, 500, 1_000, 2_000)
STRENGTHS = (0.25, 0.5, 1.0)
"""Of a column's standard deviation."""
SEVERAL = 0.4
"""Share of the columns that are moved together."""
_USE_CASES = (Path(__file__).resolve().parents[1] / "use_cases",)

Reporter = Callable[..., Reported]


@dataclass(frozen=True)
class Found:
    """What the windows of one size came to."""

    rows: int
    decisions: tuple[Decision, ...]
    """Of each window."""
    named: float
    """Share of windows in which any input was said to have drifted."""

    def share(self, decision: str) -> float:
        return sum(one.decision == decision for one in self.decisions) / len(self.decisions)

    @classmethod
    def of(cls, rows: int, found: Sequence[Reported]) -> Found:
        return cls(
            rows,
            tuple(one.decision for one in found),
            float(np.mean([one.drift.drift_share > 0 for one in found])),
        )


def doctor_visits(data: Path) -> Champion:
    use_case = _shipped("doctor_visits")
    return Champion.of(use_case, load_rows(use_case, data))


def streamflow_month(data: Path) -> tuple[Champion, pd.DataFrame]:
    """A champion of month 0, and the rows of month 1."""
    stream = streamflow(data)
    use_case = UseCase.from_yaml(stream.yaml, "streamflow", folder=data)
    return Champion.of(use_case, stream.reference), stream.arriving


def certificates(data: Path) -> tuple[UseCase, pd.DataFrame, np.ndarray]:
    """Energy certificates in time order, with the year of each."""
    use_case = _shipped("dpe_tertiaire", random_forest={"n_estimators": 60, "min_samples_leaf": 3})
    rows = load_rows(use_case, data)
    return use_case, rows, rows["annee_dpe"].to_numpy(dtype=int)


def all_certificates(data: Path) -> Champion:
    use_case, rows, _ = certificates(data)
    return Champion.of(use_case, rows)


def certificates_of_two_years(data: Path) -> tuple[Champion, pd.DataFrame]:
    """A champion of 2021, and the rows of 2022."""
    use_case, rows, years = certificates(data)
    return Champion.of(use_case, rows[years == 2021].reset_index(drop=True)), rows[years == 2022]


def prices_of_two_halves(data: Path) -> tuple[Champion, pd.DataFrame]:
    """A champion of elec2's first half, and the rows of the second."""
    stream = elec2(data)
    rows = pd.concat([stream.reference, stream.arriving], ignore_index=True)
    use_case = UseCase.from_yaml(stream.yaml, stream.name, folder=data)
    return Champion.of(use_case, rows[: len(rows) // 2]), rows[len(rows) // 2 :]


def calm(
    pool: Watched,
    windows: int,
    *,
    by_identity: bool = False,
    knows_whose: bool = True,
    report: Reporter = report,
    seed: int = 1,
) -> Found:
    """Windows of 500 rows and references of 5,000 (or all others) cut anew from rows of one time.

    `by_identity`: a window holds all rows of its persons, and the reference none of them.
    """
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(windows):
        order = generator.permutation(len(pool))
        if by_identity:
            names, groups = np.unique(pool.identities.astype(str), return_inverse=True)
            order = order[np.argsort(generator.permutation(len(names))[groups[order]], kind="stable")]
        rest = generator.permutation(order[CALM_ROWS:])[:REFERENCE_ROWS]
        side = Side.of(pool.take(np.sort(rest)))
        found.append(report(side, pool.take(order[:CALM_ROWS]), knows_whose=knows_whose))
    return Found.of(CALM_ROWS, found)


def changed(
    champion: Champion,
    later: pd.DataFrame,
    windows: int,
    *,
    is_labelled: bool,
    in_order: bool,
    sizes: Sequence[int] = SIZES,
    report: Reporter = report,
) -> list[Found]:
    """Windows of each size from later rows: rows that follow each other, or (no order known) any."""
    side, answered = Side.of(champion.reference()), champion.answer(later)
    results = []
    for size in sizes:
        found = [
            report(side, answered.take(places), is_labelled=is_labelled)
            for places in _windows(len(answered), size, windows, in_order)
        ]
        results.append(Found.of(size, found))
    return results


def labels_until_retrain(champion: Champion, later: pd.DataFrame, orders: int, step: int = 25) -> list[int]:
    """After how many labels the report first says RETRAIN, for several orders in which they may come."""
    side, answered = Side.of(champion.reference()), champion.answer(later)
    found = []
    for seed in range(orders):
        order = np.random.default_rng(seed).permutation(len(answered))
        rows = step
        while rows < len(order) and not report(side, answered.take(order[:rows])).decision.should_train:
            rows += step
        found.append(rows)
    return found


def moved(
    champion: Champion,
    strength: float,
    several: bool,
    windows: int,
    *,
    sizes: Sequence[int] = SIZES,
    report: Reporter = report,
) -> list[Found]:
    """Rows of the champion's own time in which one number, or two in five columns, lie higher than before."""
    pool = champion.learned
    generator = np.random.default_rng(round(100 * strength) + several)
    columns = champion.contract.columns
    numbers = [one.name for one in columns if one.kind == "number" and pool.rows[one.name].nunique() > 2]
    count = round(SEVERAL * len(columns)) if several else 1
    results = []
    for size in sizes:
        found = []
        for _ in range(windows):
            order = generator.permutation(len(pool))
            rows = pool.rows.iloc[order[-size:]].assign(
                **{champion.contract.target: pool.labels[order[-size:]]}
            )
            for name in generator.choice(numbers, count, replace=False):
                rows[name] = _higher(pool.rows[name].dropna().to_numpy("float64"), strength, size, generator)
            side = Side.of(pool.take(np.sort(order[:-size][:REFERENCE_ROWS])))
            found.append(report(side, champion.answer(rows), is_labelled=False))
        results.append(Found.of(size, found))
    return results


def _higher(values: np.ndarray, strength: float, size: int, generator: np.random.Generator) -> np.ndarray:
    """Values that were there before, drawn so that their mean lies so many standard deviations higher.

    Higher ones come exponentially more often; of a normal distribution that is the same one, moved.
    """
    units = (values - values.mean()) / values.std()
    low, high = 0.0, 50.0
    for _ in range(40):
        tilt = (low + high) / 2
        chances = np.exp(tilt * (units - units.max()))
        chances /= chances.sum()
        low, high = (tilt, high) if chances @ units < strength else (low, tilt)
    drawn: np.ndarray = generator.choice(values, size, p=chances)
    return drawn


def _windows(rows: int, size: int, windows: int, in_order: bool) -> Iterator[np.ndarray]:
    size = min(size, rows)
    generator = np.random.default_rng(size)
    for start in np.linspace(0, rows - size, windows).astype(int):
        yield np.arange(start, start + size) if in_order else generator.permutation(rows)[:size]


def _shipped(name: str, **candidates: dict[str, float]) -> UseCase:
    """A use case with candidates that fit within seconds; how good they are decides nothing here."""
    chosen = candidates or {"logistic_regression": {}}
    return read_use_case(name, _USE_CASES).model_copy(update={"candidates": chosen})
