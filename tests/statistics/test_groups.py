from fractions import Fraction
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.statistics import groups
from bench.statistics.crossed import crossed, crossed_sums
from bench.statistics.equivalence import tost_of
from bench.statistics.families import fewest_seeds
from bench.statistics.paired import paired_t

UNEQUAL = np.array([10, 17, 30, 53, 92, 160])


def oracle_sizes(sizes):
    """b and nu as the protocol writes them, in plain loops over exact fractions."""
    g, n = len(sizes), sum(sizes)
    p = [Fraction(size, n) for size in sizes]
    q = sum(share**2 for share in p)
    b_gh = [[q - p[i] - p[j] + (i == j) for j in range(g)] for i in range(g)]
    diagonal = sum(p[i] ** 2 * b_gh[i][i] for i in range(g))
    square = sum(p[i] ** 2 * p[j] ** 2 * b_gh[i][j] ** 2 for i in range(g) for j in range(g))
    return diagonal / (q * (1 - Fraction(1, g))), diagonal**2 / square, 1 / q


def oracle(cells, names):
    """Variance, df and group variance by the protocol's formulas, in plain loops."""
    groups_ = sorted(set(names))
    s, n, g = len(cells), len(names), len(groups_)
    sizes = [list(names).count(name) for name in groups_]
    p = [size / n for size in sizes]
    h = [g * share for share in p]
    of = [
        [sum(c for c, x in zip(row, names, strict=True) if x == name) / sizes[k]
         for k, name in enumerate(groups_)]
        for row in cells
    ]  # fmt: skip
    by_seed = [sum(p[k] * of[i][k] for k in range(g)) for i in range(s)]
    by_group = [sum(of[i][k] for i in range(s)) / s for k in range(g)]
    mean = sum(by_seed) / s
    b, nu, _ = map(float, oracle_sizes(sizes))
    ms_s = g * sum((x - mean) ** 2 for x in by_seed) / (s - 1)
    ms_g = s * sum((h[k] * (by_group[k] - mean)) ** 2 for k in range(g)) / ((g - 1) * b)
    ms_e = sum(
        (h[k] * (of[i][k] - by_seed[i] - by_group[k] + mean)) ** 2
        for i in range(s)
        for k in range(g)
    ) / ((s - 1) * (g - 1) * b)
    variance = (ms_s + max(ms_g - ms_e, 0)) / (s * g)
    if ms_g - ms_e <= 1e-9 * ms_e:
        return mean, variance, s - 1
    df = (ms_s + ms_g - ms_e) ** 2 / (ms_s**2 / (s - 1) + ms_g**2 / nu + ms_e**2 / ((s - 1) * nu))
    return mean, variance, max(min(s - 1, nu), df)


def test_known_sizes():
    # the protocol: sizes 10 ... 160 give b = 0.6710, nu = 1.8265; one of 100 and five of 20
    # give b = 0.52, nu = 1.9882
    found = groups.sizes_of(UNEQUAL)
    assert (found.b, found.nu) == pytest.approx((0.6710, 1.8265), abs=5e-5)
    found = groups.sizes_of(np.array([100, 20, 20, 20, 20, 20]))
    assert (found.b, found.nu) == pytest.approx((0.52, 1.9882), abs=5e-5)
    assert found.effective == pytest.approx(200**2 / (100**2 + 5 * 20**2))


@given(st.lists(st.integers(1, 200), min_size=2, max_size=7))
def test_sizes_equal_the_protocols_sums(sizes):
    found = groups.sizes_of(np.array(sizes))
    assert (found.b, found.nu, found.effective) == pytest.approx(
        tuple(map(float, oracle_sizes(sizes))), rel=1e-12
    )


@given(st.integers(2, 400), st.integers(1, 50))
def test_equal_sizes_need_no_correction(n_groups, size):
    found = groups.sizes_of(np.full(n_groups, size))
    assert (found.b, found.nu, found.effective) == pytest.approx((1, n_groups - 1, n_groups))


def test_one_dominating_group_loses_no_digits():
    found = groups.sizes_of(np.array([10**6, 1]))
    assert found.nu == pytest.approx(1)  # two groups are one deviation
    share = 1e-6 / (1 + 1e-6)
    assert found.b == pytest.approx(8 * share**2, rel=1e-5)


shapes = st.tuples(
    st.integers(2, 5), st.integers(2, 5), st.integers(5, 20), st.integers(0, 2**32 - 1)
)


def draw(shape, whole=True):
    s, g, n, seed = shape
    rng = np.random.default_rng(seed)
    names = rng.permutation(np.concatenate([np.arange(g), rng.integers(g, size=n - g)]))
    cells = rng.integers(-1, 2, (s, n)) if whole else rng.normal(size=(s, n))
    return cells, np.array([f"speaker {name}" for name in names])


@given(shapes, st.booleans())
def test_equals_the_protocols_formulas(shape, whole):
    cells, names = draw(shape, whole)
    found = groups.grouped(groups.group_sums(cells, names), scale=100)
    mean, variance, df = oracle(cells.tolist(), names.tolist())
    assert found.mean == pytest.approx(100 * mean, abs=1e-9)
    assert found.se == pytest.approx(100 * sqrt(variance), abs=1e-6)
    assert found.df == pytest.approx(df)
    assert found.se >= 100 * paired_t(cells.mean(axis=1)).se - 1e-9
    assert found.example_se <= found.se + 1e-12


