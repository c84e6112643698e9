"""Which test examples the models of a sample have right, made of their predictions when asked."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import InputError
from bench.statistics.checks import IntArray
from bench.store.spill import Predictions

_HELD = 4
"""Matrices that are kept: a contrast has two samples."""


class Right:
    """bool (models, examples), as an array that is not in memory: predictions equal to labels.

    What NumPy needs of it is here; anything else is `np.asarray` of it.
    """

    def __init__(self, predictions: Predictions, rows: Sequence[int], labels: NDArray[Any]) -> None:
        self._predictions, self._rows, self._labels = predictions, tuple(rows), labels
        self.shape = len(self._rows), len(labels)
        self.dtype = np.dtype(np.bool_)

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.bool_]:
        whole = _whole(self)
        return whole if dtype is None else whole.astype(dtype)

    def __getitem__(self, at: Any) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = _whole(self)[at]
        return found

    def sum(self, axis: int, dtype: Any = np.int64) -> IntArray:
        """How many are right, per model (axis 1) or per example (axis 0)."""
        found: IntArray = _whole(self).sum(axis=axis, dtype=dtype)
        return found

    def made(self) -> NDArray[np.bool_]:
        correct = np.empty(self.shape, dtype=np.bool_)
        n = self.shape[1]
        for at, row in enumerate(self._rows):
            content = self._predictions.of(row)
            kind = np.uint8 if len(memoryview(content)) == n else np.dtype("<u2")
            np.equal(np.frombuffer(content, kind), self._labels, out=correct[at])
        return correct


@lru_cache(maxsize=_HELD)
def _whole(right: Right) -> NDArray[np.bool_]:
    made = right.made()
    made.flags.writeable = False  # it is everybody's
    return made


def checked(
    predictions: Predictions,
    rows: Sequence[int],
    labels: NDArray[Any],
    dataset: str,
    cells: Any,
) -> Right:
    """Raises InputError where a row has another number of predictions than there are labels."""
    n = len(labels)
    for row in rows:
        size = predictions.size(row) or 0
        if size not in (n, 2 * n):
            raise InputError(
                f"cells, {cells[row].as_py()}, predictions",
                f"{size} bytes for {n} labels of {dataset!r}",
                f"allowed: {n} (uint8) or {2 * n} (uint16)",
            )
    narrow = labels.astype(np.uint8) if n and labels.min() >= 0 and labels.max() < 256 else labels
    return Right(predictions, rows, narrow)


Correct = NDArray[np.bool_] | Right
"""Of a sample: in memory, or not."""
