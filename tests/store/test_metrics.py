"""Metrics of rows, and what metrics.json says of them."""

import json

import numpy as np
import pytest

from bench import metrics, study
from bench.errors import InputError
from bench.plan import cells as plan
from bench.store import measures
from bench.store.folder import Store, read
from tests.store.rows import STUDY, row

CELLS = plan.cells(STUDY)
REGRESSION = study.validate(
    {"title": "Small", "seeds": 2, "budgets": 1, "metrics": ["mae", "mse"]}, "tests"
)
TARGETS = np.array([0.5, -1.25, 3.0, 1e-3])
VALUES = np.array([0.1, 0.25, 3.5, 0.0], np.float32)


def measured(cell, values=VALUES, **columns):
    """The row of a regression: no predictions, but errors."""
    mean = float(values.mean(dtype=np.float64))
    of_it = {
        "status": "ok",
        "error": None,
        "n": len(values),
        "metrics": {"mae": mean},
        "values": {"mae": measures.stored(values)},
    }
    return cell.failure("ok", "") | of_it | columns


def regressions(path, rows):
    store = Store(path)
    store.write_study(REGRESSION)
    store.write_metrics(metrics.declared(["mae", "mse"]))
    store.write_labels("digits", TARGETS, [], [])
    store.append(rows)
    return store


def test_numbers_to_be_predicted_and_values_per_example_come_back_bit_by_bit(tmp_path):
    store = regressions(tmp_path, [measured(cell) for cell in CELLS])
    store.append([measured(CELLS[0])])
    store.compact()
    results = read(tmp_path)
    assert results.labels["digits"].dtype == np.float64
    assert results.labels["digits"].tolist() == TARGETS.tolist()
    assert (results.rejected, results.ignored) == ((), ())
    assert results.cells.num_rows == len(CELLS)
    content = measures.of_row(results.cells["values"], 3)["mae"]
    assert measures.per_example(content).tolist() == VALUES.tolist()
    assert measures.of_row(results.cells["metrics"], 3) == {"mae": VALUES.mean(dtype=np.float64)}
    assert [m.name for m in results.metrics] == ["mae", "mse"]
    assert results.metrics == metrics.declared(["mae", "mse"])


def test_classes_and_numbers_stand_side_by_side(tmp_path):
    store = Store(tmp_path)
    store.write_labels("numbers", TARGETS, [], [])
    store.write_labels("classes", np.array([1, 0]), ["cat", "dog"], [])
    store.write_labels("numbers", TARGETS + 1, [], [])
    labels = store.labels()
    assert labels["numbers"].tolist() == (TARGETS + 1).tolist()
    assert (labels["classes"].tolist(), labels["classes"].dtype) == ([1, 0], np.int32)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"metrics": {"mae": 0.9}}, "mae is 0.9, and the mean of its values 0.9625"),
        ({"metrics": {"mse": 0.9625}}, "values of 'mae', and no metric of that name"),
        ({"n": 3}, "16 bytes of values of 'mae' for n = 3"),
        ({"n": None}, "16 bytes of values of 'mae' for n = None"),
        ({"metrics": None, "values": None}, "no dataset, n, correct, accuracy or predictions"),
        ({"metrics": {}, "values": {}}, "no dataset, n, correct, accuracy or predictions"),
        ({"correct": 2}, "no dataset, n, correct, accuracy or predictions"),
    ],
)
def test_a_row_whose_metrics_contradict_it_is_none(tmp_path, columns, said):
    store = regressions(tmp_path, [measured(cell) for cell in CELLS[1:]])
    store.append([measured(CELLS[0]) | columns])
    (rejected,) = read(tmp_path).rejected
    assert (rejected.cell, rejected.what.startswith(said)) == (CELLS[0].id, True), rejected.what
    assert store.done() == {cell.id for cell in CELLS[1:]}


def test_values_of_other_examples_than_the_labels_are_none(tmp_path):
    store = regressions(tmp_path, [measured(cell) for cell in CELLS[1:]])
    store.append([measured(CELLS[0], VALUES[:3])])
    (rejected,) = read(tmp_path).rejected
    assert rejected.what == "n is 3, and 'digits' has 4 labels"


def test_what_is_not_finite_is_a_result(tmp_path):
    values = np.array([np.inf, 1, 2, 3], np.float32)
    regressions(tmp_path, [measured(cell, values, status="diverged") for cell in CELLS])
    results = read(tmp_path)
    assert results.rejected == ()
    assert measures.of_row(results.cells["metrics"], 0) == {"mae": np.inf}


def test_a_number_alone_needs_neither_examples_nor_labels(tmp_path):
    store = Store(tmp_path)
    store.write_study(STUDY)
    alone = {"n": None, "values": None, "metrics": {"latency_ms": 2.5}}
    store.append([measured(cell) | alone for cell in CELLS])
    store.write_labels("other", np.array([1]), ["0", "1"], [])
    assert read(tmp_path).cells.num_rows == len(CELLS)
    assert store.done() == {cell.id for cell in CELLS}


def test_a_folder_without_metrics_json_has_accuracies(tmp_path):
    store = Store(tmp_path)
    store.write_study(STUDY)
    store.write_labels("digits", np.array([3, 1, 2, 0]), list("0123"), [])
    store.append([row(cell) for cell in CELLS])
    assert read(tmp_path).metrics == metrics.declared(["accuracy"])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"metrics": []}',
        b'{"metrics": [{"name": "mae"}]}',
        b'{"metrics": [{"name": 1, "unit": "m", "lower_is_better": true}]}',
        b'{"metrics": [{"name": "a", "unit": "m", "lower_is_better": 3}]}',
        b'{"metrics": [{"name": "a", "unit": "m", "lower_is_better": true, "scale": 0}]}',
        b'{"metrics": [{"name": "a", "unit": "m", "lower_is_better": true, "delta": -1}]}',
        json.dumps({"metrics": [metrics.get("mae").as_json()] * 2}).encode(),
    ],
)
def test_a_damaged_metrics_json_is_named(tmp_path, content):
    store = Store(tmp_path)
    store.write_metrics(metrics.declared(["mae"]))
    (tmp_path / "metrics.json").write_bytes(content)
    with pytest.raises(InputError, match=r"metrics\.json: damaged"):
        store.metrics()


def test_what_a_newer_version_says_of_a_metric_is_left_out(tmp_path):
    store = Store(tmp_path)
    content = {"metrics": [metrics.get("auc").as_json() | {"tomorrow": 1}], "more": 2}
    store.write_text("metrics.json", json.dumps(content))
    assert store.metrics() == (metrics.get("auc"),)
