"""How many seeds: power of the paired t-test and of equivalence, solved in each argument.

`dz` is the true mean difference in units of the SD of the differences over seeds; n, the number
of seeds, may be fractional. Nothing here takes an observed mean ("observed power").
"""

from collections.abc import Callable
from math import ceil, inf, sqrt

import numpy as np
from scipy import special

from bench.statistics.checks import FloatArray, at_least, open_unit, positive

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)
_NORMAL_FROM = 1e6  # degrees of freedom; the t and normal powers then differ by less than 1e-6


def _expect_over_sd(
    v: float, g: Callable[[FloatArray], FloatArray], jump: float, width: float, end: float = inf
) -> float:
    """E[g(s); s <= end] over s = sqrt(chi2_v / v), the sample SD in units of the true one.

    Gauss-Legendre on panels that follow the density and g, which changes around `jump` over a
    few `width`. Never nan, unlike series for the noncentral t at large noncentrality.
    """
    low = sqrt(2 * special.gammaincinv(v / 2, 1e-17) / v)
    high = min(sqrt(2 * special.gammainccinv(v / 2, 1e-17) / v), end)
    if high <= low:
        return 0.0
    spread = 1 / sqrt(2 * v)
    edges = [jump + k * width for k in (-8, -2, 0, 2, 8)] + [1 + k * spread for k in (-3, 0, 3)]
    edges = [low, *sorted(edge for edge in edges if low < edge < high), high]
    left, right = np.array(edges[:-1])[:, None], np.array(edges[1:])[:, None]
    s = (left + right) / 2 + (right - left) / 2 * _NODES
    log_density = (
        np.log(2) + v / 2 * np.log(v / 2) - special.gammaln(v / 2)
        + (v - 1) * np.log(s) - v * s**2 / 2
    )  # fmt: skip
    return float(((right - left) / 2 * _WEIGHTS * np.exp(log_density) * g(s)).sum())


def power_paired_t(dz: float, n: float, alpha: float) -> float:
    """Power of the two-sided paired t-test at level alpha with n >= 2 seeds.

    P(|T| > t(n-1, 1 - alpha/2)) for noncentral T with noncentrality dz sqrt(n), integrated over
    the sample SD. ValueError names an argument out of range.
    """
    open_unit(alpha, "alpha")
    _pairs(n)
    v, nc = n - 1, abs(dz) * sqrt(n)
    if v > _NORMAL_FROM:
        z = float(-special.ndtri(alpha / 2))
        return float(special.ndtr(nc - z) + special.ndtr(-nc - z))
    t = float(-special.stdtrit(v, alpha / 2))
    if t == 0:
        return 1.0
    power = _expect_over_sd(
        v, lambda s: special.ndtr(nc - t * s) + special.ndtr(-nc - t * s), nc / t, 1 / t
    )
    return min(power, 1.0)


def power_equivalence(margin: float, n: float, alpha: float, true_dz: float = 0.0) -> float:
    """Power of two one-sided t-tests, each at alpha, to show |mean| < margin with n >= 2 seeds.

    margin and true_dz in units of the SD over seeds. Exact (the joint probability, not the sum
    of the two tests'): Phillips (1990), Power of the two one-sided tests procedure.
    """
    open_unit(alpha, "alpha")
    positive(margin, "margin")
    _pairs(n)
    v, near, far = n - 1, (margin - true_dz) * sqrt(n), (margin + true_dz) * sqrt(n)
    if v > _NORMAL_FROM:
        z = float(-special.ndtri(alpha))
        return max(0.0, float(special.ndtr(near - z) - special.ndtr(z - far)))
    t = float(-special.stdtrit(v, alpha))
    if t <= 0:
        raise ValueError(f"alpha: found {alpha}, allowed: below 0.5 for a one-sided test")
    power = _expect_over_sd(
        v,
        lambda s: special.ndtr(near - t * s) - special.ndtr(t * s - far),
        min(near, far) / t,
        1 / t,
        end=(near + far) / (2 * t),
    )
    return min(max(power, 0.0), 1.0)


