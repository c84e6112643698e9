from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.statistics import gate, sequential
from bench.statistics.checks import Interval
from bench.statistics.gate import Decision
from bench.statistics.mcnemar import mcnemar, score_z
from bench.statistics.paired import paired_t
from tests import oracles


@pytest.mark.parametrize(
    ("low", "high", "decision"),
    [
        (-0.4, 0.2, "passed"),
        (0.1, 0.3, "passed"),
        (-0.5, 0.2, "undecided"),  # at the margin is not inside it
        (-0.7, -0.1, "undecided"),
        (-9.0, 9.0, "undecided"),
        (-0.9, -0.5, "undecided"),
        (-0.9, -0.6, "failed"),
        (-np.inf, np.inf, "undecided"),
    ],
)
def test_the_interval_decides(low, high, decision):
    assert gate.decide(Interval(low, high), 0.5) == decision


def test_without_interval_nothing_is_decided():
    assert gate.decide(None, 0.5) == Decision.UNDECIDED


samples = st.lists(st.integers(-20, 20), min_size=5, max_size=12)


@given(samples, st.floats(0.1, 10), st.sampled_from([0.05, 0.03125, 0.1]))
def test_over_seeds_it_is_the_one_sided_t_test_against_the_margin(d, delta, alpha):
    d = np.array(d)
    if np.ptp(d) == 0:
        return
    found = gate.gate_seeds(paired_t(d), d.size, delta, alpha)
    better = stats.ttest_1samp(d, -delta, alternative="greater").pvalue
    worse = stats.ttest_1samp(d, -delta, alternative="less").pvalue
    assert (found.p_passed, found.p_failed) == pytest.approx((better, worse))
    assert found.interval == pytest.approx(paired_t(d).interval(2 * alpha))
    if min(abs(better - alpha), abs(worse - alpha)) > 1e-9:
        expected = "passed" if better < alpha else "failed" if worse < alpha else "undecided"
        assert found.decision == expected


def test_fewest_seeds():
    # 1/2^5 = 0.031 <= 0.05, and ICH E9's 0.025 needs one more
    assert [gate.fewest_seeds(alpha) for alpha in (0.05, 0.025, 0.1)] == [5, 6, 4]
    d = np.array([0.1, 0.2, 0.1, 0.15, 0.12])
    assert gate.gate_seeds(paired_t(d), 5, 0.5, 0.05).decision == Decision.PASSED
    few = gate.gate_seeds(paired_t(d[:4]), 4, 0.5, 0.05)
    assert (few.decision, few.interval, few.p_passed, few.p_failed) == (
        "undecided", None, None, None
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "decision"), [(0, "passed"), (-0.4, "passed"), (-0.5, "undecided"), (-0.6, "failed")]
)
def test_constant_differences(value, decision):
    assert gate.gate_seeds(paired_t(np.full(6, value)), 6, 0.5, 0.05).decision == decision


@given(st.integers(0, 60), st.integers(0, 60), st.floats(0.002, 0.3))
def test_two_files_by_tangos_limits(fixed, broken, delta):
    pair = mcnemar(fixed, broken, 200)
    found = gate.gate_files(pair, delta, 0.05)
    assert found.interval == pair.interval(0.1)
    # the limits are where the score statistic crosses z(0.95): p and interval say the same
    better, worse = found.p_passed, found.p_failed
    if min(abs(better - 0.05), abs(worse - 0.05)) > 1e-6:
        expected = "passed" if better < 0.05 else "failed" if worse < 0.05 else "undecided"
        assert found.decision == expected


def likelihood_sd(b, c, n, delta):
    """SD of b - c under p_b - p_c = delta, the likelihood maximized over a fine grid."""
    p_c = np.linspace(max(-delta, 0), (1 - delta) / 2, 200_001)[1:-1]
    log = (
        stats.binom.logpmf(0, 0, 0.5)
        + b * np.log(p_c + delta)
        + c * np.log(p_c)
        + (n - b - c) * np.log1p(-2 * p_c - delta)
    )
    best = p_c[np.argmax(log)]
    return np.sqrt(n * (2 * best + delta - delta**2))


