"""Somebody's own results as a long table (CSV or Parquet) -> an analysis, by the same statistics.

Columns: `seed`, `arm`, one or more metrics (numbers); optionally `dataset`, `model`, `budget`,
`extra` and factors: text, or numbers that are declared. The order of rows changes no number.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from bench import arms as known
from bench.analysis import Analysis, Checks, Sample, Setting, Value, analyze_samples
from bench.arms import ARMS, Contrast
from bench.errors import InputError, nearest
from bench.schema import FACTORS
from bench.study import Study

MOST_CONTRASTS = 20_000
"""More than anybody can read, and every one of them is tested."""

_ROLES = ("seed", "arm", "dataset", "model", "budget", "extra")
_NUMERIC_FACTORS = {column.name for column in FACTORS if column.type != "string"}


def analyze_table(
    table: Path,
    *,
    factors: Sequence[str] = (),
    contrasts: Sequence[str] | None = None,
    delta: float | None = None,
    alpha: float = 0.05,
) -> Analysis:
    """The analysis of a long table.

    factors: columns of numbers that are factors, not metrics; contrasts: `a - b`, all primary
    (default: those of bench.arms where all arms are its, else every pair once, later minus earlier
    by first appearance); delta: the smallest difference that matters, in the reported unit
    (default: 0.5 for accuracies, none for anything else). Raises InputError naming file, column
    and row.
    """
    if not 0 < alpha < 1:
        raise InputError("--alpha", str(alpha), "allowed: between 0 and 1, both excluded")
    if delta is not None and not 0 < delta < np.inf:
        raise InputError("--delta", str(delta), "allowed: greater than 0")
    columns = _Columns.of(_read(table), str(table), factors)
    of_arms = [str(arm) for arm in columns.arm.values]
    if len(of_arms) < 2:
        raise InputError(f"{table}, arm", f"only {of_arms[0]!r}", "allowed: at least two arms")
    chosen, primary = _contrasts(of_arms, contrasts)
    samples = tuple(columns.samples())
    settings = len({replace(s.setting, extra=None) for s in samples})
    if len(chosen) * settings * len(columns.metrics) > MOST_CONTRASTS:
        raise InputError(
            str(table),
            f"{len(chosen):,} contrasts at {settings:,} settings for "
            f"{len(columns.metrics)} metrics",
            f"allowed: at most {MOST_CONTRASTS:,} in all; choose some with --contrasts",
        )
    analysis = analyze_samples(
        samples,
        chosen,
        primary=primary,
        title=f"Results of {table.name}",
        alpha=alpha,
        deltas=_deltas(columns, delta),
    )
    if not analysis.comparisons:
        raise InputError(
            str(table),
            "no setting holds both arms of any contrast; a setting is a combination of "
            f"{', '.join(columns.setting_names) or 'nothing'}",
            "allowed: arms that share settings (every text column is a factor)",
        )
    planned = sum(len(s.planned) for s in samples)
    with_result = sum(len(s.seeds) for s in samples)
    return replace(analysis, checks=Checks(planned=planned, with_result=with_result))


def _contrasts(
    arms: Sequence[str], chosen: Sequence[str] | None
) -> tuple[tuple[Contrast, ...], tuple[str, ...]]:
    """The contrasts and the names of the primary ones among them."""
    if chosen is not None:
        by_name = {f"{a} - {b}": Contrast(a, b, "") for a in arms for b in arms if a != b}
        by_name |= {name: c for name, c in known.CONTRASTS.items() if name in by_name}
        names = [part.strip() for text in chosen for part in text.split(",") if part.strip()]
        for name in names:
            if name not in by_name:
                raise InputError("--contrasts", f"no contrast {name!r}", nearest(name, by_name))
        if not names:
            raise InputError("--contrasts", "none", "allowed: 'arm - arm', separated by commas")
        return tuple(by_name[name] for name in dict.fromkeys(names)), tuple(names)
    if set(arms) <= set(ARMS):
        shared = tuple(c for c in known.CONTRASTS.values() if {c.a, c.b} <= set(arms))
        if shared:
            return shared, tuple(c.name for c in shared if c.name in known.PRIMARY)
    pairs = tuple(Contrast(later, earlier, "") for earlier, later in combinations(arms, 2))
    return pairs, tuple(c.name for c in pairs)


def _deltas(columns: "_Columns", delta: float | None) -> dict[str, float | None]:
    """delta in one unit cannot hold for metrics of another: it is that of the accuracies, or of
    the only metric."""
    accuracies = [name for name, metric in columns.metrics.items() if metric.unit == "pp"]
    default = Study.model_fields["delta"].default
    if accuracies:
        return dict.fromkeys(accuracies, default if delta is None else delta)
    if delta is not None and len(columns.metrics) > 1:
        raise InputError(
            "--delta",
            f"{delta:g} for {', '.join(columns.metrics)}",
            "allowed: with one metric, or with accuracies (whose difference is in pp)",
        )
    return dict.fromkeys(columns.metrics, delta)


# ---------------------------------------------------------------------------------------------
# the file


def _read(path: Path) -> pa.Table:
    if not path.is_file():
        raise InputError(str(path), "no such file", "allowed: a CSV or Parquet file")
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            with pq.ParquetFile(path) as file:
                table = file.read()
        else:
            table = pyarrow.csv.read_csv(path)
    except (pa.ArrowInvalid, OSError, ValueError) as error:
        raise InputError(str(path), str(error), "allowed: a CSV or Parquet file") from None
    names = [name.strip() for name in table.column_names]
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        raise InputError(str(path), f"two columns {twice[0]!r}", "allowed: each name once")
    table = table.rename_columns(names)
    for name in ("seed", "arm"):
        if name not in names:
            hint, _, found = nearest(name, names).partition("allowed: ")
            raise InputError(
                str(path),
                f"no column {name!r}",
                f"{hint}allowed: seed, arm and one or more metrics (found: {found})",
            )
    if table.num_rows == 0:
        raise InputError(str(path), "no rows", "allowed: one row per seed and arm")
    return table


@dataclass(frozen=True)
class _Coded:
    """A column as codes into its sorted distinct values; None sorts first."""

    codes: np.ndarray  # int64 (rows,)
    values: tuple[Value, ...]


@dataclass(frozen=True)
class _Metric:
    unit: str
    values: np.ndarray  # float64 (rows,), nan where missing or infinite


@dataclass(frozen=True)
class _Columns:
    source: str
    seed: _Coded
    arm: _Coded
    setting: Mapping[str, _Coded]  # dataset, model, budget, extra and factors, those that are there
    metrics: Mapping[str, _Metric]

    @property
    def setting_names(self) -> tuple[str, ...]:
        return tuple(self.setting)

    @classmethod
    def of(cls, table: pa.Table, source: str, declared: Sequence[str]) -> "_Columns":
        for name in declared:
            if name not in table.column_names or name in ("seed", "arm"):
                others = [n for n in table.column_names if n not in _ROLES]
                raise InputError("--factors", f"no column {name!r}", nearest(name, others))
        setting: dict[str, _Coded] = {}
        metrics: dict[str, _Metric] = {}
        for name in table.column_names:
            column, where = table[name], f"{source}, {name}"
            if name in ("budget", "extra"):
                setting[name] = _coded(column, where, _whole(where, 1))
            elif name in ("dataset", "model"):
                setting[name] = _coded(column, where, str)
            elif name in _ROLES:
                continue
            elif name in declared or name in _NUMERIC_FACTORS or not _is_number(column.type):
                convert = _number(where) if name in _NUMERIC_FACTORS else _factor
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
                raise InputError(f"{source}, {name}", f"nothing in {_row(row)}", "allowed: a value")
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
                f"{_row(first)} and {_row(second)} are the same setting, seed ({seed}) and arm "
                f"({arm})",
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


# ---------------------------------------------------------------------------------------------
# columns


def _grouped(columns: Mapping[str, _Coded], rows: int) -> np.ndarray:
    """Each row's combination of the columns' values as a number from 0, in the values' order."""
    group = np.zeros(rows, dtype=np.int64)
    for coded in columns.values():
        # Renumbered after each column: products of many columns' sizes would overflow.
        _, group = np.unique(group * len(coded.values) + coded.codes, return_inverse=True)
    return group


