import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.statistics import crossed
from bench.statistics.equivalence import tost_of
from bench.statistics.paired import paired_t
from tests import oracles

shapes = st.tuples(st.integers(2, 7), st.integers(2, 25), st.integers(0, 2**32 - 1))


def table(shape):
    s, n, seed = shape
    return np.random.default_rng(seed).integers(-1, 2, (s, n))


@given(shapes)
def test_mean_squares_equal_their_definitions(shape):
    cells = table(shape)
    ms = crossed.mean_squares(crossed.crossed_sums(cells))
    assert (ms.seeds, ms.examples, ms.residual) == pytest.approx(
        oracles.mean_squares(cells), abs=1e-12
    )
    assert ms.mean == pytest.approx(cells.mean())


@given(shapes)
def test_variance_and_df_equal_the_protocols_formulas(shape):
    cells = table(shape)
    s, n = cells.shape
    ms_s, ms_i, ms_e = oracles.mean_squares(cells)
    result = crossed.crossed(crossed.crossed_sums(cells))
    assert result.se**2 == pytest.approx((ms_s + max(ms_i - ms_e, 0)) / (s * n), abs=1e-15)
    if ms_i > ms_e + 1e-12:
        df = (ms_s + ms_i - ms_e) ** 2 / (
            ms_s**2 / (s - 1) + ms_i**2 / (n - 1) + ms_e**2 / ((s - 1) * (n - 1))
        )
        assert result.df == pytest.approx(max(min(s - 1, n - 1), df))
    else:
        assert result.df == pytest.approx(s - 1)


def test_degrees_of_freedom_never_fall_below_the_smaller_side():
    # seeds that are equally good, examples that hardly differ: the approximation alone says 0.47
    cells = np.array([[0, 0, 1, 0, 1], [0, 1, 1, 0, 0], [0, 0, 1, 1, 0]])
    ms_s, ms_i, ms_e = oracles.mean_squares(cells)
    satterthwaite = (ms_s + ms_i - ms_e) ** 2 / (ms_s**2 / 2 + ms_i**2 / 4 + ms_e**2 / 8)
    assert satterthwaite == pytest.approx(8 / 17)
    assert crossed.crossed(crossed.crossed_sums(cells)).df == 2


def test_without_an_example_term_it_is_the_paired_t_test():
    # each seed's disagreements fall on examples of their own: columns are alike
    cells = np.zeros((4, 40), int)
    for seed, fixed in enumerate((9, 5, 7, 2)):
        cells[seed, 10 * seed : 10 * seed + fixed] = 1
    result, test = crossed.crossed(crossed.crossed_sums(cells)), paired_t(cells.mean(axis=1))
    assert result.example_se == 0
    assert (result.mean, result.se, result.df, result.t, result.p) == pytest.approx(
        (test.mean, test.se, test.df, test.t, test.p)
    )
    assert result.interval(0.01) == pytest.approx(test.interval(0.01))
    assert result.example_half_width(0.05) == 0


@given(shapes)
def test_never_narrower_than_new_seeds_alone_up_to_the_df(shape):
    cells = table(shape)
    result = crossed.crossed(crossed.crossed_sums(cells))
    assert result.se >= paired_t(cells.mean(axis=1)).se - 1e-12
    assert result.example_se <= result.se + 1e-12


def test_example_term_alone_is_what_infinitely_many_seeds_leave():
    # the same two files in all seeds: only the examples vary, and the t-test over examples is
    # what a new test set means: SE = sd(D_i) / sqrt(N)
    row = np.random.default_rng(0).choice([-1, 0, 1], 300, p=[0.05, 0.85, 0.1])
    result = crossed.crossed(crossed.crossed_sums(np.tile(row, (6, 1))))
    reference = stats.ttest_1samp(row, 0)
    assert result.se == pytest.approx(row.std(ddof=1) / np.sqrt(300))
    assert result.example_se == pytest.approx(result.se)
    assert result.df == pytest.approx(299)
    assert result.p == pytest.approx(reference.pvalue)
    half = (reference.confidence_interval(0.95).high - reference.confidence_interval(0.95).low) / 2
    assert result.example_half_width(0.05) == pytest.approx(half)


def test_rows_may_be_added_up_one_at_a_time():
    cells = np.random.default_rng(1).integers(-1, 2, (5, 60))
    streamed = crossed.CrossedSums(
        seeds=np.array([row.sum() for row in cells]),
        examples=sum(cells),
        squares=sum(int((row**2).sum()) for row in cells),
    )
    assert crossed.crossed(streamed) == crossed.crossed(crossed.crossed_sums(cells))


def test_scale_is_the_unit():
    sums = crossed.crossed_sums(np.random.default_rng(1).integers(-1, 2, (5, 60)))
    share, pp = crossed.crossed(sums), crossed.crossed(sums, scale=100)
    assert (pp.mean, pp.se, pp.example_se) == pytest.approx(
        (100 * share.mean, 100 * share.se, 100 * share.example_se)
    )
    assert (pp.t, pp.df, pp.p) == pytest.approx((share.t, share.df, share.p))
    assert tost_of(pp, 50).p == pytest.approx(tost_of(share, 0.5).p)


