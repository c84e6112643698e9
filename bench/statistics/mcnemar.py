"""Two model files on new examples: exact McNemar, and what a test set can resolve.

For one pair of models only. Never pool it over seeds: with models that vary, the pooled test
rejects far too often (34% instead of 5% at a between-seed SD of 0.8 pp where 10% of 5,000
examples differ).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, log2, sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from bench.statistics.checks import FloatArray, IntArray, Interval, at_least, open_unit


@dataclass(frozen=True)
class McNemar:
    """fixed: examples that only model A has right; broken: only model B; n: all examples."""

    fixed: int
    broken: int
    n: int
    p: float

    @property
    def difference(self) -> float:
        """Accuracy of A minus that of B, as a share (-1 to 1)."""
        return (self.fixed - self.broken) / self.n

    def interval(self, alpha: float) -> Interval:
        """Tango's (1998) score interval of the difference for new examples.

        Not exact but near its level also where few examples differ or none (1 - alpha is not a
        lower bound of its coverage). The exact interval given the number of discordant pairs
        (Clopper-Pearson, scaled) has no width upwards where all differ one way, so it is not
        used; at the border p and interval may disagree: p words the direction.
        """
        open_unit(alpha, "alpha")
        z = float(-special.ndtri(alpha / 2))
        return Interval(
            -_score_limit(self.broken, self.fixed, self.n, z),
            _score_limit(self.fixed, self.broken, self.n, z),
        )

    def smallest_significant(self, alpha: float) -> float | None:
        """The smallest |difference| (a share) with p <= alpha on as many discordant examples;
        None where no outcome could have been significant."""
        open_unit(alpha, "alpha")
        m = self.fixed + self.broken
        minority = np.arange(m // 2 + 1)
        significant = np.flatnonzero(2 * special.bdtr(minority, max(m, 1), 0.5) <= alpha)
        if m == 0 or significant.size == 0:
            return None
        return float(m - 2 * significant[-1]) / self.n


def mcnemar(fixed: int, broken: int, n: int) -> McNemar:
    """Exact two-sided McNemar test: binomial(fixed + broken, 1/2); no discordant pair gives 1.

    Source: McNemar (1947), with the exact binomial of Mosteller (1952). ValueError unless the
    counts are not negative and sum to at most n >= 1.
    """
    at_least(n, 1, "n")
    at_least(fixed, 0, "fixed")
    at_least(broken, 0, "broken")
    m = fixed + broken
    if m > n:
        raise ValueError(f"fixed + broken: found {m}, allowed: at most n = {n}")
    p = 1.0 if m == 0 else min(1.0, 2 * float(special.bdtr(min(fixed, broken), m, 0.5)))
    return McNemar(int(fixed), int(broken), int(n), p)


def _score_limit(b: int, c: int, n: int, z: float) -> float:
    """Upper limit of p_b - p_c: the largest delta with (b - c - n delta) >= -z SD0(delta)."""

    def slack(delta: float) -> float:
        return (b - c - n * delta) + z * float(_score_sd(b, c, n, delta))

    low, high = (b - c) / n, 1.0
    if slack(high) >= 0:
        return 1.0
    while high - low > 1e-12:
        middle = (low + high) / 2
        low, high = (middle, high) if slack(middle) >= 0 else (low, middle)
    return low


def _score_sd(b: ArrayLike, c: ArrayLike, n: int, delta: float) -> FloatArray:
    """SD of b - c where p_b - p_c = delta, with the constrained maximum-likelihood estimate of
    p_c: Tango's eq. 4. Elementwise over arrays of counts."""
    fixed, broken = np.asarray(b, dtype=np.float64), np.asarray(c, dtype=np.float64)
    linear = -fixed - broken + (2 * n - fixed + broken) * delta
    constant = -broken * delta * (1 - delta)
    root = np.sqrt(np.maximum(linear**2 - 8 * n * constant, 0.0))
    p_c = np.maximum((root - linear) / (4 * n), 0.0)
    sd: FloatArray = np.sqrt(np.maximum(n * (2 * p_c + delta * (1 - delta)), 0.0))
    return sd


def score_z(fixed: ArrayLike, broken: ArrayLike, n: int, difference: float) -> FloatArray:
    """Tango's (1998) score statistic of a true difference (a share), elementwise over counts.

    (fixed - broken - n difference) / SD: McNemar.interval(alpha) holds the differences with
    |z| <= z(alpha / 2). 0 where no example is discordant and the difference is 0. ValueError
    unless -1 < difference < 1.
    """
    at_least(n, 1, "n")
    if not -1 < difference < 1:
        raise ValueError(f"difference: found {difference}, allowed: above -1, below 1")
    distance = np.asarray(fixed, np.float64) - np.asarray(broken, np.float64) - n * difference
    sd = _score_sd(fixed, broken, n, difference)
    z: FloatArray = np.divide(distance, sd, out=np.zeros_like(sd), where=sd > 0)
    return z


