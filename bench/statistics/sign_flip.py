"""The exact check of the t-test: sign flips of the differences, their interval, Wilcoxon's ranks.

No Monte Carlo: the null distribution is summed over all 2**n_seeds sign patterns. The
differences need only be symmetric about 0 (about the interval's value); zeros and ties are exact.
"""

from math import floor, fsum, inf

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
from bench.statistics.spectrum import lower_tail_by_frequency
from bench.statistics.subset_sums import lower_tail_of_many

_PAIRED_UP_TO = 40  # seeds; two sorted lists of 2**20 half sums
_COUNTED_UP_TO = 2e7  # sum of the differences: 1,000 seeds of 20,000 test examples
_LISTED_UP_TO = 16  # seeds; 65,536 subset means
_INTERVAL_PAIRED_UP_TO = 24  # seeds, where p is needed for many shifts
_GRID = (4_000, 64_000)  # fewest and most steps from 0 to the largest real difference on the grid
_GRID_WORK = 4e6  # additions per p-value for which the grid is made finer
_OUTLIER = 40  # times the median difference: what is larger does not go on the grid
_OUTLIERS = 14  # at most; all their sign patterns are listed
_ROUNDING = 1e-12  # relative; sums that are equal but for it count as ties
_FINEST = 64  # steps per unit (one test example) of the interval's ends
_SOME = 1e7  # additions, from which on a tail from few frequencies is faster
_FACTORS = 500_000  # that such a tail may take; a factor takes as long as some 200 additions
_MANY = 1e8  # additions
_WORK = 2e7  # additions per p-value that the interval may take to be finer than one unit


def smallest_p(n_seeds: int) -> float:
    """The smallest p that a two-sided sign-flip test of n_seeds can give: 2 / 2**n_seeds."""
    return float(2.0 ** (1 - at_least(n_seeds, 1, "n_seeds")))


def sign_flip_p(d: Numbers) -> float:
    """Exact two-sided sign-flip p: are paired differences symmetric about 0?

    d: (n_seeds,), best as integers (correct test examples of arm A minus arm B). Dynamic
    programming over whole numbers, with many seeds Fourier inversion; real ones (and whole ones of
    more than 2e7 in all) are summed exactly for up to 40 seeds, and for more on a grid: see
    sums_exactly. All zeros give 1, the smallest p is 2 / 2**n_seeds. ValueError if d is empty, not
    1-D or not finite.
    Source: Fisher (1935), The Design of Experiments, section 21.
    """
    values = differences(d)
    if _countable(values):
        return _whole_sign_flip_p(values.astype(np.int64))
    return _real_sign_flip_p(values, _PAIRED_UP_TO)


