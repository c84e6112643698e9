"""Columns as codes into their distinct values, and what a value of a column is converted to."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bench.analysis.records import Value
from bench.errors import InputError
from bench.statistics.checks import IntArray

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ufffe\uffff]")  # in no XML, on no terminal
_DENSE = 4  # whole numbers per row


@dataclass(frozen=True)
class Coded:
    """A column as codes into its distinct values, sorted unless said otherwise; None is first."""

    codes: IntArray  # int64 (rows,)
    values: tuple[Value, ...]

    def by_appearance(self) -> "Coded":
        """The same with the values in the order in which the rows first have them."""
        order = distinct(self.codes)[np.argsort(firsts(numbered(self.codes)))]
        rank = np.empty(len(self.values), dtype=np.int64)
        rank[order] = np.arange(len(order))
        return Coded(rank[self.codes], tuple(self.values[code] for code in order))


def coded(column: pa.ChunkedArray, where: str, convert: Callable[[Any], Value]) -> Coded:
    """Codes into the converted distinct values, sorted, so that the rows' order does not matter.

    What is missing, and what converts to None, is None. where: for errors of arrow's.
    """
    encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    indices = encoded.indices
    if indices.null_count:
        indices = pc.fill_null(indices, -1)  # which imports pandas
    raw = np.from_dlpack(indices.cast(pa.int64()))
    distinct = [None if v is None else convert(v) for v in encoded.dictionary.to_pylist()]
    for value in distinct:
        if isinstance(value, str) and _UNPRINTABLE.search(value):
            found = f"{value[:60]!r}, with characters that cannot be shown"
            raise InputError(where, found, "allowed: plain text; --ignore leaves a column out")
    values = sorted(set(distinct), key=lambda v: (v is not None, isinstance(v, str), v))
    if raw.size and raw.min() < 0 and None not in values:
        values.insert(0, None)
    at = {value: code for code, value in enumerate(values)}
    recode = np.array([*(at[value] for value in distinct), at.get(None, 0)], dtype=np.int64)
    return Coded(recode[raw], tuple(values))


def codes_of_numbers(column: pa.ChunkedArray) -> IntArray:
    """Codes into the distinct numbers, by appearance; what is missing or no number is one."""
    if pa.types.is_floating(column.type):
        wide = pc.add(column.cast(pa.float64(), safe=False), 0.0)  # -0 is 0
        column = pc.if_else(pc.is_nan(wide), None, wide)
    encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    codes: IntArray = np.asarray(encoded.indices).astype(np.int64)
    return codes


def grouped(columns: Mapping[str, Coded], rows: int) -> IntArray:
    """Each row's combination of the columns' values as a number from 0, in the values' order."""
    group = np.zeros(rows, dtype=np.int64)
    for column in columns.values():
        # Renumbered after each column: products of many columns' sizes would overflow.
        group = numbered(group * len(column.values) + column.codes)
    return group


def distinct(codes: IntArray) -> IntArray:
    """The distinct ones of whole numbers from 0, sorted."""
    if not _is_dense(codes):
        return np.unique(codes)
    return np.flatnonzero(_which(codes))


def numbered(codes: IntArray) -> IntArray:
    """The same whole numbers from 0 without gaps: each as its place among the distinct ones."""
    if not _is_dense(codes):
        _, place = np.unique(codes, return_inverse=True)
        dense: IntArray = place
        return dense
    place = np.cumsum(_which(codes))
    place -= 1
    dense = place[codes]
    return dense


def firsts(numbers: IntArray) -> IntArray:
    """Where each of 0, 1 ..., all of which are there, stands first."""
    first = np.empty(int(numbers.max(initial=-1)) + 1, dtype=np.int64)
    first[numbers[::-1]] = np.arange(numbers.size)[::-1]  # of several, the last one written stays
    return first


def sorted_by(codes: IntArray) -> IntArray:
    """What sorts distinct whole numbers from 0."""
    if not _is_dense(codes):
        return np.argsort(codes)
    at = np.full(int(codes.max()) + 1, -1)
    at[codes] = np.arange(codes.size)
    order: IntArray = at[at >= 0]
    return order


def _is_dense(codes: IntArray) -> bool:
    """Are they so small that an array over all of them costs less than sorting?"""
    return bool(codes.size) and int(codes.max()) < _DENSE * codes.size


def _which(codes: IntArray) -> NDArray[np.bool_]:
    there = np.zeros(int(codes.max()) + 1, dtype=np.bool_)
    there[codes] = True
    return there


def row_name(index: int) -> str:
    return f"row {index + 1}"


def as_arm(where: str) -> Callable[[Any], str | None]:
    def convert(value: Any) -> str | None:
        if isinstance(value, dict | list | bytes):
            raise InputError(where, repr(value)[:60], "allowed: a name")
        return " ".join(str(value).split()) or None

    return convert


def as_whole(
    where: str, least: int | None = None, most: int | None = None
) -> Callable[[Any], int | None]:
    allowed = "allowed: whole numbers" + ("" if least is None else f" from {least}")
    allowed += "" if most is None else f" to {most:,}"

    def convert(value: Any) -> int | None:
        if isinstance(value, str):
            value = value.strip()
            if not value:
                return None
        try:
            number = int(value)  # also of text, exactly
        except (ValueError, TypeError, OverflowError):
            try:  # 5.0
                number = int(float(value))
                if number != float(value):
                    raise ValueError
            except (ValueError, TypeError, OverflowError):
                raise InputError(where, repr(value)[:60], allowed) from None
        if number != value and not isinstance(value, str):
            raise InputError(where, repr(value)[:60], allowed)
        if (least is not None and number < least) or (most is not None and number > most):
            raise InputError(where, repr(value)[:60], allowed)
        return number

    return convert


def as_number(where: str) -> Callable[[Any], float | None]:
    def convert(value: Any) -> float | None:
        try:
            number = float(value)
        except (ValueError, TypeError):
            raise InputError(where, repr(value)[:60], "allowed: numbers") from None
        return None if number != number else number

    return convert


def as_factor(value: Any) -> Any:
    if isinstance(value, float) and value != value:
        return None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def refuse_spoiled_numbers(column: pa.ChunkedArray, where: str) -> None:
    """A metric with one word in it reads as text, and would silently become a factor; likewise one
    of whole numbers that are too long for a float."""
    if not pa.types.is_string(column.type):
        return
    distinct = [v for v in column.unique().to_pylist() if v]
    spoiled = [v for v in distinct if not reads_as_number(v)]
    if not spoiled and (long := [v for v in distinct if _is_too_long(v)]):
        raise InputError(
            where,
            f"{long[0][:60]} in {row_name(column.index(long[0]).as_py())}, a whole number that no "
            "float holds",
            "allowed: whole numbers below 2^62, numbers with a decimal point, or a column that "
            "--ignore names",
        )
    if spoiled and len(distinct) >= 2 * len(spoiled):
        row = column.index(spoiled[0]).as_py()
        raise InputError(
            where,
            f"{spoiled[0][:60]!r} in {row_name(row)}, numbers elsewhere",
            "allowed: numbers (empty where missing), or text, or a column that --factors or "
            "--ignore names",
        )


def _is_too_long(text: str) -> bool:
    whole = text.strip().lstrip("+-")
    return whole.isdecimal() and len(whole) > 15 and int(float(text)) != int(text)


def reads_as_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
