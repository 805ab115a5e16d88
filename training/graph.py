"""Fitted scikit-learn steps as ONNX: the embedding's graph, the model's graph, and both as one.

The same fitted steps give the same bytes in every process: names are drawn in order, and opset and IR
version are fixed.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from loop.refusals import BrokenPackage
from runner.graph import Graph

OPSET = {"": 18, "ai.onnx.ml": 3}
IR_VERSION = 9
PRODUCER = "rebento"


def embedding_graph(pipeline: Pipeline, numbers: int, categories: int) -> onnx.ModelProto:
    """The embedding from blocks of so many columns to `vector`. Raises BrokenPackage."""
    inputs: list[tuple[str, Any]] = []
    if numbers:
        inputs.append(("numbers", FloatTensorType([None, numbers])))
    if categories:
        inputs.append(("categories", StringTensorType([None, categories])))
    return _converted(pipeline, inputs, ("vector",), {})


def model_graph(scaler: BaseEstimator | None, model: BaseEstimator, dimensions: int) -> onnx.ModelProto:
    """Scaler and model from `vector` to `label` and `probabilities`. Raises BrokenPackage."""
    steps: list[tuple[str, Any]] = (
        [("model", model)] if scaler is None else [("scaler", scaler), ("model", model)]
    )
    options: dict[int, dict[str, Any]] = {id(model): {"zipmap": False}}
    if isinstance(scaler, StandardScaler):
        # Divides, as scikit-learn does: times 1/scale would differ in the last bit, at a tree's threshold.
        options[id(scaler)] = {"div": "div"}
    inputs = [("vector", FloatTensorType([None, dimensions]))]
    return _converted(Pipeline(steps), inputs, ("label", "probabilities"), options)


def one_graph(embedding: onnx.ModelProto, model: onnx.ModelProto) -> onnx.ModelProto:
    """Both as one graph: blocks in; `vector`, `label` and `probabilities` out."""
    second = _prefixed(model.graph, "model_", keep=("vector", "label", "probabilities"))
    first = _prefixed(embedding.graph, "embedding_", keep=("numbers", "categories", "vector"))
    graph = helper.make_graph(
        [*first.node, *second.node],
        "rebento",
        list(first.input),
        [*first.output, *second.output],
        initializer=[*first.initializer, *second.initializer],
    )
    merged = _finished(helper.make_model(graph))
    onnx.checker.check_model(merged)
    return merged


def run_graph(
    graph: onnx.ModelProto, numbers: np.ndarray, categories: np.ndarray, outputs: Sequence[str]
) -> list[np.ndarray]:
    """The outputs for float32 numbers (rows, n) and text categories (rows, m)."""
    session = _session(graph)
    blocks = {"numbers": numbers, "categories": categories}
    names = [item.name for item in session.get_inputs()]
    return list(session.run(list(outputs), {name: blocks[name] for name in names}))


def open_graph(graph: onnx.ModelProto) -> Graph:
    """The graph as a runner opens it, without a file."""
    return Graph(_session(graph))


def _session(graph: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # As the runner does it: one thread, so that sums keep their order.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        graph.SerializeToString(deterministic=True), options, providers=["CPUExecutionProvider"]
    )


def _converted(
    steps: Pipeline, inputs: list[tuple[str, Any]], outputs: Sequence[str], options: dict[int, dict[str, Any]]
) -> onnx.ModelProto:
    try:
        with warnings.catch_warnings():
            # skl2onnx hands protobuf booleans where it wants integers, which it takes and deprecates.
            warnings.simplefilter("ignore", DeprecationWarning)
            graph = convert_sklearn(steps, "rebento", inputs, target_opset=OPSET, options=options)
    except Exception as error:  # skl2onnx raises many kinds; each means that these steps cannot be served
        cause = error.__cause__ or error  # its own text may list every node of a forest
        raise BrokenPackage(
            f"{type(steps[-1]).__name__} with these settings cannot become a graph "
            f"({' '.join(str(cause).split())[:300]}); change its settings in use_case.yaml."
        ) from cause
    return _finished(_renamed(graph, dict(zip((o.name for o in graph.graph.output), outputs, strict=True))))


def _finished(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph, marked so that its bytes depend on nothing but the graph."""
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(domain, version) for domain, version in OPSET.items())
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version, model.domain, model.doc_string = PRODUCER, "", "", ""
    return model


def _renamed(model: onnx.ModelProto, names: dict[str, str]) -> onnx.ModelProto:
    for node in model.graph.node:
        for values in (node.input, node.output):
            for place, name in enumerate(values):
                values[place] = names.get(name, name)
    for value in [*model.graph.initializer, *model.graph.input, *model.graph.output, *model.graph.value_info]:
        value.name = names.get(value.name, value.name)
    return model


def _prefixed(graph: onnx.GraphProto, prefix: str, keep: Sequence[str]) -> onnx.GraphProto:
    """A copy whose inner names begin with `prefix`, so that two graphs can be one."""
    copied = onnx.ModelProto()
    copied.graph.CopyFrom(graph)
    inner = {name for node in graph.node for name in [*node.input, *node.output] if name}
    inner |= {value.name for value in graph.initializer}
    _renamed(copied, {name: prefix + name for name in inner if name not in keep})
    for node in copied.graph.node:
        node.name = prefix + node.name
    del copied.graph.value_info[:]
    return copied.graph
