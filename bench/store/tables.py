"""Parquet files as bytes <-> Arrow tables: sealed when written, doubted when read.

Between its pages and its footer, where no reader of Parquet looks, a file that this module wrote
holds the SHA-256 of all its other bytes, so that no changed bit goes unseen. (The page checksums of
Parquet leave out the footer.) A file without a seal is an older version's, or was rewritten by
another program, and is read too.
"""

import hashlib
import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.store.buffers import array, empty, ends, known, numbers
from bench.study.factors import Column

SEAL = b"ptq-vs-qat sha256"
"""Stands before the 32 bytes of the digest."""

MOST_ROWS = 10_000_000
MOST_ROWS_PER_BYTE = 8
"""A row of any file here holds what no compression brings below a bit."""
MOST_BYTES = 512 << 20
"""Of one file's columns, uncompressed or decoded: some ten times what the largest runs write."""
BATCH_BYTES = 32 << 20
"""What is usually decoded at once."""

UNREADABLE = (pa.ArrowException, OSError, ValueError, KeyError, MemoryError, OverflowError)
"""What pyarrow raises on bytes that are no Parquet, or a damaged one."""


class DamagedError(ValueError):
    """A file that cannot be used; the message says why, in a few words."""


def schema_of(columns: Iterable[Column]) -> pa.Schema:
    """The Arrow schema of a table of schema.py, each column's meaning in its metadata."""
    return pa.schema(
        [pa.field(c.name, _arrow_type(c.type), metadata={"meaning": c.meaning}) for c in columns]
    )


def _arrow_type(name: str) -> pa.DataType:
    if name.startswith("list[") and name.endswith("]"):
        return pa.list_(_arrow_type(name[5:-1]))
    if name.startswith("map[") and name.endswith("]"):
        key, _, value = name[4:-1].partition(",")
        return pa.map_(_arrow_type(key), _arrow_type(value))
    return pa.timestamp("us", "UTC") if name.startswith("timestamp") else pa.type_for_alias(name)


def from_rows(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """A table of these rows; null where a row lacks a column. Raises ValueError for a key that is
    no column: it would be lost."""
    unknown = sorted({name for row in rows for name in row} - set(schema.names))
    if unknown:
        raise ValueError(f"no such columns: {', '.join(unknown)}")
    return pa.Table.from_pylist(list(rows), schema=schema)


def encode(table: pa.Table, plain: Collection[str] = ()) -> bytes:
    """A sealed Parquet file. plain: columns whose values are mostly unlike, so that a dictionary
    of them would only cost."""
    # In memory: an exception inside an open stream would leave half a file behind.
    buffer = io.BytesIO()
    writer = pq.ParquetWriter(
        buffer,
        table.schema,
        compression="zstd",
        write_page_checksum=True,
        use_dictionary=[name for name in table.schema.names if name not in plain],
    )
    with writer:
        writer.write_table(table)
    content = buffer.getvalue()
    footer = _footer(content)
    seal = SEAL + hashlib.sha256(content).digest()
    return content[:footer] + seal + content[footer:]


def batches(
    content: bytes,
    schema: pa.Schema,
    *,
    required: Collection[str] = (),
    defaults: Mapping[str, Any] | None = None,
) -> Iterator[pa.Table]:
    """A Parquet file's rows as tables of `schema`, some 32 MB at a time; none if it has no rows.

    Columns that are not in the schema are left out. One that the file lacks is its default
    (`defaults`), else null; of the `required` ones that is an error. Raises DamagedError for what
    does not parse, is not as it was sealed, holds another kind of value than the schema, or claims
    more than a file of its size can hold.
    """
    try:
        sealed = _check_seal(content)
        with pq.ParquetFile(pa.BufferReader(content)) as file:
            at_once = _check_size(file.metadata, len(content))
            present = _present(file.schema_arrow.names, schema, required)
            texts = [f.name for f in file.schema_arrow if _kind(f.type) in ("text", "bytes")]
        # A file of unknown origin may repeat one long text in every row: it stays a dictionary
        # until it is known how long the column would be.
        with pq.ParquetFile(
            pa.BufferReader(content),
            page_checksum_verification=True,
            read_dictionary=[] if sealed else texts,
        ) as file:
            left = MOST_BYTES
            for batch in file.iter_batches(at_once, columns=present):
                left -= batch.nbytes + sum(map(_decoded_bytes, batch.columns))
                if left < 0:
                    raise DamagedError(f"decodes to more than {MOST_BYTES:,} bytes")
                table = _fitted(batch, schema, defaults or {})
                table.validate(full=True)  # text that is no UTF-8
                yield table
    except DamagedError:
        raise
    except UNREADABLE as error:
        raise DamagedError(_first_line(error)) from None


def decode(content: bytes, schema: pa.Schema, **options: Any) -> pa.Table:
    """All of `batches` as one table."""
    return pa.concat_tables([empty(schema), *batches(content, schema, **options)])


def uncompressed(content: bytes) -> int:
    """Bytes of a Parquet file's columns; 0 where it does not parse."""
    try:
        metadata = pq.read_metadata(pa.BufferReader(content))
    except UNREADABLE:
        return 0
    return sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))


