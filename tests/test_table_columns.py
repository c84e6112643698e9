"""What each column of somebody's own table is taken for: said, decided by options, or refused."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench import report
from bench.analysis.roles import Declared
from bench.analysis.table import analyze_table
from bench.errors import InputError
from tests.test_table import noisy, rows, write


def plain(seeds: int = 8, *means: float) -> list[dict[str, Any]]:
    values = noisy(seeds, *(means or (0.90, 0.91, 0.93)))
    return rows({arm: [round(v, 4) for v in of_arm] for arm, of_arm in values.items()})


def numbers(analysis: Any) -> list[dict[str, Any]]:
    return analysis.rows


def taken(analysis: Any) -> dict[str, tuple[str, str]]:
    return {t.column: (t.role, t.why) for t in analysis.reading.columns}


def with_column(table: list[dict], name: str, value: Any, first: bool = False) -> list[dict]:
    """The table with a column more; value: of the row's number and the row."""
    more = [{name: value(i, row)} for i, row in enumerate(table)]
    pairs = zip(more, table, strict=True)
    return [(new | row) if first else (row | new) for new, row in pairs]


HARMLESS = {
    "pandas index": ("", lambda i, row: i, "without a name"),
    "pandas index, saved twice": ("Unnamed: 0", lambda i, row: i % 8, "without a name"),
    "row numbers from 0": ("index", lambda i, row: i, "row numbers"),
    "row numbers from 1": ("n", lambda i, row: i + 1, "row numbers"),
    "an attribute of the arm, text": ("kind", lambda i, row: f"k{row['arm']}", "which arm"),
    "an attribute of the arm, yes or no": ("int8", lambda i, row: row["arm"] == "c", "which arm"),
    "an attribute of the arm, number": ("bits", lambda i, row: ord(row["arm"]), "not vary"),
    "constant text": ("project", lambda i, row: "mine", "the same in every row"),
    "constant number": ("epochs", lambda i, row: 5, "the same in every row"),
    "an attribute of the seed, text": ("host", lambda i, row: f"h{row['seed'] % 3}", "every arm"),
    "an attribute of the seed, number": ("fold", lambda i, row: row["seed"] % 3, "every arm"),
    "nothing": ("comment", lambda i, row: "", "empty"),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_a_column_that_tells_nothing_changes_no_number_and_is_said(tmp_path: Path, name: str):
    column, value, why = HARMLESS[name]
    without = analyze_table(write(tmp_path / "a.csv", plain()))
    for first in (False, True):
        table = with_column(plain(), column, value, first)
        out = tmp_path / f"out{first}"
        found = report.write_table(write(tmp_path / "b.csv", table), out)
        assert found.rows == without.rows
        (left,) = (t for t in found.reading.columns if t.role == "left out")
        assert why in left.why
        assert left.column in (out / "report.md").read_text()


HARMFUL = {
    "one note": lambda i, row: "restarted" if i == 7 else "",
    "notes": lambda i, row: f"note {i % 5}",
    "a hash of outcomes": lambda i, row: f"h{round(row['accuracy'] * 300)}",
    "a hash": lambda i, row: f"{i * 7919:05x}z",
}


@pytest.mark.parametrize("name", HARMFUL)
def test_text_that_would_split_or_unpair_rows_is_refused_by_name(tmp_path: Path, name: str):
    path = write(tmp_path / "t.csv", with_column(plain(), "memo", HARMFUL[name]))
    with pytest.raises(InputError, match=r'memo: text .* that is no factor.*--ignore "memo"'):
        analyze_table(path)
    ignored = analyze_table(path, declared=Declared(ignore=["memo"]))
    assert ignored.rows == analyze_table(write(tmp_path / "a.csv", plain())).rows
    assert taken(ignored)["memo"] == ("left out", "by --ignore")


@pytest.mark.parametrize("name", ["width", "threads", "batch_size", "schedule", "kernels"])
def test_text_with_the_name_of_a_studys_factor_is_judged_like_any_other(tmp_path: Path, name: str):
    """In somebody's table it may be anything: an attribute, a note, a factor with words."""
    without = analyze_table(write(tmp_path / "a.csv", plain()))
    attribute = with_column(plain(), name, lambda i, row: f"k{row['arm']}")
    found = analyze_table(write(tmp_path / "b.csv", attribute))
    assert found.rows == without.rows
    assert taken(found)[name] == ("left out", "says only which arm it is")
    noted = with_column(plain(), name, lambda i, row: "restarted" if i == 7 else "")
    with pytest.raises(InputError, match=f'{name}: text .* that is no factor.*--ignore "{name}"'):
        analyze_table(write(tmp_path / "c.csv", noted))
    both = [row | {name: level} for level in ("wide", "slim") for row in plain()]
    report.write_table(write(tmp_path / "d.csv", both), tmp_path / "out")
    read = pq.read_table(tmp_path / "out" / "contrasts.parquet").to_pylist()
    assert {row[name] for row in read if row["kind"] == "contrast"} == {"wide", "slim"}


def test_numbers_that_no_column_of_contrasts_holds_are_kept_as_text(tmp_path: Path):
    """batch_size is whole there."""
    both = [row | {"batch_size": level} for level in (0.5, 2**40) for row in plain()]
    report.write_table(write(tmp_path / "t.csv", both), tmp_path / "out")
    read = pq.read_table(tmp_path / "out" / "contrasts.parquet").to_pylist()
    levels = {float(row["batch_size"]) for row in read if row["kind"] == "contrast"}
    assert levels == {0.5, 2.0**40}


def test_declared_text_splits_as_the_user_says(tmp_path: Path):
    table = with_column(plain(), "half", lambda i, row: "early" if row["seed"] < 4 else "late")
    table[0]["half"] = "late"  # now it is no attribute of the seed
    path = write(tmp_path / "t.csv", table)
    with pytest.raises(InputError, match="half: text"):
        analyze_table(path)
    found = analyze_table(path, declared=Declared(factors=["half"]))
    assert {dict(c.setting.factors)["half"] for c in found.select()} == {"early", "late"}


def crossed(*levels: str, drop: int | None = None) -> list[dict]:
    table = [
        row | {"task": level, "accuracy": round(row["accuracy"] - i / 100, 4)}
        for i, level in enumerate(levels)
        for row in plain()
    ]
    return [row for i, row in enumerate(table) if i != drop]


def test_text_that_rows_need_and_that_is_balanced_is_a_factor(tmp_path: Path):
    found = analyze_table(write(tmp_path / "t.csv", crossed("x", "y")))
    assert taken(found)["task"] == ("factor", "rows are not unique without it")
    assert {c.setting.factors for c in found.select()} == {(("task", "x"),), (("task", "y"),)}


def test_columns_that_repeat_a_factor_split_nothing_more(tmp_path: Path):
    alone = analyze_table(write(tmp_path / "a.csv", crossed("x", "y")))
    table = with_column(crossed("x", "y"), "name of task", lambda i, row: row["task"].upper() * 3)
    found = analyze_table(write(tmp_path / "b.csv", table))
    assert [r["mean"] for r in found.rows] == [r["mean"] for r in alone.rows]
    assert taken(found)["name of task"] == ("left out", "follows from arm and setting")


def test_a_seed_that_one_level_lacks_is_no_reason_to_guess(tmp_path: Path):
    path = write(tmp_path / "t.csv", crossed("x", "y", drop=3))
    with pytest.raises(InputError, match=r"differ in 'task'; allowed: .*--factors task"):
        analyze_table(path)
    found = analyze_table(path, declared=Declared(factors=["task"]))
    assert sorted(len(c.pairs.seeds) for c in found.select()) == [7, 7, 8, 8, 8, 8]


def test_a_number_that_rows_need_is_named_in_the_error(tmp_path: Path):
    table = [row | {"speed": speed} for speed in (1, 2) for row in plain()]
    with pytest.raises(InputError, match=r"row 1 and row 25 .* differ in 'speed'.*--factors speed"):
        analyze_table(write(tmp_path / "t.csv", table))


def test_metrics_are_those_declared(tmp_path: Path):
    table = with_column(plain(), "speed", lambda i, row: i % 7)
    found = analyze_table(write(tmp_path / "t.csv", table), declared=Declared(metrics=["speed"]))
    assert {r["metric"] for r in found.rows} == {"speed"}
    assert taken(found)["accuracy"] == ("left out", "not among --metrics")


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (Declared(metrics=["kind"]), "--metrics: 'kind' holds text; allowed: numbers"),
        (Declared(metrics=["kinds"]), "--metrics: no column 'kinds'; did you mean 'kind'"),
        (Declared(metrics=["accuracy"], ignore=["accuracy"]), "--ignore: 'accuracy', which is in"),
        (Declared(ignore=["seed"]), "--ignore: no column 'seed'"),
        (Declared(ignore=["accuracy"]), "no metric among seed, arm, accuracy, kind"),
        (Declared(percent=["kind"]), "--percent: no metric 'kind'"),
        (Declared(lower=["los"]), "--lower-is-better: no metric 'los'"),
        (Declared(metrics=[]), "--metrics: none"),
    ],
)
def test_options_that_cannot_be_are_one_error(tmp_path: Path, declared: Declared, message: str):
    table = with_column(plain(), "kind", lambda i, row: row["arm"])
    with pytest.raises(InputError) as error:
        analyze_table(write(tmp_path / "t.csv", table), declared=declared)
    assert message in str(error.value)


