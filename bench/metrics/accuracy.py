"""Share of test examples whose class is named."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.metrics import Metric, Task

METRIC = Metric(
    "accuracy",
    "pp",
    lower_is_better=False,
    delta=0.5,
    scale=100.0,
    low=0.0,
    high=1.0,
    right_or_wrong=True,
)
TASKS: tuple[Task, ...] = ("classification",)


def values(y: NDArray[Any], outputs: NDArray[Any]) -> NDArray[np.bool_]:
    """outputs: scores (n, classes), the lowest class where several are highest; or int (n,), the
    classes named."""
    predictions = outputs if outputs.ndim == 1 else outputs.argmax(axis=1)
    right: NDArray[np.bool_] = predictions == y
    return right
