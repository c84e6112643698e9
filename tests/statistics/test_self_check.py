from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.statistics import families, self_check
from bench.statistics.bootstrap import resample_counts
from bench.statistics.equivalence import tost_of
from bench.statistics.paired import churn, paired_t
from bench.statistics.power import power_paired_t


def rng(seed=0):
    return np.random.default_rng(seed)


def said(samples, n_seeds, alpha, method, delta):
    """The family's verdicts by the functions that the analysis uses, and which t-tests reject."""
    tests = [paired_t(sample) if sample.size > 1 else None for sample in samples]
    p = [None if test is None else test.p for test in tests]
    p_equivalence = [
        None if test is None or delta is None else tost_of(test, delta).p for test in tests
    ]
    adjusted, m = families.adjusted(p, method), len(tests)
    level = families.bonferroni_alpha(alpha, m)
    if method == "bh":
        level = families.fcr_alpha(
            alpha, m, sum(value is not None and value <= alpha for value in adjusted)
        )
    verdicts = [
        families.verdict(
            n_seeds=n_seeds[c], p_adjusted=adjusted[c],
            p_equivalence_adjusted=families.adjusted(p_equivalence, method)[c],
            interval=None if tests[c] is None else tests[c].interval(level),
            delta=delta, alpha=alpha, m=m,
        )
        for c in range(m)
    ]  # fmt: skip
    return verdicts, [value is not None and value <= alpha for value in p]


def centre(one):
    n = one.size
    return (one - one.mean()) * np.sqrt(n / (n - 1)) if n > 1 else 0 * one


def counted(draws, m, n_seeds, **family):
    """Rates over draws: lists of each contrast's differences."""
    t, claims, any_claim = np.zeros(m), np.zeros(m), 0
    got = dict.fromkeys(self_check.CLAIMS, 0)
    for samples in draws:
        verdicts, rejected = said(samples, n_seeds, **family)
        t += rejected
        claiming = [v in self_check.CLAIMS for v in verdicts]
        claims += claiming
        any_claim += any(claiming)
        for one in got:
            got[one] += one in verdicts
    n = len(draws)
    return t / n, claims / n, {one: count / n for one, count in got.items()}, any_claim / n


tables = st.tuples(st.integers(1, 4), st.integers(5, 7), st.integers(0, 2**32 - 1))
FAMILY = {"alpha": 0.3, "delta": 0.5}  # so wide that all verdicts occur with few seeds


@settings(max_examples=25, deadline=None)
@given(tables, st.sampled_from(["holm", "bh"]), st.booleans(), st.booleans())
def test_signs_equal_the_reports_own_functions(shape, method, lacking, planted):
    m, n, seed = shape
    d = rng(seed).normal(size=(m, n))
    if lacking:
        d[0, 0] = np.nan
    shift = np.linspace(-1, 2, m) if planted else np.zeros(m)
    own = [row[~np.isnan(row)] for row in d]
    draws = []
    for signs in product((1, -1), repeat=n):
        kept = [np.array(signs)[~np.isnan(row)] for row in d]
        draws.append(
            [signs_ * centre(one) + by for signs_, one, by in zip(kept, own, shift, strict=True)]
        )
    expected = counted(draws, m, [one.size for one in own], method=method, **FAMILY)
    found = self_check.by_signs(d, method=method, rng=rng(), shift=shift, **FAMILY)
    assert found.exact
    assert found.n_draws == 2**n
    assert found.t == pytest.approx(expected[0])
    assert found.claims == pytest.approx(expected[1])
    assert found.verdicts == pytest.approx(expected[2])
    assert found.family == pytest.approx(expected[3])


@pytest.mark.parametrize("method", ["holm", "bh"])
@pytest.mark.parametrize("delta", [0.5, None])
def test_resampling_equals_the_reports_own_functions(method, delta):
    d = rng(1).exponential(size=(3, 8))
    d[1, 2] = np.nan
    family = {"alpha": 0.2, "method": method, "delta": delta}
    draws, generator = [], rng(5)
    for _ in range(16):
        for counts in resample_counts(8, 256, generator).astype(int):
            rows = []
            for row in d:
                there = ~np.isnan(row)
                rows.append(np.repeat(centre(row[there]), counts[there]))
            draws.append(rows)
    found = self_check.by_resampling(d, rng=rng(5), **family)
    expected = counted(draws, 3, [8, 7, 8], **family)
    assert found.n_draws == len(draws)
    assert found.t == pytest.approx(expected[0], abs=1e-12)
    assert found.claims == pytest.approx(expected[1], abs=1e-12)
    assert found.verdicts == pytest.approx(expected[2], abs=1e-12)
    assert found.family == pytest.approx(expected[3], abs=1e-12)


