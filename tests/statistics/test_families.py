from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.statistics import families
from bench.statistics.checks import Interval
from bench.statistics.families import Verdict
from tests import oracles

p_lists = st.lists(
    st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.01, 0.01, 0.05, 1.0])),
    min_size=1,
    max_size=12,
)


def test_holm_known_answer():
    # R 4: p.adjust(c(.01, .04, .03, .005), "holm") is .03 .06 .06 .02
    assert families.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_benjamini_hochberg_known_answer():
    # R 4: p.adjust(c(.01, .04, .03, .005), "BH") is .02 .04 .04 .02
    assert families.benjamini_hochberg([0.01, 0.04, 0.03, 0.005]) == pytest.approx(
        [0.02, 0.04, 0.04, 0.02]
    )


@given(p_lists)
def test_holm_equals_the_plain_procedure(p):
    assert families.holm(p) == pytest.approx(oracles.holm(p), abs=1e-12)


@given(p_lists)
def test_benjamini_hochberg_equals_scipy_and_the_plain_procedure(p):
    found = families.benjamini_hochberg(p)
    assert found == pytest.approx(stats.false_discovery_control(p), abs=1e-12)
    assert found == pytest.approx(oracles.benjamini_hochberg(p), abs=1e-12)


@given(p_lists, st.randoms())
def test_order_of_contrasts_changes_nothing(p, random):
    order = list(range(len(p)))
    random.shuffle(order)
    for adjust in (families.holm, families.benjamini_hochberg):
        assert adjust(np.array(p)[order]) == pytest.approx(adjust(p)[order])


@given(p_lists)
def test_adjusted_is_between_p_and_bonferroni(p):
    p = np.array(p)
    bonferroni = np.minimum(1, p * p.size)
    bh, holm = families.benjamini_hochberg(p), families.holm(p)
    assert (p <= bh + 1e-12).all()
    assert (bh <= holm + 1e-12).all()
    assert (holm <= bonferroni + 1e-12).all()


def test_no_contrasts_and_one():
    assert families.holm([]).size == families.benjamini_hochberg([]).size == 0
    assert families.holm([0.3]) == families.benjamini_hochberg([0.3]) == 0.3


@pytest.mark.parametrize("p", [[0.1, np.nan], [-0.1], [1.1], [[0.1]]])
@pytest.mark.parametrize("adjust", [families.holm, families.benjamini_hochberg])
def test_refuses_what_is_no_p_value(adjust, p):
    with pytest.raises(ValueError, match=r"^p: "):
        adjust(p)


def test_a_contrast_without_p_still_counts():
    assert families.adjusted([0.01, None, 0.5], "holm") == [pytest.approx(0.03), None, 1.0]
    assert families.adjusted([0.01, None, 0.5], "bh") == [
        pytest.approx(0.03), None, pytest.approx(0.75),
    ]  # fmt: skip
    with pytest.raises(ValueError, match="method"):
        families.adjusted([0.1], "hommel")


def test_levels_of_simultaneous_intervals():
    assert families.bonferroni_alpha(0.05, 4) == 0.0125
    assert families.fcr_alpha(0.05, 10, 4) == pytest.approx(0.02)
    assert families.fcr_alpha(0.05, 10, 0) == families.fcr_alpha(0.05, 10, 1) == 0.005
    with pytest.raises(ValueError, match=r"^n_rejected: "):
        families.fcr_alpha(0.05, 3, 4)
    with pytest.raises(ValueError, match=r"^m: "):
        families.bonferroni_alpha(0.05, 0)
    with pytest.raises(ValueError, match=r"^alpha: "):
        families.bonferroni_alpha(1.0, 2)


def test_fewest_seeds():
    assert families.fewest_seeds(0.05) == 6  # 2/64 = 0.031, 2/32 = 0.0625
    assert families.fewest_seeds(0.05, 16) == 10  # protocol: 2/1024 <= 0.003125 < 2/512


