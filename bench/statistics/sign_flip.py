"""The exact check of the t-test: sign flips of the differences, their interval, Wilcoxon's ranks.

No Monte Carlo: the null distribution is summed over all 2**n_seeds sign patterns. The
differences need only be symmetric about 0 (about the interval's value); zeros and ties are exact.
"""

from math import floor, inf

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bench.statistics.checks import (
    FloatArray,
    IntArray,
    Interval,
    Numbers,
    at_least,
    differences,
    open_unit,
)
from bench.statistics.paired import paired_t

_PAIRED_UP_TO = 40  # seeds; two sorted lists of 2**20 half sums
_COUNTED_UP_TO = 2e7  # sum of the differences: 1,000 seeds of 20,000 test examples
_LISTED_UP_TO = 16  # seeds; 65,536 subset means
_GRID = 4_000  # steps from 0 to the largest real difference, for more seeds than those
_FINEST = 64  # steps per unit (one test example) of the interval's ends
_WORK = 2e7  # additions per p-value that the interval may take to be finer than one unit


def smallest_p(n_seeds: int) -> float:
    """The smallest p that a two-sided sign-flip test of n_seeds can give: 2 / 2**n_seeds."""
    return float(2.0 ** (1 - at_least(n_seeds, 1, "n_seeds")))


def sign_flip_p(d: Numbers) -> float:
    """Exact two-sided sign-flip p: are paired differences symmetric about 0?

    d: (n_seeds,), best as integers (correct test examples of arm A minus arm B). Dynamic
    programming over whole numbers; real ones (and whole ones of more than 2e7 in all) are summed
    exactly for up to 40 seeds, and for more on a grid of 1/4,000 of the largest. All zeros give
    1, the smallest p is 2 / 2**n_seeds. ValueError if d is empty, not 1-D or not finite.
    Source: Fisher (1935), The Design of Experiments, section 21.
    """
    values = differences(d)
    if _countable(values):
        return _whole_sign_flip_p(values.astype(np.int64))
    if values.size <= _PAIRED_UP_TO:
        return _real_sign_flip_p(values)
    return _whole_sign_flip_p(np.rint(values * (_GRID / abs(values).max())).astype(np.int64))


def _countable(d: FloatArray) -> bool:
    """Whole numbers whose sum an array can be indexed by."""
    return np.array_equal(np.rint(d), d) and float(abs(d).sum()) <= _COUNTED_UP_TO


