"""Bootstrap intervals of the mean over seeds: shown beside the t interval, never as headline.

Resamples are matrices of counts, (n_resamples, n_seeds): made once for a number of seeds, they
serve all contrasts at matrix speed.
"""

from collections.abc import Sequence
from math import ceil, floor

import numpy as np

from bench.statistics.checks import FloatArray, Interval, Numbers, at_least, differences, open_unit


def resample_counts(n_seeds: int, n_resamples: int, rng: np.random.Generator) -> FloatArray:
    """How often each seed is drawn in each bootstrap resample: (n_resamples, n_seeds)."""
    at_least(n_seeds, 1, "n_seeds")
    at_least(n_resamples, 1, "n_resamples")
    drawn = rng.integers(n_seeds, size=(n_resamples, n_seeds))
    drawn += n_seeds * np.arange(n_resamples)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=n_resamples * n_seeds)
    return counts.reshape(n_resamples, n_seeds).astype(np.float64)


def studentized_interval(d: Numbers, alpha: float, counts: FloatArray) -> Interval | None:
    """Studentized ("bootstrap-t") interval of the mean at level 1 - alpha.

    d: (n_seeds,); counts: resample_counts of as many seeds. A resample of equal values has no
    spread: its t is +-inf, or 0 where its mean is d's; with few seeds an end can therefore be
    infinite. None with one seed, no width where d is constant. Source: Efron & Tibshirani
    (1993), An Introduction to the Bootstrap, section 12.5.
    """
    return studentized_intervals([d], alpha, counts)[0]


def studentized_intervals(
    ds: Sequence[Numbers], alpha: float, counts: FloatArray
) -> list[Interval | None]:
    """studentized_interval of several, all (n_seeds,), at the speed of a matrix product."""
    every = [_resampled(d, alpha, counts) for d in ds]
    n = counts.shape[1]
    if n == 1 or not every:
        return [None for _ in every]
    values = np.stack(every, axis=1)
    center = values.mean(axis=0)
    e = values - center
    means = counts @ e / n
    # spread that is only rounding of the sums is none
    variances = np.maximum(counts @ e**2 / n - means**2, 0)
    variances[variances < 1e-12 * e.var(axis=0)] = 0
    with np.errstate(divide="ignore", invalid="ignore"):
        t = means / np.sqrt(variances / (n - 1))
    t[np.isnan(t)] = 0
    found: list[Interval | None] = []
    for at, of in enumerate(every):
        if (of == of[0]).all():
            found.append(Interval(float(of[0]), float(of[0])))
            continue
        low_t, high_t = _order_statistics(t[:, at], alpha)
        middle, se = float(of.mean()), float(of.std(ddof=1)) / n**0.5
        found.append(Interval(middle - high_t * se, middle - low_t * se))
    return found


def _resampled(d: Numbers, alpha: float, counts: FloatArray) -> FloatArray:
    values = differences(d)
    open_unit(alpha, "alpha")
    if counts.ndim != 2 or counts.shape[1] != values.size:
        raise ValueError(f"counts: found shape {counts.shape}, allowed: (any, {values.size})")
    return values


def _order_statistics(values: FloatArray, alpha: float) -> tuple[float, float]:
    """The alpha/2 quantiles as order statistics k of (B + 1) alpha / 2, outward; no averages,
    which infinite values would turn into nan."""
    size = values.size
    k_low = max(floor((size + 1) * alpha / 2 + 1e-9), 1)
    k_high = min(ceil((size + 1) * (1 - alpha / 2) - 1e-9), size)
    ordered = np.partition(values, [k_low - 1, k_high - 1])
    return float(ordered[k_low - 1]), float(ordered[k_high - 1])
