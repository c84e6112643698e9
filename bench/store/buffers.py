"""Arrow arrays <-> NumPy arrays by their buffers: pyarrow's own ways import pandas, a second."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def known(chunk: pa.Array) -> NDArray[np.bool_]:
    """Where an array is not null."""
    bitmap = chunk.buffers()[0]
    if bitmap is None:
        return np.full(len(chunk), chunk.null_count == 0)
    bits = np.unpackbits(np.frombuffer(bitmap, np.uint8), bitorder="little")
    return bits[chunk.offset : chunk.offset + len(chunk)].astype(bool)


def numbers(chunk: pa.Array) -> NDArray[Any]:
    """The values of an array of integers or floats, anything where it is null."""
    dtype = np.dtype(str(chunk.type).replace("double", "f8"))
    buffer = chunk.buffers()[1]
    if buffer is None:
        return np.zeros(len(chunk), dtype)
    return np.frombuffer(buffer, dtype, len(chunk), chunk.offset * dtype.itemsize)


def ends(chunk: pa.Array) -> NDArray[np.integer]:
    """Of texts, bytes or maps: where the first value begins and where each ends, (len + 1,)."""
    if not len(chunk):
        return np.zeros(1, np.int64)
    large = pa.types.is_large_string(chunk.type) or pa.types.is_large_binary(chunk.type)
    dtype = np.dtype(np.int64 if large else np.int32)
    return np.frombuffer(chunk.buffers()[1], dtype, len(chunk) + 1, chunk.offset * dtype.itemsize)


def content(chunk: pa.Array) -> NDArray[np.uint8]:
    """All bytes behind an array of texts or bytes; see `ends`."""
    buffer = chunk.buffers()[2]
    return np.frombuffer(b"" if buffer is None else buffer, np.uint8)


def array(values: Sequence[Any], type: pa.DataType) -> pa.Array:
    """`pa.array(values, type)` for texts and numbers."""
    there = np.array([value is not None for value in values], dtype=bool)
    validity = pa.py_buffer(np.packbits(there, bitorder="little"))
    if pa.types.is_string(type):
        encoded = [b"" if value is None else str(value).encode() for value in values]
        offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
        buffers = [validity, pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))]
    else:
        filled = [0 if value is None else value for value in values]
        dtype = str(type).replace("double", "f8")
        buffers = [validity, pa.py_buffer(np.array(filled, dtype=dtype))]
    return pa.Array.from_buffers(type, len(values), buffers)


def of_integers(values: NDArray[np.int64]) -> pa.Array:
    """`pa.array(values)`, int64, none of them null."""
    plain = np.ascontiguousarray(values, np.int64)
    return pa.Array.from_buffers(pa.int64(), len(plain), [None, pa.py_buffer(plain)])


def empty(schema: pa.Schema) -> pa.Table:
    """`schema.empty_table()`."""
    return pa.Table.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)


def picked(table: pa.Table, rows: Sequence[int]) -> pa.Table:
    """These rows of a table: the table itself where they are all of its rows, since picking some
    imports pyarrow.compute, which takes a third of a second."""
    if len(rows) == table.num_rows:
        return table
    return table.take(rows) if rows else table.slice(0, 0)


def fits(values: Sequence[Any], type: pa.DataType) -> bool:
    """Can a column of this type hold all of these texts and numbers as they are?"""
    if pa.types.is_string(type):
        return True
    there = [value for value in values if value is not None]
    if not all(isinstance(value, int | float) for value in there):
        return False
    if pa.types.is_floating(type):
        return True
    limits = np.iinfo(str(type))
    return all(limits.min <= value <= limits.max and value == int(value) for value in there)


def as_text(value: Any) -> str | None:
    """A value for a column of text; None stays null."""
    return value if value is None or isinstance(value, str) else str(value)