def test_names_that_contrasts_have_need_another(tmp_path: Path):
    table = [row | {"verdict": row["task"]} for row in crossed("x", "y")]
    path = write(tmp_path / "t.csv", [{k: v for k, v in r.items() if k != "task"} for r in table])
    with pytest.raises(InputError, match='--columns "verdict=my_verdict"'):
        analyze_table(path)
    assert analyze_table(path, columns={"verdict": "task"}).rows


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_text_is_added_no_pair_goes_unsaid(tmp_path: Path, data: st.DataObject):
    """Either the numbers are those without the column, or it is named in an error."""
    base = plain(4, 0.9, 0.91)
    words = data.draw(st.lists(st.sampled_from(["", "u", "v"]), min_size=8, max_size=8))
    table = with_column(base, "memo", lambda i, row: words[i])
    random.Random(0).shuffle(table)
    alone = analyze_table(write(tmp_path / "a.csv", base), contrasts=["b - a"])
    try:
        found = analyze_table(write(tmp_path / "b.csv", table), contrasts=["b - a"])
    except InputError as error:
        refused = str(error)
    else:
        assert found.rows == alone.rows
        refused = "memo, --ignore"
        assert taken(found)["memo"][0] == "left out"
    assert "memo" in refused
    assert "--ignore" in refused


