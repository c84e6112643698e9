"""What seeds that are missing could still change."""

import numpy as np

from bench.statistics.checks import Interval, Numbers, same_shape


def worst_case_mean(a: Numbers, b: Numbers, low: float = 0.0, high: float = 1.0) -> Interval:
    """Bounds of the mean of a - b over all seeds, whatever the missing values are.

    a, b: (n_seeds,), one metric of the two arms, nan where a cell is missing; low, high: the
    range of the metric (accuracies: 0 to 1; in percent: 0 to 100). A missing value takes
    whichever end is worst; where only one of the two is missing, the other is used as it is.
    ValueError for values outside the range.
    """
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    same_shape(x, y, "a and b")
    if x.ndim != 1 or x.size == 0:
        raise ValueError(f"a and b: need one value per seed, found shape {x.shape}")
    for name, values in (("a", x), ("b", y)):
        outside = (values < low) | (values > high)
        if outside.any():
            raise ValueError(f"{name}: found {values[outside][0]}, allowed: {low} to {high}")
    worst = np.where(np.isnan(x), low, x) - np.where(np.isnan(y), high, y)
    best = np.where(np.isnan(x), high, x) - np.where(np.isnan(y), low, y)
    return Interval(float(worst.mean()), float(best.mean()))
