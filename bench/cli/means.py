"""Running means of the first metric: by data set, model and factors, never over them."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bench.plan.cells import Cell
from bench.store.schema import EVALUATED
from bench.study.arms import ARMS
from bench.study.factors import FACTORS
from bench.study.units import Unit

Group = tuple[Any, ...]
"""The dataset, the model and the levels of the factors that vary."""


def in_order(arms: Iterable[str]) -> tuple[str, ...]:
    """Each of these arms once: those of ours in our order, others as they come."""
    there = dict.fromkeys(arms)
    return (*(arm for arm in ARMS if arm in there), *(arm for arm in there if arm not in ARMS))


class Means:
    """Mean of the first metric and number of cells, by group, arm and budget."""

    def __init__(self) -> None:
        self.metric = "accuracy"
        self.unit: Unit | None = "epochs"
        """What budgets count; None: what is somebody's own."""
        self._factors: tuple[str, ...] = ()
        self.arms: tuple[str, ...] = ()
        """Of the cells that are planned, in the order in which they are shown."""
        self._sums: defaultdict[Group, defaultdict[tuple[str, int], list[float]]] = defaultdict(
            lambda: defaultdict(lambda: [0.0, 0])
        )

    def planned(self, wanted: Sequence[Cell]) -> None:
        """Learn which arms there are, which factors vary between these cells, and what they are
        measured by."""
        self.arms = in_order(cell.arm for cell in wanted)
        self.metric = next((c.recipe.objective.metrics[0] for c in wanted), self.metric)
        for cell in wanted[:1]:
            self.unit = cell.recipe.budget_unit if cell.recipe.pipeline is None else None
        levels: dict[str, set[Any]] = defaultdict(set)
        for recipe in {cell.recipe for cell in wanted}:
            for name, level in recipe.levels:
                levels[name].add(level)
        self._factors = tuple(name for name, of_it in levels.items() if len(of_it) > 1)

    def note(self, rows: Sequence[Mapping[str, Any]]) -> None:
        for row in rows:
            if row["status"] in EVALUATED:
                measured = dict(row.get("metrics") or {})
                value = measured.get(self.metric, row.get(self.metric))
                if value is None:
                    continue
                own = json.loads(row.get("own_factors") or "{}")
                levels = (row[name] if name in FACTORS else own.get(name) for name in self._factors)
                group = (row["dataset"], row["model"], *levels)
                mean = self._sums[group][row["arm"], row["budget"]]
                mean[0] += value
                mean[1] += 1

    @property
    def groups(self) -> list[Group]:
        return list(self._sums)

    def name(self, group: Group) -> str:
        """Such as `bncnn on digits, batch_norm_momentum 0.9`."""
        dataset, model, *levels = group
        named = [
            f", {name} {level}"
            for name, level in zip(self._factors, levels, strict=True)
            if level is not None
        ]
        return f"{model} on {dataset}{''.join(named)}"

    def shown(self, mean: float, places: int = 1) -> str:
        return f"{mean:.{places}%}" if self.metric == "accuracy" else f"{mean:.3g}"

    def budgets(self, group: Group) -> list[int]:
        return sorted({budget for _, budget in self._sums[group]})

    def of(self, group: Group, budget: int) -> Iterator[tuple[str, float, int]]:
        """Arm, mean and cells, in the arms' order."""
        for arm in self.arms:
            if (arm, budget) in self._sums[group]:
                total, n = self._sums[group][arm, budget]
                yield arm, total / n, int(n)
