"""The columns of somebody's own table: what each is taken for, as codes and numbers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bench.analysis.records import Sample, Setting, Value
from bench.errors import InputError, nearest
from bench.study.factors import FACTORS

ROLES = ("seed", "arm", "dataset", "model", "budget", "extra")
NUMERIC_FACTORS = {factor.name for factor in FACTORS.values() if factor.ordered}


@dataclass(frozen=True)
class Coded:
    """A column as codes into its sorted distinct values; None sorts first."""

    codes: np.ndarray  # int64 (rows,)
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Metric:
    unit: str
    values: np.ndarray  # float64 (rows,), nan where missing or infinite


@dataclass(frozen=True)
class Columns:
    source: str
    seed: Coded
    arm: Coded
    setting: Mapping[str, Coded]  # dataset, model, budget, extra and factors, those that are there
    metrics: Mapping[str, Metric]

    @property
    def setting_names(self) -> tuple[str, ...]:
        return tuple(self.setting)

    @classmethod
    def of(cls, table: pa.Table, source: str, declared: Sequence[str]) -> "Columns":
        for name in declared:
            if name not in table.column_names or name in ("seed", "arm"):
                others = [n for n in table.column_names if n not in ROLES]
                raise InputError("--factors", f"no column {name!r}", nearest(name, others))
        setting: dict[str, Coded] = {}
        metrics: dict[str, Metric] = {}
        for name in table.column_names:
            column, where = table[name], f"{source}, {name}"
            if name in ("budget", "extra"):
                setting[name] = _coded(column, where, _whole(where, 1))
            elif name in ("dataset", "model"):
                setting[name] = _coded(column, where, str)
            elif name in ROLES:
                continue
            elif name in declared or name in NUMERIC_FACTORS or not _is_number(column.type):
                convert = _number(where) if name in NUMERIC_FACTORS else _factor
                if name not in declared:
                    _refuse_spoiled_numbers(column, where)
                setting[name] = _coded(column, where, convert)
            else:
                metrics[name] = _metric(name, column)
        if not metrics:
            raise InputError(
                source,
                f"no metric among {', '.join(table.column_names)}",
                "allowed: at least one column of numbers beside seed and arm",
            )
        for name in ("seed", "arm"):
            if table[name].null_count:
                row = int(np.argmax(pc.is_null(table[name]).to_pylist()))
                raise InputError(
                    f"{source}, {name}", f"nothing in {row_name(row)}", "allowed: a value"
                )
        columns = cls(
            source,
            _coded(table["seed"], f"{source}, seed", _whole(f"{source}, seed")),
            _by_appearance(_coded(table["arm"], f"{source}, arm", lambda v: str(v).strip())),
            setting,
            metrics,
        )
        columns._refuse_duplicates()
        return columns

    @cached_property
    def group(self) -> np.ndarray:
        """Each row's setting as a number, int64 (rows,)."""
        return _grouped(self.setting, len(self.seed.codes))

    @cached_property
    def order(self) -> np.ndarray:
        """The rows by setting, arm and seed."""
        return np.lexsort((self.seed.codes, self.arm.codes, self.group))

    def _refuse_duplicates(self) -> None:
        key = self.group * len(self.arm.values) + self.arm.codes
        key = (key * len(self.seed.values) + self.seed.codes)[self.order]
        same = np.flatnonzero(key[1:] == key[:-1])
        if same.size:
            first, second = sorted(self.order[same[0] : same[0] + 2].tolist())
            arm, seed = (c.values[c.codes[first]] for c in (self.arm, self.seed))
            raise InputError(
                self.source,
                f"{row_name(first)} and {row_name(second)} are the same setting, seed ({seed}) "
                f"and arm ({arm})",
                "allowed: each once",
            )

    def samples(self) -> Iterator[Sample]:
        """Every metric of every arm at every setting, in the order of the settings' values."""
        order = self.order
        key = self.group[order] * len(self.arm.values) + self.arm.codes[order]
        starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
        seeds = np.array(self.seed.values, dtype=np.int64)[self.seed.codes[order]]
        planned = self._planned()
        for start, end in zip(starts, np.r_[starts[1:], len(key)], strict=True):
            row = order[start]
            setting, arm = self._setting(row), str(self.arm.values[self.arm.codes[row]])
            expected = planned[replace(setting, extra=None)]
            for name, metric in self.metrics.items():
                values = metric.values[order[start:end]]
                there = np.isfinite(values)
                n = int(there.sum())
                statuses = {"ok": n, "missing": len(expected) - n}
                yield Sample(
                    setting=setting,
                    arm=arm,
                    metric=name,
                    unit=metric.unit,
                    planned=expected,
                    statuses={status: count for status, count in statuses.items() if count},
                    seeds=tuple(seeds[start:end][there].tolist()),
                    values=values[there],
                )

    def _planned(self) -> dict[Setting, tuple[int, ...]]:
        """The seeds that any arm has at a setting, whatever its epochs more."""
        setting = {name: coded for name, coded in self.setting.items() if name != "extra"}
        group = _grouped(setting, len(self.seed.codes))
        n = len(self.seed.values)
        pairs = np.unique(group * n + self.seed.codes)
        _, first = np.unique(group, return_index=True)
        ends = np.searchsorted(pairs, n * np.arange(1, len(first) + 1))
        values = np.array(self.seed.values, dtype=np.int64)
        return {
            replace(self._setting(row), extra=None): tuple(values[pairs[start:end] % n].tolist())
            for row, start, end in zip(first, np.r_[0, ends[:-1]], ends, strict=True)
        }

    def _setting(self, row: int) -> Setting:
        at: dict[str, Any] = {name: c.values[c.codes[row]] for name, c in self.setting.items()}
        held = {name: at.pop(name, None) for name in ("dataset", "model", "budget", "extra")}
        return Setting(
            held["dataset"], held["model"], tuple(at.items()), held["budget"], held["extra"]
        )


