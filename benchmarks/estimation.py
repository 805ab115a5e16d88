"""How far the estimated quality lies from what the labels then showed, window by window.

Prints a Markdown table (docs/quality.md holds it); exits 1 where a promise is not kept.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from benchmarks.drift_windows import REFERENCE_ROWS, certificates_of_two_years, streamflow_month
from benchmarks.streams import elec2
from benchmarks.watched import SEED, Champion, Watched
from loop.estimation import Reference, estimate, estimate_error
from loop.evaluation import Score, score
from loop.holdout import is_holdout
from use_cases.source import load_rows
from use_cases.use_case import UseCase, read_use_case

WINDOW_ROWS = 500
CALM_WINDOWS = 100
METRICS = ("roc_auc", "accuracy")

MOST_OFF = 0.03
"""Mean error of the estimate in windows where nothing changes but who comes."""
LEAST_INSIDE = 0.9
"""Share of such windows whose realised score lies in the interval, which promises 95 %."""

CALM = "other persons"
_USE_CASES = (Path(__file__).resolve().parents[1] / "use_cases",)


@dataclass(frozen=True)
class Windowed:
    """One metric over the windows of one data set."""

    name: str
    metric: str
    reference: np.ndarray
    """(windows,): what the champion reached on the reference rows, which it had not learned from."""
    estimated: np.ndarray
    realised: np.ndarray
    is_inside: np.ndarray
    """bool (windows,): the realised score lies in the estimate's interval."""
    is_seen: np.ndarray
    """bool (windows,): with their labels the estimate is said to be off: the error's interval is beside 0."""

    @property
    def off(self) -> float:
        """Mean distance of the estimate from the realised score."""
        return float(np.nanmean(np.abs(self.estimated - self.realised)))

    @property
    def off_without(self) -> float:
        """The same for who would believe the reference for ever."""
        return float(np.nanmean(np.abs(self.reference - self.realised)))

    @property
    def inside(self) -> float:
        return float(self.is_inside.mean())


def after(champion: Champion, rows: Watched, *, shuffled: bool = False) -> Iterator[tuple[Watched, Watched]]:
    """The champion's reference sample with windows of 500 rows, in order or shuffled."""
    order = np.arange(len(rows))
    if shuffled:
        order = np.random.default_rng(SEED).permutation(order)
    known = champion.reference()
    for start in range(0, len(order) - WINDOW_ROWS + 1, WINDOW_ROWS):
        yield known, rows.take(order[start : start + WINDOW_ROWS])


def calm(learned: Watched) -> Iterator[tuple[Watched, Watched]]:
    """References of 5,000 rows (or all others) and windows of 500 of other persons, cut anew each time.

    Of the training rows with their out-of-fold answers: the same months, and nothing has changed.
    """
    generator = np.random.default_rng(SEED)
    names, groups = np.unique(learned.identities.astype(str), return_inverse=True)
    for _ in range(CALM_WINDOWS):
        order = np.argsort(generator.permutation(len(names))[groups], kind="stable")
        others = order[~np.isin(groups[order], groups[order[:WINDOW_ROWS]])]
        known = generator.permutation(others)[:REFERENCE_ROWS]
        yield learned.take(known), learned.take(order[:WINDOW_ROWS])


def windowed(name: str, pairs: Iterable[tuple[Watched, Watched]]) -> list[Windowed]:
    """Both metrics: each window estimated by its reference without its labels, then scored with them."""
    told: list[dict[str, Score]] = []
    realised: list[list[float]] = []
    promised: list[list[float]] = []
    errors: list[dict[str, tuple[float, Score]]] = []
    for known, window in pairs:
        scale = (known.contract.classes, known.contract.positive)
        reference = Reference(known.labels.tolist(), known.probabilities)
        whose = [str(one) for one in window.identities]
        told.append(estimate(window.probabilities, *scale, reference, identities=whose, seed=SEED))
        errors.append(
            estimate_error(
                window.labels.tolist(), window.probabilities, *scale, reference, identities=whose, seed=SEED
            )
        )
        for scores, rows in ((realised, window), (promised, known)):
            labels = rows.labels.tolist()
            scores.append([score(metric, labels, rows.probabilities, *scale) for metric in METRICS])
    found = []
    for place, metric in enumerate(METRICS):
        estimates = [one[metric] for one in told]
        true = np.array(realised)[:, place]
        low, high = (np.array([getattr(one, end) for one in estimates]) for end in ("low", "high"))
        found.append(
            Windowed(
                name=name,
                metric=metric,
                reference=np.array(promised)[:, place],
                estimated=np.array([one.value for one in estimates]),
                realised=true,
                is_inside=(low <= true) & (true <= high),
                is_seen=np.array(
                    [not off.low <= 0 <= off.high for _, off in (one[metric] for one in errors)]
                ),
            )
        )
    return found


