"""Predictions of many models outside of the memory: in a file without a name."""

import os
import tempfile

import numpy as np
import pyarrow as pa

from bench.store import buffers

COLUMN = "predictions"
AT, SIZE = "predictions_at", "predictions_size"
"""Columns that stand for it where it was moved: int64, -1 where a row has none."""


class Spill:
    """Holds what was moved to it until nobody refers to it any more."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        self._end = 0

    def moved(self, table: pa.Table) -> pa.Table:
        """The table with AT and SIZE in place of its predictions."""
        column = table[COLUMN]
        at, size = [], []
        for chunk in column.chunks or [pa.nulls(0, column.type)]:
            ends, known = buffers.ends(chunk).astype(np.int64), buffers.known(chunk)
            content = buffers.content(chunk)[ends[0] : ends[-1]]
            at.append(np.where(known, self._end + ends[:-1] - ends[0], -1))
            size.append(np.where(known, np.diff(ends), -1))
            self._file.write(content.tobytes())
            self._end += content.size
        self._file.flush()
        table = table.drop_columns([COLUMN])
        for name, values in ((AT, at), (SIZE, size)):
            table = table.append_column(name, buffers.of_integers(np.concatenate(values)))
        return table

    def read(self, at: int, size: int) -> bytes:
        return os.pread(self._file.fileno(), size, at)


class Predictions:
    """The predictions of the rows of a cells table, wherever they are."""

    def __init__(self, cells: pa.Table, spill: Spill | None) -> None:
        self._column = None if spill is not None else cells[COLUMN]
        self._spill = spill
        if spill is not None:
            self._at, self._size = (
                np.concatenate([np.zeros(0, np.int64), *map(buffers.numbers, cells[name].chunks)])
                for name in (AT, SIZE)
            )

    def size(self, row: int) -> int | None:
        """Bytes of a row's predictions; None where it has none."""
        if self._column is None:
            return None if self._size[row] < 0 else int(self._size[row])
        buffer = self._column[row].as_buffer()
        return None if buffer is None else int(buffer.size)

    def of(self, row: int) -> bytes | pa.Buffer:
        """A row's predictions; empty where it has none."""
        if self._spill is not None:
            return self._spill.read(int(self._at[row]), max(int(self._size[row]), 0))
        assert self._column is not None
        buffer = self._column[row].as_buffer()
        return b"" if buffer is None else buffer
