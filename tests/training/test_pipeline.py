from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from loop.refusals import BrokenPackage, UseCaseMistake
from runner.graph import Graph
from tests.training.conftest import QUICK, Fit
from training.candidates import build_candidate, fit_candidate, noting_convergence
from training.fitted import read_pipeline, write_pipeline
from training.graph import run_graph
from training.pipeline import FittedPipeline, check_agreement, scaled, steps

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("scaler", ["standard", "minmax", "none"])
@pytest.mark.parametrize("candidate", QUICK)
def test_graph_and_pipeline_agree_on_every_row(fit: Fit, tmp_path: Path, candidate: str, scaler: str) -> None:
    prepared, embedding, whole = fit(candidate, scaler=scaler)
    assert check_agreement(whole, prepared.contract, prepared.holdout.rows) <= 1e-5
    path = tmp_path / "graph.onnx"
    path.write_bytes(whole.graph.SerializeToString(deterministic=True))
    rows = prepared.holdout.rows
    answers = Graph.open(path).answer(rows.numbers, rows.categories)
    assert np.array_equal(answers.vectors, embedding.vectors(rows))
    assert set(answers.labels) <= {"no", "yes"}
    assert answers.probabilities.shape == (len(prepared.holdout), 2)
    assert {item.name for item in whole.graph.graph.input} == {"numbers", "categories"}


@pytest.mark.parametrize("scaler", ["standard", "minmax"])
def test_the_model_sees_the_same_bits_in_the_graph(fit: Fit, scaler: str) -> None:
    """A tree that compares 0.3 with 0.30000001 would send a row another way in the graph."""
    prepared, embedding, whole = fit("random_forest", scaler=scaler)
    graph = onnx.ModelProto()
    graph.CopyFrom(whole.graph)
    trees = next(node for node in graph.graph.node if node.op_type == "TreeEnsembleClassifier")
    graph.graph.output.append(
        onnx.helper.make_tensor_value_info(trees.input[0], onnx.TensorProto.FLOAT, None)
    )
    rows = prepared.training.rows
    (inside,) = run_graph(graph, rows.numbers, rows.categories, (trees.input[0],))
    assert np.array_equal(inside, scaled(whole.scaler, embedding.vectors(rows)))


def _tampered(whole: FittedPipeline, change: float) -> FittedPipeline:
    graph = onnx.ModelProto()
    graph.CopyFrom(whole.graph)
    for node in graph.graph.node:
        for attribute in node.attribute:
            if attribute.name == "coefficients":
                attribute.floats[0] += change
    return dataclasses.replace(whole, graph=graph)


def test_a_graph_that_answers_differently_fails_the_build(fit: Fit) -> None:
    prepared, _, whole = fit("logistic_regression")
    with pytest.raises(BrokenPackage, match=r"differ by .* in a probability"):
        check_agreement(_tampered(whole, 0.01), prepared.contract, prepared.holdout.rows)


def test_a_graph_that_embeds_differently_fails_the_build(fit: Fit) -> None:
    prepared, _, whole = fit("logistic_regression")
    graph = onnx.ModelProto()
    graph.CopyFrom(whole.graph)
    matmul = next(node for node in graph.graph.node if node.op_type == "MatMul")
    for place, tensor in enumerate(graph.graph.initializer):
        if tensor.name in matmul.input:
            values = numpy_helper.to_array(tensor) + np.float32(0.01)
            graph.graph.initializer[place].CopyFrom(numpy_helper.from_array(values, tensor.name))
    with pytest.raises(BrokenPackage, match="embedding differs"):
        check_agreement(dataclasses.replace(whole, graph=graph), prepared.contract, prepared.holdout.rows)


def test_a_graph_with_swapped_labels_fails_the_build(fit: Fit) -> None:
    prepared, _, whole = fit("random_forest")
    graph = onnx.ModelProto()
    graph.CopyFrom(whole.graph)
    for node in graph.graph.node:
        for attribute in node.attribute:
            if attribute.name == "classlabels_strings":
                attribute.strings[:] = list(attribute.strings)[::-1]
    with pytest.raises(BrokenPackage, match="answer differently on"):
        check_agreement(dataclasses.replace(whole, graph=graph), prepared.contract, prepared.holdout.rows)


