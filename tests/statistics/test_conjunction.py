from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.statistics import conjunction
from bench.statistics.crossed import crossed, crossed_sums
from bench.statistics.equivalence import p_above, p_below
from bench.statistics.paired import paired_t
from tests import oracles

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=6)


def test_holms_known_answer():
    # the protocol's: Holm on .01 .04 .03 .005 gives .03 .06 .06 .02
    found = conjunction.holds([0.01, 0.04, 0.03, 0.005], 0.05)
    assert (found.u, found.m) == (2, 4)
    assert found.p_of == pytest.approx((0.02, 0.03, 0.06, 0.06))
    assert found.p_partial == pytest.approx(0.03)
    two = conjunction.holds([0.01, 0.04, 0.03, 0.005], 0.05, directions=2)
    assert two.p_of == pytest.approx((0.04, 0.06, 0.12, 0.12))
    assert (two.u, two.p_partial) == (1, pytest.approx(0.04))


@given(p_values, st.sampled_from([0.01, 0.05, 0.2]), st.sampled_from([1, 2]))
def test_equals_holm_counted(p, alpha, directions):
    found = conjunction.holds(p, alpha, directions)
    holm = oracles.holm(p)
    assert found.u == sum(value <= alpha / directions for value in holm)
    for k, value in enumerate(sorted(holm), start=1):
        assert found.p_of[k - 1] == pytest.approx(min(1, directions * value))
    if found.u:
        assert found.p_partial <= alpha
    assert found.u == found.m or found.p_of[found.u] > alpha


@given(p_values)
def test_its_p_is_that_of_the_closed_test(p):
    # "fewer than k hold" says that some m - k + 1 settings are all null. Bonferroni rejects that
    # for every choice of them where the largest of (m - k + 1) min(p) is small (Benjamini &
    # Heller); Holm's step-down adds that smaller k are rejected too
    m = len(p)
    worst = 0.0
    for k in range(1, m + 1):
        nulls = m - k + 1
        worst = max(worst, *(nulls * min(chosen) for chosen in combinations(p, nulls)))
        assert conjunction.holds(p, 0.05).p_of[k - 1] == pytest.approx(min(1.0, worst))


def test_one_sided_ps_are_scipys():
    d = np.random.default_rng(0).normal(0.3, 1, 9)
    test = paired_t(d)
    for bound in (-0.5, 0.0, 0.7):
        greater = stats.ttest_1samp(d, bound, alternative="greater").pvalue
        less = stats.ttest_1samp(d, bound, alternative="less").pvalue
        assert p_above(test, bound) == pytest.approx(greater)
        assert p_below(test, bound) == pytest.approx(less)


def test_directions_of_a_study():
    rng = np.random.default_rng(3)
    tests = [paired_t(rng.normal(mean, 0.2, 10)) for mean in (3, 2, 0, 0.01, -2)]
    found = conjunction.directions(tests, 0.05)
    assert (found.positive.u, found.negative.u, found.positive.m) == (2, 1, 5)
    assert found.both
    # 2 pp is beyond 1, 2 x Holm's second smallest p is the claim's
    far = conjunction.beyond(tests, 1.0, 0.05)
    p = [p_above(test, 1.0) for test in tests]
    assert (far.positive.u, far.negative.u) == (2, 1)
    assert far.positive.p_partial == pytest.approx(2 * sorted(oracles.holm(p))[1])
    small = conjunction.equivalent(tests, 0.5, 0.05)
    assert small.u == 2
    assert not conjunction.directions(tests[:3], 0.05).both


def test_one_setting_is_the_two_sided_test():
    # m = 1: positive exactly where the two-sided test rejects with a mean above 0
    rng = np.random.default_rng(4)
    for _ in range(200):
        test = paired_t(rng.normal(0.5, 1, 8))
        found = conjunction.directions([test], 0.05)
        claimed = (found.positive.u, found.negative.u)
        if test.p <= 0.05:
            assert claimed == ((1, 0) if test.mean > 0 else (0, 1))
            assert max(found.positive, found.negative, key=lambda h: h.u).p_partial == (
                pytest.approx(test.p)
            )
        else:
            assert claimed == (0, 0)


