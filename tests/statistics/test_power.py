import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestPower

from bench.statistics import power

levels = st.sampled_from([0.2, 0.05, 0.0125, 0.05 / 16, 1e-5])
targets = st.floats(0.3, 0.99)


def test_known_answers():
    # protocol; statsmodels: TTestPower().solve_power(0.5, alpha=0.05, power=0.8) = 33.36713
    assert power.n_for_power(0.5, 0.05) == pytest.approx(33.36713, abs=5e-6)
    assert power.power_paired_t(0.5, 34, 0.05) == pytest.approx(0.8078, abs=5e-5)
    detectable = [power.detectable_difference(n, 1.0, 0.05) for n in (5, 10, 20, 30, 50)]
    assert detectable == pytest.approx([1.68, 1.00, 0.66, 0.53, 0.40], abs=0.005)


@pytest.mark.parametrize("n", [2, 3, 5, 10, 33.4, 200, 5000])
@pytest.mark.parametrize("alpha", [0.2, 0.05, 0.05 / 16, 1e-5])
def test_equals_the_noncentral_t_of_scipy_where_that_is_not_nan(n, alpha):
    t = stats.t.isf(alpha / 2, n - 1)
    for dz in (0, 0.01, 0.1, 0.5, 2, 5):
        nc = dz * np.sqrt(n)
        reference = stats.nct.sf(t, n - 1, nc) + stats.nct.cdf(-t, n - 1, nc)
        found = power.power_paired_t(dz, n, alpha)
        assert 0 <= found <= 1
        if not np.isnan(reference):
            assert found == pytest.approx(reference, abs=1e-10)


@given(st.floats(0.05, 3), st.integers(2, 2000), levels)
def test_equals_statsmodels(dz, n, alpha):
    reference = TTestPower().power(dz, n, alpha)
    if not np.isnan(reference):
        assert power.power_paired_t(dz, n, alpha) == pytest.approx(reference, abs=1e-8)


@pytest.mark.parametrize("dz", [50, 1e3, 1e6])
def test_survives_large_noncentrality(dz):
    for n in (3, 10, 1000):
        assert power.power_paired_t(dz, n, 0.05 / 16) == pytest.approx(1, abs=1e-6)


@given(st.integers(3, 500), levels, targets)
def test_solving_for_each_argument_gets_the_start_back(n, alpha, target):
    if target < 2 * alpha:
        return
    dz = power.dz_for_power(n, alpha, target)
    assert power.power_paired_t(dz, n, alpha) == pytest.approx(target, rel=1e-8)
    assert power.n_for_power(dz, alpha, target) == pytest.approx(n, rel=1e-7)


@given(st.integers(2, 60), levels, targets)
def test_equivalence_margin_and_seeds_are_inverse(n, alpha, target):
    margin = power.equivalence_margin(n, 1.0, alpha, target)
    assert power.power_equivalence(margin, n, alpha) == pytest.approx(target, rel=1e-7)
    assert power.n_for_equivalence(margin, alpha, target) == pytest.approx(n, rel=1e-6)


@pytest.mark.parametrize(
    ("margin", "n", "alpha", "true_dz"),
    [(1.5, 5, 0.05, 0), (1.0, 10, 0.05, 0.3), (4, 3, 0.01, 0), (8, 2, 0.05, 0), (0.6, 10, 0.05, 0)],
)
def test_equivalence_power_is_the_rate_of_successes(margin, n, alpha, true_dz):
    rng = np.random.default_rng(1)
    x = rng.normal(true_dz, 1, (100_000, n))
    mean, se, t = x.mean(1), x.std(1, ddof=1) / np.sqrt(n), stats.t.isf(alpha, n - 1)
    successes = ((mean + margin) / se >= t) & ((margin - mean) / se >= t)
    found = power.power_equivalence(margin, n, alpha, true_dz)
    low, high = stats.binom.ppf([0.0001, 0.9999], 100_000, found) / 100_000
    assert low <= successes.mean() <= high


def test_equivalence_cannot_be_shown_by_chance_more_often_than_alpha():
    assert power.power_equivalence(1.0, 40, 0.05, true_dz=1.0) == pytest.approx(0.05, abs=1e-6)


@pytest.mark.parametrize("dz", [0.003, 0.03, 0.5, 1.2])
def test_normal_limit_joins_smoothly(dz):
    n = power.n_for_power(dz, 0.003)
    z = stats.norm.isf(0.003 / 2) + stats.norm.ppf(0.8)
    assert n == pytest.approx((z / dz) ** 2, abs=8)


def test_seeds_needed_is_the_first_that_reaches_the_power():
    for delta, sd, alpha in ((0.5, 0.6, 0.05), (0.5, 2.1, 0.05 / 16), (3.0, 1.0, 0.01)):
        n = power.seeds_needed(delta, sd, alpha)
        assert power.power_paired_t(delta / sd, n, alpha) >= 0.8
        assert power.power_paired_t(delta / sd, n - 1, alpha) < 0.8
        n = power.seeds_needed_equivalence(delta, sd, alpha)
        assert power.power_equivalence(delta / sd, n, alpha) >= 0.8
        assert power.power_equivalence(delta / sd, n - 1, alpha) < 0.8


def test_whole_answers_are_not_rounded_up():
    dz = power.dz_for_power(12, 0.05)
    assert power.seeds_needed(dz, 1.0, 0.05) == 12


def test_degenerate_cases_are_defined():
    assert power.seeds_needed(0.5, 0.0, 0.05) == 2
    assert power.seeds_needed_equivalence(0.5, 0.0, 0.05) == 2
    assert power.seeds_needed(100.0, 1e-3, 0.05) == 2
    assert power.n_for_power(0.0, 0.05) == np.inf
    assert power.detectable_difference(1, 0.5, 0.05) is None
    assert power.equivalence_margin(1, 0.5, 0.05) is None
    assert power.detectable_difference(5, 0.0, 0.05) == 0
    assert power.seeds_needed(1e-6, 1.0, 0.05) > 10**12


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: power.seeds_needed(0.0, 1.0, 0.05), "delta"),
        (lambda: power.seeds_needed(0.5, -1.0, 0.05), "sd"),
        (lambda: power.seeds_needed(0.5, np.nan, 0.05), "sd"),
        (lambda: power.seeds_needed(0.5, 1.0, 0.0), "alpha"),
        (lambda: power.seeds_needed(0.5, 1.0, 0.05, 1.0), "power"),
        (lambda: power.seeds_needed(0.5, 1.0, 0.05, 0.04), "power"),
        (lambda: power.power_paired_t(0.5, 1, 0.05), "n"),
        (lambda: power.detectable_difference(0, 1.0, 0.05), "n_seeds"),
        (lambda: power.power_equivalence(0.5, 9, 0.6), "alpha"),
    ],
)
def test_refuses_by_name(call, name):
    with pytest.raises(ValueError, match=f"^{name}: "):
        call()
