"""Which cells of a result folder count, and what is made of those that are missing or wrong."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from bench.analysis import analyze
from bench.plan import cells as plan
from bench.store import folder as store
from tests import synthetic
from tests.analyses import analyzed, one


def test_the_order_of_rows_changes_no_number(tmp_path: Path) -> None:
    synthetic.write(tmp_path, synthetic.study(seeds=6, budgets=[1, 2]))
    results = store.read(tmp_path)
    order = np.random.default_rng(1).permutation(results.cells.num_rows)
    shuffled = store.Results(
        results.study,
        results.cells.take(pa.array(order)),
        results.labels,
        results.environment,
        results.ignored,
    )
    assert analyze(shuffled).rows == analyze(results).rows


def test_pairs_are_formed_by_seed_not_by_position(tmp_path: Path) -> None:
    study = synthetic.study(seeds=6, budgets=[1], arms=["float", "ptq"])

    def drop(row: dict) -> dict | None:
        gone = ("float", 0), ("ptq", 5)
        return None if (row["arm"], row["seed"]) in gone else row

    counts = lambda cell: 100 + 50 * cell.seed + 3 * (cell.arm == "ptq")  # noqa: E731
    synthetic.write(tmp_path, study, n=1000, counts=counts, edit=drop)
    pairs = one(analyze(store.read(tmp_path)), "ptq - float").pairs
    assert pairs.seeds == (1, 2, 3, 4)
    assert pairs.d == pytest.approx([0.3] * 4)
    assert pairs.planned == 6


def test_a_missing_cell_leaves_its_seed_out_of_just_the_contrasts_that_need_it(
    tmp_path: Path,
) -> None:
    def fail(row: dict) -> dict:
        if (row["arm"], row["seed"]) == ("qat", 3):
            row |= {"status": "failed", "error": "out of memory", "predictions": None}
        return row

    study = synthetic.study(seeds=6, budgets=[1])
    synthetic.write(tmp_path / "whole", study)
    synthetic.write(tmp_path / "failed", study, edit=fail)
    whole = analyze(store.read(tmp_path / "whole"))
    failed = analyze(store.read(tmp_path / "failed"))
    assert not failed.checks.complete
    assert failed.checks.planned - failed.checks.with_result == 1
    for a, b in zip(whole.comparisons, failed.comparisons, strict=True):
        if "qat" in (a.pairs.contrast.a, a.pairs.contrast.b):
            assert b.pairs.seeds == (0, 1, 2, 4, 5)
        else:
            assert (a.mean, a.p, a.m) == (b.mean, b.p, b.m)
    sample = next(s for s in failed.samples if s.arm == "qat")
    assert sample.statuses == {"ok": 5, "failed": 1}


def test_a_diverged_model_is_a_result_and_stays_in(tmp_path: Path) -> None:
    def diverge(row: dict) -> dict:
        if (row["arm"], row["seed"]) == ("qat", 3):
            row["status"] = "diverged"
        return row

    synthetic.write(tmp_path, synthetic.study(seeds=6, budgets=[1]), edit=diverge)
    analysis = analyze(store.read(tmp_path))
    assert analysis.checks.complete
    assert one(analysis, "qat - ptq").n_seeds == 6


def test_what_the_study_does_not_name_changes_nothing(tmp_path: Path) -> None:
    narrow = synthetic.study(seeds=5, budgets=[2], arms=["float", "ptq", "qat"])
    wide = synthetic.study(seeds=9, budgets=[1, 2], learning_rate=[0.001, 0.01], extra=[1, 3])
    named = {cell.id for cell in plan.cells(narrow)}
    for name, edit in (
        ("wide", lambda row: row),
        ("narrow", lambda row: row if row["cell"] in named else None),
    ):
        synthetic.write(tmp_path / name, wide, edit=edit)
        (tmp_path / name / "study.toml").write_text(narrow.to_toml())
        store.Store(tmp_path / name).write_plan([c.columns for c in plan.cells(narrow)])
    of_wide, of_narrow = (analyze(store.read(tmp_path / name)) for name in ("wide", "narrow"))
    assert of_wide.rows == of_narrow.rows
    assert {c.n_seeds for c in of_wide.comparisons} == {5}


def test_a_contrast_without_epochs_more_stands_once_for_all_extras(tmp_path: Path) -> None:
    analysis = analyzed(tmp_path, seeds=4, budgets=[1, 2], extra=[1, 3])
    settings = [(c.name, c.setting.budget, c.setting.extra) for c in analysis.select("seeds")]
    assert len(set(settings)) == len(settings)
    assert {s for s in settings if s[0] == "ptq - float"} == {
        ("ptq - float", 1, None),
        ("ptq - float", 2, None),
    }
    assert {s[1:] for s in settings if s[0] == "qat - ptq"} == {(1, 1), (1, 3), (2, 1), (2, 3)}


def test_predictions_of_many_classes_are_two_bytes_each(tmp_path: Path) -> None:
    study = synthetic.study(seeds=4, budgets=[1], arms=["float", "ptq"])
    counts = lambda cell: 20 + cell.seed + 2 * (cell.arm == "ptq")  # noqa: E731
    synthetic.write(tmp_path, study, n=50, classes=300, counts=counts)
    analysis = analyze(store.read(tmp_path))
    assert one(analysis, "ptq - float").pairs.d == pytest.approx([4.0] * 4)


def test_a_row_that_contradicts_itself_is_a_missing_cell(tmp_path: Path) -> None:
    def cut(row: dict) -> dict:
        if row["seed"] == 1:
            row["predictions"] = row["predictions"][:-1]
        return row

    study = synthetic.study(seeds=3, budgets=[1], arms=["float", "ptq"])
    synthetic.write(tmp_path, study, n=50, edit=cut)
    analysis = analyze(store.read(tmp_path))
    assert not analysis.checks.complete
    assert one(analysis, "ptq - float").pairs.seeds == (0, 2)


def test_of_cells_that_differ_in_a_pinned_stream_only_the_studys_count(tmp_path: Path) -> None:
    plain = synthetic.study(seeds=4, budgets=[1], arms=["float", "ptq"])
    pinned = synthetic.study(seeds=4, budgets=[1], arms=["float", "ptq"], pin={"order": 7})
    synthetic.write(tmp_path, plain)
    before = analyze(store.read(tmp_path)).rows
    synthetic.write(tmp_path, pinned, random_state=1)
    assert analyze(store.read(tmp_path)).rows != before
    (tmp_path / "study.toml").write_text(plain.to_toml())
    store.Store(tmp_path).write_plan([cell.columns for cell in plan.cells(plain)])
    assert analyze(store.read(tmp_path)).rows == before


def test_checks_find_what_must_not_be_believed(tmp_path: Path) -> None:
    def spoil(row: dict) -> dict:
        if row["arm"] == "float" and row["seed"] == 2:
            row["disagreements"] = 2  # of 797: more than 0.1%
        if row["arm"] == "float" and row["seed"] == 1:
            row["disagreements"] = 0
        if row["arm"] == "ptq" and row["seed"] < 3:
            row["number_format"] = "mixed"
        if row["arm"] == "qat" and row["seed"] == 4:
            row["cpu"] = "another CPU"
        return row

    synthetic.write(tmp_path, synthetic.study(seeds=5, budgets=[1]), edit=spoil)
    analysis = analyze(store.read(tmp_path))
    checks = analysis.checks
    assert [(d.seed, d.disagreements, d.n) for d in checks.disagreements] == [(2, 2, 797)]
    assert [(w.arm, w.claimed, w.found, w.cells) for w in checks.wrong_formats] == [
        ("ptq", "int8", "mixed", 3)
    ]
    assert checks.mixed_seeds == (4,)
    assert one(analysis, "qat - ptq").pairs.mixed == 1
    assert one(analysis, "ptq - float").pairs.mixed == 0
