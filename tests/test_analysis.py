"""Tables -> contrasts: what is paired with what, and what each row of contrasts.parquet says."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import stats

from bench.analysis import Comparison, analyze, splits
from bench.plan import cells as plan
from bench.statistics.families import Verdict
from bench.store import folder as store
from bench.store.schema import CONTRASTS
from tests import oracles, synthetic
from tests.analyses import analyzed, one

SLEEP = (-12, -24, -13, -13, 0, -10, -18, -8, -46, -14)
"""Student (1908), R's `sleep`: extra hours of sleep, drug 1 minus drug 2, in tenths of an hour."""


def sleep_study(folder: Path, **fields: object) -> Path:
    """With 1,000 test examples a tenth of an hour is one example, an hour one pp."""
    study = synthetic.study(seeds=10, budgets=[1], arms=["float", "ptq"], **fields)
    counts = lambda cell: 500 + (SLEEP[cell.seed] if cell.arm == "ptq" else 0)  # noqa: E731
    return synthetic.write(folder, study, n=1000, counts=counts)


def test_students_sleep_data(tmp_path: Path) -> None:
    row = one(analyze(store.read(sleep_study(tmp_path))), "ptq - float").row()
    assert row["mean"] == pytest.approx(-1.58)
    assert row["t"] == pytest.approx(-4.0621, abs=5e-5)
    assert row["df"] == 9
    assert row["p"] == pytest.approx(0.002833, abs=5e-7)
    assert row["ci_low"] == pytest.approx(-2.4598858)
    assert row["ci_high"] == pytest.approx(-0.7001142)
    assert row["p_signflip"] == 4 / 1024
    assert row["churn_fixed"] == 0
    assert row["churn_broken"] == pytest.approx(sum(map(abs, SLEEP)) / 10_000)
    assert row["family"] == "primary"
    assert row["verdict"] == Verdict.MATTERS  # below -0.5, and the only primary contrast


def test_every_row_has_the_columns_of_the_schema_and_their_types(tmp_path: Path) -> None:
    analysis = analyzed(tmp_path, seeds=5, budgets=[1, 2])
    for row in analysis.rows:
        assert set(row) == {column.name for column in CONTRASTS}
    store.Store(tmp_path).write_contrasts(analysis.rows)
    table = pq.read_table(tmp_path / "contrasts.parquet")
    assert table.schema.equals(store.CONTRAST_SCHEMA)
    assert table.to_pylist() == analysis.rows


def test_rows_equal_scipy_and_plain_loops(tmp_path: Path) -> None:
    study = synthetic.study(seeds=8, budgets=[1, 4])
    synthetic.write(tmp_path, study)
    results = store.read(tmp_path)
    labels = results.labels["digits"]
    right = {
        (r["arm"], r["budget"], r["seed"]): np.frombuffer(r["predictions"], np.uint8) == labels
        for r in results.cells.to_pylist()
    }
    for c in analyze(results).select("seeds"):
        row, budget = c.row(), c.setting.budget
        a = np.array([right[c.pairs.contrast.a, budget, s] for s in range(8)])
        b = np.array([right[c.pairs.contrast.b, budget, s] for s in range(8)])
        x, y = 100 * a.mean(axis=1), 100 * b.mean(axis=1)
        assert row["mean"] == pytest.approx(np.mean(x - y))
        assert row["sd"] == pytest.approx(np.std(x - y, ddof=1))
        reference = stats.ttest_rel(x, y)
        assert row["t"] == pytest.approx(reference.statistic)
        assert row["p"] == pytest.approx(reference.pvalue)
        low, high = reference.confidence_interval(0.95)
        assert (row["ci_low"], row["ci_high"]) == pytest.approx((low, high))
        counts = a.sum(axis=1).astype(int) - b.sum(axis=1).astype(int)
        assert row["p_signflip"] == pytest.approx(oracles.sign_flip_p(counts))
        assert row["churn_fixed"] == pytest.approx((a & ~b).mean())
        assert row["churn_broken"] == pytest.approx((b & ~a).mean())
        upper = stats.ttest_1samp(x - y, study.delta, alternative="less").pvalue
        lower = stats.ttest_1samp(x - y, -study.delta, alternative="greater").pvalue
        assert row["p_equivalence"] == pytest.approx(max(upper, lower))


