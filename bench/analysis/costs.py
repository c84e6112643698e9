"""What each arm costs: bytes, operators, latency, seconds of training; and what seeds cost."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.analysis.records import Setting
from bench.statistics.checks import FloatArray, Interval
from bench.statistics.medians import median_interval
from bench.store.schema import EVALUATED

COLUMNS = ("bytes", "int8_ops", "float_ops", "latency_us", "train_s", "convert_s", "eval_s", "cpu")


@dataclass(frozen=True, eq=False)
class ArmCost:
    """Of one arm of one model on one dataset, over its seeds and settings.

    bytes, int8_ops, float_ops, train_s: smallest and largest, None where no row has any; train_s:
    of a setting's mean over seeds, what it takes beyond what it shares; latency: microseconds of
    its files (files,), all on `cpu`, the commonest.
    """

    dataset: str | None
    model: str | None
    arm: str
    bytes: tuple[float, float] | None
    int8_ops: tuple[float, float] | None
    float_ops: tuple[float, float] | None
    train_s: tuple[float, float] | None
    latency: FloatArray
    cpu: str

    def latency_interval(self, alpha: float) -> Interval | None:
        return median_interval(self.latency, alpha) if self.latency.size else None


def of_arms(
    at: Mapping[tuple[Setting, str], Mapping[int, int | None]], columns: Mapping[str, Sequence[Any]]
) -> tuple[ArmCost, ...]:
    """at: place -> seed -> row; columns: COLUMNS and status of all rows."""
    rows: dict[tuple[str | None, str | None, str], list[list[int]]] = {}
    for (setting, arm), by_seed in at.items():
        there = [r for r in by_seed.values() if r is not None and columns["status"][r] in EVALUATED]
        rows.setdefault((setting.dataset, setting.model, arm), []).append(there)
    return tuple(
        _of(*place, [r for there in settings for r in there], settings, columns)
        for place, settings in rows.items()
        if any(settings)
    )


def _of(
    dataset: str | None,
    model: str | None,
    arm: str,
    rows: Sequence[int],
    settings: Sequence[Sequence[int]],
    columns: Mapping[str, Sequence[Any]],
) -> ArmCost:
    timed = [r for r in rows if columns["latency_us"][r] is not None]
    cpu = Counter(columns["cpu"][r] for r in timed or rows).most_common(1)[0][0]
    trained = [[columns["train_s"][r] for r in there] for there in settings]
    return ArmCost(
        dataset,
        model,
        arm,
        _ends([columns["bytes"][r] for r in rows]),
        _ends([columns["int8_ops"][r] for r in rows]),
        _ends([columns["float_ops"][r] for r in rows]),
        _ends([float(np.mean(of)) for of in trained if of and None not in of]),
        np.array([columns["latency_us"][r] for r in timed if columns["cpu"][r] == cpu], np.float64),
        str(cpu or "unknown"),
    )


def _ends(values: Sequence[float | None]) -> tuple[float, float] | None:
    known = [value for value in values if value is not None]
    return (min(known), max(known)) if known else None


def seconds_per_seed(
    at: Mapping[tuple[Setting, str], Mapping[int, int | None]], columns: Mapping[str, Sequence[Any]]
) -> float | None:
    """CPU seconds that one seed of the whole study took: the mean of its cells' over seeds, summed
    over the places; None where some place has no row that was timed."""
    total = 0.0
    for by_seed in at.values():
        taken = [
            columns["train_s"][r] + columns["convert_s"][r] + columns["eval_s"][r]
            for r in by_seed.values()
            if r is not None
            and None not in (columns[n][r] for n in ("train_s", "convert_s", "eval_s"))
        ]
        if not taken:
            return None
        total += float(np.mean(taken))
    return total
