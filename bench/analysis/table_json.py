"""JSON -> Arrow tables: an object per line, a list of objects, or an object of columns.

What pandas writes with to_json, with or without lines. Read value by value, since nothing may be
guessed: a text that looks like a date is a text.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from bench.errors import InputError

ALLOWED = "allowed: JSON as an object per row (in lines or in one list), or an object of columns"


def is_json(data: bytes) -> bool:
    return data[:4096].lstrip()[:1] in (b"{", b"[")


def read_json(path: Path, data: bytes) -> pa.Table:
    """Raises InputError naming the line where the text is none of these."""
    text = data.decode()
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            where = f"line {error.lineno}: {error.msg}"
            raise InputError(str(path), f"damaged JSON in {where}", ALLOWED) from None
        return _of_rows(path, _lines(path, text))
    except RecursionError:
        raise InputError(str(path), "JSON nested too deeply", ALLOWED) from None
    if not isinstance(found, dict):
        return _of_rows(path, found if isinstance(found, list) else [found])
    if not found or not all(isinstance(v, dict | list) for v in found.values()):
        return _of_rows(path, [found])
    columns = {k: list(v.values()) if isinstance(v, dict) else v for k, v in found.items()}
    rows = len(next(iter(columns.values())))
    if any(len(values) != rows for values in columns.values()):
        raise InputError(str(path), "JSON with columns of unlike length", ALLOWED)
    return pa.table([_column(values) for values in columns.values()], names=list(columns))


def _lines(path: Path, text: str) -> list[Any]:
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except (json.JSONDecodeError, RecursionError):
                found = f"line {number} is no JSON object"
                raise InputError(str(path), found, ALLOWED) from None
    return rows


def _of_rows(path: Path, rows: Sequence[Any]) -> pa.Table:
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            found = f"JSON whose row {number} is no object: {json.dumps(row)[:40]}"
            raise InputError(str(path), found, ALLOWED)
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table([_column([row.get(name) for row in rows]) for name in names], names=names)


def _column(values: Sequence[Any]) -> pa.Array:
    """Numbers where all are; what is mixed, or longer than 64 bits, is text as it stands there."""
    kinds = {type(v) for v in values if v is not None}
    if kinds & {dict, list}:
        nested = pa.struct([]) if dict in kinds else pa.list_(pa.null())
        return pa.array([{} if dict in kinds else [] for _ in values], nested)
    if kinds <= {bool} or kinds <= {str}:
        return pa.array(values, None if kinds else pa.null())
    if kinds <= {int, float}:
        large = [v for v in values if isinstance(v, int) and abs(v) >= 2**53]
        if float in kinds and all(int(float(v)) == v for v in large if abs(v) < 2**1000):
            return pa.array([None if v is None else float(v) for v in values], pa.float64())
        if float not in kinds and all(-(2**63) <= v < 2**63 for v in large):
            return pa.array(values, pa.int64())
    return pa.array([v if v is None or isinstance(v, str) else json.dumps(v) for v in values])
