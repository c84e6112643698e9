from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.statistics import sign_flip, spectrum, subset_sums
from bench.statistics.paired import paired_t
from tests import oracles

# Student (1908), The probable error of a mean; R's `sleep`, drug 1 minus drug 2, tenths of an hour
SLEEP = np.array([-12, -24, -13, -13, 0, -10, -18, -8, -46, -14])

counts = st.lists(st.integers(-20, 20), min_size=1, max_size=9)
levels = st.sampled_from([0.05, 0.0125, 0.1, 0.3, 0.03125])


def test_students_sleep_data():
    # protocol: 4/1024: zero changes nothing, the nine others all have one sign
    assert sign_flip.sign_flip_p(SLEEP) == 4 / 1024
    # nine differences of one sign: 2/2^9, ties or not
    assert sign_flip.wilcoxon_p(SLEEP) == 2 / 512


@given(counts)
def test_equals_counting_every_sign_pattern(d):
    assert sign_flip.sign_flip_p(np.array(d)) == pytest.approx(oracles.sign_flip_p(d))


@given(counts, st.floats(0.01, 10))
def test_real_differences_equal_whole_ones(d, unit):
    # scaled by a real unit, sums that tie stay ties though their bits differ
    assert sign_flip.sign_flip_p(unit * np.array(d)) == pytest.approx(oracles.sign_flip_p(d))