@pytest.mark.parametrize(("b", "c", "n"), [(3, 9, 60), (12, 4, 60), (1, 0, 44), (25, 25, 80)])
@pytest.mark.parametrize("delta", [-0.3, -0.05, 0.02, 0.2])
def test_score_statistic_equals_the_maximized_likelihood(b, c, n, delta):
    expected = (b - c - n * delta) / likelihood_sd(b, c, n, delta)
    assert float(score_z(b, c, n, delta)) == pytest.approx(expected, abs=1e-3)
    assert float(score_z(b, c, n, delta)) == pytest.approx(-float(score_z(c, b, n, -delta)))


def test_score_statistic_of_no_difference_is_mcnemars():
    # z^2 is McNemar's chi-squared without correction; 86 and 150: 64^2 / 236
    assert float(score_z(86, 150, 1000, 0)) == pytest.approx(-64 / np.sqrt(236))
    assert score_z(np.array([0, 3]), np.array([0, 3]), 10, 0).tolist() == [0, 0]


def test_several_pass_together_and_fail_by_holm():
    def gates(*shifts):
        d = np.array([-0.2, -0.1, 0.0, 0.1, 0.2, 0.05])
        return [gate.gate_seeds(paired_t(d + shift), 6, 0.5, 0.05) for shift in shifts]

    assert gate.gate_several(gates(0, 0.3, 1), 0.05).decision == Decision.PASSED
    assert gate.gate_several(gates(0, -0.4, 1), 0.05).decision == Decision.UNDECIDED
    assert gate.gate_several(gates(0, -2, 1), 0.05).decision == Decision.FAILED
    # one that fails alone need not among twelve
    (alone,) = gates(-0.67)
    assert alone.decision == Decision.FAILED
    twelve = gate.gate_several(gates(-0.67, *[1] * 11), 0.05)
    assert twelve.decision == Decision.UNDECIDED
    assert twelve.p_failed == pytest.approx(
        oracles.holm([alone.p_failed, *[one.p_failed for one in gates(*[1] * 11)]])
    )
    few = gate.Gate(Decision.UNDECIDED, None, None, None)
    mixed = gate.gate_several([few, *gates(0)], 0.05)
    assert (mixed.decision, mixed.p_failed) == (Decision.UNDECIDED, (None, 1))


def at_the_margin(repetitions, draw):
    passed = failed = 0
    for _ in range(repetitions):
        decision = draw()
        passed += decision == Decision.PASSED
        failed += decision == Decision.FAILED
    return passed, failed


@pytest.mark.parametrize("n_seeds", [5, 12])
def test_over_seeds_each_wrong_decision_has_its_rate(n_seeds):
    rng = np.random.default_rng(n_seeds)
    found = at_the_margin(
        3000,
        lambda: (
            gate.gate_seeds(paired_t(rng.normal(-0.5, 0.4, n_seeds)), n_seeds, 0.5, 0.05).decision
        ),
    )
    low, high = stats.binom.ppf([0.0001, 0.9999], 3000, 0.05)  # t is exact for normal differences
    assert all(low <= count <= high for count in found)


@pytest.mark.parametrize("discordance", [0.02, 0.1])
def test_two_files_decide_wrongly_about_as_often_as_alpha(discordance):
    rng, n, delta = np.random.default_rng(1), 4000, 0.005
    shares = [(discordance - delta) / 2, (discordance + delta) / 2, 1 - discordance]

    def draw():
        fixed, broken, _ = rng.multinomial(n, shares)
        return gate.gate_files(mcnemar(fixed, broken, n), delta, 0.05).decision

    found = at_the_margin(2000, draw)
    low, high = stats.binom.ppf([0.0001, 0.9999], 2000, [0.04, 0.055])
    assert all(low <= count <= high for count in found)


def test_several_decide_wrongly_at_most_alpha():
    rng = np.random.default_rng(2)

    def draw(means):
        d = np.array(means)[:, None] + rng.normal(0, 0.4, (len(means), 8))
        gates = [gate.gate_seeds(paired_t(row), 8, 0.5, 0.05) for row in d]
        return gate.gate_several(gates, 0.05).decision

    most = stats.binom.ppf(0.9999, 1000, 0.05)
    passed, _ = at_the_margin(1000, lambda: draw([2, 2, -0.5]))  # one at the margin
    assert passed <= most
    _, failed = at_the_margin(1000, lambda: draw([-0.5] * 4))
    assert failed <= most


