from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from bench.statistics import single_runs
from bench.statistics.proportions import clopper_pearson

FIRST = np.array([1.0, 2.0, -1.0, 0.0, 3.0, -4.0])
SECOND = np.array([1.0, -2.0, 2.0, 1.0, 5.0, -1.0])


def test_shares_by_hand():
    found = single_runs.single_runs(FIRST, SECOND)
    assert (found.first.count, found.second.count, found.both.count) == (3, 4, 2)
    assert found.both.share == 2 / 6
    assert found.both.interval(0.05) == clopper_pearson(2, 6, 0.05)


def test_the_mean_of_one_run_is_the_single_run():
    found = single_runs.single_runs(FIRST, SECOND)
    (mean,) = single_runs.means_of_runs(FIRST, SECOND, (1,), rng=np.random.default_rng(0))
    assert (mean.first, mean.second, mean.both) == (
        found.first.share, found.second.share, found.both.share,
    )  # fmt: skip
    assert mean.exact


def test_means_count_every_subset():
    for mean in single_runs.means_of_runs(FIRST, SECOND, rng=np.random.default_rng(0)):
        subsets = [list(c) for c in combinations(range(6), mean.n)]
        above = [(FIRST[c].sum() > 0, SECOND[c].sum() > 0) for c in subsets]
        assert mean.n_subsets == len(subsets)
        assert mean.first == np.mean([f for f, _ in above])
        assert mean.second == np.mean([s for _, s in above])
        assert mean.both == np.mean([f and s for f, s in above])


def test_no_mean_of_more_runs_than_seeds():
    means = single_runs.means_of_runs(FIRST, SECOND, rng=np.random.default_rng(0))
    assert [mean.n for mean in means] == [1, 2, 3, 5]


def test_drawn_subsets_have_no_run_twice_and_are_near_the_whole_count():
    rng = np.random.default_rng(1)
    drawn, exact = single_runs._subsets(40, 10, rng)
    assert not exact
    assert (np.diff(np.sort(drawn, axis=1), axis=1) > 0).all()
    share = np.bincount(drawn.ravel(), minlength=40) / len(drawn)
    assert share == pytest.approx(np.full(40, 10 / 40), abs=0.01)
    # the mean of 10 of 40 against its normal approximation for a finite population
    d = rng.normal(0.3, 1, 40)
    (mean,) = single_runs.means_of_runs(d, d, (10,), rng=rng)
    sd = d.std(ddof=1) * np.sqrt((1 - 10 / 40) / 10)
    assert mean.first == pytest.approx(stats.norm.cdf(d.mean() / sd), abs=0.02)


def test_zero_sums_are_ties_in_spite_of_rounding():
    d = np.array([0.1, 0.2, -0.3])
    (mean,) = single_runs.means_of_runs(d, -d, (3,), rng=np.random.default_rng(0))
    assert (mean.first, mean.second) == (0, 0)


def test_one_new_run_falls_into_the_predictive_interval_at_its_rate():
    rng = np.random.default_rng(2)
    runs = rng.normal(1, 2, (4000, 9))
    inside = sum(single_runs.predictive_interval(r[:8], 0.05).holds(r[8]) for r in runs)
    low, high = stats.binom.ppf([0.0001, 0.9999], 4000, 0.95)
    assert low <= inside <= high


def test_claims():
    # 10 seeds, mean 0, sd 1: half-width t(9) sqrt(1.1) = 2.262157 * 1.048809
    d = np.array([-1.0, 1.0] * 5) * np.sqrt(9 / 10)
    inside = single_runs.claim(d, 2.0, 2.0, 0.05)
    outside = single_runs.claim(d, -4.0, -3.0, 0.05)
    touching = single_runs.claim(d, 2.0, 5.0, 0.05)
    assert inside.interval == pytest.approx((-2.372567, 2.372567), abs=5e-6)
    assert inside.explained
    assert touching.explained
    assert not outside.explained
    assert outside.p == pytest.approx(2 * stats.t.sf(3 / np.sqrt(1.1), 9))
    assert single_runs.claim(d, -1.0, 1.0, 0.05).p == 1
    assert outside.p < 0.05 < inside.p


def test_claims_against_constant_and_single_seeds():
    constant = np.full(5, 0.5)
    assert single_runs.predictive_interval(constant, 0.05) == (0.5, 0.5)
    assert single_runs.claim(constant, 3.0, 3.0, 0.05).p == 0
    assert single_runs.claim(constant, 0.5, 3.0, 0.05).p == 1
    assert single_runs.claim(np.array([1.0]), 3.0, 3.0, 0.05) is None
    assert single_runs.predictive_interval(np.array([1.0]), 0.05) is None


def test_the_threads_numbers():
    # protocol: ptq - float = +3, ptq - qat = +6, qat - float = -3 to -4 pp
    assert single_runs.THREAD_CLAIMS == {
        "ptq - float": (3.0, 3.0), "ptq - qat": (6.0, 6.0), "qat - float": (-4.0, -3.0),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: single_runs.single_runs(FIRST, SECOND[:3]), "first and second"),
        (lambda: single_runs.claim(FIRST, 2, 1, 0.05), "low"),
        (lambda: single_runs.means_of_runs(FIRST, SECOND, (0,), rng=np.random.default_rng(0)),
         "n_runs"),
    ],
)  # fmt: skip
def test_refuses_by_name(call, name):
    with pytest.raises(ValueError, match=rf"^{name}: "):
        call()
