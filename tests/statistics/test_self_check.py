from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.statistics import families, self_check
from bench.statistics.bootstrap import resample_counts
from bench.statistics.equivalence import tost_of
from bench.statistics.paired import paired_t
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


def test_a_planted_difference_is_a_shift_of_every_seed():
    """k examples more that arm A alone has right, whichever they are, move each d by k / n."""
    generator = rng(11)
    a, b = generator.random((2, 10, 500)) < generator.random(500) * 0.5 + 0.4
    moved = a.copy()
    for row, other in zip(moved, b, strict=True):
        row[np.flatnonzero(~row & ~other)[:20]] = True
    d = 100 * (a.mean(axis=1) - b.mean(axis=1))
    planted = 100 * (moved.mean(axis=1) - b.mean(axis=1))
    assert planted - d == pytest.approx(np.full(10, 4.0))
    by_shift = self_check.by_signs(d[None], rng=rng(), shift=4.0, **ONE)
    by_hand = self_check.by_signs(planted[None], rng=rng(), shift=planted.mean() - d.mean(), **ONE)
    assert by_shift.claims == pytest.approx(by_hand.claims)


def test_what_a_test_set_can_hold():
    assert self_check.planted_examples(0.5, 797) == 4
    assert self_check.planted_examples(0.5, 100) == 1
    assert self_check.planted_examples(0.5, 90) == 0  # this test set cannot hold 0.5 pp
    with pytest.raises(ValueError, match=r"^delta: "):
        self_check.planted_examples(0, 100)


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
