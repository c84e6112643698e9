"""What each column of somebody's own table is taken for. Nothing is guessed unsaid.

The user's options decide first; then the names that have a meaning; then what the rows show. A
column that would split, drop or unpair rows without having been declared is an error.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import isinf
from typing import Any

import numpy as np
import pyarrow as pa

from bench.analysis import table_metrics
from bench.analysis.coded import (
    Coded,
    as_arm,
    as_factor,
    as_number,
    as_whole,
    coded,
    codes_of_numbers,
    distinct,
    grouped,
    numbered,
    reads_as_number,
    refuse_spoiled_numbers,
    row_name,
)
from bench.analysis.reading import Taken
from bench.analysis.table_file import is_nameless
from bench.errors import InputError, nearest
from bench.statistics.checks import IntArray
from bench.study.factors import FACTORS

SETTINGS = ("dataset", "model", "budget", "extra")
NUMERIC_FACTORS = frozenset(factor.name for factor in FACTORS.values() if factor.ordered)
FEWEST_ROW_NUMBERS = 6
"""Rows from which a column of whole numbers 0, 1, 2 ... can only be their numbers."""


@dataclass(frozen=True)
class Declared:
    """What the user says: names of columns. metrics: None where it is not said."""

    metrics: Sequence[str] | None = None
    factors: Sequence[str] = ()
    ignore: Sequence[str] = ()
    percent: Sequence[str] = ()
    lower: Sequence[str] = ()

    def check(self, names: Sequence[str]) -> None:
        """InputError where a name is no column, or said to be two things."""
        said: dict[str, str] = {}
        others = [name for name in names if name not in ("seed", "arm")]
        for option, listed in (
            ("--metrics", self.metrics or ()),
            ("--factors", self.factors),
            ("--ignore", self.ignore),
        ):
            for name in listed:
                if name not in others:
                    raise InputError(option, f"no column {name!r}", nearest(name, others))
                if said.setdefault(name, option) != option:
                    raise InputError(
                        option, f"{name!r}, which is in {said[name]} too", "allowed: in one of them"
                    )
        if self.metrics is not None and not self.metrics:
            raise InputError("--metrics", "none", "allowed: names of columns, separated by commas")


@dataclass
class Roles:
    """The decision. setting: dataset, model, budget, extra and factors; taken: of every column."""

    seed: Coded
    arm: Coded
    setting: dict[str, Coded] = field(default_factory=dict)
    metrics: list[str] = field(default_factory=list)
    taken: dict[str, Taken] = field(default_factory=dict)

    def leave_out(self, name: str, why: str) -> None:
        self.taken[name] = Taken(name, "left out", why)

    def take(self, name: str, role: Any, why: str = "") -> None:
        self.taken[name] = Taken(name, role, why)

    def group(self, but: Collection[str] = (), more: Mapping[str, Coded] | None = None) -> IntArray:
        """Each row's setting as a number; but: without these columns; more: with these."""
        columns = {n: c for n, c in (self.setting | dict(more or {})).items() if n not in but}
        return grouped(columns, len(self.seed.codes))


def decide(table: pa.Table, source: str, declared: Declared) -> Roles:
    """Raises InputError naming the column and the option that decides."""
    declared.check(table.column_names)
    for name, allowed in (("seed", "whole numbers"), ("arm", "names")):
        type = table[name].type
        if not (_is_number(type) or _is_text(type) or pa.types.is_null(type)):
            raise InputError(f"{source}, {name}", _kind(type), f"allowed: {allowed}")
    roles = Roles(
        coded(table["seed"], f"{source}, seed", as_whole(f"{source}, seed")),
        coded(table["arm"], f"{source}, arm", as_arm(f"{source}, arm")).by_appearance(),
    )
    for name in ("seed", "arm"):
        values: Coded = getattr(roles, name)
        if None in values.values:
            row = int(np.argmax(values.codes == values.values.index(None)))
            raise InputError(f"{source}, {name}", f"nothing in {row_name(row)}", "allowed: a value")
        roles.take(name, name)
    numbers: list[str] = []
    texts: dict[str, Coded] = {}
    for name in table.column_names:
        if name not in ("seed", "arm"):
            _by_name(table[name], name, source, declared, roles, numbers, texts)
    _settings(roles, source, declared)
    _texts(roles, texts, table, source)
    _numbers(roles, numbers, table, source, declared)
    _refuse_duplicates(roles, table, source)
    roles.setting = {n: roles.setting[n] for n in table.column_names if n in roles.setting}
    return roles


