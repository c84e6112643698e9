"""A file with somebody's own table -> an Arrow table of numbers, texts and what is neither.

CSV (see table_text), JSON (see table_json) or Parquet. What was not as expected is said in a
remark; what cannot be read is one error.
"""

import ast
import re
import zlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bench.analysis import table_json, table_text
from bench.analysis.table_text import ALLOWED, LIKELY
from bench.errors import InputError, nearest

_NAMELESS = re.compile(r"(?:|Unnamed: \d+(?:_level_\d+)?|__index_level_\d+__)", re.IGNORECASE)
NEEDED = ("seed", "arm")
_ALLOWED = {
    NEEDED: "seed, arm and one or more metrics",
    ("seed",): "seed and, with --wide, a column per arm",
}


def read(
    path: Path, renamed: Mapping[str, str], needed: tuple[str, ...] = NEEDED
) -> tuple[pa.Table, list[str]]:
    """The table and remarks on how it was read.

    renamed: column -> what it is called here (such as seed or arm); needed: columns that must be
    there then. Columns without a name are called `Unnamed: i`. Raises InputError naming the file,
    or `--columns`.
    """
    if not path.is_file():
        raise InputError(str(path), "no such file", ALLOWED)
    remarks: list[str] = []
    try:
        with path.open("rb") as file:
            magic = file.read(4)
        if magic == b"PAR1":
            with pq.ParquetFile(path) as file:
                table = file.read()
        else:
            data, remarks = table_text.decoded(path, table_text.content(path))
            if table_json.is_json(data):
                table = table_json.read_json(path, data)
            else:
                table, said = table_text.read_csv(path, data, renamed)
                remarks += said
    except (pa.ArrowException, OSError, EOFError, ValueError, zlib.error) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(str(path), " ".join(str(error).split()), ALLOWED) from None
    return plain(table, path, renamed, needed), remarks


def plain(
    table: pa.Table,
    path: Path,
    renamed: Mapping[str, str],
    needed: tuple[str, ...] = NEEDED,
) -> pa.Table:
    """A table with the columns that are needed, by plain names and without encodings that carry no
    meaning; path: what messages call it. Raises InputError as `read` does."""
    names = [" ".join(name.split()) for name in _flat(table.column_names)]
    names = [f"Unnamed: {i}" if _NAMELESS.fullmatch(n) else n for i, n in enumerate(names)]
    names = _renamed(names, renamed)
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        raise InputError(str(path), f"two columns {twice[0]!r}", "allowed: each name once")
    _require(path, names, needed)
    if table.num_rows == 0:
        raise InputError(str(path), "no rows", "allowed: one row per seed and arm")
    return pa.table([_plain(c) for c in table.columns], names=names)


def _flat(names: list[str]) -> list[str]:
    """pandas writes names of several levels as tuples: ('accuracy', '') is accuracy."""
    if not names or not all(name.startswith("(") and name.endswith(")") for name in names):
        return names
    try:
        levels = [ast.literal_eval(name) for name in names]
    except (ValueError, SyntaxError):
        return names
    if not all(isinstance(level, tuple) for level in levels):
        return names
    return [" ".join(str(part) for part in level if str(part).strip()) for level in levels]


def is_nameless(name: str) -> bool:
    return _NAMELESS.fullmatch(name) is not None


def _renamed(names: list[str], renamed: Mapping[str, str]) -> list[str]:
    for old, new in renamed.items():
        if old not in names:
            raise InputError("--columns", f"no column {old!r}", nearest(old, names))
        if new in names and new not in renamed:
            raise InputError(
                "--columns",
                f"{old!r} as {new!r}, and a column {new!r} is there already",
                "allowed: each name once",
            )
    return [renamed.get(name, name) for name in names]


def _require(path: Path, names: list[str], needed: tuple[str, ...]) -> None:
    """seed and arm must be there; else what likely stands in for them is offered."""
    absent = [role for role in needed if role not in names]
    if not absent:
        return
    free = {re.sub(r"[\s_-]+", "_", name.lower()): name for name in reversed(names)}
    found: dict[str, str] = {}
    for role in absent:
        likely = [f for alias in LIKELY[role] for f in (alias, f"{alias}s") if f in free]
        if likely:
            found[role] = free.pop(likely[0])
    mapping = ", ".join(f"{name}={role}" for role, name in found.items())
    hint = f'did you mean --columns "{mapping}"? ' if mapping else ""
    shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    raise InputError(
        str(path),
        f"no column {' and no column '.join(repr(role) for role in absent)}",
        f"{hint}allowed: {_ALLOWED[needed]} (found: {shown})",
    )


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Without encodings that carry no meaning here: categories, extension types, decimals."""
    if isinstance(column.type, pa.ExtensionType):
        column = column.cast(column.type.storage_type)
    if pa.types.is_run_end_encoded(column.type):
        column = pa.chunked_array([pc.run_end_decode(chunk) for chunk in column.chunks])
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_decimal(column.type):
        column = table_text.unless_exact(column.cast(pa.float64()), column.cast(pa.string()))
    if pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        column = column.cast(pa.string())
    return column
