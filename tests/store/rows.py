"""Small rows of cells/ that hold together."""

from typing import Any

import numpy as np

from bench import study
from bench.plan import cells as plan
from bench.plan.cells import Cell
from bench.store.folder import Store

ARMS = ["float", "ptq", "float+k", "ptq+k", "qat", "qat-cal"]
STUDY = study.validate({"title": "Small", "seeds": 2, "budgets": 1, "arms": ARMS}, "tests")
"""12 cells."""

LABELS = np.array([3, 1, 2, 0], dtype=np.int32)


def row(
    cell: Cell, *, right: int = 3, labels: np.ndarray = LABELS, **columns: Any
) -> dict[str, Any]:
    """The row of an evaluated cell, of whose predictions the first `right` equal the labels.

    columns: put in place; n, correct and accuracy follow from the predictions.
    """
    wrong = np.arange(len(labels)) >= right
    predictions = ((labels + wrong) % 4).astype(np.uint8).tobytes()
    predictions = columns.get("predictions", predictions)
    correct = int((np.frombuffer(predictions, np.uint8) == labels).sum())
    n = len(labels)
    numbers = {"n": n, "correct": correct, "accuracy": correct / n, "predictions": predictions}
    return cell.failure("ok", "") | {"error": None} | numbers | columns


def folder(path: Any, rows: list[dict[str, Any]] | None = None) -> Store:
    """A finished folder of STUDY."""
    store = Store(path)
    store.write_study(STUDY)
    store.write_labels("digits", LABELS, list("0123"), [])
    store.append([row(cell) for cell in plan.cells(STUDY)] if rows is None else rows)
    return store
