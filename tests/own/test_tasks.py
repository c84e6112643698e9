"""Tasks that are no ten-class images, each from a file of one's own to its report, on a real local
Ray: trained, quantized, measured per example, analyzed without the file."""

import json
import shutil

import numpy as np
import pytest

from bench import metrics
from bench.analysis import analyze
from bench.store import measures
from bench.store.folder import read
from tests.own.test_run import command, rows

pytestmark = pytest.mark.slow

HEAD = """
import numpy as np

def network(shape, units):
    import tf_keras
    layers = tf_keras.layers
    return tf_keras.Sequential(
        [layers.Input(shape), layers.Dense(12, activation="relu"), layers.Dense(units)]
    )

def drawn(n=160, features=6):
    return np.random.default_rng(0).normal(size=(n, features)).astype("float32")

STUDY = dict(seeds=2, budgets=[12], arms=["float", "ptq", "qat"], batch_size=16,
             learning_rate=0.01, calibration_examples=40)
"""

REGRESSION = (
    HEAD
    + """
def data():
    x = drawn()
    y = 2 * x[:, 0] - x[:, 1]
    return (x[:100], y[:100], np.arange(100)), (x[100:], y[100:], np.arange(60) % 12)

def model(shape, classes):
    return network(shape, classes)

def loss(y, outputs):
    import tensorflow as tf
    return tf.abs(outputs - y[:, None])

def beyond(y, outputs):
    return np.abs(outputs[:, 0] - y) > 0.5

beyond.lower_is_better = True
beyond.unit = "share"
beyond.delta = 0.05

def largest(y, outputs, x):
    return np.abs(outputs[:, 0] - y).max()

largest.lower_is_better = True

metrics = ["mae", "mse", beyond, largest]
study = dict(STUDY, delta={"mae": 0.05})
"""
)

ONE_LOGIT = (
    HEAD
    + """
def data():
    x = drawn()
    y = (x[:, 0] + x[:, 1] > 0).astype(int)
    return (x[:100], y[:100]), (x[100:], y[100:])

def model(shape):
    return network(shape, 1)

metrics = ["accuracy", "cross_entropy", "auc"]
study = STUDY
"""
)

ANOMALIES = (
    HEAD
    + """
def data():
    x = drawn() * 0.05
    x[100:130] += np.sign(drawn())[100:130]
    y = np.zeros(160, int)
    y[100:130] = 1
    x[0], y[0] = 50, 1
    return (x[:100], y[:100]), (x[100:], y[100:])

def model(shape):
    return network(shape, shape[0])

metrics = ["auc", "reconstruction_error"]
study = dict(STUDY, task="reconstruction", arms=["float", "ptq"])
"""
)


def ran(folder, text, name):
    """A file's run, then its results analyzed where the file is no more."""
    (folder / f"{name}.py").write_text(text)
    done = command("run", f"{name}.py", "--workers", "2", cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / f"{name}.py").unlink()
    out = folder / "results" / name
    again = command("analyze", out, cwd=folder)
    assert again.returncode == 0, again.stderr
    return out


def test_a_regression_with_metrics_and_a_loss_of_ones_own(tmp_path):
    out = ran(tmp_path, REGRESSION, "reg")
    found = rows(out)
    assert {row["status"] for row in found} == {"ok"}
    assert {row["predictions"] for row in found} == {row["accuracy"] for row in found} == {None}
    assert {row["disagreements"] for row in found if row["arm"] == "float"} == {0}
    assert {row["number_format"] for row in found if row["arm"] != "float"} == {"int8"}
    for row in found:
        measured, values = dict(row["metrics"]), dict(row["values"])
        assert list(measured) == ["mae", "mse", "beyond", "largest"]
        assert list(values) == ["mae", "mse", "beyond"]
        errors = measures.per_example(values["mae"])
        assert np.allclose(measures.per_example(values["mse"]), errors**2, rtol=1e-5)
        assert measures.per_example(values["beyond"]).tolist() == (errors > 0.5).tolist()
        assert measured["largest"] == pytest.approx(float(errors.max()), rel=1e-6)
        assert measured["mae"] < 0.8  # of labels whose mean absolute value is 1.8
    about = json.loads((out / "metrics.json").read_text())["metrics"]
    assert [(m["name"], m["unit"], m["delta"]) for m in about] == [
        ("mae", "units", 0.05), ("mse", "units²", None), ("beyond", "share", 0.05),
        ("largest", "largest", None),
    ]  # fmt: skip
    results = read(out)
    assert results.environment["groups"] == {"reg": 12}
    analysis = analyze(results)
    by_metric = {c.pairs.metric for c in analysis.select("seeds+examples")}
    assert by_metric == {"mae", "mse", "beyond"}  # the largest is no mean over examples
    assert {c.pairs.metric for c in analysis.comparisons if c.family == "primary"} == {"mae"}
    report = (out / "report.md").read_text("utf-8")
    assert "(`mae`, lower is better)" in report
    assert "12 groups of 5 examples" in report
    assert "Models were trained on other examples of all of them" in report
    assert "percentage points of accuracy" not in report


def test_one_logit_is_a_classifier_of_two_classes(tmp_path):
    out = ran(tmp_path, ONE_LOGIT, "logit")
    found = rows(out)
    assert {row["status"] for row in found} == {"ok"}
    results = read(out)
    for row in found:
        measured = dict(row["metrics"])
        predictions = np.frombuffer(row["predictions"], np.uint8)
        assert set(predictions) == {0, 1}
        assert (predictions == results.labels["logit"]).mean() == row["accuracy"] > 0.8
        assert measured["accuracy"] == row["accuracy"]
        assert measured["auc"] > 0.85
        assert measured["cross_entropy"] == pytest.approx(row["loss"], rel=1e-5)
        assert list(dict(row["values"])) == ["cross_entropy"]
    analysis = analyze(results)
    assert {c.pairs.metric for c in analysis.comparisons if c.pairs.churn} == {"accuracy"}
    # The same cells by other metrics, again with a file: what is measured is no part of a cell.
    (tmp_path / "logit.py").write_text(ONE_LOGIT.replace(', "cross_entropy", "auc"]', "]"))
    again = command("run", "logit.py", "--out", out, cwd=tmp_path)
    assert "6 of 6 cells are there already" in again.stderr, again.stderr
    shutil.rmtree(out)


def test_anomalies_are_found_by_the_error_of_their_reconstruction(tmp_path):
    out = ran(tmp_path, ANOMALIES, "odd")
    found = rows(out)
    assert {row["status"] for row in found} == {"ok"}
    for row in found:
        measured = dict(row["metrics"])
        assert measured["auc"] > 0.9
        assert 0 < measured["reconstruction_error"] < 0.05
        assert row["values"] is None
    assert {row["examples_seen"] for row in found} == {12 * 99}  # of 100, one is anomalous
    analysis = analyze(read(out))
    assert {c.population for c in analysis.comparisons} == {"seeds"}
    report = (out / "report.md").read_text("utf-8")
    assert "(`auc`, higher is better)" in report
    assert "1 anomalous training examples left out" in report
    assert metrics.get("auc").direction == "higher is better"
