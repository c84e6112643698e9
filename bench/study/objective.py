"""What a study's models are trained for and measured by: task, loss, metrics."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ValidationInfo

from bench import metrics as known
from bench.errors import InputError, nearest
from bench.metrics import Metric, Task, own

LOSSES: Mapping[str, tuple[Task, ...]] = {
    "cross_entropy": ("classification",),
    "mse": ("regression", "reconstruction"),
    "mae": ("regression", "reconstruction"),
}
"""The built-in losses, and the tasks that each is for."""


@dataclass(frozen=True, slots=True)
class Objective:
    """task: what a model is asked for; loss: what its training lowers, where no function of
    somebody's own stands beside the model; metrics: what it is measured by, the first one primary.
    """

    task: Task = "classification"
    loss: str = "cross_entropy"
    metrics: tuple[str, ...] = ("accuracy",)

    @property
    def identity(self) -> list[str] | None:
        """What of it determines a model: None for classification by cross-entropy, as it always
        was. The metrics do not."""
        if (self.task, self.loss) == ("classification", "cross_entropy"):
            return None
        return [self.task, self.loss]


DELTA = 0.5
"""pp, of accuracies."""


def _known_loss(name: str | None) -> str | None:
    """`name`, if it is None or a loss's. Raises InputError."""
    if name is not None and name not in LOSSES:
        raise InputError("loss", f"no loss {name!r}", nearest(name, LOSSES))
    return name


def known_metrics(names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    """`names`, if they are metrics'. Raises InputError."""
    for name in names:
        if getattr(info.data.get("own", {}).get(name), "metric", None) is None:
            known.check(name, "metrics")
    return names


def with_default_delta(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a study with what matters where it does not say it: of a metric that is no
    accuracy, what the metric says itself."""
    named = fields.get("metrics", "accuracy")
    first = named if isinstance(named, str) else next(iter(named or ()), "accuracy")
    return fields if "delta" in fields or first == "accuracy" else fields | {"delta": {}}


def _checked_delta(value: Any, info: ValidationInfo) -> float | dict[str, float]:
    """A study's `delta`: a number for the first metric, or numbers by metric. Raises InputError.

    In pp it is at least 0.001 and at most 100; in other units any number above 0.
    """
    chosen = info.data.get("metrics", ("accuracy",))
    by_name = value if isinstance(value, Mapping) else {chosen[0]: value}
    for name, number in by_name.items():
        where = f"delta.{name}" if isinstance(value, Mapping) else "delta"
        least, most = (0.001, 100.0) if name == "accuracy" else (0.0, inf)
        if name not in chosen:
            raise InputError(where, f"no metric {name!r} here", nearest(str(name), chosen))
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise InputError(where, f"found {number!r}", "allowed: a number")
        if not (least <= number <= most and 0 < number < inf):
            above = f"greater than or equal to {least:g}" if least else "greater than 0"
            most_said = f", less than or equal to {most:g}" if most < inf else ""
            raise InputError(where, f"found {number!r}", f"allowed: {above}{most_said}")
    if isinstance(value, Mapping):
        return {name: float(number) for name, number in value.items()}
    return float(value)


Loss = Annotated[str | None, AfterValidator(_known_loss)]
Delta = Annotated[float | dict[str, float], BeforeValidator(_checked_delta)]


def declared(
    chosen: Sequence[str],
    delta: float | Mapping[str, float],
    stored: Collection[Metric] = (),
) -> tuple[Metric, ...]:
    """What is known of a study's metrics, with the smallest differences that matter as it declares
    them: a number for the first, or by name. stored: metrics.json's, of somebody's own whose file
    is not there. Raises InputError."""
    kept = {metric.name: metric for metric in stored}
    found = [own.metric(name) or kept.get(name) or known.get(name) for name in chosen]
    given = delta if isinstance(delta, Mapping) else {chosen[0]: delta}
    return tuple(replace(m, delta=given.get(m.name, m.delta)) for m in found)


def of(task: Task | None, loss: str | None, chosen: Sequence[str]) -> Objective:
    """A study's objective, where what is left out follows from the first metric. Raises InputError
    for metrics and losses that are not of one task."""
    built_in = [name for name in chosen if own.metric(name) is None and name in known.names()]
    if task is None:
        task = known.tasks_of(built_in[0])[0] if built_in else "classification"
    for name in built_in:
        if task not in known.tasks_of(name):
            of_task = [each for each in known.names() if task in known.tasks_of(each)]
            raise InputError(
                "metrics",
                f"{name!r} is no metric of a {task}",
                f"allowed: {', '.join(of_task)}, or functions of your own; or another task",
            )
    usual = next(name for name, tasks in LOSSES.items() if task in tasks)
    if loss is None:
        loss = usual
    elif loss in LOSSES and task not in LOSSES[loss]:
        of_task = [name for name, tasks in LOSSES.items() if task in tasks]
        raise InputError(
            "loss",
            f"{loss!r} is no loss of a {task}",
            f"allowed: {', '.join(of_task)}, or a function loss(y, outputs) of your own",
        )
    return Objective(task, loss, tuple(chosen))