def _by_name(
    column: pa.ChunkedArray,
    name: str,
    source: str,
    declared: Declared,
    roles: Roles,
    numbers: list[str],
    texts: dict[str, Coded],
) -> None:
    """What options, names and types decide; the rest is put into numbers and texts."""
    where = f"{source}, {name}"
    if name in declared.ignore:
        roles.leave_out(name, "by --ignore")
    elif name in (declared.metrics or ()):
        if not (_is_number(column.type) or pa.types.is_boolean(column.type)):
            refuse_spoiled_numbers(column, where)
            held = f"{name!r} holds {_kind(column.type)}"
            raise InputError("--metrics", held, "allowed: numbers")
        roles.metrics.append(name)
        roles.take(name, "metric")
    elif column.null_count == len(column) and name not in declared.factors:
        roles.leave_out(name, "empty")
    elif not _is_number(column.type) and not _is_text(column.type):
        if name in (*declared.factors, *SETTINGS):
            raise InputError(where, _kind(column.type), "allowed: text or numbers")
        roles.leave_out(name, _kind(column.type))
    elif (
        name in declared.factors or name in SETTINGS or (name in FACTORS and not _are_words(column))
    ):
        convert: Callable[[Any], Any] = as_factor
        if name in ("budget", "extra"):
            convert = as_whole(where, 1, 2**31 - 1)
        elif name in ("dataset", "model"):
            convert = str
        elif name in NUMERIC_FACTORS and not _are_words(column):
            convert = as_number(where)
        roles.setting[name] = coded(column, where, convert)
        if any(isinstance(v, float) and isinf(v) for v in roles.setting[name].values):
            raise InputError(where, "inf", "allowed: text or finite numbers")
        role = "setting" if name in SETTINGS else "factor"
        roles.take(name, role, "by --factors" if name in declared.factors else "by its name")
    elif is_nameless(name):
        roles.leave_out(name, "without a name")
    elif _is_number(column.type):
        if declared.metrics is not None:
            roles.leave_out(name, "not among --metrics")
        else:
            numbers.append(name)
    else:
        refuse_spoiled_numbers(column, where)
        texts[name] = coded(column, where, as_factor)


def _are_words(column: pa.ChunkedArray) -> bool:
    """Is it text beside numbers? In somebody's table a column with the name of a factor may be
    anything: text is judged by what the rows show."""
    if not _is_text(column.type):
        return False
    return not all(reads_as_number(str(v)) for v in column.unique().to_pylist() if v is not None)


def _settings(roles: Roles, source: str, declared: Declared) -> None:
    """Settings by name that belong to the arm alone would delete every contrast."""
    for name in list(roles.setting):
        values = roles.setting[name]
        if name in declared.factors or not _follows(values.codes, roles.arm.codes):
            continue
        different = {v for v in values.values if v is not None or name != "extra"}
        if len(different) < 2:  # `extra` is empty for arms that have no epochs more
            continue
        if name not in SETTINGS:
            roles.leave_out(name, "says only which arm it is")
            del roles.setting[name]
            continue
        raise InputError(
            f"{source}, {name}",
            "each arm has one of its own, so that no two arms share a setting",
            f"allowed: arms at the same {name}; --ignore {name} compares them all the same",
        )


