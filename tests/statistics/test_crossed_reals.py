"""Real cells crossed: the same formulas as whole ones, and a published fit as known answer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.statistics import crossed
from bench.statistics.groups import group_sums, grouped
from tests import oracles

# Davies & Goldsmith (1972), Statistical Methods in Research and Production, section 6.6, as in
# lme4's `Penicillin`: zones of inhibition, mm, of 6 samples on each of 24 plates.
MEASURED = """
27 23 26 23 23 21  27 23 26 23 23 21  25 21 25 24 24 20  26 23 25 23 23 20
25 22 26 22 23 20  24 22 25 23 22 19  24 20 23 21 22 19  26 22 26 24 24 21
24 21 24 22 22 20  24 21 24 23 22 19  26 23 26 24 24 21  25 22 26 24 24 20
26 24 26 24 25 22  26 23 26 23 23 20  26 23 25 24 24 22  25 22 25 23 23 20
25 21 24 23 23 20  25 22 24 23 23 19  24 21 23 21 21 19  26 23 26 24 24 21
25 21 24 22 22 18  25 22 25 22 22 20  24 21 24 22 24 19  24 21 24 22 21 18
"""
PENICILLIN = np.array(MEASURED.split(), dtype=float).reshape(24, 6).T


def test_penicillin_is_the_published_fit():
    """lmer(diameter ~ (1|plate) + (1|sample)), REML, as lme4's documentation and vignettes print
    it: variances 0.7169 of plates, 3.7309 of samples, 0.3024 residual; mean 22.9722, its standard
    error 0.8086. In balanced data REML is the analysis of variance."""
    ms = crossed.real_mean_squares(PENICILLIN)
    s, n = PENICILLIN.shape
    assert ms.residual == pytest.approx(0.3024, abs=5e-5)
    assert (ms.examples - ms.residual) / s == pytest.approx(0.7169, abs=5e-5)
    assert (ms.seeds - ms.residual) / n == pytest.approx(3.731, abs=5e-4)
    found = crossed.crossed(ms)
    assert found.mean == pytest.approx(22.9722, abs=5e-5)
    assert found.se == pytest.approx(0.8086, abs=5e-5)


def test_penicillin_by_plates_as_groups_of_one_and_of_many_equal_ones():
    one = grouped(group_sums(PENICILLIN, range(24)))
    plain = crossed.crossed(crossed.real_mean_squares(PENICILLIN))
    assert (one.mean, one.se, one.df) == pytest.approx((plain.mean, plain.se, plain.df))
    # Every measurement five times, the five of a plate one group: nothing was learned.
    again = grouped(group_sums(np.repeat(PENICILLIN, 5, axis=1), np.repeat(range(24), 5)))
    assert (again.mean, again.se, again.df) == pytest.approx((plain.mean, plain.se, plain.df))
    alone = crossed.crossed(crossed.real_mean_squares(np.repeat(PENICILLIN, 5, axis=1)))
    assert alone.example_se < 0.6 * again.example_se  # what calling them independent would claim


shapes = st.tuples(st.integers(2, 7), st.integers(2, 25), st.integers(0, 2**32 - 1))


@given(shapes)
def test_real_mean_squares_equal_their_definitions(shape):
    s, n, seed = shape
    cells = np.random.default_rng(seed).normal(3, 2, (s, n))
    ms = crossed.real_mean_squares(cells)
    assert (ms.seeds, ms.examples, ms.residual) == pytest.approx(oracles.mean_squares(cells))
    assert (ms.n_seeds, ms.n_examples, ms.mean) == (s, n, pytest.approx(cells.mean()))


@given(shapes)
def test_whole_cells_give_the_same_both_ways(shape):
    s, n, seed = shape
    cells = np.random.default_rng(seed).integers(-1, 2, (s, n))
    whole = crossed.crossed(crossed.crossed_sums(cells))
    real = crossed.crossed(crossed.real_mean_squares(cells.astype(float)))
    for name in ("mean", "se", "example_se"):
        assert getattr(real, name) == pytest.approx(getattr(whole, name), abs=1e-9)
    noise = crossed.seed_variance(crossed.real_mean_squares(cells.astype(float)))
    exact = crossed.seed_variance(crossed.crossed_sums(cells))
    assert (noise.sd, noise.sd_sampling) == pytest.approx((exact.sd, exact.sd_sampling), abs=1e-9)
    assert noise.sd_test_set is None


def test_equal_reals_differ_by_nothing():
    cells = np.full((4, 9), 0.1) * 3
    ms = crossed.real_mean_squares(cells)
    assert (ms.seeds, ms.examples, ms.residual) == (0, 0, 0)
    assert crossed.crossed(ms).se == 0


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_what_is_not_finite_is_refused(bad):
    with pytest.raises(ValueError, match="not finite"):
        crossed.real_mean_squares(np.array([[1.0, bad], [0.0, 2.0]]))
    with pytest.raises(ValueError, match="shape"):
        crossed.real_mean_squares(np.zeros(3))
