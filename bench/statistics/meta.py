"""Over studies: a random-effects meta-analysis of one contrast.

y_j is a study's mean difference, v_j its squared standard error for new seeds and new test
examples, tau^2 the variance of the true differences between studies. Studies must not share a test
set or checkpoints: what does is one study, by its overall effect.
Sources: Röver, Knapp & Friede (2015), Hartung-Knapp-Sidik-Jonkman approach and its modification
for random-effects meta-analysis with few studies; IntHout, Ioannidis & Borm (2014); Viechtbauer
(2018); Nagashima, Noma & Furukawa (2019), Prediction intervals for random-effects meta-analysis.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from bench.statistics.checks import FloatArray, Interval, Numbers, at_least, differences, same_shape
from bench.statistics.student import t_interval, t_test

FEWEST_POOLED = 3
"""Studies with which a pooled result is given; two are shown side by side."""
FEWEST_PREDICTED = 5
"""Studies with which a prediction interval is given; it is approximate."""


def study_variance(se: float, step: float, n_seeds: int) -> float:
    """A study's v_j: its squared standard error, at least step^2 / (12 S).

    step: what one test example is, in se's unit (100/N pp): the mean of S whole numbers of
    examples is not known better than rounding allows, also where all seeds agree.
    """
    at_least(n_seeds, 1, "n_seeds")
    for value, name in ((se, "se"), (step, "step")):
        if not 0 <= value < np.inf:
            raise ValueError(f"{name}: found {value}, allowed: finite and not negative")
    return max(se**2, step**2 / (12 * n_seeds))


@dataclass(frozen=True)
class Pooled:
    """The mean true difference over studies like these k, in the studies' unit.

    tau2: REML's estimate; i2: the share (0 to 1) of tau2 in a typical study's total variance;
    q: the weighted residual mean square. se^2 = max(q, 1) / sum of weights, df = k - 1; se, t and
    p are None below FEWEST_POOLED studies, tau2, i2 and q with one.
    """

    k: int
    mean: float
    tau2: float | None
    i2: float | None
    q: float | None
    se: float | None
    df: float | None
    t: float | None
    p: float | None

    def interval(self, alpha: float) -> Interval | None:
        """mean +- t(k-1) se at level 1 - alpha; None below FEWEST_POOLED studies."""
        return t_interval(self.mean, self.se, self.df, alpha)

    def prediction(self, alpha: float) -> Interval | None:
        """Where a new study's true difference lies, about: mean +- t(k-1) sqrt(se^2 + tau2).

        None below FEWEST_PREDICTED studies.
        """
        if self.k < FEWEST_PREDICTED or self.se is None or self.tau2 is None:
            return t_interval(self.mean, None, None, alpha)
        return t_interval(self.mean, sqrt(self.se**2 + self.tau2), self.df, alpha)


def pool(y: Numbers, v: Numbers) -> Pooled:
    """Random-effects meta-analysis with REML and the modified Hartung-Knapp standard error.

    y: (k,), one difference per study; v: (k,), its variance, > 0, in the squared unit of y.
    ValueError if they are empty, not 1-D, not finite, of unlike shapes, or a variance is not
    positive.
    """
    means, variances = differences(y, "y"), differences(v, "v")
    same_shape(means, variances, "y and v")
    if not (variances > 0).all():
        raise ValueError(f"v: found {variances.min()}, allowed: greater than 0")
    k = means.size
    if k == 1:
        return Pooled(1, float(means[0]), None, None, None, None, None, None, None)
    tau2 = reml_tau2(means, variances)
    weights = 1 / (variances + tau2)
    mean = float((weights * means).sum() / weights.sum())
    q = float((weights * (means - mean) ** 2).sum()) / (k - 1)
    i2 = tau2 / (tau2 + _typical(variances))
    if k < FEWEST_POOLED:
        return Pooled(k, mean, tau2, i2, q, None, None, None, None)
    se = sqrt(max(q, 1.0) / float(weights.sum()))
    t, p = t_test(mean, se, k - 1)
    return Pooled(k, mean, tau2, i2, q, se, float(k - 1), t, p)


def _typical(v: FloatArray) -> float:
    """A typical study's variance: Higgins & Thompson (2002), Quantifying heterogeneity, eq. 9."""
    w = v.min() / v
    return float(v.min() * (v.size - 1) * w.sum() / (w.sum() ** 2 - (w**2).sum()))


def reml_tau2(y: FloatArray, v: FloatArray) -> float:
    """The variance between studies that maximizes the restricted likelihood, 0 or greater.

    y, v: (k,), k >= 2. The likelihood may have several maxima: it is looked at on a grid from 0 to
    where it provably falls, and the best maximum refined by bisection of its derivative.
    """
    k, spread = y.size, float(np.ptp(y))
    # beyond max(v) weights differ by a factor of 2 at most, and the derivative is negative where
    # tau2 > 2 k spread^2 / (k - 1)
    highest = max(float(v.max()), 2 * k * spread**2 / (k - 1))
    grid = np.concatenate([[0.0], np.geomspace(1e-6 * float(v.min()), highest, 600)])
    best = int(np.argmax(_restricted(grid, y, v)))
    low = float(grid[best])
    high = float(grid[min(best + 1, grid.size - 1)])
    if _slope(low, y, v) <= 0:
        low, high = float(grid[max(best - 1, 0)]), low
        if _slope(low, y, v) <= 0:
            return high
    while high - low > 1e-14 * high:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if _slope(middle, y, v) > 0 else (low, middle)
    return high


def _restricted(tau2: FloatArray, y: FloatArray, v: FloatArray) -> FloatArray:
    """The restricted log-likelihood of each tau2 (n,), up to a constant."""
    w = 1 / (v + tau2[:, None])
    total = w.sum(axis=1)
    residual = y - ((w * y).sum(axis=1) / total)[:, None]
    likelihood: FloatArray = np.log(w).sum(axis=1) - np.log(total) - (w * residual**2).sum(axis=1)
    return likelihood / 2


def _slope(tau2: float, y: FloatArray, v: FloatArray) -> float:
    """The derivative of _restricted."""
    w = 1 / (v + tau2)
    mean = (w * y).sum() / w.sum()
    return float((w**2 * (y - mean) ** 2).sum() - w.sum() + (w**2).sum() / w.sum()) / 2
