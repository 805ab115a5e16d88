"""Answers calls: rows checked, one graph run, ids given, the log fed. Knows no HTTP and no SQL."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np

from loop.clock import now_ms
from loop.refusals import InvalidRows, Problem, UnknownPrediction
from runner.cells import short
from runner.feedback import FeedbackCall, feedback_item, placed
from runner.graph import Answers
from runner.ids import PredictionIds
from runner.journal import Journal, PredictionBatch
from runner.package import Package
from runner.rows import MOST_PROBLEMS, CheckedRows, Warnings, together

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may hold."""

    rows: int
    body_bytes: int
    explain_rows: int


class Engine:
    """Everything that a worker answers with."""

    def __init__(
        self,
        package: Package,
        ids: PredictionIds,
        journal: Journal[FeedbackCall, Json],
        limits: Limits,
        predicted: Callable[[list[str], list[float], list[Warnings]], None],
    ) -> None:
        self.package = package
        self.limits = limits
        self._bento = package.info.bento
        self._classes = package.contract.classes
        self._checker = package.checker
        self._graph = package.graph
        self._ids = ids
        self._journal = journal
        self._predicted = predicted

    def predict(self, rows: Any) -> Json:
        """The answer to `/predict`, logged. Raises InvalidRows."""
        return self.answer([self.check(rows)])[0]

    def check(self, rows: Any) -> CheckedRows:
        """The rows of one `/predict` call, for `answer`. Raises InvalidRows."""
        return self._check(rows, self.limits.rows)

    def answer(self, calls: list[CheckedRows]) -> list[Json]:
        """The answers to several `/predict` calls, by one graph run and one entry of the log."""
        checked = calls[0] if len(calls) == 1 else together(calls)
        answers = self._graph.answer(checked.numbers, checked.categories)
        batch = self._batch(checked, answers)
        self._journal.log(batch)
        self._predicted(batch.labels, batch.confidences, checked.warnings)
        predictions = [
            {
                "prediction_id": prediction_id,
                "prediction": label,
                "probabilities": probabilities,
                "warnings": warnings,
            }
            for prediction_id, label, probabilities, warnings in zip(
                batch.ids, batch.labels, batch.probabilities, checked.warnings, strict=True
            )
        ]
        if len(calls) == 1:
            return [{"bento": self._bento, "predictions": predictions}]
        rest = iter(predictions)
        return [{"bento": self._bento, "predictions": list(islice(rest, len(call.rows)))} for call in calls]

    def explain(self, rows: Any) -> Json:
        """The answer to `/explain`, never logged: how far each column moved each answer.

        Occlusion: one column at a time is set to the value typical of the training rows; `effect` is
        by how much that lowers (positive) or raises the probability of the predicted class. Effects
        do not add up where columns act together.
        """
        checked = self._check(rows, self.limits.explain_rows)
        answers = self._graph.answer(checked.numbers, checked.categories)
        contract = self.package.contract
        columns = contract.number_columns + contract.category_columns
        occluded = self._occluded(checked, self._typical)
        explanations = []
        for index, label in enumerate(answers.labels):
            chosen = self._classes.index(label)
            before = float(answers.probabilities[index, chosen])
            effects = [
                {
                    "column": column.name,
                    "value": checked.rows[index].get(column.name),
                    "reference": column.typical,
                    "effect": round(before - float(after[index, chosen]), 6),
                }
                for column, after in zip(columns, occluded, strict=True)
            ]
            effects.sort(key=lambda item: -abs(item["effect"]))
            explanations.append(
                {
                    "prediction": label,
                    "probabilities": self._named(answers.probabilities[index : index + 1])[0],
                    "columns": effects,
                    "warnings": checked.warnings[index],
                }
            )
        return {"bento": self._bento, "explanations": explanations}

    def feedback(self, items: Any) -> Future[Json]:
        """A future of the answer to `/feedback`, set once all of it is durable.

        Raises InvalidRows, or UnknownPrediction for an invented id; then nothing of the call is stored.
        """
        call = self.check_feedback(items)
        if call.whole is not None:
            self._predicted(call.whole.labels, call.whole.confidences, [])
        return self._journal.record(call, len(call.items))

    def check_feedback(self, items: Any) -> FeedbackCall:
        """The call, its whole rows predicted, and nothing stored. Raises as `feedback` does."""
        if not isinstance(items, list) or not items:
            raise InvalidRows('feedback is empty: send {"feedback": [{"prediction_id": …, "target": …}]}')
        if len(items) > self.limits.rows:
            raise InvalidRows(
                f"{len(items)} feedbacks in one call; send at most {self.limits.rows} and the rest in another"
            )
        problems: list[Problem] = []
        whole = [item["row"] for item in items if isinstance(item, dict) and "row" in item]
        parsed = [feedback_item(i, item, self._classes, problems) for i, item in enumerate(items)]
        batch = self._whole_rows(items, whole, problems) if whole else None
        if problems:
            first = problems[0]
            more = f" (and {len(problems) - 1} more problems, see detail)" if len(problems) > 1 else ""
            raise InvalidRows(
                f"feedback {first.row}, {first.column}: {first.problem}{more}", problems[:MOST_PROBLEMS]
            )
        invented = [
            i
            for i, item in enumerate(parsed)
            if item.position is None and not self._ids.knows(item.prediction_id)
        ]
        if invented:
            raise UnknownPrediction(
                f"feedback {invented[0]}: {short(parsed[invented[0]].prediction_id)} was never given out "
                "here; send the prediction_id of an answer of this service, or the whole row",
                [Problem(i, "prediction_id", "was never given out here") for i in invented[:MOST_PROBLEMS]],
            )
        return FeedbackCall(placed(parsed, batch), batch, now_ms())

    @cached_property
    def _typical(self) -> CheckedRows:
        """One row of the values typical of the training rows."""
        columns = self.package.contract.columns
        return self._checker.check([{c.name: c.typical for c in columns if c.typical is not None}])

    def _check(self, rows: Any, most: int) -> CheckedRows:
        if not isinstance(rows, list):
            raise InvalidRows('rows is missing: send {"rows": [{"column": value, …}]}')
        if len(rows) > most:
            raise InvalidRows(f"{len(rows)} rows in one call; send at most {most} and the rest in another")
        return self._checker.check(rows)

    def _batch(self, checked: CheckedRows, answers: Answers) -> PredictionBatch:
        new = self._ids.new
        probabilities = self._named(answers.probabilities)
        return PredictionBatch(
            ids=[new() for _ in checked.rows],
            rows=checked.rows,
            vectors=answers.vectors,
            labels=answers.labels,
            probabilities=probabilities,
            confidences=[max(of_row.values()) for of_row in probabilities],
            entity_ids=checked.entity_ids,
            event_times=checked.event_times,
            predicted_at_ms=now_ms(),
        )

    def _named(self, probabilities: np.ndarray) -> list[dict[str, float]]:
        classes = self._classes
        return [
            {name: round(value, 6) for name, value in zip(classes, row, strict=True)}
            for row in probabilities.tolist()
        ]

    def _occluded(self, checked: CheckedRows, typical: CheckedRows) -> list[np.ndarray]:
        """Probabilities (rows, classes) with each column in turn at its typical value, in one graph run."""
        rows, width = checked.numbers.shape
        depth = checked.categories.shape[1]
        numbers = np.tile(checked.numbers, (width + depth, 1))
        categories = np.tile(checked.categories, (width + depth, 1))
        for position in range(width):
            numbers[position * rows : (position + 1) * rows, position] = typical.numbers[0, position]
        for position in range(depth):
            start = (width + position) * rows
            categories[start : start + rows, position] = typical.categories[0, position]
        return np.split(self._graph.answer(numbers, categories).probabilities, width + depth)

    def _whole_rows(
        self, items: list[Any], whole: list[Any], problems: list[Problem]
    ) -> PredictionBatch | None:
        positions = [i for i, item in enumerate(items) if isinstance(item, dict) and "row" in item]
        checked, _, wrong = self._checker.check_each(whole)
        if wrong:
            problems += [Problem(positions[p.row or 0], p.column or "row", p.problem) for p in wrong]
            return None
        return self._batch(checked, self._graph.answer(checked.numbers, checked.categories))