def _grouped(columns: Mapping[str, Coded], rows: int) -> np.ndarray:
    """Each row's combination of the columns' values as a number from 0, in the values' order."""
    group = np.zeros(rows, dtype=np.int64)
    for coded in columns.values():
        # Renumbered after each column: products of many columns' sizes would overflow.
        _, group = np.unique(group * len(coded.values) + coded.codes, return_inverse=True)
    return group


def _is_number(type: pa.DataType) -> bool:
    checks = (pa.types.is_integer, pa.types.is_floating, pa.types.is_null)
    return any(check(type) for check in checks)


def _coded(column: pa.ChunkedArray, where: str, convert: Callable[[Any], Value]) -> Coded:
    """Codes into the converted distinct values, sorted, so that the rows' order does not matter."""
    encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    raw = np.from_dlpack(pc.fill_null(encoded.indices, -1).cast(pa.int64()))
    distinct = [None if v is None else convert(v) for v in encoded.dictionary.to_pylist()]
    values = sorted(set(distinct), key=lambda v: (v is not None, isinstance(v, str), v))
    if raw.size and raw.min() < 0 and None not in values:
        values.insert(0, None)
    at = {value: code for code, value in enumerate(values)}
    recode = np.array([*(at[value] for value in distinct), at.get(None, 0)], dtype=np.int64)
    return Coded(recode[raw], tuple(values))


def _by_appearance(coded: Coded) -> Coded:
    """The same with the values in the order in which the rows first have them."""
    codes, first = np.unique(coded.codes, return_index=True)
    order = codes[np.argsort(first)]
    rank = np.empty(len(coded.values), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return Coded(rank[coded.codes], tuple(coded.values[code] for code in order))


def _whole(where: str, least: int | None = None) -> Callable[[Any], int]:
    allowed = "allowed: whole numbers" + ("" if least is None else f" from {least}")

    def convert(value: Any) -> int:
        try:
            number = int(value)
            if number != float(value) or (least is not None and number < least):
                raise ValueError
        except (ValueError, TypeError, OverflowError):
            raise InputError(where, repr(value), allowed) from None
        return number

    return convert


def _number(where: str) -> Callable[[Any], float]:
    def convert(value: Any) -> float:
        try:
            return float(value)
        except (ValueError, TypeError):
            raise InputError(where, repr(value), "allowed: numbers") from None

    return convert


def _factor(value: Any) -> Value:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _refuse_spoiled_numbers(column: pa.ChunkedArray, where: str) -> None:
    """A metric with one word in it reads as text, and would silently become a factor."""
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return
    distinct = column.unique().to_pylist()
    spoiled = [v for v in distinct if v is not None and not _reads_as_number(v)]
    if spoiled and len(distinct) >= 2 * len(spoiled):
        row = column.index(spoiled[0]).as_py()
        raise InputError(
            where,
            f"{spoiled[0]!r} in {row_name(row)}, numbers elsewhere",
            "allowed: numbers (empty where missing), or text, or a column that --factors names",
        )


def _reads_as_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _metric(name: str, column: pa.ChunkedArray) -> Metric:
    """Accuracies between 0 and 1 become percent, differences pp; infinite values are missing."""
    array = pc.fill_null(column.cast(pa.float64()), float("nan")).combine_chunks()
    values = np.array(np.from_dlpack(array))
    values[~np.isfinite(values)] = np.nan
    finite = values[np.isfinite(values)]
    is_accuracy = name == "accuracy" or name.endswith("_accuracy")
    if is_accuracy and bool(((finite >= 0) & (finite <= 1)).all()):
        return Metric("pp", 100 * values)
    return Metric(name, values)


def row_name(index: int) -> str:
    return f"row {index + 1}"
