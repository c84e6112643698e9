"""A wide table, a row per seed and a column per arm -> the long one that everything else reads."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from bench.analysis import table_metrics
from bench.analysis.reading import Remark
from bench.analysis.roles import SETTINGS, Declared
from bench.analysis.table_file import is_nameless
from bench.errors import InputError
from bench.study.factors import FACTORS

VALUE = "value"
"""What the arms' columns hold, where --metrics does not name it."""

_MOST_NAMED = 8


def long(table: pa.Table, source: str, declared: Declared) -> tuple[pa.Table, Declared, Remark]:
    """The same as a row per seed and arm, what is declared of it, and what was taken for an arm.

    Arms are the columns of numbers that have no other meaning, in the table's order; rows keep
    their numbers, arm by arm. Raises InputError naming the column.
    """
    if "arm" in table.column_names:
        allowed = "allowed with --wide: a row per seed and a column per arm"
        raise InputError(f"{source}, arm", "a column 'arm'", allowed)
    metric = _metric(declared)
    others = {"seed", *SETTINGS, *FACTORS, *declared.factors, *declared.ignore}
    arms = [
        name
        for name in table.column_names
        if name not in others and not is_nameless(name) and _is_number(table[name].type)
    ]
    if len(arms) < 2:
        raise InputError(
            source,
            f"{'one column' if arms else 'no column'} of numbers beside seed and settings",
            "allowed with --wide: a column per arm, two or more",
        )
    if metric in table.column_names and metric not in arms:
        raise InputError("--metrics", f"a column {metric!r}", "allowed with --wide: another name")
    _check(table, source, arms, metric, declared)
    rest = table.drop_columns(arms)
    if metric in rest.column_names:
        raise InputError("--metrics", f"a column {metric!r}", "allowed with --wide: another name")
    parts = []
    for arm, values in zip(arms, _alike([table[name] for name in arms]), strict=True):
        names = pa.array([arm], pa.string()).take(pa.array(np.zeros(len(table), np.int64)))
        parts.append(rest.append_column("arm", names).append_column(metric, values))
    more = len(arms) - _MOST_NAMED
    remark = Remark(
        f"Read as wide, a row per seed: the arms are the columns "
        f"{', '.join('{}' for _ in arms[:_MOST_NAMED])}{f' and {more} more' if more > 0 else ''}, "
        "their values are {}",
        (*arms[:_MOST_NAMED], metric),
    )
    return pa.concat_tables(parts), replace(declared, metrics=[metric]), remark


def _metric(declared: Declared) -> str:
    if declared.metrics is None:
        return VALUE
    if len(declared.metrics) != 1:
        found = ", ".join(declared.metrics) or "none"
        raise InputError("--metrics", found, "allowed with --wide: one name, of what all arms hold")
    return declared.metrics[0]


def _check(
    table: pa.Table, source: str, arms: Sequence[str], metric: str, declared: Declared
) -> None:
    """What is wrong in one arm's column is named by it."""
    kinds: dict[str, str] = {}
    for arm in arms:
        where = f"{source}, {arm}"
        found = table_metrics.of(metric, table[arm], where, declared.percent, declared.lower)
        if found.unit == "pp" and metric not in declared.percent and (found.values > 0).any():
            kind = found.said.partition(",")[0]
            other = next((a for a, k in kinds.items() if k != kind), None)
            if other is not None:
                raise InputError(
                    where,
                    f"{kind}, and {other!r} is {kinds[other]}",
                    "allowed: fractions or percentages, not both; --percent NAME takes all of them "
                    "as percentages",
                )
            kinds[arm] = kind


def _alike(columns: Sequence[pa.ChunkedArray]) -> list[pa.ChunkedArray]:
    """The columns in one type."""
    if len({column.type for column in columns}) == 1:
        return list(columns)
    if all(pa.types.is_integer(column.type) for column in columns):
        return [column.cast(pa.int64()) for column in columns]
    return [pa.chunked_array([pa.array(table_metrics.floats(c), from_pandas=True)])
            for c in columns]  # fmt: skip


def _is_number(type: pa.DataType) -> bool:
    return bool(pa.types.is_integer(type) or pa.types.is_floating(type))
