"""What an arm returns: read by shape and type, judged against the labels, or refused by name."""

import numpy as np
import pytest

from bench.datasets import Dataset
from bench.errors import InputError
from bench.pipelines import returned
from bench.study.objective import Objective

Y = np.array([0, 1, 2, 0], np.int32)
WHERE = "mine.py, arm_x()"


def data(y=Y, train=0):
    x = np.zeros((train, 2), np.float32)
    return Dataset(
        "d", "d", x, np.zeros(train, np.int32), np.zeros((len(y), 0), np.uint8), y, 1.0,
        ("a", "b", "c"),
    )  # fmt: skip


def row(value, objective=None, given=None, folder=None):
    given = given or data()
    answer = returned.read(value, WHERE, folder, len(given.y_test) or None)
    return returned.row(answer, WHERE, given, objective or Objective(), 0, 1)


def regression(*names):
    return Objective("regression", "mse", names)


@pytest.mark.parametrize("kind", [list, np.int8, np.uint16, np.int64])
def test_integers_are_classes(kind):
    answers = [0, 1, 1, 0]
    found = row(answers if kind is list else np.array(answers, kind))
    assert (found["n"], found["correct"], found["accuracy"]) == (4, 3, 0.75)
    assert found["metrics"] == {"accuracy": 0.75}
    assert found["status"] == "ok"
    assert np.frombuffer(found["predictions"], np.uint8).tolist() == answers


def test_floats_in_two_axes_are_scores_whose_largest_is_the_answer():
    scores = np.array([[3, 1, 1], [0, 2, 1], [5, 5, 1], [1, 0, 2]], np.float32)
    found = row(scores)
    assert np.frombuffer(found["predictions"], np.uint8).tolist() == [0, 1, 0, 2]
    assert found["accuracy"] == 0.5
    more = row(scores, Objective(metrics=("cross_entropy", "accuracy")))
    shifted = np.exp(scores - scores.max(1, keepdims=True))
    lost = -np.log(shifted[range(4), Y] / shifted.sum(1))
    assert more["metrics"]["cross_entropy"] == pytest.approx(lost.mean(), rel=1e-6)
    assert np.frombuffer(more["values"]["cross_entropy"], "<f4") == pytest.approx(lost, rel=1e-6)


def test_floats_in_one_axis_are_a_regressions_outputs_or_the_scores_of_an_auc():
    y = np.array([0.5, 1.0, 2.0, 3.0])
    found = row(y + 0.25, regression("mae", "mse"), data(y))
    assert found["metrics"] == {"mae": 0.25, "mse": 0.0625}
    assert "predictions" not in found
    found = row(
        np.array([0.1, 0.9, 0.8, 0.85]), Objective(metrics=("auc",)), data(np.array([0, 1, 1, 0]))
    )
    assert found["metrics"] == {"auc": 0.75}  # of four pairs three are in order


def test_a_dict_holds_metrics_by_name():
    found = row({"accuracy": 0.5, "latency_ms": np.float32(3)}, given=data(Y[:0]))
    assert found["metrics"] == {"accuracy": 0.5, "latency_ms": 3.0}


def test_more_than_256_classes_take_two_bytes():
    y = np.arange(300, dtype=np.int32)
    found = row(y, given=data(y))
    assert np.frombuffer(found["predictions"], "<u2").tolist() == y.tolist()


def test_outputs_that_are_not_finite_are_a_diverged_result():
    scores = np.array([[3, 1, 1], [np.nan, 2, 1], [5, 5, 7], [1, 0, 2]])
    found = row(scores)
    assert (found["status"], found["not_finite"]) == ("diverged", 1)
    assert found["error"] == "1 of 4 outputs are not finite"


def test_no_better_than_one_class_for_all_is_diverged():
    assert row([0, 0, 0, 0])["status"] == "diverged"


