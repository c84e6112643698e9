"""How contrasts change with budget and factors, against plain sums over the cells."""

from pathlib import Path

import numpy as np
import pytest

from bench.analysis import Sample, Setting, analyze, analyze_samples
from bench.plan.forecast import primary_family
from bench.store import folder as store
from bench.study.arms import CONTRASTS
from bench.study.factors import REPLICATES
from tests import oracles, synthetic


def analyzed(folder: Path, **fields):
    study = synthetic.study(**fields)
    # Distinct seeds and settings get distinct numbers of correct answers, of 797.
    rng = np.random.default_rng(3)
    drawn: dict = {}

    def counts(cell):
        return drawn.setdefault(cell.id, int(rng.integers(300, 700)))

    synthetic.write(folder, study, counts=counts)
    results = store.read(folder)
    return study, analyze(results), results.cells.to_pylist()


def accuracy(rows, arm, seed, **held):
    """In percent, of the one row that fits; a column that does not reach the arm is null."""
    (row,) = [
        r
        for r in rows
        if (r["arm"], r["seed"]) == (arm, seed)
        and all(r[name] is None or r[name] == value for name, value in held.items())
    ]
    return 100 * row["correct"] / row["n"]


def effect(analysis, factor, level, name, population="seeds"):
    (found,) = [
        c
        for c in analysis.select(population, "effect")
        if (c.pairs.factor, c.pairs.level, c.name) == (factor, level, name)
    ]
    return found


def test_an_effect_is_the_mean_over_all_other_settings_of_level_minus_reference(tmp_path):
    _, analysis, rows = analyzed(
        tmp_path, seeds=6, budgets=[1, 4], learning_rate=[0.01, 0.001], batch_size=[32, 64]
    )
    found = effect(analysis, "learning_rate", "0.01", "qat - ptq+k")
    assert found.pairs.reference == "0.001"  # the default where it is a level
    assert found.family == "interaction"
    expected = [
        np.mean(
            [
                sign * of * accuracy(rows, arm, seed, learning_rate=rate, budget=b, batch_size=n)
                for rate, sign in ((0.01, 1), (0.001, -1))
                for arm, of in (("qat", 1), ("ptq+k", -1))
                for b in (1, 4)
                for n in (32, 64)
            ]
        )
        * 4  # four of the sixteen terms make one difference of differences
        for seed in range(6)
    ]
    assert found.pairs.d == pytest.approx(expected)
    # In whole steps, so that signs are flipped exactly.
    assert found.pairs.whole * found.pairs.step == pytest.approx(found.pairs.d)
    crossed = effect(analysis, "learning_rate", "0.01", "qat - ptq+k", "seeds+examples")
    assert crossed.mean == pytest.approx(found.mean)
    assert crossed.estimate.se >= 0


def test_effects_equal_by_construction_are_one_hypothesis_named_by_the_arm_that_moved(tmp_path):
    _, analysis, rows = analyzed(
        tmp_path, seeds=5, budgets=[1, 2], calibration_examples=[50, 200], extra=[1, 3]
    )
    names = [(c.name, c.pairs.level) for c in analysis.select("seeds", "effect")]
    # `ptq - float`, `qat - ptq` and `qat - ptq+k` are primary; calibration moves ptq and ptq+k.
    assert names == [("ptq", "50"), ("ptq+k", "50")]
    moved = effect(analysis, "calibration_examples", "50", "ptq")
    expected = [
        np.mean(
            [
                accuracy(rows, "ptq", seed, budget=b, calibration_examples=50)
                - accuracy(rows, "ptq", seed, budget=b, calibration_examples=200)
                for b in (1, 2)
            ]
        )
        for seed in range(5)
    ]
    assert moved.pairs.d == pytest.approx(expected)


def test_many_ordered_levels_enter_as_slope_and_last_minus_reference(tmp_path):
    _, analysis, rows = analyzed(
        tmp_path, seeds=4, budgets=[1], batch_size=[16, 32, 64, 128], arms=["float", "ptq"]
    )
    levels = [c.pairs.level for c in analysis.select("seeds", "effect")]
    assert levels == ["128"]
    (slope,) = [c for c in analysis.select("seeds", "slope") if c.pairs.factor == "batch_size"]
    x = np.array([4, 5, 6, 7.0])
    expected = [
        np.polyfit(
            x,
            [
                accuracy(rows, "ptq", s, batch_size=n) - accuracy(rows, "float", s, batch_size=n)
                for n in (16, 32, 64, 128)
            ],
            1,
        )[0]
        for s in range(4)
    ]
    assert slope.pairs.d == pytest.approx(expected)
    assert slope.pairs.margin == pytest.approx(0.5 / 3)