def test_a_metric_absent_at_a_setting_gives_no_contrast_there(tmp_path: Path):
    rng = np.random.default_rng(1)
    table = [
        {"dataset": d, "arm": a, "seed": s,
         "auc": round(rng.normal(0.9, 0.01), 4) if d < "c" else "",
         "logloss": round(rng.normal(0.3, 0.01), 4) if d >= "b" else ""}
        for d in "abcd" for a in ("A", "B") for s in range(7)
    ]  # fmt: skip
    out = tmp_path / "out"
    found = report.write_table(write(tmp_path / "t.csv", table), out)
    of_contrasts = [row for row in found.rows if row["kind"] == "contrast"]
    at = {(r["metric"], r["dataset"]) for r in of_contrasts}
    assert at == {("auc", "a"), ("auc", "b"), *(("logloss", d) for d in "bcd")}
    assert len(of_contrasts) == 5
    assert {c.pairs.metric: c.m for c in found.select()} == {"auc": 2, "logloss": 3}
    assert {r["population"] for r in found.rows} == {"seeds"}
    assert found.checks.complete
    text = (out / "report.md").read_text()
    assert "`auc` has no value at `dataset c`, `dataset d`" in text
    assert "2 of `auc` and 3 of `logloss`" in text


def test_an_arm_whose_values_are_all_lost_still_counts(tmp_path: Path):
    values = noisy(8, 0.9, 0.91) | {"c": [""] * 8}
    found = analyze_table(write(tmp_path / "t.csv", rows(values)))
    assert {c.name: c.n_seeds for c in found.comparisons} == {"b - a": 8, "c - a": 0, "c - b": 0}
    assert {c.m for c in found.comparisons} == {3}
    assert {c.population for c in found.comparisons} == {"seeds"}
    assert any("No seed has a value in both arms" in r.text for r in found.reading.remarks)