def _texts(roles: Roles, texts: dict[str, Coded], table: pa.Table, source: str) -> None:
    """Text that nobody declared is a factor where rows are not unique without it and each of its
    levels has all arms on the same seeds; left out where it tells nothing; else an error."""
    for name, values in list(texts.items()):
        if len(values.values) == 1:
            roles.leave_out(name, "the same in every row")
        elif _follows(values.codes, roles.arm.codes):
            roles.leave_out(name, "says only which arm it is")
        else:
            continue
        del texts[name]
    if not texts:
        return
    unique = _unique(roles, {})
    factors = {} if unique else {n: c for n, c in texts.items() if _is_balanced(roles, c)}
    if _unique(roles, factors):
        for name in reversed(list(factors)):
            fewer = {n: c for n, c in factors.items() if n != name}
            if _unique(roles, fewer):
                factors = fewer
    refused = {}
    for name, values in texts.items():
        if name in factors:
            roles.setting[name] = values
            roles.take(name, "factor", "rows are not unique without it")
        elif _follows(values.codes, _pairs(roles.group(more=factors), roles.arm.codes)):
            roles.leave_out(name, "follows from arm and setting")
        elif _is_shared(values.codes, _pairs(roles.group(("extra",), factors), roles.seed.codes)):
            roles.leave_out(name, "the same for every arm")
        else:
            refused[name] = values
    if refused and _unique(roles, factors):
        raise _refusal(roles, refused, unique, source)
    for name in refused:
        roles.leave_out(name, "text")


def _refusal(roles: Roles, refused: Mapping[str, Coded], unique: bool, source: str) -> InputError:
    """Of text that would split, drop or unpair rows."""
    name, values = next(iter(refused.items()))
    shown = next(v for v in values.values if v not in (None, ""))
    if unique:
        because = "rows are unique without it, and as a factor it would split them"
    else:
        because = "not every value of it has all arms on the same seeds"
    others = [repr(other) for other in list(refused)[1:6]]
    more = f" (likewise {', '.join(others)})" if others else ""
    joined = ",".join(refused) if len(refused) <= 6 else name
    return InputError(
        f"{source}, {name}",
        f"text (such as {str(shown)[:40]!r}) that is no factor: {because}{more}",
        f'allowed: --ignore "{joined}" to leave it out, --factors "{joined}" to split by it',
    )


def _numbers(
    roles: Roles, numbers: list[str], table: pa.Table, source: str, declared: Declared
) -> None:
    """Numbers that nobody declared are metrics, unless they can tell nothing about arms."""
    place = _pairs(roles.group(), roles.arm.codes)
    repeated = len(distinct(place)) < len(place)
    shared = _pairs(roles.group(but=("extra",)), roles.seed.codes)
    doubtful = []
    for name in numbers:
        known = table_metrics.is_known(name) or name in (*declared.percent, *declared.lower)
        values = None if known else codes_of_numbers(table[name])
        if values is None:
            roles.metrics.append(name)
            roles.take(name, "metric", "numbers")
        elif _are_row_numbers(table[name]):
            roles.leave_out(name, "row numbers")
        elif not values.any() and len(place) > 2:
            roles.leave_out(name, "the same in every row")
        elif repeated and _follows(values, place):
            roles.leave_out(name, "does not vary over seeds")
            doubtful.append(name)
        elif _is_shared(values, shared):
            roles.leave_out(name, "the same for every arm")
        else:
            roles.metrics.append(name)
            roles.take(name, "metric", "numbers")
    if not roles.metrics:  # then they are all there is, and that the seed does nothing is said
        for name in doubtful:
            roles.metrics.append(name)
            roles.take(name, "metric", "numbers")
    if not roles.metrics:
        left = [f"{t.column} ({t.why})" for t in roles.taken.values() if t.role == "left out"]
        raise InputError(
            source,
            f"no metric among {', '.join(table.column_names)}",
            "allowed: at least one column of numbers beside seed and arm"
            + (f"; left out: {', '.join(left)}; --metrics decides" if left else ""),
        )
    roles.metrics = [name for name in table.column_names if name in roles.metrics]