def visits(data: Path) -> list[Windowed]:
    """Persons of the same years; and those that the champion itself has never seen."""
    use_case = read_use_case("doctor_visits", _USE_CASES)
    rows = load_rows(use_case, data)
    champion = Champion.of(use_case, rows)
    held = champion.answer(rows[held_out(use_case, rows)])
    return [
        *windowed(f"doctor_visits, {CALM}", calm(champion.learned)),
        *windowed("doctor_visits, held-out persons", after(champion, held, shuffled=True)),
    ]


def churn(data: Path) -> list[Windowed]:
    """Users of month 0; then month 1, in which other users leave."""
    champion, month_1 = streamflow_month(data)
    return [
        *windowed(f"streamflow month 0, {CALM}", calm(champion.learned)),
        *windowed("streamflow month 1, the concept changed", after(champion, champion.answer(month_1))),
    ]


def prices(data: Path) -> list[Windowed]:
    """Half-hours in order, after the first tenth."""
    stream = elec2(data)
    champion = Champion.of(UseCase.from_yaml(stream.yaml, stream.name, folder=data), stream.reference)
    return windowed("elec2 in order of time", after(champion, champion.answer(stream.arriving)))


def certificates(data: Path) -> list[Windowed]:
    """Seven classes: the certificates of 2022 after those of 2021."""
    champion, later = certificates_of_two_years(data)
    return windowed("dpe_tertiaire 2022 after 2021", after(champion, champion.answer(later)))


def held_out(use_case: UseCase, rows: pd.DataFrame) -> np.ndarray:
    """bool (rows,): the rows of persons that no version trains on."""
    whose = rows[use_case.id].astype(str)
    return np.array([is_holdout(one, use_case.holdout, use_case.name) for one in whose])


def table(lines: Sequence[Windowed]) -> str:
    """Markdown."""
    head = (
        "| rows | score | windows | reference | estimated | realised "
        "| off by | reference off by | inside | seen |\n"
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
    )
    return head + "\n".join(
        f"| {one.name} | {one.metric} | {len(one.realised)} | {one.reference.mean():.3f} "
        f"| {one.estimated.mean():.3f} | {one.realised.mean():.3f} | {one.off:.3f} "
        f"| {one.off_without:.3f} | {one.inside:.0%} | {one.is_seen.mean():.0%} |"
        for one in lines
    )


def broken(calm: Sequence[Windowed]) -> list[str]:
    """The promises that windows without a change miss, as sentences."""
    found = []
    for one in calm:
        if not one.off <= MOST_OFF:
            found.append(f"{one.name}: the estimated {one.metric} is off by {one.off:.3f}, over {MOST_OFF}")
        if not one.inside >= LEAST_INSIDE:
            found.append(
                f"{one.name}: {one.inside:.0%} of the windows' {one.metric} lie in the interval, fewer than "
                f"{LEAST_INSIDE:.0%}"
            )
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    data = parser.parse_args().data
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    began = time.perf_counter()
    lines: list[Windowed] = []
    makers: tuple[Callable[[Path], list[Windowed]], ...] = (visits, churn, prices, certificates)
    with threadpool_limits(1):
        for make in makers:
            lines += make(data)
            print(f"{make.__name__}: {time.perf_counter() - began:.0f} s so far", file=sys.stderr)
    print(table(lines))
    missed = broken([one for one in lines if one.name.endswith(CALM)])
    print(*missed, sep="\n", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
