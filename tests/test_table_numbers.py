"""Numbers of somebody's own table: decimals, percentages, directions, seeds that repeat."""

import random
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from bench import report
from bench.analysis.roles import Declared
from bench.analysis.table import analyze_table
from bench.errors import InputError
from bench.statistics.families import Verdict
from tests.test_table import noisy, rows, write

ANY = list(HealthCheck)


def sign_flip_p(d: list[Fraction]) -> float:
    """By its definition, in fractions: every sign pattern."""
    sums = [abs(sum(s * x for s, x in zip(signs, d, strict=True)))
            for signs in product((-1, 1), repeat=len(d))]  # fmt: skip
    return sum(total >= abs(sum(d)) for total in sums) / len(sums)


def signed_rank_p(d: list[Fraction]) -> float:
    """By its definition: midranks of the sizes, zeros dropped, every sign pattern."""
    x = [v for v in d if v]
    ranks = [
        sum(abs(u) < abs(v) for u in x) + Fraction(sum(abs(u) == abs(v) for u in x) + 1, 2)
        for v in x
    ]
    return sign_flip_p([r if v > 0 else -r for r, v in zip(ranks, x, strict=True)]) if x else 1.0


def tabled(tmp_path: Path, values: dict[str, list[str]], metric: str = "accuracy") -> Path:
    return write(tmp_path / "t.csv", rows(values, metric))


@settings(max_examples=60, deadline=None, suppress_health_check=ANY)
@given(
    counts=st.lists(
        st.tuples(st.integers(8990, 9010), st.integers(8990, 9010)), min_size=2, max_size=8
    ),
    metric=st.sampled_from(["accuracy", "quality", "ms"]),
)
def test_exact_tests_of_decimals_equal_those_of_fractions(tmp_path: Path, counts, metric):
    places = {"accuracy": 4, "quality": 2, "ms": 1}[metric]
    texts = [[f"{c / 10**places:.{places}f}" for c in pair] for pair in counts]
    path = tabled(tmp_path, {"a": [t[0] for t in texts], "b": [t[1] for t in texts]}, metric)
    found = analyze_table(path, declared=Declared(metrics=[metric])).comparisons[0]
    scale = 100 if metric == "accuracy" else 1
    d = [scale * (Fraction(t[1]) - Fraction(t[0])) for t in texts]
    assert found.pairs.d.tolist() == [float(x) for x in d]
    if found.pairs.unmoved:
        assert found.p is None
        return
    row = found.row()
    assert row["p_signflip"] == pytest.approx(sign_flip_p(d), abs=1e-12)
    assert row["p_wilcoxon"] == pytest.approx(signed_rank_p(d), abs=1e-12)
    assert found.pairs.test.constant == (len(set(d)) == 1)


def test_shares_of_a_test_set_tie_too(tmp_path: Path):
    n = 797  # k/797 is no decimal
    pairs = [(700, 690), (710, 700), (703, 713), (720, 730), (705, 695), (701, 700)]
    path = tabled(tmp_path, {"a": [b / n for _, b in pairs], "b": [a / n for a, _ in pairs]})
    (row,) = analyze_table(path).rows
    d = [Fraction(a - b, n) for a, b in pairs]
    assert row["p_signflip"] == pytest.approx(sign_flip_p(d), abs=1e-12)
    assert row["p_wilcoxon"] == pytest.approx(signed_rank_p(d), abs=1e-12)


def test_differences_equal_up_to_rounding_are_constant(tmp_path: Path):
    a = [6.4, 6.0, 6.7, 6.8, 5.9, 6.1, 6.3, 6.6]
    out = tmp_path / "out"
    path = tabled(tmp_path, {"a": a, "b": [round(v + 0.1, 1) for v in a]}, "seconds")
    found = report.write_table(path, out)
    (row,) = found.rows
    assert (row["sd"], row["mean"], row["dz"]) == (0, 0.1, None)
    assert "+0.100 seconds in every seed" in (out / "report.md").read_text().replace("\xa0", " ")


def test_one_diverged_value_leaves_the_other_differences_alone(tmp_path: Path):
    values = noisy(8, 0.3, 0.31)
    values = {arm: [1e30, *(round(v, 4) for v in vs[1:])] for arm, vs in values.items()}
    (row,) = analyze_table(tabled(tmp_path, values, "loss")).rows
    b, a = (values[arm] for arm in ("b", "a"))
    assert row["mean"] == pytest.approx(sum(y - x for x, y in zip(a[1:], b[1:], strict=True)) / 8)
    assert row["sd"] > 0.005


