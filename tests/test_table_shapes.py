"""Other shapes of a table: a column per arm, and predictions per test example."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

from bench import report
from bench.analysis import analyze
from bench.analysis.roles import Declared
from bench.analysis.table import analyze_table
from bench.errors import InputError
from bench.store import folder as store
from tests import synthetic
from tests.test_table import noisy, rows, write

ARMS = {a: [round(v, 4) for v in vs] for a, vs in noisy(8, 0.90, 0.91, 0.93).items()}
WIDE = [{"seed": s, **{a: vs[s] for a, vs in ARMS.items()}} for s in range(8)]
ACCURACY = Declared(metrics=["accuracy"])


def test_a_column_per_arm_gives_what_a_row_per_arm_gives(tmp_path: Path):
    long = analyze_table(write(tmp_path / "long.csv", rows(ARMS)))
    found = analyze_table(write(tmp_path / "t.csv", WIDE), wide=True, declared=ACCURACY)
    assert found.rows == long.rows
    out = tmp_path / "out"
    report.write_table(tmp_path / "t.csv", out, wide=True, declared=ACCURACY)
    text = (out / "report.md").read_text()
    assert "the arms are the columns `a`, `b`, `c`, their values are `accuracy`" in text


def test_without_a_name_they_are_values_that_have_no_direction(tmp_path: Path):
    found = analyze_table(write(tmp_path / "t.csv", WIDE), wide=True)
    assert {(r["metric"], r["unit"]) for r in found.rows} == {("value", "value")}
    assert {c.pairs.lower_is_better for c in found.comparisons} == {None}


def test_wide_tables_have_settings_factors_and_columns_left_out_too(tmp_path: Path):
    table = [
        {"": i, "run": row["seed"], "budget": e, "width": w, "note": f"n{i}",
         "lr": 0.1 * row["seed"], "a": row["a"] + e / 100, "b": row["b"]}
        for i, (e, w, row) in enumerate((e, w, r) for e in (1, 2) for w in (4, 8) for r in WIDE)
    ]  # fmt: skip
    declared = Declared(factors=["width"], ignore=["note", "lr"], metrics=["score"])
    how: dict[str, Any] = {"wide": True, "declared": declared, "columns": {"run": "seed"}}
    found = analyze_table(write(tmp_path / "t.csv", table), **how)
    settings = {(c.setting.budget, dict(c.setting.factors)["width"]) for c in found.select()}
    assert settings == {(1, 4), (1, 8), (2, 4), (2, 8)}
    assert [c.name for c in found.contrasts] == ["b - a"]


@pytest.mark.parametrize(
    ("table", "declared", "message"),
    [
        (rows(ARMS), Declared(), "a column 'arm'; allowed with --wide: a row per seed"),
        ([{"seed": 1, "a": 2}], Declared(), "one column of numbers beside seed and settings"),
        ([{"Seed": 1, "a": 2, "b": 3}], Declared(), 'did you mean --columns "Seed=seed"?'),
        (WIDE, Declared(metrics=["x", "y"]), "--metrics: x, y; allowed with --wide: one name"),
        ([*WIDE, WIDE[0] | {"a": 0.5}], Declared(), "row 1 and row 9 are the same setting, seed"),
        ([WIDE[0], WIDE[1] | {"b": "oops"}, *WIDE[2:]], Declared(), "b: 'oops' in row 2, numbers"),
        ([r | {"b": 100 * r["b"]} for r in WIDE], ACCURACY, "b: in percent, and 'a' is a fraction"),
        ([*WIDE[:7], WIDE[7] | {"c": 93}], ACCURACY, "c: 0.9"),
    ],
)
def test_what_is_no_wide_table_is_one_error(tmp_path: Path, table, declared, message: str):
    with pytest.raises(InputError) as error:
        analyze_table(write(tmp_path / "t.csv", table), wide=True, declared=declared)
    assert message in str(error.value)


def predicted(folder: Path, text: bool = False) -> list[dict[str, Any]]:
    """The predictions of a run's cells, a row per test example, in any order."""
    results = store.read(folder)
    ((name, labels),) = results.labels.items()
    groups = results.groups.get(name)
    found = []
    for cell in results.cells.to_pylist():
        values = np.frombuffer(cell["predictions"], np.uint8)
        found += [
            {"seed": cell["seed"], "arm": cell["arm"], "budget": cell["budget"],
             "extra": cell["extra"], "example": f"i{i}" if text else i,
             "prediction": f"c{p}" if text else int(p),
             "label": f"c{label}" if text else int(label)}
            | ({} if groups is None else {"group": groups[i]})
            for i, (p, label) in enumerate(zip(values, labels, strict=True))
        ]  # fmt: skip
    random.Random(0).shuffle(found)
    return found


