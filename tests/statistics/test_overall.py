import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.statistics import overall
from bench.statistics.equivalence import tost_of
from bench.statistics.paired import PairedT, paired_t

# Student (1908), R's `sleep`: extra hours under drug 1 and under drug 2, as two samples.
DRUG_1 = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
DRUG_2 = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])


def test_one_setting_is_its_own_overall_effect():
    d = np.array([[1.25, -0.5, 3.0, 0.25]])
    found, test = overall.mean_of_means([d[0]]), paired_t(d[0])
    for name in ("mean", "se", "df", "t", "p"):
        assert getattr(found, name) == pytest.approx(getattr(test, name))
    assert found.interval(0.1) == pytest.approx(test.interval(0.1))


def test_two_settings_are_welchs_test_of_students_data():
    # R: t.test(extra ~ group, sleep): t = -1.8608, df = 17.776, p-value = 0.07939,
    # 95% CI [-3.3654832, 0.2054832]. The mean of (a, -b) is half the difference of a and b.
    found = overall.mean_of_means([DRUG_1, -DRUG_2])
    assert found.t == pytest.approx(-1.8608, abs=5e-5)
    assert found.df == pytest.approx(17.776, abs=5e-4)
    assert found.p == pytest.approx(0.07939, abs=5e-6)
    assert np.array(found.interval(0.05)) * 2 == pytest.approx([-3.3654832, 0.2054832], abs=1e-7)


samples = st.lists(st.integers(-40, 40), min_size=2, max_size=9)


@given(samples, samples)
def test_two_settings_equal_scipys_welch_test(a, b):
    if np.ptp(a) == 0 and np.ptp(b) == 0:
        return
    reference = stats.ttest_ind(a, -np.array(b), equal_var=False)
    found = overall.mean_of_means([np.array(a), np.array(b)])
    assert (found.t, found.df, found.p) == pytest.approx(
        (reference.statistic, reference.df, reference.pvalue), abs=1e-12
    )


@given(st.lists(samples, min_size=1, max_size=6))
def test_equals_the_protocols_formulas(d):
    squares = [np.var(one, ddof=1) / len(one) for one in d]
    found = overall.mean_of_means([np.array(one) for one in d])
    assert found.mean == pytest.approx(np.mean([np.mean(one) for one in d]), abs=1e-12)
    assert found.se == pytest.approx(np.sqrt(sum(squares)) / len(d))
    assert found.n == sum(map(len, d))
    if sum(squares) > 0:
        below = sum(v**2 / (len(one) - 1) for v, one in zip(squares, d, strict=True))
        assert found.df == pytest.approx(sum(squares) ** 2 / below)
    # Welch and Satterthwaite: between the smallest setting's df and the sum of all
    assert found.fewest - 1 <= found.df + 1e-9 <= found.n - len(d) + 1e-6


def test_tiny_units_do_not_underflow():
    d = [DRUG_1, DRUG_2, DRUG_1 - DRUG_2]
    found, tiny = overall.mean_of_means(d), overall.mean_of_means([1e-120 * one for one in d])
    assert (tiny.t, tiny.df, tiny.p) == pytest.approx((found.t, found.df, found.p))


def test_settings_without_variance():
    zero = overall.mean_of_means([np.array([0.3, 0.3]), np.array([-0.1] * 4), np.array([-0.2] * 3)])
    assert (zero.mean, zero.se, zero.df, zero.t, zero.p) == (0, 0, 1, 0, 1)
    assert zero.identical
    assert zero.interval(0.05) == (0, 0)
    moved = overall.mean_of_means([np.array([1.0, 1.0]), np.array([-3.0, -3.0, -3.0])])
    assert (moved.mean, moved.t, moved.p) == (-1, -np.inf, 0)
    assert moved.constant
    assert not moved.identical
    one_varies = overall.mean_of_means([np.array([1.0, 1.0]), np.array([0.0, 1.0, 5.0])])
    assert one_varies.df == pytest.approx(2)


def test_a_setting_of_one_seed_has_a_mean_only():
    found = overall.mean_of_means([np.array([1.0]), np.array([2.0, 3.0])])
    assert found.mean == 1.75
    assert found.se is found.df is found.t is found.p is found.interval(0.05) is None
    assert not found.constant
    assert not found.identical
    assert tost_of(found, 0.5) is None


def test_stands_where_a_paired_test_stands():
    names = {"n", "mean", "sd", "se", "t", "df", "p", "constant", "identical", "interval"}
    assert names <= set(dir(overall.mean_of_means([DRUG_1, DRUG_2])))
    assert names <= {*dir(PairedT), *PairedT.__dataclass_fields__}
    found = overall.mean_of_means([DRUG_1 - DRUG_2])
    assert tost_of(found, 3).p == pytest.approx(tost_of(paired_t(DRUG_1 - DRUG_2), 3).p)


def test_false_alarms_of_unlike_settings_keep_their_rate():
    rng = np.random.default_rng(0)
    shape = ((5, 0.3), (8, 1.0), (20, 3.0))
    alarms = 0
    for _ in range(3000):
        d = [rng.normal(0, sd, n) for n, sd in shape]
        alarms += overall.mean_of_means(d).p <= 0.05
    # Welch's df are an approximation: at most 5.5%, and no test that never rejects
    assert alarms <= stats.binom.ppf(0.9999, 3000, 0.055)
    assert alarms >= stats.binom.ppf(0.0001, 3000, 0.045)


def test_shared_seeds_need_the_difference_per_seed():
    # settings that share a seed's luck: the mean of means takes them for independent
    rng = np.random.default_rng(1)
    right = wrong = 0
    for _ in range(3000):
        d = rng.normal(size=(1, 8)) + rng.normal(0, 0.5, (4, 8))
        right += paired_t(d.mean(axis=0)).p <= 0.05
        wrong += overall.mean_of_means(list(d)).p <= 0.05
    assert stats.binom.ppf(0.0001, 3000, 0.05) <= right <= stats.binom.ppf(0.9999, 3000, 0.05)
    assert wrong > stats.binom.ppf(0.9999, 3000, 0.2)


@pytest.mark.parametrize("d", [[], [[]], [[1.0], [np.inf]]])
def test_refuses_what_are_no_samples(d):
    with pytest.raises(ValueError, match=r"^d: "):
        overall.mean_of_means([np.array(one) for one in d])
