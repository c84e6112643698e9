"""A result folder keeps whole files only, each cell once, and never a failure as a result."""

import hashlib
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.errors import InputError
from bench.plan import cells as plan
from bench.store import cells as module
from bench.store.folder import Store, read
from bench.store.schema import LOOKS, PLAN
from bench.store.tables import SEAL
from tests.store.rows import LABELS, STUDY, folder, row

CELL = plan.cells(STUDY)[0]


def test_a_failure_runs_again_and_a_result_wins_over_it(tmp_path):
    store = Store(tmp_path)
    store.append([CELL.failure("failed", "out of memory")])
    assert store.done() == set()
    store.append([row(CELL, right=2)])
    store.append([CELL.failure("timeout", "later, but no result")])
    assert store.done() == {CELL.id}
    table, _ = store.cells()
    assert table["accuracy"].to_pylist() == [0.5]


@pytest.mark.parametrize("status", ["diverged", "unsupported"])
def test_what_would_only_happen_again_is_a_result(tmp_path, status):
    store = Store(tmp_path)
    store.append(
        [row(CELL, status=status) if status == "diverged" else CELL.failure(status, "why")]
    )
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
        store.append([row(cell)])
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
    store.write_labels("digits", LABELS, list("0123"), [])
    results = read(tmp_path)
    assert results.study == STUDY
    assert results.labels["digits"].tolist() == LABELS.tolist()


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
    monkeypatch.setattr(module, "COMPACT_BYTES", 120_000)
    store = Store(tmp_path)
    rng = np.random.default_rng(0)
    cells = plan.cells(STUDY.with_seeds(20))
    for cell in reversed(cells):
        store.append([row(cell, labels=LABELS.repeat(250), predictions=rng.bytes(1000))])
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
    store.append([CELL.failure("failed", "out of memory"), row(CELL, right=1)])
    assert store.statuses("accuracy") == [{"cell": CELL.id, "status": "ok", "accuracy": 0.25}]


def test_a_key_that_is_no_column_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="no such columns: acuracy"):
        Store(tmp_path).append([row(CELL) | {"acuracy": 0.5}])
    assert list(tmp_path.iterdir()) == []


def test_a_plan_keeps_a_cell_that_serves_two_places_twice(tmp_path):
    store = folder(tmp_path)
    assert read(tmp_path).plan is None
    rows = [CELL.columns, CELL.columns | {"batch_size": 64}]
    store.write_plan(rows)
    plan_read = read(tmp_path).plan
    assert [column.name for column in PLAN] == plan_read.schema.names == list(CELL.columns)
    assert plan_read.to_pylist() == rows
    with pytest.raises(ValueError, match="no such columns: accuracy"):
        store.write_plan([CELL.columns | {"accuracy": 0.5}])


def test_looks_come_back_as_written(tmp_path):
    store = folder(tmp_path)
    assert read(tmp_path).looks is None
    look = {column.name: None for column in LOOKS} | {
        "contrast": "ptq - float", "dataset": "digits", "budget": 1, "look": 1,
        "planned_seeds": 10, "seeds": [0, 1, 5], "at": datetime(2026, 1, 1, tzinfo=UTC),
    }  # fmt: skip
    store.write_looks([look, look | {"look": 2, "seeds": []}])
    assert read(tmp_path).looks.to_pylist() == [look, look | {"look": 2, "seeds": []}]


def test_every_parquet_file_of_a_folder_has_page_checksums_and_a_digest_of_its_own(tmp_path):
    store = folder(tmp_path)
    store.write_plan([CELL.columns])
    store.write_looks([])
    store.write_contrasts([{"kind": "contrast", "sd": 0.5}])
    files = list(tmp_path.rglob("*.parquet"))
    assert len(files) == 5
    for path in files:
        content = path.read_bytes()
        footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
        others = content[: footer - 32 - len(SEAL)] + content[footer:]
        assert content[footer - 32 : footer] == hashlib.sha256(others).digest()
        table = pq.read_table(path, page_checksum_verification=True)  # as anybody reads it
        assert table.num_rows == pq.read_metadata(path).num_rows
        if path.name == "plan.parquet":
            # Past the page header, so that only the page's own checksum can tell.
            start = pq.read_metadata(path).row_group(0).column(0).dictionary_page_offset
            at = content.index(CELL.id.encode(), start)
            spoilt = content[:at] + b"X" + content[at + 1 :]
            with pytest.raises(OSError, match="CRC"):
                pq.read_table(pa.BufferReader(spoilt), page_checksum_verification=True)


def test_groups_of_test_examples_are_kept_and_older_labels_have_none(tmp_path):
    store = Store(tmp_path)
    store.write_labels("a", np.array([1, 0]), ["cat", "dog"], [], ["ann", "bob"])
    store.write_labels("b", np.array([0, 1, 0]), ["0", "1"], [])
    labels, groups = store.labels_and_groups()
    assert groups == {"a": ("ann", "bob")}
    assert labels["b"].tolist() == [0, 1, 0]
    path = tmp_path / "labels.parquet"
    pq.write_table(pq.read_table(path).drop_columns("group"), path)
    labels, groups = store.labels_and_groups()
    assert groups == {}
    assert labels["a"].tolist() == [1, 0]
    store.write_labels("a", np.array([1, 0]), ["cat", "dog"], [], ["ann", "bob"])
    assert store.labels_and_groups()[1] == {"a": ("ann", "bob")}


def test_a_group_that_some_examples_lack_is_damage(tmp_path):
    store = Store(tmp_path)
    store.write_labels("a", np.array([1, 0]), ["cat", "dog"], [], ["ann", "bob"])
    path = tmp_path / "labels.parquet"
    table = pq.read_table(path)
    at = table.column_names.index("group")
    pq.write_table(table.set_column(at, "group", pa.array(["ann", None])), path)
    with pytest.raises(InputError, match="1 examples of 'a' without group"):
        store.labels_and_groups()