ONE = {"alpha": 0.05, "method": "holm", "delta": 0.5}


def test_normal_differences_are_quiet():
    rates = [self_check.by_signs(rng(i).normal(size=(24, 10)), rng=rng(), **ONE) for i in range(40)]
    assert not any(found.loud for found in rates)
    assert np.mean([found.t.mean() for found in rates]) == pytest.approx(0.05, abs=0.004)
    assert np.mean([found.family for found in rates]) <= 0.05


def test_skewed_differences_by_signs_and_by_resampling():
    # the protocol: exponential d, S = 10: true error 10.0%, by signs 4.3%
    generator = rng(2)
    d = generator.exponential(size=(20_000, 10)) - 1
    t = d.mean(axis=1) / (d.std(axis=1, ddof=1) / np.sqrt(10))
    assert np.mean(abs(t) > stats.t.ppf(0.975, 9)) == pytest.approx(0.10, abs=0.006)
    signs = np.mean([self_check.by_signs(d[i : i + 1], rng=generator, **ONE).t for i in range(300)])
    assert signs == pytest.approx(0.045, abs=0.004)
    drawn = [self_check.by_resampling(d[i : i + 1], rng=generator, **ONE) for i in range(50)]
    assert np.mean([found.t for found in drawn]) > 0.075  # sees part of it
    assert any(found.skewed.any() for found in drawn)
    normal = self_check.by_resampling(rng(3).normal(size=(1, 20)), rng=rng(), **ONE)
    assert not normal.skewed.any()


def test_a_test_that_errs_is_loud():
    # six seeds whose 64 patterns include 8 in which t exceeds 2.57
    d = np.array([-3, -3, -1, 2, -1, 2]) + 2 / 3
    errs = sum(paired_t(d * signs).p <= 0.05 for signs in product((1, -1), repeat=6))
    found = self_check.by_signs(d[None], rng=rng(), **ONE)
    assert (found.t[0], found.family) == (errs / 64, errs / 64) == (0.125, 0.125)
    assert found.loud
    assert not self_check.by_signs(d[None], rng=rng(), **{**ONE, "alpha": 0.0625}).loud


def test_few_seeds_are_never_called_loud():
    found = self_check.by_signs(np.array([[1.0, -1.0, 0.5]]), rng=rng(), **ONE)
    assert not found.resolves
    assert not found.loud
    two = self_check.by_signs(np.array([[1.0, 2.0]]), rng=rng(), **ONE)
    assert two.t[0] == 0.5  # both alike or not
    assert not two.loud
    assert not self_check.by_resampling(np.array([[1.0, 2.0]]), rng=rng(), **ONE).skewed.any()


def test_many_seeds_are_drawn_and_seeded():
    d = rng(6).normal(size=(4, 30))
    found = self_check.by_signs(d, rng=rng(7), **ONE)
    assert not found.exact
    assert found.n_draws == 4096
    again = self_check.by_signs(d, rng=rng(7), **ONE)
    assert (again.t == found.t).all()
    assert found.t.mean() == pytest.approx(0.05, abs=0.02)


def test_constant_and_absent_contrasts_claim_nothing():
    d = np.array([[0.3] * 10, [0.0] * 10, [np.nan] * 10, [1.0, *[np.nan] * 9]])
    for function in (self_check.by_signs, self_check.by_resampling):
        found = function(d, rng=rng(), **ONE)
        assert (found.t == 0).all()
        assert found.family == 0
    # a constant that was planted is found in every pattern, by the contrasts that have seeds
    found = self_check.by_signs(d, rng=rng(), shift=0.7, **ONE)
    assert found.claims.tolist() == [1, 1, 0, 0]
    assert found.verdicts[families.Verdict.MATTERS] == 1


