"""What people do without a judge: never retrain, retrain on a schedule, slide a window.

The same candidate with the same settings, fitted on all labels that have arrived; none is held out.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from benchmarks.streams import Stream
from runner.rows import RowChecker
from training.candidates import (
    build_candidate,
    build_scaler,
    fit_candidate,
    noting_convergence,
    probabilities,
)
from training.embedding import block_frame, fit_pipeline
from training.preparation import prepare
from use_cases.derive import frame_rows
from use_cases.use_case import UseCase

Rival = Literal["never", "every k", "sliding window"]
RIVALS: tuple[Rival, ...] = ("never", "every k", "sliding window")


def answers_of(rival: Rival, stream: Stream) -> np.ndarray:
    """Probabilities (rows, classes) that the rival's model of the moment gives each row of the stream."""
    use_case = UseCase.from_yaml(stream.yaml, stream.name)
    (name, settings), *_ = use_case.candidates.items()
    vectors, begin = _vectors(stream, use_case)
    told = np.array([*stream.reference[stream.target].astype(str), *stream.told])
    window = use_case.policy.recent_rows if rival == "sliding window" else None
    answers = np.zeros((len(stream.arriving), len(stream.classes)))
    scaler = model = None
    fitted_to = -1
    for start in range(0, len(stream.arriving), stream.step_rows):
        arrived = max(0, start - stream.delay_rows)
        due = arrived // stream.k * stream.k
        if model is None or (rival != "never" and due > fitted_to):
            known = np.arange(begin + arrived)[-(window or begin + arrived) :]
            scaler, model = build_scaler(use_case.scaler), build_candidate(name, settings, use_case.seed)
            learned = vectors[known] if scaler is None else scaler.fit_transform(vectors[known])
            with noting_convergence():
                fit_candidate(name, model, learned, told[known], threads=1)
            fitted_to = due
        asked = vectors[begin + start : begin + start + stream.step_rows]
        asked = asked if scaler is None else scaler.transform(asked)
        answers[start : start + len(asked)] = probabilities(model, asked, stream.classes)
    return answers


def _vectors(stream: Stream, use_case: UseCase) -> tuple[np.ndarray, int]:
    """Every row of the stream, the reference rows first, embedded as the reference rows show."""
    begin = len(stream.reference)
    prepared = prepare(use_case, stream.reference)
    everything = pd.concat([stream.reference, stream.arriving], ignore_index=True)
    checked = RowChecker(prepared.contract).check(
        frame_rows(prepared.contract, everything.drop(columns=stream.target))
    )
    pipeline = fit_pipeline(prepared.contract, use_case.embedding, prepared.training.rows, use_case.seed)
    return np.asarray(pipeline.transform(block_frame(prepared.contract, checked)), dtype=np.float32), begin
