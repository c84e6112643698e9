import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.statistics import proportions


@given(st.integers(1, 200), st.data(), st.sampled_from([0.05, 0.01, 0.003]))
def test_clopper_pearson_equals_scipy(n, data, alpha):
    k = data.draw(st.integers(0, n))
    reference = stats.binomtest(k, n).proportion_ci(1 - alpha, method="exact")
    assert proportions.clopper_pearson(k, n, alpha) == pytest.approx(tuple(reference))


def test_clopper_pearson_at_the_ends():
    # 0 of n: the upper limit is 1 - (alpha/2)^(1/n)
    assert proportions.clopper_pearson(0, 20, 0.05) == pytest.approx((0, 1 - 0.025 ** (1 / 20)))
    assert proportions.clopper_pearson(20, 20, 0.05) == pytest.approx((0.025 ** (1 / 20), 1))


@pytest.mark.parametrize(("k", "n"), [(-1, 5), (6, 5), (0, 0)])
def test_clopper_pearson_refuses_impossible_counts(k, n):
    with pytest.raises(ValueError, match=r"^(successes|n): "):
        proportions.clopper_pearson(k, n, 0.05)


def test_win_rate_counts_ties_half_and_then_has_no_interval():
    with_ties = proportions.win_rate(np.array([2, 1, 0, 0, -1]))
    assert (with_ties.wins, with_ties.losses, with_ties.ties, with_ties.n) == (2, 1, 2, 5)
    assert with_ties.rate == 0.6
    assert with_ties.interval(0.05) is None
    without = proportions.win_rate(np.array([2.5, 1, -1]))
    assert without.rate == 2 / 3
    assert without.interval(0.05) == proportions.clopper_pearson(2, 3, 0.05)


def test_win_rate_of_the_other_direction_is_the_rest():
    d = np.random.default_rng(0).integers(-3, 4, 50)
    assert proportions.win_rate(d).rate + proportions.win_rate(-d).rate == 1