def test_power_is_that_of_the_paired_t_test():
    # dz = 1 with 10 seeds has a power of 80.3%
    rates = [
        self_check.by_signs(rng(i).normal(size=(1, 10)), rng=rng(), shift=1.0, **ONE).claims[0]
        for i in range(60)
    ]
    assert np.mean(rates) == pytest.approx(power_paired_t(1.0, 10, 0.05), abs=0.05)


def outcomes(seed, n_seeds=6, n=200):
    generator = rng(seed)
    return generator.random((2, n_seeds, n)) < generator.random(n) * 0.5 + 0.4


@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_planting_moves_every_seed_alike(seed, k):
    a, b = outcomes(seed)
    before = (a.copy(), b.copy())
    found = self_check.plant(a, b, k, rng())
    assert (a == before[0]).all()
    assert (b == before[1]).all()
    moved = (found.a.sum(axis=1) - found.b.sum(axis=1)) - (a.sum(axis=1) - b.sum(axis=1))
    assert (moved == k).all()
    changed = (found.a != found.b).sum(axis=1) - (a != b).sum(axis=1)
    assert (changed[~found.unlike] == k % 2).all()  # churn stays, but for an odd example
    assert (changed[found.unlike] > k % 2).all()
    # only the examples that had to change did
    assert ((found.a != a) | (found.b != b)).sum() <= k * len(a)
    if k % 2 == 0 and not found.unlike.any():
        kept, was = churn(found.a, found.b), churn(a, b)
        assert kept.total == pytest.approx(was.total)


def test_too_few_of_one_kind_take_from_the_other():
    # seed 0: one example that only B has right and three that neither has
    b = np.array([[True, False, False, False, True], [True, True, True, True, True]])
    a = np.array([[False, False, False, False, True], [False, False, True, True, True]])
    found = self_check.plant(a, b, 4, rng())
    assert found.unlike.tolist() == [True, False]
    assert found.a.sum(axis=1).tolist() == [4, 5]
    assert found.b.sum(axis=1).tolist() == [1, 3]
    assert self_check.plant(a, b, 6, rng()) is None
    assert self_check.plant(a, b, 3, rng()) is None  # seed 1 has none that neither has right


def test_what_a_test_set_can_hold():
    assert self_check.planted_examples(0.5, 797) == 4
    assert self_check.planted_examples(0.5, 100) == 1
    assert self_check.planted_examples(0.5, 90) == 0  # this test set cannot hold 0.5 pp
    with pytest.raises(ValueError, match=r"^delta: "):
        self_check.planted_examples(0, 100)


def test_a_planted_difference_is_the_shift_of_the_rates():
    # whole outcomes, planted, give the power that the shift gives: d moves by a constant
    a, b = outcomes(11, n_seeds=10, n=500)
    planted = self_check.plant(a, b, 20, rng())
    d = 100 * (a.mean(axis=1) - b.mean(axis=1))
    moved = 100 * (planted.a.mean(axis=1) - planted.b.mean(axis=1))
    assert moved - d == pytest.approx(np.full(10, 4.0))
    by_shift = self_check.by_signs(d[None], rng=rng(), shift=4.0, **ONE)
    by_mean = self_check.by_signs(moved[None], rng=rng(), shift=moved.mean() - d.mean(), **ONE)
    assert by_shift.claims == pytest.approx(by_mean.claims)


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"d": np.ones(3)}, "d"),
        ({"d": np.empty((0, 3))}, "d"),
        ({"d": np.array([[1.0, np.inf]])}, "d"),
        ({"alpha": 0}, "alpha"),
        ({"method": "none"}, "method"),
        ({"delta": -1.0}, "delta"),
    ],
)
def test_refuses_what_is_no_family(changed, name):
    arguments = {"d": np.ones((2, 8)), **ONE, "rng": rng(), **changed}
    d = arguments.pop("d")
    for function in (self_check.by_signs, self_check.by_resampling):
        with pytest.raises(ValueError, match=rf"^{name}: "):
            function(d, **arguments)


def test_refuses_outcomes_that_do_not_fit():
    a = np.ones((2, 3), bool)
    for call, name in (
        (lambda: self_check.plant(a, a[:1], 1, rng()), "a and b"),
        (lambda: self_check.plant(a[0], a[0], 1, rng()), "a and b"),
        (lambda: self_check.plant(a, a, 0, rng()), "k"),
    ):
        with pytest.raises(ValueError, match=rf"^{name}: "):
            call()
