"""A table with a column label: a CSV or Parquet file, or a folder with train and test tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from bench import datasets
from bench.datasets import Dataset, Source, content
from bench.datasets.reading import labels as labels_of
from bench.datasets.reading import parquet
from bench.datasets.reading.arrays import Arrays, check_finite
from bench.datasets.reading.labels import Labels
from bench.datasets.reading.limits import affordable, check_size
from bench.datasets.reading.options import DEFAULT, Options
from bench.datasets.reading.parquet import GROUPS, Shards
from bench.datasets.reading.splits import choose, hold_out
from bench.errors import InputError

EXAMPLE = "mine.csv or mine.parquet"
LABEL = "label"


def recognize(name: str, where: str, options: Options = DEFAULT) -> Source | None:
    path = Path(name).expanduser()
    files = _files(path)
    if not files:
        return None
    stamps = [(f, f.stat()) for each in files.values() for f in each]
    label = datasets.label(name)
    stamp = tuple((str(f), s.st_size, s.st_mtime_ns) for f, s in stamps)
    column = options.label_column or LABEL
    takes = frozenset({"label_column"})
    return Arrays(label, lambda: _load(path, label, column, stamp), named=False, takes=takes)


def _files(path: Path) -> dict[str, tuple[Path, ...]]:
    """Split -> its files."""
    if path.is_file():
        known = path.suffix.lower() in (".csv", ".parquet")
        return {path.stem: (path,)} if known else {}
    csv = {file.stem: (file,) for file in parquet.files_in(path, "*.csv")}
    return parquet.shards(path) or csv


@dataclass(frozen=True, eq=False)
class Part:
    """One split. columns: the features' names; x: float32 (n, features)."""

    file: str
    columns: tuple[str, ...]
    x: np.ndarray
    labels: Labels
    groups: tuple[str, tuple[str, ...]] | None

    def rows(self, chosen: np.ndarray) -> "Part":
        groups = self.groups and (self.groups[0], tuple(self.groups[1][i] for i in chosen))
        return Part(self.file, self.columns, self.x[chosen], self.labels[chosen], groups)


@lru_cache(maxsize=2)
def _load(path: Path, label: str, column: str, stamp: tuple[tuple[str, int, int], ...]) -> Dataset:
    """Raises InputError naming the file, the column and the row that are not as expected."""
    files = _files(path)
    chosen = choose(files, str(path))
    if chosen.train is None:
        raise InputError(str(path), "no training table", "allowed: train and test")
    train = _read(files[chosen.train], column)
    notes = list(chosen.notes)
    if chosen.held_out:
        kept, held = hold_out(len(train.x), str(path))
        train, test = train.rows(kept), train.rows(held)
    else:
        test = _read(files[chosen.test], column)
        if set(train.columns) != set(test.columns):
            unlike = sorted(set(train.columns) ^ set(test.columns))
            raise InputError(
                test.file, f"{', '.join(unlike)} in one table only", "allowed: the same columns"
            )
        order = [test.columns.index(name) for name in train.columns]
        test = Part(test.file, train.columns, test.x[:, order], test.labels, test.groups)
    (y_train, y_test), classes = labels_of.numbered([train.labels, test.labels])
    key = content(train.x, y_train, test.x, y_test, scale=1.0)
    if test.groups:
        notes.append(f"groups from the column {test.groups[0]!r}")
    return Dataset(
        key,
        label,
        train.x,
        y_train,
        test.x,
        y_test,
        1.0,
        classes,
        groups=test.groups and test.groups[1],
        trained_groups=train.groups and frozenset(train.groups[1]),
        notes=tuple(notes),
    )


def _read(files: Sequence[Path], label: str) -> Part:
    csv = files[0].suffix.lower() == ".csv"
    return _read_csv(files[0], label) if csv else _read_parquet(files, label)


