"""Metrics of a whole pipeline: built-in ones, functions of its file, and numbers that its arms
return by name."""

from typing import Any

from bench import metrics
from bench.metrics import Metric
from bench.metrics.own import RETURNED, OwnMetric, use
from bench.plugins import Own, Part
from bench.study import own_metrics

_LOWER = frozenset(
    {"loss", "error", "err", "mae", "mse", "rmse", "perplexity", "latency", "time", "duration"}
    | {"ms", "us", "s", "seconds", "bytes", "size", "memory", "energy"}
)
_HIGHER = frozenset(
    {"accuracy", "acc", "auc", "f1", "precision", "recall", "score", "top1", "top5", "map", "iou"}
)
"""Words in names of metrics that tell which way is better."""


def resolved(named: Any, own: Own, parts: dict[str, dict[str, Any]]) -> Any:
    """The name that rows carry; parts: what the study records of functions and names of the file
    gets its entry. Raises InputError."""
    match = own_metrics.REFERENCE.fullmatch(named) if isinstance(named, str) else None
    if match is not None:
        name = match["function"]
        parts[name] = own_metrics.use(own_metrics.part(own, name))
        return name
    if isinstance(named, str) and named and named not in metrics.names():
        declared = Metric(named, named, lower_is_better(named), per_example=False)
        use({named: OwnMetric(declared, Part(own, RETURNED))})
        parts[named] = {"file": own.name, "metric": "returned"}
    return named


def lower_is_better(name: str) -> bool | None:
    """By the words in a metric's name; None where they do not tell."""
    words = set(name.lower().replace("-", "_").split("_"))
    lower, higher = bool(words & _LOWER), bool(words & _HIGHER)
    return None if lower == higher else lower
