"""labels.parquet: the label of every test example, once per dataset."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bench.store.buffers import picked
from bench.store.tables import DamagedError

LABEL_SCHEMA = pa.schema(
    [
        pa.field("dataset", pa.string()),
        pa.field("example", pa.int32(), metadata={"meaning": "position in the test set"}),
        pa.field("label", pa.int32(), metadata={"meaning": "class; null where it is a number"}),
        pa.field("target", pa.float64(), metadata={"meaning": "number to be predicted, or null"}),
        pa.field("class_name", pa.dictionary(pa.int32(), pa.string())),
        pa.field("path", pa.string(), metadata={"meaning": "file name in the source, or null"}),
        pa.field("group", pa.string(), metadata={"meaning": "such as a speaker, or null"}),
    ]
)

READ = pa.schema(
    [LABEL_SCHEMA.field(name) for name in ("dataset", "example", "label", "target", "group")]
)
"""What an analysis reads of it."""

OPTIONAL = frozenset({"target", "group"})
"""Columns that older versions did not write."""

Labels = Mapping[str, NDArray[Any]]
"""Dataset -> (examples,), in the order of the predictions: int32 classes, or float64 numbers that a
regression is to give."""

Groups = Mapping[str, tuple[str, ...]]
"""Dataset -> the group of each test example; without datasets that have none."""


def by_dataset(table: pa.Table) -> Labels:
    """The labels in a table of READ's columns. Raises DamagedError where one is missing or out of
    its place."""
    for name in ("dataset", "example"):
        if table[name].null_count:
            raise DamagedError(f"{table[name].null_count} rows without {name}")
    names = np.array(table["dataset"].to_pylist(), dtype=object)
    examples = np.array(table["example"].to_pylist(), dtype=np.int64)
    labels = np.array(table["label"].to_pylist(), dtype=object)
    targets = np.array(table["target"].to_pylist(), dtype=object)
    found = {}
    for name in dict.fromkeys(names):
        of_it = names == name
        if not np.array_equal(examples[of_it], np.arange(of_it.sum())):
            raise DamagedError(f"the examples of {name!r} are not 0, 1, 2 and so on")
        numeric = targets[of_it][0] is not None
        chosen = (targets if numeric else labels)[of_it].tolist()
        if missing := chosen.count(None):
            raise DamagedError(f"{missing} rows without label, of {name!r}")
        found[name] = np.array(chosen, dtype=np.float64 if numeric else np.int32)
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
    labels: NDArray[Any],
    classes: Sequence[str],
    paths: Sequence[str],
    groups: Sequence[str] | None = None,
) -> pa.Table:
    """The rows of a dataset. labels: integers, or floats that a regression is to give; classes:
    names by label, none of floats; paths: by example, or none; groups too."""
    n = len(labels)
    if labels.dtype.kind == "f":
        of_label = [
            pa.nulls(n, pa.int32()),
            pa.array(labels.astype(np.float64)),
            pa.nulls(n, pa.dictionary(pa.int32(), pa.string())),
        ]
    else:
        narrow = labels.astype(np.int32)
        if not np.array_equal(narrow, labels):
            raise ValueError(f"labels of {dataset!r} beyond 32 bits")
        of_label = [
            pa.array(narrow),
            pa.nulls(n, pa.float64()),
            pa.DictionaryArray.from_arrays(pa.array(narrow), pa.array(list(classes), pa.string())),
        ]
    columns = [
        pa.array([dataset] * n, pa.string()),
        pa.array(np.arange(n, dtype=np.int32)),
        *of_label,
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
