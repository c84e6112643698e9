import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from bench.statistics import sequential
from bench.statistics.paired import paired_t
from tests import oracles

LOOKS = (10, 15, 20, 25, 30)


def test_known_bounds():
    # protocol: looks at 10, 15, 20, 25, 30 of at most 30 seeds
    assert sequential.group_sequential_bounds(LOOKS, 0.05) == pytest.approx(
        (5.1, 3.3, 2.7, 2.4, 2.2), abs=0.05
    )


def test_many_seeds_give_the_normal_bounds():
    # t is then z, and z at 4,000 k seeds has correlations sqrt(j / k): the multivariate normal
    # probability of crossing none of the bounds is what is left of the spending
    looks = np.array([4000, 8000, 12_000, 16_000, 20_000])
    bounds = np.array(sequential.group_sequential_bounds(tuple(looks), 0.05))
    assert bounds[0] == pytest.approx(stats.norm.isf(0.025) * np.sqrt(5), abs=0.01)  # classical
    correlation = np.sqrt(np.minimum.outer(looks, looks) / np.maximum.outer(looks, looks))
    for k in range(2, 6):
        normal = stats.multivariate_normal(cov=correlation[:k, :k], seed=0, abseps=1e-6)
        kept = normal.cdf(bounds[:k], lower_limit=-bounds[:k])
        spent = sequential.spent_alpha(looks[k - 1] / looks[-1], 0.05)
        assert 1 - kept == pytest.approx(spent, rel=0.005)


@pytest.mark.parametrize("n", [2, 5, 30, 500])
def test_a_single_look_is_the_t_test(n):
    (bound,) = sequential.group_sequential_bounds((n,), 0.05)
    assert bound == pytest.approx(stats.t.isf(0.025, n - 1))


def test_the_first_bound_is_the_t_quantile_of_what_is_spent():
    spent = 2 * stats.norm.sf(stats.norm.isf(0.025) * np.sqrt(3))  # Lan & DeMets at 10 of 30
    assert sequential.spent_alpha(1 / 3, 0.05) == pytest.approx(spent)
    assert sequential.group_sequential_bounds(LOOKS, 0.05)[0] == pytest.approx(
        stats.t.isf(spent / 2, 9)
    )


def test_spending_ends_at_alpha_and_never_falls():
    spent = [sequential.spent_alpha(k / 50, 0.0125) for k in range(1, 51)]
    assert spent[-1] == pytest.approx(0.0125)
    assert np.all(np.diff(spent) > 0)


@pytest.mark.parametrize("n", [2, 3, 10])
@pytest.mark.parametrize("m", [1, 2, 3, 7])
def test_the_second_look_by_simulating_means_and_variances(n, m):
    """P(|T_n| < b, |T_(n+m)| >= c), from sums of normals and chi-squares instead of directions.

    x, y: the first seeds' and the new seeds' sums over the roots of their numbers; s, w: the sums
    of squares about their means.
    """
    b, c = 2.0, 2.5
    rng = np.random.default_rng(0)
    size = 400_000
    x, y = rng.normal(size=(2, size))
    s = rng.chisquare(n - 1, size)
    w = rng.chisquare(m - 1, size) if m > 1 else np.zeros(size)
    total = (np.sqrt(n) * x + np.sqrt(m) * y) / np.sqrt(n + m)
    squares = x**2 + s + y**2 + w - total**2
    first = abs(x) / np.sqrt(s / (n - 1)) < b
    second = abs(total) / np.sqrt(squares / (n + m - 1)) >= c
    survivors = sequential._first_survivors(n, np.arctan(b / np.sqrt(n - 1)))
    found = survivors.beyond(np.array([np.arctan(c / np.sqrt(n + m - 1))]), n + m)[0]
    low, high = stats.binom.ppf([0.0001, 0.9999], size, found)
    assert low <= np.sum(first & second) <= high


