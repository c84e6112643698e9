"""Somebody's own results as a table (CSV, JSON, Parquet) -> an analysis, by the same statistics.

Columns: `seed`, `arm`, one or more metrics (numbers); optionally `dataset`, `model`, `budget`,
`extra` and factors. What each column was taken for stands in `Analysis.reading`. The order of rows
changes no number.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from bench.analysis import (
    Analysis,
    Checks,
    analyze_samples,
    table_examples,
    table_file,
    table_wide,
)
from bench.analysis.columns import Columns
from bench.analysis.reading import Reading, Remark
from bench.analysis.records import Sample, Setting
from bench.analysis.roles import Declared
from bench.analysis.table_file import NEEDED
from bench.errors import InputError
from bench.store.schema import CONTRASTS as CONTRAST_COLUMNS
from bench.study import Study
from bench.study.arms import contrasts_of
from bench.study.factors import FACTORS

MOST_CONTRASTS = 20_000
"""More than anybody can read, and every one of them is tested."""

UNDECLARED = Declared()
_MOST_NAMED = 5


def analyze_table(
    table: Path,
    *,
    declared: Declared = UNDECLARED,
    columns: Mapping[str, str] | None = None,
    contrasts: Sequence[str] | None = None,
    delta: float | None = None,
    alpha: float = 0.05,
    wide: bool = False,
    frame: pa.Table | None = None,
) -> Analysis:
    """The analysis of a long table, of a wide one, or of predictions per test example.

    declared: what the user says of columns; columns: other name -> name here, such as run -> seed;
    contrasts: `a - b`, all primary (default: those of study.arms where all arms are its, else every
    pair once, later minus earlier by first appearance); delta: the smallest difference that
    matters, in the reported unit (default: 0.5 for accuracies, none for anything else); wide: a row
    per seed and a column per arm; frame: the table, where it is in memory, which messages then call
    `table`. Raises InputError naming file, column and row, and the option that decides.
    """
    if not 0 < alpha < 1:
        raise InputError("--alpha", str(alpha), "allowed: between 0 and 1, both excluded")
    if delta is not None and not 0 < delta < np.inf:
        raise InputError("--delta", str(delta), "allowed: greater than 0")
    needed = ("seed",) if wide else NEEDED
    if frame is None:
        rows, said_of_file = table_file.read(table, columns or {}, needed)
    else:
        rows, said_of_file = table_file.plain(frame, table, columns or {}, needed), []
    remarks = [Remark(text) for text in said_of_file]
    if wide:
        rows, declared, remark = table_wide.long(rows, str(table), declared)
        remarks.append(remark)
    if not wide and table_examples.is_of_examples(rows):
        of_examples = table_examples.reduced(rows, str(table), declared)
        found = Columns.of(of_examples.table, str(table), of_examples.declared, of_examples.correct)
        taken = (*found.taken, *of_examples.taken.values())
        found = replace(found, taken=taken, groups_of=of_examples.groups)
        remarks += of_examples.remarks
    else:
        found = Columns.of(rows, str(table), declared)
    del rows  # of a large table half the memory
    _refuse_taken_names(found, table)
    of_arms = [str(arm) for arm in found.arm.values]
    if len(of_arms) < 2:
        raise InputError(f"{table}, arm", f"only {of_arms[0]!r}", "allowed: at least two arms")
    chosen, primary = contrasts_of(of_arms, contrasts, "--contrasts")
    samples = tuple(found.samples())
    settings = len({replace(s.setting, extra=None) for s in samples})
    if len(chosen) * settings * len(found.metrics) > MOST_CONTRASTS:
        raise InputError(
            str(table),
            f"{len(chosen):,} contrasts at {settings:,} settings for {len(found.metrics)} metrics",
            f"allowed: at most {MOST_CONTRASTS:,} in all; choose some with --contrasts",
        )
    analysis = analyze_samples(
        samples,
        chosen,
        primary=primary,
        title=f"Results of {table.name}",
        alpha=alpha,
        deltas=_deltas(found, delta),
    )
    if not analysis.comparisons:
        raise InputError(
            str(table),
            "no setting holds both arms of any contrast; a setting is a combination of "
            f"{', '.join(found.setting) or 'nothing'}",
            "allowed: arms that share settings (--ignore leaves a column out)",
        )
    if not any(c.pairs.seeds for c in analysis.comparisons):
        raise _no_pairs(table, analysis)
    said = (*remarks, *_remarks(analysis, found))
    planned = sum(len(s.planned) for s in samples)
    with_result = sum(len(s.seeds) for s in samples)
    return replace(
        analysis,
        checks=Checks(planned=planned, with_result=with_result),
        reading=Reading(found.taken, said),
    )


def _refuse_taken_names(columns: Columns, table: Path) -> None:
    """contrasts.parquet has columns of its own."""
    taken = {column.name for column in CONTRAST_COLUMNS} - set(FACTORS)
    for name in columns.setting:
        if name in taken and name not in ("dataset", "model", "budget", "extra"):
            raise InputError(
                f"{table}, {name}",
                "a factor with the name of a column of contrasts.parquet",
                f'allowed: another name, such as --columns "{name}=my_{name}"',
            )


def _deltas(columns: Columns, delta: float | None) -> dict[str, float | None]:
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
            "allowed: with one metric (--metrics), or with accuracies (whose difference is in pp)",
        )
    return dict.fromkeys(columns.metrics, delta)


def _no_pairs(table: Path, analysis: Analysis) -> InputError:
    """Of arms that share no seed: nothing is paired."""
    first = next(iter(analysis.comparisons)).pairs
    shown = "; ".join(f"{s.arm!r} has {_some(s.seeds) or 'none'}" for s in first.samples[:2])
    where = _place(first.setting)
    return InputError(
        f"{table}, seed",
        f"no seed has a value in both arms of a contrast ({first.contrast.name}"
        f"{' at ' + where if where else ''}: {shown})",
        "allowed: one row per seed and arm, with the same seeds in both: what two arms gave under "
        "one seed is a pair, and differences of pairs are what is tested",
    )


def _some(seeds: Sequence[int]) -> str:
    more = ", ..." if len(seeds) > 3 else ""
    return ", ".join(map(str, seeds[:3])) + more


def _remarks(analysis: Analysis, columns: Columns) -> Iterator[Remark]:
    """Which contrasts of those asked for cannot be, and why."""
    compared = {(c.name, c.pairs.metric): c for c in analysis.comparisons}
    never = [
        c.name
        for c in analysis.contrasts
        if not any((c.name, metric) in compared for metric in columns.metrics)
    ]
    if never:
        yield Remark(
            f"No setting holds both arms of {_slots(never)}; a setting is a combination of "
            f"{', '.join('{}' for _ in columns.setting)}",
            (*_named(never), *columns.setting),
        )
    yield from _unpaired(analysis)
    yield from _unmeasured(analysis.samples, columns)


def _unpaired(analysis: Analysis) -> Iterator[Remark]:
    """Contrasts of whose arms no seed has both: everywhere, or at some settings."""
    by_name: dict[str, dict[str, bool]] = {}
    for c in analysis.select("seeds"):
        places = by_name.setdefault(c.name, {})
        place = _place(c.setting)
        places[place] = places.get(place, False) or bool(c.pairs.seeds)
    never = [name for name, places in by_name.items() if not any(places.values())]
    if never:
        yield Remark(f"No seed has a value in both arms of {_slots(never)}", _named(never))
    for name, places in by_name.items():
        where = [place for place, there in places.items() if not there]
        if where and name not in never:
            yield Remark(f"No seed has a value in both arms of {{}} at {_slots(where)}",
                         (name, *_named(where)))  # fmt: skip


def _unmeasured(samples: Sequence[Sample], columns: Columns) -> Iterator[Remark]:
    """Metrics without any value at a setting, and arms that are not at one."""
    at: dict[Setting, set[tuple[str, str]]] = {}
    for s in samples:
        at.setdefault(replace(s.setting, extra=None), set()).add((s.metric, s.arm))
    arms = {str(arm) for arm in columns.arm.values}
    for name in columns.metrics:
        where = [_place(p) for p, there in at.items() if name not in {m for m, _ in there}]
        if where:
            yield Remark(f"{{}} has no value at {_slots(where)}: no contrast there",
                         (name, *_named(where)))  # fmt: skip
    for arm in sorted(arms):
        where = [_place(p) for p, there in at.items() if arm not in {a for _, a in there}]
        if where and len(at) > 1:
            yield Remark(f"{{}} is not at {_slots(where)}: no contrast with it there",
                         (arm, *_named(where)))  # fmt: skip


def _place(setting: Setting) -> str:
    return ", ".join(f"{name} {v}" for name, v in setting.fields().items() if v is not None)


def _slots(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join("{}" for _ in names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _named(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(names[:_MOST_NAMED])