@pytest.mark.parametrize("type", [pa.float32(), pa.float16(), pa.decimal128(9, 4), pa.float64()])
def test_any_type_of_decimal_gives_the_same_numbers(tmp_path: Path, type: pa.DataType):
    values = {arm: [round(v, 3) for v in vs] for arm, vs in noisy(8, 0.9, 0.91).items()}
    table = pa.Table.from_pylist(rows(values))
    of_text = analyze_table(write(tmp_path / "t.csv", rows(values)))
    column = table["accuracy"].cast(type)
    pq.write_table(table.set_column(2, "accuracy", column), tmp_path / "t.parquet")
    assert analyze_table(tmp_path / "t.parquet").rows == of_text.rows


def test_whole_numbers_past_2_to_53_are_exact(tmp_path: Path):
    base = 2**53 + 1
    values = {"a": [base + 7 * s for s in range(8)], "b": [base + 8 * s for s in range(8)]}
    (row,) = analyze_table(tabled(tmp_path, values, "count")).rows
    assert row["mean"] == 3.5
    assert row["p_signflip"] == 4 / 256  # 0 of seed 0 has either sign
    table = pa.table({"seed": [0, 0], "arm": ["a", "b"],
                      "n": pa.array([2**64 - 1, 2**64 - 2], pa.uint64())})  # fmt: skip
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(InputError, match=r"n: 18446744073709551615 in row 1; .*below 2\^62"):
        analyze_table(tmp_path / "t.parquet")


def test_long_seeds_stay_apart(tmp_path: Path):
    table = rows({"a": [0.1, 0.2, 0.3], "b": [0.2, 0.3, 0.5]}, "score")
    for row in table:
        row["seed"] += 2**64
    (comparison,) = analyze_table(write(tmp_path / "t.csv", table)).comparisons
    assert comparison.pairs.seeds == (2**64, 2**64 + 1, 2**64 + 2)


def test_accuracies_in_percent_get_pp_and_delta_like_fractions(tmp_path: Path):
    values = {arm: [round(v, 4) for v in vs] for arm, vs in noisy(8, 0.9, 0.92).items()}
    values["a"][0] = 0
    percent = {arm: [round(100 * v, 2) for v in vs] for arm, vs in values.items()}
    fractions = analyze_table(tabled(tmp_path, values, "Top-1 acc")).rows
    assert analyze_table(tabled(tmp_path, percent, "Top-1 acc")).rows == fractions
    assert fractions[0]["unit"] == "pp"
    assert fractions[0]["p_equivalence"] is not None


def test_fractions_among_percentages_are_an_error_that_names_both(tmp_path: Path):
    path = tabled(tmp_path, {"a": [90.1, 91.2, 0.93], "b": [0, 92.5, 93.1]}, "val_acc")
    with pytest.raises(InputError, match=r"val_acc: 0\.93 in row 3 and 90\.1 in row 1.*--percent"):
        analyze_table(path)
    (row,) = analyze_table(path, declared=Declared(percent=["val_acc"])).rows
    assert (row["unit"], row["mean"]) == ("pp", pytest.approx((-90.1 + 1.3 + 92.17) / 3))
    with pytest.raises(InputError, match=r"ms: 101 in row 2; allowed with --percent: 0 to 100"):
        analyze_table(
            tabled(tmp_path, {"a": [1, 101], "b": [2, 3]}, "ms"), declared=Declared(percent=["ms"])
        )


@pytest.mark.parametrize(
    ("metric", "lower", "worded"),
    [
        ("val_loss", [], "worse than"),
        ("testError", [], "worse than"),
        ("latency", [], "worse than"),
        ("auc", [], "better than"),
        ("accuracy", [], "better than"),
        ("objective", [], "above"),
        ("objective", ["objective"], "worse than"),
    ],
)
def test_better_and_worse_go_by_the_metrics_direction(
    tmp_path: Path, metric: str, lower: list[str], worded: str
):
    values = noisy(8, 0.4, 0.6)
    path = tabled(tmp_path, {"float": values["a"], "ptq": values["b"]}, metric)
    out = tmp_path / "out"
    found = report.write_table(path, out, declared=Declared(lower=lower))
    assert found.rows[0]["mean"] > 0
    text = (out / "report.md").read_text()
    assert f"`ptq` is {worded} `float`" in text
    others = {"better than", "worse than", "above"} - {worded}
    assert not any(f"`ptq` is {other} `float`" in text for other in others)


def test_arms_that_share_no_seed_are_an_error_that_says_what_pairing_needs(tmp_path: Path):
    table = [{"seed": s + 100 * (a == "b"), "arm": a, "score": s / 7} for a in "ab" for s in (1, 2)]
    with pytest.raises(InputError, match=r"seed: no seed .* the same seeds in both"):
        analyze_table(write(tmp_path / "t.csv", table))
    for values in ({"a": [0.5, ""], "b": ["", 0.5]}, {"a": [""], "b": [0.5]}):
        with pytest.raises(InputError, match="no seed has a value in both arms"):
            analyze_table(tabled(tmp_path, values))


