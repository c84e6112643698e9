"""The median's interval: known ranks, and its coverage."""

import numpy as np
import pytest
from scipy import stats

from bench.statistics.medians import median_interval


@pytest.mark.parametrize(
    ("n", "rank"),  # Conover (1999), Practical Nonparametric Statistics, by its table A3
    [(5, None), (6, 1), (9, 2), (10, 2), (15, 4), (20, 6)],
)
def test_known_ranks(n: int, rank: int | None):
    found = median_interval(np.random.default_rng(0).permutation(n) + 1, 0.05)
    assert found == (None if rank is None else (rank, n + 1 - rank))


def test_equals_scipys_binomial_quantile_and_covers():
    rng = np.random.default_rng(0)
    for n in (6, 11, 40):
        k = int(stats.binom.ppf(0.025, n, 0.5))
        values = np.sort(rng.exponential(size=n))
        low, high = median_interval(values, 0.05)
        assert (low, high) == (values[k - 1], values[n - k])
        draws = [median_interval(rng.exponential(size=n), 0.05) for _ in range(1000)]
        covered = sum(end.low <= np.log(2) <= end.high for end in draws)
        assert covered >= stats.binom.ppf(0.0001, 1000, 0.95)