@pytest.mark.parametrize(("text", "groups"), [(False, 0), (True, 0), (True, 12)])
def test_predictions_give_the_same_numbers_as_the_result_folder(
    tmp_path: Path, text: bool, groups: int
):
    study = synthetic.study(seeds=5, budgets=[1, 2])
    folder = synthetic.write(tmp_path / "run", study, groups=groups)
    own = analyze(store.read(folder))
    path = tmp_path / "t.parquet"
    pq.write_table(pa.Table.from_pylist(predicted(folder, text)), path)
    foreign = analyze_table(path)
    key = ("kind", "contrast", "budget", "extra", "population", "factor", "level")
    by_key = {tuple(r[k] for k in key): r for r in foreign.rows}
    same = ("n_seeds", "mean", "sd", "ci_low", "ci_high", "t", "df", "p", "p_adjusted", "verdict",
            "p_signflip", "p_wilcoxon", "p_equivalence_adjusted", "churn_fixed", "churn_broken",
            "half_width_examples")  # fmt: skip
    assert len(by_key) == len(foreign.rows) == len(own.rows)
    for row in own.rows:
        other = by_key[tuple(row[k] for k in key)]
        assert {n: other[n] for n in same} == {n: row[n] for n in same}
    out = tmp_path / "out"
    report.write_table(path, out, "seeds+examples")
    said = (out / "report.md").read_text()
    new = "new groups of test examples" if groups else "new test examples"
    assert f"new seeds and {new}, all else as in the table" in said
    assert ("Test examples come in 12 groups (`group`)" in said) == bool(groups)
    assert ("## Groups of test examples" in said) == bool(groups)
    assert "`accuracy` is the share whose `prediction` is their `label`" in said


def test_two_single_files_get_mcnemars_test_and_no_verdict_about_seeds(tmp_path: Path):
    # McNemar (1947) by counts: 7 examples only b has right, 1 only a, 12 both, 4 neither
    right = {"a": [1] * 12 + [1] + [0] * 7 + [0] * 4, "b": [1] * 12 + [0] + [1] * 7 + [0] * 4}
    table = [
        {"seed": 3, "arm": arm, "example": i, "prediction": 5 if ok else 4, "label": 5}
        for arm, of in right.items() for i, ok in enumerate(of)
    ]  # fmt: skip
    out = tmp_path / "out"
    found = report.write_table(write(tmp_path / "t.csv", table), out)
    (c,) = [c for c in found.comparisons if c.population == "seeds"]
    assert c.verdict == "too few seeds"
    assert c.mean == pytest.approx(100 * 6 / 24)
    p = stats.binomtest(1, 8).pvalue  # 0.0703125
    text = (out / "report.md").read_text()
    assert "Single models against each other" in text
    row = next(line for line in text.splitlines() if line.count("|") == 10 and "`b - a`" in line)
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert cells[4:7] == ["3", "7", "1"]
    assert float(cells[8]) == pytest.approx(p, abs=5e-4)


def small(**changed: Any) -> list[dict[str, Any]]:
    return [
        {"seed": s, "arm": a, "example": i, "prediction": i * (s + 2) % 3, "label": i % 3} | changed
        for a in "ab" for s in (0, 1) for i in range(6)
    ]  # fmt: skip