@given(st.integers(2, 6), st.integers(2, 25), st.integers(0, 2**32 - 1))
def test_groups_of_one_example_are_the_crossed_estimate(s, n, seed):
    # equal within 1e-9 of each number
    cells = np.random.default_rng(seed).integers(-1, 2, (s, n))
    found = groups.grouped(groups.group_sums(cells, np.arange(n)), scale=100)
    reference = crossed(crossed_sums(cells), scale=100)
    for name in ("mean", "se", "df", "t", "p", "example_se"):
        assert getattr(found, name) == pytest.approx(getattr(reference, name), rel=1e-9, abs=1e-9)
    assert found.interval(0.01) == pytest.approx(reference.interval(0.01), rel=1e-9, abs=1e-9)
    assert found.example_half_width(0.05) == pytest.approx(
        reference.example_half_width(0.05), rel=1e-9, abs=1e-9
    )


@given(shapes)
def test_names_order_and_unit_do_not_matter(shape):
    cells, names = draw(shape)
    order = np.random.default_rng(shape[-1]).permutation(names.size)
    renamed = {name: -i for i, name in enumerate(sorted(set(names)))}
    found = groups.grouped(groups.group_sums(cells, names))
    same = groups.grouped(
        groups.group_sums(cells[:, order], [renamed[name] for name in names[order]])
    )
    third = groups.grouped(groups.group_sums(cells / 3, names), scale=3)
    for other in (same, third):
        for name in ("mean", "se", "df", "p", "example_se"):
            assert getattr(other, name) == pytest.approx(getattr(found, name), abs=1e-9)


@given(shapes)
def test_the_same_group_in_equal_copies_is_one_example(shape):
    # every example of a group alike, equal sizes: the examples in a group add nothing
    s, g, _, seed = shape
    cells = np.random.default_rng(seed).integers(-1, 2, (s, g))
    copies = groups.grouped(groups.group_sums(np.repeat(cells, 7, axis=1), np.repeat(range(g), 7)))
    reference = crossed(crossed_sums(cells))
    assert (copies.mean, copies.se, copies.df) == pytest.approx(
        (reference.mean, reference.se, reference.df), abs=1e-9
    )


def test_group_sums_and_differences():
    cells = np.array([[1, 0, -1, 1], [1, 1, 0, 0]], dtype=np.int8)
    data = groups.group_sums(cells, ["b", "a", "b", "b"])
    assert data.sums.tolist() == [[0, 1], [1, 1]]
    assert data.sizes.tolist() == [1, 3]
    assert data.differences.tolist() == pytest.approx([0.5, 1 / 3])
    right = groups.group_sums(np.array([[True, True, False]]), [1, 1, 2])
    assert right.sums.tolist() == [[2, 0]]


@pytest.mark.parametrize("value", [0, 1, 0.1])
def test_cells_without_variance(value):
    cells = np.full((4, 362), value)
    found = groups.grouped(groups.group_sums(cells, np.repeat(range(6), UNEQUAL)))
    expected = (0, 1) if value == 0 else (np.inf, 0)
    assert (found.se, found.df, found.t, found.p) == (0, 3, *expected)
    assert found.interval(0.05) == (found.mean, found.mean)
    assert found.example_half_width(0.05) == 0


def test_one_seed_or_one_group_has_no_interval():
    for cells, names in ((np.ones((1, 5), int), [0, 1, 1, 2, 2]), (np.ones((3, 2), int), [0, 0])):
        found = groups.grouped(groups.group_sums(cells, names))
        assert found.mean == 1
        assert found.se is found.df is found.t is found.p is found.example_se is None
        assert found.interval(0.05) is found.example_half_width(0.05) is None
        assert tost_of(found, 0.5) is None
    lone = groups.grouped_files(groups.group_sums(np.ones((1, 4), int), [0] * 4))
    assert (lone.mean, lone.se, lone.df, lone.p) == (1, None, None, 1)
    assert lone.interval(0.05) is None


@given(shapes)
def test_two_files_equal_the_protocols_formulas(shape):
    cells, names = draw(shape)
    row = cells[0]
    found = groups.grouped_files(groups.group_sums(row[None], names), scale=100)
    labels, sizes = np.unique(names, return_counts=True)
    b, nu, _ = map(float, oracle_sizes(sizes.tolist()))
    g, total = labels.size, 0.0
    sums = [row[names == label].sum() for label in labels]
    for size, group in zip(sizes, sums, strict=True):
        total += (g * size / row.size * (group / size - row.mean())) ** 2
    assert found.mean == pytest.approx(100 * row.mean(), abs=1e-9)
    assert found.se == pytest.approx(100 * sqrt(total / (g * (g - 1) * b)), abs=1e-9)
    assert found.df == pytest.approx(nu)
    flips = np.array(np.meshgrid(*[(-1, 1)] * g)).reshape(g, -1)
    assert found.p == pytest.approx(np.mean(abs(sums @ flips) >= abs(sum(sums))))


