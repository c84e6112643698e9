from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.errors import InputError
from bench.statistics import claim
from bench.statistics.crossed import crossed_sums, seed_variance
from tests import oracles


def counts(text, n):
    return list(claim.read_accuracy(text).counts(n))


def test_what_is_written_says_how_exact_it_is():
    # 1,000 examples: 87 is 86.5 to 87.5, 87.0 is 86.95 to 87.05, both ends included
    assert counts("87", 1000) == list(range(865, 876))
    assert counts("87.0", 1000) == [870]
    assert counts("87.0", 2000) == [1739, 1740, 1741]
    assert counts("87.00%", 10_000) == [8700]
    assert counts(" 100 % ", 300) == [299, 300]
    assert counts("0", 300) == [0, 1]
    assert counts("100.0", 300) == [300]


@given(
    st.integers(0, 300).map(lambda c: min(c, 300)),
    st.integers(1, 300),
    st.integers(0, 4),
)
def test_equals_trying_every_count(c, n, decimals):
    text = f"{100 * min(c, n) / n:.{decimals}f}%"
    unit = Fraction(1, 10**decimals)
    fits = [k for k in range(n + 1) if abs(Fraction(100 * k, n) - Fraction(text[:-1])) <= unit / 2]
    assert min(c, n) in fits
    assert counts(text, n) == fits


@pytest.mark.parametrize(("text", "n"), [("87.3", 100), ("33.3", 10), ("99.99", 1000)])
def test_an_accuracy_that_no_file_has_is_refused(text, n):
    with pytest.raises(InputError, match=rf"accuracy {text}: no single file on {n} examples"):
        counts(text, n)


def test_a_refusal_names_the_nearest():
    with pytest.raises(InputError, match="87 of 100 = 87% and 88 of 100 = 88%"):
        counts("87.3", 100)


@pytest.mark.parametrize(
    "text", ["", "abc", "-1", "100.1", "1e2", "87,5", "8 7", "nan", "87.", ".5", "٨٧", "1000"]
)
def test_what_is_no_percentage_is_refused(text):
    with pytest.raises(InputError, match=r"^accuracy: found "):
        claim.read_accuracy(text)


@pytest.mark.parametrize(
    ("text", "percent"),
    [("0.901", "90.1"), ("0.9", "90"), ("1", "100"), ("1.0", "100"), ("0.05", "5"),
     ("0.0054", "0.54"), ("0.87654321", "87.654321")],
)  # fmt: skip
def test_what_may_be_a_share_is_refused_and_said_in_percent(text, percent):
    with pytest.raises(InputError, match=rf"allowed: {percent} if it is a share, {text}% if it"):
        claim.read_accuracy(text)
    assert claim.read_accuracy(f"{text}%").percent == Fraction(text)


def every_p(a, b, n, changed=None):
    """Exact McNemar p of every overlap of every pair of counts; binomial test by scipy."""
    found = []
    for right_a in a:
        for right_b in b:
            options = []
            for both in range(max(right_a + right_b - n, 0), min(right_a, right_b) + 1):
                fixed, broken = right_a - both, right_b - both
                total = fixed + broken
                p = stats.binomtest(min(fixed, broken), total).pvalue if total else 1.0
                options.append((total, p))
            if changed is None:
                found += [p for _, p in options]
            else:  # the overlap that comes next to so many changed examples, from below if it can
                below = [option for option in options if option[0] <= changed]
                found.append(max(below)[1] if below else min(options)[1])
    return found


ranges = st.integers(2, 9).flatmap(
    lambda n: st.tuples(
        st.just(n), *[st.lists(st.integers(0, n), min_size=2, max_size=2).map(sorted)] * 2
    )
)


