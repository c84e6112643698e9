"""What the rows of one arm at one setting say of one metric: a value per seed, and per example."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import InputError
from bench.metrics import Metric
from bench.statistics.checks import FloatArray
from bench.store import measures


@dataclass(frozen=True, eq=False)
class Measures:
    """there: which of the rows have the metric, (rows,); values: float (rows that have it,), in the
    metric's unit; correct, per_example: as Sample's."""

    there: NDArray[np.bool_]
    values: FloatArray
    correct: NDArray[np.bool_] | None = None
    per_example: NDArray[np.float32] | None = None


class MeasuredRows:
    """The metrics of a cells table. labels: dataset -> (examples,)."""

    def __init__(self, cells: Any, labels: Mapping[str, NDArray[Any]]) -> None:
        self._cells, self._labels = cells, labels

    def of(self, metric: Metric, dataset: str, rows: Sequence[int]) -> Measures:
        """Raises InputError where labels and predictions do not fit each other."""
        if metric.right_or_wrong and self._predicted(dataset, rows):
            correct = self._correct(dataset, rows)
            n = correct.shape[1]
            values = metric.scale * correct.sum(axis=1, dtype=np.int64) / n
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
        return any(self._cells["predictions"][row].is_valid for row in rows)

    def _per_example(
        self, metric: Metric, dataset: str, rows: Sequence[int]
    ) -> NDArray[np.float32] | None:
        """float32 (rows, examples); None where a row has none, or where they are of unlike sets."""
        found = [measures.of_row(self._cells["values"], row).get(metric.name) for row in rows]
        sizes = {None if content is None else len(content) for content in found}
        if len(sizes) != 1 or None in sizes:
            return None
        return np.stack([measures.per_example(content) for content in found if content])

    def _correct(self, dataset: str, rows: Sequence[int]) -> NDArray[np.bool_]:
        """bool (rows, examples): predictions equal to labels."""
        labels = self._labels.get(dataset)
        if labels is None:
            if not rows:
                return np.empty((0, 1), dtype=np.bool_)
            raise InputError("labels.parquet", f"no labels of {dataset!r}", "allowed: those of run")
        n = len(labels)
        column = self._cells["predictions"]
        correct = np.empty((len(rows), n), dtype=np.bool_)
        for at, row in enumerate(rows):
            buffer = column[row].as_buffer()
            size = 0 if buffer is None else buffer.size
            if size not in (n, 2 * n):
                raise InputError(
                    f"cells, {self._cells['cell'][row].as_py()}, predictions",
                    f"{size} bytes for {n} labels of {dataset!r}",
                    f"allowed: {n} (uint8) or {2 * n} (uint16)",
                )
            predictions = np.frombuffer(buffer, np.uint8 if size == n else np.dtype("<u2"))
            np.equal(predictions, labels, out=correct[at])
        return correct
