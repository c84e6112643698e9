"""Tails of the sum of a random subset of many whole numbers, such as 1,000 ranks.

The sums of each half of the steps are counted by dynamic programming, and the two are joined. Of
each half only sums are held that can matter: most of a tail's subsets lie near its limit, and a
partial sum that would have to be made up for is improbable among them.
"""

import numpy as np

from bench.statistics.checks import FloatArray, IntArray
from bench.statistics.spectrum import shares, tilt_of

_SPREADS = 9.0
"""Standard deviations within which sums are held: what is left out is less than 2 exp(-81 / 2) of
the tail per step (Hoeffding 1963, theorem 2)."""

_RESCALED_EVERY = 512  # steps, before 2**n overflows


def lower_tail_of_many(steps: IntArray, limit: int) -> float:
    """P(sum of a random subset of steps <= limit), every subset equally likely.

    steps: non-negative int64 (n,), not all 0; limit: from 0 to half of their sum. All terms are
    non-negative, so that tiny tails keep their relative accuracy.
    """
    steps = np.sort(steps)
    share = shares(steps, tilt_of(steps, limit))  # in a subset whose sum is near the limit
    (low_a, a), (low_b, b) = (_counted(steps[i::2], share[i::2], limit) for i in (0, 1))
    below = np.cumsum(b)  # of a sum of the second half
    reached = limit - low_b - (low_a + np.arange(a.size))  # what it may be, beside the first's sum
    kept = reached >= 0
    return float(a[kept] @ below[np.minimum(reached[kept], below.size - 1)])


def _counted(steps: IntArray, share: FloatArray, limit: int) -> tuple[int, FloatArray]:
    """The smallest sum that is held, and the probability of each sum from there on."""
    mean, spread = np.cumsum(share * steps), np.sqrt(np.cumsum(steps.astype(np.float64) ** 2)) / 2
    lows = np.minimum.accumulate(np.maximum(mean - _SPREADS * spread, 0)[::-1])[::-1]
    highs = np.ceil(mean + _SPREADS * spread)
    counts = np.zeros(min(limit, int(steps.sum())) + 1)
    counts[0] = 1.0
    grown = np.empty_like(counts)
    low, high = 0, 0  # what is held of counts
    for done, (step, least, most) in enumerate(
        zip(steps.tolist(), lows.astype(np.int64).tolist(), highs.tolist(), strict=True), start=1
    ):
        top = min(int(most), high + step, counts.size - 1)
        both = max(least, low + step)  # from here on a subset may have the step or not
        if both <= high:
            grown[least:both] = counts[least:both]
            np.add(
                counts[both : high + 1],
                counts[both - step : high + 1 - step],
                out=grown[both : high + 1],
            )
            grown[high + 1 : top + 1] = counts[high + 1 - step : top + 1 - step]
        else:
            grown[least : high + 1] = counts[least : high + 1]
            grown[high + 1 : both] = 0  # nothing has so much
            if both <= top:
                grown[both : top + 1] = counts[both - step : top + 1 - step]
        counts, grown = grown, counts
        low, high = least, top
        if done % _RESCALED_EVERY == 0:
            counts[low : high + 1] *= 2.0**-_RESCALED_EVERY
    return low, counts[low : high + 1] * 2.0 ** -(steps.size % _RESCALED_EVERY)
