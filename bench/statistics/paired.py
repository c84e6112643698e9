"""Paired differences over seeds: the primary test, effect sizes, correlation, churn.

Everything here speaks about new seeds on this test set. `d` is one difference per seed, arm A
minus arm B, in any unit; results are in the same unit.
"""

from dataclasses import dataclass
from math import exp, log, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bench.statistics.checks import (
    FloatArray,
    Interval,
    Numbers,
    at_least,
    differences,
    same_shape,
)
from bench.statistics.student import t_interval, t_test


def subtract(a: Numbers, b: Numbers) -> FloatArray:
    """a - b per seed, without the noise of subtracting floats; a, b: (n_seeds,).

    0.2 - 0.1 and 0.3 - 0.2 differ in their last bits: ties, zeros and constant differences
    would be missed. For values that are no decimals of at most 15 digits, such as 13/22: those
    have bench.statistics.decimals.
    """
    x, y = differences(a, "a"), differences(b, "b")
    same_shape(x, y, "a and b")
    return without_noise(x - y, np.maximum(abs(x), abs(y)))


def without_noise(d: FloatArray, magnitude: FloatArray) -> FloatArray:
    """Sums of floats per seed, (n_seeds,), with sizes made equal that differ by rounding alone: by
    less than 1e-12 of their seed's magnitude, for both of two neighbours; and so to zero.

    magnitude: float (n_seeds,), the largest absolute value that was summed.
    """
    order = np.argsort(abs(d), kind="stable")
    sizes = np.concatenate([[0.0], abs(d)[order]])
    # Of its own seed alone: one diverged value must not make all other differences equal.
    noise = 1e-12 * np.concatenate([[np.inf], magnitude[order]])
    first = np.diff(sizes) > np.minimum(noise[1:], noise[:-1])  # of a run; none: equal to zero
    runs = np.concatenate([[0.0], sizes[1:][first]])[np.cumsum(first)]
    equal = np.empty_like(d)
    equal[order] = runs
    return np.copysign(equal, d) + 0.0  # no -0.0


@dataclass(frozen=True)
class PairedT:
    """A paired t-test. With one seed everything but n, mean and df is None.

    Equal differences in all seeds (sd = 0) are a defined case: all zero gives t = 0, p = 1;
    a constant other than zero gives t = +-inf, p = 0 and an interval without width, which is
    the limit of sd -> 0 and says nothing more than `constant`.
    """

    n: int
    mean: float
    sd: float | None
    se: float | None
    t: float | None
    df: int
    p: float | None

    @property
    def constant(self) -> bool:
        """The same difference in every seed (and more than one seed)."""
        return self.sd == 0

    @property
    def identical(self) -> bool:
        """No difference in any seed (and more than one seed)."""
        return self.sd == 0 and self.mean == 0

    @property
    def dz(self) -> float | None:
        """Cohen's standardized difference of pairs, mean / sd; None where sd is 0 or not known."""
        return self.mean / self.sd if self.sd else None

    @property
    def gz(self) -> float | None:
        """Hedges' gz = J(n-1) dz; None for fewer than 3 seeds and where sd is 0."""
        correction = hedges_j(self.n - 1) if self.n > 1 else None
        return None if self.dz is None or correction is None else correction * self.dz

    def interval(self, alpha: float) -> Interval | None:
        """mean +- t(n-1) sd / sqrt(n) at level 1 - alpha; None with one seed."""
        return t_interval(self.mean, self.se, self.df, alpha)


def paired_t(d: Numbers) -> PairedT:
    """Two-sided paired t-test of mean 0. d: (n_seeds,).

    Source: Student (1908), The probable error of a mean. ValueError if d is empty, not 1-D
    or not finite.
    """
    values = differences(d)
    n = values.size
    if n == 1:
        return PairedT(1, float(values[0]), None, None, None, 0, None)
    if (values == values[0]).all():  # the float mean of equal numbers need not equal them
        mean, sd = float(values[0]) + 0.0, 0.0
    else:
        mean, sd = float(values.mean()), float(values.std(ddof=1))
    se = sd / sqrt(n)
    t, p = t_test(mean, se, n - 1)
    return PairedT(n, mean, sd, se, t, n - 1, p)


def hedges_j(v: int) -> float | None:
    """The small-sample correction J(v) = G(v/2) / (sqrt(v/2) G((v-1)/2)), v degrees of freedom.

    None for v = 1, where the uncorrected estimate has no mean. Source: Hedges (1981), eq. 6e.
    """
    at_least(v, 1, "v")
    if v == 1:
        return None
    return exp(special.gammaln(v / 2) - special.gammaln((v - 1) / 2) - log(v / 2) / 2)


def arms_correlation(a: Numbers, b: Numbers) -> float | None:
    """Pearson correlation of two arms over seeds; a, b: (n_seeds,), in the same order of seeds.

    None with fewer than 3 seeds and where an arm does not vary.
    """
    x, y = differences(a, "a"), differences(b, "b")
    same_shape(x, y, "a and b")
    if x.size < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    # Squares of values far from 1 leave the range of floats.
    x, y = (v if 1e-100 < np.ptp(v) < 1e100 else (v - v.mean()) / np.ptp(v) for v in (x, y))
    return float(np.clip(np.corrcoef(x, y)[0, 1], -1, 1))


@dataclass(frozen=True)
class Churn:
    """Shares (0 to 1) of test examples whose correctness changed from arm B to arm A.

    fixed: wrong under B, right under A; broken: right under B, wrong under A; means over seeds.
    """

    fixed: float
    broken: float

    @property
    def total(self) -> float:
        return self.fixed + self.broken


def churn(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> Churn:
    """Churn of arm A against arm B; a, b: bool (n_seeds, n_examples), correct or not.

    Source: Milani Fard et al. (2016), Launch and iterate. ValueError if shapes differ or are
    not 2-D and not empty.
    """
    a, b = np.asarray(a, dtype=bool), np.asarray(b, dtype=bool)
    same_shape(a, b, "a and b")
    if a.ndim != 2 or a.size == 0:
        raise ValueError(f"a and b: need (n_seeds, n_examples), found shape {a.shape}")
    return Churn(fixed=float((a & ~b).mean()), broken=float((b & ~a).mean()))