@pytest.mark.parametrize("kernel", ["one", "several"])
def test_transitions_keep_students_distribution(kernel):
    # without a bound at 8 seeds, t at 9 or 13 seeds is Student's
    n_next = {"one": 9, "several": 13}[kernel]
    everyone = sequential._first_survivors(8, np.pi / 2)
    t = np.array([0.0, 0.5, 2.0, 5.0, 20.0])
    found = everyone.beyond(np.arctan(t / np.sqrt(n_next - 1)), n_next)
    assert found == pytest.approx(2 * stats.t.sf(t, n_next - 1), rel=1e-6)
    later = everyone.after(n_next, np.pi / 2).beyond(np.arctan(t / np.sqrt(19)), 20)
    assert later == pytest.approx(2 * stats.t.sf(t, 19), rel=1e-5)


def test_dense_looks_stay_stable():
    # forty steps of integration
    looks = tuple(range(5, 46))
    bounds = np.array(sequential.group_sequential_bounds(looks, 0.05))
    steps = np.diff(bounds)
    assert (steps < 0).all()
    assert (np.diff(steps) > -1e-5).all()  # convex, without the zigzag of an unstable scheme


@pytest.mark.parametrize(("c", "u"), [(0.3, 0.4), (0.6, -0.1), (0.2, 0.0), (0.9, 0.95)])
@pytest.mark.parametrize(("n", "m"), [(5, 2), (5, 3), (10, 5), (200, 100)])
def test_several_new_seeds_by_adaptive_quadrature(c, u, n, m):
    def integrand(share):  # the new seeds' share of the squared length
        v = (c - np.sqrt(n / (n + m) * (1 - share)) * u) / np.sqrt(m / (n + m) * share)
        if abs(v) >= 1:
            return stats.beta.pdf(share, m / 2, n / 2) * (v < 0)
        tail = stats.t.sf(np.sqrt(m - 1) * v / np.sqrt(1 - v**2), m - 1)
        return stats.beta.pdf(share, m / 2, n / 2) * tail

    points = np.linspace(0, 1, 41)[1:-1]
    expected = integrate.quad(integrand, 0, 1, points=points, limit=400)[0]
    found = sequential._several_more(np.array(c), np.array(u), n, m)
    assert found == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("alpha", [0.05, 0.05 / 16])
@pytest.mark.parametrize("looks", [LOOKS, (2, 4, 5, 9), (40, 80), tuple(range(5, 31))])
def test_what_is_spent_at_each_look_is_what_was_planned(alpha, looks):
    """Crossings of 400,000 paths of t under a mean of 0, look by look."""
    rng = np.random.default_rng(7)
    size = 400_000 if len(looks) < 10 else 100_000
    bounds = sequential.group_sequential_bounds(looks, alpha)
    sums, squares, n_before = np.zeros(size), np.zeros(size), 0
    alive = np.ones(size, bool)
    crossed = []
    for n, bound in zip(looks, bounds, strict=True):
        m = n - n_before
        z = rng.normal(size=size) * np.sqrt(m)
        sums += z
        squares += z**2 / m + (rng.chisquare(m - 1, size) if m > 1 else 0)
        t = abs(sums) / np.sqrt(n * (squares - sums**2 / n) / (n - 1))
        crossed.append(np.sum(alive & (t >= bound)))
        alive &= t < bound
        n_before = n
    spent = np.array([sequential.spent_alpha(n / looks[-1], alpha) for n in looks])
    low, high = stats.binom.ppf([[0.0001], [0.9999]], size, np.diff(spent, prepend=0))
    assert (low <= crossed).all()
    assert (crossed <= high).all()
    assert stats.binom.ppf(0.0001, size, alpha) <= sum(crossed)
    assert sum(crossed) <= stats.binom.ppf(0.9999, size, alpha)


def test_power_and_seeds_of_the_protocol():
    # dz = 0.5: power 73%, against 75% for fixed 30 seeds, with 25 seeds on average
    rng = np.random.default_rng(1)
    stopped, used = 0, 0.0
    for _ in range(2000):
        looks = sequential.group_sequential(rng.normal(0.5, 1, 30), LOOKS, 0.05)
        first = next((look.n for look in looks if look.decided(None)), None)
        stopped += first is not None
        used += first or 30
    low, high = stats.binom.ppf([0.0001, 0.9999], 2000, 0.73)
    assert low <= stopped <= high
    assert used / 2000 == pytest.approx(25, abs=0.6)