def fewest_discordant(alpha: float) -> int:
    """The fewest discordant examples with which an exact p can be <= alpha."""
    return ceil(1 - log2(open_unit(alpha, "alpha")) - 1e-12)


def discordant_pmf(discordance: float, n: int) -> tuple[IntArray, FloatArray]:
    """Numbers of discordant examples among n and their binomial probabilities, all but 1e-12."""
    spread = 7.5 * sqrt(n * discordance * (1 - discordance)) + 25
    low = max(int(n * discordance - spread), 0)
    m = np.arange(low, min(int(n * discordance + spread) + 1, n) + 1)
    log_pmf = (
        special.gammaln(n + 1) - special.gammaln(m + 1) - special.gammaln(n - m + 1)
        + special.xlogy(m, discordance) + special.xlogy(n - m, 1 - discordance)
    )  # fmt: skip
    return m, np.exp(log_pmf)


def power_mcnemar(difference: float, discordance: float, n: int, alpha: float) -> float:
    """Power of the exact McNemar test on n examples.

    difference: the true one, a share; discordance: the share of examples on which the models
    differ in correctness, |difference| <= discordance <= 1. Summed over the binomial number of
    discordant examples (all but 1e-12 of it); not conditional, not approximate.
    """
    open_unit(alpha, "alpha")
    at_least(n, 1, "n")
    if not 0 < discordance <= 1:
        raise ValueError(f"discordance: found {discordance}, allowed: above 0, at most 1")
    if not abs(difference) <= discordance:
        raise ValueError(
            f"difference: found {difference}, allowed: at most discordance = {discordance}"
        )
    m, pmf = discordant_pmf(discordance, n)
    m, pmf = m[m > 0], pmf[m > 0]
    # the largest minority that is significant among m; -1 where none is
    minority = np.floor(special.bdtrik(alpha / 2, m, 0.5) + 1e-9)
    minority = np.where(2 * special.bdtr(np.maximum(minority, 0), m, 0.5) <= alpha, minority, -1)
    share = (1 + difference / discordance) / 2
    rejects = np.where(
        minority >= 0,
        special.bdtr(np.maximum(minority, 0), m, share)
        + special.bdtr(np.maximum(minority, 0), m, 1 - share),
        0.0,
    )
    return float(min((pmf * rejects).sum(), 1.0))


def detectable_difference_two_files(
    discordance: float, n: int, alpha: float, power: float = 0.8
) -> float | None:
    """The smallest true difference (a share) that one pair of models on n examples shows.

    Arguments as for power_mcnemar; None where not even the largest possible, that all
    discordant examples fall one way, reaches the power.
    """
    open_unit(power, "power")
    if power_mcnemar(discordance, discordance, n, alpha) < power:
        return None
    low, high = 0.0, discordance
    while high - low > 1e-9 * discordance:
        middle = (low + high) / 2
        enough = power_mcnemar(middle, discordance, n, alpha) >= power
        low, high = (low, middle) if enough else (middle, high)
    return high


MOST_EXAMPLES = 10**6
"""Larger test sets are not searched for: exact sums would take long, and none is as large."""


def examples_needed(
    difference: float, discordance: float, alpha: float, power: float = 0.8
) -> int | None:
    """Test examples with which exact McNemar on two files has the power, one fewer has not.

    difference, discordance: shares, as for power_mcnemar. None beyond MOST_EXAMPLES.
    The exact test's power is no quite rising function of the examples: a few fewer may do.
    """

    def enough(n: int) -> bool:
        return power_mcnemar(difference, discordance, n, alpha) >= power

    # The normal approximation (Connor 1987) says where to look; the exact sums say where it is.
    z_alpha, z_power = -float(special.ndtri(alpha / 2)), float(special.ndtri(power))
    spread = z_alpha * sqrt(discordance) + z_power * sqrt(discordance - difference**2)
    return fewest_examples(enough, ceil((max(spread, 0.0) / difference) ** 2))


def fewest_examples(enough: Callable[[int], bool], near: int) -> int | None:
    """Test examples that are enough where one fewer is not, looked for from `near` on.

    None where near is beyond MOST_EXAMPLES, or what is enough would be.
    """
    near = max(8, near)
    if near > MOST_EXAMPLES:
        return None
    low, high = near, near
    while low and enough(low):
        low = low - 1 - low // 20
    while not enough(high):
        high += 1 + high // 20
        if high > 2 * MOST_EXAMPLES:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def largest_churn(
    difference: float, examples: int, alpha: float, power: float = 0.8
) -> float | None:
    """The largest share of discordant examples at which two files' difference, a share, is
    detected with the power; None if it is not even where all of them fall one way."""

    def enough(churn: float) -> bool:
        return power_mcnemar(difference, churn, examples, alpha) >= power

    if not enough(difference):
        return None
    low, high = difference, 1.0
    if enough(high):
        return high
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if enough(middle) else (low, middle)
    return low
