import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.statistics.interaction import slope_weights


def slope(d, x):
    weights, divisor = slope_weights(x)
    return d @ weights / divisor


def test_by_hand():
    weights, divisor = slope_weights(np.log2([1, 2, 4]))
    assert (weights.tolist(), divisor) == ([-1, 0, 1], 2)
    weights, divisor = slope_weights(np.log2([8, 1, 2]))  # x = 3, 0, 1, of mean 4/3
    assert (weights.tolist(), divisor) == ([5, -4, -1], 14)


@given(st.integers(1, 6), st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_equals_least_squares(n_seeds, n_budgets, seed):
    rng = np.random.default_rng(seed)
    d, budgets = rng.normal(size=(n_seeds, n_budgets)), rng.permutation([1, 2, 3, 8, 50])
    x = np.log2(budgets[:n_budgets])
    assert slope(d, x) == pytest.approx(np.polyfit(x, d.T, 1)[0])


@given(st.lists(st.integers(-20, 20), min_size=2, max_size=8).filter(lambda x: len(set(x)) > 1))
def test_whole_places_have_the_smallest_whole_weights(x):
    weights, divisor = slope_weights(np.array(x, float))
    assert (weights == np.rint(weights)).all()
    assert np.gcd.reduce(weights.astype(int)) == 1
    assert weights.sum() == 0
    assert weights @ np.array(x) == pytest.approx(divisor)


def test_recovers_a_change_per_doubling():
    x = np.log2([1, 2, 4, 16])
    d = 5 - 1.5 * x + np.array([[0.0], [7.0]])
    assert slope(d, x) == pytest.approx([-1.5, -1.5])


def test_with_two_budgets_it_is_the_difference_per_doubling():
    d = np.random.default_rng(0).normal(size=(9, 2))
    assert slope(d, np.log2([2, 16])) == pytest.approx((d[:, 1] - d[:, 0]) / 3)


def test_groups_with_the_same_places_give_the_mean_of_their_slopes():
    rng = np.random.default_rng(1)
    x = np.log2([1, 3, 7])
    first, second = rng.normal(size=(2, 4, 3))
    both = slope(np.hstack([first, second]), np.tile(x, 2))
    assert both == pytest.approx((slope(first, x) + slope(second, x)) / 2)


@pytest.mark.parametrize("x", [[4.0], [4.0, 4.0], [0.0, np.inf], [[1.0, 2.0]], []])
def test_refuses_what_has_no_slope(x):
    with pytest.raises(ValueError, match=r"^x: "):
        slope_weights(np.array(x))
