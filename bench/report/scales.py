"""Axes: how a value becomes a place, and at which values ticks stand."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Scale:
    """An axis' transformation, its ticks in the data's unit, and what to tell the reader of it."""

    forward: Callable[[Any], Any]
    ticks: tuple[float, ...]
    note: str = ""

    @property
    def labels(self) -> list[str]:
        shown = [f"{tick:g}" for tick in self.ticks]
        if len(set(shown)) < len(shown):  # a narrow range of large numbers
            shown = [f"{tick:.12g}" for tick in self.ticks]
        return [text.replace("-", "\N{MINUS SIGN}") for text in shown]


def round_step(span: float, most: int) -> float:
    """A step of 1, 2 or 5 times a power of ten that divides the span into about `most`."""
    raw = max(span, 1e-12) / most
    power = float(10 ** np.floor(np.log10(raw)))
    return power * next(factor for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)


def _round_ticks(low: float, high: float, most: int = 7) -> tuple[float, ...]:
    step = round_step(high - low, most)
    first, last = np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9)
    return tuple(float(f"{k * step:.10g}") + 0.0 for k in np.arange(first, last + 1))  # no -0


def difference_scale(low: float, high: float, delta: float | None) -> Scale:
    """Linear where all differences are of one size; else stretched around 0 (asinh)."""
    reach = max(abs(low), abs(high), 1e-12)
    if delta is None or reach <= 12 * delta:
        return Scale(np.asarray, _round_ticks(low, high))
    width = 2 * delta
    smallest, largest = (int(np.floor(np.log10(end))) for end in (delta, reach))
    steps = [float(f"{m}e{e}") for e in range(smallest, largest + 1) for m in (1, 2, 5)]
    room = 0.17 * np.arcsinh(reach / width)  # that a label needs
    keep: list[float] = []
    for step in steps:
        last = np.arcsinh((keep[-1] if keep else 0.0) / width)
        if delta * 0.99 <= step <= reach and np.arcsinh(step / width) - last > room:
            keep.append(step)
    ticks = (*(-step for step in reversed(keep)), 0.0, *keep)
    inside = tuple(float(f"{tick:.10g}") for tick in ticks if low <= tick <= high)
    return Scale(
        lambda x: np.arcsinh(np.asarray(x) / width),
        inside,
        f"near 0 the scale is stretched, so that differences of {delta:g} and of "
        f"{reach:.3g} can be seen together",
    )


def accuracy_scale(low: float, high: float, n: int | None) -> Scale:
    """Percent correct: linear over a narrow range; else logit, stretched towards 0 and 100."""
    if high - low <= 12 or n is None or low < 0 or high > 100:
        return Scale(np.asarray, _round_ticks(low, high, 6))
    edge = 50 / n  # half a test example, so that 0% and 100% have a place

    def logit(x: Any) -> Any:
        clipped = np.clip(np.asarray(x, dtype=float), edge, 100 - edge)
        return np.log(clipped / (100 - clipped))

    candidates = (1, 2, 5, 10, 20, 30, 50, 70, 80, 90, 95, 98, 99, 99.5, 99.8, 99.9)
    span = logit(high) - logit(low)
    ticks: list[float] = []
    for tick in candidates:
        if low <= tick <= high and (not ticks or logit(tick) - logit(ticks[-1]) > span / 12):
            ticks.append(tick)
    return Scale(logit, tuple(ticks), "the scale is stretched towards 100%")