@given(st.integers(1, 5), st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_no_setting_is_claimed_twice(settings, seeds, seed):
    d = np.random.default_rng(seed).integers(-3, 4, (settings, seeds))
    tests = [paired_t(row) for row in d]
    found = conjunction.directions(tests, 0.05)
    turned = conjunction.directions([paired_t(-row) for row in d], 0.05)
    assert found.positive.u + found.negative.u <= settings
    assert (found.positive, found.negative) == (turned.negative, turned.positive)
    # what is beyond a margin is beyond 0 too
    far = conjunction.beyond(tests, 0.5, 0.05)
    assert far.positive.u <= found.positive.u
    assert far.negative.u <= found.negative.u


def test_settings_without_a_p_count_as_none_that_holds():
    lone, clear = paired_t(np.array([5.0])), paired_t(np.array([5.0, 5.1, 5.2, 5.1]))
    found = conjunction.directions([lone, clear], 0.05)
    alone = conjunction.directions([clear], 0.05)
    assert (found.positive.u, found.positive.m) == (1, 2)
    assert found.positive.p_partial == pytest.approx(2 * alone.positive.p_partial)
    assert found.positive.p_of[1] == 1
    assert conjunction.equivalent([lone, lone], 9.0, 0.05).u == 0
    assert conjunction.holds([None], 0.05).p_partial is None


def test_constant_settings():
    zero, moved = paired_t(np.zeros(6)), paired_t(np.full(6, -0.3))
    found = conjunction.directions([zero, moved], 0.05)
    assert (found.positive.u, found.negative.u) == (0, 1)
    assert conjunction.beyond([zero, moved], 0.3, 0.05).negative.u == 0  # at the margin, not beyond
    assert conjunction.equivalent([zero, moved], 0.5, 0.05).u == 2


def test_takes_the_crossed_estimates():
    rng = np.random.default_rng(5)
    cells = [rng.choice([-1, 0, 1], (8, 300), p=p) for p in ([0, 0.8, 0.2], [0.05, 0.9, 0.05])]
    tests = [crossed(crossed_sums(table), 100) for table in cells]
    assert conjunction.directions(tests, 0.05).positive.u == 1
    assert conjunction.equivalent(tests, 5.0, 0.05).u == 1


def sample(rng, means, seeds, shared):
    """Differences of settings that share a part of each seed's luck: sd 1, correlation shared^2."""
    common = rng.normal(size=seeds)
    own = rng.normal(size=(len(means), seeds))
    rows = np.array(means)[:, None] + shared * common + np.sqrt(1 - shared**2) * own
    return [paired_t(row) for row in rows]


REPETITIONS = 1500


@pytest.mark.parametrize("shared", [0.0, 0.9])
@pytest.mark.parametrize(
    "means",
    [(0,) * 6, (9, 9, 9, 9, 9, -9), (0, 0, 0, 9, 9, -9), (9, 0, -9, -9, -9, 0)],
    ids=lambda means: " ".join(map(str, means)),
)
def test_too_many_are_claimed_at_most_a_fortieth_of_the_time(means, shared):
    rng = np.random.default_rng(6)
    too_many_up = too_many_down = 0
    for _ in range(REPETITIONS):
        found = conjunction.directions(sample(rng, means, 8, shared), 0.05)
        too_many_up += found.positive.u > sum(mean > 0 for mean in means)
        too_many_down += found.negative.u > sum(mean < 0 for mean in means)
    most = stats.binom.ppf(0.9999, REPETITIONS, 0.025)
    assert too_many_up <= most
    assert too_many_down <= most


def test_counting_two_sided_ps_would_claim_too_many():
    # why directions have tests of their own: one setting of six has the opposite sign
    rng = np.random.default_rng(6)
    claimed = 0
    for _ in range(300):
        tests = sample(rng, (9, 9, 9, 9, 9, -9), 8, 0.0)
        claimed += conjunction.holds([test.p for test in tests], 0.05).u > 5
    assert claimed > 0.95 * 300


@pytest.mark.parametrize("shared", [0.0, 0.9])
def test_beyond_and_equivalent_keep_their_rates_at_the_margin(shared):
    rng = np.random.default_rng(7)
    far = near = small = 0
    for _ in range(REPETITIONS):
        tests = sample(rng, (0.5, 0.5, 0.5, 9, -9), 8, shared)
        found = conjunction.beyond(tests, 0.5, 0.05)
        far += found.positive.u > 1
        near += found.negative.u > 1
        margin = sample(rng, (9, 9, 9, 0, -9), 8, shared)
        small += conjunction.equivalent(margin, 9.0, 0.05).u > 1
    most = stats.binom.ppf(0.9999, REPETITIONS, 0.025)
    assert far <= most
    assert near <= most
    assert small <= stats.binom.ppf(0.9999, REPETITIONS, 0.05)


@pytest.mark.parametrize("p", [[], [1.5], [np.nan], [-0.1, 0.5]])
def test_refuses_what_are_no_p_values(p):
    with pytest.raises(ValueError, match=r"^p: "):
        conjunction.holds(p, 0.05)


def test_refuses_levels_and_margins_that_are_none():
    tests = [paired_t(np.array([0.1, 0.2]))]
    with pytest.raises(ValueError, match=r"^alpha: "):
        conjunction.directions(tests, 0)
    for function in (conjunction.beyond, conjunction.equivalent):
        with pytest.raises(ValueError, match=r"^delta: "):
            function(tests, 0, 0.05)
