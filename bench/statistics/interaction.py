"""Is one epoch the reason? Per seed, how a contrast changes with the budget.

The result is again one number per seed and goes through the same paired tests.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.statistics.checks import FloatArray, Numbers


def smallest_minus_largest(d: NDArray[Any], budgets: Numbers) -> NDArray[Any]:
    """The contrast at the smallest budget minus that at the largest, per seed: (n_seeds,).

    d: (n_seeds, n_budgets), whole counts stay whole; budgets: (n_budgets,), in any order.
    ValueError unless there are two or more distinct budgets, all greater than 0, and d is finite.
    """
    d, epochs = _checked(d, budgets)
    difference: NDArray[Any] = d[:, int(epochs.argmin())] - d[:, int(epochs.argmax())]
    return difference


def slope_per_doubling(d: NDArray[Any], budgets: Numbers) -> FloatArray:
    """Least-squares slope of the contrast over log2(budget), per seed: (n_seeds,).

    In d's unit per doubling of the budget; arguments as for smallest_minus_largest.
    """
    d, epochs = _checked(d, budgets)
    x = np.log2(epochs)
    x -= x.mean()
    # from the first budget's value, so that no change is a slope of exactly 0
    slope: FloatArray = ((d - d[:, :1]) * x).sum(axis=1) / (x @ x)
    return slope


def _checked(d: NDArray[Any], budgets: Numbers) -> tuple[NDArray[Any], FloatArray]:
    d, epochs = np.asarray(d), np.asarray(budgets, dtype=np.float64)
    if epochs.ndim != 1 or epochs.size < 2 or np.unique(epochs).size != epochs.size:
        raise ValueError(f"budgets: found {epochs.tolist()}, allowed: two or more, all distinct")
    if not ((epochs > 0) & np.isfinite(epochs)).all():
        raise ValueError(f"budgets: found {epochs.tolist()}, allowed: greater than 0")
    if d.ndim != 2 or d.shape[0] == 0 or d.shape[1] != epochs.size:
        raise ValueError(f"d: found shape {d.shape}, allowed: (n_seeds, {epochs.size})")
    if not np.isfinite(d).all():
        raise ValueError("d: found a value that is not finite, allowed: seeds with all budgets")
    return d, epochs
