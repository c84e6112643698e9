"""Metrics that are no accuracy, and test examples in groups, through the whole analysis."""

import re

import numpy as np
import pytest
from scipy import stats

from bench import metrics
from bench.analysis import analyze
from bench.plan import cells as plan
from bench.report import build, markdown
from bench.statistics import crossed
from bench.statistics.families import Verdict
from bench.statistics.groups import group_sums, grouped
from bench.store import measures
from bench.store.folder import Store, read
from bench.store.labels import LABEL_SCHEMA
from tests import synthetic
from tests.report.reader import INTERVAL, Reader, number

N = 60


def regression(folder, seeds=8, groups=0, edit=lambda row: row, **fields):
    fields = {"metrics": ["mae", "mse"], "arms": ["float", "ptq"], "budgets": [1]} | fields
    study = synthetic.study(seeds=seeds, **fields)
    rng = np.random.default_rng(3)

    def noisy(row):
        shift = 0.02 * (row["arm"] == "ptq")
        values = np.abs(rng.normal(0.5 + shift, 0.2, N)).astype(np.float32)
        row["values"] = {
            "mae": measures.stored(values), "mse": measures.stored(values**2),
        }  # fmt: skip
        row["metrics"] = {"mae": metrics.mean(values), "mse": metrics.mean(values**2)}
        return edit(row)

    return synthetic.write(folder, study, n=N, edit=noisy, groups=groups)


def of(analysis, metric, population="seeds"):
    (found,) = [c for c in analysis.select(population) if c.pairs.metric == metric]
    return found


def tables(folder, metric):
    """The differences, (seeds, examples), as an oracle reads them."""
    rows = {(r["arm"], r["seed"]): dict(r["values"]) for r in Store(folder).cells()[0].to_pylist()}
    seeds = sorted({seed for _, seed in rows})
    a, b = (
        np.array([np.frombuffer(rows[arm, s][metric], np.float32) for s in seeds], float)
        for arm in ("ptq", "float")
    )
    return a - b


def test_of_real_values_both_populations_are_the_protocols(tmp_path):
    analysis = analyze(read(regression(tmp_path)))
    for metric in ("mae", "mse"):
        cells = tables(tmp_path, metric)
        c = of(analysis, metric)
        expected = stats.ttest_1samp(cells.mean(axis=1), 0)
        assert (c.mean, c.p) == pytest.approx((cells.mean(), expected.pvalue), rel=1e-5)
        crossed_c = of(analysis, metric, "seeds+examples")
        wanted = crossed.crossed(crossed.real_mean_squares(cells))
        assert crossed_c.mean == pytest.approx(wanted.mean, rel=1e-5)
        assert crossed_c.estimate.se == pytest.approx(wanted.se, rel=1e-5)
        assert crossed_c.estimate.df == pytest.approx(wanted.df, rel=1e-4)
        assert c.pairs.lower_is_better
        assert c.pairs.churn is None
    assert of(analysis, "mae").pairs.unit == "units"


def test_the_first_metric_alone_is_primary_and_each_has_families_of_its_own(tmp_path):
    analysis = analyze(read(regression(tmp_path)))
    assert (of(analysis, "mae").family, of(analysis, "mse").family) == ("primary", "exploratory")
    assert (of(analysis, "mae").m, of(analysis, "mse").m) == (1, 1)


def test_what_matters_is_the_metrics_own(tmp_path):
    folder = regression(tmp_path, delta={"mse": 0.25})
    analysis = analyze(read(folder))
    assert of(analysis, "mae").pairs.delta is None
    assert of(analysis, "mae").p_equivalence is None
    assert of(analysis, "mse").pairs.delta == 0.25
    assert of(analysis, "mse").verdict in (Verdict.EQUIVALENT, Verdict.TOO_SMALL)


def test_a_metric_that_is_infinite_leaves_its_seed_out_and_is_never_equivalent(tmp_path):
    def spoil(row):
        if (row["arm"], row["seed"]) == ("ptq", 2):
            values = np.full(N, np.inf, np.float32)
            row["values"] = {name: measures.stored(values) for name in ("mae", "mse")}
            row |= {"metrics": {"mae": np.inf, "mse": np.inf}, "status": "diverged"}
        return row

    analysis = analyze(read(regression(tmp_path, delta={"mae": 5.0}, edit=spoil)))
    c = of(analysis, "mae")
    assert (c.n_seeds, c.pairs.planned, c.pairs.not_finite) == (7, 8, (1,))
    assert np.isfinite(c.mean)
    assert c.p_equivalence is None
    assert c.verdict not in (Verdict.EQUIVALENT, Verdict.TOO_SMALL)
    # The diverged model is the worst: of 8 seeds its arm is above in one more.
    above = int((c.pairs.d > 0).sum())
    assert (c.pairs.win_rate.wins, c.pairs.win_rate.n) == (above + 1, 8)
    assert any("diverged" in text for text in c.qualified)


def test_groups_take_the_place_of_examples(tmp_path):
    analysis = analyze(read(regression(tmp_path, groups=12)))
    c = of(analysis, "mae", "seeds+examples")
    names = [f"group {i % 12}" for i in range(N)]
    wanted = grouped(group_sums(tables(tmp_path, "mae"), names))
    assert (c.estimate.se, c.estimate.df) == pytest.approx((wanted.se, wanted.df), rel=1e-4)
    assert c.estimate.n_groups == 12
    apart = crossed.crossed(crossed.real_mean_squares(tables(tmp_path, "mae")))
    assert c.pairs.ungrouped.se == pytest.approx(apart.se, rel=1e-4)
    assert of(analysis, "mae").estimate.n == 8  # on this test set nothing changes


