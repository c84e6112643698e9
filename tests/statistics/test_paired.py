import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.statistics import paired

# Student (1908), The probable error of a mean; R's `sleep`: extra hours, drug 1 minus drug 2
SLEEP_1 = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
SLEEP_2 = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])

floats = st.lists(st.floats(-100, 100).map(lambda x: round(x, 3)), min_size=2, max_size=30)


def test_students_sleep_data():
    # R 4: t.test(extra ~ group, data = sleep, paired = TRUE): t = -4.0621, df = 9,
    # p-value = 0.002833, 95% CI -2.4598858 -0.7001142
    test = paired.paired_t(SLEEP_1 - SLEEP_2)
    assert test.n == 10
    assert test.df == 9
    assert test.mean == pytest.approx(-1.58)
    assert test.t == pytest.approx(-4.0621, abs=5e-5)
    assert test.p == pytest.approx(0.002833, abs=5e-7)
    assert test.interval(0.05) == pytest.approx((-2.4598858, -0.7001142), abs=5e-8)


@given(floats)
def test_t_equals_scipy(d):
    d = np.array(d)
    test = paired.paired_t(d)
    if np.ptp(d) < 0.01:
        return  # scipy's t of nearly constant data is rounding
    reference = stats.ttest_1samp(d, 0)
    assert test.t == pytest.approx(reference.statistic, rel=1e-9, abs=1e-9)
    assert test.p == pytest.approx(reference.pvalue, rel=1e-6)
    for alpha in (0.05, 0.05 / 16):
        assert test.interval(alpha) == pytest.approx(
            tuple(reference.confidence_interval(1 - alpha)), rel=1e-9, abs=1e-9
        )


@given(floats, st.floats(0.001, 0.5))
def test_t_interval_excludes_zero_exactly_where_the_test_rejects(d, alpha):
    test = paired.paired_t(np.array(d))
    if abs(test.p - alpha) > 1e-9:
        assert test.interval(alpha).holds(0) == (test.p > alpha)


@given(floats, st.floats(0.001, 1000))
def test_t_is_the_same_in_every_unit_and_odd_in_the_arms(d, unit):
    test = paired.paired_t(np.array(d))
    if test.constant or test.sd < 1e-6:
        return
    scaled = paired.paired_t(-unit * np.array(d))
    assert scaled.t == pytest.approx(-test.t, rel=1e-6, abs=1e-9)
    assert scaled.p == pytest.approx(test.p, rel=1e-6)


def test_one_seed_has_a_mean_and_no_test():
    test = paired.paired_t(np.array([3.0]))
    assert test == paired.PairedT(1, 3.0, None, None, None, 0, None)
    assert test.interval(0.05) is None
    assert not test.constant
    assert not test.identical


def test_two_seeds_against_the_arctangent():
    # Student's t with 1 df is Cauchy: P(|T| > t) = 1 - 2 atan(t) / pi
    test = paired.paired_t(np.array([1.0, 3.0]))
    assert test.t == pytest.approx(2.0)
    assert test.p == pytest.approx(1 - 2 * np.arctan(2) / np.pi)


def test_no_difference_in_any_seed():
    test = paired.paired_t(np.zeros(7))
    assert test.identical
    assert test.constant
    assert (test.mean, test.sd, test.t, test.p) == (0, 0, 0, 1)
    assert test.interval(0.05) == (0, 0)


@pytest.mark.parametrize("value", [0.1, -0.3, 1e-9, 7.0])
def test_the_same_difference_in_every_seed(value):
    # 0.1 in ten seeds: the rounded mean is not 0.1, and must not pass for spread
    test = paired.paired_t(np.full(10, value))
    assert test.constant
    assert not test.identical
    assert (test.mean, test.sd, test.p) == (value, 0, 0)
    assert test.t == np.copysign(np.inf, value)
    assert test.interval(0.01) == (value, value)


def test_tiny_levels_keep_their_quantile():
    # stats.t.isf keeps tails that 1 - alpha / 2 would round away
    test = paired.paired_t(np.array([1.0, 2.0, 3.0, 4.0, 6.0]))
    half = stats.t.isf(1e-18 / 2, 4) * test.se
    assert test.interval(1e-18).high == pytest.approx(test.mean + half, rel=1e-9)


@pytest.mark.parametrize("d", [[], [[1.0, 2.0]], [1.0, np.nan], [1.0, np.inf]])
def test_t_refuses_what_is_no_sample(d):
    with pytest.raises(ValueError, match=r"^d: "):
        paired.paired_t(np.array(d))


@pytest.mark.parametrize("alpha", [0, 1, -0.1, np.nan])
def test_interval_refuses_a_level_outside_0_to_1(alpha):
    with pytest.raises(ValueError, match=r"^alpha: "):
        paired.paired_t(np.array([1.0, 2.0])).interval(alpha)


