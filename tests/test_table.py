"""Somebody's own table -> the same analysis, or one error that names file, column and row."""

import csv
import json
import random
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from bench import report
from bench.analysis import analyze
from bench.analysis.roles import Declared
from bench.analysis.table import analyze_table
from bench.errors import InputError
from bench.statistics.families import Verdict
from bench.store import folder as store
from tests import synthetic

SCHEMA = json.loads(
    (Path(__file__).parents[1] / "docs" / "verdicts.schema.json").read_text("utf-8")
)

SLEEP = {
    # Student (1908), R's `sleep`: extra hours of sleep of ten patients under two drugs
    "1": (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0),
    "2": (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4),
}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
    return path


def rows(values: dict[str, list[Any]], metric: str = "accuracy", **more: Any) -> list[dict]:
    """One row per arm and seed."""
    return [
        {"seed": seed, "arm": arm, metric: value, **more}
        for arm, of_arm in values.items()
        for seed, value in enumerate(of_arm)
    ]


def noisy(seeds: int, *means: float, sd: float = 0.01) -> dict[str, list[float]]:
    rng = np.random.default_rng(0)
    names = "abcdefgh"
    return {names[i]: rng.normal(mean, sd, seeds).tolist() for i, mean in enumerate(means)}


def test_students_sleep_data(tmp_path: Path) -> None:
    path = write(tmp_path / "sleep.csv", rows({a: list(v) for a, v in SLEEP.items()}, "hours"))
    analysis = analyze_table(path, contrasts=["1 - 2"])
    (row,) = analysis.rows
    assert row["t"] == pytest.approx(-4.0621, abs=5e-5)
    assert row["p"] == pytest.approx(0.002833, abs=5e-7)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((-2.4598858, -0.7001142))
    assert row["p_signflip"] == 4 / 1024
    assert (row["metric"], row["unit"], row["population"]) == ("hours", "hours", "seeds")
    assert row["p_equivalence"] is None
    assert row["verdict"] == Verdict.SIZE_UNDECIDED  # no delta: nothing is said about the size


def test_the_same_numbers_as_from_the_result_folder(tmp_path: Path) -> None:
    folder = synthetic.write(tmp_path / "run", synthetic.study(seeds=7, extra=[1, 2]))
    own = analyze(store.read(folder))
    names = ("seed", "arm", "dataset", "model", "budget", "extra", "accuracy")
    cells = store.read(folder).cells.to_pylist()
    random.Random(0).shuffle(cells)
    foreign = analyze_table(write(tmp_path / "t.csv", [{n: c[n] for n in names} for c in cells]))
    by_key = {(r["kind"], r["contrast"], r["budget"], r["extra"]): r for r in foreign.rows}
    compared = 0
    for row in own.rows:
        if row["population"] != "seeds":
            continue
        other = by_key[row["kind"], row["contrast"], row["budget"], row["extra"]]
        for name in ("mean", "sd", "ci_low", "ci_high", "p", "p_adjusted", "p_signflip", "dz"):
            assert other[name] == pytest.approx(row[name], abs=1e-9), name
        assert other["p_equivalence_adjusted"] == pytest.approx(row["p_equivalence_adjusted"])
        assert (other["verdict"], other["family"]) == (row["verdict"], row["family"])
        compared += 1
    assert compared == len(by_key) == len(foreign.rows)


def test_the_order_of_rows_changes_no_number(tmp_path: Path) -> None:
    table = [
        row for factor in ("x", "y") for row in rows(noisy(6, 0.5, 0.6, 0.7), "score", depth=factor)
    ]
    first = analyze_table(write(tmp_path / "a.csv", table))
    shuffled = table[:1] + random.Random(1).sample(table[1:], len(table) - 1)
    names = [c.name for c in first.contrasts]
    second = analyze_table(write(tmp_path / "b.csv", shuffled), contrasts=names)
    assert second.rows == first.rows


def test_every_pair_once_later_minus_earlier(tmp_path: Path) -> None:
    values = noisy(5, 0.5, 0.6, 0.7)
    table = rows({"zebra": values["a"], "ant": values["b"], "mole": values["c"]})
    analysis = analyze_table(write(tmp_path / "t.csv", table))
    assert [c.name for c in analysis.comparisons] == [
        "ant - zebra",
        "mole - zebra",
        "mole - ant",
    ]
    assert {c.family for c in analysis.comparisons} == {"primary"}


