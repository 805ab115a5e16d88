"""The one ONNX graph of a Bento: blocks of a row in, vector, label and probabilities out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from loop.refusals import BrokenPackage


@dataclass(frozen=True, slots=True)
class Answers:
    """What the graph says of some rows."""

    vectors: np.ndarray
    """float32 (rows, dimensions)."""
    labels: list[str]
    probabilities: np.ndarray
    """float32 (rows, classes), in the contract's order of classes."""


class Graph:
    """An open graph. `answer` may be called from several threads at once."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self._run = session.run
        self._inputs = tuple(item.name for item in session.get_inputs())

    @classmethod
    def open(cls, path: Path, threads: int = 1) -> Graph:
        """Raises BrokenPackage where the file is absent or not a graph.

        One thread by default: for one row a second thread costs more than it saves, and sums keep
        their order, so that golden rows agree to the last bits.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            path.open("rb").close()
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except OSError as error:
            raise BrokenPackage(f"the graph {path.name} cannot be read: {error.strerror}") from error
        except Exception as error:  # onnxruntime's own errors share no base class
            raise BrokenPackage(f"the graph {path.name} is damaged: {error}") from error
        return cls(session)

    def answer(self, numbers: np.ndarray, categories: np.ndarray) -> Answers:
        """Answers for float32 numbers (rows, n) and text categories (rows, m)."""
        blocks = {"numbers": numbers, "categories": categories}
        vectors, labels, probabilities = self._run(
            ("vector", "label", "probabilities"), {name: blocks[name] for name in self._inputs}
        )
        return Answers(vectors, labels.tolist(), probabilities)