def test_subtracting_decimals_keeps_ties_and_zeros():
    a, b = np.array([0.2, 0.3, 0.8, 0.5]), np.array([0.1, 0.2, 0.7, 0.5])
    assert np.unique(a - b).size == 4  # what subtract is for
    found = paired.subtract(a, b)
    assert found == pytest.approx(np.array([0.1, 0.1, 0.1, 0.0]))
    assert np.unique(found).size == 2
    assert np.unique(abs(paired.subtract(b, a) + found)).tolist() == [0]
    assert paired.paired_t(paired.subtract(a[:3], b[:3])).constant
    assert paired.subtract(np.array([0.1 + 0.2]), np.array([0.3])) == 0


@given(
    st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=9),
    st.integers(-9, 9),
    st.integers(0, 2**32 - 1),
)
def test_subtracting_changes_nothing_else(d, exponent, seed):
    b = np.random.default_rng(seed).integers(0, 10**6, len(d))
    found = paired.subtract((b + np.array(d)) * 10.0**exponent, b * 10.0**exponent)
    assert found == pytest.approx(np.array(d) * 10.0**exponent, rel=1e-9)
    zeros = paired.subtract(np.zeros(3), np.zeros(3))
    assert zeros.tolist() == [0, 0, 0]


def test_effect_sizes_of_the_sleep_data():
    # dz = t / sqrt(n) = -4.0621 / sqrt(10); J(9) = 0.913875
    d = SLEEP_1 - SLEEP_2
    assert paired.paired_t(d).dz == pytest.approx(-4.062128 / np.sqrt(10), rel=1e-6)
    assert paired.paired_t(d).gz == pytest.approx(-4.062128 / np.sqrt(10) * 0.913875, rel=1e-6)


def test_hedges_j():
    assert paired.hedges_j(9) == pytest.approx(0.913875, abs=5e-7)  # protocol
    assert paired.hedges_j(2) == pytest.approx(1 / np.sqrt(np.pi))  # G(1) / G(1/2)
    assert paired.hedges_j(1) is None
    for v in (10, 100, 100_000):  # Hedges (1981): J(v) is about 1 - 3 / (4v - 1)
        assert paired.hedges_j(v) == pytest.approx(1 - 3 / (4 * v - 1), abs=0.1 / v**2 + 1e-8)


def test_gz_is_unbiased_where_dz_is_not():
    # normal differences, true effect 0.5, 5 seeds; dz = gz / J(4), J(4) = 0.798
    rng = np.random.default_rng(8)
    samples = rng.normal(0.5, 1, (40_000, 5))
    effects = samples.mean(1) / samples.std(1, ddof=1) * paired.hedges_j(4)
    assert paired.paired_t(samples[0]).gz == pytest.approx(effects[0])
    assert effects.mean() == pytest.approx(0.5, abs=4 * effects.std() / 200)


@pytest.mark.parametrize("d", [[1.0], [0.0, 0.0, 0.0], [2.0, 2.0, 2.0]])
def test_effect_sizes_without_spread_are_empty(d):
    assert paired.paired_t(np.array(d)).dz is None
    assert paired.paired_t(np.array(d)).gz is None


def test_gz_is_empty_at_two_seeds_where_dz_is_not():
    assert paired.paired_t(np.array([1.0, 3.0])).dz == pytest.approx(2**0.5)
    assert paired.paired_t(np.array([1.0, 3.0])).gz is None


def test_correlation_of_the_arms():
    # R 4: cor(sleep$extra[1:10], sleep$extra[11:20]) is 0.7951702
    assert paired.arms_correlation(SLEEP_1, SLEEP_2) == pytest.approx(0.7951702, abs=5e-8)
    assert paired.arms_correlation(SLEEP_1, -2 * SLEEP_1) == -1
    assert paired.arms_correlation(SLEEP_1, np.ones(10)) is None
    assert paired.arms_correlation(SLEEP_1[:2], SLEEP_2[:2]) is None
    with pytest.raises(ValueError, match="a and b"):
        paired.arms_correlation(SLEEP_1, SLEEP_2[:9])


def test_churn_by_hand():
    a = np.array([[1, 1, 0, 0], [1, 0, 0, 0]], bool)
    b = np.array([[1, 0, 1, 0], [0, 0, 1, 1]], bool)
    result = paired.churn(a, b)
    assert (result.fixed, result.broken, result.total) == (2 / 8, 3 / 8, 5 / 8)


@given(st.integers(1, 6), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_churn_adds_up_to_the_difference(n_seeds, n_examples, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.random((2, n_seeds, n_examples)) < 0.7
    result = paired.churn(a, b)
    assert result.fixed - result.broken == pytest.approx(a.mean() - b.mean())
    assert result.total == pytest.approx((a != b).mean())


def test_churn_refuses_unequal_shapes():
    with pytest.raises(ValueError, match="a and b"):
        paired.churn(np.ones((2, 3), bool), np.ones((2, 4), bool))
    with pytest.raises(ValueError, match="a and b"):
        paired.churn(np.ones(3, bool), np.ones(3, bool))
