"""Nested mean squares: a published example, loops, and a simulation of known components."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from bench.statistics.nested import nested


def test_the_published_example():
    """Snedecor & Cochran (1980), table 13.3.1: calcium in turnip leaves, four leaves of four
    determinations: mean squares 0.2961 and 0.0066, components 0.0724 and 0.0066."""
    leaves = [
        [3.28, 3.09, 3.03, 3.03],
        [3.52, 3.48, 3.38, 3.38],
        [2.88, 2.80, 2.81, 2.76],
        [3.34, 3.38, 3.23, 3.26],
    ]
    found = nested(np.array(leaves))
    assert found.between == pytest.approx(0.2961, abs=5e-5)
    assert found.within == pytest.approx(0.0066, abs=5e-5)
    assert found.sd_seed**2 == pytest.approx(0.0724, abs=5e-5)


@given(st.integers(1, 6), st.integers(2, 5), st.integers(0, 10**6))
def test_it_is_its_sums_in_loops(seeds, draws, state):
    y = np.random.default_rng(state).normal(0, 3, (seeds, draws))
    grand = y.mean()
    within = between = 0.0
    for row in y:
        between += draws * (row.mean() - grand) ** 2
        for value in row:
            within += (value - row.mean()) ** 2
    found = nested(y)
    assert found.within == pytest.approx(within / (seeds * (draws - 1)))
    if seeds == 1:
        assert found.between is None
        assert found.sd_seed is None
    else:
        assert found.between == pytest.approx(between / (seeds - 1))
        # The parts add up to the whole sum of squares.
        assert within + between == pytest.approx(((y - grand) ** 2).sum())


def test_known_components_are_found():
    rng = np.random.default_rng(0)
    y = rng.normal(0, 2, (20_000, 1)) + rng.normal(0, 0.5, (20_000, 4))
    found = nested(y)
    assert found.sd_draw == pytest.approx(0.5, rel=0.02)
    assert found.sd_seed == pytest.approx(2, rel=0.02)


def test_the_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(2000):
        low, high = nested(rng.normal(0, 0.5, (5, 3)) + rng.normal(0, 1, (5, 1))).interval_draw(
            0.05
        )
        covered += low <= 0.5 <= high
    assert abs(covered / 2000 - 0.95) < 0.02  # SD 0.005


def test_the_interval_by_hand():
    y = np.array([[0.0, 2.0], [1.0, 1.0], [4.0, 6.0]])  # within: (2 + 0 + 2) / 3
    found = nested(y)
    assert found.within == pytest.approx(4 / 3)
    expected = np.sqrt([4 / chi2.ppf(0.975, 3), 4 / chi2.ppf(0.025, 3)])
    assert found.interval_draw(0.05) == pytest.approx(tuple(expected))


def test_a_part_is_never_negative():
    assert nested(np.array([[0.0, 4.0], [4.0, 0.0]])).sd_seed == 0


@pytest.mark.parametrize("values", [np.zeros((3, 1)), np.zeros(3), np.zeros((0, 2)), [[0, np.nan]]])
def test_what_is_no_nested_design_is_refused(values):
    with pytest.raises(ValueError, match="values"):
        nested(np.asarray(values, float))