def test_large_tables_lose_no_digits():
    # 1,000 seeds x 10,000 examples of a rate near 1: the sums of squares nearly cancel
    rng = np.random.default_rng(2)
    cells = rng.random((1000, 10_000)) < 0.999
    ms = crossed.mean_squares(crossed.crossed_sums(cells))
    assert ms.seeds == pytest.approx(ms.residual, rel=0.25)  # all cells are independent
    assert ms.examples == pytest.approx(ms.residual, rel=0.25)
    assert ms.residual == pytest.approx(cells.mean() * (1 - cells.mean()), rel=0.001)


@pytest.mark.parametrize(
    ("cells", "t", "p"),
    [(np.zeros((3, 5), int), 0, 1), (np.ones((3, 5), int), np.inf, 0)],
)
def test_cells_without_variance(cells, t, p):
    result = crossed.crossed(crossed.crossed_sums(cells))
    assert (result.se, result.df, result.t, result.p) == (0, 2, t, p)
    assert result.interval(0.05) == (result.mean, result.mean)
    assert result.example_half_width(0.05) == 0


@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (1, 1)])
def test_one_seed_or_one_example_has_no_interval(shape):
    sums = crossed.crossed_sums(np.ones(shape, bool))
    result = crossed.crossed(sums)
    assert result.mean == 1
    assert result.se is result.df is result.t is result.p is result.example_se is None
    assert result.interval(0.05) is result.example_half_width(0.05) is None
    assert tost_of(result, 0.5) is None
    assert crossed.seed_variance(sums).sd_distribution is None


@pytest.mark.parametrize("cells", [np.ones(3), np.empty((0, 4)), np.full((2, 2), 0.5),
                                   np.full((2, 2), np.nan)])  # fmt: skip
def test_refuses_what_are_no_cells(cells):
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match=r"^cells: "):
        crossed.crossed_sums(cells)


@pytest.mark.parametrize(
    ("seeds", "examples", "squares", "name"),
    [
        ([1, 2], [1, 1], 3, "examples"),
        ([1, 2], [2, 1], 2, "squares"),
        ([1.0, 2.0], [2, 1], 3, "seeds"),
    ],
)
def test_refuses_sums_that_cannot_be(seeds, examples, squares, name):
    with pytest.raises(ValueError, match=rf"^{name}: "):
        crossed.CrossedSums(np.array(seeds), np.array(examples), squares)


@given(st.integers(2, 6), st.integers(2, 30), st.integers(0, 2**32 - 1))
def test_variance_over_seeds_adds_up(s, n, seed):
    rng = np.random.default_rng(seed)
    correct = rng.random((s, n)) < rng.random(n)
    found = crossed.seed_variance(crossed.crossed_sums(correct))
    assert found.sd == pytest.approx(correct.mean(axis=1).std(ddof=1))
    parts = found.sd_sampling**2 + found.sd_distribution**2
    assert parts >= found.sd**2 - 1e-12
    if found.sd_distribution > 0:
        assert parts == pytest.approx(found.sd**2)
    accuracy = correct.mean()
    assert found.sd_test_set == pytest.approx(np.sqrt(accuracy * (1 - accuracy) / n))


def test_distribution_wise_variance_is_found():
    # seeds that truly differ by an SD of 2 pp, on 4,000 examples that differ in difficulty
    rng = np.random.default_rng(3)
    chance = np.clip(rng.uniform(0.5, 1, 4000) + rng.normal(0, 0.02, (300, 1)), 0, 1)
    found = crossed.seed_variance(crossed.crossed_sums(rng.random((300, 4000)) < chance), 100)
    sampling = 100 * np.sqrt((chance * (1 - chance)).mean() / 4000)
    assert found.sd_sampling == pytest.approx(sampling, rel=0.02)
    true = 100 * chance.mean(axis=1).std(ddof=1)  # clipping takes a little of the 2 pp
    assert found.sd_distribution == pytest.approx(true, rel=0.1)


def test_variance_of_a_contrast_has_no_binomial_test_set_part():
    cells = np.random.default_rng(1).integers(-1, 2, (5, 60))
    found = crossed.seed_variance(crossed.crossed_sums(cells), 100)
    assert found.sd_test_set is None
    assert found.sd == pytest.approx(100 * cells.mean(axis=1).std(ddof=1))


def test_test_noise_is_the_sd_of_equal_models():
    # two arms of equal chances that differ on a tenth of the examples, at random
    rng = np.random.default_rng(5)
    cells = rng.choice([-1, 0, 1], (4000, 500), p=[0.05, 0.9, 0.05])
    found = crossed.sd_from_test_noise(0.1, 500, scale=100)
    assert 100 * cells.mean(axis=1).std(ddof=1) == pytest.approx(found, rel=0.05)
    with pytest.raises(ValueError, match=r"^discordance: "):
        crossed.sd_from_test_noise(1.5, 500)
