"""How a contrast changes with an ordered factor, such as the budget: its slope per seed.

The result is again one number per seed and goes through the same paired tests.
"""

from collections.abc import Sequence
from math import gcd

import numpy as np

from bench.statistics.checks import FloatArray, Numbers


def slope_weights(x: Numbers | Sequence[float]) -> tuple[FloatArray, float]:
    """The least-squares slope of values over x as one weighted sum over a divisor.

    x: (n,), finite, at least two of them distinct, such as log2 of the budgets. Returns weights w
    (n,), which sum to zero, and a divisor c > 0: the slope of v over x is (w @ v) / c. Where x is
    whole, w is whole and as small as it can be, so that slopes of whole counts stay whole multiples
    of a step and signs are flipped exactly. Raises ValueError if x has no slope.
    """
    values = np.asarray(x, dtype=np.float64)
    if values.ndim != 1 or not np.isfinite(values).all() or np.unique(values).size < 2:
        raise ValueError(f"x: found {values.tolist()}, allowed: finite, two or more distinct")
    n = values.size
    if not np.array_equal(np.rint(values), values):
        centred = values - values.mean()
        return centred, float(centred @ centred)
    weights = n * values - values.sum()
    common = gcd(*(int(weight) for weight in weights))
    return weights / common, float(weights @ weights) / (n * common)
