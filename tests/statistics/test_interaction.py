import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.statistics import interaction
from bench.statistics.sign_flip import sign_flip_p


def test_by_hand():
    d = np.array([[5, 3, 1], [8, 2, -1]])
    assert interaction.smallest_minus_largest(d, np.array([1, 2, 8])).tolist() == [4, 9]
    assert interaction.smallest_minus_largest(d, np.array([8, 2, 1])).tolist() == [-4, -9]


def test_whole_counts_stay_whole_for_the_exact_test():
    d = interaction.smallest_minus_largest(np.array([[5, 3], [8, 2]]), np.array([1, 2]))
    assert np.issubdtype(d.dtype, np.integer)
    assert sign_flip_p(d) == 0.5


@given(st.integers(1, 6), st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_slope_equals_least_squares(n_seeds, n_budgets, seed):
    rng = np.random.default_rng(seed)
    d, budgets = rng.normal(size=(n_seeds, n_budgets)), rng.permutation([1, 2, 3, 8, 50])
    budgets = budgets[:n_budgets]
    expected = np.polyfit(np.log2(budgets), d.T, 1)[0]
    assert interaction.slope_per_doubling(d, budgets) == pytest.approx(expected)


def test_slope_recovers_a_change_per_doubling():
    budgets = np.array([1, 2, 4, 16])
    d = 5 - 1.5 * np.log2(budgets) + np.array([[0.0], [7.0]])
    assert interaction.slope_per_doubling(d, budgets) == pytest.approx([-1.5, -1.5])


def test_with_two_budgets_the_slope_is_the_difference_per_doubling():
    d = np.random.default_rng(0).normal(size=(9, 2))
    budgets = np.array([2, 16])
    difference = interaction.smallest_minus_largest(d, budgets)
    assert interaction.slope_per_doubling(d, budgets) == pytest.approx(-difference / 3)


def test_no_change_is_a_slope_of_exactly_zero():
    # and equal changes are equal bits: both are defined cases of the tests that follow
    budgets = np.array([1, 3, 7, 50])
    d = np.array([[0.1], [0.3], [0.7]]) + np.zeros(4)
    assert (interaction.slope_per_doubling(d, budgets) == 0).all()
    same = np.tile([0.1, 0.7, 0.2, 0.3], (9, 1))
    assert np.unique(interaction.slope_per_doubling(same, budgets)).size == 1


@pytest.mark.parametrize(
    ("d", "budgets", "name"),
    [
        (np.ones((3, 1)), [4], "budgets"),
        (np.ones((3, 2)), [4, 4], "budgets"),
        (np.ones((3, 2)), [0, 4], "budgets"),
        (np.ones((3, 2)), [1, 2, 4], "d"),
        (np.ones(3), [1, 2, 4], "d"),
        (np.array([[1, np.nan]]), [1, 2], "d"),
    ],
)
@pytest.mark.parametrize(
    "function", [interaction.smallest_minus_largest, interaction.slope_per_doubling]
)
def test_refuses_by_name(function, d, budgets, name):
    with pytest.raises(ValueError, match=rf"^{name}: "):
        function(d, np.array(budgets))