def test_families_are_corrected_each_by_itself(tmp_path: Path) -> None:
    analysis = analyzed(tmp_path, seeds=12, budgets=[1, 2, 8])
    for population in ("seeds", "seeds+examples"):
        primary = [c for c in analysis.select(population) if c.family == "primary"]
        others = [c for c in analysis.select(population) if c.family == "exploratory"]
        assert [len(primary), len(others)] == [3 * 3, 7 * 3]
        holm = oracles.holm([c.p for c in primary])
        assert [c.p_adjusted for c in primary] == pytest.approx(holm)
        holm = oracles.holm([c.p_equivalence for c in primary])
        assert [c.p_equivalence_adjusted for c in primary] == pytest.approx(holm)
        bh = oracles.benjamini_hochberg([c.p for c in others])
        assert [c.p_adjusted for c in others] == pytest.approx(bh)
        for c in primary:
            assert c.simultaneous == c.estimate.interval(0.05 / 9)
        rejected = max(sum(p <= 0.05 for p in bh), 1)
        for c in others:
            assert c.simultaneous == c.estimate.interval(rejected * 0.05 / 21)


def test_equal_arms_are_equivalent_and_nothing_is_nan(tmp_path: Path) -> None:
    study = synthetic.study(seeds=12, budgets=[1], arms=["float", "ptq"])
    synthetic.write(tmp_path, study, counts=lambda cell: 700)
    row = one(analyze(store.read(tmp_path)), "ptq - float").row()
    assert row["verdict"] == Verdict.EQUIVALENT
    assert (row["mean"], row["sd"], row["p"], row["t"]) == (0, 0, 1, None)
    assert (row["ci_low"], row["ci_high"]) == (0, 0)


@pytest.mark.parametrize("seeds", [1, 2, 3])
def test_few_seeds_give_no_verdict_and_no_nan(tmp_path: Path, seeds: int) -> None:
    analysis = analyzed(tmp_path, seeds=seeds, budgets=[1])
    assert {c.verdict for c in analysis.comparisons} == {Verdict.TOO_FEW_SEEDS}
    for row in analysis.rows:
        for value in row.values():
            assert value is None or value == value  # nan is not
    if seeds == 1:
        assert {row["p"] for row in analysis.rows} == {None}


def test_seeds_needed_are_never_fewer_than_a_verdict_needs(tmp_path: Path) -> None:
    analysis = analyzed(tmp_path, seeds=6, budgets=[1, 2, 4, 8])
    undecided = [c for c in analysis.select("seeds") if c.seeds_needed is not None]
    assert undecided
    for c in undecided:
        fewest = 1 + int(np.ceil(np.log2(c.m / 0.05)))
        assert c.seeds_needed >= fewest
        assert c.seeds_needed_equivalence >= fewest


def test_interaction_is_the_contrast_at_the_smallest_budget_minus_that_at_the_largest(
    tmp_path: Path,
) -> None:
    """Student's sleep data once more, as the change of a contrast between 1 and 8 epochs."""
    study = synthetic.study(seeds=10, budgets=[1, 2, 8], arms=["float", "ptq"])

    def counts(cell: plan.Cell) -> int:
        level = {1: 300, 2: 500, 8: 700}[cell.budget]
        if cell.arm == "float":
            return level + cell.seed
        swing = SLEEP[cell.seed] if cell.budget == 1 else 0
        return level + cell.seed + 4 + swing

    synthetic.write(tmp_path, study, n=1000, counts=counts)
    analysis = analyze(store.read(tmp_path))
    (change,) = analysis.select("seeds", "interaction")
    row = change.row()
    assert (row["family"], row["kind"], row["budget"]) == ("interaction", "interaction", None)
    assert row["t"] == pytest.approx(-4.0621, abs=5e-5)
    assert row["p"] == pytest.approx(0.002833, abs=5e-7)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((-2.4598858, -0.7001142))
    assert row["p_signflip"] == 4 / 1024
    (slope,) = analysis.select("seeds", "slope")
    contrast = {c.setting.budget: c.pairs.d for c in analysis.select("seeds")}
    log2 = np.log2([1, 2, 8])
    slopes = [np.polyfit(log2, [contrast[b][s] for b in (1, 2, 8)], 1)[0] for s in range(10)]
    assert slope.pairs.d == pytest.approx(np.array(slopes))
    assert slope.pairs.unit == "pp per doubling"
    assert slope.pairs.margin == pytest.approx(0.5 / 3)  # 3 doublings from 1 to 8
    assert {change.m, slope.m} == {2}


def test_slope_of_budgets_that_are_no_powers_of_two(tmp_path: Path) -> None:
    analysis = analyzed(tmp_path, seeds=6, budgets=[1, 3, 10], arms=["float", "ptq", "qat"])
    for slope in analysis.select("seeds", "slope"):
        assert slope.pairs.whole is None
        assert slope.pairs.p_signflip == pytest.approx(oracles.sign_flip_p(slope.pairs.d))


