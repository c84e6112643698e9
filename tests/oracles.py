"""Slow, plain oracles: definitions written out, for tests to compare fast code with."""

from collections.abc import Sequence
from itertools import product

import numpy as np

from bench.statistics.paired import paired_t


def sign_flip_p(d: Sequence[float]) -> float:
    """Count every sign pattern."""
    sums = np.array([abs(np.dot(signs, d)) for signs in product((-1, 1), repeat=len(d))])
    return float(np.mean(sums >= abs(sum(d)) - 1e-9))


def holm(p: Sequence[float]) -> list[float]:
    """Holm (1979), step by step: the smallest p times m, the next times m - 1, never falling."""
    m, worst, adjusted = len(p), 0.0, [0.0] * len(p)
    for rank, index in enumerate(sorted(range(m), key=lambda i: p[i])):
        worst = max(worst, (m - rank) * p[index])
        adjusted[index] = min(1.0, worst)
    return adjusted


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """The smallest level q at which the step-up rule of Benjamini & Hochberg rejects each."""
    ordered = sorted(p)
    m = len(p)
    return [min(1.0, min(ordered[k] * m / (k + 1) for k in range(m) if ordered[k] >= x)) for x in p]


def subset_means_interval(d: Sequence[float], alpha: float) -> tuple[float, float]:
    """Test every shift that is a mean of some seeds: the first and last not rejected."""
    n = len(d)
    means = sorted(
        {
            sum(x for x, taken in zip(d, subset, strict=True) if taken) / sum(subset)
            for subset in product((0, 1), repeat=n)
            if any(subset)
        }
    )
    kept = [mu for mu in means if sign_flip_p([x - mu for x in d]) > alpha]
    return kept[0], kept[-1]


def signed_rank_p(d: Sequence[float]) -> float:
    """Wilcoxon's W+ over every sign pattern of the midranks; zeros dropped."""
    x = [v for v in d if v != 0]
    ranks = [
        sum(abs(u) < abs(v) for u in x) + (sum(abs(u) == abs(v) for u in x) + 1) / 2 for v in x
    ]
    observed = sum(r for r, v in zip(ranks, x, strict=True) if v > 0)
    sums = np.array([np.dot(signs, ranks) for signs in product((0, 1), repeat=len(x))])
    tail = min(np.mean(sums <= observed + 1e-9), np.mean(sums >= observed - 1e-9))
    return float(min(1.0, 2 * tail))


def mean_squares(cells: np.ndarray) -> tuple[float, float, float]:
    """MS_S, MS_I, MS_E by their definitions."""
    s, n = cells.shape
    rows, columns, mean = cells.mean(axis=1), cells.mean(axis=0), cells.mean()
    residual = cells - rows[:, None] - columns[None, :] + mean
    return (
        float(n * ((rows - mean) ** 2).sum() / (s - 1)),
        float(s * ((columns - mean) ** 2).sum() / (n - 1)),
        float((residual**2).sum() / ((s - 1) * (n - 1))),
    )


def e_value(d: np.ndarray, tau: float = 1.0) -> float:
    """Evidence against mean 0 at any number of seeds: reject at alpha once it reaches 1 / alpha.

    d: (n_seeds,); tau: the SD, in units of sd(d), of the effects that the mixture expects.
    A^(-1/2) [(1 + t^2/v) / (1 + t^2/(A v))]^(n/2), v = n - 1, A = 1 + n tau^2; 1 for one seed,
    its limit where sd = 0. Source: Wang & Ramdas (2024), Anytime-valid t-tests and confidence
    sequences for Gaussian means with unknown variance.
    """
    test = paired_t(d)
    if test.t is None:
        return 1.0
    n, a = test.n, 1 + test.n * tau**2
    if test.t**2 == np.inf:
        log_ratio = np.log(a)
    else:
        ratio = test.t**2 / test.df
        log_ratio = np.log1p(ratio) - np.log1p(ratio / a)
    log_e = (n * log_ratio - np.log(a)) / 2
    return float(np.exp(log_e)) if log_e < 709 else np.inf
