"""Mean absolute error of a regression, in the labels' units."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.metrics import Metric, Task

METRIC = Metric("mae", "units", lower_is_better=True, low=0.0)
TASKS: tuple[Task, ...] = ("regression",)


def values(y: NDArray[Any], outputs: NDArray[Any]) -> NDArray[np.float64]:
    errors: NDArray[np.float64] = np.abs(outputs.astype(np.float64) - y.astype(np.float64))
    return errors