def columns_of(content: bytes) -> tuple[str, ...]:
    """Names of a Parquet file's columns. Raises DamagedError."""
    try:
        return tuple(pq.read_schema(pa.BufferReader(content)).names)
    except UNREADABLE as error:
        raise DamagedError(_first_line(error)) from None


def _footer(content: bytes) -> int:
    """Where a Parquet file's footer begins, by the length that stands before its last 4 bytes."""
    return max(0, len(content) - 8 - int.from_bytes(content[-8:-4], "little"))


def _check_seal(content: bytes) -> bool:
    """Whether a file is sealed. Raises DamagedError where it is the seal of other bytes."""
    footer = _footer(content)
    digest = footer - hashlib.sha256().digest_size
    seal = digest - len(SEAL)
    if seal < 0 or content[seal:digest] != SEAL:
        return False
    view = memoryview(content)
    found = hashlib.sha256(view[:seal])
    found.update(view[footer:])
    if found.digest() != content[digest:footer]:
        raise DamagedError("changed since it was written: its SHA-256 is another")
    return True


def _check_size(metadata: pq.FileMetaData, size: int) -> int:
    """How many rows to decode at once. Raises DamagedError for what cannot be true."""
    rows = metadata.num_rows
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    if rows > min(MOST_ROWS, MOST_ROWS_PER_BYTE * size):
        raise DamagedError(f"claims {rows:,} rows in {size:,} bytes")
    claimed = sum(group.total_byte_size for group in groups)
    if claimed > MOST_BYTES or rows < 0 or any(group.total_byte_size < 0 for group in groups):
        raise DamagedError(f"claims {claimed:,} bytes of columns, at most {MOST_BYTES:,} are read")
    if sum(group.num_rows for group in groups) != rows:
        raise DamagedError("its row groups do not add up to its rows")
    return int(max(1, BATCH_BYTES * rows // max(claimed, 1)))


def _decoded_bytes(column: pa.Array) -> int:
    """Bytes that a dictionary of texts becomes once it is none; 0 of any other column."""
    if not pa.types.is_dictionary(column.type) or _kind(column.type) not in ("text", "bytes"):
        return 0
    lengths = np.diff(ends(column.dictionary))
    return int(lengths[numbers(column.indices)[known(column.indices)]].sum())


def _present(names: Sequence[str], schema: pa.Schema, required: Collection[str]) -> list[str]:
    twice = next((name for name in schema.names if list(names).count(name) > 1), None)
    if twice is not None:
        raise DamagedError(f"two columns {twice!r}")
    missing = [name for name in schema.names if name in required and name not in names]
    if missing:
        raise DamagedError(f"no column {missing[0]!r}")
    return [name for name in schema.names if name in names]


def _fitted(batch: pa.RecordBatch, schema: pa.Schema, defaults: Mapping[str, Any]) -> pa.Table:
    columns = []
    for field in schema:
        if field.name not in batch.schema.names:
            default = defaults.get(field.name)
            if default is None:
                columns.append(pa.nulls(batch.num_rows, field.type))
            else:
                columns.append(array([default] * batch.num_rows, field.type))
            continue
        column = batch.column(field.name)
        # Casting imports pyarrow.compute: a third of a second.
        columns.append(column if column.type == field.type else _cast(column, field))
    return pa.Table.from_arrays(columns, schema=schema)


def _cast(column: pa.Array, field: pa.Field) -> pa.Array:
    kind = _kind(column.type)
    if kind not in (_kind(field.type), "null"):
        raise DamagedError(f"column {field.name!r} holds {kind}, not {field.type}")
    try:
        return column.cast(field.type)
    except pa.ArrowException as error:
        raise DamagedError(f"column {field.name!r}: {_first_line(error)}") from None


def _kind(type: pa.DataType) -> str:
    if pa.types.is_dictionary(type):
        return _kind(type.value_type)
    for kind, tests in (
        ("numbers", (pa.types.is_integer, pa.types.is_floating)),
        ("text", (pa.types.is_string, pa.types.is_large_string)),
        ("bytes", (pa.types.is_binary, pa.types.is_large_binary)),
        ("times", (pa.types.is_timestamp,)),
        ("lists", (pa.types.is_list, pa.types.is_large_list)),
        ("maps", (pa.types.is_map,)),
    ):
        if any(test(type) for test in tests):
            return kind
    return str(type)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]