@given(ranges)
def test_bounds_equal_every_overlap_of_all_counts(case):
    n, (a_low, a_high), (b_low, b_high) = case
    a, b = range(a_low, a_high + 1), range(b_low, b_high + 1)
    files = claim.TwoFiles(a, b, n)
    found = every_p(a, b, n)
    assert files.p_smallest == pytest.approx(min(found))
    assert files.p_largest == pytest.approx(max(found))
    gaps = [abs(x - y) for x in a for y in b]
    assert (files.least, files.most) == (min(gaps), max(gaps))


@given(ranges, st.floats(0, 1))
def test_churn_is_clipped_to_what_fits(case, churn):
    n, (a_low, a_high), (b_low, b_high) = case
    a, b = range(a_low, a_high + 1), range(b_low, b_high + 1)
    files = claim.TwoFiles(a, b, n)
    found = every_p(a, b, n, changed=round(churn * n))
    low, high = files.p_at_churn(churn)
    assert low == pytest.approx(min(found))
    assert high == pytest.approx(max(found))
    assert files.p_smallest <= low + 1e-12
    assert high <= files.p_largest + 1e-12


def test_a_claim_of_the_threads_size():
    # 87% against 81% on 1,000 examples: 49 to 71 examples between them
    files = claim.TwoFiles(range(865, 876), range(805, 816), 1000)
    assert (files.least, files.most) == (50, 70)
    assert files.p_smallest == 2.0**-69
    # 865 against 815 right, and all 135 wrong ones of the first right under the second
    expected = stats.binomtest(135, 135 + 185).pvalue
    assert files.p_largest == pytest.approx(expected)
    # a tenth of the examples changed: 100 in all, of them 50 to 70 net
    low, high = files.p_at_churn(0.1)
    assert low == pytest.approx(stats.binomtest(15, 100).pvalue)
    assert high == pytest.approx(stats.binomtest(25, 100).pvalue)


def test_large_test_sets_are_as_quick():
    files = claim.TwoFiles(range(865_000, 875_001), range(805_000, 815_001), 10**6)
    assert files.p_smallest == 0  # 2^-69,999
    assert 0 <= files.p_largest < 1e-300


def test_a_claims_pairs_are_one_family():
    accuracies = [claim.read_accuracy(text) for text in ("87.5", "84.0", "84.5")]
    found = claim.pair_claims(accuracies, 200)
    assert [(pair.first, pair.second, pair.difference) for pair in found] == [
        (1, 0, -3.5), (2, 0, -3.0), (2, 1, 0.5)
    ]  # fmt: skip
    for name in ("p_smallest", "p_largest"):
        raw = [getattr(pair.files, name) for pair in found]
        assert [getattr(pair, name) for pair in found] == raw
        adjusted = [getattr(pair, f"{name}_adjusted") for pair in found]
        assert adjusted == pytest.approx(oracles.holm(raw))
    # 175, 168 and 169 right: 7 examples at best
    assert found[0].p_smallest == 2.0**-6
    assert found[0].p_smallest_adjusted == pytest.approx(3 * 2.0**-6)


def test_differences_are_those_of_the_decimals():
    pair = claim.pair_claims([claim.read_accuracy("90.1"), claim.read_accuracy("90.3")], 1000)[0]
    assert pair.difference == 0.2  # 90.3 - 90.1 in floats is 0.20000000000000284


def test_a_mean_of_runs_says_nothing_about_files():
    # 87.3 is no count of 100, and 3 x 100 no sample size
    accuracies = [claim.read_accuracy("87.3"), claim.read_accuracy("84.7")]
    (found,) = claim.pair_claims(accuracies, 100, runs=3)
    assert found.difference == pytest.approx(-2.6)
    assert found.files is found.p_smallest is found.p_largest is found.p_largest_adjusted is None
    with pytest.raises(InputError, match=r"^accuracy 87\.3: "):
        claim.pair_claims(accuracies, 100)


