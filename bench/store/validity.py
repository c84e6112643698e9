"""Are rows of cells/ free of contradictions? Predictions, counts, accuracy and labels say the same
thing more than once: `check` finds the rows in which they do not agree."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bench.store import buffers, measures
from bench.store.labels import Labels
from bench.store.schema import EVALUATED, Status

IDENTITY = ("cell", "seed", "arm", "status", "finished_at")
"""Columns without which a row says nothing."""

CHECKED = ("dataset", "n", "correct", "accuracy", "predictions")
"""Columns that a classifier's row has all of, checked against each other and the labels."""

STATUSES = frozenset(get_args(Status))


class Rejected(NamedTuple):
    """A row that is not used. file: its name in cells/; what: the contradiction in it."""

    file: str
    cell: str
    what: str


@dataclass(frozen=True)
class Check:
    """What the rows of one table say of themselves.

    rejected: row -> what is wrong with it; evaluated: dataset -> rows with predictions that do not
    contradict themselves; unlike: of those, the ones that contradict the labels.
    """

    rejected: Mapping[int, Rejected]
    evaluated: Counter[str]
    unlike: Counter[str]


def check(file: str, table: pa.Table, labels: Labels) -> Check:
    """Compare predictions with n, accuracy with correct and n, where the dataset's labels are known
    n and correct with them, and metrics with their values per example.

    A row without predictions, of a model that is no classifier, has metrics.

    table: with the columns IDENTITY, CHECKED, `metrics` and `values`; file: how it is named.
    """
    cells, statuses, datasets = (table[c].to_pylist() for c in ("cell", "status", "dataset"))
    what: dict[int, str] = {}
    for name in IDENTITY:
        if table[name].null_count:
            there = np.concatenate([buffers.known(chunk) for chunk in table[name].chunks])
            what |= {int(row): f"no {name}" for row in np.flatnonzero(~there)}
    for row, status in enumerate(statuses):
        if status not in STATUSES and row not in what:
            what[row] = f"status {status!r} is none of this version's"
    of_interest = np.array([status in EVALUATED for status in statuses], dtype=bool)
    of_interest[list(what)] = False
    if not of_interest.any():
        return Check(_named(file, cells, what), Counter(), Counter())

    n, has_n = _values(table["n"])
    correct, has_correct = _values(table["correct"])
    accuracy, has_accuracy = _values(table["accuracy"])
    named = np.array([name is not None for name in datasets], dtype=bool)
    of_metrics = measures.contradictions(table, of_interest, datasets, labels)
    what |= of_metrics
    of_interest[list(of_metrics)] = False
    size, right = _sizes_and_hits(table["predictions"], of_interest, n, datasets, labels)
    without = ~has_correct & ~has_accuracy & (size < 0) & measures.measured(table)
    of_interest &= ~without
    complete = named & has_n & has_correct & has_accuracy & (n > 0) & (size >= 0)
    fits = (size == n) | (size == 2 * n.astype(np.int64))
    agrees = (accuracy == correct / np.where(n > 0, n, 1)) & (correct >= 0)
    sound = of_interest & complete & fits & agrees
    for row in np.flatnonzero(of_interest & ~sound).tolist():
        if not complete[row]:
            what[row] = f"no {', '.join(CHECKED[:-1])} or {CHECKED[-1]}"
        elif not fits[row]:
            what[row] = f"{size[row]} bytes of predictions for n = {n[row]}"
        else:
            what[row] = f"accuracy {accuracy[row]} is not {correct[row]} of {n[row]}"
    checked = sound & np.array([name in labels for name in datasets], dtype=bool)
    unlike = np.flatnonzero(checked & (right != correct)).tolist()
    for row in unlike:
        examples = len(labels[datasets[row]])
        what[row] = (
            f"{right[row]} predictions equal the labels, and correct is {correct[row]}"
            if examples == n[row]
            else f"n is {n[row]}, and {datasets[row]!r} has {examples} labels"
        )
    return Check(
        _named(file, cells, what),
        Counter(datasets[row] for row in np.flatnonzero(sound).tolist()),
        Counter(datasets[row] for row in unlike),
    )


def _named(file: str, cells: Sequence[str | None], what: Mapping[int, str]) -> dict[int, Rejected]:
    return {row: Rejected(file, cells[row] or "?", what[row]) for row in sorted(what)}


def _sizes_and_hits(
    predictions: pa.ChunkedArray,
    of_interest: NDArray[np.bool_],
    n: NDArray[Any],
    datasets: Sequence[str | None],
    labels: Labels,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Two numbers for each row of interest: the bytes of its predictions, -1 where there are none;
    and how many of them equal the dataset's labels, -1 where the dataset has no n labels."""
    size, right = np.full((2, len(n)), -1, dtype=np.int64)
    expected = {name: _narrow(each) for name, each in labels.items()}
    code = {name: at for at, name in enumerate(dict.fromkeys(datasets))}
    codes = np.array([code[name] for name in datasets], dtype=np.int64)
    start = 0
    for chunk in predictions.chunks:
        stop = start + len(chunk)
        ends, data = buffers.ends(chunk), buffers.content(chunk)
        known = of_interest[start:stop] & buffers.known(chunk)
        size[start:stop][known] = np.diff(ends)[known]
        keys = np.stack([size[start:stop], n[start:stop], codes[start:stop]])
        for first, last in _runs(keys):
            bytes_each, examples = int(keys[0, first]), int(keys[1, first])
            truth = expected.get(datasets[start + first] or "")
            if (
                truth is None
                or len(truth) != examples
                or bytes_each not in (examples, 2 * examples)
            ):
                continue
            flat = data[ends[first] : ends[last]].view(
                np.uint8 if bytes_each == examples else "<u2"
            )
            hits = flat.reshape(last - first, examples) == truth
            right[start + first : start + last] = np.count_nonzero(hits, axis=1)
        start = stop
    return size, right


def _runs(keys: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Maximal stretches of equal columns of keys (k, rows), as first and last + 1."""
    edges = np.flatnonzero((keys[:, 1:] != keys[:, :-1]).any(axis=0)) + 1
    bounds = [0, *edges.tolist(), keys.shape[1]]
    return pairwise(bounds)


def _narrow(labels: NDArray[np.int32]) -> NDArray[Any]:
    """Labels as bytes where they fit: comparing bytes with bytes is several times faster."""
    fit = labels.size and labels.min() >= 0 and labels.max() < 256
    return labels.astype(np.uint8) if fit else labels


def _values(column: pa.ChunkedArray) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """The numbers of a column, anything where null, and where it is not null."""
    chunks = column.chunks or [pa.nulls(0, column.type)]
    return (
        np.concatenate([buffers.numbers(chunk) for chunk in chunks]),
        np.concatenate([buffers.known(chunk) for chunk in chunks]),
    )
