"""Draws within seeds: how much of the spread over seeds is that of a draw, by nested mean squares.

Model: y_sj = mu + seed_s + draw_sj, balanced, both random with mean 0. Source: the one-way random
model, Searle, Casella & McCulloch (1992), "Variance Components", chapter 3.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from bench.statistics.checks import FloatArray, Interval
from bench.statistics.spread import sd_interval


@dataclass(frozen=True)
class Nested:
    """between = J sum_s (mean_s - mean)^2 / (S - 1), None for one seed; within = sum_sj (y_sj -
    mean_s)^2 / (S (J - 1)); S seeds of J draws."""

    seeds: int
    draws: int
    between: float | None
    within: float

    @property
    def sd_draw(self) -> float:
        """SD over draws of one seed, in the data's unit."""
        return sqrt(self.within)

    @property
    def sd_seed(self) -> float | None:
        """SD over seeds, the draws' part left out: sqrt((between - within) / J), 0 where that would
        be negative; None for one seed."""
        if self.between is None:
            return None
        return sqrt(max(0.0, (self.between - self.within) / self.draws))

    def interval_draw(self, alpha: float) -> Interval:
        """Chi-square interval of the SD over draws at 1 - alpha, S (J - 1) degrees of freedom; for
        normal draws."""
        return sd_interval(self.sd_draw, self.seeds * (self.draws - 1) + 1, alpha)


def nested(values: FloatArray) -> Nested:
    """values: (seeds, draws), finite. Raises ValueError for fewer than two draws or no seed."""
    y = np.asarray(values, dtype=np.float64)
    if y.ndim != 2 or y.shape[0] < 1 or y.shape[1] < 2:
        raise ValueError(f"values: need (seeds, 2 draws or more), found shape {y.shape}")
    if not np.isfinite(y).all():
        raise ValueError("values: need finite numbers")
    s, j = y.shape
    means = y.mean(axis=1)
    within = float(((y - means[:, None]) ** 2).sum()) / (s * (j - 1))
    between = j * float(((means - means.mean()) ** 2).sum()) / (s - 1) if s > 1 else None
    return Nested(s, j, between, within)