def sums_exactly(d: Numbers) -> bool:
    """Is sign_flip_p of these differences exact? Else they were rounded to a grid, and say so.

    Whole numbers always (up to 2e7 in all), real ones up to 40 seeds. The grid has 4,000 steps or
    more from 0 to the largest difference; up to 14 outliers, beyond 40 times the median, stay off
    it, so that one diverged seed does not make all others zero.
    """
    values = differences(d)
    return _countable(values) or values.size <= _PAIRED_UP_TO


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
    steps, limit = steps // scale, limit // scale
    work = steps.size * limit
    if work > _SOME:
        found = lower_tail_by_frequency(steps, limit, min(work // 200, _FACTORS))
        if found is not None:
            return found
    if work > _MANY:
        return lower_tail_of_many(steps, limit)
    counts, unit = _subset_sums(steps, limit)
    return float(counts.sum() * unit)


def _subset_sums(steps: IntArray, limit: int) -> tuple[FloatArray, float]:
    """How many subsets have each of the sums 0 ... limit (at most all), and one's probability.

    Both scaled by a power of two where there are too many subsets to count.
    """
    steps = np.sort(steps)
    counts = np.zeros(min(limit, int(steps.sum())) + 1)
    counts[0] = 1.0
    grow = np.zeros_like(counts)
    reach = 1  # counts are zero from here on
    for done, step in enumerate(steps.tolist(), start=1):
        grown = min(reach + step, counts.size)
        if step < grown:
            grow[:step] = counts[:step]
            np.add(counts[step:grown], counts[: grown - step], out=grow[step:grown])
            counts, grow = grow, counts
        reach = grown
        if done % 512 == 0:  # before 2**n overflows
            counts *= 2.0**-512
    return counts, 2.0 ** -(steps.size % 512)


def _real_sign_flip_p(d: FloatArray, exact_up_to: int) -> float:
    """Turned so that the sum is positive, a pattern reaches it where the flipped ones sum to <= 0.

    In this form an outlier of 1e20 costs the sums without it no digit. The largest differences
    come first: their subsets are listed, with what is rounding beside each.
    """
    if fsum(d) < 0:
        d = -d
    d = d[np.argsort(-abs(d), kind="stable")]
    listed = (d.size + 1) // 2 if d.size <= exact_up_to else _outliers(abs(d))
    sums, sizes = np.zeros(1), np.zeros(1)
    for value in d[:listed].tolist():
        sums = np.concatenate([sums, sums + value])
        sizes = np.concatenate([sizes, sizes + abs(value)])
    rest = d[listed:]
    if d.size <= exact_up_to:
        other = _sorted_subset_sums(rest)
        limits = np.sort(_ROUNDING * (sizes + abs(rest).sum()) - sums)
        reaching = np.searchsorted(other, limits, side="right")
        return min(1.0, 2 * float(reaching.sum()) / 2.0**d.size)
    largest, total = float(abs(rest).max()), float(abs(rest).sum())
    if largest == 0:
        return min(1.0, 2 * float(np.mean(sums <= _ROUNDING * sizes)))
    grid = float(np.clip(2 * _GRID_WORK * largest / (rest.size * total), *_GRID)) / largest
    steps = np.rint(rest * grid).astype(np.int64)
    # with k of the flipped ones' sum on the grid: k <= limit, shifted by all that are negative
    limits = np.floor((_ROUNDING * sizes - sums) * grid + 1e-9) - float(steps[steps < 0].sum())
    top = float(abs(steps).sum())
    if limits.size == 1:
        return min(1.0, 2 * lower_tail(abs(steps), int(min(limits[0], top))))
    counts, unit = _subset_sums(abs(steps), int(np.clip(limits.max(), 0, top)))
    tails = np.cumsum(counts) * unit
    index = np.clip(limits, 0, tails.size - 1).astype(np.int64)
    return min(1.0, 2 * float(np.where(limits < 0, 0.0, tails[index]).mean()))


def _outliers(sizes: FloatArray) -> int:
    """How many of the sizes (n,), the largest first, are too large for the others' grid."""
    for k in range(_OUTLIERS):
        others = sizes[k:][sizes[k:] > 0]
        if others.size == 0 or others[0] <= _OUTLIER * np.median(others):
            return k
    return _OUTLIERS


def _sorted_subset_sums(d: FloatArray) -> FloatArray:
    sums = np.zeros(1)
    for value in d.tolist():
        sums = np.sort(np.concatenate([sums, sums + value]), kind="stable")  # merges two runs
    return sums


def sign_flip_interval(d: Numbers, alpha: float) -> Interval | None:
    """The shifts mu that the exact sign-flip test of d - mu does not reject at alpha.

    d: (n_seeds,), best as integers; the ends are in its unit. Up to 16 seeds they are exact:
    means of subsets of the seeds (Hartigan 1969, Using subsample values as typical values). For
    more, whole numbers: p-values on a grid of 1/64 to 1 unit bracket each end and the normal
    quantile of p is interpolated between the two; real ones: bisection, exact up to 24 seeds, with
    p-values from the grid of sums_exactly beyond. Infinite where alpha < 2 / 2**n_seeds; None with
    one seed.
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
    if not _countable(values):
        end = _bisected_end if values.size <= _INTERVAL_PAIRED_UP_TO else _enclosed_end
        return Interval(end(values, alpha), -end(-values, alpha))
    shift = float(np.rint(values.mean()))
    whole = (values - shift).astype(np.int64)
    low, high = _bracketed_end(whole, alpha), -_bracketed_end(-whole, alpha)
    return Interval(low + shift, high + shift)


def _bisected_end(d: FloatArray, alpha: float) -> float:
    """Lower end for real d: below the smallest p is 2 / 2**n, at the mean it is 1."""
    below, above = float(d.min() - np.ptp(d)), float(d.mean())
    for _ in range(50):
        middle = (below + above) / 2
        kept = _real_sign_flip_p(d - middle, _INTERVAL_PAIRED_UP_TO) > alpha
        below, above = (below, middle) if kept else (middle, above)
    return above


def _enclosed_end(d: FloatArray, alpha: float) -> float:
    """The same for many seeds, whose p hardly has steps: by regula falsi (Illinois) on the normal
    quantile of p, to 1/100,000 of a robust standard error; where that is slow, by bisection."""
    target = float(special.ndtri(alpha / 2))

    def excess(mu: float) -> float:
        p = _real_sign_flip_p(d - mu, _INTERVAL_PAIRED_UP_TO)
        return max(float(special.ndtri(p / 2)), -40.0) - target

    t = paired_t(d).interval(alpha)
    assert t is not None
    half = (t.high - t.low) / 2
    near = 1e-5 * (float(np.median(abs(d - np.median(d)))) / d.size**0.5 or half)
    above, value_above = float(d.mean()), -target
    below = t.low - half / 8
    while (value_below := excess(below)) > 0:
        above, value_above = below, value_below
        below -= half
    kept, tries = 0, 0  # kept: which end stayed last time
    while above - below > max(near, 1e-15 * abs(above)):
        guess, tries = (below + above) / 2, tries + 1
        if tries <= 12:
            guess = below + (above - below) * value_below / (value_below - value_above)
            guess = float(np.clip(guess, below + near / 4, above - near / 4))
        value = excess(guess)
        if value > 0:
            above, value_above = guess, value
            value_below /= 1 + (kept > 0)
            kept = 1
        else:
            below, value_below = guess, value
            value_above /= 1 + (kept < 0)
            kept = -1
    return above


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