def test_bounds_depend_on_the_looks_so_far_and_the_maximum_alone():
    so_far = sequential.group_sequential_bounds((10, 15, 20), 0.05, max_seeds=30)
    assert so_far == sequential.group_sequential_bounds(LOOKS, 0.05)[:3]


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.integers(2, 80), min_size=1, max_size=5, unique=True),
    st.sampled_from([0.1, 0.05, 0.003]),
)
def test_bounds_lie_between_bonferronis(looks, alpha):
    looks = tuple(sorted(looks))
    bounds = np.array(sequential.group_sequential_bounds(looks, alpha))
    spent = np.array([sequential.spent_alpha(n / looks[-1], alpha) for n in looks])
    df = np.array(looks) - 1
    assert (bounds >= stats.t.isf(spent / 2, df) * (1 - 1e-6)).all()
    with np.errstate(divide="ignore"):
        most = stats.t.isf(np.diff(spent, prepend=0) / 2, df)
    assert (bounds <= most * (1 + 1e-6)).all()


def test_early_looks_that_may_spend_nothing_have_no_bound():
    bounds = sequential.group_sequential_bounds((2, 3, 1000), 0.05)
    assert bounds[0] == np.inf
    assert bounds[2] == pytest.approx(stats.t.isf(0.025, 999), abs=1e-5)


def test_bounds_take_seconds_at_most():
    sequential._bounds.cache_clear()
    start = time.process_time()
    sequential.group_sequential_bounds(LOOKS, 0.05 / 16)
    sequential.group_sequential_bounds(tuple(range(5, 61)), 0.05)
    assert time.process_time() - start < 8  # takes 1.5 s


@pytest.mark.parametrize(
    ("looks", "alpha", "max_seeds", "name"),
    [
        ((), 0.05, None, "looks"),
        ((1, 5), 0.05, None, "looks"),
        ((5, 5), 0.05, None, "looks"),
        ((9, 5), 0.05, None, "looks"),
        ((5, 9), 0.05, 8, "max_seeds"),
        ((5, 9), 1.5, None, "alpha"),
    ],
)
def test_refuses_by_name(looks, alpha, max_seeds, name):
    with pytest.raises(ValueError, match=rf"^{name}: "):
        sequential.group_sequential_bounds(looks, alpha, max_seeds)


def test_a_look_is_a_t_interval_at_the_looks_bound():
    d = np.random.default_rng(0).normal(0.4, 1, 22)
    looks = sequential.group_sequential(d, LOOKS, 0.05)
    assert [look.n for look in looks] == [10, 15, 20]  # 22 seeds reach no further
    for look in looks:
        test = paired_t(d[: look.n])
        assert (look.mean, look.t) == (test.mean, test.t)
        half = look.bound * test.se
        assert look.interval == pytest.approx((test.mean - half, test.mean + half))


def test_decisions():
    rng = np.random.default_rng(0)
    far = sequential.group_sequential(rng.normal(5, 1, 10), (10, 20), 0.05)[0]
    near = sequential.group_sequential(rng.normal(0, 0.05, 10), (10, 20), 0.05)[0]
    open_ = sequential.group_sequential(rng.normal(0, 1, 10), (10, 20), 0.05)[0]
    assert far.decided(None)
    assert far.decided(0.5)
    assert near.decided(0.5)
    assert not near.decided(None)
    assert not open_.decided(0.5)


@pytest.mark.parametrize(("value", "t"), [(0.0, 0.0), (0.3, np.inf), (-0.3, -np.inf)])
def test_constant_differences_are_defined(value, t):
    (look,) = sequential.group_sequential(np.full(10, value), (10, 20), 0.05)
    assert (look.t, look.interval) == (t, (value, value))
    assert sequential.anytime_interval(np.full(10, value), 0.05) == (value, value)
    assert sequential.anytime_interval(np.full(2, value), 0.05) == (-np.inf, np.inf)
    expected = 11**-0.5 if value == 0 else 11**4.5  # A^(-1/2) and A^((n-1)/2), A = 1 + n
    assert oracles.e_value(np.full(10, value)) == pytest.approx(expected)


def test_one_seed_says_nothing():
    assert sequential.group_sequential(np.array([1.0]), (10, 20), 0.05) == []
    assert oracles.e_value(np.array([1.0])) == 1
    assert sequential.anytime_interval(np.array([1.0]), 0.05) == (-np.inf, np.inf)


