import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.statistics.missing import worst_case_mean


def test_by_hand():
    # seed 3 lost arm B, seed 4 both: d in [0.9 - 1, 0.9 - 0] and [-1, 1]
    a, b = np.array([0.9, 0.8, 0.9, np.nan]), np.array([0.8, 0.9, np.nan, np.nan])
    assert worst_case_mean(a, b) == pytest.approx(((-0.1 - 1) / 4, (0.9 + 1) / 4))


def test_nothing_missing_has_no_width():
    a, b = np.array([90.0, 80.0]), np.array([80.0, 90.5])
    assert worst_case_mean(a, b, 0, 100) == (-0.25, -0.25)


@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_holds_whatever_the_missing_values_were(n, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.random((2, n))
    lost_a, lost_b = rng.random((2, n)) < 0.4
    bounds = worst_case_mean(np.where(lost_a, np.nan, a), np.where(lost_b, np.nan, b))
    assert bounds.low - 1e-12 <= (a - b).mean() <= bounds.high + 1e-12


def test_refuses_values_outside_the_range():
    with pytest.raises(ValueError, match=r"^a: found 90"):
        worst_case_mean(np.array([90.0]), np.array([0.8]))
    with pytest.raises(ValueError, match="a and b"):
        worst_case_mean(np.array([0.9]), np.array([0.8, 0.9]))