@pytest.mark.parametrize("seed_count", [2, 10])
@pytest.mark.parametrize("both", [True, False])
def test_seeds_without_effect_are_no_repetitions(tmp_path: Path, seed_count: int, both: bool):
    moved = [13 / 22 + (not both) * s / 100 for s in range(seed_count)]
    out = tmp_path / "out"
    path = tabled(tmp_path, {"a": [12 / 22] * seed_count, "b": moved})
    found = report.write_table(path, out)
    (row,) = found.rows
    assert row["mean"] == pytest.approx(100 * (sum(moved) / seed_count - 12 / 22))
    assert row["verdict"] == Verdict.TOO_FEW_SEEDS
    empty = ("p", "p_signflip", "p_wilcoxon", "ci_low", "ci_low_simultaneous", "sd", "win_rate")
    assert all(row[name] is None for name in empty)
    text = (out / "report.md").read_text()
    assert "**The seed has no effect here**" in text
    assert "no effect of the seed" in text
    said = text.split("## ")[0].replace("the smallest difference that matters", "Δ")
    assert "matters" not in said
    assert "no difference" not in said


def test_one_arm_without_variation_leaves_the_others_their_verdict(tmp_path: Path):
    values = noisy(8, 0.90, 0.95) | {"c": [0.5] * 8}
    found = analyze_table(tabled(tmp_path, values))
    verdicts = {c.name: c.verdict for c in found.comparisons}
    assert verdicts["b - a"] == Verdict.MATTERS
    assert {c.m for c in found.comparisons} == {3}  # losing them makes nothing milder
    assert [c.name for c in found.comparisons if c.pairs.unmoved] == ["c - a", "c - b"]


def test_the_interval_of_a_metric_names_its_own_family(tmp_path: Path):
    table = rows(noisy(12, 0.1, 0.2, 0.3), "val_loss")
    for row in table:
        row["time_ms"] = round(random.Random(str(row)).random(), 3)
    out = tmp_path / "out"
    found = report.write_table(write(tmp_path / "t.csv", table), out)
    assert {c.m for c in found.comparisons} == {3}
    text = (out / "report.md").read_text()
    assert "hold for the 3 primary contrasts of each metric at once" in text
    assert "all 6" not in text


UNTRUE = (
    "same weights", "same data", "data order", "declared in advance", "named in advance",
    "quantize_model", "suspect the pipeline", "`run` command", "planned cell", "at equal compute",
    "trained longer", "whole training", "this test set", "the float model", "Runs that failed",
    "test examples classified", "cold", "training with quantization",
)  # fmt: skip


def test_a_tables_report_claims_only_what_the_table_shows(tmp_path: Path):
    """With the study's own names of arms, budgets, missing values: as much as can be said."""
    rng = random.Random(0)
    table = [
        {"seed": s, "arm": arm, "budget": e, "extra": "" if arm in ("float", "ptq") else 1,
         "accuracy": round(0.8 + rng.gauss(0, 0.01), 4), "loss": round(rng.gauss(1, 0.1), 3)}
        for s in range(6) for e in (1, 4)
        for arm in ("float", "ptq", "float+k", "ptq+k", "qat", "qat-cal")
    ]  # fmt: skip
    table[5]["accuracy"] = ""
    out = tmp_path / "out"
    report.write_table(write(tmp_path / "t.csv", table), out)
    for name in ("report.md", "report.html"):
        text = " ".join((out / name).read_text().split())
        text = text.replace("the float model, and above QAT", "")  # what the thread said
        assert [claim for claim in UNTRUE if claim in text] == []
        assert "assumption" in text


def test_a_table_of_more_seeds_than_a_float_can_count_patterns_of(tmp_path):
    """2**1100 is no float: the whole report is made all the same, without the exact tests."""
    values = np.round(np.random.default_rng(0).normal(0.9, 0.01, (1100, 2)), 4)
    lines = [
        f"{s},{arm},{v}" for s, row in enumerate(values) for arm, v in zip("ab", row, strict=True)
    ]
    path = tmp_path / "many.csv"
    path.write_text("\n".join(["seed,arm,accuracy", *lines]))
    made = report.write_table(path, tmp_path / "out")
    (one,) = made.select("seeds")
    expected = stats.ttest_rel(values[:, 1], values[:, 0])
    assert one.p == pytest.approx(expected.pvalue, rel=1e-9)
    (row,) = made.rows
    assert row["p_signflip"] is None
