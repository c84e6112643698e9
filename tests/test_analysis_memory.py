"""Predictions outside of the memory: the same numbers."""

from pathlib import Path

import numpy as np
import pytest

from bench.analysis import analyze
from bench.analysis.right import Right
from bench.errors import InputError
from bench.store import folder as store
from bench.store.spill import AT, SIZE
from tests import synthetic


def test_predictions_on_disk_give_the_same_numbers(tmp_path: Path):
    def spoil(row: dict) -> dict:
        if (row["arm"], row["seed"], row["budget"]) == ("qat", 3, 1):
            row |= {"status": "failed", "error": "out of memory", "predictions": None}
        return row

    folder = synthetic.write(tmp_path, synthetic.study(seeds=7, budgets=[1, 2, 4]), edit=spoil)
    inside, outside = store.read(folder), store.read(folder, spill=True)
    assert "predictions" not in outside.cells.column_names
    for row, content in enumerate(inside.cells["predictions"].to_pylist()):
        at, size = (outside.cells[name][row].as_py() for name in (AT, SIZE))
        assert (outside.spill.read(at, size) if size >= 0 else None) == content
    one, other = analyze(inside), analyze(outside)
    assert other.rows == one.rows
    for a, b in zip(one.samples, other.samples, strict=True):
        assert isinstance(b.correct, Right)
        assert np.array_equal(np.asarray(a.correct), np.asarray(b.correct))
        assert b.correct.shape == np.asarray(a.correct).shape


@pytest.mark.parametrize("spill", [False, True])
def test_predictions_for_other_labels_are_refused(tmp_path: Path, spill: bool):
    folder = synthetic.write(tmp_path, synthetic.study(seeds=2, budgets=[1]))
    results = store.read(folder, spill=spill)
    labels = {name: np.append(each, 0) for name, each in results.labels.items()}
    with pytest.raises(InputError, match=r"predictions: \d+ bytes for \d+ labels"):
        analyze(results.__class__(**{**vars(results), "labels": labels}))
