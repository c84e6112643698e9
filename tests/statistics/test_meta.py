import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.statistics import meta
from bench.statistics.equivalence import tost_of
from bench.statistics.paired import paired_t

# Colditz et al. (1994), Efficacy of BCG vaccine in the prevention of tuberculosis; metafor's
# dat.bcg: with tuberculosis and without, vaccinated and not, in 13 trials.
BCG = np.array([
    (4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619),
    (33, 5036, 47, 5761), (180, 1361, 372, 1079), (8, 2537, 10, 619),
    (505, 87886, 499, 87892), (29, 7470, 45, 7232), (17, 1699, 65, 1600),
    (186, 50448, 141, 27197), (5, 2493, 3, 2338), (27, 16886, 29, 17825),
], dtype=float)  # fmt: skip


def log_risk_ratios():
    tpos, tneg, cpos, cneg = BCG.T
    y = np.log(tpos / (tpos + tneg)) - np.log(cpos / (cpos + cneg))
    return y, 1 / tpos - 1 / (tpos + tneg) + 1 / cpos - 1 / (cpos + cneg)


def test_bcg_vaccine():
    # metafor: rma(yi, vi, data = escalc("RR", ...)): tau^2 = 0.3132, I^2 = 92.22%, mean -0.7145;
    # the protocol, with max(q, 1): [-1.1084, -0.3206], prediction [-1.9960, 0.5670]
    y, v = log_risk_ratios()
    assert (y[0], v[0]) == pytest.approx((-0.8893, 0.3256), abs=5e-5)
    found = meta.pool(y, v)
    assert found.k == 13
    assert (found.tau2, found.mean) == pytest.approx((0.3132, -0.7145), abs=5e-5)
    assert found.i2 == pytest.approx(0.9222, abs=5e-5)
    assert found.interval(0.05) == pytest.approx((-1.1084, -0.3206), abs=5e-5)
    assert found.prediction(0.05) == pytest.approx((-1.9960, 0.5670), abs=5e-5)


studies = st.lists(
    st.tuples(st.integers(-50, 50), st.integers(1, 400)), min_size=2, max_size=12
).map(lambda rows: (np.array([a for a, _ in rows]) / 10, np.array([b for _, b in rows]) / 100))


def restricted_likelihood(tau2, y, v):
    """By its definition, with matrices."""
    x, inverse = np.ones((y.size, 1)), np.diag(1 / (v + tau2))
    information = x.T @ inverse @ x
    residual = y - (x @ np.linalg.solve(information, x.T @ inverse @ y))
    return -0.5 * (
        np.log(v + tau2).sum() + np.linalg.slogdet(information)[1] + residual @ inverse @ residual
    )


@given(studies)
def test_no_other_variance_between_studies_is_likelier(case):
    y, v = case
    found = meta.pool(y, v).tau2
    best = restricted_likelihood(found, y, v)
    for tau2 in [0, *np.geomspace(1e-4, 1e4, 300), 0.999 * found, 1.001 * found]:
        assert restricted_likelihood(tau2, y, v) <= best + 1e-9


@given(studies)
def test_equals_the_protocols_formulas(case):
    y, v = case
    found = meta.pool(y, v)
    w = [1 / (variance + found.tau2) for variance in v]
    mean = sum(a * b for a, b in zip(w, y, strict=True)) / sum(w)
    q = sum(a * (b - mean) ** 2 for a, b in zip(w, y, strict=True)) / (len(y) - 1)
    assert (found.mean, found.q) == pytest.approx((mean, q))
    assert 0 <= found.i2 < 1
    if len(y) < 3:
        assert found.se is None
        return
    se = np.sqrt(max(q, 1) / sum(w))
    assert found.se == pytest.approx(se)
    half = stats.t.ppf(0.975, len(y) - 1)
    assert found.interval(0.05) == pytest.approx((mean - half * se, mean + half * se))
    if len(y) < 5:
        assert found.prediction(0.05) is None
    else:
        wide = half * np.sqrt(se**2 + found.tau2)
        assert found.prediction(0.05) == pytest.approx((mean - wide, mean + wide))


@given(st.lists(st.integers(-50, 50), min_size=3, max_size=10), st.floats(0.01, 100))
def test_studies_of_one_precision_are_a_t_test_over_studies(y, v):
    y = np.array(y) / 5
    found, test = meta.pool(y, np.full(y.size, v)), paired_t(y)
    assert found.mean == pytest.approx(y.mean(), abs=1e-9)
    assert found.tau2 == pytest.approx(max(y.var(ddof=1) - v, 0), rel=1e-6, abs=1e-8 * v)
    if y.var(ddof=1) > v:
        assert found.interval(0.1) == pytest.approx(test.interval(0.1), abs=1e-6)
        assert found.p == pytest.approx(test.p, abs=1e-9)
    else:  # less spread than their errors explain: never narrower than these
        assert found.se == pytest.approx(np.sqrt(v / y.size))


