import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from bench.statistics import mcnemar


def test_known_answer():
    # approval of the prime minister, Agresti, Categorical Data Analysis, section 10.1: 86, 150
    assert mcnemar.mcnemar(86, 150, 1600).p == pytest.approx(3.716e-5, abs=5e-9)
    assert mcnemar.mcnemar(86, 150, 1600).difference == -0.04


@given(st.integers(0, 60), st.integers(0, 60))
def test_equals_statsmodels_and_scipy(fixed, broken):
    found = mcnemar.mcnemar(fixed, broken, 200).p
    if fixed + broken == 0:
        assert found == 1
        return
    table = [[40, fixed], [broken, 40]]
    assert found == pytest.approx(statsmodels_mcnemar(table, exact=True).pvalue)
    assert found == pytest.approx(stats.binomtest(fixed, fixed + broken).pvalue)


def test_interval_known_answer():
    # Bentur et al. (2009), airways before and after transplantation: 1 and 7 of 21 discordant.
    # Fagerland, Lydersen & Laake (2014), Recommended tests and confidence intervals for paired
    # binomial proportions: Tango (-0.517, -0.026)
    found = mcnemar.mcnemar(1, 7, 21).interval(0.05)
    assert found == pytest.approx((-0.517, -0.026), abs=5e-4)


@pytest.mark.parametrize(("b", "c", "n"), [(1, 7, 21), (40, 20, 160), (5, 0, 50), (0, 0, 30)])
def test_interval_inverts_the_score_test(b, c, n):
    # the score statistic with the nuisance parameter found by a general optimizer
    def z(delta):
        def loss(p_c):
            p_b = p_c + delta
            same = 1 - p_b - p_c
            likelihood = [(b, p_b), (c, p_c), (n - b - c, same)]
            return -sum(k * np.log(max(p, 1e-300)) for k, p in likelihood if k)

        low, high = max(0, -delta), (1 - delta) / 2
        p_c = optimize.minimize_scalar(
            loss, bounds=(low, high), method="bounded", options={"xatol": 1e-12}
        ).x
        return (b - c - n * delta) / np.sqrt(n * (2 * p_c + delta - delta**2))

    low, high = mcnemar.mcnemar(b, c, n).interval(0.05)
    assert z(low) == pytest.approx(1.959964, abs=2e-3)
    assert z(high) == pytest.approx(-1.959964, abs=2e-3)


@given(st.integers(0, 50), st.integers(0, 50), st.sampled_from([0.05, 0.003]))
def test_interval_holds_the_estimate_and_turns_with_the_arms(b, c, alpha):
    found = mcnemar.mcnemar(b, c, 100)
    low, high = found.interval(alpha)
    assert -1 <= low <= found.difference + 1e-9
    assert found.difference - 1e-9 <= high <= 1
    assert mcnemar.mcnemar(c, b, 100).interval(alpha) == pytest.approx((-high, -low))


@pytest.mark.parametrize(("p_b", "p_c"), [(0.05, 0.05), (0.02, 0.08), (0.1, 0.005), (0.3, 0.2)])
def test_interval_coverage_is_near_its_level(p_b, p_c):
    # all outcomes of the trinomial with n = 150, weighted: no simulation
    n, covered = 150, 0.0
    for b in range(n + 1):
        weight_b = stats.binom.pmf(b, n, p_b)
        if weight_b < 1e-7:
            continue
        weights = stats.binom.pmf(np.arange(n - b + 1), n - b, p_c / (1 - p_b))
        for c in np.flatnonzero(weights > 1e-7):
            interval = mcnemar.mcnemar(b, int(c), n).interval(0.05)
            covered += weight_b * weights[c] * interval.holds(p_b - p_c)
    assert 0.935 <= covered <= 0.975


def test_smallest_significant_difference_by_search():
    for fixed, broken, alpha in ((3, 9, 0.05), (40, 60, 0.05), (40, 60, 0.003), (2, 3, 0.05)):
        m = fixed + broken
        significant = [
            abs(2 * k - m) / 500 for k in range(m + 1) if mcnemar.mcnemar(k, m - k, 500).p <= alpha
        ]
        expected = min(significant, default=None)
        assert mcnemar.mcnemar(fixed, broken, 500).smallest_significant(alpha) == expected
    assert mcnemar.mcnemar(0, 0, 500).smallest_significant(0.05) is None


@pytest.mark.parametrize("alpha", [0.5, 0.05, 0.0625, 0.05 / 16, 1e-5])
def test_fewest_discordant(alpha):
    m = mcnemar.fewest_discordant(alpha)
    assert mcnemar.mcnemar(m, 0, 100).p <= alpha
    assert mcnemar.mcnemar(m - 1, 0, 100).p > alpha


@pytest.mark.parametrize(
    ("difference", "discordance", "n", "alpha"),
    [(0.0, 0.1, 60, 0.05), (0.05, 0.1, 200, 0.05), (-0.05, 0.1, 200, 0.05), (0.3, 0.3, 30, 0.01)],
)
def test_power_equals_summing_over_all_tables(difference, discordance, n, alpha):
    p_b, p_c = (discordance + difference) / 2, (discordance - difference) / 2
    power = 0.0
    for b in range(n + 1):
        c = np.arange(n - b + 1)
        rejected = [mcnemar.mcnemar(b, int(k), n).p <= alpha for k in c]
        weights = stats.binom.pmf(c, n - b, p_c / (1 - p_b))
        power += stats.binom.pmf(b, n, p_b) * weights[rejected].sum()
    assert mcnemar.power_mcnemar(difference, discordance, n, alpha) == pytest.approx(power)
    if difference == 0:
        assert power <= alpha


def test_detectable_difference_has_the_power():
    found = mcnemar.detectable_difference_two_files(0.02, 10_000, 0.05)
    assert mcnemar.power_mcnemar(found, 0.02, 10_000, 0.05) == pytest.approx(0.8, abs=1e-6)
    # normal approximation (Miettinen 1968): (1.96 + 0.84) sqrt(0.02 / 10,000) = 0.00396
    assert found == pytest.approx(0.00396, rel=0.04)
    # 2 discordant examples are expected of 100: they can never be significant
    assert mcnemar.detectable_difference_two_files(0.02, 100, 0.05) is None


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: mcnemar.mcnemar(3, 3, 5), "fixed"),
        (lambda: mcnemar.mcnemar(-1, 3, 5), "fixed"),
        (lambda: mcnemar.mcnemar(0, 0, 0), "n"),
        (lambda: mcnemar.power_mcnemar(0.2, 0.1, 50, 0.05), "difference"),
        (lambda: mcnemar.power_mcnemar(0.0, 0.0, 50, 0.05), "discordance"),
        (lambda: mcnemar.mcnemar(1, 3, 5).interval(0), "alpha"),
    ],
)
def test_refuses_by_name(call, name):
    with pytest.raises(ValueError, match=rf"^{name}"):
        call()
