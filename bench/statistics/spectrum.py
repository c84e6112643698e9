"""Tails of the sum of a random subset of hundreds of whole numbers, from few frequencies.

A tail is a sum over the frequencies of the sum's characteristic function (Fourier inversion on the
lattice of whole numbers). With hundreds of steps that function is nearly 0 at all but a few
frequencies near 0, which a bound on it finds: what stays out is less than rounding, and proved to
be. Where the bound does not find it so, there is no answer here.
"""

from math import ceil, exp, pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.statistics.checks import FloatArray, IntArray

_SPREADS = 10.0
"""Standard deviations to either side within which sums are told apart: what is beyond is less than
2 exp(-100 / 2) of the subsets, as they are tilted (Hoeffding 1963, theorem 2)."""

_NOTHING = 1e-24
"""Of the characteristic function: what is smaller stays out."""

_SAMPLES = 8
"""Frequencies per step of the largest number at which the bound is taken."""


def lower_tail_by_frequency(steps: IntArray, limit: int, most: int) -> float | None:
    """P(sum of a random subset of steps <= limit), every subset equally likely; None where it would
    take more than `most` factors.

    steps: non-negative int64 (n,), not all 0; limit: from 0 to half of their sum. Exact but for
    rounding: subsets are tilted so that their mean is the limit (Esscher 1932), so that tiny tails
    keep their relative accuracy.
    """
    steps = steps[steps > 0]
    tilt = tilt_of(steps, limit)
    share = shares(steps, tilt)
    spread = float(np.sqrt(np.sum(steps.astype(np.float64) ** 2)) / 2)
    period = min(int(steps.sum()) + 1, ceil(2 * _SPREADS * spread)) | 1
    at = _frequencies(steps, share, period, most // steps.size)
    if at is None:
        return None
    turn = 2 * pi / period
    turns = np.outer(at, steps)
    if int(at[-1]) * int(steps.max()) > period:
        turns %= period  # whole turns are taken off as whole numbers: so they cost no digit
    half = turn / 2 * turns
    sine = np.sin(half)
    weighted = 2 * share * sine
    factors = np.empty(half.shape, np.complex128)  # 1 - share + share exp(2i half)
    factors.real = 1 - weighted * sine
    factors.imag = weighted * np.cos(half)
    within = min(limit + 1, (period + 1) // 2)  # sums from the limit down
    ends = np.expm1(-tilt * within + 1j * turn * (at * within % period))
    each = -tilt + 1j * turn * at
    whole = within if tilt == 0 else np.expm1(-tilt * within) / np.expm1(-tilt)
    summed = np.full(at.size, whole, dtype=np.complex128)
    np.divide(ends, np.expm1(each), out=summed, where=at > 0)
    back = np.exp(-1j * turn * (at * (limit % period) % period))
    terms = (np.prod(factors, axis=1) * back * summed).real
    terms[at > 0] *= 2  # and those of the negative frequencies
    level = np.log1p(np.expm1(-tilt * steps) / 2) + tilt * share * steps
    return exp(float(level.sum()) + tilt * (limit - float(share @ steps))) * float(
        terms.sum() / period
    )


def tilt_of(steps: IntArray, limit: int) -> float:
    """The tilt >= 0 at which the mean of a random subset's sum is the limit: see shares.

    Newton's method from 0: the mean falls with the tilt and is convex, so no step goes too far.
    """
    largest = float(steps.max())
    x, target = steps / largest, max(limit, 0.5) / largest
    tilt = 0.0
    for _ in range(100):
        share = shares(x, tilt)
        above = float(share @ x) - target
        if above <= 1e-9 * target:
            break
        tilt += above / float((share * (1 - share)) @ (x * x))
    return tilt / largest


def shares(steps: NDArray[Any], tilt: float) -> FloatArray:
    """How probable each step is in a subset that is weighted by exp(-tilt sum): its exponential
    tilt (Esscher 1932)."""
    found: FloatArray = 1 / (1 + np.exp(np.minimum(tilt * steps, 700)))
    return found


def _frequencies(steps: IntArray, share: FloatArray, period: int, most: int) -> IntArray | None:
    """The whole numbers k from 0 to period / 2 for which the characteristic function at 2 pi k /
    period may not be left out; None for more than `most`.

    The square of its modulus is the product of 1 - c (1 - cos(frequency step)) / 2 with c = 4 share
    (1 - share); a product is at most the power of the mean, and that mean is a cosine sum, known at
    many frequencies by one Fourier transform. Between two of them it is at most as large as
    Bernstein's inequality lets it be, in the form of Szego (1928): of a cosine sum written as cos
    psi, |psi'| is at most its degree.
    """
    weight = 4 * share * (1 - share)
    largest = int(steps.max())
    samples = 1 << (_SAMPLES * largest - 1).bit_length()
    cosines = np.fft.rfft(np.bincount(steps, weights=weight), samples).real / weight.sum()
    psi = np.arccos(np.clip(cosines, -1, 1)) - pi * largest / samples
    bound = (1 - weight.mean() * (1 - np.cos(np.maximum(psi, 0))) / 2) ** (steps.size / 2)
    near = np.flatnonzero(bound > _NOTHING)  # each sample speaks for what is nearest to it
    first = np.ceil((near - 0.5) * period / samples).astype(np.int64).clip(0)
    last = np.ceil((near + 0.5) * period / samples).astype(np.int64).clip(0, period // 2 + 1)
    if (last - first).sum() > most:
        return None
    return np.concatenate([np.arange(*ends) for ends in zip(first, last, strict=True)])
