"""Slow, plain oracles: definitions written out, for tests to compare fast code with."""

from collections.abc import Sequence
from itertools import product

import numpy as np


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