def _refuse_duplicates(roles: Roles, table: pa.Table, source: str) -> None:
    if _unique(roles, {}):
        return
    key = _row_key(roles, {})
    order = np.argsort(key, kind="stable")
    same = np.flatnonzero(key[order][1:] == key[order][:-1])
    first, second = sorted(order[same[0] : same[0] + 2].tolist())
    arm, seed = (c.values[c.codes[first]] for c in (roles.arm, roles.seed))
    differ = [
        name
        for name in table.column_names
        if name not in roles.setting
        and not is_nameless(name)
        and table[name][first].as_py() != table[name][second].as_py()
    ]
    factors = [n for n in differ if not table_metrics.is_known(n) and n not in roles.metrics]
    factors = factors or [n for n in differ if not table_metrics.is_known(n)]
    hint = f", or --factors {factors[0]}" if factors else ""
    listed = ", ".join(repr(name) for name in (factors or differ)[:5])
    raise InputError(
        source,
        f"{row_name(first)} and {row_name(second)} are the same setting, seed ({seed}) and arm "
        f"({arm})" + (f", and differ in {listed}" if differ else ", and differ in nothing"),
        f"allowed: each once{hint}",
    )


def _row_key(roles: Roles, more: Mapping[str, Coded]) -> IntArray:
    return _pairs(_pairs(roles.group(more=more), roles.arm.codes), roles.seed.codes)


def _unique(roles: Roles, more: Mapping[str, Coded]) -> bool:
    key = _row_key(roles, more)
    return len(distinct(key)) == len(key)


def _is_balanced(roles: Roles, values: Coded) -> bool:
    """Has each level all arms of the table on the same seeds (at the settings known by name)?"""
    place = _pairs(_pairs(roles.group(but=("extra",)), values.codes), roles.seed.codes)
    with_arm = _pairs(place, roles.arm.codes)
    return len(distinct(with_arm)) == len(distinct(place)) * len(roles.arm.values)


def _pairs(a: IntArray, b: IntArray) -> IntArray:
    """Combinations of two codes as numbers from 0: int64 (rows,)."""
    return numbered(a * (int(b.max(initial=0)) + 1) + b)


def _follows(values: IntArray, of: IntArray) -> bool:
    """Is there but one value wherever `of` is the same?"""
    return len(distinct(_pairs(of, values))) == len(distinct(of))


def _is_shared(values: IntArray, place: IntArray) -> bool:
    """Is there but one value for the arms of every seed, somewhere for more than one?"""
    return len(distinct(place)) < len(place) and _follows(values, place)


def _are_row_numbers(column: pa.ChunkedArray) -> bool:
    if len(column) < FEWEST_ROW_NUMBERS or column.null_count:
        return False
    values = np.sort(np.asarray(column.cast(pa.float64(), safe=False)))
    return any(np.array_equal(values, np.arange(len(values)) + first) for first in (0, 1))


def _is_number(type: pa.DataType) -> bool:
    return bool(pa.types.is_integer(type) or pa.types.is_floating(type))


def _is_text(type: pa.DataType) -> bool:
    return bool(pa.types.is_string(type) or pa.types.is_boolean(type))


def _kind(type: pa.DataType) -> str:
    for check, kind in (
        (pa.types.is_map, "maps"),
        (pa.types.is_struct, "structs"),
        (pa.types.is_nested, "lists"),
        (pa.types.is_temporal, "dates or times"),
        (pa.types.is_boolean, "yes and no"),
        (pa.types.is_string, "text"),
        (pa.types.is_null, "nothing"),
    ):
        if check(type):
            return kind
    return f"values of type {type}"
