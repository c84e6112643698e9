"""A pipeline that trains nothing: what is left is the program itself. See scale.py."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from bench.datasets import Dataset
from bench.plan.cells import Cell
from bench.plan.trajectories import Fork, Segment
from bench.study.arms import ARMS

NOW = datetime.now(UTC)


def prepare() -> None: ...


def trace(data: Dataset, segments: Sequence[Segment]) -> None: ...


def probe(data: Dataset, segment: Segment, fork: Fork) -> dict[str, Any]:
    """Every model can be used, every arm computed."""
    return {"unusable": None, "unsupported": None, "batch_norms": 1}


def run_segment(data: Dataset, segment: Segment, before: Any) -> Any:
    return segment.budget


def run_fork(data: Dataset, segment: Segment, fork: Fork, checkpoint: Any) -> list[dict[str, Any]]:
    return [row(data, cell) for cell in fork.cells]


def row(data: Dataset, cell: Cell) -> dict[str, Any]:
    """A valid row whose predictions are drawn, some 30 microseconds."""
    wrong = (data.y_test + 1) % len(data.classes)
    right = np.random.default_rng(int(cell.id, 16)).random(len(data.y_test)) < 0.9
    predictions = np.where(right, data.y_test, wrong).astype(np.uint8)
    correct = int(right.sum())
    return {
        **cell.columns,
        "status": "ok",
        "n": len(data.y_test),
        "correct": correct,
        "accuracy": correct / len(data.y_test),
        "predictions": predictions.tobytes(),
        "number_format": ARMS[cell.arm].number_format,
        "disagreements": 0,
        "finished_at": NOW,
    }
