"""How much a number spreads over seeds: a standard deviation with its interval."""

import numpy as np
from scipy import special

from bench.statistics.checks import FloatArray, Interval, open_unit


def sd_interval(sd: float, n: int, alpha: float) -> Interval:
    """The chi-square interval of a standard deviation at level 1 - alpha.

    sd: of n independent values of a normal distribution, n - 1 degrees of freedom. (n - 1) s^2 /
    sigma^2 is chi-square distributed: sd sqrt((n - 1) / q) at its two quantiles. Where nothing
    varies, the interval has no width. Raises ValueError for n < 2 or a negative sd. Source: e.g.
    Snedecor & Cochran, Statistical Methods, 5.11.
    """
    open_unit(alpha, "alpha")
    if n < 2:
        raise ValueError(f"n: need at least 2 values for a standard deviation, found {n}")
    if not sd >= 0:
        raise ValueError(f"sd: need a number that is not negative, found {sd}")
    df = n - 1
    upper, lower = (special.chdtri(df, tail) for tail in (alpha / 2, 1 - alpha / 2))
    return Interval(float(sd * np.sqrt(df / upper)), float(sd * np.sqrt(df / lower)))


def sd_of(d: FloatArray) -> float:
    """The standard deviation of values over seeds, ddof 1; 0 exactly where all are equal."""
    return 0.0 if np.ptp(d) == 0 else float(np.std(d, ddof=1))