@given(counts)
def test_equals_scipys_exact_permutation_test(d):
    if len(d) < 2:
        return
    reference = stats.permutation_test(
        (np.array(d),), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    assert sign_flip.sign_flip_p(np.array(d)) == pytest.approx(reference.pvalue)


@given(counts, st.integers(1, 50))
def test_ignores_scale_sign_and_order(d, scale):
    d = np.array(d)
    flipped = sign_flip.sign_flip_p(-scale * np.sort(d))
    assert flipped == pytest.approx(sign_flip.sign_flip_p(d))


@pytest.mark.parametrize("n_seeds", [1, 2, 10, 60, 200, 600, 1000])
def test_smallest_p(n_seeds):
    d = np.arange(1, n_seeds + 1) * 37 + 1
    assert sign_flip.sign_flip_p(d) == pytest.approx(2.0 ** (1 - n_seeds), rel=1e-12)
    assert sign_flip.smallest_p(n_seeds) == 2.0 ** (1 - n_seeds)


def test_keeps_tiny_tails_exact():
    # 199 of 9,999 and one 1: only "all signs equal" reaches the sum; with -1 in its place the
    # pattern that also flips it reaches more
    d = np.full(200, 9_999)
    d[0] = 1
    assert sign_flip.sign_flip_p(d) == pytest.approx(2 / 2**200, rel=1e-12)
    d[0] = -1
    assert sign_flip.sign_flip_p(d) == pytest.approx(4 / 2**200, rel=1e-12)


@pytest.mark.parametrize("n_seeds", [7, 41, 199, 1023])
def test_equal_differences_are_a_binomial(n_seeds):
    # of n ones k are negative: |n - 2k| >= observed, twice a binomial tail
    k = n_seeds // 3
    d = np.where(np.arange(n_seeds) < k, -3, 3)
    expected = 2 * stats.binom.cdf(k, n_seeds, 0.5)
    assert sign_flip.sign_flip_p(d) == pytest.approx(expected, rel=1e-9)
    assert sign_flip.sign_flip_p(d / 7) == pytest.approx(expected, rel=1e-9)
    assert sign_flip.wilcoxon_p(d) == pytest.approx(expected, rel=1e-9)


def test_only_zeros_and_balance_give_one():
    assert sign_flip.sign_flip_p(np.zeros(5, dtype=int)) == 1
    assert sign_flip.sign_flip_p(np.array([3, -3, 0])) == 1
    assert sign_flip.sign_flip_p(np.array([0.1, 0.2, -0.3])) == 1


@pytest.mark.parametrize("n_seeds", [60, 200])
def test_agrees_with_t_for_many_seeds(n_seeds):
    d = np.random.default_rng(3).integers(-10_000, 10_001, n_seeds)
    assert sign_flip.sign_flip_p(d) == pytest.approx(paired_t(d).p, abs=0.005)
    real = d + np.random.default_rng(4).random(n_seeds)
    assert sign_flip.sign_flip_p(real) == pytest.approx(paired_t(real).p, abs=0.005)


@pytest.mark.parametrize("n_seeds", [12, 60])
def test_large_whole_numbers_are_no_counts(n_seeds):
    # nanoseconds: an array of all sums would not fit into memory
    d = np.random.default_rng(3).integers(-400, 601, n_seeds)
    nanoseconds = d * 10**9 + 1
    assert sign_flip.sign_flip_p(nanoseconds) == pytest.approx(sign_flip.sign_flip_p(d), abs=1e-3)
    low, high = sign_flip.sign_flip_interval(d, 0.05)
    found = sign_flip.sign_flip_interval(nanoseconds, 0.05)
    assert found == pytest.approx((low * 1e9, high * 1e9), abs=1e9)


SAMPLES = {
    "normal": lambda rng, n: rng.normal(0.3, 1, n),
    "Cauchy": lambda rng, n: rng.standard_cauchy(n) + 0.5,
    "lognormal": lambda rng, n: rng.lognormal(0, 3, n) * rng.choice([-1, 1], n, p=[0.3, 0.7]),
    "one diverged": lambda rng, n: np.append(rng.normal(0.3, 1, n - 1), 1e9),
    "two diverged": lambda rng, n: np.append(rng.normal(0.3, 1, n - 2), [1e6, -3e7]),
}


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("n_seeds", [20, 27])
def test_grid_is_near_the_exact_sums(n_seeds, sample):
    rng = np.random.default_rng(8)
    for _ in range(10):
        d = SAMPLES[sample](rng, n_seeds)
        exact = sign_flip._real_sign_flip_p(d, 40)
        assert sign_flip._real_sign_flip_p(d, 0) == pytest.approx(exact, rel=0.01, abs=2e-4)


@pytest.mark.parametrize("n_seeds", [12, 39, 60])
@pytest.mark.parametrize("outlier", [1e6, 1e25, -1e25])
def test_a_diverged_seed_hides_no_other(n_seeds, outlier):
    # a pattern reaches the sum where the outlier keeps its sign and the others theirs: half of the
    # one-sided p of the others. On a grid of the largest all others would be zero, and p = 1
    others = np.random.default_rng(9).normal(np.copysign(0.4, outlier), 1, n_seeds)
    expected = sign_flip.sign_flip_p(others) / 2
    found = sign_flip.sign_flip_p(np.append(others, outlier))
    assert found == pytest.approx(expected, rel=1e-9 if n_seeds < 40 else 0.01)


def test_says_where_it_is_exact():
    whole, real = np.arange(1, 61), np.arange(1, 61) / 7
    assert sign_flip.sums_exactly(whole)
    assert sign_flip.sums_exactly(real[:40])
    assert not sign_flip.sums_exactly(real[:41])
    assert not sign_flip.sums_exactly(10**9 * whole)  # nanoseconds


def test_false_alarms_of_reals_on_the_grid_keep_their_rate():
    rng = np.random.default_rng(10)
    alarms = sum(sign_flip.sign_flip_p(rng.standard_cauchy(45)) <= 0.05 for _ in range(1000))
    assert stats.binom.ppf(0.0001, 1000, 0.05) <= alarms <= stats.binom.ppf(0.9999, 1000, 0.05)


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("n_seeds", [18, 30, 45])
def test_interval_of_reals_is_where_p_crosses_alpha(n_seeds, sample):
    d = SAMPLES[sample](np.random.default_rng(n_seeds), n_seeds)
    low, high = sign_flip.sign_flip_interval(d, 0.05)
    spread = float(np.median(abs(d - np.median(d))))  # of the seeds that did not diverge
    for end, inwards in ((low, 1), (high, -1)):
        step = inwards * max(0.02 * spread, 1e-3 * abs(end))
        inside, outside = end + step, end - step
        assert sign_flip.sign_flip_p(d - inside) > 0.05
        assert sign_flip.sign_flip_p(d - outside) <= 0.05


@pytest.mark.parametrize("sample", SAMPLES)
def test_interval_of_reals_past_the_listing_joins_exactly(sample, monkeypatch):
    d = SAMPLES[sample](np.random.default_rng(3), 13)
    listed = sign_flip.sign_flip_interval(d, 0.05)
    monkeypatch.setattr(sign_flip, "_LISTED_UP_TO", 0)
    width = listed.high - listed.low
    assert sign_flip.sign_flip_interval(d, 0.05) == pytest.approx(listed, abs=1e-9 * width)


@pytest.mark.parametrize("d", [[], [[1, 1]], [0.5, np.nan], [np.inf]])
@pytest.mark.parametrize("function", [sign_flip.sign_flip_p, sign_flip.wilcoxon_p])
def test_refuses_what_is_no_sample(d, function):
    with pytest.raises(ValueError, match=r"^d: "):
        function(np.array(d))


def test_false_alarms_keep_their_rate():
    rng = np.random.default_rng(0)
    alarms = sum(sign_flip.sign_flip_p(rng.integers(-9, 10, 8)) <= 0.05 for _ in range(2000))
    assert alarms <= stats.binom.ppf(0.9999, 2000, 0.05)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-20, 20), min_size=2, max_size=7), levels)