def test_contrasts_are_chosen_with_their_direction(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", rows(noisy(5, 0.5, 0.6, 0.7)))
    analysis = analyze_table(path, contrasts=["a - b, c - b"])
    assert [(c.name, np.sign(c.mean)) for c in analysis.comparisons] == [
        ("a - b", -1),
        ("c - b", 1),
    ]


def test_accuracies_are_in_pp_and_others_in_their_own_unit(tmp_path: Path) -> None:
    table = rows(noisy(8, 0.90, 0.92), "val_accuracy")
    for row in table:
        row["loss"] = 2 - row["val_accuracy"]
    analysis = analyze_table(write(tmp_path / "t.csv", table), delta=1.0)
    by_metric = {r["metric"]: r for r in analysis.rows}
    assert by_metric["val_accuracy"]["unit"] == "pp"
    assert by_metric["loss"]["unit"] == "loss"
    assert by_metric["val_accuracy"]["mean"] == pytest.approx(-100 * by_metric["loss"]["mean"])
    assert by_metric["val_accuracy"]["p_equivalence"] is not None
    assert by_metric["loss"]["p_equivalence"] is None


def test_delta_makes_equivalence_of_any_single_metric(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", rows(noisy(12, 5.0, 5.0, sd=0.01), "ms"))
    (row,) = analyze_table(path, delta=1.0).rows
    assert row["verdict"] == Verdict.EQUIVALENT


def test_missing_and_infinite_metrics_are_missing_cells_and_counted(tmp_path: Path) -> None:
    values = {"a": [0.5, 0.6, "nan", 0.8, 0.9], "b": [0.5, "", 0.7, "inf", 0.8]}
    out = tmp_path / "out"
    analysis = report.write_table(write(tmp_path / "t.csv", rows(values)), out)
    (comparison,) = analysis.comparisons
    assert comparison.pairs.seeds == (0, 4)
    assert comparison.pairs.planned == 5
    assert [s.statuses for s in analysis.samples] == [
        {"ok": 4, "missing": 1},
        {"ok": 3, "missing": 2},
    ]
    assert "3 of 10 values are not there" in (out / "report.md").read_text()


def test_arms_are_paired_by_seed_where_their_seeds_differ(tmp_path: Path) -> None:
    table = [{"seed": s, "arm": "a", "score": 1.0 * s} for s in (5, 3, 9, 1)]
    table += [{"seed": s, "arm": "b", "score": s + 0.5} for s in (9, 2, 3, 5)]
    (comparison,) = analyze_table(write(tmp_path / "t.csv", table)).comparisons
    assert comparison.pairs.seeds == (3, 5, 9)
    assert comparison.pairs.d == pytest.approx([0.5] * 3)
    assert comparison.pairs.planned == 5


def test_parquet_gives_what_csv_gives(tmp_path: Path) -> None:
    table = rows(noisy(6, 0.5, 0.6), "score", budget=2)
    of_csv = analyze_table(write(tmp_path / "t.csv", table))
    pq.write_table(pa.Table.from_pylist(table), tmp_path / "t.parquet")
    assert analyze_table(tmp_path / "t.parquet").rows == of_csv.rows


def test_declared_numbers_are_factors(tmp_path: Path) -> None:
    table = rows(noisy(5, 0.5, 0.6), "score", speed=0.5)
    table += rows(noisy(5, 0.7, 0.6), "score", speed=2)
    path = write(tmp_path / "t.csv", table)
    declared = Declared(factors=["speed"])
    analysis = analyze_table(path, declared=declared)
    settings = [dict(c.setting.factors) for c in analysis.select()]
    assert settings == [{"speed": 0.5}, {"speed": 2}]
    out = tmp_path / "out"
    report.write_table(path, out, declared=declared)
    written = pq.read_table(out / "contrasts.parquet")
    contrasts = written.filter(pc.equal(written["kind"], "contrast"))
    assert contrasts["speed"].to_pylist() == ["0.5", "2.0"]
    (effect,) = written.filter(pc.equal(written["kind"], "effect")).to_pylist()
    assert (effect["factor"], effect["level"], effect["reference"]) == ("speed", "2", "0.5")


TWO = rows({"a": [1, 2], "b": [2, 1]}, "score")
TWICE = [
    {"seed": 1, "arm": "a", "score": 1},
    {"seed": 1, "arm": "b", "score": 1},
    {"seed": 1, "arm": "a", "score": 2},
]


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        ([{"arm": "a", "score": 1}], {}, "no column 'seed'"),
        ([{"seed": 1, "arms": "a", "score": 1}], {}, 'did you mean --columns "arms=arm"?'),
        ([{"seed": 1, "arm": "a", "score": 1}], {}, "only 'a'; allowed: at least two arms"),
        ([{"seed": 1, "arm": "a"}, {"seed": 1, "arm": "b"}], {}, "no metric among seed, arm"),
        (TWICE, {}, "row 1 and row 3 are the same setting, seed (1) and arm (a)"),
        (rows({"a": ["x", 1], "b": [1, 2]}), {}, "'x' in row 1, numbers elsewhere"),
        (
            rows({"a": [1, 2], "b": [1, 2]}, budget=0),
            {},
            "budget: 0; allowed: whole numbers from 1",
        ),
        (rows({"a": [1, 2], "b": [1, 2]}, budget=1.5), {}, "budget: 1.5"),
        (TWO, {"declared": Declared(factors=["width"])}, "--factors: no column 'width'"),
        (TWO, {"contrasts": ["a - c"]}, "no contrast 'a - c': no arm 'c'; allowed: a, b"),
        (TWO, {"contrasts": ["a - a"]}, "no contrast 'a - a'; allowed: two different arms"),
        (TWO, {"contrasts": ["a"]}, "no contrast 'a'; allowed: 'arm - arm'"),
        (TWO, {"contrasts": [","]}, "--contrasts: none"),
        (rows({"a": [1, 2], "b": [1, 2]}), {"delta": -1.0}, "--delta: -1.0"),
        (rows({"a": [1, 2], "b": [1, 2]}), {"alpha": 1.0}, "--alpha: 1.0"),
        (rows({"a": [1, 2], "b": [1, 2]}, "ms", loss=1), {"delta": 1.0}, "--delta: 1 for ms, loss"),
        ([{"seed": "x", "arm": "a", "score": 1}], {}, "seed: 'x'; allowed: whole numbers"),
        (
            rows({"a": [1, 2]}, "ms", dataset="one") + rows({"b": [1, 2]}, "ms", dataset="two"),
            {},
            "dataset: each arm has one of its own",
        ),
    ],
)
def test_what_cannot_be_analyzed_is_one_error(
    tmp_path: Path, table: list[dict], options: dict, message: str
) -> None:
    with pytest.raises(InputError) as error:
        analyze_table(write(tmp_path / "t.csv", table), **options)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed,arm,score\n", "no rows"),
        ("", "an empty file"),
        ("seed,arm,score\n1,a\n", "t.csv"),
        ("seed,arm,score,score\n1,a,1,2\n", "two columns 'score'"),
        ("seed,arm,score\n,a,1\n1,b,2\n", "seed: nothing in row 1"),
    ],
)
def test_a_file_that_is_no_table_is_one_error(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        analyze_table(tmp_path / "t.csv")


def test_too_many_contrasts_are_refused_not_endured(tmp_path: Path) -> None:
    table = [
        {"seed": 1, "arm": f"arm{a}", "run": f"run{r}", "score": 1}
        for a in range(50)
        for r in range(20)
    ]
    with pytest.raises(InputError, match="1,225 contrasts at 20 settings"):
        analyze_table(write(tmp_path / "t.csv", table))


@pytest.mark.parametrize(
    "values",
    [
        {"a": [0.5], "b": [0.6]},
        {"a": [0.5, 0.6], "b": [0.6, 0.6]},
        {"a": [0.5] * 8, "b": [0.5] * 8},
        {"a": [0.5] * 8, "b": [0.75] * 8},
        {"a": [0.0] * 8, "b": [1.0] * 8},
        {"a": [0.1, 0.9] * 4, "b": [0.0] * 8},
    ],
    ids=["one-seed", "two-seeds", "zero", "constant", "0-and-1", "one-arm-0"],
)
def test_degenerate_values_give_a_whole_report_without_nan(
    tmp_path: Path, values: dict[str, list]
) -> None:
    out = tmp_path / "out"
    analysis = report.write_table(write(tmp_path / "t.csv", rows(values, budget=1)), out)
    for row in analysis.rows:
        assert all(value == value for value in row.values())
    for name in ("report.md", "report.html"):
        text = (out / name).read_text()
        assert "nan" not in text.replace("finance", "")
        assert "None" not in text
    jsonschema.validate(json.loads((out / "verdicts.json").read_text()), SCHEMA)


def test_verdicts_are_as_their_schema_says_and_as_the_table(tmp_path: Path) -> None:
    folder = synthetic.write(tmp_path, synthetic.study(seeds=12, budgets=[1, 8]))
    analysis = report.write(folder)
    document = json.loads((folder / "verdicts.json").read_text())
    jsonschema.validate(document, SCHEMA)
    assert len(document["verdicts"]) == len(analysis.rows)
    for entry, row in zip(document["verdicts"], analysis.rows, strict=True):
        assert {k: row[k] for k in ("contrast", "kind", "population", "verdict", "mean", "p")} == {
            k: entry[k] for k in ("contrast", "kind", "population", "verdict", "mean", "p")
        }
        assert entry["interval"] == [row["ci_low"], row["ci_high"]]
        assert entry["setting"]["budget"] == row["budget"]


def test_a_runs_folder_is_never_written_over(tmp_path: Path) -> None:
    folder = synthetic.write(tmp_path / "run", synthetic.study(seeds=3, budgets=[1]))
    path = write(tmp_path / "t.csv", rows(noisy(3, 0.5, 0.6)))
    with pytest.raises(InputError, match="holds a run's results"):
        report.write_table(path, folder)
