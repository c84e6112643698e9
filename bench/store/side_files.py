"""environment.json and metrics.json: written from data, doubted when read."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bench import metrics as known
from bench.metrics import Metric

DEEPEST = 16
"""How many objects of environment.json may lie in one another."""


def of_environment(environment: Mapping[str, Any]) -> str:
    return json.dumps(environment, indent=2, sort_keys=True) + "\n"


def environment(content: bytes) -> tuple[dict[str, Any], str | None]:
    """environment.json and what is wrong with it; empty then, since it can be done without."""
    try:
        found = json.loads(content.decode("utf-8"))
        json.dumps(found, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        return {}, f"environment.json is damaged and was left out: {error}"
    if not isinstance(found, dict) or _depth(found) > DEEPEST or not _well_formed(found):
        return {}, "environment.json is not as `run` writes it and was left out"
    return found, None


def of_metrics(chosen: Sequence[Metric]) -> str:
    return json.dumps({"metrics": [metric.as_json() for metric in chosen]}, indent=2) + "\n"


def metrics(content: bytes) -> tuple[Metric, ...]:
    """metrics.json. Raises ValueError where it is not as `of_metrics` writes it."""
    try:
        found = json.loads(content.decode("utf-8"))
        chosen = tuple(known.from_json(each) for each in found["metrics"])
    except (TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"{type(error).__name__} {error}") from None
    if not chosen or len({metric.name for metric in chosen}) < len(chosen):
        raise ValueError("no metric, or one twice")
    return chosen


def _well_formed(environment: dict[str, Any]) -> bool:
    """Are the entries that are read again of the kind that `run` writes?"""

    def named(name: str, kind: type | tuple[type, ...], tree: Mapping[str, Any]) -> bool:
        found = tree.get(name, {})
        return isinstance(found, dict) and all(isinstance(v, kind) for v in found.values())

    declared = environment.get("declared", [])
    return (
        named("data", str, environment)
        and named("environments", dict, environment)
        and named("baselines", dict, environment)
        and named("taken", list, environment)
        and named("groups", int, environment)
        and all(
            named(dataset, (int, float), environment["baselines"])
            for dataset in environment.get("baselines", {})
        )
        and isinstance(declared, list)
        and all(isinstance(each, dict) for each in declared)
    )


def _depth(tree: Any) -> int:
    if isinstance(tree, Mapping):
        return 1 + max(map(_depth, tree.values()), default=0)
    return 1 + max(map(_depth, tree), default=0) if isinstance(tree, list) else 0