def test_the_sd_of_a_run_is_the_studys_on_as_many_examples():
    cells = np.random.default_rng(0).integers(-1, 2, (6, 400))
    ms_s, _, ms_e = oracles.mean_squares(cells)
    study = seed_variance(crossed_sums(cells), 100)
    for n in (50, 400, 10_000):
        expected = max(ms_s - ms_e, 0) / 400 + ms_e / n
        assert claim.run_sd(study, n) == pytest.approx(100 * np.sqrt(expected))
    assert claim.run_sd(seed_variance(crossed_sums(cells[:1]), 100), 50) is None


def test_known_turning():
    # the protocol: d = 3, sigma = 2 turns in 14.4%, not in the 6.7% of Phi(-|d| / sigma)
    assert claim.turn_probability(3, 2) == pytest.approx(0.144, abs=5e-4)
    assert claim.turn_probability(-3, 2) == claim.turn_probability(3, 2)
    assert claim.turn_probability(3, 2, rerun=10**9) == pytest.approx(0.0668, abs=5e-5)
    assert claim.turn_probability(3, 2, runs=4, rerun=4) == pytest.approx(
        stats.norm.cdf(-3 / np.sqrt(2))
    )
    assert claim.turn_probability(0, 2) == 0.5
    assert (claim.turn_probability(1, 0), claim.turn_probability(0, 0)) == (0, 0.5)


@pytest.mark.parametrize(("runs", "rerun"), [(1, 1), (3, 1), (1, 5)])
def test_reruns_turn_as_often_as_said(runs, rerun):
    # true differences anywhere; of the claims that came out near 3 pp, rerun each
    rng = np.random.default_rng(1)
    truth = rng.uniform(-20, 20, 400_000)
    claimed = truth + rng.normal(0, 2 / np.sqrt(runs), truth.size)
    again = truth + rng.normal(0, 2 / np.sqrt(rerun), truth.size)
    near = abs(claimed - 3) < 0.25
    turned, n = int(np.sum(again[near] < 0)), int(near.sum())
    expected = claim.turn_probability(3, 2, runs, rerun)
    assert n > 4000
    assert stats.binom.ppf(0.0001, n, expected * 0.98) <= turned
    assert turned <= stats.binom.ppf(0.9999, n, expected * 1.02)


def test_what_one_run_proves():
    assert claim.smallest_proven(2, 0.05) == pytest.approx(3.919928)  # z(0.975) = 1.959964
    assert claim.smallest_proven(2, 0.05, runs=4) == pytest.approx(1.959964)
    rng = np.random.default_rng(2)
    alarms = int(np.sum(abs(rng.normal(0, 2, 20_000)) > claim.smallest_proven(2, 0.05)))
    low, high = stats.binom.ppf([0.0001, 0.9999], 20_000, 0.05)
    assert low <= alarms <= high


def test_refuses_what_is_no_claim():
    one = claim.read_accuracy("87")
    for arguments, name in (
        (([one], 100), "accuracies"),
        (([one, one], 0), "n"),
        (([one, one], 100, 0), "runs"),
    ):
        with pytest.raises(ValueError, match=rf"^{name}: "):
            claim.pair_claims(*arguments)
    for a, b, n, name in (
        (range(0), range(2), 3, "a"),
        (range(2), range(5), 3, "b"),
        (range(0, 4, 2), range(2), 5, "a"),
        (range(-1, 2), range(2), 5, "a"),
    ):
        with pytest.raises(ValueError, match=rf"^{name}: "):
            claim.TwoFiles(a, b, n)
    with pytest.raises(ValueError, match=r"^churn: "):
        claim.TwoFiles(range(2), range(2), 3).p_at_churn(1.5)
    with pytest.raises(ValueError, match=r"^sigma: "):
        claim.turn_probability(1, -1)
    with pytest.raises(ValueError, match=r"^difference: "):
        claim.turn_probability(np.nan, 1)
    with pytest.raises(ValueError, match=r"^rerun: "):
        claim.turn_probability(1, 1, rerun=0)
