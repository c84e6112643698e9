"""Metrics of somebody's own: functions of their file, by the names of a study."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import InputError
from bench.metrics import Measured, Metric, mean
from bench.plugins import Part


@dataclass(frozen=True)
class OwnMetric:
    """What is declared of it, and the function `metric(y, outputs)`, which may ask for `x` too."""

    metric: Metric
    part: Part


_metrics: dict[str, OwnMetric] = {}


def use(metrics: Mapping[str, OwnMetric]) -> None:
    """Make these known in this process, by name."""
    _metrics.update(metrics)


def named(metrics: Iterable[str]) -> dict[str, OwnMetric]:
    """Those of these that are somebody's own."""
    return {name: _metrics[name] for name in metrics if name in _metrics}


RETURNED = ""
"""The function's name of a metric that no function gives: arms of a whole pipeline return it."""


def is_returned(name: str) -> bool:
    """Do arms of somebody's pipeline return this metric, by its name?"""
    return name in _metrics and _metrics[name].part.function == RETURNED


def metric(name: str) -> Metric | None:
    """What is declared of somebody's own metric; None where there is none of that name."""
    return _metrics[name].metric if name in _metrics else None


def declaration(name: str, part: Part) -> Metric:
    """What the function's attributes `unit`, `lower_is_better`, `delta` say of it. Runs the file.

    Raises InputError where one is missing or of another kind.
    """
    function = getattr(part.own.module, part.function)
    where = f"{part.own.name}, {part.function}"
    lower = getattr(function, "lower_is_better", None)
    if not isinstance(lower, bool):
        raise InputError(
            where,
            f"lower_is_better is {lower!r}",
            f"allowed: {part.function}.lower_is_better = True, or False, below the function",
        )
    unit = getattr(function, "unit", name)
    if not isinstance(unit, str) or not unit.strip() or unit == "pp":
        raise InputError(where, f"unit is {unit!r}", "allowed: text, and not 'pp'")
    delta = getattr(function, "delta", None)
    number = isinstance(delta, int | float) and not isinstance(delta, bool)
    if delta is not None and not (number and 0 < delta < inf):
        raise InputError(where, f"delta is {delta!r}", "allowed: a number above 0, in its unit")
    return Metric(name, unit, lower, None if delta is None else float(delta))


def measure(name: str, y: NDArray[Any], outputs: NDArray[Any], **more: Any) -> Measured:
    """Call somebody's own metric. outputs: as the model gives them, of whatever shape; more: what
    it may ask for. Raises ValueError where it returns neither a number nor one for each example."""
    part = _metrics[name].part
    asked = part.own.parameters(part.function)
    given = {key: value for key, value in more.items() if key in asked}
    returned = part(y, outputs, **given)
    try:
        found = np.asarray(returned, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} returned {returned!r:.60}, which is no number") from None
    if found.ndim == 0:
        return Measured(float(found), None)
    if found.shape != (len(y),):
        raise ValueError(
            f"{name} returned an array of shape {found.shape}; a number, or one for each of the "
            f"{len(y)} test examples is needed"
        )
    with np.errstate(over="ignore"):
        values = found.astype(np.float32)
    return Measured(mean(values), values)