def test_added_seeds_keep_the_rate_with_repeated_intervals():
    rng, wrong = np.random.default_rng(3), 0
    for _ in range(600):
        looks = sequential.group_sequential(rng.normal(-0.5, 0.4, 30), (10, 20, 30), 0.1)
        wrong += any(gate.decide(look.interval, 0.5) == Decision.PASSED for look in looks)
    low, high = stats.binom.ppf([0.0001, 0.9999], 600, 0.05)
    assert low <= wrong <= high


@pytest.mark.parametrize(("delta", "sd"), [(0.5, 0.3), (0.5, 0.8), (1.0, 4.0)])
def test_seeds_to_pass_have_the_power(delta, sd):
    def power(n):
        return stats.nct.sf(stats.t.ppf(0.95, n - 1), n - 1, delta / sd * np.sqrt(n))

    needed = gate.seeds_to_pass(delta, sd, 0.05)
    assert power(needed) >= 0.8
    assert needed == 5 or power(needed - 1) < 0.8
    assert gate.seeds_to_pass(delta, 0, 0.05) == 5


@pytest.mark.parametrize(("discordance", "difference"), [(0.2, 0.0), (0.3, -0.1), (0.0, 0.0)])
@pytest.mark.parametrize("n", [9, 20])
def test_power_of_two_files_equals_adding_up_all_outcomes(n, discordance, difference):
    p_b, p_c = (discordance + difference) / 2, (discordance - difference) / 2
    total = 0.0
    for fixed, broken in product(range(n + 1), repeat=2):
        if fixed + broken <= n:
            pair = mcnemar(fixed, broken, n)
            if gate.gate_files(pair, 0.15, 0.05).decision == Decision.PASSED:
                counts = [fixed, broken, n - fixed - broken]
                total += stats.multinomial.pmf(counts, n, [p_b, p_c, 1 - discordance])
    found = gate.power_files(discordance, n, 0.15, 0.05, difference)
    assert found == pytest.approx(total, abs=1e-9)


def test_examples_to_pass_have_the_power():
    needed = gate.examples_to_pass(0.05, 0.01, 0.05)
    assert gate.power_files(0.05, needed, 0.01, 0.05) >= 0.8
    assert gate.power_files(0.05, needed - 1, 0.01, 0.05) < 0.8
    # the normal approximation: (z(0.95) + z(0.8))^2 q / delta^2 = 3091
    assert needed == pytest.approx(3091, rel=0.1)
    assert gate.examples_to_pass(0.5, 0.0005, 0.05) is None
    # files that never differ: z(0.95)^2 (1 - delta) / delta
    assert gate.examples_to_pass(0.0, 0.01, 0.05) == pytest.approx(268, abs=1)


def test_refuses_margins_and_levels_that_are_none():
    test, pair = paired_t(np.arange(5)), mcnemar(1, 2, 10)
    for call in (
        lambda: gate.gate_seeds(test, 5, 0, 0.05),
        lambda: gate.gate_files(pair, -0.1, 0.05),
        lambda: gate.gate_files(pair, 1.0, 0.05),
        lambda: gate.power_files(0.1, 10, 1.5, 0.05),
        lambda: gate.decide(Interval(0, 1), np.nan),
    ):
        with pytest.raises(ValueError, match=r"^delta: "):
            call()
    with pytest.raises(ValueError, match=r"^difference: "):
        gate.power_files(0.1, 10, 0.05, 0.05, difference=0.2)
    with pytest.raises(ValueError, match=r"^discordance: "):
        gate.power_files(1.1, 10, 0.05, 0.05)
    with pytest.raises(ValueError, match=r"^difference: "):
        score_z(1, 2, 10, -1.0)
    for call in (
        lambda: gate.gate_seeds(test, 5, 0.5, 0.5),
        lambda: gate.gate_files(pair, 0.1, 0),
        lambda: gate.gate_several([], 0.7),
    ):
        with pytest.raises(ValueError, match=r"^alpha: "):
            call()
    with pytest.raises(ValueError, match=r"^gates: "):
        gate.gate_several([], 0.05)