@pytest.mark.parametrize("tau", [0.3, 1.0, 2.0])
@pytest.mark.parametrize("n", [2, 3, 8, 30])
def test_e_value_is_a_ratio_of_noncentral_t_densities(n, tau):
    # the mixture over effects delta ~ N(0, tau^2) of the density of t, over that of no effect
    t = np.array([-3.0, 0.2, 1.7])
    effects = np.linspace(-8, 8, 4001) * tau
    weights = stats.norm.pdf(effects, scale=tau)
    weights /= weights.sum()
    for value in t:
        # the noncentral t density by its definition, integrated over s = sqrt(chi2 / v)
        v = n - 1
        s = np.linspace(1e-6, 1 + 12 / np.sqrt(2 * v), 4001)
        chi = stats.chi.pdf(s * np.sqrt(v), v)

        def density(nc, value=value, s=s, chi=chi):
            return (stats.norm.pdf(value * s - nc) * s * chi).sum()

        mixed = (
            sum(
                w * density(nc)
                for w, nc in zip(weights[::10], effects[::10] * np.sqrt(n), strict=True)
            )
            / weights[::10].sum()
        )
        z = np.random.default_rng(0).normal(size=n)
        z = (z - z.mean()) / z.std(ddof=1)
        d = z + value / np.sqrt(n)  # data with just this t
        assert oracles.e_value(d, tau) == pytest.approx(mixed / density(0.0), rel=2e-3)


def test_e_value_is_a_martingale_under_no_difference():
    # its mean stays 1; its tails are heavy, so at small n, where the mean can be simulated
    rng = np.random.default_rng(0)
    for n in (2, 3, 5):
        values = np.array([oracles.e_value(d, 0.5) for d in rng.normal(size=(8000, n))])
        assert values.mean() == pytest.approx(1, abs=5 * values.std() / np.sqrt(8000))


@given(
    st.lists(st.floats(-5, 5).map(lambda x: round(x, 2)), min_size=3, max_size=40),
    st.sampled_from([0.3, 0.05, 0.003]),
    st.sampled_from([0.3, 1.0, 3.0]),
)
def test_interval_is_where_the_e_value_stays_below_one_over_alpha(d, alpha, tau):
    d = np.array(d)
    if np.ptp(d) < 0.05:
        return
    low, high = sequential.anytime_interval(d, alpha, tau)
    if low == -np.inf:
        assert oracles.e_value(d - 1e9, tau) < 1 / alpha
        return
    width = high - low
    assert oracles.e_value(d - (low + 1e-6 * width), tau) < 1 / alpha
    assert oracles.e_value(d - (high + 1e-6 * width), tau) > 1 / alpha


def test_width_against_the_fixed_sample():
    # protocol: about 1.7 times the fixed t at 10 seeds
    d = np.random.default_rng(0).normal(size=10)
    low, high = sequential.anytime_interval(d, 0.05)
    fixed = paired_t(d).interval(0.05)
    assert (high - low) / (fixed.high - fixed.low) == pytest.approx(1.7, abs=0.05)


def test_refuses_a_mixture_without_width():
    with pytest.raises(ValueError, match=r"^tau: "):
        sequential.anytime_interval(np.arange(5), 0.05, tau=0.0)


def test_a_look_without_a_maximum_is_the_confidence_sequences_interval():
    d = np.random.default_rng(5).normal(0.3, 1, 12)
    look = sequential.anytime_look(d, 0.05)
    assert look.interval == sequential.anytime_interval(d, 0.05)
    test = paired_t(d)
    assert look.n == 12
    assert look.mean + look.bound * test.se == pytest.approx(look.interval.high)
    # The bound in t is where the e-value reaches 1 / alpha.
    shifted = d - d.mean() + look.bound * test.se
    assert oracles.e_value(shifted) == pytest.approx(20)


def test_looks_of_constant_seeds_have_no_width():
    look = sequential.anytime_look(np.full(10, 0.25), 0.05)
    assert look.interval == (0.25, 0.25)
    with pytest.raises(ValueError, match="at least 2"):
        sequential.anytime_look(np.array([1.0]), 0.05)
