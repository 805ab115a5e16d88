"""`make bench-loop`: does the loop help, does it promote by luck, does it swallow poison?

The data is not part of the project: give its folder as `--data`. Exit code 1 where a bound is missed.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from benchmarks.calm import Calm, Rows, calm_replays, share_of_false
from benchmarks.replays import Replay, replay
from benchmarks.rivals import RIVALS, answers_of
from benchmarks.streams import POISONER, Stream, elec2, streamflow
from loop.evaluation import score

LEAST_KEPT = 0.9
"""Share of the best policy's gain over never retraining that Rebento must keep, in accuracy and in AUC."""

MOST_FALSE = 0.05
MOST_LOST = 0.01
"""Of accuracy and AUC, against the clean replay, over the rows since the poison."""

REPLAYS = 200
POISONED_SINCE = 8_000
REBENTO = "Rebento"
_MEASURES = ("accuracy", "roc_auc")


@dataclass(frozen=True)
class Line:
    """One policy on one stream."""

    policy: str
    accuracy: float
    roc_auc: float
    thirds: tuple[float, ...]
    """AUC over the stream's first, second and last third."""


def line(policy: str, stream: Stream, answers: np.ndarray, rows: slice = slice(None)) -> Line:
    """What the answers were worth at the time they were given."""
    thirds = [
        _measured("roc_auc", stream, answers, part) for part in np.array_split(_places(stream, rows), 3)
    ]
    places = _places(stream, rows)
    found = [_measured(name, stream, answers, places) for name in _MEASURES]
    return Line(policy, *found, thirds=tuple(thirds))


def kept(lines: Sequence[Line], measure: str) -> float:
    """Rebento's share of the best policy's gain over never retraining; 1 where nobody gains."""
    values = {one.policy: float(getattr(one, measure)) for one in lines}
    best = max(values.values()) - values["never"]
    return (values[REBENTO] - values["never"]) / best if best > 0 else 1.0


def helps(lines: Sequence[Line]) -> list[str]:
    """The bounds that a comparison of policies misses, as sentences."""
    return [
        f"Rebento keeps {share:.0%} of the best policy's gain in {measure}, fewer than {LEAST_KEPT:.0%}"
        for measure in _MEASURES
        if not (share := kept(lines, measure)) >= LEAST_KEPT
    ]


def is_calm(name: str, found: Sequence[Calm]) -> list[str]:
    """The bound on false promotions, where it is missed."""
    share = share_of_false(found)
    if share <= MOST_FALSE:
        return []
    return [f"{name}: {share:.1%} of {len(found)} replays promote falsely; at most {MOST_FALSE:.0%} may"]


def resists(clean: Line, poisoned: Line) -> list[str]:
    """The bound on what poison costs, where it is missed."""
    lost = {name: getattr(clean, name) - getattr(poisoned, name) for name in _MEASURES}
    return [
        f"{poisoned.policy} costs {value:.4f} of {name}; it must be less than {MOST_LOST:g}"
        for name, value in lost.items()
        if not value < MOST_LOST
    ]


def is_fair(name: str, found: Replay) -> list[str]:
    """Where a source that tells the truth was suspended."""
    return [f"{name}: {source} was suspended, and all are honest" for _, source in found.suspended]


def replayed(stream: Stream, name: str) -> Replay:
    """One replay in a folder of its own, in a process of its own."""
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory(prefix=f"rebento-{name}-") as folder, threadpool_limits(1):
        return replay(stream, Path(folder))