def test_whole_numbers_are_the_differences_in_steps(tmp_path: Path) -> None:
    analysis = analyzed(tmp_path, seeds=6, budgets=[1, 2, 8])
    kinds = set()
    for c in analysis.select("seeds", "contrast") + tuple(
        c for kind in ("interaction", "slope") for c in analysis.select("seeds", kind)
    ):
        assert c.pairs.whole is not None
        assert c.pairs.whole * c.pairs.step == pytest.approx(c.pairs.d, abs=1e-9)
        kinds.add(c.pairs.kind)
    assert kinds == {"contrast", "interaction", "slope"}


def two_way(cells: np.ndarray) -> tuple[float, float, float]:
    """The protocol's crossed variance, df and example part, written out."""
    s, n = cells.shape
    by_seed, by_example, mean = cells.mean(axis=1), cells.mean(axis=0), cells.mean()
    ms_s = n * ((by_seed - mean) ** 2).sum() / (s - 1)
    ms_i = s * ((by_example - mean) ** 2).sum() / (n - 1)
    residual = cells - by_seed[:, None] - by_example[None, :] + mean
    ms_e = (residual**2).sum() / ((s - 1) * (n - 1))
    surplus = max(ms_i - ms_e, 0)
    df = s - 1
    if surplus > 0:
        df = (ms_s + ms_i - ms_e) ** 2 / (
            ms_s**2 / (s - 1) + ms_i**2 / (n - 1) + ms_e**2 / ((s - 1) * (n - 1))
        )
    return (ms_s + surplus) / (s * n), max(df, min(s - 1, n - 1)), surplus / (s * n)


def test_rows_of_new_seeds_and_examples_equal_the_protocol_written_out(tmp_path: Path) -> None:
    synthetic.write(tmp_path, synthetic.study(seeds=6, budgets=[1, 4]))
    results = store.read(tmp_path)
    labels = results.labels["digits"]
    right = {
        (r["arm"], r["budget"], r["seed"]): np.frombuffer(r["predictions"], np.uint8) == labels
        for r in results.cells.to_pylist()
    }

    def cells(c: Comparison, budget: int | None) -> np.ndarray:
        a, b = c.pairs.contrast.a, c.pairs.contrast.b
        return 100.0 * np.array(
            [right[a, budget, s].astype(int) - right[b, budget, s] for s in range(6)]
        )

    analysis = analyze(results)
    checked = set()
    for kind in ("contrast", "interaction"):
        for c in analysis.select("seeds+examples", kind):
            both = (
                cells(c, 1) - cells(c, 4) if kind == "interaction" else cells(c, c.setting.budget)
            )
            variance, df, example_part = two_way(both)
            row = c.row()
            assert row["mean"] == pytest.approx(both.mean())
            assert row["df"] == pytest.approx(df)
            assert row["t"] == pytest.approx(both.mean() / np.sqrt(variance))
            half = stats.t.ppf(0.975, df) * np.sqrt(variance)
            assert row["ci_high"] - row["mean"] == pytest.approx(half)
            left = stats.t.ppf(0.975, both.shape[1] - 1) * np.sqrt(example_part)
            assert row["half_width_examples"] == pytest.approx(left)
            assert row["p_signflip"] is None
            checked.add(kind)
    assert checked == {"contrast", "interaction"}


def test_the_split_adds_up_exactly_in_every_seed(tmp_path: Path) -> None:
    def drop(row: dict) -> dict | None:
        return None if (row["arm"], row["seed"]) == ("qat-recal", 2) else row

    synthetic.write(tmp_path, synthetic.study(seeds=5, budgets=[1, 8], extra=[1, 2]), edit=drop)
    analysis = analyze(store.read(tmp_path))
    found = splits(analysis)
    assert [(s.setting.budget, s.setting.extra) for s in found] == [(1, 1), (8, 1), (1, 2), (8, 2)]
    for split in found:
        assert split.seeds == (0, 1, 3, 4)
        assert split.parts.sum(axis=0) == pytest.approx(split.total, abs=1e-12)
        whole = one(analysis, "qat - ptq", budget=split.setting.budget, extra=split.setting.extra)
        assert split.total == pytest.approx(whole.pairs.d[[0, 1, 3, 4]])


def test_worst_case_holds_what_the_missing_cell_would_have_given(tmp_path: Path) -> None:
    def drop(row: dict) -> dict | None:
        return None if (row["arm"], row["seed"]) == ("ptq", 4) else row

    study = synthetic.study(seeds=5, budgets=[1], arms=["float", "ptq"])
    counts = lambda cell: 900 + cell.seed + 5 * (cell.arm == "ptq")  # noqa: E731
    synthetic.write(tmp_path, study, n=1000, counts=counts, edit=drop)
    row = one(analyze(store.read(tmp_path)), "ptq - float").row()
    assert row["mean"] == pytest.approx(0.5)
    assert row["worst_low"] == pytest.approx((4 * 0.5 + 0 - 90.4) / 5)
    assert row["worst_high"] == pytest.approx((4 * 0.5 + 100 - 90.4) / 5)
