"""Metrics in rows of cells/: the columns `metrics` and `values`, checked and read."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bench.store import buffers
from bench.store.labels import Labels

CLOSE = 1e-9
"""Relative difference of a metric and the mean of its values that other sums of float64 bring."""


def of_row(column: pa.ChunkedArray, row: int) -> dict[str, Any]:
    """What a row has of `metrics` (name -> number) or of `values` (name -> bytes)."""
    return dict(column[row].as_py() or ())


def per_example(content: bytes) -> NDArray[np.float32]:
    """The values of a metric, (n,)."""
    return np.frombuffer(content, "<f4")


def stored(values: NDArray[np.float32]) -> bytes:
    """What a row holds of these values."""
    return values.astype("<f4").tobytes()


def contradiction(
    metrics: Mapping[str, float | None], values: Mapping[str, bytes], n: int | None
) -> str | None:
    """What in a row's metrics does not fit, None where all does. n: test examples."""
    for name, content in values.items():
        if name not in metrics:
            return f"values of {name!r}, and no metric of that name"
        if n is None or len(content) != 4 * n:
            return f"{len(content)} bytes of values of {name!r} for n = {n}"
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(per_example(content).mean(dtype=np.float64))
        value = metrics[name]
        if value is None or not np.isclose(mean, value, rtol=CLOSE, atol=0.0, equal_nan=True):
            return f"{name} is {value}, and the mean of its values {mean}"
    return None


def contradictions(
    table: pa.Table, rows: NDArray[np.bool_], datasets: Sequence[str | None], labels: Labels
) -> dict[int, str]:
    """row -> what in its metrics does not fit, of these rows of a table with `values`, `metrics`
    and `n`; datasets: of each row of it."""
    there = np.concatenate([np.zeros(0, bool), *map(buffers.known, table["values"].chunks)])
    found = {}
    for row in np.flatnonzero(there & rows).tolist():
        metrics, values = of_row(table["metrics"], row), of_row(table["values"], row)
        n, dataset = table["n"][row].as_py(), datasets[row]
        why = contradiction(metrics, values, n)
        known = labels.get(dataset or "")
        if why is None and values and known is not None and n != len(known):
            why = f"n is {n}, and {dataset!r} has {len(known)} labels"
        if why is not None:
            found[row] = why
    return found


def measured(table: pa.Table) -> NDArray[np.bool_]:
    """bool (rows,): has the row a metric?"""
    parts = [np.zeros(0, bool)]
    for chunk in table["metrics"].chunks:
        parts.append(buffers.known(chunk) & (np.diff(buffers.ends(chunk)) > 0))
    return np.concatenate(parts)
