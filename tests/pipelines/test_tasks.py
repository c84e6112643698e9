"""Tasks: outputs, losses and answers of each, against NumPy and scikit-learn's words for them."""

import numpy as np
import pytest

from bench import datasets, metrics
from bench.datasets.reading.fitting import FITS
from bench.pipelines import measure, tasks, usable
from bench.pipelines.lean import tf, tf_keras
from bench.study.objective import LOSSES

RNG = np.random.default_rng(0)


def test_every_loss_of_a_study_is_there_for_its_tasks_and_no_other():
    named = {(task, name) for name, of in LOSSES.items() for task in of}
    assert set(tasks.LOSSES) == named
    assert {task for task, _ in named} == set(metrics.TASKS) == set(FITS)


def test_losses_are_what_they_are_called():
    y, inputs = RNG.normal(size=5).astype(np.float32), RNG.normal(size=(5, 3)).astype(np.float32)
    one, many = RNG.normal(size=(5, 1)).astype(np.float32), inputs + 1
    of = {key: float(loss(y, inputs, many if "recon" in key[0] else one))
          for key, loss in tasks.LOSSES.items() if key[0] != "classification"}  # fmt: skip
    assert of["regression", "mse"] == pytest.approx(((one[:, 0] - y) ** 2).mean(), rel=1e-6)
    assert of["regression", "mae"] == pytest.approx(np.abs(one[:, 0] - y).mean(), rel=1e-6)
    assert of["reconstruction", "mse"] == pytest.approx(1, rel=1e-5)
    assert of["reconstruction", "mae"] == pytest.approx(1, rel=1e-5)


def test_a_regression_of_one_feature_is_not_taken_for_its_reconstruction():
    y, inputs = np.float32([1, 2]), np.float32([[5], [7]])
    assert float(tasks.LOSSES["regression", "mse"](y, inputs, inputs)) == (16 + 25) / 2


def test_one_logit_is_the_sigmoids_cross_entropy_and_the_larger_class():
    logits, labels = RNG.normal(size=(20, 1)).astype(np.float32), np.arange(20) % 2
    loss = tasks.LOSSES["classification", "cross_entropy"]
    binary = tf_keras.losses.BinaryCrossentropy(from_logits=True)
    found = float(loss(labels.astype(np.int32), None, tf.constant(logits)))
    assert found == pytest.approx(float(binary(labels[:, None], logits)), rel=1e-6)
    answers = tasks.answers("classification", logits, logits)
    assert metrics.measure("cross_entropy", labels, answers).value == pytest.approx(found, rel=1e-5)
    assert (answers.argmax(axis=1) == (logits[:, 0] > 0)).all()
    assert tasks.shapes("classification", (3,), 2).keys() == {(2,), (1,)}
    assert tasks.shapes("classification", (3,), 3).keys() == {(3,)}


def test_answers_of_a_reconstruction_are_its_errors():
    inputs = RNG.normal(size=(4, 2, 3))
    outputs = inputs.copy()
    outputs[1] += 2
    assert tasks.answers("reconstruction", outputs, inputs) == pytest.approx([0, 4, 0, 0])


def data(y_test, x_test):
    n = len(y_test)
    x = np.asarray(x_test, np.float32)
    return datasets.Dataset("k", "d", x, np.zeros(n), x, np.asarray(y_test), 1.0, ())


def test_the_best_constant_is_the_mean_or_the_median():
    y = np.float32([0, 0, 0, 8])
    of = data(y, np.zeros((4, 1)))
    assert tasks.constant("regression", "mse", of) == y.var()
    assert tasks.constant("regression", "mae", of) == 2.0  # of the median, 0
    x = [[0, 1], [2, 1], [9, 9]]
    assert tasks.constant("reconstruction", "mse", data(np.array([0, 0, 1]), x)) == 0.5


def test_numbers_differ_beyond_rounding_only():
    keras = np.float32([[1], [100], [np.nan], [np.inf]])
    assert measure.differing(keras * np.float32(1 + 1e-6), keras).tolist() == [False] * 4
    assert measure.differing(keras + np.float32(0.1), keras).tolist() == [True, True, False, False]
    assert measure.differing(np.float32([[0], [100], [0], [0]]), keras).tolist() == [
        True, False, True, True,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("task", "units", "activation", "said"),
    [
        ("regression", 2, None, "one output of shape (n, 1) is needed: the number"),
        ("regression", 1, "sigmoid", None),
        ("reconstruction", 3, None, "one output of shape (n, 4) is needed: the inputs again"),
        ("reconstruction", 4, "softmax", None),
        ("classification", 1, None, None),
        ("classification", 1, "sigmoid", "ends in a sigmoid"),
        ("classification", 3, None, "(n, 2): logits of 2 classes or (n, 1): the logit of class 1"),
    ],
)
def test_a_model_has_the_outputs_that_its_task_needs(task, units, activation, said):
    layers = tf_keras.layers
    model = tf_keras.Sequential([layers.Input((4,)), layers.Dense(units, activation=activation)])
    found = usable.unusable(model, (4,), 2, np.zeros((3, 4), np.float32), task)
    assert (found is None) == (said is None)
    assert said is None or said in found
