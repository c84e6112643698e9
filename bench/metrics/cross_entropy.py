"""Negative log likelihood of the true class, by the softmax of the logits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.metrics import Metric, Task

METRIC = Metric("cross_entropy", "nats", lower_is_better=True, delta=0.01, low=0.0)
TASKS: tuple[Task, ...] = ("classification",)


def values(y: NDArray[Any], outputs: NDArray[Any]) -> NDArray[np.float64]:
    """outputs: logits (n, classes)."""
    logits = outputs.astype(np.float64)
    shifted = logits - logits.max(axis=1, keepdims=True)
    chosen = np.take_along_axis(shifted, y[:, None].astype(np.int64), axis=1)[:, 0]
    lost: NDArray[np.float64] = np.log(np.exp(shifted).sum(axis=1)) - chosen
    return lost