def _whole_sign_flip_p(d: IntArray) -> float:
    observed = abs(int(d.sum()))
    if observed == 0:
        return 1.0
    # |signed sum| >= observed <=> one of the two tails of the sum of a random subset of |d|
    steps = abs(d)
    return min(1.0, 2 * lower_tail(steps, (int(steps.sum()) - observed) // 2))


def lower_tail(steps: IntArray, limit: int) -> float:
    """P(sum of a random subset of steps <= limit), every subset equally likely.

    steps: non-negative int64 (n,). Only sums up to limit are held. All terms are non-negative,
    so that tiny tails keep their relative accuracy.
    """
    if limit < 0:
        return 0.0
    scale = int(np.gcd.reduce(steps)) or 1
    steps, limit = np.sort(steps) // scale, limit // scale
    counts = np.zeros(min(limit, int(steps.sum())) + 1)
    counts[0] = 1.0
    reach = 1  # counts are zero from here on
    for done, step in enumerate(steps.tolist(), start=1):
        grown = min(reach + step, counts.size)
        if step < grown:
            counts[step:grown] += counts[: grown - step].copy()
        reach = grown
        if done % 512 == 0:  # before 2**n overflows
            counts *= 2.0**-512
    return float(counts.sum() * 2.0 ** -(steps.size % 512))


def _real_sign_flip_p(d: FloatArray) -> float:
    """By halves: every signed sum is one of the first half's plus one of the second's."""
    half = d.size // 2
    first, second = _signed_sums(d[:half]), np.sort(_signed_sums(d[half:]))
    # Sums that are equal but for rounding count as ties; whole numbers are summed exactly.
    whole = bool((np.rint(d) == d).all()) and float(abs(d).sum()) < 2**53
    rounding = 0.5 if whole else 1e-9 * abs(d).sum()
    threshold = abs(d.sum()) - rounding
    if threshold <= 0:
        return 1.0
    reaching = second.size - np.searchsorted(second, threshold - first, side="left")
    return min(1.0, 2 * float(reaching.sum()) / 2.0**d.size)


def _signed_sums(d: FloatArray) -> FloatArray:
    sums = np.zeros(1)
    for value in d:
        sums = np.concatenate([sums - value, sums + value])
    return sums


def sign_flip_interval(d: Numbers, alpha: float) -> Interval | None:
    """The shifts mu that the exact sign-flip test of d - mu does not reject at alpha.

    d: (n_seeds,), best as integers; the ends are in its unit. Up to 16 seeds they are exact:
    means of subsets of the seeds (Hartigan 1969, Using subsample values as typical values). For
    more, p-values on a grid of 1/64 to 1 unit (1/4,000 of the range for real differences)
    bracket each end and the normal quantile of p is interpolated between the two. Infinite
    where alpha < 2 / 2**n_seeds; None with one seed.
    """
    values = differences(d)
    open_unit(alpha, "alpha")
    if values.size == 1:
        return None
    if alpha < smallest_p(values.size):
        return Interval(-inf, inf)
    if (values == values[0]).all():
        return Interval(float(values[0]), float(values[0]))
    if values.size <= _LISTED_UP_TO:
        return Interval(_listed_end(values, alpha), -_listed_end(-values, alpha))
    unit = 1.0 if _countable(values) else float(np.ptp(values)) / _GRID
    shift = float(np.rint(values.mean() / unit))
    whole = (np.rint(values / unit) - shift).astype(np.int64)
    low, high = _bracketed_end(whole, alpha), -_bracketed_end(-whole, alpha)
    return Interval((low + shift) * unit, (high + shift) * unit)


def _listed_end(d: FloatArray, alpha: float) -> float:
    """Lower end. p(mu) = 2 (1 + #{subsets with mean <= mu}) / 2**n while mu is below the mean."""
    sums, sizes = np.zeros(1), np.zeros(1)
    for value in d:
        sums, sizes = np.concatenate([sums, sums + value]), np.concatenate([sizes, sizes + 1])
    means = sums[1:] / sizes[1:]
    rank = floor(alpha / 2 * sums.size * (1 + 1e-12))  # of the first mean with p > alpha
    return float(min(np.partition(means, rank - 1)[rank - 1], d.mean()))


def _bracketed_end(d: IntArray, alpha: float) -> float:
    """Lower end for whole d of any number of seeds; d's mean is near 0."""
    fine = int(np.clip(_WORK / (d.size * abs(d).sum() / 4 + 1), 1, _FINEST))
    target = special.ndtri(alpha / 2)

    def excess(q: int) -> float:  # rises with q; 0 where p = alpha; q counts 1/fine
        return float(special.ndtri(_whole_sign_flip_p(fine * d - q) / 2) - target)

    t = paired_t(d).interval(alpha)
    assert t is not None
    center = float(d.mean()) * fine
    guess = floor(t.low * fine)
    below, above = -inf, inf
    value_below, value_above = -inf, inf
    step, tries = 1, 0
    while above - below > 1:
        value, tries = excess(guess), tries + 1
        if value <= 0:
            below, value_below = guess, value
        else:
            above, value_above = guess, value
        if below == -inf or above == inf:
            guess += step if value <= 0 else -step
            guess, step = min(guess, floor(center)), 2 * step
            if above == inf and guess == below:  # p stays <= alpha up to the mean itself
                above, value_above = center, -target
                break
        else:  # the chord's zero; every other time, where p has steps, the middle
            slope = (value_above - value_below) / (above - below)
            chord = np.isfinite(slope) and tries % 2 == 1
            aim = below - value_below / slope if chord else (below + above) / 2
            guess = int(np.clip(round(aim), below + 1, above - 1))
    if not np.isfinite(value_below):
        return above / fine
    return (below - value_below * (above - below) / (value_above - value_below)) / fine


def wilcoxon_p(d: Numbers) -> float:
    """Exact two-sided Wilcoxon signed-rank p; d: (n_seeds,), best as integers.

    Zeros are dropped (zero_method "wilcox"), ties share their midrank; then it is the sign-flip
    test of the signed (doubled) ranks. Only zeros give 1. Source: Wilcoxon (1945); Pratt &
    Gibbons (1981), Concepts of Nonparametric Theory, for ties. Equal real numbers must be equal
    bits to be ties.
    """
    values = differences(d)
    values = values[values != 0]
    if values.size == 0:
        return 1.0
    return _whole_sign_flip_p(np.sign(values).astype(np.int64) * _doubled_midranks(abs(values)))


def _doubled_midranks(x: FloatArray) -> IntArray:
    _, group, size = np.unique(x, return_inverse=True, return_counts=True)
    last = np.cumsum(size)  # ranks of a group are last - size + 1 ... last
    doubled: NDArray[np.int64] = (2 * last - size + 1)[group]
    return doubled