# alpha 0.05, delta 0.5, 20 seeds, 4 contrasts; (p, p of equivalence, family's interval)
CASES = [
    ((0.01, 0.90, (0.6, 1.4)), Verdict.MATTERS),
    ((0.01, 0.90, (-1.4, -0.6)), Verdict.MATTERS),
    ((0.05, 0.01, (0.1, 0.3)), Verdict.TOO_SMALL),
    ((0.01, 0.06, (0.1, 0.6)), Verdict.SIZE_UNDECIDED),
    ((0.01, 0.90, (0.5, 1.4)), Verdict.SIZE_UNDECIDED),  # touches delta: not beyond it
    ((0.04, 0.90, (-0.1, 1.4)), Verdict.SIZE_UNDECIDED),  # Holm rejects, Bonferroni holds 0
    ((0.051, 0.05, (-0.1, 0.3)), Verdict.EQUIVALENT),
    ((0.20, 0.06, (-0.4, 0.8)), Verdict.UNDECIDED),
    ((0.06, 0.90, (0.6, 1.4)), Verdict.UNDECIDED),  # beyond delta, but not significant
    ((None, None, None), Verdict.UNDECIDED),
    ((1.0, 0.0, (0.0, 0.0)), Verdict.EQUIVALENT),  # identical in every seed
    ((0.0, 1.0, (2.0, 2.0)), Verdict.MATTERS),  # constant
    ((0.0, 0.0, (0.2, 0.2)), Verdict.TOO_SMALL),
    ((0.0, 1.0, (0.5, 0.5)), Verdict.SIZE_UNDECIDED),
]


@pytest.mark.parametrize(("numbers", "expected"), CASES)
def test_verdicts(numbers, expected):
    p, equivalence, interval = numbers
    found = families.verdict(
        n_seeds=20, p_adjusted=p, p_equivalence_adjusted=equivalence, interval=interval,
        delta=0.5, alpha=0.05, m=4,
    )  # fmt: skip
    assert found == expected


def test_verdicts_are_the_protocols_words():
    assert sorted(Verdict) == sorted([
        "different and it matters", "different, too small to matter",
        "different, size undecided", "equivalent within Δ", "undecided", "too few seeds",
        "too few groups", "withheld by a check",
    ])  # fmt: skip


@pytest.mark.parametrize(("numbers", "_"), CASES)
@pytest.mark.parametrize(("n_seeds", "m", "few"), [(5, 1, True), (6, 1, False), (9, 16, True),
                                                   (10, 16, False)])  # fmt: skip
def test_too_few_seeds_looks_at_seeds_alone(numbers, _, n_seeds, m, few):
    p, equivalence, interval = numbers
    found = families.verdict(
        n_seeds=n_seeds, p_adjusted=p, p_equivalence_adjusted=equivalence, interval=interval,
        delta=0.5, alpha=0.05, m=m,
    )  # fmt: skip
    assert (found == Verdict.TOO_FEW_SEEDS) == few


@pytest.mark.parametrize(("p", "expected"), [(0.01, Verdict.SIZE_UNDECIDED),
                                             (0.06, Verdict.UNDECIDED)])  # fmt: skip
def test_without_a_margin_nothing_is_said_of_size(p, expected):
    for equivalence, interval in product((None, 0.001), (None, (5.0, 9.0))):
        found = families.verdict(
            n_seeds=20, p_adjusted=p, p_equivalence_adjusted=equivalence, interval=interval,
            delta=None, alpha=0.05, m=4,
        )  # fmt: skip
        assert found == expected


def test_refuses_a_margin_of_zero():
    with pytest.raises(ValueError, match=r"^delta: "):
        families.verdict(
            n_seeds=20, p_adjusted=0.5, p_equivalence_adjusted=0.5, interval=Interval(0, 1),
            delta=0.0, alpha=0.05, m=4,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("interval", "delta", "expected"),
    [
        (None, 0.5, Verdict.TOO_FEW_SEEDS),
        ((0.6, 0.9), 0.5, Verdict.MATTERS),
        ((-0.9, -0.6), 0.5, Verdict.MATTERS),
        ((0.1, 0.4), 0.5, Verdict.TOO_SMALL),
        ((0.1, 0.9), 0.5, Verdict.SIZE_UNDECIDED),
        ((-0.4, 0.4), 0.5, Verdict.EQUIVALENT),
        ((0.0, 0.0), 0.5, Verdict.EQUIVALENT),
        ((-0.4, 0.5), 0.5, Verdict.UNDECIDED),
        ((-np.inf, np.inf), 0.5, Verdict.UNDECIDED),
        ((0.1, 0.4), None, Verdict.SIZE_UNDECIDED),
        ((-0.1, 0.1), None, Verdict.UNDECIDED),
    ],
)
def test_a_repeated_interval_gives_one_verdict(interval, delta, expected):
    assert families.verdict_by_interval(interval, delta) is expected
