"""Parquet as the Hugging Face hub lays it out: splits of any number of shards, in any folder.

Read in batches: a small file can hold millions of rows, and one row a value that fills the memory.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from bench.datasets.reading import labels as labels_of
from bench.datasets.reading.labels import Labels
from bench.datasets.reading.limits import affordable
from bench.datasets.reading.splits import TEST, TRAIN
from bench.errors import InputError

GROUPS = ("group", "speaker_id", "speaker")
"""Columns that say which test examples belong together, by rank."""

_DEEPEST = 3
BLOBS_AT_ONCE = 512
VALUES_AT_ONCE = 1 << 14
BATCH_BYTES = 128 << 20
PACKED = 4
"""Encoded images and sound do not get so many times as small by compression."""
_SHARD = re.compile(r"(?P<split>.+)-(?P<i>\d+)-of-(?P<n>\d+)(-[0-9a-f]+)?")
_PART = re.compile(rf"(?P<split>{'|'.join(TRAIN + TEST)})[-_.]?(?P<i>\d+)", re.IGNORECASE)


def is_struct_of_bytes(kind: Any) -> bool:
    """Is an Arrow type a struct with a binary field `bytes`, as the hub has images and sound?"""
    import pyarrow as pa

    if not pa.types.is_struct(kind) or kind.get_field_index("bytes") < 0:
        return False
    of = kind.field("bytes").type
    return bool(pa.types.is_binary(of) or pa.types.is_large_binary(of))


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turns whatever pyarrow raises on a file into an InputError that names it."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, ValueError, KeyError, MemoryError, OverflowError) as error:
        if isinstance(error, InputError):
            raise
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(
            str(path), f"not readable as Parquet ({lines[0][:200]})", "allowed: a whole file"
        ) from None


def shards(path: Path) -> dict[str, tuple[Path, ...]]:
    """Split -> its files in order, of a folder or of one file. Raises InputError if a shard is
    missing or if the folder holds several configurations of a data set."""
    if path.is_file():
        return {path.stem: (path,)}
    found: dict[str, dict[int, Path]] = {}
    counts: dict[str, set[int]] = {}
    configurations: dict[str, Path] = {}
    for file in files_in(path, "*.parquet"):
        configuration, split, index, count = _place(file)
        if configurations.setdefault(split, configuration) != configuration:
            several = sorted({str(configurations[split]), str(configuration)})
            raise InputError(
                str(path), f"{split!r} in {' and in '.join(several)}", "allowed: one of them"
            )
        if index in found.setdefault(split, {}):
            raise InputError(
                str(path),
                f"{found[split][index].name} and {file.name} are the same part of {split!r}",
                "allowed: each part once",
            )
        found[split][index] = file
        counts.setdefault(split, set()).add(count)
    for split, parts in found.items():
        declared = counts[split] - {0}
        if declared and (len(counts[split]) > 1 or set(parts) != set(range(max(declared)))):
            raise InputError(
                str(path),
                f"{len(parts)} of {max(declared)} shards of {split!r}",
                f"allowed: all of them, {split}-00000-of-{max(declared):05d}.parquet and so on",
            )
    return {split: tuple(parts[i] for i in sorted(parts)) for split, parts in found.items()}


def files_in(folder: Path, pattern: str) -> list[Path]:
    """Files of a folder and its folders, to some depth, without hidden ones; sorted."""
    return sorted(
        file
        for depth in range(_DEEPEST)
        for file in folder.glob("*/" * depth + pattern)
        if file.is_file() and not any(p.startswith(".") for p in file.relative_to(folder).parts)
    )


def _place(file: Path) -> tuple[Path, str, int, int]:
    """(configuration's folder, split, index, number of shards or 0) by the file's name."""
    if match := _SHARD.fullmatch(file.stem):
        return file.parent, match["split"], int(match["i"]), int(match["n"])
    if file.stem.isdigit():  # as the hub converts: plain_text/train/0000.parquet
        return file.parent.parent, file.parent.name, int(file.stem), 0
    if match := _PART.fullmatch(file.stem):
        return file.parent, match["split"], int(match["i"]), 0
    return file.parent, file.stem, 0, 0


@lru_cache(maxsize=256)
def _digest(path: Path, size: int, changed: int) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def digest(path: Path) -> bytes:
    """SHA-256 of a file's bytes, taken once as long as it is the same."""
    about = path.stat()
    return _digest(path, about.st_size, about.st_mtime_ns)


@dataclass(frozen=True)
class Shards:
    """The files of one split as one table."""

    paths: tuple[Path, ...]

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Rows of each file. Raises InputError."""
        import pyarrow.parquet as pq

        counts = []
        for path in self.paths:
            with readable(path):
                counts.append(pq.read_metadata(path).num_rows)
        if not sum(counts):
            raise InputError(str(self.paths[0]), "no rows", "allowed: at least one example")
        return tuple(counts)

    def __len__(self) -> int:
        return sum(self.counts)

    @cached_property
    def schema(self) -> Any:
        """The Arrow schema of the first; the others must have the same columns."""
        import pyarrow.parquet as pq

        first = None
        for path in self.paths:
            with readable(path):
                schema = pq.read_schema(path)
            if first is None:
                first = schema
            elif not first.equals(schema, check_metadata=False):
                raise InputError(
                    str(path), "columns of other names or types", f"allowed: {_told(first)}"
                )
        for name in first.names:
            if first.names.count(name) > 1:
                raise InputError(str(self.paths[0]), f"two columns {name!r}", "allowed: one")
        return first

    def place(self, row: int) -> tuple[str, int]:
        """The file of a row, and its row there."""
        for path, count in zip(self.paths, self.counts, strict=True):
            if row < count:
                return str(path), row
            row -= count
        raise IndexError(row)

    def batches(self, column: str) -> Iterator[Any]:
        """A column, or a field of a struct (`image.bytes`), as Arrow arrays."""
        import pyarrow.parquet as pq

        inner = column.partition(".")[2]
        for path in self.paths:
            with readable(path), pq.ParquetFile(path) as file:
                for batch in file.iter_batches(
                    _at_once(path, file, column), columns=[column], use_threads=False
                ):
                    array = batch.column(0)
                    yield _field(array, inner) if inner else array

    def blobs(self, column: str, rows: np.ndarray) -> Iterator[bytes | None]:
        """Values of a binary field at rows in ascending order."""
        start = taken = 0
        for array in self.batches(column):
            end = start + len(array)
            until = taken + int(np.searchsorted(rows[taken:], end))
            if until - taken == len(array):
                yield from array.to_pylist()
            else:
                yield from (array[i].as_py() for i in (rows[taken:until] - start).tolist())
            start, taken = end, until

    def labels(self, column: str) -> Labels:
        """Raises InputError naming file and row of a label that is missing or out of range."""
        import pyarrow as pa

        kind = self.schema.field(column).type
        of = kind.value_type if pa.types.is_dictionary(kind) else kind
        parts: list[np.ndarray] = []
        words: dict[str, int] = {}
        text = pa.types.is_string(of) or pa.types.is_large_string(of)
        real = pa.types.is_floating(of)
        if not text and not real and not pa.types.is_integer(of):
            raise InputError(
                str(self.paths[0]), f"column {column}: {kind} labels", labels_of.ALLOWED
            )
        row = 0
        for array in self.batches(column):
            if array.null_count:
                file, at = self.place(row + array.is_null().to_pylist().index(True))
                raise InputError(file, f"row {at}: no label", labels_of.ALLOWED)
            if text:
                coded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
                new = [words.setdefault(w, len(words)) for w in coded.dictionary.to_pylist()]
                parts.append(np.array(new, np.int64)[numbers(coded.indices)])
            else:
                plain = array.cast(of) if pa.types.is_dictionary(array.type) else array
                parts.append(numbers(plain))
            row += len(array)
        values = np.concatenate(parts)
        if text:
            return labels_of.of_words(values, list(words), self.place)
        return (labels_of.of_numbers if real else labels_of.of_integers)(values, self.place)

    def texts(self, column: str) -> tuple[str | None, ...]:
        """A column, or a field of a struct, as text. Raises InputError if there is too much."""
        found: list[str | None] = []
        left = affordable()
        for array in self.batches(column):
            left -= array.nbytes
            if left < 0:
                file = str(self.paths[0])
                raise InputError(file, f"column {column}: too long", "allowed: names of files")
            with readable(self.paths[0]):
                found += [None if v is None else str(v) for v in array.to_pylist()]
        return tuple(found)

    def groups(self) -> tuple[str, tuple[str, ...]] | None:
        """The column that groups the examples, and its values; None where there is none."""
        import pyarrow as pa

        name = next((name for name in GROUPS if name in self.schema.names), None)
        if name is None:
            return None
        kind = self.schema.field(name).type
        of = kind.value_type if pa.types.is_dictionary(kind) else kind
        file = str(self.paths[0])
        if not (pa.types.is_string(of) or pa.types.is_large_string(of) or pa.types.is_integer(of)):
            raise InputError(file, f"column {name}: {kind}", "allowed: integers or text")
        values = self.texts(name)
        if None in values:
            file, row = self.place(values.index(None))
            raise InputError(file, f"row {row}: no {name}", "allowed: a group for each example")
        return name, tuple(value or "" for value in values)

    def class_names(self, label: str) -> tuple[str, ...]:
        """The schema's `class_names`, or those that Hugging Face's `datasets` writes, if any.
        Raises InputError if they are not a list of texts."""
        metadata = self.schema.metadata or {}
        try:
            if b"class_names" in metadata:
                names = json.loads(metadata[b"class_names"])
            else:
                names = json.loads(metadata.get(b"huggingface", b"{}"))
                for key in ("info", "features", label, "names"):
                    names = names.get(key)
                    if names is None:
                        return ()
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise ValueError("no list of texts")
            if len(set(names)) < len(names) or len(names) > labels_of.MOST_CLASSES:
                raise ValueError("a name that stands twice, or too many")
        except (ValueError, AttributeError, RecursionError) as error:
            raise InputError(
                str(self.paths[0]),
                f"class names in the schema's metadata that cannot be read ({error})",
                'allowed: a JSON list of names in "class_names", or as Hugging Face writes them',
            ) from None
        return tuple(names)


def _told(schema: Any) -> str:
    return ", ".join(f"{field.name} ({field.type})" for field in schema)


def _field(array: Any, name: str) -> Any:
    """A field of a struct array, null where the struct is."""
    return array.flatten()[array.type.get_field_index(name)]


def numbers(array: Any) -> np.ndarray:
    """Integers or floats of an Arrow array without nulls. Its own `to_numpy` imports pandas, which
    takes longer than all of MNIST."""
    kind = np.dtype(array.type.to_pandas_dtype())
    if not len(array):
        return np.empty(0, kind)
    return np.frombuffer(array.buffers()[1], kind, array.offset + len(array))[array.offset :]


def _at_once(path: Path, file: Any, column: str) -> int:
    """How many rows to decode at once, so that they take BATCH_BYTES at most. Raises InputError if
    one value may be more than is affordable."""
    longest, most = 1, affordable()
    for group in range(file.metadata.num_row_groups):
        for i in range(file.metadata.num_columns):
            chunk = file.metadata.row_group(group).column(i)
            if chunk.path_in_schema == column or chunk.path_in_schema.startswith(f"{column}."):
                if chunk.total_uncompressed_size > most:
                    raise InputError(
                        str(path),
                        f"{chunk.total_uncompressed_size / 1e9:.1f} GB of {column} in a row group",
                        f"allowed: up to {most / 1e9:.1f} GB, a quarter of the memory",
                    )
                longest = max(longest, _repeated(chunk))
    usual = BLOBS_AT_ONCE if column.endswith(".bytes") else VALUES_AT_ONCE
    return int(min(max(BATCH_BYTES // longest, 1), usual))


def _repeated(chunk: Any) -> int:
    """Bytes that a value may have which stands in many rows and once in the file, its dictionary;
    a bound, from the chunk's metadata."""
    if not chunk.has_dictionary_page:
        return 1
    whole, stored = chunk.total_uncompressed_size, max(chunk.total_compressed_size, 1)
    dictionary = chunk.data_page_offset - (chunk.dictionary_page_offset or 0)
    if whole > PACKED * stored or not 0 < dictionary <= stored:
        return int(whole)
    return int(min(whole, PACKED * dictionary))


def pick_label(
    schema: Any, where: str, besides: Sequence[str], also: str, wanted: str | None = None
) -> tuple[str, str | None]:
    """The label column, and what to say where it is not called `label`. Raises InputError.

    besides: columns that are none; also: what the file must have beside it, for the message;
    wanted: the one that a study has chosen.
    """
    import pyarrow as pa

    if wanted is not None:
        if wanted not in schema.names:
            raise InputError(
                where,
                f"columns {', '.join(schema.names)}, no {wanted!r}",
                "allowed: one of them as `label_column`",
            )
        return wanted, f"labels from the column {wanted!r}"
    for name in ("label", "labels"):
        if name in schema.names:
            return name, None if name == "label" else f"labels from the column {name!r}"
    integers = [
        field.name
        for field in schema
        if pa.types.is_integer(field.type) and field.name not in (*besides, *GROUPS)
    ]
    if len(integers) == 1:
        return integers[0], f"labels from the column {integers[0]!r}, the only one of integers"
    if integers:
        raise InputError(
            where,
            f"columns {', '.join(schema.names)}, of which {' and '.join(integers)} are integers",
            f'allowed: one of them; a study chooses by `label_column = "{integers[0]}"`',
        )
    raise InputError(
        where,
        f"columns {', '.join(schema.names)}",
        f"allowed: {also} and label (integer)",
    )