_DIGEST = """
import hashlib
from training.embedding import fit_embedding
from training.pipeline import fit_whole
from training.preparation import prepare
from training.snapshot import storable
from tests.training.conftest import QUICK, use_case_of, visits
case = use_case_of()
rows = prepare(case, storable(visits()))
embedding = fit_embedding(rows.contract, case.embedding, rows.training.rows, case.seed)
vectors = embedding.vectors(rows.training.rows)
for name in QUICK:
    whole = fit_whole(case, name, embedding, vectors, rows.training.labels)
    print(hashlib.sha256(whole.graph.SerializeToString(deterministic=True)).hexdigest())
"""


def test_the_same_rows_and_seed_give_the_same_bytes_in_every_process() -> None:
    running = [
        subprocess.Popen(
            [sys.executable, "-c", _DIGEST],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": seed},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]
    (one, said), (other, _) = [process.communicate() for process in running]
    assert one == other and len(set(one.split())) == len(QUICK), said


def test_another_seed_gives_another_forest(fit: Fit) -> None:
    one, other = (fit("random_forest", seed=seed)[2].graph.SerializeToString() for seed in (0, 1))
    assert one != other


@pytest.mark.parametrize("candidate", QUICK)
def test_the_stored_pipeline_answers_as_the_fitted_one(fit: Fit, tmp_path: Path, candidate: str) -> None:
    prepared, embedding, whole = fit(candidate)
    path = tmp_path / "pipeline.skops"
    write_pipeline(path, steps(whole))
    stored = read_pipeline(path)
    vectors = scaled(stored.scaler, embedding.vectors(prepared.holdout.rows))
    assert np.array_equal(
        stored.model.predict_proba(vectors), whole.probabilities(embedding.vectors(prepared.holdout.rows))
    )
    assert stored.classes == ("no", "yes")


def test_a_stored_pipeline_with_a_foreign_type_is_not_loaded(tmp_path: Path) -> None:
    from sklearn.preprocessing import FunctionTransformer

    path = tmp_path / "pipeline.skops"
    with pytest.raises(BrokenPackage, match="which no pipeline of ours does"):
        write_pipeline(path, {"model": FunctionTransformer(subprocess.run)})
    with pytest.raises(BrokenPackage):
        read_pipeline(path)
    path.write_bytes(b"no zip")
    with pytest.raises(BrokenPackage, match="cannot be read"):
        read_pipeline(path)


def test_settings_that_a_model_does_not_have_are_all_named() -> None:
    with pytest.raises(UseCaseMistake) as caught:
        build_candidate("sgd", {"alfa": 1, "tree_count": 3, "random_state": 1}, 0)
    text = str(caught.value)
    assert "candidates.sgd.alfa" in text and "candidates.sgd.tree_count" in text
    assert "candidates.sgd.random_state: leave it out, the use case's seed decides it" in text


def test_values_that_a_model_refuses_are_a_mistake_of_the_use_case() -> None:
    model = build_candidate("random_forest", {"n_estimators": -1}, 0)
    with pytest.raises(UseCaseMistake, match=r"candidates\.random_forest: .*n_estimators"):
        fit_candidate(
            "random_forest", model, np.zeros((4, 1), np.float32), np.array(["a", "b"] * 2), threads=1
        )
    with pytest.raises(UseCaseMistake, match="gives no probabilities"):
        build_candidate("sgd", {"loss": "hinge"}, 0)


def test_a_fit_that_stopped_early_is_noted() -> None:
    vectors = np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32)
    labels = np.where(vectors[:, 0] > 0, "yes", "no")
    model = build_candidate("logistic_regression", {"max_iter": 1}, 0)
    with noting_convergence():
        notes = fit_candidate("logistic_regression", model, vectors, labels, threads=1)
    assert notes and "raise candidates.logistic_regression.max_iter" in notes[0]