def test_accuracies_in_groups_are_the_statistics_own(tmp_path):
    study = synthetic.study(seeds=10, arms=["float", "ptq"], budgets=[1, 8])
    synthetic.write(tmp_path, study, n=100, groups=7)
    results = read(tmp_path)
    analysis = analyze(results)
    labels = results.labels["digits"]
    for c in analysis.select("seeds+examples"):
        of_arm = {
            arm: np.array([
                np.frombuffer(row["predictions"], np.uint8) == labels
                for row in sorted(Store(tmp_path).cells()[0].to_pylist(), key=lambda r: r["seed"])
                if (row["arm"], row["budget"]) == (arm, c.setting.budget)
            ], int)
            for arm in ("ptq", "float")
        }  # fmt: skip
        d = of_arm["ptq"] - of_arm["float"]
        wanted = grouped(group_sums(d, [f"group {i % 7}" for i in range(100)]), 100.0)
        assert (c.mean, c.estimate.se) == pytest.approx((wanted.mean, wanted.se))


@pytest.mark.parametrize(("groups", "m", "few"), [(5, 1, True), (6, 1, False), (9, 2, False)])
def test_too_few_groups_get_an_interval_and_no_verdict(tmp_path, groups, m, few):
    folder = regression(tmp_path, seeds=12, groups=groups, budgets=[1, 2][:m])
    analysis = analyze(read(folder))
    there = [c for c in analysis.select("seeds+examples") if c.family == "primary"]
    assert {c.m for c in there} == {m}
    for c in there:
        assert (c.verdict == Verdict.TOO_FEW_GROUPS) == few
        assert c.interval is not None
    assert all(c.verdict != Verdict.TOO_FEW_GROUPS for c in analysis.select("seeds"))


def test_older_labels_have_neither_numbers_nor_groups():
    assert {"target", "group"} <= set(LABEL_SCHEMA.names)


def test_an_objective_is_part_of_a_cell_and_metrics_are_not():
    def ids(**fields):
        return [c.id for c in plan.cells(synthetic.study(seeds=1, arms=["float"], **fields))]

    plain = ids()
    assert ids(metrics=["accuracy", "cross_entropy"], task="classification") == plain
    assert ids(loss="cross_entropy", delta={"accuracy": 1.0}) == plain
    regression = ids(metrics=["mae"])
    assert set(regression).isdisjoint(plain)
    assert ids(metrics=["mse", "mae"]) == regression
    assert set(ids(metrics=["mae"], loss="mae")).isdisjoint(regression)
    assert set(ids(metrics=["auc"], task="reconstruction")).isdisjoint(regression)


def test_what_the_report_says_of_groups_is_in_its_tables(tmp_path):
    analysis = analyze(read(regression(tmp_path, groups=8, delta={"mae": 0.05})))
    text = markdown.render(build.build(analysis), "seeds+examples")
    reader = Reader(text, {"mae": 0.05, "mse": None}, 0.05, frozenset({"units"}), metric="mae")
    rows = reader.table("What groups do to the intervals")
    ratios = []
    for row in rows:
        ends = [re.fullmatch(INTERVAL, row[name]) for name in ("95% interval", "without groups")]
        grouped_width, plain = (number(m[2]) - number(m[1]) for m in ends)
        ratios.append(float(row["wider"]))
        assert ratios[-1] == pytest.approx(grouped_width / plain, rel=0.02)
        assert row["groups"] == "8"
        assert float(row["effective"]) == pytest.approx(60**2 / (4 * 8**2 + 4 * 7**2), rel=0.01)
    (said,) = re.findall(r"The intervals are ([\d.]+) times as wide", text)
    assert float(said) == pytest.approx(float(np.median(ratios)), rel=0.06)
    assert "8 groups of 7 to 8 examples" in text
    assert "new groups of test examples" in text
    for row in reader.table("Mean differences by group"):
        whole = next(each for each in rows if each["metric"] == row["metric"])
        sizes = np.array([60 // 8 + (g < 60 % 8) for g in range(8)])
        parts = np.array([number(row[f"`group {g}`"]) for g in range(8)])
        assert (sizes * parts).sum() / 60 == pytest.approx(number(whole["mean"]), abs=0.001)
    plain = markdown.render(build.build(analysis), "seeds")
    assert "speak about new seeds on this test set" in plain


def test_a_reader_is_told_which_way_is_better(tmp_path):
    """The quantized model has larger errors: its difference is above 0, and it is worse."""

    def worse(row):
        if row["arm"] == "ptq":
            values = np.frombuffer(row["values"]["mae"], np.float32) + np.float32(1)
            row["values"] = {"mae": measures.stored(values)}
            row["metrics"] = {"mae": metrics.mean(values)}
        else:
            row["values"].pop("mse")
            row["metrics"].pop("mse")
        return row

    folder = regression(tmp_path, edit=worse, metrics=["mae"], delta={"mae": 0.05})
    analysis = analyze(read(folder))
    text = markdown.render(build.build(analysis), "seeds").replace("\N{NO-BREAK SPACE}", " ")
    answer = text.partition("\n## ")[0]
    assert "(`mae`, lower is better)" in answer
    assert "PTQ is worse than the float model by more than 0.05 units (+1.0" in answer
    assert "where a difference is above 0 the first arm is worse" in answer
    assert "accuracy" not in answer