def _is_number(type: pa.DataType) -> bool:
    checks = (pa.types.is_integer, pa.types.is_floating, pa.types.is_null)
    return any(check(type) for check in checks)


def _coded(column: pa.ChunkedArray, where: str, convert: Callable[[Any], Value]) -> _Coded:
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
    return _Coded(recode[raw], tuple(values))


def _by_appearance(coded: _Coded) -> _Coded:
    """The same with the values in the order in which the rows first have them."""
    codes, first = np.unique(coded.codes, return_index=True)
    order = codes[np.argsort(first)]
    rank = np.empty(len(coded.values), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return _Coded(rank[coded.codes], tuple(coded.values[code] for code in order))


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
            f"{spoiled[0]!r} in {_row(row)}, numbers elsewhere",
            "allowed: numbers (empty where missing), or text, or a column that --factors names",
        )


def _reads_as_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _metric(name: str, column: pa.ChunkedArray) -> _Metric:
    """Accuracies between 0 and 1 become percent, differences pp; infinite values are missing."""
    array = pc.fill_null(column.cast(pa.float64()), float("nan")).combine_chunks()
    values = np.array(np.from_dlpack(array))
    values[~np.isfinite(values)] = np.nan
    finite = values[np.isfinite(values)]
    is_accuracy = name == "accuracy" or name.endswith("_accuracy")
    if is_accuracy and bool(((finite >= 0) & (finite <= 1)).all()):
        return _Metric("pp", 100 * values)
    return _Metric(name, values)


def _row(index: int) -> str:
    return f"row {index + 1}"
