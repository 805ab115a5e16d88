"""How far the drift alarm can be trusted: silent where nothing changes, heard where something does.

Prints Markdown tables (docs/drift.md holds them); exits 1 where a promise is not kept.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.drift_windows import (
    SIZES,
    STRENGTHS,
    Found,
    all_certificates,
    calm,
    certificates_of_two_years,
    changed,
    doctor_visits,
    labels_until_retrain,
    moved,
    prices_of_two_halves,
    streamflow_month,
)
from benchmarks.million import CATEGORIES, DIMENSIONS, NUMBERS, million

WINDOWS = 200
LATER_WINDOWS = 20
ORDERS = 20

MOST_FALSE = 0.05
"""Share of windows without change in which the report may say RETRAIN."""
LEAST_HEARD = 0.95
"""Share of windows after a change in which it must say so."""
HEARD_ROWS = 1_000
"""Rows after which a change must be heard."""
MOST_LABELS = 500
"""Labels after which a changed concept must be heard, in the median."""

Line = tuple[str, Sequence[Found]]


def calm_lines(data: Path, windows: int) -> dict[str, Found]:
    """Windows in which nothing has changed. The last line is what does not count: it shows why persons do."""
    visits = doctor_visits(data).learned
    return {
        "doctor_visits, any rows": calm(visits, windows),
        "doctor_visits, whole persons": calm(visits, windows, by_identity=True),
        "streamflow_churn, month 0": calm(streamflow_month(data)[0].learned, windows),
        "dpe_tertiaire, any rows": calm(all_certificates(data).learned, windows),
        NOT_COUNTED: calm(visits, windows, by_identity=True, knows_whose=False),
    }


NOT_COUNTED = "doctor_visits, whole persons taken as independent rows"


def too_loud(found: dict[str, Found]) -> list[str]:
    """Where a promise of silence is not kept, as sentences."""
    return [
        f"{name}: RETRAIN in {one.share('RETRAIN'):.1%} of calm windows, at most {MOST_FALSE:.0%} may"
        for name, one in found.items()
        if name != NOT_COUNTED and one.share("RETRAIN") > MOST_FALSE
    ]


def too_deaf(name: str, found: Sequence[Found], *decisions: str) -> list[str]:
    """Where windows of 1,000 rows do not say what they must, as a sentence."""
    return [
        f"{name}: {' or '.join(decisions)} in {share:.0%} of windows of {one.rows:,} rows, "
        f"at least {LEAST_HEARD:.0%} must"
        for one in found
        if one.rows == HEARD_ROWS and (share := sum(map(one.share, decisions))) < LEAST_HEARD
    ]


def streamflow_lines(data: Path, windows: int) -> tuple[list[Line], list[int]]:
    champion, later = streamflow_month(data)
    return [
        (
            f"streamflow, month 0 against 1, {what}",
            changed(champion, later, windows, is_labelled=is_labelled, in_order=False),
        )
        for what, is_labelled in (("no labels", False), ("all labels", True))
    ], labels_until_retrain(champion, later, ORDERS)


def certificate_lines(data: Path, windows: int) -> list[Line]:
    champion, later = certificates_of_two_years(data)
    found = changed(champion, later, windows, is_labelled=False, in_order=True)
    return [("dpe_tertiaire, 2021 against 2022, no labels", found)]


def price_lines(data: Path, windows: int) -> list[Line]:
    champion, later = prices_of_two_halves(data)
    halves = [
        (
            f"elec2, first half against second, {what}",
            changed(champion, later, windows, is_labelled=is_labelled, in_order=True),
        )
        for what, is_labelled in (("no labels", False), ("all labels", True))
    ]
    side = champion.learned
    near = side.rows.assign(**{champion.contract.target: side.labels})
    found = changed(champion, near, windows, is_labelled=False, in_order=True)
    return [*halves, ("elec2, days of the first half against all of it, no labels", found)]


def moved_lines(data: Path, windows: int) -> list[Line]:
    champion = doctor_visits(data)
    return [
        (f"{'6 of 15 columns' if several else 'one column'} by {strength:g}", found)
        for several in (False, True)
        for strength in STRENGTHS
        for found in [moved(champion, strength, several, windows)]
    ]


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown, numbers to the right."""
    lines = [title, "", f"| {' | '.join(columns)} |", f"| --- |{' ---: |' * (len(columns) - 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows), ""])


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--data", type=Path, default=Path("../shared/data"))
    arguments.add_argument(
        "--windows", type=int, default=WINDOWS, help="without change (default: %(default)s)"
    )
    asked = arguments.parse_args()
    began = time.perf_counter()
    counted = million()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        steps: list[Callable[..., object]] = [streamflow_lines, price_lines, certificate_lines, moved_lines]
        quiet = pool.submit(in_peace, calm_lines, asked.data, asked.windows)
        later = [pool.submit(in_peace, step, asked.data, LATER_WINDOWS) for step in steps]
        still = quiet.result()
        (flow, labels), prices, years, shifted = (one.result() for one in later)
    named = ("RETRAIN", "INVESTIGATE", "NO_ACTION")
    print(
        table(
            f"Nothing changed: {asked.windows} windows of 500 rows, all labels known.",
            ("windows", *named, "any input named"),
            [(n, *(f"{f.share(d):.1%}" for d in named), f"{f.named:.1%}") for n, f in still.items()],
        )
    )
    sizes = [f"{size:,} rows" for size in SIZES]
    print(
        table(
            f"Something changed: share of {LATER_WINDOWS} windows that say RETRAIN / INVESTIGATE.",
            ("change", *sizes),
            [
                (n, *(f"{f.share('RETRAIN'):.0%} / {f.share('INVESTIGATE'):.0%}" for f in found))
                for n, found in (*flow, *prices, *years)
            ],
        )
    )
    print(
        f"streamflow: RETRAIN after {np.median(labels):.0f} labels (median of {len(labels)} orders; "
        f"{min(labels)} to {max(labels)}).\n"
    )
    print(
        table(
            f"doctor_visits, numbers moved by parts of their standard deviation, no labels: share of "
            f"{LATER_WINDOWS} windows in which a drifted input is named / that say RETRAIN.",
            ("moved", *sizes),
            [(n, *(f"{f.named:.0%} / {f.share('RETRAIN'):.0%}" for f in found)) for n, found in shifted],
        )
    )
    print(
        f"A million rows of {NUMBERS + CATEGORIES} columns and {DIMENSIONS} dimensions: "
        f"{counted.counting_seconds:.1f} s to count, {counted.comparing_seconds:.1f} s to compare, "
        f"{counted.more_mib:.0f} MiB more at the peak.\n"
    )
    missed = too_loud(still) + too_deaf(*flow[0], "NO_ACTION")
    missed += too_deaf(*prices[1], "RETRAIN", "INVESTIGATE")
    for line in (flow[1], prices[0], *years, shifted[-1]):
        missed += too_deaf(*line, "RETRAIN")
    if np.median(labels) > MOST_LABELS:
        missed.append(f"streamflow: RETRAIN after {np.median(labels):.0f} labels, more than {MOST_LABELS}")
    for sentence in missed:
        print(f"MISSED {sentence}")
    print(f"{time.perf_counter() - began:.0f} seconds")
    return 1 if missed else 0


def in_peace(step: Callable[..., object], data: Path, windows: int) -> object:
    """One step in a process of its own, with one thread and without the fits' remarks."""
    logging.disable(logging.INFO)
    warnings.simplefilter("ignore")
    with threadpool_limits(1):
        return step(data, windows)


if __name__ == "__main__":
    sys.exit(main())
