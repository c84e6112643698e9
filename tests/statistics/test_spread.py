"""The chi-square interval of a standard deviation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.statistics.spread import sd_interval, sd_of


def test_a_textbooks_numbers():
    """NIST/SEMATECH e-Handbook, 7.2.3 (and GEAR.DAT, 1.3.5.8): n = 100, s = 0.0062789; by its
    table's quantiles 73.361 and 128.422 of 99 degrees of freedom."""
    low, high = sd_interval(0.0062789, 100, 0.05)
    assert low == pytest.approx(0.0062789 * np.sqrt(99 / 128.422), rel=1e-5)
    assert high == pytest.approx(0.0062789 * np.sqrt(99 / 73.361), rel=1e-5)


@given(st.integers(2, 300), st.floats(0.001, 0.5), st.floats(0, 1e3))
def test_equals_scipys_quantiles(n, alpha, sd):
    low, high = sd_interval(sd, n, alpha)
    assert low == pytest.approx(sd * np.sqrt((n - 1) / stats.chi2.ppf(1 - alpha / 2, n - 1)))
    assert high == pytest.approx(sd * np.sqrt((n - 1) / stats.chi2.ppf(alpha / 2, n - 1)))
    assert low <= sd or sd == 0 or n == 2


def test_it_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(2000):
        low, high = sd_interval(sd_of(rng.normal(0, 2, 8)), 8, 0.1)
        held += low <= 2 <= high
    assert stats.binom.ppf(1e-4, 2000, 0.9) <= held <= stats.binom.ppf(1 - 1e-4, 2000, 0.9)


def test_where_nothing_varies_and_what_is_no_number():
    assert sd_of(np.full(5, 0.1)) == 0
    assert sd_interval(0.0, 5, 0.05) == (0, 0)
    for bad in ((1.0, 1, 0.05), (-1.0, 5, 0.05), (float("nan"), 5, 0.05), (1.0, 5, 0.0)):
        with pytest.raises(ValueError, match=r"n:|sd:|alpha"):
            sd_interval(*bad)
