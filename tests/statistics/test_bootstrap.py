import numpy as np
import pytest

from bench.statistics import bootstrap
from bench.statistics.paired import paired_t


def counts(n_seeds, n_resamples=4999, seed=0):
    return bootstrap.resample_counts(n_seeds, n_resamples, np.random.default_rng(seed))


def test_counts_are_resamples():
    c = counts(7, 2000)
    assert c.shape == (2000, 7)
    assert (c.sum(axis=1) == 7).all()
    assert c.mean(axis=0) == pytest.approx(np.ones(7), abs=4 * np.sqrt(6 / 7 / 2000))


def test_studentized_equals_a_plain_loop():
    d = np.random.default_rng(1).exponential(2, 12)
    c = counts(12, 999)
    t = []
    for row in c.astype(int):
        resample = np.repeat(d, row)
        t.append((resample.mean() - d.mean()) / (resample.std(ddof=1) / np.sqrt(12)))
    t = np.sort(t)
    se = d.std(ddof=1) / np.sqrt(12)
    # 95% of 999: order statistics 25 and 975
    assert bootstrap.studentized_interval(d, 0.05, c) == pytest.approx(
        (d.mean() - t[974] * se, d.mean() - t[24] * se)
    )


def test_studentized_is_near_t_for_many_normal_seeds():
    d = np.random.default_rng(2).normal(1, 2, 400)
    expected = paired_t(d).interval(0.05)
    found = bootstrap.studentized_interval(d, 0.05, counts(400))
    assert found == pytest.approx(expected, abs=0.02)


def test_the_same_generator_gives_the_same_interval():
    d = np.random.default_rng(2).normal(1, 2, 10)
    interval = bootstrap.studentized_interval
    assert interval(d, 0.05, counts(10)) == interval(d, 0.05, counts(10))


def test_the_interval_moves_and_scales_with_the_data():
    d, c = np.random.default_rng(2).normal(1, 2, 10), counts(10)
    low, high = bootstrap.studentized_interval(d, 0.05, c)
    moved = bootstrap.studentized_interval(3 * d + 7, 0.05, c)
    assert moved == pytest.approx((3 * low + 7, 3 * high + 7))


@pytest.mark.parametrize("value", [0.0, 0.1, -3.0])
def test_constant_differences_have_no_width(value):
    d, c = np.full(10, value), counts(10, 99)
    assert bootstrap.studentized_interval(d, 0.05, c) == (value, value)


def test_few_seeds_give_infinite_ends_never_nan():
    # two seeds: half of all resamples repeat one of them and have no spread
    assert bootstrap.studentized_interval(np.array([1.0, 2.0]), 0.05, counts(2)) == (
        -np.inf, np.inf,
    )  # fmt: skip
    for n_seeds in (3, 4, 5):
        interval = bootstrap.studentized_interval(np.arange(n_seeds), 0.05, counts(n_seeds))
        assert not np.isnan(interval).any()
    assert bootstrap.studentized_interval(np.array([1.0]), 0.05, counts(1)) is None


def test_refuses_counts_of_another_number_of_seeds():
    with pytest.raises(ValueError, match=r"^counts: "):
        bootstrap.studentized_interval(np.arange(5), 0.05, counts(6))


def test_several_together_are_what_each_is_alone():
    rng = np.random.default_rng(0)
    counts = bootstrap.resample_counts(9, 199, rng)
    ds = [rng.normal(0.3, 1, 9), np.ones(9), np.r_[np.zeros(8), 1.0], rng.integers(-5, 6, 9)]
    together = bootstrap.studentized_intervals(ds, 0.1, counts)
    for d, found in zip(ds, together, strict=True):
        assert found == pytest.approx(bootstrap.studentized_interval(d, 0.1, counts), rel=1e-12)
