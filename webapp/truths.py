"""A CSV of true answers, sent through the API; what is refused is named by its line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO

from loop.refusals import InvalidRows, Refusal, UnknownPrediction
from webapp.runner_client import RunnerClient

_CHUNK = 1_000
_MOST_NAMED = 100
_SEPARATORS = ",;\t|"


class NotTruths(Refusal):
    """A file that holds no `prediction_id,target`."""


@dataclass(frozen=True, slots=True)
class Truth:
    """One line of the file."""

    line: int
    prediction_id: str
    target: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the file."""

    accepted: int
    pending: int
    refused: int
    problems: tuple[tuple[int, str, str], ...]
    """Line, prediction id and what is wrong, of the first that were refused."""
    training_runs: tuple[str, ...]
    stopped: str
    """Why the rest was not sent; empty: all of it was."""
    stopped_at: int
    """The line from which on nothing was stored; 0: none."""


def read_truths(file: BinaryIO) -> list[Truth]:
    """The file's lines, in order. Raises NotTruths."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        first = text.readline()
        separator = max(_SEPARATORS, key=first.count)
        names = [name.strip() for name in next(csv.reader([first], delimiter=separator), [])]
        if not {"prediction_id", "target"} <= set(names):
            raise NotTruths(
                "the file's first line must name the columns prediction_id and target; it names "
                f"{', '.join(names)[:200] or 'nothing'}"
            )
        name, target = names.index("prediction_id"), names.index("target")
        reader = csv.reader(text, delimiter=separator)
        found = [
            Truth(
                reader.line_num + 1,
                *(cells[place].strip() if place < len(cells) else "" for place in (name, target)),
            )
            for cells in reader
            if any(cells)
        ]
    except UnicodeDecodeError as error:
        raise NotTruths("the file is not UTF-8 text; save it as CSV in UTF-8") from error
    except csv.Error as error:
        raise NotTruths(f"the file cannot be read as CSV: {error}") from error
    finally:
        text.detach()
    if not found:
        raise NotTruths("the file has no lines below its first")
    return found


async def send_truths(runner: RunnerClient, truths: Sequence[Truth], source: str) -> Outcome:
    """Sends all of them, at most a thousand a call. A refused line does not keep the others back."""
    accepted = pending = 0
    runs: list[str] = []
    problems: list[tuple[int, str, str]] = []
    refused = 0
    for chunk in _chunks(truths):
        rest = list(chunk)
        while rest:
            try:
                receipt = await runner.feedback([_item(one, source) for one in rest])
            except (InvalidRows, UnknownPrediction) as refusal:
                said = {
                    one.row: f"{one.column}: {one.problem}" for one in refusal.detail if one.row is not None
                }
                if not said:  # refused as a whole: every line of the next call would be as well
                    return Outcome(
                        accepted, pending, refused, tuple(problems), tuple(runs), str(refusal), rest[0].line
                    )
                refused += len(said)
                problems += [
                    (rest[place].line, rest[place].prediction_id, said[place]) for place in sorted(said)
                ]
                problems = problems[:_MOST_NAMED]
                rest = [one for place, one in enumerate(rest) if place not in said]
            except Refusal as refusal:
                return Outcome(
                    accepted, pending, refused, tuple(problems), tuple(runs), str(refusal), rest[0].line
                )
            else:
                accepted += receipt["accepted"]
                pending += receipt["pending"]
                runs += [receipt["training_run"]] if receipt.get("training_run") else []
                break
    return Outcome(accepted, pending, refused, tuple(problems), tuple(runs), "", 0)


def _item(truth: Truth, source: str) -> dict[str, Any]:
    return {"prediction_id": truth.prediction_id, "target": truth.target or None, "source": source}


def _chunks(truths: Sequence[Truth]) -> Iterator[list[Truth]]:
    rest = iter(truths)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk
