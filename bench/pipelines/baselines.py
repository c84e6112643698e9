"""What trivial classifiers of raw inputs score: a network below them has not been trained."""

import numpy as np

from bench.datasets import Dataset, fixed_permutation

MOST_EXAMPLES = 2000
"""Training examples at most: they say what is trivial, not what is possible."""


def baselines(data: Dataset) -> dict[str, float]:
    """Shares of the test examples that two classifiers have right.

    Both see the first 2,000 of a fixed permutation of the training examples, flattened and divided
    by the data's scale. nearest_centroid: the class whose mean input is nearest; logistic: a
    multinomial logistic regression, scikit-learn's with its defaults. Data without classes have
    none.
    """
    if not data.classes:
        return {}
    chosen = fixed_permutation(len(data.x_train))[:MOST_EXAMPLES]
    x, y = _flat(data.x_train[chosen], data.scale), data.y_train[chosen]
    x_test = _flat(data.x_test, data.scale)
    return {
        "nearest_centroid": _share(nearest_centroid(x, y, x_test), data.y_test),
        "logistic": _share(_logistic(x, y, x_test), data.y_test),
    }


def nearest_centroid(x: np.ndarray, y: np.ndarray, x_test: np.ndarray) -> np.ndarray:
    """int (n_test,): the class whose mean is nearest, the lowest where several are.

    x: float (n, features), y: int (n,), x_test: float (n_test, features). A class without an
    example is never named.
    """
    classes = np.unique(y)
    centers = np.stack([x[y == each].mean(axis=0) for each in classes])
    # The square of x_test is the same for every class.
    distances = (centers**2).sum(axis=1) - 2 * x_test @ centers.T
    nearest: np.ndarray = classes[distances.argmin(axis=1)]
    return nearest


def _logistic(x: np.ndarray, y: np.ndarray, x_test: np.ndarray) -> np.ndarray:
    if len(np.unique(y)) == 1:
        return np.full(len(x_test), y[0])
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a baseline, as far as it goes
        predicted: np.ndarray = LogisticRegression(max_iter=200).fit(x, y).predict(x_test)
    return predicted


def _flat(x: np.ndarray, scale: float) -> np.ndarray:
    flat: np.ndarray = x.reshape(len(x), -1).astype(np.float64) / scale
    return flat


def _share(predicted: np.ndarray, labels: np.ndarray) -> float:
    return float((predicted == labels).mean())