def test_a_slope_over_budgets_that_are_no_powers_of_two(tmp_path):
    _, analysis, rows = analyzed(tmp_path, seeds=4, budgets=[1, 3, 10], arms=["float", "ptq"])
    (slope,) = analysis.select("seeds", "slope")
    expected = [
        np.polyfit(
            np.log2([1, 3, 10]),
            [accuracy(rows, "ptq", s, budget=b) - accuracy(rows, "float", s, budget=b)
             for b in (1, 3, 10)],
            1,
        )[0]
        for s in range(4)
    ]  # fmt: skip
    assert slope.pairs.d == pytest.approx(expected)


@pytest.mark.parametrize("over", [[], ["calibration_examples"], ["learning_rate"]])
def test_families_count_a_contrast_once_where_a_factor_does_not_reach_it(tmp_path, over):
    study, analysis, _ = analyzed(
        tmp_path, seeds=4, budgets=[1, 2], calibration_examples=[50, 200],
        learning_rate=[0.001, 0.01], primary_over=over,
    )  # fmt: skip
    contrasts = analysis.select("seeds")
    settings = [(c.name, c.setting) for c in contrasts]
    assert len(set(settings)) == len(settings)
    for c in contrasts:
        arms = c.pairs.contrast.a, c.pairs.contrast.b
        reaching = set(study.reaching(*arms, model="bncnn"))
        assert set(dict(c.setting.factors)) == reaching - REPLICATES
    at = [c for c in contrasts if c.name == "qat - float"]
    assert len(at) == 2 * 2  # budgets, learning rates: calibration reaches neither
    primary = [c for c in contrasts if c.family == "primary"]
    assert len(primary) == primary_family(study)
    assert {c.m for c in primary} == {len(primary)}
    for c in primary:
        for name, level in c.setting.factors:
            assert name in over or level == study.baseline_of(name)


def test_a_declared_effect_belongs_to_the_primary_family(tmp_path):
    study, analysis, _ = analyzed(
        tmp_path, seeds=8, budgets=[1], learning_rate=[0.001, 0.01],
        primary=["qat - ptq+k", "learning_rate: qat - ptq+k"],
    )  # fmt: skip
    primary = [c for c in analysis.select("seeds") if c.family == "primary"]
    primary += [c for c in analysis.select("seeds", "effect") if c.family == "primary"]
    assert [(c.pairs.kind, c.name) for c in primary] == [
        ("contrast", "qat - ptq+k"),
        ("effect", "qat - ptq+k"),
    ]
    assert [c.m for c in primary] == [2, 2] == [primary_family(study)] * 2
    assert [c.p_adjusted for c in primary] == pytest.approx(oracles.holm([c.p for c in primary]))


def test_levels_with_unlike_test_examples_speak_about_new_seeds_only(tmp_path):
    sample = np.zeros((4, 60), dtype=bool)
    rng = np.random.default_rng(1)
    samples = [
        Sample(
            Setting(data, "m", (), 1, None), arm, "accuracy", "pp", (0, 1, 2, 3), {"ok": 4},
            (0, 1, 2, 3), 100 * right.mean(axis=1), right,
        )
        for data in ("a", "b")
        for arm in ("float", "ptq")
        for right in [rng.random(sample.shape) < 0.7]
    ]  # fmt: skip
    analysis = analyze_samples(
        samples, [CONTRASTS["ptq - float"]], primary=["ptq - float"], title="", alpha=0.05,
        deltas={"accuracy": 0.5},
    )  # fmt: skip
    assert [c.pairs.factor for c in analysis.select("seeds", "effect")] == ["dataset"]
    assert analysis.select("seeds+examples", "effect") == ()


@pytest.mark.parametrize(("budgets", "kinds"), [([1, 8], {"interaction"}),
                                                ([1, 2, 8], {"interaction", "slope"})])  # fmt: skip
def test_a_slope_over_two_budgets_is_the_difference_again_and_counts_in_no_family(
    tmp_path, budgets, kinds
):
    _, analysis, _ = analyzed(tmp_path, seeds=4, budgets=budgets)
    found = (*analysis.select("seeds", "interaction"), *analysis.select("seeds", "slope"))
    assert {c.pairs.kind for c in found} == kinds
    assert {c.m for c in found} == {3 * len(kinds)}  # three primary contrasts


def test_rows_say_what_changed(tmp_path):
    _, analysis, _ = analyzed(tmp_path, seeds=4, budgets=[1, 4, 8], optimizer=["adam", "sgd"])
    rows = {(r["kind"], r["factor"], r["level"], r["reference"]) for r in analysis.rows}
    assert rows == {
        ("contrast", None, None, None),
        ("interaction", "budget", "1", "8"),
        ("slope", "budget", None, None),
        ("effect", "optimizer", "sgd", "adam"),
        ("overall", None, None, None),
    }
    assert all(
        name in CONTRASTS
        for name in (r["contrast"] for r in analysis.rows if r["kind"] != "effect")
    )
