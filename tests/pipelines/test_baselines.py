"""Trivial classifiers: equal to scikit-learn's own, and never above what they may see."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.neighbors import NearestCentroid

from bench import datasets
from bench.pipelines import baselines as module


def test_nearest_centroid_is_scikit_learns():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 5)), rng.integers(0, 4, 60)
    x_test = rng.normal(size=(200, 5))
    expected = NearestCentroid().fit(x, y).predict(x_test)
    assert np.array_equal(module.nearest_centroid(x, y, x_test), expected)


def test_digits_without_a_network():
    found = module.baselines(datasets.load("digits"))
    assert found["nearest_centroid"] == pytest.approx(0.9, abs=0.01)
    assert 0.94 < found["logistic"] < 0.98


def test_one_class_and_an_absent_class_are_no_error():
    data = datasets.load("digits")
    ones = data.y_train == 1
    single = replace(data, x_train=data.x_train[ones], y_train=data.y_train[ones])
    share = float((data.y_test == 1).mean())
    assert module.baselines(single) == {"nearest_centroid": share, "logistic": share}
    few = replace(
        data, x_train=data.x_train[data.y_train < 3], y_train=data.y_train[data.y_train < 3]
    )
    assert module.baselines(few)["nearest_centroid"] <= float((data.y_test < 3).mean())