BAD = {
    "None": (None, "it returned None; allowed: integers (n,), classes; floats (n, classes)"),
    "text that is no file": ("no such file", "found 'no such file', which is no file"),
    "bytes that are no file": (b"abc", "3 bytes that are no TFLite file"),
    "too few": ([0, 1, 2], "3 predictions for 4 test examples (shape (3,))"),
    "too many": (np.zeros((5, 3)), "5 predictions for 4 test examples (shape (5, 3))"),
    "three axes": (np.zeros((4, 3, 1)), "float64 and shape (4, 3, 1) returned"),
    "a number": (0.5, "the type float64 and shape () returned"),
    "one column": (np.zeros((4, 1)), "outputs of shape (4, 1)"),
    "whole floats": (np.array([0.0, 1, 2, 0]), "classes: .astype(int); floats (n, classes)"),
    "floats": (np.array([0.5, 1, 2, 0]), "floats of shape (4,), but accuracy needs a class for"),
    "booleans": (np.array([True] * 4), "the type bool and shape (4,) returned"),
    "text classes": (np.array(["a"] * 4), "the type <U1 and shape (4,) returned"),
    "objects": (np.array([{}] * 4), "ndarray and shape (4,) returned"),
    "ragged": ([[1], [1, 2]], "it returned list, which is no array"),
    "a set": ({0, 1}, "set and shape () returned"),
    "integers in two axes": (np.zeros((4, 3), int), "integers of shape (4, 3)"),
    "complex": (np.zeros(4, complex), "the type complex128 and shape (4,) returned"),
    "too few classes": (np.zeros((4, 2)), "scores of shape (4, 2), but there is the label 2"),
    "a negative class": (np.array([0, -1, 2, 0]), "the class -1; allowed: 0 to 65,535"),
    "an enormous class": (np.array([0, 70_000, 2, 0]), "the class 70000"),
    "an empty dict": ({}, "it returned an empty dict"),
    "a metric that is text": ({"accuracy": "high"}, "accuracy is 'high'; allowed: one number"),
    "a metric of many numbers": ({"accuracy": [1, 2]}, "accuracy is [1, 2]"),
    "a metric that is None": ({"accuracy": None}, "accuracy is None"),
    "NaN": ({"accuracy": float("nan")}, "accuracy is nan; allowed: finite numbers"),
    "a nameless metric": ({3: 0.5}, "a metric called 3"),
    "not the primary metric": ({"f1": 0.5}, "metrics f1, and not accuracy, which the study is"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_anything_else_is_an_error_with_what_was_found(kind, tmp_path):
    value, said = BAD[kind]
    with pytest.raises(InputError) as caught:
        row(value, folder=tmp_path)
    assert str(caught.value).startswith(f"{WHERE}: ")
    assert said in str(caught.value)


def test_classes_beyond_those_of_the_data_are_refused_where_these_are_known():
    with pytest.raises(InputError, match="the class 3; allowed: 0 to 2"):
        row([0, 1, 3, 0], given=data(train=5))
    assert row([0, 1, 3, 0])["correct"] == 3  # labels() may lack a class


def test_predictions_without_labels_and_metrics_that_do_not_follow_are_refused():
    with pytest.raises(InputError, match=r"shape \(4,\) returned, but no labels are known"):
        row([0, 1, 2, 0], given=data(Y[:0]))
    with pytest.raises(InputError, match="classes, from which cross_entropy does not follow"):
        row([0, 1, 2, 0], Objective(metrics=("accuracy", "cross_entropy")))
    with pytest.raises(InputError, match=r"int64 of shape \(4,\), but mae is a metric of a regr"):
        row([0, 1, 2, 0], regression("mae"), data(Y.astype(float)))


def test_a_tensor_of_another_library_is_an_array_and_one_that_is_none_says_why():
    class Tensor:
        def __array__(self, dtype=None, copy=None):
            return np.array([0, 1, 2, 0])

    class Attached:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("call detach() first")

    assert row(Tensor())["accuracy"] == 1.0
    with pytest.raises(InputError, match=r"Attached, which is no array \(call detach\(\) first\)"):
        row(Attached())


# Twice the same.


def answer(value):
    return returned.read(value, WHERE, None, 4)


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ([0, 1, 2, 0], [0, 1, 2, 0], None),
        ([0, 1, 2, 0], [0, 2, 1, 0], "2 of 4 test examples unlike, first example 1: 1 and then 2"),
        ([0, 1, 2, 0], np.zeros((4, 3)), "classes (4,) and then outputs (4, 3)"),
        (np.ones((4, 3)), np.ones((4, 2)), "outputs (4, 3) and then outputs (4, 2)"),
        (np.ones((4, 2)), np.ones((4, 2)) + 1e-16, None),
        (np.ones((4, 2)), np.ones((4, 2)) + 1e-15, "4 of 4 test examples unlike"),
        (np.full((4, 2), np.nan), np.full((4, 2), np.nan), None),
        ({"f1": 1, "latency_ms": 3}, {"f1": 1, "latency_ms": 4}, None),
        ({"f1": 1}, {"f1": 2}, "f1 1.0 and then 2.0"),
        ({"f1": 1}, {"f2": 1}, "f"),
        (b"\0\0\0\0TFL3abc", b"\0\0\0\0TFL3abd", "a .tflite of 11 bytes and then other 11 bytes"),
    ],
)
def test_what_differs_is_said(first, second, said):
    found = answer(first).differs(answer(second))
    assert found == said if said is None else said in found


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("latency_ms", True), ("train_s", True), ("time", True), ("fps", True), ("f1", False),
     ("loss", False), ("samples", False), ("accuracy", False)],
)  # fmt: skip
def test_times_are_known_by_their_names(name, is_one):
    assert returned.is_time(name) is is_one
