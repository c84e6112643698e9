"""Mean squared error with which the normal test examples are reconstructed."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.metrics import Metric, Task

METRIC = Metric("reconstruction_error", "units²", lower_is_better=True, low=0.0, per_example=False)
"""One number: an anomalous example is to be reconstructed badly, and does not count."""

TASKS: tuple[Task, ...] = ("reconstruction",)


def number(y: NDArray[Any], outputs: NDArray[Any]) -> float:
    """nan where no example is normal. outputs: errors (n,)."""
    normal = outputs[y == 0].astype(np.float64)
    return float(normal.mean()) if normal.size else float("nan")
