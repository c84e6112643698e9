"""labels.parquet: the label of every test example, once per dataset."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bench.store.buffers import picked
from bench.store.tables import DamagedError

LABEL_SCHEMA = pa.schema(
    [
        pa.field("dataset", pa.string()),
        pa.field("example", pa.int32(), metadata={"meaning": "position in the test set"}),
        pa.field("label", pa.int32()),
        pa.field("class_name", pa.dictionary(pa.int32(), pa.string())),
        pa.field("path", pa.string(), metadata={"meaning": "file name in the source, or null"}),
        pa.field("group", pa.string(), metadata={"meaning": "such as a speaker, or null"}),
    ]
)

READ = pa.schema([LABEL_SCHEMA.field(name) for name in ("dataset", "example", "label", "group")])
"""What an analysis reads of it."""

OPTIONAL = frozenset({"group"})
"""Columns that older versions did not write."""

Labels = Mapping[str, NDArray[np.int32]]
"""Dataset -> int32 (examples,), in the order of the predictions."""

Groups = Mapping[str, tuple[str, ...]]
"""Dataset -> the group of each test example; without datasets that have none."""


def by_dataset(table: pa.Table) -> Labels:
    """The labels in a table of READ's columns. Raises DamagedError where one is missing or out of
    its place."""
    for name in set(READ.names) - OPTIONAL:
        if table[name].null_count:
            raise DamagedError(f"{table[name].null_count} rows without {name}")
    names = np.array(table["dataset"].to_pylist(), dtype=object)
    examples = np.array(table["example"].to_pylist(), dtype=np.int64)
    labels = np.array(table["label"].to_pylist(), dtype=np.int32)
    found = {}
    for name in dict.fromkeys(names):
        of_it = names == name
        if not np.array_equal(examples[of_it], np.arange(of_it.sum())):
            raise DamagedError(f"the examples of {name!r} are not 0, 1, 2 and so on")
        found[name] = labels[of_it]
    return found


def groups_of(table: pa.Table) -> Groups:
    """The groups in a table of READ's columns that `by_dataset` has accepted. Raises DamagedError
    where some examples of a dataset have one and others none."""
    names = np.array(table["dataset"].to_pylist(), dtype=object)
    groups = np.array(table["group"].to_pylist(), dtype=object)
    found = {}
    for name in dict.fromkeys(names):
        of_it = groups[names == name].tolist()
        missing = of_it.count(None)
        if 0 < missing < len(of_it):
            raise DamagedError(f"{missing} examples of {name!r} without group")
        if not missing:
            found[name] = tuple(of_it)
    return found


def table_of(
    dataset: str,
    labels: NDArray[np.integer],
    classes: Sequence[str],
    paths: Sequence[str],
    groups: Sequence[str] | None = None,
) -> pa.Table:
    """The rows of a dataset. classes: names by label; paths: by example, or none; groups too."""
    n = len(labels)
    narrow = labels.astype(np.int32)
    if not np.array_equal(narrow, labels):
        raise ValueError(f"labels of {dataset!r} beyond 32 bits")
    columns = [
        pa.array([dataset] * n, pa.string()),
        pa.array(np.arange(n, dtype=np.int32)),
        pa.array(narrow),
        pa.DictionaryArray.from_arrays(pa.array(narrow), pa.array(list(classes), pa.string())),
        pa.array(list(paths), pa.string()) if paths else pa.nulls(n, pa.string()),
        pa.array(list(groups), pa.string()) if groups else pa.nulls(n, pa.string()),
    ]
    return pa.Table.from_arrays(columns, schema=LABEL_SCHEMA)


def replaced(known: pa.Table, rows: pa.Table) -> pa.Table | None:
    """`known` with the rows of one dataset in place of what it has of that dataset; None where it
    has just these."""
    (dataset,) = set(rows["dataset"].to_pylist())
    names = known["dataset"].to_pylist()
    mine = picked(known, [row for row, name in enumerate(names) if name == dataset])
    if mine.to_pylist() == rows.to_pylist():
        return None
    others = picked(known, [row for row, name in enumerate(names) if name != dataset])
    return pa.concat_tables([others, rows]).unify_dictionaries()
