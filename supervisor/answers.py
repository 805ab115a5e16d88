"""What workers answered, read from the counters that they share by files."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict

_REQUESTS = "api_requests_total"
#: Other answers of this class are refusals that a caller can act on, such as a database that is away.
_ERROR = "500"
#: Probes and scrapes, counted under routes of their own, would water the share of errors down.
_NOT_ANSWERS = ("/metrics", "/livez", "/readyz", "/healthz")


@dataclass(frozen=True, slots=True)
class Answers:
    """Requests answered, and how many of them with HTTP 500."""

    answers: int
    errors: int


def answers_of(pids: Sequence[int], metrics_folder: Path) -> Answers:
    """What these processes have answered since they started. One without a file yet has answered nothing."""
    answers = errors = 0
    for pid in pids:
        try:
            counted = _counted(metrics_folder / f"counter_{pid}.db")
        except (struct.error, ValueError, RuntimeError, OSError):
            continue  # it is not there yet, or only just being made: the next look will do
        answers += counted.answers
        errors += counted.errors
    return Answers(answers, errors)


def _counted(file: Path) -> Answers:
    answers = errors = 0
    for key, value, *_ in MmapedDict.read_all_values_from_file(str(file)):
        _, name, labels, _ = json.loads(key)
        if name == _REQUESTS and labels.get("route") not in _NOT_ANSWERS:
            answers += int(value)
            errors += int(value) if labels.get("status") == _ERROR else 0
    return Answers(answers, errors)