def test_interval_equals_testing_every_subset_mean(d, alpha):
    found = sign_flip.sign_flip_interval(np.array(d), alpha)
    if alpha < 2 / 2 ** len(d):
        assert found == (-np.inf, np.inf)
    else:
        assert found == pytest.approx(oracles.subset_means_interval(d, alpha))


@pytest.mark.parametrize("alpha", [0.3, 0.05, 0.05 / 16])
@pytest.mark.parametrize("n_seeds", [17, 18, 30, 200])
def test_interval_of_many_seeds_is_where_p_crosses_alpha(n_seeds, alpha):
    d = np.random.default_rng(n_seeds).integers(-40, 60, n_seeds)
    low, high = sign_flip.sign_flip_interval(d, alpha)
    for inside, outside in ((low + 0.02, low - 0.02), (high - 0.02, high + 0.02)):
        # in fiftieths of an example, so that the shifted differences are whole again
        assert sign_flip.sign_flip_p(50 * d - round(50 * inside)) > alpha
        assert sign_flip.sign_flip_p(50 * d - round(50 * outside)) <= alpha


def test_interval_past_the_listing_joins_smoothly(monkeypatch):
    d = np.random.default_rng(2).integers(-50, 51, 14)
    listed = sign_flip.sign_flip_interval(d, 0.05)
    monkeypatch.setattr(sign_flip, "_LISTED_UP_TO", 0)
    assert sign_flip.sign_flip_interval(d, 0.05) == pytest.approx(listed, abs=1 / 64)


@given(st.integers(2, 30), st.integers(0, 2**32 - 1), st.integers(-50, 50))
@settings(max_examples=40, deadline=None)
def test_interval_moves_and_turns_with_the_data(n_seeds, seed, shift):
    d = np.random.default_rng(seed).integers(-30, 31, n_seeds)
    low, high = sign_flip.sign_flip_interval(d, 0.1)
    assert sign_flip.sign_flip_interval(d + shift, 0.1) == pytest.approx(
        (low + shift, high + shift), abs=0.04
    )
    assert sign_flip.sign_flip_interval(-d, 0.1) == pytest.approx((-high, -low), abs=0.04)
    assert low <= d.mean() <= high


@pytest.mark.parametrize("n_seeds", [20, 100])
def test_interval_of_real_differences_is_that_of_a_fine_grid(n_seeds):
    d = np.random.default_rng(5).normal(0.3, 1, n_seeds)
    fine = sign_flip.sign_flip_interval(np.rint(d * 3000).astype(int), 0.05)
    width = np.ptp(fine) / 3000
    found = sign_flip.sign_flip_interval(d, 0.05)
    assert found == pytest.approx((fine.low / 3000, fine.high / 3000), abs=0.01 * width)
    assert found == pytest.approx(paired_t(d).interval(0.05), abs=0.05 * width)


