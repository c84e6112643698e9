"""Predictions per test example (seed, arm, example, prediction, label) -> a row per seed and arm,
and beside it which examples each model had right.

So somebody's own runs get what a study's get: intervals for new test examples, churn, McNemar's
test of single files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bench.analysis.coded import (
    as_arm,
    as_factor,
    as_whole,
    coded,
    distinct,
    firsts,
    grouped,
    numbered,
    row_name,
)
from bench.analysis.reading import Remark, Taken
from bench.analysis.roles import SETTINGS, Declared
from bench.errors import InputError
from bench.statistics.checks import IntArray
from bench.study.factors import FACTORS

COLUMNS = ("example", "prediction", "label")
GROUP = "group"
METRIC = "accuracy"

_SPARSE = 16  # cells times examples, per row, above which most of them cannot be there


@dataclass(frozen=True)
class Reduced:
    """table: a row per seed and arm at a setting, with its accuracy; correct: per such row, bool
    (examples,), the same examples in the same order for all rows of a dataset; groups: per such row
    the group of each example, None where they have none; declared: what is said of the columns that
    are left; taken: of those that are not; remarks: on how it was read."""

    table: pa.Table
    correct: tuple[NDArray[np.bool_], ...]
    groups: tuple[tuple[str, ...], ...] | None
    declared: Declared
    taken: Mapping[str, Taken]
    remarks: tuple[Remark, ...]


def is_of_examples(table: pa.Table) -> bool:
    return set(COLUMNS) <= set(table.column_names)


def reduced(table: pa.Table, source: str, declared: Declared) -> Reduced:
    """Raises InputError where an example is twice or missing, has two labels, or where a class is
    no class, naming the rows."""
    declared.check([*table.column_names, METRIC])
    taken = {name: Taken(name, "example") for name in COLUMNS}
    for name in declared.ignore:
        taken[name] = Taken(name, "left out", "by --ignore")
    named = [n for n in table.column_names if n in (*SETTINGS, *FACTORS, *declared.factors)]
    named = [n for n in named if n not in taken]
    keys = {name: coded(table[name], f"{source}, {name}", as_factor) for name in named}
    keys["arm"] = coded(table["arm"], f"{source}, arm", as_arm(f"{source}, arm"))
    keys["seed"] = coded(table["seed"], f"{source}, seed", as_whole(f"{source}, seed"))
    cell = grouped(keys, len(table))
    first = firsts(cell)
    examples = coded(table["example"], f"{source}, example", as_factor)
    if None in examples.values:
        row = int(np.argmax(examples.codes == examples.values.index(None)))
        raise InputError(f"{source}, example", f"nothing in {row_name(row)}", "allowed: a value")
    of = {"dataset": keys["dataset"]} if "dataset" in keys else {}
    dataset = grouped(of, len(table))
    place, size = _places(dataset, examples.codes, len(examples.values))
    sizes = size[dataset[first]]
    ends = np.cumsum(sizes)
    if ends[-1] > _SPARSE * len(table):
        raise _missing(table, source, cell, first, sizes)
    at = (ends - sizes)[cell] + place
    there = np.zeros(ends[-1], np.bool_)
    there[at] = True
    if there.sum() < len(table):
        raise _twice(table, source, at, [*keys, *COLUMNS])
    if not there.all():
        raise _missing(table, source, cell, first, sizes)
    right = _right(table, source, dataset * len(examples.values) + examples.codes)
    correct = np.empty(ends[-1], np.bool_)
    correct[at] = right
    by_cell = tuple(np.split(correct, ends[:-1]))
    groups = None
    if GROUP in table.column_names and GROUP not in (*keys, *taken):
        by_dataset = _groups(table, source, dataset, place, size, examples.codes)
        if by_dataset is not None:
            taken[GROUP] = Taken(GROUP, "group")
            groups = tuple(by_dataset[which] for which in dataset[first].tolist())
    for name in table.column_names:
        if name not in (*keys, *taken):
            why = _not_of_cells(name, table[name], cell, dataset, examples.codes)
            if why:
                taken[name] = Taken(name, "left out", why)
    kept = table.select([name for name in table.column_names if name not in taken])
    rows = kept.take(pa.array(first))
    accuracy = pa.array([float(each.mean()) for each in by_cell])
    smallest, largest = int(size.min()), int(size.max())
    many = f"{smallest:,}" if smallest == largest else f"{smallest:,} to {largest:,}"
    return Reduced(
        table=rows.append_column(METRIC, accuracy),
        correct=by_cell,
        groups=groups,
        declared=replace(declared, ignore=()),
        taken=taken,
        remarks=(
            Remark(
                f"Read as predictions per test example, {many} of them: {{}} is the share whose "
                "{} is their {}",
                (METRIC, "prediction", "label"),
            ),
            *([_on_groups(groups)] if groups else []),
        ),
    )


def _groups(
    table: pa.Table,
    source: str,
    dataset: IntArray,
    place: IntArray,
    size: IntArray,
    example: IntArray,
) -> list[tuple[str, ...]] | None:
    """Of each dataset the group of its examples, in their order; None where the column is no such
    thing: more than one value for an example, or one for all."""
    column = table[GROUP]
    if not (pa.types.is_string(column.type) or pa.types.is_integer(column.type)):
        return None
    values = coded(column, f"{source}, {GROUP}", as_factor)
    if len(values.values) < 2 or not _is_constant(values.codes, _of_examples(dataset, example)):
        return None
    empty = [code for code, value in enumerate(values.values) if value in (None, "")]
    if empty:
        row = int(np.argmax(values.codes == empty[0]))
        raise InputError(
            f"{source}, {GROUP}",
            f"nothing in {row_name(row)}",
            f"allowed: the group of every example; --ignore {GROUP} takes them for independent",
        )
    start = np.cumsum(size) - size
    codes = np.zeros(int(size.sum()), np.int64)
    codes[start[dataset] + place] = values.codes
    parts = np.split(codes, np.cumsum(size)[:-1])
    return [tuple(str(values.values[code]) for code in part.tolist()) for part in parts]


def _on_groups(groups: Sequence[tuple[str, ...]]) -> Remark:
    counts = [len(set(one)) for one in dict.fromkeys(groups)]
    smallest, largest = min(counts), max(counts)
    many = f"{smallest:,}" if smallest == largest else f"{smallest:,} to {largest:,}"
    return Remark(
        f"Test examples come in {many} groups ({{}}): new test examples are those of new groups",
        (GROUP,),
    )


def _of_examples(dataset: IntArray, example: IntArray) -> IntArray:
    """A number for each example of each dataset."""
    numbers: IntArray = example + (int(example.max()) + 1) * dataset
    return numbers


def _places(dataset: IntArray, example: IntArray, most: int) -> tuple[IntArray, IntArray]:
    """Each row's example as a number from 0 within its dataset, and how many a dataset has."""
    each = dataset * most + example
    row, size = numbered(each), np.bincount(distinct(each) // most)
    start = np.cumsum(size) - size
    places: IntArray = row - start[dataset]
    return places, size


def _right(table: pa.Table, source: str, example: IntArray) -> NDArray[np.bool_]:
    prediction, label = (_classes(table[n], f"{source}, {n}") for n in ("prediction", "label"))
    if not (pa.types.is_integer(prediction.type) and pa.types.is_integer(label.type)):
        prediction, label = (c.cast(pa.string()) for c in (prediction, label))
    codes = coded(label, f"{source}, label", as_factor).codes
    example = numbered(example)
    first = firsts(example)
    if (unlike := codes != codes[first[example]]).any():
        row = int(unlike.argmax())
        one = int(first[example[row]])
        raise InputError(
            f"{source}, label",
            f"example {table['example'][row]} has {label[one]} in {row_name(one)} and {label[row]} "
            f"in {row_name(row)}",
            "allowed: one label per example (of a dataset)",
        )
    found: NDArray[np.bool_] = pc.equal(prediction, label).to_numpy(zero_copy_only=False)
    return found


def _classes(column: pa.ChunkedArray, where: str) -> pa.ChunkedArray:
    """As whole numbers or text."""
    allowed = "allowed: classes, as text or whole numbers"
    if column.null_count:
        row = column.is_null().index(True).as_py()
        raise InputError(where, f"nothing in {row_name(row)}", allowed)
    if pa.types.is_floating(column.type):
        values = column.to_numpy()
        if (broken := np.rint(values) != values).any():
            row = int(broken.argmax())
            raise InputError(where, f"{values[row]:g} in {row_name(row)}", allowed)
        return column.cast(pa.int64())
    if pa.types.is_boolean(column.type) or pa.types.is_integer(column.type):
        return column.cast(pa.int64())
    if not pa.types.is_string(column.type):
        raise InputError(where, f"values of type {column.type}", allowed)
    return pc.utf8_trim_whitespace(column)


def _not_of_cells(
    name: str, column: pa.ChunkedArray, cell: IntArray, dataset: IntArray, example: IntArray
) -> str:
    """Why a column is left out; empty where each model has one value in it."""
    if name == METRIC:
        return "made of the predictions instead"
    type = column.type
    if not (pa.types.is_string(type) or pa.types.is_primitive(type)) or pa.types.is_temporal(type):
        return "" if name in ("seed", "arm") else "a value per example"
    raw = column.combine_chunks().dictionary_encode(null_encoding="encode")
    raw = raw.combine_chunks() if isinstance(raw, pa.ChunkedArray) else raw
    codes = np.asarray(pc.fill_null(raw.indices, -1).cast(pa.int64()))
    if _is_constant(codes, cell):
        return ""
    if _is_constant(codes, _of_examples(dataset, example)):
        return "says only which example it is"
    return "a value per example"


def _is_constant(codes: IntArray, within: IntArray) -> bool:
    """Is there one value wherever `within` is the same?"""
    known = np.zeros(int(within.max()) + 1, np.int64)
    known[within] = codes
    return bool((known[within] == codes).all())


def _twice(table: pa.Table, source: str, at: IntArray, known: Sequence[str]) -> InputError:
    order = np.argsort(at, kind="stable")
    same = np.flatnonzero(at[order][1:] == at[order][:-1])
    one, other = sorted(order[same[0] : same[0] + 2].tolist())
    differ = [
        name
        for name in table.column_names
        if name not in known and table[name][one].as_py() != table[name][other].as_py()
    ]
    said = ", ".join(map(repr, differ[:5])) or "none of the other columns"
    hint = f", or --factors {differ[0]}" if differ else ""
    return InputError(
        source,
        f"{row_name(one)} and {row_name(other)} are the same setting, seed "
        f"({table['seed'][one]}), arm ({table['arm'][one]}) and example "
        f"({table['example'][one]}), and differ in {said}",
        f"allowed: each once{hint}",
    )


def _missing(
    table: pa.Table, source: str, cell: IntArray, first: IntArray, sizes: IntArray
) -> InputError:
    counts = np.bincount(cell)
    short = int(np.argmax(counts < sizes))
    row = int(first[short])
    at: dict[str, Any] = {n: table[n][row] for n in ("arm", "seed")}
    return InputError(
        f"{source}, example",
        f"{counts[short]:,} examples of arm {at['arm']}, seed {at['seed']} ({row_name(row)}), and "
        f"{sizes[short]:,} in all",
        "allowed: every example once for each seed and arm of a dataset",
    )