def n_for_power(dz: float, alpha: float, power: float = 0.8) -> float:
    """The (fractional) number of pairs that gives the power; at least 2, inf for dz = 0."""
    _reachable(alpha, power)
    if dz == 0:
        return inf
    return _smallest(lambda n: power_paired_t(dz, n, alpha) >= power, start=2.0)


def n_for_equivalence(margin: float, alpha: float, power: float = 0.8) -> float:
    """The (fractional) pairs that show equivalence within margin when the true difference is 0."""
    open_unit(power, "power")
    return _smallest(lambda n: power_equivalence(margin, n, alpha) >= power, start=2.0)


def dz_for_power(n: float, alpha: float, power: float = 0.8) -> float:
    """The standardized difference that n seeds detect with the power."""
    _reachable(alpha, power)
    return _smallest(lambda dz: power_paired_t(dz, n, alpha) >= power, start=1e-12)


def seeds_needed(delta: float, sd: float, alpha: float, power: float = 0.8) -> int:
    """Seeds to detect a true difference of delta with the power; at least 2.

    delta > 0 and sd >= 0 (of the differences over seeds) in one unit; alpha two-sided, the
    family's (alpha / m). The exact test may need more: see families.fewest_seeds.
    """
    positive(delta, "delta")
    return 2 if _sd(sd) == 0 else _whole(n_for_power(delta / sd, alpha, power))


def seeds_needed_equivalence(delta: float, sd: float, alpha: float, power: float = 0.8) -> int:
    """Seeds to show equivalence within delta if the true difference is 0; at least 2.

    alpha is that of each one-sided test (the family's, alpha / m); else as seeds_needed.
    """
    positive(delta, "delta")
    return 2 if _sd(sd) == 0 else _whole(n_for_equivalence(delta / sd, alpha, power))


def detectable_difference(
    n_seeds: int, sd: float, alpha: float, power: float = 0.8
) -> float | None:
    """The true difference, in sd's unit, that n_seeds detect with the power; None for one seed."""
    at_least(n_seeds, 1, "n_seeds")
    return None if n_seeds == 1 else dz_for_power(n_seeds, alpha, power) * _sd(sd)


def equivalence_margin(n_seeds: int, sd: float, alpha: float, power: float = 0.8) -> float | None:
    """The smallest margin within which n_seeds show a true 0 with the power; None for one seed."""
    at_least(n_seeds, 1, "n_seeds")
    open_unit(power, "power")
    if n_seeds == 1:
        return None
    margin = _smallest(lambda m: power_equivalence(m, n_seeds, alpha) >= power, start=1e-12)
    return margin * _sd(sd)


def _smallest(enough: Callable[[float], bool], start: float) -> float:
    """The smallest x >= start with enough(x), for `enough` that stays true once it is."""
    if enough(start):
        return start
    low, high = start, max(2 * start, 1.0)
    while not enough(high):
        low, high = high, 2 * high
    while high - low > 1e-13 * high:
        middle = (low + high) / 2
        if enough(middle):
            high = middle
        else:
            low = middle
    return high


def _pairs(n: float) -> None:
    if not 2 <= n < inf:
        raise ValueError(f"n: found {n}, allowed: finite and at least 2 seeds")


def _sd(sd: float) -> float:
    if not 0 <= sd < inf:
        raise ValueError(f"sd: found {sd}, allowed: finite and not negative")
    return sd


def _reachable(alpha: float, power: float) -> None:
    open_unit(alpha, "alpha")
    open_unit(power, "power")
    if power <= alpha:
        raise ValueError(f"power: found {power}, allowed: above alpha = {alpha}")


def _whole(n: float) -> int:
    return ceil(n * (1 - 1e-11))  # the root is known to that accuracy
