"""Student's t for any estimate with a standard error: one rule where nothing varies."""

from math import inf

import numpy as np
from scipy import special

from bench.statistics.checks import Interval, open_unit


def t_quantile(df: float, alpha: float) -> float:
    """The two-sided quantile: |T| exceeds it with probability alpha."""
    return float(-special.stdtrit(df, alpha / 2))


def t_test(mean: float, se: float, df: float) -> tuple[float, float]:
    """t and the two-sided p of a mean of 0.

    se = 0 is a defined case: a mean of 0 gives t = 0, p = 1; any other gives t = +-inf, p = 0,
    the limit of se -> 0.
    """
    if se == 0:
        return (0.0, 1.0) if mean == 0 else (float(np.copysign(inf, mean)), 0.0)
    t = mean / se
    return t, float(2 * special.stdtr(df, -abs(t)))


def t_interval(mean: float, se: float | None, df: float | None, alpha: float) -> Interval | None:
    """mean +- t(df) se at level 1 - alpha; without width where se = 0, None without se or df."""
    open_unit(alpha, "alpha")
    if se is None or df is None:
        return None
    half = 0.0 if se == 0 else t_quantile(df, alpha) * se
    return Interval(mean - half, mean + half)
