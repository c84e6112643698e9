"""Built-in models on the kind of input that they are for: trained, quantized whole, evaluated."""

import numpy as np
import pytest

from bench import datasets, study
from bench.pipelines import cell
from bench.plan.cells import cells
from bench.plan.trajectories import trajectories

CLASSES = 3


def patterns(shape, n):
    """Classes that noise does not hide: a pattern each."""
    rng = np.random.default_rng(0)
    means = rng.normal(0, 1, (CLASSES, *shape))
    y = np.arange(n) % CLASSES
    return (means[y] + rng.normal(0, 0.3, (n, *shape))).astype(np.float32), y


@pytest.mark.parametrize(
    ("model", "shape", "examples"), [("ds_cnn", (25, 10, 1), 256), ("mlp", (7,), 256)]
)
def test_it_learns_in_float_and_in_int8(tmp_path, model, shape, examples):
    cell.prepare()
    x, y = patterns(shape, examples + 60)
    path = tmp_path / "patterns.npz"
    train, test = slice(0, examples), slice(examples, None)
    np.savez(path, x_train=x[train], y_train=y[train], x_test=x[test], y_test=y[test])
    fields = {"datasets": str(path), "models": model, "seeds": 1, "budgets": 8, "extra": 1}
    fields |= {"arms": ["float", "ptq", "qat"], "calibration_examples": 64, "primary": []}
    fields |= {"batch_norm_momentum": 0.8, "learning_rate": 0.003}
    if model == "mlp":
        del fields["batch_norm_momentum"]
    made = study.validate(fields, "test")
    ((segment,),) = (t.segments for t in trajectories(cells(made)))
    data = datasets.load(str(path))
    checkpoint = cell.run_segment(data, segment, None)
    rows = {
        row["arm"]: row
        for fork in segment.forks
        for row in cell.run_fork(data, segment, fork, checkpoint)
    }
    assert {row["status"] for row in rows.values()} == {"ok"}, rows
    assert all(row["accuracy"] > 0.9 for row in rows.values())  # chance: 1/3, SD 0.06
    for arm in ("ptq", "qat"):
        assert (rows[arm]["number_format"], rows[arm]["float_ops"]) == ("int8", 0)


def test_the_autoencoder_tells_what_it_was_not_trained_on(tmp_path):
    """Trained on normal examples alone, in float, by PTQ and QAT, all of it int8: anomalies are
    those that it reconstructs badly."""
    cell.prepare()
    rng = np.random.default_rng(0)
    normal = rng.normal(0, 1, (300, 2)) @ rng.normal(0, 0.3, (2, 20))  # of two dimensions in twenty
    odd = rng.normal(0, 0.45, (60, 20))
    x = np.concatenate([normal, odd]).astype(np.float32)
    path = tmp_path / "machine.npz"
    np.savez(path, x_train=x[:240], y_train=np.zeros(240, int), x_test=x[240:],
             y_test=(np.arange(120) >= 60).astype(int))  # fmt: skip
    fields = {"datasets": str(path), "models": "autoencoder", "seeds": 1, "budgets": 12, "extra": 1}
    fields |= {"arms": ["float", "ptq", "qat"], "calibration_examples": 100, "primary": []}
    fields |= {"batch_norm_momentum": 0.8, "learning_rate": 0.003}
    fields |= {"task": "reconstruction", "metrics": ["auc"]}
    made = study.validate(fields, "test")
    ((segment,),) = (t.segments for t in trajectories(cells(made)))
    data = datasets.load(str(path), task="reconstruction")
    checkpoint = cell.run_segment(data, segment, None)
    rows = {
        row["arm"]: row
        for fork in segment.forks
        for row in cell.run_fork(data, segment, fork, checkpoint)
    }
    assert {row["status"] for row in rows.values()} == {"ok"}, rows
    assert all(row["metrics"]["auc"] > 0.85 for row in rows.values()), rows  # chance: 0.5, SD 0.05
    for arm in ("ptq", "qat"):
        assert (rows[arm]["number_format"], rows[arm]["float_ops"]) == ("int8", 0)
