"""Metrics: known answers, slow oracles, and what an analysis reads of them."""

import ast
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss, mean_absolute_error, mean_squared_error, roc_auc_score

from bench import metrics
from bench.errors import InputError

FILES = sorted(Path(metrics.__path__[0]).glob("[!_]*.py"))


def test_every_file_is_a_metric_of_its_name():
    assert metrics.names() == [path.stem for path in FILES]
    for path in FILES:
        metric = metrics.get(path.stem)
        assert metric.name == path.stem
        assert metrics.tasks_of(path.stem)
        assert metric.direction in ("lower is better", "higher is better")
        tree = ast.parse(path.read_text("utf-8"))
        assert ast.get_docstring(tree)
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert functions == ({"values"} if metric.per_example else {"number"})


def test_an_unknown_metric_is_refused_by_name():
    with pytest.raises(InputError, match=r"no metric 'acuracy'.*accuracy"):
        metrics.get("acuracy")


@given(st.data())
def test_regression_errors_are_scikit_learns(data):
    n = data.draw(st.integers(1, 40))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    y, outputs = rng.normal(size=(2, n)) * 10
    for name, oracle in (("mae", mean_absolute_error), ("mse", mean_squared_error)):
        found = metrics.measure(name, y, outputs)
        assert found.value == pytest.approx(oracle(y, outputs), rel=1e-6)
        assert found.values.shape == (n,)
        assert found.value == found.values.mean(dtype=np.float64)


@given(st.data())
def test_area_under_the_curve_is_scikit_learns_ties_included(data):
    labels = data.draw(st.lists(st.integers(0, 1), min_size=2, max_size=40))
    y = np.array([*labels, 0, 1])
    scores = data.draw(st.lists(st.integers(-3, 3), min_size=len(y), max_size=len(y)))
    outputs = np.array(scores, float)
    expected = roc_auc_score(y, outputs)
    assert metrics.measure("auc", y, outputs).value == pytest.approx(expected, abs=1e-12)
    two = np.stack([np.zeros(len(y)), outputs], axis=1)
    assert metrics.measure("auc", y, two).value == pytest.approx(expected, abs=1e-12)
    assert metrics.measure("auc", 1 - y, -outputs).value == pytest.approx(expected, abs=1e-12)


def test_area_under_the_curve_counts_pairs():
    # Of the pairs (0.35, 0.1), (0.35, 0.4), (0.8, 0.1), (0.8, 0.4) three are in order: 3/4, as in
    # scikit-learn's documentation of roc_auc_score.
    y, scores = np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])
    assert metrics.measure("auc", y, scores).value == 0.75


@pytest.mark.parametrize("y", [[0, 0], [1, 1]])
def test_area_under_the_curve_of_one_class_is_none(y):
    assert math.isnan(metrics.measure("auc", np.array(y), np.array([0.1, 0.2])).value)
    assert math.isnan(metrics.measure("auc", np.array([0, 1]), np.array([0.1, np.nan])).value)


def test_cross_entropy_is_scikit_learns():
    rng = np.random.default_rng(0)
    logits, y = rng.normal(size=(50, 4)) * 3, rng.integers(0, 4, 50)
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = metrics.measure("cross_entropy", y, logits)
    assert found.value == pytest.approx(log_loss(y, softmax, labels=range(4)), rel=1e-6)
    # ln 2 where two classes are equally likely.
    assert metrics.measure("cross_entropy", np.array([0]), np.zeros((1, 2))).value == (
        pytest.approx(math.log(2), rel=1e-7)
    )
    assert not math.isfinite(
        metrics.measure("cross_entropy", np.array([0]), np.array([[np.inf, 0]])).value
    )


def test_accuracy_takes_the_lower_class_of_a_tie_and_keeps_no_values():
    outputs = np.array([[1, 1], [0, 2], [2, 0]], np.int8)
    found = metrics.measure("accuracy", np.array([0, 1, 1]), outputs)
    assert (found.value, found.values) == (2 / 3, None)
    assert metrics.measure("accuracy", np.array([0, 1]), np.array([0, 0])).value == 0.5


def test_reconstruction_error_is_that_of_normal_examples():
    y, errors = np.array([0, 1, 0]), np.array([1.0, 50.0, 2.0])
    assert metrics.measure("reconstruction_error", y, errors).value == 1.5
    assert math.isnan(metrics.measure("reconstruction_error", np.array([1]), errors[:1]).value)
