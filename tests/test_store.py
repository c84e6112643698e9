"""A result folder keeps whole files only, each cell once, and never a failure as a result."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from bench import study
from bench.errors import InputError
from bench.plan import cells as plan
from bench.store import folder as module
from bench.store.folder import Store, read
from bench.store.schema import CELLS

STUDY = study.load("digits", ["seeds=2", "budgets=1"])
CELL = plan.cells(STUDY)[0]


def row(cell, **columns):
    empty = {column.name: None for column in CELLS}
    return empty | cell.failure("ok", "") | {"error": None} | columns


def test_a_failure_runs_again_and_a_result_wins_over_it(tmp_path):
    store = Store(tmp_path)
    store.append([CELL.failure("failed", "out of memory")])
    assert store.done() == set()
    store.append([row(CELL, accuracy=0.5)])
    store.append([CELL.failure("timeout", "later, but no result")])
    assert store.done() == {CELL.id}
    table, _ = store.cells()
    assert table["accuracy"].to_pylist() == [0.5]


@pytest.mark.parametrize("status", ["diverged", "unsupported"])
def test_what_would_only_happen_again_is_a_result(tmp_path, status):
    store = Store(tmp_path)
    store.append([CELL.failure(status, "why")])
    assert store.done() == {CELL.id}


def test_torn_files_are_ignored_and_named(tmp_path):
    store = Store(tmp_path)
    store.append([row(CELL)])
    whole = next((tmp_path / "cells").iterdir())
    (tmp_path / "cells" / "torn.parquet").write_bytes(whole.read_bytes()[:-40])
    (tmp_path / "cells" / "empty.parquet").write_bytes(b"")
    (tmp_path / "cells" / ".half.parquet.1.tmp").write_bytes(b"PAR1")
    table, ignored = store.cells()
    assert table.num_rows == 1
    assert ignored == ("empty.parquet", "torn.parquet")


def test_compacting_loses_nothing_even_if_it_is_cut_short(tmp_path):
    store = Store(tmp_path)
    cells = plan.cells(STUDY)
    for cell in cells:
        store.append([row(cell, predictions=b"\x01\x02")])
    before = store.cells()[0].sort_by("cell")
    old = {path: path.read_bytes() for path in (tmp_path / "cells").iterdir()}
    store.compact()
    assert len(list((tmp_path / "cells").iterdir())) == 1
    assert store.cells()[0].sort_by("cell").equals(before)
    for path, content in old.items():  # as if the kill came before the old files went
        path.write_bytes(content)
    assert store.cells()[0].sort_by("cell").equals(before)


def test_nothing_is_created_before_the_first_write(tmp_path):
    folder = tmp_path / "results"
    store = Store(folder)
    assert store.done() == set()
    assert store.environment() == {}
    assert not folder.exists()


def test_labels_of_two_datasets_stand_side_by_side(tmp_path):
    store = Store(tmp_path)
    store.write_labels("a", np.array([1, 0]), ["cat", "dog"], ["x.png", "y.png"])
    store.write_labels("b", np.array([2, 1, 0]), ["0", "1", "2"], [])
    store.write_labels("a", np.array([1, 0]), ["cat", "dog"], ["x.png", "y.png"])
    rows = pq.read_table(tmp_path / "labels.parquet").to_pylist()
    assert [(r["dataset"], r["label"], r["class_name"], r["path"]) for r in rows] == [
        ("a", 1, "dog", "x.png"),
        ("a", 0, "cat", "y.png"),
        ("b", 2, "2", None),
        ("b", 1, "1", None),
        ("b", 0, "0", None),
    ]


def test_reading_gives_back_the_study_and_the_labels(tmp_path):
    store = Store(tmp_path)
    store.write_text("study.toml", STUDY.to_toml())
    store.append([row(CELL)])
    store.write_labels("digits", np.array([3, 1, 2], dtype=np.int32), list("0123"), [])
    results = read(tmp_path)
    assert results.study == STUDY
    assert results.labels["digits"].tolist() == [3, 1, 2]


def test_what_is_missing_from_a_folder_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no study\.toml"):
        read(tmp_path)
    store = Store(tmp_path)
    store.write_text("study.toml", STUDY.to_toml())
    with pytest.raises(InputError, match="no finished cell"):
        read(tmp_path)
    torn = tmp_path / "cells" / "part-torn.parquet"
    torn.parent.mkdir(exist_ok=True)
    torn.write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"no finished cell, unreadable: part-torn\.parquet"):
        read(tmp_path)
    torn.unlink()
    store.append([row(CELL)])
    with pytest.raises(InputError, match=r"labels\.parquet"):
        read(tmp_path)


def test_compaction_of_much_is_some_sorted_files_and_no_row_less(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "COMPACT_BYTES", 40_000)
    store = Store(tmp_path)
    rng = np.random.default_rng(0)
    cells = plan.cells(study.load("digits", ["seeds=20", "budgets=1"]))
    for cell in reversed(cells):
        store.append([row(cell, predictions=rng.bytes(1000))])
    before = store.cells()[0].sort_by("cell")
    store.compact()
    files = list((tmp_path / "cells").iterdir())
    assert 3 <= len(files) < 20
    for path in files:
        seeds = pq.read_table(path)["seed"].to_pylist()
        assert seeds == sorted(seeds)
    assert store.cells()[0].sort_by("cell").equals(before)
    assert store.done() == {cell.id for cell in cells}


def test_statuses_are_those_of_the_row_that_counts(tmp_path):
    store = Store(tmp_path)
    store.append([CELL.failure("failed", "out of memory"), row(CELL, accuracy=0.25)])
    assert store.statuses("accuracy") == [{"cell": CELL.id, "status": "ok", "accuracy": 0.25}]
