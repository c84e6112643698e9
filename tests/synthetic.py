"""Seeded result folders: what a run would write, with known arm means and seed SDs.

Every example has a difficulty that all models share; every seed an effect that all of its arms
share, each training within it one more, each arm a last one.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bench import datasets, metrics
from bench.plan import cells as plan
from bench.store import measures
from bench.store.folder import Store
from bench.study import Study
from bench.study.arms import ARMS

Edit = Callable[[dict[str, Any]], dict[str, Any] | None]

DIGITS = {
    # percent correct after 1, 2, 4 and 8 epochs: roughly what digits gives
    "float": (48.0, 88.0, 95.5, 97.6),
    "ptq": (48.1, 88.0, 95.4, 97.6),
    "float+k": (84.0, 92.5, 96.3, 97.7),
    "ptq+k": (83.9, 92.4, 96.2, 97.7),
    "qat": (43.5, 89.5, 96.0, 97.5),
    "qat-recal": (83.9, 92.3, 96.2, 97.6),
    "qat-cal": (80.0, 92.2, 96.2, 97.6),
}


def study(**fields: Any) -> Study:
    defaults: dict[str, Any] = {"title": "Synthetic digits", "seeds": 20}
    return Study.model_validate(defaults | fields)


def write(
    folder: Path,
    study: Study,
    *,
    means: Mapping[str, Sequence[float]] = DIGITS,
    seed_sd: float = 0.5,
    training_sd: float = 0.15,
    arm_sd: float = 0.01,
    n: int = 797,
    classes: int = 10,
    random_state: int = 0,
    counts: Callable[[plan.Cell], int] | None = None,
    edit: Edit = lambda row: row,
    groups: int = 0,
) -> Path:
    """Write a result folder of the study and return it.

    means: arm -> percent correct per budget (the last repeated where there are more budgets);
    seed_sd, training_sd, arm_sd: SD over seeds, in logits, of the effect that all arms of a seed
    share, those of one training, and of each arm's own; n: test examples; counts: how many of
    them, from the first on, a cell has right, in place of all the above; edit: changes a row, or
    drops it by returning None; groups: how many the test examples come in, 0 for none. In a
    regression what is right has a small error, what is wrong a large one.
    """
    rng = np.random.default_rng(random_state)
    dtype = np.uint8 if classes <= 256 else np.dtype("<u2")
    store = Store(folder)
    there = store.labels() if (folder / "labels.parquet").exists() else {}
    labels, difficulty = {}, {}
    for name in sorted({datasets.label(d) for d in study.datasets}):
        drawn = rng.integers(0, classes, n).astype(np.int32)
        labels[name] = there.get(name, drawn)  # two studies in one folder have the same data
        difficulty[name] = rng.normal(0, 2, n)
        names = [str(c) for c in range(classes)]
        of = [f"group {i % groups}" for i in range(n)] if groups else None
        numbers = study.objective.task == "regression"
        written = labels[name].astype(np.float32) if numbers else labels[name]
        store.write_labels(name, written, [] if numbers else names, (), of)
    shared: dict[tuple[Any, ...], tuple[float, np.ndarray]] = {}
    rows = []
    planned = plan.cells(study)
    for cell in planned:
        name = datasets.label(cell.dataset)
        place = (name, cell.model, cell.seed, cell.budget)
        training = (*place, ARMS[cell.arm].training, cell.extra)
        if place not in shared:
            shared[place] = rng.normal(0, seed_sd), rng.logistic(size=n)
        if training not in shared:
            shared[training] = rng.normal(0, training_sd), rng.logistic(size=n)
        # Models of one seed err alike, those of one training even more so.
        effect = shared[place][0] + shared[training][0] + rng.normal(0, arm_sd)
        noise = shared[place][1] + 0.3 * shared[training][1] + 0.05 * rng.logistic(size=n)
        level = means[cell.arm][min(study.budgets.index(cell.budget), len(means[cell.arm]) - 1)]
        right = noise < _logit(level / 100, difficulty[name]) + effect - difficulty[name]
        if counts is not None:
            right = np.arange(n) < counts(cell)
        wrong = (labels[name] + rng.integers(1, classes, n)) % classes
        predictions = np.where(right, labels[name], wrong).astype(dtype)
        row = _row(cell, name, predictions, labels[name])
        if study.objective.task == "regression":
            row |= _measured(study, np.where(right, 0.2, 1.0) + 0.01 * rng.random(n))
        row = edit(row)
        if row is not None:
            rows.append(row)
    store.append(rows)
    store.write_plan([cell.columns for cell in planned])
    store.write_text("study.toml", study.to_toml())
    store.write_metrics(study.declared_metrics())
    store.write_environment({"versions": {"0123abcd": {"python": "3.11", "tensorflow": "2.21.0"}}})
    return folder


def _measured(study: Study, errors: np.ndarray) -> dict[str, Any]:
    """What the row of a regression has in place of predictions."""
    values = {
        name: (errors**2 if name == "mse" else errors).astype(np.float32) for name in study.metrics
    }
    return {
        **dict.fromkeys(("correct", "accuracy", "train_accuracy", "predictions", "ties")),
        "metrics": {name: metrics.mean(each) for name, each in values.items()},
        "values": {name: measures.stored(each) for name, each in values.items()},
    }


def _logit(level: float, difficulty: np.ndarray) -> float:
    """The shift at which the mean of logistic(shift - difficulty) is `level`."""
    low, high = -20.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        if (1 / (1 + np.exp(difficulty - middle))).mean() < level:
            low = middle
        else:
            high = middle
    return middle


def _row(
    cell: plan.Cell, dataset: str, predictions: np.ndarray, labels: np.ndarray
) -> dict[str, Any]:
    arm, n = ARMS[cell.arm], len(labels)
    correct = int((predictions == labels).sum())
    epochs = cell.budget + (cell.extra or 0)
    steps = 32 * epochs
    return {
        **cell.columns,
        "dataset": dataset,
        "status": "ok",
        "error": None,
        "n": n,
        "correct": correct,
        "accuracy": correct / n,
        "loss": 1.0,
        "train_accuracy": correct / n,
        "predictions": predictions.tobytes(),
        "epochs": epochs,
        "steps": steps,
        "examples_seen": 32 * steps,
        "bytes": 20_000,
        "sha256": "0" * 64,
        "number_format": arm.number_format,
        "int8_ops": 9 if arm.number_format == "int8" else 0,
        "float_ops": 0 if arm.number_format == "int8" else 9,
        "int8_tensors": 20 if arm.number_format == "int8" else 0,
        "float_tensors": 0 if arm.number_format == "int8" else 20,
        "ties": 0,
        "disagreements": 0 if arm.number_format == "float32" else None,
        "outputs_at_limit": n // 10 if arm.number_format == "int8" else 0,
        "clipped_inputs": 0.0,
        "requantizations": 0,
        "range_start_left": 0.97 if cell.arm == "qat" else None,
        "train_s": 0.1,
        "convert_s": 0.1,
        "eval_s": 0.1,
        "latency_us": 40.0 + cell.seed % 7,
        "node": "abcdef",
        "cpu": "Test CPU",
        "versions": "0123abcd",
        "finished_at": datetime(2026, 1, 1, tzinfo=UTC),
        "package": "0123456789abcdef",
    }