def main() -> int:
    """Everything, printed as tables; the exit code."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--data", type=Path, default=Path("../shared/data"))
    arguments.add_argument(
        "--replays", type=int, default=REPLAYS, help="without drift (default: %(default)s)"
    )
    arguments.add_argument("--rows", type=int, default=None, help="of each stream; default: all")
    asked = arguments.parse_args()
    console, began = Console(width=120), time.perf_counter()
    streams = [one.first(asked.rows or len(one.told)) for one in (elec2(asked.data), streamflow(asked.data))]
    prices = streams[0]
    since = min(POISONED_SINCE, len(prices.told) // 3)
    # All of its labels, which somebody ought to notice, and a fifth of them, which hardly anybody would.
    poisons = {
        f"all labels of {POISONER} turned": prices.poisoned(1.0, since, seed=3),
        f"20 % of the labels of {POISONER} turned": prices.poisoned(0.2, since, seed=3),
    }
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        waiting = {one.name: pool.submit(replayed, one, one.name) for one in streams}
        poisoned = {name: pool.submit(replayed, one, "poisoned") for name, one in poisons.items()}
        rivals = {(s.name, r): pool.submit(answers_of, r, s) for s in streams for r in RIVALS}
        missed: list[str] = []
        for stream in streams:
            found = waiting[stream.name].result()
            lines = [line(rival, stream, rivals[stream.name, rival].result()) for rival in RIVALS]
            lines.append(line(REBENTO, stream, found.probabilities))
            missed += [f"{stream.name}: {sentence}" for sentence in helps(lines)]
            missed += is_fair(stream.name, found)
            console.print(_policies(stream, lines, found))
        clean = line("clean", prices, waiting["elec2"].result().probabilities, slice(since, None))
        spoilt = {name: future.result() for name, future in poisoned.items()}
    lines = [clean, *(line(n, prices, r.probabilities, slice(since, None)) for n, r in spoilt.items())]
    missed += [sentence for one in lines[1:] for sentence in resists(clean, one)]
    console.print(_poisons(lines, spoilt))
    month = Rows.of(streams[1])
    for name, rows in (("one month, resampled", month), ("labels without meaning", month.meaningless())):
        calm = calm_replays(rows, asked.replays, os.cpu_count() or 1)
        missed += is_calm(name, calm)
        console.print(
            f"no drift, {name}: {share_of_false(calm):.1%} of {len(calm)} replays of {calm[0].looks} looks "
            f"promote falsely ({sum(one.false_promotions for one in calm)} of "
            f"{sum(one.promotions for one in calm)} promotions)"
        )
    for sentence in missed:
        console.print(f"MISSED {sentence}")
    console.print(f"{time.perf_counter() - began:.0f} seconds")
    return 1 if missed else 0


def _places(stream: Stream, rows: slice) -> np.ndarray:
    return np.arange(len(stream.told))[rows]


def _measured(measure: str, stream: Stream, answers: np.ndarray, places: np.ndarray) -> float:
    labels = stream.labels[places].tolist()
    return score(measure, labels, answers[places], stream.classes, (stream.positive,))


def _policies(stream: Stream, lines: Sequence[Line], found: Replay) -> Table:
    table = Table(title=f"{stream.name}: {len(stream.told):,} rows, a training every {stream.k:,} labels")
    columns = ("policy", "accuracy", "gain kept", "AUC", "gain kept", "AUC by thirds", "promotions")
    for column in columns:
        table.add_column(column, justify="left" if column == "policy" else "right")
    for one in lines:
        ours = one.policy == REBENTO
        table.add_row(
            one.policy,
            f"{one.accuracy:.4f}",
            f"{kept(lines, 'accuracy'):.0%}" if ours else "",
            f"{one.roc_auc:.4f}",
            f"{kept(lines, 'roc_auc'):.0%}" if ours else "",
            " ".join(f"{value:.3f}" for value in one.thirds),
            f"{len(found.promotions)} in {len(found.outcomes)} runs" if ours else "",
        )
    return table


def _poisons(lines: Sequence[Line], spoilt: dict[str, Replay]) -> Table:
    table = Table(title="elec2 with a poisoned source among five, over the rows since")
    for column in ("labels", "accuracy", "lost", "AUC", "lost", "suspended"):
        table.add_column(column, justify="left" if column in ("labels", "suspended") else "right")
    for one in lines:
        suspended = spoilt[one.policy].suspended if one.policy in spoilt else []
        table.add_row(
            one.policy,
            f"{one.accuracy:.4f}",
            f"{lines[0].accuracy - one.accuracy:+.4f}",
            f"{one.roc_auc:.4f}",
            f"{lines[0].roc_auc - one.roc_auc:+.4f}",
            ", ".join(f"{source} after {rows:,} rows" for rows, source in suspended) or "nobody",
        )
    return table


if __name__ == "__main__":
    sys.exit(main())
