import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import DescrStatsW

from bench.statistics import equivalence
from bench.statistics.paired import paired_t

samples = st.lists(st.floats(-50, 50).map(lambda x: round(x, 2)), min_size=2, max_size=20)


@given(samples, st.floats(0.01, 60))
def test_equals_statsmodels(d, delta):
    d = np.array(d)
    if np.ptp(d) < 0.01:
        return
    result = equivalence.tost_of(paired_t(d), delta)
    p, (_, p_lower, _), (_, p_upper, _) = DescrStatsW(d).ttost_mean(-delta, delta)
    assert (result.p_lower, result.p_upper, result.p) == pytest.approx(
        (p_lower, p_upper, p), rel=1e-6
    )


@given(samples, st.floats(0.01, 60), st.floats(0.001, 0.4))
def test_rejects_where_the_wider_interval_lies_within_the_margin(d, delta, alpha):
    # TOST at alpha is the 1 - 2 alpha interval inside (-delta, delta): Schuirmann (1987)
    result = equivalence.tost_of(paired_t(np.array(d)), delta)
    interval = paired_t(np.array(d)).interval(2 * alpha)
    if abs(result.p - alpha) > 1e-9:
        assert (result.p <= alpha) == interval.within(delta)


@given(samples, st.floats(0.01, 30), st.floats(1, 10))
def test_a_wider_margin_is_never_harder(d, delta, factor):
    test = paired_t(np.array(d))
    wider, narrower = (equivalence.tost_of(test, of) for of in (delta * factor, delta))
    assert wider.p <= narrower.p + 1e-12


@pytest.mark.parametrize(
    ("value", "p"), [(0.0, 0.0), (0.4, 0.0), (-0.4, 0.0), (0.5, 1.0), (-0.5, 1.0), (2.0, 1.0)]
)
def test_constant_differences(value, p):
    assert equivalence.tost_of(paired_t(np.full(6, value)), 0.5).p == p


def test_one_seed_shows_nothing():
    assert equivalence.tost_of(paired_t(np.array([0.0])), 0.5) is None


@pytest.mark.parametrize("delta", [0, -0.5, np.inf, np.nan])
def test_refuses_a_margin_that_is_none(delta):
    with pytest.raises(ValueError, match=r"^delta: "):
        equivalence.tost_of(paired_t(np.array([0.1, 0.2])), delta)


def test_wrong_at_the_margin_no_more_often_than_alpha():
    rng = np.random.default_rng(5)
    d = rng.normal(0.5, 0.3, (4000, 8))
    wrong = sum(equivalence.tost_of(paired_t(sample), 0.5).p <= 0.05 for sample in d)
    assert wrong <= stats.binom.ppf(0.9999, 4000, 0.05)
    assert wrong >= stats.binom.ppf(0.0001, 4000, 0.05)  # exact: neither too many nor too few
