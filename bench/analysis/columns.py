"""The columns of somebody's own table as samples: every metric of every arm at every setting."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bench.analysis import table_metrics
from bench.analysis.coded import Coded, distinct, firsts, grouped, numbered, sorted_by
from bench.analysis.reading import Taken
from bench.analysis.records import Sample, Setting
from bench.analysis.roles import SETTINGS, Declared, decide
from bench.analysis.table_metrics import Metric
from bench.errors import InputError, nearest
from bench.statistics.checks import IntArray


@dataclass(frozen=True)
class Columns:
    """setting: dataset, model, budget, extra and factors, those that are there; taken: what every
    column was taken for; correct: of each row, bool (examples,), where test examples are known;
    groups_of: of each row, the group of each example, where they have any."""

    seed: Coded
    arm: Coded
    setting: Mapping[str, Coded]
    metrics: Mapping[str, Metric]
    taken: tuple[Taken, ...]
    correct: Sequence[NDArray[np.bool_]] | None = None
    groups_of: Sequence[tuple[str, ...]] | None = None

    @classmethod
    def of(
        cls,
        table: pa.Table,
        source: str,
        declared: Declared,
        correct: Sequence[NDArray[np.bool_]] | None = None,
    ) -> "Columns":
        """correct: per row, which test examples its accuracy counts as right. Raises InputError
        naming the column, and the option that decides."""
        roles = decide(table, source, declared)
        for option, names in (
            ("--percent", declared.percent),
            ("--lower-is-better", declared.lower),
        ):
            for name in names:
                if name not in roles.metrics:
                    raise InputError(option, f"no metric {name!r}", nearest(name, roles.metrics))
        metrics = {}
        for name in roles.metrics:
            metrics[name] = table_metrics.of(
                name, table[name], f"{source}, {name}", declared.percent, declared.lower
            )
            roles.take(name, "metric", metrics[name].said)
        taken = tuple(roles.taken[name] for name in table.column_names)
        return cls(roles.seed, roles.arm, roles.setting, metrics, taken, correct)

    @cached_property
    def group(self) -> IntArray:
        """Each row's setting as a number, int64 (rows,)."""
        return grouped(self.setting, len(self.seed.codes))

    @cached_property
    def order(self) -> IntArray:
        """The rows by setting, arm and seed."""
        place = numbered(self.group * len(self.arm.values) + self.arm.codes)
        return sorted_by(place * len(self.seed.values) + self.seed.codes)

    def samples(self) -> Iterator[Sample]:
        """Every metric of every arm at every setting, in the order of the settings' values.

        None of a metric that has no value at a setting, in any arm: it was not measured there.
        """
        order = self.order
        key = (self.group * len(self.arm.values) + self.arm.codes)[order]
        starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
        every = np.array(self.seed.values, dtype=object)
        same: dict[tuple[Any, ...], tuple[Any, ...]] = {}  # seeds are held once
        planned = {at: same.setdefault(seeds, seeds) for at, seeds in self._planned().items()}
        groups = np.stack([self.group[order[starts]], starts, np.r_[starts[1:], len(key)]], axis=1)
        measured = {
            name: np.bincount(self.group, np.isfinite(metric.values)) > 0
            for name, metric in self.metrics.items()
        }
        for group, start, end in groups.tolist():
            rows = order[start:end]
            row = int(rows[0])
            setting, arm = self._setting(row), str(self.arm.values[self.arm.codes[row]])
            expected = planned[replace(setting, extra=None)]
            for name, metric in self.metrics.items():
                if not measured[name][group]:
                    continue
                values = metric.values[rows]
                there = np.isfinite(values)
                n = int(there.sum())
                statuses = {"ok": n, "missing": len(expected) - n}
                exact = bool(n) and bool(metric.exact[rows][there].all())
                correct = None
                of_examples: tuple[str, ...] | None = None
                if self.correct is not None and name == "accuracy":
                    correct = np.stack([self.correct[row] for row in rows.tolist()])
                    if self.groups_of is not None:
                        of_examples = self.groups_of[int(rows[0])]
                    values, exact = 100 * correct.sum(axis=1) / correct.shape[1], False
                seeds = tuple(every[self.seed.codes[rows[there]]].tolist())
                yield Sample(
                    setting=setting,
                    arm=arm,
                    metric=name,
                    unit=metric.unit,
                    planned=expected,
                    statuses={status: count for status, count in statuses.items() if count},
                    seeds=same.setdefault(seeds, seeds),
                    values=values[there],
                    correct=correct,
                    groups=of_examples,
                    whole=metric.whole[rows][there] if exact else None,
                    step=metric.step,
                    lower_is_better=metric.lower_is_better,
                )

    def _planned(self) -> dict[Setting, tuple[int, ...]]:
        """The seeds that any arm has at a setting, whatever its epochs more."""
        setting = {name: column for name, column in self.setting.items() if name != "extra"}
        group = grouped(setting, len(self.seed.codes))
        n = len(self.seed.values)
        pairs, first = distinct(group * n + self.seed.codes), firsts(group)
        ends = np.searchsorted(pairs, n * np.arange(1, len(first) + 1))
        values = np.array(self.seed.values, dtype=object)
        return {
            replace(self._setting(row), extra=None): tuple(values[pairs[start:end] % n].tolist())
            for row, start, end in zip(first, np.r_[0, ends[:-1]], ends, strict=True)
        }

    def _setting(self, row: int) -> Setting:
        at: dict[str, Any] = {name: c.values[c.codes[row]] for name, c in self.setting.items()}
        held = {name: at.pop(name, None) for name in SETTINGS}
        return Setting(
            held["dataset"], held["model"], tuple(at.items()), held["budget"], held["extra"]
        )
