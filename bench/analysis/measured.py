"""What the rows of one arm at one setting say of one metric: a value per seed, and per example."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.analysis.right import Correct, checked
from bench.errors import InputError
from bench.metrics import Metric
from bench.statistics.checks import FloatArray
from bench.store import measures
from bench.store.spill import Predictions, Spill


@dataclass(frozen=True, eq=False)
class Measures:
    """there: which of the rows have the metric, (rows,); values: float (rows that have it,), in the
    metric's unit; correct, per_example: as Sample's."""

    there: NDArray[np.bool_]
    values: FloatArray
    correct: Correct | None = None
    per_example: NDArray[np.float32] | None = None


class MeasuredRows:
    """The metrics of a cells table. labels: dataset -> (examples,)."""

    def __init__(
        self, cells: Any, labels: Mapping[str, NDArray[Any]], spill: Spill | None = None
    ) -> None:
        self._cells, self._labels = cells, labels
        self._predictions = Predictions(cells, spill)

    def of(self, metric: Metric, dataset: str, rows: Sequence[int]) -> Measures:
        """Raises InputError where labels and predictions do not fit each other."""
        if metric.right_or_wrong and self._predicted(dataset, rows):
            correct = self._correct(dataset, rows)
            n = correct.shape[1]
            values = metric.scale * correct.sum(axis=1) / n
            return Measures(np.ones(len(rows), np.bool_), values, correct)
        numbers = [measures.of_row(self._cells["metrics"], row).get(metric.name) for row in rows]
        there = np.array([number is not None for number in numbers], dtype=np.bool_)
        values = metric.scale * np.array([v for v in numbers if v is not None], np.float64)
        kept = [row for row, known in zip(rows, there, strict=True) if known]
        return Measures(there, values, per_example=self._per_example(metric, dataset, kept))

    def _predicted(self, dataset: str, rows: Sequence[int]) -> bool:
        """Have these rows predictions? Of none it is taken that they would have, if the data have
        classes."""
        if not rows:
            return self._labels.get(dataset, np.empty(0)).dtype.kind == "i"
        return any(self._predictions.size(row) is not None for row in rows)

    def _per_example(
        self, metric: Metric, dataset: str, rows: Sequence[int]
    ) -> NDArray[np.float32] | None:
        """float32 (rows, examples); None where a row has none, or where they are of unlike sets."""
        found = [measures.of_row(self._cells["values"], row).get(metric.name) for row in rows]
        sizes = {None if content is None else len(content) for content in found}
        if len(sizes) != 1 or None in sizes:
            return None
        return np.stack([measures.per_example(content) for content in found if content])

    def _correct(self, dataset: str, rows: Sequence[int]) -> Correct:
        """bool (rows, examples): predictions equal to labels."""
        labels = self._labels.get(dataset)
        if labels is None:
            if not rows:
                return np.empty((0, 1), dtype=np.bool_)
            raise InputError("labels.parquet", f"no labels of {dataset!r}", "allowed: those of run")
        return checked(self._predictions, rows, labels, dataset, self._cells["cell"])