def _read_parquet(files: Sequence[Path], label: str) -> Part:
    shards = Shards(tuple(files))
    groups = shards.groups()
    names = _features(str(files[0]), shards.schema, label, groups and groups[0])
    check_size(str(files[0]), len(shards), 4 * len(names), f"{len(names)} columns")
    x = np.empty((len(shards), len(names)), np.float32)
    for i, name in enumerate(names):
        start = 0
        for array in shards.batches(name):
            _fill(x[start : start + len(array), i], array)
            start += len(array)
    _check(x, names, shards.place)
    return Part(str(files[0]), tuple(names), x, shards.labels(label), groups)


def _read_csv(path: Path, label: str) -> Part:
    import pyarrow as pa
    from pyarrow import csv

    def place(row: int) -> tuple[str, int]:
        return str(path), row

    size = path.stat().st_size
    if size > affordable():
        raise InputError(str(path), f"{size / 1e9:.1f} GB", "allowed: a quarter of the memory")
    # No column is taken for truth values: true and false, NA and nan are text.
    options = csv.ConvertOptions(true_values=[], false_values=[], null_values=[""])
    try:
        table = csv.read_csv(path, convert_options=options)
        columns = table.column_names  # which may be no UTF-8
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(
            str(path), f"not readable as CSV ({str(error)[:200]})", "allowed: UTF-8 with commas"
        ) from None
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        raise InputError(str(path), f"two columns {twice!r}", "allowed: one")
    if not table.num_rows:
        raise InputError(str(path), "no rows", "allowed: at least one example")
    groups = next((name for name in GROUPS if name in columns), None)
    names = _features(str(path), table.schema, label, groups)
    check_size(str(path), table.num_rows, 4 * len(names), f"{len(names)} columns")
    x = np.empty((table.num_rows, len(names)), np.float32)
    for i, name in enumerate(names):
        _fill(x[:, i], table[name].combine_chunks())
    _check(x, names, place)
    column = table[label].combine_chunks()
    if column.null_count:
        row = column.is_null().to_pylist().index(True)
        raise InputError(str(path), f"row {row}: no label", labels_of.ALLOWED)
    if pa.types.is_string(column.type):
        labels = labels_of.of_array(np.array(column.to_pylist()), place)
    elif pa.types.is_integer(column.type):
        labels = labels_of.of_integers(parquet.numbers(column), place)
    elif pa.types.is_floating(column.type):
        labels = labels_of.of_numbers(parquet.numbers(column), place)
    else:
        raise InputError(str(path), f"column {label}: {column.type}", labels_of.ALLOWED)
    if groups is None:
        return Part(str(path), tuple(names), x, labels, None)
    column = table[groups]
    of = column.type
    if column.null_count or not (pa.types.is_integer(of) or pa.types.is_string(of)):
        raise InputError(
            str(path), f"column {groups}: {of}, {column.null_count} missing", "allowed: one each"
        )
    return Part(str(path), tuple(names), x, labels, (groups, tuple(map(str, column.to_pylist()))))


def _features(file: str, schema: Any, label: str, groups: str | None) -> list[str]:
    """The columns of numbers. Raises InputError for a column that is neither."""
    import pyarrow as pa

    if label not in schema.names:
        hint = ", or another column as `label_column`" if label == LABEL else ""
        raise InputError(
            file, f"columns {', '.join(schema.names)[:300]}", f"allowed: numbers and {label}{hint}"
        )
    names = [name for name in schema.names if name not in (label, groups)]
    for name in names:
        kind = schema.field(name).type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            raise InputError(
                file, f"column {name}: {kind}", "allowed: numbers; leave the column out or code it"
            )
    if not names:
        raise InputError(file, f"no column but {label}", "allowed: at least one of numbers")
    return names


def _fill(out: np.ndarray, array: Any) -> None:
    """Missing values become NaN, which `_check` finds."""
    with np.errstate(over="ignore"):
        out[...] = array.to_numpy(zero_copy_only=False).astype(np.float32)


def _check(x: np.ndarray, names: Sequence[str], place: labels_of.Place) -> None:
    for i, name in enumerate(names):
        check_finite(x[:, i], place, f"column {name}")