def test_two_files_with_equal_groups_are_the_t_test_over_groups():
    row = np.random.default_rng(0).integers(-1, 2, 60)
    found = groups.grouped_files(groups.group_sums(row[None], np.repeat(range(12), 5)))
    reference = stats.ttest_1samp(row.reshape(12, 5).mean(axis=1), 0)
    assert found.interval(0.05) == pytest.approx(tuple(reference.confidence_interval(0.95)))
    assert tost_of(found, 0.9).p < 0.001


def test_too_few_groups():
    # the protocol: 6 groups serve a family of one, m = 12 needs 9, m = 24 needs 10
    for m, needed in ((1, 6), (12, 9), (24, 10)):
        assert not groups.too_few_groups(needed, 0.05, m)
        assert groups.too_few_groups(needed - 1, 0.05, m)
        assert needed == fewest_seeds(0.05, m)


def sizes_between(n_groups, equal):
    if equal:
        return np.full(n_groups, 40)
    return np.rint(np.geomspace(10, 160, n_groups)).astype(np.int64)


#: SD of seeds, of groups, and of single examples' noise
SPREADS = {
    "both": (1.0, 1.0, 3.0),
    "groups": (0.2, 1.5, 3.0),
    "groups alone": (0.0, 1.5, 3.0),
    "seeds": (1.0, 0.0, 3.0),
}


def sample(rng, n_seeds, sizes, spread):
    """Sums of D over groups, the true mean for new seeds and groups being 0."""
    seed, group, noise = SPREADS[spread]
    shape = (n_seeds, sizes.size)
    means = rng.normal(0, seed, (n_seeds, 1)) + rng.normal(0, group, sizes.size)
    return groups.GroupSums(sizes * (means + rng.normal(0, noise / np.sqrt(sizes), shape)), sizes)


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("equal", [True, False], ids=["equal", "10 to 160"])
@pytest.mark.parametrize("n_groups", [6, 20])
def test_intervals_hold_the_truth(n_groups, equal, spread):
    sizes, repetitions = sizes_between(n_groups, equal), 500
    for n_seeds in (5, 10, 20):
        rng = np.random.default_rng([n_seeds, n_groups])
        missed = sum(
            not groups.grouped(sample(rng, n_seeds, sizes, spread)).interval(0.05).holds(0)
            for _ in range(repetitions)
        )
        # the protocol's simulation: 94.4 to 98.5% covered
        assert missed <= stats.binom.ppf(0.9999, repetitions, 0.056)
        assert missed >= stats.binom.ppf(0.0001, repetitions, 0.015)


def test_without_the_corrections_they_would_not():
    # the same data taken for 6 groups of one size: b = 1, nu = 5
    rng = np.random.default_rng(0)
    missed = 0
    for _ in range(700):
        data = sample(rng, 20, UNEQUAL, "groups")
        means = data.sums.mean(axis=0) / UNEQUAL
        mean = data.sums.sum() / (20 * UNEQUAL.sum())
        h = 6 * UNEQUAL / UNEQUAL.sum()
        se = sqrt((h**2 * (means - mean) ** 2).sum() / 30)
        missed += abs(mean) > stats.t.ppf(0.975, 5) * se
    assert missed >= stats.binom.ppf(0.0001, 700, 0.15)


def test_two_files_hold_the_truth():
    rng = np.random.default_rng(1)
    missed = alarms = 0
    for _ in range(2000):
        found = groups.grouped_files(sample(rng, 1, UNEQUAL, "groups alone"))
        alarms += found.p <= 0.05
        missed += not found.interval(0.05).holds(0)
    # the sign flips are exact for groups symmetric about 0; the interval is approximate
    assert alarms <= stats.binom.ppf(0.9999, 2000, 0.05)
    assert missed <= stats.binom.ppf(0.9999, 2000, 0.06)


@pytest.mark.parametrize(
    ("sums", "sizes", "name"),
    [
        (np.ones(3), np.ones(3, int), "sums"),
        (np.empty((0, 3)), np.ones(3, int), "sums"),
        (np.full((2, 3), np.nan), np.ones(3, int), "sums"),
        (np.ones((2, 3)), np.ones(2, int), "sizes"),
        (np.ones((2, 3)), np.ones(3), "sizes"),
        (np.ones((2, 3)), np.array([1, 0, 2]), "sizes"),
    ],
)
def test_refuses_sums_that_cannot_be(sums, sizes, name):
    with pytest.raises(ValueError, match=rf"^{name}: "):
        groups.GroupSums(sums, sizes)


def test_refuses_names_that_do_not_fit():
    with pytest.raises(ValueError, match=r"^cells: "):
        groups.group_sums(np.ones(3), [1, 2, 3])
    with pytest.raises(ValueError, match=r"^groups: "):
        groups.group_sums(np.ones((2, 3)), [1, 2])
    with pytest.raises(ValueError, match=r"^sums: "):
        groups.grouped_files(groups.group_sums(np.ones((2, 3), int), [1, 2, 2]))
