"""Area under the ROC curve of two classes: does a positive example score above a negative one?"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.metrics import Metric, Task

METRIC = Metric(
    "auc", "AUC", lower_is_better=False, delta=0.005, low=0.0, high=1.0, per_example=False
)
TASKS: tuple[Task, ...] = ("classification", "reconstruction")


def number(y: NDArray[Any], outputs: NDArray[Any]) -> float:
    """The share of pairs of a positive (y = 1) and a negative example (y = 0) in which the positive
    one scores higher, ties counted half: Mann and Whitney's U over the number of pairs (Bamber
    1975). outputs: scores (n,), or (n, 2), of which the second minus the first is the score.

    nan where a score is not finite or where one class has no example.
    """
    scores = outputs.astype(np.float64)
    if scores.ndim == 2:
        scores = scores[:, 1] - scores[:, 0]
    positive = y == 1
    ones = int(positive.sum())
    zeros = len(y) - ones
    if not (ones and zeros and np.isfinite(scores).all()):
        return float("nan")
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(count) - (count - 1) / 2  # of equal scores, their mean rank
    u = float(ranks[place][positive].sum()) - ones * (ones + 1) / 2
    return u / (ones * zeros)
