"""One reader for `run` and `analyze`: what a file lacks, what it has too much, what contradicts
itself, and what a run does meanwhile."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.analysis import analyze
from bench.errors import InputError
from bench.plan import cells as plan
from bench.store.cells import CELL_SCHEMA, DEFAULTS
from bench.store.folder import Results, Store, read
from bench.store.schema import CELLS, RESULTS
from bench.store.validity import CHECKED, IDENTITY
from tests.store.rows import LABELS, STUDY, folder, row

CELLS_OF_STUDY = plan.cells(STUDY)
IDS = {cell.id for cell in CELLS_OF_STUDY}
FIXTURE = Path(__file__).parents[1] / "fixtures" / "folder-82ec496"


def only_file(path: Path) -> Path:
    (file,) = (path / "cells").glob("*.parquet")
    return file


def rewritten(path: Path, change) -> None:
    """Change the one cells file of a folder as another program would: no digest in it."""
    file = only_file(path)
    with pq.ParquetFile(file) as whole:  # with all of its metadata
        table = whole.read()
    pq.write_table(change(table), file)


def both_halves(path: Path) -> Results:
    """As `analyze` reads it; `run` must count the same cells as there."""
    results = read(path)
    there = {
        cell
        for cell, status in zip(
            *(results.cells[c].to_pylist() for c in ("cell", "status")), strict=True
        )
        if status in RESULTS
    }
    assert Store(path).done() == there
    return results


def test_a_folder_of_82ec496_is_read_whole_and_unchanged():
    before = {p: p.read_bytes() for p in FIXTURE.rglob("*") if p.is_file()}
    results = both_halves(FIXTURE)
    assert results.cells.num_rows == 24
    for unit in ("budget_unit", "extra_unit"):  # it has no such column
        assert results.cells[unit].to_pylist() == ["epochs"] * 24
    places = {(r["seed"], r["budget"], r["arm"], r["extra"]) for r in results.cells.to_pylist()}
    after = {(arm, 1) for arm in ("float+k", "ptq+k", "qat", "qat-cal")}
    arms = after | {("float", None), ("ptq", None)}
    assert places == {(s, e, *arm) for s in (0, 1) for e in (1, 2) for arm in arms}
    assert analyze(results).checks.complete
    assert (results.ignored, results.rejected, results.notes) == ((), (), ())
    assert (results.plan, results.looks) == (None, None)
    raw = pq.read_table(only_file(FIXTURE))
    assert results.cells.select(raw.schema.names).to_pylist() == raw.to_pylist()
    assert set(results.cells["package"].to_pylist()) == {None}
    labels = results.labels["digits"]
    for one in raw.to_pylist():
        assert (np.frombuffer(one["predictions"], np.uint8) == labels).sum() == one["correct"]
    assert results.environment["recipe"] == 1
    assert {p: p.read_bytes() for p in FIXTURE.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("name", [column.name for column in CELLS])
def test_a_column_that_a_file_lacks_is_the_same_for_both_halves(tmp_path, name):
    folder(tmp_path)
    rewritten(tmp_path, lambda table: table.drop_columns([name]))
    if name in IDENTITY:
        with pytest.raises(InputError, match=f"no column '{name}'"):
            read(tmp_path)
        assert Store(tmp_path).done() == set()
        return
    if name in CHECKED:  # nothing says any more that the predictions are whole
        with pytest.raises(InputError, match="no dataset, n, correct, accuracy or predictions"):
            read(tmp_path)
        assert Store(tmp_path).done() == set()
        return
    results = both_halves(tmp_path)
    assert Store(tmp_path).done() == IDS
    assert results.cells.schema.equals(CELL_SCHEMA, check_metadata=True)
    assert set(results.cells[name].to_pylist()) == {DEFAULTS.get(name)}


def test_an_older_and_a_newer_file_side_by_side(tmp_path):
    store = folder(tmp_path, [row(cell) for cell in CELLS_OF_STUDY[:5]])
    rewritten(tmp_path, lambda table: table.drop_columns(["ties"]))
    store.append([row(cell, ties=1) for cell in CELLS_OF_STUDY[5:]])
    newer = max((tmp_path / "cells").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    table = pq.read_table(newer)
    pq.write_table(table.append_column("tomorrow", pa.array(["?"] * table.num_rows)), newer)
    results = both_halves(tmp_path)
    assert set(results.cells["cell"].to_pylist()) == IDS
    assert results.cells["ties"].to_pylist().count(None) == 5
    assert "tomorrow" not in results.cells.schema.names
    content = newer.read_bytes()
    store.append([row(CELLS_OF_STUDY[0])])
    store.compact()
    assert newer.read_bytes() == content  # what this version does not know is not lost
    assert len(list((tmp_path / "cells").iterdir())) == 2
    assert set(both_halves(tmp_path).cells["cell"].to_pylist()) == IDS


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("seed", pa.array(["0"] * 12), "column 'seed' holds text, not int64"),
        ("seed", pa.array([0.5] * 12), "column 'seed'"),
        ("cell", pa.array(range(12)), "column 'cell' holds numbers, not string"),
        ("finished_at", pa.array(["now"] * 12), "column 'finished_at' holds text, not timestamp"),
        ("arm", pa.array([["ptq"]] * 12), "column 'arm' holds lists, not string"),
        ("n", pa.array([2**40] * 12), "column 'n'"),
        ("error", pa.array([b"\xff"] * 12).cast(pa.string(), safe=False), "UTF8"),
    ],
)
def test_a_column_of_another_kind_is_said(tmp_path, name, values, said):
    folder(tmp_path)
    at = CELL_SCHEMA.names.index(name)
    rewritten(tmp_path, lambda table: table.set_column(at, name, values))
    assert Store(tmp_path).done() == set()
    assert said in Store(tmp_path).rows().unread[only_file(tmp_path).name]


def test_columns_as_pandas_writes_them_are_read(tmp_path):
    """Integers with gaps become floats, text becomes large text or a dictionary, empty columns
    have no type."""
    folder(tmp_path)
    expected = read(tmp_path).cells

    def as_pandas(table):
        frame = table.to_pandas().astype({"arm": "category"})
        written = pa.Table.from_pandas(frame, preserve_index=False)
        return written.set_column(written.schema.names.index("loss"), "loss", pa.nulls(12))

    rewritten(tmp_path, as_pandas)
    kinds = pq.read_schema(only_file(tmp_path))
    assert kinds.field("extra").type == pa.float64()
    assert pa.types.is_large_string(kinds.field("cell").type)
    assert pa.types.is_dictionary(kinds.field("arm").type)
    assert pa.types.is_null(kinds.field("loss").type)
    assert both_halves(tmp_path).cells.equals(expected)


@pytest.mark.parametrize("name", IDENTITY)
def test_a_row_without_identity_is_rejected_and_the_others_stay(tmp_path, name):
    folder(tmp_path)

    def blank(table):
        values = [None, *table[name].to_pylist()[1:]]
        return table.set_column(
            table.schema.names.index(name), name, pa.array(values, table[name].type)
        )

    rewritten(tmp_path, blank)
    results = both_halves(tmp_path)
    assert results.cells.num_rows == 11
    assert [r.what for r in results.rejected] == [f"no {name}"]


CONTRADICTIONS = {
    "a prediction too few": ({"predictions": b"\x03\x01\x02"}, "3 bytes of predictions for n = 4"),
    "no predictions": ({"predictions": None}, "no dataset, n, correct, accuracy or predictions"),
    "another prediction": ({"predictions": b"\x03\x01\x03\x01"}, "2 predictions equal the labels"),
    "n": ({"n": 5}, "4 bytes of predictions for n = 5"),
    "no n": ({"n": None}, "no dataset, n, correct, accuracy or predictions"),
    "n of nothing": ({"n": 0, "predictions": b""}, "no dataset, n, correct, accuracy or predict"),
    "n and bytes of another test set": (
        {"n": 3, "predictions": b"\x03\x01\x02", "accuracy": 1.0},
        "n is 3, and 'digits' has 4 labels",
    ),
    "correct": ({"correct": 2, "accuracy": 0.5}, "3 predictions equal the labels"),
    "correct alone": ({"correct": 2}, "accuracy 0.75 is not 2 of 4"),
    "accuracy": ({"accuracy": np.nextafter(0.75, 1)}, "is not 3 of 4"),
    "accuracy that is no number": ({"accuracy": float("nan")}, "accuracy nan is not 3 of 4"),
    "less than nothing": (
        {"n": 3, "predictions": b"\x03\x01\x02", "correct": -1, "accuracy": -1 / 3},
        "is not -1 of 3",
    ),
    "no status of ours": ({"status": "excellent"}, "status 'excellent' is none of this version's"),
}


@pytest.mark.parametrize(("columns", "said"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
@pytest.mark.parametrize("status", ["ok", "diverged"])
def test_a_row_that_contradicts_itself_is_named_and_computed_again(tmp_path, columns, said, status):
    spoilt, *others = CELLS_OF_STUDY
    rows = [row(cell) for cell in others]
    rows.insert(7, row(spoilt, status=status) | columns)
    store = folder(tmp_path, rows)
    results = both_halves(tmp_path)
    (rejected,) = results.rejected
    assert (rejected.file, rejected.cell) == (only_file(tmp_path).name, spoilt.id)
    assert said in rejected.what
    assert store.done() == IDS - {spoilt.id}
    store.compact()  # one file: nothing to do
    store.append([row(spoilt)])  # computed again
    for _ in range(2):
        again = both_halves(tmp_path)
        assert (store.done(), again.rejected) == (IDS, ())
        store.compact()
    assert pq.read_metadata(only_file(tmp_path)).num_rows == 12


def test_compaction_keeps_what_it_rejects_until_the_cell_has_another_result(tmp_path):
    spoilt, *others = CELLS_OF_STUDY
    store = folder(tmp_path, [row(spoilt, correct=1)])
    store.append([row(cell) for cell in others])
    store.compact()
    assert pq.read_metadata(only_file(tmp_path)).num_rows == 12
    assert [r.cell for r in both_halves(tmp_path).rejected] == [spoilt.id]


def test_two_bytes_for_each_prediction_are_checked_alike(tmp_path):
    labels = np.array([300, 1, 299, 0], dtype=np.int32)
    store = Store(tmp_path)
    store.write_study(STUDY)
    store.write_labels("digits", labels, [str(c) for c in range(301)], [])
    right, wrong = CELLS_OF_STUDY[:2]
    numbers = {"n": 4, "correct": 3, "accuracy": 0.75}
    predicted = np.array([300, 1, 299, 7], dtype="<u2")
    store.append([row(right) | numbers | {"predictions": predicted.tobytes()}])
    off = np.array([300, 1, 298, 7], dtype="<u2")
    store.append([row(wrong) | numbers | {"predictions": off.tobytes()}])
    results = both_halves(tmp_path)
    assert [r.cell for r in results.rejected] == [wrong.id]
    assert results.cells["cell"].to_pylist() == [right.id]


def test_rows_of_datasets_in_any_order_are_each_held_against_their_own_labels(tmp_path):
    """Against a loop over rows: two datasets, two sizes, one and two bytes, failures between."""
    rng = np.random.default_rng(0)
    truth = {"a": rng.integers(0, 9, 50), "b": rng.integers(0, 300, 70)}
    store, expected, rows = Store(tmp_path), set(), []
    for name, labels in truth.items():
        store.write_labels(name, labels.astype(np.int32), [str(c) for c in range(300)], [])
    for at in range(400):
        name = str(rng.choice(["a", "b"]))
        base = CELLS_OF_STUDY[0].failure("ok", "") | {"cell": f"{at:016x}", "dataset": name}
        if rng.random() < 0.2:
            rows.append(base | {"status": "failed"})
            continue
        dtype = np.dtype("<u2") if name == "b" or rng.random() < 0.3 else np.uint8
        predictions = np.where(rng.random(len(truth[name])) < 0.8, truth[name], 0).astype(dtype)
        correct = int((predictions == truth[name]).sum()) + int(rng.random() < 0.1)
        n = len(predictions)
        rows.append(
            base
            | {"n": n, "correct": correct, "accuracy": correct / n}
            | {"predictions": predictions.tobytes()}
        )
        if correct == (predictions == truth[name]).sum():
            expected.add(base["cell"])
    store.append(rows)
    assert store.done() == expected
    assert 200 < len(expected) < 320


def spoil_labels(path: Path, example: int, label: int) -> None:
    table = pq.read_table(path / "labels.parquet")
    labels = table["label"].to_pylist()
    labels[example] = label
    at = table.schema.names.index("label")
    spoilt = table.set_column(at, "label", pa.array(labels, pa.int32()))
    pq.write_table(spoilt, path / "labels.parquet")


def test_labels_that_most_rows_contradict_are_the_damaged_ones(tmp_path):
    store = folder(tmp_path)
    spoil_labels(tmp_path, 0, 2)
    with pytest.raises(InputError, match=r"labels\.parquet: most rows of 'digits' contradict it"):
        read(tmp_path)
    store = Store(tmp_path)
    assert store.rows().doubted == ("digits",)
    # `run` knows the data's own labels: nothing is computed again, the file is mended.
    store.trust_labels("digits", LABELS)
    assert store.done() == IDS
    store.write_labels("digits", LABELS, list("0123"), [])
    assert both_halves(tmp_path).cells.num_rows == 12


def test_rows_that_contradict_the_datas_own_labels_are_computed_again_however_many(tmp_path):
    store = folder(tmp_path, [row(cell, correct=1, accuracy=0.25) for cell in CELLS_OF_STUDY])
    store.write_labels("digits", LABELS, list("0123"), [])
    assert store.rows().doubted == ()
    assert store.done() == set()


def test_without_labels_a_run_counts_rows_that_hold_together_and_says_so(tmp_path):
    store = folder(tmp_path, [row(c) for c in CELLS_OF_STUDY[1:]] + [row(CELLS_OF_STUDY[0], n=5)])
    (tmp_path / "labels.parquet").unlink()
    rows = Store(tmp_path).rows()
    assert rows.unlabelled == ("digits",)
    assert rows.table.num_rows == 11
    store.write_labels("digits", LABELS, list("0123"), [])
    assert both_halves(tmp_path).cells.num_rows == 11
