"""Metrics, one file each; the file's name is the metric's name in a study.

A metric's file has a docstring whose first line describes it, `METRIC`, `TASKS` (whose outputs it
understands), and either `values(y, outputs)`, which gives a number per test example whose mean is
the metric, or `number(y, outputs)`, which gives one number for all. Unit, direction and the
smallest difference that matters are data, which a result folder keeps in metrics.json: an analysis
needs no function. NumPy only.
"""

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from bench.errors import InputError, nearest

Task = Literal["classification", "regression", "reconstruction"]
"""What a model is asked for, and so what a metric gets as (y, outputs), n test examples:

classification: y int (n,), classes; outputs float (n, classes), whose largest is the answer.
regression: y float (n,); outputs float (n,).
reconstruction: y int (n,), 0 normal and 1 anomalous; outputs float (n,), the reconstruction errors.
"""

TASKS: tuple[Task, ...] = get_args(Task)


@dataclass(frozen=True)
class Metric:
    """What an analysis has to know of a metric.

    unit: of its differences as they are reported; lower_is_better: None where neither is; delta:
    the smallest difference that matters, in `unit`, None where none is declared; scale: what is
    reported is this times what rows hold; low, high: the least and the greatest value that rows can
    hold, None where there is none; per_example: is it a mean over test examples? right_or_wrong: is
    it the share of the examples that are right?
    """

    name: str
    unit: str
    lower_is_better: bool | None
    delta: float | None = None
    scale: float = 1.0
    low: float | None = None
    high: float | None = None
    per_example: bool = True
    right_or_wrong: bool = False

    @property
    def direction(self) -> str:
        """In words; empty where it has none."""
        if self.lower_is_better is None:
            return ""
        return "lower is better" if self.lower_is_better else "higher is better"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def from_json(fields_of: Mapping[str, Any]) -> Metric:
    """What `as_json` gave. Raises ValueError or TypeError for anything else."""
    known = {field.name for field in fields(Metric)}
    made = Metric(**{name: value for name, value in fields_of.items() if name in known})
    numbers = (made.delta, made.scale, made.low, made.high)
    sound = (
        isinstance(made.name, str)
        and isinstance(made.unit, str)
        and isinstance(made.lower_is_better, bool | None)
        and all(isinstance(v, int | float | None) and not isinstance(v, bool) for v in numbers)
        and made.scale is not None
        and isinstance(made.per_example, bool)
        and isinstance(made.right_or_wrong, bool)
        and made.scale > 0
        and (made.delta is None or made.delta > 0)
    )
    if not sound:
        raise ValueError(f"no metric: {dict(fields_of)!r:.100}")
    return made


@dataclass(frozen=True, eq=False)
class Measured:
    """value: the metric; values: float32 (n,), whose mean it is, None where it is no such mean, or
    where the values are right and wrong, which predictions say already."""

    value: float
    values: NDArray[np.float32] | None


def names() -> list[str]:
    """The names of the built-in metrics, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg)


def get(name: str) -> Metric:
    """A built-in metric. Raises InputError."""
    found: Metric = _module(name).METRIC
    return found


def tasks_of(name: str) -> tuple[Task, ...]:
    """The tasks that a built-in metric is for, the usual one first. Raises InputError."""
    found: tuple[Task, ...] = _module(name).TASKS
    return found


def measure(name: str, y: NDArray[Any], outputs: NDArray[Any]) -> Measured:
    """A built-in metric of a model's outputs; y, outputs: as Task says."""
    module = _module(name)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        if not module.METRIC.per_example:
            return Measured(float(module.number(y, outputs)), None)
        values = np.asarray(module.values(y, outputs), dtype=np.float32)
        kept = None if module.METRIC.right_or_wrong else values
        return Measured(mean(values), kept)


def mean(values: NDArray[np.float32]) -> float:
    """What a metric is whose values per example these are."""
    with np.errstate(over="ignore", invalid="ignore"):
        return float(values.mean(dtype=np.float64))


def check(name: str, where: str) -> None:
    """Raises InputError naming `where` unless it is a built-in metric's name."""
    if name not in names():
        raise InputError(where, f"no metric {name!r}", nearest(name, names()))


def declared(chosen: Iterable[str]) -> tuple[Metric, ...]:
    """These built-in metrics. Raises InputError."""
    return tuple(map(get, chosen))


def _module(name: str) -> Any:
    check(name, "metrics")
    return importlib.import_module(f"{__name__}.{name}")
