"""The median of few values, with an interval that assumes nothing about their distribution."""

import numpy as np
from scipy import special

from bench.statistics.checks import Interval, Numbers, differences, open_unit


def median_interval(values: Numbers, alpha: float) -> Interval | None:
    """The median's interval at level 1 - alpha or above, between two of the ordered values.

    values: (n,). The k-th smallest and the k-th largest, with the largest k for which a binomial
    (n, 1/2) is below k with probability alpha / 2 at most; None where there is no such k (n < 6 at
    0.05). Source: Thompson (1936), On confidence ranges for the median.
    """
    ordered = np.sort(differences(values))
    n = ordered.size
    below = special.bdtr(np.arange(n), n, 0.5)  # P(X <= 0), P(X <= 1), ...
    k = int((below <= open_unit(alpha, "alpha") / 2 + 1e-12).sum())
    return None if k == 0 else Interval(float(ordered[k - 1]), float(ordered[n - k]))