def test_interval_of_degenerate_data():
    assert sign_flip.sign_flip_interval(np.array([4]), 0.05) is None
    assert sign_flip.sign_flip_interval(np.array([4, 5]), 0.05) == (-np.inf, np.inf)
    for n_seeds in (8, 40):
        assert sign_flip.sign_flip_interval(np.full(n_seeds, 3), 0.05) == (3, 3)
        assert sign_flip.sign_flip_interval(np.zeros(n_seeds), 0.05) == (0, 0)
    mostly_zero = np.array([0] * 39 + [1])
    low, high = sign_flip.sign_flip_interval(mostly_zero, 0.05)
    assert low <= 1 / 40 <= high <= 1


@given(st.lists(st.integers(-6, 6), min_size=1, max_size=9))
def test_signed_ranks_equal_enumeration_with_ties(d):
    assert sign_flip.wilcoxon_p(np.array(d)) == pytest.approx(oracles.signed_rank_p(d))


@given(st.lists(st.integers(-999, 999).filter(bool), min_size=1, max_size=30, unique_by=abs))
def test_signed_ranks_equal_scipy_without_ties(d):
    reference = stats.wilcoxon(d, zero_method="wilcox", method="exact")
    assert sign_flip.wilcoxon_p(np.array(d)) == pytest.approx(reference.pvalue)


def test_signed_ranks_drop_zeros():
    assert sign_flip.wilcoxon_p(np.array([0, 0, 3, 5, -1])) == sign_flip.wilcoxon_p(
        np.array([3, 5, -1])
    )
    assert sign_flip.wilcoxon_p(np.zeros(4)) == 1


def tail_by_counting(steps: np.ndarray, limit: int) -> Fraction:
    """In whole numbers: every subset sum counted exactly."""
    counts = {0: 1}
    for step in steps.tolist():
        grown = dict(counts)
        for total, many in counts.items():
            grown[total + step] = grown.get(total + step, 0) + many
        counts = grown
    return Fraction(sum(many for total, many in counts.items() if total <= limit), 2**steps.size)


@given(
    steps=st.lists(st.integers(0, 40), min_size=1, max_size=60).filter(any),
    share=st.sampled_from([0.0, 0.01, 0.1, 0.3, 0.49, 0.5]),
)
def test_a_tail_in_halves_equals_counting_in_whole_numbers(steps, share):
    steps = np.array(steps)
    limit = int(share * steps.sum())
    exact = float(tail_by_counting(steps, limit))
    assert subset_sums.lower_tail_of_many(steps, limit) == pytest.approx(exact, rel=1e-13)
    by_frequency = spectrum.lower_tail_by_frequency(steps, limit, 10**6)
    assert by_frequency == pytest.approx(exact, rel=1e-12)


def tail_in_one_number(steps: np.ndarray, limit: int) -> float:
    """Every subset sum counted exactly, as the digits of one whole number."""
    bits = steps.size + 1  # of a digit: no count fills it
    product = 1
    for step in steps.tolist():
        product += product << bits * step
    digits = product & ((1 << bits * (limit + 1)) - 1)
    return float(Fraction(digits % ((1 << bits) - 1), 2**steps.size))  # their sum: casting out 9s


@pytest.mark.parametrize("share", [0.5, 0.45, 0.3])
@pytest.mark.parametrize("kind", ["ranks", "tied ranks", "counts"])
def test_a_tail_from_few_frequencies_equals_counting_in_whole_numbers(kind: str, share: float):
    rng = np.random.default_rng(0)
    steps = {
        "ranks": np.arange(1, 401),
        "tied ranks": np.repeat(np.arange(1, 201), 2),
        "counts": rng.binomial(90, 0.4, 400),
    }[kind]
    limit = int(share * steps.sum())
    few = steps.size * 250  # frequencies, of 4,000 to 28,000
    found = spectrum.lower_tail_by_frequency(steps, limit, few)
    assert found == pytest.approx(tail_in_one_number(steps, limit), rel=1e-13)


def test_a_frequency_far_from_0_counts_where_it_matters():
    """Of even steps and one odd one, half a turn leaves the even ones as they are."""
    steps = np.r_[2 * np.arange(1, 401), 1]
    exact = tail_in_one_number(steps, 79_000)
    found = spectrum.lower_tail_by_frequency(steps, 79_000, 60_000)
    assert found == pytest.approx(exact, rel=1e-13)


def test_too_many_frequencies_are_none():
    assert spectrum.lower_tail_by_frequency(np.arange(1, 61), 800, 1_000) is None