@given(studies, st.floats(-10, 10), st.sampled_from([1e-3, 100.0, -1.0]))
def test_moves_and_scales_with_the_data(case, shift, scale):
    y, v = case
    found, other = meta.pool(y, v), meta.pool(scale * (y + shift), scale**2 * v)
    assert other.mean == pytest.approx(scale * (found.mean + shift), abs=1e-6 * abs(scale))
    assert other.tau2 == pytest.approx(scale**2 * found.tau2, rel=1e-5, abs=1e-9 * scale**2)
    assert other.i2 == pytest.approx(found.i2, abs=1e-5)


def test_two_likelihood_maxima():
    # precise studies agree, rough ones scatter: the better of the maxima is taken
    y = np.array([0.0, 0.002, 0.001, 3.0, -3.0, 2.5, -2.5])
    v = np.array([1e-6, 1e-6, 1e-6, 0.01, 0.01, 0.01, 0.01])
    found = meta.pool(y, v).tau2
    grid = np.concatenate([[0], np.geomspace(1e-8, 1e3, 4000)])
    values = [restricted_likelihood(tau2, y, v) for tau2 in grid]
    assert restricted_likelihood(found, y, v) >= max(values) - 1e-9


def test_few_studies():
    one = meta.pool(np.array([0.4]), np.array([0.01]))
    assert (one.k, one.mean) == (1, 0.4)
    assert one.tau2 is one.se is one.p is one.interval(0.05) is one.prediction(0.05) is None
    two = meta.pool(np.array([0.4, 0.6]), np.array([0.01, 0.02]))
    assert two.se is two.p is two.interval(0.05) is two.prediction(0.05) is None
    assert tost_of(two, 1.0) is None
    four = meta.pool(np.array([0.4, 0.6, 0.5, 0.1]), np.full(4, 0.01))
    assert four.interval(0.05) is not None
    assert four.prediction(0.05) is None
    assert tost_of(four, 5.0).p < 0.001


def test_identical_studies():
    found = meta.pool(np.full(5, 0.3), np.full(5, 0.01))
    assert (found.tau2, found.i2) == (0, 0)
    assert found.q == pytest.approx(0)
    assert found.se == pytest.approx(np.sqrt(0.01 / 5))  # not 0: the studies have errors


def test_a_studys_variance_has_a_floor():
    assert meta.study_variance(0.2, 0.01, 10) == pytest.approx(0.04)
    # 10 seeds alike on 1,000 examples: a step is 0.1 pp
    assert meta.study_variance(0, 0.1, 10) == pytest.approx(0.01 / 120)
    rng = np.random.default_rng(0)
    true = rng.uniform(-1, 1, (20_000, 10))
    rounding = (np.round(true, 1) - true).mean(axis=1)
    assert rounding.var() == pytest.approx(meta.study_variance(0, 0.1, 10), rel=0.05)
    for arguments, name in (((-1, 1, 1), "se"), ((1, np.nan, 1), "step"), ((1, 1, 0), "n_seeds")):
        with pytest.raises(ValueError, match=rf"^{name}: "):
            meta.study_variance(*arguments)


@pytest.mark.parametrize("tau", [0.0, 0.3, 2.0])
@pytest.mark.parametrize("k", [3, 6, 12])
def test_intervals_hold_the_truth(k, tau):
    rng, repetitions = np.random.default_rng([k, int(10 * tau)]), 200
    missed = outside = 0
    for _ in range(repetitions):
        v = rng.uniform(0.05, 0.6, k) ** 2
        y = rng.normal(0, np.sqrt(tau**2 + v))
        found = meta.pool(y, v)
        missed += not found.interval(0.05).holds(0)
        if k >= 5:
            outside += not found.prediction(0.05).holds(rng.normal(0, tau))
    assert missed <= stats.binom.ppf(0.9999, repetitions, 0.06)
    assert outside <= stats.binom.ppf(0.9999, repetitions, 0.08)  # approximate


@pytest.mark.parametrize(
    ("y", "v", "name"),
    [
        ([], [], "y"),
        ([1.0, np.nan], [1.0, 1.0], "y"),
        ([1.0, 2.0], [1.0, 0.0], "v"),
        ([1.0, 2.0], [1.0, -1.0], "v"),
        ([1.0, 2.0], [1.0, np.inf], "v"),
        ([1.0, 2.0], [1.0], "y and v"),
    ],
)
def test_refuses_what_are_no_studies(y, v, name):
    with pytest.raises(ValueError, match=rf"^{name}: "):
        meta.pool(np.array(y), np.array(v))