def edited(at: int, **changed: Any) -> list[dict[str, Any]]:
    table = small()
    table[at] |= changed
    return table


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (small()[:-1], "5 examples of arm b, seed 1 (row 19), and 6 in all"),
        (
            edited(7, example=0),
            "row 7 and row 8 are the same setting, seed (1), arm (a) and",
        ),
        (edited(7, label=2), "example 1 has 1 in row 2 and 2 in row 8; allowed: one label per"),
        (edited(7, prediction=""), "prediction: nothing in row 8; allowed: classes"),
        (edited(7, prediction=0.4), "prediction: 0.4 in row 8; allowed: classes"),
        (edited(7, example=""), "example: nothing in row 8"),
        (edited(7, seed="x"), "seed: 'x'; allowed: whole numbers"),
        (
            [r | {"depth": d} for d in ("x", "y") for r in small()],
            "and differ in 'depth'; allowed: each once, or --factors depth",
        ),
        (
            [r | {"example": f"{r['seed']}{r['arm']}{r['example']}"} for r in small()],
            "6 examples of arm a, seed 0 (row 1), and 24 in all",
        ),
    ],
)
def test_predictions_that_do_not_fit_each_other_are_one_error(tmp_path: Path, table, message: str):
    with pytest.raises(InputError) as error:
        analyze_table(write(tmp_path / "t.csv", table))
    assert message in str(error.value)


def test_other_columns_beside_predictions_are_said_and_change_nothing(tmp_path: Path):
    alone = analyze_table(write(tmp_path / "p.csv", small()))
    table = [
        row | {"confidence": i / 99, "path": f"{row['example']}.png", "host": f"h{row['arm']}",
               "accuracy": 0.5, "seconds": (row["seed"] + 1) * (1 + (row["arm"] == "b"))}
        for i, row in enumerate(small())
    ]  # fmt: skip
    found = analyze_table(write(tmp_path / "t.csv", table))
    taken = {t.column: (t.role, t.why) for t in found.reading.columns}
    assert taken["confidence"] == ("left out", "a value per example")
    assert taken["path"] == ("left out", "says only which example it is")
    assert taken["host"] == ("left out", "says only which arm it is")
    assert taken["seconds"][0] == "metric"
    assert [r for r in found.rows if r["metric"] == "accuracy"] == alone.rows


def test_a_group_is_of_the_example(tmp_path: Path):
    """A column of this name that is no such thing is left out; one with a hole is an error."""
    alone = analyze_table(write(tmp_path / "p.csv", small()))
    for value, why in (
        (lambda i, row: i % 2 + row["seed"], "a value per example"),
        (lambda i, row: 7, "the same in every row"),
    ):
        table = [row | {"group": value(i, row)} for i, row in enumerate(small())]
        found = analyze_table(write(tmp_path / "t.csv", table))
        taken = {t.column: (t.role, t.why) for t in found.reading.columns}
        assert taken["group"] == ("left out", why)
        assert found.rows == alone.rows
    table = [row | {"group": "uvw"[row["example"] % 3]} for row in small()]
    found = analyze_table(write(tmp_path / "t.csv", table))
    assert {s.groups for s in found.samples} == {tuple("uvwuvw")}
    holes = [row | {"group": "" if row["example"] == 2 else row["group"]} for row in table]
    with pytest.raises(InputError, match=r"group: nothing in row 3; .*--ignore group"):
        analyze_table(write(tmp_path / "t.csv", holes))


def test_test_sets_of_unlike_size_are_sets_of_their_own(tmp_path: Path):
    table = [r | {"dataset": "one"} for r in small()]
    table += [r | {"dataset": "two"} for r in small() if r["example"] < 4]
    found = analyze_table(write(tmp_path / "t.csv", table))
    sizes = {s.setting.dataset: s.correct.shape for s in found.samples}
    assert sizes == {"one": (2, 6), "two": (2, 4)}
